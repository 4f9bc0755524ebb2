//! Decisions without SQL.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::ids::NodeId;

/// A checkpoint is owed when entries have waited this long for one, or so many have.
pub const MARK_EVERY: Duration = Duration::from_secs(60);
pub const MARK_ENTRIES: u64 = 256;

/// Entries in one page of an export; a page with fewer is the last.
pub const EXPORT_PAGE: u32 = 5_000;

/// Most events in one note, and most characters in any of their words.
pub const EVENTS_MAX: usize = 64;
pub const WORD_MAX: usize = 200;

/// How what a node signed compares with what the others signed at the same place.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SealState {
    /// The same as the others, or nobody else signed there yet.
    Agrees,
    /// A majority of the members signed another history there.
    Differs,
    /// They differ, and no majority says which is right.
    Disputed,
}

/// Compares heads signed at one place each.
pub(super) fn compare(
    signed: &[(NodeId, u32, u64, [u8; 32])],
    members: usize,
) -> Vec<(NodeId, SealState)> {
    let mut places: BTreeMap<(u32, u64), BTreeMap<[u8; 32], usize>> = BTreeMap::new();
    for (_, epoch, seq, head) in signed {
        let place = places.entry((*epoch, *seq)).or_default();
        *place.entry(*head).or_default() += 1;
    }
    let state = |(node, epoch, seq, head): &(NodeId, u32, u64, [u8; 32])| {
        let place = &places[&(*epoch, *seq)];
        let state = if place.len() == 1 || place[head] * 2 > members {
            SealState::Agrees
        } else if place.values().any(|count| count * 2 > members) {
            SealState::Differs
        } else {
            SealState::Disputed
        };
        (*node, state)
    };
    signed.iter().map(state).collect()
}

/// Up to where a majority of `members` has signed: `newest` holds the last place of each that signed this history.
pub(super) fn sealed(mut newest: Vec<u64>, members: usize) -> u64 {
    newest.sort_unstable_by(|a, b| b.cmp(a));
    newest.get(members / 2).copied().unwrap_or(0)
}
