//! The way to `domain::islands`: facts go in and out encoded, as the journal keeps and peers send them.

use domain::islands::{self, Fact};
use domain::nodes::Fork as Mark;
use domain::{ApplyError, Command, LogEntry, NodeId, Outcome, Refusal, Timestamp, codec};
use sqlx::SqliteConnection;

use crate::store::island_journal::JournalRow;

/// Facts in one command, and about how many bytes of them: less than the domain's own bound.
pub(super) const MERGE_FACTS_MAX: u32 = 128;
pub(super) const MERGE_BYTES_MAX: usize = 128 * 1024;

/// The fork cannot go on; it is made anew from state and journal.
#[derive(Debug, thiserror::Error)]
pub(super) enum LawError {
    #[error(transparent)]
    Apply(#[from] ApplyError),
    #[error("the fork's database failed")]
    Database(#[from] sqlx::Error),
    #[error("cannot encode a fact")]
    Encode(#[from] codec::CodecError),
}

/// Makes a copy of the state this node's own.
pub(super) async fn enter(conn: &mut SqliteConnection, mark: &Mark) -> Result<(), LawError> {
    Ok(islands::enter(conn, mark).await?)
}

/// Whether a node may decide this by itself.
pub(super) fn safe(command: &Command) -> Result<(), Refusal> {
    islands::safe(command)
}

/// Applies one entry to the fork and answers with the facts it made, encoded.
pub(super) async fn apply(
    conn: &mut SqliteConnection,
    entry: &LogEntry,
) -> Result<(Outcome, Vec<Vec<u8>>), LawError> {
    let (outcome, facts) = islands::apply_on_island(conn, entry).await?;
    let encoded = facts.iter().map(codec::encode).collect::<Result<_, _>>()?;
    Ok((outcome, encoded))
}

/// Joins journalled facts into the fork. Ones this version cannot read are passed over: the journal keeps them.
pub(super) async fn adopt(
    conn: &mut SqliteConnection,
    at: Timestamp,
    rows: &[JournalRow],
) -> Result<(), LawError> {
    for of_one in rows.chunk_by(|a, b| a.origin == b.origin) {
        let read = |row: &JournalRow| codec::decode(&row.fact).ok();
        let facts: Vec<Fact> = of_one.iter().filter_map(read).collect();
        if facts.len() < of_one.len() {
            let unreadable = of_one.len() - facts.len();
            tracing::warn!(unreadable, "journal entries this version cannot read");
        }
        islands::apply_facts(conn, at, of_one[0].origin, &facts).await?;
    }
    Ok(())
}

/// The command that hands facts over, and the rows no version of this program wrote.
pub(super) fn merge(origin: NodeId, rows: &[JournalRow]) -> (Command, Vec<JournalRow>) {
    let (mut facts, mut unreadable) = (Vec::new(), Vec::new());
    for row in rows {
        match codec::decode::<Fact>(&row.fact) {
            Ok(fact) => facts.push(fact),
            Err(_) => unreadable.push(row.clone()),
        }
    }
    let merge = islands::Command::Merge { origin, facts };
    (Command::Islands(merge), unreadable)
}
