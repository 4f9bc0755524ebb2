//! The production log store with a disk that takes its time: an append is readable at once, on disk a little later, and a
//! crash takes what was on its way.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io;
use std::ops::{Bound, RangeBounds};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cluster::store::log::LogStore;
use cluster::types::{Entry, LogId, TypeConfig, Vote};
use openraft::storage::{IOFlushed, RaftLogStorage};
use openraft::type_config::TypeConfigExt as _;
use openraft::{LogState, OptionalSend, RaftLogReader};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::sync::{mpsc, oneshot};

use crate::disk::Disk;
use crate::plants::Plant;

/// What the engine asked the disk to do, in order.
enum Job {
    Append(Vec<Entry>, IOFlushed<TypeConfig>),
    Vote(Vote, Done),
    Truncate(Option<LogId>, Done),
    Purge(LogId, Done),
}

type Done = oneshot::Sender<io::Result<()>>;

/// Handle of the log.
#[derive(Clone)]
pub(crate) struct SlowLog {
    shared: Arc<Shared>,
    jobs: mpsc::UnboundedSender<Job>,
}

struct Shared {
    disk: Arc<Disk>,
    real: LogStore,
    /// Readable, not yet on disk.
    pending: Mutex<BTreeMap<u64, Entry>>,
    /// Milliseconds each write takes on top.
    slow_ms: Mutex<u64>,
    plant: Option<Plant>,
    /// Said, and by the planted bug not written.
    vote: Mutex<Option<Vote>>,
}

