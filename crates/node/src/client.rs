//! Speaks HTTP `/v1` to a node: over the local socket, or over HTTPS to one of several nodes in turn.
//!
//! A change carries an `Idempotency-Key`, so asking the next node after a silence does it once all the same.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_rustls::TlsConnector;

use crate::output::{Exit, Failure, Output};

/// Opening a connection to one node.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// One exchange when there are other nodes to ask; a node that is cut off says nothing at all.
const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(3);

/// Pause after every node was asked once.
const ROUND_PAUSE: Duration = Duration::from_millis(50);

/// The largest answer read.
const ANSWER_LEN_MAX: usize = 64 << 20;

/// What a node answered.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// Null when there was no body.
    pub(crate) body: Value,
    /// The same as it came, for answers that are files.
    pub(crate) bytes: Bytes,
    /// Set when the node is cut off: its letter and what people call it.
    island: Option<(String, String)>,
}

/// A way to ask a cluster.
#[derive(Clone)]
pub(crate) struct Client {
    targets: Vec<Target>,
    authorization: Option<String>,
    tls: Option<TlsConnector>,
    deadline: Duration,
    /// Where to say, once, that the node that answers is cut off.
    marks: Option<(Output, Arc<AtomicBool>)>,
}

#[derive(Clone, Debug)]
enum Target {
    Socket(PathBuf),
    Https { host: String, port: u16 },
}

/// What goes with a request.
enum Body {
    None,
    Json(Bytes),
    /// Takes its time; no node is given up after moments.
    File(Bytes),
}

/// Why one node gave no answer.
#[derive(Debug)]
enum TryError {
    /// It was not reached, so it did nothing.
    Unreached(anyhow::Error),
    /// The request left and nothing came back.
    NoAnswer(anyhow::Error),
}

impl Client {
    /// Asks this machine's node. `deadline` bounds one call, all tries included.
    pub(crate) fn local(socket: &Path, deadline: Duration) -> Self {
        Self {
            targets: vec![Target::Socket(socket.to_owned())],
            authorization: None,
            tls: None,
            deadline,
            marks: None,
        }
    }

