//! One seed: a cluster in turmoil, its faults, and what must hold while they last and after they are over.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cluster::types::LogId;
use domain::recipients;
use openraft::ServerState;
use openraft::async_runtime::WatchReceiver as _;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;
use turmoil::Sim;

use crate::faults::{self, Fault, Planned};
use crate::net::host;
use crate::node::{KEYS, Member, Order, Plan, live};
use crate::plants::Plant;
use crate::witness::{Counts, Violation, Witness};

const TICK: Duration = Duration::from_millis(2);
/// A leader has been found by then, and trouble begins.
const CALM_BEFORE: Duration = Duration::from_secs(2);
/// Trouble is over by then.
const TROUBLE: Duration = Duration::from_secs(20);
/// Once everything works again, there is a leader and everybody has caught up within this time.
const HEALS_WITHIN: Duration = Duration::from_secs(10);
/// Programs go on for so long after that.
const CALM_AFTER: Duration = Duration::from_secs(2);
/// After an outage, whoever led is back this much later than the others.
const BACK_LATE: Duration = Duration::from_secs(3);
/// One way over a healthy link.
const DELAY_MS: std::ops::Range<u64> = 1..8;

/// What to run.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub seed: u64,
    pub plant: Option<Plant>,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Ended {
    pub seed: u64,
    pub violation: Option<Violation>,
    pub nodes: u64,
    pub faults: Vec<String>,
    pub counts: Counts,
    pub simulated: Duration,
    /// How long healing took.
    pub healed_in: Duration,
    /// Everything seen, in order.
    pub trace: Vec<String>,
    /// Of the trace: two runs of a seed that did the same have the same.
    pub digest: String,
}

/// Who runs where. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Registry(Arc<Mutex<Running>>);

#[derive(Default)]
struct Running {
    lives: BTreeMap<u64, u32>,
    members: BTreeMap<u64, (Arc<Member>, mpsc::Sender<Order>)>,
}

impl Registry {
    /// Counts a life of a node.
    pub(crate) fn begin(&self, node: u64) -> u32 {
        let mut running = self.lock();
        let life = running.lives.entry(node).or_default();
        *life += 1;
        *life
    }

    pub(crate) fn enter(&self, node: u64, member: Arc<Member>, orders: mpsc::Sender<Order>) {
        self.lock().members.insert(node, (member, orders));
    }

    fn leave(&self, node: u64) {
        let left = self.lock().members.remove(&node);
        drop(left);
    }

    fn member(&self, node: u64) -> Option<Arc<Member>> {
        self.lock()
            .members
            .get(&node)
            .map(|(member, _)| member.clone())
    }

