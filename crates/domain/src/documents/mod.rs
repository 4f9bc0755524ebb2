//! Plans and instructions of the organisation, where they are found when it happens (PRODUCT S1.14, S1.15, S1.55): each a file
//! ([`crate::files`]) under a key, with whoever answers for it and the day by which somebody has to look at it again.
//!
//! Invariants: a document's file has come and is not taken away while it is the document's; a file is one document's only.
//!
//! A document is pinned to scenarios by the keys of their templates: an alert raised from one shows it.

mod apply;
mod command;
mod query;
mod rules;
#[cfg(test)]
mod tests;

pub(crate) use self::apply::apply;
pub use self::command::{Command, Put};
pub use self::query::{DocumentRow, find, list};
pub use self::rules::is_overdue;
