//! The listeners: HTTPS for everyone with a key, a local socket for the operator, and the admin listener on loopback.

use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, UnixListener};
use tokio::select;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::connection::{Connections, Entrance, Limits, Peer, serve_connection};
use crate::events::Listeners;
use crate::state::{ApiState, Shared};
use crate::{denials, router};

/// How long to wait before accepting again after the system had no descriptor to give.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The only protocol offered: HTTP/2 would multiply what one connection can ask for at once.
const ALPN: &[u8] = b"http/1.1";

/// Where to listen.
#[derive(Clone, Debug)]
pub struct ApiConfig {
    /// Public listener. `None` for a node that shows nothing to the network (SECURITY T-17).
    pub https: Option<HttpsConfig>,
    /// Plain HTTP for `/metrics`, `/openapi.json`, `/healthz` and `/readyz`. Loopback unless the operator says otherwise.
    pub admin: Option<SocketAddr>,
    /// Path of the local socket; created with mode 0600. Whoever can open it is the operator.
    pub socket: Option<PathBuf>,
    pub limits: Limits,
}

/// The public listener.
#[derive(Clone, Debug)]
pub struct HttpsConfig {
    pub address: SocketAddr,
    /// Certificate and key. A new value serves the connections accepted after it.
    pub tls: watch::Receiver<Arc<rustls::ServerConfig>>,
}

/// A listener could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    #[error("cannot listen on {address} for {purpose}; is another program using the port?")]
    Tcp {
        address: SocketAddr,
        purpose: &'static str,
        #[source]
        source: io::Error,
    },
    #[error("another process answers on the socket {path}; stop it first")]
    SocketInUse { path: PathBuf },
    #[error("cannot create the socket {path}; check that its directory exists and is writable")]
    Socket {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// Why the server ended without being asked to.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error(transparent)]
    Bind(#[from] BindError),
    #[error("a listener task ended unexpectedly")]
    Listener(#[source] tokio::task::JoinError),
}

/// Opens the listeners and serves until `stop`.
pub async fn serve(
    config: ApiConfig,
    state: ApiState,
    stop: CancellationToken,
) -> Result<(), ServeError> {
    Server::bind(config, state).await?.run(stop).await
}

/// Listeners that are open and wait to be served.
#[derive(Debug)]
pub struct Server {
    https: Option<(TcpListener, watch::Receiver<Arc<rustls::ServerConfig>>)>,
    admin: Option<TcpListener>,
    socket: Option<UnixListener>,
    limits: Limits,
    public: Router,
    private: Router,
    shared: Shared,
    listeners: Arc<Listeners>,
}

impl Server {
    /// Opens every listener of `config`. Port 0 picks a free one.
    pub async fn bind(config: ApiConfig, state: ApiState) -> Result<Self, BindError> {
        let https = match config.https {
            Some(https) => Some((bind_tcp(https.address, "HTTPS").await?, https.tls)),
            None => None,
        };
        let admin = match config.admin {
            Some(address) => Some(bind_tcp(address, "the admin listener").await?),
            None => None,
        };
        let socket = match config.socket {
            Some(path) => Some(bind_socket(&path).await?),
            None => None,
        };
        let shared = Shared::new(state);
        let listeners = Arc::clone(&shared.listeners);
        let (public, private) = (
            router::public(shared.clone()),
            router::admin(shared.clone()),
        );
        Ok(Self {
            https,
            admin,
            socket,
            limits: config.limits,
            public,
            private,
            shared,
            listeners,
        })
    }

    /// The address HTTPS is served on.
    pub fn https_address(&self) -> Option<SocketAddr> {
        self.https
            .as_ref()
            .and_then(|(listener, _)| listener.local_addr().ok())
    }

    /// The address the admin listener is on.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin
            .as_ref()
            .and_then(|listener| listener.local_addr().ok())
    }

    /// Serves until `stop`, then lets requests under way finish for a few seconds.
    pub async fn run(self, stop: CancellationToken) -> Result<(), ServeError> {
        let limits = self.limits;
        let mut listeners = JoinSet::new();
        let (streams, ended) = (self.listeners, stop.child_token());
        listeners.spawn(async move {
            ended.cancelled().await;
            streams.close();
        });
        if let Some((listener, tls)) = self.https {
            listeners.spawn(listen_https(
                listener,
                tls,
                self.public.clone(),
                limits,
                stop.child_token(),
            ));
        }
        if let Some(listener) = self.admin {
            listeners.spawn(listen_admin(
                listener,
                self.private,
                limits,
                stop.child_token(),
            ));
        }
        if let Some(listener) = self.socket {
            listeners.spawn(listen_socket(
                listener,
                self.public,
                limits,
                stop.child_token(),
            ));
        }
        listeners.spawn(denials::run(self.shared, stop.child_token()));
        let mut end = Ok(());
        while let Some(ended) = listeners.join_next().await {
            // Nothing limps on unseen: the first to end, for whatever reason, ends the rest.
            stop.cancel();
            end = end.and(ended.map_err(ServeError::Listener));
        }
        end
    }
}

async fn bind_tcp(address: SocketAddr, purpose: &'static str) -> Result<TcpListener, BindError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| BindError::Tcp {
            address,
            purpose,
            source,
        })
}

