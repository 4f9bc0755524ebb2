//! Writes to `zone` and `zone_release`.

use sqlx::SqliteConnection;

use super::{Command, Install, query, rules};
use crate::apply::Entry;
use crate::outcome::{Outcome, Receipt, Refusal};

pub(crate) async fn apply(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    command: &Command,
) -> Result<Outcome, sqlx::Error> {
    match command {
        Command::Install(batch) => install(conn, entry, batch).await,
    }
}

async fn install(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    batch: &Install,
) -> Result<Outcome, sqlx::Error> {
    if let Err(problem) = rules::check(batch) {
        return Ok(Outcome::Refused(Refusal::Invalid(problem)));
    }
    if let Some(newest) = query::newest_version(conn).await?
        && newest > batch.version
    {
        return Ok(Outcome::Refused(Refusal::Invalid(format!(
            "time-zone rules {newest} are installed; {} is older and would take changes back",
            batch.version
        ))));
    }
    let mut changed = 0;
    for zone in &batch.zones {
        let done = sqlx::query(
            "insert into zone (name, version, tzif) values (?, ?, ?) on conflict (name) do update \
             set version = excluded.version, tzif = excluded.tzif where version <> excluded.version or tzif <> excluded.tzif",
        )
        .bind(&zone.name)
        .bind(&batch.version)
        .bind(&zone.tzif)
        .execute(&mut *conn)
        .await?;
        changed += done.rows_affected();
    }
    changed += complete(conn, entry, batch).await?;
    Ok(match changed {
        0 => Outcome::Unchanged,
        _ => Outcome::Applied(Receipt::Count(batch.zones.len() as u64)),
    })
}

/// Notes the release as installed once all of its zones are.
async fn complete(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    batch: &Install,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query(
        "insert into zone_release (id, version, zones, installed_at_ms, installed_by) \
         select 1, ?1, count(*), ?2, ?3 from zone where version = ?1 having count(*) >= ?4 \
         on conflict (id) do update set version = excluded.version, zones = excluded.zones, \
         installed_at_ms = excluded.installed_at_ms, installed_by = excluded.installed_by \
         where version <> excluded.version or zones <> excluded.zones",
    )
    .bind(&batch.version)
    .bind(entry.at.0)
    .bind(entry.envelope.actor.label())
    .bind(i64::from(batch.total))
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}
