//! What the operator says about mail, checked once at start.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lettre::Address;
use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, TlsParameters};
use lettre::transport::smtp::extension::ClientId;

/// Bytes of a credentials file that are read, at most.
const CREDENTIALS_LEN_MAX: usize = 4096;

/// The mail channel of one node.
#[derive(Clone, Debug)]
pub struct SmtpSettings {
    /// Name of the channel, unique on this node.
    pub name: String,
    /// Sender of every mail: `alerts@example.org` or `Aurora alerts <alerts@example.org>`. Its domain also ends every
    /// `Message-ID`, so all nodes of a cluster should share it.
    pub from: String,
    /// What this node calls itself in EHLO: a host name or an address literal such as `[127.0.0.1]`.
    pub hello_name: String,
    /// Tried in this order; one that is known to be down comes last.
    pub smarthosts: Vec<Smarthost>,
    /// Mails being sent at the same time. Usual: 4.
    pub in_flight_max: usize,
    /// Mails taken and not yet ended, at most (DESIGN C3). Usual: 50.
    pub queue_len_max: usize,
    pub timeouts: SmtpTimeouts,
    /// How often each smarthost is tried without a mail, so that refused credentials show before an alert does.
    /// `None`: never.
    pub probe_every: Option<Duration>,
    /// The part after the @ of the addresses at which answers by mail are taken. `None`: mails say nothing about it.
    pub answers_at: Option<String>,
}

/// One mail server that takes our mail and carries it on.
#[derive(Clone, Debug)]
pub struct Smarthost {
    /// For logs, health and evidence.
    pub name: String,
    /// Host name or IP address.
    pub host: String,
    pub port: u16,
    pub tls: SmtpTls,
    /// Name its certificate must carry, when it differs from `host` (a host given as an address needs no DNS).
    pub tls_name: Option<String>,
    /// PEM file of the certificates that may have issued its certificate. `None`: those the machine trusts.
    pub roots: Option<PathBuf>,
    /// File with the user name in the first line and the password in the second. Read at every connection.
    pub credentials: Option<PathBuf>,
}

/// How the way to a smarthost is protected. There is no way to switch verification off.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SmtpTls {
    /// Plain greeting, then TLS before anything else (RFC 3207); usually port 587.
    StartTls,
    /// TLS from the first byte (RFC 8314 §3); usually port 465.
    Implicit,
    /// No TLS. Only to this machine itself.
    LoopbackPlain,
}

/// Limits on one smarthost; each mail may use them once per smarthost.
#[derive(Clone, Copy, Debug)]
pub struct SmtpTimeouts {
    /// Name lookup, TCP, TLS, greeting and EHLO together.
    pub connect: Duration,
    /// One command and its answer.
    pub command: Duration,
    /// From the content's first byte to the answer after the final dot.
    pub content: Duration,
    /// The whole conversation.
    pub whole: Duration,
}

impl Default for SmtpTimeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            command: Duration::from_secs(15),
            content: Duration::from_secs(45),
            whole: Duration::from_secs(60),
        }
    }
}

/// Why the mail channel cannot be set up as configured.
#[derive(Debug, thiserror::Error)]
pub enum SmtpError {
    #[error(
        "mail channel {channel} names no smarthost; give at least one, better two of different providers"
    )]
    NoSmarthost { channel: String },
    #[error(
        "mail channel {channel}: {from:?} is not a sender address; write alerts@example.org or Name <alerts@example.org>"
    )]
    From {
        channel: String,
        from: String,
        #[source]
        source: lettre::address::AddressError,
    },
    #[error(
        "mail channel {channel}: {hello_name:?} is not a host name; use the node's full name or [its address]"
    )]
    HelloName { channel: String, hello_name: String },
    #[error("mail channel {channel}: {what} must be at least 1")]
    Zero { channel: String, what: &'static str },
    #[error(
        "smarthost {smarthost}: {host} is not this machine, so mail to it needs TLS; set starttls or implicit"
    )]
    PlainToRemote { smarthost: String, host: String },
    #[error("smarthost {smarthost}: cannot read {}; the file must exist and be readable by this program", path.display())]
    Unreadable {
        smarthost: String,
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("smarthost {smarthost}: {} holds no usable PEM certificate", path.display())]
    Roots { smarthost: String, path: PathBuf },
    #[error("smarthost {smarthost}: {} must hold the user name in line 1 and the password in line 2", path.display())]
    Credentials { smarthost: String, path: PathBuf },
    #[error("smarthost {smarthost}: cannot prepare TLS for the name {name:?}")]
    Tls {
        smarthost: String,
        name: String,
        #[source]
        source: lettre::transport::smtp::Error,
    },
}

/// Checked settings, ready for use.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) name: String,
    pub(super) from: Mailbox,
    pub(super) hello: ClientId,
    pub(super) paths: Vec<SmtpPath>,
    pub(super) in_flight_max: usize,
    pub(super) queue_len_max: usize,
    pub(super) timeouts: SmtpTimeouts,
    pub(super) probe_every: Option<Duration>,
    pub(super) answers_at: Option<String>,
}

/// One smarthost, checked.
pub(super) struct SmtpPath {
    pub(super) name: String,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) protection: Protection,
    credentials: Option<PathBuf>,
}

/// As [`SmtpTls`], with what is needed to do it.
#[derive(Clone)]
pub(super) enum Protection {
    StartTls(TlsParameters),
    Implicit(TlsParameters),
    LoopbackPlain,
}

