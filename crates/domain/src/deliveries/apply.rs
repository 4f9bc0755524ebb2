//! Writes to `delivery`, `attempt` and `delivery_text`.

use std::collections::BTreeMap;

use serde_json::json;
use sqlx::{Row, SqliteConnection};

use super::rules::after_send;
use super::{
    Assignment, AttemptRef, AttemptReport, AttemptResult, Command, Lane, NONE, Purpose, Report,
    SendOutcome, State,
};
use crate::apply::Entry;
use crate::ids::{AlertId, DeliveryId, NodeId, RecipientId};
use crate::outcome::{Outcome, Receipt};
use crate::recipients::{ContactMethod, PersonRow};
use crate::texts::Language;
use crate::{nodes, rows};

/// How long a reply to a text is worth sending.
const REPLY_VALIDITY_MS: i64 = 3_600_000;

pub(crate) async fn apply(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    command: &Command,
) -> Result<Outcome, sqlx::Error> {
    let changed = match command {
        Command::Assign { assignments } => assign(conn, entry, assignments).await?,
        Command::RecordAttempts { node, results } => {
            record_attempts(conn, entry, *node, results).await?
        }
        Command::RecordReports { reports } => record_reports(conn, entry, reports).await?,
        Command::Reclaim { attempts } => reclaim(conn, entry, attempts).await?,
        Command::Resend { deliveries } => resend(conn, entry, deliveries).await?,
        Command::Activate { deliveries } => activate(conn, entry, deliveries).await?,
        Command::Expire { deliveries } => expire(conn, entry, deliveries).await?,
    };
    Ok(if changed == 0 {
        Outcome::Unchanged
    } else {
        Outcome::Applied(Receipt::Count(changed))
    })
}

/// People to be paged about an alert in one go.
pub(crate) struct NewPage<'a> {
    pub(crate) alert: AlertId,
    pub(crate) step: u16,
    pub(crate) round: u16,
    pub(crate) lane: Lane,
    pub(crate) critical: bool,
    pub(crate) validity_ms: i64,
    pub(crate) people: &'a [Paged<'a>],
}

/// One person with the code that answers this alert.
pub(crate) struct Paged<'a> {
    pub(crate) id: RecipientId,
    pub(crate) code: &'a str,
    /// Absent when the person was removed since the alert was raised.
    pub(crate) person: Option<&'a PersonRow>,
}

/// Owes each person a text per contact method: at critical over all at once, otherwise over the first, with the others
/// standing by (DESIGN C4). Somebody who cannot be reached at all gets a failed delivery, so that it is seen.
pub(crate) async fn create_pages(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    page: &NewPage<'_>,
) -> Result<u64, sqlx::Error> {
    let mut new = Vec::new();
    for paged in page.people {
        let methods = paged.person.map_or(&[][..], |person| &person.methods);
        let language = Language::parse(paged.person.map_or("", |person| &person.language)).tag();
        let mut row = |method: usize, kind: &str, address: &str, state: State, reason: &str| {
            let id = DeliveryId::derive(&[
                page.alert.as_bytes(),
                b"page",
                &page.step.to_be_bytes(),
                &page.round.to_be_bytes(),
                paged.id.as_bytes(),
                &(method as u64).to_be_bytes(),
            ]);
            new.push(json!([
                data_encoding::HEXUPPER.encode(id.as_bytes()),
                data_encoding::HEXUPPER.encode(paged.id.as_bytes()),
                method,
                kind,
                address,
                language,
                state.name(),
                reason,
                paged.code
            ]));
        };
        for (position, method) in methods.iter().enumerate() {
            let (kind, address) = match method {
                ContactMethod::Sms(number) => ("sms", number),
                ContactMethod::Email(address) => ("email", address),
            };
            let state = if position == 0 || page.critical {
                State::Pending
            } else {
                State::Standby
            };
            row(position, kind, address, state, "");
        }
        if methods.is_empty() {
            row(
                0,
                "none",
                "",
                State::Failed,
                "no contact method; add a phone number or a mail address",
            );
        }
    }
    let made = sqlx::query(
        "insert into delivery (delivery_id, alert_id, recipient_id, purpose, step, round, method, kind, address, \
         language, lane, critical, state, reason, code, subject, body, possible_repeat, renumbered, awaiting, attempts, \
         avoid_node, avoid_channel, created_at_ms, wanted_since_ms, due_at_ms, expires_at_ms, ended_at_ms) \
         select unhex(value ->> 0), ?1, unhex(value ->> 1), 'page', ?2, ?3, value ->> 2, value ->> 3, value ->> 4, \
         value ->> 5, ?4, ?5, value ->> 6, value ->> 7, value ->> 8, '', '', 0, 0, 1, 0, 0, '', ?6, ?6, ?6, ?7, \
         case when value ->> 6 = 'failed' then ?6 end from json_each(?8) where true order by key \
         on conflict (delivery_id) do nothing",
    )
    .bind(page.alert.as_bytes())
    .bind(i64::from(page.step))
    .bind(i64::from(page.round))
    .bind(page.lane.rank())
    .bind(page.critical)
    .bind(entry.at.0)
    .bind(entry.at.0.saturating_add(page.validity_ms))
    .bind(rows::to_json(&new)?)
    .execute(conn)
    .await?;
    Ok(made.rows_affected())
}

