//! How an open alert moves on: pages of people, steps, rounds, call-off. Frozen at the raise.
//!
//! Invariant: an open alert has a next action and a time for it, in the row, at every moment (DESIGN promise 2).

mod apply;
mod command;
mod enough;
mod facts;
mod merge;
mod more;
mod plan_row;
mod query;
mod rules;
#[cfg(test)]
mod tests;
mod wording;

pub(crate) use self::apply::{
    Begin, NewPlan, NewStep, answer, apply, begin_call_off, carry_over, close, find_call,
    insert_plans, satisfy,
};
pub use self::command::Command;
pub(crate) use self::enough::fit;
pub use self::enough::{Among, LISTED_MAX, QUOTAS_MAX, Quota};
pub use self::facts::{Answered, CallFact, FirstCall, PlanFact, Progress};
pub(crate) use self::facts::{WATCH, changed, plan_fact, progress};
pub(crate) use self::merge::{Over, follow_up, hold, merge_call, merge_plan, merge_progress};
pub(crate) use self::more::call_more;
pub use self::query::{
    Called, DueAction, PlanRow, called, called_by_code, due, last_called_of, next_due,
    open_calls_of, open_codes_of, plan,
};
pub use self::rules::{Action, Phase};
pub(crate) use self::wording::Content;
use crate::vocabulary::Answer;

/// People per page: what one log entry expands (DESIGN A4).
const PAGE_LEN: usize = 2_000;