impl SmtpPath {
    /// The credentials as the file has them now, so that a changed password needs no restart.
    pub(super) fn credentials(&self) -> Result<Option<Credentials>, SmtpError> {
        self.credentials
            .as_deref()
            .map(|path| read_credentials(&self.name, path))
            .transpose()
    }
}

impl fmt::Debug for SmtpPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmtpPath")
            .field("name", &self.name)
            .field("host", &self.host)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

/// Reads every file the settings name and refuses what cannot work.
pub(super) fn check(settings: SmtpSettings) -> Result<Checked, SmtpError> {
    let channel = settings.name;
    if settings.smarthosts.is_empty() {
        return Err(SmtpError::NoSmarthost { channel });
    }
    for (value, what) in [
        (settings.in_flight_max, "in_flight_max"),
        (settings.queue_len_max, "queue_len_max"),
    ] {
        if value == 0 {
            return Err(SmtpError::Zero { channel, what });
        }
    }
    let from = match settings.from.parse::<Mailbox>() {
        Ok(from) => from,
        Err(source) => {
            return Err(SmtpError::From {
                channel,
                from: settings.from,
                source,
            });
        }
    };
    let Some(hello) = client_id(&settings.hello_name) else {
        return Err(SmtpError::HelloName {
            channel,
            hello_name: settings.hello_name,
        });
    };
    let paths = settings
        .smarthosts
        .into_iter()
        .map(check_smarthost)
        .collect::<Result<_, _>>()?;
    Ok(Checked {
        name: channel,
        from,
        hello,
        paths,
        in_flight_max: settings.in_flight_max,
        queue_len_max: settings.queue_len_max,
        timeouts: settings.timeouts,
        probe_every: settings.probe_every,
        answers_at: settings.answers_at,
    })
}

fn check_smarthost(smarthost: Smarthost) -> Result<SmtpPath, SmtpError> {
    let protection = match smarthost.tls {
        SmtpTls::StartTls => Protection::StartTls(tls_parameters(&smarthost)?),
        SmtpTls::Implicit => Protection::Implicit(tls_parameters(&smarthost)?),
        SmtpTls::LoopbackPlain if is_loopback_name(&smarthost.host) => Protection::LoopbackPlain,
        SmtpTls::LoopbackPlain => {
            return Err(SmtpError::PlainToRemote {
                smarthost: smarthost.name,
                host: smarthost.host,
            });
        }
    };
    if let Some(path) = &smarthost.credentials {
        read_credentials(&smarthost.name, path)?;
    }
    Ok(SmtpPath {
        name: smarthost.name,
        host: smarthost.host,
        port: smarthost.port,
        protection,
        credentials: smarthost.credentials,
    })
}

fn tls_parameters(smarthost: &Smarthost) -> Result<TlsParameters, SmtpError> {
    let name = smarthost
        .tls_name
        .clone()
        .unwrap_or_else(|| smarthost.host.clone());
    let mut tls = TlsParameters::builder(name.clone());
    if let Some(path) = &smarthost.roots {
        tls = tls
            .certificate_store(CertificateStore::None)
            .add_root_certificate(read_roots(&smarthost.name, path)?);
    }
    tls.build_rustls().map_err(|source| SmtpError::Tls {
        smarthost: smarthost.name.clone(),
        name,
        source,
    })
}

fn read_roots(smarthost: &str, path: &Path) -> Result<Certificate, SmtpError> {
    let pem = read(smarthost, path)?;
    // The parser is content with a file without any certificate; then nothing would ever be trusted.
    let some = String::from_utf8_lossy(&pem).contains("-----BEGIN CERTIFICATE-----");
    let roots = Certificate::from_pem(&pem).ok().filter(|_| some);
    roots.ok_or_else(|| SmtpError::Roots {
        smarthost: smarthost.to_owned(),
        path: path.to_owned(),
    })
}

fn read_credentials(smarthost: &str, path: &Path) -> Result<Credentials, SmtpError> {
    let malformed = || SmtpError::Credentials {
        smarthost: smarthost.to_owned(),
        path: path.to_owned(),
    };
    let bytes = read(smarthost, path)?;
    if bytes.len() > CREDENTIALS_LEN_MAX {
        return Err(malformed());
    }
    let text = String::from_utf8(bytes).map_err(|_| malformed())?;
    let mut lines = text.lines();
    match (lines.next(), lines.next()) {
        (Some(user), Some(password)) if !user.is_empty() && !password.is_empty() => {
            Ok(Credentials::new(user.to_owned(), password.to_owned()))
        }
        _ => Err(malformed()),
    }
}

fn read(smarthost: &str, path: &Path) -> Result<Vec<u8>, SmtpError> {
    std::fs::read(path).map_err(|source| SmtpError::Unreadable {
        smarthost: smarthost.to_owned(),
        path: path.to_owned(),
        source,
    })
}

fn is_loopback_name(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn client_id(name: &str) -> Option<ClientId> {
    if let Some(literal) = name.strip_prefix('[').and_then(|n| n.strip_suffix(']')) {
        return match literal.parse::<IpAddr>().ok()? {
            IpAddr::V4(ip) => Some(ClientId::Ipv4(ip)),
            IpAddr::V6(ip) => Some(ClientId::Ipv6(ip)),
        };
    }
    // The same rule as for the right side of an address: it keeps spaces and line ends out of EHLO.
    Address::new("x", name)
        .ok()
        .filter(|_| name.is_ascii())
        .map(|_| ClientId::Domain(name.to_owned()))
}
