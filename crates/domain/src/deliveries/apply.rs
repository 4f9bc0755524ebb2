//! What becomes of deliveries: assignment, results, reports, retries and ends. Writes to `delivery` and `attempt`.

use std::collections::BTreeMap;

use sqlx::{Row, SqliteConnection};

use super::budget::Budget;
use super::outbox;
use super::rules::{REPEATED_WITHIN, RING_AFTER, Transition, after_ring, after_send};
use super::{
    Assignment, AttemptRef, AttemptReport, AttemptResult, Command, Purpose, RING, Report,
    SendOutcome, State, reply_address,
};
use crate::apply::Entry;
use crate::ids::{AlertId, DeliveryId, NodeId, RecipientId};
use crate::limits::{self, Left};
use crate::outcome::{Outcome, Receipt, Refusal};
use crate::{nodes, recipients, rows};

pub(crate) async fn apply(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    command: &Command,
) -> Result<Outcome, sqlx::Error> {
    let changed = match command {
        Command::Assign { .. } if nodes::outbox_pause(conn).await?.is_some() => {
            return Ok(Outcome::Refused(Refusal::OutboxPaused));
        }
        Command::Assign { assignments } => assign(conn, entry, assignments).await?,
        Command::RecordAttempts { node, results } => {
            record_attempts(conn, entry, *node, results).await?
        }
        Command::RecordReports { reports } => record_reports(conn, entry, reports).await?,
        Command::Reclaim { attempts } => reclaim(conn, entry, attempts).await?,
        Command::Resend { deliveries } => resend(conn, entry, deliveries).await?,
        Command::Activate { deliveries } => activate(conn, entry, deliveries).await?,
        Command::Expire { deliveries } => expire(conn, entry, deliveries).await?,
        Command::Supersede { deliveries } => supersede(conn, entry, deliveries).await?,
        Command::Summarise(summary) => super::create::summarise(conn, entry, summary).await?,
        Command::DrawReplySecret => reply_address::draw(conn, entry).await?,
        Command::PauseOutbox { reason } => {
            u64::from(nodes::pause_outbox(conn, entry, reason).await?)
        }
        Command::ReleaseOutbox {
            stale_after_ms,
            stale_after_critical_ms,
        } => {
            if !nodes::release_outbox(conn).await? {
                return Ok(Outcome::Unchanged);
            }
            let ended = outbox::end_stale(conn, entry, *stale_after_ms, *stale_after_critical_ms);
            return Ok(Outcome::Applied(Receipt::Count(ended.await?)));
        }
    };
    Ok(if changed == 0 {
        Outcome::Unchanged
    } else {
        Outcome::Applied(Receipt::Count(changed))
    })
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
         where alert_id = ?2 and recipient_id = ?3 and purpose in ('page', 'wake', 'reminder')",
    )
    .bind(entry.at.0)
    .bind(alert.as_bytes())
    .bind(recipient.as_bytes())
    .execute(conn)
    .await?;
    Ok(())
}

