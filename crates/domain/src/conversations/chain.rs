//! The chain of a room: every mark, and every new wording of a marked message, in the order in which they came to be known
//! here. Writes to `room_chain`.
//!
//! A link's hash is SHA-256 over `holdfast-room-v1` and the canonical JSON (RFC 8785) of its fields, the hash before it
//! among them; the words themselves stand in it as a salted commitment (SECURITY §2.7). Each history has its own chain:
//! what an island marked is chained in the cluster when it comes to be known there.

use serde::Serialize;
use sha2::{Digest as _, Sha256};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};

use crate::ids::{MessageId, RoomId};
use crate::rows;
use crate::time::Timestamp;

/// Before the first link.
const START: [u8; 32] = [0; 32];

/// One entry of a room's chain.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Link {
    /// From 1, without gaps.
    pub number: u64,
    /// The mark or the edit.
    pub entry: [u8; 16],
    pub message: MessageId,
    /// `diary`, `decision`, `minutes`, or `edit`: a new wording of a marked message.
    pub kind: String,
    /// Who wrote the message.
    pub author: String,
    /// Who marked it, or worded it anew.
    pub by: String,
    pub at: Timestamp,
    pub text: String,
    /// Of a decision: what was not known.
    pub unknown: String,
    pub salt: [u8; 16],
    pub previous: [u8; 32],
    pub hash: [u8; 32],
}

/// What a look through a chain found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Verdict {
    pub links: u64,
    /// The hash of the last link; `None` of an empty chain.
    pub head: Option<[u8; 32]>,
    /// The first link that is not as it was written.
    pub bad: Option<Bad>,
}

/// A link that does not hold.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Bad {
    pub number: u64,
    /// Why, for people.
    pub why: String,
}

/// What a link's hash is taken over, in order of the names (RFC 8785).
#[derive(Serialize)]
struct Fields<'a> {
    at: i64,
    author: &'a str,
    by: &'a str,
    commit: String,
    entry: String,
    kind: &'a str,
    message: String,
    number: u64,
    previous: String,
    room: String,
}

/// The words a link commits to.
#[derive(Serialize)]
struct Words<'a> {
    text: &'a str,
    unknown: &'a str,
}

impl Link {
    /// SHA-256 over `holdfast-room-text-v1`, the salt and the canonical JSON of the words.
    pub fn commitment(&self) -> [u8; 32] {
        let words = Words {
            text: &self.text,
            unknown: &self.unknown,
        };
        let words = serde_json::to_vec(&words).unwrap_or_default(); // two strings always encode
        let hash = Sha256::new()
            .chain_update("holdfast-room-text-v1")
            .chain_update(self.salt)
            .chain_update(words);
        hash.finalize().into()
    }

    /// What its hash must be.
    fn sealed(&self, room: RoomId) -> [u8; 32] {
        let hex = |bytes: &[u8]| data_encoding::HEXLOWER.encode(bytes);
        let fields = Fields {
            at: self.at.0,
            author: &self.author,
            by: &self.by,
            commit: hex(&self.commitment()),
            entry: hex(&self.entry),
            kind: &self.kind,
            message: self.message.to_string(),
            number: self.number,
            previous: hex(&self.previous),
            room: room.to_string(),
        };
        let fields = serde_json::to_vec(&fields).unwrap_or_default(); // strings and numbers always encode
        let hash = Sha256::new()
            .chain_update("holdfast-room-v1")
            .chain_update(fields);
        hash.finalize().into()
    }
}

/// Chains what is marked about a message and is not in the chain yet: its marks, and wordings later than the first of
/// them.
pub(super) async fn settle(
    conn: &mut SqliteConnection,
    message: MessageId,
) -> Result<(), sqlx::Error> {
    // Marks of the message, and its wordings after the first mark, that no link stands for. A wording's salt is its id: it
    // comes from the request that made it, so nobody can guess it from outside either.
    let found = sqlx::query(
        "select x.*, m.room_id, m.author from (\
             select mark_id as entry_id, message_id, kind, by_whom, at_ms, text, unknown, salt from message_mark \
              where message_id = ?1 \
             union all select e.edit_id, e.message_id, 'edit', e.by_whom, e.at_ms, e.text, '', e.edit_id from message_edit e \
              where e.message_id = ?1 and e.at_ms > (select min(k.at_ms) from message_mark k where k.message_id = ?1)) x \
             join message m on m.message_id = x.message_id \
             where not exists (select 1 from room_chain c where c.message_id = ?1 and c.entry_id = x.entry_id) \
             order by x.at_ms, x.entry_id",
    )
    .bind(message.as_bytes())
    .fetch_all(&mut *conn)
    .await?;
    for row in &found {
        let room = RoomId::from_row(row.try_get("room_id")?)?;
        let last: Option<(i64, Vec<u8>)> = sqlx::query_as(
            "select number, hash from room_chain where room_id = ? order by number desc limit 1",
        )
        .bind(room.as_bytes())
        .fetch_optional(&mut *conn)
        .await?;
        let (number, previous) = match last {
            Some((number, hash)) => (number.unsigned_abs(), bytes(&hash)?),
            None => (0, START),
        };
        let mut link = Link {
            number: number + 1,
            entry: bytes(row.try_get("entry_id")?)?,
            message,
            kind: row.try_get("kind")?,
            author: row.try_get("author")?,
            by: row.try_get("by_whom")?,
            at: rows::time(row, "at_ms")?,
            text: row.try_get("text")?,
            unknown: row.try_get("unknown")?,
            salt: bytes(row.try_get("salt")?)?,
            previous,
            hash: START,
        };
        link.hash = link.sealed(room);
        insert(conn, room, &link).await?;
    }
    Ok(())
}

