//! Rooms and what is said in them. An alert opens a room that has the alert's id; texts about no alert go to the duty
//! inbox ([`crate::RoomId::DUTY_INBOX`]).

mod apply;
mod command;
mod facts;
mod query;
#[cfg(test)]
mod tests;

pub(crate) use self::apply::{apply, open_all, post};
pub use self::command::Command;
pub use self::facts::MessageFact;
pub(crate) use self::facts::{WATCH, changed, merge};
pub use self::query::{MessageRow, messages};
