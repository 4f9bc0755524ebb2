//! What can happen to the nodes, and the order in which a seed makes it happen.

use std::ops::Range;
use std::time::Duration;

use clap::ValueEnum;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use serde::{Deserialize, Serialize};

/// Kinds of trouble, as named on the command line.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// One node ends by kill -9 and starts again after a while
    Kill,
    /// One node stands still (SIGSTOP), longer than leases and elections last
    Freeze,
    /// A majority ends by kill -9 for long enough that the others become islands
    MajorityDown,
    /// Each node in turn is asked to stop and starts again
    Rolling,
    /// Nodes in turn are stopped and started as the next version, half of them and back, then all for good
    Upgrade,
    /// A node is removed, loses its disk, and joins again as a new member
    Replace,
    /// The sites fall into two groups that do not hear each other
    Partition,
    /// One site hears the others and is not heard, or the other way round
    OneWay,
    /// One site loses its fibre and has only its mobile line
    FibreDown,
    /// A firewall drops all UDP between one site and the others
    UdpBlocked,
    /// One site's lines turn slow, shaky, lossy, thin and disorderly
    BadLines,
    /// Nodes lose power and what their disks had not synced, all of it or a random part
    PowerCut,
    /// A disk has no room left
    DiskFull,
    /// Every sync of a disk takes long
    SlowDisk,
    /// A few bits of a minority's files turn while the node is down
    BitFlip,
    /// One node's wall clock jumps by seconds to days, there and back
    ClockStep,
    /// A modem swallows everything it is sent
    ModemHang,
    /// A SIM is taken out
    SimRemoved,
    /// The mail servers of some sites turn everybody away
    SmarthostDown,
}

/// What a fault acts on. Two faults at a time act on different things.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Realm {
    Process,
    Network,
    Disk,
    Clock,
    Outside,
}

/// One trouble at its place.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Fault {
    pub(crate) kind: Kind,
    /// The sites it happens to.
    pub(crate) sites: Vec<u8>,
    /// Seconds of a clock's step; of other faults which of up to four ways it takes.
    #[serde(default)]
    pub(crate) amount: i64,
}

/// A fault with its time.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Blow {
    /// Milliseconds after the round began.
    pub(crate) after_ms: u64,
    /// How long until it is made good.
    pub(crate) for_ms: u64,
    pub(crate) fault: Fault,
}

/// One or two faults that overlap. Between rounds the cluster must come back.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Round {
    /// Milliseconds of calm before it.
    pub(crate) calm_ms: u64,
    pub(crate) blows: Vec<Blow>,
}

impl Kind {
    pub(crate) fn all() -> Vec<Self> {
        Self::value_variants().to_vec()
    }

    pub(crate) fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }

    pub(crate) fn about(self) -> String {
        let value = self.to_possible_value();
        let help = value.and_then(|value| value.get_help().map(ToString::to_string));
        help.unwrap_or_default()
    }

    pub(crate) fn realm(self) -> Realm {
        match self {
            Self::Kill
            | Self::Freeze
            | Self::MajorityDown
            | Self::Rolling
            | Self::Upgrade
            | Self::Replace => Realm::Process,
            Self::Partition
            | Self::OneWay
            | Self::FibreDown
            | Self::UdpBlocked
            | Self::BadLines => Realm::Network,
            Self::PowerCut | Self::DiskFull | Self::SlowDisk | Self::BitFlip => Realm::Disk,
            Self::ClockStep => Realm::Clock,
            Self::ModemHang | Self::SimRemoved | Self::SmarthostDown => Realm::Outside,
        }
    }

    fn reach(self) -> Reach {
        match self {
            Self::Partition | Self::SmarthostDown | Self::BitFlip => Reach::Minority,
            Self::PowerCut => Reach::Any,
            Self::MajorityDown => Reach::Majority,
            Self::Rolling | Self::Upgrade => Reach::All,
            Self::Kill
            | Self::Freeze
            | Self::Replace
            | Self::OneWay
            | Self::FibreDown
            | Self::UdpBlocked
            | Self::BadLines
            | Self::DiskFull
            | Self::SlowDisk
            | Self::ClockStep
            | Self::ModemHang
            | Self::SimRemoved => Reach::One,
        }
    }

    /// How long it lasts: leases, elections and the turning into an island all fall within.
    fn seconds(self) -> Range<u64> {
        match self {
            Self::MajorityDown => 18..40,
            Self::Kill | Self::PowerCut => 1..12,
            Self::Partition | Self::OneWay | Self::UdpBlocked => 4..35,
            Self::Freeze => 2..25,
            Self::Rolling
            | Self::Upgrade
            | Self::Replace
            | Self::FibreDown
            | Self::BadLines
            | Self::DiskFull
            | Self::SlowDisk
            | Self::BitFlip
            | Self::ClockStep
            | Self::ModemHang
            | Self::SimRemoved
            | Self::SmarthostDown => 5..25,
        }
    }

    /// How often it is drawn beside the others.
    fn weight(self) -> u32 {
        match self {
            Self::Kill | Self::Freeze | Self::Partition | Self::PowerCut => 3,
            Self::OneWay | Self::FibreDown | Self::BadLines | Self::ClockStep => 2,
            Self::MajorityDown
            | Self::Rolling
            | Self::Upgrade
            | Self::Replace
            | Self::UdpBlocked
            | Self::DiskFull
            | Self::SlowDisk
            | Self::BitFlip
            | Self::ModemHang
            | Self::SimRemoved
            | Self::SmarthostDown => 1,
        }
    }
}

