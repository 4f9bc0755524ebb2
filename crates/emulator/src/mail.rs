//! A mail catcher: an SMTP server on loopback that keeps what it is sent and fails as told (RFC 5321; extensions SIZE,
//! PIPELINING, 8BITMIME, AUTH). No TLS, no relaying, no check of any address or password.

mod session;

use std::{
    collections::VecDeque,
    io,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};
use tokio::{net::TcpListener, sync::broadcast, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    event::{Event, Mail},
    world::civil_ms,
};

/// Mails a catcher keeps; the oldest go first.
const MAILS_LEN_MAX: usize = 10_000;
/// Sessions at a time; further clients are turned away with 421.
const SESSIONS_MAX: usize = 128;

/// What a catcher is.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct MailConfig {
    /// Names it in the control protocol; letters, digits, `-` and `_`.
    pub name: String,
    /// TCP port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// Every mail is also written here, as `<id>.eml`.
    pub directory: Option<PathBuf>,
    /// Offers AUTH PLAIN and LOGIN; any password is right unless a rule says otherwise.
    pub offers_auth: bool,
    /// How it fails from the start.
    pub rules: Vec<MailRule>,
}

/// Where in a session a rule takes effect.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MailStage {
    /// Instead of the greeting.
    Connect,
    /// `EHLO` or `HELO`.
    Ehlo,
    /// `AUTH`.
    Auth,
    /// `MAIL FROM`.
    Mail,
    /// `RCPT TO`.
    Rcpt,
    /// `DATA`, before the text.
    Data,
    /// After the final dot.
    Body,
    /// `QUIT`.
    Quit,
}

/// What happens there instead of the usual.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MailAction {
    /// This reply; 2xx at `body` stores, anything else does not.
    Reply {
        /// Reply code.
        code: u16,
        /// Text after it, enhanced code included.
        text: String,
    },
    /// The usual, after so many milliseconds.
    Delay(u64),
    /// No reply; the connection stays open.
    Silence,
    /// The connection closes.
    Close,
    /// At `body`: the mail is stored, then the connection closes without a reply. Elsewhere as `close`.
    AcceptThenClose,
}

/// One way to fail; the first rule that fits is used.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct MailRule {
    /// Where.
    pub stage: MailStage,
    /// What.
    pub action: MailAction,
    /// How often; without it, always.
    #[serde(default)]
    pub times: Option<u32>,
    /// Only when the command's line contains this, e.g. an address.
    #[serde(default)]
    pub only: Option<String>,
}

impl MailRule {
    /// Always replies like this at that stage.
    #[must_use]
    pub fn reply(stage: MailStage, code: u16, text: &str) -> Self {
        Self {
            stage,
            action: MailAction::Reply {
                code,
                text: text.to_owned(),
            },
            times: None,
            only: None,
        }
    }

    /// Always does this at that stage.
    #[must_use]
    pub fn always(stage: MailStage, action: MailAction) -> Self {
        Self {
            stage,
            action,
            times: None,
            only: None,
        }
    }
}

/// What a catcher has taken, and how it fails; shared by its sessions and the control socket.
#[derive(Clone)]
pub(crate) struct Mailbox(Arc<MailboxState>);

struct MailboxState {
    config: MailConfig,
    address: SocketAddr,
    events: broadcast::Sender<Event>,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    mails: VecDeque<Mail>,
    taken: u64,
    rules: Vec<MailRule>,
}

impl Mailbox {
    pub(crate) fn address(&self) -> SocketAddr {
        self.0.address
    }

    /// Mails with an id above `after`, oldest first.
    pub(crate) fn mails(&self, after: u64) -> Vec<Mail> {
        self.lock()
            .mails
            .iter()
            .filter(|mail| mail.id > after)
            .cloned()
            .collect()
    }

    pub(crate) fn count(&self) -> u64 {
        self.lock().taken
    }

    pub(crate) fn clear(&self) {
        self.lock().mails.clear();
    }

    pub(crate) fn set_rules(&self, rules: Vec<MailRule>) {
        self.lock().rules = rules;
    }

    fn offers_auth(&self) -> bool {
        self.0.config.offers_auth
    }

    /// The action of the first rule that fits, used up by one.
    fn action(&self, stage: MailStage, line: &str) -> Option<MailAction> {
        let mut inner = self.lock();
        let fits = |rule: &MailRule| {
            rule.stage == stage
                && rule.times != Some(0)
                && rule
                    .only
                    .as_ref()
                    .is_none_or(|part| line.contains(part.as_str()))
        };
        let rule = inner.rules.iter_mut().find(|rule| fits(rule))?;
        rule.times = rule.times.map(|times| times - 1);
        Some(rule.action.clone())
    }

    /// Keeps a mail.
    ///
    /// # Errors
    /// The directory cannot be written; the mail is not kept then.
    async fn store(&self, from: String, to: Vec<String>, data: &[u8]) -> io::Result<()> {
        let id = {
            let mut inner = self.lock();
            inner.taken += 1;
            inner.taken
        };
        if let Some(directory) = &self.0.config.directory {
            tokio::fs::create_dir_all(directory).await?;
            tokio::fs::write(directory.join(format!("{id}.eml")), data).await?;
        }
        let data = String::from_utf8_lossy(data).into_owned();
        let mail = Mail {
            id,
            from,
            to,
            data,
            at_ms: civil_ms(),
        };
        {
            let mut inner = self.lock();
            if inner.mails.len() >= MAILS_LEN_MAX {
                inner.mails.pop_front();
            }
            inner.mails.push_back(mail.clone());
        }
        let _ = self.0.events.send(Event::Mailed {
            catcher: self.0.config.name.clone(),
            mail,
        });
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A listening mail catcher.
pub(crate) struct Catcher {
    listener: TcpListener,
    mailbox: Mailbox,
}

impl Catcher {
    pub(crate) async fn listen(
        config: MailConfig,
        events: broadcast::Sender<Event>,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, config.port)).await?;
        let address = listener.local_addr()?;
        let inner = Mutex::new(Inner {
            rules: config.rules.clone(),
            ..Inner::default()
        });
        Ok(Self {
            listener,
            mailbox: Mailbox(Arc::new(MailboxState {
                config,
                address,
                events,
                inner,
            })),
        })
    }

    pub(crate) fn mailbox(&self) -> Mailbox {
        self.mailbox.clone()
    }

    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut sessions = JoinSet::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                Some(_) = sessions.join_next(), if !sessions.is_empty() => {}
                accepted = self.listener.accept() => {
                    let Ok((stream, _)) = accepted else { continue };
                    let full = sessions.len() >= SESSIONS_MAX;
                    sessions.spawn(session::run(stream, self.mailbox.clone(), full));
                }
            }
        }
        sessions.shutdown().await;
    }
}

#[cfg(test)]
mod tests;
