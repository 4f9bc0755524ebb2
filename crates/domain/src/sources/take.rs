//! What sources said, taken one by one in the order of the log.

use sqlx::SqliteConnection;

use super::bundles;
use super::call::{self, Alarm, Told};
use super::command::{Arrival, Arrived, Signal, Source};
use super::query::{self, SignalRow, SourceRow, Stop};
use super::rules::{self, Decision, Held, Standing};
use super::{HEARTBEAT, SilenceKind, alert_key, redirect, word};
use crate::apply::Entry;
use crate::ids::AlertId;
use crate::outcome::{Outcome, Receipt, Refusal};
use crate::time::Timestamp;
use crate::vocabulary::{Severity, Status};
use crate::{alerts, rows, texts};

/// The key under which what could not be read alarms.
const UNREADABLE: &str = "unreadable";

/// Keys that are over, taken off a full list in one go.
const PRUNED: i64 = 50;

pub(super) async fn take(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    arrivals: &[Arrival],
) -> Result<Outcome, sqlx::Error> {
    if arrivals.len() > rules::ARRIVALS_MAX {
        let problem = format!("at most {} signals are taken at once", rules::ARRIVALS_MAX);
        return Ok(Outcome::Refused(Refusal::Invalid(problem)));
    }
    let mut taken = 0;
    for (arrival, place) in arrivals.iter().zip(0..) {
        // A source may have been removed since its signal was accepted: then nobody wants it any more.
        let Some(mut row) = query::source(conn, &arrival.source).await? else {
            continue;
        };
        match &arrival.what {
            Arrived::Signal(said) if rules::check_signal(said).is_ok() => {
                signal(conn, entry, &mut row, said, place).await?;
            }
            Arrived::Signal(_) => continue,
            Arrived::Beat => beat(conn, entry, &mut row, place).await?,
            Arrived::Word(said) => match rules::check_word(said) {
                Ok(()) => word::take(conn, entry, &mut row, said).await?,
                Err(_) => continue,
            },
        }
        taken += 1;
    }
    Ok(match taken {
        0 => Outcome::Unchanged,
        taken => Outcome::Applied(Receipt::Count(taken)),
    })
}

/// Takes one signal of a source.
pub(super) async fn signal(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    source: &mut SourceRow,
    signal: &Signal,
    place: u64,
) -> Result<(), sqlx::Error> {
    let known = known(conn, entry, source, signal).await?;
    let (barred, silence) = barred(conn, entry.at, &source.source, signal).await?;
    let decision = rules::decide(&standing(source, &known, barred), signal, entry.at);
    source.signals += 1;
    match decision {
        Decision::Alone { flapping } | Decision::Bundle { flapping } => {
            let said = Said {
                signal,
                known,
                place,
            };
            told(
                conn,
                entry,
                source,
                said,
                Way {
                    alone: matches!(decision, Decision::Alone { .. }),
                    flapping,
                },
            )
            .await?;
        }
        Decision::Hold(held) => {
            source.held += 1;
            hold(
                conn,
                entry,
                source,
                Said {
                    signal,
                    known,
                    place,
                },
                held,
                &silence,
            )
            .await?;
        }
        Decision::Count => {
            if let Some(mut row) = known {
                row.count += 1;
                row.last_at = entry.at;
                row.open = true;
                row.ended_at = None;
                settle_later(&mut row, &source.source, entry.at);
                put(conn, &row).await?;
            }
        }
        Decision::OverForNow => {
            if let Some(mut row) = known {
                row.open = false;
                row.ended_at = Some(entry.at);
                settle_later(&mut row, &source.source, entry.at);
                put(conn, &row).await?;
            }
        }
        Decision::Over => {
            if let Some(mut row) = known {
                row.open = false;
                row.ended_at = Some(entry.at);
                put(conn, &row).await?;
                over(conn, entry, &source.source, row.alert).await?;
            }
        }
        Decision::Nothing => {
            if known.is_none() {
                bundles::unlisted_over(conn, entry, &source.source.key, signal.status).await?;
            }
        }
    }
    stand(conn, source).await
}

