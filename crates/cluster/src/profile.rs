//! Timing profiles: one per cluster, chosen by the slowest path between members.

use std::time::Duration;

/// Consensus timing of a cluster. All members must use the same.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Profile {
    /// One site or metro network: round trips up to about 30 ms; a dead leader is replaced within 0.9 s.
    #[default]
    Lan,
    /// Round trips up to 150 ms; 2.6 s.
    Wan,
    /// Mobile links, up to 400 ms; 5.2 s.
    Lte,
    /// Geostationary satellite, about 700 ms; 10 s.
    Sat,
}

/// The figures of a profile.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Timing {
    /// Heartbeats, and the deadline of one append: must exceed the worst round trip.
    pub heartbeat: Duration,
    pub election_min: Duration,
    /// Also the leader's lease: followers start an election only after `election_max` of silence plus a random wait.
    pub election_max: Duration,
    /// Assumed round trip before the first measurement.
    pub initial_rtt: Duration,
    /// How often an idle connection is kept alive.
    pub keep_alive: Duration,
    /// Silence after which a connection is given up.
    pub idle: Duration,
    /// Wait between two addresses of a peer when dialling.
    pub stagger: Duration,
}

impl Profile {
    /// Reads `lan`, `wan`, `lte` or `sat`.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Lan, Self::Wan, Self::Lte, Self::Sat]
            .into_iter()
            .find(|profile| profile.name() == text)
    }

    /// As written in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lan => "lan",
            Self::Wan => "wan",
            Self::Lte => "lte",
            Self::Sat => "sat",
        }
    }

    /// The figures. Measured: a dead leader is replaced after about `election_max + random(min..max)`.
    pub fn timing(self) -> Timing {
        let (heartbeat, min, max, rtt, keep_alive, stagger) = match self {
            Self::Lan => (100, 300, 450, 30, 1_000, 100),
            Self::Wan => (300, 900, 1_300, 150, 2_000, 250),
            Self::Lte => (600, 1_800, 2_600, 400, 2_500, 250),
            Self::Sat => (1_200, 3_600, 5_000, 700, 5_000, 750),
        };
        Timing {
            heartbeat: Duration::from_millis(heartbeat),
            election_min: Duration::from_millis(min),
            election_max: Duration::from_millis(max),
            initial_rtt: Duration::from_millis(rtt),
            keep_alive: Duration::from_millis(keep_alive),
            idle: Duration::from_millis(keep_alive * 4),
            stagger: Duration::from_millis(stagger),
        }
    }

    /// How long a node waits for any success of its own before it works by itself (DESIGN B5): never less than 10 s, and
    /// well above any change of leaders.
    pub fn island_after(self) -> Duration {
        (self.failover_max() * 3).max(Duration::from_secs(10))
    }

    /// The longest a dead leader leaves the cluster without one.
    pub fn failover_max(self) -> Duration {
        let timing = self.timing();
        timing.election_max * 2 + timing.heartbeat
    }
}
