//! What an island tells of alerts, and the laws by which it is joined.

use serde::{Deserialize, Serialize};
use sqlx::{Row, SqliteConnection};

use super::{AlertRow, FromTemplate, Label, Severity, State, Status, handover, query};
use crate::escalation::{self, PlanFact, Progress};
use crate::ids::{AlertId, NodeId};
use crate::oncall::OnDuty;
use crate::rows;
use crate::time::Timestamp;
use crate::vocabulary::AlertKind;

/// An alert as it was raised: what it says, whom it calls and how.
///
/// Law: never changes, so the first one stays; its number on the island is added to those it has.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct AlertFact {
    pub alert: AlertId,
    pub severity: Severity,
    pub status: Status,
    pub kind: AlertKind,
    pub texts: Vec<(String, String)>,
    pub gather: String,
    pub source: String,
    pub dedup_key: String,
    pub raised_by: String,
    pub raised_at: Timestamp,
    pub issued_by: NodeId,
    pub aware_at: Timestamp,
    pub people: u64,
    /// Numbers given by islands.
    pub labels: Vec<Label>,
    /// The schedules it was raised through, and who was on call in each.
    pub on_call: Vec<OnDuty>,
    /// Absent only in a damaged row.
    pub plan: Option<PlanFact>,
    /// What it was prepared as, if it was.
    pub template: Option<Box<FromTemplate>>,
}

/// What became of an alert so far.
///
/// Laws: acknowledged: the earliest, then the least name. Closed: a call-off beats a resolution (people must be told),
/// then the earliest. Joined: the earliest. Progress: see [`Progress`].
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct StandingFact {
    pub alert: AlertId,
    pub acknowledged: Option<Acknowledged>,
    pub closed: Option<Closed>,
    pub joined: Option<JoinedInto>,
    pub progress: Option<Progress>,
}

/// Somebody took it over. The least one stands.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct Acknowledged {
    pub at: Timestamp,
    pub by: String,
}

/// It is over. The least one stands.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct Closed {
    pub how: Ending,
    pub at: Timestamp,
    pub by: String,
    pub note: String,
}

/// How it ended; what people must be told comes first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub enum Ending {
    CalledOff,
    Resolved,
}

/// It is the same matter as another one. The least one stands.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct JoinedInto {
    pub at: Timestamp,
    pub by: String,
    pub into: AlertId,
}

impl StandingFact {
    /// The law: each register by itself.
    pub fn join(self, other: Self) -> Self {
        Self {
            alert: self.alert,
            acknowledged: least(self.acknowledged, other.acknowledged),
            closed: least(self.closed, other.closed),
            joined: least(self.joined, other.joined),
            progress: self.progress.max(other.progress),
        }
    }
}

/// Notes alerts raised and alerts moved on.
pub(crate) const WATCH: &[&str] = &[
    "create temp trigger if not exists watch_alert_new after insert on main.alert begin \
     insert into changed_row values ('alert', new.alert_id, 0); end",
    "create temp trigger if not exists watch_alert_label after insert on main.alert_label begin \
     insert into changed_row values ('alert', new.alert_id, 0); end",
    "create temp trigger if not exists watch_alert after update on main.alert begin \
     insert into changed_row values ('standing', new.alert_id, 0); end",
];

/// Alerts raised since the notes were cleared.
pub(crate) async fn raised(conn: &mut SqliteConnection) -> Result<Vec<AlertFact>, sqlx::Error> {
    let mut facts = Vec::new();
    for id in noted(conn, "alert").await? {
        let Some(row) = query::find(conn, id).await? else {
            continue;
        };
        facts.push(AlertFact {
            alert: id,
            severity: row.severity,
            status: row.status,
            kind: row.kind,
            texts: row.texts,
            gather: row.gather,
            source: row.source,
            dedup_key: row.dedup_key,
            raised_by: row.raised_by,
            raised_at: row.raised_at,
            issued_by: row.issued_by,
            aware_at: row.aware_at,
            people: row.people,
            labels: row.labels,
            on_call: handover::frozen(conn, id).await?,
            plan: escalation::plan_fact(conn, id).await?,
            template: query::template_of(conn, id).await?.map(Box::new),
        });
    }
    Ok(facts)
}

/// Alerts that moved on since the notes were cleared.
pub(crate) async fn moved(conn: &mut SqliteConnection) -> Result<Vec<StandingFact>, sqlx::Error> {
    let mut facts = Vec::new();
    for id in noted(conn, "standing").await? {
        facts.extend(standing(conn, id).await?);
    }
    Ok(facts)
}

/// What became of an alert so far.
pub(crate) async fn standing(
    conn: &mut SqliteConnection,
    alert: AlertId,
) -> Result<Option<StandingFact>, sqlx::Error> {
    let Some(row) = query::find(conn, alert).await? else {
        return Ok(None);
    };
    let joined = joined_of(conn, alert).await?;
    Ok(Some(StandingFact {
        alert,
        acknowledged: row.acknowledged_at.map(|at| Acknowledged {
            at,
            by: row.acknowledged_by.clone(),
        }),
        closed: closed_of(&row),
        joined,
        progress: escalation::progress(conn, alert).await?,
    }))
}

fn closed_of(row: &AlertRow) -> Option<Closed> {
    let how = match row.state {
        State::CalledOff => Ending::CalledOff,
        State::Resolved => Ending::Resolved,
        State::Open | State::Joined => return None,
    };
    Some(Closed {
        how,
        at: row.closed_at.unwrap_or(row.raised_at),
        by: row.closed_by.clone(),
        note: row.note.clone(),
    })
}

async fn joined_of(
    conn: &mut SqliteConnection,
    alert: AlertId,
) -> Result<Option<JoinedInto>, sqlx::Error> {
    // Rows of before this was kept apart have their end instead.
    let row = sqlx::query(
        "select joined_into, coalesce(joined_at_ms, closed_at_ms, raised_at_ms) as at_ms, \
         case when joined_at_ms is null then closed_by else joined_by end as by_whom \
         from alert where alert_id = ? and joined_into is not null",
    )
    .bind(alert.as_bytes())
    .fetch_optional(conn)
    .await?;
    row.map(|row| {
        Ok(JoinedInto {
            at: rows::time(&row, "at_ms")?,
            by: row.try_get("by_whom")?,
            into: AlertId::from_row(row.try_get("joined_into")?)?,
        })
    })
    .transpose()
}

async fn noted(conn: &mut SqliteConnection, kind: &str) -> Result<Vec<AlertId>, sqlx::Error> {
    let found: Vec<Vec<u8>> =
        sqlx::query_scalar("select distinct a from changed_row where kind = ? order by a")
            .bind(kind)
            .fetch_all(conn)
            .await?;
    AlertId::from_rows(&found)
}

fn least<T: Ord>(ours: Option<T>, theirs: Option<T>) -> Option<T> {
    match (ours, theirs) {
        (Some(ours), Some(theirs)) => Some(ours.min(theirs)),
        (ours, theirs) => ours.or(theirs),
    }
}
