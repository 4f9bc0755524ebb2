//! Commands about alerts that need a second person.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// Says what becomes of an alert that waits. The first word stands.
    Decide {
        number: u64,
        decision: Decision,
        said: Said,
    },
    /// Somebody looked at what went without a second person's word. The first look stands.
    Review { number: u64, said: Said },
    /// Does what was due about these; one that moved on since is passed over.
    FollowUp { due: Vec<Due> },
}

/// What becomes of an alert that waits.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Decision {
    /// A second person agrees: people are called.
    Approve,
    /// A second person says no.
    Refuse,
    /// It goes although no second person has agreed, and must be reviewed.
    Release,
    /// Whoever asked does not want it any more.
    Withdraw,
}

/// Who says so, and why.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct Said {
    /// The name of whoever acts: at most 100 characters.
    pub name: String,
    /// Why, as people should read it: at most 500 characters.
    pub reason: String,
    /// What one of those who were asked got by SMS or mail: proves that it is another person where the key or the command
    /// line is the same.
    pub code: Option<String>,
}

/// What waited until then.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Due {
    pub number: u64,
    pub at: Timestamp,
}
