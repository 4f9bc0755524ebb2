//! Opening the state: as it was left, or rebuilt from what this node still has.

use std::io;
use std::path::{Path, PathBuf};

use sqlx::{Connection, SqliteConnection};

use super::StateOptions;
use super::generation::{self, OpenFileError, Position};
use crate::store::snapshot::{SnapshotFile, Snapshots};
use crate::store::{fatal, files};

/// The state could not be opened, or not be rebuilt.
#[derive(Debug, thiserror::Error)]
pub enum OpenStateError {
    #[error(
        "the state in {} cannot be used ({why}), and neither the log nor a snapshot on this node can rebuild it; evict \
         this node with `holdfast cluster evict` on another one, empty its data folder and join it again", dir.display()
    )]
    Lost { dir: PathBuf, why: String },
    #[error("cannot open the state database {}", path.display())]
    Database {
        path: PathBuf,
        #[source]
        source: sqlx::Error,
    },
    #[error(transparent)]
    Migrate(#[from] domain::MigrateError),
    #[error("cannot use the state folder {}", dir.display())]
    Io {
        dir: PathBuf,
        #[source]
        source: io::Error,
    },
}

#[derive(Debug, thiserror::Error)]
pub(super) enum InstallError {
    #[error("the snapshot {} is not what was sent: {detail}; it will be sent again", path.display())]
    Damaged { path: PathBuf, detail: String },
    #[error(transparent)]
    Open(#[from] OpenFileError),
    #[error("cannot close the new state database")]
    Database(#[from] sqlx::Error),
    #[error("cannot write the snapshot's files")]
    Io(#[from] io::Error),
}
/// The file of the current state.
pub(crate) fn current_path(dir: &Path) -> Result<PathBuf, OpenStateError> {
    let io = |source| OpenStateError::Io {
        dir: dir.to_owned(),
        source,
    };
    let number = generation::current(dir)
        .and_then(|found| found.ok_or_else(|| io::Error::other("there is no state")));
    Ok(generation::path_of(dir, number.map_err(io)?))
}

/// Opens the current generation, or makes one that can be used.
pub(super) async fn open_or_rebuild(
    dir: &Path,
    snapshots: &Snapshots,
    options: &StateOptions,
) -> Result<(u64, SqliteConnection, Position), OpenStateError> {
    let io = |source| OpenStateError::Io {
        dir: dir.to_owned(),
        source,
    };
    let purged = options.purged.map(|id| id.index);
    let number = match generation::current(dir) {
        Ok(Some(number)) => number,
        Ok(None) => return rebuild(dir, snapshots, purged, "there is none").await,
        Err(damaged) if damaged.kind() == io::ErrorKind::InvalidData => {
            return rebuild(dir, snapshots, purged, &damaged.to_string()).await;
        }
        Err(error) => return Err(io(error)),
    };
    let path = generation::path_of(dir, number);
    let why = if !path.exists() {
        "its file is missing".to_owned()
    } else if generation::is_condemned(dir, number) {
        "it was found damaged while in use".to_owned()
    } else {
        match generation::open_writer(&path, options.unclean).await {
            Ok((conn, position)) if position.applied.map(|id| id.index) >= purged => {
                return Ok((number, conn, position));
            }
            Ok((conn, position)) => {
                _ = conn.close().await;
                format!(
                    "it ends at {:?}, the log starts after {purged:?}",
                    position.applied.map(|id| id.index)
                )
            }
            Err(OpenFileError::Damaged { detail, .. }) => detail,
            Err(OpenFileError::Database { path, source }) => {
                return Err(OpenStateError::Database { path, source });
            }
            Err(OpenFileError::Migrate(error)) => return Err(error.into()),
        }
    };
    let rebuilt = rebuild(dir, snapshots, purged, &why).await?;
    if path.exists() {
        let aside = generation::set_aside(dir, number).map_err(io)?;
        tracing::warn!(aside = %aside.display(), "damaged state set aside");
    }
    Ok(rebuilt)
}

/// A new generation from the newest sound snapshot that reaches the log, or an empty one if the log is complete.
async fn rebuild(
    dir: &Path,
    snapshots: &Snapshots,
    purged: Option<u64>,
    why: &str,
) -> Result<(u64, SqliteConnection, Position), OpenStateError> {
    let io = |source| OpenStateError::Io {
        dir: dir.to_owned(),
        source,
    };
    for snapshot in snapshots.all() {
        let wanted = Position {
            applied: snapshot.meta.last_log_id,
            membership: snapshot.meta.last_membership.clone(),
        };
        if wanted.applied.map(|id| id.index) < purged {
            continue;
        }
        match next_from_snapshot(dir, &snapshot.file, &wanted).await {
            Ok((number, conn)) => {
                tracing::warn!(why, snapshot = %snapshot.file.path.display(), "state rebuilt from a snapshot");
                generation::set_current(dir, number).map_err(io)?;
                return Ok((number, conn, wanted));
            }
            Err(error) => {
                tracing::warn!(error = fatal::chain(&error), "snapshot passed over")
            }
        }
    }
    if purged.is_some() {
        return Err(OpenStateError::Lost {
            dir: dir.to_owned(),
            why: why.to_owned(),
        });
    }
    let number = generation::next_number(dir).map_err(io)?;
    let path = generation::path_of(dir, number);
    let (conn, position) =
        generation::open_writer(&path, false)
            .await
            .map_err(|error| match error {
                OpenFileError::Database { path, source } => {
                    OpenStateError::Database { path, source }
                }
                OpenFileError::Migrate(error) => error.into(),
                OpenFileError::Damaged { detail, .. } => OpenStateError::Lost {
                    dir: dir.to_owned(),
                    why: detail,
                },
            })?;
    generation::set_current(dir, number).map_err(io)?;
    Ok((number, conn, position))
}

/// Copies a snapshot into the next generation and opens it, after checking that it is whole and is what it claims.
pub(super) async fn next_from_snapshot(
    dir: &Path,
    file: &SnapshotFile,
    wanted: &Position,
) -> Result<(u64, SqliteConnection), InstallError> {
    let damaged = |detail: String| InstallError::Damaged {
        path: file.path.clone(),
        detail,
    };
    let number = generation::next_number(dir)?;
    let path = generation::path_of(dir, number);
    let (source, target, folder) = (file.path.clone(), path.clone(), dir.to_owned());
    let (len, sha256) = files::blocking(move || {
        let _ = std::fs::copy(source, &target)?;
        files::sync_file(&target)?;
        files::sync_dir(&folder)?;
        files::digest(&target)
    })
    .await?;
    if (len, sha256) != (file.len, file.sha256) {
        return Err(damaged("its digest differs".to_owned()));
    }
    let (conn, position) = generation::open_writer(&path, true).await?;
    if position != *wanted {
        conn.close().await?;
        return Err(damaged(format!(
            "it stands at {:?}, not at {:?}",
            position.applied, wanted.applied
        )));
    }
    Ok((number, conn))
}