/// Creates the socket under another name and moves it into place, so that it is never reachable with a wider mode.
async fn bind_socket(path: &Path) -> Result<UnixListener, BindError> {
    let fail = |source| BindError::Socket {
        path: path.to_owned(),
        source,
    };
    if std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket()) {
        let answered = timeout(
            Duration::from_secs(1),
            tokio::net::UnixStream::connect(path),
        )
        .await;
        if matches!(answered, Ok(Ok(_))) {
            return Err(BindError::SocketInUse {
                path: path.to_owned(),
            });
        }
    }
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(".new");
    let fresh = PathBuf::from(fresh);
    match std::fs::remove_file(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(fail(error)),
        Ok(()) | Err(_) => {}
    }
    let listener = UnixListener::bind(&fresh).map_err(fail)?;
    std::fs::set_permissions(&fresh, std::fs::Permissions::from_mode(0o600)).map_err(fail)?;
    std::fs::rename(&fresh, path).map_err(fail)?;
    Ok(listener)
}

async fn listen_https(
    listener: TcpListener,
    mut tls: watch::Receiver<Arc<rustls::ServerConfig>>,
    router: Router,
    limits: Limits,
    stop: CancellationToken,
) {
    if let Ok(address) = listener.local_addr() {
        info!(%address, "https listener open");
    }
    let mut acceptor = acceptor(&tls.borrow_and_update());
    let mut connections = Connections::new(limits);
    loop {
        let Some(room) = connections.room(&stop).await else {
            break;
        };
        let (stream, peer) = select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => { pause(&error).await; continue }
            },
        };
        let Some(place) = connections.place(peer.ip()) else {
            debug!("connection closed: too many from one address");
            continue;
        };
        if tls.has_changed().unwrap_or(false) {
            acceptor = self::acceptor(&tls.borrow_and_update());
        }
        let (acceptor, router, stop) = (acceptor.clone(), router.clone(), stop.clone());
        connections.spawn(async move {
            let _held = (room, place);
            match timeout(limits.handshake_time, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => {
                    let door = (Entrance::Https, Some(Peer::of(peer.ip())));
                    serve_connection(stream, router, door, limits, stop).await
                }
                Ok(Err(error)) => debug!(%error, "tls handshake failed"),
                Err(_) => debug!("tls handshake took too long"),
            }
        });
    }
    connections.drain().await;
}

/// The node's TLS configuration with our ALPN.
fn acceptor(config: &Arc<rustls::ServerConfig>) -> TlsAcceptor {
    if config.alpn_protocols == [ALPN] {
        return TlsAcceptor::from(Arc::clone(config));
    }
    let mut ours = rustls::ServerConfig::clone(config);
    ours.alpn_protocols = vec![ALPN.to_vec()];
    TlsAcceptor::from(Arc::new(ours))
}

async fn listen_admin(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    stop: CancellationToken,
) {
    if let Ok(address) = listener.local_addr() {
        info!(%address, "admin listener open");
    }
    let mut connections = Connections::new(limits);
    loop {
        let Some(room) = connections.room(&stop).await else {
            break;
        };
        let stream = select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => { pause(&error).await; continue }
            },
        };
        let (router, stop) = (router.clone(), stop.clone());
        connections.spawn(async move {
            let _held = room;
            serve_connection(stream, router, (Entrance::Admin, None), limits, stop).await;
        });
    }
    connections.drain().await;
}

async fn listen_socket(
    listener: UnixListener,
    router: Router,
    limits: Limits,
    stop: CancellationToken,
) {
    let mut connections = Connections::new(limits);
    loop {
        let Some(room) = connections.room(&stop).await else {
            break;
        };
        let stream = select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => { pause(&error).await; continue }
            },
        };
        let (router, stop) = (router.clone(), stop.clone());
        connections.spawn(async move {
            let _held = room;
            serve_connection(stream, router, (Entrance::Socket, None), limits, stop).await;
        });
    }
    connections.drain().await;
}

/// An accept fails for want of descriptors or memory, or because the peer was already gone. Neither ends the listener.
async fn pause(error: &io::Error) {
    warn!(%error, "cannot accept a connection; trying again");
    sleep(ACCEPT_PAUSE).await;
}
