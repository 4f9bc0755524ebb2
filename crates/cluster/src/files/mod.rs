//! Bytes of files: this node's folder of them, and the way they come from other nodes (DESIGN B3).
//!
//! A node that lacks one asks a member that says it holds it, a piece at a time, under a request kind of its own that
//! leaves last when a path is busy. One file at a time, no faster than a snapshot; what came stays when it breaks off. Whole
//! it is compared with its digest before it gets its name, so nobody who gives a piece has to be believed.

mod folder;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fs::File;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use domain::files::{FileDigest, SIZE_MAX};
use domain::ports::{FileError, FileLimits, FileStore};
use domain::{FileId, NodeId, codec};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use tokio::time::sleep;

use self::folder::Folder;
use crate::rpc::{Kind, PeerTransport};
use crate::store::files::blocking;

/// The folder in the data directory.
pub(crate) const FOLDER: &str = "files";

/// Bytes of one piece: a heartbeat on the same TCP connection waits for no more than this.
const PIECE: usize = 32 * 1024;

/// The first piece must come within this time, or another node is asked; the others also over a satellite at its worst.
const FIRST_TIMEOUT: Duration = Duration::from_secs(5);
const PIECE_TIMEOUT: Duration = Duration::from_secs(20);

/// What a node asks another for. Its fields never change.
#[derive(Debug, Serialize, Deserialize)]
struct Ask {
    digest: FileDigest,
    offset: u64,
}

/// What it is given. Its fields never change.
#[derive(Debug, Serialize, Deserialize)]
struct Given {
    /// The next bytes; `None`: that node does not hold the file.
    bytes: Option<Vec<u8>>,
}

/// The other nodes.
struct Peers {
    transport: Arc<dyn PeerTransport>,
    node: NodeId,
    /// Bytes a second.
    rate: u64,
    /// Whoever gave the last file is asked first for the next.
    generous: std::sync::Mutex<Option<NodeId>>,
}

impl Peers {
    /// Those to ask, in the order in which to ask them.
    fn in_turn(&self, from: &[NodeId]) -> Vec<NodeId> {
        let generous = *self.generous.lock().unwrap_or_else(PoisonError::into_inner);
        let mut others: Vec<NodeId> = from.iter().copied().filter(|id| *id != self.node).collect();
        others.sort_by_key(|id| Some(*id) != generous);
        others
    }
}

/// See the module. Cheap to share.
pub struct Files {
    folder: Folder,
    limits: FileLimits,
    peers: Option<Peers>,
    /// Held by whoever writes uploads: two requests for one upload must not mix.
    writing: Mutex<()>,
    /// Held by whoever fetches.
    fetching: Mutex<()>,
    /// What the last sweep found that nothing names: it goes with the next, unless its row came in between.
    unnamed: Mutex<BTreeSet<PathBuf>>,
}

impl std::fmt::Debug for Files {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Files")
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

impl Files {
    /// A folder of a node that knows no other.
    pub fn alone(dir: PathBuf, limits: FileLimits) -> std::io::Result<Self> {
        Ok(Self {
            folder: Folder::open(dir)?,
            limits,
            peers: None,
            writing: Mutex::default(),
            fetching: Mutex::default(),
            unnamed: Mutex::default(),
        })
    }

    /// The folder of a member.
    pub(crate) fn of_member(
        dir: PathBuf,
        limits: FileLimits,
        node: NodeId,
        transport: Arc<dyn PeerTransport>,
        rate: u64,
    ) -> std::io::Result<Self> {
        let peers = Peers {
            transport,
            node,
            rate,
            generous: std::sync::Mutex::default(),
        };
        Ok(Self {
            peers: Some(peers),
            ..Self::alone(dir, limits)?
        })
    }

    /// Gives another node a piece.
    pub(crate) async fn answer(&self, body: &[u8]) -> Result<Vec<u8>, String> {
        let ask: Ask = codec::decode(body).map_err(|e| e.to_string())?;
        let folder = self.folder.clone();
        let bytes = blocking(move || folder.part(&ask.digest, ask.offset, PIECE))
            .await
            .map_err(|e| e.to_string())?;
        codec::encode(&Given { bytes }).map_err(|e| e.to_string())
    }