/// A key's last open signal is over, and with it perhaps the alert that told of it.
pub(super) async fn over(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    source: &Source,
    alert: Option<AlertId>,
) -> Result<(), sqlx::Error> {
    let Some(alert) = alert else { return Ok(()) };
    if bundles::one_over(conn, entry, alert).await?
        || !alerts::is_open(conn, alert).await?
        || query::any_open(conn, alert).await?
    {
        return Ok(());
    }
    let closes = source.on_resolve == super::OnResolve::Close;
    let note = format!("{} says it is over", source.name);
    bundles::over(conn, entry, alert, closes, &note).await
}

/// A sign of life.
async fn beat(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    source: &mut SourceRow,
    place: u64,
) -> Result<(), sqlx::Error> {
    let Some(beat) = &source.source.beat else {
        return Ok(());
    };
    let patience = beat.every_ms.saturating_add(beat.grace_ms).cast_signed();
    source.beat_at = Some(entry.at);
    source.beat_due = Some(Timestamp(entry.at.0.saturating_add(patience)));
    if source.beat_lost_at.take().is_some() {
        let back = of_heartbeat(&source.source, true);
        return signal(conn, entry, source, &back, place).await;
    }
    stand(conn, source).await
}

/// The signal that stands for a missing sign of life, or for its return.
pub(super) fn of_heartbeat(source: &Source, resolved: bool) -> Signal {
    let names = [source.name.clone()];
    Signal {
        key: HEARTBEAT.to_owned(),
        texts: call::in_all(|language| texts::silent(language, &names)),
        severity: source.severity,
        status: Status::Actual,
        labels: Vec::new(),
        resolved,
    }
}

/// The signal in place of something that could not be read: it may have been an alarm, so people hear that it came.
pub fn unreadable(source: &Source) -> Signal {
    Signal {
        key: UNREADABLE.to_owned(),
        texts: call::in_all(|language| texts::unreadable(language, &source.name)),
        severity: source.severity.max(Severity::Normal),
        status: Status::Actual,
        labels: Vec::new(),
        resolved: false,
    }
}

/// What would become of a signal that came now.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Foreseen {
    /// `alone`, `bundle`, `counted`, `held`, `closes`, `nothing`.
    pub what: &'static str,
    /// Why it would be held.
    pub held: Option<Held>,
    /// How many people it would call.
    pub people: usize,
}

/// Says what would become of a signal, and changes nothing.
pub async fn foresee(
    conn: &mut SqliteConnection,
    source: &SourceRow,
    signal: &Signal,
    now: Timestamp,
) -> Result<Foreseen, sqlx::Error> {
    let known = query::signal(conn, &source.source.key, &signal.key).await?;
    let (barred, _) = barred(conn, now, &source.source, signal).await?;
    let decision = rules::decide(&standing(source, &known, barred), signal, now);
    let whom = redirect::whom(conn, &source.source, now).await?;
    let people = call::everyone(conn, &whom.calls, now).await?.len();
    let foreseen = |what, held, people| Foreseen { what, held, people };
    Ok(match decision {
        Decision::Alone { .. } => foreseen("alone", None, people),
        Decision::Bundle { .. } => foreseen("bundle", None, people),
        Decision::Hold(held) => foreseen("held", Some(held), 0),
        Decision::Count => foreseen("counted", None, 0),
        Decision::Over | Decision::OverForNow => foreseen("closes", None, 0),
        Decision::Nothing => foreseen("nothing", None, 0),
    })
}

/// One signal with what was known of its key.
struct Said<'a> {
    signal: &'a Signal,
    known: Option<SignalRow>,
    place: u64,
}

