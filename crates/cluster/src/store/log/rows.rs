//! Rows of `raft.db`: how an entry, the vote and the marks are stored, each under its own checksum.

use openraft::EntryPayload;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};

use crate::types::{Entry, LeaderId, LogId, Record, WireLogId, WireMembership};
use domain::codec;

/// The log, and a few marks beside it. Leadership and kind stand in columns, so that a person can look at a log with
/// any SQLite tool; the checksum covers them too.
pub(super) const SCHEMA: &str = "
create table if not exists log (
    idx  integer primary key,
    term integer not null,
    node integer not null,
    kind integer not null, -- 0 blank, 1 command, 2 membership
    data blob    not null,
    crc  integer not null
) strict;
create table if not exists mark (
    name  text    primary key, -- vote, purged, committed
    value blob    not null,
    crc   integer not null
) strict, without rowid;
pragma user_version = 1;
";

/// The `user_version` this program writes.
pub(super) const FORMAT: i64 = 1;

pub(super) const INSERT: &str = "insert into log (idx, term, node, kind, data, crc) values ";
pub(super) const INSERT_ROW: &str = "(?,?,?,?,?,?)";

const BLANK: u8 = 0;
const COMMAND: u8 = 1;
const MEMBERSHIP: u8 = 2;

/// Something stored in `raft.db` is not what was written.
#[derive(Debug, thiserror::Error)]
pub enum Damage {
    #[error("log entry {0} fails its checksum")]
    Entry(u64),
    #[error("log entry {0} cannot be read")]
    Content(u64),
    #[error("the stored {0} fails its checksum")]
    Mark(&'static str),
    #[error("the log has a gap: entry {expected} is missing")]
    Gap { expected: u64 },
    #[error("the integrity check found: {0}")]
    Check(String),
}

/// An entry as its row.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) log_id: LogId,
    kind: u8,
    data: Record,
    crc: u32,
}

impl Row {
    pub(super) fn new(entry: &Entry) -> Result<Self, codec::CodecError> {
        let (kind, data) = match &entry.payload {
            EntryPayload::Blank => (BLANK, Record::from(Vec::new())),
            EntryPayload::Normal(record) => (COMMAND, record.clone()),
            EntryPayload::Membership(membership) => (
                MEMBERSHIP,
                Record::from(codec::encode(&WireMembership::from(membership))?),
            ),
        };
        let crc = entry_crc(&entry.log_id, kind, data.as_bytes());
        Ok(Self {
            log_id: entry.log_id,
            kind,
            data,
            crc,
        })
    }

    pub(super) fn len(&self) -> usize {
        self.data.as_bytes().len()
    }

    /// Binds the six values in the order of [`INSERT`].
    pub(super) fn bind<'q>(
        &'q self,
        query: sqlx::query::Query<'q, sqlx::Sqlite, sqlx::sqlite::SqliteArguments>,
    ) -> sqlx::query::Query<'q, sqlx::Sqlite, sqlx::sqlite::SqliteArguments> {
        query
            .bind(self.log_id.index.cast_signed())
            .bind(self.log_id.leader_id.term.cast_signed())
            .bind(self.log_id.leader_id.node_id.cast_signed())
            .bind(i64::from(self.kind))
            .bind(self.data.as_bytes())
            .bind(i64::from(self.crc))
    }
}

/// The log id in the first three columns of a row, unchecked.
pub(super) fn log_id_of(row: &SqliteRow) -> Result<LogId, sqlx::Error> {
    let leader = LeaderId {
        term: row.try_get::<i64, _>(1)?.cast_unsigned(),
        node_id: row.try_get::<i64, _>(2)?.cast_unsigned(),
    };
    Ok(LogId::new(
        leader,
        row.try_get::<i64, _>(0)?.cast_unsigned(),
    ))
}

/// The entry in a row `idx, term, node, kind, data, crc`, if its checksum holds.
pub(super) fn entry_of(row: &SqliteRow) -> Result<Entry, RowError> {
    let log_id = log_id_of(row)?;
    let kind = row.try_get::<i64, _>(3)?;
    let data: &[u8] = row.try_get(4)?;
    let crc = row.try_get::<i64, _>(5)?;
    let kind = u8::try_from(kind).map_err(|_| Damage::Entry(log_id.index))?;
    if crc != i64::from(entry_crc(&log_id, kind, data)) {
        return Err(Damage::Entry(log_id.index).into());
    }
    let unreadable = || Damage::Content(log_id.index);
    let payload = match kind {
        BLANK => EntryPayload::Blank,
        COMMAND => EntryPayload::Normal(Record::from(data.to_vec())),
        MEMBERSHIP => {
            let wire: WireMembership = codec::decode(data).map_err(|_| unreadable())?;
            EntryPayload::Membership(wire.try_into().map_err(|_| unreadable())?)
        }
        _ => return Err(unreadable().into()),
    };
    Ok(Entry { log_id, payload })
}

/// A row could not be read, or is not what was written.
#[derive(Debug, thiserror::Error)]
pub enum RowError {
    #[error(transparent)]
    Damage(#[from] Damage),
    #[error("cannot read the log")]
    Database(#[from] sqlx::Error),
}

/// Stores a mark, replacing the earlier one.
pub(super) async fn put_mark<T: serde::Serialize>(
    conn: &mut SqliteConnection,
    name: &'static str,
    value: &T,
) -> Result<(), sqlx::Error> {
    let bytes = codec::encode(value).map_err(|e| sqlx::Error::Encode(e.into()))?;
    let crc = mark_crc(name, &bytes);
    sqlx::query(
        "insert into mark (name, value, crc) values (?, ?, ?)
         on conflict (name) do update set value = excluded.value, crc = excluded.crc",
    )
    .bind(name)
    .bind(bytes)
    .bind(i64::from(crc))
    .execute(conn)
    .await?;
    Ok(())
}

/// Reads a mark, if it was ever stored.
pub(super) async fn get_mark<T: serde::de::DeserializeOwned>(
    conn: &mut SqliteConnection,
    name: &'static str,
) -> Result<Option<T>, RowError> {
    let Some(row) = sqlx::query("select value, crc from mark where name = ?")
        .bind(name)
        .fetch_optional(conn)
        .await?
    else {
        return Ok(None);
    };
    let (value, crc): (&[u8], i64) = (row.try_get(0)?, row.try_get(1)?);
    if crc != i64::from(mark_crc(name, value)) {
        return Err(Damage::Mark(name).into());
    }
    codec::decode(value)
        .map(Some)
        .map_err(|_| Damage::Mark(name).into())
}

fn entry_crc(log_id: &LogId, kind: u8, data: &[u8]) -> u32 {
    let id = WireLogId::from(log_id);
    let mut hash = crc32fast::Hasher::new();
    for number in [id.index, id.term, id.node] {
        hash.update(&number.to_le_bytes());
    }
    hash.update(&[kind]);
    hash.update(data);
    hash.finalize()
}

fn mark_crc(name: &str, value: &[u8]) -> u32 {
    let mut hash = crc32fast::Hasher::new();
    hash.update(name.as_bytes());
    hash.update(&[0]);
    hash.update(value);
    hash.finalize()
}
