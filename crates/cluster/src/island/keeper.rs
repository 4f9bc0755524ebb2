//! The task that keeps a node talking: asks for a majority again and again, makes the fork when there is none, hands the
//! journal over when there is one again.

use std::sync::Arc;
use std::time::Duration;

use domain::ports::Replica as _;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::fork::{self, Fork, ForkError};
use super::heal::hand_over;
use super::mode::{PROBE_PERIOD, PROBE_PERIOD_HEALING, Phase, Step, Watch};
use super::{Ground, Mode, lock};

/// A fork made anew because the state moved on beside it is not made again for this long.
const REMAKE_PAUSE: Duration = Duration::from_secs(30);

/// Runs until stopped. Returns early only when this node was removed from the cluster.
pub(crate) async fn keep(ground: Arc<Ground>, stop: CancellationToken) {
    let journal = match ground.node_db.journal_size(ground.core.node).await {
        Ok(size) => size.own + size.others > 0,
        Err(_) => return, // the node stops over this elsewhere
    };
    let patience = probe_patience(&ground);
    let watch = Watch::new(ground.now(), ground.after, patience, journal);
    let mut keeper = Keeper {
        ground,
        watch,
        writer: JoinSet::new(),
        made: None,
    };
    if journal {
        tracing::info!("facts of an earlier stay as an island wait to be handed over");
        keeper.enter(true).await;
    }
    let removed = keeper.ground.core.transport.removed();
    while !stop.is_cancelled() && !*removed.borrow() {
        tokio::select! {
            () = stop.cancelled() => break,
            () = keeper.round() => {}
        }
    }
    // A removed or stopping node starts nothing more; the journal stays for the next start or for an export.
    keeper.writer.shutdown().await;
}

struct Keeper {
    ground: Arc<Ground>,
    watch: Watch,
    /// The task that writes the fork, if there is one.
    writer: JoinSet<Result<(), ForkError>>,
    made: Option<Instant>,
}

impl Keeper {
    /// One try to hear a majority, what follows from it, and a rest.
    async fn round(&mut self) {
        let started = Instant::now();
        let heard = self.probe().await;
        let now = self.ground.now();
        let step = match heard {
            true => self.watch.succeeded(now),
            false => match self.ground.last_success() {
                // A commit went through meanwhile: that is a majority too.
                Some(at)
                    if self.watch.phase() == Phase::Member
                        && now.saturating_sub(at) < PROBE_PERIOD =>
                {
                    self.watch.succeeded(at)
                }
                Some(_) | None => self.watch.failed(now),
            },
        };
        self.follow(step).await;
        // A member with a journal could not make its fork at start; what it journalled must get there all the same.
        let waiting = *lock(&self.ground.waiting) > 0;
        if heard && (self.watch.phase() == Phase::Healing || waiting) {
            self.heal(step == Step::MayLeave).await;
        }
        self.look_after_fork().await;
        self.rest(started).await;
    }

    /// A read index of this node's own, as any linearizable read would need it.
    async fn probe(&self) -> bool {
        let patience = probe_patience(&self.ground);
        let read = self.ground.local.read_index(Instant::now() + patience);
        timeout(patience, read)
            .await
            .is_ok_and(|index| index.is_ok())
    }

    async fn rest(&mut self, started: Instant) {
        let period = match self.watch.phase() {
            Phase::Healing => PROBE_PERIOD_HEALING,
            Phase::Member | Phase::Island => PROBE_PERIOD,
        };
        let next = started + period;
        let gives_up = self.watch.gives_up_at();
        let gives_up = gives_up.map(|at| Instant::now() + at.saturating_sub(self.ground.now()));
        match gives_up.filter(|at| *at < next) {
            Some(at) => {
                sleep_until(at).await;
                let step = self.watch.tick(self.ground.now());
                self.follow(step).await;
                sleep_until(next).await;
            }
            None => sleep_until(next).await,
        }
    }

