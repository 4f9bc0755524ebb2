//! QUIC between members (DESIGN B1–B3): one connection per peer and direction, each RPC on its own stream with its own
//! deadline, votes before heartbeats before appends before snapshots.

mod accept;
mod endpoint;
pub(crate) mod frame;
mod link;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::NodeId;
use quinn::{Connection, Endpoint, RecvStream, SendStream, ServerConfig, TransportConfig};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) use accept::{Service, Unary};
pub(crate) use endpoint::close;
pub(crate) use frame::{FRAME_MAX, FrameError};
pub(crate) use link::{ConnectFailure, Link, connect};

use crate::identity::{self, Identity, IdentityError, Trust};
use crate::pins::{PinSet, Refusals};
use crate::profile::Timing;
use crate::types::Peer;

/// What a stream carries, in its first byte. Never renumber.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub(crate) enum Kind {
    Vote = 1,
    PreVote = 2,
    Append = 3,
    AppendStream = 4,
    Snapshot = 5,
    TransferLeader = 6,
    Propose = 7,
    ReadIndex = 8,
    Lease = 9,
    Membership = 10,
    Change = 11,
    IssuingKey = 12,
    Status = 13,
}

impl Kind {
    const ALL: [Self; 13] = [
        Self::Vote,
        Self::PreVote,
        Self::Append,
        Self::AppendStream,
        Self::Snapshot,
        Self::TransferLeader,
        Self::Propose,
        Self::ReadIndex,
        Self::Lease,
        Self::Membership,
        Self::Change,
        Self::IssuingKey,
        Self::Status,
    ];

    pub(crate) fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == byte)
    }

    /// Which bytes leave first when the path is busy.
    fn priority(self) -> i32 {
        match self {
            Self::Vote | Self::PreVote | Self::TransferLeader => 40,
            Self::Append => 30,
            Self::AppendStream | Self::ReadIndex | Self::Lease => 20,
            Self::Propose | Self::Membership | Self::Change | Self::IssuingKey | Self::Status => 10,
            Self::Snapshot => -10,
        }
    }
}

/// First byte of an answer.
pub(crate) mod status {
    /// The answer follows.
    pub(crate) const OK: u8 = 0;
    /// Words for a person follow.
    pub(crate) const REFUSED: u8 = 1;
    /// This version does not know the request.
    pub(crate) const UNKNOWN_KIND: u8 = 2;
}

/// Why an RPC gave no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    /// The request never left: nothing happened.
    #[error("peer {0} cannot be reached")]
    Unreachable(NodeId),
    /// It may have been carried out.
    #[error("peer {0} gave no answer in time")]
    TimedOut(NodeId),
    /// It may have been carried out.
    #[error("the connection to peer {0} broke")]
    Broken(NodeId, #[source] FrameError),
    /// The peer answered that it would not.
    #[error("peer {0} refused: {1}")]
    Refused(NodeId, String),
}

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

    /// One request, one answer, on a stream of its own.
    pub(crate) async fn call(
        &self,
        node: NodeId,
        kind: Kind,
        body: &[u8],
        within: Duration,
    ) -> Result<Vec<u8>, CallError> {
        let deadline = Instant::now() + within;
        let (connection, mut send, mut recv) = self.open(node, kind, deadline).await?;
        let exchange = async {
            frame::write(&mut send, &[kind as u8], body).await?;
            _ = send.finish();
            let status = frame::read_byte(&mut recv)
                .await?
                .ok_or(FrameError::Truncated)?;
            let answer = frame::read(&mut recv).await?.ok_or(FrameError::Truncated)?;
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

    /// Opens a stream of `kind`; the caller writes the kind byte with its first frame.
    pub(crate) async fn open(
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
