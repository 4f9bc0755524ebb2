//! Asks one node: over HTTPS as a program outside would, or over its local socket as its operator would.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use rustls::RootCertStore;
use rustls::crypto::ring;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use serde_json::Value;
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// How long opening a connection may take.
const CONNECT_TIME: Duration = Duration::from_secs(2);

/// Says that an island gave this answer.
const ISLAND: &str = "holdfast-island";

/// One way to ask one node. A connection is kept from one request to the next.
pub(crate) struct Door {
    to: To,
    authorization: Option<String>,
    open: Option<Open>,
}

#[derive(Clone)]
enum To {
    Socket(PathBuf),
    Https(SocketAddr, TlsConnector),
}

struct Open {
    sender: SendRequest<Full<Bytes>>,
    _driver: JoinSet<()>,
}

/// What came of a request.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// The node answered.
    Answer(Answer),
    /// The request never left, so it did nothing.
    Unreached,
    /// It left, and no answer came: it may or may not have been done.
    Silent,
}

/// A node's answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// An island answered.
    pub(crate) island: bool,
    /// Null when it was no JSON.
    pub(crate) body: Value,
}

impl Answer {
    /// The last word of a problem's type, such as `outcome-unknown`; empty for a good answer.
    pub(crate) fn problem(&self) -> &str {
        let kind = self.body["type"].as_str().unwrap_or_default();
        kind.rsplit(':').next().unwrap_or_default()
    }

    pub(crate) fn is_good(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// The TLS setting for these certificates.
pub(crate) fn trust(ca_file: &Path) -> Result<TlsConnector> {
    let read = || format!("cannot read certificates from {}", ca_file.display());
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca_file).with_context(read)? {
        roots.add(certificate.with_context(read)?)?;
    }
    let config = rustls::ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

impl Door {
    pub(crate) fn https(at: SocketAddr, key: &str, tls: TlsConnector) -> Self {
        Self {
            to: To::Https(at, tls),
            authorization: Some(format!("Bearer {key}")),
            open: None,
        }
    }

    pub(crate) fn socket(path: &Path) -> Self {
        Self {
            to: To::Socket(path.to_owned()),
            authorization: None,
            open: None,
        }
    }

    /// Reads something; an error in words when there is no good answer.
    pub(crate) async fn get(&mut self, path: &str, patience: Duration) -> Result<Value> {
        good(self.ask(Method::GET, path, None, None, patience).await)
    }

    /// Changes something once, whatever comes of it; an error in words when there is no good answer.
    pub(crate) async fn change(
        &mut self,
        method: Method,
        path: &str,
        body: &Value,
        patience: Duration,
    ) -> Result<Value> {
        good(self.ask(method, path, Some(body), None, patience).await)
    }

    /// One request. `key` is its idempotency key.
    pub(crate) async fn ask(
        &mut self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        key: Option<&str>,
        patience: Duration,
    ) -> Reply {
        // Taken out: a connection with an unfinished exchange on it is of no more use.
        let open = self.open.take().filter(|open| !open.sender.is_closed());
        let mut open = match open {
            Some(open) => open,
            None => match timeout(CONNECT_TIME, self.connect()).await {
                Ok(Ok(open)) => open,
                Ok(Err(_)) | Err(_) => return Reply::Unreached,
            },
        };
        let Ok(request) = self.request(method, path, body, key) else {
            return Reply::Unreached;
        };
        if open.sender.ready().await.is_err() {
            return Reply::Unreached;
        }
        match timeout(patience, exchange(&mut open, request)).await {
            Ok(Ok(answer)) => {
                self.open = Some(open);
                Reply::Answer(answer)
            }
            Ok(Err(_)) | Err(_) => Reply::Silent,
        }
    }

    async fn connect(&self) -> Result<Open> {
        match &self.to {
            To::Socket(path) => open(UnixStream::connect(path).await?).await,
            To::Https(at, tls) => {
                let tcp = TcpStream::connect(at).await?;
                tcp.set_nodelay(true)?;
                let name = ServerName::IpAddress(at.ip().into());
                open(tls.connect(name, tcp).await?).await
            }
        }
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        key: Option<&str>,
    ) -> Result<Request<Full<Bytes>>> {
        let host = match &self.to {
            To::Socket(_) => "localhost".to_owned(),
            To::Https(at, _) => at.to_string(),
        };
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, host);
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let bytes = body.map(Value::to_string).unwrap_or_default();
        request
            .body(Full::new(Bytes::from(bytes)))
            .context("a request that cannot be written")
    }
}

async fn open<S>(stream: S) -> Result<Open>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
{
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    let mut driver = JoinSet::new();
    // Its end shows as an error of the next request.
    driver.spawn(async move { _ = connection.await });
    Ok(Open {
        sender,
        _driver: driver,
    })
}

async fn exchange(open: &mut Open, request: Request<Full<Bytes>>) -> Result<Answer> {
    let response = open.sender.send_request(request).await?;
    let status = response.status().as_u16();
    let island = is_island(response.headers());
    let bytes = response.into_body().collect().await?.to_bytes();
    let body: Value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    Ok(Answer {
        status,
        island: island || body["durability"] == "island",
        body,
    })
}

fn is_island(headers: &HeaderMap) -> bool {
    headers.contains_key(ISLAND)
}

fn good(reply: Reply) -> Result<Value> {
    match reply {
        Reply::Answer(answer) if answer.is_good() => Ok(answer.body),
        Reply::Answer(answer) => Err(anyhow!(
            "the node answered {}: {}",
            answer.status,
            answer.body
        )),
        Reply::Unreached => Err(anyhow!("the node cannot be reached")),
        Reply::Silent => Err(anyhow!("the node gave no answer")),
    }
}
