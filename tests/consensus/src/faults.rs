//! What goes wrong in a run, drawn from the seed before it begins.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use rand::RngExt as _;
use rand::rngs::StdRng;

/// One kind of trouble.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Fault {
    /// Nothing passes between these and the others.
    Split(BTreeSet<u64>),
    /// Nothing passes between whoever leads when it begins, and the others.
    CutLeader,
    /// What the first says does not reach the second.
    OneWay(u64, u64),
    /// Nothing that the node says reaches anybody.
    Mute(u64),
    /// Nothing that anybody says reaches the node.
    Deaf(u64),
    /// What these two say to each other arrives when it is over.
    Held(u64, u64),
    /// Everything between these two takes so many milliseconds.
    Slow(u64, u64, u64),
    /// Connections break, so many times in ten thousand messages.
    Loss(u32),
    /// The process dies, and with it what was not on disk; it comes back at the end.
    Crash(BTreeSet<u64>),
    /// Whoever leads dies.
    CrashLeader,
    /// The process dies and starts again at once.
    Bounce(u64),
    /// Writes take so many milliseconds more.
    SlowDisk(u64, u64),
    /// Everybody's writes take so many milliseconds more, and at the end the power fails everywhere for a moment.
    Outage(u64),
    /// Everybody makes a snapshot and forgets the log before it.
    Snapshot,
    /// Whoever leads hands over to this one.
    Transfer(u64),
}

/// A fault with its time.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    pub at: Duration,
    pub until: Duration,
    pub fault: Fault,
}

impl fmt::Display for Planned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (at, until) = (self.at.as_secs_f64(), self.until.as_secs_f64());
        write!(f, "{at:.2} to {until:.2} s {:?}", self.fault)
    }
}

/// Draws what goes wrong between `from` and `to`: anything at any time.
pub(crate) fn plan(chance: &mut StdRng, nodes: u64, from: Duration, to: Duration) -> Vec<Planned> {
    let mut planned: Vec<Planned> = (0..chance.random_range(4..14))
        .map(|_| {
            let at = from + (to - from).mul_f64(chance.random_range(0.0..0.95));
            let lasts = match chance.random_range(0..3) {
                0 => chance.random_range(50..600),
                1 => chance.random_range(600..2_500),
                _ => chance.random_range(2_500..6_000),
            };
            let until = (at + Duration::from_millis(lasts)).min(to);
            let fault = draw(chance, nodes);
            Planned { at, until, fault }
        })
        .collect();
    planned.sort_by_key(|planned| planned.at);
    planned
}

/// Draws absences of single nodes that do not lead, one after the other: nobody else has a reason to stir.
pub(crate) fn absences(
    chance: &mut StdRng,
    nodes: u64,
    from: Duration,
    to: Duration,
) -> Vec<Planned> {
    let mut planned = Vec::new();
    let mut at = from;
    loop {
        let until = at + Duration::from_millis(chance.random_range(1_500..5_000));
        if until > to {
            return planned;
        }
        let node = chance.random_range(1..=nodes);
        let fault = match chance.random_range(0..3) {
            0 => Fault::Split(BTreeSet::from([node])),
            1 => Fault::Deaf(node),
            _ => Fault::Crash(BTreeSet::from([node])),
        };
        planned.push(Planned { at, until, fault });
        // What it misses is gone from the others' logs when it comes back.
        let at_half = at + (until - at) * 4 / 5;
        let fault = Fault::Snapshot;
        planned.push(Planned {
            at: at_half,
            until: at_half,
            fault,
        });
        at = until + Duration::from_millis(2_500);
    }
}

fn draw(chance: &mut StdRng, nodes: u64) -> Fault {
    let node = chance.random_range(1..=nodes);
    let other = (node + chance.random_range(0..nodes - 1)) % nodes + 1;
    let many: BTreeSet<u64> = (1..=nodes)
        .filter(|_| chance.random_range(0..2) == 0)
        .collect();
    match chance.random_range(0..30) {
        0 | 1 => Fault::Split(many),
        2 => Fault::Split(BTreeSet::from([node])),
        3..=5 => Fault::CutLeader,
        6 | 7 => Fault::OneWay(node, other),
        8 => Fault::Mute(node),
        9 => Fault::Deaf(node),
        10 | 11 => Fault::Held(node, other),
        12 => Fault::Slow(node, other, chance.random_range(20..150)),
        13 | 14 => Fault::Loss(chance.random_range(10..150)),
        15 => Fault::Crash(BTreeSet::from([node])),
        16 => Fault::Crash(many),
        17 => Fault::Crash((1..=nodes).collect()),
        18 | 19 => Fault::CrashLeader,
        20 => Fault::Bounce(node),
        21 => Fault::SlowDisk(node, chance.random_range(5..200)),
        22 | 23 => Fault::Outage(chance.random_range(20..300)),
        24..=27 => Fault::Snapshot,
        _ => Fault::Transfer(node),
    }
}
