//! Silences, maintenance windows and the stop of everything automatic. Each ends, says what it swallowed, and lets through
//! what is still going on.

use sqlx::SqliteConnection;

use super::command::{Signal, Silence};
use super::query::{self, SignalRow};
use super::{call, follow_up, rules, take};
use crate::apply::Entry;
use crate::outcome::{Outcome, Receipt, Refusal};
use crate::time::Timestamp;
use crate::{alerts, rows, texts};

/// Most signals that alarm at once when what held them is over; the others do when they are said again.
const LET_THROUGH_MAX: i64 = 500;

/// The key of the alert that tells those on duty of a stop.
const STOP_KEY: &str = "stop";

/// Ended silences kept for people to look at.
const KEPT: i64 = 200;

pub(super) async fn put(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    silence: &Silence,
) -> Result<Outcome, sqlx::Error> {
    let invalid = |problem: String| Ok(Outcome::Refused(Refusal::Invalid(problem)));
    if let Err(problem) = rules::check_silence(silence) {
        return invalid(problem);
    }
    if silence.until <= entry.at {
        return invalid("it would be over already".to_owned());
    }
    if !silence.source.is_empty() && query::source(conn, &silence.source).await?.is_none() {
        return Ok(Outcome::Refused(Refusal::UnknownSource));
    }
    let live: i64 = sqlx::query_scalar(
        "select count(*) from source_silence where due_ms is not null and silence_id <> ?",
    )
    .bind(&silence.id)
    .fetch_one(&mut *conn)
    .await?;
    if live >= rules::SILENCES_MAX {
        return invalid(format!("there are {live} silences already; end some first"));
    }
    let matchers: Vec<(&str, &str, &str)> = silence
        .matchers
        .iter()
        .map(|m| (m.label.as_str(), m.test.name(), m.value.as_str()))
        .collect();
    sqlx::query(
        "insert into source_silence (silence_id, kind, source_key, matchers, from_ms, until_ms, reason, made_by, \
         made_at_ms, swallowed, newest, due_ms) values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 0, '', ?6) \
         on conflict (silence_id) do update set until_ms = excluded.until_ms, due_ms = excluded.due_ms, \
         reason = excluded.reason",
    )
    .bind(&silence.id)
    .bind(silence.kind.name())
    .bind(&silence.source)
    .bind(rows::to_json(&matchers)?)
    .bind(silence.from.0)
    .bind(silence.until.0)
    .bind(&silence.reason)
    .bind(entry.envelope.actor.label())
    .bind(entry.at.0)
    .execute(&mut *conn)
    .await?;
    sqlx::query(
        "delete from source_silence where due_ms is null and silence_id not in \
         (select silence_id from source_silence where due_ms is null order by until_ms desc, silence_id limit ?)",
    )
    .bind(KEPT)
    .execute(conn)
    .await?;
    Ok(Outcome::Applied(Receipt::None))
}

/// Ends a silence before its time.
pub(super) async fn end(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    id: &str,
) -> Result<Outcome, sqlx::Error> {
    let Some(row) = query::silence(conn, id).await? else {
        return Ok(Outcome::Refused(Refusal::UnknownSilence));
    };
    let Some(due) = row.due else {
        return Ok(Outcome::Unchanged);
    };
    sqlx::query("update source_silence set until_ms = ? where silence_id = ?")
        .bind(entry.at.0)
        .bind(id)
        .execute(&mut *conn)
        .await?;
    ended(conn, entry, id, due, 0).await?;
    Ok(Outcome::Applied(Receipt::None))
}

/// Tells what a silence that is over swallowed, and lets through what is still going on.
pub(super) async fn ended(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    id: &str,
    at: Timestamp,
    place: u64,
) -> Result<bool, sqlx::Error> {
    let Some(row) = query::silence(conn, id).await? else {
        return Ok(false);
    };
    if row.due != Some(at) {
        return Ok(false);
    }
    sqlx::query("update source_silence set due_ms = null where silence_id = ?")
        .bind(id)
        .execute(&mut *conn)
        .await?;
    let open = query::held_open(conn, follow_up::held_by(true), id, LET_THROUGH_MAX).await?;
    let what = row.silence.kind.name();
    let newest = match row.newest.is_empty() {
        true => String::new(),
        false => format!(", newest: {}", row.newest),
    };
    let said = format!(
        "The {what} of {} is over ({}). It swallowed {} signals{newest}; {} are still open and alarm now.",
        row.by,
        row.silence.reason,
        row.swallowed,
        open.len()
    );
    call::say_to_duty(conn, entry, &said).await?;
    let_through(conn, entry, open, place).await?;
    Ok(true)
}

