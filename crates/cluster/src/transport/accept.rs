//! The accepting side: who is let in, and each of its streams served by a task of the connection.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use domain::NodeId;
use quinn::{Connection, Incoming};
use rustls_pki_types::CertificateDer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use super::{Transport, close, pipe, tcp};
use crate::identity::{self, ALPN_JOIN, ALPN_PEER, Presented};
use crate::join::{self, Newcomer};
use crate::pins::{PinSet, Reason, Refusals};
use crate::rpc::{self, FrameError, Kind, Pipe, status};

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

/// Requests of one member under way over TCP.
const TCP_REQUESTS_MAX: usize = 256;
/// Wait after a failed accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
const NOT_KNOWN: &[u8] = b"this version does not know the request";

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

    /// A newcomer. Its connection is kept until it has gone.
    async fn join(&self, newcomer: Newcomer);
}

/// Accepted connections of members, so that a removed node's can be closed.
#[derive(Default)]
pub(super) struct Inbound(Mutex<Accepted>);

#[derive(Default)]
struct Accepted {
    next: u64,
    connections: BTreeMap<u64, (Presented, Close)>,
}

/// How to end an accepted connection.
#[derive(Clone)]
enum Close {
    Quic(Connection),
    Tcp(CancellationToken),
}

impl Inbound {
    /// Closes the connections of nodes whose key is no longer pinned.
    pub(super) fn close_strangers(&self, pins: &PinSet, membership_index: &[u8; 8]) {
        self.lock()
            .connections
            .retain(|_, (who, close)| match pins.check(who.node, &who.pin) {
                Ok(()) => true,
                Err(reason) => {
                    match close {
                        Close::Quic(connection) => {
                            connection.close(code_of(reason), membership_index);
                        }
                        Close::Tcp(end) => end.cancel(),
                    }
                    false
                }
            });
    }

    fn insert(&self, who: Presented, close: Close) -> u64 {
        let mut accepted = self.lock();
        accepted.next += 1;
        let number = accepted.next;
        accepted.connections.insert(number, (who, close));
        number
    }

    fn remove(&self, number: u64) {
        self.lock().connections.remove(&number);
    }

    fn lock(&self) -> MutexGuard<'_, Accepted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn code_of(reason: Reason) -> quinn::VarInt {
    if reason == Reason::NotMember {
        close::NOT_MEMBER
    } else {
        close::WRONG_KEY
    }
}

/// Accepts on one uplink until its endpoint closes.
pub(super) async fn run(transport: &Arc<Transport>, local: usize, service: Arc<dyn Service>) {
    let mut connections = JoinSet::new();
    while let Some(incoming) = transport.dialer.locals[local].endpoint.accept().await {
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

/// Accepts TCP on one uplink until stopped.
pub(super) async fn run_tcp(
    transport: &Arc<Transport>,
    listener: TcpListener,
    service: Arc<dyn Service>,
) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, from) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(e) => {
                // Out of file descriptors, most likely: it passes.
                tracing::warn!(error = %e, "cannot accept a TCP connection");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        while connections.try_join_next().is_some() {}
        if connections.len() >= CONNECTIONS_MAX {
            transport.dialer.refusals.count(Reason::Crowded);
            continue;
        }
        let (transport, service) = (transport.clone(), service.clone());
        connections.spawn(async move {
            if let Err(why) = admit_tcp(&transport, service, stream).await {
                tracing::debug!(%from, %why, "TCP connection ended");
            }
        });
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
            if timeout(JOIN_TIMEOUT, join(service, &connection))
                .await
                .is_err()
            {
                connection.close(close::STALE, b"took too long");
            }
        }
        Some(_) | None => connection.close(close::PROTOCOL, b"unknown protocol"),
    }
}

/// Serves a newcomer, which closes once it has read the answer.
async fn join(service: Arc<dyn Service>, connection: &Connection) {
    let Ok(Ok((send, recv))) = timeout(HANDSHAKE_TIMEOUT, connection.accept_bi()).await else {
        return;
    };
    let newcomer = Newcomer {
        pipe: pipe::of(send, recv),
        exported: join::exported(connection),
        from: connection.remote_address(),
    };
    service.join(newcomer).await;
    _ = timeout(HANDSHAKE_TIMEOUT, connection.closed()).await;
}

