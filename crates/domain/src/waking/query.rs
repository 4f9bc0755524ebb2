//! Reads of trips, cards and proofs.

use sqlx::{AssertSqlSafe, Row, SqliteConnection};

use super::rules::TripState;
use super::{Card, Due};
use crate::ids::{NodeId, RecipientId};
use crate::time::Timestamp;
use crate::{nodes, rows};

/// The last trip of a node's modem to the next one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TripRow {
    pub node: NodeId,
    pub name: String,
    /// Absent before the first trip.
    pub last: Option<Trip>,
    pub next_at: Option<Timestamp>,
}

/// One trip.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Trip {
    pub to: String,
    pub started_at: Timestamp,
    pub state: TripState,
    /// From when it was wanted until it was stored where it came.
    pub took_ms: Option<u64>,
}

/// A planned or past test.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TestRow {
    pub number: u64,
    pub people: u64,
    pub started_by: String,
    /// `waiting`, `asked`, `called_off`.
    pub state: String,
    pub due_at: Timestamp,
}

/// What is known of one phone.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ProofRow {
    pub recipient: RecipientId,
    pub key: String,
    pub name: String,
    pub address: String,
    pub asked_at: Option<Timestamp>,
    /// `yes`, `no`, or empty.
    pub answer: String,
    pub answered_at: Option<Timestamp>,
    pub proven_at: Option<Timestamp>,
    pub expires_at: Option<Timestamp>,
}

impl ProofRow {
    /// `proven`, `expired`, `asked`, `no`, `never`.
    pub fn state(&self, now: Timestamp) -> &'static str {
        match self.expires_at {
            Some(at) if at > now => "proven",
            _ if self.answer == "no" => "no",
            Some(_) => "expired",
            None if self.asked_at.is_some() => "asked",
            None => "never",
        }
    }
}

/// How each node's trips stand at `now`, by node; those without a modem that never made one are left out.
pub async fn trips(
    conn: &mut SqliteConnection,
    now: Timestamp,
) -> Result<Vec<TripRow>, sqlx::Error> {
    let found = sqlx::query(
        "select n.node_id, n.name, p.due_ms as next_ms, t.started_at_ms, t.to_node, t.due_ms, t.arrived_at_ms, \
         coalesce(o.name, '') as to_name from node n left join round_trip_plan p on p.node_id = n.node_id \
         left join round_trip t on t.node_id = n.node_id and t.started_at_ms = \
          (select max(l.started_at_ms) from round_trip l where l.node_id = n.node_id) \
         left join node o on o.node_id = t.to_node \
         where n.removed_at_ms is null and (p.node_id is not null or t.node_id is not null) order by n.node_id",
    )
    .fetch_all(conn)
    .await?;
    found
        .iter()
        .map(|row| {
            let started = rows::time_opt(row, "started_at_ms")?;
            let last = match started {
                None => None,
                Some(started_at) => {
                    let arrived = rows::time_opt(row, "arrived_at_ms")?;
                    let alone = row.try_get::<i64, _>("to_node")? == 0;
                    let state = match arrived {
                        _ if alone => TripState::Alone,
                        Some(_) => TripState::Arrived,
                        None if rows::time(row, "due_ms")? > now => TripState::UnderWay,
                        None => TripState::Missing,
                    };
                    Some(Trip {
                        to: row.try_get("to_name")?,
                        started_at,
                        state,
                        took_ms: arrived.map(|at| {
                            u64::try_from(at.since(started_at).as_millis()).unwrap_or(u64::MAX)
                        }),
                    })
                }
            };
            Ok(TripRow {
                node: NodeId(rows::unsigned(row, "node_id")?),
                name: row.try_get("name")?,
                last,
                next_at: rows::time_opt(row, "next_ms")?,
            })
        })
        .collect()
}

/// The card people should keep; `None` before any modem told its number.
pub async fn card(conn: &mut SqliteConnection) -> Result<Option<Card>, sqlx::Error> {
    let row = sqlx::query("select version, changed_at_ms from card")
        .fetch_optional(&mut *conn)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let numbers: Vec<(String, String)> = sqlx::query_as(
        "select c.number, n.name from card_number c join node n on n.node_id = c.node_id \
         order by c.node_id, c.channel",
    )
    .fetch_all(&mut *conn)
    .await?;
    let spares: Vec<String> =
        sqlx::query_scalar("select number from spare_number order by position")
            .fetch_all(&mut *conn)
            .await?;
    Ok(Some(Card {
        organisation: nodes::organisation(conn).await?,
        version: rows::unsigned(&row, "version")?,
        changed_at: rows::time(&row, "changed_at_ms")?,
        numbers,
        spares,
    }))
}

