//! One peer: all ways to it, and which of them carries what.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::NodeId;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};
use tokio_util::sync::CancellationToken;

use super::live::{Carrier, Live, Missed};
use super::path::{Path, Route};
use super::score::{Candidate, Chooser, Score};
use super::{Dialer, pipe};
use crate::rpc::{CallError, Kind, Pipe, status};
use crate::types::Peer;

/// Ways to one peer kept warm at once: our local paths times its addresses.
const PATHS_MAX: usize = 12;
/// How often paths are looked at.
const TICK: Duration = Duration::from_millis(250);

/// A connection to a replaced key is kept at most this long while a new one is made.
const CONDEMNED_MAX: Duration = Duration::from_secs(5);

/// How one way to a peer stands, for people.
#[derive(Clone, Debug, PartialEq)]
pub struct PathStatus {
    pub peer: NodeId,
    /// Name of our local path.
    pub local: String,
    /// The peer's address; for a connection that the peer made, where it came from.
    pub address: String,
    /// The peer made it.
    pub reverse: bool,
    /// `None` while it is down.
    pub carrier: Option<Carrier>,
    pub state: PathState,
    /// Smoothed round trip.
    pub rtt: Option<Duration>,
    /// The worst but one in a hundred of the last minute.
    pub rtt_p99: Option<Duration>,
    /// Share of packets lost lately, in thousandths.
    pub loss_permille: u32,
    /// How long ago anything arrived.
    pub heard: Option<Duration>,
    /// How long it has been up, or down.
    pub since: Duration,
}

/// What a path is good for now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PathState {
    /// Carries the traffic.
    Best,
    /// Up, in reserve.
    Warm,
    /// Up, but nothing comes back.
    Silent,
    Down,
}

impl PathState {
    /// One word, for people and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Best => "best",
            Self::Warm => "warm",
            Self::Silent => "silent",
            Self::Down => "down",
        }
    }
}

/// The ways to one peer.
pub(crate) struct Link {
    pub(super) node: NodeId,
    peer: Mutex<Peer>,
    paths: Mutex<Paths>,
    chooser: Mutex<Chooser>,
    /// Counts changes of the paths: up, down, come, gone.
    changed: watch::Sender<u64>,
    pub(super) stop: CancellationToken,
}

#[derive(Default)]
struct Paths {
    all: Vec<Arc<Path>>,
    next: u64,
}

impl Link {
    pub(super) fn new(node: NodeId, peer: Peer, stop: CancellationToken) -> Arc<Self> {
        Arc::new(Self {
            node,
            peer: Mutex::new(peer),
            paths: Mutex::default(),
            chooser: Mutex::default(),
            changed: watch::Sender::new(0),
            stop,
        })
    }

    /// Takes over a peer's new addresses.
    pub(super) fn set_peer(&self, peer: &Peer) {
        let mut known = lock(&self.peer);
        let moved = known.addresses != peer.addresses;
        *known = peer.clone();
        drop(known);
        if moved {
            self.path_changed();
        }
    }

    /// The peer called us: it is up, so pauses between tries to dial it are over.
    pub(super) fn peer_is_up(&self) {
        for path in self.paths().iter().filter(|path| path.live().is_none()) {
            path.wake.notify_one();
        }
    }

    /// A connection the peer made is a way to it, too.
    pub(super) fn add_reverse(&self, connection: &quinn::Connection) -> Arc<Path> {
        let route = Route {
            local: 0,
            address: connection.remote_address().to_string(),
            reverse: true,
        };
        let mut paths = lock(&self.paths);
        let path = Path::new(paths.next, PATHS_MAX, route, self.stop.child_token());
        paths.next += 1;
        path.set(Some(Live::Quic(connection.clone())));
        paths.all.push(path.clone());
        drop(paths);
        self.path_changed();
        path
    }

    pub(super) fn remove(&self, gone: &Arc<Path>) {
        gone.set(None);
        gone.abandon_streams();
        lock(&self.paths).all.retain(|path| path.id != gone.id);
        self.path_changed();
    }

    pub(super) fn path_changed(&self) {
        self.changed.send_modify(|count| *count += 1);
    }

    pub(super) fn is_up(&self) -> bool {
        self.paths().iter().any(|path| path.live().is_some())
    }

    pub(super) fn paths(&self) -> Vec<Arc<Path>> {
        lock(&self.paths).all.clone()
    }

    /// Stops dialling and closes.
    pub(super) fn shut(&self, code: quinn::VarInt, reason: &[u8]) {
        self.stop.cancel();
        for path in self.paths() {
            path.shut(code, reason);
        }
    }

    /// Round-trip time of the path in use.
    pub(super) fn rtt(&self, dialer: &Dialer) -> Option<Duration> {
        let path = self.choose(dialer, None)?.0;
        path.score().as_ref().map(Score::rtt)
    }

