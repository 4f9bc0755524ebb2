//! Applies committed entries. The same entries give the same rows on every node.

mod audited;

use sqlx::{Row, SqliteConnection};

use crate::envelope::{Actor, Envelope, LeaderStamp, LogEntry};
use crate::outcome::{Outcome, Refusal};
use crate::script::Script;
use crate::time::Timestamp;
use crate::{
    Command, access, alerts, approvals, audit, automations, bridge, conversations, deliveries,
    documents, escalation, files, inbound, islands, limits, nodes, oncall, passes, permits,
    recipients, reports, requests, setup, sources, templates, units, waking, zones,
};

/// This node's disk or memory failed under apply: stop the node. Nothing a command can say leads here (DESIGN A6).
#[derive(Debug, thiserror::Error)]
#[error("cannot apply log entry {index}: this node's state database failed; check its disk")]
pub struct ApplyError {
    pub index: u64,
    #[source]
    pub source: sqlx::Error,
}

/// What apply may know of the entry it works on.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    pub index: u64,
    /// The greater of the entry's stamp and every earlier one (DESIGN A10): `now` of this entry.
    pub at: Timestamp,
    pub leader: LeaderStamp,
    pub envelope: &'a Envelope,
}

impl Entry<'_> {
    /// 64 bits of chance for one use, the same on every node.
    pub fn chance(&self, parts: &[&[u8]]) -> u64 {
        let mut all: Vec<&[u8]> = vec![&self.envelope.seed];
        all.extend_from_slice(parts);
        let digest = crate::ids::digest16("chance", &all);
        u64::from_be_bytes(digest[..8].try_into().expect("a digest of 16 bytes has 8"))
    }
}

/// Applies `entries` in order inside the caller's transaction and returns one outcome for each.
///
/// A failure that a command provoked is rolled back and becomes [`Outcome::Defect`] with a row in `defect`; only a
/// failing disk or memory is an error.
pub async fn apply_batch(
    conn: &mut SqliteConnection,
    entries: &[LogEntry],
) -> Result<Vec<Outcome>, ApplyError> {
    let Some(first) = entries.first() else {
        return Ok(Vec::new());
    };
    let fail = |source| ApplyError {
        index: first.index,
        source,
    };
    let (start, chain) = begin_batch(conn).await.map_err(fail)?;
    let outcomes = match apply_all(conn, entries, start, chain.clone()).await {
        Ok(outcomes) => outcomes,
        Err((index, source)) if is_fatal(&source) => return Err(ApplyError { index, source }),
        Err(_) => {
            sqlx::query("rollback to batch")
                .execute(&mut *conn)
                .await
                .map_err(fail)?;
            apply_guarded(conn, entries, start, chain).await?
        }
    };
    let last = entries
        .iter()
        .map(|e| e.envelope.issued_at)
        .max()
        .unwrap_or(start)
        .max(start);
    let mut script = Script::default();
    script
        .add("update stamp set stamp_ms = ? where id = 1")
        .bind(last.0);
    script.add("release batch");
    script.execute(conn).await.map_err(fail)?;
    Ok(outcomes)
}

/// Opens the batch's savepoint and reads the stamp it starts from, and where the audit's chain stands.
async fn begin_batch(
    conn: &mut SqliteConnection,
) -> Result<(Timestamp, audit::Chain), sqlx::Error> {
    let mut script = Script::default();
    script.add("savepoint batch");
    script.add(audit::READ);
    let rows = script.fetch(conn).await?;
    let row = rows.first().ok_or(sqlx::Error::RowNotFound)?;
    Ok((Timestamp(row.try_get(0)?), audit::Chain::read(row)?))
}

/// The statement behind [`stamp_of_last`], for those who ask for more in the same go.
pub const STAMP_OF_LAST: &str = "select stamp_ms from stamp where id = 1";

/// Stamp of the last applied entry: cluster time of the state as it stands. Zero before the first.
pub async fn stamp_of_last(conn: &mut SqliteConnection) -> Result<Timestamp, sqlx::Error> {
    sqlx::query_scalar(STAMP_OF_LAST)
        .fetch_one(conn)
        .await
        .map(Timestamp)
}