/// Serves one member. The pin is checked before the first stream is accepted.
async fn peer(transport: &Transport, service: Arc<dyn Service>, connection: Connection) {
    let (pins, refusals) = (&transport.dialer.pins, &transport.dialer.refusals);
    let Some(who) = presented(&connection) else {
        refusals.count(Reason::NoCertificate);
        return connection.close(close::PROTOCOL, b"no certificate");
    };
    if let Err(reason) = check(transport, &who) {
        return connection.close(code_of(reason), &transport.membership_index());
    }
    let number = transport
        .inbound
        .insert(who, Close::Quic(connection.clone()));
    // Removed between the check and the insertion: the closing round missed it, so look again.
    if let Err(reason) = pins.check(who.node, &who.pin) {
        connection.close(code_of(reason), &transport.membership_index());
    }
    let link = transport.existing(who.node);
    let reverse = link.map(|link| {
        link.peer_is_up();
        let path = link.add_reverse(&connection);
        (link, path)
    });
    serve_streams(&service, refusals, who.node, &connection).await;
    if let Some((link, path)) = reverse {
        link.remove(&path);
    }
    transport.inbound.remove(number);
}

/// Answers what a member asks over a connection, until it ends.
pub(super) async fn serve_streams(
    service: &Arc<dyn Service>,
    refusals: &Arc<Refusals>,
    node: NodeId,
    connection: &Connection,
) {
    let mut streams = JoinSet::new();
    while let Ok((send, recv)) = connection.accept_bi().await {
        while streams.try_join_next().is_some() {}
        let pipe = pipe::of(send, recv);
        streams.spawn(stream(service.clone(), refusals.clone(), node, pipe));
    }
}

fn check(transport: &Transport, who: &Presented) -> Result<(), Reason> {
    let checked = transport.dialer.pins.check(who.node, &who.pin);
    if let Err(reason) = checked {
        transport.dialer.refusals.count(reason);
        tracing::warn!(peer = %who.node, reason = reason.name(), "refused a connection");
    }
    checked
}

async fn admit_tcp(
    transport: &Arc<Transport>,
    service: Arc<dyn Service>,
    stream: TcpStream,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let config = transport.dialer.tls_server().map_err(io::Error::other)?;
    let handshake = TlsAcceptor::from(Arc::new(config)).accept(stream);
    let mut stream = timeout(HANDSHAKE_TIMEOUT, handshake).await??;
    let session = stream.get_ref().1;
    let refusals = &transport.dialer.refusals;
    match session.alpn_protocol() {
        Some(ALPN_PEER) => {}
        Some(ALPN_JOIN) => {
            let from = stream.get_ref().0.peer_addr()?;
            return Ok(timeout(JOIN_TIMEOUT, join_tcp(service, stream, from)).await?);
        }
        Some(_) | None => return Err(io::Error::other("unknown protocol")),
    }
    let leaf = session.peer_certificates().and_then(<[_]>::first);
    let Some(who) = leaf.and_then(|leaf| identity::inspect(leaf).ok()) else {
        refusals.count(Reason::NoCertificate);
        return Err(io::Error::other("no certificate"));
    };
    if let Err(reason) = check(transport, &who) {
        let mut hello = vec![tcp::HELLO_WRONG_KEY];
        if reason == Reason::NotMember {
            hello = vec![tcp::HELLO_NOT_MEMBER];
            hello.extend(transport.membership_index());
        }
        timeout(HANDSHAKE_TIMEOUT, stream.write_all(&hello)).await??;
        return stream.shutdown().await;
    }
    let purpose = timeout(HANDSHAKE_TIMEOUT, stream.read_u8()).await??;
    stream.write_all(&[tcp::HELLO_WELCOME]).await?;
    stream.flush().await?;
    let end = CancellationToken::new();
    let number = transport.inbound.insert(who, Close::Tcp(end.clone()));
    if let Some(link) = transport.existing(who.node) {
        link.peer_is_up();
    }
    let serving = async {
        match purpose {
            tcp::PURPOSE_CONTROL => serve_control(transport, &service, who.node, stream).await,
            tcp::PURPOSE_PIPE => {
                let (recv, send) = tokio::io::split(stream);
                let pipe = Pipe {
                    send: Box::new(send),
                    recv: Box::new(recv),
                };
                self::stream(service, refusals.clone(), who.node, pipe).await;
            }
            _ => {}
        }
    };
    tokio::select! {
        () = end.cancelled() => {}
        () = serving => {}
    }
    transport.inbound.remove(number);
    Ok(())
}

