//! Reads of the cluster's members and channels.

use std::time::Duration;

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::Left;
use crate::ids::NodeId;
use crate::rows;
use crate::time::Timestamp;

/// A node that left may hand in the journal it still holds for this long (DESIGN B6).
const JOURNAL_TIME: Duration = Duration::from_secs(30 * 24 * 3_600);

/// The cluster's own row.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClusterRow {
    pub cluster_id: [u8; 16],
    pub organisation: String,
    pub founded_at: Timestamp,
    /// Counts the histories: 1 at first, one more with every recovery.
    pub epoch: u32,
    /// The id the next node gets.
    pub next_node: NodeId,
}

/// Nothing leaves until an operator says so.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OutboxPause {
    pub since: Timestamp,
    pub reason: String,
}

/// Whether a node may hand in the journal of its time alone.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum JournalRight {
    /// It is a member, or left in order not long ago.
    Granted,
    /// It was evicted: what it says may be forged.
    Evicted,
    /// It left too long ago.
    TooLate,
    /// No such id was ever given out.
    Unknown,
}

/// A member, also a removed one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NodeRow {
    pub node: NodeId,
    pub name: String,
    pub pins: Vec<[u8; 32]>,
    pub addresses: Vec<String>,
    pub admitted_at: Timestamp,
    pub removed_at: Option<Timestamp>,
    /// In which its id was given out.
    pub epoch: u32,
    /// How it left; `None` while it is a member.
    pub left: Option<Left>,
    /// The leader's judgement: can it be given work?
    pub reachable: bool,
    pub reachable_since: Timestamp,
}

/// A channel as last reported.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ChannelRow {
    pub node: NodeId,
    pub name: String,
    pub kind: String,
    pub up: bool,
    pub reason: String,
    pub operator: String,
    pub number: String,
    pub signal_dbm: Option<i16>,
    pub rate_per_min: u32,
    pub changed_at: Timestamp,
    pub reported_at: Timestamp,
    /// Up, and on a reachable member.
    pub usable: bool,
    /// Its node runs out of power: nothing new should leave from here while another channel can carry it.
    pub draining: bool,
}

/// The cluster row, once founded.
pub async fn cluster(conn: &mut SqliteConnection) -> Result<Option<ClusterRow>, sqlx::Error> {
    let row =
        sqlx::query("select cluster_id, organisation, founded_at_ms, epoch, next_node_id from cluster where id = 1")
            .fetch_optional(conn)
            .await?;
    row.map(|row| {
        let id: &[u8] = row.try_get(0)?;
        Ok(ClusterRow {
            cluster_id: id
                .try_into()
                .map_err(|e: std::array::TryFromSliceError| sqlx::Error::Decode(e.into()))?,
            organisation: row.try_get(1)?,
            founded_at: rows::time(&row, "founded_at_ms")?,
            epoch: rows::unsigned(&row, "epoch")?,
            next_node: NodeId(rows::unsigned(&row, "next_node_id")?),
        })
    })
    .transpose()
}

/// The organisation's name as shown in texts; empty before the cluster is founded.
pub async fn organisation(conn: &mut SqliteConnection) -> Result<String, sqlx::Error> {
    let name = sqlx::query_scalar("select organisation from cluster where id = 1")
        .fetch_optional(conn)
        .await?;
    Ok(name.unwrap_or_default())
}

/// The epoch of this state; 1 before the cluster is founded.
pub async fn epoch(conn: &mut SqliteConnection) -> Result<u32, sqlx::Error> {
    Ok(cluster(conn).await?.map_or(1, |row| row.epoch))
}

/// Whether nothing leaves until somebody lets it.
pub(crate) const IS_OUTBOX_PAUSED: &str =
    "exists (select 1 from cluster where id = 1 and outbox_paused_at_ms is not null)";

/// Since when and why nothing leaves, if so.
pub async fn outbox_pause(conn: &mut SqliteConnection) -> Result<Option<OutboxPause>, sqlx::Error> {
    let row = sqlx::query(
        "select outbox_paused_at_ms, outbox_reason from cluster where id = 1 and outbox_paused_at_ms is not null",
    )
    .fetch_optional(conn)
    .await?;
    row.map(|row| {
        Ok(OutboxPause {
            since: rows::time(&row, "outbox_paused_at_ms")?,
            reason: row.try_get("outbox_reason")?,
        })
    })
    .transpose()
}

/// What survivors signed when they began epochs after `epoch`, oldest first.
pub async fn successions(
    conn: &mut SqliteConnection,
    epoch: u32,
) -> Result<Vec<Vec<u8>>, sqlx::Error> {
    sqlx::query_scalar("select statement from succession where epoch > ? order by epoch")
        .bind(i64::from(epoch))
        .fetch_all(conn)
        .await
}

