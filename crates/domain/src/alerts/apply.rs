//! Writes to `alert`.

use sqlx::SqliteConnection;

use super::merge::note_join;
use super::{AlertRow, Command, State, acts, handover, query, raise, rules};
use crate::apply::Entry;
use crate::conversations;
use crate::escalation::{self, Over};
use crate::ids::{AlertId, RecipientId, RoomId};
use crate::outcome::{Outcome, Receipt, Refusal};
use crate::time::Timestamp;
use crate::vocabulary::{AlertKind, Answer, ETA_MIN_MAX, TEXT_LEN_MAX};

/// Joined alerts are followed this far; a chain cannot be longer without a circle, which `Join` refuses.
const JOINS_MAX: usize = 64;

/// The longest name of whoever marks somebody, in characters.
pub const MARKED_BY_LEN_MAX: usize = 100;

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
            eta_min,
        } => answer_by_api(conn, entry, *alert, *recipient, (*said, *eta_min)).await,
        Command::Acknowledge { alert, note } => acknowledge(conn, entry, *alert, note).await,
        Command::Resolve { alert, note } => {
            let by = entry.envelope.actor.label();
            end(conn, entry, *alert, State::Resolved, &by, note).await
        }
        Command::CallOff { alert, reason } => {
            let by = entry.envelope.actor.label();
            end(conn, entry, *alert, State::CalledOff, &by, reason).await
        }
        Command::Join { alert, into } => join(conn, entry, *alert, *into).await,
        Command::Act { alert, act, reason } => acts::act(conn, entry, *alert, act, reason).await,
        Command::Mark {
            alert,
            recipient,
            by,
            mark,
        } => self::mark(conn, entry, *alert, *recipient, by, *mark).await,
        Command::HandOver { alerts } => handover::hand_over(conn, entry, alerts).await,
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
/// With it goes in how many minutes somebody who is coming will be there; saying "coming" again without a time keeps the
/// one that was said. Each person's last answer counts while the alert is open. A late one is written in the room and changes nothing.
pub(crate) async fn answer(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    alert: AlertId,
    recipient: RecipientId,
    (said, eta_min): (Answer, Option<u16>),
    from: &str,
) -> Result<Option<Answered>, sqlx::Error> {
    let Some(row) = follow(conn, alert).await? else {
        return Ok(None);
    };
    let Some(call) = escalation::find_call(conn, row.id, recipient).await? else {
        return Ok(None);
    };
    let late = row.state != State::Open;
    let confirms = said == Answer::Coming && call.is_asked_again();
    // Whoever was withdrawn and says the same once more comes after all.
    let changed = call.answer != Some(said)
        || confirms
        || eta_min.is_some()
        || !late && escalation::is_left_out(conn, row.id, recipient).await?;
    if !late && changed {
        escalation::answer(conn, entry, &call, said, eta_min, from).await?;
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
    (said, eta_min): (Answer, Option<u16>),
) -> Result<Outcome, sqlx::Error> {
    if eta_min.is_some_and(|minutes| said != Answer::Coming || minutes > ETA_MIN_MAX) {
        let problem =
            format!("only somebody who is coming says in how many minutes, at most {ETA_MIN_MAX}");
        return Ok(Outcome::Refused(Refusal::Invalid(problem)));
    }
    let Some(row) = query::find(conn, alert).await? else {
        return Ok(Outcome::Refused(Refusal::UnknownAlert));
    };
    if let Some(refusal) = rules::unfit(row.kind, said) {
        return Ok(Outcome::Refused(refusal));
    }
    let by = entry.envelope.actor.label();
    Ok(
        match answer(conn, entry, alert, recipient, (said, eta_min), &by).await? {
            None => Outcome::Refused(Refusal::UnknownRecipient("for this alert".to_owned())),
            Some(answered) if answered.late => Outcome::Refused(Refusal::AlertClosed),
            Some(answered) if answered.changed => Outcome::Applied(Receipt::None),
            Some(_) => Outcome::Unchanged,
        },
    )
}

/// Follows joined alerts, as an answer does.
async fn mark(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    alert: AlertId,
    recipient: RecipientId,
    by: &str,
    mark: Answer,
) -> Result<Outcome, sqlx::Error> {
    let Some(row) = follow(conn, alert).await? else {
        return Ok(Outcome::Refused(Refusal::UnknownAlert));
    };
    if row.kind != AlertKind::SafetyCheck {
        let problem = "only people asked by a safety check are marked; record an answer instead";
        return Ok(Outcome::Refused(Refusal::Invalid(problem.to_owned())));
    }
    if let Some(refusal) = rules::unfit(row.kind, mark) {
        return Ok(Outcome::Refused(refusal));
    }
    if by.trim().is_empty() || by.chars().count() > MARKED_BY_LEN_MAX {
        let problem = format!("who saw them is a name of 1 to {MARKED_BY_LEN_MAX} characters");
        return Ok(Outcome::Refused(Refusal::Invalid(problem)));
    }
    if row.state != State::Open {
        return Ok(Outcome::Refused(Refusal::AlertClosed));
    }
    let Some(call) = escalation::find_call(conn, row.id, recipient).await? else {
        let whom = Refusal::UnknownRecipient("for this alert".to_owned());
        return Ok(Outcome::Refused(whom));
    };
    Ok(
        match escalation::mark(conn, entry, &call, by, mark).await? {
            true => Outcome::Applied(Receipt::None),
            false => Outcome::Unchanged,
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
    let by = entry.envelope.actor.label();
    resolve_as(conn, entry, alert, &by, note).await
}

/// As [`resolve`], in a name of the caller's.
pub(crate) async fn resolve_as(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    alert: AlertId,
    by: &str,
    note: &str,
) -> Result<Outcome, sqlx::Error> {
    end(conn, entry, alert, State::Resolved, by, note).await
}

async fn end(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    alert: AlertId,
    to: State,
    by: &str,
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
    write_end(conn, entry, alert, to, by, note).await?;
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
    conversations::post(conn, entry, RoomId::of_alert(alert), by, "system", &said).await?;
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
    if row.kind != target.kind {
        let problem = "an alert and a safety check cannot be joined: they are answered differently";
        return Ok(Outcome::Refused(Refusal::Invalid(problem.to_owned())));
    }
    if alert == into
        || row.state != State::Open
        || row.joined_into.is_some()
        || target.state != State::Open
    {
        return Ok(Outcome::Refused(Refusal::CannotJoin));
    }
    let by = entry.envelope.actor.label();
    write_end(conn, entry, alert, State::Joined, &by, "").await?;
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
    by: &str,
    note: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update alert set state = ?, closed_at_ms = ?, closed_by = ?, note = ? where alert_id = ?",
    )
    .bind(state.name())
    .bind(entry.at.0)
    .bind(by)
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
