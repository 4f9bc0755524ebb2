//! Writes to sign-ins under way and to sessions. What is tried is counted before it is looked at, so that three nodes
//! asked at once give no more tries than one (SECURITY T-14).

use std::time::Duration;

use sqlx::{Row, SqliteConnection};

use super::{
    ATTEMPT_TIME, Accept, CODE_TRIES, Device, ENDED_KEPT, NewSession, PASSWORD_TRIES, Proof,
    SESSIONS_MAX, TRIES_OF_ATTEMPT, TryLimit, subject, subject_on,
};
use super::{passkeys, query, text_code};
use crate::access::Role;
use crate::apply::Entry;
use crate::outcome::{Outcome, Receipt, Refusal};
use crate::time::Timestamp;

/// How long a count nobody added to stays.
const COUNT_KEPT: Duration = Duration::from_secs(2 * 24 * 3_600);

/// One more try of a password, or a refusal once there were too many.
pub(super) async fn try_password(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    subject: &[u8; 32],
) -> Result<Outcome, sqlx::Error> {
    count(conn, entry.at, &PASSWORD_TRIES, subject).await
}

async fn count(
    conn: &mut SqliteConnection,
    at: Timestamp,
    limit: &TryLimit,
    subject: &[u8; 32],
) -> Result<Outcome, sqlx::Error> {
    // Names nobody has are counted, too; their rows must not stay.
    sqlx::query("delete from try_count where since_ms < ?")
        .bind((at - COUNT_KEPT).0)
        .execute(&mut *conn)
        .await?;
    let row = sqlx::query(
        "select since_ms, tries, closed_until_ms from try_count where kind = ? and subject = ?",
    )
    .bind(limit.kind)
    .bind(subject.as_slice())
    .fetch_optional(&mut *conn)
    .await?;
    let (mut since, mut tries, mut closed) = (at, 0_i64, None);
    if let Some(row) = row {
        since = Timestamp(row.try_get("since_ms")?);
        tries = row.try_get("tries")?;
        closed = row
            .try_get::<Option<i64>, _>("closed_until_ms")?
            .map(Timestamp);
    }
    if let Some(until) = closed.filter(|until| at < *until) {
        return Ok(too_many(until.since(at)));
    }
    if closed.is_some() || since + limit.window <= at {
        (since, tries) = (at, 0);
    }
    tries += 1;
    let over = tries > i64::from(limit.max);
    sqlx::query(
        "insert into try_count (kind, subject, since_ms, tries, closed_until_ms) values (?1, ?2, ?3, ?4, ?5) \
         on conflict (kind, subject) do update set since_ms = ?3, tries = ?4, closed_until_ms = ?5",
    )
    .bind(limit.kind)
    .bind(subject.as_slice())
    .bind(since.0)
    .bind(tries)
    .bind(over.then_some((at + limit.closed).0))
    .execute(conn)
    .await?;
    Ok(match over {
        true => too_many(limit.closed),
        false => Outcome::Applied(Receipt::None),
    })
}

fn too_many(wait: Duration) -> Outcome {
    Outcome::Refused(Refusal::TooMany {
        wait_s: wait
            .as_millis()
            .div_ceil(1_000)
            .try_into()
            .unwrap_or(u64::MAX),
    })
}

/// The password was right. Its tries begin anew.
pub(super) async fn begin(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    attempt: &[u8; 32],
    (name, rehashed): (&str, Option<&str>),
    device: &Device,
) -> Result<Outcome, sqlx::Error> {
    sqlx::query("delete from sign_in_attempt where started_at_ms < ?")
        .bind((entry.at - ATTEMPT_TIME).0)
        .execute(&mut *conn)
        .await?;
    // The owner on a known device gives nobody elsewhere more tries.
    let known = query::accounts_of_device(conn, &device.key).await?;
    let counted = match known.iter().any(|known| known == name) {
        true => subject_on(name, &device.key),
        false => subject(name),
    };
    sqlx::query("delete from try_count where kind = ? and subject = ?")
        .bind(PASSWORD_TRIES.kind)
        .bind(counted.as_slice())
        .execute(&mut *conn)
        .await?;
    if let Some(phc) = rehashed {
        sqlx::query("update account set password = ? where name = ? and password is not null")
            .bind(phc)
            .bind(name)
            .execute(&mut *conn)
            .await?;
    }
    sqlx::query(
        "insert into sign_in_attempt (attempt_hash, account, device_name, device_key, started_at_ms, tries) \
         values (?, ?, ?, ?, ?, 0) on conflict (attempt_hash) do nothing",
    )
    .bind(attempt.as_slice())
    .bind(name)
    .bind(&device.name)
    .bind(&device.key)
    .bind(entry.at.0)
    .execute(conn)
    .await?;
    Ok(Outcome::Applied(Receipt::None))
}

