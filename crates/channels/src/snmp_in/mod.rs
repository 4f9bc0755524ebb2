//! SNMP in: traps and informs, v2c and v3, become signals of the source that their community or user speaks for.
//!
//! [`Engine`] says whom to believe, [`document`] what it says; this shell owns the socket, bounds and time. An inform is
//! answered once its signal is in the log; a trap, which is sent only once, is put into it until it is there. v1 is not
//! taken: it has no informs, and who sends it can send v2c.

mod ber;
mod desk;
mod engine;
mod memory;
mod message;
mod settings;
mod trap;
mod usm;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use domain::ports::{Freshness, IntakeTally, Proposal, ProposeError, ReadError, Replica};
use domain::sources::{self, ARRIVALS_MAX, Arrival, Arrived, Command, Kind, Source};
use domain::{Command as DomainCommand, Outcome, RequestId};
use tokio::net::UdpSocket;
use tokio::select;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use self::desk::{Desk, Waiting};
use self::engine::{Engine, Heard, Remembered};
pub use self::memory::SnmpMemory;
pub use self::settings::{SnmpCommunity, SnmpInError, SnmpInSettings, SnmpUser};
use self::trap::document;
pub use self::usm::SnmpAuth;

/// A datagram is never longer.
const DATAGRAM_LEN_MAX: usize = 65_535;
const PROPOSE_TIME: Duration = Duration::from_secs(60);
/// After the log did not take something.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// After a socket that failed, for want of memory for instance.
const RECEIVE_PAUSE: Duration = Duration::from_millis(200);
/// How often the senders' clocks are written down, and what was refused is told in the log.
const KEEP_EVERY: Duration = Duration::from_secs(30);

/// The listener's name among others in [`IntakeTally`].
const LISTENER: &str = "snmp";

/// A bound listener.
pub struct SnmpIn {
    socket: UdpSocket,
    replica: Arc<dyn Replica>,
    memory: Arc<dyn SnmpMemory>,
    tally: IntakeTally,
    began: Instant,
    inner: Mutex<Inner>,
    arrived: Notify,
}

struct Inner {
    engine: Engine,
    desk: Desk,
}

