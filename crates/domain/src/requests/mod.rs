//! Outcomes of outside requests, so that a retry or a second path applies once (DESIGN A7).

mod command;
mod facts;

use sqlx::{Row, SqliteConnection};

pub use self::command::Command;
pub use self::facts::RequestFact;
pub(crate) use self::facts::{WATCH, changed, merge};
use crate::apply::Entry;
use crate::codec;
use crate::envelope::Envelope;
use crate::ids::RequestId;
use crate::outcome::{Outcome, Receipt};
use crate::script::Script;

/// The outcome of an earlier request with the same id: the stored one, or a conflict when its body differs.
pub(crate) async fn earlier_outcome(
    conn: &mut SqliteConnection,
    envelope: &Envelope,
) -> Result<Option<Outcome>, sqlx::Error> {
    let found = sqlx::query("select body, outcome from request where request_id = ?")
        .bind(envelope.request.as_bytes())
        .fetch_optional(conn)
        .await?;
    let Some(row) = found else { return Ok(None) };
    if row.try_get::<&[u8], _>(0)? != envelope.body {
        return Ok(Some(Outcome::Conflict));
    }
    codec::decode(row.try_get::<&[u8], _>(1)?)
        .map(Some)
        .map_err(|e| sqlx::Error::Decode(e.into()))
}

/// Adds a question to `script` that finds a row for each of these requests that is known.
pub(crate) fn find_any(script: &mut Script, requests: &[RequestId]) {
    script.select_in(
        "select 1 from request where request_id in",
        requests.len(),
        " order by 1",
    );
    for request in requests {
        script.bind(request.as_bytes().to_vec());
    }
}

/// Keeps the outcomes of outside requests, one for each entry.
pub(crate) fn remember_all(
    script: &mut Script,
    entries: &[Entry<'_>],
    outcomes: &[Outcome],
) -> Result<(), sqlx::Error> {
    script.insert(
        "insert into request (request_id, body, outcome, applied_at_ms)",
        "(?, ?, ?, ?)",
        entries.len(),
        "",
    );
    for (entry, outcome) in entries.iter().zip(outcomes) {
        let encoded = codec::encode(outcome).map_err(|e| sqlx::Error::Encode(e.into()))?;
        script
            .bind(entry.envelope.request.as_bytes().to_vec())
            .bind(entry.envelope.body.to_vec())
            .bind(encoded)
            .bind(entry.at.0);
    }
    Ok(())
}

pub(crate) async fn apply(
    conn: &mut SqliteConnection,
    _entry: &Entry<'_>,
    command: &Command,
) -> Result<Outcome, sqlx::Error> {
    match command {
        Command::Prune { before } => {
            let done = sqlx::query("delete from request where applied_at_ms < ?")
                .bind(before.0)
                .execute(conn)
                .await?;
            Ok(Outcome::Applied(Receipt::Count(done.rows_affected())))
        }
    }
}

/// When the oldest request that is remembered was applied.
pub(crate) const OLDEST: &str = "(select min(applied_at_ms) from request)";

/// Whether this request was applied before: proposing it again gives its first outcome, whatever has changed since.
pub async fn is_known(
    conn: &mut SqliteConnection,
    request: RequestId,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select exists (select 1 from request where request_id = ?)")
        .bind(request.as_bytes())
        .fetch_one(conn)
        .await
}
