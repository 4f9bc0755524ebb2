//! Alerts that stand for many alarms: one code, one escalation, a count that people are told of now and then.

use sqlx::SqliteConnection;

use super::call::{self, Alarm, Told};
use super::query::{self, BundleRow};
use super::{OnResolve, Signal, SourceRow, alert_key, scope};
use crate::apply::Entry;
use crate::deliveries::{self, Lane, Update};
use crate::escalation;
use crate::ids::{AlertId, RecipientId, RoomId};
use crate::recipients::{self, ContactMethod};
use crate::script::Script;
use crate::texts::{self, Language};
use crate::time::Timestamp;
use crate::vocabulary::{Answer, Severity, Status};
use crate::{alerts, conversations, nodes, rows};

/// A bundle that waits for signals to end is looked at this often.
const LOOK_MS: i64 = 3_600_000;

/// Most people told that one bundle has grown.
const TOLD_MAX: u32 = 2_000;

/// What a bundle that does not exist yet would be.
#[derive(Clone, Debug)]
pub(super) struct Gathering<'a> {
    /// `source:…`, `people:…` or `beats:…`: whose alarms it takes.
    pub(super) scope: &'a str,
    pub(super) source_name: &'a str,
    /// The alert's texts.
    pub(super) first: Vec<(String, String)>,
    pub(super) window_ms: i64,
    pub(super) tell_every_ms: i64,
    pub(super) closes: bool,
}

/// Adds an alarm to the bundle of a scope, or begins one that calls `people`.
pub(super) async fn gather(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    gathering: &Gathering<'_>,
    alarm: &Alarm<'_>,
    people: &[RecipientId],
) -> Result<Option<AlertId>, sqlx::Error> {
    if let Some(bundle) = fitting(conn, gathering.scope, alarm.severity).await? {
        let mut script = Script::default();
        add(&mut script, entry, bundle.alert, alarm)?;
        script.execute(conn).await?;
        return Ok(Some(bundle.alert));
    }
    let first = Alarm {
        key: alert_key(alarm.status, gathering.scope, ""),
        texts: gathering.first.clone(),
        ..alarm.clone()
    };
    let Some(alert) = call::raise(conn, entry, &first, people).await? else {
        return Ok(None);
    };
    insert(conn, entry, alert, gathering, alarm).await?;
    Ok(Some(alert))
}

/// Adds a signal to its source's bundle when `script` runs, or begins one.
pub(super) async fn of_source(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    row: &SourceRow,
    signal: &Signal,
    alarm: Alarm<'_>,
    script: &mut Script,
) -> Result<Told, sqlx::Error> {
    let source = &row.source;
    let scope = scope(signal.status, "source", &source.key);
    if let Some(bundle) = fitting(conn, &scope, signal.severity).await? {
        add(script, entry, bundle.alert, &alarm)?;
        return Ok(Told::Gathered(bundle.alert));
    }
    let first = call::in_all(|language| {
        texts::bundle(
            language,
            &source.name,
            call::text_in(&alarm.texts, language),
        )
    });
    let bundle = Alarm {
        key: alert_key(signal.status, &source.key, ""),
        texts: first.clone(),
        ..alarm.clone()
    };
    let told = call::alarm(conn, entry, bundle).await?;
    if let Told::Alert(alert) = told {
        let gathering = Gathering {
            scope: &scope,
            source_name: &source.name,
            first,
            window_ms: source.brake.window_ms.cast_signed(),
            tell_every_ms: source.brake.tell_every_ms.cast_signed(),
            closes: source.on_resolve == OnResolve::Close,
        };
        insert(conn, entry, alert, &gathering, &alarm).await?;
    }
    Ok(told)
}

/// The bundle that takes an alarm of this severity. One whose alert people ended, or that is less severe, takes no more.
async fn fitting(
    conn: &mut SqliteConnection,
    scope: &str,
    severity: Severity,
) -> Result<Option<BundleRow>, sqlx::Error> {
    let Some((bundle, is_open)) = query::active_bundle(conn, scope).await? else {
        return Ok(None);
    };
    if !is_open {
        forget(conn, bundle.alert).await?;
        return Ok(None);
    }
    if bundle.severity < severity {
        sqlx::query("update source_bundle set active = 0 where alert_id = ?")
            .bind(bundle.alert.as_bytes())
            .execute(conn)
            .await?;
        return Ok(None);
    }
    Ok(Some(bundle))
}

