//! Commands about templates.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::oncall::WantedQuota;
use crate::vocabulary::{Answer, Automation, Conduct, Severity, Status};

/// Words by language (BCP 47 primary subtag).
pub type ByLanguage = BTreeMap<String, String>;

#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// Adds a template, or a new version of the one with its key. Applying the same again changes nothing.
    Put(Box<Template>),
    /// Takes a template out of use. Its versions stay readable.
    Archive { key: String },
    /// Takes a template back into use, as it is, or with an earlier version as its newest.
    Restore { key: String, version: Option<u32> },
    /// Adds templates of the starter pack, or renews those that nobody edited.
    InstallStarter { templates: Vec<Template> },
    /// Says what texts cost and where they may link to.
    SetPolicy(Policy),
}

/// One version of a template, as somebody put it. A row of a version holds the same, in JSON: a version *is* what was put.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Template {
    /// Short stable name: 1 to 64 characters.
    pub key: String,
    /// The scenario, as people search for it.
    pub name: String,
    /// Language whose words serve every language that lacks its own.
    pub fallback: String,
    /// What happened, with placeholders in braces: `{what} is down at {where}`.
    pub texts: ByLanguage,
    pub placeholders: Vec<Placeholder>,
    pub severity: Severity,
    /// What an alert from it is unless the raise says otherwise.
    pub status: Status,
    /// Whom to call, in order. May be empty: then each raise says whom.
    pub steps: Vec<Step>,
    /// How many "coming" answers stop the next steps.
    pub needed: u16,
    /// Rounds after the last step.
    pub repeats: u16,
    /// Pause between rounds, milliseconds.
    pub repeat_every_ms: u64,
    /// How long one text may wait or travel, milliseconds.
    pub validity_ms: u64,
    /// Kinds of contact method to call by (`sms`, `email`); empty: as each person prefers.
    pub channels: Vec<String>,
    /// The answers people are offered; empty: all of its kind.
    pub answers: Vec<Answer>,
    pub conduct: Conduct,
    /// Names of those who are told at once how a safety check goes; empty: whoever is on duty.
    pub lead: Vec<String>,
    /// Where to gather, by language.
    pub gather: BTreeMap<String, Gather>,
    /// What has to be done, in order.
    pub checklist: Vec<Item>,
    pub documents: Vec<Document>,
    pub attachments: Vec<Attachment>,
    /// For whoever raises an alert from it; nobody is sent this.
    pub notes: String,
    /// What follows from answers by itself, in this order.
    pub automations: Vec<Automation>,
}

/// A hole in the words, to be filled at the raise.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Placeholder {
    /// `what` for `{what}`: a to z, digits and underscores, a letter first.
    pub name: String,
    /// Whether a raise must say it.
    pub required: bool,
    /// What somebody may write, by language; renders the template before there is an alert.
    pub example: ByLanguage,
    /// What stands there when a raise says nothing, by language.
    pub default: ByLanguage,
}

/// Whom to call after a delay.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Step {
    pub delay_ms: u64,
    /// Names such as `person:anna` and `group:duty`, looked up at each raise.
    pub to: Vec<String>,
    /// What must be answered before no further step is called, all of it; empty: [`Template::needed`] of anybody.
    pub enough: Vec<WantedQuota>,
}

/// Where to gather. Each part may be empty and hold placeholders.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct Gather {
    pub place: String,
    /// Where to go when the place cannot be used.
    pub alternate: String,
    /// Number of a telephone conference.
    pub bridge: String,
    pub pin: String,
}

/// Something to do.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// Role of whoever does it, by language.
    pub owner: ByLanguage,
    /// What, by language; may hold placeholders.
    pub text: ByLanguage,
}

/// A document to read, at a host the policy allows.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Document {
    pub label: ByLanguage,
    pub url: String,
}

/// A file that belongs to the scenario, by what identifies it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Attachment {
    pub name: String,
    pub bytes: u64,
    /// SHA-256 of the file, 64 lower-case hexadecimal digits.
    pub sha256: String,
}

/// What holds for every text.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    /// Hosts that templates may link to, in lower case; their subdomains are others.
    pub link_hosts: Vec<String>,
    /// What one SMS part costs, if somebody said so.
    pub price: Option<Price>,
}

/// A price of one SMS part.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Price {
    /// Millionths of the currency.
    pub micros: u64,
    /// ISO 4217 code: `EUR`.
    pub currency: String,
}

impl Default for Template {
    /// An empty alert to nobody, with the times of an alert that says nothing of them.
    fn default() -> Self {
        use crate::vocabulary::{DEFAULT_REPEAT_EVERY_MS, DEFAULT_REPEATS, DEFAULT_VALIDITY_MS};
        Self {
            key: String::new(),
            name: String::new(),
            fallback: "en".to_owned(),
            texts: ByLanguage::new(),
            placeholders: Vec::new(),
            severity: Severity::High,
            status: Status::Actual,
            steps: Vec::new(),
            needed: 1,
            repeats: DEFAULT_REPEATS,
            repeat_every_ms: DEFAULT_REPEAT_EVERY_MS,
            validity_ms: DEFAULT_VALIDITY_MS,
            channels: Vec::new(),
            answers: Vec::new(),
            conduct: Conduct::default(),
            lead: Vec::new(),
            gather: BTreeMap::new(),
            checklist: Vec::new(),
            documents: Vec::new(),
            attachments: Vec::new(),
            notes: String::new(),
            automations: Vec::new(),
        }
    }
}
