//! The replicated state in SQLite: applies committed entries, answers reads, builds and installs snapshots.
//!
//! Effects and position ([`Position`]) change in one transaction, so replay after a crash is exact. Commits are not
//! synced one by one: the log still holds what a power cut takes, because it is purged only up to what is
//! [`StateStore::durable`] (DESIGN A3).

mod generation;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use domain::ports::{ReadError, ReadView};
use domain::{LogEntry, Outcome, codec};
use futures_util::{Stream, TryStreamExt};
use openraft::storage::{ApplyResponder, EntryResponder, RaftStateMachine};
use openraft::{EntryPayload, OptionalSend, RaftSnapshotBuilder};
use sqlx::{Connection, SqliteConnection};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::generation::{Generation, OpenFileError};
use super::checkpoint::{self, Backlog};
use super::fatal::Fatal;
use super::files;
use super::snapshot::{EngineSnapshot, Snapshot, SnapshotFile, Snapshots};
use super::sqlite::{self, CheckpointMode};
use crate::types::{
    LogId, Reply, SnapshotMeta, StoredMembership, TypeConfig, WireStoredMembership, leader_stamp,
};

pub use self::generation::Position;
pub(super) use self::generation::{is_damage, read_position};

/// One transaction takes at most this many entries and about this many bytes of them.
const BATCH_ENTRIES: usize = 512;
const BATCH_BYTES: usize = 4 * 1024 * 1024;

/// Free space a snapshot build must leave behind.
const SPARE_BYTES: u64 = 64 * 1024 * 1024;

/// State files replaced by an install and not yet removed.
const RETIRED_MAX: usize = 16;

