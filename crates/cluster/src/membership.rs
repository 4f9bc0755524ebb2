//! Changes of membership: asked of any node, carried out by the leader, one at a time.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use domain::nodes::{self, Power};
use domain::ports::ReadError;
use domain::{NodeId, RequestId, codec};
use openraft::ChangeMembers;
use openraft::errors::{ChangeMembershipError, ClientWriteError, Fatal, RaftError};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::replica::Core;
use crate::rpc::{Kind, PeerTransport as _};
use crate::types::{Peer, StoredMembership, TypeConfig, WireStoredMembership};
use crate::wire::{Change, Changed};

/// A change is done or given up within this time.
const CHANGE_TIMEOUT: Duration = Duration::from_secs(40);
/// A learner must catch up within this time to become a voter.
const CATCH_UP_TIMEOUT: Duration = Duration::from_secs(25);
/// Entries a learner may lack and still become a voter.
const CATCH_UP_LAG: u64 = 500;
/// A change that waits for nothing but a majority takes at most this long.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(10);
const RETRY_PAUSE: Duration = Duration::from_millis(100);
/// How often members look after membership.
const UPKEEP_PERIOD: Duration = Duration::from_millis(500);
/// A joint membership older than this was left behind by an interrupted change.
const JOINT_AGE_MAX: Duration = Duration::from_secs(3);
/// How soon, and how often, a node looks whether the others know its addresses.
const ANNOUNCE_PERIOD: Duration = Duration::from_secs(1);
/// Peers answer a question about membership within this time.
const ASK_TIMEOUT: Duration = Duration::from_secs(2);

/// Why membership was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    #[error("{0}")]
    Refused(String),
    #[error(
        "the change was not confirmed in time; look at `holdfast cluster status` and repeat it if need be"
    )]
    Unknown,
}

/// Has the leader carry out a change.
pub(crate) async fn change(core: &Core, change: Change) -> Result<StoredMembership, ChangeError> {
    let deadline = Instant::now() + CHANGE_TIMEOUT;
    let body = codec::encode(&change).map_err(|e| ChangeError::Refused(e.to_string()))?;
    let mut asked = false;
    while Instant::now() < deadline {
        let leader = core.leader();
        let changed = match leader {
            None => None,
            Some(leader) if leader == core.node => Some(change_here(core, change.clone()).await),
            Some(leader) => {
                let answer = tokio::select! {
                    answer = core.transport.call(leader, Kind::Change, &body, CHANGE_TIMEOUT) => answer.ok(),
                    // Whoever led before may never answer; asking the next one again is safe.
                    () = core.another_leader(Some(leader), deadline) => None,
                };
                answer.and_then(|bytes| codec::decode(&bytes).ok())
            }
        };
        asked |= leader.is_some();
        match changed {
            Some(Changed::Done { membership }) => {
                return StoredMembership::try_from(membership)
                    .map_err(|e| ChangeError::Refused(e.to_string()));
            }
            Some(Changed::Refused(why)) => return Err(ChangeError::Refused(why)),
            Some(Changed::NotLeader { .. }) | None => {
                core.another_leader(leader, Instant::now() + RETRY_PAUSE)
                    .await;
            }
        }
    }
    if asked {
        Err(ChangeError::Unknown)
    } else {
        Err(ChangeError::Refused("no leader is known".to_owned()))
    }
}

/// Carries a change out for a member. Half-admitted members have no say (they may only say where they are now).
pub(crate) async fn change_for(core: &Core, from: NodeId, change: Change) -> Changed {
    let about_itself = matches!(&change, Change::Move { node, .. } if *node == from.0);
    if !about_itself && !core.standing().voters.contains(&from.0) {
        return Changed::Refused(
            "a learner cannot change the membership; ask on a voting member".to_owned(),
        );
    }
    change_here(core, change).await
}

/// Carries a change out here, if this node leads.
async fn change_here(core: &Core, change: Change) -> Changed {
    match apply(core, change).await {
        Ok(()) => {
            let metrics = core.metrics();
            Changed::Done {
                membership: WireStoredMembership::from(&*metrics.membership_config),
            }
        }
        Err(Failed::NotLeader(leader)) => Changed::NotLeader { leader },
        Err(Failed::Refused(why)) => Changed::Refused(why),
    }
}

