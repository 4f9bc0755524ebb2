//! One peer: where it is, and the connection to it, kept up by a task of its own.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::NodeId;
use quinn::{Connection, ConnectionError, Endpoint};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use super::Dialer;
use super::endpoint::close;
use crate::types::Peer;

/// Pauses between rounds of dialling.
const REDIAL_MIN: Duration = Duration::from_millis(50);
const REDIAL_MAX: Duration = Duration::from_secs(1);
/// Names of addresses are looked up at most this long.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(2);

/// The way to one peer.
pub(crate) struct Link {
    node: NodeId,
    peer: Mutex<Peer>,
    connection: watch::Sender<Option<Connection>>,
    moved: Notify,
    /// When an RPC timed out: datagrams received so far, and since when there are no more. Tells slow from vanished.
    heard: Mutex<(u64, Instant)>,
    stop: CancellationToken,
}

impl Link {
    pub(super) fn new(node: NodeId, peer: Peer, stop: CancellationToken) -> Arc<Self> {
        Arc::new(Self {
            node,
            peer: Mutex::new(peer),
            connection: watch::Sender::new(None),
            moved: Notify::new(),
            heard: Mutex::new((u64::MAX, Instant::now())),
            stop,
        })
    }

    /// Takes over a peer's new addresses; a change wakes the dialler.
    pub(super) fn set_peer(&self, peer: &Peer) {
        let mut known = self.peer.lock().unwrap_or_else(PoisonError::into_inner);
        if known.addresses != peer.addresses {
            self.moved.notify_one();
        }
        *known = peer.clone();
    }

    /// The peer called us: it is up, so a pause between dialling rounds is over.
    pub(super) fn peer_is_up(&self) {
        if self.connection.borrow().is_none() {
            self.moved.notify_one();
        }
    }

    /// The live connection, waiting for one until `deadline`.
    pub(super) async fn connection(&self, deadline: Instant) -> Option<Connection> {
        let mut current = self.connection.subscribe();
        let live = |c: &Option<Connection>| c.as_ref().is_some_and(|c| c.close_reason().is_none());
        let found = timeout_at(deadline, current.wait_for(live))
            .await
            .ok()?
            .ok()?;
        found.clone()
    }

    /// An RPC timed out. When nothing at all has arrived since an earlier one, `silence` ago, the path is dead: dial anew.
    pub(super) fn timed_out(&self, connection: &Connection, silence: Duration) {
        let received = connection.stats().udp_rx.datagrams;
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        if heard.0 != received {
            *heard = (received, Instant::now());
        } else if heard.1.elapsed() > silence {
            connection.close(close::STALE, b"silent");
        }
    }

    /// Round-trip time, when connected.
    pub(super) fn rtt(&self) -> Option<Duration> {
        let current = self.connection.borrow();
        current
            .as_ref()
            .filter(|c| c.close_reason().is_none())
            .map(Connection::rtt)
    }

    /// Stops dialling and closes.
    pub(super) fn shut(&self, code: quinn::VarInt, reason: &[u8]) {
        self.stop.cancel();
        if let Some(connection) = self.connection.send_replace(None) {
            connection.close(code, reason);
        }
    }

    /// Keeps a connection up until stopped.
    pub(super) async fn run(self: Arc<Self>, dialer: Arc<Dialer>) {
        let mut pause = REDIAL_MIN;
        loop {
            let dialled = tokio::select! {
                () = self.stop.cancelled() => return,
                dialled = self.dial(&dialer) => dialled,
            };
            if let Some(connection) = dialled {
                tracing::debug!(peer = %self.node, address = %connection.remote_address(), "connected to peer");
                *self.heard.lock().unwrap_or_else(PoisonError::into_inner) =
                    (u64::MAX, Instant::now());
                self.connection.send_replace(Some(connection.clone()));
                let opened = Instant::now();
                tokio::select! {
                    () = self.stop.cancelled() => return,
                    why = connection.closed() => self.lost(&dialer, &why),
                }
                self.connection.send_replace(None);
                // A peer that refuses right after the handshake must not be dialled in a tight loop.
                if opened.elapsed() > REDIAL_MAX {
                    pause = REDIAL_MIN;
                }
            }
            let jitter = Duration::from_millis(rand::random_range(0..25));
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = self.moved.notified() => {}
                () = sleep(pause + jitter) => {}
            }
            pause = (pause * 2).min(REDIAL_MAX);
        }
    }

    /// One round over all addresses, started one after the other; the first to finish wins.
    async fn dial(&self, dialer: &Dialer) -> Option<Connection> {
        let addresses = {
            let peer = self.peer.lock().unwrap_or_else(PoisonError::into_inner);
            peer.addresses.clone()
        };
        let mut attempts = JoinSet::new();
        for (i, address) in addresses.into_iter().enumerate() {
            let (endpoint, node) = (dialer.endpoint.clone(), self.node);
            let Some(config) = dialer.client_config(node) else {
                continue;
            };
            let name = dialer.server_name(node);
            let delay = dialer.timing.stagger * u32::try_from(i).unwrap_or(u32::MAX);
            attempts.spawn(async move {
                sleep(delay).await;
                connect(&endpoint, config, &address, &name)
                    .await
                    .inspect_err(|why| {
                        tracing::debug!(peer = %node, %address, %why, "peer did not answer");
                    })
            });
        }
        let deadline = Instant::now() + dialer.dial_timeout();
        while let Ok(Some(ended)) = timeout_at(deadline, attempts.join_next()).await {
            if let Ok(Ok(connection)) = ended {
                return Some(connection);
            }
        }
        None
    }

    fn lost(&self, dialer: &Dialer, why: &ConnectionError) {
        tracing::debug!(peer = %self.node, %why, "connection to peer ended");
        if let ConnectionError::ApplicationClosed(closed) = why
            && closed.error_code == close::NOT_MEMBER
        {
            let index = <[u8; 8]>::try_from(closed.reason.as_ref())
                .map(u64::from_be_bytes)
                .ok();
            dialer.told_not_member(self.node, index);
        }
    }
}

/// Looks the address up and connects to the first result that answers.
pub(crate) async fn connect(
    endpoint: &Endpoint,
    config: quinn::ClientConfig,
    address: &str,
    name: &str,
) -> Result<Connection, ConnectFailure> {
    let resolved = timeout(LOOKUP_TIMEOUT, tokio::net::lookup_host(address))
        .await
        .map_err(|_| ConnectFailure::Lookup("no answer in time".to_owned()))?
        .map_err(|e| ConnectFailure::Lookup(e.to_string()))?;
    let mut last = ConnectFailure::Lookup("no address".to_owned());
    for address in family_first(endpoint, resolved) {
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

/// Addresses this socket can reach come first.
fn family_first(
    endpoint: &Endpoint,
    resolved: impl Iterator<Item = SocketAddr>,
) -> Vec<SocketAddr> {
    let v4 = endpoint.local_addr().is_ok_and(|local| local.is_ipv4());
    let mut addresses: Vec<_> = resolved.collect();
    addresses.sort_by_key(|address| address.is_ipv4() != v4);
    addresses
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
}
