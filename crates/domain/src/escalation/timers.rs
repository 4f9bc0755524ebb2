//! What is due about single people called: reminders to the silent, and asking whether those coming still are. Writes to
//! `call_timer` and to the words of `called_person`.
//!
//! A timer is a row, worked out from the call's own row and the plan's conduct; there is at most one for each call. So an
//! island, a join and a restart come to the same timers, and nothing about them is joined.

use std::collections::BTreeMap;
use std::time::Duration;

use sqlx::{Row, SqliteConnection};

use super::apply::{content_of, judge, say};
use super::plan_row::{PlanRowFull, load, save};
use super::rules::Phase;
use crate::apply::Entry;
use crate::deliveries::{self, Update, ways};
use crate::ids::{AlertId, RecipientId};
use crate::outcome::{Outcome, Receipt, Refusal};
use crate::recipients::{self, PersonRow};
use crate::texts::Language;
use crate::time::{Civil, CivilTime, Timestamp};
use crate::vocabulary::AlertKind;
use crate::{nodes, rows};

/// Timers dealt with in one log entry.
const TIMERS_AT_ONCE: i64 = 1_000;

/// Names in one message about people who count no more.
const NAMED_MAX: usize = 20;

/// A call whose time has come.
struct Due {
    recipient: RecipientId,
    what: What,
    code: String,
    answered_at: Option<Timestamp>,
}

/// What is to be done about a person called.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum What {
    Remind,
    Confirm,
    Lapse,
}

/// Sets the timers of some of those called, or of all, anew. One that is there already and means the same never comes
/// earlier by it; what was just done at `done` is followed by a whole pause.
pub(super) async fn set(
    conn: &mut SqliteConnection,
    row: &PlanRowFull,
    people: Option<&[RecipientId]>,
    done: Timestamp,
) -> Result<(), sqlx::Error> {
    let conduct = &row.policy.conduct;
    if conduct.reminders == 0 && conduct.confirm_ms == 0 {
        return Ok(());
    }
    if row.plan.phase != Phase::Calling {
        return clear(conn, row.alert).await;
    }
    let only = people.map(|people| rows::hex_array(people.iter().map(RecipientId::as_bytes)));
    let ms = |ms: u64| i64::try_from(ms).unwrap_or(i64::MAX);
    sqlx::query(
        "insert into call_timer (alert_id, recipient_id, what, due_ms) select c.alert_id, c.recipient_id, \
         case when c.answer = '' then 'remind' when c.word = 'asked' then 'lapse' else 'confirm' end, \
         max(?3, case when c.answer = '' then max(c.called_at_ms + ?4 * (c.reminded + 1), ?7 + ?4) \
          when c.word = 'asked' then max(c.answered_at_ms + ?6, ?7 + ?6 / 2) else c.answered_at_ms + ?6 / 2 end) \
         from called_person c where c.alert_id = ?1 and c.closed_at_ms is null \
         and (?2 is null or c.recipient_id in (select unhex(value) from json_each(?2))) \
         and ((c.answer = '' and c.reminded < ?5 and not exists (select 1 from safety_mark m \
           where m.alert_id = c.alert_id and m.recipient_id = c.recipient_id)) \
          or (c.answer = 'coming' and ?6 > 0 and c.word in ('given', 'asked'))) order by c.recipient_id \
         on conflict (alert_id, recipient_id) do update set what = excluded.what, \
         due_ms = case when what = excluded.what then max(due_ms, excluded.due_ms) else excluded.due_ms end",
    )
    .bind(row.alert.as_bytes())
    .bind(&only)
    .bind(row.hold_until.0)
    .bind(ms(conduct.remind_every_ms))
    .bind(i64::from(conduct.reminders))
    .bind(ms(conduct.confirm_ms))
    .bind(done.0)
    .execute(&mut *conn)
    .await?;
    sqlx::query(
        "delete from call_timer where alert_id = ?1 \
         and (?2 is null or recipient_id in (select unhex(value) from json_each(?2))) \
         and not exists (select 1 from called_person c where c.alert_id = call_timer.alert_id \
          and c.recipient_id = call_timer.recipient_id and c.closed_at_ms is null \
          and ((c.answer = '' and c.reminded < ?3 and not exists (select 1 from safety_mark m \
            where m.alert_id = c.alert_id and m.recipient_id = c.recipient_id)) \
           or (c.answer = 'coming' and ?4 > 0 and c.word in ('given', 'asked'))))",
    )
    .bind(row.alert.as_bytes())
    .bind(&only)
    .bind(i64::from(conduct.reminders))
    .bind(ms(conduct.confirm_ms))
    .execute(conn)
    .await?;
    Ok(())
}