async fn apply_all(
    conn: &mut SqliteConnection,
    entries: &[LogEntry],
    mut at: Timestamp,
    mut chain: audit::Chain,
) -> Result<Vec<Outcome>, (u64, sqlx::Error)> {
    let mut outcomes = Vec::with_capacity(entries.len());
    let mut singly = 0; // entries before this one were found not to go together
    while let Some(entry) = entries.get(outcomes.len()) {
        let fail = |source| (entry.index, source);
        let raises = match outcomes.len() < singly {
            true => Vec::new(),
            false => raises_together(&entries[outcomes.len()..], at),
        };
        if !raises.is_empty()
            && let Some(made) = alerts::raise_together(conn, &raises).await.map_err(fail)?
        {
            audit_raises(conn, &mut chain, &raises, &made)
                .await
                .map_err(fail)?;
            let applied = &entries[outcomes.len()..][..made.len()];
            at = applied
                .iter()
                .map(|e| e.envelope.issued_at)
                .fold(at, Timestamp::max);
            outcomes.extend(made);
            continue;
        }
        singly = singly.max(outcomes.len() + raises.len());
        at = at.max(entry.envelope.issued_at);
        outcomes.push(apply_one(conn, entry, at, &mut chain).await.map_err(fail)?);
    }
    Ok(outcomes)
}

