//! One connection at a time, and how many there may be. Everything a stranger can make us wait for or hold is bounded
//! here (SECURITY T-17).

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::select;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::debug;

/// Bounds of one listener.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Connections open at once; further ones wait in the kernel's queue.
    pub connections_max: usize,
    /// Connections open at once from one address (IPv6: one /64); further ones are closed unread.
    pub connections_per_address_max: usize,
    /// TLS handshake.
    pub handshake_time: Duration,
    /// From the first byte of a request, or the end of the one before, to the end of its headers.
    pub header_time: Duration,
    /// Header block and read buffer, bytes.
    pub header_bytes: usize,
    /// How long requests under way may go on after the stop.
    pub drain_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 12_288,
            connections_per_address_max: 512,
            handshake_time: Duration::from_secs(5),
            header_time: Duration::from_secs(20),
            header_bytes: 16 * 1024,
            drain_time: Duration::from_secs(5),
        }
    }
}

/// The most header lines in one request.
const HEADERS_MAX: usize = 64;

/// By which door a request came in. Decides who it may be from; set by the listener, never by the request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Entrance {
    /// The network: an API key says who asks.
    Https,
    /// The local socket: its file mode says who asks.
    Socket,
    /// The admin listener: no `/v1` behind it.
    Admin,
}

/// The address a request comes from, as the kernel gives it: an IPv6 host is its /64. What a request says of itself does
/// not count.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Peer(pub(crate) IpAddr);

impl Peer {
    pub(crate) fn of(address: IpAddr) -> Self {
        Self(network(address))
    }
}

/// The open connections of one listener.
pub(crate) struct Connections {
    tasks: JoinSet<()>,
    room: Arc<Semaphore>,
    by_address: Arc<Mutex<BTreeMap<IpAddr, usize>>>,
    limits: Limits,
}

impl Connections {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            tasks: JoinSet::new(),
            room: Arc::new(Semaphore::new(limits.connections_max)),
            by_address: Arc::default(),
            limits,
        }
    }

    /// Waits until one more connection may be accepted. `None` once stopped.
    pub(crate) async fn room(&mut self, stop: &CancellationToken) -> Option<OwnedSemaphorePermit> {
        // Ended tasks are collected as new connections come, so the set stays as small as the limit.
        while self.tasks.try_join_next().is_some() {}
        select! {
            () = stop.cancelled() => None,
            room = Arc::clone(&self.room).acquire_owned() => room.ok(),
        }
    }

    /// One of the places an address has, or `None` when it has them all.
    pub(crate) fn place(&self, address: IpAddr) -> Option<Place> {
        let address = network(address);
        let mut held = self
            .by_address
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let count = held.entry(address).or_insert(0);
        if *count >= self.limits.connections_per_address_max {
            return None;
        }
        *count += 1;
        Some(Place {
            address,
            held: Arc::clone(&self.by_address),
        })
    }

    pub(crate) fn spawn(&mut self, connection: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(connection);
    }

    /// Waits for the connections to end, then ends them.
    pub(crate) async fn drain(mut self) {
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if timeout(self.limits.drain_time, all).await.is_err() {
            self.tasks.shutdown().await;
        }
    }
}

/// One connection's share of its address's allowance; given back when dropped.
pub(crate) struct Place {
    address: IpAddr,
    held: Arc<Mutex<BTreeMap<IpAddr, usize>>>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        match held.get_mut(&self.address) {
            Some(count) if *count > 1 => *count -= 1,
            Some(_) | None => {
                held.remove(&self.address);
            }
        }
    }
}

/// What counts as one address: an IPv6 host owns at least a /64.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => IpAddr::V4(v4),
            None => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
        },
    }
}

/// Serves requests on one connection until it closes or `stop`.
pub(crate) async fn serve_connection<I>(
    stream: I,
    router: Router,
    (entrance, peer): (Entrance, Option<Peer>),
    limits: Limits,
    stop: CancellationToken,
) where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let router = TowerToHyperService::new(router);
    let service = hyper::service::service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(entrance);
        if let Some(peer) = peer {
            request.extensions_mut().insert(peer);
        }
        router.call(request)
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_time)
        .max_buf_size(limits.header_bytes.max(8 * 1024))
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let ended = select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            match timeout(limits.drain_time, connection).await {
                Ok(ended) => ended,
                Err(_) => return,
            }
        }
    };
    if let Err(error) = ended {
        debug!(%error, "connection ended early");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_cannot_take_all_places_and_gives_them_back() {
        let limits = Limits {
            connections_per_address_max: 2,
            ..Limits::default()
        };
        let connections = Connections::new(limits);
        let address: IpAddr = "2001:db8::1".parse().unwrap();
        let neighbour: IpAddr = "2001:db8::ffff".parse().unwrap();
        let other: IpAddr = "192.0.2.1".parse().unwrap();
        let first = connections.place(address);
        let second = connections.place(neighbour);
        assert!(first.is_some() && second.is_some());
        assert!(
            connections.place(address).is_none(),
            "a /64 counts as one address"
        );
        assert!(connections.place(other).is_some());
        drop(first);
        assert!(connections.place(neighbour).is_some());
    }
}
