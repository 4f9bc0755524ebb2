//! Several nodes around one log: each with its own state, worker, scheduler, journal and fake channels, driven step by
//! step with hand-moved time. What a node sends and receives passes through its channels only.
//!
//! Scenarios drive it by hand; the [`crate::simulation`] lets a seed drive it.

mod channel;
mod clock;
mod gate;
mod island;
mod journal;
mod node;
mod order;
mod replica;
mod state;

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use domain::NodeId;
use domain::ports::Replica as _;

pub use self::channel::{ChannelBugs, FakeChannel, Sent};
pub use self::clock::{Machine, START};
pub use self::gate::{Gate, Point};
pub use self::island::{ISLAND_AFTER, Islander};
pub use self::journal::MemoryJournal;
pub use self::node::Node;
pub use self::order::{Handed, Item, Order, Settled};
pub use self::replica::{Bugs, NodeReplica, SharedOrder};
pub use self::state::NodeState;

/// A cluster of nodes that share one log.
pub struct World {
    order: SharedOrder,
    pub nodes: Vec<Node>,
}

impl World {
    /// `count` nodes, the first one leading for a minute, each with a modem and a smarthost.
    pub async fn new(count: u64) -> Self {
        let world = Self::unled(count, 0).await;
        world.order().elect();
        for node in &world.nodes {
            // The leader notices that it leads; no loop has worked yet.
            node.replica().catch_up().await;
            node.replica().leadership();
        }
        world.pass(Duration::from_secs(60));
        world.order().beat();
        world
    }

    /// The same before anybody leads, with chance from a seed.
    pub async fn unled(count: u64, seed: u64) -> Self {
        let ids: Vec<NodeId> = (1..=count).map(NodeId).collect();
        let order = Arc::new(Mutex::new(Order::new(ids.iter().copied(), seed)));
        let mut nodes = Vec::new();
        for id in ids {
            nodes.push(Node::new(id, &order).await);
        }
        Self { order, nodes }
    }

    /// The book-keeper of the log. Hold it for one line.
    pub fn order(&self) -> MutexGuard<'_, Order> {
        replica::locked(&self.order)
    }

    /// Moves time.
    pub fn pass(&self, by: Duration) {
        self.order().elapsed += by;
    }

    /// One heartbeat, then every living node works once: all of them, or those with reason to. True when any did.
    pub async fn round(&mut self, force: bool) -> bool {
        self.order().beat();
        let mut ran = false;
        self.gossip().await;
        for node in &mut self.nodes {
            ran |= node.round(force).await;
        }
        ran
    }

    /// Islanders that hear each other tell each other what they know.
    async fn gossip(&self) {
        for a in &self.nodes {
            for b in &self.nodes {
                let talk = a.id != b.id && self.order().talk(a.id, b.id);
                if talk && a.islander.is_alone() && b.islander.is_alone() {
                    a.islander.hear(&b.islander).await;
                }
            }
        }
    }

    /// Lets every living node apply all that is agreed; no loop works.
    pub async fn catch_up(&mut self) {
        for _ in 0..2 {
            self.order().beat();
            for node in &self.nodes {
                node.replica().catch_up().await;
            }
        }
    }

    /// Lets every living node work until nothing moves any more at this moment.
    pub async fn settle(&mut self) {
        let mut quiet = 0;
        for _ in 0..200 {
            let before = self.applied();
            self.round(true).await;
            // A send makes no entry until its end is taken from the channel, one round later.
            quiet = if self.applied() == before {
                quiet + 1
            } else {
                0
            };
            if quiet == 3 {
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

    /// The node falls silent at once. If it led, another one leads.
    pub fn kill(&mut self, id: u64) {
        let id = NodeId(id);
        let node = self.node_mut(id);
        node.stop();
        let applied = node.state.applied();
        let mut order = self.order();
        order.crash(id, applied);
        order.elect();
    }

    /// The process is gone at once; the others find out by themselves.
    pub fn crash(&mut self, id: NodeId) {
        let node = self.node_mut(id);
        node.stop();
        let applied = node.state.applied();
        self.order().crash(id, applied);
    }

    /// The power was cut: the state went back to `applied`, and the machine boots.
    pub async fn cut_power(&mut self, id: NodeId, applied: u64) {
        self.crash(id);
        let state = self.node(id.0).state.clone();
        let items = {
            let order = self.order();
            let settled = order.settled().iter().map(|settled| settled.item.clone());
            settled.take(applied as usize).collect::<Vec<_>>()
        };
        state.reset().await;
        state.apply(&items).await;
        let stamp = state.stamp().await;
        let mut order = self.order();
        order.crash(id, applied);
        let elapsed = order.elapsed;
        order.member_mut(id).machine.reboot(elapsed, stamp);
    }

    /// The node comes back with its journal and what its modem kept.
    pub fn restart(&mut self, id: u64) {
        let id = NodeId(id);
        if self.order().member(id).up {
            self.crash(id);
        }
        self.order().start(id);
        self.node_mut(id).restart();
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

    /// The living node that has applied most, and that a command can be handed in at.
    pub fn foremost(&self) -> &Node {
        let order = self.order();
        self.nodes
            .iter()
            .filter(|node| order.hears(node.id, node.id))
            .max_by_key(|node| (node.state.applied(), std::cmp::Reverse(node.id)))
            .or(self.nodes.first())
            .expect("a world has nodes")
    }

    /// Log index of the last entry applied anywhere.
    pub fn applied(&self) -> u64 {
        let applied = self.nodes.iter().map(|node| node.state.applied());
        applied.max().unwrap_or(0)
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
