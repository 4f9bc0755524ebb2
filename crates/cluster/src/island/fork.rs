//! The fork: a copy of the state that only this node writes. Its file is a cache, made anew from state and journal
//! whenever that is simpler than repairing it; the journal in `node.db` is what counts.
//!
//! One task writes. It takes what waits in batches: apply, journal the facts (synced), commit, answer. So nothing is
//! answered or sent that a power cut could take back.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use domain::nodes::Fork as Mark;
use domain::ports::{ReadError, ReadView};
use domain::topics::Topics;
use domain::{Envelope, LeaderStamp, LogEntry, Outcome, Timestamp};
use openraft::EntryPayload;
use sqlx::sqlite::SqlitePoolOptions;
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection, SqlitePool};
use tokio::sync::{mpsc, oneshot, watch};

use super::law::{self, LawError};
use super::{Ground, lock};
use crate::store::fork_file;
use crate::store::island_journal::{JournalRow, Stay};
use crate::store::node_db::NodeDbError;
use crate::types::{Entry, leader_stamp};

/// Commands waiting for the writer.
const QUEUE_MAX: usize = 1_024;
/// Commands in one transaction.
const BATCH_MAX: usize = 64;
/// Journal rows read at a time.
const ROWS_MAX: u32 = 512;
const ROWS_BYTES_MAX: usize = 1 << 20;
/// Connections for reading.
const READERS: u32 = 4;
const READER_WAIT: Duration = Duration::from_secs(5);
/// Leaderships of forks, above any term the cluster will ever reach: neither side takes the other's loop commands.
const FORK_TERMS: u64 = 1 << 62;

