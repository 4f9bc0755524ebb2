//! Reads of plans and of the people called.

mod roll;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

pub use self::roll::{QuotaRow, quotas_of, roll, roll_count};
pub(super) use self::roll::{asked_and_missing, mark_fact, mark_of};
use super::{Answer, Answered, BESIDE, CallFact, Command, FirstCall, Phase, Word};
use crate::ids::{AlertId, RecipientId};
use crate::rows;
use crate::time::Timestamp;

/// A person called to an alert.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Called {
    pub alert: AlertId,
    pub recipient: RecipientId,
    pub step: u16,
    pub code: String,
    pub answer: Option<Answer>,
    pub answered_at: Option<Timestamp>,
    /// Minutes from then until they are there, if they said so.
    pub eta_min: Option<u16>,
    /// Whence the answer came: a number, `api`, …
    pub answered_from: String,
    pub called_at: Timestamp,
    /// When the alert was over for this code.
    pub closed_at: Option<Timestamp>,
    /// Whether "coming" still stands.
    pub word: Word,
    /// Reminders sent while silent.
    pub reminded: u16,
}

impl Called {
    /// Said so, and counts.
    pub fn is_coming(&self) -> bool {
        self.answer == Some(Answer::Coming) && self.word != Word::Lapsed
    }

    /// Was asked whether they are still coming; saying so again is news.
    pub(crate) fn is_asked_again(&self) -> bool {
        self.answer == Some(Answer::Coming) && matches!(self.word, Word::Asked | Word::Lapsed)
    }

    /// How a new answer stands.
    pub(super) fn word_of(&self, answer: Answer) -> Word {
        if answer == Answer::Coming && self.is_asked_again() {
            Word::Confirmed
        } else {
            Word::Given
        }
    }
}

impl Called {
    /// When somebody who is coming said they will be there.
    pub fn expected_at(&self) -> Option<Timestamp> {
        let (at, minutes) = self.answered_at.zip(self.eta_min)?;
        Some(at + Duration::from_secs(u64::from(minutes) * 60))
    }
}

/// Something an alert must do now.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DueAction {
    pub alert: AlertId,
    pub due: Timestamp,
    /// The command that does it.
    pub command: Command,
}

/// An alert's plan as people see it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PlanRow {
    pub phase: Phase,
    /// Steps started so far, and all.
    pub step: u16,
    pub steps: u16,
    pub round: u16,
    pub repeats: u16,
    pub needed: u16,
    pub coming: u16,
    pub satisfied: bool,
    /// Somebody paused it: no step or round is called before. May have passed.
    pub paused_until: Option<Timestamp>,
    /// Nobody has been called yet.
    pub not_begun: bool,
    /// Steps called in turn, without the people kept for the loud round.
    pub steps_in_turn: u16,
    /// `expand_page`, `advance`, `repeat`, `review`, `expand_call_off`, or empty once over.
    pub next_action: String,
    pub next_due: Option<Timestamp>,
}

