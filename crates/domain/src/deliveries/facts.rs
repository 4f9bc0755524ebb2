//! What an island tells of deliveries and attempts, and the laws by which it is joined.

use serde::{Deserialize, Serialize};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::State;
use crate::ids::{AlertId, DeliveryId, NodeId, RecipientId};
use crate::rows;
use crate::time::Timestamp;

/// Something owed to somebody, and where it stands.
///
/// Laws: what is owed: the one owed first stands, then the least. Where it stands: whatever got furthest towards the
/// person, see [`Standing`]. Marks: once set, set.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct DeliveryFact {
    pub delivery: DeliveryId,
    /// All zero: about no alert.
    pub alert: AlertId,
    /// All zero: a number nobody here has.
    pub recipient: RecipientId,
    pub purpose: String,
    pub step: u16,
    pub round: u16,
    pub method: u32,
    pub owed: Owed,
    /// The latest one stands: each time it leaves from another number it is given its time anew.
    pub expires_at: Timestamp,
    pub standing: Standing,
    pub possible_repeat: bool,
    pub renumbered: bool,
}

/// What leaves, as it was first owed; nothing changes it later. The least one stands.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct Owed {
    pub created_at: Timestamp,
    /// How long it may wait for a channel, from when it is owed or leaves from another number, milliseconds. A page's;
    /// nothing else moves to another number.
    pub validity_ms: i64,
    pub kind: String,
    pub address: String,
    pub language: String,
    pub lane: i64,
    pub critical: bool,
    pub code: String,
    pub subject: String,
    pub body: String,
    /// The channel a reply should leave from.
    pub prefer: (NodeId, String),
}

/// Where a delivery stands. The greatest one stands: acknowledged, delivered, handed over, sent, failed, assigned,
/// pending, standby, cancelled, expired. So nobody who was reached counts as unreached, nothing that still waits counts
/// as given up, and what is not wanted any more is cancelled anew once the alert's end or the answer is joined.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct Standing {
    /// [`State::reach`].
    pub reach: u8,
    pub ended_at: Option<Timestamp>,
    pub due_at: Timestamp,
    pub wanted_since: Timestamp,
    pub reason: String,
}

/// One try. Only the node it was given to knows how it ended.
///
/// Law: the greatest one stands whole: ended beats assigned, accepted beats unknown beats refused, then the network's
/// later word.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct AttemptFact {
    pub delivery: DeliveryId,
    pub attempt: u32,
    pub end: AttemptEnd,
    pub node: NodeId,
    pub channel: String,
    pub number: String,
    pub assigned_at: Timestamp,
}

/// How a try stands. The greatest one stands.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct AttemptEnd {
    /// Place of the state in `assigned, withdrawn, reclaimed, refused, unknown, accepted`.
    pub state: u8,
    /// Place of the network's word in `(none), delayed, failed, delivered`.
    pub report: u8,
    pub reported_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    pub detail: String,
    pub parts: u16,
    pub text_hash: Vec<u8>,
    pub wall_ms: i64,
}

/// Words of attempts' states in the order of [`AttemptEnd::state`].
pub(super) const ATTEMPT_STATES: [&str; 6] = [
    "assigned",
    "withdrawn",
    "reclaimed",
    "refused",
    "unknown",
    "accepted",
];

/// Words of reports in the order of [`AttemptEnd::report`].
pub(super) const REPORTS: [&str; 4] = ["", "delayed", "failed", "delivered"];

impl DeliveryFact {
    /// The law: each register by itself.
    pub fn join(self, other: Self) -> Self {
        Self {
            owed: self.owed.min(other.owed),
            expires_at: self.expires_at.max(other.expires_at),
            standing: self.standing.max(other.standing),
            possible_repeat: self.possible_repeat || other.possible_repeat,
            renumbered: self.renumbered || other.renumbered,
            ..self
        }
    }
}

impl AttemptFact {
    /// The law: the greater one, whole.
    pub fn join(self, other: Self) -> Self {
        if other.key() > self.key() {
            other
        } else {
            self
        }
    }

    fn key(&self) -> (&AttemptEnd, NodeId, &str, &str, Timestamp) {
        (
            &self.end,
            self.node,
            &self.channel,
            &self.number,
            self.assigned_at,
        )
    }
}

