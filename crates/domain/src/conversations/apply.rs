//! Writes to `message`.

use sqlx::SqliteConnection;

use super::Command;
use crate::apply::Entry;
use crate::ids::{MessageId, RoomId};
use crate::outcome::{Outcome, Receipt, Refusal};

/// The longest message taken, in characters.
const TEXT_LEN_MAX: usize = 4_000;

pub(crate) async fn apply(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    command: &Command,
) -> Result<Outcome, sqlx::Error> {
    match command {
        Command::Post { room, author, text } => {
            if text.trim().is_empty() || text.chars().count() > TEXT_LEN_MAX {
                let problem = format!("a message has 1 to {TEXT_LEN_MAX} characters");
                return Ok(Outcome::Refused(Refusal::Invalid(problem)));
            }
            if !room_exists(conn, *room).await? {
                return Ok(Outcome::Refused(Refusal::UnknownRoom));
            }
            post(conn, entry, *room, author, "api", text).await?;
            Ok(Outcome::Applied(Receipt::None))
        }
    }
}

/// Opens a new alert's room with what happened as its first message.
pub(crate) async fn open(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    room: RoomId,
    author: &str,
    text: &str,
) -> Result<(), sqlx::Error> {
    insert(conn, entry, room, 1, author, "system", text)
        .await
        .map(|_| ())
}

/// Adds a message to a room. `via` says how it came: `api`, `sms`, `system`.
pub(crate) async fn post(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    room: RoomId,
    author: &str,
    via: &str,
    text: &str,
) -> Result<MessageId, sqlx::Error> {
    let sequence: i64 =
        sqlx::query_scalar("select coalesce(max(sequence), 0) + 1 from message where room_id = ?")
            .bind(room.as_bytes())
            .fetch_one(&mut *conn)
            .await?;
    insert(conn, entry, room, sequence, author, via, text).await
}

async fn insert(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    room: RoomId,
    sequence: i64,
    author: &str,
    via: &str,
    text: &str,
) -> Result<MessageId, sqlx::Error> {
    // Not from the place in the room, which differs between histories that say the same.
    let id = MessageId::derive(&[
        entry.envelope.request.as_bytes(),
        room.as_bytes(),
        author.as_bytes(),
        text.as_bytes(),
    ]);
    sqlx::query(
        "insert into message (message_id, room_id, sequence, author, via, text, at_ms) values (?, ?, ?, ?, ?, ?, ?) \
         on conflict (message_id) do nothing",
    )
    .bind(id.as_bytes())
    .bind(room.as_bytes())
    .bind(sequence)
    .bind(author)
    .bind(via)
    .bind(text)
    .bind(entry.at.0)
    .execute(conn)
    .await?;
    Ok(id)
}

/// An alert's room exists from the raise on, whether or not anyone has spoken; its first message is the raise itself.
async fn room_exists(conn: &mut SqliteConnection, room: RoomId) -> Result<bool, sqlx::Error> {
    if room == RoomId::DUTY_INBOX {
        return Ok(true);
    }
    sqlx::query_scalar("select exists (select 1 from message where room_id = ?)")
        .bind(room.as_bytes())
        .fetch_one(conn)
        .await
}