/// What is due at `now`, most severe first.
pub async fn due(
    conn: &mut SqliteConnection,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<DueAction>, sqlx::Error> {
    let found = sqlx::query(
        "select alert_id, next_action, next_due_ms, next_page, step, round, repeats, review, \
         hurry and not coalesce(policy ->> '$.conduct.quiet', 0) as hurry from escalation \
         where next_action <> '' and next_due_ms <= ? order by critical desc, lane, next_due_ms, alert_id limit ?",
    )
    .bind(now.0)
    .bind(i64::from(limit))
    .fetch_all(&mut *conn)
    .await?;
    let mut all: Vec<DueAction> = found
        .iter()
        .filter_map(|row| due_action(row).transpose())
        .collect::<Result<_, _>>()?;
    // Reminders come after whoever has not been called at all.
    let timers = sqlx::query(
        "select alert_id, min(due_ms) as due_ms from call_timer where due_ms <= ? group by alert_id \
         order by 2, 1 limit ?",
    )
    .bind(now.0)
    .bind(i64::from(limit).saturating_sub(all.len() as i64))
    .fetch_all(conn)
    .await?;
    for row in &timers {
        let alert = AlertId::from_row(row.try_get("alert_id")?)?;
        all.push(DueAction {
            alert,
            due: rows::time(row, "due_ms")?,
            command: Command::Tend { alert },
        });
    }
    Ok(all)
}

/// When the next step of an alert or reminder of a person is due.
pub(crate) const NEXT_DUE: &str = "(select min(due_ms) from (select min(next_due_ms) as due_ms from escalation \
     where next_action <> '' union all select min(due_ms) from call_timer))";

/// The plan of an alert.
pub async fn plan(
    conn: &mut SqliteConnection,
    alert: AlertId,
) -> Result<Option<PlanRow>, sqlx::Error> {
    let row = sqlx::query(
        "select phase, step, json_array_length(last_pages) as steps, json_array_length(delays_ms) as steps_in_turn, round, \
         repeats, needed, coming, satisfied, paused_until_ms, next_page, next_action, next_due_ms \
         from escalation where alert_id = ?",
    )
    .bind(alert.as_bytes())
    .fetch_optional(conn)
    .await?;
    row.map(|row| {
        let next_action: String = row.try_get("next_action")?;
        let paused_until = rows::time(&row, "paused_until_ms")?;
        let begun: [u32; 3] = [
            rows::unsigned(&row, "step")?,
            rows::unsigned(&row, "round")?,
            rows::unsigned(&row, "next_page")?,
        ];
        Ok(PlanRow {
            phase: Phase::parse(row.try_get("phase")?),
            step: rows::unsigned::<u16>(&row, "step")? + 1,
            steps: rows::unsigned(&row, "steps")?,
            round: rows::unsigned(&row, "round")?,
            repeats: rows::unsigned(&row, "repeats")?,
            needed: rows::unsigned(&row, "needed")?,
            coming: rows::unsigned(&row, "coming")?,
            satisfied: row.try_get("satisfied")?,
            paused_until: Some(paused_until).filter(|until| until.0 > 0),
            not_begun: begun == [0; 3],
            steps_in_turn: rows::unsigned(&row, "steps_in_turn")?,
            next_due: if next_action.is_empty() {
                None
            } else {
                Some(rows::time(&row, "next_due_ms")?)
            },
            next_action,
        })
    })
    .transpose()
}

/// Everyone called to an alert, in calling order.
pub async fn called(
    conn: &mut SqliteConnection,
    alert: AlertId,
    skip: u32,
    limit: u32,
) -> Result<Vec<Called>, sqlx::Error> {
    let found = sqlx::query("select * from called_person where alert_id = ? order by position, recipient_id limit ? offset ?")
        .bind(alert.as_bytes())
        .bind(i64::from(limit))
        .bind(i64::from(skip))
        .fetch_all(conn)
        .await?;
    found.iter().map(called_row).collect()
}

/// Calls with this code that are open, or were closed after `since`; newest first.
pub async fn called_by_code(
    conn: &mut SqliteConnection,
    code: &str,
    since: Timestamp,
) -> Result<Vec<Called>, sqlx::Error> {
    let found = sqlx::query(
        "select c.* from called_person c join \
         (select alert_id, recipient_id from called_person where code = ?1 \
          union select alert_id, recipient_id from call_code where code = ?1) f \
         on f.alert_id = c.alert_id and f.recipient_id = c.recipient_id \
         where c.closed_at_ms is null or c.closed_at_ms >= ?2 \
         order by c.called_at_ms desc, c.alert_id, c.recipient_id",
    )
    .bind(code)
    .bind(since.0)
    .fetch_all(conn)
    .await?;
    found.iter().map(called_row).collect()
}

/// Open calls of a person, newest first.
pub async fn open_calls_of(
    conn: &mut SqliteConnection,
    recipient: RecipientId,
) -> Result<Vec<Called>, sqlx::Error> {
    let found = sqlx::query(
        "select * from called_person where recipient_id = ? and closed_at_ms is null order by called_at_ms desc, alert_id",
    )
    .bind(recipient.as_bytes())
    .fetch_all(conn)
    .await?;
    found.iter().map(called_row).collect()
}

/// Every code with which a person can answer an open alert.
pub async fn open_codes_of(
    conn: &mut SqliteConnection,
    recipient: RecipientId,
) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar(
        "select code from called_person where recipient_id = ?1 and closed_at_ms is null \
         union select x.code from called_person c join call_code x on x.alert_id = c.alert_id \
          and x.recipient_id = c.recipient_id where c.recipient_id = ?1 and c.closed_at_ms is null order by code",
    )
    .bind(recipient.as_bytes())
    .fetch_all(conn)
    .await
}

