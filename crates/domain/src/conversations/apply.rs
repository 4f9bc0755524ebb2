//! Writes to `message`, and the way of each command.

use sqlx::SqliteConnection;

use super::{Command, TEXT_LEN_MAX, record, rooms};
use crate::apply::Entry;
use crate::ids::{MessageId, RoomId};
use crate::outcome::{Outcome, Receipt, Refusal};
use crate::script::Script;

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
        Command::Say(say) => record::say(conn, entry, say).await,
        Command::Edit { message, text, by } => record::edit(conn, entry, *message, text, by).await,
        Command::Mark {
            message,
            kind,
            unknown,
            by,
        } => record::mark(conn, entry, *message, *kind, unknown, by).await,
        Command::Pin {
            message,
            pinned,
            by,
        } => record::pin(conn, entry, *message, *pinned, by).await,
        Command::Read { person, message } => rooms::read(conn, entry, *person, *message).await,
        Command::PutRoom { .. } => rooms::put_room(conn, entry, command).await,
        Command::PutMember { .. } => rooms::put_member(conn, entry, command).await,
        Command::Follow {
            room,
            person,
            follow,
            by,
        } => rooms::follow(conn, entry, (*room, *person), *follow, by).await,
    }
}

/// Opens new alerts' rooms, each with what happened as its first message: the entry, the room, who raised it, the text.
pub(crate) fn open_all(script: &mut Script, rooms: &[(Entry<'_>, RoomId, &str, &str)]) {
    script.insert(
        "insert into message (message_id, room_id, sequence, author, via, text, at_ms)",
        "(?, ?, 1, ?, 'system', ?, ?)",
        rooms.len(),
        " on conflict (message_id) do nothing",
    );
    for (entry, room, author, text) in rooms {
        script
            .bind(message_id(entry, *room, author, text).as_bytes().to_vec())
            .bind(room.as_bytes().to_vec())
            .bind((*author).to_owned())
            .bind((*text).to_owned())
            .bind(entry.at.0);
    }
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
    let id = message_id(entry, room, author, text);
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

/// Not from the place in the room, which differs between histories that say the same.
fn message_id(entry: &Entry<'_>, room: RoomId, author: &str, text: &str) -> MessageId {
    MessageId::derive(&[
        entry.envelope.request.as_bytes(),
        room.as_bytes(),
        author.as_bytes(),
        text.as_bytes(),
    ])
}

/// An alert's room exists from the raise on, whether or not anyone has spoken; its first message is the raise itself.
pub(super) async fn room_exists(
    conn: &mut SqliteConnection,
    room: RoomId,
) -> Result<bool, sqlx::Error> {
    if room == RoomId::DUTY_INBOX {
        return Ok(true);
    }
    sqlx::query_scalar(
        "select exists (select 1 from message where room_id = ?1) or exists (select 1 from room where room_id = ?1)",
    )
    .bind(room.as_bytes())
    .fetch_one(conn)
    .await
}
