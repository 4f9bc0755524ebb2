//! What happened, to whom it was told, and how it ended.
//!
//! Invariants: an alert is open, resolved, called off or joined, and never opens again; its spoken number is its for
//! ever; an open one has a plan with a next action ([`crate::escalation`]) and a room ([`crate::conversations`]).

mod apply;
mod command;
mod facts;
mod label;
mod merge;
mod query;
mod raise;
mod rules;
#[cfg(test)]
mod tests;

pub use self::apply::Answered;
pub(crate) use self::apply::{answer, apply, resolve};
pub use self::command::{Command, Raise, Step};
pub use self::facts::{Acknowledged, AlertFact, Closed, Ending, JoinedInto, StandingFact};
pub(crate) use self::facts::{WATCH, moved, raised};
pub use self::label::{Label, Name};
pub(crate) use self::merge::{follow_up, merge, merge_standing};
pub use self::query::{AlertRow, count_with_key, find, find_named, list};
pub(crate) use self::query::{is_open, open_with_key};
pub(crate) use self::raise::{TOGETHER_MAX, as_raise, raise_as, raise_together, together};
pub use self::rules::{
    DEFAULT_REPEAT_EVERY_MS, DEFAULT_REPEATS, DEFAULT_VALIDITY_MS, NOTE_LEN_MAX, NOTES_MAX, State,
    TEXT_LEN_MAX,
};
pub use crate::vocabulary::{Answer, Severity, Status};
