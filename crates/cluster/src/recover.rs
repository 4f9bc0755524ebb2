//! Going on after the majority is gone for good (DESIGN B6): one surviving, stopped node begins a new epoch with the
//! state it has.
//!
//! A plan is written first; from then on every step can be repeated, and a node whose plan is not finished does not
//! start. The old epoch's log and snapshots stay in `epoch-N/`, for people; nothing reads them again.

use std::path::{Path, PathBuf};

use domain::ports::{Proposal, ReadError, ReadView, Replica as _};
use domain::{CivilTime, Command, NodeId, Outcome, RequestId, nodes};
use openraft::storage::RaftStateMachine as _;
use serde::{Deserialize, Serialize};

use crate::cluster::ClusterError;
use crate::config::ClusterConfig;
use crate::epoch;
use crate::identity::{self, Identity, IdentityError, IdentityFiles};
use crate::join::MEMBERS;
use crate::replica::{Core, LocalReplica};
use crate::retired;
use crate::store::rebase::{Origin, RebaseError, rebase};
use crate::store::{self, Store};
use crate::types::{LeaderId, LogId, Membership, Peer, StoredMembership};

/// The plan of a recovery or a restore, until its first command is in the log.
const PLAN: &str = "recovery.bin";

/// Why a new epoch could not be begun.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    #[error("{} holds no identity; a recovery needs a node that was a member", .0.display())]
    NoIdentity(PathBuf),
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error(transparent)]
    Open(#[from] store::OpenError),
    #[error(transparent)]
    Close(#[from] store::CloseError),
    #[error(transparent)]
    Files(#[from] RebaseError),
    #[error("cannot read the state")]
    Read(#[from] ReadError),
    #[error("cannot read the state")]
    Database(#[from] sqlx::Error),
    #[error("cannot apply what the log still holds")]
    Apply(#[source] std::io::Error),
    #[error("this node was retired and must not begin an epoch: {0}")]
    Retired(retired::Retired),
    #[error("the state in {} belongs to no founded cluster; there is nothing to go on with", .0.display())]
    NotFounded(PathBuf),
    #[error("a restore into {} broke off; empty that folder and restore again", .0.display())]
    BrokenRestore(PathBuf),
    #[error("this should not happen, please report it: {0}")]
    Internal(String),
}

/// What a survivor has, to be looked at before anything is changed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Survey {
    /// 32 hexadecimal digits.
    pub cluster: String,
    pub organisation: String,
    /// The node as it is now, and the id it will have.
    pub node: NodeId,
    pub next_node: NodeId,
    /// The epoch that ends, and the one that begins.
    pub epoch: u32,
    pub next_epoch: u32,
    /// Last log entry applied, with what the log still held beyond it applied too.
    pub applied: u64,
    /// Entries of the log that nobody had confirmed to this node; they are kept.
    pub unconfirmed: u64,
    /// When the last of them was issued.
    pub as_of: CivilTime,
    /// Members that will be fenced: id and name.
    pub fenced: Vec<(NodeId, String)>,
    /// Without the issuing key the cluster gets a new authority, and the fenced cannot be told.
    pub new_authority: bool,
}

/// What was begun.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Recovered {
    pub node: NodeId,
    pub epoch: u32,
    /// Where the old epoch's log and snapshots are.
    pub aside: PathBuf,
}

/// A survivor's files, opened for a recovery.
pub struct Recovery {
    config: ClusterConfig,
    identity: Identity,
    stage: Stage,
}

enum Stage {
    /// Nothing was changed yet.
    Open { store: Box<Store>, survey: Survey },
    /// An earlier try broke off after its plan was written.
    Interrupted(Box<Plan>),
}

/// Everything the steps need, so that repeating them gives the same files. Stored; fields never change.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) cluster: [u8; 16],
    pub(crate) from: u32,
    pub(crate) epoch: u32,
    pub(crate) node: u64,
    pub(crate) peer: Peer,
    /// Where the new log begins.
    pub(crate) term: u64,
    pub(crate) index: u64,
    pub(crate) identity: IdentityFiles,
    pub(crate) statement: Vec<u8>,
    pub(crate) outbox_paused: String,
    pub(crate) restored: bool,
    /// The files are ready: the node may start and write the first command.
    pub(crate) ready: bool,
}

impl Recovery {
    /// Opens a stopped node's files and applies what its log still holds: entries the lost majority may have confirmed
    /// to somebody (DESIGN D2). That alone harms nothing; the node could still start as it was.
    pub async fn open(config: ClusterConfig) -> Result<Self, RecoverError> {
        let dir = config.data_dir.clone();
        let identity = Identity::load(&dir)?.ok_or(RecoverError::NoIdentity(dir.clone()))?;
        if let Some(plan) = read_plan(&dir)? {
            if plan.restored {
                return Err(RecoverError::BrokenRestore(dir));
            }
            let stage = Stage::Interrupted(Box::new(plan));
            return Ok(Self {
                config,
                identity,
                stage,
            });
        }
        let store = Store::open(&dir).await?;
        match Self::survey_of(&store, &identity, &dir).await {
            Ok(survey) => Ok(Self {
                config,
                identity,
                stage: Stage::Open {
                    store: Box::new(store),
                    survey,
                },
            }),
            Err(error) => {
                store.close().await?;
                Err(error)
            }
        }
    }

    async fn survey_of(
        store: &Store,
        identity: &Identity,
        dir: &Path,
    ) -> Result<Survey, RecoverError> {
        if let Some(kept) = retired::kept(&store.node_db)
            .await
            .map_err(|e| RecoverError::Internal(e.to_string()))?
        {
            return Err(RecoverError::Retired(kept));
        }
        let before = store.state.applied().map_or(0, |id| id.index);
        apply_rest(store).await?;
        let mut view = store.state.view().await?;
        let cluster = nodes::cluster(&mut view).await?;
        let cluster = cluster.ok_or_else(|| RecoverError::NotFounded(dir.to_owned()))?;
        let members = nodes::nodes(&mut view).await?;
        let fenced = members
            .into_iter()
            .filter(|row| row.removed_at.is_none() && row.node != identity.node())
            .map(|row| (row.node, row.name));
        let as_of = nodes::civil(&mut view).await?.at(view.as_of);
        let applied = store.state.applied().map_or(0, |id| id.index);
        Ok(Survey {
            cluster: identity.cluster_hex(),
            organisation: cluster.organisation,
            node: identity.node(),
            next_node: cluster.next_node,
            epoch: cluster.epoch,
            next_epoch: cluster.epoch + 1,
            applied,
            unconfirmed: applied.saturating_sub(before),
            as_of,
            fenced: fenced.collect(),
            new_authority: !identity.can_issue(),
        })
    }

    /// What there is to lose and to keep; `None` when an earlier try broke off and must only be finished.
    pub fn survey(&self) -> Option<&Survey> {
        match &self.stage {
            Stage::Open { survey, .. } => Some(survey),
            Stage::Interrupted(_) => None,
        }
    }

    /// The state as it will be kept, for people to look at before they decide.
    pub async fn view(&self) -> Result<Option<ReadView>, RecoverError> {
        match &self.stage {
            Stage::Open { store, .. } => Ok(Some(store.state.view().await?)),
            Stage::Interrupted(_) => Ok(None),
        }
    }

    /// Leaves everything as it was.
    pub async fn give_up(self) -> Result<(), RecoverError> {
        match self.stage {
            Stage::Open { store, .. } => Ok(store.close().await?),
            Stage::Interrupted(_) => Ok(()),
        }
    }

    /// Begins the new epoch on these files; the node can be started afterwards.
    pub async fn carry_out(self, https_names: &[String]) -> Result<Recovered, RecoverError> {
        let dir = self.config.data_dir.clone();
        let plan = match self.stage {
            Stage::Interrupted(plan) => *plan,
            Stage::Open { store, survey } => {
                let term = store.log.vote().map_or(0, |vote| vote.leader_id.term);
                let last = store.log.last_log_id();
                let term = term.max(last.map_or(0, |id| id.leader_id.term)) + 1;
                store.close().await?;
                let who = (survey.next_node, survey.next_epoch);
                let plan = Plan {
                    cluster: self.identity.cluster(),
                    from: survey.epoch,
                    epoch: survey.next_epoch,
                    node: survey.next_node.0,
                    peer: own_peer(&self.config, self.identity.pin()),
                    term,
                    index: last.map_or(0, |id| id.index).max(survey.applied) + 1,
                    identity: self.identity.successor(who, https_names)?,
                    statement: epoch::statement(&self.identity, survey.next_epoch)?,
                    outbox_paused: String::new(),
                    restored: false,
                    ready: false,
                };
                write_plan(&dir, &plan)?;
                plan
            }
        };
        finish(&dir, &plan).await
    }
}

/// Does what a plan says. Every step may have been done before.
pub(crate) async fn finish(dir: &Path, plan: &Plan) -> Result<Recovered, RecoverError> {
    let at = LogId::new(
        LeaderId {
            term: plan.term,
            node_id: plan.node,
        },
        plan.index,
    );
    let membership = Membership::new(
        vec![[plan.node].into()],
        std::collections::BTreeMap::from([(plan.node, plan.peer.clone())]),
    )
    .map_err(|e| RecoverError::Internal(e.to_string()))?;
    let origin = Origin {
        at,
        membership: StoredMembership::new(Some(at), membership),
        aside: format!("epoch-{}", plan.from),
    };
    if !plan.ready {
        rebase(dir, &origin).await?;
        identity::write_files(dir, &plan.identity)?;
        remove(&dir.join(MEMBERS))?;
        write_plan(
            dir,
            &Plan {
                ready: true,
                ..plan.clone()
            },
        )?;
    }
    Ok(Recovered {
        node: NodeId(plan.node),
        epoch: plan.epoch,
        aside: dir.join(origin.aside),
    })
}

/// How this node is reached, by its settings.
pub(crate) fn own_peer(config: &ClusterConfig, pin: [u8; 32]) -> Peer {
    Peer {
        addresses: if config.advertise.is_empty() {
            vec![config.listen.to_string()]
        } else {
            config.advertise.clone()
        },
        pins: vec![pin],
        name: config.name.clone(),
    }
}

/// Applies every entry the log has beyond the state.
async fn apply_rest(store: &Store) -> Result<(), RecoverError> {
    let from = store.state.applied().map_or(0, |id| id.index + 1);
    let to = store.log.last_log_id().map_or(0, |id| id.index + 1);
    let mut state = store.state.clone();
    let mut next = from.max(store.log.purged().map_or(0, |id| id.index + 1));
    while next < to {
        let until = to.min(next + 512);
        let entries = store
            .log
            .entries(next..until)
            .await
            .map_err(RecoverError::Apply)?;
        let entries = entries.into_iter().map(|entry| Ok((entry, None)));
        state
            .apply(futures_util::stream::iter(entries))
            .await
            .map_err(RecoverError::Apply)?;
        next = until;
    }
    state.make_durable().await.map_err(RecoverError::Apply)
}

/// Refuses a node whose files are half-way into a new epoch.
pub(crate) fn refuse_unfinished(dir: &Path) -> Result<(), ClusterError> {
    match read_plan(dir)? {
        Some(plan) if !plan.ready => Err(ClusterError::Unfinished {
            what: if plan.restored {
                "restore; empty the data directory and restore again"
            } else {
                "recovery; run `holdfast cluster recover` again"
            },
        }),
        Some(_) | None => Ok(()),
    }
}

/// Writes the first command of a new epoch, unless that was done before.
pub(crate) async fn complete(
    dir: &Path,
    core: &Core,
    replica: &LocalReplica,
) -> Result<(), ClusterError> {
    let Some(plan) = read_plan(dir)? else {
        return Ok(());
    };
    // The state may be old; an operator looked at this machine's clock when beginning the epoch (DESIGN A10).
    core.time.observe(core.clock.wall());
    let recover = nodes::Recover {
        epoch: plan.epoch,
        node: NodeId(plan.node),
        node_name: plan.peer.name,
        pin: core.identity.pin(),
        addresses: plan.peer.addresses,
        statement: plan.statement,
        outbox_paused: plan.outbox_paused,
    };
    let committed = replica
        .propose(Proposal::by_operator(
            core.node,
            RequestId::derive(&[b"recover", &plan.cluster, &plan.epoch.to_be_bytes()]),
            Command::Nodes(nodes::Command::Recover(recover)),
        ))
        .await?;
    match committed.outcome {
        Outcome::Applied(_) | Outcome::Unchanged => {}
        Outcome::Refused(refusal) => return Err(ClusterError::Refused(refusal)),
        other @ (Outcome::Conflict | Outcome::Defect(_)) => {
            return Err(ClusterError::Internal(format!(
                "the new epoch's first command came to {other:?}"
            )));
        }
    }
    tracing::warn!(epoch = plan.epoch, node = %core.node, "a new epoch has begun");
    remove(&dir.join(PLAN)).map_err(ClusterError::Identity)
}

pub(crate) fn write_plan(dir: &Path, plan: &Plan) -> Result<(), RecoverError> {
    Ok(identity::write_checked(dir, PLAN, plan)?)
}

fn read_plan(dir: &Path) -> Result<Option<Plan>, IdentityError> {
    identity::read_checked(dir, PLAN)
}

fn remove(path: &Path) -> Result<(), IdentityError> {
    match std::fs::remove_file(path) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => Err(IdentityError::File {
            path: path.to_owned(),
            source,
        }),
        Ok(()) | Err(_) => Ok(()),
    }
}
