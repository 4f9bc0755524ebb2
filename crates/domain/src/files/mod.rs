//! Files that people put into rooms: what each is, which message shows it, and which nodes hold its bytes (PRODUCT S1.48,
//! S1.50).
//!
//! The log carries only this. The bytes lie beside the state under their SHA-256 and travel between nodes by themselves
//! ([`crate::ports::FileStore`]).
//!
//! Invariants: a file is announced before a byte of it is taken, and an announcement ends at the time in its row; the
//! message that shows it is posted by the first word that a node holds it whole, once; a file that was taken away keeps its
//! row, its name and its digest.
//!
//! Islands announce nothing: what a node that is cut off took could be on no other disk.

mod apply;
mod command;
mod query;
mod rules;
#[cfg(test)]
mod tests;

use std::fmt;

use serde::{Deserialize, Serialize};

pub(crate) use self::apply::{apply, set_document};
pub use self::command::{Announce, Command};
pub(crate) use self::query::NEXT_DUE;
pub use self::query::{
    FileRow, Wanted, copies, find, held_by, in_room, live, missing, of_messages, over, used_bytes,
};
pub use self::rules::{CAPTION_LEN_MAX, FileKind, SIZE_MAX, inspect, line};

/// Digests that one command names, at most.
pub const HOLD_MAX: usize = 200;

/// SHA-256 of a file's bytes, by which they are found and known to be the right ones.
#[derive(Clone, Copy, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct FileDigest(pub [u8; 32]);

impl FileDigest {
    /// Reads the 64 hexadecimal digits that `Display` writes.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = data_encoding::HEXLOWER_PERMISSIVE
            .decode(text.as_bytes())
            .ok()?;
        <[u8; 32]>::try_from(bytes.as_slice()).map(Self).ok()
    }

    /// The 32 bytes as stored in rows.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    fn from_row(bytes: &[u8]) -> Result<Self, sqlx::Error> {
        <[u8; 32]>::try_from(bytes)
            .map(Self)
            .map_err(|e| sqlx::Error::Decode(e.into()))
    }
}

impl fmt::Display for FileDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for FileDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileDigest({self})")
    }
}
