//! Where a raise meets the thresholds: it goes, it goes and must be reviewed, or it waits.

use serde::{Deserialize, Serialize};
use sqlx::SqliteConnection;

use super::rules::{self, RELEASE_AFTER, State};
use super::{query, tell};
use crate::alerts::{self, AlertFact, Raise};
use crate::apply::Entry;
use crate::envelope::Actor;
use crate::ids::{AlertId, NodeId, RoomId};
use crate::limits::{self, SecondPerson, Weight};
use crate::outcome::{Outcome, Receipt, Refusal};
use crate::vocabulary::Severity;
use crate::{codec, conversations, nodes, rows};

/// What waits, with who asked for it: the alert is theirs, whoever lets it go.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Waiting {
    pub(super) raise: Raise,
    pub(super) actor: Actor,
    pub(super) issued_by: NodeId,
}

/// A new row, before it is written.
struct New<'a> {
    alert: AlertId,
    state: State,
    raise: &'a Raise,
    weight: Weight,
    why: &'a [String],
}

/// Applies a raise of a person: at once, or once a second person agreed.
pub(crate) async fn raise(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    new: &Raise,
) -> Result<Outcome, sqlx::Error> {
    let id = AlertId::derive(&[entry.envelope.request.as_bytes()]);
    raise_as(conn, entry, id, new).await
}

/// As [`raise`], under an id of the caller's. What waits is answered with [`Receipt::Held`].
pub(crate) async fn raise_as(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    id: AlertId,
    new: &Raise,
) -> Result<Outcome, sqlx::Error> {
    let Some(setting) = limits::second_person(conn).await? else {
        return alerts::raise_as(conn, entry, id, new).await;
    };
    let weight = match alerts::weigh(conn, new).await? {
        Ok(weight) => weight,
        Err(refusal) => return Ok(Outcome::Refused(refusal)),
    };
    let why = limits::too_heavy(&setting, &weight);
    if why.is_empty() {
        return alerts::raise_as(conn, entry, id, new).await;
    }
    if let Some(earlier) = query::of_alert(conn, id).await? {
        let number = earlier.number;
        return Ok(Outcome::Applied(Receipt::Held { number }));
    }
    let mut row = New {
        alert: id,
        state: State::Waiting,
        raise: new,
        weight,
        why: &why,
    };
    if nodes::fork(conn).await?.is_some() {
        row.state = State::Island;
    } else if new.severity == Severity::Critical && setting.critical_at_once {
        row.state = State::AtOnce;
    } else {
        return hold(conn, entry, &setting, &row).await;
    }
    at_once(conn, entry, &setting, &row).await
}

/// Lets it wait, and asks for a second person.
async fn hold(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    setting: &SecondPerson,
    new: &New<'_>,
) -> Result<Outcome, sqlx::Error> {
    let waiting: i64 = sqlx::query_scalar(
        "select count(*) from approval where state = 'awaiting_second_person' and asked_by = ?",
    )
    .bind(entry.envelope.actor.label())
    .fetch_one(&mut *conn)
    .await?;
    if waiting >= rules::WAITING_MAX {
        let problem = format!(
            "{waiting} alerts from here wait for a second person already; have them approved, release or withdraw them \
             first (`holdfast alert held`)"
        );
        return Ok(Outcome::Refused(Refusal::NotNow(problem)));
    }
    let number = insert(conn, entry, new).await?;
    tell::ask(conn, entry, setting, number).await?;
    Ok(Outcome::Applied(Receipt::Held { number }))
}

/// Lets it go, to be reviewed.
async fn at_once(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    setting: &SecondPerson,
    new: &New<'_>,
) -> Result<Outcome, sqlx::Error> {
    let outcome = alerts::raise_as(conn, entry, new.alert, new.raise).await?;
    if !matches!(outcome, Outcome::Applied(_)) {
        return Ok(outcome);
    }
    let number = insert(conn, entry, new).await?;
    let because = match new.state {
        State::Island => "this node is cut off",
        State::Waiting
        | State::Approved
        | State::Refused
        | State::Released
        | State::Withdrawn
        | State::Lapsed
        | State::AtOnce => "it is critical",
    };
    let said = format!(
        "Went without a second person, because {because}: {}. Somebody else must review it.",
        new.why.join("; ")
    );
    let room = RoomId::of_alert(new.alert);
    conversations::post(conn, entry, room, "Holdfast", "system", &said).await?;
    if new.state == State::AtOnce {
        tell::ask_for_review(conn, entry, setting, number).await?;
    }
    Ok(outcome)
}

