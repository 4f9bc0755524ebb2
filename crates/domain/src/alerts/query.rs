//! Reads of alerts.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::{Severity, State, Status};
use crate::ids::{AlertId, NodeId};
use crate::rows;
use crate::time::Timestamp;

/// An alert as stored.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AlertRow {
    pub id: AlertId,
    /// The number people say aloud.
    pub number: u64,
    pub severity: Severity,
    pub status: Status,
    pub state: State,
    /// By language; the first serves languages that are missing.
    pub texts: Vec<(String, String)>,
    pub gather: String,
    pub source: String,
    /// Empty when its source gave none.
    pub dedup_key: String,
    pub raised_by: String,
    pub raised_at: Timestamp,
    pub issued_by: NodeId,
    pub aware_at: Timestamp,
    pub acknowledged_at: Option<Timestamp>,
    pub acknowledged_by: String,
    pub closed_at: Option<Timestamp>,
    pub closed_by: String,
    pub note: String,
    pub joined_into: Option<AlertId>,
    /// People in all steps.
    pub people: u64,
}

/// The alert with this id.
pub async fn find(
    conn: &mut SqliteConnection,
    alert: AlertId,
) -> Result<Option<AlertRow>, sqlx::Error> {
    let row = sqlx::query("select * from alert where alert_id = ?")
        .bind(alert.as_bytes())
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(alert_row).transpose()
}

/// The alert with this spoken number.
pub async fn by_number(
    conn: &mut SqliteConnection,
    number: u64,
) -> Result<Option<AlertRow>, sqlx::Error> {
    let row = sqlx::query("select * from alert where number = ? order by alert_id limit 1")
        .bind(number.cast_signed())
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(alert_row).transpose()
}

/// Alerts with a number below `before` (all when `None`), newest first, in one state or any.
pub async fn list(
    conn: &mut SqliteConnection,
    state: Option<State>,
    before: Option<u64>,
    limit: u32,
) -> Result<Vec<AlertRow>, sqlx::Error> {
    let found = sqlx::query(
        "select * from alert where (?1 is null or state = ?1) and (?2 is null or number < ?2) \
         order by number desc, alert_id limit ?3",
    )
    .bind(state.map(State::name))
    .bind(before.map(u64::cast_signed))
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    found.iter().map(alert_row).collect()
}

fn alert_row(row: &SqliteRow) -> Result<AlertRow, sqlx::Error> {
    let joined: Option<&[u8]> = row.try_get("joined_into")?;
    Ok(AlertRow {
        id: AlertId::from_row(row.try_get("alert_id")?)?,
        number: rows::unsigned(row, "number")?,
        severity: Severity::of_rank(row.try_get("severity")?),
        status: Status::parse(row.try_get("status")?).unwrap_or(Status::Actual),
        // A state of a newer version is one in which nothing more happens here.
        state: State::parse(row.try_get("state")?).unwrap_or(State::Resolved),
        texts: rows::json(row, "texts")?,
        gather: row.try_get("gather")?,
        source: row.try_get("source")?,
        dedup_key: row.try_get("dedup_key")?,
        raised_by: row.try_get("raised_by")?,
        raised_at: rows::time(row, "raised_at_ms")?,
        issued_by: NodeId(rows::unsigned(row, "issued_by")?),
        aware_at: rows::time(row, "aware_at_ms")?,
        acknowledged_at: rows::time_opt(row, "acknowledged_at_ms")?,
        acknowledged_by: row.try_get("acknowledged_by")?,
        closed_at: rows::time_opt(row, "closed_at_ms")?,
        closed_by: row.try_get("closed_by")?,
        note: row.try_get("note")?,
        joined_into: joined.map(AlertId::from_row).transpose()?,
        people: rows::unsigned(row, "people")?,
    })
}
