//! Snapshot files: compact copies of the state, each under a digest, the newest two kept.
//!
//! `snap-<term>-<node>-<index>.db` beside `….db.sha256` (readable by `sha256sum -c`). A copy carries its own position,
//! so a file can be trusted to be what its name says. Peers send them as they are; what arrives is written to a
//! partial file named by its digest, so that a broken transfer goes on where it stopped.

mod receive;

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use data_encoding::HEXLOWER;
use sqlx::{ConnectOptions, Connection};
use tokio::time::Instant;

use super::files;
use super::sqlite;
use super::state::{Position, read_position};
use crate::types::{LeaderId, LogId, SnapshotMeta, TypeConfig};

pub use self::receive::{Incoming, ReceiveError};

/// Snapshots kept on disk.
const KEPT: usize = 2;

/// A file found sound is not read again for this long.
const VERIFIED_FOR: Duration = Duration::from_secs(600);

/// A snapshot as the engine passes it about: a file, not bytes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SnapshotFile {
    pub path: PathBuf,
    /// Size in bytes.
    pub len: u64,
    pub sha256: [u8; 32],
}

/// A snapshot in the engine's form.
pub type EngineSnapshot = openraft::type_config::alias::SnapshotOf<TypeConfig, SnapshotFile>;

/// A snapshot file and what it covers.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub meta: SnapshotMeta,
    pub file: SnapshotFile,
}

impl From<Snapshot> for EngineSnapshot {
    fn from(snapshot: Snapshot) -> Self {
        Self {
            meta: snapshot.meta,
            snapshot: snapshot.file,
        }
    }
}

/// The snapshots of this node. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Snapshots {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    dir: PathBuf,
    /// Newest first.
    kept: Mutex<Vec<Snapshot>>,
    verified: Mutex<Option<(PathBuf, Instant)>>,
    lost_any: AtomicBool,
    building: tokio::sync::Mutex<()>,
    receiving: Mutex<BTreeSet<[u8; 32]>>,
}

