//! Commands about the members of the cluster and the health of their channels.

use serde::{Deserialize, Serialize};

use crate::ids::NodeId;

#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// The first entry of a cluster's life: who it is for, and its first node.
    Found(Found),
    /// Allows one node to join until `expires_in_ms` after this command's stamp.
    IssueInvite {
        token_hash: [u8; 32],
        expires_in_ms: u64,
    },
    /// Spends an invitation (compare-and-set) and gives the newcomer its id.
    Admit(Admit),
    /// Forgets a node that left. Its id is never used again.
    Remove { node: NodeId },
    /// What a node says of its own channels. Sent on change and every 30 s.
    ReportChannels {
        node: NodeId,
        channels: Vec<ChannelReport>,
    },
    /// The leader's judgement of which nodes can be given work (loop command).
    SetReachable { node: NodeId, reachable: bool },
    /// Replaces a node's key pins (current and next) and addresses.
    SetIdentity {
        node: NodeId,
        pins: Vec<[u8; 32]>,
        addresses: Vec<String>,
    },
    /// Which feature level a node's program knows. Sent when the cluster thinks otherwise.
    ReportLevel { node: NodeId, level: u16 },
    /// From here on commands of this level are used (loop command); nothing happens while a member does not know it.
    RaiseLevel { level: u16 },
    /// Which authorities members' certificates may stand under, and which one signs. Replaces the list; two stand in it
    /// while the cluster changes from one to the other. Refused on an island: every member must follow.
    SetAuthorities(SetAuthorities),
    /// Forgets a node that fell into wrong hands. Unlike a removed one, it may never hand in what it still holds, and its
    /// key is never admitted again.
    Evict { node: NodeId },
    /// Begins a new epoch: everybody of the old one is fenced, one new node goes on with the kept state (DESIGN B6).
    Recover(Recover),
}

#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct SetAuthorities {
    /// One or two certificates in DER.
    pub certificates: Vec<Vec<u8>>,
    /// Which of them signs.
    pub issuing: u32,
}

/// The first command of every epoch but the first.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Recover {
    /// Greater than every epoch the state knows.
    pub epoch: u32,
    /// An id never given out before.
    pub node: NodeId,
    pub node_name: String,
    pub pin: [u8; 32],
    pub addresses: Vec<String>,
    /// What shows the old epoch's members that it is over; empty when nobody of it could check it.
    pub statement: Vec<u8>,
    /// Why nothing may leave before an operator says so; empty when sending goes on.
    pub outbox_paused: String,
}

#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Found {
    pub cluster_id: [u8; 16],
    /// As shown in every text: "Aurora Energy".
    pub organisation: String,
    pub node_name: String,
    pub pin: [u8; 32],
    pub addresses: Vec<String>,
}

#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Admit {
    pub token_hash: [u8; 32],
    pub node_name: String,
    pub pin: [u8; 32],
    pub addresses: Vec<String>,
}

/// One channel as its own node sees it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct ChannelReport {
    /// Name in that node's configuration.
    pub name: String,
    /// `sms` or `email`.
    pub kind: String,
    pub up: bool,
    /// Why it is down or what limits it, in words; empty when all is well.
    pub reason: String,
    /// Mobile operator as the modem shows it; empty for e-mail.
    pub operator: String,
    /// The number answers go to; empty for e-mail.
    pub number: String,
    /// Received signal in dBm, when known.
    pub signal_dbm: Option<i16>,
    /// Parts (SMS) or mails it can send per minute.
    pub rate_per_min: u32,
}