enum Failed {
    NotLeader(Option<u64>),
    Refused(String),
}

async fn apply(core: &Core, change: Change) -> Result<(), Failed> {
    let metrics = core.metrics();
    if metrics.current_leader != Some(core.node.0) {
        return Err(Failed::NotLeader(metrics.current_leader));
    }
    let membership = metrics.membership_config.membership();
    let voters: Vec<u64> = membership.voter_ids().collect();
    let known = |node: u64| membership.get_node(&node).cloned();
    match change {
        Change::AddLearner { node, peer } => match known(node) {
            Some(same) if same == peer => Ok(()),
            Some(_) => Err(Failed::Refused(format!("n{node} is a member already"))),
            None => submit(core, ChangeMembers::AddNodes([(node, peer)].into()), true).await,
        },
        Change::Promote { node } if voters.contains(&node) => Ok(()),
        Change::Promote { node } if known(node).is_none() => {
            Err(Failed::Refused(format!("n{node} is not a member")))
        }
        Change::Promote { node } => {
            catch_up(core, node).await?;
            submit(core, ChangeMembers::AddVoterIds([node].into()), true).await
        }
        Change::Remove { node } if known(node).is_none() => Ok(()),
        Change::Remove { node } if voters == [node] => Err(Failed::Refused(format!(
            "n{node} is the only voter; promote another member first"
        ))),
        Change::Remove { node } if node == core.node.0 => {
            // The new leader removes us: a leader that removes itself would commit entries it no longer votes on.
            let to = hand_over(core).await?;
            Err(Failed::NotLeader(Some(to)))
        }
        Change::Remove { node } if voters.contains(&node) => {
            submit(core, ChangeMembers::RemoveVoters([node].into()), false).await
        }
        Change::Remove { node } => {
            submit(core, ChangeMembers::RemoveNodes([node].into()), false).await
        }
        Change::Move { node, peer } => match known(node) {
            Some(same) if same == peer => Ok(()),
            Some(_) => submit(core, ChangeMembers::SetNodes([(node, peer)].into()), true).await,
            None => Err(Failed::Refused(format!("n{node} is not a member"))),
        },
        Change::Transfer { to } if to == core.node.0 => Ok(()),
        Change::Transfer { to } if !voters.contains(&to) => {
            Err(Failed::Refused(format!("n{to} is not a voter")))
        }
        Change::Transfer { to } => transfer(core, to).await,
    }
}

/// Gives the engine a change, waiting for one under way to end first.
async fn submit(core: &Core, change: ChangeMembers<u64, Peer>, retain: bool) -> Result<(), Failed> {
    let deadline = Instant::now() + COMMIT_TIMEOUT;
    loop {
        let outcome = timeout(
            COMMIT_TIMEOUT,
            core.raft.change_membership(change.clone(), retain),
        )
        .await;
        let why = match outcome {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(e)) => e,
            Err(_) => {
                return Err(Failed::Refused(
                    "no majority confirmed the change in time".to_owned(),
                ));
            }
        };
        match &why {
            RaftError::APIError(
                ClientWriteError::ForwardToLeader(to) | ClientWriteError::LogEntryDiscarded(to),
            ) => {
                return Err(Failed::NotLeader(to.leader_id));
            }
            RaftError::APIError(ClientWriteError::ChangeMembershipError(
                ChangeMembershipError::InProgress(_)
                | ChangeMembershipError::UncommittedLeaderLog(_),
            )) if Instant::now() < deadline => sleep(RETRY_PAUSE).await,
            RaftError::APIError(_) => return Err(Failed::Refused(why.to_string())),
            RaftError::Fatal(Fatal::Stopped | Fatal::Panicked | Fatal::StorageError(_)) => {
                return Err(Failed::NotLeader(None));
            }
        }
    }
}

