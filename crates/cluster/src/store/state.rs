//! The replicated state in SQLite: applies committed entries, answers reads, builds and installs snapshots.
//!
//! Effects and position ([`Position`]) change in one transaction, so replay after a crash is exact. Commits are not
//! synced one by one: the log still holds what a power cut takes, because it is purged only up to what is
//! [`StateStore::durable`] (DESIGN A3).

mod batch;
mod digests;
mod engine;
mod generation;
mod open;
mod scrub;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use domain::ports::{ReadError, ReadView};
use domain::topics::{self, Feed, Topics};
use domain::{Outcome, StateDigest, Timestamp, codec};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row as _, SqliteConnection};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::batch::{Batch, Kind};
use self::digests::Marked;
use self::generation::Generation;
use self::open::{InstallError, next_from_snapshot, open_or_rebuild};
use super::checkpoint::{self, Backlog};
use super::fatal::Fatal;
use super::files;
use super::snapshot::{Snapshot, SnapshotFile, Snapshots};
use super::sqlite::{self, CheckpointMode};
use crate::types::{LogId, Reply, SnapshotMeta, StoredMembership, WireStoredMembership};

pub use self::generation::Position;
pub(crate) use self::generation::read_position;
pub(super) use self::generation::{is_damage, write_position};
pub use self::open::OpenStateError;
pub(crate) use self::open::current_path;

/// State files replaced by an install and not yet removed.
const RETIRED_MAX: usize = 16;

/// Handle of the state. Cheap to clone.
#[derive(Clone)]
pub struct StateStore {
    shared: Arc<Shared>,
}

struct Shared {
    dir: PathBuf,
    snapshots: Snapshots,
    fatal: Fatal,
    stop: CancellationToken,
    current: RwLock<Arc<Generation>>,
    /// The only connection that writes; gone once closed.
    writer: tokio::sync::Mutex<Option<SqliteConnection>>,
    position: Mutex<Position>,
    applied: watch::Sender<Option<u64>>,
    changes: watch::Sender<u64>,
    feed: Feed,
    durable: watch::Sender<Option<u64>>,
    backlog: Arc<Backlog>,
    retired: mpsc::Sender<Arc<Generation>>,
    /// Snapshots to be digested; when one is under way, the next is left out.
    marked: mpsc::Sender<Marked>,
    digest: Mutex<Option<StateDigest>>,
}

/// What [`StateStore::open`] needs to know.
#[derive(Debug)]
pub struct StateOptions {
    /// Last entry the log has given up. State must not be older.
    pub purged: Option<LogId>,
    /// Told up to where state is on disk; the log purges by it.
    pub durable: watch::Sender<Option<u64>>,
    /// Raised when the disk fails.
    pub fatal: Fatal,
    /// The last process did not close the files: check them.
    pub unclean: bool,
}

impl StateStore {
    /// Opens or creates the state under `dir`, and starts its upkeep in `tasks`.
    ///
    /// Damaged or too old state is rebuilt from the newest local snapshot (the log holds the rest); when there is none
    /// and the log is not complete, that is an error.
    pub async fn open(
        dir: &Path,
        snapshots: Snapshots,
        options: StateOptions,
        tasks: &mut JoinSet<()>,
    ) -> Result<Self, OpenStateError> {
        let io = |source| OpenStateError::Io {
            dir: dir.to_owned(),
            source,
        };
        std::fs::create_dir_all(dir).map_err(io)?;
        let (number, conn, position) = open_or_rebuild(dir, &snapshots, &options).await?;
        generation::sweep(dir, number).map_err(io)?;
        let index = position.applied.map(|id| id.index);
        options.durable.send_replace(index);
        let (retired, removals) = mpsc::channel(RETIRED_MAX);
        let (marked, marks) = mpsc::channel(1);
        let shared = Arc::new(Shared {
            dir: dir.to_owned(),
            snapshots,
            fatal: options.fatal,
            stop: CancellationToken::new(),
            current: RwLock::new(Arc::new(Generation::new(dir, number))),
            writer: tokio::sync::Mutex::new(Some(conn)),
            position: Mutex::new(position),
            applied: watch::Sender::new(index),
            changes: watch::Sender::new(0),
            feed: Feed::default(),
            durable: options.durable,
            backlog: Backlog::new(),
            retired,
            marked,
            digest: Mutex::default(),
        });
        tasks.spawn(digests::take(shared.clone(), marks));
        tasks.spawn(keep_up(shared.clone(), removals));
        tasks.spawn(scrub::run(shared.clone()));
        Ok(Self { shared })
    }

    /// Last applied entry.
    pub fn applied(&self) -> Option<LogId> {
        self.position().applied
    }

    /// Last applied membership.
    pub fn membership(&self) -> StoredMembership {
        self.position().membership
    }

