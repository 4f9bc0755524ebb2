//! Applies an entry on an island and reads back, as facts, the rows it changed.

use sqlx::SqliteConnection;

use super::Fact;
use crate::apply::{ApplyError, apply_batch};
use crate::envelope::LogEntry;
use crate::facts::{forget, watch};
use crate::outcome::Outcome;
use crate::{alerts, audit, automations, conversations, deliveries, escalation, inbound, requests};

/// Applies one entry to an island's state, as [`apply_batch`] would, and returns the facts it made.
///
/// The caller holds a transaction and journals the facts durably before committing it: what an island answered or sent
/// must never be only in its disposable copy (DESIGN D3). Entries of the log's tail go through here as well (D2).
pub async fn apply_on_island(
    conn: &mut SqliteConnection,
    entry: &LogEntry,
) -> Result<(Outcome, Vec<Fact>), ApplyError> {
    let fail = |source| ApplyError {
        index: entry.index,
        source,
    };
    watch(conn, &triggers()).await.map_err(fail)?;
    let outcome = apply_batch(conn, std::slice::from_ref(entry))
        .await?
        .pop()
        .unwrap_or(Outcome::Unchanged);
    let facts = collect(conn).await.map_err(fail)?;
    forget(conn).await.map_err(fail)?;
    Ok((outcome, facts))
}

fn triggers() -> Vec<&'static str> {
    [
        audit::WATCH,
        alerts::WATCH,
        alerts::WATCH_ACTS,
        automations::WATCH,
        escalation::WATCH,
        deliveries::WATCH,
        conversations::WATCH,
        inbound::WATCH,
        requests::WATCH,
    ]
    .concat()
}

/// Facts of all rows noted, an alert before what is about it, what fired before the answers it fired for, and how far it came after what that made.
async fn collect(conn: &mut SqliteConnection) -> Result<Vec<Fact>, sqlx::Error> {
    let mut facts = Vec::new();
    let raised = alerts::raised(conn).await?;
    facts.extend(raised.into_iter().map(|fact| Fact::Alert(Box::new(fact))));
    let fired = automations::changed(conn).await?;
    facts.extend(fired.into_iter().map(Fact::Fired));
    let acts = alerts::acts_changed(conn).await?;
    facts.extend(acts.into_iter().map(|fact| Fact::Act(Box::new(fact))));
    facts.extend(escalation::changed(conn).await?.into_iter().map(Fact::Call));
    let marks = escalation::changed_marks(conn).await?;
    facts.extend(marks.into_iter().map(Fact::Mark));
    let owed = deliveries::changed(conn).await?;
    facts.extend(owed.into_iter().map(|fact| Fact::Delivery(Box::new(fact))));
    let tries = deliveries::changed_attempts(conn).await?;
    facts.extend(tries.into_iter().map(|fact| Fact::Attempt(Box::new(fact))));
    let (rooms, talk) = conversations::changed_talk(conn).await?;
    let boxed = |fact| Fact::Talk(Box::new(fact));
    facts.extend(rooms.into_iter().map(boxed));
    let said = conversations::changed(conn).await?;
    facts.extend(said.into_iter().map(Fact::Message));
    facts.extend(talk.into_iter().map(boxed));
    let came = inbound::changed(conn).await?;
    facts.extend(came.into_iter().map(|fact| Fact::Inbound(Box::new(fact))));
    facts.extend(alerts::moved(conn).await?.into_iter().map(Fact::Standing));
    // Before the requests: an entry whose request is known is not joined.
    let audited = audit::changed(conn).await?;
    facts.extend(audited.into_iter().map(|fact| Fact::Audit(Box::new(fact))));
    let asked = requests::changed(conn).await?;
    facts.extend(asked.into_iter().map(Fact::Request));
    Ok(facts)
}
