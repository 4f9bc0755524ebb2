//! Handing the journal over (DESIGN D6): in order, own facts first, each row forgotten only once the cluster has committed
//! it and this node has applied it. What the cluster cannot take is put aside for a person, never dropped.

use domain::ports::{Proposal, ProposeError, Replica as _};
use domain::{NodeId, Outcome, RequestId};
use sha2::{Digest as _, Sha256};

use super::Ground;
use super::law::{self, MERGE_BYTES_MAX, MERGE_FACTS_MAX};
use crate::store::island_journal::JournalRow;
use crate::store::node_db::NodeDbError;

/// Commands in one go; between two goes the majority is asked for again.
const MERGES_MAX: usize = 64;

/// The journal could not be handed over now. It is whole; the next try goes on.
#[derive(Debug, thiserror::Error)]
pub(super) enum HealError {
    #[error(transparent)]
    Propose(#[from] ProposeError),
    #[error(transparent)]
    Journal(#[from] NodeDbError),
}

/// Hands over some of the journal. True when nothing is left.
pub(super) async fn hand_over(ground: &Ground) -> Result<bool, HealError> {
    let own = ground.core.node;
    for _ in 0..MERGES_MAX {
        let mut origins = ground.node_db.journal_origins().await?;
        origins.sort_by_key(|origin| (*origin != own, *origin));
        let Some(origin) = origins.first().copied() else {
            return Ok(true);
        };
        let rows = ground
            .node_db
            .journal_after(origin, 0, MERGE_FACTS_MAX, MERGE_BYTES_MAX)
            .await?;
        merge(ground, origin, &rows).await?;
        ground.count_waiting().await;
    }
    Ok(false)
}

/// Brings rows of one origin into the cluster, whole or one by one.
pub(super) async fn merge(
    ground: &Ground,
    origin: NodeId,
    rows: &[JournalRow],
) -> Result<(), HealError> {
    let Some(reason) = propose(ground, origin, rows).await? else {
        return Ok(());
    };
    tracing::warn!(%origin, reason, facts = rows.len(), "the cluster did not take these facts together");
    for row in rows {
        let one = std::slice::from_ref(row);
        if let Some(reason) = propose(ground, origin, one).await? {
            tracing::error!(%origin, seq = row.seq, reason, "a journal entry is put aside; see `holdfast island refused`");
            ground.node_db.journal_refuse(row, &reason).await?;
        }
    }
    Ok(())
}

/// `None` when the cluster has them, and the journal forgot them; else why it would not take them.
async fn propose(
    ground: &Ground,
    origin: NodeId,
    rows: &[JournalRow],
) -> Result<Option<String>, HealError> {
    let (command, unreadable) = law::merge(origin, rows);
    for row in &unreadable {
        let reason = "written by another version of this program, or damaged; import it with the version that wrote it";
        ground.node_db.journal_refuse(row, reason).await?;
    }
    let mut digest = Sha256::new();
    for row in rows {
        digest.update(row.seq.to_be_bytes());
        digest.update(&row.fact);
    }
    let committed = ground
        .local
        .propose(Proposal::by_loop(
            RequestId::derive(&[b"merge", &origin.0.to_be_bytes(), &digest.finalize()]),
            command,
        ))
        .await?;
    match committed.outcome {
        Outcome::Applied(_) | Outcome::Unchanged => {
            ground.node_db.journal_handed_over(rows).await?;
            Ok(None)
        }
        Outcome::Refused(refusal) => Ok(Some(refusal.to_string())),
        Outcome::Conflict => Ok(Some("its request was used for something else".to_owned())),
        Outcome::Defect(code) => Ok(Some(format!("it cannot be applied ({code})"))),
    }
}
