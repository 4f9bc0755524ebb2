//! Proposals: batched into the engine where this node leads, else forwarded in batches to the node that does, and tried
//! again across changes of leadership under the same request id.

use std::sync::Arc;
use std::time::Duration;

use domain::NodeId;
use domain::codec;
use domain::ports::ProposeError;
use futures_util::StreamExt as _;
use openraft::errors::ClientWriteError;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;

use super::{Core, Raft};
use crate::rpc::{CallError, Kind, PeerTransport as _};
use crate::types::{Record, Reply};
use crate::wire::{Fate, Forwarded};

/// Commands waiting to be taken into a batch.
const QUEUE_MAX: usize = 4096;
/// Commands and bytes in one batch.
const BATCH_MAX: usize = 512;
const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Batches under way.
const BATCHES_MAX: usize = 64;
/// With so many batches under way, what comes gathers in the next one, which waits for one of them to end, or for
/// [`GATHER_MAX`]. A batch costs a majority an fsync and each node a transaction, however little is in it.
const UNDER_WAY: usize = 2;
/// The longest a command gathers behind others: one lost leader must not hold up those that could go on.
const GATHER_MAX: Duration = Duration::from_millis(20);
/// Pause before asking again when nobody leads.
const RETRY_PAUSE: Duration = Duration::from_millis(20);

/// Hands commands to the batching task. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Proposer {
    core: Arc<Core>,
    queue: mpsc::Sender<Job>,
}

struct Job {
    record: Record,
    fate: oneshot::Sender<Fate>,
}

impl Proposer {
    /// The handle and the task behind it.
    pub(crate) fn new(
        core: Arc<Core>,
        stop: CancellationToken,
    ) -> (Self, impl Future<Output = ()> + Send) {
        let (queue, jobs) = mpsc::channel(QUEUE_MAX);
        (
            Self {
                core: core.clone(),
                queue,
            },
            run(core, jobs, stop),
        )
    }

    /// Gets a record committed, whoever leads, or says at the deadline what is known of it.
    pub(crate) async fn commit(
        &self,
        record: Record,
        deadline: Instant,
    ) -> Result<(u64, Reply), ProposeError> {
        // Once one try may have reached the log, a later refusal no longer proves that it is not there.
        let mut may_be_in_log = false;
        loop {
            if *self.core.transport.removed().borrow() {
                return Err(ProposeError::Refused(
                    "this node was removed from the cluster".to_owned(),
                ));
            }
            let leader = self.core.leader();
            match self.once(record.clone(), deadline).await? {
                Fate::Committed { index, reply } => return Ok((index, reply)),
                Fate::NotLeader { .. } => {}
                Fate::Unknown => may_be_in_log = true,
            }
            if Instant::now() + RETRY_PAUSE >= deadline {
                return Err(match may_be_in_log {
                    true => ProposeError::Unknown,
                    false => ProposeError::Refused(
                        "no leader is known; a majority of nodes is needed".to_owned(),
                    ),
                });
            }
            let pause = Instant::now() + RETRY_PAUSE;
            self.core.another_leader(leader, pause).await;
        }
    }

    async fn once(&self, record: Record, deadline: Instant) -> Result<Fate, ProposeError> {
        let (fate, told) = oneshot::channel();
        self.queue
            .try_send(Job { record, fate })
            .map_err(|e| match e {
                mpsc::error::TrySendError::Full(_) => ProposeError::Overloaded,
                mpsc::error::TrySendError::Closed(_) => {
                    ProposeError::Refused("this node is stopping".to_owned())
                }
            })?;
        match timeout_at(deadline, told).await {
            Ok(Ok(fate)) => Ok(fate),
            Ok(Err(_)) | Err(_) => Ok(Fate::Unknown),
        }
    }
}

/// Takes what waits into batches. Batches overlap, so that a slow one does not hold up the next.
async fn run(core: Arc<Core>, mut jobs: mpsc::Receiver<Job>, stop: CancellationToken) {
    let slots = Arc::new(Semaphore::new(BATCHES_MAX));
    let mut batches = JoinSet::new();
    let mut waiting = Vec::with_capacity(BATCH_MAX);
    let mut last = Instant::now();
    loop {
        while batches.len() >= UNDER_WAY {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = batches.join_next() => {}
                () = sleep_until(last + GATHER_MAX) => break,
            }
        }
        let slot = tokio::select! {
            () = stop.cancelled() => return,
            slot = slots.clone().acquire_owned() => slot,
        };
        let Ok(slot) = slot else { return };
        tokio::select! {
            () = stop.cancelled() => return,
            taken = jobs.recv_many(&mut waiting, BATCH_MAX) => if taken == 0 { return },
        }
        last = Instant::now();
        while batches.try_join_next().is_some() {}
        for batch in split(&mut waiting) {
            let (records, fates): (Vec<_>, Vec<_>) =
                batch.into_iter().map(|job| (job.record, job.fate)).unzip();
            match core.leader() {
                Some(leader) if leader == core.node => {
                    // Entering the engine's queue here, not in the task, keeps the order in which they were proposed.
                    let outcomes = core.raft.client_write_many(records).await;
                    batches.spawn(answer_local(outcomes, fates));
                }
                Some(leader) => {
                    batches.spawn(answer_forwarded(core.clone(), leader, records, fates));
                }
                None => answer_all(fates, &Fate::NotLeader { leader: None }),
            }
        }
        // The slot is free again once a batch is on its way and another has room.
        if batches.len() < BATCHES_MAX {
            drop(slot);
        } else {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = batches.join_next() => drop(slot),
            }
        }
    }
}

