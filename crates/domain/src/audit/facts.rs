//! What an island tells of its own audit, and the law by which it is joined.

use serde::{Deserialize, Serialize};
use sqlx::{Row, SqliteConnection};

use crate::codec;
use crate::facts::Joined;
use crate::ids::{RequestId, digest16};
use crate::requests;
use crate::rows;
use crate::time::Timestamp;

/// An entry of an island's audit. Its place in the chain and its hash are the cluster's to give: an island's own chain is
/// a copy that nobody signs.
///
/// Law: all of them; one that is here already stays as it is. One whose request the cluster applied itself is in the chain
/// by that.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct AuditFact {
    pub at: Timestamp,
    /// `island:n3`.
    pub node: String,
    pub actor: String,
    pub assurance: String,
    pub action: String,
    pub object: String,
    pub outcome: String,
    pub request: RequestId,
    /// Empty: there are no details.
    pub commit: Vec<u8>,
    pub salt: Vec<u8>,
    pub details: String,
}

/// Notes new entries.
pub(crate) const WATCH: &[&str] = &[
    "create temp trigger if not exists watch_audit after insert on main.audit begin \
     insert into changed_row values ('audit', new.seq, 0); end",
];

/// Entries made since the notes were cleared.
pub(crate) async fn changed(conn: &mut SqliteConnection) -> Result<Vec<AuditFact>, sqlx::Error> {
    let found = sqlx::query(
        "select a.*, coalesce(d.salt, x'') as salt, coalesce(d.details, '') as details \
         from (select distinct a from changed_row where kind = 'audit') r join audit a on a.seq = r.a \
         left join audit_details d on d.seq = a.seq order by a.seq",
    )
    .fetch_all(conn)
    .await?;
    found
        .iter()
        .map(|row| {
            Ok(AuditFact {
                at: rows::time(row, "at_ms")?,
                node: row.try_get("node")?,
                actor: row.try_get("actor")?,
                assurance: row.try_get("assurance")?,
                action: row.try_get("action")?,
                object: row.try_get("object")?,
                outcome: row.try_get("outcome")?,
                request: RequestId::from_row(row.try_get("request")?)?,
                commit: row.try_get("details_commit")?,
                salt: row.try_get("salt")?,
                details: row.try_get("details")?,
            })
        })
        .collect()
}

/// Joins one entry: it waits for its place in the chain, which [`super::Chain::bring_home`] gives it.
pub(crate) async fn merge(
    conn: &mut SqliteConnection,
    fact: &AuditFact,
) -> Result<Joined, sqlx::Error> {
    let bytes = codec::encode(fact).map_err(|e| sqlx::Error::Encode(e.into()))?;
    let key = digest16("audit", &[&bytes]);
    let known: bool =
        sqlx::query_scalar("select exists (select 1 from audit_island where fact_key = ?)")
            .bind(key.as_slice())
            .fetch_one(&mut *conn)
            .await?;
    if known || requests::is_known(conn, fact.request).await? {
        return Ok(Joined::Unchanged);
    }
    sqlx::query("insert into audit_island (fact_key, at_ms, fact, seq) values (?, ?, ?, null)")
        .bind(key.as_slice())
        .bind(fact.at.0)
        .bind(bytes)
        .execute(conn)
        .await?;
    Ok(Joined::New)
}
