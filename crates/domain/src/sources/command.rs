//! Commands about sources.

use serde::{Deserialize, Serialize};

use crate::ids::AlertId;
use crate::oncall;
use crate::time::Timestamp;
use crate::vocabulary::{Severity, Status};

#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// Adds a source or replaces the settings of the one with this key; token and standing stay.
    Put { source: Box<Source> },
    /// Removes a source with everything it said. Alerts it raised stay.
    Remove { key: String },
    /// Gives a source a new token; the old one ends at once. Only the hash of it is ever proposed (SECURITY D-3).
    SetToken { key: String, token_hash: [u8; 32] },
    /// What sources said, in order. Island-safe: what it raises is joined as alerts are; what it counts is the island's.
    Take { arrivals: Vec<Arrival> },
    /// Does what was due in these rows; one that moved on since is passed over. Island-safe: changes only its own copy.
    FollowUp { due: Vec<Due> },
    /// Adds a silence or a maintenance window, or moves the end of the one with this id.
    PutSilence(Silence),
    /// Ends a silence or window now.
    EndSilence { id: String },
    /// Holds everything automatic for a while; people's raises go on. Island-safe: changes only its own copy.
    StopAll { reason: String, for_ms: u64 },
    /// Ends that early. Island-safe: changes only its own copy.
    Resume,
    /// What holds for all sources.
    Set(Settings),
    /// Sends a source's alarms to somebody else for a while; `None` takes that back. Alerts under way keep whom they called.
    Redirect {
        source: String,
        redirect: Option<Redirect>,
    },
}

/// Something that raises alerts by itself.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Source {
    /// Short stable name: 1 to 64 characters. Stands in its address.
    pub key: String,
    /// As people should read it.
    pub name: String,
    pub kind: Kind,
    /// Whom it calls; looked up when it alarms.
    pub calls: Vec<oncall::Called>,
    /// How bad an alarm is when the source's own word for it is not in `severities`.
    pub severity: Severity,
    /// The source's own words for how bad it is.
    pub severities: Vec<(String, Severity)>,
    /// Where to gather. May be empty.
    pub gather: String,
    pub mapping: Mapping,
    pub on_resolve: OnResolve,
    pub brake: Brake,
    /// Expected signs of life; heartbeats only.
    pub beat: Option<Beat>,
    /// One that is not is listened to, and nobody is called.
    pub enabled: bool,
    /// Its documents are answered in its own language: a CAP `Ack` or `Error`; CAP only.
    pub answers: bool,
}

/// What a source speaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Kind {
    /// Any JSON, read by a mapping.
    Webhook,
    /// Prometheus Alertmanager's webhook, version 4.
    Alertmanager,
    /// Grafana's unified alerting webhook.
    Grafana,
    /// Mail to an address of its own.
    Email,
    /// Gives signs of life; their absence alarms.
    Heartbeat,
    /// Common Alerting Protocol 1.2.
    Cap,
    /// SNMP traps.
    Snmp,
    /// A dry contact or a script on a node.
    Contact,
}

/// How a document becomes signals. Templates name places in it: `{labels.instance}`, or `{/labels/instance}` as a JSON
/// pointer (RFC 6901); `{a|b}` is the first of them that is there.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct Mapping {
    /// JSON pointer to the list of signals; empty: the document is one, or a list of them.
    pub each: String,
    /// Template of the key that is the same for the beginning and the end of one matter. Where it comes out empty, the
    /// text serves.
    pub key: String,
    /// Templates of what people read, by language; the first serves languages that are missing.
    pub texts: Vec<(String, String)>,
    /// Template of the source's word for how bad it is.
    pub severity: String,
    /// Template that tells whether it is over.
    pub resolved: String,
    /// What it says when it is.
    pub resolved_when: Vec<String>,
    /// JSON pointer to an object whose values become labels; empty: none.
    pub labels: String,
    /// Whether signals are real; a template that says `exercise` or `test` when they are not. Empty: always real.
    pub status: String,
}

/// What the end of all of an alert's signals does to it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum OnResolve {
    /// Closes it; nobody is texted.
    Close,
    /// Is written in its room; a person closes it.
    Note,
}