/// Why a batch is not in the log.
#[derive(Debug, thiserror::Error)]
enum RecordError {
    #[error("cannot look up the sources")]
    Read(#[from] ReadError),
    #[error("cannot put them into the log")]
    Propose(#[from] ProposeError),
}

impl SnmpIn {
    /// Reads the secrets, counts this start and binds the address.
    ///
    /// # Errors
    /// Files that cannot be read or hold no secret, an address that is taken, a memory that fails.
    pub async fn bind(
        settings: SnmpInSettings,
        replica: Arc<dyn Replica>,
        memory: Arc<dyn SnmpMemory>,
        tally: IntakeTally,
    ) -> Result<Self, SnmpInError> {
        let communities = settings.communities.iter().map(settings::community);
        let communities = communities.collect::<Result<_, _>>()?;
        let users = settings.users.iter().map(settings::user);
        let users = users.collect::<Result<_, _>>()?;
        let remembered = memory.read().await?;
        let remembered = remembered.map_or_else(Remembered::default, |b| memory::decode(&b));
        let engine = Engine::new(
            settings.engine,
            settings.from,
            communities,
            users,
            remembered,
            rand::random(), // so that two starts use no salt twice
        );
        memory.write(&memory::encode(&engine.remembered())).await?;
        let address = settings.address;
        let socket = UdpSocket::bind(address).await;
        let socket = socket.map_err(|source| SnmpInError::Listen { address, source })?;
        info!(%address, engine_id = engine.id_in_hex(), "listening for SNMP");
        Ok(Self {
            socket,
            replica,
            memory,
            tally,
            began: Instant::now(),
            inner: Mutex::new(Inner {
                engine,
                desk: Desk::default(),
            }),
            arrived: Notify::new(),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Takes traps and informs until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        tokio::join!(self.listen(&stop), self.record(&stop), self.keep(&stop));
    }

    async fn listen(&self, stop: &CancellationToken) {
        let mut buffer = vec![0; DATAGRAM_LEN_MAX];
        loop {
            let received = select! {
                () = stop.cancelled() => return,
                received = self.socket.recv_from(&mut buffer) => received,
            };
            match received {
                Ok((len, from)) => self.take(from, &buffer[..len]).await,
                Err(error) => {
                    warn!(%error, "cannot receive SNMP");
                    sleep(RECEIVE_PAUSE).await;
                }
            }
        }
    }

    async fn take(&self, from: SocketAddr, bytes: &[u8]) {
        let now = self.began.elapsed();
        let heard = self.lock().engine.handle_input(now, from.ip(), bytes);
        match heard {
            Heard::Notification(notification) => {
                let id = notification.id;
                let mut inner = self.lock();
                let room = inner.desk.push(Waiting { from, notification });
                if room.is_err() {
                    // A trap is lost here; an inform comes again.
                    id.inspect(|id| inner.engine.dropped(*id));
                    self.tally.count(LISTENER, "no_room");
                    return;
                }
                drop(inner);
                self.arrived.notify_one();
            }
            Heard::Again(answer) => {
                self.tally.count(LISTENER, "repeated");
                self.answer(from, &answer).await;
            }
            Heard::Refused(refusal, answer) => {
                debug!(%from, reason = refusal.name(), "SNMP refused");
                self.tally.count(LISTENER, refusal.name());
                if let Some(answer) = answer {
                    self.answer(from, &answer).await;
                }
            }
        }
    }

    async fn answer(&self, to: SocketAddr, bytes: &[u8]) {
        if let Err(error) = self.socket.send_to(bytes, to).await {
            debug!(%to, %error, "an SNMP answer did not leave"); // its sender asks again
        }
    }

    /// Puts what waits into the log, one command after the other.
    async fn record(&self, stop: &CancellationToken) {
        loop {
            let batch = self.lock().desk.pop(ARRIVALS_MAX);
            let done = async {
                match batch.is_empty() {
                    true => self.arrived.notified().await,
                    false => self.record_batch(batch).await,
                }
            };
            select! {
                () = stop.cancelled() => return,
                () = done => {}
            }
        }
    }

    /// Nobody else has what a trap said, so it is tried until it is in the log.
    async fn record_batch(&self, batch: Vec<Waiting>) {
        let mut tries = 0_u32;
        let known = loop {
            match self.try_batch(&batch).await {
                Ok(known) => break known,
                Err(error) if tries == 0 => {
                    warn!(
                        error = &error as &dyn std::error::Error,
                        "what came by SNMP waits"
                    );
                }
                Err(error) => debug!(%error, "what came by SNMP still waits"),
            }
            tries += 1;
            sleep(RETRY_PAUSE).await;
        };
        for waiting in batch {
            let notification = waiting.notification;
            let taken = known.contains(&notification.source);
            if let Some(id) = notification.id {
                let engine = &mut self.lock().engine;
                match taken {
                    true => engine.taken(id),
                    false => engine.dropped(id),
                }
            }
            self.tally
                .count(LISTENER, if taken { "taken" } else { "no_source" });
            if let Some(answer) = notification.answer.filter(|_| taken) {
                self.answer(waiting.from, &answer).await;
            }
        }
    }

    /// The sources of a batch for which its signals are in the log now; the others do not exist or are of another kind.
    async fn try_batch(&self, batch: &[Waiting]) -> Result<BTreeSet<String>, RecordError> {
        let sources = self.sources(batch).await?;
        let arrivals: Vec<Arrival> = batch
            .iter()
            .filter_map(|waiting| Some((waiting, sources.get(&waiting.notification.source)?)))
            .flat_map(|(waiting, source)| arrivals(waiting, source))
            .collect();
        for some in arrivals.chunks(ARRIVALS_MAX) {
            let command = DomainCommand::Sources(Command::Take {
                arrivals: some.to_vec(),
            });
            // A signal that is taken twice is counted twice and told once, so chance is good enough for a name.
            let request = RequestId(rand::random());
            let proposal = Proposal::by_loop(request, command);
            let proposed = timeout(PROPOSE_TIME, self.replica.propose(proposal)).await;
            let committed = proposed.unwrap_or(Err(ProposeError::Unknown))?;
            match committed.outcome {
                Outcome::Applied(_) | Outcome::Unchanged => {}
                outcome @ (Outcome::Refused(_) | Outcome::Conflict | Outcome::Defect(_)) => {
                    error!(?outcome, "signals that came by SNMP were not taken");
                }
            }
        }
        Ok(sources.into_keys().collect())
    }

    async fn sources(&self, batch: &[Waiting]) -> Result<BTreeMap<String, Source>, ReadError> {
        let keys: BTreeSet<&String> = batch.iter().map(|w| &w.notification.source).collect();
        let mut view = self.replica.read(Freshness::Local).await?;
        let mut found = BTreeMap::new();
        for key in keys {
            match sources::source(&mut view, key).await? {
                Some(row) if row.source.kind == Kind::Snmp => {
                    found.insert(key.clone(), row.source);
                }
                Some(_) | None => {
                    warn!(
                        source = key,
                        "SNMP came for a source that is not there or not of kind snmp"
                    );
                }
            }
        }
        Ok(found)
    }

    /// Writes down what must outlive this process, and says in the log what was refused.
    async fn keep(&self, stop: &CancellationToken) {
        let mut kept = self.lock().engine.remembered();
        let mut told = BTreeMap::new();
        loop {
            let stopping = select! {
                () = stop.cancelled() => true,
                () = sleep(KEEP_EVERY) => false,
            };
            let (now, refused) = {
                let inner = self.lock();
                (inner.engine.remembered(), inner.engine.refused())
            };
            if now != kept {
                match self.memory.write(&memory::encode(&now)).await {
                    Ok(()) => kept = now,
                    Err(error) => {
                        error!(
                            error = &error as &dyn std::error::Error,
                            "SNMP clocks are not kept"
                        );
                    }
                }
            }
            if refused != told {
                warn!(since_start = ?refused, "SNMP was refused");
                told = refused;
            }
            if stopping {
                return;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a notification says for its source. One that the mapping does not fit is an alarm all the same.
fn arrivals(waiting: &Waiting, source: &Source) -> Vec<Arrival> {
    let notification = &waiting.notification;
    let document = document(&notification.pdu, waiting.from.ip(), &notification.sender);
    let signals = sources::signals(source, &document).unwrap_or_else(|error| {
        warn!(source = source.key, %error, "a trap does not fit its source's mapping");
        vec![sources::unreadable(source)]
    });
    let arrival = |signal| Arrival {
        source: source.key.clone(),
        what: Arrived::Signal(signal),
    };
    signals.into_iter().map(arrival).collect()
}
