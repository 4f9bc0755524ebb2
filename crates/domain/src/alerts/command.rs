//! Commands about alerts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::acts::Act;
use crate::escalation::Quota;
use crate::ids::{AlertId, RecipientId};
use crate::oncall::OnDuty;
use crate::templates::{Attachment, ByLanguage, Document, Gather, Item};
use crate::time::Timestamp;
use crate::vocabulary::{Answer, Automation, Conduct, Severity, Status};

#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Command {
    Raise(Box<Raise>),
    /// Records a person's answer given to an operator or through the API. Applying it again changes nothing.
    Answer {
        alert: AlertId,
        recipient: RecipientId,
        answer: Answer,
        /// In how many minutes somebody who is coming will be there, if that is known.
        eta_min: Option<u16>,
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
    /// Changes a running alert by an act with a name.
    Act {
        alert: AlertId,
        act: Act,
        /// Why; may be empty.
        reason: String,
    },
    /// Says how somebody asked by a safety check is, on the word of whoever saw them. Applying it again changes nothing.
    Mark {
        alert: AlertId,
        recipient: RecipientId,
        /// Who saw them, by name: 1 to 100 characters.
        by: String,
        mark: Answer,
    },
    /// Looks who is on call now in the schedules these alerts were raised through (loop command). Again it changes nothing.
    HandOver {
        alerts: Vec<AlertId>,
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
    /// The same by language; `gather` serves those that are missing.
    pub gather_in: Vec<(String, String)>,
    /// When the organisation became aware (NIS2's clock), if that was not now.
    pub aware_at: Option<Timestamp>,
    /// Whom to call, in order. Delays count from the raise. Nobody is in two steps.
    pub steps: Vec<Step>,
    /// The schedules people were found through, and who was on call in each: whoever comes on duty while the alert is open
    /// is called beside them.
    pub on_call: Vec<OnDuty>,
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
    /// Kinds of contact method to call by (`sms`, `email`); empty: as each person prefers.
    pub channels: Vec<String>,
    /// The answers people are offered; empty: all of its kind.
    pub answers: Vec<Answer>,
    pub conduct: Conduct,
    /// Told at once how a safety check goes: who needs help, when time is over, when nobody is missing.
    pub lead: Vec<RecipientId>,
    /// Name of the source's own alarm; for finding and joining, never refused as a duplicate.
    pub dedup_key: Option<String>,
    /// Whoever or whatever raised it, as people should read it.
    pub source: String,
    /// What it was prepared as, if it was.
    pub template: Option<Box<FromTemplate>>,
}

/// What a template gave an alert beside its texts, filled in and frozen.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct FromTemplate {
    pub key: String,
    pub version: u32,
    /// The scenario's name.
    pub name: String,
    /// What was said for the placeholders.
    pub values: ByLanguage,
    /// Where to gather, by language.
    pub gather: BTreeMap<String, Gather>,
    pub checklist: Vec<Item>,
    pub documents: Vec<Document>,
    pub attachments: Vec<Attachment>,
    /// What follows from answers by itself.
    pub automations: Vec<Automation>,
    /// Who asked for the alert and is told how it goes.
    pub requester: Option<RecipientId>,
    /// Which automation raised it, if one did.
    pub cause: Option<Cause>,
}

/// The automation that raised an alert.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Cause {
    /// Of this alert.
    pub alert: AlertId,
    /// Its place in that alert's template, from 1.
    pub automation: u16,
    /// How many alerts automations raised one from another up to this one.
    pub depth: u8,
    /// The templates of all those above.
    pub above: Vec<String>,
}

#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Step {
    pub delay_ms: u64,
    /// Nobody: the step is skipped at once.
    pub recipients: Vec<RecipientId>,
    /// What must be answered before no further step is called, all of it; empty: [`Raise::needed`] of anybody.
    pub enough: Vec<Quota>,
}
