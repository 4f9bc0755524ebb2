//! Writes to `setup`.

use sqlx::SqliteConnection;

use super::{Command, query};
use crate::apply::Entry;
use crate::outcome::{Outcome, Receipt, Refusal};

pub(crate) async fn apply(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    command: &Command,
) -> Result<Outcome, sqlx::Error> {
    match command {
        Command::Finish => finish(conn, entry).await,
    }
}

async fn finish(conn: &mut SqliteConnection, entry: &Entry<'_>) -> Result<Outcome, sqlx::Error> {
    if query::finished(conn).await?.is_some() {
        return Ok(Outcome::Unchanged);
    }
    let states = query::look(conn, entry.at).await?;
    let open: Vec<&str> = states
        .iter()
        .filter(|state| state.step.is_needed() && !state.is_done())
        .map(|state| state.step.name())
        .collect();
    if !open.is_empty() {
        let text = format!(
            "setup cannot be finished yet: {} are missing",
            open.join(", ")
        );
        return Ok(Outcome::Refused(Refusal::NotNow(text)));
    }
    sqlx::query("insert into setup (id, finished_at_ms, finished_by) values (1, ?, ?)")
        .bind(entry.at.0)
        .bind(entry.envelope.actor.label())
        .execute(conn)
        .await?;
    Ok(Outcome::Applied(Receipt::None))
}
