//! Codes by text: which delivery carries the code of a sign-in, and how many are texted. Writes to `text_code`.

use sqlx::{Row, SqliteConnection};

use super::TryLimit;
use crate::ids::DeliveryId;
use crate::rows;
use crate::time::Timestamp;

/// The code texted last for a sign-in, by the delivery that carries it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TextCodeRow {
    pub delivery: DeliveryId,
    pub expires_at: Timestamp,
}

/// What was texted last for a sign-in, by the SHA-256 of its id.
pub async fn text_code(
    conn: &mut SqliteConnection,
    attempt: &[u8; 32],
) -> Result<Option<TextCodeRow>, sqlx::Error> {
    let found =
        sqlx::query("select delivery_id, expires_at_ms from text_code where attempt_hash = ?")
            .bind(attempt.as_slice())
            .fetch_optional(conn)
            .await?;
    found
        .map(|row| {
            Ok(TextCodeRow {
                delivery: DeliveryId::from_row(row.try_get("delivery_id")?)?,
                expires_at: rows::time(&row, "expires_at_ms")?,
            })
        })
        .transpose()
}

/// Notes what carries the code of a sign-in. An earlier code of it opens nothing any more.
pub(crate) async fn note_text_code(
    conn: &mut SqliteConnection,
    at: Timestamp,
    attempt: &[u8; 32],
    code: TextCodeRow,
) -> Result<(), sqlx::Error> {
    sqlx::query("delete from text_code where expires_at_ms <= ?")
        .bind(at.0)
        .execute(&mut *conn)
        .await?;
    sqlx::query(
        "insert into text_code (attempt_hash, delivery_id, sent_at_ms, expires_at_ms) values (?1, ?2, ?3, ?4) \
         on conflict (attempt_hash) do update set delivery_id = ?2, sent_at_ms = ?3, expires_at_ms = ?4",
    )
    .bind(attempt.as_slice())
    .bind(code.delivery.as_bytes())
    .bind(at.0)
    .bind(code.expires_at.0)
    .execute(conn)
    .await?;
    Ok(())
}

/// Uses up the code of a sign-in; false when that is not it, or too old.
pub(super) async fn spend(
    conn: &mut SqliteConnection,
    at: Timestamp,
    attempt: &[u8; 32],
    delivery: DeliveryId,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "delete from text_code where attempt_hash = ? and delivery_id = ? and expires_at_ms > ?",
    )
    .bind(attempt.as_slice())
    .bind(delivery.as_bytes())
    .bind(at.0)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// How long until a limit has room again, in whole seconds; `None` when it has.
pub(crate) async fn wait_for(
    conn: &mut SqliteConnection,
    at: Timestamp,
    limit: &TryLimit,
    subject: &[u8; 32],
) -> Result<Option<u64>, sqlx::Error> {
    let row = sqlx::query("select since_ms, tries from try_count where kind = ? and subject = ?")
        .bind(limit.kind)
        .bind(subject.as_slice())
        .fetch_optional(conn)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let ends = rows::time(&row, "since_ms")? + limit.window;
    let full = row.try_get::<i64, _>("tries")? >= i64::from(limit.max);
    let wait = (full && at < ends).then(|| ends.since(at).as_millis().div_ceil(1_000));
    Ok(wait.map(|s| u64::try_from(s).unwrap_or(u64::MAX)))
}

/// Counts one towards a limit, from the first over its window.
pub(crate) async fn count_one(
    conn: &mut SqliteConnection,
    at: Timestamp,
    limit: &TryLimit,
    subject: &[u8; 32],
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into try_count (kind, subject, since_ms, tries, closed_until_ms) values (?1, ?2, ?3, 1, null) \
         on conflict (kind, subject) do update set \
         tries = case when since_ms <= ?4 then 1 else tries + 1 end, \
         since_ms = case when since_ms <= ?4 then ?3 else since_ms end",
    )
    .bind(limit.kind)
    .bind(subject.as_slice())
    .bind(at.0)
    .bind((at - limit.window).0)
    .execute(conn)
    .await?;
    Ok(())
}
