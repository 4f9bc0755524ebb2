//! One run: a world, its people, clients and troubles, driven by one seed from founding to rest.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use domain::deliveries::{AttemptRef, Report};
use domain::nodes::{Admit, Command as Nodes, Found};
use domain::ports::{Durability, Proposal};
use domain::recipients::Command as Recipients;
use domain::{Command, NodeId, Outcome, RequestId};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::air;
use crate::chronicle::{Arrival, Chronicle, Left, Told};
use crate::clients::{self, Errand};
use crate::faults::{self, Planned};
use crate::invariants::{self, Invariant};
use crate::people::{self, PEOPLE, Temper};
use crate::plants::Plant;
use crate::trace::Trace;
use crate::world::{FakeChannel, World};

mod look;
mod trouble;

/// Founding and the first minute are calm.
const CALM: Duration = Duration::from_secs(20);

/// Invariants are checked this often.
const CHECK_EVERY: Duration = Duration::from_secs(4);

/// After healing everything must have come to rest within this.
const REST_MAX: Duration = Duration::from_secs(25 * 60);

/// Texts a modem takes before the first has ended, as many as a node's own (`channels`).
const MODEM_LINE: usize = 4;
/// A hung modem is noticed and reset after this.
const HANG_NOTICED: Duration = Duration::from_secs(40);

/// A text for a modem that is off waits in the network and is tried again.
const NETWORK_RETRY: Duration = Duration::from_secs(15);

/// What to run.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub seed: u64,
    pub plant: Option<Plant>,
    /// Faults to leave out, by their place in the plan.
    pub without: BTreeSet<usize>,
}

/// How a run ended.
#[derive(Clone, Debug)]
pub struct Ended {
    pub seed: u64,
    /// Hash over every event.
    pub digest: String,
    pub events: u64,
    pub entries: u64,
    pub texts: usize,
    /// How often a node began to work by itself.
    pub islands: u64,
    pub simulated: Duration,
    pub faults: Vec<String>,
    pub violation: Option<Violation>,
}

/// A broken promise.
#[derive(Clone, Debug)]
pub struct Violation {
    pub invariant: &'static str,
    pub what: String,
    pub at: Duration,
    /// The last events before.
    pub last: Vec<String>,
}

/// Something that will happen.
enum Event {
    Errand(usize),
    Begin(usize),
    End(usize),
    HangNoticed(NodeId),
    CaughtUp(NodeId),
    Ends {
        node: NodeId,
        sms: bool,
        attempt: AttemptRef,
        body: String,
        address: String,
        fate: air::Fate,
        alone: bool,
    },
    Arrives {
        address: String,
        from: NodeId,
        body: String,
    },
    Report {
        node: NodeId,
        attempt: AttemptRef,
        report: Report,
    },
    Texts {
        from: String,
        to: NodeId,
        text: String,
    },
}

struct Run {
    world: World,
    nodes: u64,
    agenda: BTreeMap<(Duration, u64), Event>,
    scheduled: u64,
    air_chance: StdRng,
    people_chance: StdRng,
    pace_chance: StdRng,
    tempers: BTreeMap<String, Temper>,
    errands: Vec<Errand>,
    faults: Vec<Planned>,
    without: BTreeSet<usize>,
    bad_air: u32,
    hanging: BTreeSet<NodeId>,
    /// Nodes to be stopped or crashed as soon as a loop of theirs is held, by fault.
    lurking: BTreeMap<NodeId, usize>,
    healed: bool,
    trace: Trace,
    chronicle: Chronicle,
    noted: usize,
    leader: Option<NodeId>,
    alone: BTreeSet<NodeId>,
    islands: u64,
    invariants: Vec<Box<dyn Invariant>>,
    checked_at: Duration,
    plant: Option<Plant>,
}

