//! Reads of the audit.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::command::Seal;
use super::record::{Checkpoint, GENESIS, Keys, Line, NodeKey, Record, hex};
use super::rules::{MARK_ENTRIES, MARK_EVERY, SealState, compare, sealed};
use crate::ids::{NodeId, RequestId};
use crate::nodes;
use crate::rows;

/// What of the audit is asked for; empty words ask for all.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// `alert.raise`, or a first part of it such as `alert`.
    pub action: String,
    pub actor: String,
    pub object: String,
}

/// What a node has yet to sign.
#[derive(Clone, Debug)]
pub struct Owed {
    pub cluster: [u8; 16],
    pub epoch: u32,
    /// Up to where.
    pub seq: u64,
    /// What the cluster takes for this node's key.
    pub key: Option<[u8; 32]>,
    /// The last place this node signed in this epoch.
    pub signed: u64,
}

/// How far the chain is signed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Standing {
    pub last: u64,
    pub head: [u8; 32],
    /// A majority of the members has signed up to here.
    pub sealed: u64,
    /// Newest place and state of each member that signed.
    pub members: Vec<(NodeId, u64, SealState)>,
}

impl Standing {
    pub fn unsealed(&self) -> u64 {
        self.last.saturating_sub(self.sealed)
    }
}

/// A select of entries with all that goes into a [`Line`].
macro_rules! select_lines {
    ($tail:literal) => {
        concat!(
            "select a.seq, a.epoch, a.at_ms, a.node, a.actor, a.assurance, a.action, a.object, a.outcome, a.request, \
             a.details_commit, a.hash, d.salt, d.details, (select p.hash from audit p where p.seq = a.seq - 1) as prev \
             from audit a left join audit_details d on d.seq = a.seq ",
            $tail
        )
    };
}

/// Entries after `after`, oldest first.
pub async fn lines(
    conn: &mut SqliteConnection,
    after: u64,
    limit: u32,
) -> Result<Vec<Line>, sqlx::Error> {
    let found = sqlx::query(select_lines!("where a.seq > ? order by a.seq limit ?"))
        .bind(after.cast_signed())
        .bind(limit)
        .fetch_all(conn)
        .await?;
    found.iter().map(line).collect()
}

/// Entries before `before` that are asked for, newest first.
pub async fn lines_before(
    conn: &mut SqliteConnection,
    before: u64,
    filter: &Filter,
    limit: u32,
) -> Result<Vec<Line>, sqlx::Error> {
    let found = sqlx::query(select_lines!(
        "where a.seq < ?1 and (?2 = '' or a.action = ?2 or substr(a.action, 1, length(?2) + 1) = ?2 || '.') \
         and (?3 = '' or a.actor = ?3) and (?4 = '' or a.object = ?4) order by a.seq desc limit ?5"
    ))
    .bind(i64::try_from(before).unwrap_or(i64::MAX))
    .bind(&filter.action)
    .bind(&filter.actor)
    .bind(&filter.object)
    .bind(limit)
    .fetch_all(conn)
    .await?;
    found.iter().map(line).collect()
}

pub(super) async fn is_known(conn: &mut SqliteConnection, seq: u64) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select exists (select 1 from audit where seq = ?)")
        .bind(i64::try_from(seq).unwrap_or(i64::MAX))
        .fetch_one(conn)
        .await
}

/// Goes on from the entry `from` with its hash, over at most `limit` entries up to `to`, by the rows' own words: what
/// is stored as their hashes is not looked at. Returns where that comes to.
pub async fn walk(
    conn: &mut SqliteConnection,
    from: (u64, [u8; 32]),
    to: u64,
    limit: u32,
) -> Result<(u64, [u8; 32]), sqlx::Error> {
    let (mut seq, mut head) = from;
    for line in lines(conn, seq, limit).await? {
        if line.entry.seq > to {
            break;
        }
        seq = line.entry.seq;
        let prev = hex(&head);
        head = Record { prev, ..line.entry }.hash();
    }
    Ok((seq, head))
}

/// When the next mark is due; null: everything is marked.
pub(crate) fn next_mark() -> String {
    let every = MARK_EVERY.as_millis();
    format!(
        "(select case when last <= marked then null when last - marked >= {MARK_ENTRIES} then 0 else at_ms + {every} end \
         from (select coalesce((select max(seq) from audit), 0) as last, coalesce(max(seq), 0) as marked, \
          coalesce(max(at_ms), 0) as at_ms from audit_mark))"
    )
}

/// What this node has yet to sign or to say of its key; `None` when that is nothing.
pub async fn owed(
    conn: &mut SqliteConnection,
    node: NodeId,
    key: &[u8; 32],
) -> Result<Option<Owed>, sqlx::Error> {
    let Some(cluster) = nodes::cluster(conn).await? else {
        return Ok(None);
    };
    let known = nodes::audit_key(conn, node).await?;
    let row = sqlx::query(
        "select coalesce((select seq from audit_mark where id = 1), 0) as marked, \
         coalesce((select max(seq) from audit_checkpoint where node_id = ?1 and epoch = ?2), 0) as signed",
    )
    .bind(node.0.cast_signed())
    .bind(i64::from(cluster.epoch))
    .fetch_one(conn)
    .await?;
    let (seq, signed) = (
        rows::unsigned(&row, "marked")?,
        rows::unsigned(&row, "signed")?,
    );
    if seq <= signed && known.as_ref() == Some(key) {
        return Ok(None);
    }
    Ok(Some(Owed {
        cluster: cluster.cluster_id,
        epoch: cluster.epoch,
        seq,
        key: known,
        signed,
    }))
}

