//! A mail server that does as it is told: answers, falls silent or hangs up at any point of the conversation.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::ServerConfig;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// What to do instead of the usual answer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Act {
    /// Lines without their line end, each sent with one.
    Say(&'static str),
    Silence,
    Close,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Cover {
    Plain,
    StartTls,
    Implicit,
}

/// A server's part: per stage (`connect EHLO STARTTLS AUTH MAIL RCPT DATA dot`) what differs from a willing server.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    pub(crate) cover: Cover,
    pub(crate) acts: BTreeMap<&'static str, Act>,
}

impl Script {
    pub(crate) fn willing() -> Self {
        Self {
            cover: Cover::Plain,
            acts: BTreeMap::new(),
        }
    }

    pub(crate) fn at(mut self, stage: &'static str, act: Act) -> Self {
        self.acts.insert(stage, act);
        self
    }

    pub(crate) fn over(mut self, cover: Cover) -> Self {
        self.cover = cover;
        self
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// Verbs in the order they came, over all connections.
    pub(crate) verbs: Vec<String>,
    /// Contents taken over, as sent (dots unstuffed).
    pub(crate) mails: Vec<String>,
    /// Contents read to the dot, whatever the answer.
    pub(crate) dots: usize,
}

pub(crate) struct ScriptedServer {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
    task: JoinHandle<()>,
}

impl ScriptedServer {
    /// `tls` is used as the script's cover says.
    pub(crate) async fn start(script: Script, tls: &Authority) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let task = tokio::spawn(serve(listener, script, tls.acceptor(), Arc::clone(&seen)));
        Self {
            address,
            seen,
            task,
        }
    }

    pub(crate) fn seen(&self) -> Seen {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for ScriptedServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, script: Script, tls: TlsAcceptor, seen: Arc<Mutex<Seen>>) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        connections.spawn(connection(
            stream,
            script.clone(),
            tls.clone(),
            Arc::clone(&seen),
        ));
    }
}

async fn connection(stream: TcpStream, script: Script, tls: TlsAcceptor, seen: Arc<Mutex<Seen>>) {
    if script.cover == Cover::Implicit {
        if let Ok(stream) = tls.accept(stream).await {
            _ = converse(&mut BufReader::new(stream), &script, &seen, true).await;
        }
        return;
    }
    let mut stream = BufReader::new(stream);
    if converse(&mut stream, &script, &seen, true).await == Some(Next::Upgrade)
        && let Ok(stream) = tls.accept(stream.into_inner()).await
    {
        _ = converse(&mut BufReader::new(stream), &script, &seen, false).await;
    }
}

#[derive(Debug, Eq, PartialEq)]
enum Next {
    Upgrade,
}

/// `None`: the connection is over.
async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufReader<S>,
    script: &Script,
    seen: &Mutex<Seen>,
    greet: bool,
) -> Option<Next> {
    if greet {
        act(stream, script, "connect", "220 scripted.example ESMTP").await?;
    }
    loop {
        let line = read_line(stream).await?;
        let verb = line.split(' ').next().unwrap_or_default().to_uppercase();
        seen.lock().unwrap().verbs.push(verb.clone());
        match verb.as_str() {
            "EHLO" => {
                let offer = if script.cover == Cover::StartTls && greet {
                    "STARTTLS"
                } else {
                    "AUTH PLAIN LOGIN"
                };
                act(
                    stream,
                    script,
                    "EHLO",
                    &format!("250-scripted.example\r\n250 {offer}"),
                )
                .await?;
            }
            "STARTTLS" => {
                act(stream, script, "STARTTLS", "220 go ahead").await?;
                return Some(Next::Upgrade);
            }
            "AUTH" => _ = act(stream, script, "AUTH", "235 2.7.0 welcome").await?,
            "MAIL" => _ = act(stream, script, "MAIL", "250 2.1.0 ok").await?,
            "RCPT" => _ = act(stream, script, "RCPT", "250 2.1.5 ok").await?,
            "DATA" => {
                if act(stream, script, "DATA", "354 go ahead").await? {
                    continue;
                }
                let content = read_content(stream).await?;
                seen.lock().unwrap().dots += 1;
                if !act(stream, script, "dot", "250 2.0.0 queued as 4711").await? {
                    seen.lock().unwrap().mails.push(content);
                }
            }
            "QUIT" => {
                say(stream, "221 2.0.0 bye").await?;
                return None;
            }
            _ => say(stream, "502 5.5.2 what?").await?,
        }
    }
}

/// Does what the script has for a stage; tells whether that replaced the usual answer.
async fn act<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufReader<S>,
    script: &Script,
    stage: &'static str,
    usual: &str,
) -> Option<bool> {
    match script.acts.get(stage) {
        None => say(stream, usual).await.map(|()| false),
        Some(Act::Say(words)) => say(stream, words).await.map(|()| true),
        Some(Act::Close) => None,
        Some(Act::Silence) => {
            // Reads on, so that the other side sees an open, silent connection until it gives up.
            while read_line(stream).await.is_some() {}
            None
        }
    }
}

async fn say<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufReader<S>,
    words: &str,
) -> Option<()> {
    stream
        .get_mut()
        .write_all(format!("{words}\r\n").as_bytes())
        .await
        .ok()?;
    stream.get_mut().flush().await.ok()
}

async fn read_line<S: AsyncRead + Unpin>(stream: &mut BufReader<S>) -> Option<String> {
    let mut line = String::new();
    match stream.read_line(&mut line).await {
        Ok(n) if n > 0 => Some(line.trim_end_matches(['\r', '\n']).to_owned()),
        _ => None,
    }
}

async fn read_content<S: AsyncRead + Unpin>(stream: &mut BufReader<S>) -> Option<String> {
    let mut content = String::new();
    loop {
        let line = read_line(stream).await?;
        if line == "." {
            return Some(content);
        }
        content.push_str(line.strip_prefix('.').unwrap_or(&line));
        content.push_str("\r\n");
    }
}

/// A certificate authority and a server certificate by it.
pub(crate) struct Authority {
    pub(crate) root_pem: String,
    /// Key and certificate of the server, for programs that read files.
    pub(crate) server_pem: String,
    server: Arc<ServerConfig>,
}

impl Authority {
    /// `names`: what the server certificate is good for. `expired`: it was, until long ago.
    pub(crate) fn new(names: &[&str], expired: bool) -> Self {
        let mut root = CertificateParams::default();
        root.distinguished_name
            .push(DnType::CommonName, "scripted root");
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = CertifiedIssuer::self_signed(root, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let mut leaf =
            CertificateParams::new(names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>())
                .unwrap();
        if expired {
            leaf.not_before = rcgen::date_time_ymd(2001, 1, 1);
            leaf.not_after = rcgen::date_time_ymd(2002, 1, 1);
        }
        let leaf = leaf.signed_by(&key, &root).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![leaf.der().clone()],
                key.serialize_der().try_into().unwrap(),
            )
            .unwrap();
        let server_pem = format!("{}{}", key.serialize_pem(), leaf.pem());
        Self {
            root_pem: root.pem(),
            server_pem,
            server: Arc::new(server),
        }
    }

    fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.server))
    }
}
