//! Reads of sources and of what they said.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::command::{
    Beat, Due, DueWhat, Kind, Matcher, Settings, Silence, SilenceKind, Source, Test,
};
use super::rules::{Held, KeyState};
use super::settings::{self, Stored};
use super::{Brake, Mapping, OnResolve};
use crate::ids::AlertId;
use crate::time::Timestamp;
use crate::vocabulary::{Severity, Status};
use crate::{nodes, rows};

/// A source and where it stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SourceRow {
    pub source: Source,
    /// SHA-256 of its token; `None`: nobody can reach it from outside.
    pub token_hash: Option<[u8; 32]>,
    pub token_set_at: Option<Timestamp>,
    /// When an alarm last came that was not open yet.
    pub last_new_at: Option<Timestamp>,
    /// The worst it has alarmed with since it was last quiet.
    pub level: Severity,
    /// Everything that ever came.
    pub signals: u64,
    /// What of it was not let through.
    pub held: u64,
    pub beat_at: Option<Timestamp>,
    /// When its silence alarms; `None`: not expected, or known to be silent.
    pub beat_due: Option<Timestamp>,
    /// Since when it is known to be silent.
    pub beat_lost_at: Option<Timestamp>,
}

/// What a source said under one of its keys.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SignalRow {
    pub source: String,
    pub key: String,
    pub severity: Severity,
    pub status: Status,
    pub texts: Vec<(String, String)>,
    pub labels: Vec<(String, String)>,
    pub open: bool,
    /// Why people were not told; `None`: they were.
    pub held: Option<Held>,
    /// Which silence or window held it; empty: none.
    pub silence: String,
    /// Where people were told of it.
    pub alert: Option<AlertId>,
    /// That alert's number.
    pub label: Option<String>,
    /// How often it came while open.
    pub count: u64,
    pub changes: u16,
    pub changes_since: Timestamp,
    pub settle_due: Option<Timestamp>,
    pub first_at: Timestamp,
    pub last_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub(super) alert_open: bool,
}

impl SignalRow {
    pub(super) fn state(&self) -> KeyState {
        KeyState {
            status: self.status,
            open: self.open,
            held: self.held,
            alert_open: self.alert_open,
            changes: self.changes,
            changes_since: self.changes_since,
            last_at: self.last_at,
        }
    }
}

/// An alert that stands for many alarms.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BundleRow {
    pub alert: AlertId,
    pub scope: String,
    pub source_name: String,
    pub severity: Severity,
    pub count: u64,
    /// Of these, open ones that are not listed one by one.
    pub unlisted: u64,
    pub newest: Vec<(String, String)>,
    /// How many people were last told of.
    pub told: u64,
    pub told_at: Timestamp,
    pub last_at: Timestamp,
    pub window_ms: i64,
    pub tell_every_ms: i64,
    /// The alert ends when everything it stands for is over.
    pub closes: bool,
    /// Takes more.
    pub active: bool,
    pub due: Option<Timestamp>,
}

/// A silence or window with what it swallowed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SilenceRow {
    pub silence: Silence,
    pub by: String,
    pub made_at: Timestamp,
    pub swallowed: u64,
    pub newest: String,
    pub due: Option<Timestamp>,
}

/// Everything automatic is held.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Stop {
    pub since: Timestamp,
    pub until: Timestamp,
    pub reason: String,
    pub by: String,
    pub swallowed: u64,
}

/// The source with this key.
pub async fn source(
    conn: &mut SqliteConnection,
    key: &str,
) -> Result<Option<SourceRow>, sqlx::Error> {
    let row = sqlx::query("select * from source where source_key = ?")
        .bind(key)
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(source_row).transpose()
}

/// Those of these sources that there are, by key.
pub(super) async fn sources_by_key(
    conn: &mut SqliteConnection,
    keys: &BTreeSet<&str>,
) -> Result<BTreeMap<String, SourceRow>, sqlx::Error> {
    let found =
        sqlx::query("select * from source where source_key in (select value from json_each(?)) order by source_key")
            .bind(rows::to_json(keys)?)
            .fetch_all(conn)
            .await?;
    let rows = found.iter().map(|row| {
        let row = source_row(row)?;
        Ok((row.source.key.clone(), row))
    });
    rows.collect()
}

