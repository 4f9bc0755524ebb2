//! Commands about the audit itself.

use serde::{Deserialize, Serialize};

use crate::ids::NodeId;
use crate::time::Timestamp;

#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// What a node did or turned away that no other command tells of, in order. Island-safe: the entries come home as
    /// every other does.
    Note { node: NodeId, events: Vec<Event> },
    /// Asks every node to sign the chain up to here (loop command).
    Mark,
    /// What a node signed. A fact.
    Seal(Seal),
    /// The key a node signs with. The first one stays.
    SetKey { node: NodeId, key: [u8; 32] },
    /// Erases what an entry says of people. The entry itself and the chain stay as they are.
    Erase { seq: u64, reason: String },
}

/// Something worth an entry that is no command.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Event {
    pub at: Timestamp,
    /// On whose behalf: `key:3fa9`, `operator:n1`; empty when nobody showed who they are.
    pub actor: String,
    /// How sure that is, in the words of [`super::Assurance`].
    pub assurance: String,
    pub what: What,
    /// What it was about, such as a route.
    pub object: String,
    /// How often, when the same was gathered.
    pub count: u32,
    /// May name people: pairs of a name and its value.
    pub details: Vec<(String, String)>,
}

/// What happened.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum What {
    /// A request was turned away: no or no valid key, or not allowed.
    Denied,
    /// The node started, and with it its logs.
    Started,
    /// The audit was exported.
    Exported,
    /// A backup was made.
    BackedUp,
    /// The power supply changed.
    Power,
    /// The room on the disk changed class.
    Disk,
    /// A channel came up or went down.
    Channel,
}

/// A checkpoint: the head of the chain as this node worked it out from its own rows.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Seal {
    pub node: NodeId,
    pub epoch: u32,
    pub seq: u64,
    pub head: [u8; 32],
    /// Ed25519 over [`super::Checkpoint::message`]: 64 bytes.
    pub signature: Vec<u8>,
}
