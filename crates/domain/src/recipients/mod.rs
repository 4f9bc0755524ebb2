//! People with language and contact methods, and groups of them.
//!
//! Invariants: keys name people and groups for ever; a removed person stays as a row, because alerts name them.

mod apply;
mod command;
mod query;
mod rules;
#[cfg(test)]
mod tests;

pub(crate) use self::apply::apply;
pub use self::command::{Command, ContactMethod, Group, Person};
pub(crate) use self::query::first_unknown_person;
pub use self::query::{
    GroupRow, Named, PersonRow, by_address, by_ids, group, groups, people, person, resolve,
};
pub(crate) use self::rules::check_key;
pub use self::rules::{check_group, check_person};