/// Nothing was just done: timers count from what the rows say.
pub(super) const NOTHING_DONE: Timestamp = Timestamp(0);

/// An alert is over: nothing more is due about those called.
pub(super) async fn clear(conn: &mut SqliteConnection, alert: AlertId) -> Result<(), sqlx::Error> {
    sqlx::query("delete from call_timer where alert_id = ?")
        .bind(alert.as_bytes())
        .execute(conn)
        .await?;
    Ok(())
}

/// Does what is due about those called to an alert, as many as fit into one entry: the silent are reminded, those coming
/// are asked to say so once more, and those who did not are counted no longer, upon which the step is judged anew.
pub(super) async fn tend(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    alert: AlertId,
) -> Result<Outcome, sqlx::Error> {
    let Some(mut row) = load(conn, alert).await? else {
        return Ok(Outcome::Refused(Refusal::UnknownAlert));
    };
    let due = due(conn, alert, entry.at).await?;
    if due.is_empty() {
        return Ok(Outcome::Unchanged);
    }
    let of = |what: What| -> Vec<&Due> { due.iter().filter(|due| due.what == what).collect() };
    let (silent, asked, lapsed) = (of(What::Remind), of(What::Confirm), of(What::Lapse));
    // With enough coming nobody is bothered any more; the reminder counts as sent, so that there is an end to it.
    let wanted = !row.plan.satisfied || row.policy.conduct.kind == AlertKind::SafetyCheck;
    mark(
        conn,
        alert,
        &silent,
        "update called_person set reminded = reminded + 1 \
         where alert_id = ? and recipient_id in (select unhex(value) from json_each(?))",
    )
    .await?;
    mark(
        conn,
        alert,
        &asked,
        "update called_person set word = 'asked' \
         where alert_id = ? and recipient_id in (select unhex(value) from json_each(?))",
    )
    .await?;
    mark(
        conn,
        alert,
        &lapsed,
        "update called_person set word = 'lapsed' \
         where alert_id = ? and recipient_id in (select unhex(value) from json_each(?))",
    )
    .await?;
    if wanted {
        remind(conn, entry, &row, &silent).await?;
    }
    remind(conn, entry, &row, &asked).await?;
    if !lapsed.is_empty() {
        row.coming = row
            .coming
            .saturating_sub(u16::try_from(lapsed.len()).unwrap_or(u16::MAX));
        judge(conn, entry, &mut row).await?;
        save(conn, &row, entry.at).await?;
        tell_of_lapsed(conn, entry, alert, &lapsed).await?;
    }
    let people: Vec<RecipientId> = due.iter().map(|due| due.recipient).collect();
    set(conn, &row, Some(&people), entry.at).await?;
    Ok(Outcome::Applied(Receipt::None))
}

async fn due(
    conn: &mut SqliteConnection,
    alert: AlertId,
    now: Timestamp,
) -> Result<Vec<Due>, sqlx::Error> {
    let found = sqlx::query(
        "select t.recipient_id, t.what, c.code, c.answered_at_ms from call_timer t join called_person c \
         on c.alert_id = t.alert_id and c.recipient_id = t.recipient_id where t.alert_id = ? and t.due_ms <= ? \
         order by t.due_ms, t.recipient_id limit ?",
    )
    .bind(alert.as_bytes())
    .bind(now.0)
    .bind(TIMERS_AT_ONCE)
    .fetch_all(conn)
    .await?;
    found
        .iter()
        .map(|row| {
            Ok(Due {
                recipient: RecipientId::from_row(row.try_get("recipient_id")?)?,
                what: match row.try_get::<&str, _>("what")? {
                    "confirm" => What::Confirm,
                    "lapse" => What::Lapse,
                    _ => What::Remind,
                },
                code: row.try_get("code")?,
                answered_at: rows::time_opt(row, "answered_at_ms")?,
            })
        })
        .collect()
}

