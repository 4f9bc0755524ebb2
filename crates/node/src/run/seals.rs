//! While the cluster changes its authority, two keys seal; what the old one sealed is sealed under the new one before
//! it goes.

use std::sync::Arc;
use std::time::Duration;

use domain::ports::{ClusterAdmin, Replica};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// How often the keys are looked at; that reads memory only, unless there are two.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Seals anew while this node leads and holds both keys, until `stop`.
pub(super) async fn keep_current(
    replica: Arc<dyn Replica>,
    admin: Arc<dyn ClusterAdmin>,
    stop: CancellationToken,
) {
    loop {
        let leads = replica.leadership().leading.is_some() && replica.island().is_none();
        let keys = if leads {
            admin.sealing_keys()
        } else {
            Vec::new()
        };
        if keys.len() > 1
            && let Err(error) = api::reseal(replica.as_ref(), &keys).await
        {
            warn!(%error, "not everything is sealed under the newest key yet");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(LOOK_EVERY) => {}
        }
    }
}
