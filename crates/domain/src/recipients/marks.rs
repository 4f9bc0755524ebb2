//! Numbers that were changed in the night and are too new to prove anything. Writes to `number_mark`.

use std::collections::BTreeMap;

use sqlx::{Row, SqliteConnection};

use crate::ids::RecipientId;
use crate::rows;
use crate::time::Timestamp;

/// A number that was changed, and who answers for it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NumberMark {
    pub number: String,
    pub changed_at: Timestamp,
    pub asked_by: String,
    pub vouched_by: String,
    /// Until then texts from it command nothing, and nothing that lets anybody in is texted to it.
    pub until: Timestamp,
}

/// The marks of these people, by id.
pub(super) async fn of(
    conn: &mut SqliteConnection,
    ids: &str,
) -> Result<BTreeMap<Vec<u8>, NumberMark>, sqlx::Error> {
    let found = sqlx::query(
        "select recipient_id, number, changed_at_ms, asked_by, vouched_by, expires_at_ms from number_mark \
         where recipient_id in (select unhex(value) from json_each(?)) order by recipient_id",
    )
    .bind(ids)
    .fetch_all(conn)
    .await?;
    let mark = |row: &sqlx::sqlite::SqliteRow| {
        let mark = NumberMark {
            number: row.try_get("number")?,
            changed_at: rows::time(row, "changed_at_ms")?,
            asked_by: row.try_get("asked_by")?,
            vouched_by: row.try_get("vouched_by")?,
            until: rows::time(row, "expires_at_ms")?,
        };
        Ok((row.try_get("recipient_id")?, mark))
    };
    found.iter().map(mark).collect()
}

/// Marks a person's number as new.
pub(crate) async fn mark_number(
    conn: &mut SqliteConnection,
    person: RecipientId,
    mark: &NumberMark,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into number_mark (recipient_id, number, changed_at_ms, asked_by, vouched_by, expires_at_ms) \
         values (?1, ?2, ?3, ?4, ?5, ?6) on conflict (recipient_id) do update set number = ?2, changed_at_ms = ?3, \
         asked_by = ?4, vouched_by = ?5, expires_at_ms = ?6",
    )
    .bind(person.as_bytes())
    .bind(&mark.number)
    .bind(mark.changed_at.0)
    .bind(&mark.asked_by)
    .bind(&mark.vouched_by)
    .bind(mark.until.0)
    .execute(conn)
    .await?;
    Ok(())
}

/// Whether a number of a person is too new to prove anything.
pub(super) async fn is_new(
    conn: &mut SqliteConnection,
    person: RecipientId,
    number: &str,
    now: Timestamp,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "select exists (select 1 from number_mark where recipient_id = ? and number = ? and expires_at_ms > ?)",
    )
    .bind(person.as_bytes())
    .bind(number)
    .bind(now.0)
    .fetch_one(conn)
    .await
}