    /// Where the state stands.
    pub fn position(&self) -> Position {
        self.shared
            .position
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Index of the last applied entry, moved after each commit.
    pub fn watch_applied(&self) -> watch::Receiver<Option<u64>> {
        self.shared.applied.subscribe()
    }

    /// The newest digest of this replica, once one was taken.
    pub fn digest(&self) -> Option<StateDigest> {
        *digests::lock(&self.shared.digest)
    }

    /// Counts commits and installs. Carries no data: read the rows.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.shared.changes.subscribe()
    }

    /// What those commits and installs touched.
    pub fn feed(&self) -> &Feed {
        &self.shared.feed
    }

    /// Index up to which the state would survive a power cut.
    pub fn durable(&self) -> Option<u64> {
        *self.shared.durable.borrow()
    }

    /// Snapshots of this node.
    pub fn snapshots(&self) -> &Snapshots {
        &self.shared.snapshots
    }

    /// A read-only snapshot of whatever is applied here.
    pub async fn view(&self) -> Result<ReadView, ReadError> {
        let mut tx = loop {
            let generation = self.shared.current();
            match generation.readers.begin().await {
                Ok(tx) => break tx,
                // A snapshot was installed this instant: read the new state.
                Err(sqlx::Error::PoolClosed)
                    if self.shared.current().number != generation.number => {}
                Err(error) => return Err(error.into()),
            }
        };
        // One hand-over to SQLite for both: every answer begins with this.
        let sql = format!(
            "select coalesce((select idx from raft_position where id = 1), 0), ({})",
            domain::STAMP_OF_LAST
        );
        let row = sqlx::query(AssertSqlSafe(sql)).fetch_one(&mut *tx).await?;
        let applied: i64 = row.try_get(0)?;
        let as_of = Timestamp(row.try_get(1)?);
        Ok(ReadView::new(tx, applied.cast_unsigned(), as_of))
    }

    /// Makes everything applied so far survive a power cut.
    pub async fn make_durable(&self) -> io::Result<()> {
        self.shared.make_durable().await
    }

    /// Closes the files so that the next start finds nothing to recover. Reads and applies fail from here on.
    pub async fn close(&self) -> io::Result<()> {
        self.shared.stop.cancel();
        let mut writer = self.shared.writer.lock().await;
        let Some(mut conn) = writer.take() else {
            return Ok(());
        };
        self.shared.current().readers.close().await;
        sqlite::checkpoint(&mut conn, CheckpointMode::Truncate)
            .await
            .map_err(io::Error::other)?;
        conn.close().await.map_err(io::Error::other)
    }

    /// Writes a copy of the state as of now to `target`, a new file; says where it stands. Not synced.
    pub(crate) async fn copy_to(&self, target: &Path) -> io::Result<Position> {
        let generation = self.shared.current();
        files::remove_if_there(target)?;
        super::snapshot::copy(&generation.path, target)
            .await
            .map_err(io::Error::other)
    }

    /// Builds a snapshot of the state as of now.
    pub(super) async fn build(&self) -> io::Result<Snapshot> {
        let generation = self.shared.current();
        let snapshot = self.shared.snapshots.build(&generation.path).await?;
        // The copy is no newer than this: from here on, purging up to the snapshot is safe.
        self.shared.make_durable().await?;
        Ok(snapshot)
    }

    /// Replaces the state by a snapshot's.
    async fn install(&self, meta: &SnapshotMeta, file: SnapshotFile) -> Result<(), InstallError> {
        let wanted = Position {
            applied: meta.last_log_id,
            membership: meta.last_membership.clone(),
        };
        let (number, conn) = next_from_snapshot(&self.shared.dir, &file, &wanted).await?;
        let mut writer = self.shared.writer.lock().await;
        let dir = self.shared.dir.clone();
        files::blocking(move || generation::set_current(&dir, number)).await?;
        let old_conn = writer.replace(conn);
        let next = Arc::new(Generation::new(&self.shared.dir, number));
        let old = std::mem::replace(
            &mut *self
                .shared
                .current
                .write()
                .unwrap_or_else(PoisonError::into_inner),
            next,
        );
        drop(writer);
        if let Some(old_conn) = old_conn {
            _ = old_conn.close().await; // its file is going away
        }
        // The upkeep removes the files once their readers are done; if it lags, the next start does.
        _ = self.shared.retired.try_send(old);
        self.shared
            .durable
            .send_replace(wanted.applied.map(|id| id.index));
        self.shared.feed.note(Topics::ALL);
        self.shared.moved_to(wanted);
        self.shared.snapshots.adopt(meta.clone(), file).await?;
        Ok(())
    }

