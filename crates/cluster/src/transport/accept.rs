//! The accepting side: who is let in, and each of its streams served by a task of the connection.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use domain::NodeId;
use quinn::{Connection, Incoming};
use rustls_pki_types::CertificateDer;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{Transport, close, pipe};
use crate::identity::{self, ALPN_JOIN, ALPN_PEER, Presented};
use crate::pins::{PinSet, Reason};
use crate::rpc::{FrameError, Kind, Pipe, status};

/// Handshakes and connections at once: members need two each, newcomers one.
const CONNECTIONS_MAX: usize = 256;
/// From this many on, source addresses are validated first.
const CROWD: usize = 64;
/// A handshake takes at most this long.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// A request must have arrived whole within this time, and its answer have left.
const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(30);
/// A newcomer is done, or gone, after this.
const JOIN_TIMEOUT: Duration = Duration::from_secs(60);

/// The answer to a request that is one frame: bytes, or words for a person.
pub(crate) type Unary = Result<Vec<u8>, String>;

/// What is served to members and newcomers.
#[async_trait]
pub(crate) trait Service: Send + Sync + 'static {
    /// A request of one frame.
    async fn unary(&self, from: NodeId, kind: Kind, body: Vec<u8>) -> Unary;

    /// A long stream of appends.
    async fn append_stream(&self, from: NodeId, pipe: Pipe) -> Result<(), FrameError>;

    /// A snapshot coming in.
    async fn snapshot(&self, from: NodeId, pipe: Pipe) -> Result<(), FrameError>;

    /// A newcomer's connection.
    async fn join(&self, connection: Connection);
}

/// Accepted connections of members, so that a removed node's can be closed.
#[derive(Default)]
pub(super) struct Inbound(Mutex<BTreeMap<usize, (Presented, Connection)>>);

impl Inbound {
    /// Closes the connections of nodes whose key is no longer pinned.
    pub(super) fn close_strangers(&self, pins: &PinSet, membership_index: &[u8; 8]) {
        let mut accepted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        accepted.retain(
            |_, (who, connection)| match pins.check(who.node, &who.pin) {
                Ok(()) => true,
                Err(_) => {
                    connection.close(close::NOT_MEMBER, membership_index);
                    false
                }
            },
        );
    }

    fn insert(&self, who: Presented, connection: &Connection) {
        let mut accepted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        accepted.insert(connection.stable_id(), (who, connection.clone()));
    }

    fn remove(&self, connection: &Connection) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&connection.stable_id());
    }
}

/// Accepts until the endpoint closes.
pub(super) async fn run(transport: &Arc<Transport>, service: Arc<dyn Service>) {
    let mut connections = JoinSet::new();
    while let Some(incoming) = transport.dialer.endpoint.accept().await {
        while connections.try_join_next().is_some() {}
        if connections.len() >= CONNECTIONS_MAX {
            transport.dialer.refusals.count(Reason::Crowded);
            incoming.refuse();
            continue;
        }
        // Under load, a source address must prove itself before we do any arithmetic for it.
        if connections.len() >= CROWD && incoming.may_retry() {
            _ = incoming.retry();
            continue;
        }
        connections.spawn(admit(transport.clone(), service.clone(), incoming));
    }
}

async fn admit(transport: Arc<Transport>, service: Arc<dyn Service>, incoming: Incoming) {
    let from = incoming.remote_address();
    let connection = match timeout(HANDSHAKE_TIMEOUT, incoming).await {
        Ok(Ok(connection)) => connection,
        Ok(Err(why)) => return tracing::debug!(%from, %why, "handshake failed"),
        Err(_) => return tracing::debug!(%from, "handshake took too long"),
    };
    match protocol(&connection).as_deref() {
        Some(ALPN_PEER) => peer(&transport, service, connection).await,
        Some(ALPN_JOIN) => {
            if timeout(JOIN_TIMEOUT, service.join(connection.clone()))
                .await
                .is_err()
            {
                connection.close(close::STALE, b"took too long");
            }
        }
        Some(_) | None => connection.close(close::PROTOCOL, b"unknown protocol"),
    }
}

/// Serves one member. The pin is checked before the first stream is accepted.
async fn peer(transport: &Transport, service: Arc<dyn Service>, connection: Connection) {
    let (pins, refusals) = (&transport.dialer.pins, &transport.dialer.refusals);
    let Some(who) = presented(&connection) else {
        refusals.count(Reason::NoCertificate);
        return connection.close(close::PROTOCOL, b"no certificate");
    };
    if let Err(reason) = pins.check(who.node, &who.pin) {
        refusals.count(reason);
        tracing::warn!(peer = %who.node, reason = reason.name(), "refused a connection");
        let index = transport.membership_index();
        let code = if reason == Reason::NotMember {
            close::NOT_MEMBER
        } else {
            close::WRONG_KEY
        };
        return connection.close(code, &index);
    }
    transport.inbound.insert(who, &connection);
    // Removed between the check and the insertion: the closing round missed it, so look again.
    if pins.check(who.node, &who.pin).is_err() {
        connection.close(close::NOT_MEMBER, &transport.membership_index());
    }
    transport.peer_is_up(who.node);
    let mut streams = JoinSet::new();
    while let Ok((send, recv)) = connection.accept_bi().await {
        while streams.try_join_next().is_some() {}
        streams.spawn(stream(service.clone(), who.node, pipe::of(send, recv)));
    }
    transport.inbound.remove(&connection);
}

async fn stream(service: Arc<dyn Service>, from: NodeId, mut pipe: Pipe) {
    let served = async {
        let byte = timeout(EXCHANGE_TIMEOUT, pipe.read_byte()).await;
        let Ok(Ok(Some(byte))) = byte else {
            return Ok(());
        };
        match Kind::from_byte(byte) {
            Some(Kind::AppendStream) => service.append_stream(from, pipe).await,
            Some(Kind::Snapshot) => service.snapshot(from, pipe).await,
            Some(kind) => unary(&*service, from, kind, pipe).await,
            None => {
                let words = b"this version does not know the request";
                pipe.write(&[status::UNKNOWN_KIND], words).await?;
                pipe.finish().await;
                Ok(())
            }
        }
    };
    if let Err(why) = served.await {
        tracing::debug!(peer = %from, %why, "stream ended early");
    }
}

async fn unary(
    service: &dyn Service,
    from: NodeId,
    kind: Kind,
    mut pipe: Pipe,
) -> Result<(), FrameError> {
    let exchange = async {
        let Some(body) = pipe.read().await? else {
            return Ok(());
        };
        let (status, answer) = match service.unary(from, kind, body).await {
            Ok(answer) => (status::OK, answer),
            Err(words) => (status::REFUSED, words.into_bytes()),
        };
        pipe.write(&[status], &answer).await?;
        pipe.finish().await;
        Ok(())
    };
    // On time-out both halves are dropped, which tells the peer.
    timeout(EXCHANGE_TIMEOUT, exchange).await.unwrap_or(Ok(()))
}

fn protocol(connection: &Connection) -> Option<Vec<u8>> {
    connection
        .handshake_data()?
        .downcast::<quinn::crypto::rustls::HandshakeData>()
        .ok()?
        .protocol
}

/// Whom the peer's leaf names; its chain was verified in the handshake.
fn presented(connection: &Connection) -> Option<Presented> {
    let chain = connection
        .peer_identity()?
        .downcast::<Vec<CertificateDer<'static>>>()
        .ok()?;
    identity::inspect(chain.first()?).ok()
}
