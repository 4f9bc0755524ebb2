//! Asks a running world, from the same process or another.

use std::{
    io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::UnixStream,
    sync::Mutex,
    time::{sleep, timeout},
};

use super::{CatcherInfo, ModemInfo, PhoneInfo, ReplyLine, Request};
use crate::{
    event::{Event, Mail, Message},
    mail::MailRule,
    modem::Knobs,
    network::NetworkKnobs,
    phone::PhoneKnobs,
};

const REPLY_TIMEOUT: Duration = Duration::from_secs(10);
/// How often waiting calls look again.
const POLL_EVERY: Duration = Duration::from_millis(20);
/// A reply can list 10,000 mails.
const LINE_LEN_MAX: u64 = 256 * 1024 * 1024;

/// Why a request has no result.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens there.
    #[error("no emulator answers at {path}")]
    Connect {
        /// The control socket.
        path: PathBuf,
        #[source]
        #[allow(missing_docs)]
        source: io::Error,
    },
    /// The connection broke.
    #[error("the emulator's control connection broke")]
    Io(#[from] io::Error),
    /// No reply in time.
    #[error("the emulator did not reply within {0:?}")]
    Silent(Duration),
    /// The emulator said no.
    #[error("the emulator refused: {0}")]
    Refused(String),
    /// A reply of another form; the emulator is another version.
    #[error("the emulator's reply cannot be read")]
    Malformed(#[from] serde_json::Error),
    /// What was waited for did not come.
    #[error("{what} did not happen within {waited:?}")]
    NotInTime {
        /// What.
        what: String,
        /// How long was waited.
        waited: Duration,
    },
}

/// A connection to the control socket; requests are answered in order.
pub struct Client {
    path: PathBuf,
    stream: Mutex<BufReader<UnixStream>>,
}

impl Client {
    /// Connects.
    ///
    /// # Errors
    /// See [`ClientError`]; so for every other request.
    pub async fn connect(path: impl AsRef<Path>) -> Result<Self, ClientError> {
        let path = path.as_ref().to_owned();
        let stream = UnixStream::connect(&path).await;
        let stream = stream.map_err(|source| ClientError::Connect {
            path: path.clone(),
            source,
        })?;
        Ok(Self {
            path,
            stream: Mutex::new(BufReader::new(stream)),
        })
    }

    /// Asks anything.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn request(&self, request: &Request) -> Result<Value, ClientError> {
        let mut line = serde_json::to_vec(request)?;
        line.push(b'\n');
        let mut stream = self.stream.lock().await;
        let exchange = async {
            stream.get_mut().write_all(&line).await?;
            read_line(&mut stream).await
        };
        let reply = timeout(REPLY_TIMEOUT, exchange)
            .await
            .map_err(|_| ClientError::Silent(REPLY_TIMEOUT))??;
        let reply: ReplyLine = serde_json::from_slice(&reply)?;
        match reply.error {
            Some(error) => Err(ClientError::Refused(error)),
            None => Ok(reply.result),
        }
    }

    async fn ask<T: DeserializeOwned>(&self, request: Request) -> Result<T, ClientError> {
        Ok(serde_json::from_value(self.request(&request).await?)?)
    }

    /// All modems.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn modems(&self) -> Result<Vec<ModemInfo>, ClientError> {
        self.ask(Request::Modems).await
    }

    /// All phones.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn phones(&self) -> Result<Vec<PhoneInfo>, ClientError> {
        self.ask(Request::Phones).await
    }

    /// All mail catchers.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn catchers(&self) -> Result<Vec<CatcherInfo>, ClientError> {
        self.ask(Request::Catchers).await
    }

    /// Adds a phone.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn add_phone(&self, number: &str) -> Result<(), ClientError> {
        self.ask(Request::AddPhone {
            number: number.to_owned(),
        })
        .await
    }

    /// Sends a text from a phone, or any number or name, to a modem or phone.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn send(&self, from: &str, to: &str, text: &str) -> Result<(), ClientError> {
        let (from, to, text) = (from.to_owned(), to.to_owned(), text.to_owned());
        self.request(&Request::Send { from, to, text })
            .await
            .map(drop)
    }

    /// A phone's complete messages with an id above `after` (0 for all), oldest first.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn inbox(&self, phone: &str, after: u64) -> Result<Vec<Message>, ClientError> {
        self.ask(Request::Inbox {
            phone: phone.to_owned(),
            after,
        })
        .await
    }

    /// Waits until a phone holds at least so many messages, and gives all of them.
    ///
    /// # Errors
    /// [`ClientError::NotInTime`], or another.
    pub async fn wait_inbox(
        &self,
        phone: &str,
        least: usize,
        limit: Duration,
    ) -> Result<Vec<Message>, ClientError> {
        let what = format!("the arrival of {least} messages at {phone}");
        wait(what, limit, || async {
            Ok(Some(self.inbox(phone, 0).await?).filter(|inbox| inbox.len() >= least))
        })
        .await
    }

    /// Empties a phone's inbox.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn clear_inbox(&self, phone: &str) -> Result<(), ClientError> {
        self.ask(Request::ClearInbox {
            phone: phone.to_owned(),
        })
        .await
    }

    /// Turns a phone's knobs.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn set_phone(&self, phone: &str, knobs: PhoneKnobs) -> Result<(), ClientError> {
        self.ask(Request::SetPhone {
            phone: phone.to_owned(),
            knobs,
        })
        .await
    }

    /// Rings a modem from a number.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn call(&self, from: &str, modem: &str) -> Result<(), ClientError> {
        self.ask(Request::Call {
            from: from.to_owned(),
            modem: modem.to_owned(),
        })
        .await
    }

    /// A modem's knobs.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn knobs(&self, modem: &str) -> Result<Knobs, ClientError> {
        self.ask(Request::Knobs {
            modem: modem.to_owned(),
        })
        .await
    }

    /// Turns some of a modem's knobs, e.g. `json!({"hang": "until_reset", "creg": 2})`; gives all of them.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn set(&self, modem: &str, knobs: Value) -> Result<Knobs, ClientError> {
        self.ask(Request::Set {
            modem: modem.to_owned(),
            knobs,
        })
        .await
    }

    /// Turns some of the network's knobs; gives all of them.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn set_network(&self, knobs: Value) -> Result<NetworkKnobs, ClientError> {
        self.ask(Request::SetNetwork { knobs }).await
    }

    /// Takes a modem's power and port away.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn unplug(&self, modem: &str) -> Result<(), ClientError> {
        self.ask(Request::Unplug {
            modem: modem.to_owned(),
        })
        .await
    }

    /// Gives a modem its power and a new port under the same link.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn replug(&self, modem: &str) -> Result<(), ClientError> {
        self.ask(Request::Replug {
            modem: modem.to_owned(),
        })
        .await
    }

    /// Hands a modem a transport PDU as it is.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn deliver_raw(&self, modem: &str, tpdu: &[u8]) -> Result<(), ClientError> {
        self.ask(Request::DeliverRaw {
            modem: modem.to_owned(),
            tpdu: sms::hex::encode(tpdu),
        })
        .await
    }

    /// Writes text to a modem's port, whatever it is doing.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn inject(&self, modem: &str, text: &str) -> Result<(), ClientError> {
        self.ask(Request::Inject {
            modem: modem.to_owned(),
            text: text.to_owned(),
        })
        .await
    }

    /// A catcher's mails with an id above `after` (0 for all), oldest first.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn mails(&self, catcher: &str, after: u64) -> Result<Vec<Mail>, ClientError> {
        self.ask(Request::Mails {
            catcher: catcher.to_owned(),
            after,
        })
        .await
    }

    /// Waits until a catcher holds at least so many mails, and gives all of them.
    ///
    /// # Errors
    /// [`ClientError::NotInTime`], or another.
    pub async fn wait_mails(
        &self,
        catcher: &str,
        least: usize,
        limit: Duration,
    ) -> Result<Vec<Mail>, ClientError> {
        let what = format!("the arrival of {least} mails at {catcher}");
        wait(what, limit, || async {
            Ok(Some(self.mails(catcher, 0).await?).filter(|mails| mails.len() >= least))
        })
        .await
    }

    /// Forgets a catcher's mails.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn clear_mails(&self, catcher: &str) -> Result<(), ClientError> {
        self.ask(Request::ClearMails {
            catcher: catcher.to_owned(),
        })
        .await
    }

    /// Replaces the ways in which a catcher fails.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn set_mail(&self, catcher: &str, rules: Vec<MailRule>) -> Result<(), ClientError> {
        self.ask(Request::SetMail {
            catcher: catcher.to_owned(),
            rules,
        })
        .await
    }

    /// Hears of everything that happens from now on, over a connection of its own.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn subscribe(&self) -> Result<Events, ClientError> {
        let other = Self::connect(&self.path).await?;
        other.request(&Request::Subscribe).await?;
        Ok(Events {
            stream: other.stream.into_inner(),
        })
    }
}