    /// Applies one batch in one transaction and answers with a reply for each entry.
    async fn commit(&self, batch: &Batch) -> Result<Vec<Reply>, ApplyFailed> {
        let Some(last) = batch.last else {
            return Ok(Vec::new());
        };
        let membership = batch
            .membership
            .clone()
            .unwrap_or_else(|| self.membership());
        let encoded = codec::encode(&WireStoredMembership::from(&membership))?;
        let mut writer = self.shared.writer.lock().await;
        let conn = writer.as_mut().ok_or(ApplyFailed::Closed)?;
        let mut tx = conn.begin_with("begin immediate").await?;
        let outcomes = match batch.entries.is_empty() {
            true => Vec::new(),
            false => domain::apply_batch(&mut tx, &batch.entries).await?,
        };
        if batch
            .kinds
            .iter()
            .any(|kind| matches!(kind, Kind::Undecodable))
        {
            let used = domain::nodes::levels(&mut tx).await?.used;
            if used > domain::nodes::LEVEL_KNOWN {
                return Err(ApplyFailed::TooOld { used });
            }
        }
        write_position(&mut tx, &last, &encoded).await?;
        tx.commit().await?;
        if batch.marked {
            // Nobody writes meanwhile, so what is opened here is the state right after the mark.
            self.shared.hand_to_digest(last.index).await;
        }
        drop(writer);
        self.shared.backlog.wrote(batch.bytes);
        let entries = batch.entries.iter();
        let touched = entries.map(|entry| topics::touched(&entry.envelope.command));
        self.shared
            .feed
            .note(touched.fold(Topics::NONE, Topics::and));
        self.shared.moved_to(Position {
            applied: Some(last),
            membership,
        });
        let mut outcomes = outcomes.into_iter();
        Ok(batch
            .kinds
            .iter()
            .map(|kind| match kind {
                Kind::Empty => Reply(None),
                Kind::Undecodable => Reply(Some(Outcome::Defect("undecodable".to_owned()))),
                Kind::Command => Reply(outcomes.next()),
            })
            .collect())
    }
}

impl Shared {
    fn current(&self) -> Arc<Generation> {
        self.current
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn moved_to(&self, position: Position) {
        let index = position.applied.map(|id| id.index);
        *self.position.lock().unwrap_or_else(PoisonError::into_inner) = position;
        self.applied.send_replace(index);
        self.changes.send_modify(|count| *count += 1);
    }

    /// Syncs the WAL: every commit before the call is in it, or was moved into the database and synced there.
    async fn make_durable(&self) -> io::Result<()> {
        let (generation, index) = (self.current(), *self.applied.borrow());
        let wal = checkpoint::wal_path(&generation.path);
        files::blocking(move || files::sync_file(&wal)).await?;
        self.raise_durable(&generation, index);
        Ok(())
    }

    fn raise_durable(&self, generation: &Generation, index: Option<u64>) {
        if self.current().number == generation.number {
            self.durable.send_if_modified(|durable| {
                let raised = index > *durable;
                *durable = index.max(*durable);
                raised
            });
        }
    }
}
#[derive(Debug, thiserror::Error)]
enum ApplyFailed {
    #[error(
        "the cluster uses feature level {used}, this program knows {} and cannot read what others wrote; upgrade it",
        domain::nodes::LEVEL_KNOWN
    )]
    TooOld { used: u16 },
    #[error(transparent)]
    Apply(#[from] domain::ApplyError),
    #[error("the state database failed")]
    Database(#[from] sqlx::Error),
    #[error("cannot encode the membership")]
    Encode(#[from] codec::CodecError),
    #[error("the state is closed")]
    Closed,
}
/// Checkpoints the current generation and removes retired ones, until told to stop.
async fn keep_up(shared: Arc<Shared>, mut removals: mpsc::Receiver<Arc<Generation>>) {
    let mut conn: Option<(u64, SqliteConnection)> = None;
    loop {
        tokio::select! {
            () = shared.stop.cancelled() => break,
            Some(old) = removals.recv() => {
                if let Err(error) = old.remove().await {
                    tracing::warn!(%error, path = %old.path.display(), "cannot remove old state, the next start will");
                }
            }
            () = shared.backlog.due() => {
                if let Err(error) = checkpoint_current(&shared, &mut conn).await {
                    shared.fatal.raise("cannot checkpoint the state", &error);
                    break;
                }
            }
        }
    }
    if let Some((_, conn)) = conn {
        _ = conn.close().await;
    }
}

async fn checkpoint_current(
    shared: &Shared,
    conn: &mut Option<(u64, SqliteConnection)>,
) -> Result<(), sqlx::Error> {
    let (generation, index) = (shared.current(), *shared.applied.borrow());
    if conn
        .as_ref()
        .is_none_or(|(number, _)| *number != generation.number)
    {
        if let Some((_, old)) = conn.take() {
            _ = old.close().await;
        }
        *conn = Some((
            generation.number,
            sqlite::options(&generation.path, false).connect().await?,
        ));
    }
    let Some((_, conn)) = conn else { return Ok(()) };
    if checkpoint::run(conn, &generation.path, &shared.backlog).await? {
        shared.raise_durable(&generation, index);
    } else {
        // Someone wrote or read meanwhile; come back for the rest.
        shared.backlog.wrote(0);
    }
    Ok(())
}
