//! Runs an emulated world: ports, the clock of the network, mail catchers and the control socket.

use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use serde::{Deserialize, Serialize};
use tokio::{
    sync::{broadcast, watch},
    task::JoinSet,
    time::sleep_until,
};
use tokio_util::sync::CancellationToken;

use crate::{
    control,
    event::Event,
    mail::{Catcher, MailConfig},
    modem::{Modem, ModemConfig},
    network::{Network, NetworkKnobs, Unknown},
    port,
};

/// Events a slow subscriber may be behind before it misses some.
const EVENTS_LEN: usize = 4096;
/// When nothing is due, wake up anyway.
const IDLE: Duration = Duration::from_secs(60);

/// What a world consists of.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct WorldConfig {
    /// Where ports (`<name>.tty`) and the control socket (`control.sock`) appear; made if missing.
    pub directory: PathBuf,
    /// Same seed and same inputs, same behaviour of every modem and of the network.
    pub seed: u64,
    /// The modems.
    pub modems: Vec<ModemConfig>,
    /// Numbers of the phones.
    pub phones: Vec<String>,
    /// The mail catchers.
    pub mail: Vec<MailConfig>,
    /// How the network behaves from the start.
    pub network: NetworkKnobs,
}

impl WorldConfig {
    /// An empty world in this directory.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            ..Self::default()
        }
    }

    /// Where the port of the modem of that name appears.
    #[must_use]
    pub fn port(&self, modem: &str) -> PathBuf {
        self.directory.join(format!("{modem}.tty"))
    }

    /// Where the control socket appears.
    #[must_use]
    pub fn control_socket(&self) -> PathBuf {
        self.directory.join("control.sock")
    }
}

/// Why a world cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The name would not be a file name.
    #[error("the name {0:?} is not made of letters, digits, dashes and underscores")]
    Name(String),
    /// Two modems or two catchers share a name.
    #[error("the name {0:?} is used twice")]
    NameTwice(String),
    /// The directory cannot be made.
    #[error("cannot make the directory {path}")]
    Directory {
        /// Which.
        path: PathBuf,
        #[source]
        #[allow(missing_docs)]
        source: io::Error,
    },
    /// The control socket cannot be made.
    #[error("cannot listen on the control socket {path}; is another emulator running there?")]
    Control {
        /// Which.
        path: PathBuf,
        #[source]
        #[allow(missing_docs)]
        source: io::Error,
    },
    /// A mail catcher cannot listen.
    #[error("mail catcher {name} cannot listen")]
    Mail {
        /// Which.
        name: String,
        #[source]
        #[allow(missing_docs)]
        source: io::Error,
    },
}

/// A running world. Dropping it aborts its tasks; [`World::stop`] ends them in order.
pub struct World {
    config: WorldConfig,
    shared: Arc<Shared>,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl World {
    /// Starts everything; when this returns, ports exist and the control socket answers.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn start(config: WorldConfig) -> Result<Self, StartError> {
        check_names(config.modems.iter().map(|modem| &modem.name))?;
        check_names(config.mail.iter().map(|mail| &mail.name))?;
        std::fs::create_dir_all(&config.directory).map_err(|source| StartError::Directory {
            path: config.directory.clone(),
            source,
        })?;
        let (events, _) = broadcast::channel(EVENTS_LEN);
        let mut catchers = BTreeMap::new();
        for mail in &config.mail {
            let listening = Catcher::listen(mail.clone(), events.clone()).await;
            let catcher = listening.map_err(|source| StartError::Mail {
                name: mail.name.clone(),
                source,
            })?;
            catchers.insert(mail.name.clone(), catcher);
        }
        let shared = Arc::new(Shared::new(&config, events, &catchers));
        let path = config.control_socket();
        let control =
            control::Server::bind(&path).map_err(|source| StartError::Control { path, source })?;

        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(keep_time(Arc::clone(&shared), stop.clone()));
        tasks.spawn(control.run(Arc::clone(&shared), stop.clone()));
        for catcher in catchers.into_values() {
            tasks.spawn(catcher.run(stop.clone()));
        }
        for modem in &config.modems {
            let link = config.port(&modem.name);
            // Whoever finds the link finds the new port, never one left behind by a killed emulator.
            let _ = std::fs::remove_file(&link);
            tasks.spawn(port::run(
                Arc::clone(&shared),
                modem.name.clone(),
                link,
                stop.clone(),
            ));
        }
        let world = Self {
            config,
            shared,
            stop,
            tasks,
        };
        world.wait_for_ports().await;
        Ok(world)
    }

