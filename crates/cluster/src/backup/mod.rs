//! Backups (SECURITY D-13, T-27): the state, what this node recorded alone, the files it holds, and a signed manifest, in one
//! file that only the holders of offline keys can read.
//!
//! The file is what `age` writes, and inside it what `tar` writes: `age -d -i KEY FILE | tar t` works without us. The
//! node's key and the cluster's issuing key are never in it. Beside it stands a small `.sig` file, by which anybody can
//! see without a key that the backup is whole and who made it.

mod create;
mod kept_files;
mod read;
mod restore;
#[cfg(test)]
mod tests;

use std::io;
use std::path::PathBuf;

use domain::CivilTime;
use serde::{Deserialize, Serialize};

pub use self::create::{Made, Order, create};
pub use self::read::{Opened, Sealed, check_seal, fingerprint, open};
pub use self::restore::{RestoreTo, restore};
use crate::identity::IdentityError;

/// Fewer recipients than this need an explicit word: one lost key would lose every backup.
pub const RECIPIENTS_MIN: usize = 2;

const MANIFEST: &str = "manifest.json";
const SIGNATURE: &str = "manifest.sig";
const SIGNER: &str = "signer.pem";
const AUTHORITY: &str = "cluster-ca.pem";
const STATE: &str = "state.db";
const JOURNAL: &str = "journal.db";

/// The newest form this program writes and reads.
const FORMAT: u32 = 1;

/// What a backup holds, as its maker signed it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    pub format: u32,
    /// Of the program that made it.
    pub version: String,
    /// 32 hexadecimal digits.
    pub cluster: String,
    pub organisation: String,
    pub epoch: u32,
    /// Log index of the last entry in it; means something only together with the epoch.
    pub applied: u64,
    /// Civil time of that entry, in milliseconds since 1970 in UTC.
    pub as_of_ms: i64,
    /// Who made it: id and name.
    pub node: u64,
    pub node_name: String,
    /// That machine's wall clock, in milliseconds.
    pub made_at_ms: i64,
    pub parts: Vec<Part>,
}

/// One file inside.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Part {
    pub name: String,
    pub len: u64,
    /// 64 hexadecimal digits.
    pub sha256: String,
}

impl Manifest {
    /// Civil time of the last entry in it.
    pub fn as_of(&self) -> CivilTime {
        CivilTime(self.as_of_ms)
    }

    /// When it was made, by its maker's wall clock.
    pub fn made_at(&self) -> CivilTime {
        CivilTime(self.made_at_ms)
    }

    /// A name that sorts by age: cluster, epoch, log index, node.
    pub fn file_name(&self) -> String {
        format!(
            "holdfast-{}-e{:03}-{:012}-n{}.tar.age",
            self.cluster.get(..8).unwrap_or(&self.cluster),
            self.epoch,
            self.applied,
            self.node
        )
    }
}

/// Why a backup could not be made, read or restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error(
        "{given} recipient given, {RECIPIENTS_MIN} are the least: one lost key would lose every backup; add another to backup.recipients, or say --one-recipient"
    )]
    TooFewRecipients { given: usize },
    #[error(
        "{recipient:?} is not an age recipient ({why}); `age-keygen` prints one that begins with age1"
    )]
    Recipient { recipient: String, why: String },
    #[error("cannot read the key file {}; it must be what `age-keygen` writes", path.display())]
    Keys {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("no key in {} opens {}; it was made for other recipients", keys.display(), backup.display())]
    WrongKey { keys: PathBuf, backup: PathBuf },
    #[error("{} is no backup, or was damaged ({why}); use another copy", path.display())]
    Damaged { path: PathBuf, why: String },
    #[error("{} was made by a newer version (format {found}); use that version", path.display())]
    Newer { path: PathBuf, found: u32 },
    #[error("{} holds no {missing}; a backup needs a node that is a member", dir.display())]
    NoMember { dir: PathBuf, missing: &'static str },
    #[error("{} is not empty; restore into a data directory that holds nothing", .0.display())]
    NotEmpty(PathBuf),
    #[error("cannot read or write {}", path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("cannot copy or check the database {}", path.display())]
    Database {
        path: PathBuf,
        #[source]
        source: sqlx::Error,
    },
    #[error(transparent)]
    Migrate(#[from] domain::MigrateError),
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error("the restored files cannot be made ready")]
    Prepare(#[source] Box<crate::recover::RecoverError>),
    #[error("this should not happen, please report it: {0}")]
    Internal(String),
}

impl BackupError {
    fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }

    fn database(path: impl Into<PathBuf>) -> impl FnOnce(sqlx::Error) -> Self {
        let path = path.into();
        move |source| Self::Database { path, source }
    }
}
