//! The one task that writes `raft.db`. Appends that wait together become one transaction and one fsync; votes,
//! truncations and purges pass through the same queue, so nothing overtakes anything (Raft's order of writes).

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use openraft::storage::IOFlushed;
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use super::Shared;
use super::rows::{INSERT, INSERT_ROW, Row, put_mark};
use crate::store::sqlite::{self, CheckpointMode};
use crate::types::{LogId, TypeConfig, Vote, WireLogId, WireVote};

/// Entries and bytes after which a transaction takes no further append.
const BATCH_ENTRIES: usize = 1024;
const BATCH_BYTES: usize = 1024 * 1024;

/// Up to this many rows, every count has a prepared statement of its own; beyond, powers of two up to [`ROWS_MAX`].
const ROWS_EXACT: usize = 32;
const ROWS_MAX: usize = 256;

/// Rows deleted in one transaction of a purge.
const PURGE_ROWS: u64 = 2_000;

/// The committed mark rides along with an append at most this often. An older mark is safe: the leader says it again.
const COMMITTED_PERIOD: Duration = Duration::from_millis(500);

/// What the writer can be asked for.
pub(super) enum Job {
    Append {
        rows: Vec<Row>,
        done: IOFlushed<TypeConfig>,
    },
    Vote {
        vote: Vote,
        done: Done,
    },
    Truncate {
        after: Option<LogId>,
        done: Done,
    },
    Purge {
        upto: LogId,
        done: Done,
    },
    Close {
        done: Done,
    },
}

pub(super) type Done = oneshot::Sender<io::Result<()>>;

pub(super) struct Writer {
    conn: SqliteConnection,
    queue: mpsc::Receiver<Job>,
    shared: Arc<Shared>,
    /// State is on disk up to here; the log before it may be deleted.
    state_durable: watch::Receiver<Option<u64>>,
    /// First and last row in the file.
    rows: Option<(u64, u64)>,
    purging: Option<LogId>,
    /// A job taken from the queue that could not join the batch.
    carried: Option<Job>,
    committed_saved: (Option<LogId>, Instant),
    inserts: Vec<Arc<str>>,
}

impl Writer {
    pub(super) fn new(
        conn: SqliteConnection,
        queue: mpsc::Receiver<Job>,
        shared: Arc<Shared>,
        state_durable: watch::Receiver<Option<u64>>,
        rows: Option<(u64, u64)>,
        committed: Option<LogId>,
    ) -> Self {
        let inserts = (1..=ROWS_MAX)
            .map(|n| {
                if is_prepared(n) {
                    sqlite::rows_sql(INSERT, INSERT_ROW, n).0
                } else {
                    Arc::from("")
                }
            })
            .collect();
        let committed_saved = (committed, Instant::now());
        Self {
            conn,
            queue,
            shared,
            state_durable,
            rows,
            purging: None,
            carried: None,
            committed_saved,
            inserts,
        }
    }

    /// Works until closed or until a write fails; then refuses whatever still comes.
    pub(super) async fn run(mut self) {
        let failure = loop {
            let job = match self.carried.take() {
                Some(job) => job,
                None => tokio::select! {
                    biased;
                    job = self.queue.recv() => match job {
                        Some(job) => job,
                        None => return, // every handle is gone without a close: the node is being torn down
                    },
                    () = purge_allowed(&mut self.state_durable, self.rows), if self.purging.is_some() => {
                        match self.purge_slice().await {
                            Ok(()) => continue,
                            Err(source) => break source,
                        }
                    }
                },
            };
            if let Job::Close { done } = job {
                let closed = self.close().await;
                _ = done.send(closed);
                return;
            }
            if let Err(source) = self.work(job).await {
                break source;
            }
        };
        self.shared.fatal.raise("cannot write the log", &failure);
        let reason = self
            .shared
            .fatal
            .reason()
            .unwrap_or("cannot write the log")
            .to_owned();
        while let Some(job) = self.queue.recv().await {
            refuse(job, &reason);
        }
    }

    async fn work(&mut self, job: Job) -> Result<(), sqlx::Error> {
        let (result, done) = match job {
            Job::Append { rows, done } => {
                self.append(rows, done).await?;
                return self.purge_between().await;
            }
            Job::Vote { vote, done } => (self.vote(vote).await, done),
            Job::Truncate { after, done } => (self.truncate(after).await, done),
            Job::Purge { upto, done } => (self.purge(upto).await, done),
            Job::Close { .. } => unreachable!("handled by the caller"),
        };
        _ = done.send(
            result
                .as_ref()
                .copied()
                .map_err(|e| io::Error::other(e.to_string())),
        );
        result
    }

