//! Whether this state is an island's: a copy on which one node works alone while it hears no majority (DESIGN §4.4).
//!
//! The cluster's own state has no such row. Whatever must know that it is alone reads this one: texts, numbers, codes,
//! views.

use sqlx::{Row, SqliteConnection};

use crate::ids::NodeId;
use crate::rows;
use crate::time::Timestamp;

/// Attempts are numbered in blocks of this many: the cluster's from 1, those of node n's island from n times this.
pub(crate) const ATTEMPTS_PER_BLOCK: u32 = 1 << 16;

/// One node's island.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fork {
    /// The node that is alone.
    pub node: NodeId,
    /// Its name, as people read it: "site C alone".
    pub site: String,
    /// Cluster time at which it began.
    pub entered_at: Timestamp,
    /// The last log entry in the copy it started from.
    pub base: u64,
}

impl Fork {
    /// Before the numbers of alerts raised here: `B` in `B-7`.
    pub fn letters(&self) -> String {
        self.node.letters()
    }

    /// First digit of codes drawn here, 1 to 9. Only the tenth node shares one with the first.
    pub fn slot(&self) -> u64 {
        (self.node.0.max(1) - 1) % 9 + 1
    }
}

/// What this history's attempts are counted from: their numbers are greater, by less than [`ATTEMPTS_PER_BLOCK`].
pub(crate) fn attempt_block(fork: Option<&Fork>) -> i64 {
    fork.map_or(0, |fork| {
        let node = fork.node.0.cast_signed();
        node.saturating_mul(i64::from(ATTEMPTS_PER_BLOCK))
    })
}

/// The island this state belongs to; `None` in the cluster's own.
pub async fn fork(conn: &mut SqliteConnection) -> Result<Option<Fork>, sqlx::Error> {
    let row = sqlx::query("select node_id, site, entered_at_ms, base_index from fork where id = 1")
        .fetch_optional(conn)
        .await?;
    row.map(|row| {
        Ok(Fork {
            node: NodeId(rows::unsigned(&row, "node_id")?),
            site: row.try_get("site")?,
            entered_at: rows::time(&row, "entered_at_ms")?,
            base: rows::unsigned(&row, "base_index")?,
        })
    })
    .transpose()
}

/// Marks this copy as an island's and counts every other node as out of reach. Repeating it changes nothing.
pub(crate) async fn enter(conn: &mut SqliteConnection, fork: &Fork) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into fork (id, node_id, site, letter, slot, entered_at_ms, base_index) values (1, ?, ?, ?, ?, ?, ?) \
         on conflict (id) do nothing",
    )
    .bind(fork.node.0.cast_signed())
    .bind(&fork.site)
    .bind(fork.letters())
    .bind(fork.slot().to_string())
    .bind(fork.entered_at.0)
    .bind(fork.base.cast_signed())
    .execute(&mut *conn)
    .await?;
    sqlx::query(
        "update node set reachable = (node_id = ?1), reachable_since_ms = ?2 \
         where reachable <> (node_id = ?1) and removed_at_ms is null",
    )
    .bind(fork.node.0.cast_signed())
    .bind(fork.entered_at.0)
    .execute(conn)
    .await?;
    Ok(())
}
