//! A link a test can break: a relay in front of a node's cluster port, UDP and TCP on one number.
#![expect(
    clippy::unwrap_used,
    reason = "a harness: a panic is how it reports a broken assumption"
)]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::sleep;

/// Which carriers a relay passes at all.
#[derive(Clone, Copy, Debug)]
pub struct Passes {
    pub udp: bool,
    pub tcp: bool,
}

struct State {
    to: SocketAddr,
    /// False while the link is cut.
    open: watch::Sender<bool>,
    delay_ms: AtomicU64,
    /// Datagrams towards the node vanish; answers still pass.
    one_way: AtomicBool,
    forwarded: AtomicU64,
    returned: AtomicU64,
    /// The link cuts itself once so many bytes passed.
    cut_after: AtomicU64,
}

/// A breakable way to one node.
pub struct Relay {
    address: SocketAddr,
    state: Arc<State>,
    task: AbortHandle,
}

impl Relay {
    /// A relay to `to`, at a free port of 127.0.0.`host`.
    pub async fn start(to: SocketAddr, host: u8, passes: Passes) -> Self {
        let (tcp, udp) = loop {
            let tcp = TcpListener::bind(SocketAddr::from(([127, 0, 0, host], 0)))
                .await
                .unwrap();
            // The same number must be free for both.
            if let Ok(udp) = UdpSocket::bind(tcp.local_addr().unwrap()).await {
                break (tcp, udp);
            }
        };
        let address = udp.local_addr().unwrap();
        let state = Arc::new(State {
            to,
            open: watch::Sender::new(true),
            delay_ms: AtomicU64::new(0),
            one_way: AtomicBool::new(false),
            forwarded: AtomicU64::new(0),
            returned: AtomicU64::new(0),
            cut_after: AtomicU64::new(u64::MAX),
        });
        let mut tasks = JoinSet::new();
        if passes.udp {
            tasks.spawn(relay_udp(state.clone(), Arc::new(udp)));
        }
        if passes.tcp {
            tasks.spawn(relay_tcp(state.clone(), tcp));
        }
        let task = tokio::spawn(async move { while tasks.join_next().await.is_some() {} });
        Self {
            address,
            state,
            task: task.abort_handle(),
        }
    }

    /// Where to dial.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Nothing passes any more, in either direction; TCP connections hang.
    pub fn cut(&self) {
        self.state.open.send_replace(false);
    }

    /// Everything passes again.
    pub fn heal(&self) {
        self.state.cut_after.store(u64::MAX, Ordering::Relaxed);
        self.state.open.send_replace(true);
    }

    pub fn is_cut(&self) -> bool {
        !*self.state.open.borrow()
    }

    /// Datagrams towards the node take so much longer.
    pub fn delay(&self, by: Duration) {
        let ms = u64::try_from(by.as_millis()).unwrap();
        self.state.delay_ms.store(ms, Ordering::Relaxed);
    }

    /// Loses all datagrams towards the node, and none of those back.
    pub fn one_way(&self, on: bool) {
        self.state.one_way.store(on, Ordering::Relaxed);
    }

    /// Cuts the link by itself after `bytes` more, both directions counted.
    pub fn cut_after(&self, bytes: u64) {
        let at = self.forwarded() + self.returned() + bytes;
        self.state.cut_after.store(at, Ordering::Relaxed);
    }

    /// Bytes that passed from the node.
    pub fn returned(&self) -> u64 {
        self.state.returned.load(Ordering::Relaxed)
    }

    /// Bytes that passed towards the node.
    pub fn forwarded(&self) -> u64 {
        self.state.forwarded.load(Ordering::Relaxed)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl State {
    /// Counts bytes towards the node; false when they must vanish.
    fn forward(&self, bytes: usize) -> bool {
        if !*self.open.borrow() || self.one_way.load(Ordering::Relaxed) {
            return false;
        }
        self.forwarded.fetch_add(bytes as u64, Ordering::Relaxed);
        self.passes()
    }

    /// Counts bytes from the node; false when they must vanish.
    fn back(&self, bytes: usize) -> bool {
        if !*self.open.borrow() {
            return false;
        }
        self.returned.fetch_add(bytes as u64, Ordering::Relaxed);
        self.passes()
    }

    fn passes(&self) -> bool {
        let passed = self.forwarded.load(Ordering::Relaxed) + self.returned.load(Ordering::Relaxed);
        if passed >= self.cut_after.load(Ordering::Relaxed) {
            self.open.send_replace(false);
            return false;
        }
        true
    }
}

async fn relay_udp(state: Arc<State>, socket: Arc<UdpSocket>) {
    let mut ways: BTreeMap<SocketAddr, Arc<UdpSocket>> = BTreeMap::new();
    let mut tasks = JoinSet::new();
    let mut buffer = vec![0; 65_536];
    loop {
        let Ok((length, from)) = socket.recv_from(&mut buffer).await else {
            continue;
        };
        if !state.forward(length) {
            continue;
        }
        let known = ways.get(&from).cloned();
        let way = match known {
            Some(way) => way,
            None => {
                let way = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
                ways.insert(from, way.clone());
                tasks.spawn(relay_back(state.clone(), socket.clone(), way.clone(), from));
                way
            }
        };
        let to = state.to;
        let delay = Duration::from_millis(state.delay_ms.load(Ordering::Relaxed));
        if delay.is_zero() {
            _ = way.send_to(&buffer[..length], to).await;
        } else {
            let datagram = buffer[..length].to_vec();
            tasks.spawn(async move {
                sleep(delay).await;
                _ = way.send_to(&datagram, to).await;
            });
        }
        while tasks.try_join_next().is_some() {}
    }
}

async fn relay_back(
    state: Arc<State>,
    socket: Arc<UdpSocket>,
    way: Arc<UdpSocket>,
    to: SocketAddr,
) {
    let mut buffer = vec![0; 65_536];
    loop {
        // A closed port behind the relay reports itself here; the sender finds out by silence.
        let Ok((length, _)) = way.recv_from(&mut buffer).await else {
            sleep(Duration::from_millis(1)).await;
            continue;
        };
        if state.back(length) {
            _ = socket.send_to(&buffer[..length], to).await;
        }
    }
}

async fn relay_tcp(state: Arc<State>, listener: TcpListener) {
    let mut tasks = JoinSet::new();
    loop {
        let Ok((near, _)) = listener.accept().await else {
            continue;
        };
        let state = state.clone();
        tasks.spawn(async move {
            let Ok(far) = TcpStream::connect(state.to).await else {
                return;
            };
            let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
            // Each direction ends by itself: a stream's asker is done before its answers are.
            tokio::join!(
                copy(&state, near_in, far_out, true),
                copy(&state, far_in, near_out, false)
            );
        });
        while tasks.try_join_next().is_some() {}
    }
}

async fn copy(
    state: &State,
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    forward: bool,
) {
    let mut open = state.open.subscribe();
    let mut buffer = vec![0; 16_384];
    while let Ok(length) = from.read(&mut buffer).await {
        if length == 0 {
            break;
        }
        _ = if forward {
            state.forward(length)
        } else {
            state.back(length)
        };
        // TCP keeps what it took until the link is back.
        if open.wait_for(|open| *open).await.is_err() {
            return;
        }
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
    _ = to.shutdown().await;
}