    /// Asks the first of `urls` that answers. `key_file` holds the API key, `ca_file` the certificates to trust.
    pub(crate) fn remote(
        urls: &[String],
        key_file: &Path,
        ca_file: Option<&Path>,
        deadline: Duration,
    ) -> Result<Self, Failure> {
        let key = std::fs::read_to_string(key_file)
            .with_context(|| format!("cannot read the API key in {}", key_file.display()))?;
        let ca_file = ca_file.unwrap_or(Path::new("/etc/ssl/certs/ca-certificates.crt"));
        let tls = tls(ca_file)
            .with_context(|| format!("cannot use the certificates in {}", ca_file.display()))?;
        let targets = urls
            .iter()
            .map(|url| parse_url(url))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            targets,
            authorization: Some(format!("Bearer {}", key.trim())),
            tls: Some(tls),
            deadline,
            marks: None,
        })
    }

    /// Tells the person at the keyboard when the node that answers is cut off.
    pub(crate) fn marking(self, output: Output) -> Self {
        Self {
            marks: Some((output, Arc::default())),
            ..self
        }
    }

    fn mark(&self, answer: &Answer) {
        if let (Some((output, told)), Some((letter, site))) = (&self.marks, &answer.island)
            && !told.swap(true, Ordering::Relaxed)
        {
            output.note(format!(
                "{site} ({letter}) is cut off from the cluster: this is its own view, and what is done here reaches the others later"
            ));
        }
    }

    /// The same way to ask with another patience.
    pub(crate) fn within(&self, deadline: Duration) -> Self {
        Self {
            deadline,
            ..self.clone()
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Value, Failure> {
        succeed(self.ask(Method::GET, path, None, None).await?)
    }

    /// A file.
    pub(crate) async fn download(&self, path: &str) -> Result<Bytes, Failure> {
        let answer = self.ask(Method::GET, path, None, None).await?;
        let bytes = answer.bytes.clone();
        succeed(answer).map(|_| bytes)
    }

    /// Sends a file, once, however often it must be sent.
    pub(crate) async fn upload(&self, path: &str, file: Vec<u8>) -> Result<Value, Failure> {
        let key = new_key();
        let body = Body::File(Bytes::from(file));
        succeed(self.send(Method::POST, path, &body, Some(&key)).await?)
    }

    /// Sends a piece of a file.
    pub(crate) async fn put_bytes(&self, path: &str, piece: Vec<u8>) -> Result<Value, Failure> {
        let key = new_key();
        let body = Body::File(Bytes::from(piece));
        succeed(self.send(Method::PUT, path, &body, Some(&key)).await?)
    }

    /// Changes something, once, however often it must be asked.
    pub(crate) async fn change(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        succeed(self.ask(method, path, body, Some(&new_key())).await?)
    }

    /// As [`Self::change`], under a key the caller chose.
    pub(crate) async fn change_as(
        &self,
        key: &str,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        succeed(self.ask(method, path, body, Some(key)).await?)
    }

    /// Asks node after node until one gives an answer that another could not better, or the deadline comes.
    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        key: Option<&str>,
    ) -> Result<Answer, Failure> {
        let body = body.map_or(Body::None, |value| {
            Body::Json(Bytes::from(value.to_string()))
        });
        self.send(method, path, &body, key).await
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: &Body,
        key: Option<&str>,
    ) -> Result<Answer, Failure> {
        let deadline = Instant::now() + self.deadline;
        let mut may_have_happened = false;
        let mut last: Result<Answer, anyhow::Error> = Err(anyhow!("no node was asked"));
        while Instant::now() < deadline {
            for target in &self.targets {
                let patience = match body {
                    Body::None | Body::Json(_) if self.targets.len() > 1 => EXCHANGE_TIMEOUT,
                    Body::None | Body::Json(_) | Body::File(_) => self.deadline,
                };
                let until = deadline.min(Instant::now() + patience);
                match self.exchange(target, until, &method, path, body, key).await {
                    Ok(answer) if !is_worth_asking_again(answer.status) => {
                        self.mark(&answer);
                        return Ok(answer);
                    }
                    Ok(answer) => last = Ok(answer),
                    Err(TryError::Unreached(error)) => last = Err(error),
                    Err(TryError::NoAnswer(error)) => {
                        may_have_happened = true;
                        last = Err(error);
                    }
                }
            }
            // A node that is simply not running will not appear within a person's patience.
            if self.targets.len() == 1 && last.is_err() && !may_have_happened {
                break;
            }
            sleep(ROUND_PAUSE).await;
        }
        match last {
            Ok(answer) => Ok(answer),
            Err(error) if may_have_happened && method != Method::GET => {
                let text =
                    "no answer in time; it may or may not have happened, look before you repeat it";
                Err(Failure::of(Exit::TimedOut, error.context(text)))
            }
            Err(error) if may_have_happened => Err(Failure::of(Exit::TimedOut, error)),
            Err(error) => Err(Failure::of(Exit::Failure, error)),
        }
    }

    async fn exchange(
        &self,
        target: &Target,
        until: Instant,
        method: &Method,
        path: &str,
        body: &Body,
        key: Option<&str>,
    ) -> Result<Answer, TryError> {
        let connected = timeout_at(until, timeout(CONNECT_TIMEOUT, self.connect(target))).await;
        let io = match connected {
            Ok(Ok(Ok(io))) => io,
            Ok(Ok(Err(error))) => return Err(TryError::Unreached(error)),
            Ok(Err(_)) | Err(_) => {
                return Err(TryError::Unreached(anyhow!("{target} does not answer")));
            }
        };
        let request = self
            .request(target, method, path, body, key)
            .map_err(TryError::Unreached)?;
        match timeout_at(until, talk(io, request)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(TryError::NoAnswer(
                error.context(format!("{target} broke off")),
            )),
            Err(_) => Err(TryError::NoAnswer(anyhow!(
                "{target} gave no answer in time"
            ))),
        }
    }

    async fn connect(&self, target: &Target) -> Result<Box<dyn Stream>, anyhow::Error> {
        match (target, &self.tls) {
            (Target::Socket(path), _) => {
                let hint = || {
                    format!(
                        "cannot reach the node at {}; is `holdfast run` running, and are you its user or root?",
                        path.display()
                    )
                };
                Ok(Box::new(
                    UnixStream::connect(path).await.with_context(hint)?,
                ))
            }
            (Target::Https { host, port }, Some(tls)) => {
                let tcp = TcpStream::connect((host.as_str(), *port))
                    .await
                    .with_context(|| format!("cannot reach {target}"))?;
                tcp.set_nodelay(true)
                    .with_context(|| format!("cannot use the connection to {target}"))?;
                let name = ServerName::try_from(host.clone())
                    .with_context(|| format!("{host} is not a host name"))?;
                let hint = || {
                    format!("{target} did not prove itself; give its certificate with --ca-file")
                };
                Ok(Box::new(tls.connect(name, tcp).await.with_context(hint)?))
            }
            (Target::Https { .. }, None) => Err(anyhow!("HTTPS needs certificates to trust")),
        }
    }

    fn request(
        &self,
        target: &Target,
        method: &Method,
        path: &str,
        body: &Body,
        key: Option<&str>,
    ) -> Result<Request<Full<Bytes>>, anyhow::Error> {
        let host = match target {
            Target::Socket(_) => "localhost".to_owned(),
            Target::Https { host, port } => format!("{host}:{port}"),
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
        let (media_type, bytes) = match body {
            Body::None => (None, Bytes::new()),
            Body::Json(bytes) => (Some("application/json"), bytes.clone()),
            Body::File(bytes) => (Some("application/octet-stream"), bytes.clone()),
        };
        if let Some(media_type) = media_type {
            request = request.header(CONTENT_TYPE, media_type);
        }
        request
            .body(Full::new(bytes))
            .context("the request cannot be written")
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Socket(path) => write!(f, "the node at {}", path.display()),
            Self::Https { host, port } => write!(f, "https://{host}:{port}"),
        }
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A fresh idempotency key.
pub(crate) fn new_key() -> String {
    data_encoding::HEXLOWER.encode(&rand::random::<[u8; 16]>())
}

/// A path segment with everything but unreserved characters escaped (RFC 3986 §2.3).
pub(crate) fn segment(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

/// The body of a good answer, or the failure a bad one stands for (RFC 9457 problem details).
pub(crate) fn succeed(answer: Answer) -> Result<Value, Failure> {
    if answer.status.is_success() {
        return Ok(answer.body);
    }
    let exit = match answer.status.as_u16() {
        401 | 403 => Exit::NotAuthorised,
        404 => Exit::NotFound,
        409 | 412 => Exit::Conflict,
        429 | 503 | 507 => Exit::Degraded,
        504 => Exit::TimedOut,
        _ => Exit::Failure,
    };
    let text = ["detail", "title"]
        .iter()
        .find_map(|field| answer.body.get(field)?.as_str());
    let text = text.map_or_else(
        || format!("the node answered {}", answer.status),
        str::to_owned,
    );
    // Several mistakes are named one by one; a single one stands in the detail.
    let named = answer.body["errors"].as_array().filter(|all| all.len() > 1);
    let text = named.into_iter().flatten().fold(text, |text, error| {
        let of = |field: &str| error[field].as_str().unwrap_or_default().to_owned();
        format!("{text}\n  {}: {}", of("pointer"), of("detail"))
    });
    let refused = matches!(answer.status.as_u16(), 400 | 404 | 409 | 412 | 413 | 422);
    let failure = Failure::new(exit, text);
    Err(if refused { failure.refused() } else { failure })
}

async fn talk(io: Box<dyn Stream>, request: Request<Full<Bytes>>) -> Result<Answer, anyhow::Error> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(io)).await?;
    let exchange = async {
        let response = sender.send_request(request).await?;
        let status = response.status();
        let text = |name| Some(response.headers().get(name)?.to_str().ok()?.to_owned());
        let island = text("holdfast-island")
            .map(|letter| (letter, text("holdfast-island-site").unwrap_or_default()));
        let body = Limited::new(response.into_body(), ANSWER_LEN_MAX)
            .collect()
            .await
            .map_err(|e| anyhow!(e))?
            .to_bytes();
        let value = if body.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&body)
                .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&body).into_owned()))
        };
        Ok(Answer {
            status,
            body: value,
            bytes: body,
            island,
        })
    };
    tokio::pin!(exchange);
    tokio::select! {
        done = &mut exchange => done,
        // The connection may end just before its last answer is picked up.
        _ = connection => exchange.await,
    }
}

