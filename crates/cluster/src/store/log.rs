//! The Raft log and vote in `raft.db`: durable before they are acknowledged, checked whenever they are read.
//!
//! One task owns the only writing connection ([`writer`]). The newest entries also stay in memory ([`tail`]), where
//! replication and apply find them; older ones are read through a second, read-only connection.

mod engine;
mod rows;
mod tail;
mod writer;

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::TryStreamExt;
use sqlx::{ConnectOptions, Connection, Row as _, SqliteConnection};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::rows::{entry_of, get_mark, put_mark};
use self::tail::Tail;
use self::writer::{Job, Writer};
use super::checkpoint::{self, Backlog};
use super::fatal::Fatal;
use super::sqlite;
use crate::types::{Entry, LogId, Vote, WireLogId, WireVote};

pub use self::rows::{Damage, RowError};

/// Appends, votes and the like that may wait for the writer.
const QUEUE_LEN: usize = 256;

/// The log could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenLogError {
    #[error(
        "the log {} is damaged; this node's id is dead: evict it with `holdfast cluster evict` on another node, empty \
         its data folder and join it again", path.display()
    )]
    Damaged {
        path: PathBuf,
        #[source]
        damage: Damage,
    },
    #[error(
        "the log {} is not readable as a database; if its disk is sound, this node's id is dead: evict it with \
         `holdfast cluster evict` on another node, empty its data folder and join it again", path.display()
    )]
    Unreadable {
        path: PathBuf,
        #[source]
        source: sqlx::Error,
    },
    #[error(
        "the log {} is missing beside existing state; a node without its log must not vote under its old id: evict it \
         with `holdfast cluster evict` on another node, empty its data folder and join it again", path.display()
    )]
    Missing { path: PathBuf },
    #[error("the log {} was written by a newer version (format {found}); upgrade this node", path.display())]
    Newer { path: PathBuf, found: i64 },
}

/// Handle of the log. Cheap to clone; the file has one writer however many handles there are.
#[derive(Clone)]
pub struct LogStore {
    shared: Arc<Shared>,
    queue: mpsc::Sender<Job>,
}

/// What the writer, the readers and the handles see.
struct Shared {
    path: PathBuf,
    tail: Mutex<Tail>,
    /// For entries that left memory. A lock, because a connection serves one reader at a time.
    reader: tokio::sync::Mutex<Option<SqliteConnection>>,
    fatal: Fatal,
    checkpointer: Arc<Backlog>,
    /// Content bytes appended since the last snapshot, about.
    appended: AtomicU64,
}

impl Shared {
    fn tail(&self) -> MutexGuard<'_, Tail> {
        // Nothing under this lock panics half-way through a change.
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What [`LogStore::open`] needs to know.
#[derive(Clone, Debug)]
pub struct LogOptions {
    /// Log index up to which state is on disk; purging waits for it. `Some(u64::MAX)` purges whatever is asked.
    pub state_durable: watch::Receiver<Option<u64>>,
    /// Raised when a write fails.
    pub fatal: Fatal,
    /// The last process did not close the file: check all of it.
    pub unclean: bool,
    /// Index of the newest snapshot, from which [`LogStore::bytes_since_snapshot`] counts.
    pub snapshot: Option<u64>,
}

impl LogStore {
    /// Opens or creates the log, checks it, and starts its writer and checkpointer in `tasks`.
    ///
    /// A log that is not whole is an error, never repaired: repairing could un-promise what this node promised.
    pub async fn open(
        path: &Path,
        options: LogOptions,
        tasks: &mut JoinSet<()>,
    ) -> Result<Self, OpenLogError> {
        let unreadable = |source| OpenLogError::Unreadable {
            path: path.to_owned(),
            source,
        };
        let mut conn = sqlite::options(path, true)
            .create_if_missing(true)
            .connect()
            .await
            .map_err(unreadable)?;
        let found = prepare(&mut conn, path).await?;
        if found > rows::FORMAT {
            return Err(OpenLogError::Newer {
                path: path.to_owned(),
                found,
            });
        }
        let (tail, bounds) =
            load(&mut conn, options.unclean)
                .await
                .map_err(|error| match error {
                    RowError::Damage(damage) => OpenLogError::Damaged {
                        path: path.to_owned(),
                        damage,
                    },
                    RowError::Database(source) => unreadable(source),
                })?;
        let appended = bytes_after(&mut conn, options.snapshot)
            .await
            .map_err(unreadable)?;
        let reader = sqlite::read_options(path)
            .connect()
            .await
            .map_err(unreadable)?;
        let checkpoints = sqlite::options(path, true)
            .connect()
            .await
            .map_err(unreadable)?;

        let committed = tail.committed;
        let backlog = Backlog::new();
        let shared = Arc::new(Shared {
            path: path.to_owned(),
            tail: Mutex::new(tail),
            reader: tokio::sync::Mutex::new(Some(reader)),
            fatal: options.fatal,
            checkpointer: backlog,
            appended: AtomicU64::new(appended),
        });
        let (queue, jobs) = mpsc::channel(QUEUE_LEN);
        let writer = Writer::new(
            conn,
            jobs,
            shared.clone(),
            options.state_durable,
            bounds,
            committed,
        );
        let writer_gone = CancellationToken::new();
        let guard = writer_gone.clone().drop_guard();
        tasks.spawn(async move {
            writer.run().await;
            drop(guard);
        });
        tasks.spawn(keep_checkpointed(shared.clone(), checkpoints, writer_gone));
        Ok(Self { shared, queue })
    }