async fn insert(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    alert: AlertId,
    gathering: &Gathering<'_>,
    alarm: &Alarm<'_>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into source_bundle (alert_id, scope, source_name, severity, count, unlisted, newest, told, told_at_ms, \
         last_at_ms, window_ms, tell_every_ms, closes, active, due_ms) \
         values (?1, ?2, ?3, ?4, 1, ?5, ?6, 1, ?7, ?7, ?8, ?9, ?10, 1, ?11) on conflict (alert_id) do nothing",
    )
    .bind(alert.as_bytes())
    .bind(gathering.scope)
    .bind(gathering.source_name)
    .bind(alarm.severity.rank())
    .bind(!alarm.listed)
    .bind(rows::to_json(&alarm.texts)?)
    .bind(entry.at.0)
    .bind(gathering.window_ms)
    .bind(gathering.tell_every_ms)
    .bind(gathering.closes)
    .bind(entry.at.0 + gathering.window_ms)
    .execute(conn)
    .await?;
    Ok(())
}

fn add(
    script: &mut Script,
    entry: &Entry<'_>,
    alert: AlertId,
    alarm: &Alarm<'_>,
) -> Result<(), sqlx::Error> {
    script
        .add(
            "update source_bundle set count = count + 1, unlisted = unlisted + ?, newest = ?, last_at_ms = ?, \
             due_ms = min(told_at_ms + tell_every_ms, ? + window_ms) where alert_id = ?",
        )
        .bind(!alarm.listed)
        .bind(rows::to_json(&alarm.texts)?)
        .bind(entry.at.0)
        .bind(entry.at.0)
        .bind(alert.0.to_vec());
    Ok(())
}

/// A listed signal of a bundle is over; says whether the alert is one.
pub(super) async fn one_over(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    alert: AlertId,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "update source_bundle set due_ms = max(?1, min(told_at_ms + case when count > told then tell_every_ms \
         else window_ms end, last_at_ms + window_ms)) where alert_id = ?2",
    )
    .bind(entry.at.0)
    .bind(alert.as_bytes())
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Something of a source is over that has no row of its own; perhaps one of those its bundle only counted.
pub(super) async fn unlisted_over(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    source: &str,
    status: Status,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update source_bundle set unlisted = unlisted - 1, due_ms = max(?1, last_at_ms + window_ms) \
         where alert_id = (select alert_id from source_bundle where scope = ?2 and unlisted > 0 \
          order by last_at_ms, alert_id limit 1)",
    )
    .bind(entry.at.0)
    .bind(scope(status, "source", source))
    .execute(conn)
    .await?;
    Ok(())
}

/// Does what a bundle is due for: tells its growth, stops taking alarms once quiet, ends when all of it is over.
pub(super) async fn review(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    bundle: &BundleRow,
) -> Result<(), sqlx::Error> {
    if !alerts::is_open(conn, bundle.alert).await? {
        return forget(conn, bundle.alert).await;
    }
    let mut told_at = bundle.told_at;
    if bundle.count > bundle.told && entry.at.0 >= bundle.told_at.0 + bundle.tell_every_ms {
        tell_growth(conn, entry, bundle).await?;
        told_at = entry.at;
    }
    let quiet = entry.at.0 >= bundle.last_at.0 + bundle.window_ms;
    let over = bundle.unlisted == 0 && !query::any_open(conn, bundle.alert).await?;
    if quiet && over {
        return end(conn, entry, bundle).await;
    }
    let untold = bundle.count > bundle.told && told_at == bundle.told_at;
    let next = match (untold, quiet) {
        (true, _) => bundle.told_at.0 + bundle.tell_every_ms,
        (false, false) => bundle.last_at.0 + bundle.window_ms,
        (false, true) => entry.at.0 + LOOK_MS,
    };
    sqlx::query(
        "update source_bundle set told = case when told_at_ms <> ?1 then count else told end, told_at_ms = ?1, \
         active = case when ?2 then 0 else active end, due_ms = ?3 where alert_id = ?4",
    )
    .bind(told_at.0)
    .bind(quiet)
    .bind(next)
    .bind(bundle.alert.as_bytes())
    .execute(conn)
    .await?;
    Ok(())
}