/// One more try of a code, or a refusal once there were too many.
pub(super) async fn try_code(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    attempt: &[u8; 32],
) -> Result<Outcome, sqlx::Error> {
    let found = query::attempt(conn, attempt).await?;
    let Some(found) = found.filter(|found| {
        found.tries < TRIES_OF_ATTEMPT && entry.at < found.started_at + ATTEMPT_TIME
    }) else {
        return Ok(Outcome::Refused(over()));
    };
    sqlx::query("update sign_in_attempt set tries = tries + 1 where attempt_hash = ?")
        .bind(attempt.as_slice())
        .execute(&mut *conn)
        .await?;
    count(conn, entry.at, &CODE_TRIES, &subject(&found.account)).await
}

/// The same for a code in a session: one limit for every way (SECURITY §2.3 no. 5).
pub(super) async fn try_proof(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    name: &str,
) -> Result<Outcome, sqlx::Error> {
    count(conn, entry.at, &CODE_TRIES, &subject(name)).await
}

fn over() -> Refusal {
    Refusal::NotNow("this sign-in is over; begin it anew".to_owned())
}

/// The second factor was right: opens the session, spends the attempt and what it was opened by.
pub(super) async fn open(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    attempt: &[u8; 32],
    proof: &Proof,
    session: &NewSession,
) -> Result<Outcome, sqlx::Error> {
    let found = query::attempt(conn, attempt).await?;
    let Some(found) = found.filter(|found| found.open(entry.at)) else {
        return Ok(Outcome::Refused(over()));
    };
    let account = query::account(conn, &found.account).await?;
    let Some(account) = account.filter(|account| account.lets_in(entry.at)) else {
        return Ok(Outcome::Refused(over()));
    };
    let (spent, factors) = match proof {
        Proof::Totp { step } => (
            spend_step(conn, &account.name, *step).await?,
            "password, totp",
        ),
        Proof::Recovery { code_hash } => (
            spend_code(conn, entry.at, &account.name, code_hash).await?,
            "password, recovery code",
        ),
        // Never for those whose roles ask for more (SECURITY D-4), whatever a node let through.
        Proof::Text { .. } if account.roles.needs_strong_factor() => (false, ""),
        Proof::Text { delivery } => (
            text_code::spend(conn, entry.at, attempt, *delivery).await?,
            "password, text",
        ),
    };
    if !spent {
        let text = "the code is not right, or was used before; take the next one";
        return Ok(Outcome::Refused(Refusal::NotNow(text.to_owned())));
    }
    sqlx::query("delete from sign_in_attempt where attempt_hash = ?")
        .bind(attempt.as_slice())
        .execute(&mut *conn)
        .await?;
    let device = Device {
        name: found.device_name,
        key: found.device_key,
    };
    add_session(conn, entry, &account.name, session, &device, factors).await
}

/// Uses up a time step; false when it, or a later one, was used before.
pub(super) async fn spend_step(
    conn: &mut SqliteConnection,
    name: &str,
    step: u64,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "update account set totp_step = ?1 where name = ?2 and totp_step < ?1 and totp_confirmed_at_ms is not null",
    )
    .bind(step.cast_signed())
    .bind(name)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

async fn spend_code(
    conn: &mut SqliteConnection,
    at: Timestamp,
    name: &str,
    code_hash: &[u8; 32],
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "update recovery_code set used_at_ms = ? where code_hash = ? and account = ? and used_at_ms is null \
         and epoch = coalesce((select c.epoch from cluster c where c.id = 1), 1)",
    )
    .bind(at.0)
    .bind(code_hash.as_slice())
    .bind(name)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Uses an invitation: once, in time, in the epoch it was made in.
