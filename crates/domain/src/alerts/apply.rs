//! Writes to `alert`.

use sqlx::SqliteConnection;

use super::merge::add_label;
use super::{AlertRow, Command, Label, Raise, State, query, rules};
use crate::apply::Entry;
use crate::deliveries::Lane;
use crate::escalation::{self, Begin, Content, Over};
use crate::ids::{AlertId, NodeId, RecipientId, RoomId};
use crate::outcome::{Outcome, Receipt, Refusal};
use crate::time::Timestamp;
use crate::vocabulary::Answer;
use crate::{conversations, rows};

/// A source is quiet when it raised nothing for this long; its next alarm leaves before the rest (DESIGN C5).
const QUIET_MS: i64 = 10 * 60_000;

/// Joined alerts are followed this far; a chain cannot be longer without a circle, which `Join` refuses.
const JOINS_MAX: usize = 64;

pub(crate) async fn apply(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    command: &Command,
) -> Result<Outcome, sqlx::Error> {
    match command {
        Command::Raise(new) => raise(conn, entry, new).await,
        Command::Answer {
            alert,
            recipient,
            answer: said,
        } => answer_by_api(conn, entry, *alert, *recipient, *said).await,
        Command::Acknowledge { alert, note } => acknowledge(conn, entry, *alert, note).await,
        Command::Resolve { alert, note } => end(conn, entry, *alert, State::Resolved, note).await,
        Command::CallOff { alert, reason } => {
            end(conn, entry, *alert, State::CalledOff, reason).await
        }
        Command::Join { alert, into } => join(conn, entry, *alert, *into).await,
    }
}

/// What an answer came to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Answered {
    /// The alert it counts for: the one asked about, or the one that was joined into.
    pub effective: AlertId,
    /// The alert was over; nothing changed but the record.
    pub late: bool,
    /// Time of this person's earlier answer, if there was one.
    pub first_answer_at: Option<Timestamp>,
    /// The recorded answer is another one than before.
    pub changed: bool,
}

/// Records an answer, following joined alerts. `None` when the person was not called to it.
///
/// Each person's last answer counts while the alert is open. A late one is written in the room and changes nothing.
pub(crate) async fn answer(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    alert: AlertId,
    recipient: RecipientId,
    said: Answer,
    from: &str,
) -> Result<Option<Answered>, sqlx::Error> {
    let Some(row) = follow(conn, alert).await? else {
        return Ok(None);
    };
    let Some(call) = escalation::find_call(conn, row.id, recipient).await? else {
        return Ok(None);
    };
    let late = row.state != State::Open;
    let changed = call.answer != Some(said);
    if !late && changed {
        escalation::answer(conn, entry, &call, said, from).await?;
    }
    Ok(Some(Answered {
        effective: row.id,
        late,
        first_answer_at: call.answered_at,
        changed,
    }))
}

async fn raise(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    new: &Raise,
) -> Result<Outcome, sqlx::Error> {
    let steps = match rules::plan(new) {
        Ok(steps) => steps,
        Err(refusal) => return Ok(Outcome::Refused(refusal)),
    };
    let id = AlertId::derive(&[entry.envelope.request.as_bytes()]);
    let people: usize = steps.iter().map(|(_, people)| people.len()).sum();
    let lane = lane_of(conn, entry, new).await?;
    let made = sqlx::query(
        "insert into alert (alert_id, number, severity, status, state, texts, gather, source, dedup_key, raised_by, \
         raised_at_ms, issued_by, aware_at_ms, acknowledged_at_ms, acknowledged_by, closed_at_ms, closed_by, note, \
         joined_into, people) \
         select ?, case when exists (select 1 from fork) then 0 else coalesce(max(number), 0) + 1 end, ?, ?, 'open', ?, ?, ?, ?, ?, ?, ?, ?, null, '', null, '', '', null, ? \
         from alert where true on conflict (alert_id) do nothing returning number",
    )
    .bind(id.as_bytes())
    .bind(new.severity.rank())
    .bind(new.status.name())
    .bind(rows::to_json(&new.texts)?)
    .bind(&new.gather)
    .bind(&new.source)
    .bind(new.dedup_key.as_deref().unwrap_or(""))
    .bind(entry.envelope.actor.label())
    .bind(entry.at.0)
    .bind(entry.envelope.issued_by.0.cast_signed())
    .bind(new.aware_at.unwrap_or(entry.at).0)
    .bind(people as i64)
    .fetch_optional(&mut *conn)
    .await?;
    let Some(made) = made else {
        return Ok(Outcome::Unchanged);
    };
    let number: u64 = rows::unsigned(&made, "number")?;
    let (label, receipt) = if number == 0 {
        let label = number_of_island(conn, id).await?.to_string();
        let receipt = Receipt::IslandAlert {
            id,
            label: label.clone(),
        };
        (label, receipt)
    } else {
        (number.to_string(), Receipt::Alert { id, number })
    };
    let begin = Begin {
        alert: id,
        content: Content {
            number: label,
            severity: new.severity,
            status: new.status,
            texts: new.texts.clone(),
            gather: new.gather.clone(),
        },
        lane,
        steps: &steps,
        needed: new.needed,
        repeats: new.repeats,
        repeat_every_ms: new.repeat_every_ms,
        validity_ms: new.validity_ms,
    };
    escalation::begin(conn, entry, &begin).await?;
    let said = new.texts.first().map_or("", |(_, text)| text.as_str());
    conversations::open(conn, entry, RoomId::of_alert(id), &new.source, said).await?;
    Ok(Outcome::Applied(receipt))
}

