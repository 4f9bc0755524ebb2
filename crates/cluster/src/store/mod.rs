//! Files of one node: log, state, snapshots, and what never leaves it.
//!
//! ```text
//! LOCK             held while a process runs here; says whether the last one stopped cleanly
//! raft.db          log and vote; every commit synced
//! state/CURRENT    which of state/NNNNNN.db holds the state
//! snapshots/       snap-<term>-<node>-<index>.db and digest, the newest two; incoming/ for transfers
//! node.db          this node's own memory; every commit synced
//! ```

mod checkpoint;
pub mod fatal;
pub(crate) mod files;
pub(crate) mod fork_file;
pub mod island_journal;
pub mod log;
pub mod node_db;
pub(crate) mod rebase;
pub mod snapshot;
pub(crate) mod sqlite;
pub mod state;
pub mod trigger;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use self::fatal::Fatal;
use self::files::DirLock;
use self::log::{LogOptions, LogStore, OpenLogError};
use self::node_db::{NodeDb, NodeDbError, OpenNodeDbError};
use self::snapshot::{Incoming, ReceiveError, Snapshots};
use self::state::{OpenStateError, StateOptions, StateStore};

pub use self::files::LockError;
pub use self::files::write_new as write_new_file;
pub use self::sqlite::OpenSqliteError;

/// How long the tasks behind the files may take to end at a clean stop.
const CLOSE_WAIT: Duration = Duration::from_secs(10);

/// Everything one node keeps on disk.
pub struct Store {
    /// Raft log and vote.
    pub log: LogStore,
    /// Replicated state and snapshots.
    pub state: StateStore,
    /// What belongs to this node alone.
    pub node_db: Arc<NodeDb>,
    fatal: Fatal,
    tasks: JoinSet<()>,
    lock: DirLock,
}

/// The node's files could not be opened. Each message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Sqlite(#[from] OpenSqliteError),
    #[error(transparent)]
    NodeDb(#[from] OpenNodeDbError),
    #[error(transparent)]
    Log(#[from] OpenLogError),
    #[error(transparent)]
    State(#[from] OpenStateError),
    #[error("cannot use the snapshots folder")]
    Snapshots(#[source] io::Error),
}

/// The files were not closed cleanly; the next start checks them.
#[derive(Debug, thiserror::Error)]
pub enum CloseError {
    #[error("cannot close the node's files")]
    Io(#[from] io::Error),
    #[error(transparent)]
    NodeDb(#[from] NodeDbError),
    #[error("the storage tasks did not end within {CLOSE_WAIT:?}")]
    Slow,
}

impl Store {
    /// Takes the folder for this process, opens or creates every file in it and checks them.
    pub async fn open(dir: &Path) -> Result<Self, OpenError> {
        let lock = DirLock::take(dir)?;
        let unclean = lock.unclean();
        if unclean {
            tracing::warn!("the last stop was not clean, checking the files");
        }
        sqlite::check_version().await?;
        let fatal = Fatal::new();
        let mut tasks = JoinSet::new();
        let node_db = Arc::new(NodeDb::open(&dir.join("node.db"), unclean, fatal.clone()).await?);
        let snapshots = Snapshots::open(&dir.join("snapshots"))
            .await
            .map_err(OpenError::Snapshots)?;
        let durable = watch::Sender::new(None);
        let path = dir.join("raft.db");
        if !path.exists() && dir.join("state").join("CURRENT").exists() {
            return Err(OpenLogError::Missing { path }.into());
        }
        let newest = snapshots
            .all()
            .first()
            .and_then(|newest| newest.meta.last_log_id);
        let options = LogOptions {
            state_durable: durable.subscribe(),
            fatal: fatal.clone(),
            unclean,
            snapshot: newest.map(|id| id.index),
        };
        let log = LogStore::open(&path, options, &mut tasks).await?;
        let options = StateOptions {
            purged: log.purged(),
            durable,
            fatal: fatal.clone(),
            unclean,
        };
        let state = StateStore::open(&dir.join("state"), snapshots, options, &mut tasks).await?;
        if state.applied() > log.last_log_id() {
            cover_gap(&state, &log).await?;
        }
        files::sync_dir(dir).map_err(OpenError::Snapshots)?;
        Ok(Self {
            log,
            state,
            node_db,
            fatal,
            tasks,
            lock,
        })
    }

    /// Raised when the disk fails: stop the node.
    pub fn fatal(&self) -> &Fatal {
        &self.fatal
    }

    /// Starts or resumes receiving a snapshot from a peer.
    pub async fn begin_receiving(
        &self,
        len: u64,
        sha256: [u8; 32],
    ) -> Result<Incoming, ReceiveError> {
        self.state.snapshots().begin_receiving(len, sha256).await
    }

    /// Closes everything and notes a clean stop. Stop the engine first: every handle fails from here on.
    pub async fn close(mut self) -> Result<(), CloseError> {
        self.state.close().await?;
        self.log.close().await?;
        self.node_db.close().await?;
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        tokio::time::timeout(CLOSE_WAIT, ended)
            .await
            .map_err(|_| CloseError::Slow)?;
        match self.fatal.reason() {
            Some(_) => Ok(()), // leave the mark: the next start looks closer
            None => Ok(self.lock.release_clean()?),
        }
    }
}

/// What a majority has is applied here even before this node's own log has it on disk; after a crash the state may then
/// stand further than the log. Nothing is lost by that: nobody counted on this node's log for those entries. But the log
/// goes on behind the state, and whoever lacks what is between needs a snapshot that reaches so far.
async fn cover_gap(state: &StateStore, log: &LogStore) -> Result<(), OpenError> {
    tracing::warn!(
        applied = state.applied().map(|id| id.index),
        log = log.last_log_id().map(|id| id.index),
        "the log ends before the state, after a crash; the state is kept as a snapshot"
    );
    state.build().await.map_err(OpenError::Snapshots)?;
    Ok(())
}

#[cfg(test)]
mod tests;