/// Runs one seed to its end or to the first broken promise.
pub async fn run(options: &Options) -> Ended {
    let mut run = Run::new(options).await;
    run.found().await;
    let violation = run.live().await.err();
    let entries = run.world.order().settled().len() as u64;
    Ended {
        seed: options.seed,
        digest: run.trace.digest(),
        events: run.trace.count(),
        entries,
        texts: run.chronicle.left.len(),
        islands: run.islands,
        simulated: run.elapsed(),
        faults: run
            .faults
            .iter()
            .enumerate()
            .filter(|(at, _)| !options.without.contains(at))
            .map(|(_, planned)| planned.to_string())
            .collect(),
        violation,
    }
}

impl Run {
    async fn new(options: &Options) -> Self {
        let mut chance = StdRng::seed_from_u64(options.seed);
        let nodes = if chance.random_range(0..5) == 0 { 5 } else { 3 };
        let world = World::unled(nodes, chance.random()).await;
        for node in &world.nodes {
            node.modem.in_line(MODEM_LINE);
            node.mail.by_hand();
        }
        let trouble = CALM + Duration::from_secs(chance.random_range(120..420));
        let faults = faults::plan(
            &mut StdRng::seed_from_u64(chance.random()),
            nodes,
            CALM,
            trouble,
        );
        let errands = clients::plan(
            &mut StdRng::seed_from_u64(chance.random()),
            nodes,
            CALM,
            trouble,
        );
        let mut temper = StdRng::seed_from_u64(chance.random());
        let tempers = PEOPLE
            .iter()
            .flat_map(|(_, _, addresses)| {
                let today = Temper::draw(&mut temper);
                addresses
                    .iter()
                    .map(move |address| ((*address).to_owned(), today))
            })
            .collect();
        {
            let mut order = world.order();
            order.twice_permille = [0, 0, 20][chance.random_range(0..3)];
            for id in order.members() {
                // A crystal; the lease has a fifth to spare.
                order.member_mut(id).machine.drift_ppm = chance.random_range(-300..300);
            }
        }
        let mut run = Self {
            world,
            nodes,
            agenda: BTreeMap::new(),
            scheduled: 0,
            air_chance: StdRng::seed_from_u64(chance.random()),
            people_chance: StdRng::seed_from_u64(chance.random()),
            pace_chance: StdRng::seed_from_u64(chance.random()),
            tempers,
            errands,
            faults,
            without: options.without.clone(),
            bad_air: 0,
            hanging: BTreeSet::new(),
            lurking: BTreeMap::new(),
            healed: false,
            trace: Trace::default(),
            chronicle: Chronicle::default(),
            noted: 0,
            leader: None,
            alone: BTreeSet::new(),
            islands: 0,
            invariants: invariants::all(),
            checked_at: Duration::ZERO,
            plant: options.plant,
        };
        for place in 0..run.errands.len() {
            run.schedule(run.errands[place].at, Event::Errand(place));
        }
        for place in 0..run.faults.len() {
            if !run.without.contains(&place) {
                run.schedule(run.faults[place].at, Event::Begin(place));
                run.schedule(run.faults[place].until, Event::End(place));
            }
        }
        run
    }

    fn schedule(&mut self, at: Duration, event: Event) {
        self.scheduled += 1;
        self.agenda.insert((at, self.scheduled), event);
    }

    fn elapsed(&self) -> Duration {
        self.world.order().elapsed
    }

    fn note(&mut self, event: &str) {
        let at = self.elapsed();
        self.trace.note(at, event);
    }