/// Writes what the audit holds of raises that were applied together.
async fn audit_raises(
    conn: &mut SqliteConnection,
    chain: &mut audit::Chain,
    raises: &[(Entry<'_>, &alerts::Raise)],
    outcomes: &[Outcome],
) -> Result<(), sqlx::Error> {
    let mut drafts = Vec::with_capacity(raises.len());
    for ((entry, _), outcome) in raises.iter().zip(outcomes) {
        let of_entry = audited::drafts(entry, outcome);
        drafts.extend(of_entry.into_iter().map(|draft| (*entry, draft)));
    }
    let mut script = Script::default();
    chain.append(&mut script, &drafts);
    script.execute(conn).await
}

/// The raises from outside at the front of `entries` that are applied together: as many as make a round number.
fn raises_together(entries: &[LogEntry], mut at: Timestamp) -> Vec<(Entry<'_>, &alerts::Raise)> {
    let mut raises = Vec::new();
    for entry in entries.iter().take(alerts::TOGETHER_MAX) {
        let envelope = &entry.envelope;
        let Some(raise) = alerts::as_raise(&envelope.command) else {
            break;
        };
        // Somebody's account may be limited to a unit.
        let by_account = matches!(envelope.actor, Actor::Account { .. });
        if !is_outside(&envelope.actor) || by_account || envelope.decided_under.is_some() {
            break;
        }
        at = at.max(envelope.issued_at);
        raises.push((in_context(entry, at), raise));
    }
    raises.truncate(alerts::together(raises.len()));
    raises
}

fn is_outside(actor: &Actor) -> bool {
    matches!(
        actor,
        Actor::ApiKey { .. } | Actor::Operator { .. } | Actor::Mail { .. } | Actor::Account { .. }
    )
}

/// The slow path after a failure: each entry in a savepoint of its own, so that only the poisonous one is refused.
async fn apply_guarded(
    conn: &mut SqliteConnection,
    entries: &[LogEntry],
    mut at: Timestamp,
    mut chain: audit::Chain,
) -> Result<Vec<Outcome>, ApplyError> {
    let mut outcomes = Vec::with_capacity(entries.len());
    for entry in entries {
        let index = entry.index;
        let fail = |source| ApplyError { index, source };
        at = at.max(entry.envelope.issued_at);
        sqlx::query("savepoint entry")
            .execute(&mut *conn)
            .await
            .map_err(fail)?;
        let before = chain.clone();
        match apply_one(conn, entry, at, &mut chain).await {
            Ok(outcome) => outcomes.push(outcome),
            Err(source) if is_fatal(&source) => return Err(ApplyError { index, source }),
            Err(source) => {
                sqlx::query("rollback to entry")
                    .execute(&mut *conn)
                    .await
                    .map_err(fail)?;
                chain = before;
                let outcome = note_defect(conn, entry, at, &source).await.map_err(fail)?;
                let context = in_context(entry, at);
                close(conn, &context, &outcome, false, &mut chain)
                    .await
                    .map_err(fail)?;
                outcomes.push(outcome);
            }
        }
        sqlx::query("release entry")
            .execute(&mut *conn)
            .await
            .map_err(fail)?;
    }
    Ok(outcomes)
}

fn in_context(entry: &LogEntry, at: Timestamp) -> Entry<'_> {
    Entry {
        index: entry.index,
        at,
        leader: entry.leader,
        envelope: &entry.envelope,
    }
}

async fn apply_one(
    conn: &mut SqliteConnection,
    entry: &LogEntry,
    at: Timestamp,
    chain: &mut audit::Chain,
) -> Result<Outcome, sqlx::Error> {
    let context = in_context(entry, at);
    let envelope = &entry.envelope;
    if envelope
        .decided_under
        .is_some_and(|decided| decided != entry.leader)
    {
        return Ok(Outcome::Refused(Refusal::StaleLeadership));
    }
    let outside = is_outside(&envelope.actor);
    if outside && let Some(outcome) = requests::earlier_outcome(conn, envelope).await? {
        // A repeat is in the audit already; another matter under the same id is not.
        if outcome == Outcome::Conflict {
            close(conn, &context, &outcome, false, chain).await?;
        }
        return Ok(outcome);
    }
    if outside && let Some(refusal) = Box::pin(refusal(conn, &context)).await? {
        let outcome = Outcome::Refused(refusal);
        close(conn, &context, &outcome, outside, chain).await?;
        return Ok(outcome);
    }
    let takes_two = outside && Box::pin(permits::takes_two(conn, &context)).await?;
    // Those that call many others are kept apart, so that the future of a plain raise stays small.
    let outcome = match &envelope.command {
        Command::Requests(command) => requests::apply(conn, &context, command).await,
        Command::Nodes(command) => nodes::apply(conn, &context, command).await,
        Command::Access(command) => access::apply(conn, &context, command).await,
        Command::Recipients(command) if outside => {
            Box::pin(passes::change_people(conn, &context, command)).await
        }
        Command::Recipients(command) => recipients::apply(conn, &context, command).await,
        Command::Deliveries(command) => deliveries::apply(conn, &context, command).await,
        Command::Conversations(command) => conversations::apply(conn, &context, command).await,
        Command::Escalation(command) => escalation::apply(conn, &context, command).await,
        Command::Alerts(alerts::Command::Raise(new)) if outside => {
            approvals::raise(conn, &context, new).await
        }
        Command::Alerts(command) => alerts::apply(conn, &context, command).await,
        Command::Inbound(command) => Box::pin(inbound::apply(conn, &context, command)).await,
        Command::Islands(command) => Box::pin(islands::apply(conn, &context, command)).await,
        Command::Sources(command) => Box::pin(sources::apply(conn, &context, command)).await,
        Command::Reports(command) => Box::pin(reports::apply(conn, &context, command)).await,
        Command::Zones(command) => zones::apply(conn, &context, command).await,
        Command::Oncall(command) => oncall::apply(conn, &context, command).await,
        Command::Templates(command) => templates::apply(conn, &context, command).await,
        Command::Limits(command) => limits::apply(conn, &context, command).await,
        Command::Approvals(command) => Box::pin(approvals::apply(conn, &context, command)).await,
        Command::Waking(command) => Box::pin(waking::apply(conn, &context, command)).await,
        Command::Automations(command) => {
            Box::pin(automations::apply(conn, &context, command)).await
        }
        Command::Audit(command) => audit::apply(conn, &context, command).await,
        Command::Passes(command) => Box::pin(passes::apply(conn, &context, command)).await,
        Command::Bridge(command) => Box::pin(bridge::apply(conn, &context, command)).await,
        Command::Files(command) => Box::pin(files::apply(conn, &context, command)).await,
        Command::Documents(command) => Box::pin(documents::apply(conn, &context, command)).await,
        Command::Units(command) => Box::pin(units::apply(conn, &context, command)).await,
        Command::Permits(command) => Box::pin(permits::apply(conn, &context, command)).await,
        Command::Setup(command) => Box::pin(setup::apply(conn, &context, command)).await,
        #[cfg(feature = "next-level")]
        Command::Next(command) => crate::next::apply(conn, command).await,
    }?;
    if outside && matches!(outcome, Outcome::Applied(_)) {
        units::settle(conn, &context).await?;
        if takes_two {
            permits::settle(conn, &context).await?;
        }
    }
    if stirs(&envelope.command) {
        automations::follow(conn, &context).await?;
    }
    close(conn, &context, &outcome, outside, chain).await?;
    Ok(outcome)
}

/// Why whoever asks may not ask for this: it is beyond their unit, or takes two.
async fn refusal(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
) -> Result<Option<Refusal>, sqlx::Error> {
    match units::check(conn, entry).await? {
        Some(refusal) => Ok(Some(refusal)),
        None => permits::check(conn, entry).await,
    }
}

/// Keeps what became of an entry: its outcome for a repeat, if it came from outside, and what the audit holds of it.
async fn close(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    outcome: &Outcome,
    remember: bool,
    chain: &mut audit::Chain,
) -> Result<(), sqlx::Error> {
    let command = &entry.envelope.command;
    if let (Command::Nodes(nodes::Command::Recover(recover)), Outcome::Applied(_)) =
        (command, outcome)
    {
        chain.enter(recover.epoch);
    }
    let mut drafts = audited::drafts(entry, outcome);
    if let (Command::Inbound(inbound::Command::Receive(text)), [draft]) =
        (command, drafts.as_mut_slice())
    {
        audited::add_fate(conn, draft, text).await?;
    }
    let drafts: Vec<_> = drafts.into_iter().map(|draft| (*entry, draft)).collect();
    let mut script = Script::default();
    if remember {
        requests::remember_all(&mut script, &[*entry], std::slice::from_ref(outcome))?;
    }
    chain.append(&mut script, &drafts);
    script.execute(&mut *conn).await?;
    if matches!(command, Command::Islands(_)) {
        chain.bring_home(conn).await?;
    }
    Ok(())
}

/// Whether an entry may raise an alert from a template or change an answer, so that automations look at once. What
/// islands tell is joined first; the scheduler looks then.
fn stirs(command: &Command) -> bool {
    matches!(
        command,
        Command::Alerts(_) | Command::Inbound(_) | Command::Reports(_)
    )
}

async fn note_defect(
    conn: &mut SqliteConnection,
    entry: &LogEntry,
    at: Timestamp,
    source: &sqlx::Error,
) -> Result<Outcome, sqlx::Error> {
    let code = defect_code(source);
    sqlx::query("insert into defect (log_index, request_id, code, at_ms) values (?, ?, ?, ?)")
        .bind(entry.index.cast_signed())
        .bind(entry.envelope.request.as_bytes())
        .bind(&code)
        .bind(at.0)
        .execute(conn)
        .await?;
    Ok(Outcome::Defect(code))
}

/// A short code that is the same on every node: SQLite's extended result code, or the kind of conversion that failed.
fn defect_code(source: &sqlx::Error) -> String {
    match source
        .as_database_error()
        .and_then(|e| e.code().map(|c| c.into_owned()))
    {
        Some(code) => format!("sqlite-{code}"),
        None => "conversion".to_owned(),
    }
}

/// Failures of this node's own disk or memory, as opposed to those a command can provoke.
pub(crate) fn is_fatal(error: &sqlx::Error) -> bool {
    const NOMEM: i32 = 7;
    const IOERR: i32 = 10;
    const CORRUPT: i32 = 11;
    const FULL: i32 = 13;
    const NOTADB: i32 = 26;
    if matches!(
        error,
        sqlx::Error::RowNotFound
            | sqlx::Error::ColumnDecode { .. }
            | sqlx::Error::Decode(_)
            | sqlx::Error::Encode(_)
    ) {
        return false;
    }
    match error.as_database_error() {
        Some(database) => {
            let code = database
                .code()
                .and_then(|c| c.parse::<i32>().ok())
                .unwrap_or(IOERR);
            matches!(code & 0xff, NOMEM | IOERR | CORRUPT | FULL | NOTADB)
        }
        None => true,
    }
}

/// The log's poisonous entries, for people: index, code and time of each, newest first.
pub async fn defects(
    conn: &mut SqliteConnection,
) -> Result<Vec<(u64, String, Timestamp)>, sqlx::Error> {
    let rows =
        sqlx::query("select log_index, code, at_ms from defect order by log_index desc limit 100")
            .fetch_all(conn)
            .await?;
    rows.iter()
        .map(|row| {
            Ok((
                row.try_get::<i64, _>(0)?.cast_unsigned(),
                row.try_get(1)?,
                Timestamp(row.try_get(2)?),
            ))
        })
        .collect()
}

#[cfg(test)]
mod tests;
