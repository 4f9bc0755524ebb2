//! Writes to `audit_mark`, `audit_checkpoint` and `audit_details`; entries themselves are [`super::Chain`]'s.

use sqlx::SqliteConnection;

use super::command::{Command, Event, Seal};
use super::query;
use super::rules::{EVENTS_MAX, WORD_MAX};
use crate::apply::Entry;
use crate::nodes;
use crate::outcome::{Outcome, Receipt, Refusal};

/// One checkpoint of a node is kept for each such time.
const KEPT_EACH_MS: i64 = 3_600_000;

pub(crate) async fn apply(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    command: &Command,
) -> Result<Outcome, sqlx::Error> {
    match command {
        Command::Note { events, .. } => Ok(note(events)),
        Command::Mark => mark(conn, entry).await,
        Command::Seal(seal) => keep(conn, entry, seal).await,
        Command::SetKey { node, key } => nodes::set_audit_key(conn, *node, key).await,
        Command::Erase { seq, reason } => erase(conn, *seq, reason).await,
    }
}

/// The entries themselves are made of every applied command alike.
fn note(events: &[Event]) -> Outcome {
    let long = |word: &str| word.chars().count() > WORD_MAX;
    let too_much = |event: &Event| {
        event.details.len() > 8
            || [&event.actor, &event.assurance, &event.object]
                .into_iter()
                .any(|word| long(word))
            || event
                .details
                .iter()
                .any(|(name, value)| long(name) || long(value))
    };
    if events.len() > EVENTS_MAX || events.iter().any(too_much) {
        let problem = format!("a note holds at most {EVENTS_MAX} events of short words");
        return Outcome::Refused(Refusal::Invalid(problem));
    }
    Outcome::Applied(Receipt::Count(events.len() as u64))
}

async fn mark(conn: &mut SqliteConnection, entry: &Entry<'_>) -> Result<Outcome, sqlx::Error> {
    let done = sqlx::query(
        "insert into audit_mark (id, seq, at_ms) select 1, (select max(seq) from audit), ? where exists (select 1 from audit) \
         on conflict (id) do update set seq = excluded.seq, at_ms = excluded.at_ms where excluded.seq > seq",
    )
    .bind(entry.at.0)
    .execute(conn)
    .await?;
    Ok(match done.rows_affected() {
        0 => Outcome::Unchanged,
        _ => Outcome::Applied(Receipt::None),
    })
}

/// Keeps what a node signed, also when it signed another history than ours: that is what shows it.
async fn keep(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    seal: &Seal,
) -> Result<Outcome, sqlx::Error> {
    let invalid = |problem: &str| Ok(Outcome::Refused(Refusal::Invalid(problem.to_owned())));
    let Some(key) = nodes::audit_key(conn, seal.node).await? else {
        return invalid("the node is no member, or has not said what it signs with");
    };
    let Some(cluster) = nodes::cluster(conn).await? else {
        return invalid("there is no cluster yet");
    };
    let checkpoint = query::checkpoint_of(&cluster.cluster_id, seal);
    if !checkpoint.is_signed_by(&key) {
        return invalid("the signature is not of this node's key");
    }
    if seal.epoch != cluster.epoch {
        return Ok(Outcome::Unchanged); // signed before a recovery that nobody could know of
    }
    let done = sqlx::query(
        "insert into audit_checkpoint (node_id, epoch, hour, seq, head, signature, at_ms) values (?, ?, ?, ?, ?, ?, ?) \
         on conflict (node_id, epoch, hour) do update set seq = excluded.seq, head = excluded.head, \
         signature = excluded.signature, at_ms = excluded.at_ms where excluded.seq > seq",
    )
    .bind(seal.node.0.cast_signed())
    .bind(i64::from(seal.epoch))
    .bind(entry.at.0.div_euclid(KEPT_EACH_MS))
    .bind(seal.seq.cast_signed())
    .bind(seal.head.as_slice())
    .bind(seal.signature.as_slice())
    .bind(entry.at.0)
    .execute(conn)
    .await?;
    Ok(match done.rows_affected() {
        0 => Outcome::Unchanged,
        _ => Outcome::Applied(Receipt::None),
    })
}

async fn erase(
    conn: &mut SqliteConnection,
    seq: u64,
    reason: &str,
) -> Result<Outcome, sqlx::Error> {
    if reason.trim().is_empty() || reason.chars().count() > WORD_MAX {
        let problem = format!("say why, in 1 to {WORD_MAX} characters");
        return Ok(Outcome::Refused(Refusal::Invalid(problem)));
    }
    if !query::is_known(conn, seq).await? {
        let problem = "there is no such entry".to_owned();
        return Ok(Outcome::Refused(Refusal::NoSuch(problem)));
    }
    let done = sqlx::query("delete from audit_details where seq = ?")
        .bind(seq.cast_signed())
        .execute(conn)
        .await?;
    Ok(match done.rows_affected() {
        0 => Outcome::Unchanged,
        _ => Outcome::Applied(Receipt::None),
    })
}
