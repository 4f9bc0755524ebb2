//! Files of forks (`island/NNNNNN.db`): copies of the state that a cut-off node writes for itself. Nothing in them is
//! needed after a crash: state and journal make them anew.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sqlx::sqlite::SqliteConnectOptions;

use super::{files, sqlite};

/// How the fork's one writer opens it. Not synced: the journal is.
pub(crate) fn options(path: &Path) -> SqliteConnectOptions {
    sqlite::options(path, false).pragma("wal_autocheckpoint", "1000")
}

/// How its readers do.
pub(crate) fn read_options(path: &Path) -> SqliteConnectOptions {
    sqlite::read_options(path)
}

/// A name no fork here has had since the folder was made.
pub(crate) fn next(dir: &Path) -> io::Result<PathBuf> {
    let newest = numbered(dir)?.into_iter().map(|(number, _)| number).max();
    Ok(dir.join(format!("{:06}.db", newest.map_or(1, |number| number + 1))))
}

/// Makes the folder if needed and removes all but the newest fork, which may still be in use.
pub(crate) fn sweep(dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    let mut forks = numbered(dir)?;
    forks.sort();
    forks.pop();
    forks.iter().try_for_each(|(_, path)| remove(path))
}

/// Removes a fork and what SQLite keeps beside it.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    for suffix in ["", "-wal", "-shm"] {
        files::remove_if_there(&files::suffixed(path, suffix))?;
    }
    Ok(())
}

fn numbered(dir: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let number = path
            .file_name()
            .and_then(|name| name.to_str()?.strip_suffix(".db")?.parse().ok());
        found.extend(number.map(|number| (number, path.clone())));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_forks_are_swept_and_names_are_never_used_twice() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("island");
        sweep(&folder).unwrap();
        for _ in 0..3 {
            fs::write(next(&folder).unwrap(), b"x").unwrap();
        }
        sweep(&folder).unwrap();
        assert_eq!(numbered(&folder).unwrap().len(), 1);
        assert!(next(&folder).unwrap().ends_with("000004.db"));
    }
}