/// Settles everyone in `recipients` who is not settled yet: they answered in one of several histories.
pub(crate) async fn settle_all(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    alert: AlertId,
    recipients: &[RecipientId],
) -> Result<(), sqlx::Error> {
    let found: Vec<Vec<u8>> = sqlx::query_scalar(
        "select distinct d.recipient_id from json_each(?1) j join delivery d on d.alert_id = ?2 \
         and d.recipient_id = unhex(j.value) and d.purpose in ('page', 'wake') \
         where d.awaiting = 1 or d.state in ('standby', 'pending', 'assigned', 'sent', 'delivered', 'handed_over') \
         order by d.recipient_id",
    )
    .bind(rows::hex_array(recipients.iter().map(RecipientId::as_bytes)))
    .bind(alert.as_bytes())
    .fetch_all(&mut *conn)
    .await?;
    for recipient in &found {
        settle(conn, entry, alert, RecipientId::from_row(recipient)?).await?;
    }
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
         where alert_id = ?3 and purpose in ('page', 'wake', 'reminder') and state in ('standby', 'pending', 'assigned')",
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
pub(super) async fn withdraw(
    conn: &mut SqliteConnection,
    alert: AlertId,
    recipient: Option<RecipientId>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update attempt set state = 'withdrawn' where state = 'assigned' and delivery_id in \
         (select delivery_id from delivery where alert_id = ?1 and purpose in ('page', 'wake', 'reminder') and state = 'assigned' \
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
    // An island numbers its tries in a block of its own, so that they never collide with the cluster's (DESIGN D3).
    let fork = nodes::fork(conn).await?;
    let block = nodes::attempt_block(fork.as_ref());
    let mut budget = Budget::load(conn).await?;
    let mut changed = 0;
    for assignment in assignments {
        if budget
            .bars(conn, entry, assignment.attempt.delivery)
            .await?
        {
            changed += 1;
            continue;
        }
        let Some(number) = numbers.get(&(assignment.node, assignment.channel.clone())) else {
            continue;
        };
        let taken = sqlx::query(
            "update delivery set state = 'assigned', attempts = ?2 where delivery_id = ?1 and state = 'pending' \
             and ?2 = 1 + (select coalesce(max(a.attempt), ?3) from attempt a where a.delivery_id = ?1 \
              and a.attempt > ?3 and a.attempt <= ?4)",
        )
        .bind(assignment.attempt.delivery.as_bytes())
        .bind(i64::from(assignment.attempt.attempt))
        .bind(block)
        .bind(block + i64::from(nodes::ATTEMPTS_PER_BLOCK) - 1)
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
    let mut left = Vec::new();
    for result in results {
        changed += u64::from(record_attempt(conn, entry, node, result, &mut left).await?);
    }
    let alone = nodes::fork(conn).await?.is_some();
    limits::spend(conn, &left, alone).await?;
    Ok(changed)
}

async fn record_attempt(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    node: NodeId,
    result: &AttemptResult,
    left: &mut Vec<Left>,
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
    if row.kind == "sms" && state != "refused" {
        left.push(Left {
            alert: AlertId::from_row(&row.alert)?,
            at: entry.at,
            parts: i64::from(result.parts),
        });
    }
    let latest = row.attempts == attempt;
    let accepted = matches!(result.outcome, SendOutcome::Accepted { .. });
    // Islands may have made several tries; where the newest has ended already, the last to end moves the delivery.
    let last = row.state == State::Assigned && !latest && !is_under_way(conn, delivery).await?;
    if row.state == State::Assigned && (latest || last) {
        // The everyday case.
        let place = Place {
            node,
            channel: &channel,
        };
        let next = follows(conn, entry, &row, result, &place).await?;
        move_to(conn, entry, &row, &next, detail, &place).await?;
    } else if row.state == State::Pending && latest && accepted {
        // Taken back too early: it did go out, and no other try has begun.
        let place = Place {
            node,
            channel: &channel,
        };
        let next = follows(conn, entry, &row, result, &place).await?;
        move_to(conn, entry, &row, &next, "", &place).await?;
    } else if matches!(row.state, State::Cancelled | State::Expired) && accepted {
        // It left before it could be stopped; the row must not claim otherwise.
        sqlx::query(
            "update delivery set state = ?, reason = 'left before it could be stopped' where delivery_id = ?",
        )
        .bind(if row.awaited_answer_came { "acknowledged" } else { "handed_over" })
        .bind(delivery.as_bytes())
        .execute(conn)
        .await?;
    }
    Ok(true)
}

/// What follows from the end of a try.
async fn follows(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    row: &Found,
    result: &AttemptResult,
    place: &Place<'_>,
) -> Result<Transition, sqlx::Error> {
    let AttemptRef { delivery, attempt } = result.attempt;
    if row.kind != RING {
        return Ok(after_send(&result.outcome, &row.kind, tries(attempt)));
    }
    let second = sqlx::query_scalar(
        "select exists (select 1 from attempt where delivery_id = ?1 and attempt <> ?2 and state = 'accepted' \
         and node_id = ?3 and channel = ?4 and assigned_at_ms >= ?5)",
    )
    .bind(delivery.as_bytes())
    .bind(i64::from(attempt))
    .bind(place.node.0.cast_signed())
    .bind(place.channel)
    .bind((entry.at - REPEATED_WITHIN).0)
    .fetch_one(conn)
    .await?;
    Ok(after_ring(&result.outcome, tries(attempt), second))
}

/// Whether any try of a delivery has not ended.
async fn is_under_way(
    conn: &mut SqliteConnection,
    delivery: DeliveryId,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "select exists (select 1 from attempt where delivery_id = ? and state = 'assigned')",
    )
    .bind(delivery.as_bytes())
    .fetch_one(conn)
    .await
}

/// How many tries one history has made, by the number of its last.
fn tries(attempt: u32) -> u32 {
    attempt % nodes::ATTEMPTS_PER_BLOCK
}

/// Where a try was made.
struct Place<'a> {
    node: NodeId,
    channel: &'a str,
}

/// Moves a delivery on, with what follows for the person's other contact methods.
async fn move_to(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    row: &Found,
    next: &Transition,
    reason: &str,
    place: &Place<'_>,
) -> Result<(), sqlx::Error> {
    let to = next.to;
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
    .bind((entry.at + next.retry_in).0)
    .bind(next.possible_repeat)
    .bind(if next.elsewhere { place.node.0.cast_signed() } else { 0 })
    .bind(if next.elsewhere { place.channel } else { "" })
    .bind(to.ended())
    .bind(entry.at.0)
    .bind(row.id.as_bytes())
    .execute(&mut *conn)
    .await?;
    let left = matches!(to, State::Sent | State::Delivered | State::HandedOver);
    if left && row.kind == "sms" && matches!(row.purpose, Purpose::Page | Purpose::Wake) {
        start_rings(conn, entry, row).await?;
    }
    if row.purpose != Purpose::Page {
        return Ok(());
    }
    if to == State::Failed {
        start_next_method(conn, entry, row).await
    } else if matches!(to, State::Delivered | State::HandedOver) {
        drop_standby(conn, entry, row).await
    } else {
        Ok(())
    }
}

/// Ends a delivery that waits and may not leave, with the reason; the person's next method is tried.
pub(super) async fn bar(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    delivery: DeliveryId,
    reason: &str,
) -> Result<bool, sqlx::Error> {
    let Some(row) = find(conn, delivery).await? else {
        return Ok(false);
    };
    if row.state != State::Pending {
        return Ok(false);
    }
    let nowhere = Place {
        node: NodeId(0),
        channel: "",
    };
    let failed = Transition::to(State::Failed);
    move_to(conn, entry, &row, &failed, reason, &nowhere).await?;
    Ok(true)
}

/// The person's text has left: unless they answer, their phones ring a little later.
async fn start_rings(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    row: &Found,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update delivery set state = 'pending', wanted_since_ms = ?1, due_at_ms = ?1 \
         where alert_id = ?2 and recipient_id = ?3 and purpose = 'wake' and step = ?4 and round = ?5 \
         and state = 'standby'",
    )
    .bind((entry.at + RING_AFTER).0)
    .bind(row.alert.as_slice())
    .bind(row.recipient.as_slice())
    .bind(row.step)
    .bind(row.round)
    .execute(conn)
    .await?;
    Ok(())
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
        if matches!(report, Report::Delivered { .. }) && row.kind == "sms" {
            recipients::note_delivered(conn, entry.at, &row.recipient, &row.address).await?;
        }
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
        let place = Place {
            node,
            channel: &channel,
        };
        let reason = match detail.as_str() {
            "" => "the network reports that it could not be delivered",
            words => words,
        };
        move_to(conn, entry, &row, &Transition::to(to), reason, &place).await?;
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
         expires_at_ms = max(expires_at_ms, ?1 + validity_ms), \
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

/// Ends what nobody took in time. A try its node has not begun is taken back with it: a node that learns of both at once
/// never reports it, and it would fill its channel for ever.
async fn expire(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    ids: &[DeliveryId],
) -> Result<u64, sqlx::Error> {
    let ids = rows::hex_array(ids.iter().map(DeliveryId::as_bytes));
    sqlx::query(
        "update attempt set state = 'withdrawn' where state = 'assigned' and delivery_id in \
         (select delivery_id from delivery where delivery_id in (select unhex(value) from json_each(?2)) \
          and ended_at_ms is null and expires_at_ms <= ?1)",
    )
    .bind(entry.at.0)
    .bind(&ids)
    .execute(&mut *conn)
    .await?;
    let done = sqlx::query(
        "update delivery set ended_at_ms = ?1, \
         reason = case when state = 'sent' then 'no report from the network' \
          when state = 'standby' and purpose = 'wake' then 'no text left before it' \
          when state = 'standby' then 'not needed' else case when reason = '' then 'no channel took it in time' else reason end end, \
         state = case state when 'sent' then 'handed_over' when 'standby' then 'cancelled' else 'expired' end \
         where delivery_id in (select unhex(value) from json_each(?2)) and ended_at_ms is null and expires_at_ms <= ?1",
    )
    .bind(entry.at.0)
    .bind(&ids)
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

async fn supersede(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    ids: &[DeliveryId],
) -> Result<u64, sqlx::Error> {
    let ids = rows::hex_array(ids.iter().map(DeliveryId::as_bytes));
    // What stays says since when the person waits.
    sqlx::query(
        "update delivery set wanted_since_ms = (select min(o.wanted_since_ms) from delivery o \
          where o.alert_id = delivery.alert_id and o.recipient_id = delivery.recipient_id \
          and o.method = delivery.method and o.purpose = 'page' and o.state = 'pending') \
         where delivery_id in (select n.delivery_id from json_each(?1) j \
          join delivery d on d.delivery_id = unhex(j.value) and d.state = 'pending' and d.purpose = 'page' \
          join delivery n on n.alert_id = d.alert_id and n.recipient_id = d.recipient_id and n.method = d.method \
           and n.purpose = 'page' and n.state = 'pending')",
    )
    .bind(&ids)
    .execute(&mut *conn)
    .await?;
    let done = sqlx::query(
        "update delivery set state = 'cancelled', reason = 'a later round says the same', ended_at_ms = ?1 \
         where delivery_id in (select unhex(value) from json_each(?2)) and state = 'pending' and purpose = 'page' \
         and exists (select 1 from delivery n where n.alert_id = delivery.alert_id \
          and n.recipient_id = delivery.recipient_id and n.method = delivery.method and n.purpose = 'page' \
          and n.round > delivery.round and n.state = 'pending')",
    )
    .bind(entry.at.0)
    .bind(&ids)
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
    purpose: Purpose,
    kind: String,
    address: String,
    state: State,
    attempts: u32,
    /// It was cancelled because the person answered.
    awaited_answer_came: bool,
}

async fn find(conn: &mut SqliteConnection, id: DeliveryId) -> Result<Option<Found>, sqlx::Error> {
    let row = sqlx::query(
        "select alert_id, recipient_id, step, round, method, purpose, kind, address, state, attempts, \
         (reason = 'answered') as answered \
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
            purpose: Purpose::parse(row.try_get("purpose")?),
            kind: row.try_get("kind")?,
            address: row.try_get("address")?,
            state: State::parse(row.try_get("state")?),
            attempts: rows::unsigned(&row, "attempts")?,
            awaited_answer_came: row.try_get("answered")?,
        })
    })
    .transpose()
}
