//! Commands about what wakes people and what shows that it does.

use serde::{Deserialize, Serialize};

use crate::ids::{NodeId, RecipientId};
use crate::time::Timestamp;

#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// Does what was due; what moved on since is passed over (loop command).
    FollowUp { due: Vec<Due> },
    /// Lets a node's modem text the next one now; without a node, every node's.
    StartTrips { node: Option<NodeId> },
    /// Numbers on the card beside those of our modems: replaces all of them.
    SetSpares { numbers: Vec<String> },
    /// Plans a test of people's phones.
    StartTest(Test),
    /// A test that has not begun does not begin.
    CallOffTest { number: u64 },
}

/// Texts and rings that ask people whether they woke.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Test {
    pub people: Vec<RecipientId>,
    /// From now, milliseconds.
    pub in_ms: u64,
    /// For how long a yes counts, milliseconds.
    pub valid_ms: u64,
}

/// What was due when the scheduler looked.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Due {
    /// A node's modem has a number and no time to text the next one.
    Unplanned { node: NodeId },
    /// A node's modem texts the next one.
    Trip { node: NodeId, at: Timestamp },
    /// The modems' numbers are not those on the card.
    Card,
    /// A test's time has come.
    Test { number: u64 },
}
