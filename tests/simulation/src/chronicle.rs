//! What the world outside the nodes saw: true times, what left a channel, what came in, what clients were told.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::deliveries::AttemptRef;
use domain::{AlertId, NodeId, Outcome, RequestId};

/// A send that a worker began: the text went into a channel.
#[derive(Clone, Debug)]
pub(crate) struct Start {
    pub at: Duration,
    pub node: NodeId,
    pub attempt: AttemptRef,
    pub address: String,
    /// Applied index at the node when the step that began it began.
    pub began: u64,
    /// Whether a lease granted by a leader covered the moment.
    pub leased: bool,
    /// The node was by itself, and might not know what the others knew.
    pub alone: bool,
    /// Somebody held the step in the middle.
    pub held: bool,
}

/// A text that a network or smarthost really took.
#[derive(Clone, Debug)]
pub(crate) struct Left {
    pub at: Duration,
    pub node: NodeId,
    pub attempt: AttemptRef,
    pub body: String,
    /// It began while the node was by itself.
    pub alone: bool,
}

/// A text that reached one of our modems.
#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    pub at: Duration,
    pub node: NodeId,
    pub key: [u8; 16],
    pub text: String,
}

/// What a client asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Asked {
    Raise,
    Acknowledge(AlertId),
    Resolve(AlertId),
    CallOff(AlertId),
    Join(AlertId),
    Answer(AlertId),
    Post,
}

/// What a client was told, and where.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub node: NodeId,
    pub request: RequestId,
    pub asked: Asked,
    pub index: u64,
    pub outcome: Outcome,
    /// By a node on its own: it reaches the cluster when that can.
    pub alone: bool,
    /// Text of the alert or post, unique in the run.
    pub words: String,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct Chronicle {
    pub starts: Vec<Start>,
    pub left: Vec<Left>,
    pub arrivals: Vec<Arrival>,
    pub told: Vec<Told>,
    /// Since when each node's number has been unable to hear an answer or tell of it.
    pub dark_since: BTreeMap<NodeId, Duration>,
    /// Since when each node's modem has been able to take over from another.
    pub able_since: BTreeMap<NodeId, Duration>,
    /// Since when one unhindered leader has led.
    pub healthy_since: Option<Duration>,
    /// When a step was last held anywhere, or a leader changed.
    pub last_hindered: Duration,
    /// Some node has worked by itself.
    pub islands: bool,
}