/// The newest call of a person, open or over, since `since`.
pub async fn last_called_of(
    conn: &mut SqliteConnection,
    recipient: RecipientId,
    since: Timestamp,
) -> Result<Option<Called>, sqlx::Error> {
    let row = sqlx::query(
        "select * from called_person where recipient_id = ? and called_at_ms >= ? order by called_at_ms desc, alert_id limit 1",
    )
    .bind(recipient.as_bytes())
    .bind(since.0)
    .fetch_optional(conn)
    .await?;
    row.as_ref().map(called_row).transpose()
}

/// The call of one person to one alert.
pub(super) async fn call(
    conn: &mut SqliteConnection,
    alert: AlertId,
    recipient: RecipientId,
) -> Result<Option<Called>, sqlx::Error> {
    let row = sqlx::query("select * from called_person where alert_id = ? and recipient_id = ?")
        .bind(alert.as_bytes())
        .bind(recipient.as_bytes())
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(called_row).transpose()
}

/// Those who answered an alert, in calling order.
pub(super) async fn answered(
    conn: &mut SqliteConnection,
    alert: AlertId,
) -> Result<Vec<Called>, sqlx::Error> {
    let found =
        sqlx::query("select * from called_person indexed by called_person_answered where alert_id = ? and answer <> '' order by position, recipient_id")
            .bind(alert.as_bytes())
            .fetch_all(conn)
            .await?;
    found.iter().map(called_row).collect()
}

/// Everyone called: those coming first, then in calling order.
pub(super) async fn in_call_off_order(
    conn: &mut SqliteConnection,
    alert: AlertId,
) -> Result<Vec<RecipientId>, sqlx::Error> {
    let found: Vec<Vec<u8>> = sqlx::query_scalar(
        "select recipient_id from called_person where alert_id = ? order by answer <> 'coming', position, recipient_id",
    )
    .bind(alert.as_bytes())
    .fetch_all(conn)
    .await?;
    RecipientId::from_rows(&found)
}

/// How many count as coming now.
pub(super) async fn coming(
    conn: &mut SqliteConnection,
    alert: AlertId,
) -> Result<u16, sqlx::Error> {
    let count: i64 = sqlx::query_scalar(
        "select count(*) from called_person c where c.alert_id = ?1 and c.answer = 'coming' and c.word <> 'lapsed' \
         and c.recipient_id not in (select recipient_id from left_out where alert_id = ?1)",
    )
    .bind(alert.as_bytes())
    .fetch_one(conn)
    .await?;
    Ok(u16::try_from(count).unwrap_or(u16::MAX))
}

/// How many were called beside the plan.
pub(super) async fn count_beside(
    conn: &mut SqliteConnection,
    alert: AlertId,
) -> Result<u64, sqlx::Error> {
    let count: i64 =
        sqlx::query_scalar("select count(*) from called_person where alert_id = ? and step = ?")
            .bind(alert.as_bytes())
            .bind(i64::from(BESIDE))
            .fetch_one(conn)
            .await?;
    Ok(count.cast_unsigned())
}

/// Those called beside the plan who have not answered and are not left out, in calling order.
pub(super) async fn silent_beside(
    conn: &mut SqliteConnection,
    alert: AlertId,
) -> Result<Vec<RecipientId>, sqlx::Error> {
    let found: Vec<Vec<u8>> = sqlx::query_scalar(
        "select recipient_id from called_person where alert_id = ?1 and step = ?2 and answer = '' \
         and recipient_id not in (select recipient_id from left_out where alert_id = ?1) \
         order by position, recipient_id",
    )
    .bind(alert.as_bytes())
    .bind(i64::from(BESIDE))
    .fetch_all(conn)
    .await?;
    RecipientId::from_rows(&found)
}

pub(super) async fn page_count(
    conn: &mut SqliteConnection,
    alert: AlertId,
) -> Result<u32, sqlx::Error> {
    let row = sqlx::query("select count(*) as n from escalation_page where alert_id = ?")
        .bind(alert.as_bytes())
        .fetch_one(conn)
        .await?;
    rows::unsigned(&row, "n")
}

/// Codes of those among `people` who have not answered.
pub(super) async fn silent_codes(
    conn: &mut SqliteConnection,
    alert: AlertId,
    people: &[RecipientId],
) -> Result<BTreeMap<RecipientId, String>, sqlx::Error> {
    let found = sqlx::query(
        "select recipient_id, code from called_person c where alert_id = ? and answer = '' \
         and not exists (select 1 from safety_mark m where m.alert_id = c.alert_id and m.recipient_id = c.recipient_id) \
         and recipient_id in (select unhex(value) from json_each(?)) order by recipient_id",
    )
    .bind(alert.as_bytes())
    .bind(rows::hex_array(people.iter().map(RecipientId::as_bytes)))
    .fetch_all(conn)
    .await?;
    found
        .iter()
        .map(|row| Ok((RecipientId::from_row(row.try_get(0)?)?, row.try_get(1)?)))
        .collect()
}

