//! What people are handed by text so that they can come in: codes that end a sign-in, and invitations (SECURITY §2.5).
//!
//! Invariants: nothing is texted to a number that is not known to reach its person, nor to those whose roles ask for a
//! stronger factor; no code is in a row or in the log; what is texted is bounded for a person and for a node, waits behind
//! everything about alerts, and ends soon if it cannot leave.

mod apply;
mod command;
mod query;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub(crate) use self::apply::apply;
pub use self::command::Command;
pub use self::query::{Addressee, addressee};

/// How long an invitation waits for a modem.
const INVITATION_VALID: Duration = Duration::from_secs(15 * 60);