async fn insert(conn: &mut SqliteConnection, room: RoomId, link: &Link) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into room_chain (room_id, number, entry_id, message_id, kind, author, by_whom, at_ms, text, unknown, salt, \
         previous, hash) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(room.as_bytes())
    .bind(link.number.cast_signed())
    .bind(link.entry.as_slice())
    .bind(link.message.as_bytes())
    .bind(&link.kind)
    .bind(&link.author)
    .bind(&link.by)
    .bind(link.at.0)
    .bind(&link.text)
    .bind(&link.unknown)
    .bind(link.salt.as_slice())
    .bind(link.previous.as_slice())
    .bind(link.hash.as_slice())
    .execute(conn)
    .await?;
    Ok(())
}

/// Links of a room after `after`, in order, at most `limit`.
pub async fn chain(
    conn: &mut SqliteConnection,
    room: RoomId,
    after: u64,
    limit: u32,
) -> Result<Vec<Link>, sqlx::Error> {
    let found = sqlx::query(
        "select * from room_chain where room_id = ? and number > ? order by number limit ?",
    )
    .bind(room.as_bytes())
    .bind(after.cast_signed())
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    found.iter().map(link).collect()
}

/// Links read at once while a chain is looked through.
const PAGE: u32 = 500;

/// Looks through a room's chain and names the first link that is not as it was written: changed, missing, moved, or saying
/// something else than the room does.
pub async fn verify(conn: &mut SqliteConnection, room: RoomId) -> Result<Verdict, sqlx::Error> {
    let mut verdict = Verdict {
        links: 0,
        head: None,
        bad: None,
    };
    loop {
        let page = chain(conn, room, verdict.links, PAGE).await?;
        for link in &page {
            let expected = verdict.links + 1;
            let why = match wrong(room, link, expected, verdict.head.unwrap_or(START)) {
                None => said_otherwise(conn, link).await?,
                why => why,
            };
            if let Some(why) = why {
                verdict.bad = Some(Bad {
                    number: expected,
                    why,
                });
                return Ok(verdict);
            }
            verdict.links = expected;
            verdict.head = Some(link.hash);
        }
        if page.is_empty() {
            break;
        }
    }
    let missing: Option<String> = sqlx::query_scalar(
        "select k.kind from message_mark k join message m on m.message_id = k.message_id where m.room_id = ?1 \
         and not exists (select 1 from room_chain c where c.message_id = k.message_id and c.entry_id = k.mark_id) \
         union all select 'edit' from message_edit e join message m on m.message_id = e.message_id where m.room_id = ?1 \
         and e.at_ms > (select min(k.at_ms) from message_mark k where k.message_id = e.message_id) \
         and not exists (select 1 from room_chain c where c.message_id = e.message_id and c.entry_id = e.edit_id) \
         order by 1 limit 1",
    )
    .bind(room.as_bytes())
    .fetch_optional(conn)
    .await?;
    verdict.bad = missing.map(|kind| Bad {
        number: verdict.links + 1,
        why: format!("the chain ends too early: a {kind} of this room is not in it"),
    });
    Ok(verdict)
}

/// What is wrong with a link by itself and its place.
fn wrong(room: RoomId, link: &Link, expected: u64, head: [u8; 32]) -> Option<String> {
    if link.number != expected {
        return Some(format!("link {expected} is missing"));
    }
    if link.previous != head {
        return Some("it does not follow the link before it".to_owned());
    }
    (link.hash != link.sealed(room)).then(|| "its words or its hash were changed".to_owned())
}

/// Whether the room says something else than the link.
async fn said_otherwise(
    conn: &mut SqliteConnection,
    link: &Link,
) -> Result<Option<String>, sqlx::Error> {
    let same: bool = sqlx::query_scalar(
        "select exists (select 1 from message m where m.message_id = ?1 and m.author = ?2 and (m.text = ?3 \
         or exists (select 1 from message_edit e where e.message_id = ?1 and e.text = ?3)))",
    )
    .bind(link.message.as_bytes())
    .bind(&link.author)
    .bind(&link.text)
    .fetch_one(&mut *conn)
    .await?;
    if !same {
        return Ok(Some(
            "the message in the room is another one than was marked".to_owned(),
        ));
    }
    let marked: bool = sqlx::query_scalar(
        "select ?5 = 'edit' or exists (select 1 from message_mark k where k.mark_id = ?1 and k.message_id = ?2 \
         and k.text = ?3 and k.unknown = ?4 and k.kind = ?5)",
    )
    .bind(link.entry.as_slice())
    .bind(link.message.as_bytes())
    .bind(&link.text)
    .bind(&link.unknown)
    .bind(&link.kind)
    .fetch_one(conn)
    .await?;
    Ok((!marked).then(|| "the mark it stands for is gone or was changed".to_owned()))
}

fn link(row: &SqliteRow) -> Result<Link, sqlx::Error> {
    Ok(Link {
        number: rows::unsigned(row, "number")?,
        entry: bytes(row.try_get("entry_id")?)?,
        message: MessageId::from_row(row.try_get("message_id")?)?,
        kind: row.try_get("kind")?,
        author: row.try_get("author")?,
        by: row.try_get("by_whom")?,
        at: rows::time(row, "at_ms")?,
        text: row.try_get("text")?,
        unknown: row.try_get("unknown")?,
        salt: bytes(row.try_get("salt")?)?,
        previous: bytes(row.try_get("previous")?)?,
        hash: bytes(row.try_get("hash")?)?,
    })
}

pub(super) fn bytes<const N: usize>(blob: &[u8]) -> Result<[u8; N], sqlx::Error> {
    blob.try_into()
        .map_err(|e: std::array::TryFromSliceError| sqlx::Error::Decode(e.into()))
}
