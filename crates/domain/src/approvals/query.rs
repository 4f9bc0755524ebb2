//! Reads of what needs or needed a second person.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::{Due, State};
use crate::ids::{AlertId, RecipientId};
use crate::rows;
use crate::time::Timestamp;
use crate::vocabulary::{Severity, Status};

/// An alert that needs or needed a second person.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ApprovalRow {
    pub number: u64,
    /// The alert it is or would become.
    pub alert: AlertId,
    /// The number people say aloud, once there is an alert.
    pub label: Option<String>,
    pub state: State,
    pub severity: Severity,
    pub status: Status,
    /// By language; the first serves languages that are missing.
    pub texts: Vec<(String, String)>,
    pub source: String,
    pub people: u64,
    /// SMS parts of the first round.
    pub sms_parts: u64,
    /// Why a second person must agree.
    pub why: Vec<String>,
    pub asked_by: String,
    pub asked_at: Timestamp,
    pub release_from: Timestamp,
    /// When something happens by itself.
    pub due: Option<Timestamp>,
    pub reminded: bool,
    /// How many people were asked, and have a code.
    pub asked: u64,
    pub decided_by: String,
    pub decided_as: String,
    pub decided_at: Option<Timestamp>,
    pub reason: String,
    pub to_review: bool,
    pub reviewed_by: String,
    pub reviewed_as: String,
    pub reviewed_at: Option<Timestamp>,
    pub review_note: String,
}

impl ApprovalRow {
    /// It went without a second person's word, and nobody has looked at that yet.
    pub fn awaits_review(&self) -> bool {
        self.to_review && self.reviewed_at.is_none()
    }
}

/// Which of them are listed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Shown {
    /// What waits for a second person.
    Waiting,
    /// What went without one and nobody has reviewed.
    ToReview,
    All,
}

/// The columns of a row, with what follows them.
macro_rules! approval_select {
    ($tail:literal) => {
        concat!(
            "select p.number, p.alert_id, p.state, p.severity, p.status, p.texts, p.source, p.people, p.sms_parts, p.why, \
             p.asked_by, p.asked_at_ms, p.release_from_ms, p.due_ms, p.reminded, p.decided_by, p.decided_as, \
             p.decided_at_ms, p.reason, p.to_review, p.reviewed_by, p.reviewed_as, p.reviewed_at_ms, p.review_note, \
             (select count(*) from approval_code c where c.number = p.number) as asked, a.number as alert_number, \
             (select min(l.label) from alert_label l where l.alert_id = p.alert_id) as island_label \
             from approval p left join alert a on a.alert_id = p.alert_id ",
            $tail
        )
    };
}

/// The one with this number.
pub async fn approval(
    conn: &mut SqliteConnection,
    number: u64,
) -> Result<Option<ApprovalRow>, sqlx::Error> {
    let row = sqlx::query(approval_select!("where p.number = ?"))
        .bind(number.cast_signed())
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(approval_row).transpose()
}

/// The one that stands for this alert, whether or not it was raised.
pub async fn of_alert(
    conn: &mut SqliteConnection,
    alert: AlertId,
) -> Result<Option<ApprovalRow>, sqlx::Error> {
    let row = sqlx::query(approval_select!(
        "where p.alert_id = ? order by p.number limit 1"
    ))
    .bind(alert.as_bytes())
    .fetch_optional(conn)
    .await?;
    row.as_ref().map(approval_row).transpose()
}

/// Those before `before` (all when `None`), newest first.
pub async fn list(
    conn: &mut SqliteConnection,
    shown: Shown,
    before: Option<u64>,
    limit: u32,
) -> Result<Vec<ApprovalRow>, sqlx::Error> {
    let found = sqlx::query(approval_select!(
        "where (?1 is null or p.number < ?1) \
         and (?2 = 0 or p.state = 'awaiting_second_person') \
         and (?3 = 0 or (p.to_review = 1 and p.reviewed_at_ms is null)) order by p.number desc limit ?4"
    ))
    .bind(before.map(u64::cast_signed))
    .bind(shown == Shown::Waiting)
    .bind(shown == Shown::ToReview)
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    found.iter().map(approval_row).collect()
}