/// Holds everything automatic.
pub(super) async fn stop_all(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    reason: &str,
    for_ms: u64,
) -> Result<Outcome, sqlx::Error> {
    let checked = rules::check_line("the reason", reason, rules::REASON_MAX);
    if let Err(problem) = checked {
        return Ok(Outcome::Refused(Refusal::Invalid(problem)));
    }
    if !(1_000..=rules::STOP_MS_MAX).contains(&for_ms) {
        let problem = "a stop lasts 1 second to 30 minutes; then it ends by itself".to_owned();
        return Ok(Outcome::Refused(Refusal::Invalid(problem)));
    }
    let by = entry.envelope.actor.label();
    let until = Timestamp(entry.at.0.saturating_add(for_ms.cast_signed()));
    sqlx::query(
        "insert into source_stop (id, since_ms, until_ms, reason, made_by, swallowed) values (1, ?, ?, ?, ?, 0) \
         on conflict (id) do update set until_ms = excluded.until_ms, reason = excluded.reason, made_by = excluded.made_by",
    )
    .bind(entry.at.0)
    .bind(until.0)
    .bind(reason)
    .bind(&by)
    .execute(&mut *conn)
    .await?;
    let said = format!(
        "All automatic sources are stopped by {by} for {} min: {reason}. People's own alerts go on.",
        for_ms.div_ceil(60_000)
    );
    call::say_to_duty(conn, entry, &said).await?;
    if !query::settings(conn).await?.duty.is_empty() {
        // Whoever is on duty must not find out from the silence.
        let minutes = for_ms.div_ceil(60_000);
        let text = |language| texts::all_stopped(language, &by, minutes, reason);
        call::call_duty(conn, entry, STOP_KEY, text).await?;
    }
    Ok(Outcome::Applied(Receipt::None))
}

/// Ends the stop early.
pub(super) async fn resume(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
) -> Result<Outcome, sqlx::Error> {
    let Some(stop) = query::stop_row(conn).await? else {
        return Ok(Outcome::Unchanged);
    };
    stop_ended(conn, entry, stop.until, 0).await?;
    Ok(Outcome::Applied(Receipt::None))
}

/// The stop is over: says what it swallowed, and lets through what is still going on.
pub(super) async fn stop_ended(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    at: Timestamp,
    place: u64,
) -> Result<bool, sqlx::Error> {
    let Some(stop) = query::stop_row(conn).await?.filter(|stop| stop.until == at) else {
        return Ok(false);
    };
    sqlx::query("delete from source_stop where id = 1")
        .execute(&mut *conn)
        .await?;
    let open = query::held_open(conn, follow_up::held_by(false), "", LET_THROUGH_MAX).await?;
    let said = format!(
        "Automatic sources run again. The stop by {} swallowed {} signals; {} are still open and alarm now.",
        stop.by,
        stop.swallowed,
        open.len()
    );
    call::say_to_duty(conn, entry, &said).await?;
    if let Some(alert) = alerts::open_with_key(conn, STOP_KEY).await? {
        alerts::resolve(conn, entry, alert, "automatic sources run again").await?;
    }
    let_through(conn, entry, open, place).await?;
    Ok(true)
}

async fn let_through(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    open: Vec<SignalRow>,
    place: u64,
) -> Result<(), sqlx::Error> {
    let bars = take::Bars::at(conn, entry.at).await?;
    for (row, nth) in open.into_iter().zip(0_u64..) {
        let Some(mut source) = query::source(conn, &row.source).await? else {
            continue;
        };
        let signal = Signal {
            key: row.key,
            texts: row.texts,
            severity: row.severity,
            status: row.status,
            labels: row.labels,
            resolved: false,
        };
        // Far above the places of what else is due in the same entry.
        let place = (place + 1) * 1_000_000 + nth;
        take::signal(conn, entry, &bars, &mut source, &signal, place).await?;
    }
    Ok(())
}
