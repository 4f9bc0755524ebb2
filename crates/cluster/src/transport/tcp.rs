//! The carrier for where UDP does not pass: TLS 1.3 over TCP with the same certificates, pins and frames as QUIC.
//!
//! TCP has no streams, so there are several connections: one carries requests and answers, matched by a number, and each
//! append or snapshot stream has its own, so that a snapshot delays no heartbeat.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::NodeId;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, interval, timeout, timeout_at};
use tokio_rustls::{TlsConnector, client};
use tokio_util::sync::CancellationToken;

use super::Dialer;
use super::live::{Ended, Missed};
use super::path::{ConnectFailure, resolve};
use super::score::Totals;
use crate::identity;
use crate::rpc::{self, FrameError, Kind, Pipe};

/// First byte from the dialler: what the connection is for.
pub(super) const PURPOSE_CONTROL: u8 = 0;
pub(super) const PURPOSE_PIPE: u8 = 1;
/// First byte back: welcome, or why not. [`HELLO_NOT_MEMBER`] is followed by the log index of the membership, 8 bytes.
pub(super) const HELLO_WELCOME: u8 = 0;
pub(super) const HELLO_NOT_MEMBER: u8 = 1;
pub(super) const HELLO_WRONG_KEY: u8 = 2;
/// Kind byte of a keep-alive, answered at once.
pub(super) const PING: u8 = 0;

/// Requests waiting to be written.
const QUEUE_MAX: usize = 256;
/// TCP and TLS handshakes together, on the slowest path.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(8);

/// Who waits for which answer, by the number of the question.
type Waiting = BTreeMap<u64, oneshot::Sender<(u8, Vec<u8>)>>;

/// The request connection of one path.
pub(super) struct Control {
    peer: NodeId,
    /// The key the peer showed.
    pin: Option<[u8; 32]>,
    dialer: Arc<Dialer>,
    local: usize,
    address: String,
    queue: mpsc::Sender<Vec<u8>>,
    waiting: Mutex<Waiting>,
    next: AtomicU64,
    received: AtomicU64,
    sent: AtomicU64,
    rtt_us: AtomicU64,
    end: CancellationToken,
    silent: std::sync::atomic::AtomicBool,
}

/// What keeps a [`Control`] going; it ends with the connection.
pub(super) struct Driver {
    control: Arc<Control>,
    stream: client::TlsStream<TcpStream>,
    queued: mpsc::Receiver<Vec<u8>>,
}

/// Dials a peer's address over TCP from one of our local paths.
pub(super) async fn connect(
    dialer: &Arc<Dialer>,
    peer: NodeId,
    local: usize,
    address: &str,
) -> Result<(Arc<Control>, Driver), ConnectFailure> {
    let began = Instant::now();
    let stream = dial(dialer, peer, local, address, PURPOSE_CONTROL).await?;
    let (queue, queued) = mpsc::channel(QUEUE_MAX);
    let leaf = stream.get_ref().1.peer_certificates();
    let leaf = leaf.and_then(<[_]>::first);
    let who = leaf.and_then(|leaf| identity::inspect(leaf).ok());
    let control = Arc::new(Control {
        peer,
        pin: who.map(|who| who.pin),
        dialer: dialer.clone(),
        local,
        address: address.to_owned(),
        queue,
        waiting: Mutex::default(),
        next: AtomicU64::new(1),
        received: AtomicU64::new(1),
        sent: AtomicU64::new(1),
        // Four round trips: TCP, TLS, purpose and hello.
        rtt_us: AtomicU64::new(micros(began.elapsed() / 4)),
        end: dialer.stop.child_token(),
        silent: false.into(),
    });
    let driver = Driver {
        control: control.clone(),
        stream,
        queued,
    };
    Ok((control, driver))
}

impl Control {
    pub(super) fn is_open(&self) -> bool {
        !self.end.is_cancelled()
    }

    pub(super) fn pin(&self) -> Option<[u8; 32]> {
        self.pin
    }

    pub(super) fn rtt(&self) -> Duration {
        Duration::from_micros(self.rtt_us.load(Ordering::Relaxed))
    }