    /// One request over the path in use. Votes go over all at once, and what may be sent twice over a second path when
    /// the first has just left something unanswered: the first answer counts.
    pub(super) async fn call(
        &self,
        dialer: &Dialer,
        kind: Kind,
        body: &[u8],
        deadline: Instant,
    ) -> Result<Vec<u8>, CallError> {
        let mut tries: FuturesUnordered<_> = self
            .targets(dialer, kind, deadline)
            .await
            .into_iter()
            .map(|(path, live)| self.exchange(dialer, path, live, kind, body, deadline))
            .collect();
        let mut outcome = Err(CallError::Unreachable(self.node));
        while let Some(tried) = tries.next().await {
            match tried {
                Ok((status::OK, answer)) => return Ok(answer),
                Ok((_, words)) => {
                    let words = String::from_utf8_lossy(&words).into_owned();
                    return Err(CallError::Refused(self.node, words));
                }
                // It may have arrived: no later "never left" can take that back.
                Err(Missed::TimedOut) => outcome = Err(CallError::TimedOut(self.node)),
                Err(Missed::Broken(e)) => outcome = Err(CallError::Broken(self.node, e)),
                Err(Missed::Unsent) => {}
            }
        }
        outcome
    }

    /// A stream on the path in use. It ends when that path is given up.
    pub(super) async fn open(
        &self,
        dialer: &Dialer,
        kind: Kind,
        deadline: Instant,
    ) -> Result<Pipe, CallError> {
        let unreachable = CallError::Unreachable(self.node);
        let Some((path, live)) = self.wait(dialer, deadline).await else {
            return Err(unreachable);
        };
        let given_up = path.streams();
        match live.open(kind, deadline).await {
            Some(pipe) => Ok(pipe::bound_to(pipe, &given_up)),
            None => Err(unreachable),
        }
    }

    /// How each way stands.
    pub(super) fn status(&self, dialer: &Dialer) -> Vec<PathStatus> {
        let best = self.choose(dialer, None).map(|(path, _)| path.id);
        let now = Instant::now().into_std();
        let show = |path: Arc<Path>| {
            let live = path.live();
            let score = path.score().clone().filter(|_| live.is_some());
            let silent = |score: &Score| score.is_silent(now, dialer.patience());
            PathStatus {
                peer: self.node,
                local: dialer.locals[path.route.local].name.clone(),
                address: path.route.address.clone(),
                reverse: path.route.reverse,
                carrier: live.as_ref().map(Live::carrier),
                state: match &score {
                    None => PathState::Down,
                    Some(score) if silent(score) => PathState::Silent,
                    Some(_) if best == Some(path.id) => PathState::Best,
                    Some(_) => PathState::Warm,
                },
                rtt: score.as_ref().map(Score::rtt),
                rtt_p99: path.rtt_p99(),
                loss_permille: score.as_ref().map_or(0, permille),
                heard: score.as_ref().map(|score| score.silence(now)),
                since: path.since(),
            }
        };
        self.paths().into_iter().map(show).collect()
    }

    /// Keeps a task per path, as many as there are ways, and judges them on a period.
    pub(super) async fn run(self: Arc<Self>, dialer: Arc<Dialer>) {
        let mut keepers = JoinSet::new();
        let mut changed = self.changed.subscribe();
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut known = None;
        loop {
            let addresses = lock(&self.peer).addresses.clone();
            if known.as_ref() != Some(&addresses) {
                for path in self.follow(&dialer.routes(&addresses)) {
                    keepers.spawn(path.keep(self.clone(), dialer.clone()));
                }
                known = Some(addresses);
            }
            tokio::select! {
                () = self.stop.cancelled() => break,
                _ = changed.changed() => {}
                _ = ticks.tick() => {
                    for path in self.paths() {
                        path.sample();
                    }
                    self.check_keys(&dialer);
                    self.judge(&dialer);
                }
                Some(_) = keepers.join_next(), if !keepers.is_empty() => {}
            }
        }
        keepers.join_all().await;
    }

    /// Replaces connections to a key that is pinned no more; where no new one comes up soon, they end all the same.
    pub(super) fn check_keys(&self, dialer: &Dialer) {
        for path in self.paths().into_iter().filter(|path| !path.route.reverse) {
            let stale = path
                .pin()
                .is_some_and(|pin| dialer.pins.check(self.node, &pin).is_err());
            match path.condemned(stale) {
                Some(age) if age > CONDEMNED_MAX => {
                    if let Some(live) = path.live() {
                        live.close(super::endpoint::close::WRONG_KEY, b"key replaced");
                    }
                }
                Some(age) if age.is_zero() => path.refresh(),
                Some(_) | None => {}
            }
        }
    }

    /// Shuts ways that are no more, and says which are new.
    fn follow(&self, routes: &[Route]) -> Vec<Arc<Path>> {
        let mut paths = lock(&self.paths);
        paths.all.retain(|path| {
            let wanted = path.route.reverse || routes.contains(&path.route);
            if !wanted {
                path.shut(super::endpoint::close::STALE, b"moved");
            }
            wanted
        });
        let mut new = Vec::new();
        for (rank, route) in routes.iter().take(PATHS_MAX).enumerate() {
            if !paths.all.iter().any(|path| path.route == *route) {
                let path = Path::new(paths.next, rank, route.clone(), self.stop.child_token());
                paths.next += 1;
                paths.all.push(path.clone());
                new.push(path);
            }
        }
        new
    }

