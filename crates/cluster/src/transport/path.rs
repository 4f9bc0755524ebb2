//! One way to a peer: from one of our local paths to one of its addresses, kept up by a task of its own.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::NodeId;
use futures_util::future::{BoxFuture, FutureExt as _};
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use quinn::{Connection, ConnectionError, Endpoint};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::accept;
use super::endpoint::close;
use super::link::Link;
use super::live::{Carrier, Ended, Live};
use super::score::Score;
use super::{Dialer, tcp};

/// Pauses between tries to dial.
const REDIAL_MIN: Duration = Duration::from_millis(50);
/// The longest pause while the peer cannot be reached at all, and while another path to it is up.
const REDIAL_MAX: Duration = Duration::from_secs(1);
const REDIAL_MAX_SPARE: Duration = Duration::from_secs(5);
/// Names of addresses are looked up at most this long.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(2);
/// No QUIC handshake within this time: TCP is tried as well.
const QUIC_PATIENCE: Duration = Duration::from_secs(2);
/// A path on TCP tries QUIC again this often.
const QUIC_RETRY: Duration = Duration::from_secs(5 * 60);
/// The first time much sooner: TCP may only have been first when the line came back.
const QUIC_RETRY_FIRST: Duration = Duration::from_secs(15);
/// QUIC connections in a row that came up and then went silent within a minute: bulk does not pass, so leave it.
const STALLS_MAX: u32 = 2;
const STALL_AGE: Duration = Duration::from_secs(60);
/// After a changeover, requests under way on the old connection may end.
const CHANGEOVER: Duration = Duration::from_millis(500);

/// Round trips remembered: about a minute's.
const RTTS_MAX: usize = 256;

/// Where a path leads.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Route {
    /// Index of our local path.
    pub(super) local: usize,
    pub(super) address: String,
    /// The peer dialled it, so it is theirs to keep up.
    pub(super) reverse: bool,
}

/// One way to a peer.
pub(super) struct Path {
    pub(super) id: u64,
    pub(super) rank: usize,
    pub(super) route: Route,
    live: watch::Sender<Option<Live>>,
    score: Mutex<Option<Score>>,
    /// Round trips of the last minute or so.
    rtts: Mutex<VecDeque<Duration>>,
    /// The key the other end showed, and since when it is pinned no more.
    key: Mutex<(Option<[u8; 32]>, Option<Instant>)>,
    /// Cancelled, and made anew, when streams on this path should move.
    streams: Mutex<CancellationToken>,
    pub(super) wake: Notify,
    refresh: Notify,
    /// When this path went up or down last.
    since: Mutex<Instant>,
    changeovers: AtomicU64,
    pub(super) stop: CancellationToken,
}

impl Path {
    pub(super) fn new(id: u64, rank: usize, route: Route, stop: CancellationToken) -> Arc<Self> {
        Arc::new(Self {
            id,
            rank,
            route,
            live: watch::Sender::new(None),
            score: Mutex::default(),
            rtts: Mutex::default(),
            key: Mutex::default(),
            streams: Mutex::default(),
            wake: Notify::new(),
            refresh: Notify::new(),
            since: Mutex::new(Instant::now()),
            changeovers: AtomicU64::new(0),
            stop,
        })
    }

    /// The connection, when there is one.
    pub(super) fn live(&self) -> Option<Live> {
        self.live.borrow().clone().filter(Live::is_open)
    }

