//! What holds for an alert because of all its acts, in order.

use std::collections::BTreeMap;
use std::time::Duration;

use sqlx::SqliteConnection;

use super::{Act, ActRow};
use crate::alerts::query;
use crate::apply::Entry;
use crate::escalation::{self, Standing};
use crate::ids::AlertId;
use crate::time::Timestamp;
use crate::vocabulary::Severity;

/// Works out what holds and writes it. The same acts come to the same in every history.
pub(in crate::alerts) async fn settle(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    alert: AlertId,
) -> Result<(), sqlx::Error> {
    let acts = query::acts(conn, alert).await?;
    if acts.is_empty() {
        return Ok(());
    }
    let standing = standing(&acts);
    if let Some((severity, _)) = standing.severity {
        sqlx::query("update alert set severity = ?1 where alert_id = ?2 and severity <> ?1")
            .bind(severity.rank())
            .bind(alert.as_bytes())
            .execute(&mut *conn)
            .await?;
    }
    escalation::stand(conn, entry, alert, &standing).await
}

fn standing(acts: &[ActRow]) -> Standing {
    let mut left_out = BTreeMap::new();
    let mut paused_until = Timestamp(0);
    let mut severity = None;
    let mut urgent = false;
    for row in acts {
        match &row.act {
            Act::Add { people, .. } => left_out.retain(|id, _| !people.contains(id)),
            Act::Withdraw { person } => _ = left_out.insert(*person, row.at),
            Act::Pause { for_ms } => paused_until = row.at + Duration::from_millis(*for_ms),
            Act::Resume => paused_until = Timestamp(0),
            Act::Severity { severity: to } => {
                urgent |= *to >= Severity::High;
                severity = Some((*to, urgent));
            }
            Act::NextStep | Act::Update { .. } | Act::Role { .. } => {}
        }
    }
    Standing {
        left_out,
        paused_until,
        severity,
    }
}
