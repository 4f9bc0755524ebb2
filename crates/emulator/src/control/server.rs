//! Answers requests.

use std::{io, path::Path, sync::Arc, time::Duration};

use serde::Serialize;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
    sync::broadcast::error::RecvError,
    task::JoinSet,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::{CatcherInfo, ModemInfo, PhoneInfo, ReplyLine, Request, RequestLine};
use crate::{mail::Mailbox, network::Unknown, world::Shared};

/// Connections at a time; further ones wait.
const CONNECTIONS_MAX: usize = 128;
const LINE_LEN_MAX: u64 = 1024 * 1024;
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// A listening control socket.
pub(crate) struct Server {
    listener: UnixListener,
}

/// Why a request is not done.
#[derive(Debug, thiserror::Error)]
enum RequestError {
    #[error("not a request: {0}")]
    Malformed(#[from] serde_json::Error),
    #[error(transparent)]
    Unknown(#[from] Unknown),
    #[error("no mail catcher is called {0:?}; list the catchers")]
    UnknownCatcher(String),
    #[error("cannot send: {0}")]
    Send(#[from] crate::network::SendError),
    #[error("the PDU is not hexadecimal: {0}")]
    NotHexadecimal(#[from] sms::hex::HexError),
    #[error("the modem did not take it: {0:?}")]
    NotTaken(crate::modem::NotTaken),
}

impl Server {
    pub(crate) fn bind(path: &Path) -> io::Result<Self> {
        // A socket left behind by a killed emulator would block the name; one that answers is somebody's.
        if std::os::unix::net::UnixStream::connect(path).is_ok() {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        let _ = std::fs::remove_file(path);
        Ok(Self {
            listener: UnixListener::bind(path)?,
        })
    }

    pub(crate) async fn run(self, shared: Arc<Shared>, stop: CancellationToken) {
        let mut connections = JoinSet::new();
        loop {
            let room = connections.len() < CONNECTIONS_MAX;
            tokio::select! {
                () = stop.cancelled() => break,
                Some(_) = connections.join_next(), if !connections.is_empty() => {}
                accepted = self.listener.accept(), if room => {
                    if let Ok((stream, _)) = accepted {
                        connections.spawn(serve(stream, Arc::clone(&shared)));
                    }
                }
            }
        }
        connections.shutdown().await;
    }
}

async fn serve(stream: UnixStream, shared: Arc<Shared>) {
    if let Err(error) = converse(stream, &shared).await {
        tracing::debug!(%error, "control connection ended");
    }
}

async fn converse(stream: UnixStream, shared: &Shared) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut line = Vec::new();
        (&mut stream)
            .take(LINE_LEN_MAX)
            .read_until(b'\n', &mut line)
            .await?;
        if !line.ends_with(b"\n") {
            return Ok(());
        }
        let mut id = Value::Null;
        let parsed = serde_json::from_slice::<RequestLine>(&line).and_then(|line| {
            id = line.id;
            serde_json::from_value(line.request)
        });
        if matches!(parsed, Ok(Request::Subscribe)) {
            let events = shared.events();
            write_line(
                &mut stream,
                &ReplyLine {
                    id,
                    ok: true,
                    result: Value::Null,
                    error: None,
                },
            )
            .await?;
            return stream_events(stream, events).await;
        }
        let reply = match parsed
            .map_err(RequestError::from)
            .and_then(|request| answer(shared, request))
        {
            Ok(result) => ReplyLine {
                id,
                ok: true,
                result,
                error: None,
            },
            Err(error) => ReplyLine {
                id,
                ok: false,
                result: Value::Null,
                error: Some(error.to_string()),
            },
        };
        write_line(&mut stream, &reply).await?;
    }
}

async fn stream_events(
    mut stream: BufReader<UnixStream>,
    mut events: tokio::sync::broadcast::Receiver<crate::event::Event>,
) -> io::Result<()> {
    let mut ignored = [0; 256];
    loop {
        tokio::select! {
            read = stream.read(&mut ignored) => if read? == 0 { return Ok(()) },
            event = events.recv() => match event {
                Ok(event) => write_line(&mut stream, &event).await?,
                Err(RecvError::Lagged(missed)) => write_line(&mut stream, &json!({ "missed": missed })).await?,
                Err(RecvError::Closed) => return Ok(()),
            }
        }
    }
}

async fn write_line(stream: &mut BufReader<UnixStream>, value: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    timeout(WRITE_TIMEOUT, stream.get_mut().write_all(&line)).await?
}

fn answer(shared: &Shared, request: Request) -> Result<Value, RequestError> {
    let catcher = |name: &str| -> Result<&Mailbox, RequestError> {
        shared
            .mail
            .get(name)
            .ok_or_else(|| RequestError::UnknownCatcher(name.to_owned()))
    };
    Ok(match request {
        Request::Modems => json!(shared.with(|network, _| list_modems(network))),
        Request::Phones => json!(shared.with(|network, _| list_phones(network))),
        Request::Catchers => {
            let list = shared.mail.iter().map(|(name, mail)| CatcherInfo {
                name: name.clone(),
                address: mail.address(),
                received: mail.count(),
            });
            json!(list.collect::<Vec<_>>())
        }
        Request::AddPhone { number } => {
            shared.with(|network, _| network.add_phone(&number));
            Value::Null
        }
        Request::Send { from, to, text } => {
            json!({ "parts": shared.with(|network, now| network.send(now, &from, &to, &text))? })
        }
        Request::DeliverRaw { modem, tpdu } => {
            let tpdu = sms::hex::decode(&tpdu)?;
            let taken = shared.with(|network, now| {
                network.with_modem(now, &modem, |modem| modem.deliver(now, &tpdu))
            })?;
            taken.map_err(RequestError::NotTaken)?;
            Value::Null
        }
        Request::Inject { modem, text } => {
            shared.with(|network, now| {
                network.with_modem(now, &modem, |modem| modem.inject(now, text.into_bytes()))
            })?;
            Value::Null
        }
        Request::Inbox { phone, after } => {
            json!(shared.with(|network, _| network.inbox(&phone, after))?)
        }
        Request::ClearInbox { phone } => {
            shared.with(|network, _| network.clear_inbox(&phone))?;
            Value::Null
        }
        Request::SetPhone { phone, knobs } => {
            shared.with(|network, _| network.set_phone_knobs(&phone, knobs))?;
            Value::Null
        }
        Request::Call { from, modem } => {
            shared.with(|network, now| network.call(now, &from, &modem))?;
            Value::Null
        }
        Request::Knobs { modem } => {
            json!(shared.with(|network, now| {
                network.with_modem(now, &modem, |modem| modem.knobs().clone())
            })?)
        }
        Request::Set { modem, knobs } => shared.with(|network, now| {
            let before = network.with_modem(now, &modem, |modem| modem.knobs().clone())?;
            let after = before.patched(&knobs)?;
            network.set_modem_knobs(now, &modem, after.clone())?;
            Ok::<_, RequestError>(json!(after))
        })?,
        Request::SetNetwork { knobs } => shared.with(|network, _| {
            let after = network.knobs().patched(&knobs)?;
            network.set_knobs(after.clone());
            Ok::<_, RequestError>(json!(after))
        })?,
        Request::Unplug { modem } => {
            shared.with(|network, now| network.with_modem(now, &modem, |modem| modem.unplug()))?;
            Value::Null
        }
        Request::Replug { modem } => {
            shared
                .with(|network, now| network.with_modem(now, &modem, |modem| modem.replug(now)))?;
            Value::Null
        }
        Request::Mails {
            catcher: name,
            after,
        } => json!(catcher(&name)?.mails(after)),
        Request::ClearMails { catcher: name } => {
            catcher(&name)?.clear();
            Value::Null
        }
        Request::SetMail {
            catcher: name,
            rules,
        } => {
            catcher(&name)?.set_rules(rules);
            Value::Null
        }
        // Turned into a stream before it comes here.
        Request::Subscribe => Value::Null,
    })
}

fn list_modems(network: &crate::network::Network) -> Vec<ModemInfo> {
    let info = |(name, modem): (&String, &crate::modem::Modem)| ModemInfo {
        name: name.clone(),
        number: modem.config().number.clone(),
        operator: modem.config().operator.clone(),
        plugged: modem.is_plugged(),
        knobs: modem.knobs().clone(),
    };
    network.modems().map(info).collect()
}

fn list_phones(network: &crate::network::Network) -> Vec<PhoneInfo> {
    let info =
        |(number, knobs, received, incomplete, [rings, woken]): (&String, _, _, _, [u64; 2])| {
            PhoneInfo {
                number: number.clone(),
                received,
                incomplete,
                rings,
                woken,
                knobs,
            }
        };
    network.phones().map(info).collect()
}