/// A text of one purpose in one language over one kind of channel.
pub(crate) struct FrozenText {
    pub(crate) language: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) subject: String,
    pub(crate) body: String,
}

/// Freezes an alert's texts for a purpose (DESIGN C4). The first freeze stays.
pub(crate) async fn freeze_texts(
    conn: &mut SqliteConnection,
    alert: AlertId,
    purpose: Purpose,
    texts: &[FrozenText],
) -> Result<(), sqlx::Error> {
    let all: Vec<_> = texts
        .iter()
        .map(|t| json!([t.language, t.kind, t.subject, t.body]))
        .collect();
    sqlx::query(
        "insert into delivery_text (alert_id, purpose, language, kind, subject, body) \
         select ?1, ?2, value ->> 0, value ->> 1, value ->> 2, value ->> 3 from json_each(?3) where true order by key \
         on conflict (alert_id, purpose, language, kind) do nothing",
    )
    .bind(alert.as_bytes())
    .bind(purpose.name())
    .bind(rows::to_json(&all)?)
    .execute(conn)
    .await?;
    Ok(())
}

/// Owes everyone in `people` who was or may have been told about the alert a call-off, over each method they may have
/// been told by, in the order given.
pub(crate) async fn call_off(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    alert: AlertId,
    critical: bool,
    validity_ms: i64,
    people: &[RecipientId],
) -> Result<u64, sqlx::Error> {
    let told = sqlx::query(
        "select j.key as place, d.recipient_id, d.method, d.kind, d.address, d.language, d.code \
         from json_each(?1) j join delivery d on d.alert_id = ?2 and d.recipient_id = unhex(j.value) and d.purpose = 'page' \
         where exists (select 1 from attempt a where a.delivery_id = d.delivery_id and a.state <> 'refused') \
         group by j.key, d.recipient_id, d.method order by j.key, d.method",
    )
    .bind(rows::hex_array(people.iter().map(RecipientId::as_bytes)))
    .bind(alert.as_bytes())
    .fetch_all(&mut *conn)
    .await?;
    let mut new = Vec::with_capacity(told.len());
    for row in &told {
        let (recipient, method): (&[u8], i64) =
            (row.try_get("recipient_id")?, row.try_get("method")?);
        let id = DeliveryId::derive(&[
            alert.as_bytes(),
            b"call_off",
            recipient,
            &method.to_be_bytes(),
        ]);
        new.push(json!([
            data_encoding::HEXUPPER.encode(id.as_bytes()),
            data_encoding::HEXUPPER.encode(recipient),
            method,
            row.try_get::<&str, _>("kind")?,
            row.try_get::<&str, _>("address")?,
            row.try_get::<&str, _>("language")?,
            row.try_get::<&str, _>("code")?,
            // Those who answered first are told first: order of leaving is (lane, due, id), so the place is the due time.
            row.try_get::<i64, _>("place")?
        ]));
    }
    let made = sqlx::query(
        "insert into delivery (delivery_id, alert_id, recipient_id, purpose, step, round, method, kind, address, \
         language, lane, critical, state, reason, code, subject, body, possible_repeat, renumbered, awaiting, attempts, \
         avoid_node, avoid_channel, created_at_ms, wanted_since_ms, due_at_ms, expires_at_ms, ended_at_ms) \
         select unhex(value ->> 0), ?1, unhex(value ->> 1), 'call_off', 0, 0, value ->> 2, value ->> 3, value ->> 4, \
         value ->> 5, ?2, ?3, 'pending', '', value ->> 6, '', '', 0, 0, 0, 0, 0, '', ?4, ?4, ?5 + (value ->> 7), ?6, null \
         from json_each(?7) where true order by key on conflict (delivery_id) do nothing",
    )
    .bind(alert.as_bytes())
    .bind(Lane::CallOff.rank())
    .bind(critical)
    .bind(entry.at.0)
    // Backdated by a page's length, so that none is due later than now.
    .bind(entry.at.0 - people.len() as i64)
    .bind(entry.at.0.saturating_add(validity_ms))
    .bind(rows::to_json(&new)?)
    .execute(conn)
    .await?;
    Ok(made.rows_affected())
}

