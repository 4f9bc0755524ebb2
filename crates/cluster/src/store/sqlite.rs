//! How this node opens SQLite files: one set of pragmas, one version check, one checkpoint call.

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteAutoVacuum, SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row, SqliteConnection};
use tokio_util::sync::CancellationToken;

/// Up to 3.51.2, two connections that write and checkpoint at once can corrupt the file ("WAL-reset bug").
const OLDEST_SAFE: [u32; 3] = [3, 51, 3];

/// How long a connection waits for another's lock. Only the checkpointer ever competes with a writer, and only for what
/// a checkpoint just before left over; longer than this means a disk that hangs.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// Steps of SQLite's machine, some milliseconds of work, after which a long statement looks whether it should end.
const STEPS_BETWEEN_LOOKS: i32 = 50_000;

/// Prepared statements a connection keeps: more than the domain has, so that each is prepared once.
const STATEMENTS: usize = 1024;

/// The WAL is cut back to this size when it restarts.
const WAL_KEPT_BYTES: u32 = 64 * 1024 * 1024;

/// The SQLite library in this program has a known corruption bug.
#[derive(Debug, thiserror::Error)]
#[error(
    "SQLite {found} can corrupt databases (WAL-reset bug); use a build with SQLite 3.51.3 or newer"
)]
pub struct UnsafeSqlite {
    found: String,
}

/// Options every connection shares. `durable`: each commit survives a power cut (`synchronous=FULL`).
pub(crate) fn options(path: &Path, durable: bool) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(if durable {
            SqliteSynchronous::Full
        } else {
            SqliteSynchronous::Normal
        })
        .auto_vacuum(SqliteAutoVacuum::None)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        .pragma("wal_autocheckpoint", "0") // checkpoints run on a connection of their own
        .pragma("journal_size_limit", WAL_KEPT_BYTES.to_string())
        .pragma("temp_store", "memory")
        .pragma("cache_size", "-16000")
        .pragma("mmap_size", "0") // a read error must be an error, not a signal
        .pragma("cell_size_check", "on")
        .pragma("trusted_schema", "off")
        .statement_cache_capacity(STATEMENTS)
        .disable_statement_logging()
}

/// Options for reading beside the writer. The writer decides journal mode and durability.
pub(crate) fn read_options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .busy_timeout(BUSY_TIMEOUT)
        .pragma("temp_store", "memory")
        .pragma("cache_size", "-8000")
        .pragma("mmap_size", "0")
        .pragma("cell_size_check", "on")
        .pragma("trusted_schema", "off")
        .statement_cache_capacity(STATEMENTS)
        .disable_statement_logging()
}

/// Opens a finished copy that nobody writes: no lock, no WAL, nothing left behind.
pub(crate) async fn open_copy(path: &Path) -> Result<SqliteConnection, sqlx::Error> {
    read_options(path).immutable(true).connect().await
}

/// Fails on a SQLite that can corrupt files, whoever linked it.
pub(super) async fn check_version() -> Result<(), OpenSqliteError> {
    let mut conn = SqliteConnectOptions::new()
        .in_memory(true)
        .disable_statement_logging()
        .connect()
        .await?;
    let found: String = sqlx::query_scalar("select sqlite_version()")
        .fetch_one(&mut conn)
        .await?;
    conn.close().await?;
    if is_safe(&found) {
        Ok(())
    } else {
        Err(UnsafeSqlite { found }.into())
    }
}

/// SQLite could not even be asked for its version, or is too old.
#[derive(Debug, thiserror::Error)]
pub enum OpenSqliteError {
    #[error(transparent)]
    Unsafe(#[from] UnsafeSqlite),
    #[error("cannot start SQLite")]
    Start(#[from] sqlx::Error),
}

fn is_safe(version: &str) -> bool {
    let mut parts = version
        .split('.')
        .map(|part| part.parse::<u32>().unwrap_or(0));
    let found: [u32; 3] = std::array::from_fn(|_| parts.next().unwrap_or(0));
    found >= OLDEST_SAFE
}

/// `pragma quick_check`: `None` when sound, else its first complaint.
pub(super) async fn quick_check(
    conn: &mut SqliteConnection,
) -> Result<Option<String>, sqlx::Error> {
    let answer: String = sqlx::query_scalar("pragma quick_check(1)")
        .fetch_one(conn)
        .await?;
    Ok((answer != "ok").then_some(answer))
}

/// `pragma integrity_check`: as [`quick_check`], and every index holds what its table holds. Ends early, with an error,
/// once `stop` is cancelled.
pub(super) async fn thorough_check(
    conn: &mut SqliteConnection,
    stop: CancellationToken,
) -> Result<Option<String>, sqlx::Error> {
    conn.lock_handle()
        .await?
        .set_progress_handler(STEPS_BETWEEN_LOOKS, move || !stop.is_cancelled());
    let answer: String = sqlx::query_scalar("pragma integrity_check(1)")
        .fetch_one(conn)
        .await?;
    Ok((answer != "ok").then_some(answer))
}

/// How far a checkpoint goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum CheckpointMode {
    /// Moves what it can without making anyone wait.
    Passive,
    /// Waits for writer and readers, then empties the WAL.
    Truncate,
}

/// Moves the WAL into the database and syncs both. True when every frame was moved.
pub(super) async fn checkpoint(
    conn: &mut SqliteConnection,
    mode: CheckpointMode,
) -> Result<bool, sqlx::Error> {
    let sql = match mode {
        CheckpointMode::Passive => "pragma wal_checkpoint(passive)",
        CheckpointMode::Truncate => "pragma wal_checkpoint(truncate)",
    };
    let row = sqlx::query(sql).fetch_one(conn).await?;
    let (busy, frames, moved): (i64, i64, i64) =
        (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    Ok(busy == 0 && frames == moved)
}

/// Writes a compact copy of the whole database, consistent as of one instant, while others go on writing.
pub(crate) async fn vacuum_into(
    conn: &mut SqliteConnection,
    target: &Path,
) -> Result<(), sqlx::Error> {
    let target = target
        .to_str()
        .ok_or_else(|| sqlx::Error::Configuration("path is not UTF-8".into()))?;
    sqlx::query("vacuum into ?")
        .bind(target)
        .execute(conn)
        .await?;
    Ok(())
}

/// `values` repeated `rows` times behind `head`, for inserts of several rows.
pub(super) fn rows_sql(
    head: &str,
    values: &str,
    rows: usize,
) -> AssertSqlSafe<std::sync::Arc<str>> {
    let mut sql = String::with_capacity(head.len() + rows * (values.len() + 1));
    sql.push_str(head);
    for row in 0..rows {
        if row > 0 {
            sql.push(',');
        }
        sql.push_str(values);
    }
    AssertSqlSafe(sql.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_with_the_wal_reset_bug_are_refused() {
        for (version, safe) in [
            ("3.51.2", false),
            ("3.46.0", false),
            ("3.51.3", true),
            ("3.52.0", true),
            ("4.0", true),
            ("", false),
        ] {
            assert_eq!(is_safe(version), safe, "{version}");
        }
    }
}