    /// Last entry of the log, on disk or on its way there.
    pub fn last_log_id(&self) -> Option<LogId> {
        self.shared.tail().last
    }

    /// Last entry that was given up because a snapshot covers it.
    pub fn purged(&self) -> Option<LogId> {
        self.shared.tail().purged
    }

    /// The vote on disk.
    pub fn vote(&self) -> Option<Vote> {
        self.shared.tail().vote
    }

    /// Content bytes appended since [`Self::snapshot_taken`] was last called, about.
    pub fn bytes_since_snapshot(&self) -> u64 {
        self.shared.appended.load(Ordering::Relaxed)
    }

    /// Starts counting [`Self::bytes_since_snapshot`] anew.
    pub fn snapshot_taken(&self) {
        self.shared.appended.store(0, Ordering::Relaxed);
    }

    /// All entries after `index`, in order. Damage met on the way stops the node.
    pub(crate) async fn after(&self, index: u64) -> io::Result<Vec<Entry>> {
        self.read_or_stop(index + 1..u64::MAX).await
    }

    /// Entries in `range`, all of them or an error.
    pub(crate) async fn entries(&self, range: Range<u64>) -> io::Result<Vec<Entry>> {
        self.read_or_stop(range).await
    }

    /// Writes out what waits and closes the file. Every other handle fails from here on.
    pub async fn close(&self) -> io::Result<()> {
        let reader = self.shared.reader.lock().await.take();
        if let Some(reader) = reader {
            reader.close().await.map_err(io::Error::other)?;
        }
        self.ask(|done| Job::Close { done }).await
    }

    async fn ask(&self, job: impl FnOnce(writer::Done) -> Job) -> io::Result<()> {
        let (done, answer) = oneshot::channel();
        self.queue.send(job(done)).await.map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }

    /// Entries in `range` that exist, in order and without a gap.
    async fn read(&self, range: Range<u64>) -> Result<Vec<Entry>, RowError> {
        loop {
            let (range, newest, truncations) = {
                let tail = self.shared.tail();
                let (range, newest) = tail.read(range.clone());
                (range, newest, tail.truncations)
            };
            let on_disk = range.start..newest.first().map_or(range.end, |entry| entry.log_id.index);
            if on_disk.is_empty() {
                return Ok(newest);
            }
            let read = self.read_disk(on_disk).await;
            if self.moved_on(truncations, range.start) {
                continue; // truncated or purged while we read: the two halves may not belong together
            }
            let mut entries = read?;
            entries.extend(newest);
            return Ok(entries);
        }
    }

    fn moved_on(&self, truncations: u64, start: u64) -> bool {
        let tail = self.shared.tail();
        tail.truncations != truncations || tail.purged.is_some_and(|id| id.index >= start)
    }

    async fn read_disk(&self, range: Range<u64>) -> Result<Vec<Entry>, RowError> {
        let mut guard = self.shared.reader.lock().await;
        let conn = guard.as_mut().ok_or(sqlx::Error::PoolClosed)?;
        let mut rows = sqlx::query(
            "select idx, term, node, kind, data, crc from log where idx >= ? and idx < ? order by idx",
        )
        .bind(range.start.cast_signed())
        .bind(range.end.min(i64::MAX as u64).cast_signed())
        .fetch(conn);
        let mut entries: Vec<Entry> = Vec::new();
        while let Some(row) = rows.try_next().await? {
            let entry = entry_of(&row)?;
            let expected = entries
                .last()
                .map_or(range.start, |last| last.log_id.index + 1);
            if entry.log_id.index != expected {
                return Err(Damage::Gap { expected }.into());
            }
            entries.push(entry);
        }
        let expected = entries
            .last()
            .map_or(range.start, |last| last.log_id.index + 1);
        if expected < range.end {
            return Err(Damage::Gap { expected }.into());
        }
        Ok(entries)
    }