/// All sources by key.
pub async fn sources(conn: &mut SqliteConnection) -> Result<Vec<SourceRow>, sqlx::Error> {
    let found = sqlx::query("select * from source order by source_key")
        .fetch_all(conn)
        .await?;
    found.iter().map(source_row).collect()
}

/// What a source said, open ones first, then newest first.
pub async fn signals_of(
    conn: &mut SqliteConnection,
    source: &str,
    limit: u32,
) -> Result<Vec<SignalRow>, sqlx::Error> {
    let found = sqlx::query(
        "select s.*, a.number, a.state = 'open' as alert_open from source_signal s \
         left join alert a on a.alert_id = s.alert_id where s.source_key = ? \
         order by s.open desc, s.last_at_ms desc, s.dedup_key limit ?",
    )
    .bind(source)
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    found.iter().map(signal_row).collect()
}

/// A key as a signal finds it.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) known: Option<SignalRow>,
    /// If nothing is known of the key: the newest open alert under it all the same.
    pub(super) stray: Option<AlertId>,
    /// If nothing is known of the key: how many others of the source are listed.
    pub(super) listed: i64,
}

/// All that a signal has to know of its key. `alert_key` is the key its alert would have.
pub(super) async fn found(
    conn: &mut SqliteConnection,
    source: &str,
    key: &str,
    alert_key: &str,
) -> Result<Found, sqlx::Error> {
    let row = sqlx::query(
        "select s.*, a.number, a.state = 'open' as alert_open, \
         case when s.dedup_key is null then (select o.alert_id from alert o indexed by alert_by_open_key \
          where o.dedup_key = ?3 and o.state = 'open' order by o.raised_at_ms desc, o.alert_id limit 1) end as stray, \
         case when s.dedup_key is null then (select count(*) from source_signal where source_key = ?1) else 0 end as listed \
         from (select 1) left join source_signal s on s.source_key = ?1 and s.dedup_key = ?2 \
         left join alert a on a.alert_id = s.alert_id",
    )
    .bind(source)
    .bind(key)
    .bind(alert_key)
    .fetch_one(conn)
    .await?;
    let is_known = row.try_get::<Option<&str>, _>("dedup_key")?.is_some();
    let stray: Option<&[u8]> = row.try_get("stray")?;
    Ok(Found {
        known: is_known.then(|| signal_row(&row)).transpose()?,
        stray: stray.map(AlertId::from_row).transpose()?,
        listed: row.try_get("listed")?,
    })
}

/// What is known of one key.
pub(super) async fn signal(
    conn: &mut SqliteConnection,
    source: &str,
    key: &str,
) -> Result<Option<SignalRow>, sqlx::Error> {
    let row = sqlx::query(
        "select s.*, a.number, a.state = 'open' as alert_open from source_signal s \
         left join alert a on a.alert_id = s.alert_id where s.source_key = ? and s.dedup_key = ?",
    )
    .bind(source)
    .bind(key)
    .fetch_optional(conn)
    .await?;
    row.as_ref().map(signal_row).transpose()
}

/// Open signals that were held for one reason: by one silence, or by the stop.
pub(super) async fn held_open(
    conn: &mut SqliteConnection,
    held: &[Held],
    silence: &str,
    limit: i64,
) -> Result<Vec<SignalRow>, sqlx::Error> {
    let words: Vec<&str> = held.iter().map(|held| held.name()).collect();
    let found = sqlx::query(
        "select s.*, null as number, 0 as alert_open from source_signal s \
         where s.held in (select value from json_each(?)) and s.held <> '' and s.silence_id = ? and s.open = 1 \
         order by s.source_key, s.dedup_key limit ?",
    )
    .bind(rows::to_json(&words)?)
    .bind(silence)
    .bind(limit)
    .fetch_all(conn)
    .await?;
    found.iter().map(signal_row).collect()
}

