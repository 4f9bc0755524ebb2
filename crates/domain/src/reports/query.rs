//! Reads of reports.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::{Due, State};
use crate::ids::AlertId;
use crate::rows;
use crate::time::Timestamp;

/// A report as stored.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ReportRow {
    pub number: u64,
    pub who: String,
    /// `sms`, `email`, or empty.
    pub kind: String,
    pub contact: String,
    pub language: String,
    pub what: String,
    pub via: String,
    pub at: Timestamp,
    pub taken_by: String,
    pub state: State,
    pub due: Option<Timestamp>,
    pub decided_at: Option<Timestamp>,
    pub decided_by: String,
    pub reason: String,
    pub duty_alert: Option<AlertId>,
    pub alert: Option<AlertId>,
    /// Number of the alert it became.
    pub alert_number: Option<u64>,
}

/// The report with this number.
pub async fn report(
    conn: &mut SqliteConnection,
    number: u64,
) -> Result<Option<ReportRow>, sqlx::Error> {
    let row = sqlx::query(
        "select r.*, a.number as alert_number from report r left join alert a on a.alert_id = r.alert_id \
         where r.number = ?",
    )
    .bind(number.cast_signed())
    .fetch_optional(conn)
    .await?;
    row.as_ref().map(report_row).transpose()
}

/// Reports before `before` (all when `None`), newest first; open ones only, or any.
pub async fn list(
    conn: &mut SqliteConnection,
    open: bool,
    before: Option<u64>,
    limit: u32,
) -> Result<Vec<ReportRow>, sqlx::Error> {
    let found = sqlx::query(
        "select r.*, a.number as alert_number from report r left join alert a on a.alert_id = r.alert_id \
         where (?1 is null or r.number < ?1) and (not ?2 or r.state in ('new', 'waiting', 'convened')) \
         order by r.number desc limit ?3",
    )
    .bind(before.map(u64::cast_signed))
    .bind(open)
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    found.iter().map(report_row).collect()
}

/// Reports that somebody must look at by `now`, or whose alert is over.
pub async fn due(
    conn: &mut SqliteConnection,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<Due>, sqlx::Error> {
    let found: Vec<(i64, Option<i64>)> = sqlx::query_as(
        "select number, due_ms from report where due_ms <= ?1 \
         union all select r.number, null from report r join alert a on a.alert_id = r.alert_id \
          where r.state = 'convened' and a.state <> 'open' order by 1, 2 limit ?2",
    )
    .bind(now.0)
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    let due = found.into_iter().map(|(number, at)| {
        let number = number.unsigned_abs();
        match at {
            Some(at) => Due::Waited {
                number,
                at: Timestamp(at),
            },
            None => Due::AlertClosed { number },
        }
    });
    Ok(due.collect())
}

/// When the next report has waited long enough.
pub(crate) const NEXT_DUE: &str = "(select min(due_ms) from report where due_ms is not null)";

/// Whether the alert that a report led to is closed.
pub(crate) const ALERT_CLOSED: &str = "exists (select 1 from report r join alert a on a.alert_id = r.alert_id \
     where r.state = 'convened' and a.state <> 'open')";

fn report_row(row: &SqliteRow) -> Result<ReportRow, sqlx::Error> {
    let id = |column| -> Result<Option<AlertId>, sqlx::Error> {
        row.try_get::<Option<&[u8]>, _>(column)?
            .map(AlertId::from_row)
            .transpose()
    };
    let alert_number: Option<i64> = row.try_get("alert_number")?;
    Ok(ReportRow {
        number: rows::unsigned(row, "number")?,
        who: row.try_get("who")?,
        kind: row.try_get("kind")?,
        contact: row.try_get("contact")?,
        language: row.try_get("language")?,
        what: row.try_get("what")?,
        via: row.try_get("via")?,
        at: rows::time(row, "at_ms")?,
        taken_by: row.try_get("taken_by")?,
        // A state of a newer version is one in which nothing more happens here.
        state: State::parse(row.try_get("state")?).unwrap_or(State::Over),
        due: rows::time_opt(row, "due_ms")?,
        decided_at: rows::time_opt(row, "decided_at_ms")?,
        decided_by: row.try_get("decided_by")?,
        reason: row.try_get("reason")?,
        duty_alert: id("duty_alert")?,
        alert: id("alert_id")?,
        alert_number: alert_number.map(i64::unsigned_abs),
    })
}
