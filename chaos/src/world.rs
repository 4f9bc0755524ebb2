//! The world outside the nodes: modems and phones in one emulated mobile network, and a mail server on each site.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};
use emulator::WorldConfig;
use emulator::control::Client;
use emulator::event::Event;
use emulator::mail::{MailAction, MailConfig, MailRule, MailStage};
use emulator::modem::{Between, ModemConfig};
use serde::Serialize;
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::network::enter;

/// People who can be alerted.
pub(crate) const PEOPLE: usize = 8;

/// Of these, so many answer by text; the others only through the API.
pub(crate) const TEXTERS: usize = 4;

/// Port of each site's mail server, on its loopback.
pub(crate) const MAIL_PORT: u16 = 2525;

/// What a GSM line takes for one text, shortened.
const SUBMIT_MS: Between = Between([80, 250]);

/// How long an emulator may take to start.
const START_TIME: Duration = Duration::from_secs(20);

/// A text a person received.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Text {
    /// Milliseconds since 1970.
    pub(crate) at_ms: u64,
    /// Number of the modem it came from.
    pub(crate) from: String,
    pub(crate) phone: String,
    pub(crate) text: String,
}

/// Everything outside.
pub(crate) struct World {
    mobile: Client,
    mail: Vec<Client>,
    dir: PathBuf,
    seen: Arc<Mutex<Seen>>,
    _processes: Vec<Child>,
    _tasks: JoinSet<()>,
}

#[derive(Default)]
struct Seen {
    texts: Vec<Text>,
    mails: Vec<String>,
}

impl World {
    pub(crate) async fn start(emulator: &Path, dir: &Path, sites: u8, seed: u64) -> Result<Self> {
        let mut config = WorldConfig::new(dir.join("mobile"));
        config.seed = seed;
        for site in 1..=sites {
            let mut modem = ModemConfig::new(&modem_name(site), &modem_number(site));
            modem.knobs.submit_ms = SUBMIT_MS;
            config.modems.push(modem);
        }
        config.phones = (0..PEOPLE).map(phone).collect();
        let (process, mobile) = start(emulator, None, &config).await?;
        let mut processes = vec![process];
        let mut mail = Vec::new();
        for site in 1..=sites {
            let mut config = WorldConfig::new(dir.join(format!("mail{site}")));
            config.mail.push(MailConfig {
                name: "smarthost".to_owned(),
                port: MAIL_PORT,
                ..MailConfig::default()
            });
            let (process, client) = start(emulator, Some(site), &config).await?;
            processes.push(process);
            mail.push(client);
        }
        let seen = Arc::new(Mutex::new(Seen::default()));
        let mut tasks = JoinSet::new();
        for client in mail.iter().chain([&mobile]) {
            let mut events = client.subscribe().await?;
            let seen = Arc::clone(&seen);
            tasks.spawn(async move {
                while let Ok(event) = events.next().await {
                    note(&seen, event);
                }
            });
        }
        Ok(Self {
            mobile,
            mail,
            dir: dir.to_owned(),
            seen,
            _processes: processes,
            _tasks: tasks,
        })
    }

    /// The serial port of a site's modem.
    pub(crate) fn port(&self, site: u8) -> PathBuf {
        self.dir
            .join("mobile")
            .join(format!("{}.tty", modem_name(site)))
    }

    /// Texts received so far, from the `after`th on.
    pub(crate) fn texts(&self, after: usize) -> Vec<Text> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.texts.get(after..).unwrap_or_default().to_vec()
    }

    /// Mails received so far, headers and all.
    pub(crate) fn mails(&self) -> Vec<String> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.mails.clone()
    }

    /// Writes a text on a phone.
    pub(crate) async fn text(&self, from: &str, to: &str, text: &str) -> Result<()> {
        Ok(self.mobile.send(from, to, text).await?)
    }

    /// Makes a modem swallow everything, or work again.
    pub(crate) async fn hang(&self, site: u8, hangs: bool) -> Result<()> {
        let how = if hangs { "until_power_cut" } else { "no" };
        let knobs = json!({ "hang": how });
        self.mobile.set(&modem_name(site), knobs).await?;
        Ok(())
    }

    /// Takes a modem's SIM out, or puts it back.
    pub(crate) async fn sim(&self, site: u8, present: bool) -> Result<()> {
        let how = if present { "present" } else { "removed" };
        let knobs = json!({ "sim": how });
        self.mobile.set(&modem_name(site), knobs).await?;
        Ok(())
    }

    /// Takes a site's mail server down, or up again.
    pub(crate) async fn smarthost(&self, site: u8, up: bool) -> Result<()> {
        let rules = if up {
            Vec::new()
        } else {
            vec![MailRule::always(MailStage::Connect, MailAction::Close)]
        };
        let client = &self.mail[usize::from(site) - 1];
        Ok(client.set_mail("smarthost", rules).await?)
    }
}

/// The number of a person's phone.
pub(crate) fn phone(person: usize) -> String {
    format!("+3584012300{person:02}")
}

pub(crate) fn modem_number(site: u8) -> String {
    format!("+35840777000{site}")
}

/// Milliseconds since 1970, as the emulators count.
pub(crate) fn civil_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    u64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}

fn modem_name(site: u8) -> String {
    format!("modem{site}")
}

/// Starts an emulator, in a site's network if one is named.
async fn start(emulator: &Path, site: Option<u8>, config: &WorldConfig) -> Result<(Child, Client)> {
    let file = config.directory.with_extension("json");
    std::fs::write(&file, serde_json::to_vec(config)?)?;
    let mut words: Vec<std::ffi::OsString> = match site {
        Some(site) => enter(site).map(Into::into).into(),
        None => Vec::new(),
    };
    words.extend([emulator.into(), file.into()]);
    let mut process = Command::new(&words[0])
        .args(&words[1..])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("cannot start {}; build it first", emulator.display()))?;
    let stdout = process.stdout.take().context("an emulator has no output")?;
    let mut line = String::new();
    let mut stdout = BufReader::new(stdout);
    timeout(START_TIME, stdout.read_line(&mut line))
        .await
        .context("an emulator does not start")??;
    let client = Client::connect(config.control_socket()).await?;
    Ok((process, client))
}

fn note(seen: &Mutex<Seen>, event: Event) {
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    if let Event::PhoneReceived { phone, message } = event {
        seen.texts.push(Text {
            at_ms: message.at_ms,
            from: message.from,
            phone,
            text: message.text,
        });
    } else if let Event::Mailed { mail, .. } = event {
        seen.mails.push(mail.data);
    }
}
