//! Units of the organisation: which people belong to which, and what an account that is limited to one may see and change.
//!
//! Invariants: a unit is part of at most one other, and of none that is part of it; whoever is limited to a unit changes
//! nothing that belongs to others, whichever way it is asked, and cannot widen what they are limited to; a person they add
//! belongs to their unit, and so does an account they add.
//!
//! What belongs to whom: people and accounts have a unit. A group, a schedule or an everyday room is a unit's when everybody
//! in it is. An alert is seen by every unit that has somebody in it, and led by the unit that has everybody.

mod apply;
mod command;
mod limit;
mod query;
mod rules;
#[cfg(test)]
mod tests;

pub(crate) use self::apply::apply;
pub use self::command::Command;
pub use self::limit::raise_refusal;
pub(crate) use self::limit::{check, settle};
pub use self::query::{Thing, UnitRow, find, has, list};
