//! Changes to a running alert, each an act with a name: who did it, when, why, and a line in the room.
//!
//! An act is a row that never changes. What holds for an alert because of its acts (how severe it is, until when it is
//! paused, whom it leaves out) is worked out from all of them in order, here and on every island alike.

mod apply;
mod facts;
mod settle;
#[cfg(test)]
mod tests;
mod words;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub(super) use self::apply::act;
pub(crate) use self::apply::{Doing, act_as};
pub use self::facts::ActFact;
pub(crate) use self::facts::{WATCH, changed, merge};
pub(super) use self::settle::settle;
use crate::ids::{ActId, AlertId, RecipientId};
use crate::time::Timestamp;
use crate::vocabulary::{IncidentRole, Severity};

/// Acts on one alert.
pub const ACTS_MAX: usize = 500;

/// The longest reason of an act, in characters.
pub const REASON_LEN_MAX: usize = 300;

/// How long an alert may be paused, milliseconds: 1 minute to 4 hours. It is never paused for good.
pub const PAUSE_MS: std::ops::RangeInclusive<u64> = 60_000..=4 * 3_600_000;

/// People one act adds or tells, at most.
pub const PEOPLE_MAX: usize = 2_000;

/// One change to a running alert. Island-safe: acts are joined, and what follows from them is worked out anew.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub enum Act {
    /// Calls these people now, beside those of the plan, and again with every round that is left. Somebody withdrawn
    /// is called again.
    Add {
        /// As whoever asked wrote it, for people to read: `group:duty`.
        named: Vec<String>,
        people: Vec<RecipientId>,
    },
    /// Calls the next step now, whether or not enough are coming or the alert is paused.
    NextStep,
    /// Calls no further step or round for this long, milliseconds. A call for help, or too few left who could come, ends
    /// it early; texts that are owed already still leave.
    Pause { for_ms: u64 },
    /// Ends a pause.
    Resume,
    /// Another severity. To critical: the silent are called on every path at once, now and in later rounds. To high or
    /// critical: texts leave with those of alerts raised by people.
    Severity { severity: Severity },
    /// Tells those called so far something more.
    Update {
        /// By language; the first serves languages that are missing.
        texts: Vec<(String, String)>,
        to: Audience,
    },
    /// Stops calling somebody and tells them so. What they answered until now counts no more; what they answer later does.
    Withdraw { person: RecipientId },
    /// Gives a role to somebody, who is briefed by text, or leaves it to nobody. Whoever had it has it no more.
    Role {
        role: IncidentRole,
        person: Option<RecipientId>,
    },
}

/// Who gets an update, of those called so far. Nobody who was withdrawn.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub enum Audience {
    /// All but those who said they cannot.
    Called,
    Coming,
    Silent,
}

impl Audience {
    pub const ALL: [Self; 3] = [Self::Called, Self::Coming, Self::Silent];

    /// The word in requests and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Called => "called",
            Self::Coming => "coming",
            Self::Silent => "silent",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|audience| audience.name() == name)
    }
}

impl Act {
    /// The word in requests and answers.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Add { .. } => "add",
            Self::NextStep => "next_step",
            Self::Pause { .. } => "pause",
            Self::Resume => "resume",
            Self::Severity { .. } => "severity",
            Self::Update { .. } => "update",
            Self::Withdraw { .. } => "withdraw",
            Self::Role { .. } => "role",
        }
    }
}

/// Who has a role, and since when.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RoleRow {
    pub role: IncidentRole,
    pub person: RecipientId,
    pub since: Timestamp,
    /// Who gave it to them.
    pub by: String,
}

/// Who has which role because of these acts, in order of the roles.
pub(super) fn roles_of(acts: &[ActRow]) -> Vec<RoleRow> {
    let mut held = BTreeMap::new();
    for row in acts {
        if let Act::Role { role, person } = &row.act {
            let taken = person.map(|person| RoleRow {
                role: *role,
                person,
                since: row.at,
                by: row.by.clone(),
            });
            _ = held.insert(*role, taken);
        }
    }
    held.into_values().flatten().collect()
}

/// An act as stored.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ActRow {
    pub id: ActId,
    pub alert: AlertId,
    /// Later than every earlier act on the same alert.
    pub at: Timestamp,
    /// Who did it.
    pub by: String,
    pub act: Act,
    /// Why; may be empty.
    pub reason: String,
}
