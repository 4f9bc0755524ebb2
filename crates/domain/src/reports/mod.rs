//! What anybody reports (by a form, a call that is typed in): it reaches those on duty as an alert, a person decides, and
//! whoever reported is told, also when it is over.
//!
//! Invariants: a report that nobody has decided has an alert to duty, or stands in the duty inbox; one that waits comes
//! back; one that was convened is over when its alert is. Who is on duty is a setting of [`crate::sources`].
//!
//! On an island reports are refused: what was decided about one could not be joined. Alerts work there.

mod apply;
mod command;
mod query;
mod rules;
#[cfg(test)]
mod tests;

pub(crate) use self::apply::apply;
pub use self::command::{Command, Decision, Due, Report};
pub(crate) use self::query::{ALERT_CLOSED, NEXT_DUE};
pub use self::query::{ReportRow, due, list, report};
pub use self::rules::{State, WAIT_MS_MAX, check_report};