/// How many sites a fault strikes at once.
enum Reach {
    One,
    Minority,
    Majority,
    Any,
    All,
}

/// The rounds of a seed, without end.
pub(crate) struct Rounds {
    chance: StdRng,
    sites: u8,
    kinds: Vec<Kind>,
}

impl Rounds {
    /// `kinds` must not be empty.
    pub(crate) fn new(seed: u64, sites: u8, kinds: &[Kind]) -> Self {
        Self {
            chance: StdRng::seed_from_u64(seed),
            sites,
            kinds: kinds.to_vec(),
        }
    }

    fn kind(&mut self) -> Kind {
        let total: u32 = self.kinds.iter().map(|kind| kind.weight()).sum();
        let mut left = self.chance.random_range(0..total);
        for kind in &self.kinds {
            if left < kind.weight() {
                return *kind;
            }
            left -= kind.weight();
        }
        self.kinds[0]
    }

    /// So many different sites.
    fn some(&mut self, count: u8) -> Vec<u8> {
        let mut all: Vec<u8> = (1..=self.sites).collect();
        all.shuffle(&mut self.chance);
        all.truncate(usize::from(count));
        all.sort_unstable();
        all
    }

    fn blow(&mut self, kind: Kind, after_ms: u64) -> Blow {
        let minority = (self.sites - 1) / 2;
        let up_to = self.chance.random_range(1..=minority);
        let any = self.chance.random_range(1..=self.sites);
        let sites = match kind.reach() {
            Reach::One => self.some(1),
            Reach::Minority => self.some(up_to),
            Reach::Majority => self.some(minority + 1),
            Reach::Any => self.some(any),
            Reach::All => (1..=self.sites).collect(),
        };
        let steps = [-90_000, -3_600, -400, -30, -3, 3, 30, 400, 3_600, 90_000];
        let step = steps[self.chance.random_range(0..steps.len())];
        let choice = self.chance.random_range(0..=3);
        let amount = if kind == Kind::ClockStep {
            step
        } else {
            choice
        };
        let seconds = kind.seconds();
        Blow {
            after_ms,
            for_ms: self
                .chance
                .random_range(seconds.start * 1_000..seconds.end * 1_000),
            fault: Fault {
                kind,
                sites,
                amount,
            },
        }
    }
}

impl Iterator for Rounds {
    type Item = Round;

    fn next(&mut self) -> Option<Round> {
        let calm_ms = self.chance.random_range(3_000..9_000);
        let kind = self.kind();
        let mut blows = vec![self.blow(kind, 0)];
        let other = self.kind();
        let lone = [Kind::Rolling, Kind::Upgrade, Kind::Replace, Kind::BitFlip];
        // Disk faults kill nodes, too.
        let down = |kind: Kind| matches!(kind.realm(), Realm::Process | Realm::Disk);
        let apart = other.realm() != kind.realm() && !(down(kind) && down(other));
        let may = apart && !lone.contains(&kind) && !lone.contains(&other);
        if may && self.chance.random_range(0..100) < 40 {
            let after_ms = self.chance.random_range(0..blows[0].for_ms);
            blows.push(self.blow(other, after_ms));
        }
        Some(Round { calm_ms, blows })
    }
}

impl Fault {
    /// Which of two ways it takes.
    pub(crate) fn is_odd(&self) -> bool {
        self.amount % 2 != 0
    }

    /// In words, for people.
    pub(crate) fn words(&self) -> String {
        let sites: Vec<String> = self.sites.iter().map(u8::to_string).collect();
        let place = match sites.len() {
            1 => format!("site {}", sites[0]),
            _ => format!("sites {}", sites.join(", ")),
        };
        let more = if self.kind == Kind::ClockStep {
            format!(" by {:+} s", self.amount)
        } else if self.kind == Kind::OneWay && self.is_odd() {
            ": not heard".to_owned()
        } else if self.kind == Kind::OneWay {
            ": does not hear".to_owned()
        } else if self.kind == Kind::PowerCut && self.is_odd() {
            ", torn".to_owned()
        } else {
            String::new()
        };
        format!("{} {place}{more}", self.kind.name())
    }
}

impl Blow {
    pub(crate) fn length(&self) -> Duration {
        Duration::from_millis(self.for_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_always_the_same_trouble() {
        let rounds =
            |seed| -> Vec<Round> { Rounds::new(seed, 5, &Kind::all()).take(200).collect() };
        assert_eq!(rounds(7), rounds(7));
        assert_ne!(rounds(7), rounds(8));
    }

    #[test]
    fn every_kind_comes_and_two_at_once_act_on_different_things() {
        let rounds: Vec<Round> = Rounds::new(1, 3, &Kind::all()).take(500).collect();
        for kind in Kind::all() {
            let comes = rounds
                .iter()
                .flat_map(|r| &r.blows)
                .any(|b| b.fault.kind == kind);
            assert!(comes, "{}", kind.name());
        }
        assert!(rounds.iter().any(|round| round.blows.len() == 2));
        for round in rounds.iter().filter(|round| round.blows.len() == 2) {
            let realms: Vec<Realm> = round.blows.iter().map(|b| b.fault.kind.realm()).collect();
            assert_ne!(realms[0], realms[1]);
        }
    }

    #[test]
    fn a_partition_leaves_a_majority_together() {
        for round in Rounds::new(3, 5, &[Kind::Partition]).take(100) {
            assert!((1..=2).contains(&round.blows[0].fault.sites.len()));
        }
    }
}
