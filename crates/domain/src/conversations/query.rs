//! Reads of rooms.

use std::collections::BTreeMap;

use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};

use super::facts::{MemberFact, RoomFact, Standing, room_of};
use super::{Follow, MarkKind, Mention};
use crate::ids::{MessageId, RecipientId, RoomId};
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
    /// The person who said it, if it is known.
    pub person: Option<RecipientId>,
    /// `api`, `sms`, `email` or `system`.
    pub via: String,
    /// As it is worded now.
    pub text: String,
    pub at: Timestamp,
    /// Its words never leave by SMS or mail.
    pub restricted: bool,
    pub mentions: Vec<Mention>,
    /// As it was worded first; `None` while that stands.
    pub original: Option<String>,
    /// Later wordings, oldest first.
    pub edits: Vec<Edit>,
    /// For what records it was marked, in order.
    pub marks: Vec<Marked>,
    pub pinned: bool,
}

/// A later wording.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Edit {
    pub at: Timestamp,
    pub by: String,
    pub text: String,
}

/// A mark of a message, as its room's chain has it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Marked {
    /// Its place in the chain.
    pub number: u64,
    pub kind: MarkKind,
    pub at: Timestamp,
    pub by: String,
    /// The words that were marked.
    pub text: String,
    /// Of a decision: what was not known.
    pub unknown: String,
}

/// Messages of a room after `after`, oldest first, at most `limit`.
pub async fn messages(
    conn: &mut SqliteConnection,
    room: RoomId,
    after: u64,
    limit: u32,
) -> Result<Vec<MessageRow>, sqlx::Error> {
    let found = sqlx::query(
        "select m.message_id, m.room_id, m.sequence, m.author, m.via, m.text, m.at_ms, x.recipient_id, \
         coalesce(x.restricted, 0) as restricted, coalesce(x.mentions, '[]') as mentions, coalesce(p.pinned, 0) as pinned \
         from message m left join message_more x on x.message_id = m.message_id \
         left join message_pin p on p.message_id = m.message_id \
         where m.room_id = ? and m.sequence > ? order by m.sequence limit ?",
    )
    .bind(room.as_bytes())
    .bind(after.cast_signed())
    .bind(i64::from(limit))
    .fetch_all(&mut *conn)
    .await?;
    let rows = found.iter().map(message).collect::<Result<_, _>>()?;
    completed(conn, rows).await
}

/// One message.
pub async fn find_message(
    conn: &mut SqliteConnection,
    id: MessageId,
) -> Result<Option<MessageRow>, sqlx::Error> {
    let found = sqlx::query(
        "select m.message_id, m.room_id, m.sequence, m.author, m.via, m.text, m.at_ms, x.recipient_id, \
         coalesce(x.restricted, 0) as restricted, coalesce(x.mentions, '[]') as mentions, coalesce(p.pinned, 0) as pinned \
         from message m left join message_more x on x.message_id = m.message_id \
         left join message_pin p on p.message_id = m.message_id where m.message_id = ?",
    )
    .bind(id.as_bytes())
    .fetch_optional(&mut *conn)
    .await?;
    let rows = found.iter().map(message).collect::<Result<_, _>>()?;
    Ok(completed(conn, rows).await?.pop())
}

fn message(row: &SqliteRow) -> Result<MessageRow, sqlx::Error> {
    let person: Option<Vec<u8>> = row.try_get("recipient_id")?;
    Ok(MessageRow {
        id: MessageId::from_row(row.try_get("message_id")?)?,
        room: RoomId::from_row(row.try_get("room_id")?)?,
        sequence: rows::unsigned(row, "sequence")?,
        author: row.try_get("author")?,
        person: person.map(|id| RecipientId::from_row(&id)).transpose()?,
        via: row.try_get("via")?,
        text: row.try_get("text")?,
        at: rows::time(row, "at_ms")?,
        restricted: row.try_get("restricted")?,
        mentions: rows::json(row, "mentions")?,
        original: None,
        edits: Vec::new(),
        marks: Vec::new(),
        pinned: row.try_get("pinned")?,
    })
}

