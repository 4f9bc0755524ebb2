//! Reads of texts that came in.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::{ELSEWHERE, Receive, Taken};
use crate::ids::{AlertId, NodeId, RecipientId};
use crate::rows;
use crate::time::Timestamp;

/// A text as kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InboundRow {
    /// Names the text for ever.
    pub key: [u8; 16],
    pub node: NodeId,
    pub channel: String,
    /// In E.164 where it is a phone number, else as the network gave it.
    pub sender: String,
    pub text: String,
    pub received_at: Timestamp,
    /// Whom it spoke for, if that is known.
    pub recipient: Option<RecipientId>,
    /// The alert it was about.
    pub alert: Option<AlertId>,
    /// `None` in rows of a newer version.
    pub taken: Option<Taken>,
    /// Whether a reply was queued.
    pub replied: bool,
    pub damaged: bool,
}

/// What a number sent since `since`, newest first, at most `limit`.
pub async fn of_sender(
    conn: &mut SqliteConnection,
    sender: &str,
    since: Timestamp,
    limit: u32,
) -> Result<Vec<InboundRow>, sqlx::Error> {
    let found = sqlx::query(
        "select inbound_key, node_id, channel, sender, text, received_at_ms, recipient_id, alert_id, taken, replied, damaged \
         from inbound_text where sender = ? and received_at_ms >= ? order by received_at_ms desc, inbound_key limit ?",
    )
    .bind(sender)
    .bind(since.0)
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    found.iter().map(inbound_row).collect()
}

/// What came from anybody since `since`, newest first, at most `limit`.
pub async fn latest(
    conn: &mut SqliteConnection,
    since: Timestamp,
    limit: u32,
) -> Result<Vec<InboundRow>, sqlx::Error> {
    let found = sqlx::query(
        "select inbound_key, node_id, channel, sender, text, received_at_ms, recipient_id, alert_id, taken, replied, damaged \
         from inbound_text where received_at_ms >= ? order by received_at_ms desc, inbound_key limit ?",
    )
    .bind(since.0)
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    found.iter().map(inbound_row).collect()
}

/// What became of a text.
#[derive(Clone, Debug)]
pub(crate) struct Fate {
    /// As the rows say it.
    pub(crate) taken: String,
    pub(crate) recipient: Option<RecipientId>,
    pub(crate) alert: Option<AlertId>,
    /// It counted for somebody, and named the code that only their own number was sent.
    pub(crate) by_code: bool,
}

/// What the text with this key was taken for.
pub(crate) async fn fate(
    conn: &mut SqliteConnection,
    key: &[u8; 16],
) -> Result<Option<Fate>, sqlx::Error> {
    let row = sqlx::query(
        "select t.taken, t.recipient_id, t.alert_id, t.taken in ('second_person', 'order_done') \
         or exists (select 1 from called_person c where c.alert_id = t.alert_id and c.recipient_id = t.recipient_id \
         and c.code <> '' and instr(t.text, c.code) > 0) \
         or exists (select 1 from call_code x where x.alert_id = t.alert_id and x.recipient_id = t.recipient_id \
         and instr(t.text, x.code) > 0) as by_code from inbound_text t where t.inbound_key = ?",
    )
    .bind(key.as_slice())
    .fetch_optional(conn)
    .await?;
    row.map(|row| {
        let recipient: Option<&[u8]> = row.try_get("recipient_id")?;
        let alert: Option<&[u8]> = row.try_get("alert_id")?;
        Ok(Fate {
            taken: row.try_get("taken")?,
            recipient: recipient.map(RecipientId::from_row).transpose()?,
            alert: alert.map(AlertId::from_row).transpose()?,
            by_code: row.try_get("by_code")?,
        })
    })
    .transpose()
}

/// Whether the text with this key is kept already.
pub(super) async fn is_kept(
    conn: &mut SqliteConnection,
    key: [u8; 16],
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select exists (select 1 from inbound_text where inbound_key = ?)")
        .bind(key.as_slice())
        .fetch_one(conn)
        .await
}

