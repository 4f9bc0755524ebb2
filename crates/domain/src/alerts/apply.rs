//! Writes to `alert`.

use sqlx::SqliteConnection;

use super::merge::note_join;
use super::{AlertRow, Command, State, query, raise};
use crate::apply::Entry;
use crate::conversations;
use crate::escalation::{self, Over};
use crate::ids::{AlertId, RecipientId, RoomId};
use crate::outcome::{Outcome, Receipt, Refusal};
use crate::time::Timestamp;
use crate::vocabulary::{Answer, TEXT_LEN_MAX};

/// Joined alerts are followed this far; a chain cannot be longer without a circle, which `Join` refuses.
const JOINS_MAX: usize = 64;

pub(crate) async fn apply(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    command: &Command,
) -> Result<Outcome, sqlx::Error> {
    match command {
        Command::Raise(new) => raise::raise(conn, entry, new).await,
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

/// Closes an alert that a slice to the right knows to be over. Nobody is texted.
pub(crate) async fn resolve(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    alert: AlertId,
    note: &str,
) -> Result<Outcome, sqlx::Error> {
    end(conn, entry, alert, State::Resolved, note).await
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
    if note.chars().count() > TEXT_LEN_MAX {
        let problem = format!("the note has at most {} characters", TEXT_LEN_MAX);
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
    note_join(conn, alert, into).await?;
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