/// How people are to be told of it.
#[derive(Clone, Copy)]
struct Way {
    alone: bool,
    flapping: bool,
}

/// Tells people, and notes where.
async fn told(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    source: &mut SourceRow,
    said: Said<'_>,
    way: Way,
) -> Result<(), sqlx::Error> {
    let signal = said.signal;
    let row = next_row(conn, entry, source, &said).await?;
    let listed = row.is_some();
    let (changes, _) = opened_of(&said, &source.source, entry.at);
    let texts = match way.flapping {
        false => signal.texts.clone(),
        true => {
            let minutes = source.source.brake.changes_within_ms / 60_000;
            call::in_all(|language| {
                let text = call::text_in(&signal.texts, language);
                texts::flapping(language, text, changes, minutes)
            })
        }
    };
    let config = source.source.clone();
    let alarm = Alarm {
        source: &config,
        key: alert_key(signal.status, &config.key, &signal.key),
        texts,
        severity: signal.severity,
        status: signal.status,
        place: said.place,
        listed,
    };
    let told = match way.alone {
        true => call::alarm(conn, entry, alarm).await?,
        false => bundles::of_source(conn, entry, source, signal, alarm).await?,
    };
    note(conn, entry, source, said, told, way.flapping, row).await
}

/// As [`note`], for a signal of which people were told with many others.
pub(super) async fn note_gathered(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    source: &mut SourceRow,
    signal: &Signal,
    told: Told,
) -> Result<(), sqlx::Error> {
    let known = query::signal(conn, &source.source.key, &signal.key).await?;
    let said = Said {
        signal,
        known,
        place: 0,
    };
    let row = next_row(conn, entry, source, &said).await?;
    source.signals += 1;
    note(conn, entry, source, said, told, false, row).await?;
    stand(conn, source).await
}

/// Notes that people were told of a signal, and where.
async fn note(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    source: &mut SourceRow,
    said: Said<'_>,
    told: Told,
    flapping: bool,
    mut row: Option<SignalRow>,
) -> Result<(), sqlx::Error> {
    let signal = said.signal;
    let (changes, changes_since) = opened_of(&said, &source.source, entry.at);
    let quiet = source.last_new_at.is_none_or(|last| {
        entry.at.since(last).as_millis() >= u128::from(source.source.brake.window_ms)
    });
    if told == Told::Nobody {
        source.held += 1;
    } else {
        source.level = match quiet {
            true => signal.severity,
            false => source.level.max(signal.severity),
        };
        source.last_new_at = Some(entry.at);
    }
    if let Some(row) = &mut row {
        row.changes = changes;
        row.changes_since = changes_since;
        row.alert = match told {
            Told::Alert(alert) | Told::Gathered(alert) => Some(alert),
            Told::Nobody => None,
        };
        row.held = match told {
            Told::Nobody => Some(Held::Nobody),
            Told::Alert(_) | Told::Gathered(_) if flapping => Some(Held::Flapping),
            Told::Alert(_) | Told::Gathered(_) => None,
        };
        settle_later(row, &source.source, entry.at);
        put(conn, row).await?;
    }
    Ok(())
}

async fn hold(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    source: &SourceRow,
    said: Said<'_>,
    held: Held,
    silence: &str,
) -> Result<(), sqlx::Error> {
    let newest = call::text_in(&said.signal.texts, texts::Language::En);
    let newest = texts::clip(newest, 200);
    match held {
        Held::Stopped => {
            sqlx::query("update source_stop set swallowed = swallowed + 1 where id = 1")
                .execute(&mut *conn)
                .await?;
        }
        Held::Silence | Held::Maintenance => {
            sqlx::query(
                "update source_silence set swallowed = swallowed + 1, newest = ? where silence_id = ?",
            )
            .bind(format!("{}: {newest}", source.source.name))
            .bind(silence)
            .execute(&mut *conn)
            .await?;
        }
        Held::Disabled | Held::Flapping | Held::Nobody => {}
    }
    if let Some(mut row) = next_row(conn, entry, source, &said).await? {
        row.held = Some(held);
        row.silence = silence.to_owned();
        row.alert = None;
        put(conn, &row).await?;
    }
    Ok(())
}

