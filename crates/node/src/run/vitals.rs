//! Whether this program still goes round, and not only its timers: consensus answers, the databases take and give, and
//! the loops that send, move alerts on and watch make rounds. What fails is told and retried by its owner; this finds what
//! hangs, and leaves it to the service manager to start us anew.

use std::sync::Arc;
use std::time::Duration;

use cluster::Cluster;
use delivery::Pulse;
use domain::ports::{Freshness, Replica};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use super::manager::Manager;

/// A loop that makes no round for this long hangs: each of its commands gives up after seconds, and without a majority
/// several may do so in a row.
const LOOP_STILL: Duration = Duration::from_secs(60);

/// The parts that must go round.
pub(super) struct Vitals {
    pub(super) cluster: Arc<Cluster>,
    pub(super) replica: Arc<dyn Replica>,
    pub(super) loops: Vec<(&'static str, Pulse)>,
}

impl Vitals {
    /// Tells the service manager while everything goes round, until `stop`.
    pub(super) async fn watch(self, manager: Arc<Manager>, stop: CancellationToken) {
        let Some(limit) = manager.watchdog() else {
            return stop.cancelled().await;
        };
        // A look and a pause together stay well below the limit.
        let (pause, patience) = (limit / 4, limit / 2);
        let mut rounds = Rounds::new(&self.loops);
        let mut well = true;
        loop {
            let went = timeout(patience, self.go_round()).await;
            let stuck = match went {
                Err(_) => Some("consensus or a database"),
                Ok(()) => rounds.look(pause),
            };
            match stuck {
                None => manager.alive(&self.status()),
                Some(part) => manager.stuck(&format!("{part} hangs")),
            }
            if well != stuck.is_none() {
                well = stuck.is_none();
                match stuck {
                    Some(part) => error!(part, "a part of this node hangs"),
                    None => info!("everything goes round again"),
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(pause) => {}
            }
        }
    }

    async fn go_round(&self) {
        self.cluster.go_round().await;
        // Errors are told by those who need the answer.
        _ = self.replica.read(Freshness::Local).await;
    }

    fn status(&self) -> String {
        let leadership = self.replica.leadership();
        match (self.replica.island(), leadership.leader) {
            (Some(island), _) => format!("{} is cut off and alerts by itself", island.site),
            (None, Some(leader)) if leader == self.replica.node() => "leads".to_owned(),
            (None, Some(leader)) => format!("follows {leader}"),
            (None, None) => "hears no leader".to_owned(),
        }
    }
}

/// How long each loop has made no round, counted in looks: a machine that slept counts as one.
struct Rounds(Vec<Round>);

struct Round {
    part: &'static str,
    pulse: Pulse,
    seen: u64,
    still: Duration,
}

impl Rounds {
    fn new(loops: &[(&'static str, Pulse)]) -> Self {
        let round = |(part, pulse): &(&'static str, Pulse)| Round {
            part,
            pulse: pulse.clone(),
            seen: pulse.rounds(),
            still: Duration::ZERO,
        };
        Self(loops.iter().map(round).collect())
    }

    /// A loop that hangs, if one does. `since`: the time since the look before.
    fn look(&mut self, since: Duration) -> Option<&'static str> {
        for round in &mut self.0 {
            let now = round.pulse.rounds();
            round.still = if now == round.seen {
                round.still + since
            } else {
                Duration::ZERO
            };
            round.seen = now;
        }
        let stuck = self.0.iter().find(|round| round.still >= LOOP_STILL);
        stuck.map(|round| round.part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_that_stands_still_is_named_until_it_goes_round_again() {
        let (worker, scheduler) = (Pulse::default(), Pulse::default());
        let mut rounds =
            Rounds::new(&[("worker", worker.clone()), ("scheduler", scheduler.clone())]);
        let look_after = Duration::from_secs(5);
        for _ in 0..11 {
            worker.beat();
            assert_eq!(rounds.look(look_after), None);
        }
        worker.beat();
        assert_eq!(rounds.look(look_after), Some("scheduler"));
        assert_eq!(rounds.look(look_after), Some("scheduler"));
        scheduler.beat();
        assert_eq!(rounds.look(look_after), None);
    }
}
