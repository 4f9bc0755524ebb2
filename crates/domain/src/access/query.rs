//! Reads of API keys.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::Scope;
use crate::rows;
use crate::time::Timestamp;

/// An API key without its secret.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeyRow {
    pub id: String,
    pub name: String,
    pub secret_hash: [u8; 32],
    pub scopes: Vec<Scope>,
    pub created_at: Timestamp,
    pub created_by: String,
    pub expires_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
}

impl KeyRow {
    /// Whether the key may be used at `now`.
    pub fn live(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }
}

const BY_ID: &str = "select key_id, name, secret_hash, scopes, created_at_ms, created_by, expires_at_ms, revoked_at_ms \
     from api_key where key_id = ?";

/// The key with this public id.
pub async fn key(conn: &mut SqliteConnection, id: &str) -> Result<Option<KeyRow>, sqlx::Error> {
    let row = sqlx::query(BY_ID).bind(id).fetch_optional(conn).await?;
    row.as_ref().map(key_row).transpose()
}

/// All keys, also revoked ones, oldest first.
pub async fn keys(conn: &mut SqliteConnection) -> Result<Vec<KeyRow>, sqlx::Error> {
    let found = sqlx::query(
        "select key_id, name, secret_hash, scopes, created_at_ms, created_by, expires_at_ms, revoked_at_ms \
         from api_key order by created_at_ms, key_id",
    )
    .fetch_all(conn)
    .await?;
    found.iter().map(key_row).collect()
}

fn key_row(row: &SqliteRow) -> Result<KeyRow, sqlx::Error> {
    let hash: &[u8] = row.try_get("secret_hash")?;
    let names: Vec<String> = rows::json(row, "scopes")?;
    Ok(KeyRow {
        id: row.try_get("key_id")?,
        name: row.try_get("name")?,
        secret_hash: hash
            .try_into()
            .map_err(|e: std::array::TryFromSliceError| sqlx::Error::Decode(e.into()))?,
        // A scope this version does not know grants nothing.
        scopes: names.iter().filter_map(|name| Scope::parse(name)).collect(),
        created_at: rows::time(row, "created_at_ms")?,
        created_by: row.try_get("created_by")?,
        expires_at: rows::time_opt(row, "expires_at_ms")?,
        revoked_at: rows::time_opt(row, "revoked_at_ms")?,
    })
}
