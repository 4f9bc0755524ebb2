//! Reads of facts that found no place.

use sqlx::{Row, SqliteConnection};

use crate::ids::NodeId;
use crate::rows;
use crate::time::Timestamp;

/// A fact nothing could be made of, for people to look at.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RefusedFact {
    /// The node whose island told it.
    pub origin: NodeId,
    /// See [`super::Fact::kind`].
    pub kind: String,
    /// The id of the row it is about.
    pub about: String,
    pub reason: String,
    pub at: Timestamp,
}

/// Facts refused, newest first, at most `limit`.
pub async fn refused(
    conn: &mut SqliteConnection,
    limit: u32,
) -> Result<Vec<RefusedFact>, sqlx::Error> {
    let found = sqlx::query(
        "select origin, kind, about, reason, refused_at_ms from refused_fact \
         order by refused_at_ms desc, fact_hash limit ?",
    )
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    found
        .iter()
        .map(|row| {
            Ok(RefusedFact {
                origin: NodeId(rows::unsigned(row, "origin")?),
                kind: row.try_get("kind")?,
                about: row.try_get("about")?,
                reason: row.try_get("reason")?,
                at: rows::time(row, "refused_at_ms")?,
            })
        })
        .collect()
}

/// How many facts wait for an alert or a delivery that is not here.
pub async fn orphans(conn: &mut SqliteConnection) -> Result<u64, sqlx::Error> {
    let row = sqlx::query("select count(*) as n from orphan_fact")
        .fetch_one(conn)
        .await?;
    rows::unsigned(&row, "n")
}
