//! Reads of automations.

use std::collections::BTreeMap;

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use crate::ids::{AlertId, RecipientId};
use crate::rows;
use crate::time::Timestamp;
use crate::vocabulary::Automation;

/// An automation of an alert, as people see it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AutomationRow {
    /// Place in the template, from 1.
    pub number: u16,
    pub automation: Automation,
    pub state: State,
    /// When it is looked at, if it waits for a time.
    pub due: Option<Timestamp>,
}

/// Where an automation stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum State {
    Waiting,
    Fired {
        at: Timestamp,
        /// Why.
        cause: String,
        /// What it did, a sentence for each effect.
        did: Vec<String>,
    },
    /// What it waited for cannot happen any more.
    Over,
}

/// An alert whose automations are to be looked at.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Due {
    pub alert: AlertId,
    /// Since when; `None`: answers changed.
    pub at: Option<Timestamp>,
}

/// An automation that waits.
pub(super) struct Watch {
    pub(super) number: u16,
    pub(super) automation: Automation,
    /// Whose answers count; `None`: everyone's.
    pub(super) among: Option<Vec<RecipientId>>,
    pub(super) due: Option<Timestamp>,
}

/// The automations of an alert, in order.
pub async fn of_alert(
    conn: &mut SqliteConnection,
    alert: AlertId,
) -> Result<Vec<AutomationRow>, sqlx::Error> {
    let fired: BTreeMap<u16, State> = sqlx::query(
        "select number, at_ms, cause, did from automation_fired where alert_id = ? order by number",
    )
    .bind(alert.as_bytes())
    .fetch_all(&mut *conn)
    .await?
    .iter()
    .map(|row| {
        let state = State::Fired {
            at: rows::time(row, "at_ms")?,
            cause: row.try_get("cause")?,
            did: rows::json(row, "did")?,
        };
        Ok((rows::unsigned(row, "number")?, state))
    })
    .collect::<Result<_, sqlx::Error>>()?;
    let found = sqlx::query(
        "select a.number, a.rule, a.due_ms, a.over, l.state = 'open' as open from automation a \
         join alert l on l.alert_id = a.alert_id where a.alert_id = ? order by a.number",
    )
    .bind(alert.as_bytes())
    .fetch_all(conn)
    .await?;
    found
        .iter()
        .map(|row| {
            let number = rows::unsigned(row, "number")?;
            let waits = !row.try_get::<bool, _>("over")? && row.try_get("open")?;
            let state = match fired.get(&number) {
                Some(fired) => fired.clone(),
                None if waits => State::Waiting,
                None => State::Over,
            };
            Ok(AutomationRow {
                number,
                automation: rows::json(row, "rule")?,
                due: rows::time_opt(row, "due_ms")?.filter(|_| state == State::Waiting),
                state,
            })
        })
        .collect()
}

/// Alerts whose automations are to be looked at by `now`: new ones, those whose answers changed, those whose time came.
pub async fn due(
    conn: &mut SqliteConnection,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<Due>, sqlx::Error> {
    let mut all: Vec<Due> = stirred(conn, limit)
        .await?
        .into_iter()
        .map(|alert| Due { alert, at: None })
        .collect();
    let timed = sqlx::query(
        "select a.alert_id, min(a.due_ms) as due_ms from automation a join alert l on l.alert_id = a.alert_id \
         where a.over = 0 and a.due_ms <= ? and l.state = 'open' group by a.alert_id order by 2, 1 limit ?",
    )
    .bind(now.0)
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    for row in &timed {
        let alert = AlertId::from_row(row.try_get("alert_id")?)?;
        if all.iter().all(|due| due.alert != alert) {
            let at = Some(rows::time(row, "due_ms")?);
            all.push(Due { alert, at });
        }
    }
    all.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(all)
}

/// When the next automation of an open alert is due.
pub(crate) const NEXT_DUE: &str = "(select min(a.due_ms) from automation a join alert l on l.alert_id = a.alert_id \
     where a.over = 0 and a.due_ms is not null and l.state = 'open')";

/// Whether something happened that automations wait for.
pub(crate) const STIRRED: &str = "(exists (select 1 from alert_template where unread = 1) \
     or exists (select 1 from automation a join escalation e on e.alert_id = a.alert_id \
      where a.over = 0 and e.stirred = 1))";

/// Alerts whose automations are not taken up yet, and those with waiting ones whose answers changed.
pub(super) async fn stirred(
    conn: &mut SqliteConnection,
    limit: u32,
) -> Result<Vec<AlertId>, sqlx::Error> {
    let found: Vec<Vec<u8>> = sqlx::query_scalar(
        "select alert_id from alert_template where unread = 1 \
         union select a.alert_id from automation a join escalation e on e.alert_id = a.alert_id \
         where a.over = 0 and e.stirred = 1 order by 1 limit ?",
    )
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    AlertId::from_rows(&found)
}

/// Whether an alert's automations are not taken up yet.
pub(super) async fn is_unread(
    conn: &mut SqliteConnection,
    alert: AlertId,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "select exists (select 1 from alert_template where alert_id = ? and unread = 1)",
    )
    .bind(alert.as_bytes())
    .fetch_one(conn)
    .await
}

/// Automations of an alert that wait, in order.
pub(super) async fn waiting(
    conn: &mut SqliteConnection,
    alert: AlertId,
) -> Result<Vec<Watch>, sqlx::Error> {
    let found = sqlx::query(
        "select number, rule, among, due_ms from automation where alert_id = ? and over = 0 order by number",
    )
    .bind(alert.as_bytes())
    .fetch_all(conn)
    .await?;
    found.iter().map(watch).collect()
}

fn watch(row: &SqliteRow) -> Result<Watch, sqlx::Error> {
    Ok(Watch {
        number: rows::unsigned(row, "number")?,
        automation: rows::json(row, "rule")?,
        among: rows::json(row, "among")?,
        due: rows::time_opt(row, "due_ms")?,
    })
}

/// Whether an automation has fired, here or in a history that was joined.
pub(super) async fn has_fired(
    conn: &mut SqliteConnection,
    alert: AlertId,
    number: u16,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "select exists (select 1 from automation_fired where alert_id = ? and number = ?)",
    )
    .bind(alert.as_bytes())
    .bind(i64::from(number))
    .fetch_one(conn)
    .await
}