    /// Founds the cluster, admits its nodes, adds the people; then plants the bug.
    async fn found(&mut self) {
        self.world.order().elect();
        let found = Found {
            cluster_id: [7; 16],
            organisation: "Aurora Energy".to_owned(),
            node_name: "site-a".to_owned(),
            pin: [1; 32],
            addresses: vec![],
        };
        let mut commands = vec![Command::Nodes(Nodes::Found(found))];
        for (name, token) in ["site-b", "site-c", "site-d", "site-e"]
            .into_iter()
            .zip(2..=self.nodes as u8)
        {
            commands.push(Command::Nodes(Nodes::IssueInvite {
                token_hash: [token; 32],
                expires_in_ms: 900_000,
            }));
            commands.push(Command::Nodes(Nodes::Admit(Admit {
                token_hash: [token; 32],
                node_name: name.to_owned(),
                pin: [token; 32],
                addresses: vec![],
            })));
        }
        let people = people::persons();
        commands.push(Command::Recipients(Recipients::PutPeople { people }));
        for (place, command) in commands.into_iter().enumerate() {
            let proposal = Proposal::by_operator(
                NodeId(1),
                RequestId::derive(&[b"founding", &place.to_be_bytes()]),
                command,
            );
            let replica = self.world.node(1).replica();
            let told = replica.hand_in(proposal).await;
            let outcome = told.expect("a calm cluster commits").outcome;
            assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
        }
        self.world.round(true).await;
        for node in &self.world.nodes {
            node.islander.enable();
        }
        if let Some(plant) = self.plant {
            self.plant_bug(plant).await;
        }
    }

    async fn plant_bug(&mut self, plant: Plant) {
        for node in &self.world.nodes {
            node.replica().plant(plant.replica());
            for channel in node.channels() {
                channel.plant(plant.channel());
            }
            if plant.island_loses_answers() {
                node.islander.plant_lost_answers();
            }
            if let Some(sql) = plant.trigger() {
                node.state.plant(sql).await;
            }
        }
        if let Some(every) = plant.skips_entries() {
            self.world.node(2).state.plant_skips(every);
        }
    }

    async fn live(&mut self) -> Result<(), Violation> {
        let trouble = self.faults.iter().map(|planned| planned.until).max();
        let errands = self.errands.iter().map(|errand| errand.at).max();
        let heal_at = trouble.max(errands).unwrap_or(CALM) + Duration::from_secs(5);
        let mut busy = true;
        loop {
            self.advance(busy);
            if !self.healed && self.elapsed() >= heal_at {
                self.heal();
            }
            while let Some(((at, _), _)) = self.agenda.first_key_value() {
                if *at > self.elapsed() {
                    break;
                }
                let (_, event) = self.agenda.pop_first().expect("one was just seen");
                self.happen(event).await;
            }
            let before = self.world.applied();
            self.world.round(false).await;
            let sent = self.look();
            busy = sent || self.world.applied() != before;
            self.lurk();
            self.check(false).await?;
            if self.healed && self.is_at_rest().await {
                break;
            }
            if self.elapsed() > heal_at + REST_MAX {
                break; // what is left open is for the invariants to name
            }
        }
        self.world.catch_up().await;
        self.look();
        self.check(true).await
    }

    /// Moves time: little while something moves, more once all is healed and only timers run, at most to the next event.
    fn advance(&mut self, busy: bool) {
        let ms = if busy {
            self.pace_chance.random_range(20..200)
        } else {
            self.pace_chance.random_range(300..1_000) * if self.healed { 4 } else { 1 }
        };
        let now = self.elapsed();
        let next = self.agenda.first_key_value().map(|((at, _), _)| *at);
        let step = Duration::from_millis(ms);
        let to = next.map_or(now + step, |at| at.clamp(now, now + step));
        self.world.order().elapsed = to.max(now + Duration::from_millis(1));
    }

    async fn happen(&mut self, event: Event) {
        match event {
            Event::Errand(place) => self.run_errand(place).await,
            Event::Begin(place) => self.begin(place).await,
            Event::End(place) => self.end(place),
            Event::HangNoticed(node) => self.notice_hang(node),
            Event::CaughtUp(node) => self.world.order().member_mut(node).lagging = false,
            Event::Ends {
                node,
                sms,
                attempt,
                body,
                address,
                fate,
                alone,
            } => {
                let left = Left {
                    at: self.elapsed(),
                    node,
                    attempt,
                    body,
                    alone,
                };
                self.send_ends(left, sms, address, fate);
            }
            Event::Arrives {
                address,
                from,
                body,
            } => self.arrives(&address, from, &body),
            Event::Report {
                node,
                attempt,
                report,
            } => {
                let modem = self.world.node(node.0).modem.clone();
                if modem.is_up() && !self.hanging.contains(&node) {
                    self.note(&format!("report at {node} on {}", attempt.delivery));
                    modem.report(attempt, report);
                }
            }
            Event::Texts { from, to, text } => self.texts(&from, to, &text),
        }
    }

