//! Alerts that need a second person (SECURITY §2.2): above the thresholds of [`crate::limits`] a person's raise waits, those
//! who are asked hear of it with a code, and another person agrees or refuses.
//!
//! It never blocks. After [`RELEASE_AFTER`] whoever asked may let it go alone, by name and with a reason; critical alerts
//! may be set to go at once. Whatever went without a second person's word stays listed until somebody else has reviewed it.
//!
//! Invariants: what waits has a time in its row at which something happens by itself, and after [`LAPSES_AFTER`] it does not
//! wait any more; the alert has the same id whoever lets it go, so it goes once; nobody is their own second person.
//!
//! On an island nothing waits, because nobody may be there to agree: it goes at once and is reviewed after. What waits in
//! the cluster is not decided there. When the island's alert reaches the cluster, its row to review is made there.

mod apply;
mod command;
mod decide;
mod gate;
mod query;
mod rules;
mod tell;
#[cfg(test)]
mod tests;

pub(crate) use self::apply::apply;
pub use self::command::{Command, Decision, Due, Said};
pub(crate) use self::decide::{Word, by_text};
pub(crate) use self::gate::{note_from_island, raise, raise_as};
pub(crate) use self::query::NEXT_DUE;
pub use self::query::{ApprovalRow, Shown, approval, due, list, of_alert};
pub use self::rules::{LAPSES_AFTER, RELEASE_AFTER, State, check_said};