/// A text kept because its code is not known, with when it came; nothing once it is understood.
pub(super) async fn kept_for_elsewhere(
    conn: &mut SqliteConnection,
    key: [u8; 16],
) -> Result<Option<(Receive, Timestamp)>, sqlx::Error> {
    let row = sqlx::query(
        "select node_id, channel, sender, text, sent_at_ms, received_at_ms, wall_ms, damaged from inbound_text \
         where inbound_key = ? and taken = ?",
    )
    .bind(key.as_slice())
    .bind(ELSEWHERE)
    .fetch_optional(conn)
    .await?;
    row.map(|row| {
        let text = Receive {
            key,
            node: NodeId(rows::unsigned(&row, "node_id")?),
            channel: row.try_get("channel")?,
            from: row.try_get("sender")?,
            text: row.try_get("text")?,
            sent_at_ms: row.try_get("sent_at_ms")?,
            wall_ms: row.try_get("wall_ms")?,
            whole: true,
            damaged: row.try_get("damaged")?,
            call: false,
        };
        Ok((text, rows::time(&row, "received_at_ms")?))
    })
    .transpose()
}

/// Whether any text came with a code that only others know.
pub(crate) const ANY_ELSEWHERE: &str =
    "exists (select 1 from inbound_text where taken = 'code_elsewhere')";

/// Texts kept since `since` because their code was not known where they came, oldest first, at most `limit`.
pub(super) async fn elsewhere(
    conn: &mut SqliteConnection,
    since: Timestamp,
    limit: u32,
) -> Result<Vec<([u8; 16], String, String)>, sqlx::Error> {
    let found = sqlx::query(
        "select inbound_key, sender, text from inbound_text where taken = 'code_elsewhere' and received_at_ms >= ? \
         order by received_at_ms, inbound_key limit ?",
    )
    .bind(since.0)
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    found
        .iter()
        .map(|row| {
            let key: &[u8] = row.try_get("inbound_key")?;
            let key = key
                .try_into()
                .map_err(|e: std::array::TryFromSliceError| sqlx::Error::Decode(e.into()))?;
            Ok((key, row.try_get("sender")?, row.try_get("text")?))
        })
        .collect()
}

/// Whether a number was sent any reply since `since`.
pub(super) async fn was_replied(
    conn: &mut SqliteConnection,
    sender: &str,
    since: Timestamp,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "select exists (select 1 from inbound_text where sender = ? and received_at_ms >= ? and replied = 1)",
    )
    .bind(sender)
    .bind(since.0)
    .fetch_one(conn)
    .await
}

/// Whether a number was already asked for the code of this alert.
pub(super) async fn was_asked_back(
    conn: &mut SqliteConnection,
    sender: &str,
    alert: AlertId,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "select exists (select 1 from inbound_text where sender = ? and alert_id = ? and taken = 'asked_back' and replied = 1)",
    )
    .bind(sender)
    .bind(alert.as_bytes())
    .fetch_one(conn)
    .await
}

fn inbound_row(row: &SqliteRow) -> Result<InboundRow, sqlx::Error> {
    let key: &[u8] = row.try_get("inbound_key")?;
    let recipient: Option<&[u8]> = row.try_get("recipient_id")?;
    let alert: Option<&[u8]> = row.try_get("alert_id")?;
    Ok(InboundRow {
        key: key
            .try_into()
            .map_err(|e: std::array::TryFromSliceError| sqlx::Error::Decode(e.into()))?,
        node: NodeId(rows::unsigned(row, "node_id")?),
        channel: row.try_get("channel")?,
        sender: row.try_get("sender")?,
        text: row.try_get("text")?,
        received_at: rows::time(row, "received_at_ms")?,
        recipient: recipient.map(RecipientId::from_row).transpose()?,
        alert: alert.map(AlertId::from_row).transpose()?,
        taken: Taken::parse(row.try_get("taken")?),
        replied: row.try_get("replied")?,
        damaged: row.try_get("damaged")?,
    })
}