pub(super) async fn accept(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    accept: &Accept,
) -> Result<Outcome, sqlx::Error> {
    let nothing = || {
        let text =
            "this code opens nothing: it was used, is too old, or was mistyped; ask for a new one";
        Ok(Outcome::Refused(Refusal::NotNow(text.to_owned())))
    };
    let name: Option<String> = sqlx::query_scalar(
        "select account from invitation where code_hash = ? and used_at_ms is null and expires_at_ms > ? \
         and epoch = coalesce((select c.epoch from cluster c where c.id = 1), 1)",
    )
    .bind(accept.code_hash.as_slice())
    .bind(entry.at.0)
    .fetch_optional(&mut *conn)
    .await?;
    let Some(name) = name else { return nothing() };
    let account = query::account(conn, &name).await?;
    let Some(account) = account.filter(|account| account.lets_in(entry.at)) else {
        return nothing();
    };
    let only_called = account
        .roles
        .0
        .iter()
        .all(|role| matches!(role, Role::Responder | Role::Guest));
    if !only_called && accept.password.is_none() && account.password.is_none() {
        let text = "this account needs a password; choose one of 12 characters or more";
        return Ok(Outcome::Refused(Refusal::Invalid(text.to_owned())));
    }
    sqlx::query("update invitation set used_at_ms = ? where code_hash = ?")
        .bind(entry.at.0)
        .bind(accept.code_hash.as_slice())
        .execute(&mut *conn)
        .await?;
    if let Some(phc) = &accept.password {
        // A new password begins everything anew: whoever has the old one, an old app or an old passkey, is out.
        sqlx::query(
            "update account set password = ?, password_at_ms = ?, totp_sealed = null, totp_confirmed_at_ms = null \
             where name = ?",
        )
        .bind(phc)
        .bind(entry.at.0)
        .bind(&name)
        .execute(&mut *conn)
        .await?;
        passkeys::remove_all(conn, &name).await?;
        end_all(conn, entry, &name, None).await?;
    }
    add_session(
        conn,
        entry,
        &name,
        &accept.session,
        &accept.device,
        "invitation",
    )
    .await
}

pub(super) async fn add_session(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    name: &str,
    session: &NewSession,
    device: &Device,
    factors: &str,
) -> Result<Outcome, sqlx::Error> {
    sqlx::query("delete from session where account = ? and ended_at_ms < ?")
        .bind(name)
        .bind((entry.at - ENDED_KEPT).0)
        .execute(&mut *conn)
        .await?;
    sqlx::query(
        "update session set ended_at_ms = ?1, ended_by = 'too many' where session_id in \
         (select session_id from session where account = ?2 and ended_at_ms is null \
          order by seen_at_ms desc, session_id limit -1 offset ?3)",
    )
    .bind(entry.at.0)
    .bind(name)
    .bind(SESSIONS_MAX - 1)
    .execute(&mut *conn)
    .await?;
    sqlx::query(
        "insert into session (session_id, token_hash, account, device_name, device_key, factors, opened_at_ms, \
         seen_at_ms, proved_at_ms, ended_by, epoch) values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, ?7, '', \
         coalesce((select c.epoch from cluster c where c.id = 1), 1))",
    )
    .bind(&session.id)
    .bind(session.token_hash.as_slice())
    .bind(name)
    .bind(&device.name)
    .bind(&device.key)
    .bind(factors)
    .bind(entry.at.0)
    .execute(conn)
    .await?;
    Ok(Outcome::Applied(Receipt::None))
}

/// Keeps a session alive that is used.
pub(super) async fn touch(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    session: &str,
) -> Result<Outcome, sqlx::Error> {
    let done = sqlx::query(
        "update session set seen_at_ms = ?1 where session_id = ?2 and ended_at_ms is null and seen_at_ms < ?1",
    )
    .bind(entry.at.0)
    .bind(session)
    .execute(conn)
    .await?;
    Ok(match done.rows_affected() {
        0 => Outcome::Unchanged,
        _ => Outcome::Applied(Receipt::None),
    })
}

/// Ends a session at once, on all nodes that apply this.
pub(super) async fn end(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    session: &str,
) -> Result<Outcome, sqlx::Error> {
    let ended: Option<bool> =
        sqlx::query_scalar("select ended_at_ms is not null from session where session_id = ?")
            .bind(session)
            .fetch_optional(&mut *conn)
            .await?;
    match ended {
        None => {
            let text = "there is no such session";
            return Ok(Outcome::Refused(Refusal::NoSuch(text.to_owned())));
        }
        Some(true) => return Ok(Outcome::Unchanged),
        Some(false) => {}
    }
    sqlx::query("update session set ended_at_ms = ?, ended_by = ? where session_id = ?")
        .bind(entry.at.0)
        .bind(entry.envelope.actor.label())
        .bind(session)
        .execute(conn)
        .await?;
    Ok(Outcome::Applied(Receipt::None))
}

/// Ends the sessions of an account and the sign-ins under way; how many sessions.
pub(super) async fn end_all(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    name: &str,
    but: Option<&str>,
) -> Result<u64, sqlx::Error> {
    sqlx::query("delete from sign_in_attempt where account = ?")
        .bind(name)
        .execute(&mut *conn)
        .await?;
    let done = sqlx::query(
        "update session set ended_at_ms = ?, ended_by = ? where account = ? and ended_at_ms is null and session_id is not ?",
    )
    .bind(entry.at.0)
    .bind(entry.envelope.actor.label())
    .bind(name)
    .bind(but)
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}