/// A reply to a text.
#[derive(Clone, Debug)]
pub(crate) struct Notice {
    pub(crate) alert: Option<AlertId>,
    pub(crate) recipient: Option<RecipientId>,
    pub(crate) address: String,
    pub(crate) language: String,
    pub(crate) body: String,
    pub(crate) critical: bool,
    /// Where the text came in: the reply leaves from the same number if it can.
    pub(crate) node: NodeId,
    pub(crate) channel: String,
}

/// Queues a reply.
pub(crate) async fn notice(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    notice: &Notice,
) -> Result<DeliveryId, sqlx::Error> {
    let id = DeliveryId::derive(&[
        b"reply",
        entry.envelope.request.as_bytes(),
        &entry.index.to_be_bytes(),
        notice.address.as_bytes(),
    ]);
    sqlx::query(
        "insert into delivery (delivery_id, alert_id, recipient_id, purpose, step, round, method, kind, address, \
         language, lane, critical, state, reason, code, subject, body, possible_repeat, renumbered, awaiting, attempts, \
         avoid_node, avoid_channel, prefer_node, prefer_channel, created_at_ms, wanted_since_ms, due_at_ms, expires_at_ms, ended_at_ms) \
         values (?, ?, ?, 'reply', 0, 0, 0, 'sms', ?, ?, ?, ?, 'pending', '', '', '', ?, 0, 0, 0, 0, 0, '', ?, ?, ?, ?, ?, ?, null) \
         on conflict (delivery_id) do nothing",
    )
    .bind(id.as_bytes())
    .bind(notice.alert.map_or(NONE, |a| a.0).as_slice())
    .bind(notice.recipient.map_or(NONE, |r| r.0).as_slice())
    .bind(&notice.address)
    .bind(&notice.language)
    .bind(Lane::Reply.rank())
    .bind(notice.critical)
    .bind(&notice.body)
    .bind(notice.node.0.cast_signed())
    .bind(&notice.channel)
    .bind(entry.at.0)
    .bind(entry.at.0)
    .bind(entry.at.0)
    .bind(entry.at.0.saturating_add(REPLY_VALIDITY_MS))
    .execute(conn)
    .await?;
    Ok(id)
}

