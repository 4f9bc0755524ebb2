//! People from outside who are let into one room until a time. Writes to `guest`.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::sign_in;
use crate::access::Role;
use crate::apply::Entry;
use crate::ids::RoomId;
use crate::rows;
use crate::time::Timestamp;

/// What makes an account a guest's.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct GuestRow {
    /// The only room they are let into.
    pub room: RoomId,
    /// Where the code that lets them in is texted.
    pub number: String,
    pub added_at: Timestamp,
    pub added_by: String,
    pub expires_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    /// Who ended it; empty when nobody did.
    pub ended_by: String,
}

impl GuestRow {
    /// Whether they are let in now.
    pub fn live(&self, now: Timestamp) -> bool {
        self.ended_at.is_none() && now < self.expires_at
    }
}

/// Read beside an account; `None` for one that is no guest's.
pub(super) fn of_row(row: &SqliteRow) -> Result<Option<GuestRow>, sqlx::Error> {
    if row.try_get::<Option<&str>, _>("account")?.is_none() {
        return Ok(None);
    }
    Ok(Some(GuestRow {
        room: RoomId::from_row(row.try_get("room_id")?)?,
        number: row.try_get("number")?,
        added_at: rows::time(row, "added_at_ms")?,
        added_by: row.try_get("added_by")?,
        expires_at: rows::time(row, "expires_at_ms")?,
        ended_at: rows::time_opt(row, "ended_at_ms")?,
        ended_by: row.try_get("ended_by")?,
    }))
}

/// Adds an account that lets its holder into one room; false when there is one of this name.
pub(crate) async fn add_guest(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    (account, shown): (&str, &str),
    guest: &GuestRow,
) -> Result<bool, sqlx::Error> {
    let made = sqlx::query(
        "insert into account (name, shown, person, roles, created_at_ms, created_by, totp_step) \
         values (?, ?, null, ?, ?, ?, 0) on conflict (name) do nothing",
    )
    .bind(account)
    .bind(shown)
    .bind(rows::to_json(&[Role::Guest.name()])?)
    .bind(entry.at.0)
    .bind(&guest.added_by)
    .execute(&mut *conn)
    .await?;
    if made.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query(
        "insert into guest (account, room_id, number, added_at_ms, added_by, expires_at_ms, ended_at_ms, ended_by) \
         values (?, ?, ?, ?, ?, ?, null, '')",
    )
    .bind(account)
    .bind(guest.room.as_bytes())
    .bind(&guest.number)
    .bind(guest.added_at.0)
    .bind(&guest.added_by)
    .bind(guest.expires_at.0)
    .execute(conn)
    .await?;
    Ok(true)
}

/// Lets a guest in no more, and ends their sessions; false when it was so already.
pub(crate) async fn end_guest(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    account: &str,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "update guest set ended_at_ms = ?, ended_by = ? where account = ? and ended_at_ms is null",
    )
    .bind(entry.at.0)
    .bind(entry.envelope.actor.label())
    .bind(account)
    .execute(&mut *conn)
    .await?;
    sign_in::end_all(conn, entry, account, None).await?;
    Ok(done.rows_affected() == 1)
}
