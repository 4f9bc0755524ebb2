//! Commands about reports.

use serde::{Deserialize, Serialize};

use crate::alerts::Raise;
use crate::time::Timestamp;

#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// Somebody reported something.
    Take(Report),
    /// A person on duty says what becomes of it.
    Decide {
        number: u64,
        decision: Decision,
        reason: String,
    },
    /// Does what was due about these reports; one that moved on since is passed over.
    FollowUp { due: Vec<Due> },
}

/// What was reported.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Who says so: 1 to 100 characters.
    pub who: String,
    /// E.164 number or mail address to answer to; empty: nowhere.
    pub contact: String,
    /// In which language to answer.
    pub language: String,
    /// 1 to 2,000 characters.
    pub what: String,
    /// `form`, `call`.
    pub via: String,
}

#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Decision {
    /// Duty looks again after so many milliseconds.
    Wait { for_ms: u64 },
    /// People are called.
    Convene { raise: Box<Raise> },
    /// It needs none.
    NoAction,
    /// What was convened is over, whatever became of its alert.
    Over,
}

/// A report whose time had come when the scheduler looked.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Due {
    /// It waited until then.
    Waited { number: u64, at: Timestamp },
    /// The alert it became is closed.
    AlertClosed { number: u64 },
}
