//! Notes in the audit what this node's own files tell: that a backup was made, by the schedule or by hand.

use std::sync::Arc;
use std::time::Duration;

use domain::audit::{Assurance, Command as Audit, Event, What};
use domain::ports::{ClusterAdmin, Proposal, Replica};
use domain::{Actor, Command, RequestId, Timestamp};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::debug;

/// How often it is looked; the memory of backups is read as often.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Notes new backups, until `stop`. One made while the node is down is noted by nobody: its file says when it was made.
pub(super) async fn note_backups(
    replica: Arc<dyn Replica>,
    admin: Arc<dyn ClusterAdmin>,
    stop: CancellationToken,
) {
    let mut known = admin.status().backup.made_at;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(LOOK_EVERY) => {}
        }
        let made = admin.status().backup.made_at;
        if let Some(at) = made.filter(|_| made != known) {
            match replica.propose(backed_up(replica.as_ref(), at)).await {
                Ok(_) => known = made,
                Err(error) => debug!(%error, "a backup is not in the audit yet"),
            }
        }
    }
}

/// Twice at most: a loop that got no answer says it again.
fn backed_up(replica: &dyn Replica, wall: Timestamp) -> Proposal {
    let node = replica.node();
    let event = Event {
        at: replica.now(),
        actor: Actor::Loop.label(),
        assurance: Assurance::Node.name().to_owned(),
        what: What::BackedUp,
        object: format!("node:{node}"),
        count: 1,
        details: vec![("wall_ms".to_owned(), wall.0.to_string())],
    };
    let command = Command::Audit(Audit::Note {
        node,
        events: vec![event],
    });
    let request = RequestId::derive(&[b"backup", &node.0.to_be_bytes(), &wall.0.to_be_bytes()]);
    Proposal::by_loop(request, command)
}