    /// Frames, not packets: TCP hides its losses in its delays.
    pub(super) fn totals(&self) -> Totals {
        Totals {
            received: self.received.load(Ordering::Relaxed),
            acknowledged: self.received.load(Ordering::Relaxed),
            sent: self.sent.load(Ordering::Relaxed),
            lost: 0,
        }
    }

    pub(super) fn close(&self) {
        self.end.cancel();
    }

    pub(super) async fn closed(&self) -> Ended {
        self.end.cancelled().await;
        if self.silent.load(Ordering::Relaxed) {
            Ended::Silent
        } else {
            Ended::Other("the TCP connection ended".to_owned())
        }
    }

    pub(super) async fn call(
        &self,
        kind: Kind,
        body: &[u8],
        deadline: Instant,
    ) -> Result<(u8, Vec<u8>), Missed> {
        self.exchange(kind as u8, body, deadline).await
    }

    /// A connection of its own for one stream.
    pub(super) async fn open(&self) -> Option<Pipe> {
        let stream = dial(
            &self.dialer,
            self.peer,
            self.local,
            &self.address,
            PURPOSE_PIPE,
        )
        .await
        .inspect_err(|why| tracing::debug!(peer = %self.peer, %why, "no TCP stream"))
        .ok()?;
        let (recv, send) = tokio::io::split(stream);
        Some(Pipe {
            send: Box::new(send),
            recv: Box::new(recv),
        })
    }

    async fn exchange(
        &self,
        kind: u8,
        body: &[u8],
        deadline: Instant,
    ) -> Result<(u8, Vec<u8>), Missed> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (answer, told) = oneshot::channel();
        self.waiting().insert(number, answer);
        let queued = timeout_at(deadline, self.queue.send(message(kind, number, body))).await;
        if !matches!(queued, Ok(Ok(()))) || !self.is_open() {
            self.waiting().remove(&number);
            return Err(Missed::Unsent);
        }
        match timeout_at(deadline, told).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) => Err(Missed::Broken(FrameError::Truncated)),
            Err(_) => {
                self.waiting().remove(&number);
                Err(Missed::TimedOut)
            }
        }
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Driver {
    /// Runs until the connection ends, by whichever side.
    pub(super) async fn run(self) {
        let Self {
            control,
            stream,
            mut queued,
        } = self;
        let (mut recv, mut send) = tokio::io::split(stream);
        let why = tokio::select! {
            () = control.end.cancelled() => "closed here".to_owned(),
            why = answers(&control, &mut recv) => why,
            why = requests(&control, &mut send, &mut queued) => why,
            () = keep_alive(&control) => {
                control.silent.store(true, Ordering::Relaxed);
                "silent".to_owned()
            }
        };
        tracing::debug!(peer = %control.peer, why, "TCP connection to peer ended");
        control.end.cancel();
        // Everybody who still waits learns that no answer will come.
        control.waiting().clear();
        _ = timeout(Duration::from_millis(100), send.shutdown()).await;
    }
}

async fn answers(control: &Control, recv: &mut ReadHalf<client::TlsStream<TcpStream>>) -> String {
    loop {
        let next = async {
            let Some(status) = rpc::read_byte(recv).await? else {
                return Ok(None);
            };
            Ok::<_, FrameError>(rpc::read(recv).await?.map(|body| (status, body)))
        };
        match next.await {
            Ok(Some((status, mut body))) => {
                control.received.fetch_add(1, Ordering::Relaxed);
                let Some(number) = body.first_chunk().copied().map(u64::from_be_bytes) else {
                    return "an answer without a number".to_owned();
                };
                body.drain(..8);
                if let Some(asker) = control.waiting().remove(&number) {
                    _ = asker.send((status, body));
                }
            }
            Ok(None) => return "ended by the peer".to_owned(),
            Err(e) => return e.to_string(),
        }
    }
}

