//! The first moment of an island.

use sqlx::SqliteConnection;

use crate::nodes::{self, Fork};
use crate::{automations, deliveries, escalation};

/// Makes a copy of the cluster's state an island's: other nodes are out of reach, what they were about to do waits a
/// while and is marked as a possible repeat, this node's own work stays due (DESIGN D5).
///
/// Done once, on the copy, before anything is applied to it. On a state that is an island's already it changes nothing.
pub async fn enter(conn: &mut SqliteConnection, fork: &Fork) -> Result<(), sqlx::Error> {
    if nodes::fork(conn).await?.is_some() {
        return Ok(());
    }
    nodes::enter(conn, fork).await?;
    deliveries::hold_others(conn, fork).await?;
    escalation::hold(conn, fork).await?;
    automations::hold(conn, fork).await
}