/// Numbers an alert raised on an island: its node's letters, counted over all of that node's islands.
async fn number_of_island(
    conn: &mut SqliteConnection,
    alert: AlertId,
) -> Result<Label, sqlx::Error> {
    let row = sqlx::query(
        "select f.node_id, coalesce((select max(l.counter) from alert_label l where l.origin = f.node_id), 0) + 1 \
         as counter from fork f where f.id = 1",
    )
    .fetch_one(&mut *conn)
    .await?;
    let label = Label {
        origin: NodeId(rows::unsigned(&row, "node_id")?),
        counter: rows::unsigned(&row, "counter")?,
    };
    add_label(conn, alert, label).await?;
    Ok(label)
}

/// People's alerts leave first, then the first alarm of a source that was quiet, then the rest.
async fn lane_of(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    new: &Raise,
) -> Result<Lane, sqlx::Error> {
    let Some(dedup_key) = &new.dedup_key else {
        return Ok(Lane::Human);
    };
    let recent: bool = sqlx::query_scalar(
        "select exists (select 1 from alert where raised_at_ms >= ? and (source = ? or dedup_key = ?))",
    )
    .bind(entry.at.0 - QUIET_MS)
    .bind(&new.source)
    .bind(dedup_key)
    .fetch_one(conn)
    .await?;
    Ok(if recent {
        Lane::Rest
    } else {
        Lane::FirstOfSource
    })
}

async fn answer_by_api(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    alert: AlertId,
    recipient: RecipientId,
    said: Answer,
) -> Result<Outcome, sqlx::Error> {
    if query::find(conn, alert).await?.is_none() {
        return Ok(Outcome::Refused(Refusal::UnknownAlert));
    }
    let by = entry.envelope.actor.label();
    Ok(
        match answer(conn, entry, alert, recipient, said, &by).await? {
            None => Outcome::Refused(Refusal::UnknownRecipient("for this alert".to_owned())),
            Some(answered) if answered.late => Outcome::Refused(Refusal::AlertClosed),
            Some(answered) if answered.changed => Outcome::Applied(Receipt::None),
            Some(_) => Outcome::Unchanged,
        },
    )
}

async fn acknowledge(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    alert: AlertId,
    note: &str,
) -> Result<Outcome, sqlx::Error> {
    let Some(row) = query::find(conn, alert).await? else {
        return Ok(Outcome::Refused(Refusal::UnknownAlert));
    };
    if row.state != State::Open {
        return Ok(Outcome::Refused(Refusal::AlertClosed));
    }
    if row.acknowledged_at.is_some() {
        return Ok(Outcome::Unchanged);
    }
    let by = entry.envelope.actor.label();
    sqlx::query("update alert set acknowledged_at_ms = ?, acknowledged_by = ? where alert_id = ?")
        .bind(entry.at.0)
        .bind(&by)
        .bind(alert.as_bytes())
        .execute(&mut *conn)
        .await?;
    escalation::satisfy(conn, entry, alert).await?;
    let said = if note.is_empty() {
        "Acknowledged.".to_owned()
    } else {
        format!("Acknowledged: {note}")
    };
    conversations::post(conn, entry, RoomId::of_alert(alert), &by, "system", &said).await?;
    Ok(Outcome::Applied(Receipt::None))
}