/// The fork could not be made or kept.
#[derive(Debug, thiserror::Error)]
pub(super) enum ForkError {
    #[error("cannot copy the state; check the free space of the data folder")]
    Copy(#[source] std::io::Error),
    #[error("the fork's database failed")]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Journal(#[from] NodeDbError),
    #[error(transparent)]
    Law(#[from] LawError),
    #[error("the state holds no cluster yet")]
    Empty,
}

/// The fork is closed: this node is a member again, or a new fork takes its place.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Closed;

/// A command's end on the fork: its place there and what it came to.
pub(super) type Done = (u64, Outcome);

enum Job {
    Command {
        envelope: Box<Envelope>,
        done: oneshot::Sender<Done>,
    },
    /// Facts of another island, to be kept and joined.
    Adopt {
        rows: Vec<JournalRow>,
        done: oneshot::Sender<()>,
    },
    /// Ends the fork unless the journal still holds something (`force`: in any case).
    Close {
        force: bool,
        done: oneshot::Sender<bool>,
    },
}

/// A fork to read from and to give commands to.
pub(super) struct Fork {
    /// What the fork's own scheduler decides under.
    pub(super) stamp: LeaderStamp,
    /// When this fork was made, on the boot clock.
    pub(super) began: Duration,
    pub(super) mark: Mark,
    path: PathBuf,
    readers: SqlitePool,
    queue: mpsc::Sender<Job>,
    index: watch::Receiver<u64>,
}

impl Fork {
    /// Answers a command once it is journalled and applied here.
    pub(super) async fn commit(&self, envelope: Envelope) -> Result<Done, Closed> {
        if let Err(refusal) = law::safe(&envelope.command) {
            return Ok((*self.index.borrow(), Outcome::Refused(refusal)));
        }
        let envelope = Box::new(envelope);
        self.ask(|done| Job::Command { envelope, done }).await
    }

    /// Keeps and joins another island's facts.
    pub(super) async fn adopt(&self, rows: Vec<JournalRow>) -> Result<(), Closed> {
        self.ask(|done| Job::Adopt { rows, done }).await
    }

    /// Ends the fork if nothing is left in the journal, between two commands. True when it ended.
    pub(super) async fn close_if_empty(&self) -> bool {
        let closing = self.ask(|done| Job::Close { force: false, done });
        closing.await.unwrap_or(true)
    }

    /// Ends the fork for another one, made from the journal.
    pub(super) async fn close(&self) {
        _ = self.ask(|done| Job::Close { force: true, done }).await;
    }

    /// A read-only snapshot of the fork.
    pub(super) async fn view(&self) -> Result<ReadView, ReadError> {
        let mut tx = self.readers.begin().await?;
        let as_of = domain::stamp_of_last(&mut tx).await?;
        Ok(ReadView::new(tx, *self.index.borrow(), as_of))
    }

    /// Lets go of the readers and removes the file.
    pub(super) async fn remove(&self) {
        if tokio::time::timeout(READER_WAIT, self.readers.close())
            .await
            .is_err()
        {
            tracing::warn!("a reader still holds the old fork");
        }
        if let Err(error) = fork_file::remove(&self.path) {
            tracing::warn!(%error, path = %self.path.display(), "cannot remove an old fork, the next start will");
        }
    }

    async fn ask<T>(&self, job: impl FnOnce(oneshot::Sender<T>) -> Job) -> Result<T, Closed> {
        let (done, told) = oneshot::channel();
        self.queue.send(job(done)).await.map_err(|_| Closed)?;
        told.await.map_err(|_| Closed)
    }
}

/// Makes the fork: the state as applied, this node's mark, the journal, and whatever the log holds beyond the applied
/// entries (DESIGN D2: the majority that died may have acknowledged it, and healing may cut it off the log).
///
/// Answers with the task that writes it.
pub(super) async fn make(
    ground: &Arc<Ground>,
) -> Result<
    (
        Fork,
        impl Future<Output = Result<(), ForkError>> + Send + use<>,
    ),
    ForkError,
> {
    fork_file::sweep(&ground.dir).map_err(ForkError::Copy)?;
    let path = fork_file::next(&ground.dir).map_err(ForkError::Copy)?;
    let position = ground
        .core
        .state
        .copy_to(&path)
        .await
        .map_err(ForkError::Copy)?;
    let base = position.applied.map_or(0, |id| id.index);
    let mut conn = fork_file::options(&path).connect().await?;
    if domain::nodes::cluster(&mut conn).await?.is_none() {
        return Err(ForkError::Empty);
    }
    let stay = match ground.node_db.stay().await? {
        Some(stay) => stay,
        None => {
            let stay = Stay {
                entered_at: ground.core.time.now(),
                tail_index: base,
            };
            ground.node_db.set_stay(Some(stay)).await?;
            stay
        }
    };
    let least = stay.entered_at.0.max(0).cast_unsigned();
    ground.node_db.journal_from(ground.core.node, least).await?;
    let mark = Mark {
        node: ground.core.node,
        site: ground.site(),
        entered_at: stay.entered_at,
        base,
    };
    let mut tx = conn.begin_with("begin immediate").await?;
    law::enter(&mut tx, &mark).await?;
    tx.commit().await?;
    let stamp = LeaderStamp {
        term: FORK_TERMS + ground.core.time.now().0.max(0).cast_unsigned(),
        node: ground.core.node,
    };
    let mut writer = Writer {
        ground: ground.clone(),
        conn,
        stamp,
        index: watch::Sender::new(base),
    };
    // What an earlier fork of this stay took from the log comes first again, as it did then.
    let tail = ground.log.after(base).await.map_err(ForkError::Copy)?;
    let (known, new): (Vec<_>, Vec<_>) = tail
        .into_iter()
        .partition(|entry| entry.log_id.index <= stay.tail_index);
    writer.take_in(known, false).await?;
    writer.replay_journal().await?;
    if let Some(last) = new.last().map(|entry| entry.log_id.index) {
        writer.take_in(new, true).await?;
        let stay = Stay {
            tail_index: last,
            ..stay
        };
        ground.node_db.set_stay(Some(stay)).await?;
    }
    let (queue, jobs) = mpsc::channel(QUEUE_MAX);
    let readers = SqlitePoolOptions::new()
        .max_connections(READERS)
        .acquire_timeout(READER_WAIT)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .connect_lazy_with(fork_file::read_options(&path));
    let fork = Fork {
        stamp,
        began: ground.now(),
        mark,
        path,
        readers,
        queue,
        index: writer.index.subscribe(),
    };
    Ok((fork, writer.run(jobs)))
}

/// The only one who writes the fork.
struct Writer {
    ground: Arc<Ground>,
    conn: SqliteConnection,
    stamp: LeaderStamp,
    index: watch::Sender<u64>,
}

impl Writer {
    /// Everything journalled before, own and kept for others.
    async fn replay_journal(&mut self) -> Result<(), ForkError> {
        let db = self.ground.node_db.clone();
        for origin in db.journal_origins().await? {
            let mut after = 0;
            loop {
                let rows = db
                    .journal_after(origin, after, ROWS_MAX, ROWS_BYTES_MAX)
                    .await?;
                let Some(last) = rows.last() else { break };
                after = last.seq;
                self.join(&rows).await?;
            }
        }
        Ok(())
    }

    /// Applies entries of the log beyond the applied ones.
    async fn take_in(&mut self, entries: Vec<Entry>, journal: bool) -> Result<(), ForkError> {
        let mut taken = 0_usize;
        for entry in entries {
            let EntryPayload::Normal(record) = &entry.payload else {
                continue;
            };
            let Ok(envelope) = record.decode() else {
                continue; // of a newer version, or garbage: as apply has it
            };
            if journal && law::safe(&envelope.command).is_err() {
                self.note_doubtful(entry.log_id.index, &envelope).await?;
            }
            let leader = leader_stamp(&entry.log_id.leader_id);
            self.apply(vec![(envelope, leader)], journal).await?;
            taken += 1;
        }
        if taken > 0 {
            tracing::info!(
                entries = taken,
                journal,
                "took in entries of the log whose fate is unknown"
            );
        }
        Ok(())
    }

    /// What has no merge law and may have been accepted by nodes that are gone: only a person can tell whether to repeat it.
    async fn note_doubtful(&self, index: u64, envelope: &Envelope) -> Result<(), ForkError> {
        let reason = format!(
            "a change of people, keys or members by {} that may have been accepted just before the majority was lost; look \
             whether it is there, and make it again if it is not",
            envelope.actor.label()
        );
        let row = JournalRow {
            origin: self.ground.core.node,
            seq: index,
            fact: Vec::new(),
        };
        let noted = self.ground.node_db.journal_refuse(&row, &reason).await;
        Ok(noted?)
    }

    async fn run(mut self, mut jobs: mpsc::Receiver<Job>) -> Result<(), ForkError> {
        let mut waiting = Vec::with_capacity(BATCH_MAX);
        while jobs.recv_many(&mut waiting, BATCH_MAX).await > 0 {
            let mut batch = Vec::new();
            for job in waiting.drain(..) {
                match job {
                    Job::Command { envelope, done } => batch.push((*envelope, done)),
                    Job::Adopt { rows, done } => {
                        self.commit(std::mem::take(&mut batch)).await?;
                        self.ground.node_db.journal_others(&rows).await?;
                        self.join(&rows).await?;
                        self.changed();
                        _ = done.send(());
                    }
                    Job::Close { force, done } => {
                        self.commit(std::mem::take(&mut batch)).await?;
                        let size = self
                            .ground
                            .node_db
                            .journal_size(self.ground.core.node)
                            .await?;
                        let ends = force || size.own + size.others == 0;
                        // Whoever waits behind this asks the mode again once the queue is gone.
                        if ends {
                            jobs.close();
                            _ = self.conn.close().await;
                            _ = done.send(true);
                            return Ok(());
                        }
                        _ = done.send(false);
                    }
                }
            }
            self.commit(batch).await?;
        }
        Ok(())
    }

    /// Applies a batch and answers it.
    async fn commit(
        &mut self,
        batch: Vec<(Envelope, oneshot::Sender<Done>)>,
    ) -> Result<(), ForkError> {
        if batch.is_empty() {
            return Ok(());
        }
        let first = *self.index.borrow() + 1;
        let (envelopes, answers): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
        let stamped = envelopes.into_iter().map(|e| (e, self.stamp)).collect();
        let outcomes = self.apply(stamped, true).await?;
        self.changed();
        for ((index, outcome), answer) in (first..).zip(outcomes).zip(answers) {
            // A caller that gave up dropped its end; what it asked for is done all the same.
            _ = answer.send((index, outcome));
        }
        Ok(())
    }

    /// In one transaction, whose facts are on disk before it is.
    async fn apply(
        &mut self,
        entries: Vec<(Envelope, LeaderStamp)>,
        journal: bool,
    ) -> Result<Vec<Outcome>, ForkError> {
        let (mut outcomes, mut facts) = (Vec::new(), Vec::new());
        let mut index = *self.index.borrow();
        let mut tx = self.conn.begin_with("begin immediate").await?;
        for (envelope, leader) in entries {
            index += 1;
            let entry = LogEntry {
                index,
                leader,
                envelope,
            };
            let (outcome, made) = law::apply(&mut tx, &entry).await?;
            outcomes.push(outcome);
            facts.extend(made);
        }
        if journal && !facts.is_empty() {
            self.ground
                .node_db
                .journal_own(self.ground.core.node, &facts)
                .await?;
            *lock(&self.ground.waiting) += facts.len() as u64;
        }
        tx.commit().await?;
        self.index.send_replace(index);
        Ok(outcomes)
    }

    async fn join(&mut self, rows: &[JournalRow]) -> Result<(), ForkError> {
        let at: Timestamp = self.ground.core.time.now();
        let mut tx = self.conn.begin_with("begin immediate").await?;
        law::adopt(&mut tx, at, rows).await?;
        tx.commit().await?;
        Ok(())
    }

    /// On an island little happens: whoever looks reads everything anew.
    fn changed(&self) {
        self.ground.core.state.feed().note(Topics::ALL);
        self.ground.core.changes.send_modify(|count| *count += 1);
    }
}

/// Where forks are kept.
pub(crate) fn folder(data_dir: &Path) -> PathBuf {
    data_dir.join("island")
}
