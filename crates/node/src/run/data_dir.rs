//! The folder with everything a node must not lose, closed to everyone else, used by one process at a time.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use rustix::process::geteuid;

/// Why the data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DataDirError {
    #[error("cannot make or read the data directory {path}")]
    Unusable {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{path} is not a directory")]
    NotADirectory { path: PathBuf },
    #[error(
        "{path} belongs to user {owner}, this program runs as user {user}; run it as the owner, or chown the directory"
    )]
    Owner {
        path: PathBuf,
        owner: u32,
        user: u32,
    },
    #[error("{path} is open to other users (mode {mode:03o}); run chmod 700 on it")]
    Mode { path: PathBuf, mode: u32 },
    #[error("{path} is in use by process {pid}; one data directory serves one node at a time")]
    InUse { path: PathBuf, pid: String },
}

/// Held while the node runs.
#[derive(Debug)]
pub(crate) struct DataDir {
    // The lock lasts as long as the file is open.
    _lock: File,
}

impl DataDir {
    /// Makes the directory if missing, checks owner and mode, and takes it for this process.
    pub(crate) fn take(path: &Path) -> Result<Self, DataDirError> {
        let unusable = |source| DataDirError::Unusable {
            path: path.to_owned(),
            source,
        };
        if !path.exists() {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(path)
                .map_err(unusable)?;
        }
        check(path)?;
        let open = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path.join("holdfast.pid"));
        let mut lock = open.map_err(unusable)?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                let mut pid = String::new();
                _ = lock.read_to_string(&mut pid); // only for the words of the error
                return Err(DataDirError::InUse {
                    path: path.to_owned(),
                    pid: pid.trim().to_owned(),
                });
            }
            Err(error) => return Err(unusable(error.into())),
        }
        let written = lock
            .set_len(0)
            .and_then(|()| lock.rewind())
            .and_then(|()| writeln!(lock, "{}", std::process::id()));
        written.map_err(unusable)?;
        Ok(Self { _lock: lock })
    }
}

/// Whether the directory is ours and ours alone.
pub(crate) fn check(path: &Path) -> Result<(), DataDirError> {
    let meta = std::fs::metadata(path).map_err(|source| DataDirError::Unusable {
        path: path.to_owned(),
        source,
    })?;
    let (user, mode) = (geteuid().as_raw(), meta.mode() & 0o777);
    if !meta.is_dir() {
        return Err(DataDirError::NotADirectory {
            path: path.to_owned(),
        });
    }
    if meta.uid() != user {
        return Err(DataDirError::Owner {
            path: path.to_owned(),
            owner: meta.uid(),
            user,
        });
    }
    if mode & 0o077 != 0 {
        return Err(DataDirError::Mode {
            path: path.to_owned(),
            mode,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_data_directory_is_private_and_taken_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data");
        let held = DataDir::take(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o700);
        let second = DataDir::take(&path).unwrap_err();
        assert!(
            matches!(&second, DataDirError::InUse { pid, .. } if *pid == std::process::id().to_string()),
            "{second}"
        );
        drop(held);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o750)).unwrap();
        assert!(matches!(
            DataDir::take(&path),
            Err(DataDirError::Mode { mode: 0o750, .. })
        ));
        assert!(matches!(
            DataDir::take(Path::new("/dev/null")),
            Err(DataDirError::NotADirectory { .. })
        ));
    }
}
