//! Commands about alerts.

use serde::{Deserialize, Serialize};

use crate::escalation::Quota;
use crate::ids::{AlertId, RecipientId};
use crate::time::Timestamp;
use crate::vocabulary::{Answer, Severity, Status};

#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Command {
    Raise(Raise),
    /// Records a person's answer given to an operator or through the API. Applying it again changes nothing.
    Answer {
        alert: AlertId,
        recipient: RecipientId,
        answer: Answer,
    },
    /// Stops escalation on somebody's word, without naming a called person.
    Acknowledge {
        alert: AlertId,
        note: String,
    },
    /// The matter is dealt with. Nobody is texted.
    Resolve {
        alert: AlertId,
        note: String,
    },
    /// Stand down: everyone who was or may have been told is told so.
    CallOff {
        alert: AlertId,
        reason: String,
    },
    /// `alert` is the same matter as `into`: its answers carry over and it stops.
    Join {
        alert: AlertId,
        into: AlertId,
    },
}

/// Starts an alert. Everything it depends on is in it, frozen.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Raise {
    pub severity: Severity,
    pub status: Status,
    /// What happened, by language; the first one serves languages that are missing.
    pub texts: Vec<(String, String)>,
    /// Where to gather: place, bridge number and PIN. May be empty.
    pub gather: String,
    /// When the organisation became aware (NIS2's clock), if that was not now.
    pub aware_at: Option<Timestamp>,
    /// Whom to call, in order. Delays count from the raise. Nobody is in two steps.
    pub steps: Vec<Step>,
    /// What the room is told at once besides, such as that nobody was on call.
    pub notes: Vec<String>,
    /// How many "coming" answers stop the next steps, where a step says nothing else.
    pub needed: u16,
    /// Pause between rounds of paging the silent, milliseconds.
    pub repeat_every_ms: u64,
    /// Rounds after the last step.
    pub repeats: u16,
    /// How long one delivery may wait or travel before it is worthless, milliseconds.
    pub validity_ms: u64,
    /// Called beside everyone else, on every path, when all rounds are over and too few answered. May be empty.
    pub fallback: Vec<RecipientId>,
    /// Name of the source's own alarm; for finding and joining, never refused as a duplicate.
    pub dedup_key: Option<String>,
    /// Whoever or whatever raised it, as people should read it.
    pub source: String,
}

#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Step {
    pub delay_ms: u64,
    /// Nobody: the step is skipped at once.
    pub recipients: Vec<RecipientId>,
    /// What must be answered before no further step is called, all of it; empty: [`Raise::needed`] of anybody.
    pub enough: Vec<Quota>,
}
