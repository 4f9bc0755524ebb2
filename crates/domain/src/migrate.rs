//! Brings a state database to this version's schema. Additive only (DESIGN A11): a database written by a newer version
//! is left as it is and used.

use sqlx::{Connection, SqliteConnection};

/// Migrations in order; the position counts, so lines are only ever added.
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_spine.sql"),
    include_str!("migrations/0002_islands.sql"),
    include_str!("migrations/0003_backlog.sql"),
    include_str!("migrations/0004_levels.sql"),
    include_str!("migrations/0005_authorities.sql"),
    include_str!("migrations/0006_epochs.sql"),
    include_str!("migrations/0007_validity.sql"),
    include_str!("migrations/0008_machines.sql"),
    include_str!("migrations/0009_answers.sql"),
    include_str!("migrations/0010_oncall.sql"),
    include_str!("migrations/0011_directory.sql"),
    include_str!("migrations/0012_templates.sql"),
    include_str!("migrations/0013_sources.sql"),
    include_str!("migrations/0014_reports.sql"),
    include_str!("migrations/0015_orders.sql"),
    include_str!("migrations/0016_acts.sql"),
    include_str!("migrations/0017_automations.sql"),
    include_str!("migrations/0018_safety.sql"),
    include_str!("migrations/0019_waking.sql"),
    include_str!("migrations/0020_limits.sql"),
    include_str!("migrations/0021_readiness.sql"),
    include_str!("migrations/0022_drills.sql"),
    include_str!("migrations/0023_joins.sql"),
    include_str!("migrations/0024_handovers.sql"),
    include_str!("migrations/0025_source_redirects.sql"),
    include_str!("migrations/0026_rooms.sql"),
    include_str!("migrations/0027_mail_answers.sql"),
    include_str!("migrations/0028_accounts.sql"),
    include_str!("migrations/0029_audit.sql"),
    include_str!("migrations/0030_bridge.sql"),
    include_str!("migrations/0031_night.sql"),
    include_str!("migrations/0032_passkeys.sql"),
    include_str!("migrations/0033_files.sql"),
    include_str!("migrations/0034_glass.sql"),
    include_str!("migrations/0035_room_digest_by_time.sql"),
    include_str!("migrations/0036_units.sql"),
    include_str!("migrations/0037_permits.sql"),
    include_str!("migrations/0038_setup.sql"),
    #[cfg(feature = "next-level")]
    crate::next::MIGRATION,
];

/// The schema version this program writes.
pub const SCHEMA_VERSION: i64 = MIGRATIONS.len() as i64;

/// The first migration that came with each feature level after the first (DESIGN A11).
const SINCE_LEVEL: &[(u16, i64)] = &[
    #[cfg(feature = "next-level")]
    (2, SCHEMA_VERSION),
];

/// The schema that every program knows that takes part in a cluster of a feature level; newer ones only add to it.
pub(crate) fn schema_at(level: u16) -> i64 {
    let beyond = SINCE_LEVEL.iter().find(|(since, _)| *since > level);
    beyond.map_or(SCHEMA_VERSION, |(_, first)| first - 1)
}

/// The state database could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    #[error(
        "cannot bring the state database to schema version {version}; restore it from a peer's snapshot"
    )]
    Failed {
        version: i64,
        #[source]
        source: sqlx::Error,
    },
    #[error("cannot read the state database's schema version")]
    Version(#[source] sqlx::Error),
}

/// Runs the migrations that are missing, each in its own transaction.
pub async fn migrate(conn: &mut SqliteConnection) -> Result<(), MigrateError> {
    migrate_to(conn, SCHEMA_VERSION).await
}

/// As [`migrate`], but no further than `last`.
pub(crate) async fn migrate_to(conn: &mut SqliteConnection, last: i64) -> Result<(), MigrateError> {
    let found: i64 = sqlx::query_scalar("pragma user_version")
        .fetch_one(&mut *conn)
        .await
        .map_err(MigrateError::Version)?;
    for (sql, version) in MIGRATIONS
        .iter()
        .zip(1..)
        .filter(|(_, version)| *version > found && *version <= last)
    {
        step(conn, sql, version)
            .await
            .map_err(|source| MigrateError::Failed { version, source })?;
    }
    Ok(())
}

async fn step(
    conn: &mut SqliteConnection,
    sql: &'static str,
    version: i64,
) -> Result<(), sqlx::Error> {
    let mut tx = conn.begin().await?;
    sqlx::raw_sql(sql).execute(&mut *tx).await?;
    // A pragma takes no bound value; the number is ours, counted above.
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!(
        "pragma user_version = {version}"
    )))
    .execute(&mut *tx)
    .await?;
    tx.commit().await
}