impl SlowLog {
    /// The log on `disk`, and the task that writes it; the task ends with the node.
    pub(crate) fn new(
        disk: Arc<Disk>,
        seed: u64,
        plant: Option<Plant>,
    ) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (jobs, queue) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            real: disk.log(),
            disk,
            pending: Mutex::default(),
            slow_ms: Mutex::default(),
            plant,
            vote: Mutex::default(),
        });
        let arm = write(shared.clone(), queue, StdRng::seed_from_u64(seed));
        (Self { shared, jobs }, arm)
    }

    /// From here on every write takes `ms` longer.
    pub(crate) fn slow_down(&self, ms: u64) {
        *lock(&self.shared.slow_ms) = ms;
    }

    /// Everything readable.
    pub(crate) fn entries(&self, range: impl RangeBounds<u64>) -> io::Result<Vec<Entry>> {
        let start = match range.start_bound() {
            Bound::Included(x) => *x,
            Bound::Excluded(x) => x + 1,
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(x) => x.saturating_add(1),
            Bound::Excluded(x) => *x,
            Bound::Unbounded => u64::MAX,
        };
        let newest: Vec<Entry> = lock(&self.shared.pending)
            .range(start..end.max(start))
            .map(|(_, entry)| entry.clone())
            .collect();
        let written = newest.first().map_or(end, |entry| entry.log_id.index);
        let mut entries = Vec::new();
        if start < written {
            let mut real = self.shared.real.clone();
            entries = self
                .shared
                .disk
                .run(async move { real.try_get_log_entries(start..written).await })?;
        }
        entries.extend(newest);
        Ok(entries)
    }

    async fn ask(&self, job: impl FnOnce(Done) -> Job) -> io::Result<()> {
        let (done, answer) = oneshot::channel();
        let gone = || io::Error::other("the node is going down");
        self.jobs.send(job(done)).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

/// The disk's arm: one write after the other, each taking a few milliseconds, now and then many.
async fn write(shared: Arc<Shared>, mut queue: mpsc::UnboundedReceiver<Job>, mut chance: StdRng) {
    let mut jobs = Vec::new();
    while queue.recv_many(&mut jobs, 64).await > 0 {
        let takes = match chance.random_range(0..200) {
            0 => chance.random_range(50..300),
            _ => chance.random_range(0..4),
        };
        let slow = *lock(&shared.slow_ms);
        tokio::time::sleep(Duration::from_millis(takes + slow)).await;
        // One sync for all that waited, as the production writer does.
        for job in jobs.drain(..) {
            shared.carry_out(job);
        }
    }
}

impl Shared {
    fn carry_out(&self, job: Job) {
        let mut real = self.real.clone();
        match job {
            Job::Append(entries, done) => {
                let ids: Vec<LogId> = entries.iter().map(|entry| entry.log_id).collect();
                let written = self.disk.run(async move {
                    let (flushed, told) = TypeConfig::oneshot();
                    real.append(entries, IOFlushed::signal(flushed)).await?;
                    told.await.map_err(io::Error::other)?
                });
                let mut pending = lock(&self.pending);
                for id in ids {
                    // Another entry may have taken its place since.
                    if pending
                        .get(&id.index)
                        .is_some_and(|entry| entry.log_id == id)
                    {
                        pending.remove(&id.index);
                    }
                }
                drop(pending);
                done.io_completed(written);
            }
            Job::Vote(vote, done) if self.plant == Some(Plant::VoteForgotten) => {
                *lock(&self.vote) = Some(vote);
                _ = done.send(Ok(()));
            }
            Job::Vote(vote, done) => {
                _ = done.send(self.disk.run(async move { real.save_vote(&vote).await }));
            }
            Job::Truncate(after, done) => {
                let truncated = self
                    .disk
                    .run(async move { real.truncate_after(after).await });
                _ = done.send(truncated);
            }
            Job::Purge(upto, done) => {
                // Purging waits for what is durable; made so here, or it would depend on real time how much goes.
                let state = self.disk.state();
                let purged = self.disk.run(async move {
                    state.make_durable().await?;
                    real.purge(upto).await
                });
                _ = done.send(purged);
            }
        }
    }
}

impl RaftLogReader<TypeConfig> for SlowLog {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> io::Result<Vec<Entry>> {
        self.entries(range)
    }

    async fn read_vote(&mut self) -> io::Result<Option<Vote>> {
        let unwritten = *lock(&self.shared.vote);
        Ok(unwritten.or(self.shared.real.vote()))
    }
}

impl RaftLogStorage<TypeConfig> for SlowLog {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> io::Result<LogState<TypeConfig>> {
        let newest = lock(&self.shared.pending)
            .last_key_value()
            .map(|(_, entry)| entry.log_id);
        Ok(LogState {
            last_purged_log_id: self.shared.real.purged(),
            last_log_id: newest.or(self.shared.real.last_log_id()),
        })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> io::Result<()> {
        self.ask(|done| Job::Vote(*vote, done)).await
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> io::Result<()> {
        let mut real = self.shared.real.clone();
        self.shared
            .disk
            .run(async move { real.save_committed(committed).await })
    }

    async fn read_committed(&mut self) -> io::Result<Option<LogId>> {
        let mut real = self.shared.real.clone();
        self.shared
            .disk
            .run(async move { real.read_committed().await })
    }

    async fn append<I>(&mut self, entries: I, done: IOFlushed<TypeConfig>) -> io::Result<()>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries: Vec<Entry> = entries.into_iter().collect();
        lock(&self.shared.pending).extend(
            entries
                .iter()
                .map(|entry| (entry.log_id.index, entry.clone())),
        );
        let done = if self.shared.plant == Some(Plant::FlushedTooEarly) {
            done.io_completed(Ok(()));
            IOFlushed::noop()
        } else {
            done
        };
        self.jobs
            .send(Job::Append(entries, done))
            .map_err(|_| io::Error::other("the node is going down"))
    }

    async fn truncate_after(&mut self, last: Option<LogId>) -> io::Result<()> {
        let kept = last.map_or(0, |id| id.index + 1);
        lock(&self.shared.pending).split_off(&kept);
        self.ask(|done| Job::Truncate(last, done)).await
    }

    async fn purge(&mut self, upto: LogId) -> io::Result<()> {
        self.ask(|done| Job::Purge(upto, done)).await
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