/// Another node may do better: this one is cut off from the majority, overloaded or starting.
fn is_worth_asking_again(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 502..=504)
}

fn parse_url(url: &str) -> Result<Target, Failure> {
    let bad = || {
        Failure::new(
            Exit::Usage,
            format!("{url:?} is not a node's address; write https://host:port"),
        )
    };
    let uri: Uri = url.parse().map_err(|_| bad())?;
    if uri.scheme_str() != Some("https") || !matches!(uri.path(), "" | "/") {
        return Err(bad());
    }
    let host = uri
        .host()
        .ok_or_else(bad)?
        .trim_matches(['[', ']'])
        .to_owned();
    Ok(Target::Https {
        host,
        port: uri.port_u16().unwrap_or(443),
    })
}

fn tls(ca_file: &Path) -> Result<TlsConnector, anyhow::Error> {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca_file)? {
        roots.add(certificate?)?;
    }
    let config = rustls::ClientConfig::builder_with_provider(cluster::crypto::provider())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_addresses_of_nodes_are_taken() {
        for (url, ok) in [
            ("https://n1.example.org:7443", true),
            ("https://[::1]:7443/", true),
            ("http://n1:7443", false),
            ("n1:7443", false),
            ("https://n1/v1", false),
        ] {
            assert_eq!(parse_url(url).is_ok(), ok, "{url}");
        }
    }

    #[test]
    fn statuses_become_exit_codes() {
        for (status, exit) in [
            (401, Exit::NotAuthorised),
            (404, Exit::NotFound),
            (409, Exit::Conflict),
            (422, Exit::Failure),
            (503, Exit::Degraded),
        ] {
            let body = serde_json::json!({ "title": "t", "detail": "why" });
            let failure = succeed(Answer {
                status: StatusCode::from_u16(status).unwrap(),
                body,
                bytes: Bytes::new(),
                island: None,
            })
            .unwrap_err();
            assert_eq!(
                (failure.exit, failure.error.to_string().as_str()),
                (exit, "why")
            );
        }
    }

    #[test]
    fn a_segment_cannot_become_a_path() {
        assert_eq!(segment("a/b ä?"), "a%2Fb%20%C3%A4%3F");
    }
}
