//! Writes to the tables of sources, and what leads to them.

use sqlx::SqliteConnection;

use super::command::{Command, Settings, Source};
use super::settings::{self, Stored};
use super::{follow_up, query, redirect, rules, silences, take};
use crate::apply::Entry;
use crate::outcome::{Outcome, Receipt, Refusal};
use crate::vocabulary::Status;
use crate::{nodes, oncall, rows};

pub(crate) async fn apply(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    command: &Command,
) -> Result<Outcome, sqlx::Error> {
    match command {
        Command::Put { source } => put(conn, entry, source).await,
        Command::Remove { key } => remove(conn, key).await,
        Command::SetToken { key, token_hash } => set_token(conn, entry, key, token_hash).await,
        Command::Take { arrivals } => take::take(conn, entry, arrivals).await,
        Command::FollowUp { due } => follow_up::follow_up(conn, entry, due).await,
        Command::PutSilence(silence) => silences::put(conn, entry, silence).await,
        Command::EndSilence { id } => silences::end(conn, entry, id).await,
        Command::StopAll { reason, for_ms } => {
            silences::stop_all(conn, entry, reason, *for_ms).await
        }
        Command::Resume => silences::resume(conn, entry).await,
        Command::Set(settings) => set(conn, entry, settings).await,
        Command::Redirect { source, redirect } => match redirect {
            Some(redirect) => redirect::set(conn, entry, source, redirect).await,
            None => redirect::clear(conn, source).await,
        },
    }
}

async fn put(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    source: &Source,
) -> Result<Outcome, sqlx::Error> {
    if let Err(problem) = rules::check_source(source) {
        return Ok(Outcome::Refused(Refusal::Invalid(problem)));
    }
    let now = nodes::civil(conn).await?.at(entry.at);
    if let Err(refusal) = oncall::resolve(conn, &source.calls, now).await? {
        return Ok(Outcome::Refused(refusal));
    }
    let others: i64 = sqlx::query_scalar("select count(*) from source where source_key <> ?")
        .bind(&source.key)
        .fetch_one(&mut *conn)
        .await?;
    if others >= rules::SOURCES_MAX {
        let problem = format!("there are {others} sources already; remove some first");
        return Ok(Outcome::Refused(Refusal::Invalid(problem)));
    }
    let beat = source.beat.as_ref();
    let due = beat.map(|beat| {
        let patience = beat.every_ms.saturating_add(beat.grace_ms).cast_signed();
        entry.at.0.saturating_add(patience)
    });
    sqlx::query(
        "insert into source (source_key, name, kind, settings, enabled, token_hash, token_set_at_ms, last_new_at_ms, level, \
         signals, held, beat_every_ms, beat_grace_ms, beat_at_ms, beat_due_ms, beat_lost_at_ms, updated_at_ms) \
         values (?, ?, ?, ?, ?, null, null, null, 0, 0, 0, ?, ?, null, ?, null, ?) \
         on conflict (source_key) do update set name = excluded.name, kind = excluded.kind, settings = excluded.settings, \
         enabled = excluded.enabled, beat_every_ms = excluded.beat_every_ms, beat_grace_ms = excluded.beat_grace_ms, \
         beat_due_ms = case when beat_lost_at_ms is null then excluded.beat_due_ms end, \
         beat_lost_at_ms = case when excluded.beat_every_ms is null then null else beat_lost_at_ms end, \
         updated_at_ms = excluded.updated_at_ms",
    )
    .bind(&source.key)
    .bind(&source.name)
    .bind(source.kind.name())
    .bind(rows::to_json(&Stored::of(source))?)
    .bind(source.enabled)
    .bind(beat.map(|beat| beat.every_ms.cast_signed()))
    .bind(beat.map(|beat| beat.grace_ms.cast_signed()))
    .bind(due)
    .bind(entry.at.0)
    .execute(conn)
    .await?;
    Ok(Outcome::Applied(Receipt::Count(1)))
}

async fn remove(conn: &mut SqliteConnection, key: &str) -> Result<Outcome, sqlx::Error> {
    let done = sqlx::query("delete from source where source_key = ?")
        .bind(key)
        .execute(&mut *conn)
        .await?;
    if done.rows_affected() == 0 {
        return Ok(Outcome::Refused(Refusal::UnknownSource));
    }
    for table in [
        "delete from source_signal where source_key = ?",
        "delete from source_redirect where source_key = ?",
    ] {
        sqlx::query(table).bind(key).execute(&mut *conn).await?;
    }
    for status in Status::ALL {
        sqlx::query("delete from source_bundle where scope = ?")
            .bind(super::scope(status, "source", key))
            .execute(&mut *conn)
            .await?;
    }
    Ok(Outcome::Applied(Receipt::Count(1)))
}

async fn set_token(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    key: &str,
    token_hash: &[u8; 32],
) -> Result<Outcome, sqlx::Error> {
    let done =
        sqlx::query("update source set token_hash = ?, token_set_at_ms = ? where source_key = ?")
            .bind(token_hash.as_slice())
            .bind(entry.at.0)
            .bind(key)
            .execute(conn)
            .await?;
    Ok(match done.rows_affected() {
        0 => Outcome::Refused(Refusal::UnknownSource),
        _ => Outcome::Applied(Receipt::None),
    })
}

async fn set(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    settings: &Settings,
) -> Result<Outcome, sqlx::Error> {
    if let Err(problem) = rules::check_settings(settings) {
        return Ok(Outcome::Refused(Refusal::Invalid(problem)));
    }
    let now = nodes::civil(conn).await?.at(entry.at);
    if let Err(refusal) = oncall::resolve(conn, &settings.duty, now).await? {
        return Ok(Outcome::Refused(refusal));
    }
    if query::settings(conn).await? == *settings {
        return Ok(Outcome::Unchanged);
    }
    sqlx::query(
        "insert into source_settings (id, person_alarms, duty) values (1, ?, ?) \
         on conflict (id) do update set person_alarms = excluded.person_alarms, duty = excluded.duty",
    )
    .bind(i64::from(settings.person_alarms))
    .bind(rows::to_json(&settings::stored_names(&settings.duty))?)
    .execute(conn)
    .await?;
    Ok(Outcome::Applied(Receipt::None))
}
