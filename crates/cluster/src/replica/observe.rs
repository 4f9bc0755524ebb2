//! Follows the engine and the state: who leads, who is a member, what time it is. Everything else watches what is
//! published here.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use domain::NodeId;
use domain::topics::{Topic, Topics};
use openraft::ServerState;
use openraft::async_runtime::watch::WatchReceiver as _;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::{Core, Metrics, Standing};
use crate::types::leader_stamp;

/// Stamps are read from the state at most this often.
const STAMP_PERIOD: Duration = Duration::from_millis(200);

/// Runs until stopped or until the engine ends.
pub(crate) async fn observe(core: Arc<Core>, stop: CancellationToken) {
    let mut metrics = core.raft.metrics();
    let mut applied = core.state.changes();
    let mut next_stamp = Instant::now();
    let mut stamp_due = true;
    loop {
        let seen = metrics.borrow_watched().clone();
        publish(&core, &seen);
        tokio::select! {
            () = stop.cancelled() => return,
            changed = metrics.changed() => if changed.is_err() { return },
            changed = applied.changed() => {
                if changed.is_err() {
                    return;
                }
                core.changes.send_modify(|count| *count += 1);
                stamp_due = true;
            }
            () = sleep_until(next_stamp), if stamp_due => {
                next_stamp = Instant::now() + STAMP_PERIOD;
                stamp_due = false;
                match core.state.view().await {
                    Ok(view) => core.time.observe(view.as_of),
                    Err(e) => tracing::warn!(error = %e, "cannot read the last stamp"),
                }
            }
        }
    }
}

fn publish(core: &Core, metrics: &Metrics) {
    follow_membership(core, metrics);
    let membership = metrics.membership_config.membership();
    let leads = metrics.state == ServerState::Leader && metrics.current_leader == Some(core.node.0);
    let stamp = leader_stamp(&metrics.vote.leader_id);
    // The first entry of a leadership carries its id: once that is applied, so is everything before.
    let caught_up = metrics
        .last_applied
        .is_some_and(|id| leader_stamp(&id.leader_id) == stamp);
    let leader = metrics.current_leader.map(NodeId);
    let mut standing = core.standing.lock().unwrap_or_else(PoisonError::into_inner);
    let leading = (leads && metrics.vote.committed && caught_up).then(|| match standing.leading {
        Some((before, began)) if before == stamp => (before, began),
        Some(_) | None => (stamp, core.clock.boot()),
    });
    let next = Standing {
        leader,
        leading,
        voters: membership.voter_ids().collect(),
        learners: membership.learner_ids().collect(),
    };
    let moved = standing.leader != next.leader || standing.leading != next.leading;
    let members_changed = standing.voters != next.voters || standing.learners != next.learners;
    if moved {
        tracing::info!(node = %core.node, leader = ?next.leader.map(|id| id.0), leading = next.leading.is_some(), "leadership changed");
    }
    *standing = next;
    drop(standing);
    core.leader
        .send_if_modified(|known| std::mem::replace(known, leader) != leader);
    if moved || members_changed {
        core.state.feed().note(Topics::of(&[Topic::Cluster]));
        core.changes.send_modify(|count| *count += 1);
    }
}

/// Pins and links follow the newest membership in the log, committed or not, as Raft itself does.
fn follow_membership(core: &Core, metrics: &Metrics) {
    let stored = &metrics.membership_config;
    let pins = core.transport.pins();
    if pins.adopt(stored) {
        core.transport.follow_pins();
    }
    // A newcomer replays memberships from before its time; those are older than the one its admission named.
    let current =
        stored.log_id().is_some() && stored.log_id().as_ref().map(|id| id.index) == pins.index();
    let committed = metrics.committed_membership_config.log_id() == stored.log_id();
    if current && committed && stored.membership().get_node(&core.node.0).is_none() {
        core.transport.set_removed();
    }
}
