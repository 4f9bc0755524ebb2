//! Reads of rooms.

use sqlx::{Row, SqliteConnection};

use crate::ids::{MessageId, RoomId};
use crate::rows;
use crate::time::Timestamp;

/// One message of a room.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MessageRow {
    pub id: MessageId,
    pub room: RoomId,
    /// Counts up within the room.
    pub sequence: u64,
    pub author: String,
    /// `api`, `sms` or `system`.
    pub via: String,
    pub text: String,
    pub at: Timestamp,
}

/// Messages of a room after `after`, oldest first, at most `limit`.
pub async fn messages(
    conn: &mut SqliteConnection,
    room: RoomId,
    after: u64,
    limit: u32,
) -> Result<Vec<MessageRow>, sqlx::Error> {
    let found = sqlx::query(
        "select message_id, sequence, author, via, text, at_ms from message \
         where room_id = ? and sequence > ? order by sequence limit ?",
    )
    .bind(room.as_bytes())
    .bind(after.cast_signed())
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    found
        .iter()
        .map(|row| {
            Ok(MessageRow {
                id: MessageId::from_row(row.try_get("message_id")?)?,
                room,
                sequence: rows::unsigned(row, "sequence")?,
                author: row.try_get("author")?,
                via: row.try_get("via")?,
                text: row.try_get("text")?,
                at: rows::time(row, "at_ms")?,
            })
        })
        .collect()
}
