//! `files/` in the data directory: every file under its SHA-256, and what is on its way under `uploads/` (from people) and
//! `fetching/` (from other nodes). A file under its digest was on disk, whole and compared, before it got that name.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use domain::FileId;
use domain::files::FileDigest;
use domain::ports::FileError;

use crate::store::files::{digest as digest_of, sync_dir};

const UPLOADS: &str = "uploads";
const FETCHING: &str = "fetching";

/// Does what it says at once, on the calling thread.
#[derive(Clone, Debug)]
pub(super) struct Folder {
    dir: PathBuf,
}

impl Folder {
    pub(super) fn open(dir: PathBuf) -> io::Result<Self> {
        for dir in [dir.clone(), dir.join(UPLOADS), dir.join(FETCHING)] {
            match DirBuilder::new().mode(0o700).create(&dir) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        sync_dir(&dir)?;
        Ok(Self { dir })
    }

    fn kept(&self, digest: &FileDigest) -> PathBuf {
        self.dir.join(digest.to_string())
    }

    pub(super) fn upload(&self, file: FileId) -> PathBuf {
        self.dir.join(UPLOADS).join(file.to_string())
    }

    pub(super) fn fetching(&self, digest: &FileDigest) -> PathBuf {
        self.dir.join(FETCHING).join(digest.to_string())
    }

    /// Adds bytes at the end of a partial file, which must be at `offset`.
    pub(super) fn append(path: &Path, offset: u64, bytes: &[u8]) -> Result<u64, FileError> {
        let mut file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path)?;
        let found = file.metadata()?;
        let len = found.len();
        // One that is kept already has a second name, and is never written to again.
        if len != offset || (found.nlink() > 1 && !bytes.is_empty()) {
            return Err(FileError::Offset(len));
        }
        file.write_all(bytes)?;
        file.sync_all()?;
        if offset == 0
            && let Some(dir) = path.parent()
        {
            sync_dir(dir)?;
        }
        Ok(len + bytes.len() as u64)
    }

    /// Gives a whole partial file its name for good; one with another digest goes. The partial one stays under its own name,
    /// so that whoever asks again finds it whole.
    pub(super) fn keep(&self, partial: &Path, digest: &FileDigest) -> Result<(), FileError> {
        let kept = self.kept(digest);
        let (_, found) = digest_of(partial)?;
        if found != digest.0 {
            remove(partial)?;
            return Err(FileError::Damaged);
        }
        match fs::hard_link(partial, &kept) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error.into()),
            Ok(()) | Err(_) => {}
        }
        Ok(sync_dir(&self.dir)?)
    }

    pub(super) fn has(&self, digest: &FileDigest, size: u64) -> io::Result<bool> {
        match fs::metadata(self.kept(digest)) {
            Ok(found) => Ok(found.is_file() && found.len() == size),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Opens a file and compares it with its digest; a damaged one is thrown away, to be fetched anew.
    pub(super) fn open_checked(&self, digest: &FileDigest) -> io::Result<Option<File>> {
        let path = self.kept(digest);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let (_, found) = digest_of(&path)?;
        if found != digest.0 {
            tracing::error!(%digest, "a file is damaged on this node's disk; it is fetched anew");
            remove(&path)?;
            return Ok(None);
        }
        Ok(Some(file))
    }

    /// Up to `max` bytes from `offset` on, for another node, which compares them itself.
    pub(super) fn part(
        &self,
        digest: &FileDigest,
        offset: u64,
        max: usize,
    ) -> io::Result<Option<Vec<u8>>> {
        let file = match File::open(self.kept(digest)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let left = file.metadata()?.len().saturating_sub(offset);
        let len = usize::try_from(left).unwrap_or(max).min(max);
        let mut bytes = vec![0; len];
        file.read_exact_at(&mut bytes, offset)?;
        Ok(Some(bytes))
    }

    /// Bytes of all kept files together.
    pub(super) fn used(&self) -> io::Result<u64> {
        let mut used = 0;
        for entry in fs::read_dir(&self.dir)? {
            let found = entry?.metadata()?;
            if found.is_file() {
                used += found.len();
            }
        }
        Ok(used)
    }

    /// Every file that nothing names any more.
    pub(super) fn unnamed(
        &self,
        digests: &BTreeSet<FileDigest>,
        uploads: &BTreeSet<FileId>,
    ) -> io::Result<BTreeSet<PathBuf>> {
        let digest = |name: &str| FileDigest::parse(name).is_some_and(|one| digests.contains(&one));
        let upload = |name: &str| FileId::parse(name).is_ok_and(|one| uploads.contains(&one));
        let mut found = BTreeSet::new();
        unnamed_in(&self.dir, digest, &mut found)?;
        unnamed_in(&self.dir.join(FETCHING), digest, &mut found)?;
        unnamed_in(&self.dir.join(UPLOADS), upload, &mut found)?;
        Ok(found)
    }
}

fn unnamed_in(
    dir: &Path,
    is_named: impl Fn(&str) -> bool,
    unnamed: &mut BTreeSet<PathBuf>,
) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        if entry.file_type()?.is_file() && !name.to_str().is_some_and(&is_named) {
            unnamed.insert(entry.path());
        }
    }
    Ok(())
}

/// Bytes of a partial file; none when it was never begun.
pub(super) fn len(path: &Path) -> io::Result<u64> {
    match fs::metadata(path) {
        Ok(found) => Ok(found.len()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error),
    }
}

pub(super) fn read_whole(path: &Path, max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(max).read_to_end(&mut bytes)?;
    Ok(bytes)
}

pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}
