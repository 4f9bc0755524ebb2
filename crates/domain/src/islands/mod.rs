//! Islands: a node that hears no majority works alone on a copy of the state, and what it did reaches the cluster as
//! facts (DESIGN §4.4).
//!
//! A fact is the image of one row. Each kind has a law in its doc comment by which two images of the same row become
//! one; the laws commute, associate and repeat without effect, so facts may come in any order, by any way, any number
//! of times, from any number of islands, and the rows come out the same. [`merge_digest`] covers just those rows.
//!
//! Invariants: an island's own state has a row in `fork`, the cluster's has none; nothing that cannot be merged stops
//! anything, it becomes a row people see ([`refused`]); what follows from joined rows is worked out anew, never joined.

mod apply;
mod backlog;
mod collect;
mod command;
mod digest;
mod enter;
#[cfg(test)]
mod properties;
mod query;
mod rules;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub(crate) use self::apply::apply;
pub use self::apply::apply_facts;
pub use self::backlog::{SUPERSEDED_AFTER, backlog};
pub use self::collect::apply_on_island;
pub use self::command::Command;
pub use self::digest::merge_digest;
pub use self::enter::enter;
pub use self::query::{RefusedFact, orphans, refused};
pub use self::rules::{BYTES_MAX, FACTS_MAX, batches, safe};
pub use crate::alerts::{ActFact, AlertFact, StandingFact};
pub use crate::audit::AuditFact;
pub use crate::automations::FiredFact;
pub use crate::conversations::{MessageFact, TalkFact};
pub use crate::deliveries::{AttemptFact, DeliveryFact};
pub use crate::escalation::{CallFact, MarkFact};
pub use crate::inbound::InboundFact;
pub use crate::nodes::{Fork, fork};
pub use crate::requests::RequestFact;

/// The image of one row, as an island tells it. Journals and exports hold these, so the order of variants and their
/// fields are fixed like a command's; the law of each kind is in its own doc comment.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Fact {
    /// An alert as raised.
    Alert(Box<AlertFact>),
    /// What became of an alert.
    Standing(StandingFact),
    /// A person called, with codes and answer.
    Call(CallFact),
    /// Something owed, and where it stands.
    Delivery(Box<DeliveryFact>),
    /// One try.
    Attempt(Box<AttemptFact>),
    /// Something said in a room.
    Message(MessageFact),
    /// A text that came in.
    Inbound(Box<InboundFact>),
    /// An outside request answered.
    Request(RequestFact),
    /// A change to a running alert.
    Act(Box<ActFact>),
    /// An automation that fired.
    Fired(FiredFact),
    /// What somebody says of a person called.
    Mark(MarkFact),
    /// What belongs to rooms beside their messages.
    Talk(Box<TalkFact>),
    /// An entry of the audit.
    Audit(Box<AuditFact>),
}

impl Fact {
    /// The word in lists.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Alert(_) => "alert",
            Self::Standing(_) => "standing",
            Self::Call(_) => "call",
            Self::Delivery(_) => "delivery",
            Self::Attempt(_) => "attempt",
            Self::Message(_) => "message",
            Self::Inbound(_) => "inbound",
            Self::Request(_) => "request",
            Self::Act(_) => "act",
            Self::Fired(_) => "automation",
            Self::Mark(_) => "mark",
            Self::Talk(fact) => fact.kind(),
            Self::Audit(_) => "audit",
        }
    }

    /// The id of the row it is an image of, in hexadecimal, for lists.
    pub fn about(&self) -> String {
        match self {
            Self::Alert(fact) => fact.alert.to_string(),
            Self::Standing(fact) => fact.alert.to_string(),
            Self::Call(fact) => format!("{}/{}", fact.alert, fact.recipient),
            Self::Delivery(fact) => fact.delivery.to_string(),
            Self::Attempt(fact) => format!("{}/{}", fact.delivery, fact.attempt),
            Self::Message(fact) => fact.message.to_string(),
            Self::Inbound(fact) => data_encoding::HEXLOWER.encode(&fact.key),
            Self::Request(fact) => fact.request.to_string(),
            Self::Act(fact) => format!("{}/{}", fact.alert, fact.id),
            Self::Fired(fact) => format!("{}/{}", fact.alert, fact.number),
            Self::Mark(fact) => format!("{}/{}", fact.alert, fact.recipient),
            Self::Talk(fact) => fact.about(),
            Self::Audit(fact) => format!("{}/{}", fact.request, fact.action),
        }
    }
}