async fn end(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    bundle: &BundleRow,
) -> Result<(), sqlx::Error> {
    let note = format!(
        "all {} alarms of {} are over",
        bundle.count, bundle.source_name
    );
    over(conn, entry, bundle.alert, bundle.closes, &note).await?;
    forget(conn, bundle.alert).await
}

/// Ends an alert whose signals are all over, or says in its room that they are.
pub(super) async fn over(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    alert: AlertId,
    closes: bool,
    note: &str,
) -> Result<(), sqlx::Error> {
    if closes {
        alerts::resolve(conn, entry, alert, note).await?;
    } else {
        let room = RoomId::of_alert(alert);
        conversations::post(conn, entry, room, "Holdfast", "system", note).await?;
    }
    Ok(())
}

/// One text with the count to everyone the alert called, except those who cannot come.
async fn tell_growth(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    bundle: &BundleRow,
) -> Result<(), sqlx::Error> {
    let Some(alert) = alerts::find(conn, bundle.alert).await? else {
        return Ok(());
    };
    let mut called = escalation::called(conn, bundle.alert, 0, TOLD_MAX).await?;
    called.retain(|call| call.closed_at.is_none() && call.answer != Some(Answer::Cannot));
    let ids: Vec<RecipientId> = called.iter().map(|call| call.recipient).collect();
    let organisation = nodes::organisation(conn).await?;
    let people = recipients::by_ids(conn, &ids).await?;
    let mut updates = Vec::with_capacity(people.len());
    for person in &people {
        let call = called.iter().find(|call| call.recipient == person.id);
        let (Some(call), Some(method)) = (call, person.methods.first()) else {
            continue;
        };
        let language = Language::parse(&person.language);
        let newest = call::text_in(&bundle.newest, language);
        let (kind, address) = match method {
            ContactMethod::Sms(number) => ("sms", number),
            ContactMethod::Email(address) => ("email", address),
        };
        updates.push(Update {
            alert: Some(bundle.alert),
            recipient: Some(person.id),
            kind,
            address: address.clone(),
            language: language.tag(),
            lane: Lane::Rest,
            critical: bundle.severity == Severity::Critical,
            code: call.code.clone(),
            subject: format!("{organisation} {}: {}", alert.label, bundle.count),
            body: texts::grown(
                language,
                &organisation,
                alert.status,
                &alert.label,
                bundle.count,
                newest,
            ),
        });
    }
    deliveries::update(conn, entry, &updates).await?;
    let said = format!(
        "{} alarms by now, newest: {}",
        bundle.count,
        call::text_in(&bundle.newest, Language::english())
    );
    let room = RoomId::of_alert(bundle.alert);
    conversations::post(
        conn,
        entry,
        room,
        "Holdfast",
        "system",
        &texts::clip(&said, 2_000),
    )
    .await?;
    Ok(())
}

async fn forget(conn: &mut SqliteConnection, alert: AlertId) -> Result<(), sqlx::Error> {
    sqlx::query("delete from source_bundle where alert_id = ?")
        .bind(alert.as_bytes())
        .execute(conn)
        .await?;
    Ok(())
}

/// The first text of a bundle that began with this entry named everything that is in it so far.
pub(super) async fn all_named(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    scope: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update source_bundle set told = count, due_ms = last_at_ms + window_ms \
         where scope = ? and active = 1 and told_at_ms = ?",
    )
    .bind(scope)
    .bind(entry.at.0)
    .execute(conn)
    .await?;
    Ok(())
}

/// Whether a bundle is still due when the scheduler thought so.
pub(super) fn still_due(bundle: &BundleRow, at: Timestamp) -> bool {
    bundle.due == Some(at)
}
