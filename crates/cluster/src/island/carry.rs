//! Carrying a journal by hand: what a person at the command line can see, take out and bring in (DESIGN D7).

use std::path::{Path, PathBuf};
use std::time::Duration;

use domain::ports::{
    Freshness, JournalStatus, Proposal, ProposeError, ReadError, RefusedEntry, Replica as _,
};
use domain::{NodeId, Outcome, RequestId, Timestamp, islands, nodes};
use sqlx::{ConnectOptions as _, Connection as _};

use super::export::{ExportError, Exported, ImportError, open_export, write_export};
use super::law::{self, MERGE_BYTES_MAX, MERGE_FACTS_MAX};
use super::{Ground, IslandReplica};
use crate::crypto::sha256;
use crate::identity::{Identity, IdentityError};
use crate::store::fatal::Fatal;
use crate::store::island_journal::{self, JournalRow};
use crate::store::node_db::{NodeDb, NodeDbError, OpenNodeDbError};
use crate::store::{fork_file, write_new_file};

/// A removed node's key may speak for its journal for this long (DESIGN B6).
const REMOVED_MAY_SPEAK: Duration = Duration::from_secs(30 * 24 * 3_600);
/// Refused entries shown.
const REFUSED_MAX: u32 = 1_000;

/// A journal could not be shown, taken out or brought in.
#[derive(Debug, thiserror::Error)]
pub enum CarryError {
    #[error(transparent)]
    Export(#[from] ExportError),
    #[error(transparent)]
    Import(#[from] ImportError),
    #[error("the file was written by {0}, which this cluster does not know")]
    UnknownNode(NodeId),
    #[error("the file was written by {0} with a key that is not, or no longer, its own")]
    UnknownKey(NodeId),
    #[error("{0} was evicted: what it says may be forged and is not taken")]
    Evicted(NodeId),
    #[error("{0} was removed more than 30 days ago; what it says is not taken any more")]
    RemovedTooLongAgo(NodeId),
    #[error(
        "brought in {done} of {all} facts, then: {why}; import the same file again, nothing is taken twice"
    )]
    Interrupted {
        done: usize,
        all: usize,
        why: ProposeError,
    },
    #[error("the cluster does not take these facts: {0}")]
    Refused(String),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Journal(#[from] NodeDbError),
    #[error(transparent)]
    Open(#[from] OpenNodeDbError),
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error("{} holds no node's identity, so nothing can be signed for it", .0.display())]
    NoIdentity(PathBuf),
    #[error("cannot read {}", path.display())]
    Damaged {
        path: PathBuf,
        #[source]
        source: sqlx::Error,
    },
    #[error("cannot write {}; a file that is already there is never replaced", path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
}

impl From<sqlx::Error> for CarryError {
    fn from(source: sqlx::Error) -> Self {
        Self::Read(ReadError::Database(source))
    }
}

/// What waits here, and what could not be handed over: by this node's disk or by the cluster.
pub(crate) async fn journal(ground: &Ground) -> Result<JournalStatus, CarryError> {
    let size = ground.node_db.journal_size(ground.core.node).await?;
    let mut refused = Vec::new();
    for (origin, seq, reason) in ground.node_db.journal_refused().await? {
        refused.push(RefusedEntry {
            origin,
            what: format!("entry {seq}"),
            reason,
        });
    }
    let mut view = ground.local.read(Freshness::Local).await?;
    for fact in islands::refused(&mut view, REFUSED_MAX).await? {
        refused.push(RefusedEntry {
            origin: fact.origin,
            what: format!("{} {}", fact.kind, fact.about),
            reason: fact.reason,
        });
    }
    Ok(JournalStatus {
        waiting: size.own,
        kept_for_others: size.others,
        unexported: size.unexported,
        refused,
    })
}

/// The journal as a file, noted as exported.
pub(crate) async fn export(ground: &Ground) -> Result<Vec<u8>, CarryError> {
    let at = ground.core.time.now();
    let (file, last) = write_export(&ground.node_db, &ground.core.identity, at).await?;
    ground.node_db.journal_exported(last).await?;
    Ok(file)
}

/// The journal of a node that is not running, written to `target`, a new file only its owner can read. Says how many
/// facts it holds.
pub async fn export_stopped(data_dir: &Path, target: &Path) -> Result<u64, CarryError> {
    let identity =
        Identity::load(data_dir)?.ok_or_else(|| CarryError::NoIdentity(data_dir.to_owned()))?;
    let db = NodeDb::open(&data_dir.join("node.db"), false, Fatal::new()).await?;
    let size = db.journal_size(identity.node()).await?;
    let (file, last) = write_export(&db, &identity, Timestamp(0)).await?;
    write_new_file(target, &file).map_err(|source| CarryError::Write {
        path: target.to_owned(),
        source,
    })?;
    db.journal_exported(last).await?;
    db.close().await?;
    Ok(size.own + size.others)
}

/// Facts in a folder that the cluster may not have and no file holds; zero for an empty folder.
pub(crate) async fn unexported_in(data_dir: &Path) -> Result<u64, CarryError> {
    let path = data_dir.join("node.db");
    if !path.exists() {
        return Ok(0);
    }
    let damaged = |source| CarryError::Damaged {
        path: path.clone(),
        source,
    };
    let mut conn = fork_file::read_options(&path)
        .connect()
        .await
        .map_err(damaged)?;
    let facts = island_journal::unexported(&mut conn)
        .await
        .map_err(damaged)?;
    _ = conn.close().await;
    Ok(facts)
}

/// Takes a file's facts, in order. The writer must be a node this cluster knows and still believes.
pub(crate) async fn import(
    ground: &Ground,
    replica: &IslandReplica,
    file: &[u8],
) -> Result<u64, CarryError> {
    let exported = open_export(file, ground.core.identity.cluster())?;
    check_writer(ground, replica, &exported).await?;
    let all = exported.rows.len();
    let mut done = 0;
    for rows in exported.rows.chunk_by(|a, b| a.origin == b.origin) {
        for some in bounded(rows) {
            take(ground, replica, some)
                .await
                .map_err(|error| match error {
                    TakeError::Propose(why) => CarryError::Interrupted { done, all, why },
                    TakeError::Refused(why) => CarryError::Refused(why),
                    TakeError::Journal(error) => error.into(),
                })?;
            done += some.len();
        }
    }
    tracing::info!(from = %exported.node, facts = all, "brought in an exported journal");
    Ok(all as u64)
}

async fn check_writer(
    ground: &Ground,
    replica: &IslandReplica,
    exported: &Exported,
) -> Result<(), CarryError> {
    let mut view = replica.read(Freshness::Local).await?;
    let known = nodes::nodes(&mut view).await?;
    let Some(node) = known.iter().find(|node| node.node == exported.node) else {
        return Err(CarryError::UnknownNode(exported.node));
    };
    let members = ground.core.transport.pins().peers();
    let member = members.get(&exported.node.0);
    let pinned = member.is_some_and(|peer| peer.pins.contains(&exported.pin));
    if !pinned && !node.pins.contains(&exported.pin) {
        return Err(CarryError::UnknownKey(exported.node));
    }
    if node.left == Some(nodes::Left::Evicted) {
        return Err(CarryError::Evicted(exported.node));
    }
    let gone = |at: Timestamp| ground.core.time.now().since(at) > REMOVED_MAY_SPEAK;
    if node.removed_at.is_some_and(gone) {
        return Err(CarryError::RemovedTooLongAgo(exported.node));
    }
    Ok(())
}

enum TakeError {
    Propose(ProposeError),
    Refused(String),
    Journal(NodeDbError),
}

async fn take(
    ground: &Ground,
    replica: &IslandReplica,
    rows: &[JournalRow],
) -> Result<(), TakeError> {
    let origin = rows[0].origin;
    let (command, unreadable) = law::merge(origin, rows);
    for row in &unreadable {
        let reason = "imported, but this version of the program cannot read it";
        let refused = ground.node_db.journal_refuse(row, reason).await;
        refused.map_err(TakeError::Journal)?;
    }
    let facts: Vec<u8> = rows.iter().flat_map(|row| sha256(&row.fact)).collect();
    let proposal = Proposal::by_loop(
        RequestId::derive(&[b"import", &origin.0.to_be_bytes(), &facts]),
        command,
    );
    let committed = replica
        .propose(proposal)
        .await
        .map_err(TakeError::Propose)?;
    match committed.outcome {
        Outcome::Applied(_) | Outcome::Unchanged => Ok(()),
        Outcome::Refused(refusal) => Err(TakeError::Refused(refusal.to_string())),
        Outcome::Conflict => Err(TakeError::Refused("used before".to_owned())),
        Outcome::Defect(code) => Err(TakeError::Refused(format!("defect {code}"))),
    }
}

/// Cuts rows into what one command takes; a large one travels alone.
fn bounded(rows: &[JournalRow]) -> Vec<&[JournalRow]> {
    let (mut cut, mut start, mut bytes) = (Vec::new(), 0, 0);
    for (at, row) in rows.iter().enumerate() {
        bytes += row.fact.len();
        if at > start && (at - start >= MERGE_FACTS_MAX as usize || bytes > MERGE_BYTES_MAX) {
            cut.push(&rows[start..at]);
            start = at;
            bytes = row.fact.len();
        }
    }
    cut.push(&rows[start..]);
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_folder_with_a_journal_nobody_saved_says_so() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(unexported_in(dir.path()).await.unwrap(), 0);
        let identity = Identity::found(dir.path(), [7; 16], &[]).unwrap();
        let path = dir.path().join("node.db");
        let db = NodeDb::open(&path, false, Fatal::new()).await.unwrap();
        db.journal_own(identity.node(), &[vec![1], vec![2]])
            .await
            .unwrap();
        db.close().await.unwrap();
        assert_eq!(unexported_in(dir.path()).await.unwrap(), 2);
        let file = dir.path().join("journal.hfi");
        assert_eq!(export_stopped(dir.path(), &file).await.unwrap(), 2);
        assert_eq!(unexported_in(dir.path()).await.unwrap(), 0);
        let again = export_stopped(dir.path(), &file).await.unwrap_err();
        assert!(matches!(again, CarryError::Write { .. }), "{again}");
    }

    #[test]
    fn rows_are_cut_into_commands_and_a_large_one_travels_alone() {
        let row = |seq, len| JournalRow {
            origin: NodeId(1),
            seq,
            fact: vec![0; len],
        };
        let rows = [row(1, 10), row(2, MERGE_BYTES_MAX), row(3, 10), row(4, 10)];
        let lens: Vec<usize> = bounded(&rows).iter().map(|some| some.len()).collect();
        assert_eq!(lens, [1, 1, 2]);
        let many: Vec<JournalRow> = (0..300).map(|seq| row(seq, 1)).collect();
        let lens: Vec<usize> = bounded(&many).iter().map(|some| some.len()).collect();
        assert_eq!(lens, [128, 128, 44]);
    }
}
