//! Commands about what is owed to whom and what became of each try.

use serde::{Deserialize, Serialize};

use crate::ids::{DeliveryId, NodeId, RecipientId};

#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// Gives pending deliveries to channels of nodes (loop command).
    Assign { assignments: Vec<Assignment> },
    /// What became of attempts, by the node that made them. A fact: valid under any leadership.
    RecordAttempts {
        node: NodeId,
        results: Vec<AttemptResult>,
    },
    /// The network's later word on accepted attempts.
    RecordReports { reports: Vec<AttemptReport> },
    /// Takes attempts back from a node whose lease has run out; they may have gone out (loop command).
    Reclaim { attempts: Vec<AttemptRef> },
    /// Sends again from another number, because answers to the first one cannot arrive (DESIGN C6, loop command).
    Resend { deliveries: Vec<DeliveryId> },
    /// Starts the next contact method of people not reached by the one before (DESIGN C4, loop command).
    Activate { deliveries: Vec<DeliveryId> },
    /// Ends deliveries whose time is over (loop command).
    Expire { deliveries: Vec<DeliveryId> },
    /// Ends pages that a later round of the same alert says again (PRODUCT L-22, loop command).
    Supersede { deliveries: Vec<DeliveryId> },
    /// Tells somebody in one text what waited too long to be told one by one (PRODUCT L-22, loop command).
    Summarise(Summary),
    /// Holds every text and mail back until released.
    PauseOutbox { reason: String },
    /// Lets texts and mails leave again. What waits and is older than `stale_after_ms` (critical: than
    /// `stale_after_critical_ms`) ends unsent; what is still sent may be a repeat and says so (PRODUCT L-22).
    ReleaseOutbox {
        stale_after_ms: u64,
        stale_after_critical_ms: u64,
    },
    /// Draws the secret of the addresses to which mails are answered (loop command). Once drawn it stays.
    DrawReplySecret,
}

/// One text in place of many.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    pub recipient: RecipientId,
    /// `sms` or `email`.
    pub kind: String,
    pub address: String,
    pub language: String,
    pub subject: String,
    pub body: String,
    /// What it stands for: those that are still untold end with it. If none is, nothing is sent.
    pub deliveries: Vec<DeliveryId>,
}

/// One try at a delivery. Numbered from 1 under its delivery.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct AttemptRef {
    pub delivery: DeliveryId,
    pub attempt: u32,
}

#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Assignment {
    /// The next attempt of the delivery; another number is skipped as stale.
    pub attempt: AttemptRef,
    pub node: NodeId,
    /// Name of the channel on that node.
    pub channel: String,
}

#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct AttemptResult {
    pub attempt: AttemptRef,
    pub outcome: SendOutcome,
    /// Parts the text took on the wire; 1 for mail.
    pub parts: u16,
    /// First 8 bytes of SHA-256 of the text as sent.
    pub text_hash: [u8; 8],
    /// The sending node's wall clock, milliseconds, as evidence.
    pub wall_ms: i64,
}

/// The three ends of a try (CHANNELS §1.6).
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum SendOutcome {
    /// The network or smarthost took it over. `detail` says which, for people.
    Accepted { detail: String },
    /// It did not leave. Permanent for this address, or worth another try.
    Refused { permanent: bool, detail: String },
    /// It may have left. Sent again, marked.
    Unknown { detail: String },
}

#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct AttemptReport {
    pub attempt: AttemptRef,
    pub report: Report,
}

/// A status report or a non-delivery notice.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Report {
    Delivered {
        detail: String,
    },
    /// Still trying; changes nothing but the note.
    Delayed {
        detail: String,
    },
    Failed {
        detail: String,
    },
}
