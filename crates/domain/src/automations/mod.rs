//! What follows from answers by itself, as an alert's template declared it: call more people, raise another template, write
//! in the room, change the severity, tell whoever asked, close.
//!
//! Invariants: an automation fires at most once for an alert in one history, whatever the order of answers; what it waits
//! for is frozen when the alert is raised; its firing is a row with its cause; alerts raised one from another end after
//! [`crate::vocabulary::DEPTH_MAX`], and no template stands twice in such a chain.

mod apply;
mod command;
mod effects;
mod facts;
mod query;
mod rehearse;
mod rules;
#[cfg(test)]
mod tests;

pub(crate) use self::apply::{apply, follow, hold};
pub use self::command::Command;
pub use self::facts::FiredFact;
pub(crate) use self::facts::{WATCH, changed, merge};
pub use self::query::{AutomationRow, Due, State, due, of_alert};
pub(crate) use self::query::{NEXT_DUE, STIRRED};
pub use self::rehearse::{Foreseen, Rehearsed, rehearse};
pub use self::rules::FOLLOWED_MAX;
