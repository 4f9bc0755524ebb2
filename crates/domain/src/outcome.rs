//! What applying a command came to. The same on every node.

use serde::{Deserialize, Serialize};

use crate::ids::{AlertId, ImportId, NodeId};

/// The result of one command (DESIGN A6: whatever a command can say ends in one of these).
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Outcome {
    /// State changed; the receipt names what was made.
    Applied(Receipt),
    /// The command asked for what already was.
    Unchanged,
    /// A rule said no.
    Refused(Refusal),
    /// This request id was used before with another body.
    Conflict,
    /// The command could not be applied (constraint or conversion). An alarm row tells people; life goes on.
    Defect(String),
}

/// What a command made.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Receipt {
    None,
    /// An alert with the number people say aloud.
    Alert {
        id: AlertId,
        number: u64,
    },
    /// A node id given out at admission.
    Node {
        id: NodeId,
    },
    /// How many rows a batch changed.
    Count(u64),
    /// An alert raised on an island, with the number people say aloud: `B-7`.
    IslandAlert {
        id: AlertId,
        label: String,
    },
    /// Something people know by its number within something else: an override, a swap, a template's newest version.
    Number(u64),
    /// An import of people: how many it added, changed or removed, and whether some of it waits for a person.
    Import {
        id: ImportId,
        applied: u64,
        waits: bool,
    },
    /// An alert that waits for a second person, by the number it waits under ([`crate::approvals`]).
    Held {
        number: u64,
    },
}

impl Receipt {
    /// The alert that was made, with the number people say aloud: `118` or `B-7`.
    pub fn alert(&self) -> Option<(AlertId, String)> {
        match self {
            Self::Alert { id, number } => Some((*id, number.to_string())),
            Self::IslandAlert { id, label } => Some((*id, label.clone())),
            Self::None
            | Self::Node { .. }
            | Self::Count(_)
            | Self::Number(_)
            | Self::Import { .. }
            | Self::Held { .. } => None,
        }
    }

    /// How many rows a batch changed.
    pub fn count(&self) -> Option<u64> {
        if let Self::Count(count) = self {
            Some(*count)
        } else {
            None
        }
    }

    /// The number under which an alert waits for a second person.
    pub fn held(&self) -> Option<u64> {
        if let Self::Held { number } = self {
            Some(*number)
        } else {
            None
        }
    }

    /// The number of what was made.
    pub fn number(&self) -> Option<u64> {
        if let Self::Number(number) = self {
            Some(*number)
        } else {
            None
        }
    }
}

/// Why a rule said no.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {
    #[error("there is no such alert")]
    UnknownAlert,
    #[error("the alert is closed; raise a new one")]
    AlertClosed,
    #[error("an alert cannot be joined into itself or into one that is closed or joined")]
    CannotJoin,
    #[error("the alert has no recipients; name people or groups that have members")]
    NoRecipients,
    #[error("unknown recipient {0}; add the person first or correct the key")]
    UnknownRecipient(String),
    #[error("unknown group {0}; add the group first or correct the key")]
    UnknownGroup(String),
    #[error("there is no such delivery")]
    UnknownDelivery,
    #[error("decided under an earlier leadership")]
    StaleLeadership,
    #[error("page {asked} is not the next page ({next})")]
    NotNextPage { asked: u32, next: u32 },
    #[error("there is no such node")]
    UnknownNode,
    #[error("the invitation is unknown; create a new one with `holdfast cluster invite`")]
    UnknownInvite,
    #[error("the invitation has expired; create a new one with `holdfast cluster invite`")]
    InviteExpired,
    #[error("the invitation was already used; create a new one with `holdfast cluster invite`")]
    InviteUsed,
    #[error("the cluster is already founded")]
    AlreadyFounded,
    #[error("there is no such API key")]
    UnknownKey,
    #[error("there is no such room")]
    UnknownRoom,
    #[error("{0}")]
    Invalid(String),
    /// This node is cut off and may not decide this alone; the words say what can be done instead.
    #[error("this node is cut off from the cluster: {0}")]
    NotOnIsland(String),
    #[error(
        "this key belonged to a node that was evicted; make a new one: empty the data directory and join again"
    )]
    EvictedKey,
    #[error("the cluster is in this epoch already, or in a later one")]
    StaleEpoch,
    #[error(
        "nothing leaves while the outbox is held back; look at `holdfast outbox show`, then release it"
    )]
    OutboxPaused,
    #[error("there is no such source")]
    UnknownSource,
    #[error("there is no such silence or maintenance window")]
    UnknownSilence,
    #[error("there is no such report")]
    UnknownReport,
    #[error("unknown schedule {0}; see `holdfast schedule list`")]
    UnknownSchedule(String),
    #[error("{0}")]
    NoSuch(String),
    #[error("{0}; name people or groups, or put somebody on call with an override")]
    NobodyOnCall(String),
    #[error("there is no template {0}; see `holdfast template list --archived`")]
    UnknownTemplate(String),
    #[error("template {0} is out of use; take it back with `holdfast template restore {0}` first")]
    TemplateArchived(String),
    #[error("imports are frozen by {by}: {reason}; people can still be edited by hand")]
    ImportsFrozen { by: String, reason: String },
    #[error("there is no such import")]
    UnknownImport,
    #[error("the import does not wait any more: it is {0}")]
    ImportDecided(String),
    /// As things stand, or from this side, it may not be done; the words say what can be.
    #[error("{0}")]
    NotNow(String),
    /// A budget does not allow it; the words say which, and what can be done.
    #[error("{0}")]
    OverBudget(String),
    #[error("too many tries; wait for {wait_s} s")]
    TooMany { wait_s: u64 },
    /// Whoever asks is limited to a unit, and this goes beyond it.
    #[error("you are limited to your own unit: {0}")]
    BeyondUnit(String),
    #[error(
        "one administrator alone does not do this: ask for it, and another one lets it; or do it at a node with `holdfast`"
    )]
    TakesTwo,
}
