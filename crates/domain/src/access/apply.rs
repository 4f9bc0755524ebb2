//! Writes to `api_key`.

use sqlx::SqliteConnection;

use super::{Command, CreateKey, Scope, accounts};
use crate::apply::Entry;
use crate::outcome::{Outcome, Receipt, Refusal};
use crate::rows;

pub(crate) async fn apply(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    command: &Command,
) -> Result<Outcome, sqlx::Error> {
    match command {
        Command::CreateKey(key) => create(conn, entry, key).await,
        Command::RevokeKey { id } => revoke(conn, entry, id).await,
        Command::Accounts(command) => Box::pin(accounts::apply(conn, entry, command)).await,
    }
}

async fn create(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    key: &CreateKey,
) -> Result<Outcome, sqlx::Error> {
    if let Some(unknown) = key.scopes.iter().find(|name| Scope::parse(name).is_none()) {
        return Ok(Outcome::Refused(Refusal::Invalid(format!(
            "unknown scope {unknown}"
        ))));
    }
    let made = sqlx::query(
        "insert into api_key (key_id, name, secret_hash, scopes, created_at_ms, created_by, expires_at_ms, revoked_at_ms) \
         values (?, ?, ?, ?, ?, ?, ?, null) on conflict (key_id) do nothing",
    )
    .bind(&key.id)
    .bind(&key.name)
    .bind(key.secret_hash.as_slice())
    .bind(rows::to_json(&key.scopes)?)
    .bind(entry.at.0)
    .bind(entry.envelope.actor.label())
    .bind(key.expires_at.map(|at| at.0))
    .execute(conn)
    .await?;
    Ok(if made.rows_affected() == 0 {
        Outcome::Unchanged
    } else {
        Outcome::Applied(Receipt::None)
    })
}

async fn revoke(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    id: &str,
) -> Result<Outcome, sqlx::Error> {
    let done = sqlx::query(
        "update api_key set revoked_at_ms = coalesce(revoked_at_ms, ?) where key_id = ?",
    )
    .bind(entry.at.0)
    .bind(id)
    .execute(conn)
    .await?;
    Ok(match done.rows_affected() {
        0 => Outcome::Refused(Refusal::UnknownKey),
        _ => Outcome::Applied(Receipt::None),
    })
}
