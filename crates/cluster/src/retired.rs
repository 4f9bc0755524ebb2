//! A node whose membership ended for good: why, in words, kept so that a restart stays stopped.

use std::fmt;

use domain::codec;
use serde::{Deserialize, Serialize};

use crate::store::node_db::{NodeDb, NodeDbError};

const FACT: &str = "retired";

/// Why a node takes no part any more. Stored; variants are only ever added.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Why {
    /// A member showed a newer membership without it.
    Removed,
    /// A survivor of its epoch began a new one.
    EpochOver {
        /// The epoch that goes on.
        epoch: u32,
    },
    /// The same identity is alive in two places.
    Twin,
    /// Its log lacks what it had confirmed to others.
    OldCopy {
        /// Log index it had confirmed.
        confirmed: u64,
        /// Log index it has.
        has: u64,
    },
}

/// A node's end, with the reason in words for people.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Retired {
    pub why: Why,
}

impl fmt::Display for Retired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.why {
            Why::Removed => f.write_str("this node was removed from the cluster")?,
            Why::EpochOver { epoch } => write!(
                f,
                "the cluster goes on in epoch {epoch} without this node: somebody ran `holdfast cluster recover` on another one"
            )?,
            Why::Twin => f.write_str(
                "this node's identity is alive in two places (a cloned disk or machine); both were stopped",
            )?,
            Why::OldCopy { confirmed, has } => write!(
                f,
                "this node's files are an old copy: it had confirmed log entry {confirmed} to the others and now holds up to {has}; \
                 it must not vote"
            )?,
        }
        f.write_str("; export what it recorded alone with `holdfast island export`, remove it on a member, empty its data directory and join anew")
    }
}

/// What was stored, if this node's membership ended.
pub(crate) async fn kept(node_db: &NodeDb) -> Result<Option<Retired>, NodeDbError> {
    let Some(bytes) = node_db.fact(FACT).await? else {
        return Ok(None);
    };
    // Unreadable words of a newer version still mean stop.
    Ok(Some(
        codec::decode(&bytes).unwrap_or(Retired { why: Why::Removed }),
    ))
}

/// Stores the end.
pub(crate) async fn keep(node_db: &NodeDb, retired: &Retired) {
    let Ok(bytes) = codec::encode(retired) else {
        return;
    };
    if let Err(e) = node_db.set_facts(&[(FACT, &bytes)]).await {
        tracing::error!(error = %e, "cannot store that this node is retired; keep it switched off");
    }
}