    async fn run_errand(&mut self, place: usize) {
        let errand = self.errands[place].clone();
        let replica = self.world.node(errand.node.0).replica();
        let up = self.world.order().hears(errand.node, errand.node);
        let told = if up {
            replica.hand_in(errand.proposal()).await.ok()
        } else {
            None
        };
        let word = told
            .as_ref()
            .map(|committed| format!("{:?}", committed.outcome));
        self.note(&format!(
            "client at {}: {:?} {:?}: {}",
            errand.node,
            errand.asked,
            errand.words,
            word.as_deref().unwrap_or("no answer")
        ));
        let again = self.pace_chance.random_range(1_000..8_000);
        let node = NodeId(self.pace_chance.random_range(1..=self.nodes));
        let at = self.elapsed();
        if let Some(committed) = told {
            self.chronicle.told.push(Told {
                node: errand.node,
                request: errand.request,
                asked: errand.asked,
                index: committed.index,
                alone: committed.durability == Durability::Island,
                outcome: committed.outcome,
                words: errand.words,
            });
            let errand = &mut self.errands[place];
            if !std::mem::take(&mut errand.doubts) {
                errand.done = true;
                return;
            }
        }
        self.errands[place].node = node;
        self.schedule(at + Duration::from_millis(again), Event::Errand(place));
    }

    fn send_ends(&mut self, left: Left, sms: bool, address: String, fate: air::Fate) {
        let (node, attempt) = (left.node, left.attempt);
        if sms && self.hanging.contains(&node) {
            return; // the modem took it and says nothing; whether it left nobody knows, here it did not
        }
        let at = self.elapsed();
        self.note(&format!(
            "{node} {} of {}: {:?}",
            attempt.attempt, attempt.delivery, fate.outcome
        ));
        if fate.leaves {
            for delay in fate.arrives_in {
                let event = Event::Arrives {
                    address: address.clone(),
                    from: node,
                    body: left.body.clone(),
                };
                self.schedule(at + delay, event);
            }
            self.chronicle.left.push(left);
            for (delay, report) in fate.reports {
                let event = Event::Report {
                    node,
                    attempt,
                    report,
                };
                self.schedule(at + delay, event);
            }
        }
        self.channel(node, sms).end(attempt, fate.outcome);
    }

    fn channel(&self, node: NodeId, sms: bool) -> std::sync::Arc<FakeChannel> {
        let node = self.world.node(node.0);
        if sms {
            node.modem.clone()
        } else {
            node.mail.clone()
        }
    }

    fn arrives(&mut self, address: &str, from: NodeId, body: &str) {
        self.note(&format!("phone {address} gets {body:?}"));
        let Some(temper) = self.tempers.get(address).copied() else {
            return;
        };
        let at = self.elapsed();
        for (delay, text) in temper.react(&mut self.people_chance, body) {
            let to = if self.people_chance.random_range(0..10) == 0 {
                NodeId(self.people_chance.random_range(1..=self.nodes))
            } else {
                from
            };
            let from = address.to_owned();
            self.schedule(at + delay, Event::Texts { from, to, text });
        }
    }

    fn texts(&mut self, from: &str, to: NodeId, text: &str) {
        let modem = self.world.node(to.0).modem.clone();
        let at = self.elapsed();
        if !modem.is_up() || self.hanging.contains(&to) {
            let event = Event::Texts {
                from: from.to_owned(),
                to,
                text: text.to_owned(),
            };
            self.schedule(at + NETWORK_RETRY, event);
            return;
        }
        self.note(&format!("{to} receives {text:?} from {from}"));
        let key = modem.receive(from, text);
        self.chronicle.arrivals.push(Arrival {
            at,
            node: to,
            key,
            text: text.to_owned(),
        });
    }
}
