//! Send leases (DESIGN C2): a node may start sends only while the leader said so recently, and the leader says so only
//! while a majority listens to it.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use domain::codec;
use domain::ports::{LEASE, Lease};
use domain::{LeaderStamp, NodeId, Timestamp};
use openraft::Instant as _;

use super::Core;
use crate::rpc::{Kind, PeerTransport as _};
use crate::wire::Granted;

/// When the current leadership last granted a lease to each node, on this node's boot clock.
#[derive(Default)]
pub(crate) struct Grants(Mutex<Table>);

#[derive(Default)]
struct Table {
    leadership: Option<LeaderStamp>,
    at: BTreeMap<NodeId, Duration>,
}

impl Grants {
    fn record(&self, leadership: LeaderStamp, to: NodeId, now: Duration) {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if table.leadership != Some(leadership) {
            *table = Table {
                leadership: Some(leadership),
                at: BTreeMap::new(),
            };
        }
        table.at.insert(to, now);
    }

    /// How long ago each node was granted a lease by `leadership`.
    pub(crate) fn ages(
        &self,
        leadership: Option<LeaderStamp>,
        now: Duration,
    ) -> Vec<(NodeId, Duration)> {
        let table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if leadership.is_none() || table.leadership != leadership {
            return Vec::new();
        }
        table
            .at
            .iter()
            .map(|(node, at)| (*node, now.saturating_sub(*at)))
            .collect()
    }
}

/// Grants a lease to `to`, if this node leads and a majority answered it within an election timeout.
pub(crate) fn grant(core: &Core, to: NodeId) -> Granted {
    let standing = core.standing();
    let Some((leadership, _)) = standing.leading else {
        return Granted::NotLeader {
            leader: standing.leader.map(|leader| leader.0),
        };
    };
    let metrics = core.metrics();
    let alone = standing.voters.len() == 1 && standing.voters.contains(&core.node.0);
    let fresh = metrics
        .last_quorum_acked
        .is_some_and(|at| at.elapsed() < core.timing.election_min);
    if !alone && !fresh {
        return Granted::NoQuorum;
    }
    core.grants.record(leadership, to, core.clock.boot());
    Granted::Yes {
        now_ms: core.time.now().0,
    }
}

/// Asks whoever leads.
pub(crate) async fn ask(core: &Core) -> Option<Lease> {
    // The clock is read before asking: the lease can only be shorter than the leader believes.
    let asked = core.clock.boot();
    let leader = core.leader()?;
    let granted = if leader == core.node {
        grant(core, core.node)
    } else {
        let answer = core
            .transport
            .call(leader, Kind::Lease, &[], core.timing.election_max * 2)
            .await
            .ok()?;
        codec::decode(&answer).ok()?
    };
    match granted {
        Granted::Yes { now_ms } => {
            core.time.observe(Timestamp(now_ms));
            Some(Lease {
                until: asked + LEASE,
            })
        }
        Granted::NotLeader { .. } | Granted::NoQuorum => None,
    }
}
