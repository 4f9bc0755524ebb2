//! Texts that came in: what they meant and what became of them.
//!
//! A sender's number is a hint, never an identity (SECURITY D-2): codes carry an answer, numbers alone do so only where
//! little hangs on it. Every text is kept once, whatever it was taken for; nothing is lost for being misunderstood.

mod apply;
mod command;
mod rules;

pub(crate) use self::apply::apply;
pub use self::command::{Command, Receive};
pub use self::rules::{Meaning, parse, parse_part};