/// How a source's storms are held.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Brake {
    /// A source without a new alarm for this long is quiet, milliseconds: 1 minute to 1 day.
    pub window_ms: u64,
    /// How often people are told that a bundle has grown, milliseconds: 1 minute to 1 day.
    pub tell_every_ms: u64,
    /// A key that opens more often than this within `changes_within_ms` flaps: 2 to 100.
    pub changes_max: u16,
    /// Milliseconds: 1 minute to 1 day.
    pub changes_within_ms: u64,
}

impl Default for Brake {
    fn default() -> Self {
        Self {
            window_ms: 10 * 60_000,
            tell_every_ms: 10 * 60_000,
            changes_max: 4,
            changes_within_ms: 15 * 60_000,
        }
    }
}

/// Signs of life that are expected.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Beat {
    /// One at least every so many milliseconds: 10 seconds to 31 days.
    pub every_ms: u64,
    /// And so much longer until its absence alarms, milliseconds: up to 31 days.
    pub grace_ms: u64,
}

/// One thing that came from a source.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Arrival {
    /// Key of the source.
    pub source: String,
    pub what: Arrived,
}

impl Arrival {
    /// Whether it is as bad as can be.
    pub(crate) fn critical(&self) -> bool {
        match &self.what {
            Arrived::Signal(signal) => signal.severity == Severity::Critical && !signal.resolved,
            Arrived::Beat | Arrived::Word(_) => false,
        }
    }
}

#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Arrived {
    Signal(Signal),
    /// A sign of life.
    Beat,
    /// What another system says of an alert.
    Word(Word),
}

/// That another system has an alert of ours, or cannot use it; or what it says of a matter it told us of. It is written
/// into the alert's room and calls nobody.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Word {
    pub about: About,
    /// 1 to 500 characters.
    pub text: String,
}

#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum About {
    /// An alert it got from us.
    Alert(AlertId),
    /// The source's own key for what it told us.
    Key(String),
}

/// A source's word that something began or is over.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Signal {
    /// The source's own name for the matter: 1 to 200 characters.
    pub key: String,
    /// What happened, by language; the first one serves languages that are missing.
    pub texts: Vec<(String, String)>,
    pub severity: Severity,
    pub status: Status,
    /// For silences and lists.
    pub labels: Vec<(String, String)>,
    /// It is over.
    pub resolved: bool,
}

/// A row whose time had come when the scheduler looked.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct Due {
    pub what: DueWhat,
    /// When it was due: a row that is due at another time by now is not meant.
    pub at: Timestamp,
}

#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub enum DueWhat {
    /// A heartbeat's sign of life is missing.
    Beat { source: String },
    /// A bundle has grown, or is over.
    Bundle { alert: AlertId },
    /// A key that flapped has been quiet.
    Settled { source: String, key: String },
    /// A silence or maintenance window is over.
    Silence { id: String },
    /// The stop of everything automatic is over.
    Stop,
}

/// Swallows, for a time, what matches. Everything it swallows is counted, listed, and told when it ends.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Silence {
    /// 32 hexadecimal digits.
    pub id: String,
    pub kind: SilenceKind,
    /// Empty: every source.
    pub source: String,
    /// All of them must match.
    pub matchers: Vec<Matcher>,
    pub from: Timestamp,
    /// At most 31 days after `from`.
    pub until: Timestamp,
    pub reason: String,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum SilenceKind {
    Silence,
    Maintenance,
}

/// One condition on a label.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Matcher {
    /// Name of a label; `key` is the signal's own key.
    pub label: String,
    pub test: Test,
    pub value: String,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Test {
    Is,
    IsNot,
    Begins,
}

/// Whom a source's alarms call instead.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Redirect {
    pub to: oncall::Called,
    /// `None`: until it is taken back.
    pub until: Option<Timestamp>,
    /// At most 200 characters.
    pub reason: String,
}

/// What holds for all sources.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// At most so many automatic alarms of a severity or worse reach one person in 10 minutes, one by one: 1 to 100.
    pub person_alarms: u16,
    /// Called when whoever a source calls is gone.
    pub duty: Vec<oncall::Called>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            person_alarms: 5,
            duty: Vec::new(),
        }
    }
}