    /// Writes this append and those waiting behind it, then tells them all.
    async fn append(
        &mut self,
        mut rows: Vec<Row>,
        done: IOFlushed<TypeConfig>,
    ) -> Result<(), sqlx::Error> {
        let mut waiting = vec![done];
        let mut bytes: usize = rows.iter().map(Row::len).sum();
        while rows.len() < BATCH_ENTRIES && bytes < BATCH_BYTES {
            match self.queue.try_recv() {
                Ok(Job::Append { rows: more, done }) => {
                    bytes += more.iter().map(Row::len).sum::<usize>();
                    rows.extend(more);
                    waiting.push(done);
                }
                Ok(other) => {
                    self.carried = Some(other);
                    break;
                }
                Err(_) => break,
            }
        }
        let result = self.insert(&rows).await;
        if let (Ok(()), Some(first), Some(last)) = (&result, rows.first(), rows.last()) {
            let (first, last) = (first.log_id.index, last.log_id.index);
            self.rows = Some((self.rows.map_or(first, |(oldest, _)| oldest), last));
            self.shared.tail().made_durable(last);
            self.shared
                .appended
                .fetch_add(bytes as u64, Ordering::Relaxed);
            self.shared.checkpointer.wrote(bytes);
        }
        let reason = result.as_ref().err().map(ToString::to_string);
        for done in waiting {
            done.io_completed(
                reason
                    .clone()
                    .map_or(Ok(()), |reason| Err(io::Error::other(reason))),
            );
        }
        result
    }

    async fn insert(&mut self, rows: &[Row]) -> Result<(), sqlx::Error> {
        let Some(last) = rows.last() else {
            return Ok(());
        };
        let committed = self.committed_due(last.log_id.index);
        let single = committed.is_none() && rows.len() <= ROWS_MAX && is_prepared(rows.len());
        if single {
            // One statement is its own transaction: one hop to SQLite's thread instead of three.
            return insert_rows(&mut self.conn, &self.inserts, rows).await;
        }
        let mut tx = self.conn.begin_with("begin immediate").await?;
        let mut rest = rows;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(statement_rows(rest.len()));
            insert_rows(&mut tx, &self.inserts, now).await?;
            rest = later;
        }
        if let Some(committed) = committed {
            put_mark(&mut tx, "committed", &WireLogId::from(&committed)).await?;
        }
        tx.commit().await?;
        if committed.is_some() {
            self.committed_saved = (committed, Instant::now());
        }
        Ok(())
    }

    /// The committed mark, when it should ride along with entries up to `last`. Never one beyond them: at the next
    /// start everything up to the mark is applied from this log.
    fn committed_due(&self, last: u64) -> Option<LogId> {
        let committed = self.shared.tail().committed.filter(|id| id.index <= last)?;
        let (saved, at) = self.committed_saved;
        (Some(committed) != saved && at.elapsed() >= COMMITTED_PERIOD).then_some(committed)
    }

    async fn vote(&mut self, vote: Vote) -> Result<(), sqlx::Error> {
        put_mark(&mut self.conn, "vote", &WireVote::from(&vote)).await?;
        self.shared.tail().vote = Some(vote);
        self.shared.checkpointer.wrote(0);
        Ok(())
    }

    /// Deletes everything after `after`, newest first in effect: one transaction.
    async fn truncate(&mut self, after: Option<LogId>) -> Result<(), sqlx::Error> {
        let kept = after.map_or(-1, |id| id.index.cast_signed());
        sqlx::query("delete from log where idx > ?")
            .bind(kept)
            .execute(&mut self.conn)
            .await?;
        self.rows = match (self.rows, after) {
            (Some((oldest, newest)), Some(id)) if oldest <= id.index => {
                Some((oldest, newest.min(id.index)))
            }
            _ => None,
        };
        self.shared.checkpointer.wrote(0);
        Ok(())
    }

    /// Starts a purge. It is carried out in slices between other work, except when it goes past the end: then the
    /// next append must find nothing before it.
    async fn purge(&mut self, upto: LogId) -> Result<(), sqlx::Error> {
        self.purging = self.purging.max(Some(upto));
        if self.rows.is_none_or(|(_, newest)| newest < upto.index) {
            while self.purging.is_some() {
                let allowed = *self.state_durable.borrow();
                if allowed < Some(upto.index) {
                    let text = format!(
                        "asked to purge up to {upto}, past the end, while state is durable to {allowed:?}"
                    );
                    return Err(sqlx::Error::Protocol(text));
                }
                self.purge_slice().await?;
            }
        }
        Ok(())
    }

    /// One slice after other work, if a purge is under way and allowed.
    async fn purge_between(&mut self) -> Result<(), sqlx::Error> {
        let durable = *self.state_durable.borrow();
        let oldest = self.rows.map_or(0, |(oldest, _)| oldest);
        if self.purging.is_some() && durable >= Some(oldest) {
            self.purge_slice().await
        } else {
            Ok(())
        }
    }

    /// Deletes the oldest rows, as far as asked for, allowed and wise in one transaction; the mark moves with them.
    async fn purge_slice(&mut self) -> Result<(), sqlx::Error> {
        let (Some(target), Some(durable)) = (self.purging, *self.state_durable.borrow()) else {
            return Ok(());
        };
        let Some((oldest, newest)) = self.rows else {
            put_mark(&mut self.conn, "purged", &WireLogId::from(&target)).await?;
            self.purging = None;
            return Ok(());
        };
        let upto = target.index.min(durable).min(oldest + PURGE_ROWS - 1);
        if upto < oldest {
            if target.index < oldest {
                put_mark(&mut self.conn, "purged", &WireLogId::from(&target)).await?;
                self.purging = None;
            }
            return Ok(());
        }
        let mark = if upto == target.index || upto >= newest {
            target
        } else {
            self.log_id_at(upto).await?
        };
        let mut tx = self.conn.begin_with("begin immediate").await?;
        sqlx::query("delete from log where idx <= ?")
            .bind(upto.cast_signed())
            .execute(&mut *tx)
            .await?;
        put_mark(&mut tx, "purged", &WireLogId::from(&mark)).await?;
        tx.commit().await?;
        self.rows = (upto < newest).then_some((upto + 1, newest));
        if mark == target {
            self.purging = None;
        }
        self.shared.checkpointer.wrote(0);
        Ok(())
    }

    async fn log_id_at(&mut self, index: u64) -> Result<LogId, sqlx::Error> {
        let row = sqlx::query("select idx, term, node from log where idx = ?")
            .bind(index.cast_signed())
            .fetch_one(&mut self.conn)
            .await?;
        super::rows::log_id_of(&row)
    }

    /// Leaves a file that needs no recovery.
    async fn close(mut self) -> io::Result<()> {
        let last = self.rows.map(|(_, newest)| newest);
        let committed = self
            .shared
            .tail()
            .committed
            .filter(|id| Some(id.index) <= last);
        if let Some(committed) = committed.filter(|id| Some(*id) != self.committed_saved.0) {
            put_mark(&mut self.conn, "committed", &WireLogId::from(&committed))
                .await
                .map_err(io::Error::other)?;
        }
        sqlite::checkpoint(&mut self.conn, CheckpointMode::Truncate)
            .await
            .map_err(io::Error::other)?;
        self.conn.close().await.map_err(io::Error::other)
    }
}

