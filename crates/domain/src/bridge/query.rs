//! Who follows a room from outside, how far they were told, and when more is due.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};

use super::Follower;
use super::rules::{self, Held, Standing, WINDOW};
use crate::alerts;
use crate::conversations::{self, Follow};
use crate::deliveries;
use crate::ids::{AlertId, DeliveryId, RecipientId, RoomId};
use crate::rows;
use crate::time::Timestamp;

/// Followers to be looked at now, at most `limit`: something new was said, their time has come, they began to follow, or
/// their room is over.
pub async fn due(
    conn: &mut SqliteConnection,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<Follower>, sqlx::Error> {
    let found = sqlx::query(
        "select m.room_id, m.recipient_id from room_member m \
         left join room_follower f on f.room_id = m.room_id and f.recipient_id = m.recipient_id \
         left join alert a on a.alert_id = m.room_id \
         where m.member and m.follow <> 'app' and m.follow in ('sms', 'email') \
          and (f.since_ms is null or f.since_ms <> m.at_ms or f.due_at_ms <= ?1 \
          or f.seen < (select max(e.sequence) from message e where e.room_id = m.room_id) or a.closed_at_ms <= ?2) \
         order by coalesce(f.due_at_ms, ?1), m.room_id, m.recipient_id limit ?3",
    )
    .bind(now.0)
    .bind(rules::over_since(now).0)
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    found
        .iter()
        .map(|row| {
            Ok(Follower {
                room: RoomId::from_row(row.try_get("room_id")?)?,
                person: RecipientId::from_row(row.try_get("recipient_id")?)?,
            })
        })
        .collect()
}

/// When a room's followers outside of the app are told next.
pub(crate) const NEXT_DUE: &str = "(select min(f.due_at_ms) from room_member m \
     join room_follower f on f.room_id = m.room_id and f.recipient_id = m.recipient_id \
     where m.member and m.follow <> 'app' and m.follow in ('sms', 'email'))";

/// Whether anybody follows a room from outside of the app: then it has to be looked who.
pub(crate) const FOLLOWED: &str = "exists (select 1 from room_member m \
     where m.member and m.follow <> 'app' and m.follow in ('sms', 'email'))";

/// Somebody who follows a room from outside.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FollowerRow {
    pub person: RecipientId,
    pub by: Follow,
    pub since: Timestamp,
    /// Messages of others that wait to be told.
    pub waiting: u64,
    /// When they are told; `None`: nothing waits.
    pub due: Option<Timestamp>,
    pub held: Held,
    /// Digests that left to them about this room.
    pub digests: u64,
    /// Messages that those digests only counted.
    pub left_out: u64,
    /// Digests that did not reach them: refused, or too old when a channel was free.
    pub failed: u64,
}

/// Who follows a room from outside, in order of id.
pub async fn followers(
    conn: &mut SqliteConnection,
    room: RoomId,
) -> Result<Vec<FollowerRow>, sqlx::Error> {
    let found = sqlx::query(
        "select m.recipient_id, m.follow, m.at_ms, f.due_at_ms, coalesce(f.waiting, 0) as waiting, \
         coalesce(f.held, '') as held, count(g.delivery_id) as digests, coalesce(sum(g.left_out), 0) as left_out, \
         coalesce(sum(d.state in ('failed', 'expired', 'cancelled')), 0) as failed from room_member m \
         left join room_follower f on f.room_id = m.room_id and f.recipient_id = m.recipient_id \
         left join room_digest g on g.room_id = m.room_id and g.recipient_id = m.recipient_id \
         left join delivery d on d.delivery_id = g.delivery_id \
         where m.room_id = ? and m.member and m.follow in ('sms', 'email') group by m.recipient_id order by m.recipient_id",
    )
    .bind(room.as_bytes())
    .fetch_all(conn)
    .await?;
    found
        .iter()
        .map(|row| {
            Ok(FollowerRow {
                person: RecipientId::from_row(row.try_get("recipient_id")?)?,
                by: Follow::parse(row.try_get("follow")?).unwrap_or(Follow::App),
                since: rows::time(row, "at_ms")?,
                waiting: rows::unsigned(row, "waiting")?,
                due: rows::time_opt(row, "due_at_ms")?,
                held: Held::parse(row.try_get("held")?),
                digests: rows::unsigned(row, "digests")?,
                left_out: rows::unsigned(row, "left_out")?,
                failed: rows::unsigned(row, "failed")?,
            })
        })
        .collect()
}

