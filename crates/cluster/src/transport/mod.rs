//! QUIC between members (DESIGN B1–B3): one connection per peer and direction, each RPC on its own stream with its own
//! deadline, votes before heartbeats before appends before snapshots.

mod accept;
mod endpoint;
mod link;
mod pipe;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use domain::NodeId;
use quinn::{Connection, Endpoint, RecvStream, SendStream, ServerConfig, TransportConfig};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) use accept::{Service, Unary};
pub(crate) use endpoint::close;
pub(crate) use link::{ConnectFailure, Link, connect};

use crate::identity::{self, Identity, IdentityError, Trust};
use crate::pins::{PinSet, Refusals};
use crate::profile::Timing;
use crate::rpc::{self, CallError, FrameError, Kind, PeerTransport, Pipe, status};
use crate::types::Peer;

/// The endpoint and all links.
pub(crate) struct Transport {
    dialer: Arc<Dialer>,
    links: Mutex<BTreeMap<u64, Arc<Link>>>,
    inbound: accept::Inbound,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// What links need to dial.
pub(crate) struct Dialer {
    endpoint: Endpoint,
    identity: Arc<Identity>,
    trust: Arc<Trust>,
    pins: Arc<PinSet>,
    refusals: Arc<Refusals>,
    timing: Timing,
    transport: Arc<TransportConfig>,
    /// Set to true once a member says, by a newer membership than ours, that this node is not in it.
    removed: watch::Sender<bool>,
}

impl Transport {
    /// Binds the socket and prepares both directions; nothing is accepted before [`Transport::serve`].
    pub(crate) fn bind(
        listen: SocketAddr,
        identity: Arc<Identity>,
        pins: Arc<PinSet>,
        timing: Timing,
    ) -> Result<Self, TransportError> {
        let refusals = Arc::new(Refusals::default());
        let trust = Arc::new(Trust::new(identity.authority().clone(), identity.cluster()));
        let transport = endpoint::transport_config(&timing);
        let mut server = ServerConfig::with_crypto(Arc::new(identity::server_config(
            &identity, &trust, &refusals,
        )?));
        server.transport_config(transport.clone()).max_incoming(256);
        let bind = |source| TransportError::Bind {
            address: listen,
            source,
        };
        let socket = endpoint::bind(listen).map_err(bind)?;
        let config = endpoint::endpoint_config(identity.reset_key());
        let runtime = Arc::new(quinn::TokioRuntime);
        let endpoint = Endpoint::new(config, Some(server), socket, runtime).map_err(bind)?;
        let removed = watch::Sender::new(false);
        let dialer = Dialer {
            endpoint,
            identity,
            trust,
            pins,
            refusals,
            timing,
            transport,
            removed,
        };
        Ok(Self {
            dialer: Arc::new(dialer),
            links: Mutex::default(),
            inbound: accept::Inbound::default(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        })
    }

    /// Where the socket is bound.
    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.dialer.endpoint.local_addr()
    }

    /// Counts of refused connections.
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

    /// Starts accepting.
    pub(crate) fn serve(self: &Arc<Self>, service: Arc<dyn Service>) {
        let (this, stop) = (self.clone(), self.stop.clone());
        self.tasks.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = accept::run(&this, service) => {}
            }
        });
    }

    /// The link to a member, made at first use.
    pub(crate) fn link(&self, node: NodeId, peer: &Peer) -> Arc<Link> {
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(link) = links.get(&node.0) {
            link.set_peer(peer);
            return link.clone();
        }
        let link = Link::new(node, peer.clone(), self.stop.child_token());
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

    async fn open_stream(
        &self,
        node: NodeId,
        kind: Kind,
        deadline: Instant,
    ) -> Result<(Connection, SendStream, RecvStream), CallError> {
        let unreachable = CallError::Unreachable(node);
        let Some(link) = self.existing(node) else {
            return Err(unreachable);
        };
        let Some(connection) = link.connection(deadline).await else {
            return Err(unreachable);
        };
        let Ok(Ok((send, recv))) = timeout_at(deadline, connection.open_bi()).await else {
            return Err(unreachable);
        };
        _ = send.set_priority(kind.priority());
        Ok((connection, send, recv))
    }

    /// Round-trip times of live links.
    pub(crate) fn rtts(&self) -> BTreeMap<u64, Duration> {
        let links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        links
            .iter()
            .filter_map(|(id, link)| Some((*id, link.rtt()?)))
            .collect()
    }

    /// Ends all tasks without waiting for them.
    pub(crate) fn stop(&self) {
        self.stop.cancel();
        self.dialer.endpoint.close(close::STOPPING, b"stopping");
    }

    /// Closes everything and waits for the tasks.
    pub(crate) async fn close(&self) {
        self.stop();
        self.tasks.close();
        self.tasks.wait().await;
        // Let the close frames leave, but never wait for a peer that is gone.
        _ = tokio::time::timeout(Duration::from_millis(200), self.dialer.endpoint.wait_idle())
            .await;
    }

    fn peer_is_up(&self, node: NodeId) {
        if let Some(link) = self.existing(node) {
            link.peer_is_up();
        }
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
        let (connection, mut send, mut recv) = self.open_stream(node, kind, deadline).await?;
        let exchange = async {
            rpc::write(&mut send, &[kind as u8], body).await?;
            _ = send.finish();
            let status = rpc::read_byte(&mut recv)
                .await?
                .ok_or(FrameError::Truncated)?;
            let answer = rpc::read(&mut recv).await?.ok_or(FrameError::Truncated)?;
            Ok::<_, FrameError>((status, answer))
        };
        let outcome = timeout_at(deadline, exchange).await;
        match outcome {
            Ok(Ok((status::OK, answer))) => Ok(answer),
            Ok(Ok((_, words))) => Err(CallError::Refused(
                node,
                String::from_utf8_lossy(&words).into_owned(),
            )),
            Ok(Err(e)) => Err(CallError::Broken(node, e)),
            Err(_) => {
                _ = send.reset(0_u32.into());
                if let Some(link) = self.existing(node) {
                    link.timed_out(&connection, self.dialer.silence());
                }
                Err(CallError::TimedOut(node))
            }
        }
    }

    async fn open(&self, node: NodeId, kind: Kind, patience: Duration) -> Result<Pipe, CallError> {
        let deadline = Instant::now() + patience;
        let (_connection, send, recv) = self.open_stream(node, kind, deadline).await?;
        Ok(pipe::of(send, recv))
    }
}

impl Dialer {
    fn client_config(&self, node: NodeId) -> Option<quinn::ClientConfig> {
        let crypto = identity::client_config(
            &self.identity,
            &self.trust,
            &self.pins,
            &self.refusals,
            node,
        )
        .inspect_err(|e| tracing::error!(error = %e, "cannot make a TLS configuration"))
        .ok()?;
        let mut config = quinn::ClientConfig::new(Arc::new(crypto));
        config.transport_config(self.transport.clone());
        Some(config)
    }

    fn server_name(&self, node: NodeId) -> String {
        identity::node_name(node, &self.identity.cluster())
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
