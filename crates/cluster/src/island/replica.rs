//! The replicated log as everything else sees it, whether the node is one of the cluster or by itself.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::ports::{
    Committed, Durability, Freshness, Island, LEASE, Leadership, Lease, Proposal, ProposeError,
    ReadError, ReadView, Replica,
};
use domain::topics::Feed;
use domain::{Actor, NodeId, StateDigest, Timestamp};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::{Ground, Mode, law, lock};
use crate::replica::LocalReplica;

/// What a fork takes at most to be made and to answer.
const FORK_TIME: Duration = Duration::from_secs(8);
/// A command on the fork is answered within this time, if only by "unknown".
const COMMIT_TIME: Duration = Duration::from_secs(5);

/// This node's handle on the log: the common one, or its own fork of it while it is cut off. Cheap to clone.
#[derive(Clone)]
pub struct IslandReplica {
    ground: Arc<Ground>,
    local: LocalReplica,
}

impl IslandReplica {
    pub(crate) fn new(ground: Arc<Ground>) -> Self {
        let local = ground.local.clone();
        Self { ground, local }
    }

    /// The common log alone, also while this node is cut off.
    pub fn common(&self) -> &LocalReplica {
        &self.local
    }

    /// Through the common log, for as long as there is one. `None`: this node works by itself now.
    ///
    /// People and programs wait until one or the other takes their command; loops look at the rows again instead.
    async fn in_common(&self, proposal: &Proposal) -> Option<Result<Committed, ProposeError>> {
        let patient =
            !matches!(proposal.actor, Actor::Loop) && law::safe(&proposal.command).is_ok();
        let deadline = Instant::now() + self.ground.after + FORK_TIME;
        let mut mode = self.ground.mode.subscribe();
        loop {
            let tried = tokio::select! {
                biased;
                _ = mode.wait_for(|mode| matches!(mode, Mode::Fork { .. })) => return None,
                tried = self.local.propose(proposal.clone()) => tried,
            };
            match tried {
                Ok(committed) => {
                    self.ground.note_success();
                    return Some(Ok(committed));
                }
                Err(ProposeError::Overloaded) => return Some(Err(ProposeError::Overloaded)),
                Err(error) if !patient || Instant::now() >= deadline => return Some(Err(error)),
                // What could not even leave is tried again in a moment.
                Err(_) => sleep_until(Instant::now() + Duration::from_millis(100)).await,
            }
        }
    }

    async fn on_fork(&self, proposal: &Proposal) -> Option<Result<Committed, ProposeError>> {
        let fork = self.ground.fork()?;
        let envelope = self.local.envelope(proposal.clone());
        let deadline = Instant::now() + COMMIT_TIME;
        let (index, outcome) = match timeout_at(deadline, fork.commit(envelope)).await {
            Ok(Ok(done)) => done,
            // It made way: for the common log, or for a fork made anew.
            Ok(Err(_closed)) => {
                let mut mode = self.ground.mode.subscribe();
                let stamp = fork.stamp;
                let moved = mode.wait_for(|mode| match mode {
                    Mode::Member => true,
                    Mode::Fork { fork, .. } => fork.stamp != stamp,
                });
                return match timeout_at(deadline, moved).await {
                    Ok(_) => None,
                    Err(_) => Some(Err(ProposeError::Unknown)),
                };
            }
            Err(_) => return Some(Err(ProposeError::Unknown)),
        };
        Some(Ok(Committed {
            index,
            outcome,
            durability: Durability::Island,
        }))
    }
}

#[async_trait]
impl Replica for IslandReplica {
    fn node(&self) -> NodeId {
        self.local.node()
    }

    async fn propose(&self, proposal: Proposal) -> Result<Committed, ProposeError> {
        loop {
            let answered = match self.ground.mode() {
                Mode::Member => self.in_common(&proposal).await,
                Mode::Fork { .. } => self.on_fork(&proposal).await,
            };
            // The node changed sides meanwhile; the request id makes a second try safe.
            if let Some(answered) = answered {
                return answered;
            }
        }
    }

    async fn read(&self, freshness: Freshness) -> Result<ReadView, ReadError> {
        match (self.ground.mode(), freshness) {
            (Mode::Member, _) => self.local.read(freshness).await,
            (Mode::Fork { .. }, Freshness::Linearizable) => Err(ReadError::NoQuorum),
            (Mode::Fork { fork, .. }, Freshness::Local | Freshness::AtLeast(_)) => {
                match fork.view().await {
                    // The fork made way this instant.
                    Err(_) => match self.ground.mode() {
                        Mode::Member => self.local.read(freshness).await,
                        Mode::Fork { fork, .. } => fork.view().await,
                    },
                    view => view,
                }
            }
        }
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.local.changes()
    }

    fn feed(&self) -> Option<Feed> {
        self.local.feed()
    }

    fn leadership(&self) -> Leadership {
        let common = self.local.leadership();
        match self.ground.mode() {
            Mode::Member => common,
            Mode::Fork { fork, healing } => Leadership {
                leader: None,
                leading: (!healing).then_some(fork.stamp),
                leading_for: self.ground.now().saturating_sub(fork.began),
                voters: common.voters,
                learners: common.learners,
            },
        }
    }

    fn now(&self) -> Timestamp {
        self.local.now()
    }

    async fn lease(&self) -> Option<Lease> {
        match self.ground.mode() {
            // Nobody else can hand this node's work to another one.
            Mode::Fork { healing: false, .. } => Some(Lease {
                until: self.ground.now() + LEASE,
            }),
            Mode::Member | Mode::Fork { healing: true, .. } => self.local.lease().await,
        }
    }

    fn suspect(&self, error: &ReadError) {
        // A fork is a copy; what is wrong with it says nothing about the state.
        if matches!(self.ground.mode(), Mode::Member) {
            self.local.suspect(error);
        }
    }

    fn resumed(&self) -> bool {
        self.local.resumed()
    }

    fn digest(&self) -> Option<StateDigest> {
        match self.ground.mode() {
            Mode::Member => self.local.digest(),
            Mode::Fork { .. } => None,
        }
    }

    fn granted(&self) -> Vec<(NodeId, Duration)> {
        match self.ground.mode() {
            Mode::Member => self.local.granted(),
            Mode::Fork { .. } => {
                let mut granted = self.ground.fellows();
                granted.push((self.node(), Duration::ZERO));
                granted
            }
        }
    }

    fn island(&self) -> Option<Island> {
        let Mode::Fork { fork, healing } = self.ground.mode() else {
            return None;
        };
        let mut fellows: Vec<NodeId> = self
            .ground
            .fellows()
            .into_iter()
            .map(|(id, _)| id)
            .collect();
        fellows.push(self.node());
        fellows.sort();
        Some(Island {
            letter: fork.mark.letters(),
            site: fork.mark.site.clone(),
            since: fork.mark.entered_at,
            healing,
            fellows,
            waiting: *lock(&self.ground.waiting),
        })
    }
}
