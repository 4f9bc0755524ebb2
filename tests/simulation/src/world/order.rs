//! The log that the nodes of a [`super::World`] agree on: Raft as one book-keeper sees it. Appends, votes and heartbeats
//! happen at once or not at all, over directed links that may be cut; everything Raft may lose or keep is lost or kept:
//! the tail of a deposed leader, an answer, a follower's progress.
//!
//! Committed entries are also written down here, and an entry that would contradict them is a broken model, not a
//! finding: it panics.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use domain::ports::LEASE;
use domain::{Envelope, LeaderStamp, LogEntry, NodeId, Timestamp};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::clock::Machine;

/// A follower that heard nothing for this long, and up to as long again, asks for votes (profile `lan`).
pub(super) const PATIENCE: Duration = Duration::from_millis(450);

/// A leader takes commands and grants leases only while a majority answered it this lately.
const QUORUM_FRESH: Duration = Duration::from_millis(300);

/// One place in the log; without an envelope it is the first entry of a leadership.
#[derive(Debug)]
pub struct Item {
    pub index: u64,
    pub stamp: LeaderStamp,
    pub envelope: Option<Envelope>,
    /// When its leader put it into the log; it may settle much later.
    pub appended: Duration,
}

impl Item {
    /// As apply wants it.
    pub fn entry(&self) -> Option<LogEntry> {
        self.envelope.as_ref().map(|envelope| LogEntry {
            index: self.index,
            leader: self.stamp,
            envelope: envelope.clone(),
        })
    }
}

/// An entry on a majority of disks, and since when.
#[derive(Clone, Debug)]
pub struct Settled {
    pub item: Arc<Item>,
    pub at: Duration,
}

/// What became of a command handed in at a node.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Handed {
    /// At this index, and the node was told.
    Committed(u64),
    /// Somewhere between lost and committed.
    Unknown,
    /// In no log.
    Refused(&'static str),
}

/// What each node keeps for the others.
#[derive(Debug)]
pub struct Member {
    /// On disk.
    log: Vec<Arc<Item>>,
    term: u64,
    /// How far it knows the log to be agreed.
    pub committed: u64,
    /// Its process runs.
    pub up: bool,
    /// Stopped and not dead: it does nothing and hears nothing.
    pub paused: bool,
    /// It stores what it hears and applies nothing.
    pub lagging: bool,
    leader: Option<NodeId>,
    heard: Duration,
    patience: Duration,
    leading: Option<Leading>,
    pub machine: Machine,
}

#[derive(Clone, Debug)]
struct Leading {
    stamp: LeaderStamp,
    first: u64,
    acked: Duration,
    /// Boot clock when the loops were first told.
    since: Option<Duration>,
    granted: BTreeMap<NodeId, Duration>,
}

/// See the module's documentation.
#[derive(Debug)]
pub struct Order {
    /// True time since the beginning; no node sees it.
    pub elapsed: Duration,
    members: BTreeMap<NodeId, Member>,
    /// Links over which nothing arrives, from and to.
    cut: BTreeSet<(NodeId, NodeId)>,
    settled: Vec<Settled>,
    /// Of a thousand messages between nodes, so many are lost.
    pub loss_permille: u32,
    /// Of a thousand commands, so many are appended twice by a retry on the way.
    pub twice_permille: u32,
    /// Leases ever granted: to whom and when, in true time.
    pub granted: Vec<(NodeId, Duration)>,
    chance: StdRng,
}

impl Order {
    pub fn new(nodes: impl IntoIterator<Item = NodeId>, seed: u64) -> Self {
        let members = nodes.into_iter().map(|id| {
            let member = Member {
                log: Vec::new(),
                term: 0,
                committed: 0,
                up: true,
                paused: false,
                lagging: false,
                leader: None,
                heard: Duration::ZERO,
                patience: PATIENCE,
                leading: None,
                machine: Machine::new(),
            };
            (id, member)
        });
        Self {
            elapsed: Duration::ZERO,
            members: members.collect(),
            cut: BTreeSet::new(),
            settled: Vec::new(),
            loss_permille: 0,
            twice_permille: 0,
            granted: Vec::new(),
            chance: StdRng::seed_from_u64(seed),
        }
    }

    pub fn member(&self, id: NodeId) -> &Member {
        self.members.get(&id).expect("every node is a member")
    }

    pub fn member_mut(&mut self, id: NodeId) -> &mut Member {
        self.members.get_mut(&id).expect("every node is a member")
    }

    /// Everything agreed so far.
    pub fn settled(&self) -> &[Settled] {
        &self.settled
    }

    /// The node's boot clock.
    pub fn boot(&self, id: NodeId) -> Duration {
        self.member(id).machine.boot(self.elapsed)
    }