    async fn follow(&mut self, step: Step) {
        match step {
            Step::Stay | Step::MayLeave => {}
            Step::Enter => self.enter(false).await,
            Step::Heal => {
                tracing::info!("a majority answers again; handing over what happened here");
                self.set_healing(true);
                // The leader must know this node alive before it reads what is assigned to it.
                _ = self.ground.local.lease().await;
            }
            Step::Relapse => {
                tracing::warn!("no majority answers; this node works by itself");
                self.set_healing(false);
            }
        }
    }

    async fn enter(&mut self, healing: bool) {
        match self.make().await {
            Ok(fork) => {
                if !healing {
                    tracing::warn!(
                        site = fork.mark.site,
                        base = fork.mark.base,
                        "cut off from the cluster; this node alerts by itself"
                    );
                }
                let fork = Arc::new(fork);
                self.ground.switch(Mode::Fork { fork, healing });
            }
            Err(ForkError::Empty) => self.watch.could_not_enter(),
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "cannot make a fork of the state; trying again"
                );
                self.watch.could_not_enter();
            }
        }
        self.ground.count_waiting().await;
    }

    async fn make(&mut self) -> Result<Fork, ForkError> {
        let (fork, writing) = fork::make(&self.ground).await?;
        self.writer.spawn(writing);
        self.made = Some(Instant::now());
        Ok(fork)
    }

    fn set_healing(&self, healing: bool) {
        if let Some(fork) = self.ground.fork() {
            self.ground.switch(Mode::Fork { fork, healing });
        }
    }

    /// Hands over some of the journal, and leaves once there is nothing left of it.
    async fn heal(&mut self, may_leave: bool) {
        match hand_over(&self.ground).await {
            Ok(true) if may_leave => self.leave().await,
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the journal is not handed over yet"
                );
            }
        }
    }

    async fn leave(&mut self) {
        if let Some(fork) = self.ground.fork() {
            if !fork.close_if_empty().await {
                return; // something came in meanwhile
            }
            if let Err(error) = self.ground.node_db.set_stay(None).await {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "cannot note the end of the stay"
                );
            }
            self.ground.switch(Mode::Member);
            self.writer.shutdown().await;
            fork.remove().await;
        }
        self.watch.left(self.ground.now());
        tracing::info!("one of the cluster again; everything that happened here is handed over");
    }

    /// A fork whose writer failed, or whose state moved on without it, is made anew from state and journal.
    async fn look_after_fork(&mut self) {
        let Some(fork) = self.ground.fork() else {
            return;
        };
        let failed = match self.writer.try_join_next() {
            Some(Ok(Ok(()))) | None => self.writer.is_empty(),
            Some(Ok(Err(error))) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "the fork failed; making it anew"
                );
                true
            }
            Some(Err(error)) => {
                tracing::error!(%error, "the fork's writer failed; making it anew");
                true
            }
        };
        // Some cuts work one way: this node may hear the cluster go on without being heard.
        let applied = self.ground.core.state.applied().map_or(0, |id| id.index);
        let behind = self.watch.phase() == Phase::Island
            && applied > fork.mark.base
            && self.made.is_none_or(|made| made.elapsed() > REMAKE_PAUSE);
        if !failed && !behind {
            return;
        }
        fork.close().await;
        self.writer.shutdown().await;
        match self.make().await {
            Ok(next) => {
                let healing = self.watch.phase() == Phase::Healing;
                self.ground.switch(Mode::Fork {
                    fork: Arc::new(next),
                    healing,
                });
                fork.remove().await;
            }
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "cannot make the fork anew; trying again"
                );
                sleep(PROBE_PERIOD).await;
            }
        }
    }
}

/// A try may take a change of leaders, and a round trip through the leader on the profile's slowest path.
fn probe_patience(ground: &Ground) -> Duration {
    (ground.core.timing.election_max * 2).max(Duration::from_secs(2))
}

#[cfg(test)]
mod tests;