    /// Moves streams off paths that have gone silent while another one answers.
    fn judge(&self, dialer: &Dialer) {
        let now = Instant::now().into_std();
        let Some((best, _)) = self.choose(dialer, None) else {
            return;
        };
        for path in self.paths() {
            let score = path.score().clone();
            if path.id != best.id && score.is_some_and(|s| s.is_silent(now, dialer.patience())) {
                path.abandon_streams();
            }
        }
    }

    /// The path to use, with its connection. `beside` is left out.
    fn choose(&self, dialer: &Dialer, beside: Option<u64>) -> Option<(Arc<Path>, Live)> {
        let now = Instant::now().into_std();
        let mut live: Vec<_> = self
            .paths()
            .into_iter()
            .filter(|path| Some(path.id) != beside)
            .filter_map(|path| path.live().map(|live| (path, live)))
            .collect();
        let candidates: Vec<_> = live
            .iter()
            .filter_map(|(path, _)| {
                let score = path.score().clone()?;
                let silent = score.is_silent(now, dialer.patience());
                let Route { reverse, .. } = path.route;
                Some(Candidate::new(path.id, path.rank, &score, silent, reverse))
            })
            .collect();
        let chosen = match beside {
            None => lock(&self.chooser).choose(now, &candidates),
            Some(_) => Chooser::default().choose(now, &candidates),
        }?;
        let at = live.iter().position(|(path, _)| path.id == chosen)?;
        Some(live.swap_remove(at))
    }

    /// As [`Self::choose`], waiting for a path until `deadline`.
    async fn wait(&self, dialer: &Dialer, deadline: Instant) -> Option<(Arc<Path>, Live)> {
        let mut changed = self.changed.subscribe();
        loop {
            changed.mark_unchanged();
            if let Some(found) = self.choose(dialer, None) {
                return Some(found);
            }
            timeout_at(deadline, changed.changed()).await.ok()?.ok()?;
        }
    }

    async fn targets(
        &self,
        dialer: &Dialer,
        kind: Kind,
        deadline: Instant,
    ) -> Vec<(Arc<Path>, Live)> {
        let Some((best, live)) = self.wait(dialer, deadline).await else {
            return Vec::new();
        };
        let mut targets = vec![(best.clone(), live)];
        match kind {
            Kind::Vote | Kind::PreVote => {
                let others = self
                    .paths()
                    .into_iter()
                    .filter(|path| path.id != best.id && path.route.reverse == best.route.reverse);
                targets.extend(others.filter_map(|path| path.live().map(|live| (path, live))));
            }
            Kind::Append
            | Kind::ReadIndex
            | Kind::Lease
            | Kind::Membership
            | Kind::IssuingKey
            | Kind::Status
            | Kind::SignLeaf
            | Kind::Authorities
            | Kind::Presence => {
                let doubtful = best.score().as_ref().is_some_and(Score::is_doubtful);
                if doubtful {
                    targets.extend(self.choose(dialer, Some(best.id)));
                }
            }
            Kind::TransferLeader
            | Kind::Propose
            | Kind::Change
            | Kind::RotateKey
            | Kind::AppendStream
            | Kind::Snapshot
            | Kind::Journal
            | Kind::File => {}
        }
        targets
    }

    async fn exchange(
        &self,
        dialer: &Dialer,
        path: Arc<Path>,
        live: Live,
        kind: Kind,
        body: &[u8],
        deadline: Instant,
    ) -> Result<(u8, Vec<u8>), Missed> {
        let before = live.totals().acknowledged;
        let answer = live.call(kind, body, deadline).await;
        match &answer {
            Ok(_) => {
                if let Some(score) = path.score().as_mut() {
                    score.handle_answer(Instant::now().into_std());
                }
            }
            // Something was acknowledged meanwhile: the path is well, the peer is slow.
            Err(Missed::TimedOut) if live.totals().acknowledged != before => {}
            Err(Missed::TimedOut) => self.missed(dialer, &path, &live),
            Err(Missed::Unsent | Missed::Broken(_)) => {}
        }
        answer
    }

    fn missed(&self, dialer: &Dialer, path: &Path, live: &Live) {
        let now = Instant::now().into_std();
        let silence = match path.score().as_mut() {
            Some(score) => {
                score.handle_miss(now);
                score.silence(now)
            }
            None => return,
        };
        // Nothing at all for so long: the path is dead, not slow. Dial anew.
        if silence > dialer.silence() {
            live.close(super::endpoint::close::STALE, b"silent");
        }
        self.judge(dialer);
    }
}

fn permille(score: &Score) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share between 0 and 1"
    )]
    let permille = (score.loss() * 1_000.0) as u32;
    permille
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