/// Whether `origin` may hand in a journal at `now`.
pub async fn journal_right(
    conn: &mut SqliteConnection,
    origin: NodeId,
    now: Timestamp,
) -> Result<JournalRight, sqlx::Error> {
    let row = sqlx::query("select removed_at_ms, left_how from node where node_id = ?")
        .bind(origin.0.cast_signed())
        .fetch_optional(conn)
        .await?;
    let Some(row) = row else {
        return Ok(JournalRight::Unknown);
    };
    let Some(left_at) = rows::time_opt(&row, "removed_at_ms")? else {
        return Ok(JournalRight::Granted);
    };
    Ok(match Left::parse(row.try_get("left_how")?) {
        Left::Evicted => JournalRight::Evicted,
        Left::Removed | Left::Fenced if now.since(left_at) > JOURNAL_TIME => JournalRight::TooLate,
        Left::Removed | Left::Fenced => JournalRight::Granted,
    })
}

/// Channels of nodes that left: answers to their numbers reach nobody.
pub async fn channels_of_the_gone(
    conn: &mut SqliteConnection,
) -> Result<Vec<ChannelRow>, sqlx::Error> {
    let found = sqlx::query(
        "select c.node_id, c.name, c.kind, c.up, c.reason, c.operator, c.number, c.signal_dbm, c.rate_per_min, \
         c.changed_at_ms, c.reported_at_ms, 0 as usable, 0 as draining \
         from channel c join node n on n.node_id = c.node_id where n.removed_at_ms is not null \
         order by c.node_id, c.name",
    )
    .fetch_all(conn)
    .await?;
    found.iter().map(channel_row).collect()
}

/// All members ever, by id.
pub async fn nodes(conn: &mut SqliteConnection) -> Result<Vec<NodeRow>, sqlx::Error> {
    let found = sqlx::query(
        "select node_id, name, pins, addresses, admitted_at_ms, removed_at_ms, reachable, reachable_since_ms, epoch, \
         left_how from node order by node_id",
    )
    .fetch_all(conn)
    .await?;
    found.iter().map(node_row).collect()
}

/// What a node signs the audit with, also one that left; `None` until it has said so.
pub(crate) async fn audit_key(
    conn: &mut SqliteConnection,
    node: NodeId,
) -> Result<Option<[u8; 32]>, sqlx::Error> {
    let found: Option<Option<Vec<u8>>> =
        sqlx::query_scalar("select audit_key from node where node_id = ?")
            .bind(node.0.cast_signed())
            .fetch_optional(conn)
            .await?;
    Ok(found.flatten().and_then(|key| key.try_into().ok()))
}

/// All channels of members that were not removed, by node and name.
pub async fn channels(conn: &mut SqliteConnection) -> Result<Vec<ChannelRow>, sqlx::Error> {
    let found = sqlx::query(
        "select c.node_id, c.name, c.kind, c.up, c.reason, c.operator, c.number, c.signal_dbm, c.rate_per_min, \
         c.changed_at_ms, c.reported_at_ms, (c.up and n.reachable) as usable, coalesce(m.power, '') = 'draining' as draining \
         from channel c join node n on n.node_id = c.node_id left join machine m on m.node_id = c.node_id where n.removed_at_ms is null \
         order by c.node_id, c.name",
    )
    .fetch_all(conn)
    .await?;
    found.iter().map(channel_row).collect()
}

/// An authority members' certificates may stand under.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AuthorityRow {
    /// In DER.
    pub certificate: Vec<u8>,
    /// It signs new ones.
    pub issuing: bool,
}

/// The authorities in force; none before the founding one was ever replaced.
pub async fn authorities(conn: &mut SqliteConnection) -> Result<Vec<AuthorityRow>, sqlx::Error> {
    let found = sqlx::query("select certificate, issuing from authority order by place")
        .fetch_all(conn)
        .await?;
    let row = |row: &SqliteRow| {
        Ok(AuthorityRow {
            certificate: row.try_get("certificate")?,
            issuing: row.try_get("issuing")?,
        })
    };
    found.iter().map(row).collect()
}

fn node_row(row: &SqliteRow) -> Result<NodeRow, sqlx::Error> {
    let (pins, left_how): (&[u8], &str) = (row.try_get("pins")?, row.try_get("left_how")?);
    let removed_at = rows::time_opt(row, "removed_at_ms")?;
    Ok(NodeRow {
        node: NodeId(rows::unsigned(row, "node_id")?),
        name: row.try_get("name")?,
        pins: pins.as_chunks::<32>().0.to_vec(),
        addresses: rows::json(row, "addresses")?,
        admitted_at: rows::time(row, "admitted_at_ms")?,
        left: removed_at.map(|_| Left::parse(left_how)),
        removed_at,
        epoch: rows::unsigned(row, "epoch")?,
        reachable: row.try_get("reachable")?,
        reachable_since: rows::time(row, "reachable_since_ms")?,
    })
}

fn channel_row(row: &SqliteRow) -> Result<ChannelRow, sqlx::Error> {
    Ok(ChannelRow {
        node: NodeId(rows::unsigned(row, "node_id")?),
        name: row.try_get("name")?,
        kind: row.try_get("kind")?,
        up: row.try_get("up")?,
        reason: row.try_get("reason")?,
        operator: row.try_get("operator")?,
        number: row.try_get("number")?,
        signal_dbm: row.try_get("signal_dbm")?,
        rate_per_min: rows::unsigned(row, "rate_per_min")?,
        changed_at: rows::time(row, "changed_at_ms")?,
        reported_at: rows::time(row, "reported_at_ms")?,
        usable: row.try_get("usable")?,
        draining: row.try_get("draining")?,
    })
}
