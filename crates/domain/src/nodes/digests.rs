//! Digests of the replicas' states (DESIGN A9): writes to `digest_mark` and `digest`, and what follows from them.

use std::collections::BTreeMap;

use sqlx::{Row, SqliteConnection};

use super::DigestReport;
use super::apply::is_member;
use crate::apply::Entry;
use crate::ids::NodeId;
use crate::outcome::{Outcome, Receipt, Refusal};
use crate::rows;
use crate::time::Timestamp;

/// What a replica's state came to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DigestRow {
    pub node: NodeId,
    /// Log index it was taken at.
    pub index: u64,
    /// Only digests of equal schemas compare.
    pub schema: u32,
    pub digest: [u8; 32],
    pub reported_at: Timestamp,
    pub standing: DigestStanding,
}

/// How a replica's digest compares with those of the others at the same place.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DigestStanding {
    /// The same as the others'.
    Same,
    /// Another one than a majority of the members have: this replica is wrong and must not lead.
    Differs,
    /// They differ, and no majority says which is right.
    Disputed,
    /// Nobody else took one there yet.
    Alone,
}

impl DigestStanding {
    /// Whether the replica must not lead.
    pub fn bars(self) -> bool {
        self == Self::Differs
    }

    /// The word in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Differs => "differs",
            Self::Disputed => "disputed",
            Self::Alone => "alone",
        }
    }
}

/// When replicas were last asked for a digest; null before the first time.
pub(crate) const DIGESTED_AT: &str = "(select at_ms from digest_mark where id = 1)";

/// The newest digest of each member and how they compare, by node.
pub async fn digests(conn: &mut SqliteConnection) -> Result<Vec<DigestRow>, sqlx::Error> {
    let members: i64 = sqlx::query_scalar("select count(*) from node where removed_at_ms is null")
        .fetch_one(&mut *conn)
        .await?;
    let found = sqlx::query(
        "select d.node_id, d.log_index, d.schema, d.digest, d.reported_at_ms from digest d \
         join node n on n.node_id = d.node_id where n.removed_at_ms is null order by d.node_id",
    )
    .fetch_all(conn)
    .await?;
    let mut all = Vec::with_capacity(found.len());
    for row in &found {
        let digest: &[u8] = row.try_get("digest")?;
        all.push(DigestRow {
            node: NodeId(rows::unsigned(row, "node_id")?),
            index: rows::unsigned(row, "log_index")?,
            schema: rows::unsigned(row, "schema")?,
            digest: digest
                .try_into()
                .map_err(|e: std::array::TryFromSliceError| sqlx::Error::Decode(e.into()))?,
            reported_at: rows::time(row, "reported_at_ms")?,
            standing: DigestStanding::Alone,
        });
    }
    compare(&mut all, usize::try_from(members).unwrap_or(0));
    Ok(all)
}

/// A majority with one digest is right; it exists only while fewer than half differ, so no more are ever barred.
fn compare(all: &mut [DigestRow], members: usize) {
    let mut places: BTreeMap<(u64, u32), BTreeMap<[u8; 32], usize>> = BTreeMap::new();
    for row in all.iter() {
        let place = places.entry((row.index, row.schema)).or_default();
        *place.entry(row.digest).or_default() += 1;
    }
    for row in all {
        let place = &places[&(row.index, row.schema)];
        let same = place[&row.digest];
        let taken: usize = place.values().sum();
        row.standing = if taken == 1 {
            DigestStanding::Alone
        } else if place.len() == 1 || same * 2 > members {
            DigestStanding::Same
        } else if place.values().any(|count| count * 2 > members) {
            DigestStanding::Differs
        } else {
            DigestStanding::Disputed
        };
    }
}

/// Remembers the place.
pub(super) async fn mark(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
) -> Result<Outcome, sqlx::Error> {
    sqlx::query(
        "insert into digest_mark (id, log_index, at_ms) values (1, ?, ?) \
         on conflict (id) do update set log_index = excluded.log_index, at_ms = excluded.at_ms",
    )
    .bind(entry.index.cast_signed())
    .bind(entry.at.0)
    .execute(conn)
    .await?;
    Ok(Outcome::Applied(Receipt::None))
}

/// Keeps a replica's newest digest.
pub(super) async fn report(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    report: &DigestReport,
) -> Result<Outcome, sqlx::Error> {
    if !is_member(conn, report.node).await? {
        return Ok(Outcome::Refused(Refusal::UnknownNode));
    }
    let kept = sqlx::query(
        "insert into digest (node_id, log_index, schema, digest, reported_at_ms) values (?, ?, ?, ?, ?) \
         on conflict (node_id) do update set log_index = excluded.log_index, schema = excluded.schema, \
         digest = excluded.digest, reported_at_ms = excluded.reported_at_ms where excluded.log_index > log_index",
    )
    .bind(report.node.0.cast_signed())
    .bind(report.index.cast_signed())
    .bind(i64::from(report.schema))
    .bind(report.digest.as_slice())
    .bind(entry.at.0)
    .execute(conn)
    .await?;
    Ok(if kept.rows_affected() == 0 {
        Outcome::Unchanged
    } else {
        Outcome::Applied(Receipt::None)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standings(digests: &[(u64, u8)], members: usize) -> Vec<&'static str> {
        let mut all: Vec<DigestRow> = digests
            .iter()
            .zip(1..)
            .map(|((index, byte), node)| DigestRow {
                node: NodeId(node),
                index: *index,
                schema: 2,
                digest: [*byte; 32],
                reported_at: Timestamp(0),
                standing: DigestStanding::Alone,
            })
            .collect();
        compare(&mut all, members);
        all.into_iter().map(|row| row.standing.name()).collect()
    }

    #[test]
    fn a_majority_says_who_is_wrong_and_without_one_nobody_is_barred() {
        assert_eq!(standings(&[(9, 1), (9, 1), (9, 1)], 3), ["same"; 3]);
        assert_eq!(
            standings(&[(9, 1), (9, 2), (9, 1)], 3),
            ["same", "differs", "same"]
        );
        assert_eq!(standings(&[(9, 1), (9, 2)], 3), ["disputed"; 2]);
        assert_eq!(standings(&[(9, 1), (9, 2), (9, 3)], 3), ["disputed"; 3]);
        assert_eq!(standings(&[(9, 1), (8, 2)], 3), ["alone"; 2]);
        let five = standings(&[(9, 1), (9, 2), (9, 1), (9, 3), (9, 1)], 5);
        assert_eq!(five, ["same", "differs", "same", "differs", "same"]);
        assert_eq!(
            standings(&[(9, 1), (9, 1), (9, 2), (9, 2)], 4),
            ["disputed"; 4]
        );
    }
}