/// A person answered: what waits is cancelled, what went out counts as acknowledged, nothing is awaited any more.
pub(crate) async fn settle(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    alert: AlertId,
    recipient: RecipientId,
) -> Result<(), sqlx::Error> {
    withdraw(conn, alert, Some(recipient)).await?;
    sqlx::query(
        "update delivery set awaiting = 0, ended_at_ms = coalesce(ended_at_ms, ?1), \
         reason = case when state in ('standby', 'pending', 'assigned') then 'answered' else reason end, \
         state = case when state in ('sent', 'delivered', 'handed_over') then 'acknowledged' \
         when state in ('standby', 'pending', 'assigned') then 'cancelled' else state end \
         where alert_id = ?2 and recipient_id = ?3 and purpose = 'page'",
    )
    .bind(entry.at.0)
    .bind(alert.as_bytes())
    .bind(recipient.as_bytes())
    .execute(conn)
    .await?;
    Ok(())
}

/// The alert is over: what waits is cancelled, no answer is awaited.
pub(crate) async fn cancel_open(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    alert: AlertId,
    reason: &str,
) -> Result<(), sqlx::Error> {
    withdraw(conn, alert, None).await?;
    sqlx::query(
        "update delivery set state = 'cancelled', reason = ?1, ended_at_ms = ?2 \
         where alert_id = ?3 and purpose = 'page' and state in ('standby', 'pending', 'assigned')",
    )
    .bind(reason)
    .bind(entry.at.0)
    .bind(alert.as_bytes())
    .execute(&mut *conn)
    .await?;
    sqlx::query("update delivery set awaiting = 0 where alert_id = ? and awaiting = 1")
        .bind(alert.as_bytes())
        .execute(conn)
        .await?;
    Ok(())
}

/// Takes attempts that have not started back from their nodes. One already under way is recorded when it ends.
async fn withdraw(
    conn: &mut SqliteConnection,
    alert: AlertId,
    recipient: Option<RecipientId>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update attempt set state = 'withdrawn' where state = 'assigned' and delivery_id in \
         (select delivery_id from delivery where alert_id = ?1 and purpose = 'page' and state = 'assigned' \
          and (?2 is null or recipient_id = ?2))",
    )
    .bind(alert.as_bytes())
    .bind(recipient.map(|r| r.0.to_vec()))
    .execute(conn)
    .await?;
    Ok(())
}

async fn assign(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    assignments: &[Assignment],
) -> Result<u64, sqlx::Error> {
    let numbers: BTreeMap<(NodeId, String), String> = nodes::channels(conn)
        .await?
        .into_iter()
        .map(|channel| ((channel.node, channel.name), channel.number))
        .collect();
    let mut changed = 0;
    for assignment in assignments {
        let Some(number) = numbers.get(&(assignment.node, assignment.channel.clone())) else {
            continue;
        };
        let taken = sqlx::query(
            "update delivery set state = 'assigned', attempts = attempts + 1 \
             where delivery_id = ? and state = 'pending' and attempts + 1 = ?",
        )
        .bind(assignment.attempt.delivery.as_bytes())
        .bind(i64::from(assignment.attempt.attempt))
        .execute(&mut *conn)
        .await?;
        if taken.rows_affected() == 0 {
            continue; // answered, cancelled or assigned meanwhile
        }
        sqlx::query(
            "insert into attempt (delivery_id, attempt, node_id, channel, number, state, detail, parts, text_hash, \
             wall_ms, assigned_at_ms, ended_at_ms, report, reported_at_ms) \
             values (?, ?, ?, ?, ?, 'assigned', '', 0, x'', 0, ?, null, '', null)",
        )
        .bind(assignment.attempt.delivery.as_bytes())
        .bind(i64::from(assignment.attempt.attempt))
        .bind(assignment.node.0.cast_signed())
        .bind(&assignment.channel)
        .bind(number)
        .bind(entry.at.0)
        .execute(&mut *conn)
        .await?;
        changed += 1;
    }
    Ok(changed)
}

async fn record_attempts(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    node: NodeId,
    results: &[AttemptResult],
) -> Result<u64, sqlx::Error> {
    let mut changed = 0;
    for result in results {
        changed += u64::from(record_attempt(conn, entry, node, result).await?);
    }
    Ok(changed)
}

