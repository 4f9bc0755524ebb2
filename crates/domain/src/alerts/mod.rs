//! What happened, to whom it was told, and how it ended.
//!
//! Invariants: an alert is open, resolved, called off or joined, and never opens again; its spoken number is its for
//! ever; an open one has a plan with a next action ([`crate::escalation`]) and a room ([`crate::conversations`]).

mod apply;
mod command;
mod estimate;
mod facts;
mod from_template;
mod label;
mod merge;
mod preview;
mod query;
mod raise;
mod rules;
#[cfg(test)]
mod tests;

pub use self::apply::Answered;
pub(crate) use self::apply::{answer, apply, call_more, resolve};
pub use self::command::{Command, FromTemplate, Raise, Step};
pub use self::estimate::{Cost, Estimate, StepEstimate, Warning};
pub use self::facts::{Acknowledged, AlertFact, Closed, Ending, JoinedInto, StandingFact};
pub(crate) use self::facts::{WATCH, moved, raised};
pub use self::from_template::{Said, Templated, example_of, from_template};
pub use self::label::{Label, Name};
pub(crate) use self::merge::{follow_up, merge, merge_standing};
pub use self::preview::{PageWords, Preview, page_words, preview};
pub use self::query::{AlertRow, count_with_key, find, find_named, list, next_number, template_of};
pub(crate) use self::query::{is_open, open_with_key};
pub(crate) use self::raise::{TOGETHER_MAX, as_raise, raise_as, raise_together, together};
pub(crate) use self::rules::headcount;
pub use self::rules::{NOTE_LEN_MAX, NOTES_MAX, State};
pub use crate::vocabulary::{
    Answer, DEFAULT_REPEAT_EVERY_MS, DEFAULT_REPEATS, DEFAULT_VALIDITY_MS, ETA_MIN_MAX, STEPS_MAX,
    Severity, Status, TEXT_LEN_MAX,
};
