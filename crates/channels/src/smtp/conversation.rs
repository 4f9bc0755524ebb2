//! One conversation with one smarthost, and what its answers mean (CHANNELS §5.1).

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::Mechanism;
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Data, Mail as MailFrom, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::line_stream::LineStream;
use super::mail::Mail;
use super::settings::{Protection, SmtpPath, SmtpTimeouts};
use crate::ledger::Ticket;

/// How long a server is given to say goodbye after it has taken the mail. Its answer changes nothing.
const QUIT_TIMEOUT: Duration = Duration::from_secs(2);

/// How much of a server's answer is kept.
const WORDS_CHARS_MAX: usize = 200;

/// How one conversation ended. The text is for people and carries no address or content of ours.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum PathEnd {
    /// It took the mail over; its answer in words.
    Accepted(String),
    /// It will never take mail for this address.
    BadAddress(String),
    /// It will never take this mail, for a reason in the mail.
    BadMail(String),
    /// Not now: this mail may pass later (4xx).
    Busy(String),
    /// It cannot be reached, or does not speak as agreed. Nobody's mail goes this way for the moment.
    Unreachable(String),
    /// It refuses *us*: nobody's mail goes this way until somebody acts.
    RefusesUs(String),
    /// It may have taken the mail.
    Unknown(String),
}

/// Where in the conversation an error came up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stage {
    Connect,
    Login,
    Sender,
    Recipient,
    Content,
}

/// A conversation that came to an end; say goodbye once the end is told.
pub(super) struct Ended {
    pub(super) end: PathEnd,
    connection: Option<AsyncSmtpConnection>,
}

impl Ended {
    /// Closes the connection politely. Changes nothing about the mail.
    pub(super) async fn goodbye(self) {
        if let Some(mut connection) = self.connection {
            _ = timeout(QUIT_TIMEOUT, connection.quit()).await;
        }
    }
}

/// Hands one mail to one smarthost. Never takes longer than `timeouts.whole`.
pub(super) async fn hand_over(
    path: &SmtpPath,
    hello: &ClientId,
    timeouts: &SmtpTimeouts,
    mail: &Mail,
    ticket: &mut Ticket,
) -> Ended {
    let left_before = ticket.may_have_left();
    let mut content_sent = false;
    let ended = match timeout(
        timeouts.whole,
        talk(path, hello, timeouts, mail, ticket, &mut content_sent),
    )
    .await
    {
        Ok(ended) => ended,
        Err(_) if content_sent => alone(PathEnd::Unknown(format!(
            "no answer to the content within {:?}",
            timeouts.whole
        ))),
        Err(_) => alone(PathEnd::Unreachable(format!(
            "not through within {:?}",
            timeouts.whole
        ))),
    };
    if !left_before && !matches!(ended.end, PathEnd::Unknown(_)) {
        ticket.did_not_leave();
    }
    ended
}

/// Connects, logs in and says goodbye: would it take mail from us?
pub(super) async fn probe(
    path: &SmtpPath,
    hello: &ClientId,
    timeouts: &SmtpTimeouts,
) -> Result<(), PathEnd> {
    match timeout(timeouts.whole, enter(path, hello, timeouts)).await {
        Ok(Ok(mut connection)) => {
            _ = timeout(QUIT_TIMEOUT, connection.quit()).await;
            Ok(())
        }
        Ok(Err(end)) => Err(end),
        Err(_) => Err(PathEnd::Unreachable(format!(
            "no login within {:?}",
            timeouts.whole
        ))),
    }
}

async fn talk(
    path: &SmtpPath,
    hello: &ClientId,
    timeouts: &SmtpTimeouts,
    mail: &Mail,
    ticket: &mut Ticket,
    content_sent: &mut bool,
) -> Ended {
    let mut connection = match enter(path, hello, timeouts).await {
        Ok(connection) => connection,
        Err(end) => return alone(end),
    };
    match transaction(&mut connection, timeouts, mail, ticket, content_sent).await {
        Ok(answer) => Ended {
            end: PathEnd::Accepted(answer),
            connection: Some(connection),
        },
        // A server that fell silent is not waited for once more.
        Err(end @ (PathEnd::Unreachable(_) | PathEnd::Unknown(_))) => alone(end),
        Err(end) => Ended {
            end,
            connection: Some(connection),
        },
    }
}