/// Runs an update on the calls of some people.
async fn mark(
    conn: &mut SqliteConnection,
    alert: AlertId,
    who: &[&Due],
    update: &'static str,
) -> Result<(), sqlx::Error> {
    if who.is_empty() {
        return Ok(());
    }
    sqlx::query(update)
        .bind(alert.as_bytes())
        .bind(rows::hex_array(
            who.iter().map(|due| due.recipient.as_bytes()),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// Owes each of these people a reminder over the way they are called by first; at critical over all of them.
async fn remind(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    row: &PlanRowFull,
    who: &[&Due],
) -> Result<(), sqlx::Error> {
    if who.is_empty() {
        return Ok(());
    }
    let content = content_of(row)?;
    let organisation = nodes::organisation(conn).await?;
    let civil = nodes::civil(conn).await?;
    let prefixes = recipients::prefixes(conn).await?;
    let ids: Vec<RecipientId> = who.iter().map(|due| due.recipient).collect();
    let known: BTreeMap<RecipientId, PersonRow> = recipients::by_ids(conn, &ids)
        .await?
        .into_iter()
        .map(|person| (person.id, person))
        .collect();
    let mut updates = Vec::new();
    for due in who {
        let Some(person) = known.get(&due.recipient) else {
            continue;
        };
        let language = Language::parse(&person.language);
        let (subject, body) = match until(row, due, entry.at, &civil) {
            Some(until) => content.still_coming(&organisation, language, until),
            None => content.reminder(&organisation, language),
        };
        let allowed = |method: &&recipients::ContactMethod| {
            recipients::check_prefix(&prefixes, method).is_ok()
        };
        let usable: Vec<_> = person.methods.iter().filter(allowed).cloned().collect();
        let at_once = ways(&usable, &content.channels, row.critical).into_iter();
        updates.extend(
            at_once
                .filter(|(_, at_once)| *at_once)
                .map(|(method, _)| Update {
                    alert: Some(row.alert),
                    recipient: Some(due.recipient),
                    kind: method.kind(),
                    address: method.address().to_owned(),
                    language: language.tag(),
                    lane: row.lane,
                    critical: row.critical,
                    code: due.code.clone(),
                    subject: subject.clone(),
                    body: body.clone(),
                }),
        );
    }
    deliveries::remind(conn, entry, &updates).await
}

/// By when somebody coming has to say so again; nothing for the silent.
fn until(row: &PlanRowFull, due: &Due, now: Timestamp, civil: &Civil) -> Option<CivilTime> {
    let answered_at = due.answered_at.filter(|_| due.what == What::Confirm)?;
    let whole = Duration::from_millis(row.policy.conduct.confirm_ms);
    Some(civil.at((answered_at + whole).max(now + whole / 2)))
}

/// Says in the room who counts no more.
async fn tell_of_lapsed(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    alert: AlertId,
    who: &[&Due],
) -> Result<(), sqlx::Error> {
    let ids: Vec<RecipientId> = who
        .iter()
        .map(|due| due.recipient)
        .take(NAMED_MAX)
        .collect();
    let people = recipients::by_ids(conn, &ids).await?;
    let mut names: Vec<&str> = people.iter().map(|person| person.name.as_str()).collect();
    if who.len() > NAMED_MAX {
        names.push("others");
    }
    let note = format!(
        "Said to be coming, asked again and did not answer, so not counted any more: {}.",
        names.join(", ")
    );
    say(conn, entry, alert, &note).await
}
