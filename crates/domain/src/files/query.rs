//! Reads of files and of the nodes that hold them.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};

use super::{FileDigest, FileKind};
use crate::ids::{FileId, MessageId, NodeId, RecipientId, RoomId};
use crate::rows;
use crate::time::Timestamp;

/// A file, or the announcement of one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FileRow {
    pub id: FileId,
    pub room: RoomId,
    pub sha256: FileDigest,
    /// In bytes.
    pub size: u64,
    /// `None` for a kind that only newer versions know.
    pub kind: Option<FileKind>,
    pub name: String,
    pub caption: String,
    pub restricted: bool,
    pub author: String,
    pub person: Option<RecipientId>,
    /// Who announced it, and sends the bytes.
    pub actor: String,
    pub announced_at: Timestamp,
    /// When the announcement ends; `None` once the bytes have come.
    pub ends_at: Option<Timestamp>,
    /// The message that shows it; `None` until the bytes have come.
    pub message: Option<MessageId>,
    /// When and by whom it was taken away.
    pub removed: Option<(Timestamp, String)>,
    /// Key of the document it is.
    pub document: Option<String>,
}

fn file(row: &SqliteRow) -> Result<FileRow, sqlx::Error> {
    let person: Option<Vec<u8>> = row.try_get("recipient_id")?;
    let message: Option<Vec<u8>> = row.try_get("message_id")?;
    let removed_by: Option<String> = row.try_get("removed_by")?;
    Ok(FileRow {
        id: FileId::from_row(row.try_get("file_id")?)?,
        room: RoomId::from_row(row.try_get("room_id")?)?,
        sha256: FileDigest::from_row(row.try_get("sha256")?)?,
        size: rows::unsigned(row, "size")?,
        kind: FileKind::parse(row.try_get("kind")?),
        name: row.try_get("name")?,
        caption: row.try_get("caption")?,
        restricted: row.try_get("restricted")?,
        author: row.try_get("author")?,
        person: person.map(|id| RecipientId::from_row(&id)).transpose()?,
        actor: row.try_get("actor")?,
        announced_at: rows::time(row, "announced_at_ms")?,
        ends_at: rows::time_opt(row, "ends_at_ms")?,
        message: message.map(|id| MessageId::from_row(&id)).transpose()?,
        removed: rows::time_opt(row, "removed_at_ms")?
            .map(|at| (at, removed_by.unwrap_or_default())),
        document: row.try_get("document")?,
    })
}

/// A file by its id.
pub async fn find(conn: &mut SqliteConnection, id: FileId) -> Result<Option<FileRow>, sqlx::Error> {
    let found = sqlx::query("select * from file where file_id = ?")
        .bind(id.as_bytes())
        .fetch_optional(conn)
        .await?;
    found.as_ref().map(file).transpose()
}

/// The files that messages show, also those taken away.
pub async fn of_messages(
    conn: &mut SqliteConnection,
    messages: &[MessageId],
) -> Result<BTreeMap<MessageId, FileRow>, sqlx::Error> {
    let ids = rows::hex_array(messages.iter().map(MessageId::as_bytes));
    let found = sqlx::query(
        "select f.* from json_each(?) j join file f on f.message_id = unhex(j.value) order by f.file_id",
    )
    .bind(&ids)
    .fetch_all(conn)
    .await?;
    let mut all = BTreeMap::new();
    for row in &found {
        let row = file(row)?;
        all.extend(row.message.map(|message| (message, row)));
    }
    Ok(all)
}

/// The newest files of a room that messages show, newest first, also those taken away.
pub async fn in_room(
    conn: &mut SqliteConnection,
    room: RoomId,
    limit: u32,
) -> Result<Vec<FileRow>, sqlx::Error> {
    let found = sqlx::query(
        "select * from file where room_id = ? and message_id is not null \
         order by announced_at_ms desc, file_id limit ?",
    )
    .bind(room.as_bytes())
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    found.iter().map(file).collect()
}

/// The members that say they hold each of these, in order.
pub async fn copies(
    conn: &mut SqliteConnection,
    digests: &[FileDigest],
) -> Result<BTreeMap<FileDigest, Vec<NodeId>>, sqlx::Error> {
    let wanted = rows::hex_array(digests.iter().map(FileDigest::as_bytes));
    let found = sqlx::query(
        "select distinct c.sha256, c.node_id from json_each(?) j join file_copy c on c.sha256 = unhex(j.value) \
         join node n on n.node_id = c.node_id and n.removed_at_ms is null order by c.sha256, c.node_id",
    )
    .bind(&wanted)
    .fetch_all(conn)
    .await?;
    let mut all: BTreeMap<FileDigest, Vec<NodeId>> = BTreeMap::new();
    for row in &found {
        let digest = FileDigest::from_row(row.try_get("sha256")?)?;
        let node = NodeId(rows::unsigned(row, "node_id")?);
        all.entry(digest).or_default().push(node);
    }
    Ok(all)
}