/// Waits until a learner lacks little of the log.
async fn catch_up(core: &Core, node: u64) -> Result<(), Failed> {
    let wait = core.raft.wait(Some(CATCH_UP_TIMEOUT));
    let near = |metrics: &openraft::RaftMetrics<TypeConfig>| {
        let Some(replication) = &metrics.replication else {
            return true;
        }; // leads no more: the next step says so
        let matched = replication
            .get(&node)
            .and_then(|id| id.as_ref())
            .map(|id| id.index);
        matched.is_some_and(|at| at + CATCH_UP_LAG >= metrics.last_log_index.unwrap_or(0))
    };
    wait.metrics(near, "learner catches up")
        .await
        .map(|_| ())
        .map_err(|_| {
            Failed::Refused(format!(
                "n{node} has not caught up; check that it runs and is reachable, then repeat"
            ))
        })
}

/// Hands leadership to the voter that has most of the log; says to whom.
pub(crate) async fn hand_over_leadership(core: &Core) -> Option<u64> {
    hand_over(core).await.ok()
}

async fn hand_over(core: &Core) -> Result<u64, Failed> {
    let metrics = core.metrics();
    let voters: Vec<u64> = metrics.membership_config.membership().voter_ids().collect();
    let replication = metrics.replication.unwrap_or_default();
    let heard = metrics.heartbeat.unwrap_or_default();
    let alive = |id: u64| {
        use openraft::Instant as _;
        heard
            .get(&id)
            .is_some_and(|at| at.is_some_and(|at| at.elapsed() < core.timing.election_max * 2))
    };
    let unfit = unfit(core).await;
    let best = voters
        .iter()
        .filter(|id| **id != core.node.0)
        .max_by_key(|id| {
            (
                alive(**id),
                !unfit.contains(id),
                replication
                    .get(id)
                    .and_then(|at| at.as_ref())
                    .map(|at| at.index),
            )
        });
    let Some(to) = best.copied() else {
        return Err(Failed::Refused("there is no other voter".to_owned()));
    };
    transfer(core, to).await?;
    Ok(to)
}

/// Members that should not lead while another one can: their state is wrong (DESIGN A9), or their battery ends.
async fn unfit(core: &Core) -> BTreeSet<u64> {
    let read = async {
        let mut view = core.state.view().await?;
        let digests = nodes::digests(&mut view).await?;
        let wrong = digests.into_iter().filter(|row| row.standing.bars());
        let mut unfit: BTreeSet<u64> = wrong.map(|row| row.node.0).collect();
        let machines = nodes::machines(&mut view).await?;
        let ending = machines.into_iter().filter(|m| m.power == Power::Draining);
        unfit.extend(ending.map(|machine| machine.node.0));
        Ok::<_, ReadError>(unfit)
    };
    // Without it, everybody is as good.
    read.await.unwrap_or_default()
}

async fn transfer(core: &Core, to: u64) -> Result<(), Failed> {
    if core.raft.trigger().transfer_leader(to).await.is_err() {
        return Err(Failed::NotLeader(None));
    }
    let patience = core.timing.election_max * 4;
    let wait = core.raft.wait(Some(patience));
    let moved = |metrics: &openraft::RaftMetrics<TypeConfig>| {
        metrics
            .current_leader
            .is_some_and(|leader| leader != core.node.0)
    };
    wait.metrics(moved, "leadership moves")
        .await
        .map(|_| ())
        .map_err(|_| {
            Failed::Refused(format!(
                "n{to} did not take over leadership in time; check that it is reachable"
            ))
        })
}

/// Tells the cluster this node's addresses when they differ from what the membership says.
pub(crate) async fn announce(core: Arc<Core>, own: Peer, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(ANNOUNCE_PERIOD) => {}
        }
        let metrics = core.metrics();
        let Some(known) = metrics
            .membership_config
            .membership()
            .get_node(&core.node.0)
            .cloned()
        else {
            continue;
        };
        if known.addresses == own.addresses {
            return;
        }
        let peer = Peer {
            addresses: own.addresses.clone(),
            ..known
        };
        match change(
            &core,
            Change::Move {
                node: core.node.0,
                peer,
            },
        )
        .await
        {
            Ok(_) => tracing::info!(addresses = ?own.addresses, "announced new addresses"),
            Err(e) => tracing::warn!(error = %e, "cannot announce new addresses yet"),
        }
    }
}

