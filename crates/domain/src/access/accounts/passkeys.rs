//! Passkeys: keys that people's devices and security keys hold, of which we know the public half (SECURITY D-3). The node
//! that was asked looks at signatures; here is decided whether a passkey counts, and that no answer counts twice.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::query;
use super::{ByPasskey, CHALLENGE_TIME, NewPasskey, sign_in};
use crate::apply::Entry;
use crate::outcome::{Outcome, Receipt, Refusal};
use crate::rows;
use crate::time::Timestamp;

/// Passkeys of one account.
pub const PASSKEYS_MAX: usize = 10;

/// Characters of what a passkey is called.
pub const PASSKEY_LABEL_LEN_MAX: usize = 80;

/// The longest credential id there may be (Web Authentication Level 2, §5.8.3).
const ID_LEN_MAX: usize = 1_023;
const POINT_LEN: usize = 65;

/// A passkey somebody may sign in by.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PasskeyRow {
    pub id: Vec<u8>,
    pub account: String,
    pub label: String,
    /// Uncompressed point.
    pub key: Vec<u8>,
    pub count: u32,
    pub added_at: Timestamp,
    pub used_at: Option<Timestamp>,
}

/// The passkey of this credential id.
pub async fn passkey(
    conn: &mut SqliteConnection,
    id: &[u8],
) -> Result<Option<PasskeyRow>, sqlx::Error> {
    let found = sqlx::query("select * from passkey where credential_id = ?")
        .bind(id)
        .fetch_optional(conn)
        .await?;
    found.as_ref().map(passkey_row).transpose()
}

/// Passkeys of an account, oldest first.
pub async fn passkeys(
    conn: &mut SqliteConnection,
    name: &str,
) -> Result<Vec<PasskeyRow>, sqlx::Error> {
    let found =
        sqlx::query("select * from passkey where account = ? order by added_at_ms, credential_id")
            .bind(name)
            .fetch_all(conn)
            .await?;
    found.iter().map(passkey_row).collect()
}

fn passkey_row(row: &SqliteRow) -> Result<PasskeyRow, sqlx::Error> {
    Ok(PasskeyRow {
        id: row.try_get("credential_id")?,
        account: row.try_get("account")?,
        label: row.try_get("label")?,
        key: row.try_get("public_key")?,
        count: rows::unsigned(row, "sign_count")?,
        added_at: rows::time(row, "added_at_ms")?,
        used_at: rows::time_opt(row, "used_at_ms")?,
    })
}

pub(super) async fn add(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    name: &str,
    new: &NewPasskey,
) -> Result<Outcome, sqlx::Error> {
    let invalid = |text: &str| Ok(Outcome::Refused(Refusal::Invalid(text.to_owned())));
    if new.id.is_empty() || new.id.len() > ID_LEN_MAX || new.key.len() != POINT_LEN {
        return invalid("this is not a passkey on P-256");
    }
    if new.label.trim().is_empty() || new.label.chars().count() > PASSKEY_LABEL_LEN_MAX {
        let text = format!("a passkey's name has 1 to {PASSKEY_LABEL_LEN_MAX} characters");
        return Ok(Outcome::Refused(Refusal::Invalid(text)));
    }
    if query::account(conn, name).await?.is_none() {
        return Ok(Outcome::Refused(super::apply::unknown()));
    }
    if let Some(known) = passkey(conn, &new.id).await? {
        return Ok(match known.account == name && known.key == new.key {
            true => Outcome::Unchanged,
            false => {
                let text = "this passkey is known already; make a new one";
                Outcome::Refused(Refusal::NotNow(text.to_owned()))
            }
        });
    }
    if passkeys(conn, name).await?.len() >= PASSKEYS_MAX {
        let text = format!("an account has at most {PASSKEYS_MAX} passkeys; remove one first");
        return Ok(Outcome::Refused(Refusal::NotNow(text)));
    }
    sqlx::query(
        "insert into passkey (credential_id, account, label, public_key, sign_count, added_at_ms) values (?, ?, ?, ?, ?, ?)",
    )
    .bind(&new.id)
    .bind(name)
    .bind(new.label.trim())
    .bind(&new.key)
    .bind(new.count)
    .bind(entry.at.0)
    .execute(conn)
    .await?;
    Ok(Outcome::Applied(Receipt::None))
}

pub(super) async fn remove(
    conn: &mut SqliteConnection,
    name: &str,
    id: &[u8],
) -> Result<Outcome, sqlx::Error> {
    let done = sqlx::query("delete from passkey where credential_id = ? and account = ?")
        .bind(id)
        .bind(name)
        .execute(conn)
        .await?;
    Ok(match done.rows_affected() {
        0 => Outcome::Unchanged,
        _ => Outcome::Applied(Receipt::None),
    })
}

/// Forgets every passkey of an account.
pub(super) async fn remove_all(conn: &mut SqliteConnection, name: &str) -> Result<(), sqlx::Error> {
    sqlx::query("delete from passkey where account = ?")
        .bind(name)
        .execute(conn)
        .await?;
    Ok(())
}

/// Opens a session.
pub(super) async fn open(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    by: &ByPasskey,
) -> Result<Outcome, sqlx::Error> {
    let account = match spend(conn, entry, (&by.id, by.count), &by.challenge).await? {
        Ok(account) => account,
        Err(refusal) => return Ok(Outcome::Refused(refusal)),
    };
    sign_in::add_session(conn, entry, &account, &by.session, &by.device, "passkey").await
}

/// Whose passkey answered a challenge, unless it is gone, the challenge was answered before, or the authenticator counts
/// backwards: then there are two of it (Web Authentication Level 2, §6.1.1).
pub(super) async fn spend(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    (id, count): (&[u8], u32),
    challenge: &[u8; 32],
) -> Result<Result<String, Refusal>, sqlx::Error> {
    let refused = |text: &str| Ok(Err(Refusal::NotNow(text.to_owned())));
    let Some(known) = passkey(conn, id).await? else {
        return refused("this passkey opens nothing");
    };
    let account = query::account(conn, &known.account).await?;
    let Some(account) = account.filter(|account| account.lets_in(entry.at)) else {
        return refused("this passkey opens nothing");
    };
    sqlx::query("delete from passkey_challenge where at_ms < ?")
        .bind((entry.at - CHALLENGE_TIME - CHALLENGE_TIME).0)
        .execute(&mut *conn)
        .await?;
    let spent = sqlx::query(
        "insert into passkey_challenge (hash, at_ms) values (?, ?) on conflict (hash) do nothing",
    )
    .bind(challenge.as_slice())
    .bind(entry.at.0)
    .execute(&mut *conn)
    .await?;
    if spent.rows_affected() == 0 {
        return refused("this challenge was answered before; ask for a new one");
    }
    let counts = count != 0 || known.count != 0;
    if counts && count <= known.count {
        return refused(
            "this passkey was used elsewhere under the same count: there may be a copy of it; remove it and add a new one",
        );
    }
    sqlx::query("update passkey set sign_count = ?, used_at_ms = ? where credential_id = ?")
        .bind(count)
        .bind(entry.at.0)
        .bind(id)
        .execute(conn)
        .await?;
    Ok(Ok(account.name))
}
