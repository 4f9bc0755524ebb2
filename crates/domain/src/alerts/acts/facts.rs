//! What an island tells of acts, and the law by which it is joined.

use serde::{Deserialize, Serialize};
use sqlx::SqliteConnection;

use super::{Act, ActRow};
use crate::alerts::query;
use crate::facts::Joined;
use crate::ids::{ActId, AlertId};
use crate::rows;
use crate::time::Timestamp;

/// An act on a running alert.
///
/// Law: all of them; of one that two histories did each by itself, as the same rule makes them, the least stands.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct ActFact {
    pub alert: AlertId,
    pub id: ActId,
    pub at: Timestamp,
    pub by: String,
    pub act: Act,
    pub reason: String,
}

impl ActFact {
    /// The law: the lesser one, whole.
    pub fn join(self, other: Self) -> Self {
        self.min(other)
    }
}

impl From<ActRow> for ActFact {
    fn from(row: ActRow) -> Self {
        Self {
            alert: row.alert,
            id: row.id,
            at: row.at,
            by: row.by,
            act: row.act,
            reason: row.reason,
        }
    }
}

/// Notes acts done.
pub(crate) const WATCH: &[&str] = &[
    "create temp trigger if not exists watch_act after insert on main.alert_act begin \
     insert into changed_row values ('act', new.act_id, 0); end",
];

/// Acts done since the notes were cleared.
pub(crate) async fn changed(conn: &mut SqliteConnection) -> Result<Vec<ActFact>, sqlx::Error> {
    let found = sqlx::query(
        "select t.* from (select distinct a, b from changed_row where kind = 'act') r join alert_act t on t.act_id = r.a \
         order by t.alert_id, t.at_ms, t.act_id",
    )
    .fetch_all(conn)
    .await?;
    let acts = found.iter().map(query::act_row);
    acts.map(|row| row.map(ActFact::from)).collect()
}

/// Joins one act. What follows from it is worked out with everything else that follows for its alert.
pub(crate) async fn merge(
    conn: &mut SqliteConnection,
    fact: &ActFact,
) -> Result<Joined, sqlx::Error> {
    if query::find(conn, fact.alert).await?.is_none() {
        return Ok(Joined::Waits(fact.alert.0));
    }
    let acts = query::acts(conn, fact.alert).await?;
    let ours = acts.into_iter().find(|row| row.id == fact.id);
    let ours = ours.map(ActFact::from);
    let joined = match ours.clone() {
        Some(ours) => ours.join(fact.clone()),
        None => fact.clone(),
    };
    let came = Joined::of(ours.as_ref(), &joined);
    if came.moved() {
        sqlx::query(
            "insert into alert_act (act_id, alert_id, at_ms, by_whom, content, reason) values (?1, ?2, ?3, ?4, ?5, ?6) \
             on conflict (act_id) do update set at_ms = ?3, by_whom = ?4, content = ?5, reason = ?6",
        )
        .bind(joined.id.as_bytes())
        .bind(joined.alert.as_bytes())
        .bind(joined.at.0)
        .bind(&joined.by)
        .bind(rows::to_json(&joined.act)?)
        .bind(&joined.reason)
        .execute(conn)
        .await?;
    }
    Ok(came)
}