    /// Fetches what is not there yet of a file from one node.
    async fn fetch_from(
        &self,
        peers: &Peers,
        node: NodeId,
        (digest, size): (FileDigest, u64),
    ) -> Result<(), FileError> {
        let path = self.folder.fetching(&digest);
        let absent = |why: String| FileError::Absent(format!("{node}: {why}"));
        let mut offset = on_disk({
            let path = path.clone();
            move || {
                let len = folder::len(&path)?;
                if len > size {
                    folder::remove(&path)?;
                    return Ok(0);
                }
                Ok(len)
            }
        })
        .await?;
        let mut patience = FIRST_TIMEOUT;
        while offset < size {
            let ask = Ask { digest, offset };
            let body = codec::encode(&ask).map_err(|e| absent(e.to_string()))?;
            let given = peers
                .transport
                .call(node, Kind::File, &body, patience)
                .await
                .map_err(|e| absent(e.to_string()))?;
            let given: Given = codec::decode(&given).map_err(|e| absent(e.to_string()))?;
            let bytes = given
                .bytes
                .ok_or_else(|| absent("it does not hold it".to_owned()))?;
            patience = PIECE_TIMEOUT;
            let len = bytes.len() as u64;
            if len == 0 || bytes.len() > PIECE || offset + len > size {
                return Err(absent("what it gave does not fit".to_owned()));
            }
            let to = path.clone();
            offset = on_disk(move || Folder::append(&to, offset, &bytes)).await?;
            sleep(pause_after(len, peers.rate)).await;
        }
        let folder = self.folder.clone();
        on_disk(move || {
            folder.keep(&path, &digest)?;
            Ok(folder::remove(&path)?)
        })
        .await
    }

    async fn check_room(&self, size: u64) -> Result<(), FileError> {
        let folder = self.folder.clone();
        let used = on_disk(move || Ok(folder.used()?)).await?;
        let max = self.limits.total_max;
        match used.saturating_add(size) > max {
            true => Err(FileError::Full { used, max }),
            false => Ok(()),
        }
    }
}

#[async_trait]
impl FileStore for Files {
    fn limits(&self) -> FileLimits {
        self.limits
    }

    async fn received(&self, file: FileId) -> Result<u64, FileError> {
        let path = self.folder.upload(file);
        on_disk(move || Ok(folder::len(&path)?)).await
    }

    async fn receive(&self, file: FileId, offset: u64, bytes: Vec<u8>) -> Result<u64, FileError> {
        let _writing = self.writing.lock().await;
        if offset == 0 {
            self.check_room(bytes.len() as u64).await?;
        }
        let path = self.folder.upload(file);
        on_disk(move || Folder::append(&path, offset, &bytes)).await
    }

    async fn upload(&self, file: FileId) -> Result<Vec<u8>, FileError> {
        let path = self.folder.upload(file);
        on_disk(move || Ok(folder::read_whole(&path, SIZE_MAX)?)).await
    }

    async fn keep(&self, file: FileId, digest: FileDigest) -> Result<(), FileError> {
        let _writing = self.writing.lock().await;
        let (folder, path) = (self.folder.clone(), self.folder.upload(file));
        on_disk(move || folder.keep(&path, &digest)).await
    }

    async fn forget(&self, file: FileId) -> Result<(), FileError> {
        let _writing = self.writing.lock().await;
        let path = self.folder.upload(file);
        on_disk(move || Ok(folder::remove(&path)?)).await
    }

    async fn has(&self, digest: FileDigest, size: u64) -> Result<bool, FileError> {
        let folder = self.folder.clone();
        on_disk(move || Ok(folder.has(&digest, size)?)).await
    }

    async fn open(&self, digest: FileDigest) -> Result<Option<File>, FileError> {
        let folder = self.folder.clone();
        on_disk(move || Ok(folder.open_checked(&digest)?)).await
    }

    async fn fetch(&self, digest: FileDigest, size: u64, from: &[NodeId]) -> Result<(), FileError> {
        let _fetching = self.fetching.lock().await;
        if self.has(digest, size).await? {
            return Ok(());
        }
        self.check_room(size).await?;
        let mut last = FileError::Absent("nobody says that they hold it".to_owned());
        let Some(peers) = &self.peers else {
            return Err(last);
        };
        for node in peers.in_turn(from) {
            match self.fetch_from(peers, node, (digest, size)).await {
                Ok(()) => {
                    let mut generous = peers
                        .generous
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner);
                    *generous = Some(node);
                    return Ok(());
                }
                Err(error @ FileError::Io(_)) => return Err(error),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn sweep(
        &self,
        digests: BTreeSet<FileDigest>,
        uploads: BTreeSet<FileId>,
    ) -> Result<u64, FileError> {
        let _writing = self.writing.lock().await;
        let mut before = self.unnamed.lock().await;
        let (folder, candidates) = (self.folder.clone(), std::mem::take(&mut *before));
        let (gone, unnamed) = on_disk(move || {
            let mut unnamed = folder.unnamed(&digests, &uploads)?;
            let gone: Vec<PathBuf> = candidates.intersection(&unnamed).cloned().collect();
            for path in &gone {
                folder::remove(path)?;
                unnamed.remove(path);
            }
            Ok((gone.len() as u64, unnamed))
        })
        .await?;
        *before = unnamed;
        Ok(gone)
    }
}

/// Works on the folder off the async threads.
async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, FileError> + Send + 'static,
) -> Result<T, FileError> {
    blocking(move || Ok(work())).await?
}

/// How long `length` bytes take at `rate` bytes a second.
fn pause_after(length: u64, rate: u64) -> Duration {
    Duration::from_micros(length.saturating_mul(1_000_000) / rate.max(1))
}
