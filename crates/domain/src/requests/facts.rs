//! What an island tells of outside requests, and the law by which it is joined.

use serde::{Deserialize, Serialize};
use sqlx::{Row, SqliteConnection};

use crate::codec;
use crate::facts::Joined;
use crate::ids::RequestId;
use crate::outcome::Outcome;
use crate::rows;
use crate::time::Timestamp;

/// An outside request an island answered, so that a retry at another node applies once.
///
/// Law: the first one known stays. The same id with another body is refused and shown to people: somebody used one key
/// for two things.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct RequestFact {
    pub request: RequestId,
    pub body: [u8; 32],
    pub outcome: Outcome,
    pub applied_at: Timestamp,
}

/// Notes requests answered.
pub(crate) const WATCH: &[&str] = &[
    "create temp trigger if not exists watch_request after insert on main.request begin \
     insert into changed_row values ('request', new.request_id, 0); end",
];

/// Requests answered since the notes were cleared.
pub(crate) async fn changed(conn: &mut SqliteConnection) -> Result<Vec<RequestFact>, sqlx::Error> {
    let found = sqlx::query(
        "select q.request_id, q.body, q.outcome, q.applied_at_ms from (select distinct a, b from changed_row where kind = 'request') r \
         join request q on q.request_id = r.a order by q.request_id",
    )
    .fetch_all(conn)
    .await?;
    found
        .iter()
        .map(|row| {
            let body: &[u8] = row.try_get("body")?;
            Ok(RequestFact {
                request: RequestId::from_row(row.try_get("request_id")?)?,
                body: body
                    .try_into()
                    .map_err(|e: std::array::TryFromSliceError| sqlx::Error::Decode(e.into()))?,
                outcome: codec::decode(row.try_get("outcome")?)
                    .map_err(|e| sqlx::Error::Decode(e.into()))?,
                applied_at: rows::time(row, "applied_at_ms")?,
            })
        })
        .collect()
}

/// Joins one request.
pub(crate) async fn merge(
    conn: &mut SqliteConnection,
    fact: &RequestFact,
) -> Result<Joined, sqlx::Error> {
    let known: Option<Vec<u8>> =
        sqlx::query_scalar("select body from request where request_id = ?")
            .bind(fact.request.as_bytes())
            .fetch_optional(&mut *conn)
            .await?;
    match known {
        Some(body) if body == fact.body => return Ok(Joined::Unchanged),
        Some(_) => {
            return Ok(Joined::Refused(
                "its request id was used for something else in the cluster; what it did is joined, check that both were meant"
                    .to_owned(),
            ));
        }
        None => {}
    }
    let outcome = codec::encode(&fact.outcome).map_err(|e| sqlx::Error::Encode(e.into()))?;
    sqlx::query(
        "insert into request (request_id, body, outcome, applied_at_ms) values (?, ?, ?, ?)",
    )
    .bind(fact.request.as_bytes())
    .bind(fact.body.as_slice())
    .bind(outcome)
    .bind(fact.applied_at.0)
    .execute(conn)
    .await?;
    Ok(Joined::New)
}
