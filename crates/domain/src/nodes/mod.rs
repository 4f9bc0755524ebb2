//! The members of the cluster, invitations, the health of every channel and machine, civil time, and digests.
//!
//! Invariants: node ids count up and are never reused; an invitation is spent once; exactly one cluster row; the epoch
//! only grows, and every node id was given out in one epoch.

mod apply;
mod command;
mod digests;
mod fork;
mod level;
mod machines;
mod query;
mod rules;
#[cfg(test)]
mod tests;

pub(crate) use self::apply::{apply, pause_outbox, release_outbox, set_audit_key};
pub use self::command::{
    Admit, ChannelReport, Command, DigestReport, Found, MachineReport, Place, Recover,
    SetAuthorities, SetCivilOffset,
};
pub(crate) use self::digests::DIGESTED_AT;
pub use self::digests::{DigestRow, DigestStanding, digests};
pub(crate) use self::fork::{ATTEMPTS_PER_BLOCK, attempt_block, enter};
pub use self::fork::{Fork, fork};
pub use self::level::{LEVEL_KNOWN, Levels, levels};
pub use self::machines::{CivilRow, MachineRow, civil, civil_row, machines};
pub use self::query::{
    AuthorityRow, ChannelRow, ClusterRow, JournalRight, NodeRow, OutboxPause, authorities,
    channels, channels_of_the_gone, cluster, epoch, journal_right, nodes, organisation,
    outbox_pause, successions,
};
pub(crate) use self::query::{IS_OUTBOX_PAUSED, audit_key};
pub use self::rules::{
    Agreement, CLOCK_AGREEMENT_MS, CivilStep, Disk, JUMP_MAX_MS, Power, agreement, next_civil,
};

/// How a node ended its membership.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Left {
    /// Taken out in order.
    Removed,
    /// Taken out because it fell into wrong hands.
    Evicted,
    /// Left behind with an epoch that is over.
    Fenced,
}

impl Left {
    /// As stored.
    pub fn name(self) -> &'static str {
        match self {
            Self::Removed => "removed",
            Self::Evicted => "evicted",
            Self::Fenced => "fenced",
        }
    }

    /// Reads what [`Self::name`] wrote; anything else, such as the empty word of old rows, is a plain removal.
    pub fn parse(word: &str) -> Self {
        match word {
            "evicted" => Self::Evicted,
            "fenced" => Self::Fenced,
            _ => Self::Removed,
        }
    }

    fn reason(self) -> &'static str {
        match self {
            Self::Removed => "the node was removed",
            Self::Evicted => "the node was evicted",
            Self::Fenced => "the node belongs to an epoch that is over",
        }
    }
}