/// Tests, newest first.
pub async fn tests(conn: &mut SqliteConnection, limit: u32) -> Result<Vec<TestRow>, sqlx::Error> {
    let found = sqlx::query(
        "select number, json_array_length(people) as people, started_by, state, due_ms from wake_test \
         order by number desc limit ?",
    )
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    found
        .iter()
        .map(|row| {
            Ok(TestRow {
                number: rows::unsigned(row, "number")?,
                people: rows::unsigned(row, "people")?,
                started_by: row.try_get("started_by")?,
                state: row.try_get("state")?,
                due_at: rows::time(row, "due_ms")?,
            })
        })
        .collect()
}

/// Every phone of everybody, by key and number, whether or not it was ever tested; `limit` at most after `after`, a key.
pub async fn proofs(
    conn: &mut SqliteConnection,
    after: &str,
    limit: u32,
) -> Result<Vec<ProofRow>, sqlx::Error> {
    let found = sqlx::query(
        "select p.recipient_id, p.key, p.name, m.address, w.asked_at_ms, coalesce(w.answer, '') as answer, \
         w.answered_at_ms, w.proven_at_ms, w.expires_at_ms from person p \
         join contact_method m on m.recipient_id = p.recipient_id and m.kind = 'sms' \
         left join wake_proof w on w.recipient_id = p.recipient_id and w.address = m.address \
         where p.removed_at_ms is null and p.key > ?1 and p.key in (select q.key from person q \
          where q.removed_at_ms is null and q.key > ?1 order by q.key limit ?2) order by p.key, m.position",
    )
    .bind(after)
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    found
        .iter()
        .map(|row| {
            Ok(ProofRow {
                recipient: RecipientId::from_row(row.try_get("recipient_id")?)?,
                key: row.try_get("key")?,
                name: row.try_get("name")?,
                address: row.try_get("address")?,
                asked_at: rows::time_opt(row, "asked_at_ms")?,
                answer: row.try_get("answer")?,
                answered_at: rows::time_opt(row, "answered_at_ms")?,
                proven_at: rows::time_opt(row, "proven_at_ms")?,
                expires_at: rows::time_opt(row, "expires_at_ms")?,
            })
        })
        .collect()
}

/// Whether a modem with a number has no round trips planned.
pub(crate) const UNPLANNED: &str = "exists (select 1 from channel c join node n on n.node_id = c.node_id \
     where n.removed_at_ms is null and c.kind = 'sms' and c.number <> '' \
     and not exists (select 1 from round_trip_plan p where p.node_id = c.node_id))";

/// Whether the modems' numbers are not those on the card.
pub(crate) const CARD_IS_OLD: &str = "(exists (select 1 from channel c join node n on n.node_id = c.node_id \
     where n.removed_at_ms is null and c.kind = 'sms' and c.number <> '' and not exists (select 1 from card_number k \
      where k.node_id = c.node_id and k.channel = c.name and k.number = c.number)) \
     or exists (select 1 from card_number k where not exists (select 1 from channel c join node n \
      on n.node_id = c.node_id where n.removed_at_ms is null and c.node_id = k.node_id and c.name = k.channel)))";

/// What is to be done by `now`.
pub async fn due(
    conn: &mut SqliteConnection,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<Due>, sqlx::Error> {
    let mut due = Vec::new();
    let unplanned: Vec<i64> = sqlx::query_scalar(
        "select distinct c.node_id from channel c join node n on n.node_id = c.node_id \
         where n.removed_at_ms is null and c.kind = 'sms' and c.number <> '' \
         and not exists (select 1 from round_trip_plan p where p.node_id = c.node_id) order by c.node_id limit ?",
    )
    .bind(i64::from(limit))
    .fetch_all(&mut *conn)
    .await?;
    due.extend(unplanned.into_iter().map(|node| Due::Unplanned {
        node: NodeId(node.cast_unsigned()),
    }));
    let trips: Vec<(i64, i64)> = sqlx::query_as(
        "select node_id, due_ms from round_trip_plan where due_ms <= ? order by due_ms, node_id limit ?",
    )
    .bind(now.0)
    .bind(i64::from(limit))
    .fetch_all(&mut *conn)
    .await?;
    due.extend(trips.into_iter().map(|(node, at)| Due::Trip {
        node: NodeId(node.cast_unsigned()),
        at: Timestamp(at),
    }));
    if sqlx::query_scalar::<_, bool>(AssertSqlSafe(format!("select {CARD_IS_OLD}")))
        .fetch_one(&mut *conn)
        .await?
    {
        due.push(Due::Card);
    }
    let tests: Vec<i64> = sqlx::query_scalar(
        "select number from wake_test where state = 'waiting' and due_ms <= ? order by due_ms, number limit ?",
    )
    .bind(now.0)
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    due.extend(tests.into_iter().map(|number| Due::Test {
        number: number.unsigned_abs(),
    }));
    Ok(due)
}

/// When something is to be done next.
pub(crate) const NEXT_DUE: &str = "(select min(at) from (select min(due_ms) as at from round_trip_plan \
     union all select min(due_ms) from wake_test where state = 'waiting'))";