async fn end(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    alert: AlertId,
    to: State,
    note: &str,
) -> Result<Outcome, sqlx::Error> {
    let Some(row) = query::find(conn, alert).await? else {
        return Ok(Outcome::Refused(Refusal::UnknownAlert));
    };
    if row.state == to {
        return Ok(Outcome::Unchanged);
    }
    // Somebody may only find out after resolving that people are still on their way.
    let stand_down_after = row.state == State::Resolved && to == State::CalledOff;
    if row.state != State::Open && !stand_down_after {
        return Ok(Outcome::Refused(Refusal::AlertClosed));
    }
    if note.chars().count() > rules::TEXT_LEN_MAX {
        let problem = format!("the note has at most {} characters", rules::TEXT_LEN_MAX);
        return Ok(Outcome::Refused(Refusal::Invalid(problem)));
    }
    write_end(conn, entry, alert, to, note).await?;
    let said = match to {
        State::CalledOff => {
            escalation::begin_call_off(conn, entry, alert, note).await?;
            "Called off"
        }
        State::Open | State::Resolved | State::Joined => {
            escalation::close(conn, entry, alert, "resolved").await?;
            "Resolved"
        }
    };
    let said = if note.is_empty() {
        format!("{said}.")
    } else {
        format!("{said}: {note}")
    };
    let by = entry.envelope.actor.label();
    conversations::post(conn, entry, RoomId::of_alert(alert), &by, "system", &said).await?;
    Ok(Outcome::Applied(Receipt::None))
}

async fn join(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    alert: AlertId,
    into: AlertId,
) -> Result<Outcome, sqlx::Error> {
    let (Some(row), Some(target)) = (
        query::find(conn, alert).await?,
        query::find(conn, into).await?,
    ) else {
        return Ok(Outcome::Refused(Refusal::UnknownAlert));
    };
    if row.state == State::Joined && row.joined_into == Some(into) {
        return Ok(Outcome::Unchanged);
    }
    if alert == into
        || row.state != State::Open
        || row.joined_into.is_some()
        || target.state != State::Open
    {
        return Ok(Outcome::Refused(Refusal::CannotJoin));
    }
    let by = entry.envelope.actor.label();
    write_end(conn, entry, alert, State::Joined, "").await?;
    sqlx::query(
        "update alert set joined_into = ?, joined_at_ms = ?, joined_by = ? where alert_id = ?",
    )
    .bind(into.as_bytes())
    .bind(entry.at.0)
    .bind(&by)
    .bind(alert.as_bytes())
    .execute(&mut *conn)
    .await?;
    escalation::close(conn, entry, alert, "joined into another alert").await?;
    escalation::carry_over(conn, alert, into).await?;
    escalation::follow_up(conn, entry, into, false, Over::No).await?;
    let here = format!("Joined into alert {}.", target.label);
    conversations::post(conn, entry, RoomId::of_alert(alert), &by, "system", &here).await?;
    let there = format!(
        "Alert {} was joined into this one; its answers count here.",
        row.label
    );
    conversations::post(conn, entry, RoomId::of_alert(into), &by, "system", &there).await?;
    Ok(Outcome::Applied(Receipt::None))
}

async fn write_end(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    alert: AlertId,
    state: State,
    note: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update alert set state = ?, closed_at_ms = ?, closed_by = ?, note = ? where alert_id = ?",
    )
    .bind(state.name())
    .bind(entry.at.0)
    .bind(entry.envelope.actor.label())
    .bind(note)
    .bind(alert.as_bytes())
    .execute(conn)
    .await?;
    Ok(())
}

/// The alert an answer to `alert` counts for.
async fn follow(
    conn: &mut SqliteConnection,
    alert: AlertId,
) -> Result<Option<AlertRow>, sqlx::Error> {
    let mut row = query::find(conn, alert).await?;
    for _ in 0..JOINS_MAX {
        let joined = row.as_ref().filter(|alert| alert.state != State::Open);
        match joined.and_then(|alert| alert.joined_into) {
            Some(into) => row = query::find(conn, into).await?,
            None => break,
        }
    }
    Ok(row)
}