/// Serves a newcomer where UDP does not pass.
async fn join_tcp(service: Arc<dyn Service>, stream: TlsStream<TcpStream>, from: SocketAddr) {
    let session = stream.get_ref().1;
    let exported = session.export_keying_material([0; 32], join::EXPORTER_LABEL, Some(b""));
    let exported = exported.ok();
    let (recv, send) = tokio::io::split(stream);
    let pipe = Pipe {
        send: Box::new(send),
        recv: Box::new(recv),
    };
    let newcomer = Newcomer {
        pipe,
        exported,
        from,
    };
    service.join(newcomer).await;
}

/// Requests and answers of one member over TCP, matched by their numbers.
async fn serve_control(
    transport: &Transport,
    service: &Arc<dyn Service>,
    from: NodeId,
    stream: TlsStream<TcpStream>,
) {
    let refusals = &transport.dialer.refusals;
    let (mut recv, mut send) = tokio::io::split(stream);
    let (answers, mut answered) = mpsc::channel::<Vec<u8>>(TCP_REQUESTS_MAX);
    let room = Arc::new(Semaphore::new(TCP_REQUESTS_MAX));
    let mut requests = JoinSet::new();
    let reading = async {
        loop {
            let next = async {
                let Some(kind) = rpc::read_byte(&mut recv).await? else {
                    return Ok(None);
                };
                Ok::<_, FrameError>(rpc::read(&mut recv).await?.map(|body| (kind, body)))
            };
            // A member gives a sign of life far more often.
            let (kind, mut body) = match timeout(transport.dialer.timing.idle * 2, next).await {
                Ok(Ok(Some(request))) => request,
                Ok(Err(e)) => {
                    count_oversize(refusals, &e);
                    return;
                }
                Ok(Ok(None)) | Err(_) => return,
            };
            let Some(number) = body.first_chunk().copied().map(u64::from_be_bytes) else {
                return;
            };
            body.drain(..8);
            while requests.try_join_next().is_some() {}
            let Ok(turn) = room.clone().acquire_owned().await else {
                return;
            };
            let (service, answers) = (service.clone(), answers.clone());
            requests.spawn(async move {
                let (status, answer) = match Kind::from_byte(kind) {
                    _ if kind == tcp::PING => (status::OK, Vec::new()),
                    None => (status::UNKNOWN_KIND, NOT_KNOWN.to_vec()),
                    Some(kind) => {
                        let asked = service.unary(from, kind, body);
                        match timeout(EXCHANGE_TIMEOUT, asked).await {
                            Ok(Ok(answer)) => (status::OK, answer),
                            Ok(Err(words)) => (status::REFUSED, words.into_bytes()),
                            Err(_) => return,
                        }
                    }
                };
                _ = answers.send(tcp::message(status, number, &answer)).await;
                drop(turn);
            });
        }
    };
    let writing = async {
        while let Some(message) = answered.recv().await {
            let written = async {
                send.write_all(&message).await?;
                send.flush().await
            };
            if !matches!(timeout(EXCHANGE_TIMEOUT, written).await, Ok(Ok(()))) {
                return;
            }
        }
    };
    tokio::select! {
        () = reading => {}
        () = writing => {}
    }
}

fn count_oversize(refusals: &Refusals, why: &FrameError) {
    if matches!(why, FrameError::TooLong(_)) {
        refusals.count(Reason::Oversize);
    }
}

async fn stream(service: Arc<dyn Service>, refusals: Arc<Refusals>, from: NodeId, mut pipe: Pipe) {
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
                pipe.write(&[status::UNKNOWN_KIND], NOT_KNOWN).await?;
                pipe.finish().await;
                Ok(())
            }
        }
    };
    if let Err(why) = served.await {
        count_oversize(&refusals, &why);
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
pub(super) fn presented(connection: &Connection) -> Option<Presented> {
    let chain = connection
        .peer_identity()?
        .downcast::<Vec<CertificateDer<'static>>>()
        .ok()?;
    identity::inspect(chain.first()?).ok()
}