    /// Cluster time as the node reckons it.
    pub fn now(&self, id: NodeId) -> Timestamp {
        self.member(id).machine.now(self.elapsed)
    }

    /// The node learned that it is at least this late.
    pub fn observe(&mut self, id: NodeId, stamp: Timestamp) {
        let elapsed = self.elapsed;
        self.member_mut(id).machine.observe(elapsed, stamp);
    }

    pub fn cut(&mut self, from: NodeId, to: NodeId) {
        self.cut.insert((from, to));
    }

    pub fn mend(&mut self, from: NodeId, to: NodeId) {
        self.cut.remove(&(from, to));
    }

    pub fn mend_all(&mut self) {
        self.cut.clear();
    }

    /// Whether what `from` says arrives at `to` and is taken in there.
    pub fn hears(&self, from: NodeId, to: NodeId) -> bool {
        let awake = |id| {
            let member = self.member(id);
            member.up && !member.paused
        };
        awake(from) && awake(to) && (from == to || !self.cut.contains(&(from, to)))
    }

    /// Both ways.
    pub fn talk(&self, a: NodeId, b: NodeId) -> bool {
        self.hears(a, b) && self.hears(b, a)
    }

    /// Whether a node talks with a majority, itself included.
    pub fn has_majority(&self, id: NodeId) -> bool {
        let heard = self.members.keys().filter(|other| self.talk(id, **other));
        self.is_majority(heard.count())
    }

    /// Whether a read index would succeed here: a leader answers that a majority answered lately.
    pub fn answers(&self, id: NodeId) -> bool {
        let Some(leader) = self.member(id).leader else {
            return false;
        };
        let fresh = self
            .member(leader)
            .leading
            .as_ref()
            .is_some_and(|leading| self.elapsed.saturating_sub(leading.acked) <= QUORUM_FRESH);
        fresh && self.talk(id, leader)
    }

    /// The leader that the majority follows and that can commit now.
    pub fn acting_leader(&self) -> Option<NodeId> {
        let leaders = self
            .members
            .iter()
            .filter_map(|(id, member)| Some((member.leading.as_ref()?.stamp, *id)));
        let (_, id) = leaders.max()?;
        (self.member(id).up && !self.member(id).paused && self.has_majority(id)).then_some(id)
    }

    /// The process is gone: what it only held in memory is lost.
    pub fn crash(&mut self, id: NodeId, applied: u64) {
        let member = self.member_mut(id);
        member.up = false;
        member.paused = false;
        member.leading = None;
        member.leader = None;
        member.committed = applied;
    }

    pub fn start(&mut self, id: NodeId) {
        let elapsed = self.elapsed;
        let patience = self.draw_patience();
        let member = self.member_mut(id);
        member.up = true;
        member.heard = elapsed;
        member.patience = patience;
    }

    /// One round of heartbeats, and of elections where they fail to arrive.
    pub fn beat(&mut self) {
        let ids: Vec<NodeId> = self.members.keys().copied().collect();
        self.greet();
        for id in &ids {
            if self.member(*id).leading.is_some() && self.hears(*id, *id) {
                self.replicate(*id);
            }
        }
        let first = self.chance.random_range(0..ids.len());
        for id in ids[first..].iter().chain(&ids[..first]) {
            let member = self.member(*id);
            let silent = self.elapsed.saturating_sub(member.heard) > member.patience;
            if member.up && !member.paused && member.leading.is_none() && silent {
                self.stand(*id, false);
            }
        }
    }

    /// Members tell each other what time it is: whoever starts anew hears it before it may stand.
    fn greet(&mut self) {
        for id in self.members() {
            let others = self.members().into_iter().filter(|other| *other != id);
            let latest = others
                .filter(|other| self.talk(id, *other))
                .map(|other| self.now(other))
                .max();
            if let Some(latest) = latest {
                self.observe(id, latest);
            }
        }
    }

    /// Lets somebody lead at once if a majority is left and nobody does.
    pub fn elect(&mut self) {
        if self.acting_leader().is_some() {
            return;
        }
        self.greet();
        for id in self.members() {
            if self.hears(id, id) && self.stand(id, true) {
                return;
            }
        }
    }

    /// Hands leadership to a node, as a planned transfer does. False when it cannot lead.
    pub fn transfer(&mut self, to: NodeId) -> bool {
        let Some(from) = self.acting_leader() else {
            return false;
        };
        if from == to || !self.talk(from, to) {
            return false;
        }
        self.replicate(from);
        self.stand(to, true)
    }