fn alone(end: PathEnd) -> Ended {
    Ended {
        end,
        connection: None,
    }
}

/// A connection that is protected and logged in as the path demands.
async fn enter(
    path: &SmtpPath,
    hello: &ClientId,
    timeouts: &SmtpTimeouts,
) -> Result<AsyncSmtpConnection, PathEnd> {
    let mut connection = match timeout(timeouts.connect, connect(path, hello, timeouts)).await {
        Ok(connected) => connected?,
        Err(_) => {
            return Err(PathEnd::Unreachable(format!(
                "no connection within {:?}",
                timeouts.connect
            )));
        }
    };
    let credentials = path
        .credentials()
        .map_err(|e| PathEnd::RefusesUs(chain(&e)))?;
    if let Some(credentials) = credentials {
        let login = connection.auth(&[Mechanism::Plain, Mechanism::Login], &credentials);
        step(timeouts.command, Stage::Login, login).await?;
    }
    Ok(connection)
}

async fn connect(
    path: &SmtpPath,
    hello: &ClientId,
    timeouts: &SmtpTimeouts,
) -> Result<AsyncSmtpConnection, PathEnd> {
    let server = (path.host.as_str(), path.port);
    let failed = |e: Error| judge(Stage::Connect, &e);
    match &path.protection {
        Protection::Implicit(tls) => AsyncSmtpConnection::connect_tokio1(
            server,
            Some(timeouts.connect),
            hello,
            Some(tls.clone()),
            None,
        )
        .await
        .map_err(failed),
        Protection::StartTls(tls) => {
            let stream = tcp(path).await?;
            let mut connection =
                AsyncSmtpConnection::connect_with_transport(Box::new(stream), hello)
                    .await
                    .map_err(failed)?;
            if !connection.can_starttls() {
                return Err(PathEnd::RefusesUs(
                    "it offers no STARTTLS and mail is never sent in the clear; use its TLS port, or another smarthost".to_owned(),
                ));
            }
            connection
                .starttls(tls.clone(), hello)
                .await
                .map_err(failed)?;
            Ok(connection)
        }
        Protection::LoopbackPlain => {
            let stream = tcp(path).await?;
            if !stream
                .0
                .peer_addr()
                .is_ok_and(|peer| peer.ip().is_loopback())
            {
                return Err(PathEnd::RefusesUs(
                    "its name leads to another machine, so it needs TLS".to_owned(),
                ));
            }
            AsyncSmtpConnection::connect_with_transport(Box::new(stream), hello)
                .await
                .map_err(failed)
        }
    }
}

async fn tcp(path: &SmtpPath) -> Result<LineStream, PathEnd> {
    let stream = TcpStream::connect((path.host.as_str(), path.port)).await;
    stream
        .map(LineStream)
        .map_err(|e| PathEnd::Unreachable(format!("cannot connect: {e}")))
}

/// MAIL, RCPT, DATA and the content (RFC 5321 §3.3).
async fn transaction(
    connection: &mut AsyncSmtpConnection,
    timeouts: &SmtpTimeouts,
    mail: &Mail,
    ticket: &mut Ticket,
    content_sent: &mut bool,
) -> Result<String, PathEnd> {
    let mut parameters = Vec::new();
    if !mail
        .envelope
        .to()
        .iter()
        .chain(mail.envelope.from())
        .all(|a| AsRef::<str>::as_ref(a).is_ascii())
    {
        if !connection
            .server_info()
            .supports_feature(Extension::SmtpUtfEight)
        {
            return Err(PathEnd::BadMail(
                "it cannot carry addresses with letters outside ASCII".to_owned(),
            ));
        }
        parameters.push(MailParameter::SmtpUtfEight);
        parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
    }
    let from = MailFrom::new(mail.envelope.from().cloned(), parameters);
    step(timeouts.command, Stage::Sender, connection.command(from)).await?;
    for to in mail.envelope.to() {
        step(
            timeouts.command,
            Stage::Recipient,
            connection.command(Rcpt::new(to.clone(), Vec::new())),
        )
        .await?;
    }
    step(timeouts.command, Stage::Sender, connection.command(Data)).await?;

    // lettre writes the content and its final dot in one call, so from here only a clear answer tells what happened.
    ticket.may_leave();
    *content_sent = true;
    match timeout(timeouts.content, connection.message(&mail.bytes)).await {
        Ok(Ok(answer)) => Ok(without_addresses(
            &answer.message().collect::<Vec<_>>().join(" "),
        )),
        Ok(Err(e)) => Err(judge(Stage::Content, &e)),
        Err(_) => Err(PathEnd::Unknown(format!(
            "no answer to the content within {:?}",
            timeouts.content
        ))),
    }
}

