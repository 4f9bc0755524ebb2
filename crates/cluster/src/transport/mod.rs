//! The way to the other members (DESIGN B1–B3): one connection kept warm per peer and path, QUIC where UDP passes and TLS
//! over TCP where not, each RPC with its own deadline, votes before heartbeats before appends before snapshots.

mod accept;
mod endpoint;
mod link;
mod live;
mod path;
mod pipe;
mod score;
mod tcp;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use domain::NodeId;
use quinn::{Endpoint, ServerConfig, TransportConfig};
use rustls_pki_types::CertificateDer;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) use accept::{Service, Unary};
use endpoint::Local;
pub(crate) use endpoint::close;
pub(crate) use link::Link;
pub use link::{PathState, PathStatus};
pub use live::Carrier;
use path::Route;
pub(crate) use path::{ConnectFailure, connect};
pub(crate) use pipe::of as pipe_of;
pub(crate) use tcp::connect_as_stranger;

use crate::config::{Carriers, LocalPath};
use crate::identity::{self, Identity, IdentityError, Trust};
use crate::pins::{PinSet, Refusals};
use crate::profile::Timing;
use crate::rpc::{CallError, Kind, PeerTransport, Pipe};
use crate::types::Peer;

/// One connection is replaced within this time, or left to its own devices.
const RENEW_TIMEOUT: Duration = Duration::from_secs(3);
const RENEW_PAUSE: Duration = Duration::from_millis(10);

/// The sockets and all links.
pub(crate) struct Transport {
    dialer: Arc<Dialer>,
    links: Mutex<BTreeMap<u64, Arc<Link>>>,
    inbound: accept::Inbound,
    tasks: TaskTracker,
}

/// What links need to dial.
pub(crate) struct Dialer {
    locals: Vec<Local>,
    identity: Arc<Identity>,
    trust: Arc<Trust>,
    pins: Arc<PinSet>,
    refusals: Arc<Refusals>,
    timing: Timing,
    transport: Arc<TransportConfig>,
    tcp: bool,
    /// Who answers what peers ask, once this node serves.
    service: watch::Sender<Option<Arc<dyn Service>>>,
    /// Set to true once a member says, by a newer membership than ours, that this node is not in it.
    removed: watch::Sender<bool>,
    stop: CancellationToken,
}

impl Transport {
    /// Binds the sockets and prepares both directions; nothing is accepted before [`Transport::serve`].
    pub(crate) fn bind(
        paths: &[LocalPath],
        carriers: &Carriers,
        identity: Arc<Identity>,
        pins: Arc<PinSet>,
        timing: Timing,
    ) -> Result<Self, TransportError> {
        let refusals = Arc::new(Refusals::default());
        let trust = Arc::new(Trust::new(identity.trusted(), identity.cluster()));
        let mut dialer = Dialer {
            locals: Vec::new(),
            transport: endpoint::transport_config(&timing, carriers),
            identity,
            trust,
            pins,
            refusals,
            timing,
            tcp: carriers.tcp,
            service: watch::Sender::new(None),
            removed: watch::Sender::new(false),
            stop: CancellationToken::new(),
        };
        for path in paths {
            let bind = |source| TransportError::Bind {
                address: path.listen,
                source,
            };
            let socket = endpoint::bind(path).map_err(bind)?;
            let config = endpoint::endpoint_config(dialer.identity.reset_key());
            let server = Some(dialer.quic_server()?);
            let runtime = Arc::new(quinn::TokioRuntime);
            let endpoint = Endpoint::new(config, server, socket, runtime).map_err(bind)?;
            dialer
                .locals
                .push(Local::new(path, endpoint).map_err(bind)?);
        }
        Ok(Self {
            dialer: Arc::new(dialer),
            links: Mutex::default(),
            inbound: accept::Inbound::default(),
            tasks: TaskTracker::new(),
        })
    }