impl Snapshots {
    /// Finds what is in `dir` and sweeps away what a crash left half-done.
    pub async fn open(dir: &Path) -> io::Result<Self> {
        fs::create_dir_all(dir.join("incoming"))?;
        let mut kept = Vec::new();
        for name in names(dir)? {
            let Some(log_id) = parse_name(&name) else {
                if name.starts_with("new-") || is_orphan(dir, &name) {
                    files::remove_if_there(&dir.join(&name))?;
                }
                continue;
            };
            match load(dir, &name, log_id).await {
                Ok(snapshot) => kept.push(snapshot),
                Err(error) => {
                    tracing::warn!(name, %error, "snapshot file not usable, removed");
                    remove(&dir.join(&name))?;
                }
            }
        }
        kept.sort_by_key(|snapshot| Reverse(snapshot.meta.last_log_id));
        let shared = Shared {
            dir: dir.to_owned(),
            kept: Mutex::new(kept),
            verified: Mutex::default(),
            lost_any: AtomicBool::new(false),
            building: tokio::sync::Mutex::default(),
            receiving: Mutex::default(),
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    /// All there are, newest first. Their content was not read: compare digests before use.
    pub fn all(&self) -> Vec<Snapshot> {
        lock(&self.shared.kept).clone()
    }

    /// The newest whose bytes are what was written. Damaged ones met on the way are removed.
    pub(super) async fn newest_verified(&self) -> io::Result<Option<Snapshot>> {
        while let Some(snapshot) = self.all().into_iter().next() {
            let file = snapshot.file.clone();
            let recently = lock(&self.shared.verified)
                .as_ref()
                .is_some_and(|(path, at)| *path == file.path && at.elapsed() < VERIFIED_FOR);
            if recently {
                return Ok(Some(snapshot));
            }
            let path = file.path.clone();
            match files::blocking(move || files::digest(&path)).await {
                Ok(found) if found == (file.len, file.sha256) => {
                    *lock(&self.shared.verified) = Some((file.path, Instant::now()));
                    return Ok(Some(snapshot));
                }
                Ok(_) => {
                    tracing::error!(path = %file.path.display(), "snapshot damaged on disk, removed; check the disk")
                }
                Err(error) => {
                    tracing::error!(path = %file.path.display(), %error, "snapshot not readable, removed; check the disk");
                }
            }
            self.shared.lost_any.store(true, Ordering::Relaxed);
            lock(&self.shared.kept).retain(|kept| kept.file != snapshot.file);
            remove(&snapshot.file.path)?;
        }
        Ok(None)
    }

    /// True when a snapshot was found damaged since the start.
    pub(super) fn lost_any(&self) -> bool {
        self.shared.lost_any.load(Ordering::Relaxed)
    }

    /// Copies the database at `source`, as of one instant, into a snapshot that survives a power cut.
    pub(super) async fn build(&self, source: &Path) -> io::Result<Snapshot> {
        let _one_at_a_time = self.shared.building.lock().await;
        let partial = self.shared.dir.join("new-snapshot.db");
        files::remove_if_there(&partial)?;
        let position = copy(source, &partial).await.map_err(io::Error::other)?;
        let meta = SnapshotMeta {
            last_log_id: position.applied,
            last_membership: position.membership,
        };
        let path = partial.clone();
        let (len, sha256) = files::blocking(move || {
            files::sync_file(&path)?;
            files::digest(&path)
        })
        .await?;
        let file = SnapshotFile {
            path: partial,
            len,
            sha256,
        };
        match meta.last_log_id {
            Some(_) => self.adopt(meta, file).await,
            // A snapshot of nothing is of no use to anyone; the engine asks for one only of a log without a state.
            None => Ok(Snapshot { meta, file }),
        }
    }

    /// Moves a synced file under its final name and forgets the oldest beyond [`KEPT`].
    pub(super) async fn adopt(
        &self,
        meta: SnapshotMeta,
        file: SnapshotFile,
    ) -> io::Result<Snapshot> {
        let log_id = meta
            .last_log_id
            .ok_or_else(|| io::Error::other("a snapshot of nothing"))?;
        let path = self.shared.dir.join(name_of(&log_id));
        let (from, to, dir, sha256) = (
            file.path.clone(),
            path.clone(),
            self.shared.dir.clone(),
            file.sha256,
        );
        files::blocking(move || {
            if from != to {
                files::write_atomically(&sidecar(&to), sidecar_text(&to, &sha256).as_bytes())?;
                fs::rename(&from, &to)?;
                files::sync_dir(&dir)?;
            }
            Ok(())
        })
        .await?;
        let snapshot = Snapshot {
            meta,
            file: SnapshotFile {
                path: path.clone(),
                ..file
            },
        };
        let surplus = {
            let mut kept = lock(&self.shared.kept);
            kept.retain(|other| other.file.path != path);
            kept.insert(0, snapshot.clone());
            kept.sort_by_key(|snapshot| Reverse(snapshot.meta.last_log_id));
            let at = kept.len().min(KEPT);
            kept.split_off(at)
        };
        *lock(&self.shared.verified) = Some((path, Instant::now()));
        for old in surplus {
            remove(&old.file.path)?;
        }
        tracing::info!(path = %snapshot.file.path.display(), len = snapshot.file.len, "snapshot kept");
        Ok(snapshot)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// `VACUUM INTO` on a connection of its own, then the copy's own word on what it holds.
pub(super) async fn copy(source: &Path, target: &Path) -> Result<Position, sqlx::Error> {
    let mut conn = sqlite::read_options(source).connect().await?;
    sqlite::vacuum_into(&mut conn, target).await?;
    conn.close().await?;
    position_in(target).await
}

/// The position stored in a finished copy.
async fn position_in(path: &Path) -> Result<Position, sqlx::Error> {
    let mut conn = sqlite::open_copy(path).await?;
    let position = read_position(&mut conn).await?;
    conn.close().await?;
    Ok(position)
}

async fn load(dir: &Path, name: &str, log_id: LogId) -> io::Result<Snapshot> {
    let path = dir.join(name);
    let text = fs::read_to_string(sidecar(&path))?;
    let digest = text.split(' ').next().unwrap_or_default();
    let sha256 = HEXLOWER
        .decode(digest.as_bytes())
        .ok()
        .and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    let sha256 = sha256.ok_or_else(|| io::Error::other("its .sha256 file holds no digest"))?;
    let position = position_in(&path).await.map_err(io::Error::other)?;
    if position.applied != Some(log_id) {
        return Err(io::Error::other("it stands elsewhere than its name says"));
    }
    let meta = SnapshotMeta {
        last_log_id: position.applied,
        last_membership: position.membership,
    };
    let len = fs::metadata(&path)?.len();
    Ok(Snapshot {
        meta,
        file: SnapshotFile { path, len, sha256 },
    })
}

fn names(dir: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir)? {
        names.extend(entry?.file_name().into_string().ok());
    }
    names.sort();
    Ok(names)
}

fn name_of(log_id: &LogId) -> String {
    format!(
        "snap-{}-{}-{}.db",
        log_id.leader_id.term, log_id.leader_id.node_id, log_id.index
    )
}

fn parse_name(name: &str) -> Option<LogId> {
    let mut numbers = name
        .strip_prefix("snap-")?
        .strip_suffix(".db")?
        .split('-')
        .map(str::parse::<u64>);
    let mut next = || numbers.next()?.ok();
    let (term, node_id, index) = (next()?, next()?, next()?);
    Some(LogId::new(LeaderId { term, node_id }, index))
}

/// A digest without its snapshot.
fn is_orphan(dir: &Path, name: &str) -> bool {
    name.strip_suffix(".sha256")
        .is_some_and(|snapshot| !dir.join(snapshot).exists())
}

fn sidecar(path: &Path) -> PathBuf {
    files::suffixed(path, ".sha256")
}

fn sidecar_text(path: &Path, sha256: &[u8; 32]) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    format!("{}  {name}\n", HEXLOWER.encode(sha256))
}

fn remove(path: &Path) -> io::Result<()> {
    files::remove_if_there(path)?;
    files::remove_if_there(&sidecar(path))
}