/// Adds later wordings and marks.
async fn completed(
    conn: &mut SqliteConnection,
    mut messages: Vec<MessageRow>,
) -> Result<Vec<MessageRow>, sqlx::Error> {
    if messages.is_empty() {
        return Ok(messages);
    }
    let ids = rows::hex_array(messages.iter().map(|row| row.id.as_bytes()));
    let mut edits: BTreeMap<MessageId, Vec<Edit>> = BTreeMap::new();
    let found = sqlx::query(
        "select e.* from json_each(?) j join message_edit e on e.message_id = unhex(j.value) \
         order by e.message_id, e.at_ms, e.edit_id",
    )
    .bind(&ids)
    .fetch_all(&mut *conn)
    .await?;
    for row in &found {
        let id = MessageId::from_row(row.try_get("message_id")?)?;
        edits.entry(id).or_default().push(Edit {
            at: rows::time(row, "at_ms")?,
            by: row.try_get("by_whom")?,
            text: row.try_get("text")?,
        });
    }
    let mut marks: BTreeMap<MessageId, Vec<Marked>> = BTreeMap::new();
    let found = sqlx::query(
        "select c.* from json_each(?) j join room_chain c on c.message_id = unhex(j.value) \
         where c.kind <> 'edit' order by c.message_id, c.number",
    )
    .bind(&ids)
    .fetch_all(conn)
    .await?;
    for row in &found {
        let id = MessageId::from_row(row.try_get("message_id")?)?;
        marks.entry(id).or_default().extend(marked(row)?);
    }
    for message in &mut messages {
        message.edits = edits.remove(&message.id).unwrap_or_default();
        message.marks = marks.remove(&message.id).unwrap_or_default();
        if let Some(last) = message.edits.last() {
            let now = last.text.clone();
            message.original = Some(std::mem::replace(&mut message.text, now));
        }
    }
    Ok(messages)
}

/// A mark; `None` for one of a newer version.
fn marked(row: &SqliteRow) -> Result<Option<Marked>, sqlx::Error> {
    let Some(kind) = MarkKind::parse(row.try_get("kind")?) else {
        return Ok(None);
    };
    Ok(Some(Marked {
        number: rows::unsigned(row, "number")?,
        kind,
        at: rows::time(row, "at_ms")?,
        by: row.try_get("by_whom")?,
        text: row.try_get("text")?,
        unknown: row.try_get("unknown")?,
    }))
}

/// The words of a room's last decision, unless they are kept to the app.
pub(crate) async fn last_decision(
    conn: &mut SqliteConnection,
    room: RoomId,
) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar(
        "select c.text from room_chain c left join message_more x on x.message_id = c.message_id \
         where c.room_id = ? and c.kind = 'decision' and coalesce(x.restricted, 0) = 0 order by c.number desc limit 1",
    )
    .bind(room.as_bytes())
    .fetch_optional(conn)
    .await
}

/// An everyday room.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RoomRow {
    pub id: RoomId,
    pub key: String,
    pub name: String,
    pub restricted: bool,
    pub closed: bool,
    pub opened_at: Timestamp,
    pub opened_by: String,
}

impl From<RoomFact> for RoomRow {
    fn from(fact: RoomFact) -> Self {
        Self {
            id: fact.room,
            key: fact.key,
            name: fact.settings.name,
            restricted: fact.settings.restricted,
            closed: fact.settings.closed,
            opened_at: fact.opened.at,
            opened_by: fact.opened.by,
        }
    }
}

/// An everyday room by its id.
pub async fn room(conn: &mut SqliteConnection, id: RoomId) -> Result<Option<RoomRow>, sqlx::Error> {
    Ok(room_of(conn, id).await?.map(RoomRow::from))
}

/// An everyday room by its key.
pub async fn room_by_key(
    conn: &mut SqliteConnection,
    key: &str,
) -> Result<Option<RoomRow>, sqlx::Error> {
    room(conn, RoomId::of_key(key)).await
}

/// Everyday rooms after a key, in order, at most `limit`; closed ones only when asked for.
pub async fn rooms(
    conn: &mut SqliteConnection,
    after: &str,
    closed: bool,
    limit: u32,
) -> Result<Vec<RoomRow>, sqlx::Error> {
    let found = sqlx::query(
        "select room_id from room where key > ? and (? or not closed) order by key limit ?",
    )
    .bind(after)
    .bind(closed)
    .bind(i64::from(limit))
    .fetch_all(&mut *conn)
    .await?;
    let mut all = Vec::with_capacity(found.len());
    for row in &found {
        let id = RoomId::from_row(row.try_get("room_id")?)?;
        all.extend(room(conn, id).await?);
    }
    Ok(all)
}

/// How many messages a room holds and when the newest came; nothing of an empty room.
pub async fn newest(
    conn: &mut SqliteConnection,
    room: RoomId,
) -> Result<Option<(u64, Timestamp)>, sqlx::Error> {
    let found: Option<(i64, i64)> = sqlx::query_as(
        "select sequence, at_ms from message where room_id = ? order by sequence desc limit 1",
    )
    .bind(room.as_bytes())
    .fetch_optional(conn)
    .await?;
    Ok(found.map(|(sequence, at)| (sequence.unsigned_abs(), Timestamp(at))))
}

