//! One entry before it has its place in the chain.

use std::collections::BTreeMap;

use serde_json::Value;

use super::command::{Event, What};
use crate::apply::Entry;
use crate::envelope::Actor;
use crate::ids::RequestId;
use crate::outcome::{Outcome, Receipt};
use crate::time::Timestamp;

/// Longest text in details, in characters, and most names in a list: an entry tells what was done, it is no copy.
const TEXT_MAX: usize = 300;
const NAMES_MAX: usize = 50;

/// How sure it is that the actor is who it says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Assurance {
    /// Holdfast itself, on a member whose key the others know.
    Node,
    /// At the machine: through the node's own socket.
    Local,
    /// The secret of an API key.
    Key,
    /// A session that its device signed for.
    Session,
    /// A code that went to a number on record and came back.
    TextCode,
    /// A number or address that anybody can write: a hint (SECURITY D-2).
    Claimed,
    /// Nobody showed who they are.
    None,
}

impl Assurance {
    /// The word in entries.
    pub fn name(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Local => "local",
            Self::Key => "key",
            Self::Session => "session",
            Self::TextCode => "text_code",
            Self::Claimed => "claimed",
            Self::None => "none",
        }
    }
}

/// What is said of an entry that may name people: never in the chain itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct Details(BTreeMap<String, Value>);

impl Details {
    pub(crate) fn text(mut self, name: &str, text: &str) -> Self {
        if !text.is_empty() {
            let kept: String = text.chars().take(TEXT_MAX).collect();
            self.0.insert(name.to_owned(), Value::String(kept));
        }
        self
    }

    pub(crate) fn number(mut self, name: &str, number: u64) -> Self {
        self.0.insert(name.to_owned(), Value::from(number));
        self
    }

    /// The first names of a list, and how many there are.
    pub(crate) fn names<'a>(
        mut self,
        name: &str,
        names: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let (mut kept, mut count) = (Vec::new(), 0_u64);
        for each in names {
            count += 1;
            if kept.len() < NAMES_MAX {
                kept.push(Value::String(each.chars().take(TEXT_MAX).collect()));
            }
        }
        if count > NAMES_MAX as u64 {
            self = self.number(&format!("{name}_count"), count);
        }
        self.0.insert(name.to_owned(), Value::Array(kept));
        self
    }

    /// Adds why it was refused, or what it made.
    fn outcome(self, outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Refused(refusal) => self.text("why", &refusal.to_string()),
            Outcome::Defect(code) => self.text("why", code),
            Outcome::Unchanged | Outcome::Conflict => self,
            Outcome::Applied(receipt) => match receipt {
                Receipt::None => self,
                Receipt::Alert { number, .. } | Receipt::Number(number) => {
                    self.number("number", *number)
                }
                Receipt::IslandAlert { label, .. } => self.text("number", label),
                Receipt::Node { id } => self.text("node", &id.to_string()),
                Receipt::Count(count) => self.number("count", *count),
                Receipt::Import { applied, waits, .. } => self
                    .number("applied", *applied)
                    .text("waits", if *waits { "yes" } else { "no" }),
                Receipt::Held { number } => self.number("held", *number),
            },
        }
    }

    /// As kept; `None` when there is nothing.
    pub(crate) fn json(&self) -> Option<String> {
        if self.0.is_empty() {
            return None;
        }
        serde_json::to_string(&self.0).ok()
    }
}

/// What an entry of the log comes to in the audit.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) at: Timestamp,
    pub(crate) actor: String,
    pub(crate) assurance: String,
    pub(crate) action: &'static str,
    pub(crate) object: String,
    pub(crate) outcome: &'static str,
    pub(crate) request: RequestId,
    pub(crate) details: Details,
}

impl Draft {
    /// What `entry` asked for and what became of it.
    pub(crate) fn of(
        entry: &Entry<'_>,
        outcome: &Outcome,
        (action, object, details): (&'static str, String, Details),
    ) -> Self {
        let (actor, assurance, details) = who(&entry.envelope.actor, details);
        Self {
            at: entry.at,
            actor,
            assurance: assurance.name().to_owned(),
            action,
            object,
            outcome: match outcome {
                Outcome::Applied(_) => "applied",
                Outcome::Unchanged => "unchanged",
                Outcome::Refused(_) => "refused",
                Outcome::Conflict => "conflict",
                Outcome::Defect(_) => "defect",
            },
            request: entry.envelope.request,
            details: details.outcome(outcome),
        }
    }

    /// What a node noted.
    pub(crate) fn of_event(entry: &Entry<'_>, event: &Event) -> Self {
        let (action, outcome) = match event.what {
            What::Denied => ("access.denied", "denied"),
            What::Started => ("node.start", "done"),
            What::Exported => ("audit.export", "done"),
            What::BackedUp => ("backup.create", "done"),
            What::Power => ("machine.power", "done"),
            What::Disk => ("machine.disk", "done"),
            What::Channel => ("channel.state", "done"),
        };
        let mut details = Details::default();
        for (name, value) in &event.details {
            details = details.text(name, value);
        }
        if event.count > 1 {
            details = details.number("count", event.count.into());
        }
        Self {
            at: event.at.min(entry.at),
            actor: event.actor.clone(),
            assurance: event.assurance.clone(),
            action,
            object: event.object.clone(),
            outcome,
            request: entry.envelope.request,
            details,
        }
    }
}

/// The actor as the chain may hold it. A mail address is somebody's, so it goes into the details.
fn who(actor: &Actor, details: Details) -> (String, Assurance, Details) {
    match actor {
        Actor::Loop => (actor.label(), Assurance::Node, details),
        Actor::Operator { .. } => (actor.label(), Assurance::Local, details),
        Actor::ApiKey { .. } => (actor.label(), Assurance::Key, details),
        Actor::Person { .. } => (actor.label(), Assurance::TextCode, details),
        Actor::Account { .. } => (actor.label(), Assurance::Session, details),
        Actor::Stranger { .. } => (actor.label(), Assurance::None, details),
        Actor::Mail { address } => (
            "mail".to_owned(),
            Assurance::Claimed,
            details.text("address", address),
        ),
    }
}
