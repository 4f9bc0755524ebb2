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
    /// Bytes a second that a snapshot may take of a path.
    pub snapshot_rate: u64,
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
            snapshot_rate: match self {
                Self::Lan => 64 << 20,
                Self::Wan => 4 << 20,
                Self::Lte => 512 << 10,
                Self::Sat => 128 << 10,
            },
        }
    }

    /// The fastest profile in which an append gets through: its deadline must leave a quarter to spare over the worst round
    /// trip and the slowest disk. `None` when not even `sat` does.
    pub fn fitting(rtt_p99: Duration, fsync_p99: Duration) -> Option<Self> {
        let needed = (rtt_p99 + fsync_p99) * 4 / 3;
        [Self::Lan, Self::Wan, Self::Lte, Self::Sat]
            .into_iter()
            .find(|profile| profile.timing().heartbeat >= needed)
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

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Profile; 4] = [Profile::Lan, Profile::Wan, Profile::Lte, Profile::Sat];

    #[test]
    fn every_profile_leaves_room_for_three_heartbeats_before_an_election() {
        for profile in ALL {
            let timing = profile.timing();
            assert!(timing.election_min >= timing.heartbeat * 3, "{profile:?}");
            assert!(timing.election_max > timing.election_min, "{profile:?}");
            // The engine looks every few milliseconds; the rest is what a slow tick may take.
            assert!(timing.heartbeat * 2 < timing.election_min, "{profile:?}");
            // A lost path is noticed, by silence alone, within a few seconds.
            assert!(timing.idle <= Duration::from_secs(20), "{profile:?}");
            assert_eq!(Profile::parse(profile.name()), Some(profile));
        }
    }

    #[test]
    fn the_profile_proposed_is_the_fastest_that_fits() {
        let ms = Duration::from_millis;
        let fitting = |rtt, fsync| Profile::fitting(ms(rtt), ms(fsync));
        assert_eq!(fitting(1, 5), Some(Profile::Lan));
        assert_eq!(fitting(60, 20), Some(Profile::Wan));
        assert_eq!(fitting(150, 10), Some(Profile::Wan));
        assert_eq!(fitting(380, 30), Some(Profile::Lte));
        assert_eq!(fitting(700, 50), Some(Profile::Sat));
        assert_eq!(fitting(900, 50), None);
    }
}
