//! Mail in: a small SMTP listener that takes mail for sources, one address each, `KEY@…`, reports by anybody at one
//! address, and answers to our own mails at addresses sealed for them (`reply+…@`), and relays nothing.
//!
//! [`Session`] is the protocol, [`document`] reads a mail; this shell owns sockets, bounds and time. A mail is answered as
//! taken only once its signals are in the log; until then its sender keeps it and tries again.

mod parse;
mod reply;
mod session;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use domain::inbound::{self, ReceiveMail};
use domain::ports::{Clock, Freshness, Proposal, Replica};
use domain::sources::{self, Arrival, Arrived, Command, Kind, Source};
use domain::{Actor, Command as DomainCommand, Outcome, RequestId, deliveries, reports};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::select;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use self::parse::{document, report};
use self::session::{IncomingMail, Session, SessionEvent, SessionRules, Verdict};
use crate::networks;

/// The largest mail (CHANNELS §5.2).
const SIZE_MAX: usize = 256 * 1024;
const RECIPIENTS_MAX: usize = 10;
/// Characters kept of who wrote a report (RFC 5321 §4.5.3.1.3).
const ADDRESS_LEN_MAX: usize = 254;
const HOUR_MS: i64 = 3_600_000;
/// Sessions at the same time; others wait in the listener's queue.
const SESSIONS_MAX: usize = 16;
/// A sender that says nothing for so long is cut off.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// And one that takes longer than this altogether.
const SESSION_MAX: Duration = Duration::from_secs(300);
const WRITE_TIME: Duration = Duration::from_secs(30);
const PROPOSE_TIME: Duration = Duration::from_secs(60);
/// After an accept that failed, for want of file handles for instance.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// How the listener is set up.
#[derive(Clone, Debug)]
pub struct MailInSettings {
    pub address: SocketAddr,
    /// The node's name, for the greeting.
    pub name: String,
    /// The part after the @ of addresses that are taken.
    pub domain: String,
    /// The part before the @ where anybody may report something; stands before a source of this key.
    pub reports: Option<String>,
    /// Whence mail is taken: addresses with the number of leading bits that count. Empty: from this machine only.
    pub from: Vec<(IpAddr, u8)>,
    /// The node's certificate; follows it when it is renewed.
    pub tls: watch::Receiver<Arc<ServerConfig>>,
}

/// A bound listener.
pub struct MailIn {
    listener: TcpListener,
    settings: Arc<MailInSettings>,
    replica: Arc<dyn Replica>,
    clock: Arc<dyn Clock>,
}