async fn step<T>(
    limit: Duration,
    stage: Stage,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, PathEnd> {
    match timeout(limit, work).await {
        Ok(result) => result.map_err(|e| judge(stage, &e)),
        Err(_) => Err(PathEnd::Unreachable(format!("silent for {limit:?}"))),
    }
}

/// What an error at some stage says about the mail, its address, or the path.
fn judge(stage: Stage, error: &Error) -> PathEnd {
    let Some(code) = error.status() else {
        return judge_silence(stage, error);
    };
    let code = u16::from(code);
    let words = without_addresses(&error.source().map(ToString::to_string).unwrap_or_default());
    let said = format!("it said {code} {words}");
    if (400..500).contains(&code) {
        return PathEnd::Busy(said);
    }
    match stage {
        _ if refuses_us(code, &words) => PathEnd::RefusesUs(said),
        Stage::Connect | Stage::Login | Stage::Sender => PathEnd::RefusesUs(said),
        Stage::Recipient => PathEnd::BadAddress(said),
        Stage::Content => PathEnd::BadMail(said),
    }
}

/// No reply code: the connection broke, or what came was not SMTP.
fn judge_silence(stage: Stage, error: &Error) -> PathEnd {
    if let Some(tls) = find_tls_error(error) {
        let advice = if matches!(tls, rustls::Error::InvalidCertificate(_)) {
            "; give the certificate that issued it in `roots`, or its name in `tls_name`"
        } else {
            ""
        };
        return PathEnd::RefusesUs(format!("TLS failed: {tls}{advice}"));
    }
    match stage {
        Stage::Content => PathEnd::Unknown(format!(
            "the connection broke after the content: {}",
            chain(error)
        )),
        Stage::Login if error.is_client() => {
            PathEnd::RefusesUs("it offers no login we know (PLAIN, LOGIN)".to_owned())
        }
        Stage::Connect | Stage::Login | Stage::Sender | Stage::Recipient => {
            PathEnd::Unreachable(chain(error))
        }
    }
}

/// Refusals that speak of the sender, not of the address or the mail: log in first, credentials wrong, not welcome here,
/// blocked (RFC 4954 §6, RFC 3463 class 5.7, and 554, which block lists use).
fn refuses_us(code: u16, words: &str) -> bool {
    matches!(code, 521 | 530 | 534 | 535 | 538 | 554) || words.trim_start().starts_with("5.7.")
}

fn find_tls_error(error: &Error) -> Option<&rustls::Error> {
    let mut next: Option<&(dyn StdError + 'static)> = error.source();
    while let Some(cause) = next {
        if let Some(tls) = cause.downcast_ref::<rustls::Error>() {
            return Some(tls);
        }
        let inner = cause
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        if let Some(tls) = inner.and_then(|i| i.downcast_ref::<rustls::Error>()) {
            return Some(tls);
        }
        next = cause.source();
    }
    None
}

/// A server's words fit for logs: shortened, in one line, mail addresses left out.
fn without_addresses(words: &str) -> String {
    let kept: Vec<_> = words
        .split_whitespace()
        .map(|word| {
            if word.contains('@') {
                "(address)"
            } else {
                word
            }
        })
        .collect();
    kept.join(" ")
        .chars()
        .filter(|c| !c.is_control())
        .take(WORDS_CHARS_MAX)
        .collect()
}

/// An error and its causes in one line. Some causes repeat their own source; each text is said once.
fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let words = cause.to_string();
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        next = cause.source();
    }
    text
}
