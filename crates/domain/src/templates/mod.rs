//! Prepared alerts: per scenario what is said in each language, whom it calls and how, what has to be done.
//!
//! Invariants: every change makes a new version, and a version never changes; one that an alert was raised from is never
//! forgotten; a template is archived, never deleted, so its key means the same scenario for ever.

mod apply;
mod automated;
mod command;
mod fill;
mod links;
mod query;
mod rules;
mod starter;
#[cfg(test)]
mod tests;

pub(crate) use self::apply::{apply, mark_used};
pub use self::automated::unknown_in_automations;
pub use self::command::{
    Attachment, ByLanguage, Command, Document, Gather, Item, Placeholder, Policy, Price, Step,
    Template,
};
pub(crate) use self::fill::{Fill, words_in};
pub use self::query::{Listed, Version, find, list, policy, unknown_recipients, version, versions};
pub use self::rules::{CHANNELS, Mistake, VALUE_LEN_MAX, check, check_policy, hints};
pub use self::starter::{languages as starter_languages, pack};