impl MailIn {
    /// Binds the address.
    pub async fn bind(
        settings: MailInSettings,
        replica: Arc<dyn Replica>,
        clock: Arc<dyn Clock>,
    ) -> std::io::Result<Self> {
        Ok(Self {
            clock,
            listener: TcpListener::bind(settings.address).await?,
            settings: Arc::new(settings),
            replica,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Takes mail until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let places = Arc::new(Semaphore::new(SESSIONS_MAX));
        let mut sessions = JoinSet::new();
        let taken = Arc::new(AtomicU64::new(0));
        loop {
            let place = select! {
                () = stop.cancelled() => break,
                place = Arc::clone(&places).acquire_owned() => place,
            };
            let Ok(place) = place else { break };
            let accepted = select! {
                () = stop.cancelled() => break,
                accepted = self.listener.accept() => accepted,
            };
            while sessions.try_join_next().is_some() {}
            match accepted {
                Ok((stream, peer)) if self.allows(peer.ip()) => {
                    let desk = Desk {
                        settings: Arc::clone(&self.settings),
                        replica: Arc::clone(&self.replica),
                        clock: Arc::clone(&self.clock),
                        taken: Arc::clone(&taken),
                    };
                    sessions.spawn(async move {
                        if timeout(SESSION_MAX, desk.serve(stream)).await.is_err() {
                            debug!("a mail session took too long");
                        }
                        drop(place);
                    });
                }
                Ok((_, peer)) => {
                    info!(peer = %peer.ip(), "mail refused: the address is not in mail_in.from");
                }
                Err(error) => {
                    warn!(%error, "cannot take a mail connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        sessions.shutdown().await;
    }

    fn allows(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        match self.settings.from.is_empty() {
            true => peer.is_loopback(),
            false => self
                .settings
                .from
                .iter()
                .any(|(net, bits)| networks::contains(*net, *bits, peer)),
        }
    }
}

/// What one session needs.
struct Desk {
    settings: Arc<MailInSettings>,
    replica: Arc<dyn Replica>,
    clock: Arc<dyn Clock>,
    /// Mails since the start.
    taken: Arc<AtomicU64>,
}

/// Why a session left its stream.
enum Left {
    Over,
    Secure,
}

impl Desk {
    async fn serve(&self, mut stream: TcpStream) {
        let mut session = Session::new(SessionRules {
            name: self.settings.name.clone(),
            domain: self.settings.domain.clone(),
            size_max: SIZE_MAX,
            recipients_max: RECIPIENTS_MAX,
            tls: true,
        });
        match self.talk(&mut session, &mut stream).await {
            Ok(Left::Secure) => {}
            Ok(Left::Over) => return,
            Err(error) => return debug!(%error, "a mail session broke off"),
        }
        let acceptor = TlsAcceptor::from(self.settings.tls.borrow().clone());
        let secure = timeout(SILENCE_MAX, acceptor.accept(stream)).await;
        let Ok(Ok(mut stream)) = secure else {
            return debug!("a mail session did not become secure");
        };
        session.secured();
        if let Err(error) = self.talk(&mut session, &mut stream).await {
            debug!(%error, "a mail session broke off");
        }
    }

    async fn talk<S>(&self, session: &mut Session, stream: &mut S) -> std::io::Result<Left>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut buffer = vec![0; 8 * 1024];
        loop {
            let mut left = None;
            while let Some(event) = session.poll_event() {
                match event {
                    SessionEvent::Recipient(local) => {
                        session.recipient(self.knows(&local).await);
                    }
                    SessionEvent::Mail(mail) => session.mail(self.take(&mail).await),
                    SessionEvent::StartTls => left = Some(Left::Secure),
                    SessionEvent::Close => left = Some(Left::Over),
                }
            }
            while let Some(bytes) = session.poll_transmit() {
                timeout(WRITE_TIME, stream.write_all(&bytes))
                    .await
                    .map_err(|_| std::io::ErrorKind::TimedOut)??;
            }
            if let Some(left) = left {
                stream.flush().await?;
                return Ok(left);
            }
            match timeout(SILENCE_MAX, stream.read(&mut buffer)).await {
                Ok(Ok(0)) => return Ok(Left::Over),
                Ok(Ok(count)) => session.handle_input(&buffer[..count]),
                Ok(Err(error)) => return Err(error),
                Err(_) => session.handle_timeout(),
            }
        }
    }

    /// Whether a source takes mail at this address.
    async fn knows(&self, local: &str) -> Verdict {
        if self.is_for_reports(local) {
            return Verdict::Taken;
        }
        match self.answers(local).await {
            Ok(true) => return Verdict::Taken,
            Ok(false) => {}
            Err(verdict) => return verdict,
        }
        match self.source(local).await {
            Ok(Some(_)) => Verdict::Taken,
            Ok(None) => Verdict::Refused,
            Err(verdict) => verdict,
        }
    }

    fn is_for_reports(&self, local: &str) -> bool {
        self.settings.reports.as_deref() == Some(local)
    }

    /// Whether a mail of ours is answered at this address.
    async fn answers(&self, local: &str) -> Result<bool, Verdict> {
        let view = self.replica.read(Freshness::Local).await;
        let mut view = view.map_err(|_| Verdict::Later)?;
        let secret = deliveries::reply_secret(&mut view).await;
        let secret = secret.map_err(|_| Verdict::Later)?;
        Ok(secret.is_some_and(|secret| secret.read(local).is_some()))
    }

    async fn source(&self, key: &str) -> Result<Option<Source>, Verdict> {
        let view = self.replica.read(Freshness::Local).await;
        let mut view = view.map_err(|_| Verdict::Later)?;
        let row = sources::source(&mut view, key).await;
        let row = row.map_err(|_| Verdict::Later)?;
        Ok(row
            .map(|row| row.source)
            .filter(|source| source.kind == Kind::Email))
    }

    /// Puts what a mail says through the log: a report first, so that a mail that cannot be one is refused as a whole.
    async fn take(&self, mail: &IncomingMail) -> Verdict {
        for local in &mail.to {
            match self.answers(local).await {
                // An answer is one to one mail of ours; whatever else it was sent to as well is not.
                Ok(true) => return self.take_answer(mail, local).await,
                Ok(false) => {}
                Err(verdict) => return verdict,
            }
        }
        let reports = mail.to.iter().any(|local| self.is_for_reports(local));
        if reports {
            let verdict = self.take_report(mail).await;
            if verdict != Verdict::Taken || mail.to.len() == 1 {
                return verdict;
            }
        }
        let verdict = self.take_signals(mail).await;
        // A report is in the log by now; a second try would only repeat it.
        if reports && verdict == Verdict::Refused {
            return Verdict::Taken;
        }
        verdict
    }

    async fn take_answer(&self, mail: &IncomingMail, local: &str) -> Verdict {
        let answer = match reply::answer(&mail.bytes, &mail.from, local) {
            Ok(answer) => answer,
            Err(error) => {
                info!(%error, "a mail was not taken");
                return Verdict::Refused;
            }
        };
        let request = RequestId::derive(&[b"inbound", &answer.key]);
        let command = DomainCommand::Inbound(inbound::Command::ReceiveMail(ReceiveMail {
            key: answer.key,
            node: self.replica.node(),
            to: local.to_owned(),
            from: answer.from,
            subject: answer.subject,
            text: answer.text,
            automatic: answer.automatic,
            wall_ms: self.clock.wall().0,
        }));
        match self.propose(Proposal::by_loop(request, command)).await {
            Some(Outcome::Applied(_) | Outcome::Unchanged) => Verdict::Taken,
            Some(Outcome::Refused(_) | Outcome::Conflict | Outcome::Defect(_)) => Verdict::Refused,
            None => Verdict::Later,
        }
    }

    async fn take_report(&self, mail: &IncomingMail) -> Verdict {
        let report = match report(&mail.bytes, &mail.from) {
            Ok(report) => report,
            Err(error) => {
                info!(%error, "a mail was not taken");
                return Verdict::Refused;
            }
        };
        // The same mail sent again is the same report, at whichever node. A refusal is remembered, too: later in the
        // day the mail must be asked about anew.
        let hour = self.replica.now().0.div_euclid(HOUR_MS).to_be_bytes();
        for name in [&b""[..], &hour] {
            let command = DomainCommand::Reports(reports::Command::Take(report.clone()));
            let request = RequestId::derive(&[b"mail report", &mail.bytes, name]);
            let proposal = Proposal {
                actor: Actor::Mail {
                    address: mail.from.chars().take(ADDRESS_LEN_MAX).collect(),
                },
                ..Proposal::by_loop(request, command)
            };
            match self.propose(proposal).await {
                Some(Outcome::Applied(_) | Outcome::Unchanged) => return Verdict::Taken,
                Some(Outcome::Refused(_)) => {}
                Some(Outcome::Conflict | Outcome::Defect(_)) => return Verdict::Refused,
                None => return Verdict::Later,
            }
        }
        // What cannot be taken now, for being cut off or for too many that wait, stays with its sender.
        Verdict::Later
    }

    async fn take_signals(&self, mail: &IncomingMail) -> Verdict {
        let document = match document(&mail.bytes, &mail.from) {
            Ok(document) => document,
            Err(error) => {
                info!(%error, "a mail was not taken");
                return Verdict::Refused;
            }
        };
        let mut arrivals = Vec::new();
        for key in mail.to.iter().filter(|local| !self.is_for_reports(local)) {
            let source = match self.source(key).await {
                Ok(Some(source)) => source,
                Ok(None) => continue, // removed since its address was confirmed
                Err(verdict) => return verdict,
            };
            match sources::signals(&source, &document) {
                Ok(signals) => arrivals.extend(signals.into_iter().map(|signal| Arrival {
                    source: key.clone(),
                    what: Arrived::Signal(signal),
                })),
                Err(error) => {
                    warn!(source = key, %error, "a mail does not fit its source's mapping");
                    arrivals.push(Arrival {
                        source: key.clone(),
                        what: Arrived::Signal(sources::unreadable(&source)),
                    });
                }
            }
        }
        if arrivals.is_empty() {
            return Verdict::Refused;
        }
        let command = DomainCommand::Sources(Command::Take { arrivals });
        // A mail that is taken twice is counted twice and told once, so every taking has a name of its own.
        let nth = self.taken.fetch_add(1, Ordering::Relaxed);
        let request = RequestId::derive(&[
            b"mail in",
            &self.replica.node().0.to_be_bytes(),
            &self.replica.now().0.to_be_bytes(),
            &nth.to_be_bytes(),
            &mail.bytes,
        ]);
        match self.propose(Proposal::by_loop(request, command)).await {
            Some(Outcome::Applied(_) | Outcome::Unchanged) => Verdict::Taken,
            Some(Outcome::Refused(_) | Outcome::Conflict | Outcome::Defect(_)) => Verdict::Refused,
            None => Verdict::Later,
        }
    }

    /// What a command came to, if that is known.
    async fn propose(&self, proposal: Proposal) -> Option<Outcome> {
        let proposed = timeout(PROPOSE_TIME, self.replica.propose(proposal)).await;
        Some(proposed.ok()?.ok()?.outcome)
    }
}
