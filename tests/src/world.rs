//! Several nodes around one log: each with its own worker, scheduler, journal and fake channels, driven step by step
//! with hand-moved time. What a node sends and receives passes through its channels only.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use delivery::{Scheduler, Worker};
use domain::deliveries::{AttemptRef, Report, SendOutcome};
use domain::nodes::ChannelReport;
use domain::ports::{
    Channel, ChannelEvent, ChannelKind, Clock, Committed, Freshness, Incoming, Journal,
    JournalError, LEASE, Leadership, Lease, Outgoing, Proposal, ProposeError, ReadError, ReadView,
    Replica,
};
use domain::{LeaderStamp, NodeId, Timestamp};
use tokio::sync::{Notify, watch};

use crate::fake_replica::{FakeReplica, ReplicaClock};

/// A cluster of nodes that share one log.
pub struct World {
    pub log: Arc<FakeReplica>,
    shared: Arc<Mutex<Shared>>,
    pub nodes: Vec<Node>,
}

/// Leases and leadership, as the network between the nodes would have them.
#[derive(Default)]
struct Shared {
    dead: BTreeSet<NodeId>,
    granted: BTreeMap<NodeId, Timestamp>,
    leading_since: Timestamp,
}

/// One node: its loops and its channels.
pub struct Node {
    pub id: NodeId,
    pub modem: Arc<FakeChannel>,
    pub mail: Arc<FakeChannel>,
    journal: Arc<MemoryJournal>,
    replica: Arc<NodeReplica>,
    scheduler: Scheduler,
    worker: Worker,
    alive: bool,
}

impl World {
    /// `count` nodes, the first one leading, each with a modem and a smarthost.
    pub async fn new(count: u64) -> Self {
        let log = FakeReplica::open().await;
        let shared = Arc::new(Mutex::new(Shared::default()));
        let mut world = Self {
            log,
            shared,
            nodes: Vec::new(),
        };
        for id in 1..=count {
            let node = world.build(
                NodeId(id),
                Arc::new(FakeChannel::sms(id)),
                Arc::new(FakeChannel::email(id)),
                Arc::default(),
            );
            world.nodes.push(node);
        }
        world.pass(Duration::from_secs(60));
        world
    }

    fn build(
        &self,
        id: NodeId,
        modem: Arc<FakeChannel>,
        mail: Arc<FakeChannel>,
        journal: Arc<MemoryJournal>,
    ) -> Node {
        let replica = Arc::new(NodeReplica {
            id,
            log: Arc::clone(&self.log),
            shared: Arc::clone(&self.shared),
        });
        let clock: Arc<dyn Clock> = Arc::new(ReplicaClock(Arc::clone(&self.log)));
        let channels: Vec<Arc<dyn Channel>> = vec![modem.clone(), mail.clone()];
        Node {
            id,
            scheduler: Scheduler::new(replica.clone()),
            worker: Worker::new(replica.clone(), journal.clone(), channels, clock),
            modem,
            mail,
            journal,
            replica,
            alive: true,
        }
    }

    /// Moves time.
    pub fn pass(&self, by: Duration) {
        self.log.advance(by);
    }

    /// Lets every living node work until nothing moves any more at this moment.
    pub async fn settle(&mut self) {
        let mut quiet = 0;
        for _ in 0..200 {
            let before = self.log.applied();
            for node in self.nodes.iter_mut().filter(|node| node.alive) {
                let now = self.log.now();
                node.worker.step(now).await;
                node.scheduler.step(now).await;
            }
            // A send makes no entry until its end is taken from the channel, one round later.
            quiet = if self.log.applied() == before {
                quiet + 1
            } else {
                0
            };
            if quiet == 2 {
                return;
            }
        }
        panic!("the nodes never come to rest");
    }

    /// Passes `by` in steps of one second, settling after each.
    pub async fn live(&mut self, by: Duration) {
        for _ in 0..by.as_secs() {
            self.pass(Duration::from_secs(1));
            self.settle().await;
        }
    }

    /// The node falls silent at once. If it led, the next living one leads.
    pub fn kill(&mut self, id: u64) {
        let id = NodeId(id);
        self.node_mut(id).alive = false;
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        shared.dead.insert(id);
        let stamp = self.log.stamp();
        if stamp.node == id {
            let next = self.nodes.iter().find(|node| node.alive);
            let next = next.expect("a node is left").id;
            shared.leading_since = self.log.now();
            shared.granted.clear();
            drop(shared);
            self.log.lead(LeaderStamp {
                term: stamp.term + 1,
                node: next,
            });
        }
    }

