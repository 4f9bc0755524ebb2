//! Messages in the modem's memories, from their discovery to their deletion.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use super::event::{Memory, StoredToken};

/// An unconfirmed message is shown again after this long: the driver may have lost it.
const SHOW_AGAIN_AFTER: Duration = Duration::from_secs(600);
/// Most announcements queued; the sweep finds the rest.
const ANNOUNCED_MAX: usize = 256;
/// Indices beyond this are nonsense some modems announce.
const INDEX_MAX: u16 = 9_999;

pub(super) type Slot = (Memory, u16);

#[derive(Debug, Default)]
pub(super) struct Inbox {
    next_token: u64,
    slots: BTreeMap<Slot, Held>,
    announced: VecDeque<Slot>,
    deletions: BTreeSet<Slot>,
}

#[derive(Debug)]
struct Held {
    token: StoredToken,
    raw: String,
    shown_at: Instant,
    confirmed: bool,
}

impl Inbox {
    /// A token for something that is in no memory.
    pub(super) fn unstored_token(&mut self) -> StoredToken {
        self.next_token += 1;
        StoredToken(self.next_token)
    }

    /// `+CMTI`, `+CDSI`: something to read. False when the index is not to be believed.
    pub(super) fn announce(&mut self, slot: Slot) -> bool {
        if slot.1 > INDEX_MAX || self.announced.len() >= ANNOUNCED_MAX {
            return false;
        }
        if !self.announced.contains(&slot) {
            self.announced.push_back(slot);
        }
        true
    }

    pub(super) fn next_announced(&mut self) -> Option<Slot> {
        self.announced.pop_front()
    }

    /// A slot's content as read. A token when it is to be shown to the driver.
    pub(super) fn found(&mut self, now: Instant, slot: Slot, raw: &str) -> Option<StoredToken> {
        if let Some(held) = self.slots.get_mut(&slot).filter(|held| held.raw == raw) {
            if held.confirmed {
                self.deletions.insert(slot);
                return None;
            }
            if now.saturating_duration_since(held.shown_at) < SHOW_AGAIN_AFTER {
                return None;
            }
            held.shown_at = now;
            return Some(held.token);
        }
        let token = self.unstored_token();
        // A confirmation for what stood here before must not delete what stands here now.
        self.deletions.remove(&slot);
        self.slots.insert(
            slot,
            Held {
                token,
                raw: raw.to_owned(),
                shown_at: now,
                confirmed: false,
            },
        );
        Some(token)
    }

    /// The driver has it: the slot may be emptied.
    pub(super) fn confirm(&mut self, token: StoredToken) {
        if let Some((slot, held)) = self.slots.iter_mut().find(|(_, held)| held.token == token) {
            held.confirmed = true;
            self.deletions.insert(*slot);
        }
    }

    pub(super) fn next_deletion(&mut self) -> Option<Slot> {
        self.deletions.pop_first()
    }

    /// The slot has been emptied.
    pub(super) fn deleted(&mut self, slot: Slot) {
        self.slots.remove(&slot);
    }

    /// A full listing of a memory: what is not in it is gone.
    pub(super) fn listed(&mut self, memory: Memory, indices: &BTreeSet<u16>) {
        self.slots
            .retain(|(of, index), _| *of != memory || indices.contains(index));
        self.deletions
            .retain(|(of, index)| *of != memory || indices.contains(index));
    }

    /// The port was reopened, perhaps with another SIM: indices mean nothing any more. The sweep shows again what is there.
    pub(super) fn forget(&mut self) {
        self.slots.clear();
        self.announced.clear();
        self.deletions.clear();
    }
}