/// What is known of a signal's key. One never heard here may have an open alert all the same: an island raised it.
async fn known(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    source: &SourceRow,
    signal: &Signal,
) -> Result<Option<SignalRow>, sqlx::Error> {
    let key = &source.source.key;
    if let Some(row) = query::signal(conn, key, &signal.key).await? {
        return Ok(Some(row));
    }
    let Some(alert) =
        alerts::open_with_key(conn, &alert_key(signal.status, key, &signal.key)).await?
    else {
        return Ok(None);
    };
    let said = Said {
        signal,
        known: None,
        place: 0,
    };
    let row = next_row(conn, entry, source, &said).await?;
    let row = row.map(|row| SignalRow {
        alert: Some(alert),
        alert_open: true,
        ..row
    });
    if let Some(row) = &row {
        put(conn, row).await?;
    } else if signal.resolved {
        // The list is full, the alert is known by its key alone.
        over(conn, entry, &source.source, Some(alert)).await?;
    }
    Ok(row)
}

/// The row of a key that opens now; `None` when the source's list is full of open ones.
async fn next_row(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    source: &SourceRow,
    said: &Said<'_>,
) -> Result<Option<SignalRow>, sqlx::Error> {
    let signal = said.signal;
    if let Some(known) = &said.known {
        let count = if known.open { known.count + 1 } else { 1 };
        return Ok(Some(SignalRow {
            severity: signal.severity,
            status: signal.status,
            texts: signal.texts.clone(),
            labels: signal.labels.clone(),
            open: true,
            silence: String::new(),
            count,
            first_at: if known.open { known.first_at } else { entry.at },
            last_at: entry.at,
            ended_at: None,
            ..known.clone()
        }));
    }
    if !has_room(conn, &source.source.key).await? {
        return Ok(None);
    }
    Ok(Some(SignalRow {
        source: source.source.key.clone(),
        key: signal.key.clone(),
        severity: signal.severity,
        status: signal.status,
        texts: signal.texts.clone(),
        labels: signal.labels.clone(),
        open: true,
        held: None,
        silence: String::new(),
        alert: None,
        label: None,
        count: 1,
        changes: 1,
        changes_since: entry.at,
        settle_due: None,
        first_at: entry.at,
        last_at: entry.at,
        ended_at: None,
        alert_open: false,
    }))
}

/// Whether one more key fits on a source's list, after those that ended first were taken off it.
async fn has_room(conn: &mut SqliteConnection, source: &str) -> Result<bool, sqlx::Error> {
    if query::listed(conn, source).await? < rules::SIGNALS_MAX {
        return Ok(true);
    }
    let pruned = sqlx::query(
        "delete from source_signal where source_key = ?1 and dedup_key in \
         (select dedup_key from source_signal where source_key = ?1 and open = 0 and held <> 'flapping' \
          order by ended_at_ms, dedup_key limit ?2)",
    )
    .bind(source)
    .bind(PRUNED)
    .execute(conn)
    .await?;
    Ok(pruned.rows_affected() > 0)
}

/// Why a source's signal is not let through, and which silence says so.
async fn barred(
    conn: &mut SqliteConnection,
    now: Timestamp,
    source: &Source,
    signal: &Signal,
) -> Result<(Option<Held>, String), sqlx::Error> {
    if signal.resolved {
        return Ok((None, String::new()));
    }
    let stop: Option<Stop> = query::stop(conn, now).await?;
    if stop.is_some() {
        return Ok((Some(Held::Stopped), String::new()));
    }
    if !source.enabled {
        return Ok((Some(Held::Disabled), String::new()));
    }
    let silence = query::swallowing(conn, &source.key, signal, now).await?;
    Ok(match silence {
        None => (None, String::new()),
        Some(silence) => match silence.kind {
            SilenceKind::Silence => (Some(Held::Silence), silence.id),
            SilenceKind::Maintenance => (Some(Held::Maintenance), silence.id),
        },
    })
}

