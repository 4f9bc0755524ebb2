//! A caller that shows everything it is answered: one connection per request.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{HeaderMap, Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

const ANSWER_TIME: Duration = Duration::from_secs(30);

#[derive(Clone)]
enum Way {
    Https(SocketAddr, CertificateDer<'static>),
    Plain(SocketAddr),
    Socket(PathBuf),
}

/// Somebody who asks.
#[derive(Clone)]
pub(super) struct Client {
    way: Way,
    headers: Vec<(&'static str, String)>,
}

/// What they were answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
    /// The same as it came, for files.
    pub(super) bytes: Vec<u8>,
}

impl Client {
    pub(super) fn https(
        address: SocketAddr,
        certificate: CertificateDer<'static>,
        key: Option<&str>,
    ) -> Self {
        let headers = key
            .map(|key| ("authorization", format!("Bearer {key}")))
            .into_iter()
            .collect();
        Self {
            way: Way::Https(address, certificate),
            headers,
        }
    }

    pub(super) fn plain(address: SocketAddr) -> Self {
        Self {
            way: Way::Plain(address),
            headers: Vec::new(),
        }
    }

    pub(super) fn socket(path: PathBuf) -> Self {
        Self {
            way: Way::Socket(path),
            headers: Vec::new(),
        }
    }

    /// The same caller with one more header.
    pub(super) fn with(&self, name: &'static str, value: &str) -> Self {
        let mut more = self.clone();
        more.headers.push((name, value.to_owned()));
        more
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await
    }

    pub(super) async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, None).await
    }

    pub(super) async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(
            Method::POST,
            path,
            Some(("application/json", body.to_string().into_bytes())),
        )
        .await
    }

    pub(super) async fn upload(&self, path: &str, file: Vec<u8>) -> Answer {
        let body = ("application/octet-stream", file);
        self.send(Method::POST, path, Some(body)).await
    }

    pub(super) async fn put(&self, path: &str, body: Value) -> Answer {
        self.send(
            Method::PUT,
            path,
            Some(("application/json", body.to_string().into_bytes())),
        )
        .await
    }

    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<(&str, Vec<u8>)>,
    ) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "127.0.0.1");
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        if let Some((content_type, _)) = &body {
            request = request.header("content-type", *content_type);
        }
        let request = request
            .body(Full::new(Bytes::from(
                body.map(|(_, bytes)| bytes).unwrap_or_default(),
            )))
            .unwrap();
        let asked = async {
            match &self.way {
                Way::Https(address, certificate) => {
                    ask(connect(*address, certificate).await.unwrap(), request).await
                }
                Way::Plain(address) => {
                    ask(TcpStream::connect(address).await.unwrap(), request).await
                }
                Way::Socket(path) => ask(UnixStream::connect(path).await.unwrap(), request).await,
            }
        };
        timeout(ANSWER_TIME, asked).await.unwrap()
    }
}

impl Answer {
    /// The body, if the status is this one.
    #[track_caller]
    pub(super) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        if self.text.is_empty() {
            Value::Null
        } else {
            serde_json::from_str(&self.text).unwrap()
        }
    }

    /// The problem's short name, if the answer is a problem with this status.
    #[track_caller]
    pub(super) fn problem(self, status: u16) -> (String, Value) {
        assert_eq!(
            self.headers["content-type"], "application/problem+json",
            "{}",
            self.text
        );
        let body = self.expect(status);
        assert_eq!(body["status"], status);
        let name = body["type"]
            .as_str()
            .unwrap()
            .strip_prefix("urn:holdfast:problem:")
            .unwrap()
            .to_owned();
        assert!(!body["detail"].as_str().unwrap().is_empty());
        (name, body)
    }

    /// The problem's detail, if the answer is this problem.
    #[track_caller]
    pub(super) fn refusal(self, status: u16, name: &str) -> Value {
        let (found, body) = self.problem(status);
        assert_eq!(found, name);
        body
    }
}

/// A TLS connection that trusts exactly this certificate.
pub(super) async fn connect(
    address: SocketAddr,
    certificate: &CertificateDer<'static>,
) -> std::io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let config = rustls::ClientConfig::builder_with_provider(Arc::new(
        rustls::crypto::ring::default_provider(),
    ))
    .with_safe_default_protocol_versions()
    .unwrap()
    .with_root_certificates(roots)
    .with_no_client_auth();
    let stream = TcpStream::connect(address).await?;
    TlsConnector::from(Arc::new(config))
        .connect(ServerName::from(address.ip()), stream)
        .await
}

async fn ask<S>(stream: S, request: Request<Full<Bytes>>) -> Answer
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    let asked = async move {
        let response = sender.send_request(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Answer {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8_lossy(&bytes).into_owned(),
            bytes: bytes.to_vec(),
        }
    };
    // The server may close before it has read a body it refuses; the answer counts, not the end of the connection.
    let (answer, _) = tokio::join!(asked, connection);
    answer
}
