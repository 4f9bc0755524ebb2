//! Small periodic duties of a running member.

use std::sync::Arc;
use std::time::Duration;

use domain::Timestamp;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::cluster::ClusterError;
use crate::config::{ClusterConfig, Tuning};
use crate::replica::Core;
use crate::retired::{self, Retired, Why};
use crate::store::Store;
use crate::store::log::LogStore;
use crate::store::node_db::{ClockAnchor, NodeDb};
use crate::store::trigger::SnapshotTrigger;

/// How often the clock's anchor is stored and the need of a snapshot is looked at.
const UPKEEP_PERIOD: Duration = Duration::from_secs(5);

/// The clock's offset stored in this boot, if any.
pub(crate) async fn kept_offset(
    store: &Store,
    config: &ClusterConfig,
) -> Result<Option<i64>, ClusterError> {
    let anchor = store.node_db.clock_anchor().await?;
    Ok(anchor
        .filter(|anchor| anchor.boot_id == config.boot_id)
        .map(|anchor| anchor.cluster.0 - anchor.boottime_ms))
}

/// Stores what cluster time goes on from after a restart.
pub(crate) async fn keep_anchor(core: &Core, node_db: &NodeDb, boot_id: &str) {
    let boottime_ms = i64::try_from(core.clock.boot().as_millis()).unwrap_or(0);
    let cluster = Timestamp(boottime_ms + core.time.offset_ms());
    let anchor = ClockAnchor {
        boot_id: boot_id.to_owned(),
        boottime_ms,
        cluster,
    };
    if let Err(e) = node_db.set_clock_anchor(&anchor).await {
        tracing::warn!(error = %e, "cannot store the clock's anchor");
    }
}

/// Stores the clock's anchor and has snapshots built when they are due.
pub(crate) async fn keep_files(
    core: Arc<Core>,
    log: LogStore,
    node_db: Arc<NodeDb>,
    config: ClusterConfig,
    stop: CancellationToken,
) {
    let newest = core.metrics().snapshot.map(|id| id.index);
    let Tuning {
        snapshot_bytes,
        snapshot_period,
        ..
    } = config.tuning;
    let mut trigger =
        SnapshotTrigger::with_limits(snapshot_bytes, snapshot_period, Instant::now(), newest);
    let mut kept_ms = i64::MIN;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(UPKEEP_PERIOD) => {}
        }
        // The offset only moves when some member's clock runs faster; within a second it is not worth a write.
        if core.time.offset_ms().saturating_sub(kept_ms) > 1_000 {
            kept_ms = core.time.offset_ms();
            keep_anchor(&core, &node_db, &config.boot_id).await;
        }
        let applied = core.state.applied().map(|id| id.index);
        if trigger.due(Instant::now(), log.bytes_since_snapshot(), applied) {
            log.snapshot_taken();
            if let Err(e) = core.raft.trigger().snapshot().await {
                tracing::warn!(error = %e, "cannot ask for a snapshot");
            }
        }
    }
}

/// A retired node must not stand for election any more, and must remember that after a restart.
pub(crate) async fn retire(core: Arc<Core>, node_db: Arc<NodeDb>, stop: CancellationToken) {
    let mut removed = core.transport.removed();
    let mut retired = core.retired.subscribe();
    tokio::select! {
        () = stop.cancelled() => return,
        _ = removed.wait_for(|removed| *removed) => core.retire(Retired { why: Why::Removed }),
        _ = retired.wait_for(Option::is_some) => {}
    }
    core.raft.runtime_config().elect(false);
    let why = core.retired.borrow().clone();
    if let Some(why) = why {
        retired::keep(&node_db, &why).await;
    }
    core.stopped.send_replace(true);
}
