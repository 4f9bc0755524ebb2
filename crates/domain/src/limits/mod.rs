//! How much may leave, and what needs more than one person: when a second person must agree before people are called.
//!
//! Only settings and arithmetic: whoever is about to let something leave asks here. Without settings nothing is limited.

mod apply;
mod command;
mod query;
mod rules;
#[cfg(test)]
mod tests;

pub(crate) use self::apply::apply;
pub use self::command::{Command, SecondPerson};
pub(crate) use self::query::ANY;
pub use self::query::second_person;
pub(crate) use self::rules::too_heavy;
pub use self::rules::{Weight, check_second_person};