/// Waits until at least the oldest row may be deleted.
async fn purge_allowed(state_durable: &mut watch::Receiver<Option<u64>>, rows: Option<(u64, u64)>) {
    let oldest = rows.map_or(0, |(oldest, _)| oldest);
    if state_durable
        .wait_for(|durable| *durable >= Some(oldest))
        .await
        .is_err()
    {
        std::future::pending::<()>().await; // nobody moves it any more: nothing to purge until the next start
    }
}

async fn insert_rows(
    conn: &mut SqliteConnection,
    inserts: &[Arc<str>],
    rows: &[Row],
) -> Result<(), sqlx::Error> {
    let sql = AssertSqlSafe(inserts[rows.len() - 1].clone()); // built from constants only
    rows.iter()
        .fold(sqlx::query(sql), |query, row| row.bind(query))
        .execute(conn)
        .await?;
    Ok(())
}

/// True for row counts with a statement of their own.
fn is_prepared(rows: usize) -> bool {
    rows <= ROWS_EXACT || (rows.is_power_of_two() && rows <= ROWS_MAX)
}

/// How many of `left` rows the next statement takes.
fn statement_rows(left: usize) -> usize {
    if left <= ROWS_EXACT {
        left
    } else {
        (1 << left.ilog2()).min(ROWS_MAX)
    }
}

fn refuse(job: Job, reason: &str) {
    let error = || io::Error::other(reason.to_owned());
    match job {
        Job::Append { done, .. } => done.io_completed(Err(error())),
        Job::Vote { done, .. }
        | Job::Truncate { done, .. }
        | Job::Purge { done, .. }
        | Job::Close { done } => {
            _ = done.send(Err(error()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_number_of_rows_is_a_few_prepared_statements() {
        for rows in 1..=4096 {
            let (mut left, mut statements) = (rows, 0);
            while left > 0 {
                let now = statement_rows(left);
                assert!(is_prepared(now), "{now} of {rows}");
                left -= now;
                statements += 1;
            }
            assert!(
                statements <= 4 + rows / ROWS_MAX,
                "{rows} rows take {statements} statements"
            );
        }
    }
}
