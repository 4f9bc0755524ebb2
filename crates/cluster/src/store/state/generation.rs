//! One state database file at a time is current; a pointer file says which. Installing a snapshot writes the next file
//! and moves the pointer, so a crash at any instant leaves the old state or the new one.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::SqlitePoolOptions;
use sqlx::{ConnectOptions, Row, SqliteConnection, SqlitePool};

use crate::store::files;
use crate::store::sqlite::{self, CheckpointMode};
use crate::types::{LeaderId, LogId, StoredMembership, WireStoredMembership};
use domain::codec;

/// Readers at a time; each is a thread of its own.
const READERS: u32 = 4;

/// How long a read may wait for a free reader.
const READER_WAIT: Duration = Duration::from_secs(5);

/// How long a retired generation's readers may take to end before its files go anyway.
const RETIRE_WAIT: Duration = Duration::from_secs(60);

const SCHEMA: &str = "
create table if not exists raft_position (
    id         integer primary key check (id = 1),
    term       integer, -- of the last applied entry
    node       integer,
    idx        integer,
    membership blob not null
) strict;
";

/// One state database file and those who read it.
#[derive(Debug)]
pub(super) struct Generation {
    pub(super) number: u64,
    pub(super) path: PathBuf,
    pub(super) readers: SqlitePool,
}

/// Where a state database stands in the log. A row of the database itself, so that it can never disagree with it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Position {
    /// Last applied entry.
    pub applied: Option<LogId>,
    /// Last applied membership.
    pub membership: StoredMembership,
}

/// A state database could not be opened.
#[derive(Debug, thiserror::Error)]
pub(super) enum OpenFileError {
    #[error("the state database {} is damaged: {detail}", path.display())]
    Damaged { path: PathBuf, detail: String },
    #[error("cannot open the state database {}", path.display())]
    Database {
        path: PathBuf,
        #[source]
        source: sqlx::Error,
    },
    #[error(transparent)]
    Migrate(#[from] domain::MigrateError),
}

impl Generation {
    /// Prepares readers for a file that a writer already opened.
    pub(super) fn new(dir: &Path, number: u64) -> Self {
        let path = path_of(dir, number);
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .acquire_timeout(READER_WAIT)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            .connect_lazy_with(sqlite::read_options(&path));
        Self {
            number,
            path,
            readers,
        }
    }

    /// Waits for the last reader, then removes the files.
    pub(super) async fn remove(&self) -> io::Result<()> {
        if tokio::time::timeout(RETIRE_WAIT, self.readers.close())
            .await
            .is_err()
        {
            tracing::warn!(path = %self.path.display(), "a reader still holds old state after a snapshot install");
        }
        remove_files(&self.path)
    }
}

/// The file of generation `number`.
pub(super) fn path_of(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:06}.db"))
}

/// The current generation's number, if there ever was one.
pub(super) fn current(dir: &Path) -> io::Result<Option<u64>> {
    match fs::read_to_string(dir.join("CURRENT")) {
        Ok(text) => text.trim().parse().map(Some).map_err(|_| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                "the file CURRENT holds no number",
            )
        }),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

/// Makes generation `number` the current one, durably.
pub(super) fn set_current(dir: &Path, number: u64) -> io::Result<()> {
    files::write_atomically(&dir.join("CURRENT"), format!("{number}\n").as_bytes())
}

/// Notes that generation `number` was found damaged while in use: the next start builds another, whatever a quick look at
/// this one says.
pub(super) fn condemn(dir: &Path, number: u64) -> io::Result<()> {
    files::write_atomically(&dir.join("DAMAGED"), format!("{number}\n").as_bytes())
}

/// Whether generation `number` was found damaged while in use.
pub(super) fn is_condemned(dir: &Path, number: u64) -> bool {
    let noted = fs::read_to_string(dir.join("DAMAGED"));
    noted.is_ok_and(|text| text.trim().parse() == Ok(number))
}

/// A number no file here has had.
pub(super) fn next_number(dir: &Path) -> io::Result<u64> {
    Ok(numbers(dir)?.into_iter().max().map_or(1, |n| n + 1))
}

/// Removes every generation but `keep`: left behind by a crash in the middle of an install.
pub(super) fn sweep(dir: &Path, keep: u64) -> io::Result<()> {
    for number in numbers(dir)?.into_iter().filter(|n| *n != keep) {
        remove_files(&path_of(dir, number))?;
    }
    Ok(())
}

/// Puts a damaged file aside, for people to look at. Replaces an earlier one.
pub(super) fn set_aside(dir: &Path, number: u64) -> io::Result<PathBuf> {
    let aside = dir.join("damaged.db");
    let path = path_of(dir, number);
    for suffix in ["-wal", "-shm"] {
        files::remove_if_there(&files::suffixed(&path, suffix))?;
    }
    fs::rename(&path, &aside)?;
    files::sync_dir(dir)?;
    Ok(aside)
}

