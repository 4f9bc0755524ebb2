//! How the cluster stands, for people.

use std::time::Duration;

use domain::NodeId;
use domain::codec;
use openraft::Instant as _;
use serde::{Deserialize, Serialize};

use crate::replica::Core;
use crate::rpc::{Kind, PeerTransport as _};

/// The leader is asked for its view within this time; after that the node shows its own.
const ASK_TIMEOUT: Duration = Duration::from_millis(1_500);

/// What a member may do.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Role {
    Voter,
    /// Receives the log, does not vote yet.
    Learner,
}

/// One member.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct MemberStatus {
    pub node: NodeId,
    pub name: String,
    pub role: Role,
    pub addresses: Vec<String>,
    /// How long ago the leader last heard of it; `None` when never, or when the leader could not be asked.
    pub heard_ms_ago: Option<u64>,
    /// Log entries it lacks, by the leader's count.
    pub lag: Option<u64>,
}

/// The cluster as this node, or better the leader, sees it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct ClusterStatus {
    /// Who answers.
    pub node: NodeId,
    /// 32 hexadecimal digits.
    pub cluster: String,
    /// Counts the cluster's histories; log indexes mean something only together with it.
    pub epoch: u32,
    /// What somebody must look at, in words.
    pub alarms: Vec<String>,
    pub leader: Option<NodeId>,
    pub term: u64,
    pub last_log: u64,
    pub applied: u64,
    pub snapshot: Option<u64>,
    /// A change of membership is under way.
    pub changing: bool,
    pub members: Vec<MemberStatus>,
}

/// What the leader knows of the others, in sent form: id, milliseconds since heard, entries lacking.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Followers(Vec<(u64, Option<u64>, Option<u64>)>);

/// The leader's knowledge; empty on others.
pub(crate) fn of_leader(core: &Core) -> Followers {
    let metrics = core.metrics();
    let last = metrics.last_log_index.unwrap_or(0);
    let (Some(replication), Some(heard)) = (metrics.replication, metrics.heartbeat) else {
        return Followers::default();
    };
    let known = metrics
        .membership_config
        .membership()
        .nodes()
        .map(|(id, _)| {
            if *id == core.node.0 {
                return (*id, Some(0), Some(0));
            }
            let at = heard.get(id).and_then(|at| at.as_ref());
            let ms = at.map(|at| u64::try_from(at.elapsed().as_millis()).unwrap_or(u64::MAX));
            let matched = replication
                .get(id)
                .and_then(|id| id.as_ref())
                .map(|id| id.index);
            (*id, ms, Some(last.saturating_sub(matched.unwrap_or(0))))
        });
    Followers(known.collect())
}

/// The whole picture, with the leader's knowledge when it answers.
pub(crate) async fn status(core: &Core) -> ClusterStatus {
    let followers = match core.leader() {
        Some(leader) if leader == core.node => of_leader(core),
        Some(leader) => {
            let answer = core
                .transport
                .call(leader, Kind::Status, &[], ASK_TIMEOUT)
                .await
                .ok();
            answer
                .and_then(|bytes| codec::decode(&bytes).ok())
                .unwrap_or_default()
        }
        None => Followers::default(),
    };
    let metrics = core.metrics();
    let membership = metrics.membership_config.membership();
    let voters: Vec<u64> = membership.voter_ids().collect();
    let members = membership.nodes().map(|(id, peer)| {
        let told = followers.0.iter().find(|(told, ..)| told == id);
        MemberStatus {
            node: NodeId(*id),
            name: peer.name.clone(),
            role: if voters.contains(id) {
                Role::Voter
            } else {
                Role::Learner
            },
            addresses: peer.addresses.clone(),
            heard_ms_ago: told.and_then(|(_, ms, _)| *ms),
            lag: told.and_then(|(_, _, lag)| *lag),
        }
    });
    ClusterStatus {
        node: core.node,
        cluster: core.identity.cluster_hex(),
        epoch: core.identity.epoch(),
        alarms: core.presence.alarms(),
        leader: core.leader(),
        term: metrics.current_term,
        last_log: metrics.last_log_index.unwrap_or(0),
        applied: metrics.last_applied.map_or(0, |id| id.index),
        snapshot: metrics.snapshot.map(|id| id.index),
        changing: membership.get_joint_config().len() > 1,
        members: members.collect(),
    }
}
