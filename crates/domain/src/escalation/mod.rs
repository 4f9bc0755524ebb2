//! How an open alert moves on: pages of people, steps, rounds, call-off. Frozen at the raise.
//!
//! Invariant: an open alert has a next action and a time for it, in the row, at every moment (DESIGN promise 2).

mod acts;
mod apply;
mod command;
mod enough;
mod facts;
mod merge;
mod plan_row;
mod query;
mod rules;
mod safety;
#[cfg(test)]
mod tests;
mod timers;
mod wanted;
mod wording;

pub use self::acts::{BESIDE, left_out};
pub(crate) use self::acts::{
    Standing, call_beside, call_next, called_in_order, calls, calm, is_left_out, planned, stand,
    uncalled,
};
pub(crate) use self::apply::{
    Begin, NewPlan, NewStep, answer, apply, begin_call_off, carry_over, close, find_call,
    insert_plans, satisfy,
};
pub use self::command::Command;
pub use self::enough::{Among, LISTED_MAX, Quota};
pub(crate) use self::enough::{count_answers, fit, is_complete};
pub use self::facts::{Answered, CallFact, FirstCall, PlanFact, Progress, Word};
pub(crate) use self::facts::{WATCH, changed, plan_fact, progress};
pub(crate) use self::merge::{Over, follow_up, hold, merge_call, merge_plan, merge_progress};
pub(crate) use self::query::NEXT_DUE;
pub use self::query::{
    Called, DueAction, PlanRow, QuotaRow, called, called_by_code, due, last_called_of,
    open_calls_of, open_codes_of, plan, quotas_of, roll, roll_count,
};
pub use self::rules::{Action, Phase};
pub use self::safety::{Mark, MarkFact, OnRoll, RollCount};
pub(crate) use self::safety::{changed_marks, mark, merge_mark};
pub use self::wanted::{ResolvedQuotas, quotas};
pub(crate) use self::wording::Content;
pub use crate::oncall::QUOTAS_MAX;
use crate::vocabulary::Answer;

/// People per page: what one log entry expands (DESIGN A4).
const PAGE_LEN: usize = 2_000;
