//! What travels through the log: a command with everything apply may not look up by itself.

use serde::{Deserialize, Serialize};

use crate::Command;
use crate::ids::{NodeId, RequestId};
use crate::time::Timestamp;

/// A command as the log holds it. Time, identity and chance come from here, so that apply is the same on every node
/// (DESIGN A5). Released fields never change: a new form is a new [`Command`] variant.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Envelope {
    /// The change asked for; a retry carries the same id.
    pub request: RequestId,
    /// Cluster time at the node that issued it.
    pub issued_at: Timestamp,
    /// The node that issued it.
    pub issued_by: NodeId,
    /// Random bytes drawn by the issuing node, the only source of chance in apply.
    pub seed: [u8; 16],
    /// SHA-256 of what the outside asked for. The same request id with another body is a conflict.
    pub body: [u8; 32],
    /// On whose behalf.
    pub actor: Actor,
    /// Set on the leader's own loop commands: the leadership they were decided under (DESIGN C2).
    pub decided_under: Option<LeaderStamp>,
    /// What to do.
    pub command: Command,
}

/// On whose behalf a command is issued.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub enum Actor {
    /// Holdfast's own loops (scheduler, worker, inbound, membership).
    Loop,
    /// A person at a node's own command line, through its local socket.
    Operator { node: NodeId },
    /// A program or person holding an API key.
    ApiKey { id: String },
    /// A person who ordered it by text, from a number of theirs, and sent back the code that went to it.
    Person { key: String },
    /// Whoever wrote a mail under this address. A hint, too.
    Mail { address: String },
    /// A person signed in with this account.
    Account { name: String },
    /// Somebody at this node who has not shown yet who they are.
    Stranger { node: NodeId },
}

impl Actor {
    /// As shown in lists and stored in rows: `loop`, `operator:n1`, `key:3fa9`, `person:anna`, `mail:a@b`,
    /// `account:anna`, `stranger:n1`.
    pub fn label(&self) -> String {
        match self {
            Self::Loop => "loop".to_owned(),
            Self::Operator { node } => format!("operator:{node}"),
            Self::ApiKey { id } => format!("key:{id}"),
            Self::Person { key } => format!("person:{key}"),
            Self::Mail { address } => format!("mail:{address}"),
            Self::Account { name } => format!("account:{name}"),
            Self::Stranger { node } => format!("stranger:{node}"),
        }
    }
}

/// One leadership: a term and the node that leads in it (openraft's advanced leader id).
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct LeaderStamp {
    pub term: u64,
    pub node: NodeId,
}

/// An envelope at its place in the log.
#[derive(Clone, Debug)]
pub struct LogEntry {
    /// Raft log index.
    pub index: u64,
    /// The leadership that appended it.
    pub leader: LeaderStamp,
    pub envelope: Envelope,
}
