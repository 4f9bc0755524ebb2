//! The replicated log as everything else sees it: [`domain::ports::Replica`] over the engine.

mod lease;
mod observe;
mod propose;
mod read;
pub(crate) mod time;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use domain::ports::{
    Clock, Committed, Durability, Freshness, Leadership, Lease, Proposal, ProposeError, ReadError,
    ReadView, Replica,
};
use domain::topics::Feed;
use domain::{LeaderStamp, NodeId, Outcome, StateDigest, Timestamp};
use openraft::async_runtime::watch::WatchReceiver as _;
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, timeout_at};

pub(crate) use lease::{Grants, grant};
pub(crate) use observe::observe;
pub(crate) use propose::{Proposer, write_many};
pub(crate) use read::{ReadBarrier, read_index_here};
pub(crate) use time::ClusterTime;

use crate::identity::Identity;
use crate::presence::Presence;
use crate::profile::Timing;
use crate::retired::Retired;
use crate::rpc::FRAME_MAX;
use crate::store::state::StateStore;
use crate::transport::Transport;
use crate::types::{Record, TypeConfig};

/// The engine with our store.
pub(crate) type Raft = openraft::Raft<TypeConfig, StateStore>;
/// What the engine says of itself.
pub(crate) type Metrics = openraft::RaftMetrics<TypeConfig>;

/// A proposal is answered within this time, if only by "unknown".
const PROPOSE_TIMEOUT: Duration = Duration::from_secs(5);
/// A linearizable read is served or given up within this time.
const READ_TIMEOUT: Duration = Duration::from_secs(3);
/// Proposals under way on this node.
const IN_FLIGHT_MAX: usize = 4096;
/// Room for the envelope around the largest command.
const RECORD_MAX: usize = FRAME_MAX - 64 * 1024;

/// What the parts of a running member share.
pub(crate) struct Core {
    pub(crate) node: NodeId,
    pub(crate) identity: Arc<Identity>,
    pub(crate) raft: Raft,
    pub(crate) state: StateStore,
    pub(crate) transport: Arc<Transport>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) timing: Timing,
    pub(crate) time: ClusterTime,
    pub(crate) grants: Grants,
    /// Who leads, as of the engine's last word.
    pub(crate) standing: Mutex<Standing>,
    /// Bumped with every apply and every change of leadership.
    pub(crate) changes: watch::Sender<u64>,
    /// The leader's id, for those who wait for another one.
    pub(crate) leader: watch::Sender<Option<NodeId>>,
    /// Whether the others are who they say they are, and what they think of this node.
    pub(crate) presence: Presence,
    /// Set once this node's membership has ended for good.
    pub(crate) retired: watch::Sender<Option<Retired>>,
    /// True once that is stored.
    pub(crate) stopped: watch::Sender<bool>,
}

/// Leadership with the moment it began, on the boot clock.
#[derive(Clone, Debug, Default)]
pub(crate) struct Standing {
    pub(crate) leader: Option<NodeId>,
    pub(crate) leading: Option<(LeaderStamp, Duration)>,
    pub(crate) voters: BTreeSet<u64>,
    pub(crate) learners: BTreeSet<u64>,
}

impl Core {
    pub(crate) fn metrics(&self) -> Metrics {
        self.raft.metrics().borrow_watched().clone()
    }

    pub(crate) fn standing(&self) -> Standing {
        self.standing
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Ends this node's membership for good; the first reason stands.
    pub(crate) fn retire(&self, retired: Retired) {
        self.retired.send_if_modified(|known| {
            let first = known.is_none();
            if first {
                tracing::error!(reason = %retired, "this node takes no part any more");
                *known = Some(retired);
            }
            first
        });
    }

    pub(crate) fn leader(&self) -> Option<NodeId> {
        *self.leader.borrow()
    }

    /// Waits until this node has applied `index`.
    pub(crate) async fn applied(&self, index: u64, deadline: Instant) -> bool {
        let mut applied = self.state.watch_applied();
        let reached = applied.wait_for(|at| at.is_some_and(|at| at >= index));
        matches!(timeout_at(deadline, reached).await, Ok(Ok(_)))
    }

    /// Waits until somebody other than `than` leads, at most until `deadline`.
    pub(crate) async fn another_leader(&self, than: Option<NodeId>, deadline: Instant) {
        let mut leader = self.leader.subscribe();
        _ = timeout_at(
            deadline,
            leader.wait_for(|now| now.is_some() && *now != than),
        )
        .await;
    }
}

/// This node's handle on the replicated log. Cheap to clone.
#[derive(Clone)]
pub struct LocalReplica {
    core: Arc<Core>,
    proposer: Proposer,
    barrier: ReadBarrier,
    in_flight: Arc<Semaphore>,
}

impl LocalReplica {
    pub(crate) fn new(core: Arc<Core>, proposer: Proposer, barrier: ReadBarrier) -> Self {
        Self {
            core,
            proposer,
            barrier,
            in_flight: Arc::new(Semaphore::new(IN_FLIGHT_MAX)),
        }
    }