async fn requests(
    control: &Control,
    send: &mut WriteHalf<client::TlsStream<TcpStream>>,
    queued: &mut mpsc::Receiver<Vec<u8>>,
) -> String {
    while let Some(message) = queued.recv().await {
        let written = async {
            send.write_all(&message).await?;
            send.flush().await
        };
        if let Err(e) = written.await {
            return e.to_string();
        }
        control.sent.fetch_add(1, Ordering::Relaxed);
    }
    "nobody uses it".to_owned()
}

/// Asks for a sign of life on a period; ends when there is none.
async fn keep_alive(control: &Control) {
    let timing = control.dialer.timing;
    let mut ticks = interval(timing.keep_alive);
    loop {
        ticks.tick().await;
        let asked = Instant::now();
        let heard = control.received.load(Ordering::Relaxed);
        match control.exchange(PING, &[], asked + timing.idle).await {
            Ok(_) => {
                let sample = micros(asked.elapsed());
                let mean = control.rtt_us.load(Ordering::Relaxed);
                let mixed = (mean * 3 + sample) / 4;
                control.rtt_us.store(mixed, Ordering::Relaxed);
            }
            Err(_) if control.received.load(Ordering::Relaxed) > heard => {}
            Err(_) => return,
        }
    }
}

/// A request or answer on the request connection: a byte, then a frame that begins with the number.
pub(super) fn message(byte: u8, number: u64, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(8 + body.len()).unwrap_or(u32::MAX);
    let mut message = Vec::with_capacity(13 + body.len());
    message.push(byte);
    message.extend_from_slice(&length.to_be_bytes());
    message.extend_from_slice(&number.to_be_bytes());
    message.extend_from_slice(body);
    message
}

async fn dial(
    dialer: &Arc<Dialer>,
    peer: NodeId,
    local: usize,
    address: &str,
    purpose: u8,
) -> Result<client::TlsStream<TcpStream>, ConnectFailure> {
    let dialling = async {
        let mut last = ConnectFailure::Lookup("no address".to_owned());
        for to in resolve(address, dialer.locals[local].is_v4()).await? {
            match dial_one(dialer, peer, local, to, purpose).await {
                Ok(stream) => return Ok(stream),
                Err(e) => last = e,
            }
        }
        Err(last)
    };
    timeout(CONNECT_TIMEOUT, dialling)
        .await
        .unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into()))
}

/// Dials a member without being one: to join, or to ask.
pub(crate) async fn connect_as_stranger(
    address: &str,
    config: rustls::ClientConfig,
    name: &str,
) -> Result<client::TlsStream<TcpStream>, ConnectFailure> {
    let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
    let connector = TlsConnector::from(Arc::new(config));
    let mut last = ConnectFailure::Lookup("no address".to_owned());
    for to in resolve(address, true).await? {
        let connecting = async {
            let stream = TcpStream::connect(to).await?;
            stream.set_nodelay(true)?;
            connector.connect(name.clone(), stream).await
        };
        match connecting.await {
            Ok(stream) => return Ok(stream),
            Err(e) => last = e.into(),
        }
    }
    Err(last)
}

async fn dial_one(
    dialer: &Arc<Dialer>,
    peer: NodeId,
    local: usize,
    to: SocketAddr,
    purpose: u8,
) -> Result<client::TlsStream<TcpStream>, ConnectFailure> {
    let socket = match to {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    dialer.locals[local].prepare_tcp(&socket)?;
    let stream = socket.connect(to).await?;
    stream.set_nodelay(true)?;
    let config = dialer
        .tls_client(peer)
        .ok_or_else(|| io::Error::other("no TLS configuration"))?;
    let name = ServerName::try_from(dialer.server_name(peer)).map_err(io::Error::other)?;
    let mut stream = TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await?;
    stream.write_all(&[purpose]).await?;
    stream.flush().await?;
    match stream.read_u8().await? {
        HELLO_WELCOME => Ok(stream),
        HELLO_NOT_MEMBER => {
            dialer.told_not_member(peer, Some(stream.read_u64().await?));
            Err(io::Error::other("the peer does not know this node").into())
        }
        _ => Err(io::Error::other("the peer does not know this node's key").into()),
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
