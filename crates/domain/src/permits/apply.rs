//! Writes to `permit`.

use sqlx::SqliteConnection;

use super::rules::{self, WAITING_MAX};
use super::{Ask, Command, PermitRow, PermitState, WAIT, query, request_digest};
use crate::access::accounts;
use crate::apply::Entry;
use crate::envelope::Actor;
use crate::outcome::{Outcome, Receipt, Refusal};

pub(crate) async fn apply(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    command: &Command,
) -> Result<Outcome, sqlx::Error> {
    match command {
        Command::Ask(new) => ask(conn, entry, new).await,
        Command::Let { number } => permit(conn, entry, *number).await,
        Command::Drop { number } => drop_it(conn, entry, *number).await,
        Command::Use { digest } => take(conn, entry, digest).await,
    }
}

fn refused(refusal: Refusal) -> Outcome {
    Outcome::Refused(refusal)
}

fn not_now(text: &str) -> Outcome {
    refused(Refusal::NotNow(text.to_owned()))
}

async fn ask(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    new: &Ask,
) -> Result<Outcome, sqlx::Error> {
    let (name, reason) = match rules::check(new) {
        Ok(checked) => checked,
        Err(problem) => return Ok(refused(Refusal::Invalid(problem))),
    };
    let actor = entry.envelope.actor.label();
    let digest = request_digest(&new.method, &new.path, new.body.as_bytes());
    for known in query::of_request(conn, &digest, &actor).await? {
        if matches!(
            known.state(entry.at),
            PermitState::Waiting | PermitState::Ready
        ) {
            return Ok(Outcome::Applied(Receipt::Number(known.number)));
        }
    }
    let waiting: i64 = sqlx::query_scalar(
        "select count(*) from permit where let_at_ms is null and dropped_at_ms is null and asked_at_ms > ?",
    )
    .bind(entry.at.0.saturating_sub(i64::try_from(WAIT.as_millis()).unwrap_or(i64::MAX)))
    .fetch_one(&mut *conn)
    .await?;
    if waiting >= WAITING_MAX {
        let text =
            "too much waits for a second administrator already; let or drop some of it first";
        return Ok(not_now(text));
    }
    let number: i64 = sqlx::query_scalar("select coalesce(max(number), 0) + 1 from permit")
        .fetch_one(&mut *conn)
        .await?;
    sqlx::query(
        "insert into permit (number, method, path, body, digest, reason, asked_by, asked_name, asked_at_ms, let_by, \
         let_at_ms, used_at_ms, dropped_by, dropped_at_ms, epoch) values (?, ?, ?, ?, ?, ?, ?, ?, ?, '', null, null, '', \
         null, coalesce((select c.epoch from cluster c where c.id = 1), 1))",
    )
    .bind(number)
    .bind(&new.method)
    .bind(&new.path)
    .bind(&new.body)
    .bind(digest.as_slice())
    .bind(reason)
    .bind(actor)
    .bind(name)
    .bind(entry.at.0)
    .execute(conn)
    .await?;
    Ok(Outcome::Applied(Receipt::Number(number.cast_unsigned())))
}

/// What waits under a number, or why nothing does.
async fn waiting(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    number: u64,
) -> Result<Result<PermitRow, Outcome>, sqlx::Error> {
    let Some(row) = query::find(conn, number).await? else {
        let text = format!("nothing was asked for under the number {number}");
        return Ok(Err(refused(Refusal::NoSuch(text))));
    };
    Ok(match row.state(entry.at) {
        PermitState::Waiting | PermitState::Ready => Ok(row),
        PermitState::Used => Err(not_now("it was done already")),
        PermitState::Dropped => Err(not_now("it is not to be done; ask for it anew")),
        PermitState::Void => Err(not_now("its time is over; ask for it anew")),
    })
}

async fn permit(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    number: u64,
) -> Result<Outcome, sqlx::Error> {
    let row = match waiting(conn, entry, number).await? {
        Ok(row) => row,
        Err(outcome) => return Ok(outcome),
    };
    if row.let_at.is_some() {
        return Ok(Outcome::Unchanged);
    }
    if is_same(conn, &row.asked_by, &entry.envelope.actor).await? {
        return Ok(not_now("you asked for it; somebody else has to let it"));
    }
    sqlx::query("update permit set let_by = ?, let_at_ms = ? where number = ?")
        .bind(entry.envelope.actor.label())
        .bind(entry.at.0)
        .bind(number.cast_signed())
        .execute(conn)
        .await?;
    Ok(Outcome::Applied(Receipt::None))
}

/// Whether two accounts are one person's.
async fn is_same(
    conn: &mut SqliteConnection,
    asked_by: &str,
    actor: &Actor,
) -> Result<bool, sqlx::Error> {
    if asked_by == actor.label() {
        return Ok(true);
    }
    let (Some(one), Actor::Account { name }) = (asked_by.strip_prefix("account:"), actor) else {
        return Ok(false);
    };
    let one = accounts::account(conn, one).await?;
    let other = accounts::account(conn, name).await?;
    let person = |row: Option<accounts::AccountRow>| row.and_then(|row| row.person);
    Ok(person(one).is_some_and(|one| Some(one) == person(other)))
}

async fn drop_it(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    number: u64,
) -> Result<Outcome, sqlx::Error> {
    if let Err(outcome) = waiting(conn, entry, number).await? {
        return Ok(outcome);
    }
    sqlx::query("update permit set dropped_by = ?, dropped_at_ms = ? where number = ?")
        .bind(entry.envelope.actor.label())
        .bind(entry.at.0)
        .bind(number.cast_signed())
        .execute(conn)
        .await?;
    Ok(Outcome::Applied(Receipt::None))
}

async fn take(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    digest: &[u8; 32],
) -> Result<Outcome, sqlx::Error> {
    if super::gate::needs_none(conn, &entry.envelope.actor).await? {
        return Ok(Outcome::Unchanged);
    }
    match ready(conn, entry, digest).await? {
        Some(number) => {
            mark_used(conn, entry, number).await?;
            Ok(Outcome::Applied(Receipt::Number(number)))
        }
        None => Ok(refused(Refusal::TakesTwo)),
    }
}

/// The number of what somebody let whoever asks do now, by the digest of the request.
pub(super) async fn ready(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    digest: &[u8; 32],
) -> Result<Option<u64>, sqlx::Error> {
    let known = query::of_request(conn, digest, &entry.envelope.actor.label()).await?;
    let mut known = known.iter();
    let found = known.find(|row| row.state(entry.at) == PermitState::Ready);
    Ok(found.map(|row| row.number))
}

pub(super) async fn mark_used(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    number: u64,
) -> Result<(), sqlx::Error> {
    sqlx::query("update permit set used_at_ms = ? where number = ?")
        .bind(entry.at.0)
        .bind(number.cast_signed())
        .execute(conn)
        .await?;
    Ok(())
}