    pub(crate) fn envelope(&self, proposal: Proposal) -> domain::Envelope {
        domain::Envelope {
            request: proposal.request,
            issued_at: self.core.time.now(),
            issued_by: self.core.node,
            seed: rand::random(),
            body: proposal.body,
            actor: proposal.actor,
            decided_under: proposal.decided_under,
            command: proposal.command,
        }
    }

    /// A command newer than the cluster's feature level must not enter the log: members that cannot read it would pass
    /// it over (DESIGN A11). The level never falls, so what this node has applied is enough to go by.
    async fn check_level(&self, needed: u16) -> Result<(), ProposeError> {
        if needed <= 1 {
            return Ok(());
        }
        let used = async {
            let mut view = self.core.state.view().await?;
            Ok::<_, ReadError>(domain::nodes::levels(&mut view).await?.used)
        };
        match used.await {
            Ok(used) if used >= needed => Ok(()),
            Ok(used) => Err(ProposeError::Refused(format!(
                "this needs feature level {needed}, the cluster uses {used} until every node runs a program that knows it"
            ))),
            Err(error) => Err(ProposeError::Refused(error.to_string())),
        }
    }

    /// The read index as of now, if a majority confirms the leader before `deadline`.
    pub(crate) async fn read_index(&self, deadline: Instant) -> Result<u64, ReadError> {
        self.barrier.index(deadline).await
    }
}

#[async_trait]
impl Replica for LocalReplica {
    fn node(&self) -> NodeId {
        self.core.node
    }

    async fn propose(&self, proposal: Proposal) -> Result<Committed, ProposeError> {
        let Ok(_permit) = self.in_flight.try_acquire() else {
            return Err(ProposeError::Overloaded);
        };
        let deadline = Instant::now() + PROPOSE_TIMEOUT;
        self.check_level(proposal.command.level()).await?;
        let record = Record::encode(&self.envelope(proposal))
            .map_err(|e| ProposeError::Refused(e.to_string()))?;
        if record.as_bytes().len() > RECORD_MAX {
            return Err(ProposeError::Refused(
                "the command is too large; split it".to_owned(),
            ));
        }
        let (index, reply) = self.proposer.commit(record, deadline).await?;
        if !self.core.applied(index, deadline).await {
            return Err(ProposeError::Unknown);
        }
        let outcome = reply
            .0
            .unwrap_or_else(|| Outcome::Defect("the entry held no command".to_owned()));
        Ok(Committed {
            index,
            outcome,
            durability: Durability::Replicated,
        })
    }

    async fn read(&self, freshness: Freshness) -> Result<ReadView, ReadError> {
        let deadline = Instant::now() + READ_TIMEOUT;
        let index = match freshness {
            Freshness::Local => 0,
            Freshness::AtLeast(index) => index,
            Freshness::Linearizable => self.barrier.index(deadline).await?,
        };
        if index > 0 && !self.core.applied(index, deadline).await {
            return Err(ReadError::Behind(index));
        }
        self.core.state.view().await
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.core.changes.subscribe()
    }

    fn feed(&self) -> Option<Feed> {
        Some(self.core.state.feed().clone())
    }

    fn leadership(&self) -> Leadership {
        let standing = self.core.standing();
        let since =
            |(_, began): &(LeaderStamp, Duration)| self.core.clock.boot().saturating_sub(*began);
        Leadership {
            leader: standing.leader,
            leading_for: standing.leading.as_ref().map(since).unwrap_or_default(),
            leading: standing.leading.map(|(stamp, _)| stamp),
            voters: standing.voters.into_iter().map(NodeId).collect(),
            learners: standing.learners.into_iter().map(NodeId).collect(),
        }
    }

    fn now(&self) -> Timestamp {
        self.core.time.now()
    }

    fn suspect(&self, error: &ReadError) {
        self.core.state.suspect(error);
    }

    fn resumed(&self) -> bool {
        self.core.time.resumed()
    }

    async fn lease(&self) -> Option<Lease> {
        if self.core.retired.borrow().is_some() {
            return None;
        }
        let lease = lease::ask(&self.core).await?;
        // A node that was stopped or cut off hears its leader before it has caught up, and would start what was long taken
        // from it: the lease counts only once everything agreed when it was granted is applied here (DESIGN C2).
        let deadline = Instant::now() + self.core.timing.election_max * 2;
        let index = self.barrier.index(deadline).await.ok()?;
        self.core.applied(index, deadline).await.then_some(lease)
    }

    fn digest(&self) -> Option<StateDigest> {
        self.core.state.digest()
    }

    fn granted(&self) -> Vec<(NodeId, Duration)> {
        let leading = self.core.standing().leading.map(|(stamp, _)| stamp);
        self.core.grants.ages(leading, self.core.clock.boot())
    }
}