    /// The node comes back with its journal and what its modem kept.
    pub fn restart(&mut self, id: u64) {
        let id = NodeId(id);
        let old = self.node_mut(id);
        let (modem, mail, journal) = (old.modem.clone(), old.mail.clone(), old.journal.clone());
        self.shared
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .dead
            .remove(&id);
        modem.restart();
        mail.restart();
        let node = self.build(id, modem, mail, journal);
        *self.node_mut(id) = node;
    }

    pub fn node(&self, id: u64) -> &Node {
        let id = NodeId(id);
        self.nodes
            .iter()
            .find(|node| node.id == id)
            .expect("there is such a node")
    }

    fn node_mut(&mut self, id: NodeId) -> &mut Node {
        self.nodes
            .iter_mut()
            .find(|node| node.id == id)
            .expect("there is such a node")
    }

    /// Everything all channels sent to an address, in order of sending.
    pub fn sent_to(&self, address: &str) -> Vec<Sent> {
        let mut all: Vec<Sent> = self
            .nodes
            .iter()
            .flat_map(|node| [node.modem.sent(), node.mail.sent()])
            .flatten()
            .filter(|sent| sent.message.address == address)
            .collect();
        all.sort_by_key(|sent| sent.order);
        all
    }
}

impl Node {
    /// What this node's loops see.
    pub fn replica(&self) -> Arc<dyn Replica> {
        self.replica.clone()
    }
}

/// One node's view of the shared log.
struct NodeReplica {
    id: NodeId,
    log: Arc<FakeReplica>,
    shared: Arc<Mutex<Shared>>,
}

impl NodeReplica {
    fn dead(&self) -> bool {
        self.shared
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .dead
            .contains(&self.id)
    }
}

#[async_trait]
impl Replica for NodeReplica {
    fn node(&self) -> NodeId {
        self.id
    }

    async fn propose(&self, proposal: Proposal) -> Result<Committed, ProposeError> {
        if self.dead() {
            return Err(ProposeError::Unknown);
        }
        self.log.propose(proposal).await
    }

    async fn read(&self, freshness: Freshness) -> Result<ReadView, ReadError> {
        self.log.read(freshness).await
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.log.changes()
    }

    fn leadership(&self) -> Leadership {
        let stamp = self.log.stamp();
        let since = self
            .shared
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .leading_since;
        Leadership {
            leader: Some(stamp.node),
            leading: (stamp.node == self.id && !self.dead()).then_some(stamp),
            leading_for: self.log.now().since(since),
            voters: Vec::new(),
            learners: Vec::new(),
        }
    }

    fn now(&self) -> Timestamp {
        self.log.now()
    }

    async fn lease(&self) -> Option<Lease> {
        if self.dead() {
            return None;
        }
        self.shared
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .granted
            .insert(self.id, self.log.now());
        Some(Lease {
            until: ReplicaClock(Arc::clone(&self.log)).boot() + LEASE,
        })
    }

    fn granted(&self) -> Vec<(NodeId, Duration)> {
        let now = self.log.now();
        let shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        shared
            .granted
            .iter()
            .map(|(node, at)| (*node, now.since(*at)))
            .collect()
    }
}

/// A message as it left a channel.
#[derive(Clone, Debug)]
pub struct Sent {
    /// Counts up over all channels of the process.
    pub order: u64,
    pub from: NodeId,
    pub message: Outgoing,
}

/// A channel that does as it is told and remembers everything.
pub struct FakeChannel {
    name: &'static str,
    kind: ChannelKind,
    node: u64,
    bell: Arc<Notify>,
    inner: Mutex<Inner>,
}

struct Inner {
    /// What the next messages come to; when empty, `accepted`.
    script: VecDeque<Option<SendOutcome>>,
    /// Messages it takes before their ends are polled.
    room: usize,
    sent: Vec<Sent>,
    held: Vec<AttemptRef>,
    events: VecDeque<ChannelEvent>,
    stored: Vec<u64>,
    received: Vec<Incoming>,
    up: bool,
}

static ORDER: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);

impl FakeChannel {
    fn sms(node: u64) -> Self {
        Self::new("modem", ChannelKind::Sms, node, 1)
    }

    fn email(node: u64) -> Self {
        Self::new("mail", ChannelKind::Email, node, 4)
    }

    fn new(name: &'static str, kind: ChannelKind, node: u64, room: usize) -> Self {
        let channel = Self {
            name,
            kind,
            node,
            bell: Arc::default(),
            inner: Mutex::new(Inner {
                script: VecDeque::new(),
                room,
                sent: Vec::new(),
                held: Vec::new(),
                events: VecDeque::new(),
                stored: Vec::new(),
                received: Vec::new(),
                up: true,
            }),
        };
        channel.set_up(true);
        channel
    }