    /// Where the port of the modem of that name appears; the name stays when the port changes.
    #[must_use]
    pub fn port(&self, modem: &str) -> PathBuf {
        self.config.port(modem)
    }

    /// Where [`control::Client`] connects.
    #[must_use]
    pub fn control_socket(&self) -> PathBuf {
        self.config.control_socket()
    }

    /// Where the catcher of that name listens.
    #[must_use]
    pub fn mail_address(&self, catcher: &str) -> Option<SocketAddr> {
        self.shared.mail.get(catcher).map(|mail| mail.address())
    }

    /// Ends every task and removes ports and socket.
    pub async fn stop(mut self) {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
        let _ = std::fs::remove_file(self.config.control_socket());
    }

    async fn wait_for_ports(&self) {
        let deadline = Instant::now() + Duration::from_secs(5);
        let missing = |modem: &ModemConfig| !Path::new(&self.config.port(&modem.name)).exists();
        while self.config.modems.iter().any(missing) && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

fn check_names<'a>(names: impl Iterator<Item = &'a String>) -> Result<(), StartError> {
    let mut seen = std::collections::BTreeSet::new();
    for name in names {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if name.is_empty() || !name.chars().all(plain) {
            return Err(StartError::Name(name.clone()));
        }
        if !seen.insert(name) {
            return Err(StartError::NameTwice(name.clone()));
        }
    }
    Ok(())
}

/// Wakes the network when something is due.
async fn keep_time(shared: Arc<Shared>, stop: CancellationToken) {
    let mut changed = shared.subscribe();
    loop {
        changed.borrow_and_update();
        let wake = shared
            .lock()
            .poll_timeout()
            .unwrap_or_else(|| Instant::now() + IDLE);
        tokio::select! {
            () = stop.cancelled() => return,
            _ = changed.changed() => continue,
            () = sleep_until(wake.into()) => {}
        }
        shared.with(|_, _| ());
    }
}

/// The network behind one lock, and who must hear of changes.
pub(crate) struct Shared {
    network: Mutex<Network>,
    changed: watch::Sender<u64>,
    events: broadcast::Sender<Event>,
    /// What each catcher has taken, by name.
    pub(crate) mail: BTreeMap<String, crate::mail::Mailbox>,
}

impl Shared {
    fn new(
        config: &WorldConfig,
        events: broadcast::Sender<Event>,
        catchers: &BTreeMap<String, Catcher>,
    ) -> Self {
        let (now, now_ms) = (Instant::now(), civil_ms());
        let mut network = Network::new(config.network.clone(), config.seed, now, now_ms);
        for modem in &config.modems {
            network.add_modem(now, modem.clone());
        }
        for phone in &config.phones {
            network.add_phone(phone);
        }
        let mail = catchers
            .iter()
            .map(|(name, catcher)| (name.clone(), catcher.mailbox()))
            .collect();
        Self {
            network: Mutex::new(network),
            changed: watch::Sender::new(0),
            events,
            mail,
        }
    }

    /// Does something to the network, then whatever became due, and tells everybody.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut Network, Instant) -> T) -> T {
        let mut network = self.lock();
        let now = Instant::now();
        let done = work(&mut network, now);
        network.handle_timeout(now);
        while let Some(event) = network.poll_event() {
            let _ = self.events.send(event); // nobody listens: fine
        }
        drop(network);
        self.changed.send_modify(|count| *count += 1);
        done
    }

    pub(crate) fn with_modem<T>(
        &self,
        name: &str,
        work: impl FnOnce(&mut Modem, Instant) -> T,
    ) -> Option<T> {
        let done: Result<T, Unknown> =
            self.with(|network, now| network.with_modem(now, name, |modem| work(modem, now)));
        done.ok()
    }

    /// Like [`Self::with_modem`], for what changes nothing that others wait for.
    pub(crate) fn look_at<T>(
        &self,
        name: &str,
        work: impl FnOnce(&mut Modem, Instant) -> T,
    ) -> Option<T> {
        let now = Instant::now();
        self.lock()
            .with_modem(now, name, |modem| work(modem, now))
            .ok()
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    pub(crate) fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, Network> {
        // A panic under the lock is a bug, but the other modems can go on.
        self.network.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Milliseconds since 1970.
pub(crate) fn civil_ms() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() as u64)
}