/// What is due by `now`.
pub async fn due(
    conn: &mut SqliteConnection,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<Due>, sqlx::Error> {
    let found: Vec<(i64, i64)> = sqlx::query_as(
        "select number, due_ms from approval where due_ms <= ? order by due_ms, number limit ?",
    )
    .bind(now.0)
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    let due = found.into_iter().map(|(number, at)| Due {
        number: number.cast_unsigned(),
        at: Timestamp(at),
    });
    Ok(due.collect())
}

/// When the next act lapses or is released.
pub(crate) const NEXT_DUE: &str = "(select min(due_ms) from approval where due_ms is not null)";

/// The raise as it waits, with who asked for it, as apply encoded them.
pub(super) async fn payload(
    conn: &mut SqliteConnection,
    number: u64,
) -> Result<Vec<u8>, sqlx::Error> {
    sqlx::query_scalar("select payload from approval where number = ?")
        .bind(number.cast_signed())
        .fetch_one(conn)
        .await
}

/// Everyone asked about one, with their codes, in order.
pub(super) async fn codes(
    conn: &mut SqliteConnection,
    number: u64,
) -> Result<Vec<(RecipientId, String)>, sqlx::Error> {
    let found: Vec<(Vec<u8>, String)> = sqlx::query_as(
        "select recipient_id, code from approval_code where number = ? order by recipient_id",
    )
    .bind(number.cast_signed())
    .fetch_all(conn)
    .await?;
    found
        .into_iter()
        .map(|(id, code)| Ok((RecipientId::from_row(&id)?, code)))
        .collect()
}

/// The newest one that a person's code is about.
pub(super) async fn by_code(
    conn: &mut SqliteConnection,
    person: RecipientId,
    code: &str,
) -> Result<Option<ApprovalRow>, sqlx::Error> {
    let number: Option<i64> = sqlx::query_scalar(
        "select number from approval_code where code = ? and recipient_id = ? order by number desc limit 1",
    )
    .bind(code)
    .bind(person.as_bytes())
    .fetch_optional(&mut *conn)
    .await?;
    match number {
        Some(number) => approval(conn, number.cast_unsigned()).await,
        None => Ok(None),
    }
}

fn approval_row(row: &SqliteRow) -> Result<ApprovalRow, sqlx::Error> {
    let number: Option<i64> = row.try_get("alert_number")?;
    let label = match number {
        None => None,
        Some(0) => row.try_get("island_label")?,
        Some(number) => Some(number.to_string()),
    };
    Ok(ApprovalRow {
        number: rows::unsigned(row, "number")?,
        alert: AlertId::from_row(row.try_get("alert_id")?)?,
        label,
        // A state of a newer version is one in which nothing more is decided here.
        state: State::parse(row.try_get("state")?).unwrap_or(State::Lapsed),
        severity: Severity::of_rank(row.try_get("severity")?),
        status: Status::parse(row.try_get("status")?).unwrap_or(Status::Actual),
        texts: rows::json(row, "texts")?,
        source: row.try_get("source")?,
        people: rows::unsigned(row, "people")?,
        sms_parts: rows::unsigned(row, "sms_parts")?,
        why: rows::json(row, "why")?,
        asked_by: row.try_get("asked_by")?,
        asked_at: rows::time(row, "asked_at_ms")?,
        release_from: rows::time(row, "release_from_ms")?,
        due: rows::time_opt(row, "due_ms")?,
        reminded: row.try_get("reminded")?,
        asked: rows::unsigned(row, "asked")?,
        decided_by: row.try_get("decided_by")?,
        decided_as: row.try_get("decided_as")?,
        decided_at: rows::time_opt(row, "decided_at_ms")?,
        reason: row.try_get("reason")?,
        to_review: row.try_get("to_review")?,
        reviewed_by: row.try_get("reviewed_by")?,
        reviewed_as: row.try_get("reviewed_as")?,
        reviewed_at: rows::time_opt(row, "reviewed_at_ms")?,
        review_note: row.try_get("review_note")?,
    })
}