    fn inner(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the next message comes to; `None` holds it under way for ever.
    pub fn next(&self, outcome: Option<SendOutcome>) {
        self.inner().script.push_back(outcome);
    }

    /// Reports the channel as up or down.
    pub fn set_up(&self, up: bool) {
        let report = ChannelReport {
            name: self.name.to_owned(),
            kind: match self.kind {
                ChannelKind::Sms => "sms".to_owned(),
                ChannelKind::Email => "email".to_owned(),
            },
            up,
            reason: if up {
                String::new()
            } else {
                "no network".to_owned()
            },
            operator: format!("operator-{}", self.node),
            number: match self.kind {
                ChannelKind::Sms => format!("+35850000000{}", self.node),
                ChannelKind::Email => String::new(),
            },
            signal_dbm: None,
            rate_per_min: 10,
        };
        let mut inner = self.inner();
        inner.up = up;
        inner.events.push_back(ChannelEvent::Health(report));
        drop(inner);
        self.bell.notify_one();
    }

    /// A text from `from` arrives and stays until it is stored.
    pub fn receive(&self, from: &str, text: &str) {
        let mut inner = self.inner();
        let token = inner.received.len() as u64;
        let mut key = [0; 16];
        key[..8].copy_from_slice(&self.node.to_be_bytes());
        key[8..].copy_from_slice(&token.to_be_bytes());
        let incoming = Incoming {
            token,
            key,
            from: from.to_owned(),
            text: text.to_owned(),
            sent_at_ms: None,
            whole: true,
            damaged: false,
        };
        inner.received.push(incoming.clone());
        inner.events.push_back(ChannelEvent::Received(incoming));
    }

    /// The network's later word on everything sent so far.
    pub fn report_all(&self, report: &Report) {
        let mut inner = self.inner();
        let sent: Vec<AttemptRef> = inner.sent.iter().map(|sent| sent.message.attempt).collect();
        for attempt in sent {
            inner.events.push_back(ChannelEvent::Report {
                attempt,
                report: report.clone(),
            });
        }
    }

    pub fn sent(&self) -> Vec<Sent> {
        self.inner().sent.clone()
    }

    /// Tokens of texts the modem was allowed to forget.
    pub fn forgotten(&self) -> Vec<u64> {
        self.inner().stored.clone()
    }

    /// After a restart the modem announces again what it was not told to forget; what was under way is lost.
    fn restart(&self) {
        let up = {
            let mut inner = self.inner();
            inner.events.clear();
            inner.held.clear();
            let kept: Vec<Incoming> = inner
                .received
                .iter()
                .filter(|text| !inner.stored.contains(&text.token))
                .cloned()
                .collect();
            inner
                .events
                .extend(kept.into_iter().map(ChannelEvent::Received));
            inner.up
        };
        self.set_up(up);
    }
}

impl Channel for FakeChannel {
    fn name(&self) -> &str {
        self.name
    }

    fn kind(&self) -> ChannelKind {
        self.kind
    }

    fn free(&self) -> usize {
        let inner = self.inner();
        if inner.up {
            inner.room.saturating_sub(inner.held.len())
        } else {
            0
        }
    }

    fn submit(&self, message: Outgoing) -> Result<(), Outgoing> {
        if self.free() == 0 {
            return Err(message);
        }
        let mut inner = self.inner();
        let attempt = message.attempt;
        let outcome = inner
            .script
            .pop_front()
            .unwrap_or(Some(SendOutcome::Accepted {
                detail: String::new(),
            }));
        let left = !matches!(outcome, Some(SendOutcome::Refused { .. }));
        if left {
            inner.sent.push(Sent {
                order: ORDER.fetch_add(1, std::sync::atomic::Ordering::SeqCst),
                from: NodeId(self.node),
                message,
            });
        }
        match outcome {
            Some(outcome) => inner
                .events
                .push_back(ChannelEvent::Ended { attempt, outcome }),
            None => inner.held.push(attempt),
        }
        Ok(())
    }

    fn poll_event(&self) -> Option<ChannelEvent> {
        self.inner().events.pop_front()
    }

    fn stored(&self, token: u64) {
        self.inner().stored.push(token);
    }

    fn wake(&self) -> Arc<Notify> {
        Arc::clone(&self.bell)
    }
}

/// A journal that outlives its node's process.
#[derive(Default)]
struct MemoryJournal(Mutex<BTreeSet<AttemptRef>>);

#[async_trait]
impl Journal for MemoryJournal {
    async fn started(&self, attempts: &[AttemptRef]) -> Result<(), JournalError> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(attempts.iter().copied());
        Ok(())
    }

    async fn ended(&self, attempts: &[AttemptRef]) -> Result<(), JournalError> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for attempt in attempts {
            open.remove(attempt);
        }
        Ok(())
    }

    async fn unfinished(&self) -> Result<Vec<AttemptRef>, JournalError> {
        let open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(open.iter().copied().collect())
    }
}