/// Digests that a room sent within the last hour.
pub async fn spent(
    conn: &mut SqliteConnection,
    room: RoomId,
    now: Timestamp,
) -> Result<u32, sqlx::Error> {
    let found: i64 =
        sqlx::query_scalar("select count(*) from room_digest where room_id = ? and at_ms > ?")
            .bind(room.as_bytes())
            .bind((now - WINDOW).0)
            .fetch_one(conn)
            .await?;
    Ok(u32::try_from(found).unwrap_or(u32::MAX))
}

/// A room that somebody follows from outside.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Followed {
    pub(crate) room: RoomId,
    pub(crate) alert: Option<AlertId>,
    /// What people call it: the number of its alert, or its key.
    pub(crate) name: String,
}

/// The rooms that somebody follows from outside and that are not over.
pub(crate) async fn followed(
    conn: &mut SqliteConnection,
    now: Timestamp,
    person: RecipientId,
) -> Result<Vec<Followed>, sqlx::Error> {
    let mut all = Vec::new();
    for (room, _) in conversations::followed(conn, person).await? {
        let alert = alerts::find(conn, AlertId(room.0)).await?;
        if rules::ends(alert.as_ref()).is_some_and(|ends| ends <= now) {
            continue;
        }
        let name = match &alert {
            Some(alert) => alert.label.clone(),
            None => match conversations::room(conn, room).await? {
                Some(row) if !row.closed => row.key,
                Some(_) | None => continue,
            },
        };
        all.push(Followed {
            room,
            alert: alert.map(|alert| alert.id),
            name,
        });
    }
    Ok(all)
}

/// Which room a digest was about, and whom it told. One that was forgotten, or that an island sent, is still known to be
/// about its alert's room: what answers it is words for that room and never an answer to the alert.
pub(crate) async fn digest(
    conn: &mut SqliteConnection,
    delivery: DeliveryId,
) -> Result<Option<(RoomId, RecipientId)>, sqlx::Error> {
    let found: Option<SqliteRow> =
        sqlx::query("select room_id, recipient_id from room_digest where delivery_id = ?")
            .bind(delivery.as_bytes())
            .fetch_optional(&mut *conn)
            .await?;
    let Some(row) = found else {
        let of_alert = deliveries::digest_of_alert(conn, delivery).await?;
        return Ok(of_alert.map(|(alert, person)| (RoomId::of_alert(alert), person)));
    };
    Ok(Some((
        RoomId::from_row(row.try_get("room_id")?)?,
        RecipientId::from_row(row.try_get("recipient_id")?)?,
    )))
}

/// How far a follower was told; `None` of one who was not looked at yet.
pub(super) async fn standing(
    conn: &mut SqliteConnection,
    who: &Follower,
) -> Result<Option<Standing>, sqlx::Error> {
    let found = sqlx::query("select * from room_follower where room_id = ? and recipient_id = ?")
        .bind(who.room.as_bytes())
        .bind(who.person.as_bytes())
        .fetch_optional(conn)
        .await?;
    found
        .map(|row| {
            Ok(Standing {
                since: rows::time(&row, "since_ms")?,
                told: rows::unsigned(&row, "told")?,
                seen: rows::unsigned(&row, "seen")?,
                waiting: rows::unsigned(&row, "waiting")?,
                due: rows::time_opt(&row, "due_at_ms")?,
                held: Held::parse(row.try_get("held")?),
            })
        })
        .transpose()
}

/// The last message that was there when somebody began to follow.
pub(super) async fn last_before(
    conn: &mut SqliteConnection,
    room: RoomId,
    since: Timestamp,
) -> Result<u64, sqlx::Error> {
    let found: Option<i64> =
        sqlx::query_scalar("select max(sequence) from message where room_id = ? and at_ms <= ?")
            .bind(room.as_bytes())
            .bind(since.0)
            .fetch_one(conn)
            .await?;
    Ok(found.map_or(0, i64::unsigned_abs))
}

/// When digests left within the last hour: to a person, and from a room; oldest first.
pub(super) async fn lately(
    conn: &mut SqliteConnection,
    who: &Follower,
    now: Timestamp,
) -> Result<(Vec<Timestamp>, Vec<Timestamp>), sqlx::Error> {
    let person: Vec<i64> = sqlx::query_scalar(
        "select at_ms from room_digest where recipient_id = ? and at_ms > ? order by at_ms",
    )
    .bind(who.person.as_bytes())
    .bind((now - WINDOW).0)
    .fetch_all(&mut *conn)
    .await?;
    let room: Vec<i64> = sqlx::query_scalar(
        "select at_ms from room_digest where room_id = ? and at_ms > ? order by at_ms",
    )
    .bind(who.room.as_bytes())
    .bind((now - WINDOW).0)
    .fetch_all(conn)
    .await?;
    let times = |found: Vec<i64>| found.into_iter().map(Timestamp).collect();
    Ok((times(person), times(room)))
}