    /// A command on its way from a node to the log.
    pub fn hand_in(&mut self, from: NodeId, envelope: Envelope) -> Handed {
        if !self.hears(from, from) {
            return Handed::Unknown;
        }
        let Some(leader) = self.member(from).leader else {
            return Handed::Refused("no leader is known; a majority of nodes is needed");
        };
        if leader != from && (!self.hears(from, leader) || self.lost()) {
            return Handed::Unknown;
        }
        let Some(leading) = self.member(leader).leading.clone() else {
            return Handed::Refused("that node does not lead any more");
        };
        if self.elapsed.saturating_sub(leading.acked) > QUORUM_FRESH {
            return Handed::Refused("the leader has lost its majority");
        }
        let twice = self.twice_permille > 0
            && self.chance.random_range(0..1_000) < self.twice_permille
            && leader != from;
        self.append(leader, Some(envelope.clone()));
        if twice {
            self.append(leader, Some(envelope));
        }
        let index = self.last(leader).0;
        let agreed = self.replicate(leader);
        if !agreed || (leader != from && (!self.hears(leader, from) || self.lost())) {
            return Handed::Unknown;
        }
        let member = self.member_mut(from);
        if (member.log.len() as u64) < index || member.lagging {
            return Handed::Unknown;
        }
        member.committed = member.committed.max(index);
        Handed::Committed(index)
    }

    /// Asks the leader for a send lease; the reading of the asker's boot clock is taken by the asker.
    /// Answers with how far the log was agreed then.
    pub fn grant(&mut self, to: NodeId) -> Option<u64> {
        let leader = self.member(to).leader?;
        if leader != to && (!self.talk(leader, to) || self.lost()) {
            return None;
        }
        let elapsed = self.elapsed;
        let (boot, now) = (self.boot(leader), self.now(leader));
        let leading = self.member_mut(leader).leading.as_mut()?;
        if leading.since.is_none() || elapsed.saturating_sub(leading.acked) > QUORUM_FRESH {
            return None;
        }
        leading.granted.insert(to, boot);
        self.granted.push((to, elapsed));
        self.observe(to, now);
        Some(self.member(leader).committed)
    }

    /// How long ago a node's leadership granted each lease.
    pub fn ages(&self, id: NodeId) -> Vec<(NodeId, Duration)> {
        let boot = self.boot(id);
        let Some(leading) = &self.member(id).leading else {
            return Vec::new();
        };
        leading
            .granted
            .iter()
            .map(|(node, at)| (*node, boot.saturating_sub(*at)))
            .collect()
    }

    /// Whether a lease granted to a node covers this moment, by true time and with what clocks may differ.
    pub fn leased(&self, id: NodeId) -> bool {
        let slack = LEASE / 50;
        self.granted
            .iter()
            .rev()
            .find(|(node, _)| *node == id)
            .is_some_and(|(_, at)| self.elapsed <= *at + LEASE + slack)
    }

    /// Whom the node follows; and its own leadership with its age, once `applied` covers its first entry.
    pub fn standing(
        &mut self,
        id: NodeId,
        applied: u64,
    ) -> (Option<NodeId>, Option<(LeaderStamp, Duration)>) {
        let boot = self.boot(id);
        let member = self.member_mut(id);
        let leading = member
            .leading
            .as_mut()
            .filter(|leading| applied >= leading.first)
            .map(|leading| {
                let since = *leading.since.get_or_insert(boot);
                (leading.stamp, boot.saturating_sub(since))
            });
        (member.leader, leading)
    }

    pub fn members(&self) -> Vec<NodeId> {
        self.members.keys().copied().collect()
    }

    /// What a node may apply after `applied`.
    pub fn agreed_after(&self, id: NodeId, applied: u64) -> Vec<Arc<Item>> {
        let member = self.member(id);
        let end = (member.committed as usize).min(member.log.len());
        member
            .log
            .get(applied as usize..end)
            .unwrap_or_default()
            .to_vec()
    }

    /// What a node's log holds after `applied`, agreed or not.
    pub fn tail_after(&self, id: NodeId, applied: u64) -> Vec<Arc<Item>> {
        let log = &self.member(id).log;
        log.get(applied as usize..).unwrap_or_default().to_vec()
    }

    fn lost(&mut self) -> bool {
        self.loss_permille > 0 && self.chance.random_range(0..1_000) < self.loss_permille
    }

    fn draw_patience(&mut self) -> Duration {
        PATIENCE + PATIENCE.mul_f64(self.chance.random_range(0.0..1.0))
    }

    fn is_majority(&self, count: usize) -> bool {
        count > self.members.len() / 2
    }

    fn last(&self, id: NodeId) -> (u64, LeaderStamp) {
        self.member(id)
            .log
            .last()
            .map_or((0, LeaderStamp::default()), |item| (item.index, item.stamp))
    }

