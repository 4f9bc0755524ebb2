//! What a new cluster needs before it may be relied upon, seen from what there is, and that somebody said it is all there.
//!
//! Invariants: nothing is ticked off by hand, so that no step looks done that is not; setup is finished once, and only while
//! the steps that are needed hold. Until then, and while nobody else is or was one, the only administrator makes the second
//! one alone ([`crate::permits`]).

mod apply;
mod command;
mod query;
mod rules;
#[cfg(test)]
mod tests;

pub(crate) use self::apply::apply;
pub use self::command::Command;
pub(crate) use self::query::has_another_admin;
pub use self::query::{Finished, finished, look};
pub use self::rules::{ADMINS_MIN, NODES_MIN, State, Step};
