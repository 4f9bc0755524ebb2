//! Showing again, in a session, that it is still its owner who has the device (SECURITY V7.5.1, T-31). Writes to `session`.

use sqlx::SqliteConnection;

use super::{PASSWORD_TRIES, Shown, passkeys, query, sign_in, subject_on};
use crate::apply::Entry;
use crate::outcome::{Outcome, Receipt, Refusal};

/// Notes that the owner of a session showed a factor; each code and each answer to a challenge counts once.
pub(super) async fn prove(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    session: &str,
    by: &Shown,
) -> Result<Outcome, sqlx::Error> {
    let refused = |text: &str| Ok(Outcome::Refused(Refusal::NotNow(text.to_owned())));
    let found: Option<(String, Vec<u8>)> = sqlx::query_as(
        "select account, device_key from session where session_id = ? and ended_at_ms is null \
         and epoch = coalesce((select c.epoch from cluster c where c.id = 1), 1)",
    )
    .bind(session)
    .fetch_optional(&mut *conn)
    .await?;
    let Some((name, device_key)) = found else {
        return refused("this session is over; sign in");
    };
    let account = query::account(conn, &name).await?;
    let Some(account) = account.filter(|account| account.lets_in(entry.at)) else {
        return refused("this session is over; sign in");
    };
    let shown = match by {
        Shown::Password => {
            // Whoever knows it did not guess.
            sqlx::query("delete from try_count where kind = ? and subject = ?")
                .bind(PASSWORD_TRIES.kind)
                .bind(subject_on(&name, &device_key).as_slice())
                .execute(&mut *conn)
                .await?;
            account.password.is_some()
        }
        Shown::Totp { step } => sign_in::spend_step(conn, &name, *step).await?,
        Shown::Passkey {
            id,
            count,
            challenge,
        } => {
            let known = passkeys::passkey(conn, id).await?;
            if known.is_none_or(|known| known.account != name) {
                return refused("this passkey is not yours");
            }
            match passkeys::spend(conn, entry, (id, *count), challenge).await? {
                Ok(_) => true,
                Err(refusal) => return Ok(Outcome::Refused(refusal)),
            }
        }
    };
    if !shown {
        return refused("the code is not right, or was used before; take the next one");
    }
    sqlx::query("update session set proved_at_ms = ?1, looked_at_ms = ?1 where session_id = ?2")
        .bind(entry.at.0)
        .bind(session)
        .execute(conn)
        .await?;
    Ok(Outcome::Applied(Receipt::None))
}

/// Notes that a session looked, so that every node knows how long its pause is.
pub(super) async fn look(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    session: &str,
) -> Result<Outcome, sqlx::Error> {
    let done = sqlx::query(
        "update session set looked_at_ms = ?1 where session_id = ?2 and ended_at_ms is null and looked_at_ms < ?1",
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
