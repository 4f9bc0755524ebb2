//! What acts on a running alert do to what is owed about it.

use sqlx::SqliteConnection;

use super::Lane;
use super::apply::withdraw;
use crate::apply::Entry;
use crate::ids::{AlertId, RecipientId};

/// Somebody is not called any more: what waits for them is cancelled, no answer is awaited.
pub(crate) async fn leave_out(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    alert: AlertId,
    recipient: RecipientId,
) -> Result<(), sqlx::Error> {
    withdraw(conn, alert, Some(recipient)).await?;
    sqlx::query(
        "update delivery set awaiting = 0, \
         ended_at_ms = case when state in ('standby', 'pending', 'assigned') then ?1 else ended_at_ms end, \
         reason = case when state in ('standby', 'pending', 'assigned') then 'withdrawn' else reason end, \
         state = case when state in ('standby', 'pending', 'assigned') then 'cancelled' else state end \
         where alert_id = ?2 and recipient_id = ?3 and purpose in ('page', 'wake', 'reminder') \
         and (awaiting = 1 or state in ('standby', 'pending', 'assigned'))",
    )
    .bind(entry.at.0)
    .bind(alert.as_bytes())
    .bind(recipient.as_bytes())
    .execute(conn)
    .await?;
    Ok(())
}

/// Gives an alert's pages another weight. `at_once`: what stands by for an earlier contact method leaves now.
pub(crate) async fn weigh(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    alert: AlertId,
    lane: Lane,
    critical: bool,
    at_once: bool,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update delivery set lane = ?1, critical = ?2 where alert_id = ?3 and purpose = 'page' \
         and (lane <> ?1 or critical <> ?2)",
    )
    .bind(lane.rank())
    .bind(critical)
    .bind(alert.as_bytes())
    .execute(&mut *conn)
    .await?;
    if at_once {
        sqlx::query(
            "update delivery set state = 'pending', wanted_since_ms = ?1, due_at_ms = ?1 \
             where alert_id = ?2 and purpose = 'page' and state = 'standby'",
        )
        .bind(entry.at.0)
        .bind(alert.as_bytes())
        .execute(conn)
        .await?;
    }
    Ok(())
}