async fn record_attempt(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    node: NodeId,
    result: &AttemptResult,
) -> Result<bool, sqlx::Error> {
    let AttemptRef { delivery, attempt } = result.attempt;
    let (state, detail) = match &result.outcome {
        SendOutcome::Accepted { detail } => ("accepted", detail),
        SendOutcome::Refused { detail, .. } => ("refused", detail),
        SendOutcome::Unknown { detail } => ("unknown", detail),
    };
    let noted = sqlx::query(
        "update attempt set state = ?, detail = ?, parts = ?, text_hash = ?, wall_ms = ?, ended_at_ms = ? \
         where delivery_id = ? and attempt = ? and node_id = ? and state in ('assigned', 'withdrawn', 'reclaimed') \
         returning channel",
    )
    .bind(state)
    .bind(detail)
    .bind(i64::from(result.parts))
    .bind(result.text_hash.as_slice())
    .bind(result.wall_ms)
    .bind(entry.at.0)
    .bind(delivery.as_bytes())
    .bind(i64::from(attempt))
    .bind(node.0.cast_signed())
    .fetch_optional(&mut *conn)
    .await?;
    let Some(noted) = noted else { return Ok(false) }; // recorded before
    let channel: String = noted.try_get(0)?;
    let Some(row) = find(conn, delivery).await? else {
        return Ok(false);
    };
    let latest = row.attempts == attempt;
    let accepted = matches!(result.outcome, SendOutcome::Accepted { .. });
    match row.state {
        // The everyday case.
        State::Assigned if latest => {
            let next = after_send(&result.outcome, &row.kind, attempt);
            move_to(
                conn,
                entry,
                &row,
                next.to,
                next.retry_in,
                next.possible_repeat,
                detail,
                node,
                &channel,
            )
            .await?;
        }
        // Taken back too early: it did go out, and no other try has begun.
        State::Pending if latest && accepted => {
            let to = after_send(&result.outcome, &row.kind, attempt).to;
            move_to(
                conn,
                entry,
                &row,
                to,
                std::time::Duration::ZERO,
                false,
                "",
                node,
                &channel,
            )
            .await?;
        }
        // It left before it could be stopped; the row must not claim otherwise.
        State::Cancelled if accepted => {
            sqlx::query("update delivery set state = ?, reason = 'left before it could be stopped' where delivery_id = ?")
                .bind(if row.awaited_answer_came { "acknowledged" } else { "handed_over" })
                .bind(delivery.as_bytes())
                .execute(conn)
                .await?;
        }
        State::Standby
        | State::Pending
        | State::Assigned
        | State::Sent
        | State::Delivered
        | State::HandedOver
        | State::Acknowledged
        | State::Failed
        | State::Expired
        | State::Cancelled => {}
    }
    Ok(true)
}

#[expect(
    clippy::too_many_arguments,
    reason = "one row's whole change, called from two arms"
)]
async fn move_to(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    row: &Found,
    to: State,
    retry_in: std::time::Duration,
    possible_repeat: bool,
    reason: &str,
    node: NodeId,
    channel: &str,
) -> Result<(), sqlx::Error> {
    let again = to == State::Pending;
    sqlx::query(
        "update delivery set state = ?1, reason = ?2, due_at_ms = case when ?3 then ?4 else due_at_ms end, \
         possible_repeat = max(possible_repeat, ?5), avoid_node = case when ?3 then ?6 else avoid_node end, \
         avoid_channel = case when ?3 then ?7 else avoid_channel end, \
         ended_at_ms = case when ?8 then ?9 end where delivery_id = ?10",
    )
    .bind(to.name())
    .bind(if matches!(to, State::Failed | State::Pending) { reason } else { "" })
    .bind(again)
    .bind((entry.at + retry_in).0)
    .bind(possible_repeat)
    .bind(node.0.cast_signed())
    .bind(channel)
    .bind(to.ended())
    .bind(entry.at.0)
    .bind(row.id.as_bytes())
    .execute(&mut *conn)
    .await?;
    match to {
        State::Failed => start_next_method(conn, entry, row).await,
        State::Delivered | State::HandedOver => drop_standby(conn, entry, row).await,
        State::Standby
        | State::Pending
        | State::Assigned
        | State::Sent
        | State::Acknowledged
        | State::Expired
        | State::Cancelled => Ok(()),
    }
}

