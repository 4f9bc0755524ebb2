//! Who did what: an entry for every command people, programs and other systems give, in a chain of hashes that is the same
//! on every node (SECURITY D-12).
//!
//! Invariants: an entry's number is one more than that of the one before, whose hash it holds; no entry is ever changed or
//! removed; what names people is beside the chain, which holds only a salted hash of it, so that it can be erased. Entries
//! are written in the transaction of the command they tell of. What an island did is in the cluster's chain once it came
//! home, under the island's name. Every node signs the head of the chain as it works it out from its own rows; once a
//! majority has signed, nobody who lacks their keys can tell another story.
//!
//! Deliberately absent: anything that removes an entry.

mod apply;
mod chain;
mod command;
mod entry;
mod facts;
mod query;
mod record;
mod rules;
#[cfg(test)]
mod tests;
mod verify;

pub(crate) use self::apply::apply;
pub(crate) use self::chain::{Chain, READ};
pub use self::command::{Command, Event, Seal, What};
pub use self::entry::Assurance;
pub(crate) use self::entry::{Details, Draft};
pub use self::facts::AuditFact;
pub(crate) use self::facts::{WATCH, changed, merge};
pub(crate) use self::query::next_mark;
pub use self::query::{
    Filter, Owed, Standing, checkpoints, keys, lines, lines_before, owed, sealing, walk,
};
pub use self::record::{Checkpoint, GENESIS, Keys, Line, NodeKey, Record, commitment, hex};
pub use self::rules::{EVENTS_MAX, EXPORT_PAGE, MARK_ENTRIES, MARK_EVERY, SealState, WORD_MAX};
pub use self::verify::{Flaw, UNSEALED_MAX, Verdict, verify};
