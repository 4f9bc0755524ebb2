//! The members of the cluster, invitations, and the health of every channel.
//!
//! Invariants: node ids count up and are never reused; an invitation is spent once; exactly one cluster row.

mod apply;
mod command;
mod fork;
mod level;
mod query;
#[cfg(test)]
mod tests;

pub(crate) use self::apply::apply;
pub use self::command::{Admit, ChannelReport, Command, Found, SetAuthorities};
pub(crate) use self::fork::{ATTEMPTS_PER_BLOCK, attempt_block, enter};
pub use self::fork::{Fork, fork};
pub use self::level::{LEVEL_KNOWN, Levels, levels};
pub use self::query::{
    AuthorityRow, ChannelRow, ClusterRow, NodeRow, authorities, channels, cluster, nodes,
    organisation,
};