fn numbers(dir: &Path) -> io::Result<Vec<u64>> {
    let mut found = Vec::new();
    for file in fs::read_dir(dir)? {
        let name = file?.file_name();
        if let Some(number) = name
            .to_str()
            .and_then(|n| n.strip_suffix(".db"))
            .and_then(|n| n.parse().ok())
        {
            found.push(number);
        }
    }
    Ok(found)
}

fn remove_files(path: &Path) -> io::Result<()> {
    for suffix in ["", "-wal", "-shm"] {
        files::remove_if_there(&files::suffixed(path, suffix))?;
    }
    Ok(())
}

/// Opens a state database for writing, checks it if asked, brings it up to date and reads its position.
pub(super) async fn open_writer(
    path: &Path,
    check: bool,
) -> Result<(SqliteConnection, Position), OpenFileError> {
    let fail = |source: sqlx::Error| match is_damage(&source) {
        true => OpenFileError::Damaged {
            path: path.to_owned(),
            detail: source.to_string(),
        },
        false => OpenFileError::Database {
            path: path.to_owned(),
            source,
        },
    };
    let mut conn = sqlite::options(path, false)
        .create_if_missing(true)
        .connect()
        .await
        .map_err(fail)?;
    if check && let Some(detail) = sqlite::quick_check(&mut conn).await.map_err(fail)? {
        return Err(OpenFileError::Damaged {
            path: path.to_owned(),
            detail,
        });
    }
    domain::migrate(&mut conn)
        .await
        .map_err(|error| match migrate_damage(&error) {
            Some(detail) => OpenFileError::Damaged {
                path: path.to_owned(),
                detail,
            },
            None => error.into(),
        })?;
    sqlx::raw_sql(SCHEMA)
        .execute(&mut conn)
        .await
        .map_err(fail)?;
    let position = read_position(&mut conn).await.map_err(fail)?;
    // From here on everything applied so far is on disk, whatever the last stop was like.
    sqlite::checkpoint(&mut conn, CheckpointMode::Truncate)
        .await
        .map_err(fail)?;
    Ok((conn, position))
}

/// Reads where the state stands. A row that makes no sense is a decode error.
pub(crate) async fn read_position(conn: &mut SqliteConnection) -> Result<Position, sqlx::Error> {
    let Some(row) =
        sqlx::query("select term, node, idx, membership from raft_position where id = 1")
            .fetch_optional(conn)
            .await?
    else {
        return Ok(Position::default());
    };
    let parts: (Option<i64>, Option<i64>, Option<i64>) =
        (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    let applied = match parts {
        (Some(term), Some(node), Some(index)) => {
            let leader = LeaderId {
                term: term.cast_unsigned(),
                node_id: node.cast_unsigned(),
            };
            Some(LogId::new(leader, index.cast_unsigned()))
        }
        _ => None,
    };
    let wire: WireStoredMembership =
        codec::decode(row.try_get(3)?).map_err(|e| sqlx::Error::Decode(e.into()))?;
    let membership = wire
        .try_into()
        .map_err(|e: crate::types::WireError| sqlx::Error::Decode(e.into()))?;
    Ok(Position {
        applied,
        membership,
    })
}

/// Records where the state stands, in the transaction that brought it there.
pub(crate) async fn write_position(
    conn: &mut SqliteConnection,
    applied: &LogId,
    membership: &[u8],
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into raft_position (id, term, node, idx, membership) values (1, ?, ?, ?, ?)
         on conflict (id) do update set
           term = excluded.term, node = excluded.node, idx = excluded.idx, membership = excluded.membership",
    )
    .bind(applied.leader_id.term.cast_signed())
    .bind(applied.leader_id.node_id.cast_signed())
    .bind(applied.index.cast_signed())
    .bind(membership)
    .execute(conn)
    .await?;
    Ok(())
}

/// True for errors that mean the file is not what was written, as opposed to one that cannot be reached.
pub(crate) fn is_damage(error: &sqlx::Error) -> bool {
    if matches!(
        error,
        sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. }
    ) {
        return true;
    }
    is_corrupt(error)
        // A schema that lost tables reads as plain SQL errors.
        || error.as_database_error().is_some_and(|e| e.message().contains("no such table"))
}

/// Whether SQLite itself says that a file is malformed.
pub(super) fn is_corrupt(error: &sqlx::Error) -> bool {
    const CORRUPT: i32 = 11;
    const NOTADB: i32 = 26;
    let code = error
        .as_database_error()
        .and_then(|e| e.code())
        .and_then(|c| c.parse::<i32>().ok());
    code.is_some_and(|code| matches!(code & 0xff, CORRUPT | NOTADB))
}

fn migrate_damage(error: &domain::MigrateError) -> Option<String> {
    let source = match error {
        domain::MigrateError::Failed { source, .. } | domain::MigrateError::Version(source) => {
            source
        }
    };
    is_damage(source).then(|| source.to_string())
}
