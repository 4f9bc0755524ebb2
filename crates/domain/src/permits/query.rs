//! Reads of what takes two.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};

use super::{LET_TIME, WAIT};
use crate::rows;
use crate::time::Timestamp;

/// Rows listed at once.
const LISTED_MAX: i64 = 200;

/// Where it stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PermitState {
    /// It waits for somebody else.
    Waiting,
    /// Somebody else lets it; whoever asked can do it now.
    Ready,
    /// It was done.
    Used,
    /// It is not to be done.
    Dropped,
    /// Nobody let it in time, or it was not done in time, or the state was recovered or restored since.
    Void,
}

impl PermitState {
    /// The word in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Ready => "ready",
            Self::Used => "used",
            Self::Dropped => "dropped",
            Self::Void => "void",
        }
    }
}

/// What somebody asked for that takes two.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PermitRow {
    pub number: u64,
    pub method: String,
    pub path: String,
    pub body: String,
    pub digest: [u8; 32],
    pub reason: String,
    /// The actor.
    pub asked_by: String,
    /// As people should read it.
    pub asked_name: String,
    pub asked_at: Timestamp,
    /// The actor; empty while it waits.
    pub let_by: String,
    pub let_at: Option<Timestamp>,
    pub used_at: Option<Timestamp>,
    pub dropped_by: String,
    pub dropped_at: Option<Timestamp>,
    /// The epoch it was asked for in, and the one the state is in.
    epochs: (i64, i64),
}

impl PermitRow {
    pub fn state(&self, now: Timestamp) -> PermitState {
        if self.used_at.is_some() {
            return PermitState::Used;
        }
        if self.dropped_at.is_some() {
            return PermitState::Dropped;
        }
        let (until, state) = match self.let_at {
            Some(at) => (at + LET_TIME, PermitState::Ready),
            None => (self.asked_at + WAIT, PermitState::Waiting),
        };
        match now < until && self.epochs.0 == self.epochs.1 {
            true => state,
            false => PermitState::Void,
        }
    }

    /// Until when it can be let, or done.
    pub fn until(&self) -> Timestamp {
        self.let_at.map_or(self.asked_at + WAIT, |at| at + LET_TIME)
    }
}

macro_rules! permit_select {
    ($tail:literal) => {
        concat!(
            "select p.*, coalesce((select c.epoch from cluster c where c.id = 1), 1) as now_epoch from permit p ",
            $tail
        )
    };
}

/// The newest first.
pub async fn list(conn: &mut SqliteConnection) -> Result<Vec<PermitRow>, sqlx::Error> {
    let found = sqlx::query(permit_select!("order by p.number desc limit ?"))
        .bind(LISTED_MAX)
        .fetch_all(conn)
        .await?;
    found.iter().map(permit).collect()
}

/// The one with this number.
pub async fn find(
    conn: &mut SqliteConnection,
    number: u64,
) -> Result<Option<PermitRow>, sqlx::Error> {
    let found = sqlx::query(permit_select!("where p.number = ?"))
        .bind(number.cast_signed())
        .fetch_optional(conn)
        .await?;
    found.as_ref().map(permit).transpose()
}

/// Those that an actor asked for and that are for this request, the newest first.
pub(super) async fn of_request(
    conn: &mut SqliteConnection,
    digest: &[u8; 32],
    asked_by: &str,
) -> Result<Vec<PermitRow>, sqlx::Error> {
    let found = sqlx::query(permit_select!(
        "where p.digest = ? and p.asked_by = ? order by p.number desc"
    ))
    .bind(digest.as_slice())
    .bind(asked_by)
    .fetch_all(conn)
    .await?;
    found.iter().map(permit).collect()
}

fn permit(row: &SqliteRow) -> Result<PermitRow, sqlx::Error> {
    let digest: Vec<u8> = row.try_get("digest")?;
    let digest = digest.as_slice().try_into();
    Ok(PermitRow {
        number: rows::unsigned(row, "number")?,
        method: row.try_get("method")?,
        path: row.try_get("path")?,
        body: row.try_get("body")?,
        digest: digest.map_err(|e: std::array::TryFromSliceError| sqlx::Error::Decode(e.into()))?,
        reason: row.try_get("reason")?,
        asked_by: row.try_get("asked_by")?,
        asked_name: row.try_get("asked_name")?,
        asked_at: rows::time(row, "asked_at_ms")?,
        let_by: row.try_get("let_by")?,
        let_at: rows::time_opt(row, "let_at_ms")?,
        used_at: rows::time_opt(row, "used_at_ms")?,
        dropped_by: row.try_get("dropped_by")?,
        dropped_at: rows::time_opt(row, "dropped_at_ms")?,
        epochs: (row.try_get("epoch")?, row.try_get("now_epoch")?),
    })
}