/// Makes the row to review of an alert that an island raised. Only the number of people is judged: what the island
/// weighed besides stands in the alert's room.
pub(crate) async fn note_from_island(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    fact: &AlertFact,
) -> Result<(), sqlx::Error> {
    let by_person = fact.raised_by.starts_with("key:") || fact.raised_by.starts_with("operator:");
    let Some(setting) = limits::second_person(conn).await? else {
        return Ok(());
    };
    let weight = Weight {
        people: fact.people,
        ..Weight::default()
    };
    let why = limits::too_heavy(&setting, &weight);
    if !by_person || why.is_empty() || query::of_alert(conn, fact.alert).await?.is_some() {
        return Ok(());
    }
    let number = next_number(conn).await?;
    sqlx::query(
        "insert into approval (number, alert_id, state, payload, severity, status, texts, source, people, sms_parts, why, \
         asked_by, asked_at_ms, release_from_ms, due_ms, reminded, wrong_codes, decided_by, decided_as, decided_at_ms, \
         reason, to_review, reviewed_by, reviewed_as, reviewed_at_ms, review_note) \
         values (?, ?, ?, x'', ?, ?, ?, ?, ?, 0, ?, ?, ?, ?, null, 0, 0, ?, '', ?, '', 1, '', '', null, '')",
    )
    .bind(number.cast_signed())
    .bind(fact.alert.as_bytes())
    .bind(State::Island.name())
    .bind(fact.severity.rank())
    .bind(fact.status.name())
    .bind(rows::to_json(&fact.texts)?)
    .bind(&fact.source)
    .bind(i64::try_from(fact.people).unwrap_or(i64::MAX))
    .bind(rows::to_json(&why)?)
    .bind(&fact.raised_by)
    .bind(fact.raised_at.0)
    .bind(fact.raised_at.0)
    .bind(&fact.raised_by)
    .bind(fact.raised_at.0)
    .execute(&mut *conn)
    .await?;
    tell::ask_for_review(conn, entry, &setting, number).await
}

async fn insert(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    new: &New<'_>,
) -> Result<u64, sqlx::Error> {
    let number = next_number(conn).await?;
    let waits = new.state == State::Waiting;
    let by = entry.envelope.actor.label();
    let payload = match waits {
        true => codec::encode(&Waiting {
            raise: new.raise.clone(),
            actor: entry.envelope.actor.clone(),
            issued_by: entry.envelope.issued_by,
        })
        .map_err(|e| sqlx::Error::Encode(e.into()))?,
        false => Vec::new(),
    };
    let release_from = entry.at + RELEASE_AFTER;
    sqlx::query(
        "insert into approval (number, alert_id, state, payload, severity, status, texts, source, people, sms_parts, why, \
         asked_by, asked_at_ms, release_from_ms, due_ms, reminded, wrong_codes, decided_by, decided_as, decided_at_ms, \
         reason, to_review, reviewed_by, reviewed_as, reviewed_at_ms, review_note) \
         values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, ?, '', ?, '', ?, '', '', null, '')",
    )
    .bind(number.cast_signed())
    .bind(new.alert.as_bytes())
    .bind(new.state.name())
    .bind(payload)
    .bind(new.raise.severity.rank())
    .bind(new.raise.status.name())
    .bind(rows::to_json(&new.raise.texts)?)
    .bind(&new.raise.source)
    .bind(i64::try_from(new.weight.people).unwrap_or(i64::MAX))
    .bind(i64::try_from(new.weight.sms_parts).unwrap_or(i64::MAX))
    .bind(rows::to_json(&new.why)?)
    .bind(&by)
    .bind(entry.at.0)
    .bind(release_from.0)
    .bind(waits.then_some(release_from.0))
    .bind(if waits { "" } else { by.as_str() })
    .bind((!waits).then_some(entry.at.0))
    .bind(!waits)
    .execute(&mut *conn)
    .await?;
    prune(conn).await?;
    Ok(number)
}

async fn next_number(conn: &mut SqliteConnection) -> Result<u64, sqlx::Error> {
    let number: i64 = sqlx::query_scalar("select coalesce(max(number), 0) + 1 from approval")
        .fetch_one(conn)
        .await?;
    Ok(number.cast_unsigned())
}

/// Forgets the oldest of those that need nothing any more.
async fn prune(conn: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let last: Option<i64> = sqlx::query_scalar(
        "select number from approval where state <> 'awaiting_second_person' \
         and not (to_review = 1 and reviewed_at_ms is null) order by number desc limit 1 offset ?",
    )
    .bind(rules::KEPT)
    .fetch_optional(&mut *conn)
    .await?;
    let Some(last) = last else { return Ok(()) };
    for forget in [
        "delete from approval where number <= ? and state <> 'awaiting_second_person' \
         and not (to_review = 1 and reviewed_at_ms is null)",
        "delete from approval_code where number <= ? and number not in (select number from approval)",
    ] {
        sqlx::query(forget).bind(last).execute(&mut *conn).await?;
    }
    Ok(())
}
