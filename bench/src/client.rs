//! One HTTPS connection to one node, kept open between requests, and the way to make such connections.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::RootCertStore;
use rustls::crypto::ring;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use serde_json::Value;
use tokio::net::TcpSocket;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

/// How to reach one node with the right to do everything.
#[derive(Clone)]
pub(crate) struct Endpoint {
    address: SocketAddr,
    /// The address connections come from; `None`: whichever the kernel takes.
    from: Option<IpAddr>,
    host: HeaderValue,
    authorization: HeaderValue,
    tls: TlsConnector,
}

/// What a node answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
}

/// An open connection. It ends when this is dropped, and with it whatever was being asked.
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    driver: JoinHandle<()>,
    endpoint: Endpoint,
}

/// The one TLS setting all connections share: the cluster's own certificate is all that is trusted.
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

impl Endpoint {
    pub(crate) fn new(address: SocketAddr, key: &str, tls: TlsConnector) -> Result<Self> {
        Ok(Self {
            address,
            from: None,
            host: HeaderValue::try_from(address.to_string())?,
            authorization: bearer(key)?,
            tls,
        })
    }

    /// The same node, asked from one of this machine's addresses.
    pub(crate) fn coming_from(&self, from: IpAddr) -> Self {
        Self {
            from: Some(from),
            ..self.clone()
        }
    }

    /// The same node, asked with another API key.
    pub(crate) fn with_key(&self, key: &str) -> Result<Self> {
        Ok(Self {
            authorization: bearer(key)?,
            ..self.clone()
        })
    }

    /// Opens a connection. The caller bounds the time.
    pub(crate) async fn connect(&self) -> Result<Connection> {
        let socket = match self.address {
            SocketAddr::V4(_) => TcpSocket::new_v4(),
            SocketAddr::V6(_) => TcpSocket::new_v6(),
        }?;
        if let Some(from) = self.from {
            socket.bind(SocketAddr::new(from, 0))?;
        }
        let tcp = socket
            .connect(self.address)
            .await
            .with_context(|| format!("cannot reach {}", self.address))?;
        tcp.set_nodelay(true)?;
        let name = ServerName::IpAddress(self.address.ip().into());
        let tls = self
            .tls
            .connect(name, tcp)
            .await
            .with_context(|| format!("no TLS with {}", self.address))?;
        let (sender, connection) = handshake(TokioIo::new(tls)).await?;
        // Its end shows as an error of the next request; the handle ends it with the connection's owner.
        let driver = tokio::spawn(async move { _ = connection.await });
        Ok(Connection {
            sender,
            driver,
            endpoint: self.clone(),
        })
    }

    /// One request on a connection of its own. The caller bounds the time.
    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<Bytes>,
        key: Option<&str>,
    ) -> Result<Answer> {
        self.connect().await?.ask(method, path, body, key).await
    }

    /// Reads a document. The caller bounds the time.
    pub(crate) async fn get(&self, path: &str) -> Result<Value> {
        self.ask(Method::GET, path, None, None).await?.json()
    }

    /// Changes something once. The caller bounds the time.
    pub(crate) async fn change(&self, method: Method, path: &str, body: &Value) -> Result<Value> {
        let body = Bytes::from(body.to_string());
        self.ask(method, path, Some(body), None).await?.json()
    }
}

fn bearer(key: &str) -> Result<HeaderValue> {
    HeaderValue::try_from(format!("Bearer {key}")).context("the API key is not printable")
}

impl Connection {
    /// Begins a stream: its body is read by the caller, for as long as the connection is kept.
    pub(crate) async fn stream(&mut self, path: &str) -> Result<Incoming> {
        let request = Request::builder()
            .uri(path)
            .header(HOST, &self.endpoint.host)
            .header(AUTHORIZATION, &self.endpoint.authorization)
            .body(Full::default())?;
        self.sender.ready().await?;
        let response = self.sender.send_request(request).await?;
        if !response.status().is_success() {
            return Err(anyhow!("the node answered {} to {path}", response.status()));
        }
        Ok(response.into_body())
    }

    /// One exchange; the connection stays open. The caller bounds the time and drops the connection after an error.
    pub(crate) async fn ask(
        &mut self,
        method: Method,
        path: &str,
        body: Option<Bytes>,
        key: Option<&str>,
    ) -> Result<Answer> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, &self.endpoint.host)
            .header(AUTHORIZATION, &self.endpoint.authorization);
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let request = request.body(Full::new(body.unwrap_or_default()))?;
        self.sender.ready().await?;
        let response = self.sender.send_request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        Ok(Answer { status, body })
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Answer {
    /// The body of a good answer; an error with the node's own words otherwise.
    pub(crate) fn json(&self) -> Result<Value> {
        if !self.status.is_success() {
            let words = String::from_utf8_lossy(&self.body);
            return Err(anyhow!("the node answered {}: {words}", self.status));
        }
        if self.body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&self.body).context("the node's answer is not JSON")
    }
}