/// Looks after membership: finishes interrupted changes, fetches the issuing key for a new voter, and asks around when
/// this node is left alone (its membership may be older than the one the others go by).
pub(crate) async fn upkeep(core: Arc<Core>, stop: CancellationToken) {
    let mut joint_since = None;
    let mut alone_since = None;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(UPKEEP_PERIOD) => {}
        }
        let metrics = core.metrics();
        let membership = metrics.membership_config.membership();
        let joint =
            membership.get_joint_config().len() > 1 && metrics.current_leader == Some(core.node.0);
        if older_than(&mut joint_since, joint, JOINT_AGE_MAX) {
            tracing::info!("finishing an interrupted change of membership");
            // Adding nobody makes the engine leave the joint membership for its second half.
            let finish = core
                .raft
                .change_membership(ChangeMembers::AddVoterIds([].into()), false);
            if let Ok(Err(e)) = timeout(COMMIT_TIMEOUT, finish).await {
                tracing::warn!(error = %e, "the change of membership is not finished yet");
            }
        }
        if older_than(
            &mut alone_since,
            metrics.current_leader.is_none(),
            core.timing.election_max * 3,
        ) {
            ask_around(&core).await;
        }
        let votes = membership.voter_ids().any(|id| id == core.node.0);
        if votes && !core.identity.holds_all_keys() {
            fetch_issuing_key(&core).await;
        }
    }
}

/// True while `now` has held for longer than `age`; `since` remembers when it began.
fn older_than(since: &mut Option<Instant>, now: bool, age: Duration) -> bool {
    if !now {
        *since = None;
        return false;
    }
    since.get_or_insert_with(Instant::now).elapsed() > age
}

async fn ask_around(core: &Core) {
    for id in core
        .transport
        .pins()
        .peers()
        .into_keys()
        .filter(|id| *id != core.node.0)
    {
        let answer = core
            .transport
            .call(NodeId(id), Kind::Membership, &[], ASK_TIMEOUT)
            .await;
        let Ok(bytes) = answer else { continue };
        if let Ok(membership) = codec::decode::<WireStoredMembership>(&bytes)
            && core.transport.pins().adopt_wire(membership)
        {
            tracing::info!(from = %NodeId(id), "learnt a newer membership");
            core.transport.follow_pins();
        }
    }
}

/// Asks the other voters, the leader first, until this node holds the key of every authority in use.
async fn fetch_issuing_key(core: &Core) {
    let leader = core.leader().map(|leader| leader.0);
    let mut voters: Vec<u64> = core.standing().voters.into_iter().collect();
    voters.sort_by_key(|id| Some(*id) != leader);
    for id in voters.into_iter().filter(|id| *id != core.node.0) {
        let Ok(bytes) = core
            .transport
            .call(NodeId(id), Kind::IssuingKey, &[], ASK_TIMEOUT)
            .await
        else {
            continue;
        };
        let Ok(keys) = codec::decode::<String>(&bytes) else {
            continue;
        };
        match core.identity.adopt_issuing_keys(&keys) {
            Ok(()) if core.identity.holds_all_keys() => {
                return tracing::info!(from = %NodeId(id), "holds the issuing key now");
            }
            Ok(()) => {}
            Err(e) => tracing::warn!(from = %NodeId(id), error = %e, "cannot use the issuing key"),
        }
    }
}

/// The request id of a change's row in the state, the same for every try.
pub(crate) fn removal_id(node: NodeId, at: domain::Timestamp) -> RequestId {
    RequestId::derive(&[b"remove", &node.0.to_be_bytes(), &at.0.to_be_bytes()])
}

/// As [`removal_id`], for an eviction.
pub(crate) fn eviction_id(node: NodeId, at: domain::Timestamp) -> RequestId {
    RequestId::derive(&[b"evict", &node.0.to_be_bytes(), &at.0.to_be_bytes()])
}

#[cfg(test)]
mod tests;
