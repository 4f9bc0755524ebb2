//! Commands about the members of the cluster and the health of their channels.

use serde::{Deserialize, Serialize};

use crate::ids::NodeId;
use crate::time::Timestamp;

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
    /// What a node says of the machine under it. Sent at every start, on change and every few minutes. A fact.
    ReportMachine(MachineReport),
    /// What people's clocks should say, against cluster time (DESIGN A10). By the scheduler, or by an operator.
    SetCivilOffset(SetCivilOffset),
    /// Marks the place in the log at which every replica digests its state (DESIGN A9, loop command).
    TakeDigest,
    /// What a replica's state came to at such a place. A fact.
    ReportDigest(DigestReport),
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

/// A machine's clocks, disk and power as its node sees them. Words of sets that grow are written out.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct MachineReport {
    pub node: NodeId,
    /// The machine's wall clock minus cluster time, milliseconds, read at one moment.
    pub civil_offset_ms: i64,
    /// By how much cluster time jumped on this node since its last report, milliseconds; the wall clock did not.
    pub moved_ms: i64,
    /// The machine was started anew and cluster time goes on from the last stamp: how long it was off is not in it.
    pub resumed: bool,
    /// Where the wall clock comes from: `ntp`, `rtc`, `none`; empty when that cannot be known.
    pub clock_source: String,
    /// Whether the kernel says the wall clock is kept right by such a source.
    pub synchronised: Option<bool>,
    /// `ample`, `critical_only` or `results_only`; empty when not watched.
    pub disk: String,
    pub disk_free_mb: u64,
    /// `mains`, `battery` or `draining`; empty when not watched.
    pub power: String,
    /// What the battery still gives, seconds.
    pub runtime_s: Option<u64>,
    pub place: Place,
}

/// What a node's site hangs on, as its settings say: at most 100 characters each; empty: not said.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// Who carries its traffic to the others.
    pub provider: String,
    /// The mobile network its modem is in.
    pub operator: String,
    /// The electrical feed it hangs on.
    pub feed: String,
    /// The host it runs on as a virtual machine.
    pub hypervisor: String,
}

#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct SetCivilOffset {
    /// Civil time minus cluster time, milliseconds.
    pub offset_ms: i64,
    /// Since when it holds, where that is earlier than this entry: all nodes were off and cluster time stood still.
    pub since: Option<Timestamp>,
    /// Wall clocks that agree on it, of how many members; both zero when a person said so.
    pub agreeing: u16,
    pub members: u16,
    /// Between the earliest and the latest wall clock of all members heard, milliseconds.
    pub spread_ms: u64,
    /// The difference is larger than clocks may drift, and is explained by a start from cold or a move of cluster time.
    pub explained: bool,
}

#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct DigestReport {
    pub node: NodeId,
    /// Index of the [`Command::TakeDigest`] it was taken at.
    pub index: u64,
    /// Schema version of the state it was taken of; only equal ones compare.
    pub schema: u32,
    pub digest: [u8; 32],
}