    /// Where the first socket is bound.
    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        let first = self.dialer.locals.first();
        first
            .ok_or(io::ErrorKind::NotConnected)?
            .endpoint
            .local_addr()
    }

    /// Where all sockets are bound, in the order of the uplinks.
    pub(crate) fn local_addrs(&self) -> Vec<String> {
        let locals = self.dialer.locals.iter();
        locals.map(|local| local.address.to_string()).collect()
    }

    /// Counts of refusals.
    pub(crate) fn refusals(&self) -> &Arc<Refusals> {
        &self.dialer.refusals
    }

    /// The pins connections are judged by.
    pub(crate) fn pins(&self) -> &Arc<PinSet> {
        &self.dialer.pins
    }

    /// Turns true once this node learns that it was removed.
    pub(crate) fn removed(&self) -> watch::Receiver<bool> {
        self.dialer.removed.subscribe()
    }

    /// Remembers that this node was removed.
    pub(crate) fn set_removed(&self) {
        self.dialer.set_removed();
    }

    /// Starts accepting, and answering on the connections this node made.
    pub(crate) fn serve(self: &Arc<Self>, service: Arc<dyn Service>) {
        self.dialer.service.send_replace(Some(service.clone()));
        for (at, local) in self.dialer.locals.iter().enumerate() {
            let (this, stop, serving) = (self.clone(), self.dialer.stop.clone(), service.clone());
            self.tasks.spawn(async move {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = accept::run(&this, at, serving) => {}
                }
            });
            if !self.dialer.tcp {
                continue;
            }
            match local.listen_tcp() {
                Ok(listener) => {
                    let (this, stop, serving) =
                        (self.clone(), self.dialer.stop.clone(), service.clone());
                    self.tasks.spawn(async move {
                        tokio::select! {
                            () = stop.cancelled() => {}
                            () = accept::run_tcp(&this, listener, serving) => {}
                        }
                    });
                }
                // Alerting must not wait for a port: QUIC goes on without its stand-in.
                Err(e) => {
                    tracing::warn!(path = local.name, error = %e, "cannot listen on TCP; peers reach this node over QUIC only");
                }
            }
        }
    }

    /// The link to a member, made at first use.
    pub(crate) fn link(&self, node: NodeId, peer: &Peer) -> Arc<Link> {
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(link) = links.get(&node.0) {
            link.set_peer(peer);
            return link.clone();
        }
        let link = Link::new(node, peer.clone(), self.dialer.stop.child_token());
        self.tasks.spawn(link.clone().run(self.dialer.clone()));
        links.insert(node.0, link.clone());
        link
    }

    /// Follows the pin set: links to all other members, none to others, and no connection of a node without a pin.
    pub(crate) fn follow_pins(&self) {
        let (own, peers) = (self.dialer.identity.node(), self.dialer.pins.peers());
        for (id, peer) in &peers {
            if *id != own.0 {
                self.link(NodeId(*id), peer);
            }
        }
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        links.retain(|id, link| {
            let member = peers.contains_key(id);
            if !member {
                link.shut(close::NOT_MEMBER, &self.membership_index());
            }
            member
        });
        drop(links);
        self.inbound
            .close_strangers(&self.dialer.pins, &self.membership_index());
    }

    /// Round-trip times of live links.
    pub(crate) fn rtts(&self) -> BTreeMap<u64, Duration> {
        let links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        links
            .iter()
            .filter_map(|(id, link)| Some((*id, link.rtt(&self.dialer)?)))
            .collect()
    }

    /// Every way to every peer, and how it stands.
    pub(crate) fn paths(&self) -> Vec<PathStatus> {
        let links: Vec<_> = {
            let links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
            links.values().cloned().collect()
        };
        let of = |link: Arc<Link>| link.status(&self.dialer);
        links.into_iter().flat_map(of).collect()
    }

    /// Takes over the authorities leaves may stand under, for handshakes from now on.
    pub(crate) fn trust(&self, authorities: Vec<CertificateDer<'static>>) {
        self.dialer.trust.set(authorities);
    }

    /// New connections show this node's present key and leaf; then those it made are replaced, one at a time, each new
    /// one up before the old one goes.
    pub(crate) async fn renew(&self) -> Result<(), IdentityError> {
        for local in &self.dialer.locals {
            let server = self.dialer.quic_server()?;
            local.endpoint.set_server_config(Some(server));
        }
        let links: Vec<_> = {
            let links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
            links.values().cloned().collect()
        };
        let paths = links.iter().flat_map(|link| link.paths());
        for path in paths.filter(|path| !path.route.reverse && path.live().is_some()) {
            let before = path.changeovers();
            let deadline = Instant::now() + RENEW_TIMEOUT;
            path.refresh();
            while path.changeovers() == before && path.live().is_some() && Instant::now() < deadline
            {
                tokio::time::sleep(RENEW_PAUSE).await;
            }
        }
        Ok(())
    }

    /// Ends all tasks without waiting for them.
    pub(crate) fn stop(&self) {
        self.dialer.stop.cancel();
        // What answers holds this transport in turn.
        self.dialer.service.send_replace(None);
        for local in &self.dialer.locals {
            local.endpoint.close(close::STOPPING, b"stopping");
        }
    }

    /// Closes everything and waits for the tasks.
    pub(crate) async fn close(&self) {
        self.stop();
        self.tasks.close();
        self.tasks.wait().await;
        // Let the close frames leave, but never wait for a peer that is gone.
        let idle = async {
            for local in &self.dialer.locals {
                local.endpoint.wait_idle().await;
            }
        };
        _ = tokio::time::timeout(Duration::from_millis(200), idle).await;
    }

    fn existing(&self, node: NodeId) -> Option<Arc<Link>> {
        self.links
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&node.0)
            .cloned()
    }

    fn membership_index(&self) -> [u8; 8] {
        self.dialer.pins.index().unwrap_or(0).to_be_bytes()
    }
}