fn standing<'a>(
    source: &'a SourceRow,
    known: &Option<SignalRow>,
    barred: Option<Held>,
) -> Standing<'a> {
    Standing {
        barred,
        brake: &source.source.brake,
        last_new_at: source.last_new_at,
        level: source.level,
        key: known.as_ref().map(SignalRow::state),
    }
}

fn opened_of(said: &Said<'_>, source: &Source, now: Timestamp) -> (u16, Timestamp) {
    let state = said.known.as_ref().map(SignalRow::state);
    rules::opened(state.as_ref(), &source.brake, now)
}

/// A key that flaps counts as quiet when nothing changed for as long as changes count.
fn settle_later(row: &mut SignalRow, source: &Source, now: Timestamp) {
    row.settle_due = (row.held == Some(Held::Flapping)).then(|| {
        Timestamp(
            now.0
                .saturating_add(source.brake.changes_within_ms.cast_signed()),
        )
    });
}

/// Writes a key's row.
pub(super) async fn put(conn: &mut SqliteConnection, row: &SignalRow) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into source_signal (source_key, dedup_key, severity, status, texts, labels, open, held, silence_id, \
         alert_id, count, changes, changes_since_ms, settle_due_ms, first_at_ms, last_at_ms, ended_at_ms) \
         values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
         on conflict (source_key, dedup_key) do update set severity = excluded.severity, status = excluded.status, \
         texts = excluded.texts, labels = excluded.labels, open = excluded.open, held = excluded.held, \
         silence_id = excluded.silence_id, alert_id = excluded.alert_id, count = excluded.count, \
         changes = excluded.changes, changes_since_ms = excluded.changes_since_ms, \
         settle_due_ms = excluded.settle_due_ms, first_at_ms = excluded.first_at_ms, \
         last_at_ms = excluded.last_at_ms, ended_at_ms = excluded.ended_at_ms",
    )
    .bind(&row.source)
    .bind(&row.key)
    .bind(row.severity.rank())
    .bind(row.status.name())
    .bind(rows::to_json(&row.texts)?)
    .bind(rows::to_json(&row.labels)?)
    .bind(row.open)
    .bind(row.held.map_or("", Held::name))
    .bind(&row.silence)
    .bind(row.alert.map(|alert| alert.0.to_vec()))
    .bind(row.count.cast_signed())
    .bind(i64::from(row.changes))
    .bind(row.changes_since.0)
    .bind(row.settle_due.map(|at| at.0))
    .bind(row.first_at.0)
    .bind(row.last_at.0)
    .bind(row.ended_at.map(|at| at.0))
    .execute(conn)
    .await?;
    Ok(())
}

/// Writes where a source stands.
pub(super) async fn stand(
    conn: &mut SqliteConnection,
    source: &SourceRow,
) -> Result<(), sqlx::Error> {
    let rank: i64 = Severity::rank(source.level);
    sqlx::query(
        "update source set last_new_at_ms = ?, level = ?, signals = ?, held = ?, beat_at_ms = ?, beat_due_ms = ?, \
         beat_lost_at_ms = ? where source_key = ?",
    )
    .bind(source.last_new_at.map(|at| at.0))
    .bind(rank)
    .bind(source.signals.cast_signed())
    .bind(source.held.cast_signed())
    .bind(source.beat_at.map(|at| at.0))
    .bind(source.beat_due.map(|at| at.0))
    .bind(source.beat_lost_at.map(|at| at.0))
    .bind(&source.source.key)
    .execute(conn)
    .await?;
    Ok(())
}
