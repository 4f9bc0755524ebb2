//! Handing over a running alert when the rota changes: nobody is moved silently (PRODUCT L-15).
//!
//! An alert remembers through which schedules it was raised and who was on call in each. Whoever comes on duty while it
//! is open is called beside the others and briefed; those before them count on. When one who came says they are coming,
//! those who went off duty are relieved and told so. Both are acts with Holdfast's name, so every history joins them.

mod apply;
mod query;
#[cfg(test)]
mod tests;

pub(super) use self::apply::{hand_over, keep};
pub(crate) use self::query::DUTY_AWAITED;
pub(super) use self::query::frozen;
pub use self::query::{schedules_under_way, unsettled};

/// Who hands over, in the room and in the list of acts.
const BY: &str = "Holdfast";

/// Alerts looked at by one command.
pub const HANDED_MAX: usize = 64;

/// Schedules one alert is raised through, at most.
pub(super) const SCHEDULES_MAX: usize = 64;
