//! One node: its loops, its state and its channels.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use delivery::{Scheduler, Wake, Worker};
use domain::ports::{Channel, Clock, Replica};
use domain::{NodeId, Timestamp};

use super::channel::FakeChannel;
use super::gate::Gate;
use super::island::Islander;
use super::journal::MemoryJournal;
use super::replica::{NodeClock, NodeReplica, SharedOrder, locked};
use super::state::NodeState;

/// A loop runs at least this often, as in production.
const PERIOD: Duration = Duration::from_secs(1);

/// See the module's documentation.
pub struct Node {
    pub id: NodeId,
    pub modem: Arc<FakeChannel>,
    pub mail: Arc<FakeChannel>,
    pub journal: Arc<MemoryJournal>,
    pub state: Arc<NodeState>,
    pub gate: Arc<Gate>,
    pub islander: Arc<Islander>,
    order: SharedOrder,
    replica: Arc<NodeReplica>,
    worker: Seat<Worker>,
    scheduler: Seat<Scheduler>,
    /// Its scheduler does nothing, though the node lives.
    pub scheduler_hangs: bool,
}

/// A loop between two steps, or held in the middle of one.
struct Seat<T> {
    place: Place<T>,
    /// Applied index the last step saw, and when the next is wanted, in true time.
    seen: u64,
    next: Duration,
    /// Applied index when the last step began, and whether it was held in the middle.
    began: u64,
    held: bool,
}

enum Place<T> {
    Free(T),
    Held(Step<T>),
    /// Only while a step runs.
    Away,
}

type Step<T> = Pin<Box<dyn Future<Output = (T, Wake)> + Send>>;

impl Node {
    pub(super) async fn new(id: NodeId, order: &SharedOrder) -> Self {
        let gate: Arc<Gate> = Arc::default();
        let state = NodeState::open().await;
        let (modem, mail) = (FakeChannel::sms(id.0), FakeChannel::email(id.0));
        let journal = Arc::new(MemoryJournal::new(gate.clone()));
        let islander = Arc::new(Islander::new(id, order.clone(), state.clone()));
        let replica = NodeReplica::new(
            id,
            order.clone(),
            state.clone(),
            gate.clone(),
            islander.clone(),
        );
        let (modem, mail, replica) = (Arc::new(modem), Arc::new(mail), Arc::new(replica));
        let loops = loops(id, order, &replica, &journal, &modem, &mail);
        Self {
            id,
            modem,
            mail,
            journal,
            state,
            gate,
            islander,
            order: order.clone(),
            replica,
            worker: loops.0,
            scheduler: loops.1,
            scheduler_hangs: false,
        }
    }

    /// What this node's loops see.
    pub fn replica(&self) -> Arc<NodeReplica> {
        self.replica.clone()
    }

