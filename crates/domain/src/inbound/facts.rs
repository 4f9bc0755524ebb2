//! What an island tells of texts that came in, and the law by which it is joined.

use serde::{Deserialize, Serialize};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::ELSEWHERE;
use crate::facts::Joined;
use crate::ids::{AlertId, NodeId, RecipientId};
use crate::rows;
use crate::time::Timestamp;

/// A text an island received, and what it was taken for.
///
/// Laws: the text: the least one stands (a modem reads one text once, so there is one). What it was taken for: whoever
/// understood it beats whoever did not know its code, then the greatest.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct InboundFact {
    pub key: [u8; 16],
    pub text: ReceivedText,
    pub taken: TakenAs,
}

/// The text as it came. The least one stands.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct ReceivedText {
    pub received_at: Timestamp,
    pub node: NodeId,
    pub channel: String,
    pub sender: String,
    pub text: String,
    pub sent_at_ms: Option<i64>,
    pub wall_ms: i64,
    pub damaged: bool,
}

/// What became of it. The greatest one stands.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct TakenAs {
    /// False while nobody who knows its code has seen it.
    pub understood: bool,
    pub taken: String,
    pub recipient: Option<RecipientId>,
    pub alert: Option<AlertId>,
    pub replied: bool,
}

impl InboundFact {
    /// The law: each register by itself.
    pub fn join(self, other: Self) -> Self {
        Self {
            key: self.key,
            text: self.text.min(other.text),
            taken: self.taken.max(other.taken),
        }
    }
}

/// Notes texts received, and those understood later.
pub(crate) const WATCH: &[&str] = &[
    "create temp trigger if not exists watch_inbound_new after insert on main.inbound_text begin \
     insert into changed_row values ('inbound', new.inbound_key, 0); end",
    "create temp trigger if not exists watch_inbound after update on main.inbound_text begin \
     insert into changed_row values ('inbound', new.inbound_key, 0); end",
];

/// Texts received since the notes were cleared.
pub(crate) async fn changed(conn: &mut SqliteConnection) -> Result<Vec<InboundFact>, sqlx::Error> {
    let found = sqlx::query(
        "select t.* from (select distinct a, b from changed_row where kind = 'inbound') r join inbound_text t on t.inbound_key = r.a \
         order by t.received_at_ms, t.inbound_key",
    )
    .fetch_all(conn)
    .await?;
    found.iter().map(inbound_fact).collect()
}

/// Joins one text.
pub(crate) async fn merge(
    conn: &mut SqliteConnection,
    fact: &InboundFact,
) -> Result<Joined, sqlx::Error> {
    let row = sqlx::query("select * from inbound_text where inbound_key = ?")
        .bind(fact.key.as_slice())
        .fetch_optional(&mut *conn)
        .await?;
    let ours = row.as_ref().map(inbound_fact).transpose()?;
    let joined = match ours.clone() {
        Some(ours) => ours.join(fact.clone()),
        None => fact.clone(),
    };
    let came = Joined::of(ours.as_ref(), &joined);
    if came.moved() {
        write(conn, &joined).await?;
    }
    Ok(came)
}

async fn write(conn: &mut SqliteConnection, fact: &InboundFact) -> Result<(), sqlx::Error> {
    let (text, taken) = (&fact.text, &fact.taken);
    sqlx::query(
        "insert into inbound_text (inbound_key, node_id, channel, sender, text, sent_at_ms, received_at_ms, wall_ms, \
         recipient_id, alert_id, taken, replied, damaged) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
         on conflict (inbound_key) do update set node_id = excluded.node_id, channel = excluded.channel, \
         sender = excluded.sender, text = excluded.text, sent_at_ms = excluded.sent_at_ms, \
         received_at_ms = excluded.received_at_ms, wall_ms = excluded.wall_ms, recipient_id = excluded.recipient_id, \
         alert_id = excluded.alert_id, taken = excluded.taken, replied = excluded.replied, damaged = excluded.damaged",
    )
    .bind(fact.key.as_slice())
    .bind(text.node.0.cast_signed())
    .bind(&text.channel)
    .bind(&text.sender)
    .bind(&text.text)
    .bind(text.sent_at_ms)
    .bind(text.received_at.0)
    .bind(text.wall_ms)
    .bind(taken.recipient.map(|id| id.0.to_vec()))
    .bind(taken.alert.map(|id| id.0.to_vec()))
    .bind(&taken.taken)
    .bind(taken.replied)
    .bind(text.damaged)
    .execute(conn)
    .await?;
    Ok(())
}

fn inbound_fact(row: &SqliteRow) -> Result<InboundFact, sqlx::Error> {
    let key: &[u8] = row.try_get("inbound_key")?;
    let recipient: Option<&[u8]> = row.try_get("recipient_id")?;
    let alert: Option<&[u8]> = row.try_get("alert_id")?;
    let taken: String = row.try_get("taken")?;
    Ok(InboundFact {
        key: key
            .try_into()
            .map_err(|e: std::array::TryFromSliceError| sqlx::Error::Decode(e.into()))?,
        text: ReceivedText {
            received_at: rows::time(row, "received_at_ms")?,
            node: NodeId(rows::unsigned(row, "node_id")?),
            channel: row.try_get("channel")?,
            sender: row.try_get("sender")?,
            text: row.try_get("text")?,
            sent_at_ms: row.try_get("sent_at_ms")?,
            wall_ms: row.try_get("wall_ms")?,
            damaged: row.try_get("damaged")?,
        },
        taken: TakenAs {
            understood: taken != ELSEWHERE,
            taken,
            recipient: recipient.map(RecipientId::from_row).transpose()?,
            alert: alert.map(AlertId::from_row).transpose()?,
            replied: row.try_get("replied")?,
        },
    })
}