/// What happens in the world, in order.
pub struct Events {
    stream: BufReader<UnixStream>,
}

impl Events {
    /// Waits for the next event, for as long as it takes. Events this reader was too slow for are skipped.
    ///
    /// # Errors
    /// The world ended, or the connection broke.
    pub async fn next(&mut self) -> Result<Event, ClientError> {
        loop {
            let line: Value = serde_json::from_slice(&read_line(&mut self.stream).await?)?;
            match line.get("missed") {
                Some(missed) => tracing::warn!(%missed, "events missed"),
                None => return Ok(serde_json::from_value(line)?),
            }
        }
    }
}

async fn read_line(stream: &mut BufReader<UnixStream>) -> Result<Vec<u8>, ClientError> {
    let mut line = Vec::new();
    stream
        .take(LINE_LEN_MAX)
        .read_until(b'\n', &mut line)
        .await?;
    if line.ends_with(b"\n") {
        Ok(line)
    } else {
        Err(io::Error::from(io::ErrorKind::UnexpectedEof).into())
    }
}

async fn wait<T, F: Future<Output = Result<Option<T>, ClientError>>>(
    what: String,
    limit: Duration,
    mut look: impl FnMut() -> F,
) -> Result<T, ClientError> {
    let started = Instant::now();
    loop {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        if started.elapsed() >= limit {
            return Err(ClientError::NotInTime {
                what,
                waited: limit,
            });
        }
        sleep(POLL_EVERY).await;
    }
}