    /// As [`Self::read`], for the engine: damage stops the node.
    async fn read_or_stop(&self, range: Range<u64>) -> io::Result<Vec<Entry>> {
        self.read(range).await.map_err(|error| {
            self.shared.fatal.raise(
                "cannot read the log; if the disk is sound, evict this node and join it again",
                &error,
            );
            io::Error::other(error)
        })
    }
}

/// Makes a log that holds nothing and has given up everything up to `purged`.
pub(super) async fn create_purged(
    path: &Path,
    purged: &LogId,
    vote: &Vote,
) -> Result<(), sqlx::Error> {
    let mut conn = sqlite::options(path, true)
        .create_if_missing(true)
        .connect()
        .await?;
    let mut tx = conn.begin().await?;
    sqlx::raw_sql(rows::SCHEMA).execute(&mut *tx).await?;
    put_mark(&mut tx, "purged", &WireLogId::from(purged)).await?;
    put_mark(&mut tx, "vote", &WireVote::from(vote)).await?;
    tx.commit().await?;
    sqlite::checkpoint(&mut conn, sqlite::CheckpointMode::Truncate).await?;
    conn.close().await
}

fn closed() -> io::Error {
    io::Error::other("the log is closed")
}

/// Creates what is missing and answers the file's format.
async fn prepare(conn: &mut SqliteConnection, path: &Path) -> Result<i64, OpenLogError> {
    let unreadable = |source| OpenLogError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let found: i64 = sqlx::query_scalar("pragma user_version")
        .fetch_one(&mut *conn)
        .await
        .map_err(unreadable)?;
    if found == 0 {
        let mut tx = conn.begin().await.map_err(unreadable)?;
        sqlx::raw_sql(rows::SCHEMA)
            .execute(&mut *tx)
            .await
            .map_err(unreadable)?;
        tx.commit().await.map_err(unreadable)?;
    }
    Ok(found)
}

/// Reads marks and newest entries and checks that the log is whole. Also answers the first and last row.
async fn load(
    conn: &mut SqliteConnection,
    unclean: bool,
) -> Result<(Tail, Option<(u64, u64)>), RowError> {
    if unclean && let Some(complaint) = sqlite::quick_check(conn).await? {
        return Err(Damage::Check(complaint).into());
    }
    let row = sqlx::query("select min(idx), max(idx), count(*) from log")
        .fetch_one(&mut *conn)
        .await?;
    let (oldest, newest, count): (Option<i64>, Option<i64>, i64) =
        (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    let bounds = oldest
        .zip(newest)
        .map(|(a, b)| (a.cast_unsigned(), b.cast_unsigned()));
    let purged = get_mark::<WireLogId>(conn, "purged")
        .await?
        .map(LogId::from);
    let committed = get_mark::<WireLogId>(conn, "committed")
        .await?
        .map(LogId::from);
    let vote = get_mark::<WireVote>(conn, "vote").await?.map(Vote::from);
    let mut tail = Tail::new(purged, vote);
    if let Some((oldest, newest)) = bounds {
        let expected = purged.map_or(0, |id| id.index + 1);
        if oldest != expected
            || newest.wrapping_sub(oldest).wrapping_add(1) != count.cast_unsigned()
        {
            return Err(Damage::Gap { expected }.into());
        }
        tail.load(oldest, newest_entries(conn).await?);
    }
    // Never beyond the log: at start everything up to here is applied from it.
    tail.committed = committed.filter(|id| Some(id.index) <= tail.last.map(|last| last.index));
    Ok((tail, bounds))
}

/// Content bytes of the entries after `index`.
async fn bytes_after(conn: &mut SqliteConnection, index: Option<u64>) -> Result<u64, sqlx::Error> {
    let after = index.map_or(-1, u64::cast_signed);
    let bytes: i64 =
        sqlx::query_scalar("select coalesce(sum(length(data)), 0) from log where idx > ?")
            .bind(after)
            .fetch_one(conn)
            .await?;
    Ok(bytes.cast_unsigned())
}

/// The entries kept in memory, oldest first, each checked.
async fn newest_entries(conn: &mut SqliteConnection) -> Result<Vec<Entry>, RowError> {
    let mut rows =
        sqlx::query("select idx, term, node, kind, data, crc from log order by idx desc limit ?")
            .bind(tail::ENTRIES_MAX as i64)
            .fetch(conn);
    let (mut entries, mut bytes): (Vec<Entry>, usize) = (Vec::new(), 0);
    while let Some(row) = rows.try_next().await? {
        let entry = entry_of(&row)?;
        bytes += tail::weight(&entry);
        if bytes > tail::BYTES_MAX && !entries.is_empty() {
            break;
        }
        entries.push(entry);
    }
    entries.reverse();
    Ok(entries)
}

/// Checkpoints the log until its writer is gone.
async fn keep_checkpointed(
    shared: Arc<Shared>,
    mut conn: SqliteConnection,
    writer_gone: CancellationToken,
) {
    loop {
        tokio::select! {
            () = writer_gone.cancelled() => break,
            () = shared.checkpointer.due() => {}
        }
        if let Err(error) = checkpoint::run(&mut conn, &shared.path, &shared.checkpointer).await {
            shared.fatal.raise("cannot checkpoint the log", &error);
            break;
        }
    }
    _ = conn.close().await;
}
