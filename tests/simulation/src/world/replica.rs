//! One node's view of the log that all share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use std::time::Duration;

use async_trait::async_trait;
use domain::ports::{
    Clock, Committed, Durability, Freshness, Island, LEASE, Leadership, Lease, Proposal,
    ProposeError, ReadError, ReadView, Replica,
};
use domain::{Envelope, NodeId, Timestamp};
use tokio::sync::watch;

use super::gate::{Gate, Point};
use super::island::Islander;
use super::order::{Handed, Order};
use super::state::NodeState;

/// The book-keeper of the log, shared by all nodes of a world.
pub type SharedOrder = Arc<Mutex<Order>>;

pub(super) fn locked(order: &SharedOrder) -> MutexGuard<'_, Order> {
    order.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a planted bug does to a node's replica. All off in an honest world.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bugs {
    /// A command is acknowledged before it is on any disk, and then forgotten.
    pub acknowledges_early: bool,
    /// A lease is granted without asking anybody.
    pub grants_itself: bool,
    /// A retry is taken for a new request.
    pub forgets_requests: bool,
    /// Cluster time follows the wall clock.
    pub trusts_wall_clock: bool,
}

/// See the module's documentation.
pub struct NodeReplica {
    id: NodeId,
    order: SharedOrder,
    state: Arc<NodeState>,
    gate: Arc<Gate>,
    islander: Arc<Islander>,
    bugs: Mutex<Bugs>,
    proposals: Mutex<u64>,
}

impl NodeReplica {
    pub(super) fn new(
        id: NodeId,
        order: SharedOrder,
        state: Arc<NodeState>,
        gate: Arc<Gate>,
        islander: Arc<Islander>,
    ) -> Self {
        Self {
            id,
            order,
            state,
            gate,
            islander,
            bugs: Mutex::default(),
            proposals: Mutex::default(),
        }
    }

    /// Plants bugs in this node.
    pub fn plant(&self, bugs: Bugs) {
        *self.bugs.lock().unwrap_or_else(PoisonError::into_inner) = bugs;
    }

    fn bugs(&self) -> Bugs {
        *self.bugs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Applies what this node knows to be agreed.
    pub(super) async fn catch_up(&self) -> bool {
        let (items, paused) = {
            let order = locked(&self.order);
            let member = order.member(self.id);
            let items = order.agreed_after(self.id, self.state.applied());
            (items, member.paused || member.lagging || !member.up)
        };
        if paused || items.is_empty() {
            return false;
        }
        self.state.apply(&items).await;
        let stamp = self.state.stamp().await;
        locked(&self.order).observe(self.id, stamp);
        true
    }

    /// What [`Replica::propose`] does, for callers outside the node's loops: nobody holds them.
    pub async fn hand_in(&self, proposal: Proposal) -> Result<Committed, ProposeError> {
        let bugs = self.bugs();
        let envelope = self.envelope(proposal, bugs);
        if self.islander.is_alone() {
            return self
                .islander
                .commit(envelope)
                .await
                .ok_or(ProposeError::Unknown);
        }
        let handed = locked(&self.order).hand_in(self.id, envelope.clone());
        let index = match handed {
            Handed::Committed(index) => index,
            Handed::Unknown | Handed::Refused(_)
                if bugs.acknowledges_early && !matches!(envelope.actor, domain::Actor::Loop) =>
            {
                return Ok(Committed {
                    index: self.state.applied(),
                    outcome: domain::Outcome::Unchanged,
                    durability: Durability::Replicated,
                });
            }
            Handed::Unknown => return Err(ProposeError::Unknown),
            Handed::Refused(reason) => return Err(ProposeError::Refused(reason.to_owned())),
        };
        let items = locked(&self.order).agreed_after(self.id, self.state.applied());
        let outcomes = self.state.apply(&items).await;
        let stamp = self.state.stamp().await;
        locked(&self.order).observe(self.id, stamp);
        let outcome = outcomes.into_iter().find(|(at, _)| *at == index);
        let Some((index, outcome)) = outcome else {
            return Err(ProposeError::Unknown);
        };
        Ok(Committed {
            index,
            outcome,
            durability: Durability::Replicated,
        })
    }

    fn envelope(&self, proposal: Proposal, bugs: Bugs) -> Envelope {
        let mut count = self
            .proposals
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *count += 1;
        let issued_at = self.now();
        // Chance that is the same whenever the same seed is run, and never twice the same within a run.
        let mut seed = [0; 16];
        seed[..8].copy_from_slice(&(self.id.0 << 48 | *count).to_be_bytes());
        seed[8..].copy_from_slice(&issued_at.0.to_be_bytes());
        let request = match bugs.forgets_requests {
            true => domain::RequestId::derive(&[proposal.request.as_bytes(), &seed]),
            false => proposal.request,
        };
        Envelope {
            request,
            issued_at,
            issued_by: self.id,
            seed,
            body: proposal.body,
            actor: proposal.actor,
            decided_under: proposal.decided_under,
            command: proposal.command,
        }
    }
}

#[async_trait]
impl Replica for NodeReplica {
    fn node(&self) -> NodeId {
        self.id
    }