    /// Its clocks.
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(NodeClock {
            id: self.id,
            order: self.order.clone(),
        })
    }

    /// Its two channels.
    pub fn channels(&self) -> [&Arc<FakeChannel>; 2] {
        [&self.modem, &self.mail]
    }

    /// The process starts anew: loops without memory, the journal and what the modem kept.
    pub(super) fn restart(&mut self) {
        self.gate.release();
        self.modem.restart();
        self.mail.restart();
        (self.worker, self.scheduler) = loops(
            self.id,
            &self.order,
            &self.replica,
            &self.journal,
            &self.modem,
            &self.mail,
        );
    }

    /// The process is gone, also in the middle of a step.
    pub(super) fn stop(&mut self) {
        self.islander.crash();
        self.worker.place = Place::Away;
        self.scheduler.place = Place::Away;
    }

    /// Applied index of what the loops see.
    fn version(&self) -> u64 {
        let fork = self.islander.state();
        fork.map_or_else(|| self.state.applied(), |fork| fork.applied())
    }

    /// A step is held in the middle.
    pub fn is_held(&self) -> bool {
        matches!(self.worker.place, Place::Held(_))
            || matches!(self.scheduler.place, Place::Held(_))
    }

    /// Applied index when the worker's last step began, and whether that step was held in the middle.
    pub fn worker_began(&self) -> (u64, bool) {
        (self.worker.began, self.worker.held)
    }

    /// Applies what is agreed, then lets each loop work if it has reason to, or must. True when a loop ran.
    pub(super) async fn round(&mut self, force: bool) -> bool {
        let elapsed = {
            let order = locked(&self.order);
            if !order.hears(self.id, self.id) {
                return false;
            }
            order.elapsed
        };
        self.replica.catch_up().await;
        self.islander.tend().await;
        let rings = self.modem.has_events() || self.mail.has_events();
        let mut ran = false;
        let now = self.replica.now();
        if force || rings || self.worker.is_due(elapsed, self.version()) {
            ran = true;
            let seen = self.version();
            let step = |mut worker: Worker| -> Step<Worker> {
                Box::pin(async move {
                    let wake = worker.step(now).await;
                    (worker, wake)
                })
            };
            self.worker
                .drive(&self.gate, step, elapsed, now, seen)
                .await;
        }
        if !self.scheduler_hangs && (force || self.scheduler.is_due(elapsed, self.version())) {
            ran = true;
            let seen = self.version();
            let step = |mut scheduler: Scheduler| -> Step<Scheduler> {
                Box::pin(async move {
                    let wake = scheduler.step(now).await;
                    (scheduler, wake)
                })
            };
            self.scheduler
                .drive(&self.gate, step, elapsed, now, seen)
                .await;
        }
        ran
    }
}

impl<T: Send + 'static> Seat<T> {
    fn new(of: T) -> Self {
        Self {
            place: Place::Free(of),
            seen: u64::MAX,
            next: Duration::ZERO,
            began: 0,
            held: false,
        }
    }

    fn is_due(&self, elapsed: Duration, applied: u64) -> bool {
        self.seen != applied || elapsed >= self.next
    }

    /// Begins a step, or goes on with a held one, until it ends or is held.
    async fn drive(
        &mut self,
        gate: &Gate,
        begin: impl FnOnce(T) -> Step<T>,
        elapsed: Duration,
        now: Timestamp,
        seen: u64,
    ) {
        let mut step = match std::mem::replace(&mut self.place, Place::Away) {
            Place::Free(of) => {
                (self.began, self.held) = (seen, false);
                begin(of)
            }
            Place::Held(step) if gate.is_holding() => {
                self.place = Place::Held(step);
                return;
            }
            Place::Held(step) => step,
            Place::Away => return,
        };
        tokio::select! {
            biased;
            (of, wake) = &mut step => {
                self.place = Place::Free(of);
                self.seen = seen;
                self.next = elapsed + match wake {
                    Wake::Now => Duration::ZERO,
                    Wake::At(at) => at.since(now).min(PERIOD),
                    Wake::Idle => PERIOD,
                };
            }
            () = gate.reached() => {
                self.held = true;
                self.place = Place::Held(step);
            }
        }
    }
}

fn loops(
    id: NodeId,
    order: &SharedOrder,
    replica: &Arc<NodeReplica>,
    journal: &Arc<MemoryJournal>,
    modem: &Arc<FakeChannel>,
    mail: &Arc<FakeChannel>,
) -> (Seat<Worker>, Seat<Scheduler>) {
    let clock: Arc<dyn Clock> = Arc::new(NodeClock {
        id,
        order: order.clone(),
    });
    let channels: Vec<Arc<dyn Channel>> = vec![modem.clone(), mail.clone()];
    let replica: Arc<dyn Replica> = replica.clone();
    (
        Seat::new(Worker::new(
            replica.clone(),
            journal.clone(),
            channels,
            clock,
        )),
        Seat::new(Scheduler::new(replica)),
    )
}
