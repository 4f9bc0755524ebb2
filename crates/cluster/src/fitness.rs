//! A replica whose state differs from that of a majority does not lead (DESIGN A9): its answers to what is due would be
//! wrong. It keeps its vote and its copy of the log, which are not in doubt. As a majority agrees against it, fewer than
//! half are ever barred.

use std::sync::Arc;
use std::time::Duration;

use domain::nodes;
use domain::ports::ReadError;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::membership::hand_over_leadership;
use crate::replica::Core;

/// How often the digests are looked at.
const PERIOD: Duration = Duration::from_secs(2);

/// Bars and unbars this node, until `stop`.
pub(crate) async fn follow(core: Arc<Core>, stop: CancellationToken) {
    let mut barred = false;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(PERIOD) => {}
        }
        // Whether it takes part at all comes first, and is decided elsewhere.
        if !core.presence.cleared() || core.retired.borrow().is_some() {
            continue;
        }
        let Ok(differs) = differs(&core).await else {
            continue;
        };
        if differs != barred {
            barred = differs;
            core.raft.runtime_config().elect(!barred);
            if barred {
                tracing::error!(
                    "this node's data differ from a majority's: it must not lead; remove it and join it anew"
                );
            } else {
                tracing::info!("this node's data agree with the others' again");
            }
        }
        if barred && core.standing().leading.is_some() {
            match hand_over_leadership(&core).await {
                Some(to) => tracing::info!(to, "leadership handed over"),
                None => tracing::warn!("nobody took leadership over yet"),
            }
        }
    }
}

async fn differs(core: &Core) -> Result<bool, ReadError> {
    let mut view = core.state.view().await?;
    let digests = nodes::digests(&mut view).await?;
    let own = digests.iter().find(|row| row.node == core.node);
    Ok(own.is_some_and(|row| row.standing.bars()))
}
