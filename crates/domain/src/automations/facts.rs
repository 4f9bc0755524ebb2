//! What an island tells of automations that fired, and the law by which it is joined.

use serde::{Deserialize, Serialize};
use sqlx::{Row, SqliteConnection};

use crate::alerts;
use crate::facts::Joined;
use crate::ids::AlertId;
use crate::rows;
use crate::time::Timestamp;

/// An automation that fired.
///
/// Law: of two firings of the same one the least stands: the earlier, then by its words. Once fired anywhere it fires
/// nowhere else.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct FiredFact {
    pub alert: AlertId,
    pub number: u16,
    pub at: Timestamp,
    pub cause: String,
    pub did: Vec<String>,
}

impl FiredFact {
    /// The law: the lesser one, whole.
    pub fn join(self, other: Self) -> Self {
        self.min(other)
    }
}

/// Notes automations that fired.
pub(crate) const WATCH: &[&str] = &[
    "create temp trigger if not exists watch_automation after insert on main.automation_fired begin \
     insert into changed_row values ('automation', new.alert_id, new.number); end",
];

/// Automations that fired since the notes were cleared.
pub(crate) async fn changed(conn: &mut SqliteConnection) -> Result<Vec<FiredFact>, sqlx::Error> {
    let found = sqlx::query(
        "select f.* from (select distinct a, b from changed_row where kind = 'automation') r join automation_fired f \
         on f.alert_id = r.a and f.number = r.b order by f.alert_id, f.number",
    )
    .fetch_all(conn)
    .await?;
    found.iter().map(fired).collect()
}

/// Joins one firing.
pub(crate) async fn merge(
    conn: &mut SqliteConnection,
    fact: &FiredFact,
) -> Result<Joined, sqlx::Error> {
    if alerts::find(conn, fact.alert).await?.is_none() {
        return Ok(Joined::Waits(fact.alert.0));
    }
    let ours = sqlx::query("select * from automation_fired where alert_id = ? and number = ?")
        .bind(fact.alert.as_bytes())
        .bind(i64::from(fact.number))
        .fetch_optional(&mut *conn)
        .await?;
    let ours = ours.as_ref().map(fired).transpose()?;
    let joined = match ours.clone() {
        Some(ours) => ours.join(fact.clone()),
        None => fact.clone(),
    };
    let came = Joined::of(ours.as_ref(), &joined);
    if came.moved() {
        sqlx::query(
            "insert into automation_fired (alert_id, number, at_ms, cause, did) values (?1, ?2, ?3, ?4, ?5) \
             on conflict (alert_id, number) do update set at_ms = ?3, cause = ?4, did = ?5",
        )
        .bind(joined.alert.as_bytes())
        .bind(i64::from(joined.number))
        .bind(joined.at.0)
        .bind(&joined.cause)
        .bind(rows::to_json(&joined.did)?)
        .execute(conn)
        .await?;
    }
    Ok(came)
}

fn fired(row: &sqlx::sqlite::SqliteRow) -> Result<FiredFact, sqlx::Error> {
    Ok(FiredFact {
        alert: AlertId::from_row(row.try_get("alert_id")?)?,
        number: rows::unsigned(row, "number")?,
        at: rows::time(row, "at_ms")?,
        cause: row.try_get("cause")?,
        did: rows::json(row, "did")?,
    })
}
