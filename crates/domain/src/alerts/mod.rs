//! What happened, to whom it was told, and how it ended.
//!
//! Invariants: an alert is open, resolved, called off or joined, and never opens again; its spoken number is its for
//! ever; an open one has a plan with a next action ([`crate::escalation`]) and a room ([`crate::conversations`]).

mod acts;
mod apply;
mod called_up;
mod command;
mod estimate;
mod facts;
mod from_template;
mod handover;
mod label;
mod merge;
mod preview;
mod query;
mod raise;
mod rules;
mod telling;
#[cfg(test)]
mod tests;

pub use self::acts::{
    ACTS_MAX, Act, ActFact, ActRow, Audience, PAUSE_MS, PEOPLE_MAX, REASON_LEN_MAX, RoleRow,
};
pub(crate) use self::acts::{
    Doing, WATCH as WATCH_ACTS, act_as, changed as acts_changed, merge as merge_act,
};
pub use self::apply::{Answered, MARKED_BY_LEN_MAX};
pub(crate) use self::apply::{answer, apply, resolve, resolve_as};
pub use self::called_up::NOBODY_LEADS;
pub(crate) use self::called_up::call_up;
pub use self::command::{Cause, Command, FromTemplate, Raise, Step};
pub use self::estimate::{Cost, Estimate, StepEstimate, Warning};
pub use self::facts::{Acknowledged, AlertFact, Closed, Ending, JoinedInto, StandingFact};
pub(crate) use self::facts::{WATCH, moved, raised};
pub use self::from_template::{Said, Templated, TemplatedStep, example_of, from_template};
pub(crate) use self::handover::DUTY_AWAITED;
pub use self::handover::{HANDED_MAX, schedules_under_way, unsettled};
pub use self::label::{Label, Name};
pub(crate) use self::merge::{follow_up, merge, merge_standing};
pub(crate) use self::preview::weigh;
pub use self::preview::{PageWords, Preview, page_words, preview};
pub use self::query::{
    AlertRow, acts, count_with_key, find, find_named, leaders, list, list_called, list_of_units,
    next_number, roles, template_of, was_called,
};
pub(crate) use self::query::{is_open, open_with_key};
pub(crate) use self::raise::{
    Payer, TOGETHER_MAX, as_raise, raise_as, raise_for, raise_together, taken_up, together,
};
pub(crate) use self::rules::headcount;
pub use self::rules::{NOTE_LEN_MAX, NOTES_MAX, State, quotas_of};
pub(crate) use self::telling::tell_requester;
pub use crate::vocabulary::{
    AlertKind, Answer, Conduct, DEFAULT_REPEAT_EVERY_MS, DEFAULT_REPEATS, DEFAULT_VALIDITY_MS,
    ETA_MIN_MAX, IncidentRole, STEPS_MAX, Severity, Status, TEXT_LEN_MAX,
};
