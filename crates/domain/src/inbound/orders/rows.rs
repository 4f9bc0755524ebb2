//! Orders that wait for their code, and what became of them: reads and writes of `text_order`.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use crate::alerts::Raise;
use crate::codec;
use crate::ids::{AlertId, RecipientId};
use crate::rows;
use crate::time::Timestamp;

/// How long a code for an order is good.
pub(super) const ORDER_GOOD: Duration = Duration::from_secs(10 * 60);

/// Wrong codes after which an order is void.
pub(super) const TRIES_MAX: u16 = 3;

/// Orders of one number that wait at the same time; the oldest gives way.
const WAITING_MAX: i64 = 3;

/// How long orders are remembered.
const KEPT: Duration = Duration::from_secs(48 * 3_600);

/// Where an order stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OrderState {
    /// For its code.
    Waiting,
    Done,
    /// Its sender said no, or a newer one took its place.
    Dropped,
    /// Too many wrong codes, or a rule said no when it was to be done.
    Void,
}

impl OrderState {
    const ALL: [Self; 4] = [Self::Waiting, Self::Done, Self::Dropped, Self::Void];

    /// The word in rows and lists.
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Done => "done",
            Self::Dropped => "dropped",
            Self::Void => "void",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// What an order does once its code comes back. Frozen as it was shown.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub(super) enum Act {
    Raise(Box<Raise>),
    CallOff {
        alert: AlertId,
        reason: String,
    },
    Take {
        alert: AlertId,
    },
    Tell {
        alert: AlertId,
        text: String,
    },
    Add {
        alert: AlertId,
        people: Vec<RecipientId>,
        whom: String,
    },
    /// Without a source: everything automatic.
    Mute {
        source: Option<String>,
        minutes: u32,
    },
}

/// An order as stored.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OrderRow {
    pub sender: String,
    /// Who ordered.
    pub recipient: RecipientId,
    /// `start`, `call_off`, …
    pub verb: String,
    /// The text.
    pub asked: String,
    /// What it is about, or what it made.
    pub alert: Option<AlertId>,
    pub state: OrderState,
    pub asked_at: Timestamp,
    pub expires_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub(super) code: String,
    pub(super) act: Vec<u8>,
    pub(super) tries: u16,
}

impl OrderRow {
    /// The code it waits for at a moment.
    pub(in crate::inbound) fn waits_for(self, at: Timestamp) -> Option<String> {
        (self.state == OrderState::Waiting && self.expires_at > at).then_some(self.code)
    }
}

/// An order to keep until its code comes back.
pub(super) struct NewOrder<'a> {
    pub(super) sender: &'a str,
    pub(super) code: &'a str,
    pub(super) recipient: RecipientId,
    pub(super) verb: &'a str,
    pub(super) asked: &'a str,
    pub(super) act: &'a Act,
    pub(super) alert: Option<AlertId>,
    pub(super) at: Timestamp,
}

/// What an order does; `None` when a newer version wrote it.
pub(super) fn act(row: &OrderRow) -> Option<Act> {
    codec::decode(&row.act).ok()
}

/// Orders since `since`, newest first, at most `limit`.
pub async fn orders(
    conn: &mut SqliteConnection,
    since: Timestamp,
    limit: u32,
) -> Result<Vec<OrderRow>, sqlx::Error> {
    let found = sqlx::query(
        "select * from text_order where asked_at_ms >= ? order by asked_at_ms desc, sender, code limit ?",
    )
    .bind(since.0)
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    found
        .iter()
        .filter_map(|row| order_row(row).transpose())
        .collect()
}

/// How many orders wait for their code at `now`.
pub async fn waiting(conn: &mut SqliteConnection, now: Timestamp) -> Result<u64, sqlx::Error> {
    let count: i64 = sqlx::query_scalar(
        "select count(*) from text_order where state = 'waiting' and expires_at_ms > ?",
    )
    .bind(now.0)
    .fetch_one(conn)
    .await?;
    Ok(count.cast_unsigned())
}

/// What a number ordered lately, newest first.
pub(in crate::inbound) async fn of_number(
    conn: &mut SqliteConnection,
    sender: &str,
) -> Result<Vec<OrderRow>, sqlx::Error> {
    let found =
        sqlx::query("select * from text_order where sender = ? order by asked_at_ms desc, code")
            .bind(sender)
            .fetch_all(conn)
            .await?;
    found
        .iter()
        .filter_map(|row| order_row(row).transpose())
        .collect()
}

