//! Linearizable reads by read index (Raft thesis §6.4): the leader confirms with a majority that it leads, and names the
//! index a read must wait for. Reads that wait together share one round.

use std::sync::Arc;
use std::time::Duration;

use domain::codec;
use domain::ports::ReadError;
use openraft::ReadPolicy;
use openraft::errors::{LinearizableReadError, RaftError};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use super::Core;
use crate::rpc::{Kind, PeerTransport as _};
use crate::wire::ReadAt;

/// Reads waiting for a round.
const QUEUE_MAX: usize = 4096;
/// No round lasts longer.
const ROUND_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause before asking again when nobody leads.
const RETRY_PAUSE: Duration = Duration::from_millis(20);

/// Asks for read indices. Cheap to clone.
#[derive(Clone)]
pub(crate) struct ReadBarrier(mpsc::Sender<oneshot::Sender<u64>>);

impl ReadBarrier {
    /// The handle and the task behind it.
    pub(crate) fn new(
        core: Arc<Core>,
        stop: CancellationToken,
    ) -> (Self, impl Future<Output = ()> + Send) {
        let (queue, waiting) = mpsc::channel(QUEUE_MAX);
        (Self(queue), run(core, waiting, stop))
    }

    /// The index to wait for before reading.
    pub(crate) async fn index(&self, deadline: Instant) -> Result<u64, ReadError> {
        let (answer, told) = oneshot::channel();
        self.0.try_send(answer).map_err(|_| ReadError::NoQuorum)?;
        match timeout_at(deadline, told).await {
            Ok(Ok(index)) => Ok(index),
            Ok(Err(_)) | Err(_) => Err(ReadError::NoQuorum),
        }
    }
}

async fn run(
    core: Arc<Core>,
    mut waiting: mpsc::Receiver<oneshot::Sender<u64>>,
    stop: CancellationToken,
) {
    let mut askers = Vec::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            taken = waiting.recv_many(&mut askers, QUEUE_MAX) => if taken == 0 { return },
        }
        // Everybody taken asked before the round starts, so one index serves them all.
        loop {
            askers.retain(|asker| !asker.is_closed());
            if askers.is_empty() {
                break;
            }
            let leader = core.leader();
            let index = tokio::select! {
                () = stop.cancelled() => return,
                index = round(&core) => index,
                // Whoever led before may never answer.
                () = core.another_leader(leader, Instant::now() + ROUND_TIMEOUT) => None,
            };
            if let Some(index) = index {
                for asker in askers.drain(..) {
                    _ = asker.send(index);
                }
                break;
            }
            core.another_leader(leader, Instant::now() + RETRY_PAUSE)
                .await;
        }
    }
}

async fn round(core: &Core) -> Option<u64> {
    let leader = core.leader()?;
    let patience = core.timing.election_max * 2;
    let answer = if leader == core.node {
        read_index_here(core).await
    } else {
        let answer = core
            .transport
            .call(leader, Kind::ReadIndex, &[], patience)
            .await
            .ok()?;
        codec::decode(&answer).ok()?
    };
    match answer {
        ReadAt::Index(index) => Some(index),
        ReadAt::NotLeader { .. } | ReadAt::NoQuorum => None,
    }
}

/// The read index, if this node leads and a majority says so.
pub(crate) async fn read_index_here(core: &Core) -> ReadAt {
    let asked = core.raft.get_read_log_id(ReadPolicy::ReadIndex);
    match timeout(core.timing.election_max * 2, asked).await {
        Ok(Ok((read, _applied))) => ReadAt::Index(read.index()),
        Ok(Err(RaftError::APIError(LinearizableReadError::ForwardToLeader(to)))) => {
            ReadAt::NotLeader {
                leader: to.leader_id,
            }
        }
        Ok(Err(_)) | Err(_) => ReadAt::NoQuorum,
    }
}
