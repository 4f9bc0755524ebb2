//! What a template's automations say: when something is answered so, do that.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Answer, Severity};

/// Automations of one template, at most.
pub const AUTOMATIONS_MAX: usize = 12;

/// Effects of one automation, at most.
pub const EFFECTS_MAX: usize = 6;

/// Alerts that automations raised one from another, at most, the first one not counted.
pub const DEPTH_MAX: u8 = 3;

/// One automation. It fires at most once for an alert.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Automation {
    pub when: When,
    /// Done in this order.
    pub then: Vec<Effect>,
}

/// What an automation waits for.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum When {
    /// So many different people have given this answer as their last one.
    Answered {
        count: u16,
        /// `None`: any.
        answer: Option<Answer>,
        /// `person:KEY`, `group:KEY`, `schedule:KEY`; empty: everyone called.
        among: Vec<String>,
    },
    /// None of them has given it this long after the raise.
    Nobody {
        after_ms: u64,
        answer: Option<Answer>,
        among: Vec<String>,
    },
    /// As many are coming as the plan wants.
    Complete,
    /// Fewer are, this long after the raise.
    Incomplete { after_ms: u64 },
}

/// What an automation does.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Effect {
    /// Raises an alert from another template.
    Raise {
        template: String,
        /// What its placeholders stand for.
        values: BTreeMap<String, String>,
    },
    /// Calls more people: `person:KEY`, `group:KEY`, `schedule:KEY`, as they are when it fires.
    Add { to: Vec<String> },
    /// Writes in the room.
    Post { text: String },
    /// Gives the alert another severity.
    Severity { severity: Severity },
    /// Tells whoever asked for the alert.
    Tell { news: Word },
    /// Resolves the alert. Nobody is texted.
    Close { note: String },
}

/// What whoever asked for an alert is told.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Word {
    /// The team is complete.
    Complete,
    /// Too few were reached so far.
    NotReached,
}

impl Word {
    pub const ALL: [Self; 2] = [Self::Complete, Self::NotReached];

    /// The word in requests and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::NotReached => "not_reached",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|word| word.name() == name)
    }
}

impl When {
    /// How long after the raise it is looked at, if it goes by time.
    pub fn after_ms(&self) -> Option<u64> {
        match self {
            Self::Nobody { after_ms, .. } | Self::Incomplete { after_ms } => Some(*after_ms),
            Self::Answered { .. } | Self::Complete => None,
        }
    }

    /// Whose answers count; empty: everyone's.
    pub fn among(&self) -> &[String] {
        match self {
            Self::Answered { among, .. } | Self::Nobody { among, .. } => among,
            Self::Complete | Self::Incomplete { .. } => &[],
        }
    }

    /// The answer it counts; `None`: any.
    pub fn answer(&self) -> Option<Answer> {
        match self {
            Self::Answered { answer, .. } | Self::Nobody { answer, .. } => *answer,
            Self::Complete | Self::Incomplete { .. } => Some(Answer::Coming),
        }
    }
}