/// How far the chain is signed, by the cluster's members.
pub async fn sealing(conn: &mut SqliteConnection) -> Result<Standing, sqlx::Error> {
    let end = sqlx::query("select seq, hash from audit order by seq desc limit 1")
        .fetch_optional(&mut *conn)
        .await?;
    let (last, head) = match &end {
        Some(row) => (rows::unsigned(row, "seq")?, hash(row, "hash")?),
        None => (0, GENESIS),
    };
    let members: i64 = sqlx::query_scalar("select count(*) from node where removed_at_ms is null")
        .fetch_one(&mut *conn)
        .await?;
    let members = usize::try_from(members).unwrap_or(0);
    // The newest of each member: its last hour has the greatest place.
    let found = sqlx::query(
        "select c.node_id, c.epoch, c.seq, c.head, a.hash as own from audit_checkpoint c \
         join node n on n.node_id = c.node_id and n.removed_at_ms is null left join audit a on a.seq = c.seq \
         where (c.epoch, c.hour) = (select l.epoch, l.hour from audit_checkpoint l where l.node_id = c.node_id \
         order by l.epoch desc, l.hour desc limit 1) order by c.node_id",
    )
    .fetch_all(conn)
    .await?;
    let (mut signed, mut newest) = (Vec::new(), Vec::new());
    for row in &found {
        let (node, head) = (NodeId(rows::unsigned(row, "node_id")?), hash(row, "head")?);
        let seq = rows::unsigned(row, "seq")?;
        signed.push((node, rows::unsigned(row, "epoch")?, seq, head));
        let own: Option<&[u8]> = row.try_get("own")?;
        if own == Some(head.as_slice()) {
            newest.push(seq);
        }
    }
    let states = compare(&signed, members).into_iter().zip(&signed);
    Ok(Standing {
        last,
        head,
        sealed: sealed(newest, members),
        members: states
            .map(|((node, state), (_, _, seq, _))| (node, *seq, state))
            .collect(),
    })
}

/// Every checkpoint kept, oldest first.
pub async fn checkpoints(conn: &mut SqliteConnection) -> Result<Vec<Checkpoint>, sqlx::Error> {
    let Some(cluster) = nodes::cluster(conn).await? else {
        return Ok(Vec::new());
    };
    let found = sqlx::query(
        "select node_id, epoch, seq, head, signature from audit_checkpoint order by epoch, seq, node_id",
    )
    .fetch_all(conn)
    .await?;
    found
        .iter()
        .map(|row| {
            let seal = Seal {
                node: NodeId(rows::unsigned(row, "node_id")?),
                epoch: rows::unsigned(row, "epoch")?,
                seq: rows::unsigned(row, "seq")?,
                head: hash(row, "head")?,
                signature: row.try_get("signature")?,
            };
            Ok(checkpoint_of(&cluster.cluster_id, &seal))
        })
        .collect()
}

/// Whose signatures count, and by which keys.
pub async fn keys(conn: &mut SqliteConnection) -> Result<Keys, sqlx::Error> {
    let cluster = nodes::cluster(conn).await?;
    let mut keys = Keys {
        cluster: cluster.map_or_else(String::new, |row| hex(&row.cluster_id)),
        nodes: Vec::new(),
    };
    for row in nodes::nodes(conn).await? {
        let key = nodes::audit_key(conn, row.node).await?;
        keys.nodes.push(NodeKey {
            key: key.map_or_else(String::new, |key| hex(&key)),
            member: row.removed_at.is_none(),
            name: row.name,
            node: row.node.to_string(),
        });
    }
    Ok(keys)
}

/// A seal as files show it.
pub(super) fn checkpoint_of(cluster: &[u8; 16], seal: &Seal) -> Checkpoint {
    Checkpoint {
        cluster: hex(cluster),
        epoch: seal.epoch,
        head: hex(&seal.head),
        node: seal.node.to_string(),
        seq: seal.seq,
        signature: hex(&seal.signature),
    }
}

fn line(row: &SqliteRow) -> Result<Line, sqlx::Error> {
    let commit: &[u8] = row.try_get("details_commit")?;
    let prev: Option<&[u8]> = row.try_get("prev")?;
    let salt: Option<&[u8]> = row.try_get("salt")?;
    Ok(Line {
        details: row.try_get("details")?,
        entry: Record {
            action: row.try_get("action")?,
            actor: row.try_get("actor")?,
            assurance: row.try_get("assurance")?,
            details_commit: hex(commit),
            epoch: rows::unsigned(row, "epoch")?,
            node: row.try_get("node")?,
            object: row.try_get("object")?,
            outcome: row.try_get("outcome")?,
            prev: hex(prev.unwrap_or(&GENESIS)),
            req_id: RequestId::from_row(row.try_get("request")?)?.to_string(),
            seq: rows::unsigned(row, "seq")?,
            ts: row.try_get("at_ms")?,
        },
        hash: hex(row.try_get("hash")?),
        salt: salt.map(hex),
    })
}

fn hash(row: &SqliteRow, column: &str) -> Result<[u8; 32], sqlx::Error> {
    row.try_get::<&[u8], _>(column)?
        .try_into()
        .map_err(|e: std::array::TryFromSliceError| sqlx::Error::Decode(e.into()))
}
