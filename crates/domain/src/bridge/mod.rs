//! Rooms for people with only a bare phone (PRODUCT W-5): what is said there reaches those who follow by text or mail, in
//! digests, within budgets; what they write back is `inbound`'s.
//!
//! Invariants: between two digests of a room to one person lies its period, unless the person is called by name, as
//! whoever leads, or with everybody; within an hour no person gets more than [`PERSON_HOUR_MAX`] digests and no room sends
//! more than [`ROOM_HOUR_MAX`]; what a digest leaves out is counted in it, what waits is in its row with a time; words that
//! are restricted never leave. Digests leave after everything about alerts ([`Lane::Talk`]), and are forgotten 30 days later.
//!
//! Who follows is a row of `conversations`, with its law. How far they were told is each history's own: after an island
//! something may be told twice, and nothing is lost.
//!
//! [`Lane::Talk`]: crate::deliveries::Lane::Talk

mod apply;
mod command;
mod query;
mod rules;
#[cfg(test)]
mod tests;

pub(crate) use self::apply::apply;
pub use self::command::{Command, Follower};
pub(crate) use self::query::{FOLLOWED, NEXT_DUE};
pub(crate) use self::query::{Followed, digest, followed};
pub use self::query::{FollowerRow, due, followers, spent};
pub use self::rules::{Held, PERSON_HOUR_MAX, ROOM_HOUR_MAX, ends, period};

/// Followers looked at by one command.
pub const FOLLOWERS_MAX: usize = 200;
