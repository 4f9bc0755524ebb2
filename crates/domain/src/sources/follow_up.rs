//! What was due: missing signs of life, bundles, keys that flapped, silences and the stop that end.

use std::collections::BTreeMap;

use sqlx::SqliteConnection;

use super::bundles::{self, Gathering};
use super::call::{self, Alarm, Told};
use super::command::{Due, DueWhat};
use super::query::{self, SourceRow};
use super::rules::{self, Held};
use super::{HEARTBEAT, OnResolve, alert_key, redirect, silences, take};
use crate::apply::Entry;
use crate::ids::RecipientId;
use crate::outcome::{Outcome, Receipt, Refusal};
use crate::texts;
use crate::time::Timestamp;
use crate::vocabulary::Status;

pub(super) async fn follow_up(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    due: &[Due],
) -> Result<Outcome, sqlx::Error> {
    if due.len() > rules::ARRIVALS_MAX {
        let problem = format!(
            "at most {} rows are followed up at once",
            rules::ARRIVALS_MAX
        );
        return Ok(Outcome::Refused(Refusal::Invalid(problem)));
    }
    let mut silent = Vec::new();
    let mut done = 0;
    for (due, place) in due.iter().zip(0..) {
        let worked = match &due.what {
            DueWhat::Beat { source } => {
                let row = query::source(conn, source).await?;
                let missed = row.filter(|row| row.beat_due == Some(due.at));
                let worked = missed.is_some();
                silent.extend(missed);
                worked
            }
            DueWhat::Bundle { alert } => match query::bundle(conn, *alert).await? {
                Some(bundle) if bundles::still_due(&bundle, due.at) => {
                    bundles::review(conn, entry, &bundle).await?;
                    true
                }
                Some(_) | None => false,
            },
            DueWhat::Settled { source, key } => settle(conn, entry, source, key, due.at).await?,
            DueWhat::Silence { id } => silences::ended(conn, entry, id, due.at, place).await?,
            DueWhat::Stop => silences::stop_ended(conn, entry, due.at, place).await?,
        };
        done += u64::from(worked);
    }
    missed(conn, entry, silent).await?;
    Ok(match done {
        0 => Outcome::Unchanged,
        done => Outcome::Applied(Receipt::Count(done)),
    })
}

/// A key that flapped has been quiet: its next signal is one like any other.
async fn settle(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    source: &str,
    key: &str,
    at: Timestamp,
) -> Result<bool, sqlx::Error> {
    let (Some(row), Some(mut signal)) = (
        query::source(conn, source).await?,
        query::signal(conn, source, key).await?,
    ) else {
        return Ok(false);
    };
    if signal.settle_due != Some(at) {
        return Ok(false);
    }
    signal.held = None;
    signal.settle_due = None;
    signal.changes = 0;
    signal.changes_since = entry.at;
    take::put(conn, &signal).await?;
    if !signal.open {
        take::over(conn, entry, &row.source, signal.alert).await?;
    }
    Ok(true)
}

/// Signs of life that are missing. Few alarm one by one; many that fell silent within a minute become one alert for
/// those whom they call.
async fn missed(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    silent: Vec<SourceRow>,
) -> Result<(), sqlx::Error> {
    if silent.is_empty() {
        return Ok(());
    }
    for row in &silent {
        let lost = SourceRow {
            beat_due: None,
            beat_lost_at: Some(entry.at),
            ..row.clone()
        };
        take::stand(conn, &lost).await?;
    }
    let since = Timestamp(entry.at.0 - rules::TOGETHER_MS);
    let lately = query::silent_since(conn, since).await?.len();
    let bars = take::Bars::at(conn, entry.at).await?;
    let mut together: BTreeMap<Vec<RecipientId>, Vec<SourceRow>> = BTreeMap::new();
    for (row, place) in silent.into_iter().zip(0..) {
        let Some(mut row) = query::source(conn, &row.source.key).await? else {
            continue;
        };
        let whom = redirect::whom(conn, &row.source, entry.at).await?;
        let people = call::everyone(conn, &whom.calls, entry.at).await?;
        let signal = take::of_heartbeat(&row.source, false);
        let foreseen = take::foresee(conn, &row, &signal, entry.at).await?;
        // What a silence or a stop holds is held one by one, so that each is listed.
        if lately >= rules::TOGETHER && !people.is_empty() && foreseen.held.is_none() {
            let mut people = people;
            people.sort_unstable();
            together.entry(people).or_default().push(row);
        } else {
            take::signal(conn, entry, &bars, &mut row, &signal, place).await?;
        }
    }
    for (people, rows) in together {
        all_at_once(conn, entry, &people, rows).await?;
    }
    Ok(())
}

async fn all_at_once(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    people: &[RecipientId],
    rows: Vec<SourceRow>,
) -> Result<(), sqlx::Error> {
    let names: Vec<String> = rows.iter().map(|row| row.source.name.clone()).collect();
    let scope = call::scope_of_silent(people);
    for (mut row, place) in rows.into_iter().zip(0..) {
        let source = row.source.clone();
        let signal = take::of_heartbeat(&source, false);
        let alarm = Alarm {
            source: &source,
            key: alert_key(Status::Actual, &source.key, HEARTBEAT),
            texts: signal.texts.clone(),
            severity: source.severity,
            status: Status::Actual,
            place,
            listed: true,
        };
        let gathering = Gathering {
            scope: &scope,
            source_name: "heartbeats",
            first: call::in_all(|language| texts::silent(language, &names)),
            window_ms: rules::TOGETHER_MS,
            tell_every_ms: source.brake.tell_every_ms.cast_signed(),
            closes: source.on_resolve == OnResolve::Close,
        };
        let alert = bundles::gather(conn, entry, &gathering, &alarm, people).await?;
        let told = alert.map_or(Told::Nobody, Told::Gathered);
        take::note_gathered(conn, entry, &mut row, &signal, told).await?;
    }
    // The first text named them all.
    bundles::all_named(conn, entry, &scope).await
}

/// Whether a held signal may alarm now that what held it is over.
pub(super) fn held_by(silence: bool) -> &'static [Held] {
    match silence {
        true => &[Held::Silence, Held::Maintenance],
        false => &[Held::Stopped],
    }
}