/// The state could not be opened, or not be rebuilt.
#[derive(Debug, thiserror::Error)]
pub enum OpenStateError {
    #[error(
        "the state in {} cannot be used ({why}), and neither the log nor a snapshot on this node can rebuild it; evict \
         this node with `holdfast cluster evict` on another one, empty its data folder and join it again", dir.display()
    )]
    Lost { dir: PathBuf, why: String },
    #[error("cannot open the state database {}", path.display())]
    Database {
        path: PathBuf,
        #[source]
        source: sqlx::Error,
    },
    #[error(transparent)]
    Migrate(#[from] domain::MigrateError),
    #[error("cannot use the state folder {}", dir.display())]
    Io {
        dir: PathBuf,
        #[source]
        source: io::Error,
    },
}

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
    durable: watch::Sender<Option<u64>>,
    backlog: Arc<Backlog>,
    retired: mpsc::Sender<Arc<Generation>>,
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
            durable: options.durable,
            backlog: Backlog::new(),
            retired,
        });
        tasks.spawn(keep_up(shared.clone(), removals));
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

    /// Counts commits and installs. Carries no data: read the rows.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.shared.changes.subscribe()
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
        let position =
            sqlx::query_scalar("select coalesce(idx, 0) from raft_position where id = 1");
        let applied: Option<i64> = position.fetch_optional(&mut *tx).await?;
        let as_of = domain::stamp_of_last(&mut tx).await?;
        Ok(ReadView::new(
            tx,
            applied.unwrap_or(0).cast_unsigned(),
            as_of,
        ))
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

    /// Builds a snapshot of the state as of now.
    async fn build(&self) -> io::Result<Snapshot> {
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
        generation::write_position(&mut tx, &last, &encoded).await?;
        tx.commit().await?;
        drop(writer);
        self.shared.backlog.wrote(batch.bytes);
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

/// Entries on their way into one transaction.
#[derive(Default)]
struct Batch {
    entries: Vec<LogEntry>,
    kinds: Vec<Kind>,
    responders: Vec<Option<ApplyResponder<TypeConfig>>>,
    membership: Option<StoredMembership>,
    last: Option<LogId>,
    bytes: usize,
}

enum Kind {
    Empty,
    Undecodable,
    Command,
}

impl Batch {
    fn is_full(&self) -> bool {
        self.kinds.len() >= BATCH_ENTRIES || self.bytes >= BATCH_BYTES
    }

    fn push(&mut self, (entry, responder): EntryResponder<TypeConfig>) {
        let log_id = entry.log_id;
        let kind = match entry.payload {
            EntryPayload::Blank => Kind::Empty,
            EntryPayload::Membership(membership) => {
                self.membership = Some(StoredMembership::new(Some(log_id), membership));
                Kind::Empty
            }
            EntryPayload::Normal(record) => {
                self.bytes += record.as_bytes().len();
                match record.decode() {
                    Ok(envelope) => {
                        let leader = leader_stamp(&log_id.leader_id);
                        self.entries.push(LogEntry {
                            index: log_id.index,
                            leader,
                            envelope,
                        });
                        Kind::Command
                    }
                    // The checksum held, so these are the bytes that were proposed: garbage, the same on every node.
                    // Commands of newer versions do not come here, the feature level holds them back (DESIGN A11).
                    Err(error) => {
                        tracing::error!(index = log_id.index, %error, "a log entry holds no command, passed over");
                        Kind::Undecodable
                    }
                }
            }
        };
        self.kinds.push(kind);
        self.responders.push(responder);
        self.last = Some(log_id);
    }
}

#[derive(Debug, thiserror::Error)]
enum ApplyFailed {
    #[error(transparent)]
    Apply(#[from] domain::ApplyError),
    #[error("the state database failed")]
    Database(#[from] sqlx::Error),
    #[error("cannot encode the membership")]
    Encode(#[from] codec::CodecError),
    #[error("the state is closed")]
    Closed,
}

#[derive(Debug, thiserror::Error)]
enum InstallError {
    #[error("the snapshot {} is not what was sent: {detail}; it will be sent again", path.display())]
    Damaged { path: PathBuf, detail: String },
    #[error(transparent)]
    Open(#[from] OpenFileError),
    #[error("cannot close the new state database")]
    Database(#[from] sqlx::Error),
    #[error("cannot write the snapshot's files")]
    Io(#[from] io::Error),
}

/// Opens the current generation, or makes one that can be used.
async fn open_or_rebuild(
    dir: &Path,
    snapshots: &Snapshots,
    options: &StateOptions,
) -> Result<(u64, SqliteConnection, Position), OpenStateError> {
    let io = |source| OpenStateError::Io {
        dir: dir.to_owned(),
        source,
    };
    let purged = options.purged.map(|id| id.index);
    let Some(number) = generation::current(dir).map_err(io)? else {
        return rebuild(dir, snapshots, purged, "there is none").await;
    };
    let path = generation::path_of(dir, number);
    let why = if !path.exists() {
        "its file is missing".to_owned()
    } else {
        match generation::open_writer(&path, options.unclean).await {
            Ok((conn, position)) if position.applied.map(|id| id.index) >= purged => {
                return Ok((number, conn, position));
            }
            Ok((conn, position)) => {
                _ = conn.close().await;
                format!(
                    "it ends at {:?}, the log starts after {purged:?}",
                    position.applied.map(|id| id.index)
                )
            }
            Err(OpenFileError::Damaged { detail, .. }) => detail,
            Err(OpenFileError::Database { path, source }) => {
                return Err(OpenStateError::Database { path, source });
            }
            Err(OpenFileError::Migrate(error)) => return Err(error.into()),
        }
    };
    let rebuilt = rebuild(dir, snapshots, purged, &why).await?;
    if path.exists() {
        let aside = generation::set_aside(dir, number).map_err(io)?;
        tracing::warn!(aside = %aside.display(), "damaged state set aside");
    }
    Ok(rebuilt)
}

/// A new generation from the newest sound snapshot that reaches the log, or an empty one if the log is complete.
async fn rebuild(
    dir: &Path,
    snapshots: &Snapshots,
    purged: Option<u64>,
    why: &str,
) -> Result<(u64, SqliteConnection, Position), OpenStateError> {
    let io = |source| OpenStateError::Io {
        dir: dir.to_owned(),
        source,
    };
    for snapshot in snapshots.all() {
        let wanted = Position {
            applied: snapshot.meta.last_log_id,
            membership: snapshot.meta.last_membership.clone(),
        };
        if wanted.applied.map(|id| id.index) < purged {
            continue;
        }
        match next_from_snapshot(dir, &snapshot.file, &wanted).await {
            Ok((number, conn)) => {
                tracing::warn!(why, snapshot = %snapshot.file.path.display(), "state rebuilt from a snapshot");
                generation::set_current(dir, number).map_err(io)?;
                return Ok((number, conn, wanted));
            }
            Err(error) => {
                tracing::warn!(error = super::fatal::chain(&error), "snapshot passed over")
            }
        }
    }
    if purged.is_some() {
        return Err(OpenStateError::Lost {
            dir: dir.to_owned(),
            why: why.to_owned(),
        });
    }
    let number = generation::next_number(dir).map_err(io)?;
    let path = generation::path_of(dir, number);
    let (conn, position) =
        generation::open_writer(&path, false)
            .await
            .map_err(|error| match error {
                OpenFileError::Database { path, source } => {
                    OpenStateError::Database { path, source }
                }
                OpenFileError::Migrate(error) => error.into(),
                OpenFileError::Damaged { detail, .. } => OpenStateError::Lost {
                    dir: dir.to_owned(),
                    why: detail,
                },
            })?;
    generation::set_current(dir, number).map_err(io)?;
    Ok((number, conn, position))
}

/// Copies a snapshot into the next generation and opens it, after checking that it is whole and is what it claims.
async fn next_from_snapshot(
    dir: &Path,
    file: &SnapshotFile,
    wanted: &Position,
) -> Result<(u64, SqliteConnection), InstallError> {
    let damaged = |detail: String| InstallError::Damaged {
        path: file.path.clone(),
        detail,
    };
    let number = generation::next_number(dir)?;
    let path = generation::path_of(dir, number);
    let (source, target, folder) = (file.path.clone(), path.clone(), dir.to_owned());
    let (len, sha256) = files::blocking(move || {
        let _ = std::fs::copy(source, &target)?;
        files::sync_file(&target)?;
        files::sync_dir(&folder)?;
        files::digest(&target)
    })
    .await?;
    if (len, sha256) != (file.len, file.sha256) {
        return Err(damaged("its digest differs".to_owned()));
    }
    let (conn, position) = generation::open_writer(&path, true).await?;
    if position != *wanted {
        conn.close().await?;
        return Err(damaged(format!(
            "it stands at {:?}, not at {:?}",
            position.applied, wanted.applied
        )));
    }
    Ok((number, conn))
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
    use sqlx::ConnectOptions;
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

impl RaftStateMachine<TypeConfig> for StateStore {
    type SnapshotData = SnapshotFile;
    type SnapshotBuilder = Self;

    async fn applied_state(&mut self) -> io::Result<(Option<LogId>, StoredMembership)> {
        let position = self.position();
        Ok((position.applied, position.membership))
    }

    async fn apply<S>(&mut self, mut entries: S) -> io::Result<()>
    where
        S: Stream<Item = io::Result<EntryResponder<TypeConfig>>> + Unpin + OptionalSend,
    {
        let mut more = true;
        while more {
            let mut batch = Batch::default();
            while !batch.is_full() {
                match entries.try_next().await? {
                    Some(entry) => batch.push(entry),
                    None => {
                        more = false;
                        break;
                    }
                }
            }
            let replies = self.commit(&batch).await.map_err(|error| {
                self.shared.fatal.raise("cannot apply", &error);
                io::Error::other(error)
            })?;
            for (responder, reply) in batch.responders.into_iter().zip(replies) {
                if let Some(responder) = responder {
                    responder.send(reply);
                }
            }
        }
        Ok(())
    }

    async fn try_create_snapshot_builder(&mut self, force: bool) -> Option<Self> {
        if !force && self.applied().is_none() {
            return None;
        }
        let path = self.shared.current().path.clone();
        let room = files::blocking(move || files::has_room_for_copy(&path, SPARE_BYTES)).await;
        if !force && !matches!(room, Ok(true)) {
            tracing::warn!(
                "too little free space for a snapshot, put off; the log grows meanwhile"
            );
            return None;
        }
        Some(self.clone())
    }

    async fn get_snapshot_builder(&mut self) -> Self {
        self.clone()
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta,
        snapshot: SnapshotFile,
    ) -> io::Result<()> {
        self.install(meta, snapshot).await.map_err(|error| {
            self.shared.fatal.raise("cannot install a snapshot", &error);
            io::Error::other(error)
        })
    }

    async fn get_current_snapshot(&mut self) -> io::Result<Option<EngineSnapshot>> {
        match self.shared.snapshots.newest_verified().await? {
            Some(snapshot) => Ok(Some(snapshot.into())),
            // All there were turned out damaged: make a new one rather than leave a lagging peer without.
            None if self.shared.snapshots.lost_any() => {
                self.build().await.map(|snapshot| Some(snapshot.into()))
            }
            None => Ok(None),
        }
    }
}

impl RaftSnapshotBuilder<TypeConfig> for StateStore {
    type SnapshotData = SnapshotFile;

    async fn build_snapshot(&mut self) -> io::Result<EngineSnapshot> {
        match self.build().await {
            Ok(snapshot) => Ok(snapshot.into()),
            Err(error) => {
                self.shared.fatal.raise("cannot build a snapshot", &error);
                Err(error)
            }
        }
    }
}