/// Somebody added to a room by name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MemberRow {
    pub person: RecipientId,
    pub follow: Follow,
    pub since: Timestamp,
    pub by: String,
}

/// Those added to a room by name, in order of id.
pub async fn members(
    conn: &mut SqliteConnection,
    room: RoomId,
) -> Result<Vec<MemberRow>, sqlx::Error> {
    let found = sqlx::query(
        "select recipient_id, follow, at_ms, by_whom from room_member where room_id = ? and member order by recipient_id",
    )
    .bind(room.as_bytes())
    .fetch_all(conn)
    .await?;
    found
        .iter()
        .map(|row| {
            Ok(MemberRow {
                person: RecipientId::from_row(row.try_get("recipient_id")?)?,
                // One of a newer version follows in the app as well.
                follow: Follow::parse(row.try_get("follow")?).unwrap_or(Follow::App),
                since: rows::time(row, "at_ms")?,
                by: row.try_get("by_whom")?,
            })
        })
        .collect()
}

/// Whether and how somebody was added to a room by name; `None` also for whoever was taken out.
pub async fn member(
    conn: &mut SqliteConnection,
    room: RoomId,
    person: RecipientId,
) -> Result<Option<MemberRow>, sqlx::Error> {
    let found = super::facts::member_of(conn, room, person).await?;
    Ok(found
        .filter(|found: &MemberFact| found.standing.member)
        .map(|found| {
            let Standing { at, follow, by, .. } = found.standing;
            MemberRow {
                person,
                follow: Follow::parse(&follow).unwrap_or(Follow::App),
                since: at,
                by,
            }
        }))
}

/// Rooms that somebody follows by text or by mail, in order of id.
pub(crate) async fn followed(
    conn: &mut SqliteConnection,
    person: RecipientId,
) -> Result<Vec<(RoomId, Follow)>, sqlx::Error> {
    let found = sqlx::query(
        "select room_id, follow from room_member where recipient_id = ? and member and follow <> 'app' order by room_id",
    )
    .bind(person.as_bytes())
    .fetch_all(conn)
    .await?;
    found
        .iter()
        .map(|row| {
            let follow = Follow::parse(row.try_get("follow")?).unwrap_or(Follow::App);
            Ok((RoomId::from_row(row.try_get("room_id")?)?, follow))
        })
        .collect()
}

/// Whether anybody known but this one has spoken in a room.
pub(crate) async fn is_talked_in(
    conn: &mut SqliteConnection,
    room: RoomId,
    besides: RecipientId,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "select exists (select 1 from message m join message_more x on x.message_id = m.message_id \
         where m.room_id = ? and x.recipient_id is not null and x.recipient_id <> ?)",
    )
    .bind(room.as_bytes())
    .bind(besides.as_bytes())
    .fetch_one(conn)
    .await
}

/// How far somebody has read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ReadRow {
    pub person: RecipientId,
    /// Up to and with this message.
    pub sequence: u64,
    pub at: Timestamp,
}

/// How far each has read a room, in order of id.
pub async fn reads(conn: &mut SqliteConnection, room: RoomId) -> Result<Vec<ReadRow>, sqlx::Error> {
    let found = sqlx::query(
        "select r.recipient_id, r.at_ms, m.sequence from room_read r join message m on m.message_id = r.message_id \
         where r.room_id = ? order by r.recipient_id",
    )
    .bind(room.as_bytes())
    .fetch_all(conn)
    .await?;
    found
        .iter()
        .map(|row| {
            Ok(ReadRow {
                person: RecipientId::from_row(row.try_get("recipient_id")?)?,
                sequence: rows::unsigned(row, "sequence")?,
                at: rows::time(row, "at_ms")?,
            })
        })
        .collect()
}

/// A pinned message.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Pinned {
    pub message: MessageRow,
    pub at: Timestamp,
    pub by: String,
}

/// What is pinned to a room, in order of the messages.
pub async fn pinned(conn: &mut SqliteConnection, room: RoomId) -> Result<Vec<Pinned>, sqlx::Error> {
    let found = sqlx::query(
        "select p.message_id, p.at_ms, p.by_whom from message_pin p join message m on m.message_id = p.message_id \
         where p.room_id = ? and p.pinned order by m.sequence",
    )
    .bind(room.as_bytes())
    .fetch_all(&mut *conn)
    .await?;
    let mut all = Vec::with_capacity(found.len());
    for row in &found {
        let id = MessageId::from_row(row.try_get("message_id")?)?;
        let Some(message) = find_message(conn, id).await? else {
            continue;
        };
        all.push(Pinned {
            message,
            at: rows::time(row, "at_ms")?,
            by: row.try_get("by_whom")?,
        });
    }
    Ok(all)
}
