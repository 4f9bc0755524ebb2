//! Who is on call: schedules of rotations in layers, fixed shifts, overrides, swaps and redirects.
//!
//! Invariants: every time in a schedule is a wall time in its zone, so that a change of zone rules moves shifts as people
//! expect; a handover overlaps where the wall shows its time twice, and leaves no gap where the wall skips it
//! (PRODUCT L-25). [`Plan`] is the one engine: preview, export, warnings, swaps and raising all ask it.
//!
//! The parts: [`Plan`] and [`Turns`](turns) compute, [`Warning`] looks ahead, [`calendar`] speaks iCalendar, [`resolve`]
//! turns names into people at the moment of a raise.

mod apply;
pub mod calendar;
mod command;
mod plan;
#[cfg(test)]
mod properties;
mod query;
mod quota;
mod resolve;
mod rules;
mod settle;
#[cfg(test)]
mod tests;
mod turns;
mod warnings;

pub(crate) use self::apply::apply;
pub use self::command::{
    Command, CreateFeed, FixedShift, Layer, Override, Redirect, Rotation, Schedule, ShiftRef,
    Subject, Swap, Target, Verdict, Window,
};
pub use self::plan::{Because, Duty, Hop, OnCall, Plan, Planned, Segment, Shift, TooMuch};
pub use self::query::REDIRECT_PEOPLE_MAX;
pub use self::query::{
    FeedRow, OverrideRow, RedirectRow, ScheduleRow, SwapRow, feed, feeds, names_of_people,
    overrides, plan_of, plan_of_all, plan_of_person, redirect, schedule, schedules, swaps,
};
pub(crate) use self::quota::check_what;
pub use self::quota::{Of, QUOTAS_MAX, WantedQuota, check_quota};
pub use self::resolve::{Called, OnDuty, Resolved, add_duties, resolve};
pub use self::rules::{SwapState, check_override, check_schedule};
pub(crate) use self::warnings::gaps;
pub use self::warnings::{Warning, warnings};