    async fn propose(&self, proposal: Proposal) -> Result<Committed, ProposeError> {
        self.gate.pass(Point::Propose).await;
        let told = self.hand_in(proposal).await;
        self.gate.pass(Point::Proposed).await;
        told
    }

    async fn read(&self, freshness: Freshness) -> Result<ReadView, ReadError> {
        let applied = self.state.applied();
        match freshness {
            Freshness::Linearizable if !locked(&self.order).has_majority(self.id) => {
                return Err(ReadError::NoQuorum);
            }
            Freshness::AtLeast(index) if index > applied && !self.islander.is_alone() => {
                return Err(ReadError::Behind(index));
            }
            Freshness::Local | Freshness::Linearizable | Freshness::AtLeast(_) => {}
        }
        match self.islander.state() {
            Some(_) if freshness == Freshness::Linearizable => Err(ReadError::NoQuorum),
            Some(fork) => Ok(fork.view().await?),
            None => Ok(self.state.view().await?),
        }
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.state.changes()
    }

    fn leadership(&self) -> Leadership {
        let alone = self.islander.leading();
        let mut order = locked(&self.order);
        let (leader, leading) = match alone {
            Some(own) => (None, own),
            None => order.standing(self.id, self.state.applied()),
        };
        Leadership {
            leader,
            leading: leading.map(|(stamp, _)| stamp),
            leading_for: leading.map_or(Duration::ZERO, |(_, age)| age),
            voters: order.members(),
            learners: Vec::new(),
        }
    }

    fn now(&self) -> Timestamp {
        let order = locked(&self.order);
        if self.bugs().trusts_wall_clock {
            return order.member(self.id).machine.wall(order.elapsed);
        }
        order.now(self.id)
    }

    async fn lease(&self) -> Option<Lease> {
        self.gate.pass(Point::Lease).await;
        if let Some(until) = self.islander.own_lease() {
            return Some(Lease { until });
        }
        // Read before asking: the lease can only be shorter than the leader believes.
        let asked = locked(&self.order).boot(self.id);
        let agreed = locked(&self.order).grant(self.id);
        self.catch_up().await;
        // As in production, the lease counts only once all that was agreed then is applied here.
        let granted =
            agreed.is_some_and(|index| self.state.applied() >= index) || self.bugs().grants_itself;
        self.gate.pass(Point::Granted).await;
        granted.then_some(Lease {
            until: asked + LEASE,
        })
    }

    fn granted(&self) -> Vec<(NodeId, Duration)> {
        if let Some(island) = self.islander.described() {
            let fellows = island.fellows.into_iter();
            return fellows.map(|node| (node, Duration::ZERO)).collect();
        }
        locked(&self.order).ages(self.id)
    }

    fn island(&self) -> Option<Island> {
        self.islander.described()
    }
}

/// A node's own clocks.
pub(super) struct NodeClock {
    pub(super) id: NodeId,
    pub(super) order: SharedOrder,
}

impl Clock for NodeClock {
    fn boot(&self) -> Duration {
        locked(&self.order).boot(self.id)
    }

    fn wall(&self) -> Timestamp {
        let order = locked(&self.order);
        order.member(self.id).machine.wall(order.elapsed)
    }
}