/// The first standing-by method after a failed one is tried now.
async fn start_next_method(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    row: &Found,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update delivery set state = 'pending', wanted_since_ms = ?1, due_at_ms = ?1 where delivery_id = \
         (select delivery_id from delivery where alert_id = ?2 and recipient_id = ?3 and purpose = 'page' \
          and step = ?4 and round = ?5 and method > ?6 and state = 'standby' order by method limit 1)",
    )
    .bind(entry.at.0)
    .bind(row.alert.as_slice())
    .bind(row.recipient.as_slice())
    .bind(row.step)
    .bind(row.round)
    .bind(row.method)
    .execute(conn)
    .await?;
    Ok(())
}

/// The person was reached: methods standing by are not needed.
async fn drop_standby(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    row: &Found,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update delivery set state = 'cancelled', reason = 'reached over another contact method', ended_at_ms = ?1 \
         where alert_id = ?2 and recipient_id = ?3 and purpose = 'page' and step = ?4 and round = ?5 and state = 'standby'",
    )
    .bind(entry.at.0)
    .bind(row.alert.as_slice())
    .bind(row.recipient.as_slice())
    .bind(row.step)
    .bind(row.round)
    .execute(conn)
    .await?;
    Ok(())
}

async fn record_reports(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    reports: &[AttemptReport],
) -> Result<u64, sqlx::Error> {
    let mut changed = 0;
    for AttemptReport {
        attempt: AttemptRef { delivery, attempt },
        report,
    } in reports
    {
        let (word, detail) = match report {
            Report::Delivered { detail } => ("delivered", detail),
            Report::Delayed { detail } => ("delayed", detail),
            Report::Failed { detail } => ("failed", detail),
        };
        let noted = sqlx::query(
            "update attempt set report = ?, detail = case when ? = '' then detail else ? end, reported_at_ms = ? \
             where delivery_id = ? and attempt = ? and report not in ('delivered', 'failed') returning node_id, channel",
        )
        .bind(word)
        .bind(detail)
        .bind(detail)
        .bind(entry.at.0)
        .bind(delivery.as_bytes())
        .bind(i64::from(*attempt))
        .fetch_optional(&mut *conn)
        .await?;
        let (Some(noted), Some(row)) = (noted, find(conn, *delivery).await?) else {
            continue;
        };
        changed += 1;
        let (node, channel) = (
            NodeId(rows::unsigned(&noted, "node_id")?),
            noted.try_get::<String, _>("channel")?,
        );
        // Word of an earlier try must not end a later one; word of success always counts.
        let to = match report {
            Report::Delivered { .. }
                if matches!(row.state, State::Sent | State::HandedOver | State::Pending) =>
            {
                State::Delivered
            }
            Report::Failed { .. } if row.state == State::Sent && row.attempts == *attempt => {
                State::Failed
            }
            Report::Delivered { .. } | Report::Delayed { .. } | Report::Failed { .. } => continue,
        };
        move_to(
            conn,
            entry,
            &row,
            to,
            std::time::Duration::ZERO,
            false,
            detail,
            node,
            &channel,
        )
        .await?;
    }
    Ok(changed)
}

