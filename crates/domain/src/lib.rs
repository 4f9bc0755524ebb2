//! What is true: vocabulary, commands, apply, queries, and the ports to the world.
//!
//! No network, clock, chance or task in here: everything apply depends on comes in the envelope (DESIGN A5).

pub mod access;
pub mod agenda;
pub mod alerts;
mod apply;
pub mod approvals;
pub mod audit;
pub mod automations;
pub mod bridge;
pub mod codec;
mod command;
pub mod conversations;
pub mod deliveries;
mod digest;
pub mod documents;
pub mod envelope;
pub mod escalation;
mod facts;
pub mod files;
#[cfg(test)]
mod golden;
pub mod ids;
pub mod inbound;
pub mod islands;
pub mod limits;
mod migrate;
#[cfg(feature = "next-level")]
pub mod next;
pub mod nodes;
pub mod oncall;
pub mod outcome;
pub mod passes;
pub mod permits;
pub mod phone;
pub mod ports;
pub mod readiness;
pub mod recipients;
pub mod reports;
pub mod requests;
mod rows;
mod script;
pub mod setup;
pub mod sources;
pub mod templates;
pub mod texts;
pub mod time;
pub mod topics;
#[cfg(test)]
pub(crate) mod transcript;
pub mod units;
pub mod vocabulary;
pub mod waking;
pub mod watch;
pub mod zones;

pub use apply::{ApplyError, Entry, STAMP_OF_LAST, apply_batch, defects, stamp_of_last};
pub use command::Command;
pub use digest::{DigestError, StateDigest, digest_of_state};
pub use envelope::{Actor, Envelope, LeaderStamp, LogEntry};
pub use ids::{
    ActId, AlertId, DeliveryId, FileId, GroupId, ImportId, MessageId, NodeId, RecipientId,
    RequestId, RoomId,
};
pub use migrate::{MigrateError, SCHEMA_VERSION, migrate};
pub use outcome::{Outcome, Receipt, Refusal};
pub use time::{Civil, CivilTime, Timestamp};
