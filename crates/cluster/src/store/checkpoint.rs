//! Moves a database's WAL into the database beside its writer, who never waits for it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use sqlx::SqliteConnection;
use tokio::sync::Notify;

use super::files;
use super::sqlite::{self, CheckpointMode};

/// Bytes written after which a checkpoint runs at once (about 4,000 pages).
const EAGER_BYTES: usize = 16 * 1024 * 1024;

/// Rest after the last write before the remains are moved.
const IDLE: Duration = Duration::from_secs(1);

/// A WAL this long is emptied even if the writer has to wait a moment.
const WAL_MAX_BYTES: u64 = 64 * 1024 * 1024;

/// What the writer tells the checkpointer: how much there is to move.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    bytes: AtomicUsize,
    dirty: AtomicBool,
    wake: Notify,
}

impl Backlog {
    pub(super) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Something was committed, `bytes` of it content.
    pub(super) fn wrote(&self, bytes: usize) {
        let before = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        let eager = before < EAGER_BYTES && before + bytes >= EAGER_BYTES;
        if !self.dirty.swap(true, Ordering::AcqRel) || eager {
            self.wake.notify_one();
        }
    }

    /// Returns once there is something to move: much, or anything after a rest.
    pub(super) async fn due(&self) {
        loop {
            if self.bytes.load(Ordering::Relaxed) >= EAGER_BYTES {
                return;
            }
            if self.dirty.load(Ordering::Acquire) {
                if tokio::time::timeout(IDLE, self.wake.notified())
                    .await
                    .is_err()
                {
                    return;
                }
            } else {
                self.wake.notified().await;
            }
        }
    }
}

/// Moves the WAL of `database` now. True when everything written before the call is synced in the database.
pub(super) async fn run(
    conn: &mut SqliteConnection,
    database: &Path,
    backlog: &Backlog,
) -> Result<bool, sqlx::Error> {
    backlog.dirty.store(false, Ordering::Release);
    backlog.bytes.store(0, Ordering::Relaxed);
    let complete = sqlite::checkpoint(conn, CheckpointMode::Passive).await?;
    if wal_len(database) > WAL_MAX_BYTES {
        return sqlite::checkpoint(conn, CheckpointMode::Truncate).await;
    }
    Ok(complete)
}

/// The WAL of a database file.
pub(super) fn wal_path(database: &Path) -> PathBuf {
    files::suffixed(database, "-wal")
}

fn wal_len(database: &Path) -> u64 {
    std::fs::metadata(wal_path(database)).map_or(0, |m| m.len())
}
