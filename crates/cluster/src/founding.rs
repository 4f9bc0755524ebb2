//! Founding a cluster: once in its life, by its first node. What was asked for is kept until it is in the log, so that a
//! crash in between is made good by the next start.

use std::path::Path;

use domain::ports::{Proposal, Replica as _};
use domain::{Command, Outcome, Refusal, RequestId, nodes};
use serde::{Deserialize, Serialize};

use crate::cluster::ClusterError;
use crate::identity::{self, Identity, IdentityError};
use crate::replica::{Core, LocalReplica};
use crate::types::Peer;

const FILE: &str = "founding.bin";

/// What a new cluster is to be.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Founding {
    /// As shown in every text: "Aurora Energy".
    pub organisation: String,
    /// Host names and IP addresses of the first node's HTTPS.
    pub https_names: Vec<String>,
}

/// Makes the authority and the first node's identity.
pub(crate) fn prepare(dir: &Path, founding: &Founding) -> Result<(), ClusterError> {
    // First the wish, then the identity that makes it come true at the next start, whatever happens in between.
    if Identity::load(dir)?.is_some() {
        return Err(IdentityError::Exists {
            path: dir.to_owned(),
        }
        .into());
    }
    identity::write_checked(dir, FILE, founding)?;
    Identity::found(dir, rand::random(), &founding.https_names)?;
    Ok(())
}

/// Makes the engine's first membership of one, and the log's first command, unless that was done before.
pub(crate) async fn complete(
    dir: &Path,
    core: &Core,
    replica: &LocalReplica,
    own: Peer,
) -> Result<(), ClusterError> {
    let Some(founding) = identity::read_checked::<Founding>(dir, FILE)? else {
        return Ok(());
    };
    let internal = |e: &dyn std::fmt::Display| ClusterError::Internal(e.to_string());
    if !core.raft.is_initialized().await.map_err(|e| internal(&e))? {
        core.raft
            .initialize(
                [(core.node.0, own.clone())]
                    .into_iter()
                    .collect::<std::collections::BTreeMap<_, _>>(),
            )
            .await
            .map_err(|e| internal(&e))?;
    }
    // Cluster time starts at the founder's wall clock and never looks at one again (DESIGN A10).
    core.time.observe(core.clock.wall());
    let cluster_id = core.identity.cluster();
    let found = nodes::Found {
        cluster_id,
        organisation: founding.organisation,
        node_name: own.name,
        pin: core.identity.pin(),
        addresses: own.addresses,
    };
    let committed = replica.propose(Proposal::by_operator(
        core.node,
        RequestId::derive(&[b"found", &cluster_id]),
        Command::Nodes(nodes::Command::Found(found)),
    ));
    match committed.await.map_err(|e| internal(&e))?.outcome {
        Outcome::Applied(_) | Outcome::Unchanged | Outcome::Refused(Refusal::AlreadyFounded) => {}
        other @ (Outcome::Refused(_) | Outcome::Conflict | Outcome::Defect(_)) => {
            return Err(ClusterError::Internal(format!(
                "founding came to {other:?}"
            )));
        }
    }
    let path = dir.join(FILE);
    std::fs::remove_file(&path).map_err(|source| IdentityError::File { path, source }.into())
}
