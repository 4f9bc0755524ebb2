//! The bytes of files, which lie beside the state and travel beside the log.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;

use async_trait::async_trait;

use crate::files::FileDigest;
use crate::ids::{FileId, NodeId};

/// What a node takes, by its settings.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FileLimits {
    /// The largest file, in bytes.
    pub size_max: u64,
    /// All files together, in bytes.
    pub total_max: u64,
}

impl Default for FileLimits {
    fn default() -> Self {
        Self {
            size_max: 5_000_000,
            total_max: 1_000_000_000,
        }
    }
}

/// Why bytes could not be taken, given or fetched.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// An upload goes on where it stopped.
    #[error("{0} bytes of this file are here; go on from there")]
    Offset(u64),
    #[error("the bytes are not those that were announced; send the file anew from its beginning")]
    Damaged,
    #[error("files on this node have {used} bytes, and {max} is all it takes; make room first")]
    Full { used: u64, max: u64 },
    /// Nobody who was asked gave them; in words, whom and why.
    #[error("no node gave the bytes: {0}")]
    Absent(String),
    #[error("cannot use this node's folder for files; check its disk")]
    Io(#[from] io::Error),
}

/// This node's folder of files, and the way to those of others.
#[async_trait]
pub trait FileStore: Send + Sync + 'static {
    fn limits(&self) -> FileLimits;

    /// How many bytes of an upload are here.
    async fn received(&self, file: FileId) -> Result<u64, FileError>;

    /// Adds bytes of an upload at `offset`, where it stopped; they are on disk once this says how many there are now.
    async fn receive(&self, file: FileId, offset: u64, bytes: Vec<u8>) -> Result<u64, FileError>;

    /// All bytes of an upload, to be looked at.
    async fn upload(&self, file: FileId) -> Result<Vec<u8>, FileError>;

    /// Keeps an upload under its digest, durably. One with another digest is forgotten.
    async fn keep(&self, file: FileId, digest: FileDigest) -> Result<(), FileError>;

    /// Forgets what came of an upload; what was kept of it stays.
    async fn forget(&self, file: FileId) -> Result<(), FileError>;

    /// Whether bytes are here, by their name and number only.
    async fn has(&self, digest: FileDigest, size: u64) -> Result<bool, FileError>;

    /// The bytes, compared with their digest just now. `None`: they are not here; damaged ones are thrown away.
    async fn open(&self, digest: FileDigest) -> Result<Option<File>, FileError>;

    /// Fetches bytes from the first of these that has them, a piece at a time; a repeat goes on where it stopped.
    async fn fetch(&self, digest: FileDigest, size: u64, from: &[NodeId]) -> Result<(), FileError>;

    /// Throws away what is neither among the digests nor an upload still under way, and was neither at the last call.
    /// Says how many files went.
    async fn sweep(
        &self,
        digests: BTreeSet<FileDigest>,
        uploads: BTreeSet<FileId>,
    ) -> Result<u64, FileError>;
}
