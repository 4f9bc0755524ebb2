//! Files of rooms in a backup: each as `files/` and its SHA-256, which is also how it is known to be whole. The manifest does
//! not list them; the rows of the state do. What the node did not hold is not in it.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use domain::files::{FileDigest, SIZE_MAX};

use super::create::header;
use crate::files::FOLDER;
use crate::store::files::{digest, sync_dir, sync_file};

/// Adds every file of the node's folder, in order of name.
pub(super) fn add(tar: &mut tar::Builder<impl io::Write>, data_dir: &Path) -> io::Result<()> {
    for name in names(&data_dir.join(FOLDER))? {
        let path = data_dir.join(FOLDER).join(name.to_string());
        let part = match File::open(&path) {
            Ok(part) if digest(&path)?.1 == name.0 => part,
            Ok(_) => {
                tracing::warn!(%name, "a damaged file is left out of the backup");
                continue;
            }
            // Taken away since.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        let len = part.metadata()?.len();
        tar.append_data(&mut header(len), format!("{FOLDER}/{name}"), part)?;
    }
    Ok(())
}

/// Whose file a path in the archive is.
pub(super) fn named(path: &Path) -> Option<FileDigest> {
    let name = path.strip_prefix(FOLDER).ok()?.to_str()?;
    FileDigest::parse(name).filter(|digest| digest.to_string() == name)
}

/// Writes a file out of the archive below `into`. One that is not what its name says is left out: the rest is worth having.
pub(super) fn take(entry: &mut impl io::Read, into: &Path, name: FileDigest) -> io::Result<()> {
    let folder = into.join(FOLDER);
    make(&folder)?;
    let path = folder.join(name.to_string());
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)?;
    let _ = io::copy(&mut io::Read::take(entry, SIZE_MAX + 1), &mut file)?;
    file.sync_all()?;
    if digest(&path)?.1 != name.0 {
        tracing::warn!(%name, "a file in the backup is not what its name says and is left out");
        fs::remove_file(&path)?;
    }
    Ok(())
}

/// Copies the files of an opened backup into a data directory.
pub(super) fn place(from: &Path, data_dir: &Path) -> io::Result<()> {
    let folder = data_dir.join(FOLDER);
    make(&folder)?;
    for name in names(&from.join(FOLDER))? {
        let to = folder.join(name.to_string());
        let _ = fs::copy(from.join(FOLDER).join(name.to_string()), &to)?;
        sync_file(&to)?;
    }
    sync_dir(&folder)
}

fn make(folder: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// The digests that files of a folder are called by, in order; none of a folder that is not there.
fn names(folder: &Path) -> io::Result<Vec<FileDigest>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry?.file_name();
        names.extend(name.to_str().and_then(FileDigest::parse));
    }
    names.sort_unstable();
    Ok(names)
}
