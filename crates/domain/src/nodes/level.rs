//! The replicated feature level (DESIGN A11): a command newer than the cluster's level waits until every member knows it.
//!
//! A node says which level its program knows; once all members know more than the cluster uses, the leader raises it. The
//! level never falls, so a program that knows less must not take part any more.

use sqlx::{Row, SqliteConnection};

use crate::ids::NodeId;
use crate::outcome::{Outcome, Receipt, Refusal};

/// The highest level this program knows.
pub const LEVEL_KNOWN: u16 = if cfg!(feature = "next-level") { 2 } else { 1 };

/// Levels of a cluster and its members.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Levels {
    /// What the cluster uses. 1 before it is founded.
    pub used: u16,
    /// What each member that was not removed knows, by id.
    pub known: Vec<(NodeId, u16)>,
}

impl Levels {
    /// The level the cluster can be raised to, if every member knows more than it uses.
    pub fn next(&self) -> Option<u16> {
        let all = self.known.iter().map(|(_, level)| *level).min()?;
        (all > self.used).then_some(all)
    }
}

/// Reads the levels.
pub async fn levels(conn: &mut SqliteConnection) -> Result<Levels, sqlx::Error> {
    let used: Option<i64> = sqlx::query_scalar("select level from cluster where id = 1")
        .fetch_optional(&mut *conn)
        .await?;
    let rows =
        sqlx::query("select node_id, level from node where removed_at_ms is null order by node_id")
            .fetch_all(conn)
            .await?;
    let known = rows.iter().map(|row| {
        let node: i64 = row.try_get(0)?;
        Ok((NodeId(node.cast_unsigned()), level(row.try_get(1)?)))
    });
    Ok(Levels {
        used: used.map_or(1, level),
        known: known.collect::<Result<_, sqlx::Error>>()?,
    })
}

pub(super) async fn report(
    conn: &mut SqliteConnection,
    node: NodeId,
    level: u16,
) -> Result<Outcome, sqlx::Error> {
    let changed =
        sqlx::query("update node set level = ? where node_id = ? and removed_at_ms is null")
            .bind(i64::from(level))
            .bind(node.0.cast_signed())
            .execute(conn)
            .await?;
    Ok(super::apply::applied_or(
        changed.rows_affected(),
        Refusal::UnknownNode,
    ))
}

/// Changes nothing while a member does not know the level: it could not read what comes.
pub(super) async fn raise(conn: &mut SqliteConnection, to: u16) -> Result<Outcome, sqlx::Error> {
    let levels = levels(conn).await?;
    if to <= levels.used || levels.known.iter().any(|(_, known)| *known < to) {
        return Ok(Outcome::Unchanged);
    }
    sqlx::query("update cluster set level = ? where id = 1")
        .bind(i64::from(to))
        .execute(conn)
        .await?;
    Ok(Outcome::Applied(Receipt::None))
}

fn level(stored: i64) -> u16 {
    u16::try_from(stored).unwrap_or(u16::MAX)
}
