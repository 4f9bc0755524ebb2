//! What one administrator alone does not do (SECURITY §2.2): one asks for it, another one lets it, and then it is done once,
//! word by word as it was asked for.
//!
//! Invariants: a permit is for one request, by the digest of its method, path and body, of one account; nobody lets what they
//! asked for themselves; it is used up by the change it was for, in the same entry of the log; what was asked for in another
//! epoch permits nothing.
//!
//! Whoever stands at a node, or holds a key, was let there by somebody else, and needs none. A break-glass card was made by two.
//! The only administrator of a cluster that is not set up yet makes the second one alone: nobody else could let it.

mod apply;
mod command;
mod gate;
mod query;
mod rules;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub(crate) use self::apply::apply;
pub use self::command::{Ask, Command};
pub(crate) use self::gate::{check, settle, takes_two};
pub use self::query::{PermitRow, PermitState, find, list};
pub use self::rules::{Kind, request_digest};

/// How long it waits for somebody to let it.
pub const WAIT: Duration = Duration::from_secs(24 * 3_600);

/// How long it can be done after somebody let it.
pub const LET_TIME: Duration = Duration::from_secs(3_600);
