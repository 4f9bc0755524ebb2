//! The log as the consensus engine sees it.

use std::fmt::Debug;
use std::io;
use std::ops::{Bound, Range, RangeBounds};

use futures_util::{Stream, TryStreamExt};
use openraft::storage::{IOFlushed, RaftLogStorage};
use openraft::{LogState, OptionalSend, RaftLogReader};

use super::rows::Row;
use super::writer::Job;
use super::{LogStore, closed, tail};
use crate::types::{Entry, LogId, TypeConfig, Vote};

/// Entries handed to apply at a time.
const CHUNK_ENTRIES: u64 = 512;

/// Entries sent in one RPC hold at most about this many bytes, but at least one entry.
const RPC_BYTES: usize = 4 * 1024 * 1024;

fn half_open(range: &impl RangeBounds<u64>) -> Range<u64> {
    let start = match range.start_bound() {
        Bound::Included(x) => *x,
        Bound::Excluded(x) => x.saturating_add(1),
        Bound::Unbounded => 0,
    };
    let end = match range.end_bound() {
        Bound::Included(x) => x.saturating_add(1),
        Bound::Excluded(x) => *x,
        Bound::Unbounded => u64::MAX,
    };
    start..end.max(start)
}

impl RaftLogReader<TypeConfig> for LogStore {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> io::Result<Vec<Entry>> {
        self.read_or_stop(half_open(&range)).await
    }

    async fn read_vote(&mut self) -> io::Result<Option<Vote>> {
        Ok(self.vote())
    }

    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> io::Result<Vec<Entry>> {
        let mut entries = self.read_or_stop(start..end).await?;
        let mut bytes = 0;
        let fits = entries.iter().take_while(|entry| {
            bytes += tail::weight(entry);
            bytes <= RPC_BYTES
        });
        let count = fits.count().max(1);
        entries.truncate(count);
        Ok(entries)
    }

    /// In chunks, so that catching up on a long log does not hold it in memory.
    async fn entries_stream<RB>(
        &mut self,
        range: RB,
    ) -> impl Stream<Item = io::Result<Entry>> + OptionalSend
    where
        RB: RangeBounds<u64> + Clone + Debug + OptionalSend,
    {
        let chunks = futures_util::stream::try_unfold(
            (self.clone(), half_open(&range)),
            |(log, range)| async move {
                let end = range.end.min(range.start.saturating_add(CHUNK_ENTRIES));
                let chunk = log.read_or_stop(range.start..end).await?;
                let next = chunk.last().map_or(range.end, |last| last.log_id.index + 1);
                let chunk = futures_util::stream::iter(chunk.into_iter().map(Ok::<_, io::Error>));
                Ok::<_, io::Error>(
                    (!range.is_empty()).then_some((chunk, (log, next..range.end.max(next)))),
                )
            },
        );
        Box::pin(chunks.try_flatten())
    }
}

impl RaftLogStorage<TypeConfig> for LogStore {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> io::Result<LogState<TypeConfig>> {
        let tail = self.shared.tail();
        Ok(LogState {
            last_purged_log_id: tail.purged,
            last_log_id: tail.last,
        })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> io::Result<()> {
        self.ask(|done| Job::Vote { vote: *vote, done }).await
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> io::Result<()> {
        self.shared.tail().committed = committed;
        Ok(())
    }

    async fn read_committed(&mut self) -> io::Result<Option<LogId>> {
        Ok(self.shared.tail().committed)
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<TypeConfig>) -> io::Result<()>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries: Vec<Entry> = entries.into_iter().collect();
        let rows = entries
            .iter()
            .map(Row::new)
            .collect::<Result<Vec<_>, _>>()
            .map_err(io::Error::other)?;
        // A place in the queue first: what is readable must also be on its way to disk.
        let place = self.queue.reserve().await.map_err(|_| closed())?;
        self.shared
            .tail()
            .append(entries)
            .map_err(io::Error::other)?;
        place.send(Job::Append {
            rows,
            done: callback,
        });
        Ok(())
    }

    async fn truncate_after(&mut self, last_log_id: Option<LogId>) -> io::Result<()> {
        self.shared.tail().truncate_after(last_log_id);
        self.ask(|done| Job::Truncate {
            after: last_log_id,
            done,
        })
        .await
    }

    async fn purge(&mut self, log_id: LogId) -> io::Result<()> {
        // Hidden before it is deleted, so that no reader looks for it in vain.
        self.shared.tail().purge(log_id);
        self.ask(|done| Job::Purge { upto: log_id, done }).await
    }
}