/// Bytes that a node does not hold yet.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Wanted {
    pub sha256: FileDigest,
    pub size: u64,
    /// Members that say they hold them, in order.
    pub from: Vec<NodeId>,
}

/// What a node should hold and does not say it does, oldest first, at most `limit`.
pub async fn missing(
    conn: &mut SqliteConnection,
    node: NodeId,
    limit: u32,
) -> Result<Vec<Wanted>, sqlx::Error> {
    let found = sqlx::query(
        "select f.sha256, max(f.size) as size from file f where f.message_id is not null and f.removed_at_ms is null \
         and not exists (select 1 from file_copy c where c.sha256 = f.sha256 and c.node_id = ?) \
         group by f.sha256 order by min(f.announced_at_ms), f.sha256 limit ?",
    )
    .bind(node.0.cast_signed())
    .bind(i64::from(limit))
    .fetch_all(&mut *conn)
    .await?;
    let mut wanted = Vec::with_capacity(found.len());
    for row in &found {
        wanted.push(Wanted {
            sha256: FileDigest::from_row(row.try_get("sha256")?)?,
            size: rows::unsigned(row, "size")?,
            from: Vec::new(),
        });
    }
    let digests: Vec<_> = wanted.iter().map(|wanted| wanted.sha256).collect();
    let mut held = copies(conn, &digests).await?;
    for wanted in &mut wanted {
        wanted.from = held.remove(&wanted.sha256).unwrap_or_default();
    }
    Ok(wanted)
}

/// What a node says it holds, with the size of each.
pub async fn held_by(
    conn: &mut SqliteConnection,
    node: NodeId,
) -> Result<Vec<(FileDigest, u64)>, sqlx::Error> {
    let found = sqlx::query(
        "select c.sha256, max(f.size) as size from file_copy c join file f on f.sha256 = c.sha256 \
         where c.node_id = ? group by c.sha256 order by c.sha256",
    )
    .bind(node.0.cast_signed())
    .fetch_all(conn)
    .await?;
    found
        .iter()
        .map(|row| {
            let digest = FileDigest::from_row(row.try_get("sha256")?)?;
            Ok((digest, rows::unsigned(row, "size")?))
        })
        .collect()
}

/// Everything whose bytes are still of use: digests, and uploads that may still go on.
pub async fn live(
    conn: &mut SqliteConnection,
) -> Result<(BTreeSet<FileDigest>, BTreeSet<FileId>), sqlx::Error> {
    let found = sqlx::query(
        "select sha256, file_id, ends_at_ms from file where removed_at_ms is null order by file_id",
    )
    .fetch_all(conn)
    .await?;
    let (mut digests, mut uploads) = (BTreeSet::new(), BTreeSet::new());
    for row in &found {
        digests.insert(FileDigest::from_row(row.try_get("sha256")?)?);
        if rows::time_opt(row, "ends_at_ms")?.is_some() {
            uploads.insert(FileId::from_row(row.try_get("file_id")?)?);
        }
    }
    Ok((digests, uploads))
}

/// What all files and announcements come to on each node, in bytes.
pub async fn used_bytes(conn: &mut SqliteConnection) -> Result<u64, sqlx::Error> {
    let found: i64 = sqlx::query_scalar(
        "select coalesce(sum(size), 0) from (select max(size) as size from file where removed_at_ms is null group by sha256)",
    )
    .fetch_one(conn)
    .await?;
    Ok(found.unsigned_abs())
}

/// Announcements whose time is over at `now`, oldest first, at most `limit`.
pub async fn over(
    conn: &mut SqliteConnection,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<FileId>, sqlx::Error> {
    let found: Vec<Vec<u8>> = sqlx::query_scalar(
        "select file_id from file where ends_at_ms <= ? order by ends_at_ms, file_id limit ?",
    )
    .bind(now.0)
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    FileId::from_rows(&found)
}

/// When the next file's time is over.
pub(crate) const NEXT_DUE: &str = "(select min(ends_at_ms) from file where ends_at_ms is not null)";

/// Files under way: those of one caller, and all.
pub(super) async fn under_way(
    conn: &mut SqliteConnection,
    actor: &str,
) -> Result<(i64, i64), sqlx::Error> {
    sqlx::query_as(
        "select coalesce(sum(actor = ?), 0), count(*) from file where ends_at_ms is not null",
    )
    .bind(actor)
    .fetch_one(conn)
    .await
}
