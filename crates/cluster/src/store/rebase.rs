//! A new log beside kept state: how a new epoch begins on the files of an old one (DESIGN B6).
//!
//! The new log starts where the state stands, purged up to there, so that whoever joins later gets a snapshot and never
//! a log that lacks what came before. [`super::Store::open`] refuses state without its log; this is the one way around it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use domain::codec::{self, CodecError};
use sqlx::{ConnectOptions, Connection};

use super::files::{self, DirLock, LockError};
use super::log::create_purged;
use super::sqlite::{self, CheckpointMode};
use super::state::{OpenStateError, current_path, write_position};
use crate::types::{LogId, StoredMembership, Vote, WireStoredMembership};

/// The files could not be made ready. Repeating the same call goes on where it stopped.
#[derive(Debug, thiserror::Error)]
pub enum RebaseError {
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    State(#[from] OpenStateError),
    #[error("cannot move or write {}; check owner and free space, then repeat", path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("cannot write {}", path.display())]
    Database {
        path: PathBuf,
        #[source]
        source: sqlx::Error,
    },
    #[error("cannot encode the new membership")]
    Encode(#[from] CodecError),
}

/// Where a new epoch begins.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    /// Where the state will stand: later than everything it holds.
    pub(crate) at: LogId,
    /// Who belongs to the new epoch.
    pub(crate) membership: StoredMembership,
    /// Folder name for what the old epoch leaves behind.
    pub(crate) aside: String,
}

/// Puts log and snapshots of the old epoch aside, moves the state to `origin` and makes a log that starts there.
pub(crate) async fn rebase(dir: &Path, origin: &Origin) -> Result<(), RebaseError> {
    let lock = DirLock::take(dir)?;
    let aside = dir.join(&origin.aside);
    let raft = dir.join("raft.db");
    let kept = aside.join("raft.db");
    if raft.exists() && !kept.exists() {
        make_dir(&aside)?;
        // The log itself goes last: until then, all of this begins again.
        for suffix in ["-wal", "-shm", ""] {
            move_file(
                &files::suffixed(&raft, suffix),
                &files::suffixed(&kept, suffix),
            )?;
        }
        sync(dir)?;
        sync(&aside)?;
    }
    if dir.join("snapshots").exists() && !aside.join("snapshots").exists() {
        make_dir(&aside)?;
        move_file(&dir.join("snapshots"), &aside.join("snapshots"))?;
        sync(dir)?;
    }
    move_state(dir, origin).await?;
    if !raft.exists() {
        let fresh = dir.join("raft.db.new");
        for suffix in ["", "-wal", "-shm"] {
            let path = files::suffixed(&fresh, suffix);
            files::remove_if_there(&path).map_err(|source| RebaseError::Io { path, source })?;
        }
        let vote = Vote::new_committed(origin.at.leader_id.term, origin.at.leader_id.node_id);
        create_purged(&fresh, &origin.at, &vote)
            .await
            .map_err(|source| RebaseError::Database {
                path: fresh.clone(),
                source,
            })?;
        move_file(&fresh, &raft)?;
    }
    sync(dir)?;
    lock.release_clean().map_err(|source| RebaseError::Io {
        path: dir.to_owned(),
        source,
    })
}

async fn move_state(dir: &Path, origin: &Origin) -> Result<(), RebaseError> {
    let path = current_path(&dir.join("state"))?;
    let membership = codec::encode(&WireStoredMembership::from(&origin.membership))?;
    let moved = async {
        let mut conn = sqlite::options(&path, true).connect().await?;
        let mut tx = conn.begin_with("begin immediate").await?;
        write_position(&mut tx, &origin.at, &membership).await?;
        tx.commit().await?;
        sqlite::checkpoint(&mut conn, CheckpointMode::Truncate).await?;
        conn.close().await
    };
    moved
        .await
        .map_err(|source| RebaseError::Database { path, source })
}

fn make_dir(path: &Path) -> Result<(), RebaseError> {
    fs::create_dir_all(path).map_err(|source| RebaseError::Io {
        path: path.to_owned(),
        source,
    })
}

fn move_file(from: &Path, to: &Path) -> Result<(), RebaseError> {
    match fs::rename(from, to) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(RebaseError::Io {
            path: from.to_owned(),
            source,
        }),
        Ok(()) => Ok(()),
    }
}

fn sync(dir: &Path) -> Result<(), RebaseError> {
    files::sync_dir(dir).map_err(|source| RebaseError::Io {
        path: dir.to_owned(),
        source,
    })
}