/// Whether any open signal is told in this alert.
pub(super) async fn any_open(
    conn: &mut SqliteConnection,
    alert: AlertId,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "select exists (select 1 from source_signal where alert_id = ? and open = 1)",
    )
    .bind(alert.as_bytes())
    .fetch_one(conn)
    .await
}

/// The bundle that takes what is alarmed in this scope, and whether its alert is open.
pub(super) async fn active_bundle(
    conn: &mut SqliteConnection,
    scope: &str,
) -> Result<Option<(BundleRow, bool)>, sqlx::Error> {
    let row = sqlx::query(
        "select b.*, exists (select 1 from alert a where a.alert_id = b.alert_id and a.state = 'open') as is_open \
         from source_bundle b where b.scope = ? and b.active = 1 order by b.alert_id limit 1",
    )
    .bind(scope)
    .fetch_optional(conn)
    .await?;
    row.map(|row| Ok((bundle_row(&row)?, row.try_get("is_open")?)))
        .transpose()
}

/// The bundle behind an alert.
pub(super) async fn bundle(
    conn: &mut SqliteConnection,
    alert: AlertId,
) -> Result<Option<BundleRow>, sqlx::Error> {
    let row = sqlx::query("select * from source_bundle where alert_id = ?")
        .bind(alert.as_bytes())
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(bundle_row).transpose()
}

/// Silences and windows, those that end last first.
pub async fn silences(conn: &mut SqliteConnection) -> Result<Vec<SilenceRow>, sqlx::Error> {
    let found = sqlx::query("select * from source_silence order by until_ms desc, silence_id")
        .fetch_all(conn)
        .await?;
    found.iter().map(silence_row).collect()
}

/// The silence or window with this id.
pub(super) async fn silence(
    conn: &mut SqliteConnection,
    id: &str,
) -> Result<Option<SilenceRow>, sqlx::Error> {
    let row = sqlx::query("select * from source_silence where silence_id = ?")
        .bind(id)
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(silence_row).transpose()
}

/// Silences and windows that may swallow something at `now`, those that end last first.
pub(super) async fn silences_at(
    conn: &mut SqliteConnection,
    now: Timestamp,
) -> Result<Vec<Silence>, sqlx::Error> {
    let found = sqlx::query(
        "select * from source_silence where due_ms is not null and from_ms <= ? order by until_ms desc, silence_id",
    )
    .bind(now.0)
    .fetch_all(conn)
    .await?;
    found
        .iter()
        .map(|row| Ok(silence_row(row)?.silence))
        .collect()
}

/// Whether everything automatic is held at `now`, and by whom.
pub async fn stop(
    conn: &mut SqliteConnection,
    now: Timestamp,
) -> Result<Option<Stop>, sqlx::Error> {
    Ok(stop_row(conn).await?.filter(|stop| now < stop.until))
}

/// The stop's row, also after its time.
pub(super) async fn stop_row(conn: &mut SqliteConnection) -> Result<Option<Stop>, sqlx::Error> {
    let row = sqlx::query("select * from source_stop where id = 1")
        .fetch_optional(conn)
        .await?;
    row.map(|row| {
        Ok(Stop {
            since: rows::time(&row, "since_ms")?,
            until: rows::time(&row, "until_ms")?,
            reason: row.try_get("reason")?,
            by: row.try_get("made_by")?,
            swallowed: rows::unsigned(&row, "swallowed")?,
        })
    })
    .transpose()
}

/// What holds for all sources.
pub async fn settings(conn: &mut SqliteConnection) -> Result<Settings, sqlx::Error> {
    let row = sqlx::query("select person_alarms, duty from source_settings where id = 1")
        .fetch_optional(conn)
        .await?;
    let Some(row) = row else {
        return Ok(Settings::default());
    };
    Ok(Settings {
        person_alarms: rows::unsigned(&row, "person_alarms")?,
        duty: settings::names(rows::json(&row, "duty")?),
    })
}

