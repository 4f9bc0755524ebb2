//! What an island tells of messages, and the law by which it is joined.

use serde::{Deserialize, Serialize};
use sqlx::{Row, SqliteConnection};

use crate::facts::Joined;
use crate::ids::{MessageId, RoomId};
use crate::rows;
use crate::time::Timestamp;

/// Something said in a room, by people or by Holdfast's own diary.
///
/// Law: all of them; one that is here already stays as it is. Its place in the room is each history's own: the order in
/// which it came to be known.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct MessageFact {
    pub message: MessageId,
    pub room: RoomId,
    pub author: String,
    pub via: String,
    pub text: String,
    pub at: Timestamp,
}

/// Messages posted since the notes were cleared.
pub(crate) async fn changed(conn: &mut SqliteConnection) -> Result<Vec<MessageFact>, sqlx::Error> {
    let found = sqlx::query(
        "select m.* from (select distinct a, b from changed_row where kind = 'message') r join message m on m.message_id = r.a \
         order by m.room_id, m.sequence, m.message_id",
    )
    .fetch_all(conn)
    .await?;
    found
        .iter()
        .map(|row| {
            Ok(MessageFact {
                message: MessageId::from_row(row.try_get("message_id")?)?,
                room: RoomId::from_row(row.try_get("room_id")?)?,
                author: row.try_get("author")?,
                via: row.try_get("via")?,
                text: row.try_get("text")?,
                at: rows::time(row, "at_ms")?,
            })
        })
        .collect()
}

/// Joins one message into its room.
pub(crate) async fn merge(
    conn: &mut SqliteConnection,
    fact: &MessageFact,
) -> Result<Joined, sqlx::Error> {
    let made = sqlx::query(
        "insert into message (message_id, room_id, sequence, author, via, text, at_ms) \
         select ?1, ?2, coalesce(max(sequence), 0) + 1, ?3, ?4, ?5, ?6 from message where room_id = ?2 \
         on conflict (message_id) do nothing",
    )
    .bind(fact.message.as_bytes())
    .bind(fact.room.as_bytes())
    .bind(&fact.author)
    .bind(&fact.via)
    .bind(&fact.text)
    .bind(fact.at.0)
    .execute(conn)
    .await?;
    Ok(if made.rows_affected() == 0 {
        Joined::Unchanged
    } else {
        Joined::New
    })
}