/// Keeps an order, forgets old ones and lets the oldest that waits give way when there are too many.
pub(super) async fn insert(
    conn: &mut SqliteConnection,
    new: &NewOrder<'_>,
) -> Result<(), sqlx::Error> {
    let act = codec::encode(new.act).map_err(|e| sqlx::Error::Encode(e.into()))?;
    sqlx::query("delete from text_order where asked_at_ms < ?")
        .bind((new.at - KEPT).0)
        .execute(&mut *conn)
        .await?;
    sqlx::query(
        "update text_order set state = 'dropped', ended_at_ms = ?1 where sender = ?2 and state = 'waiting' and code not in \
         (select code from text_order where sender = ?2 and state = 'waiting' order by asked_at_ms desc, code limit ?3)",
    )
    .bind(new.at.0)
    .bind(new.sender)
    .bind(WAITING_MAX - 1)
    .execute(&mut *conn)
    .await?;
    sqlx::query(
        "insert into text_order (sender, code, recipient_id, verb, asked, deed, alert_id, state, tries, asked_at_ms, \
         expires_at_ms, ended_at_ms) values (?, ?, ?, ?, ?, ?, ?, 'waiting', 0, ?, ?, null)",
    )
    .bind(new.sender)
    .bind(new.code)
    .bind(new.recipient.as_bytes())
    .bind(new.verb)
    .bind(new.asked)
    .bind(act)
    .bind(new.alert.map(|alert| alert.0.to_vec()))
    .bind(new.at.0)
    .bind((new.at + ORDER_GOOD).0)
    .execute(conn)
    .await?;
    Ok(())
}

/// An order does not wait any more.
pub(super) async fn end(
    conn: &mut SqliteConnection,
    row: &OrderRow,
    state: OrderState,
    alert: Option<AlertId>,
    at: Timestamp,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update text_order set state = ?, ended_at_ms = ?, alert_id = coalesce(?, alert_id) where sender = ? and code = ?",
    )
    .bind(state.name())
    .bind(at.0)
    .bind(alert.map(|alert| alert.0.to_vec()))
    .bind(&row.sender)
    .bind(&row.code)
    .execute(conn)
    .await?;
    Ok(())
}

/// Counts a wrong code against everything of this number that waits. Returns the tries left for what has the most.
pub(super) async fn count_wrong(
    conn: &mut SqliteConnection,
    sender: &str,
    at: Timestamp,
) -> Result<u16, sqlx::Error> {
    sqlx::query(
        "update text_order set tries = tries + 1, state = case when tries + 1 >= ?1 then 'void' else state end, \
         ended_at_ms = case when tries + 1 >= ?1 then ?2 else ended_at_ms end \
         where sender = ?3 and state = 'waiting' and expires_at_ms > ?2",
    )
    .bind(i64::from(TRIES_MAX))
    .bind(at.0)
    .bind(sender)
    .execute(&mut *conn)
    .await?;
    let tries: Option<i64> = sqlx::query_scalar(
        "select min(tries) from text_order where sender = ? and state = 'waiting' and expires_at_ms > ?",
    )
    .bind(sender)
    .bind(at.0)
    .fetch_one(conn)
    .await?;
    let tries = tries.map_or(TRIES_MAX, |tries| u16::try_from(tries).unwrap_or(TRIES_MAX));
    Ok(TRIES_MAX.saturating_sub(tries))
}

/// `None`: in a state of a newer version.
fn order_row(row: &SqliteRow) -> Result<Option<OrderRow>, sqlx::Error> {
    let Some(state) = OrderState::parse(row.try_get("state")?) else {
        return Ok(None);
    };
    let alert: Option<&[u8]> = row.try_get("alert_id")?;
    Ok(Some(OrderRow {
        sender: row.try_get("sender")?,
        recipient: RecipientId::from_row(row.try_get("recipient_id")?)?,
        verb: row.try_get("verb")?,
        asked: row.try_get("asked")?,
        alert: alert.map(AlertId::from_row).transpose()?,
        state,
        asked_at: rows::time(row, "asked_at_ms")?,
        expires_at: rows::time(row, "expires_at_ms")?,
        ended_at: rows::time_opt(row, "ended_at_ms")?,
        code: row.try_get("code")?,
        act: row.try_get("deed")?,
        tries: rows::unsigned(row, "tries")?,
    }))
}