async fn reclaim(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    attempts: &[AttemptRef],
) -> Result<u64, sqlx::Error> {
    let mut changed = 0;
    for AttemptRef { delivery, attempt } in attempts {
        let taken = sqlx::query(
            "update attempt set state = 'reclaimed', detail = 'its node fell silent' \
             where delivery_id = ? and attempt = ? and state = 'assigned' returning node_id, channel",
        )
        .bind(delivery.as_bytes())
        .bind(i64::from(*attempt))
        .fetch_optional(&mut *conn)
        .await?;
        let Some(taken) = taken else { continue };
        sqlx::query(
            "update delivery set state = 'pending', due_at_ms = ?1, possible_repeat = 1, avoid_node = ?2, \
             avoid_channel = ?3 where delivery_id = ?4 and state = 'assigned'",
        )
        .bind(entry.at.0)
        .bind(taken.try_get::<i64, _>(0)?)
        .bind(taken.try_get::<String, _>(1)?)
        .bind(delivery.as_bytes())
        .execute(&mut *conn)
        .await?;
        changed += 1;
    }
    Ok(changed)
}

async fn resend(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    ids: &[DeliveryId],
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query(
        "update delivery set state = 'pending', renumbered = 1, due_at_ms = ?1, ended_at_ms = null, \
         expires_at_ms = max(expires_at_ms, ?1 + (expires_at_ms - created_at_ms)), \
         avoid_node = (select a.node_id from attempt a where a.delivery_id = delivery.delivery_id \
          and a.attempt = delivery.attempts), \
         avoid_channel = (select a.channel from attempt a where a.delivery_id = delivery.delivery_id \
          and a.attempt = delivery.attempts) \
         where delivery_id in (select unhex(value) from json_each(?2)) and awaiting = 1 and kind = 'sms' \
         and attempts > 0 and state in ('sent', 'delivered', 'handed_over')",
    )
    .bind(entry.at.0)
    .bind(rows::hex_array(ids.iter().map(DeliveryId::as_bytes)))
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

async fn activate(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    ids: &[DeliveryId],
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query(
        "update delivery set state = 'pending', wanted_since_ms = ?1, due_at_ms = ?1 \
         where delivery_id in (select unhex(value) from json_each(?2)) and state = 'standby'",
    )
    .bind(entry.at.0)
    .bind(rows::hex_array(ids.iter().map(DeliveryId::as_bytes)))
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

async fn expire(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    ids: &[DeliveryId],
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query(
        "update delivery set ended_at_ms = ?1, \
         reason = case state when 'sent' then 'no report from the network' when 'standby' then 'not needed' \
          else case when reason = '' then 'no channel took it in time' else reason end end, \
         state = case state when 'sent' then 'handed_over' when 'standby' then 'cancelled' else 'expired' end \
         where delivery_id in (select unhex(value) from json_each(?2)) and ended_at_ms is null and expires_at_ms <= ?1",
    )
    .bind(entry.at.0)
    .bind(rows::hex_array(ids.iter().map(DeliveryId::as_bytes)))
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// A delivery as its transitions need it.
struct Found {
    id: DeliveryId,
    alert: Vec<u8>,
    recipient: Vec<u8>,
    step: i64,
    round: i64,
    method: i64,
    kind: String,
    state: State,
    attempts: u32,
    /// It was cancelled because the person answered.
    awaited_answer_came: bool,
}

async fn find(conn: &mut SqliteConnection, id: DeliveryId) -> Result<Option<Found>, sqlx::Error> {
    let row = sqlx::query(
        "select alert_id, recipient_id, step, round, method, kind, state, attempts, (reason = 'answered') as answered \
         from delivery where delivery_id = ?",
    )
    .bind(id.as_bytes())
    .fetch_optional(conn)
    .await?;
    row.map(|row| {
        Ok(Found {
            id,
            alert: row.try_get("alert_id")?,
            recipient: row.try_get("recipient_id")?,
            step: row.try_get("step")?,
            round: row.try_get("round")?,
            method: row.try_get("method")?,
            kind: row.try_get("kind")?,
            state: State::parse(row.try_get("state")?),
            attempts: rows::unsigned(&row, "attempts")?,
            awaited_answer_came: row.try_get("answered")?,
        })
    })
    .transpose()
}