    fn append(&mut self, leader: NodeId, envelope: Option<Envelope>) {
        let (last, _) = self.last(leader);
        let appended = self.elapsed;
        let member = self.member_mut(leader);
        let stamp = member
            .leading
            .as_ref()
            .expect("only a leader appends")
            .stamp;
        member.log.push(Arc::new(Item {
            index: last + 1,
            stamp,
            envelope,
            appended,
        }));
    }

    /// Brings every node that hears the leader to the leader's log. True when that settled all of it.
    fn replicate(&mut self, leader: NodeId) -> bool {
        let log = self.member(leader).log.clone();
        let term = self.member(leader).term;
        let known = self.member(leader).committed;
        let mut acked = 1;
        for id in self.members() {
            if id == leader || !self.hears(leader, id) || self.lost() {
                continue;
            }
            if self.member(id).term > term {
                if self.hears(id, leader) {
                    self.step_down(leader);
                    return false;
                }
                continue;
            }
            let (elapsed, patience) = (self.elapsed, self.draw_patience());
            let answered = self.hears(id, leader) && !self.lost();
            let member = self.member_mut(id);
            member.term = term;
            member.leading = None;
            member.leader = Some(leader);
            member.heard = elapsed;
            member.patience = patience;
            overwrite(&mut member.log, &log, member.committed);
            if !member.lagging {
                member.committed = member.committed.max(known);
            }
            acked += usize::from(answered);
        }
        if !self.is_majority(acked) {
            return false;
        }
        let elapsed = self.elapsed;
        if let Some(leading) = &mut self.member_mut(leader).leading {
            leading.acked = elapsed;
        }
        // Only an entry of the leader's own term settles what is before it (Raft thesis §3.6.2).
        if self.last(leader).1.term == term {
            self.settle(leader);
        }
        true
    }

    fn settle(&mut self, leader: NodeId) {
        let log = self.member(leader).log.clone();
        for (old, new) in self.settled.iter().zip(&log) {
            assert!(
                Arc::ptr_eq(&old.item, new),
                "the model lost a settled entry"
            );
        }
        let at = self.elapsed;
        let new = log.iter().skip(self.settled.len());
        self.settled.extend(new.map(|item| Settled {
            item: item.clone(),
            at,
        }));
        self.member_mut(leader).committed = log.len() as u64;
    }

    fn step_down(&mut self, id: NodeId) {
        let (elapsed, patience) = (self.elapsed, self.draw_patience());
        let member = self.member_mut(id);
        member.leading = None;
        member.leader = None;
        member.heard = elapsed;
        member.patience = patience;
    }

    /// Asks for votes, after a pre-vote: nobody who hears a leader gives one unless told to, nobody who knows more does.
    fn stand(&mut self, id: NodeId, told: bool) -> bool {
        let own = self.last(id);
        let votes: Vec<NodeId> = self
            .members()
            .into_iter()
            .filter(|voter| {
                let member = self.member(*voter);
                let last = self.last(*voter);
                let heard = member
                    .leading
                    .as_ref()
                    .map_or(member.heard, |own| own.acked);
                self.talk(id, *voter)
                    && (told || self.elapsed.saturating_sub(heard) > PATIENCE)
                    && (last.1, last.0) <= (own.1, own.0)
            })
            .collect();
        if !self.is_majority(votes.len()) {
            return false;
        }
        let reached = self
            .members()
            .into_iter()
            .filter(|voter| self.talk(id, *voter));
        let term = reached.map(|voter| self.member(voter).term).max();
        let term = term.unwrap_or(0) + 1;
        let elapsed = self.elapsed;
        for voter in votes {
            self.step_down(voter);
            self.member_mut(voter).term = term;
        }
        let member = self.member_mut(id);
        member.term = term;
        member.leader = Some(id);
        member.heard = elapsed;
        member.leading = Some(Leading {
            stamp: LeaderStamp { term, node: id },
            first: own.0 + 1,
            acked: elapsed,
            since: None,
            granted: BTreeMap::new(),
        });
        self.append(id, None);
        self.replicate(id);
        true
    }
}

/// Makes `log` equal to the leader's, dropping what contradicts it.
fn overwrite(log: &mut Vec<Arc<Item>>, leaders: &[Arc<Item>], committed: u64) {
    let same = log
        .iter()
        .zip(leaders)
        .rposition(|(own, item)| Arc::ptr_eq(own, item));
    let keep = same.map_or(0, |last| last + 1);
    assert!(
        keep as u64 >= committed.min(leaders.len() as u64),
        "the model drops a settled entry"
    );
    log.truncate(keep);
    log.extend_from_slice(&leaders[keep..]);
}
