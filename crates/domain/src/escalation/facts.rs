//! What an island tells of plans and of the people called, and the laws by which it is joined.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use sqlx::SqliteConnection;

use super::safety::WATCH as WATCH_MARKS;
use super::{Answer, query};
use crate::ids::{AlertId, RecipientId};
use crate::rows;
use crate::time::Timestamp;

/// A plan as the raise froze it.
///
/// Law: never changes, so the first one stays.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct PlanFact {
    pub critical: bool,
    /// [`crate::deliveries::Lane::rank`].
    pub lane: i64,
    pub started: Timestamp,
    pub delays_ms: Vec<u64>,
    pub last_pages: Vec<u32>,
    pub repeats: u16,
    pub repeat_every_ms: u64,
    pub validity_ms: i64,
    /// What texts are made from, as the row has it.
    pub content: String,
    pub needed: u16,
    /// What else was frozen, as the row has it.
    pub policy: String,
    /// Step and people of each page, in order.
    pub pages: Vec<(u16, Vec<RecipientId>)>,
}

/// How far a plan has come.
///
/// Law: the furthest stands. Rounds beat steps beat pages, because a new round starts the pages anew; nobody skipped by
/// it is lost, since pages before it were expanded by whoever came that far, and those deliveries are facts as well.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct Progress {
    pub round: u16,
    pub step: u16,
    pub next_page: u32,
    pub review: u16,
}

/// A person called to an alert, with every code they hold for it and their last answer.
///
/// Laws: called: the earliest call stands. Codes: all of them, each stays valid. Answer: the latest stands, then the
/// greater source; of one answer, what was asked about it last. Reminders: the most that were sent.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct CallFact {
    pub alert: AlertId,
    pub recipient: RecipientId,
    pub called: FirstCall,
    pub codes: BTreeSet<String>,
    pub answered: Option<Answered>,
    /// Reminders sent while silent.
    pub reminded: u16,
}

/// When and in which place somebody was called first. The least one stands.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct FirstCall {
    pub at: Timestamp,
    pub step: u16,
    pub position: u64,
}

/// What somebody said last. The greatest one stands.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct Answered {
    pub at: Timestamp,
    pub from: String,
    pub answer: Answer,
    pub word: Word,
    /// Minutes from then until they are there.
    pub eta_min: Option<u16>,
}

/// Whether "coming" still stands.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub enum Word {
    /// Nobody asked again.
    Given,
    /// Asked whether they are still coming.
    Asked,
    /// Did not say so in time: counts no more.
    Lapsed,
    /// Said so once more when asked: stands for good.
    Confirmed,
}

impl Word {
    /// The word in rows and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Given => "given",
            Self::Asked => "asked",
            Self::Lapsed => "lapsed",
            Self::Confirmed => "confirmed",
        }
    }

    /// The word of a row; one of a newer version counts as given.
    pub(super) fn parse(name: &str) -> Self {
        match name {
            "asked" => Self::Asked,
            "lapsed" => Self::Lapsed,
            "confirmed" => Self::Confirmed,
            _ => Self::Given,
        }
    }
}

impl CallFact {
    /// The law: each register by itself.
    pub fn join(mut self, other: Self) -> Self {
        self.codes.extend(other.codes);
        Self {
            alert: self.alert,
            recipient: self.recipient,
            called: self.called.min(other.called),
            codes: self.codes,
            answered: self.answered.max(other.answered),
            reminded: self.reminded.max(other.reminded),
        }
    }
}

/// Notes people called and answers given, and how far plans have come. Codes that rest when an alert ends follow from
/// its end.
pub(crate) const WATCH: &[&str] = &[
    "create temp trigger if not exists watch_call_new after insert on main.called_person begin \
     insert into changed_row values ('call', new.alert_id, new.recipient_id); end",
    "create temp trigger if not exists watch_call after update of answer, answered_at_ms, word, reminded on main.called_person begin \
     insert into changed_row values ('call', new.alert_id, new.recipient_id); end",
    "create temp trigger if not exists watch_call_code after insert on main.call_code begin \
     insert into changed_row values ('call', new.alert_id, new.recipient_id); end",
    "create temp trigger if not exists watch_plan after update on main.escalation \
     when new.step <> old.step or new.round <> old.round or new.next_page <> old.next_page or new.review <> old.review \
     begin insert into changed_row values ('standing', new.alert_id, 0); end",
    WATCH_MARKS[0],
    WATCH_MARKS[1],
];

/// Calls changed since the notes were cleared.
pub(crate) async fn changed(conn: &mut SqliteConnection) -> Result<Vec<CallFact>, sqlx::Error> {
    let found = sqlx::query(
        "select c.*, (select json_group_array(code) from call_code x where x.alert_id = c.alert_id \
          and x.recipient_id = c.recipient_id) as more_codes from (select distinct a, b from changed_row where kind = 'call') r \
         join called_person c on c.alert_id = r.a and c.recipient_id = r.b order by c.alert_id, c.recipient_id",
    )
    .fetch_all(conn)
    .await?;
    found.iter().map(query::call_fact).collect()
}

/// One call as a fact.
pub(super) async fn call_fact(
    conn: &mut SqliteConnection,
    alert: AlertId,
    recipient: RecipientId,
) -> Result<Option<CallFact>, sqlx::Error> {
    let row = sqlx::query(
        "select c.*, (select json_group_array(code) from call_code x where x.alert_id = c.alert_id \
          and x.recipient_id = c.recipient_id) as more_codes from called_person c \
         where c.alert_id = ? and c.recipient_id = ?",
    )
    .bind(alert.as_bytes())
    .bind(recipient.as_bytes())
    .fetch_optional(conn)
    .await?;
    row.as_ref().map(query::call_fact).transpose()
}

/// An alert's plan as a fact.
pub(crate) async fn plan_fact(
    conn: &mut SqliteConnection,
    alert: AlertId,
) -> Result<Option<PlanFact>, sqlx::Error> {
    let Some(row) = super::plan_row::load(conn, alert).await? else {
        return Ok(None);
    };
    let last = row.plan.last_pages.last().copied().unwrap_or(0);
    let found = sqlx::query(
        "select step, recipients from escalation_page where alert_id = ? and page <= ? order by page",
    )
    .bind(alert.as_bytes())
    .bind(i64::from(last))
    .fetch_all(conn)
    .await?;
    let pages = found
        .iter()
        .map(|page| {
            let people: &[u8] = sqlx::Row::try_get(page, "recipients")?;
            let people = people.as_chunks::<16>().0.iter().map(|id| RecipientId(*id));
            Ok((rows::unsigned(page, "step")?, people.collect()))
        })
        .collect::<Result<_, sqlx::Error>>()?;
    Ok(Some(PlanFact {
        critical: row.critical,
        lane: row.lane.rank(),
        started: row.plan.started,
        delays_ms: row.plan.delays_ms,
        last_pages: row.plan.last_pages,
        repeats: row.plan.repeats,
        repeat_every_ms: row.plan.repeat_every_ms,
        validity_ms: row.validity_ms,
        content: row.content,
        needed: row.needed,
        policy: rows::to_json(&row.policy)?,
        pages,
    }))
}

/// How far an alert's plan has come; nothing once it is over, because pages of a call-off are each history's own.
pub(crate) async fn progress(
    conn: &mut SqliteConnection,
    alert: AlertId,
) -> Result<Option<Progress>, sqlx::Error> {
    let row = super::plan_row::load(conn, alert).await?;
    Ok(row
        .filter(|row| row.plan.phase == super::Phase::Calling)
        .map(|row| row.progress()))
}
