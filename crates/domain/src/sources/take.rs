//! What sources said, taken one by one in the order of the log.

use sqlx::SqliteConnection;

use super::bundles;
use super::call::{self, Alarm, Told};
use super::command::{Arrival, Arrived, Signal, Silence, Source};
use super::query::{self, Found, SignalRow, SourceRow};
use super::rules::{self, Decision, Held, Standing};
use super::{HEARTBEAT, SilenceKind, alert_key, redirect, word};
use crate::apply::Entry;
use crate::ids::AlertId;
use crate::outcome::{Outcome, Receipt, Refusal};
use crate::script::Script;
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
    let keys = arrivals.iter().map(|one| one.source.as_str()).collect();
    let mut sources = query::sources_by_key(conn, &keys).await?;
    let bars = Bars::at(conn, entry.at).await?;
    for (arrival, place) in arrivals.iter().zip(0..) {
        // A source may have been removed since its signal was accepted: then nobody wants it any more.
        let Some(row) = sources.get_mut(&arrival.source) else {
            continue;
        };
        match &arrival.what {
            Arrived::Signal(said) if rules::check_signal(said).is_ok() => {
                signal(conn, entry, &bars, row, said, place).await?;
            }
            Arrived::Signal(_) => continue,
            Arrived::Beat => beat(conn, entry, &bars, row, place).await?,
            Arrived::Word(said) => match rules::check_word(said) {
                Ok(()) => word::take(conn, entry, row, said).await?,
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

/// What holds automatic alarms at a moment.
pub(super) struct Bars {
    at: Timestamp,
    stopped: bool,
    silences: Vec<Silence>,
}

impl Bars {
    pub(super) async fn at(
        conn: &mut SqliteConnection,
        at: Timestamp,
    ) -> Result<Self, sqlx::Error> {
        Ok(Self {
            at,
            stopped: query::stop(conn, at).await?.is_some(),
            silences: query::silences_at(conn, at).await?,
        })
    }

    /// What holds this signal, and by which silence or window.
    fn of(&self, source: &Source, signal: &Signal) -> (Option<Held>, &str) {
        if signal.resolved {
            return (None, "");
        }
        if self.stopped {
            return (Some(Held::Stopped), "");
        }
        if !source.enabled {
            return (Some(Held::Disabled), "");
        }
        let matches = |silence: &&Silence| rules::matches(silence, &source.key, signal, self.at);
        match self.silences.iter().find(matches) {
            None => (None, ""),
            Some(silence) => match silence.kind {
                SilenceKind::Silence => (Some(Held::Silence), &silence.id),
                SilenceKind::Maintenance => (Some(Held::Maintenance), &silence.id),
            },
        }
    }
}

/// Takes one signal of a source. What it leaves behind goes to SQLite in one script at the end: a storm is many of these.
pub(super) async fn signal(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    bars: &Bars,
    source: &mut SourceRow,
    signal: &Signal,
    place: u64,
) -> Result<(), sqlx::Error> {
    let mut script = Script::default();
    let (known, listed) = known(conn, entry, source, signal).await?;
    let (barred, silence) = bars.of(&source.source, signal);
    let decision = rules::decide(&standing(source, &known, barred), signal, entry.at);
    source.signals += 1;
    match decision {
        Decision::Alone { flapping } | Decision::Bundle { flapping } => {
            let said = Said {
                signal,
                known,
                listed,
                place,
            };
            let way = Way {
                alone: matches!(decision, Decision::Alone { .. }),
                flapping,
            };
            told(conn, entry, source, said, way, &mut script).await?;
        }
        Decision::Hold(held) => {
            source.held += 1;
            let said = Said {
                signal,
                known,
                listed,
                place,
            };
            let row = next_row(conn, entry, source, &said).await?;
            hold(source, signal, row, held, silence, &mut script)?;
        }
        Decision::Count => {
            if let Some(mut row) = known {
                row.count += 1;
                row.last_at = entry.at;
                row.open = true;
                row.ended_at = None;
                settle_later(&mut row, &source.source, entry.at);
                write(&mut script, &row)?;
            }
        }
        Decision::OverForNow => {
            if let Some(mut row) = known {
                row.open = false;
                row.ended_at = Some(entry.at);
                settle_later(&mut row, &source.source, entry.at);
                write(&mut script, &row)?;
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
    write_standing(&mut script, source);
    script.execute(conn).await
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
    bars: &Bars,
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
        return signal(conn, entry, bars, source, &back, place).await;
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
    let bars = Bars::at(conn, now).await?;
    let (barred, _) = bars.of(&source.source, signal);
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
    /// How many keys of its source are listed, if nothing is known of this one.
    listed: i64,
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
    script: &mut Script,
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
        false => bundles::of_source(conn, entry, source, signal, alarm, script).await?,
    };
    note(entry, source, &said, told, way.flapping, row, script)
}

/// As [`note`], for a signal of which people were told with many others.
pub(super) async fn note_gathered(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    source: &mut SourceRow,
    signal: &Signal,
    told: Told,
) -> Result<(), sqlx::Error> {
    let mut script = Script::default();
    let Found { known, listed, .. } = found(conn, source, signal).await?;
    let said = Said {
        signal,
        known,
        listed,
        place: 0,
    };
    let row = next_row(conn, entry, source, &said).await?;
    source.signals += 1;
    note(entry, source, &said, told, false, row, &mut script)?;
    write_standing(&mut script, source);
    script.execute(conn).await
}

/// Notes that people were told of a signal, and where.
fn note(
    entry: &Entry<'_>,
    source: &mut SourceRow,
    said: &Said<'_>,
    told: Told,
    flapping: bool,
    mut row: Option<SignalRow>,
    script: &mut Script,
) -> Result<(), sqlx::Error> {
    let signal = said.signal;
    let (changes, changes_since) = opened_of(said, &source.source, entry.at);
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
        write(script, row)?;
    }
    Ok(())
}

/// Counts a signal of which nobody is told.
fn hold(
    source: &SourceRow,
    signal: &Signal,
    row: Option<SignalRow>,
    held: Held,
    silence: &str,
    script: &mut Script,
) -> Result<(), sqlx::Error> {
    let newest = call::text_in(&signal.texts, texts::Language::english());
    let newest = texts::clip(newest, 200);
    match held {
        Held::Stopped => {
            script.add("update source_stop set swallowed = swallowed + 1 where id = 1");
        }
        Held::Silence | Held::Maintenance => {
            script
                .add("update source_silence set swallowed = swallowed + 1, newest = ? where silence_id = ?")
                .bind(format!("{}: {newest}", source.source.name))
                .bind(silence.to_owned());
        }
        Held::Disabled | Held::Flapping | Held::Nobody => {}
    }
    if let Some(mut row) = row {
        row.held = Some(held);
        row.silence = silence.to_owned();
        row.alert = None;
        write(script, &row)?;
    }
    Ok(())
}

async fn found(
    conn: &mut SqliteConnection,
    source: &SourceRow,
    signal: &Signal,
) -> Result<Found, sqlx::Error> {
    let key = &source.source.key;
    let alert_key = alert_key(signal.status, key, &signal.key);
    query::found(conn, key, &signal.key, &alert_key).await
}

/// What is known of a signal's key, else how many keys are listed. One never heard here may have an open alert all the
/// same: an island raised it.
async fn known(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    source: &SourceRow,
    signal: &Signal,
) -> Result<(Option<SignalRow>, i64), sqlx::Error> {
    let found = found(conn, source, signal).await?;
    let Some(alert) = found.stray else {
        return Ok((found.known, found.listed));
    };
    let said = Said {
        signal,
        known: None,
        listed: found.listed,
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
    Ok((row, found.listed))
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
    if !has_room(conn, &source.source.key, said.listed).await? {
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
async fn has_room(
    conn: &mut SqliteConnection,
    source: &str,
    listed: i64,
) -> Result<bool, sqlx::Error> {
    if listed < rules::SIGNALS_MAX {
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
    let mut script = Script::default();
    write(&mut script, row)?;
    script.execute(conn).await
}

fn write(script: &mut Script, row: &SignalRow) -> Result<(), sqlx::Error> {
    script
        .add(
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
        .bind(row.ended_at.map(|at| at.0));
    Ok(())
}

/// Writes where a source stands.
pub(super) async fn stand(
    conn: &mut SqliteConnection,
    source: &SourceRow,
) -> Result<(), sqlx::Error> {
    let mut script = Script::default();
    write_standing(&mut script, source);
    script.execute(conn).await
}

fn write_standing(script: &mut Script, source: &SourceRow) {
    script
        .add(
            "update source set last_new_at_ms = ?, level = ?, signals = ?, held = ?, beat_at_ms = ?, beat_due_ms = ?, \
             beat_lost_at_ms = ? where source_key = ?",
        )
        .bind(source.last_new_at.map(|at| at.0))
        .bind(Severity::rank(source.level))
        .bind(source.signals.cast_signed())
        .bind(source.held.cast_signed())
        .bind(source.beat_at.map(|at| at.0))
        .bind(source.beat_due.map(|at| at.0))
        .bind(source.beat_lost_at.map(|at| at.0))
        .bind(&source.source.key);
}