/// Sources that fell silent after `since`.
pub(super) async fn silent_since(
    conn: &mut SqliteConnection,
    since: Timestamp,
) -> Result<Vec<SourceRow>, sqlx::Error> {
    let found = sqlx::query(
        "select * from source where beat_lost_at_ms > ? order by beat_lost_at_ms, source_key",
    )
    .bind(since.0)
    .fetch_all(conn)
    .await?;
    found.iter().map(source_row).collect()
}

/// What is due at `now`, oldest first. On an island only those signs of life are missed that came to it before.
pub async fn due(
    conn: &mut SqliteConnection,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<Due>, sqlx::Error> {
    let island = nodes::fork(conn).await?.map(|fork| fork.entered_at.0);
    let found = sqlx::query(
        "select 'beat' as what, source_key as a, '' as b, x'' as alert, beat_due_ms as at_ms from source \
          where beat_due_ms <= ?1 and enabled = 1 and (?2 is null or beat_at_ms > ?2) \
         union all select 'bundle', '', '', alert_id, due_ms from source_bundle where due_ms <= ?1 \
         union all select 'settled', source_key, dedup_key, x'', settle_due_ms from source_signal where settle_due_ms <= ?1 \
         union all select 'silence', silence_id, '', x'', due_ms from source_silence where due_ms <= ?1 \
         union all select 'stop', '', '', x'', until_ms from source_stop where until_ms <= ?1 \
         order by at_ms, what, a, b, alert limit ?3",
    )
    .bind(now.0)
    .bind(island)
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    found
        .iter()
        .map(|row| {
            let a: String = row.try_get("a")?;
            let what = match row.try_get::<&str, _>("what")? {
                "beat" => DueWhat::Beat { source: a },
                "bundle" => DueWhat::Bundle {
                    alert: AlertId::from_row(row.try_get("alert")?)?,
                },
                "settled" => DueWhat::Settled {
                    source: a,
                    key: row.try_get("b")?,
                },
                "silence" => DueWhat::Silence { id: a },
                _ => DueWhat::Stop,
            };
            let at = rows::time(row, "at_ms")?;
            Ok(Due { what, at })
        })
        .collect()
}

/// When something of a source, a bundle, a silence or a stop is due next.
pub(crate) const NEXT_DUE: &str = "(select min(at_ms) from ( \
     select min(beat_due_ms) as at_ms from source where beat_due_ms is not null and enabled = 1 \
     union all select min(due_ms) from source_bundle where due_ms is not null \
     union all select min(settle_due_ms) from source_signal where settle_due_ms is not null \
     union all select min(due_ms) from source_silence where due_ms is not null \
     union all select min(until_ms) from source_stop))";

fn source_row(row: &SqliteRow) -> Result<SourceRow, sqlx::Error> {
    let token: Option<&[u8]> = row.try_get("token_hash")?;
    let every: Option<i64> = row.try_get("beat_every_ms")?;
    let grace: Option<i64> = row.try_get("beat_grace_ms")?;
    let mut source = Source {
        key: row.try_get("source_key")?,
        name: row.try_get("name")?,
        // A kind of a newer version takes nothing here, as a contact does from outside.
        kind: Kind::parse(row.try_get("kind")?).unwrap_or(Kind::Contact),
        calls: Vec::new(),
        severity: Severity::Critical,
        severities: Vec::new(),
        gather: String::new(),
        mapping: Mapping::default(),
        on_resolve: OnResolve::Note,
        brake: Brake::default(),
        beat: every.map(|every| Beat {
            every_ms: every.unsigned_abs(),
            grace_ms: grace.unwrap_or(0).unsigned_abs(),
        }),
        enabled: row.try_get("enabled")?,
        answers: false,
    };
    rows::json::<Stored>(row, "settings")?.fill(&mut source);
    Ok(SourceRow {
        source,
        token_hash: token
            .map(<[u8; 32]>::try_from)
            .transpose()
            .map_err(|e| sqlx::Error::Decode(e.into()))?,
        token_set_at: rows::time_opt(row, "token_set_at_ms")?,
        last_new_at: rows::time_opt(row, "last_new_at_ms")?,
        level: Severity::of_rank(row.try_get("level")?),
        signals: rows::unsigned(row, "signals")?,
        held: rows::unsigned(row, "held")?,
        beat_at: rows::time_opt(row, "beat_at_ms")?,
        beat_due: rows::time_opt(row, "beat_due_ms")?,
        beat_lost_at: rows::time_opt(row, "beat_lost_at_ms")?,
    })
}

fn signal_row(row: &SqliteRow) -> Result<SignalRow, sqlx::Error> {
    let alert: Option<&[u8]> = row.try_get("alert_id")?;
    let number: Option<i64> = row.try_get("number")?;
    Ok(SignalRow {
        source: row.try_get("source_key")?,
        key: row.try_get("dedup_key")?,
        severity: Severity::of_rank(row.try_get("severity")?),
        status: Status::parse(row.try_get("status")?).unwrap_or(Status::Actual),
        texts: rows::json(row, "texts")?,
        labels: rows::json(row, "labels")?,
        open: row.try_get("open")?,
        held: Held::parse(row.try_get("held")?),
        silence: row.try_get("silence_id")?,
        alert: alert.map(AlertId::from_row).transpose()?,
        label: number.map(|number| number.to_string()),
        count: rows::unsigned(row, "count")?,
        changes: rows::unsigned(row, "changes")?,
        changes_since: rows::time(row, "changes_since_ms")?,
        settle_due: rows::time_opt(row, "settle_due_ms")?,
        first_at: rows::time(row, "first_at_ms")?,
        last_at: rows::time(row, "last_at_ms")?,
        ended_at: rows::time_opt(row, "ended_at_ms")?,
        alert_open: row
            .try_get::<Option<bool>, _>("alert_open")?
            .unwrap_or(false),
    })
}

fn bundle_row(row: &SqliteRow) -> Result<BundleRow, sqlx::Error> {
    Ok(BundleRow {
        alert: AlertId::from_row(row.try_get("alert_id")?)?,
        scope: row.try_get("scope")?,
        source_name: row.try_get("source_name")?,
        severity: Severity::of_rank(row.try_get("severity")?),
        count: rows::unsigned(row, "count")?,
        unlisted: rows::unsigned(row, "unlisted")?,
        newest: rows::json(row, "newest")?,
        told: rows::unsigned(row, "told")?,
        told_at: rows::time(row, "told_at_ms")?,
        last_at: rows::time(row, "last_at_ms")?,
        window_ms: row.try_get("window_ms")?,
        tell_every_ms: row.try_get("tell_every_ms")?,
        closes: row.try_get("closes")?,
        active: row.try_get("active")?,
        due: rows::time_opt(row, "due_ms")?,
    })
}

fn silence_row(row: &SqliteRow) -> Result<SilenceRow, sqlx::Error> {
    let matchers: Vec<(String, String, String)> = rows::json(row, "matchers")?;
    Ok(SilenceRow {
        silence: Silence {
            id: row.try_get("silence_id")?,
            kind: SilenceKind::parse(row.try_get("kind")?).unwrap_or(SilenceKind::Silence),
            source: row.try_get("source_key")?,
            matchers: matchers
                .into_iter()
                .map(|(label, test, value)| Matcher {
                    label,
                    // A test of a newer version is read as the narrowest, so that less is swallowed.
                    test: Test::parse(&test).unwrap_or(Test::Is),
                    value,
                })
                .collect(),
            from: rows::time(row, "from_ms")?,
            until: rows::time(row, "until_ms")?,
            reason: row.try_get("reason")?,
        },
        by: row.try_get("made_by")?,
        made_at: rows::time(row, "made_at_ms")?,
        swallowed: rows::unsigned(row, "swallowed")?,
        newest: row.try_get("newest")?,
        due: rows::time_opt(row, "due_ms")?,
    })
}