/// Codes each of `people` holds that are open or were closed after `since`.
pub(super) async fn codes_in_use(
    conn: &mut SqliteConnection,
    people: &[RecipientId],
    since: Timestamp,
) -> Result<BTreeMap<RecipientId, BTreeSet<String>>, sqlx::Error> {
    let found = sqlx::query(
        "select c.recipient_id, c.code from called_person c \
         where c.recipient_id in (select unhex(value) from json_each(?1)) \
         and (c.closed_at_ms is null or c.closed_at_ms >= ?2) \
         union select x.recipient_id, x.code from called_person c join call_code x \
         on x.alert_id = c.alert_id and x.recipient_id = c.recipient_id \
         where c.recipient_id in (select unhex(value) from json_each(?1)) \
         and (c.closed_at_ms is null or c.closed_at_ms >= ?2) order by 1, 2",
    )
    .bind(rows::hex_array(people.iter().map(RecipientId::as_bytes)))
    .bind(since.0)
    .fetch_all(conn)
    .await?;
    let mut codes: BTreeMap<RecipientId, BTreeSet<String>> = BTreeMap::new();
    for row in &found {
        codes
            .entry(RecipientId::from_row(row.try_get(0)?)?)
            .or_default()
            .insert(row.try_get(1)?);
    }
    Ok(codes)
}

fn due_action(row: &SqliteRow) -> Result<Option<DueAction>, sqlx::Error> {
    let alert = AlertId::from_row(row.try_get("alert_id")?)?;
    let next = |column: &str| rows::unsigned::<u16>(row, column).map(|n| n + 1);
    let command = match row.try_get::<&str, _>("next_action")? {
        "expand_page" => Command::ExpandPage {
            alert,
            page: rows::unsigned(row, "next_page")?,
        },
        "advance" => Command::Advance {
            alert,
            step: next("step")?,
        },
        "repeat" => Command::Repeat {
            alert,
            // In a hurry the rounds before the loud one are left out.
            round: next(if row.try_get("hurry")? {
                "repeats"
            } else {
                "round"
            })?,
        },
        "review" => Command::Review {
            alert,
            round: next("review")?,
        },
        "expand_call_off" => Command::ExpandCallOff {
            alert,
            page: rows::unsigned(row, "next_page")?,
        },
        _ => return Ok(None), // an action of a newer version; this one cannot lead yet
    };
    Ok(Some(DueAction {
        alert,
        due: rows::time(row, "next_due_ms")?,
        command,
    }))
}

fn called_row(row: &SqliteRow) -> Result<Called, sqlx::Error> {
    Ok(Called {
        alert: AlertId::from_row(row.try_get("alert_id")?)?,
        recipient: RecipientId::from_row(row.try_get("recipient_id")?)?,
        step: rows::unsigned(row, "step")?,
        code: row.try_get("code")?,
        answer: Answer::parse(row.try_get("answer")?),
        answered_at: rows::time_opt(row, "answered_at_ms")?,
        eta_min: row
            .try_get::<Option<i64>, _>("eta_min")?
            .and_then(|minutes| u16::try_from(minutes).ok()),
        answered_from: row.try_get("answered_from")?,
        called_at: rows::time(row, "called_at_ms")?,
        closed_at: rows::time_opt(row, "closed_at_ms")?,
        word: Word::parse(row.try_get("word")?),
        reminded: rows::unsigned(row, "reminded")?,
    })
}

/// Reads a row of `called_person` with a column `more_codes`.
pub(super) fn call_fact(row: &SqliteRow) -> Result<CallFact, sqlx::Error> {
    let call = called_row(row)?;
    let mut codes: BTreeSet<String> = rows::json(row, "more_codes")?;
    codes.insert(call.code);
    let answered = call.answer.zip(call.answered_at);
    Ok(CallFact {
        alert: call.alert,
        recipient: call.recipient,
        called: FirstCall {
            at: call.called_at,
            step: call.step,
            position: rows::unsigned(row, "position")?,
        },
        codes,
        answered: answered.map(|(answer, at)| Answered {
            at,
            from: call.answered_from,
            answer,
            word: call.word,
            eta_min: call.eta_min,
        }),
        reminded: call.reminded,
    })
}