#[async_trait]
impl PeerTransport for Transport {
    fn meet(&self, node: NodeId, peer: &Peer) {
        self.link(node, peer);
    }

    async fn call(
        &self,
        node: NodeId,
        kind: Kind,
        body: &[u8],
        patience: Duration,
    ) -> Result<Vec<u8>, CallError> {
        let deadline = Instant::now() + patience;
        match self.existing(node) {
            Some(link) => link.call(&self.dialer, kind, body, deadline).await,
            None => Err(CallError::Unreachable(node)),
        }
    }

    async fn open(&self, node: NodeId, kind: Kind, patience: Duration) -> Result<Pipe, CallError> {
        let deadline = Instant::now() + patience;
        match self.existing(node) {
            Some(link) => link.open(&self.dialer, kind, deadline).await,
            None => Err(CallError::Unreachable(node)),
        }
    }
}

impl Dialer {
    /// Every way from here to a peer with these addresses, the likeliest first: the peer's first address from our first
    /// uplink, its second from our second, then the rest.
    fn routes(&self, addresses: &[String]) -> Vec<Route> {
        let reachable = |local: &Local, address: &str| {
            let literal = address.parse::<SocketAddr>();
            literal.map_or(true, |address| address.is_ipv4() == local.is_v4())
        };
        let count = self.locals.len();
        let mut routes = Vec::new();
        for turn in 0..count {
            for (at, address) in addresses.iter().enumerate() {
                let local = (at + turn) % count;
                if reachable(&self.locals[local], address) {
                    routes.push(Route {
                        local,
                        address: address.clone(),
                        reverse: false,
                    });
                }
            }
        }
        routes
    }

    fn quic_client(&self, node: NodeId) -> Option<quinn::ClientConfig> {
        let crypto = identity::quic_client(self.tls_client(node)?)
            .inspect_err(|e| tracing::error!(error = %e, "cannot make a QUIC configuration"))
            .ok()?;
        let mut config = quinn::ClientConfig::new(Arc::new(crypto));
        config.transport_config(self.transport.clone());
        Some(config)
    }

    fn quic_server(&self) -> Result<ServerConfig, IdentityError> {
        let mut server =
            ServerConfig::with_crypto(Arc::new(identity::quic_server(self.tls_server()?)?));
        server
            .transport_config(self.transport.clone())
            .max_incoming(256);
        Ok(server)
    }

    fn tls_client(&self, node: NodeId) -> Option<rustls::ClientConfig> {
        identity::client_config(
            &self.identity,
            &self.trust,
            &self.pins,
            &self.refusals,
            node,
        )
        .inspect_err(|e| tracing::error!(error = %e, "cannot make a TLS configuration"))
        .ok()
    }

    fn tls_server(&self) -> Result<rustls::ServerConfig, IdentityError> {
        identity::server_config(&self.identity, &self.trust, &self.pins, &self.refusals)
    }

    fn server_name(&self, node: NodeId) -> String {
        identity::node_name(node, &self.identity.cluster())
    }

    /// Waits until this node serves; `None` when it stops first.
    async fn service(&self) -> Option<Arc<dyn Service>> {
        let mut service = self.service.subscribe();
        tokio::select! {
            () = self.stop.cancelled() => None,
            ready = service.wait_for(Option::is_some) => ready.ok()?.clone(),
        }
    }

    /// A path on which nothing has arrived for this long is left for another one: an idle one is asked for a sign of life
    /// every `keep_alive`.
    fn patience(&self) -> Duration {
        self.timing.keep_alive + self.timing.initial_rtt * 2 + Duration::from_millis(500)
    }

    /// Long enough for a handshake with one lost packet each way on the profile's slowest path.
    fn dial_timeout(&self) -> Duration {
        Duration::from_secs(1) + self.timing.initial_rtt * 10
    }

    /// RPCs that time out with no datagram received for this long mean a dead path, not a slow peer.
    fn silence(&self) -> Duration {
        Duration::from_millis(800) + self.timing.initial_rtt * 4
    }

    /// A member closed the connection because we are not in its membership. That is only news if its membership is newer
    /// than the one that names us: a member that slept may not know us yet.
    fn told_not_member(&self, by: NodeId, index: Option<u64>) {
        let own = self.pins.index();
        if own.is_some() && index > own {
            tracing::debug!(%by, "a peer knows a membership without this node");
            self.set_removed();
        }
    }

    fn set_removed(&self) {
        if !self.removed.send_replace(true) {
            tracing::error!("this node was removed from the cluster; it takes no part any more");
        }
    }
}

/// Why the transport could not start.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    #[error("cannot bind UDP {address}; choose another `listen` address or stop what uses it")]
    Bind {
        address: SocketAddr,
        #[source]
        source: io::Error,
    },
    #[error("cannot use this node's identity")]
    Identity(#[from] IdentityError),
}