/// Notes what is newly owed, where deliveries got to, and every change of an attempt. What an answer or an alert's end
/// withdraws, and what time ends, follows from those and is not noted.
pub(crate) const WATCH: &[&str] = &[
    "create temp trigger if not exists watch_delivery_new after insert on main.delivery begin \
     insert into changed_row values ('delivery', new.delivery_id, 0); end",
    "create temp trigger if not exists watch_delivery after update on main.delivery \
     when new.state not in ('cancelled', 'expired') and (new.state <> old.state or new.due_at_ms <> old.due_at_ms \
      or new.possible_repeat <> old.possible_repeat or new.renumbered <> old.renumbered) \
     begin insert into changed_row values ('delivery', new.delivery_id, 0); end",
    "create temp trigger if not exists watch_attempt_new after insert on main.attempt begin \
     insert into changed_row values ('attempt', new.delivery_id, new.attempt); end",
    "create temp trigger if not exists watch_attempt after update on main.attempt begin \
     insert into changed_row values ('attempt', new.delivery_id, new.attempt); end",
];

/// Deliveries changed since the notes were cleared.
pub(crate) async fn changed(conn: &mut SqliteConnection) -> Result<Vec<DeliveryFact>, sqlx::Error> {
    let found = sqlx::query(
        "select d.* from (select distinct a, b from changed_row where kind = 'delivery') r join delivery d on d.delivery_id = r.a \
         order by d.delivery_id",
    )
    .fetch_all(conn)
    .await?;
    found.iter().map(delivery_fact).collect()
}

/// Attempts changed since the notes were cleared.
pub(crate) async fn changed_attempts(
    conn: &mut SqliteConnection,
) -> Result<Vec<AttemptFact>, sqlx::Error> {
    let found = sqlx::query(
        "select a.* from (select distinct a, b from changed_row where kind = 'attempt') r join attempt a on a.delivery_id = r.a and a.attempt = r.b order by a.delivery_id, a.attempt",
    )
    .fetch_all(conn)
    .await?;
    found.iter().map(attempt_fact).collect()
}

/// Reads a whole row of `delivery`.
pub(super) fn delivery_fact(row: &SqliteRow) -> Result<DeliveryFact, sqlx::Error> {
    Ok(DeliveryFact {
        delivery: DeliveryId::from_row(row.try_get("delivery_id")?)?,
        alert: AlertId::from_row(row.try_get("alert_id")?)?,
        recipient: RecipientId::from_row(row.try_get("recipient_id")?)?,
        purpose: row.try_get("purpose")?,
        step: rows::unsigned(row, "step")?,
        round: rows::unsigned(row, "round")?,
        method: rows::unsigned(row, "method")?,
        owed: Owed {
            created_at: rows::time(row, "created_at_ms")?,
            validity_ms: row.try_get("validity_ms")?,
            kind: row.try_get("kind")?,
            address: row.try_get("address")?,
            language: row.try_get("language")?,
            lane: row.try_get("lane")?,
            critical: row.try_get("critical")?,
            code: row.try_get("code")?,
            subject: row.try_get("subject")?,
            body: row.try_get("body")?,
            prefer: (
                NodeId(rows::unsigned(row, "prefer_node")?),
                row.try_get("prefer_channel")?,
            ),
        },
        expires_at: rows::time(row, "expires_at_ms")?,
        standing: Standing {
            reach: State::parse(row.try_get("state")?).reach(),
            ended_at: rows::time_opt(row, "ended_at_ms")?,
            due_at: rows::time(row, "due_at_ms")?,
            wanted_since: rows::time(row, "wanted_since_ms")?,
            reason: row.try_get("reason")?,
        },
        possible_repeat: row.try_get("possible_repeat")?,
        renumbered: row.try_get("renumbered")?,
    })
}

/// Reads a whole row of `attempt`.
pub(super) fn attempt_fact(row: &SqliteRow) -> Result<AttemptFact, sqlx::Error> {
    Ok(AttemptFact {
        delivery: DeliveryId::from_row(row.try_get("delivery_id")?)?,
        attempt: rows::unsigned(row, "attempt")?,
        end: AttemptEnd {
            state: place(&ATTEMPT_STATES, row.try_get("state")?),
            report: place(&REPORTS, row.try_get("report")?),
            reported_at: rows::time_opt(row, "reported_at_ms")?,
            ended_at: rows::time_opt(row, "ended_at_ms")?,
            detail: row.try_get("detail")?,
            parts: rows::unsigned(row, "parts")?,
            text_hash: row.try_get("text_hash")?,
            wall_ms: row.try_get("wall_ms")?,
        },
        node: NodeId(rows::unsigned(row, "node_id")?),
        channel: row.try_get("channel")?,
        number: row.try_get("number")?,
        assigned_at: rows::time(row, "assigned_at_ms")?,
    })
}

/// Place of a word in its list; an unknown one, of a newer version, counts as the first.
fn place(words: &[&str], word: &str) -> u8 {
    let place = words.iter().position(|known| *known == word).unwrap_or(0);
    u8::try_from(place).unwrap_or(0)
}
