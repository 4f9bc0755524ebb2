//! The world outside the demo's nodes: three SIMs of three operators, twenty phones, two mail servers; and what was seen
//! to happen there.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use emulator::control::Client;
use emulator::event::{Event, Message};
use emulator::mail::MailConfig;
use emulator::modem::{Between, ModemConfig};
use emulator::{World, WorldConfig};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::organisation::PEOPLE_CSV;

/// Operator and number of each node's SIM.
pub(super) const SIMS: [(&str, &str); 3] = [
    ("Elisa", "+358402220001"),
    ("Telia", "+358402220002"),
    ("DNA", "+358402220003"),
];

/// PIN of the second node's SIM; the others have none.
pub(super) const PIN: &str = "4321";

/// Names of the mail servers.
pub(super) const SMARTHOSTS: [&str; 2] = ["first", "second"];

/// What a GSM line takes for one text, roughly halved so that nobody falls asleep.
const SUBMIT_MS: Between = Between([350, 550]);

/// How often a wait looks again.
const LOOK_EVERY: Duration = Duration::from_millis(40);

/// The emulated world, and everything that happened in it so far.
pub(super) struct Outside {
    world: World,
    control: Client,
    seen: Arc<Mutex<Vec<Event>>>,
    _watching: JoinSet<()>,
}

impl Outside {
    pub(super) async fn start(directory: &Path) -> Result<Self, anyhow::Error> {
        let mut config = WorldConfig::new(directory);
        for (index, (operator, number)) in SIMS.iter().enumerate() {
            let mut modem = ModemConfig::new(&modem_name(index), number);
            modem.operator = (*operator).to_owned();
            modem.knobs.pin = (index == 1).then(|| PIN.to_owned());
            modem.knobs.submit_ms = SUBMIT_MS;
            config.modems.push(modem);
        }
        config.phones = numbers();
        config.mail = SMARTHOSTS
            .map(|name| MailConfig {
                name: name.to_owned(),
                ..MailConfig::default()
            })
            .to_vec();
        let world = World::start(config)
            .await
            .context("the emulated world does not start")?;
        let control = Client::connect(world.control_socket()).await?;
        let seen = Arc::new(Mutex::new(Vec::new()));
        let mut events = control.subscribe().await?;
        let mut watching = JoinSet::new();
        let log = Arc::clone(&seen);
        watching.spawn(async move {
            while let Ok(event) = events.next().await {
                log.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(event);
            }
        });
        Ok(Self {
            world,
            control,
            seen,
            _watching: watching,
        })
    }

    pub(super) async fn stop(self) {
        self.world.stop().await;
    }

    /// Everything that happened so far, in order.
    pub(super) fn seen(&self) -> MutexGuard<'_, Vec<Event>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Number of texts the network has taken from each modem.
    pub(super) fn submitted_by(&self, modem: &str) -> usize {
        let by = |e: &&Event| matches!(e, Event::Submitted { modem: from, part: 1, .. } if from == modem);
        self.seen().iter().filter(by).count()
    }

    /// Writes a text on a phone.
    pub(super) async fn text(&self, from: &str, to: &str, text: &str) -> Result<(), anyhow::Error> {
        Ok(self.control.send(from, to, text).await?)
    }

    pub(super) async fn inbox(&self, phone: &str) -> Result<Vec<Message>, anyhow::Error> {
        Ok(self.control.inbox(phone, 0).await?)
    }

    /// Waits for a message on a phone that `is` the one meant.
    pub(super) async fn message(
        &self,
        phone: &str,
        limit: Duration,
        is: impl Fn(&Message) -> bool,
    ) -> Result<Message, anyhow::Error> {
        let until = Instant::now() + limit;
        loop {
            if let Some(found) = self.inbox(phone).await?.into_iter().find(|m| is(m)) {
                return Ok(found);
            }
            if Instant::now() >= until {
                return Err(anyhow!(
                    "it did not arrive at {phone} within {} s",
                    limit.as_secs()
                ));
            }
            sleep(LOOK_EVERY).await;
        }
    }

    pub(super) fn mail_port(&self, smarthost: &str) -> Result<u16, anyhow::Error> {
        self.world
            .mail_address(smarthost)
            .map(|a| a.port())
            .ok_or_else(|| anyhow!("there is no mail server {smarthost}"))
    }

    pub(super) fn port(&self, modem: &str) -> std::path::PathBuf {
        self.world.port(modem)
    }

    pub(super) fn control_socket(&self) -> std::path::PathBuf {
        self.world.control_socket()
    }

    /// Mails taken so far, both servers together.
    pub(super) async fn mails(&self) -> Result<usize, anyhow::Error> {
        let catchers = self.control.catchers().await?;
        Ok(catchers
            .iter()
            .map(|c| usize::try_from(c.received).unwrap_or(usize::MAX))
            .sum())
    }
}

/// `modem1` is the first node's.
pub(super) fn modem_name(index: usize) -> String {
    format!("modem{}", index + 1)
}

/// The code in a text that pages somebody: what stands before " 1=".
pub(super) fn code_in(text: &str) -> Option<&str> {
    let (before, _) = text.split_once(" 1=")?;
    let code = before.rsplit([' ', '\n']).next()?;
    (code.len() >= 4 && code.bytes().all(|b| b.is_ascii_digit())).then_some(code)
}

/// Everybody's number, in the order of the file.
fn numbers() -> Vec<String> {
    PEOPLE_CSV
        .lines()
        .skip(1)
        .filter_map(|line| line.split(',').nth(3))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_phone_finds_its_code_in_every_language() {
        for (text, code) in [
            (
                "Alert 1 Aurora: fire\nReply 4711 1=coming 2=cannot ?=real?",
                Some("4711"),
            ),
            (
                "Hälytys 1 Aurora: tuli\nVastaa 0815 1=tulossa 2=en pääse",
                Some("0815"),
            ),
            ("Noted 03:12 UTC, Anna: coming. Alert 1 Aurora.", None),
        ] {
            assert_eq!(code_in(text), code);
        }
    }

    #[test]
    fn everybody_has_a_phone_and_a_group() {
        let lines = contacts::read(PEOPLE_CSV.as_bytes()).unwrap().lines;
        assert_eq!(lines.len(), 20);
        let (mut groups, mut languages) = (BTreeSet::new(), BTreeSet::new());
        for line in lines {
            let entry = line.entry.unwrap();
            groups.extend(entry.groups());
            languages.insert(entry.onto(None).unwrap().language);
        }
        assert_eq!((groups.len(), languages.len(), numbers().len()), (3, 3, 20));
    }
}
