//! A snapshot on its way in from a peer.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use data_encoding::HEXLOWER;
use sqlx::Connection;

use super::{SnapshotFile, Snapshots, lock, sqlite};
use crate::store::files;
use crate::store::state::read_position;
use crate::types::SnapshotMeta;

/// No state of ours comes near this; a peer that claims more is wrong.
const LEN_MAX: u64 = 64 * 1024 * 1024 * 1024;

/// Suffix of a file that arrived whole and waits to be installed.
const WHOLE: &str = "whole";

/// A whole file not installed by then never will be.
const INSTALLED_WITHIN: Duration = Duration::from_secs(600);

/// A snapshot could not be received. The sender may begin again.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    #[error("this snapshot is already being received")]
    Busy,
    #[error("a snapshot of {len} bytes is more than this node takes")]
    TooLong { len: u64 },
    #[error("the sender sent more than the {len} bytes it announced")]
    Overrun { len: u64 },
    #[error("what arrived is not the snapshot that was announced: {detail}")]
    Damaged { detail: String },
    #[error("cannot write the incoming snapshot; check the disk")]
    Io(#[from] io::Error),
    #[error("cannot check the incoming snapshot")]
    Database(#[from] sqlx::Error),
}

/// The partial file of one snapshot. Dropping it keeps the bytes: the next try goes on at [`Incoming::offset`].
#[derive(Debug)]
pub struct Incoming {
    partial: Arc<Partial>,
    offset: u64,
    len: u64,
    sha256: [u8; 32],
}

/// The file and the right to write to it. A write under way holds both, so that nobody resumes from a length that is
/// about to change.
#[derive(Debug)]
struct Partial {
    file: File,
    path: PathBuf,
    _claim: Claim,
}

/// The right to receive one snapshot; one at a time has it.
#[derive(Debug)]
struct Claim {
    snapshots: Snapshots,
    sha256: [u8; 32],
}

impl Drop for Claim {
    fn drop(&mut self) {
        lock(&self.snapshots.shared.receiving).remove(&self.sha256);
    }
}

impl Snapshots {
    /// Starts or resumes receiving the snapshot of `len` bytes with this digest.
    pub async fn begin_receiving(
        &self,
        len: u64,
        sha256: [u8; 32],
    ) -> Result<Incoming, ReceiveError> {
        if len > LEN_MAX {
            return Err(ReceiveError::TooLong { len });
        }
        if !lock(&self.shared.receiving).insert(sha256) {
            return Err(ReceiveError::Busy);
        }
        let claim = Claim {
            snapshots: self.clone(),
            sha256,
        };
        let (partial, offset) = files::blocking(move || claim.open(len)).await?;
        Ok(Incoming {
            partial: Arc::new(partial),
            offset,
            len,
            sha256,
        })
    }

    /// Removes what belongs to transfers that were given up, and whole files that nobody installed.
    fn sweep_incoming(&self, dir: &Path) -> io::Result<()> {
        for entry in fs::read_dir(dir)? {
            let path = entry?.path();
            let digest = path
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let given_up = if path.extension().is_some_and(|e| e == WHOLE) {
                let age = fs::metadata(&path)
                    .and_then(|m| m.modified())
                    .map(|at| at.elapsed().unwrap_or_default());
                age.is_ok_and(|age| age > INSTALLED_WITHIN)
            } else {
                !lock(&self.shared.receiving)
                    .iter()
                    .any(|busy| HEXLOWER.encode(busy) == digest)
            };
            if given_up {
                files::remove_if_there(&path)?;
            }
        }
        Ok(())
    }
}

impl Claim {
    /// Opens the partial file where the last try left it, and says how much of `len` bytes it holds.
    fn open(self, len: u64) -> io::Result<(Partial, u64)> {
        let dir = self.snapshots.shared.dir.join("incoming");
        let path = dir.join(format!("{}.part", HEXLOWER.encode(&self.sha256)));
        self.snapshots.sweep_incoming(&dir)?;
        let file = File::options().append(true).create(true).open(&path)?;
        let mut offset = file.metadata()?.len();
        if offset > len {
            file.set_len(0)?;
            offset = 0;
        }
        let partial = Partial {
            file,
            path,
            _claim: self,
        };
        Ok((partial, offset))
    }
}

impl Incoming {
    /// Where the sender should go on.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Takes the next bytes.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), ReceiveError> {
        if self.offset + bytes.len() as u64 > self.len {
            return Err(ReceiveError::Overrun { len: self.len });
        }
        let (partial, chunk) = (Arc::clone(&self.partial), bytes.to_vec());
        files::blocking(move || (&partial.file).write_all(&chunk)).await?;
        self.offset += bytes.len() as u64;
        Ok(())
    }

    /// Checks that all arrived, is sound and covers what `meta` says, and hands out the file, ready to install. A
    /// file that fails is removed, so that the next transfer starts afresh.
    pub async fn finish(self, meta: &SnapshotMeta) -> Result<SnapshotFile, ReceiveError> {
        let partial = Arc::clone(&self.partial);
        files::blocking(move || partial.file.sync_all()).await?;
        match self.check(meta).await {
            Ok(()) => {
                let path = self.partial.path.with_extension(WHOLE);
                fs::rename(&self.partial.path, &path)?;
                Ok(SnapshotFile {
                    path,
                    len: self.len,
                    sha256: self.sha256,
                })
            }
            Err(error) => {
                files::remove_if_there(&self.partial.path)?;
                Err(error)
            }
        }
    }

    async fn check(&self, meta: &SnapshotMeta) -> Result<(), ReceiveError> {
        let damaged = |detail: String| ReceiveError::Damaged { detail };
        let path = self.partial.path.clone();
        let (len, sha256) = files::blocking(move || files::digest(&path)).await?;
        if len != self.len {
            return Err(damaged(format!("{len} of {} bytes", self.len)));
        }
        if sha256 != self.sha256 {
            return Err(damaged("its digest differs".to_owned()));
        }
        let mut conn = sqlite::open_copy(&self.partial.path).await?;
        if let Some(complaint) = sqlite::quick_check(&mut conn).await? {
            return Err(damaged(complaint));
        }
        let position = read_position(&mut conn).await?;
        conn.close().await?;
        if position.applied != meta.last_log_id || position.membership != meta.last_membership {
            return Err(damaged(format!(
                "it stands at {:?}, not at {:?}",
                position.applied, meta.last_log_id
            )));
        }
        Ok(())
    }
}