    fn order(&self, node: u64, order: Order) {
        if let Some((_, orders)) = self.lock().members.get(&node) {
            _ = orders.try_send(order);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Running> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs one seed on this thread, from founding through trouble to peace.
pub fn run(options: &Options) -> Ended {
    let mut chance = StdRng::seed_from_u64(options.seed);
    cluster::types::seed_engine(chance.random());
    let nodes = if chance.random_range(0..2) == 0 { 3 } else { 5 };
    // One seed in four asks whether those who come back leave the leader in peace.
    let quiet = options.seed % 4 == 3;
    let planned = match quiet {
        true => faults::absences(&mut chance, nodes, CALM_BEFORE, CALM_BEFORE + TROUBLE),
        false => faults::plan(&mut chance, nodes, CALM_BEFORE, CALM_BEFORE + TROUBLE),
    };
    let dir = scratch();
    let (witness, registry) = (Witness::default(), Registry::default());
    let mut sim = turmoil::Builder::new()
        .rng_seed(chance.random())
        .tick_duration(TICK)
        .simulation_duration(Duration::from_secs(3_600))
        .min_message_latency(Duration::from_millis(DELAY_MS.start))
        .max_message_latency(Duration::from_millis(DELAY_MS.end))
        .fail_rate(0.0)
        .repair_rate(0.2)
        .tcp_capacity(4_096)
        .build();
    for node in 1..=nodes {
        let plan = Plan {
            seed: options.seed,
            node,
            nodes,
            dir: dir.path().join(host(node)),
            plant: options.plant,
            witness: witness.clone(),
            registry: registry.clone(),
        };
        std::fs::create_dir_all(&plan.dir).expect("a folder can be made");
        sim.host(host(node), move || live(plan.clone()));
    }
    let mut world = World {
        sim,
        nodes,
        quiet,
        witness,
        registry,
        down: BTreeMap::new(),
        cuts: Vec::new(),
        over: BTreeSet::new(),
        late: Vec::new(),
        leader: None,
    };
    let healed_in = world.through(&planned);
    let trace = world.witness.trace();
    let mut digest = Sha256::new();
    for line in &trace {
        digest.update(line);
    }
    let (violation, counts) = (world.witness.violation(), world.witness.counts());
    let simulated = world.sim.elapsed();
    for node in 1..=nodes {
        world.registry.leave(node);
    }
    drop(world);
    Ended {
        seed: options.seed,
        violation,
        nodes,
        faults: planned.iter().map(ToString::to_string).collect(),
        counts,
        simulated,
        healed_in,
        trace,
        digest: digest.finalize()[..6]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect(),
    }
}

/// In memory where there is such a folder: what a sync costs in real time is of no interest here.
fn scratch() -> tempfile::TempDir {
    let memory = std::path::Path::new("/dev/shm");
    let made = match memory.is_dir() {
        true => tempfile::tempdir_in(memory),
        false => tempfile::tempdir(),
    };
    made.expect("a folder can be made")
}

/// What is cut while a fault lasts.
struct Cut {
    fault: usize,
    from: u64,
    to: u64,
    held: bool,
}

struct World<'a> {
    sim: Sim<'a>,
    nodes: u64,
    quiet: bool,
    witness: Witness,
    registry: Registry,
    /// Crashed nodes, and the fault that brings them back.
    down: BTreeMap<u64, usize>,
    cuts: Vec<Cut>,
    /// Faults that have ended.
    over: BTreeSet<usize>,
    /// Who comes back when, and the fault that took it down.
    late: Vec<(Duration, u64, usize)>,
    /// Who led last, for runs in which that must not change.
    leader: Option<String>,
}

impl World<'_> {
    /// From start to end; how long healing took.
    fn through(&mut self, planned: &[Planned]) -> Duration {
        let ends = CALM_BEFORE + TROUBLE;
        while self.sim.elapsed() < ends && self.step() {
            self.bring_back(self.sim.elapsed());
            for (place, planned) in planned.iter().enumerate() {
                let now = self.sim.elapsed();
                if planned.at <= now && now < planned.at + TICK {
                    self.begin(place, &planned.fault);
                }
                if planned.until <= now && now < planned.until + TICK {
                    self.end(place, &planned.fault);
                }
            }
        }
        for (place, planned) in planned.iter().enumerate() {
            self.end(place, &planned.fault);
        }
        self.bring_back(Duration::MAX);
        self.witness.note("all is well again");
        let from = self.sim.elapsed();
        let mut together = None;
        while self.step() {
            let now = self.sim.elapsed();
            if together.is_none() && self.converged() {
                together = Some(now);
            }
            match together {
                Some(at) if now >= at + CALM_AFTER => break,
                None if now >= from + HEALS_WITHIN => {
                    let what = format!("after {HEALS_WITHIN:?} of peace: {}", self.standing());
                    self.witness.broken("heals_in_time", what);
                }
                Some(_) | None => {}
            }
        }
        self.settle();
        together.unwrap_or(from) - from
    }

    /// One tick, and a look at everybody. False once a promise is broken.
    fn step(&mut self) -> bool {
        self.witness.set_now(self.sim.elapsed());
        if let Err(e) = self.sim.step() {
            self.witness
                .broken("engine_runs", format!("a node stopped by itself: {e}"));
        }
        for node in 1..=self.nodes {
            let Some(member) = self.registry.member(node) else {
                continue;
            };
            self.look_at(&member);
        }
        self.witness.violation().is_none()
    }

    fn look_at(&mut self, member: &Member) {
        let metrics = member.raft.metrics();
        let metrics = metrics.borrow_watched();
        if let Err(e) = &metrics.running_state {
            let what = format!("n{} stopped by itself: {e}", member.node);
            self.witness.broken("engine_runs", what);
        }
        if metrics.state != ServerState::Leader {
            return;
        }
        let id = metrics.vote.leader_id;
        if !self.witness.leads(member.node, member.life, id) {
            return;
        }
        drop(metrics);
        let missing = missing(member, &self.witness.settled_ids());
        if !missing.is_empty() {
            let what = format!("{id} leads without {missing:?}");
            self.witness.broken("leader_knows_all", what);
        }
        let (before, now) = (self.leader.replace(id.to_string()), id.to_string());
        if let (true, Some(before)) = (self.quiet, before)
            && self.sim.elapsed() > CALM_BEFORE
        {
            let what = format!("{before} led and was well, {now} took over");
            self.witness.broken("rejoining_is_quiet", what);
        }
    }

    fn begin(&mut self, place: usize, fault: &Fault) {
        let all: BTreeSet<u64> = (1..=self.nodes).collect();
        let leader = self.leading();
        if self.quiet && leader.is_some_and(|leader| touches(fault, leader)) {
            return; // the leader is the one that must stay
        }
        self.witness
            .note(&format!("begins: {fault:?}, {leader:?} leads"));
        let mut cut = |from: u64, to: u64, held: bool| {
            if from != to {
                self.cuts.push(Cut {
                    fault: place,
                    from,
                    to,
                    held,
                });
            }
        };
        match fault {
            Fault::Split(side) => split(side, &all, &mut cut),
            Fault::CutLeader => {
                if let Some(leader) = leader {
                    split(&BTreeSet::from([leader]), &all, &mut cut);
                }
            }
            Fault::OneWay(from, to) => cut(*from, *to, false),
            Fault::Mute(node) => all.iter().for_each(|other| cut(*node, *other, false)),
            Fault::Deaf(node) => all.iter().for_each(|other| cut(*other, *node, false)),
            Fault::Held(a, b) => cut(*a, *b, true),
            Fault::Slow(a, b, ms) => {
                self.sim
                    .set_link_latency(host(*a), host(*b), Duration::from_millis(*ms));
            }
            Fault::Loss(in_10_000) => self.sim.set_fail_rate(f64::from(*in_10_000) / 10_000.0),
            Fault::Crash(nodes) => nodes.iter().for_each(|node| self.crash(*node, place)),
            Fault::CrashLeader => {
                if let Some(leader) = leader {
                    self.crash(leader, place);
                }
            }
            Fault::Bounce(node) => {
                self.crash(*node, place);
                self.start(*node, place);
            }
            Fault::SlowDisk(node, ms) => self.slow_disk(*node, *ms),
            Fault::Outage(ms) => (1..=self.nodes).for_each(|node| self.slow_disk(node, *ms)),
            Fault::Snapshot => {
                (1..=self.nodes).for_each(|node| self.registry.order(node, Order::Snapshot))
            }
            Fault::Transfer(to) => {
                if let Some(leader) = leader {
                    self.registry.order(leader, Order::Transfer(*to));
                }
            }
        }
        self.rewire();
    }

    fn end(&mut self, place: usize, fault: &Fault) {
        if !self.over.insert(place) {
            return;
        }
        self.cuts.retain(|cut| cut.fault != place);
        match fault {
            Fault::Slow(a, b, _) => {
                let usual = Duration::from_millis(DELAY_MS.start + 1);
                self.sim.set_link_latency(host(*a), host(*b), usual);
            }
            Fault::Loss(_) => self.sim.set_fail_rate(0.0),
            Fault::SlowDisk(node, _) => self.slow_disk(*node, 0),
            Fault::Crash(_) | Fault::CrashLeader => {
                for node in 1..=self.nodes {
                    self.start(node, place);
                }
            }
            Fault::Outage(_) => {
                // Who led, and may alone know what was settled last, comes back late.
                let leader = self.leading();
                let back = self.sim.elapsed() + BACK_LATE;
                (1..=self.nodes).for_each(|node| self.crash(node, place));
                self.late.extend(leader.map(|leader| (back, leader, place)));
                let others = (1..=self.nodes).filter(|node| Some(*node) != leader);
                others.for_each(|node| self.start(node, place));
            }
            Fault::Split(_)
            | Fault::CutLeader
            | Fault::OneWay(..)
            | Fault::Mute(_)
            | Fault::Deaf(_)
            | Fault::Held(..)
            | Fault::Bounce(_)
            | Fault::Snapshot
            | Fault::Transfer(_) => {}
        }
        self.rewire();
    }

    /// Makes every link what the present faults say.
    fn rewire(&mut self) {
        let pairs = (1..=self.nodes).flat_map(|a| (a + 1..=self.nodes).map(move |b| (a, b)));
        for (a, b) in pairs {
            let is_cut = |from, to| {
                let mut cuts = self.cuts.iter();
                cuts.any(|cut| !cut.held && (cut.from, cut.to) == (from, to))
            };
            let held = self
                .cuts
                .iter()
                .any(|cut| cut.held && [(a, b), (b, a)].contains(&(cut.from, cut.to)));
            let (name_a, name_b) = (host(a), host(b));
            match (is_cut(a, b), is_cut(b, a)) {
                (false, false) if held => self.sim.hold(name_a, name_b),
                (false, false) => self.sim.release(name_a, name_b),
                (true, true) => self.sim.partition(name_a, name_b),
                (true, false) => {
                    self.sim.release(name_a.as_str(), name_b.as_str());
                    self.sim.partition_oneway(name_a, name_b);
                }
                (false, true) => {
                    self.sim.release(name_a.as_str(), name_b.as_str());
                    self.sim.partition_oneway(name_b, name_a);
                }
            }
        }
        let alone = (1..=self.nodes).filter(|node| {
            (1..=self.nodes).filter(|other| other != node).all(|other| {
                let cut = |from, to| {
                    let mut cuts = self.cuts.iter();
                    cuts.any(|cut| !cut.held && (cut.from, cut.to) == (from, to))
                };
                cut(*node, other) && cut(other, *node)
            })
        });
        let alone = alone.collect();
        self.witness.set_now(self.sim.elapsed());
        self.witness.set_alone(&alone);
    }

    fn crash(&mut self, node: u64, place: usize) {
        if self.down.contains_key(&node) {
            return;
        }
        self.down.insert(node, place);
        self.registry.leave(node);
        self.sim.crash(host(node));
        self.witness.note(&format!("n{node} is down"));
    }

    fn start(&mut self, node: u64, place: usize) {
        if self.down.get(&node) == Some(&place) {
            self.down.remove(&node);
            self.sim.bounce(host(node));
        }
    }

    /// Starts those that were to come back late, and by `now` should have.
    fn bring_back(&mut self, now: Duration) {
        let (due, later) = self.late.iter().partition(|(at, _, _)| *at <= now);
        self.late = later;
        let due: Vec<(Duration, u64, usize)> = due;
        for (_, node, place) in due {
            self.start(node, place);
        }
    }

    fn slow_disk(&self, node: u64, ms: u64) {
        if let Some(member) = self.registry.member(node) {
            member.log.slow_down(ms);
        }
    }

    /// Who leads under the newest vote.
    fn leading(&self) -> Option<u64> {
        let leaders = (1..=self.nodes).filter_map(|node| {
            let member = self.registry.member(node)?;
            let metrics = member.raft.metrics();
            let metrics = metrics.borrow_watched();
            (metrics.state == ServerState::Leader).then_some((metrics.vote.leader_id, node))
        });
        leaders.max().map(|(_, node)| node)
    }

    /// One leader that all agree on, and everybody has applied the same and everything.
    fn converged(&self) -> bool {
        let mut all = BTreeSet::new();
        for node in 1..=self.nodes {
            let Some(member) = self.registry.member(node) else {
                return false;
            };
            let metrics = member.raft.metrics();
            let metrics = metrics.borrow_watched();
            all.insert((
                metrics.current_leader,
                metrics.last_applied,
                metrics.last_log_index,
            ));
        }
        let first = all.first();
        all.len() == 1
            && first.is_some_and(|(leader, applied, last)| {
                leader.is_some() && applied.map(|id| id.index) == *last
            })
    }

    fn standing(&self) -> String {
        let of = |node| {
            let Some(member) = self.registry.member(node) else {
                return format!("n{node} is down");
            };
            let metrics = member.raft.metrics();
            let metrics = metrics.borrow_watched();
            format!(
                "n{node} {:?} under {:?} ({}), log to {:?}, applied {:?}",
                metrics.state,
                metrics.current_leader,
                metrics.vote,
                metrics.last_log_index,
                metrics.last_applied.map(|id| id.index)
            )
        };
        (1..=self.nodes).map(of).collect::<Vec<_>>().join("; ")
    }

    /// Compares every node's rows with the model.
    fn settle(&mut self) {
        if self.witness.violation().is_some() {
            return;
        }
        self.witness.nothing_is_missing();
        let settled = self.witness.settled_ids();
        for node in 1..=self.nodes {
            let Some(member) = self.registry.member(node) else {
                continue;
            };
            let applied = member.disk.state().applied();
            let holds = rows(&member);
            let expected = self.witness.expected_at(applied.map_or(0, |id| id.index));
            if applied.map(|id| id.index).and_then(|at| settled.get(&at)) != applied.as_ref() {
                let what = format!("n{node} stands at {applied:?}");
                self.witness.broken("log_matches", what);
            }
            if holds != expected {
                let what = format!("n{node} holds {holds:?}, should be {expected:?}");
                self.witness.broken("applied_once", what);
            }
        }
    }
}

fn touches(fault: &Fault, node: u64) -> bool {
    match fault {
        Fault::Split(nodes) | Fault::Crash(nodes) => nodes.contains(&node),
        Fault::Deaf(deaf) => *deaf == node,
        Fault::CutLeader
        | Fault::OneWay(..)
        | Fault::Mute(_)
        | Fault::Held(..)
        | Fault::Slow(..)
        | Fault::Loss(_)
        | Fault::CrashLeader
        | Fault::Bounce(_)
        | Fault::SlowDisk(..)
        | Fault::Outage(_)
        | Fault::Transfer(_) => true,
        Fault::Snapshot => false,
    }
}

fn split(side: &BTreeSet<u64>, all: &BTreeSet<u64>, cut: &mut impl FnMut(u64, u64, bool)) {
    for a in side {
        for b in all.difference(side) {
            cut(*a, *b, false);
            cut(*b, *a, false);
        }
    }
}

/// What is settled and neither in the member's log nor in its state.
fn missing(member: &Member, settled: &BTreeMap<u64, LogId>) -> Vec<LogId> {
    let applied = member.disk.state().applied().map_or(0, |id| id.index);
    let Ok(entries) = member.log.entries(applied + 1..) else {
        return Vec::new();
    };
    let held: BTreeSet<LogId> = entries.iter().map(|entry| entry.log_id).collect();
    let lacking = settled.range(applied + 1..);
    lacking
        .map(|(_, id)| *id)
        .filter(|id| !held.contains(id))
        .collect()
}

/// The registers, and how many requests are remembered.
pub(crate) type Rows = (BTreeMap<String, String>, u64);

fn rows(member: &Member) -> Rows {
    let state = member.disk.state();
    member.disk.run(async move {
        let mut view = state.view().await.expect("the state can be read");
        let mut values = BTreeMap::new();
        for key in KEYS {
            let person = recipients::person(&mut view, key).await;
            if let Some(person) = person.expect("a person can be read") {
                values.insert(key.to_owned(), person.name);
            }
        }
        let requests: i64 = sqlx::query_scalar("select count(*) from request")
            .fetch_one(&mut *view)
            .await
            .expect("requests can be counted");
        (values, requests.unsigned_abs())
    })
}
