//! Files and folders, durably: lock, atomic replacement, digests.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use sha2::{Digest, Sha256};

const RUNNING: &str = "running ";
const CLOSED: &str = "closed\n";

/// The node's folder, held by this process alone. Remembers whether the last holder stopped cleanly.
#[derive(Debug)]
pub(super) struct DirLock {
    file: File,
    unclean: bool,
}

/// The folder could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    #[error("the data folder {} is in use by process {holder}; stop that process first, or give this node another folder", path.display())]
    Held { path: PathBuf, holder: String },
    #[error("cannot use the data folder {}", path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

impl DirLock {
    /// Creates the folder if needed and locks it.
    pub(super) fn take(dir: &Path) -> Result<Self, LockError> {
        let fail = |source| LockError::Io {
            path: dir.to_owned(),
            source,
        };
        fs::create_dir_all(dir).map_err(fail)?;
        let path = dir.join("LOCK");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(fail)?;
        // Whatever else than a clean stop is in it means that the last one was not clean.
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(fail)?;
        let text = String::from_utf8_lossy(&bytes);
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let holder = text
                    .strip_prefix(RUNNING)
                    .unwrap_or("unknown")
                    .trim()
                    .to_owned();
                return Err(LockError::Held {
                    path: dir.to_owned(),
                    holder,
                });
            }
            Err(errno) => return Err(fail(errno.into())),
        }
        // Anything but our own last word is unclean, unless nothing was ever stored here.
        let unclean = text != CLOSED && dir.join("raft.db").exists();
        let lock = Self { file, unclean };
        lock.note(&format!("{RUNNING}{}\n", std::process::id()))
            .map_err(fail)?;
        sync_dir(dir).map_err(fail)?;
        Ok(lock)
    }

    /// True when the last process on this folder did not close it: look closer at the files.
    pub(super) fn unclean(&self) -> bool {
        self.unclean
    }

    /// Notes a clean stop and gives the folder back.
    pub(super) fn release_clean(self) -> io::Result<()> {
        self.note(CLOSED)
    }

    fn note(&self, text: &str) -> io::Result<()> {
        // In place: replacing the file would leave the lock on the old one.
        use std::os::unix::fs::FileExt;
        self.file.set_len(0)?;
        self.file.write_all_at(text.as_bytes(), 0)?;
        self.file.sync_all()
    }
}

/// Makes a folder's entries durable.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Makes a file's bytes durable. Never for a database SQLite has open: closing any handle drops its locks.
pub(crate) fn sync_file(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Replaces a small file so that a crash leaves the old or the new content, never a mixture.
pub(crate) fn write_atomically(path: &Path, content: &[u8]) -> io::Result<()> {
    let dir = path
        .parent()
        .ok_or_else(|| io::Error::other("no parent folder"))?;
    let mut partial = path.as_os_str().to_owned();
    partial.push(".new");
    let mut file = File::create(&partial)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&partial, path)?;
    sync_dir(dir)
}

/// Writes a file that was not there before, for its owner only, durably.
pub fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// Size and SHA-256 of a file.
pub(crate) fn digest(path: &Path) -> io::Result<(u64, [u8; 32])> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 256 * 1024];
    let mut len = 0u64;
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok((len, hash.finalize().into())),
            n => {
                hash.update(&buffer[..n]);
                len += n as u64;
            }
        }
    }
}

/// `path` with `suffix` appended to its name.
pub(crate) fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Removes a file that may already be gone.
pub(super) fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

/// True when the file system of `path` has room for another copy of it and `spare` bytes more.
pub(super) fn has_room_for_copy(path: &Path, spare: u64) -> io::Result<bool> {
    let stat = rustix::fs::statvfs(path)?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize)
        >= fs::metadata(path)?.len().saturating_add(spare))
}

/// Runs file work off the async threads.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_process_is_refused_and_told_who_holds_the_folder() {
        let dir = tempfile::tempdir().unwrap();
        let first = DirLock::take(dir.path()).unwrap();
        assert!(!first.unclean());
        fs::write(dir.path().join("raft.db"), "").unwrap();
        let error = DirLock::take(dir.path()).unwrap_err().to_string();
        assert!(
            error.contains(&format!("in use by process {}", std::process::id())),
            "{error}"
        );
        first.release_clean().unwrap();
        let second = DirLock::take(dir.path()).unwrap();
        assert!(!second.unclean());
        drop(second); // as a crash would
        assert!(DirLock::take(dir.path()).unwrap().unclean());
    }
}
