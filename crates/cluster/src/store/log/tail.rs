//! The newest entries in memory: what replication and apply read, and the log's bounds. No IO.

use std::collections::VecDeque;
use std::ops::Range;

use openraft::EntryPayload;

use super::rows::Damage;
use crate::types::{Entry, LogId, Vote};

/// At most this many durable entries stay in memory …
pub(super) const ENTRIES_MAX: usize = 8 * 1024;
/// … and about this many bytes of them. Entries not yet durable always stay.
pub(super) const BYTES_MAX: usize = 32 * 1024 * 1024;

/// The log's bounds and its newest entries, without gaps.
#[derive(Debug, Default)]
pub(super) struct Tail {
    entries: VecDeque<Entry>,
    bytes: usize,
    /// Everything up to here is on disk.
    durable: Option<u64>,
    /// First entry of a log of which nothing was purged.
    oldest: u64,
    /// Last entry ever appended and not truncated, also when it was purged.
    pub(super) last: Option<LogId>,
    /// Everything up to here is gone for readers; the file may follow later.
    pub(super) purged: Option<LogId>,
    pub(super) vote: Option<Vote>,
    pub(super) committed: Option<LogId>,
    /// Counts truncations, so that a reader notices one under its feet.
    pub(super) truncations: u64,
}

impl Tail {
    /// An empty log that starts after `purged`.
    pub(super) fn new(purged: Option<LogId>, vote: Option<Vote>) -> Self {
        Self {
            purged,
            vote,
            last: purged,
            ..Self::default()
        }
    }

    /// Takes over what a file held at start: its first index and its newest entries, in order.
    pub(super) fn load(&mut self, oldest: u64, newest: Vec<Entry>) {
        self.oldest = oldest;
        for entry in newest {
            self.push_back(entry);
        }
        self.durable = self.last.map(|id| id.index);
    }

    /// Adds entries that are on their way to disk; readable from here on.
    pub(super) fn append(&mut self, entries: Vec<Entry>) -> Result<(), Damage> {
        let mut expected = self.last.map(|id| id.index + 1);
        if let (None, Some(first)) = (self.last, entries.first()) {
            // A log that was never written may start anywhere.
            self.oldest = first.log_id.index;
        }
        for entry in &entries {
            if let Some(expected) = expected.filter(|e| *e != entry.log_id.index) {
                return Err(Damage::Gap { expected });
            }
            expected = Some(entry.log_id.index + 1);
        }
        for entry in entries {
            self.push_back(entry);
        }
        Ok(())
    }

    /// Everything up to `index` is on disk; old entries may leave memory.
    pub(super) fn made_durable(&mut self, index: u64) {
        self.durable = Some(index);
        while (self.entries.len() > ENTRIES_MAX || self.bytes > BYTES_MAX)
            && self.first().is_some_and(|first| first <= index)
        {
            self.pop_front();
        }
    }

    /// Forgets everything after `last`.
    pub(super) fn truncate_after(&mut self, last: Option<LogId>) {
        self.truncations += 1;
        while self
            .entries
            .back()
            .is_some_and(|entry| Some(entry.log_id.index) > last.map(|id| id.index))
        {
            let entry = self.entries.pop_back().expect("the back was just seen");
            self.bytes -= weight(&entry);
        }
        if self.last.map(|id| id.index) > last.map(|id| id.index) {
            self.last = self
                .entries
                .back()
                .map(|entry| entry.log_id)
                .or(last)
                .or(self.purged);
            self.durable = self.durable.min(self.last.map(|id| id.index));
        }
    }

    /// Hides everything up to `upto` from readers.
    pub(super) fn purge(&mut self, upto: LogId) {
        while self.first().is_some_and(|first| first <= upto.index) {
            self.pop_front();
        }
        self.purged = self.purged.max(Some(upto));
        if self.last.map(|id| id.index) < Some(upto.index) {
            self.last = Some(upto);
        }
    }

    /// `range` without what is purged or not there, and the part of it held in memory. Whatever lies before the first
    /// entry returned is on disk.
    pub(super) fn read(&self, range: Range<u64>) -> (Range<u64>, Vec<Entry>) {
        let start = range
            .start
            .max(self.oldest)
            .max(self.purged.map_or(0, |id| id.index + 1));
        let end = range
            .end
            .min(self.last.map_or(0, |id| id.index + 1))
            .max(start);
        let Some(first) = self.first() else {
            return (start..end, Vec::new());
        };
        let position = |index: u64| {
            usize::try_from(index.saturating_sub(first))
                .unwrap_or(usize::MAX)
                .min(self.entries.len())
        };
        let entries = self
            .entries
            .range(position(start)..position(end))
            .cloned()
            .collect();
        (start..end, entries)
    }

    fn first(&self) -> Option<u64> {
        self.entries.front().map(|entry| entry.log_id.index)
    }

    fn push_back(&mut self, entry: Entry) {
        self.last = Some(entry.log_id);
        self.bytes += weight(&entry);
        self.entries.push_back(entry);
    }

    fn pop_front(&mut self) {
        if let Some(entry) = self.entries.pop_front() {
            self.bytes -= weight(&entry);
        }
    }
}

/// Bytes an entry takes in memory, roughly.
pub(super) fn weight(entry: &Entry) -> usize {
    const FIXED: usize = 64;
    const MEMBERSHIP: usize = 4 * 1024;
    FIXED
        + match &entry.payload {
            EntryPayload::Blank => 0,
            EntryPayload::Normal(record) => record.as_bytes().len(),
            EntryPayload::Membership(_) => MEMBERSHIP,
        }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{LeaderId, Record};

    fn entry(term: u64, index: u64) -> Entry {
        let leader_id = LeaderId { term, node_id: 1 };
        Entry {
            log_id: LogId::new(leader_id, index),
            payload: EntryPayload::Normal(Record::from(vec![0; 100])),
        }
    }

    fn indexes(tail: &Tail, range: Range<u64>) -> Vec<u64> {
        tail.read(range)
            .1
            .iter()
            .map(|entry| entry.log_id.index)
            .collect()
    }

    #[test]
    fn only_durable_entries_leave_memory() {
        let mut tail = Tail::default();
        let count = ENTRIES_MAX as u64 + 10;
        tail.append((0..count).map(|i| entry(1, i)).collect())
            .unwrap();
        assert_eq!(tail.read(0..1).1.len(), 1);
        tail.made_durable(4);
        assert_eq!(
            tail.read(0..9),
            (0..9, (5..9).map(|i| entry(1, i)).collect())
        );
        tail.made_durable(count - 1);
        assert_eq!(tail.entries.len(), ENTRIES_MAX);
    }

    #[test]
    fn truncation_and_purge_move_the_bounds() {
        let mut tail = Tail::default();
        tail.append((0..10).map(|i| entry(1, i)).collect()).unwrap();
        tail.truncate_after(Some(entry(1, 6).log_id));
        assert_eq!(indexes(&tail, 0..100), [0, 1, 2, 3, 4, 5, 6]);
        tail.purge(entry(1, 2).log_id);
        assert_eq!(tail.read(0..100).0, 3..7);
        assert!(matches!(
            tail.append(vec![entry(2, 8)]),
            Err(Damage::Gap { expected: 7 })
        ));
        tail.append(vec![entry(2, 7)]).unwrap();
        tail.purge(entry(3, 20).log_id);
        assert_eq!(tail.last, Some(entry(3, 20).log_id));
        assert_eq!(tail.read(0..100), (21..21, Vec::new()));
        tail.append(vec![entry(3, 21)]).unwrap();
        assert_eq!(indexes(&tail, 0..100), [21]);
    }
}