    /// Its judgement, while up.
    pub(super) fn score(&self) -> MutexGuard<'_, Option<Score>> {
        lock(&self.score)
    }

    /// How long it has been up, or down.
    pub(super) fn since(&self) -> Duration {
        lock(&self.since).elapsed()
    }

    /// Looks at the connection's counters.
    pub(super) fn sample(&self) {
        if let (Some(live), Some(score)) = (self.live(), self.score().as_mut()) {
            let rtt = live.rtt();
            score.handle_sample(Instant::now().into_std(), rtt, live.totals());
            let mut rtts = lock(&self.rtts);
            if rtts.len() == RTTS_MAX {
                rtts.pop_front();
            }
            rtts.push_back(rtt);
        }
    }

    /// The worst round trip but one in a hundred of the last minute; `None` before the first sample.
    pub(super) fn rtt_p99(&self) -> Option<Duration> {
        let mut rtts: Vec<_> = lock(&self.rtts).iter().copied().collect();
        rtts.sort();
        let at = (rtts.len() * 99).div_ceil(100).checked_sub(1)?;
        rtts.get(at).copied()
    }

    /// The key the other end showed.
    pub(super) fn pin(&self) -> Option<[u8; 32]> {
        lock(&self.key).0
    }

    /// Remembers since when the other end's key is `stale`, and says for how long; zero the first time.
    pub(super) fn condemned(&self, stale: bool) -> Option<Duration> {
        let mut key = lock(&self.key);
        if !stale {
            key.1 = None;
            return None;
        }
        match key.1 {
            Some(since) => Some(since.elapsed().max(Duration::from_nanos(1))),
            None => {
                key.1 = Some(Instant::now());
                Some(Duration::ZERO)
            }
        }
    }

    /// Cancelled when streams opened now should move to another path.
    pub(super) fn streams(&self) -> CancellationToken {
        lock(&self.streams).clone()
    }

    /// Ends the streams on this path; whoever used them opens others, on the best path there is.
    pub(super) fn abandon_streams(&self) {
        let mut streams = lock(&self.streams);
        streams.cancel();
        *streams = CancellationToken::new();
    }

    /// Has the connection replaced by a new one without a gap: a key or a certificate changed.
    pub(super) fn refresh(&self) {
        self.refresh.notify_one();
    }

    /// How often a new connection took over from a live one.
    pub(super) fn changeovers(&self) -> u64 {
        self.changeovers.load(Ordering::Relaxed)
    }

    /// Sets the connection, when it came up or went.
    pub(super) fn set(&self, live: Option<Live>) {
        *self.score() = live.as_ref().map(|live| {
            let now = Instant::now().into_std();
            Score::new(now, live.rtt(), live.totals())
        });
        *lock(&self.since) = Instant::now();
        *lock(&self.key) = (live.as_ref().and_then(Live::pin), None);
        self.live.send_replace(live);
    }

    /// Stops and closes.
    pub(super) fn shut(&self, code: quinn::VarInt, reason: &[u8]) {
        self.stop.cancel();
        if let Some(live) = self.live.send_replace(None) {
            live.close(code, reason);
        }
    }

    /// Keeps a connection up until stopped.
    pub(super) async fn keep(self: Arc<Self>, link: Arc<Link>, dialer: Arc<Dialer>) {
        let stagger = dialer.timing.stagger * u32::try_from(self.rank).unwrap_or(u32::MAX);
        let dial = Dial {
            path: self.clone(),
            node: link.node,
            dialer,
        };
        let mut keeper = Keeper {
            link,
            dial,
            pause: REDIAL_MIN,
            stalls: 0,
            quic_from: None,
            retiring: FuturesUnordered::new(),
        };
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = async {
                sleep(stagger).await;
                keeper.run().await;
            } => {}
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The task behind a path.
struct Keeper {
    link: Arc<Link>,
    dial: Dial,
    pause: Duration,
    stalls: u32,
    /// QUIC stalled on this path: not before this moment again.
    quic_from: Option<Instant>,
    /// Connections that were replaced, until their last requests are through.
    retiring: FuturesUnordered<BoxFuture<'static, ()>>,
}

/// A way to make connections for a path.
#[derive(Clone)]
struct Dial {
    path: Arc<Path>,
    node: NodeId,
    dialer: Arc<Dialer>,
}

/// What came out of dialling.
struct Dialled {
    live: Live,
    driver: Option<tcp::Driver>,
}

impl Keeper {
    async fn run(&mut self) {
        loop {
            if let Some(dialled) = self.dial.clone().any(self.quic_barred()).await {
                let up = Instant::now();
                self.hold(dialled).await;
                // A peer that refuses right after the handshake must not be dialled in a tight loop.
                if up.elapsed() > REDIAL_MAX {
                    self.pause = REDIAL_MIN;
                }
            }
            let jitter = Duration::from_millis(rand::random_range(0..25));
            tokio::select! {
                () = self.dial.path.wake.notified() => {}
                () = sleep(self.pause + jitter) => {}
            }
            let longest = match self.link.is_up() {
                true => REDIAL_MAX_SPARE,
                false => REDIAL_MAX,
            };
            self.pause = (self.pause * 2).min(longest);
        }
    }

    /// Uses a connection, and those that take over from it, until the last one ends.
    async fn hold(&mut self, mut dialled: Dialled) {
        let Dial { path, node, dialer } = self.dial.clone();
        loop {
            let live = dialled.live.clone();
            tracing::debug!(peer = %node, address = path.route.address, carrier = live.carrier().name(), "path to peer is up");
            path.set(Some(live.clone()));
            self.link.path_changed();
            let up = Instant::now();
            let mut served = serve(dialer.clone(), node, dialled).boxed();
            let Some(next) = self.until_replaced(&live, up, &mut served).await else {
                path.set(None);
                path.abandon_streams();
                self.link.path_changed();
                self.judge_end(live.closed().await, live.carrier(), up);
                return;
            };
            path.changeovers.fetch_add(1, Ordering::Relaxed);
            path.set(Some(next.live.clone()));
            path.abandon_streams();
            self.retiring.push(
                async move {
                    _ = timeout(CHANGEOVER, served).await;
                    live.close(close::STALE, b"replaced");
                }
                .boxed(),
            );
            dialled = next;
        }
    }

    /// The connection that takes over from `live`, or `None` once `live` has ended.
    async fn until_replaced(
        &mut self,
        live: &Live,
        up: Instant,
        served: &mut BoxFuture<'static, ()>,
    ) -> Option<Dialled> {
        let path = self.dial.path.clone();
        let mut renewing: Option<BoxFuture<'static, Option<Dialled>>> = None;
        let mut quic_at = (live.carrier() == Carrier::Tcp)
            .then(|| self.quic_from.unwrap_or(up).max(up + QUIC_RETRY_FIRST));
        loop {
            let idle = renewing.is_none();
            let renewed = async {
                match renewing.as_mut() {
                    Some(renewing) => renewing.await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = &mut *served => return None,
                Some(()) = self.retiring.next(), if !self.retiring.is_empty() => {}
                next = renewed => match next {
                    Some(next) => return Some(next),
                    None => renewing = None,
                },
                () = path.refresh.notified(), if idle => {
                    renewing = Some(self.dial.clone().until_up(self.quic_barred()).boxed());
                }
                () = sleep_until(quic_at.unwrap_or(up)), if idle && quic_at.is_some() => {
                    self.quic_from = None;
                    quic_at = Some(Instant::now() + QUIC_RETRY);
                    let dial = self.dial.clone();
                    renewing = Some(async move { dial.quic().await }.boxed());
                }
            }
        }
    }

    fn judge_end(&mut self, why: Ended, carrier: Carrier, up: Instant) {
        let Dial { path, node, dialer } = &self.dial;
        tracing::debug!(peer = %node, address = path.route.address, %why, "path to peer ended");
        if carrier == Carrier::Tcp && self.quic_from.is_none() {
            // QUIC had failed here: waiting for it again before every new TCP connection would only cost time.
            self.quic_from = Some(up + QUIC_RETRY);
        }
        match why {
            Ended::NotMember(index) => dialer.told_not_member(*node, index),
            Ended::Silent if carrier == Carrier::Quic && up.elapsed() < STALL_AGE => {
                self.stalls += 1;
                if self.stalls >= STALLS_MAX && dialer.tcp {
                    tracing::warn!(peer = %node, address = path.route.address, "QUIC stalls on this path; using TCP for a while");
                    self.stalls = 0;
                    self.quic_from = Some(Instant::now() + QUIC_RETRY);
                }
            }
            Ended::Silent | Ended::Other(_) => self.stalls = 0,
        }
    }

    fn quic_barred(&self) -> bool {
        self.quic_from.is_some_and(|from| Instant::now() < from)
    }
}

impl Dial {
    /// Dials until somebody answers.
    async fn until_up(self, quic_barred: bool) -> Option<Dialled> {
        loop {
            if let Some(dialled) = self.clone().any(quic_barred).await {
                return Some(dialled);
            }
            sleep(REDIAL_MAX).await;
        }
    }

    /// QUIC first; TCP as well once that takes too long. Whichever is up first is used.
    async fn any(self, quic_barred: bool) -> Option<Dialled> {
        if !self.dialer.tcp {
            return self.quic().await;
        }
        if quic_barred {
            return match self.tcp().await {
                Some(dialled) => Some(dialled),
                None => self.quic().await,
            };
        }
        let mut quic = std::pin::pin!(self.quic());
        match timeout(QUIC_PATIENCE, &mut quic).await {
            Ok(Some(dialled)) => return Some(dialled),
            Ok(None) => return self.tcp().await,
            Err(_) => {}
        }
        let mut tcp = std::pin::pin!(self.tcp());
        tokio::select! {
            dialled = &mut quic => match dialled {
                Some(dialled) => Some(dialled),
                None => tcp.await,
            },
            dialled = &mut tcp => match dialled {
                Some(dialled) => Some(dialled),
                None => quic.await,
            },
        }
    }

    async fn quic(&self) -> Option<Dialled> {
        let address = &self.path.route.address;
        let config = self.dialer.quic_client(self.node)?;
        let endpoint = &self.dialer.locals[self.path.route.local].endpoint;
        let name = self.dialer.server_name(self.node);
        let dialling = connect(endpoint, config, address, &name);
        let why = match timeout(self.dialer.dial_timeout(), dialling).await {
            Ok(Ok(connection)) => {
                let live = Live::Quic(connection);
                return Some(Dialled { live, driver: None });
            }
            Ok(Err(why)) => why.to_string(),
            Err(_) => "no answer in time".to_owned(),
        };
        tracing::debug!(peer = %self.node, address, why, "peer did not answer over QUIC");
        None
    }

    async fn tcp(&self) -> Option<Dialled> {
        let address = &self.path.route.address;
        let dialled = tcp::connect(&self.dialer, self.node, self.path.route.local, address).await;
        let (control, driver) = dialled
            .inspect_err(|why| tracing::debug!(peer = %self.node, address, %why, "peer did not answer over TCP"))
            .ok()?;
        Some(Dialled {
            live: Live::Tcp(control),
            driver: Some(driver),
        })
    }
}

/// Until the connection ends: drives it, and answers what the peer asks over it. A node behind a translating router
/// cannot be dialled; its peers reach it over the connections it made.
async fn serve(dialer: Arc<Dialer>, node: NodeId, dialled: Dialled) {
    match (dialled.live, dialled.driver) {
        (Live::Quic(connection), _) => {
            if let Some(service) = dialer.service().await {
                accept::serve_streams(&service, &dialer.refusals, node, &connection).await;
            }
        }
        (Live::Tcp(_), Some(driver)) => driver.run().await,
        (Live::Tcp(control), None) => _ = control.closed().await,
    }
}

/// Looks the address up and connects to the first result that answers.
pub(crate) async fn connect(
    endpoint: &Endpoint,
    config: quinn::ClientConfig,
    address: &str,
    name: &str,
) -> Result<Connection, ConnectFailure> {
    let v4 = endpoint.local_addr().is_ok_and(|local| local.is_ipv4());
    let mut last = ConnectFailure::Lookup("no address".to_owned());
    for address in resolve(address, v4).await? {
        match endpoint.connect_with(config.clone(), address, name) {
            Ok(connecting) => match connecting.await {
                Ok(connection) => return Ok(connection),
                Err(e) => last = e.into(),
            },
            Err(e) => last = e.into(),
        }
    }
    Err(last)
}

/// The addresses behind `host:port`; those of the wanted family come first.
pub(super) async fn resolve(address: &str, v4: bool) -> Result<Vec<SocketAddr>, ConnectFailure> {
    let resolved = timeout(LOOKUP_TIMEOUT, tokio::net::lookup_host(address))
        .await
        .map_err(|_| ConnectFailure::Lookup("no answer in time".to_owned()))?
        .map_err(|e| ConnectFailure::Lookup(e.to_string()))?;
    let mut addresses: Vec<_> = resolved.collect();
    addresses.sort_by_key(|address| address.is_ipv4() != v4);
    Ok(addresses)
}

/// Why one address gave no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectFailure {
    #[error("the address cannot be looked up: {0}")]
    Lookup(String),
    #[error("cannot dial")]
    Dial(#[from] quinn::ConnectError),
    #[error(transparent)]
    Handshake(#[from] ConnectionError),
    #[error(transparent)]
    Tcp(#[from] std::io::Error),
}