/// Cuts what was taken into batches that fit a frame.
fn split(waiting: &mut Vec<Job>) -> Vec<Vec<Job>> {
    let mut batches = vec![Vec::new()];
    let mut bytes = 0;
    for job in waiting.drain(..) {
        let length = job.record.as_bytes().len();
        if bytes > 0 && bytes + length > BATCH_BYTES_MAX {
            batches.push(Vec::new());
            bytes = 0;
        }
        bytes += length;
        if let Some(batch) = batches.last_mut() {
            batch.push(job);
        }
    }
    batches
}

type Outcomes = openraft::base::BoxStream<
    'static,
    Result<
        openraft::raft::WriteResult<crate::types::TypeConfig>,
        openraft::errors::Fatal<crate::types::TypeConfig>,
    >,
>;

async fn answer_local<E>(outcomes: Result<Outcomes, E>, fates: Vec<oneshot::Sender<Fate>>) {
    let Ok(mut outcomes) = outcomes else {
        return answer_all(fates, &Fate::NotLeader { leader: None });
    };
    for fate in fates {
        // A caller that gave up dropped its end; the entry is in the log all the same.
        _ = fate.send(next_fate(&mut outcomes).await);
    }
}

async fn next_fate(outcomes: &mut Outcomes) -> Fate {
    match outcomes.next().await {
        Some(Ok(Ok(written))) => Fate::Committed {
            index: written.log_id.index,
            reply: written.response,
        },
        Some(Ok(Err(ClientWriteError::ForwardToLeader(to)))) => Fate::NotLeader {
            leader: to.leader_id,
        },
        Some(Ok(Err(
            ClientWriteError::LogEntryDiscarded(_)
            | ClientWriteError::ChangeMembershipError(_)
            | ClientWriteError::PreconditionFailed(_),
        ))) => Fate::Unknown,
        Some(Err(_)) | None => Fate::Unknown,
    }
}

/// Writes forwarded commands here, without forwarding them once more.
pub(crate) async fn write_many(raft: &Raft, records: Vec<Record>) -> Vec<Fate> {
    let count = records.len();
    let Ok(mut outcomes) = raft.client_write_many(records).await else {
        return vec![Fate::NotLeader { leader: None }; count];
    };
    let mut fates = Vec::with_capacity(count);
    for _ in 0..count {
        fates.push(next_fate(&mut outcomes).await);
    }
    fates
}

/// Forwards one batch. A change of leadership meanwhile ends the wait: the answer may never come.
async fn answer_forwarded(
    core: Arc<Core>,
    leader: NodeId,
    records: Vec<Record>,
    fates: Vec<oneshot::Sender<Fate>>,
) {
    let body = match codec::encode(&Forwarded { records }) {
        Ok(body) => body,
        Err(e) => {
            tracing::error!(error = %e, "cannot encode a batch");
            return answer_all(fates, &Fate::NotLeader { leader: None });
        }
    };
    let patience = core.timing.election_max * 2 + Duration::from_secs(1);
    let deposed = async {
        let mut now = core.leader.subscribe();
        _ = now
            .wait_for(|now| now.is_some_and(|now| now != leader))
            .await;
    };
    let answer = tokio::select! {
        answer = core.transport.call(leader, Kind::Propose, &body, patience) => answer,
        () = deposed => Err(CallError::TimedOut(leader)),
    };
    let unsent = matches!(answer, Err(CallError::Unreachable(_)));
    let told: Vec<Fate> = match answer.map(|bytes| codec::decode(&bytes)) {
        Ok(Ok(told)) => told,
        Ok(Err(_)) | Err(_) => Vec::new(),
    };
    let mut told = told.into_iter();
    for fate in fates {
        let missing = if unsent {
            Fate::NotLeader { leader: None }
        } else {
            Fate::Unknown
        };
        _ = fate.send(told.next().unwrap_or(missing));
    }
}

fn answer_all(fates: Vec<oneshot::Sender<Fate>>, with: &Fate) {
    for fate in fates {
        _ = fate.send(with.clone());
    }
}
