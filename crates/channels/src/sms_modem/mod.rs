//! One SMS modem behind a serial port: the shell around the engine `sms::modem::Modem`.
//!
//! The shell owns the port, the clock and the queue. Which message goes next and what became of it is decided in `outbox`,
//! what came in and may be forgotten in `inbox`, what is wrong in `health`; none of these does IO.

mod health;
mod inbox;
mod outbox;
mod pace;
mod port;
mod receipts;
mod settings;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use domain::ports::{Channel, ChannelEvent, ChannelKind, Outgoing};
use sms::modem::{Event, Modem};
use tokio::select;
use tokio::sync::{Notify, mpsc};
use tokio::time::{sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, debug, error, info, info_span, warn};

use self::health::Health;
use self::inbox::Inbox;
use self::outbox::{AfterPart, Outbox, Submission};
use self::port::{Port, PortError};
pub use self::settings::{
    MemoryError, PinMemory, ReferenceCounter, SmsModemError, SmsModemSettings,
};
use self::settings::{PinHasher, check};
use crate::ledger::{Ledger, Ticket};

/// First pause before the port is opened again; doubled up to the last.
const REOPEN_PAUSE_FIRST: Duration = Duration::from_millis(250);
const REOPEN_PAUSE_LAST: Duration = Duration::from_secs(5);

/// How long the part on its way may still take once the channel is told to stop.
const STOP_GRACE: Duration = Duration::from_secs(5);

/// How long this node's disk may take to remember something for a modem.
const MEMORY_TIMEOUT: Duration = Duration::from_secs(5);

/// The SIM's name in the PIN memory while it does not tell its own: still one try only.
const ICCID_UNKNOWN: &str = "unknown";

/// The worker's side of one modem.
#[derive(Debug)]
pub struct SmsModem {
    name: String,
    ledger: Arc<Ledger>,
    queue: mpsc::Sender<Job>,
    shared: Arc<Shared>,
}

/// The side that owns the port. Run it until its token stops it.
pub struct SmsModemService {
    settings: SmsModemSettings,
    pin: Option<PinHasher>,
    pins: Arc<dyn PinMemory>,
    references: Arc<dyn ReferenceCounter>,
    ledger: Arc<Ledger>,
    queue: mpsc::Receiver<Job>,
    shared: Arc<Shared>,
    engine: Modem,
    outbox: Outbox,
    inbox: Inbox,
    health: Health,
    port: Option<Port>,
    open_at: Instant,
    open_pause: Duration,
    /// For references when the counter on disk fails.
    last_reference: u8,
}

#[derive(Debug)]
struct Job {
    message: Outgoing,
    ticket: Ticket,
}

#[derive(Debug, Default)]
struct Shared {
    /// Messages are being sent.
    up: AtomicBool,
    /// Tokens of texts the worker has stored. No more than were handed out.
    stored: Mutex<BTreeSet<u64>>,
    stored_some: Notify,
}

impl SmsModem {
    /// Checks the settings and reads the PIN. The port is opened by the service.
    pub fn new(
        settings: SmsModemSettings,
        pins: Arc<dyn PinMemory>,
        references: Arc<dyn ReferenceCounter>,
    ) -> Result<(Self, SmsModemService), SmsModemError> {
        let checked = check(&settings)?;
        let now = Instant::now();
        let reserve = settings.queue_len_max.div_ceil(2);
        let ledger = Ledger::new(settings.queue_len_max, reserve);
        // The ledger admits no more messages than fit here, so a send never finds the queue full.
        let (sender, receiver) = mpsc::channel(settings.queue_len_max + reserve);
        let shared = Arc::new(Shared::default());
        let mut engine = Modem::new(now, checked.config);
        engine.port_lost(now); // it is yet to be opened
        let handle = Self {
            name: settings.name.clone(),
            ledger: Arc::clone(&ledger),
            queue: sender,
            shared: Arc::clone(&shared),
        };
        let service = SmsModemService {
            pin: checked.pin,
            pins,
            references,
            ledger,
            queue: receiver,
            shared,
            engine,
            outbox: Outbox::new(
                now,
                settings.parts_per_min,
                settings.burst,
                settings.status_reports,
            ),
            inbox: Inbox::new(now),
            health: Health::new(now, &settings),
            port: None,
            open_at: now,
            open_pause: REOPEN_PAUSE_FIRST,
            last_reference: 0,
            settings,
        };
        Ok((handle, service))
    }
}

impl Channel for SmsModem {
    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> ChannelKind {
        ChannelKind::Sms
    }

    fn free(&self) -> usize {
        let open = self.shared.up.load(Ordering::Relaxed) && !self.queue.is_closed();
        if open { self.ledger.free() } else { 0 }
    }

    /// An urgent message is taken even when [`free`](Channel::free) is zero, as long as half the queue's length more
    /// urgent ones are not waiting already.
    fn submit(&self, message: Outgoing) -> Result<(), Outgoing> {
        if !self.shared.up.load(Ordering::Relaxed) {
            return Err(message);
        }
        let opened = if message.urgent {
            self.ledger.open_urgent(message.attempt)
        } else {
            self.ledger.open(message.attempt)
        };
        let Some(ticket) = opened else {
            return Err(message);
        };
        self.queue
            .try_send(Job { message, ticket })
            .map_err(|refused| {
                let job = refused.into_inner();
                job.ticket.cancel();
                job.message
            })
    }

    fn poll_event(&self) -> Option<ChannelEvent> {
        self.ledger.poll()
    }

    fn stored(&self, token: u64) {
        self.shared
            .stored
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(token);
        self.shared.stored_some.notify_one();
    }

    fn wake(&self) -> Arc<Notify> {
        self.ledger.wake()
    }
}

impl SmsModemService {
    /// Serves the modem until `stop`; then the part on its way gets a few seconds, and everything else is given back.
    pub async fn run(self, stop: CancellationToken) {
        let span = info_span!("modem", name = self.settings.name);
        self.serve(stop).instrument(span).await;
    }

    async fn serve(mut self, stop: CancellationToken) {
        let mut buffer = [0; 4096];
        let mut stop_by: Option<Instant> = None;
        loop {
            self.settle(stop_by.is_some()).await;
            if stop_by.is_some_and(|by| !self.outbox.is_sending() || Instant::now() >= by) {
                break;
            }
            let wake = self.next_wake().into_iter().chain(stop_by).min();
            select! {
                () = stop.cancelled(), if stop_by.is_none() => {
                    self.queue.close();
                    stop_by = Some(Instant::now() + STOP_GRACE);
                }
                Some(job) = self.queue.recv() => self.outbox.take(Instant::now(), job.message, job.ticket),
                () = self.shared.stored_some.notified() => self.confirm_stored(),
                heard = read(self.port.as_ref(), &mut buffer) => match heard {
                    Ok(len) => self.engine.handle_input(Instant::now(), &buffer[..len]),
                    Err(why) => self.lose_port(&why),
                },
                () = until(wake) => self.handle_timeout(),
            }
        }
        // The engine tells of the part on its way whether it had been handed over.
        self.lose_port(&PortError::Gone);
        self.settle(true).await;
    }

    /// Does everything that can be done without waiting for anybody.
    async fn settle(&mut self, stopping: bool) {
        loop {
            while let Some(bytes) = self.engine.poll_transmit() {
                self.write(&bytes).await;
            }
            if let Some(event) = self.engine.poll_event() {
                self.handle_event(event).await;
                continue;
            }
            let now = Instant::now();
            self.health.engine(now, self.engine.is_ready());
            let down = self.health.down(now);
            self.shared
                .up
                .store(down.is_none() && !stopping, Ordering::Relaxed);
            self.ledger.health(self.health.report(now));
            if stopping {
                self.outbox.give_back("the node is stopping");
            } else if let Some(why) = &down {
                self.outbox.give_back(why);
            } else if let Some(parts) = self.outbox.next_parts(now) {
                let reference = if parts > 1 {
                    self.next_reference().await
                } else {
                    0
                };
                if let Some(first) = self.outbox.start(Instant::now(), reference) {
                    self.submit(first);
                }
                continue;
            }
            return;
        }
    }

    async fn handle_event(&mut self, event: Event) {
        let now = Instant::now();
        match event {
            Event::Ready => {
                info!("modem ready");
                self.open_pause = REOPEN_PAUSE_FIRST;
                self.health.ready();
            }
            Event::Submitted { id, outcome } => {
                debug!(part = id.0, ?outcome, "part ended");
                self.health.part_ended(id);
                let AfterPart {
                    submit,
                    report,
                    down,
                } = self.outbox.ended(id, outcome);
                if let Some((why, hold)) = down {
                    error!(why, "the network refuses this SIM");
                    self.health.barred(now, why, hold);
                }
                if let Some((attempt, report)) = report {
                    self.ledger.report(attempt, report);
                }
                if let Some(next) = submit {
                    self.submit(next);
                }
            }
            Event::RingEnded { id, outcome } => {
                debug!(ring = id.0, ?outcome, "ring ended");
                if let Some((attempt, report)) = self.outbox.rang(id, outcome) {
                    self.ledger.report(attempt, report);
                }
            }
            Event::Called { from } => {
                info!("somebody called the modem and was turned down");
                let wall = SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .unwrap_or_default();
                let call = self.inbox.called(self.health.imsi(), from, wall.as_nanos());
                self.ledger.receive(call);
            }
            Event::Slow { id } => {
                info!(part = id.0, "the network is slow to take a part");
                self.health.slow(id);
            }
            Event::Received { token, pdu, .. } => {
                let arrived = self.inbox.received(now, self.health.imsi(), token, *pdu);
                for text in arrived.texts {
                    self.ledger.receive(text);
                }
                for token in arrived.forget {
                    self.engine.confirm_stored(now, token);
                }
            }
            Event::Quarantined { token, raw, reason } => {
                warn!(
                    reason,
                    "a received message cannot be read; it is kept as it came"
                );
                let text = self.inbox.quarantined(self.health.imsi(), token, &raw);
                self.ledger.receive(text);
            }
            Event::Reported { token, id, report } => {
                if let Some((attempt, report)) = id.and_then(|id| self.outbox.report(id, &report)) {
                    self.ledger.report(attempt, report);
                }
                // A report is a note: losing one in a crash loses nothing anybody waits for.
                self.engine.confirm_stored(now, token);
            }
            Event::PinWanted { iccid } => {
                let may_try = self
                    .may_try_pin(iccid.as_deref().unwrap_or(ICCID_UNKNOWN))
                    .await;
                self.engine.answer_pin(Instant::now(), may_try);
            }
            Event::Status(status) => self.health.status(*status),
            Event::MemoryFilling {
                memory,
                used,
                total,
            } => {
                warn!(%memory, used, total, "the modem's memory fills; when it is full nothing arrives");
            }
            Event::Trouble(trouble) => {
                warn!(%trouble, "the modem needs a person");
                self.health.trouble(trouble.to_string());
            }
            Event::ReopenPort => {
                info!("port is closed and opened again to bring the modem back");
                self.close_port(
                    "the modem does not answer; its port is being opened again".to_owned(),
                );
            }
            Event::Dead => {
                error!("the modem does not come back; check its power and cable");
                self.health.trouble(
                    "the modem does not answer, also after a reset; unplug it and plug it in again"
                        .to_owned(),
                );
            }
        }
    }

    fn submit(&mut self, submission: Submission) {
        let now = Instant::now();
        match submission {
            Submission::Part(id, pdu) => self.engine.submit(now, id, pdu),
            Submission::Ring(id, number) => {
                self.engine.ring(now, id, number, self.settings.ring_for);
            }
        }
    }

    async fn write(&mut self, bytes: &[u8]) {
        let Some(port) = &self.port else { return };
        if let Err(why) = port.write_all(bytes).await {
            self.lose_port(&why);
        }
    }

    fn confirm_stored(&mut self) {
        let stored = std::mem::take(
            &mut *self
                .shared
                .stored
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        );
        for token in stored
            .into_iter()
            .flat_map(|token| self.inbox.stored(token))
        {
            self.engine.confirm_stored(Instant::now(), token);
        }
    }

    fn handle_timeout(&mut self) {
        let now = Instant::now();
        self.engine.handle_timeout(now);
        for text in self.inbox.handle_timeout(now, self.health.imsi()) {
            self.ledger.receive(text);
        }
        if self.port.is_none() && now >= self.open_at {
            self.open_port(now);
        }
    }

    fn next_wake(&mut self) -> Option<Instant> {
        let now = Instant::now();
        let open = self.port.is_none().then_some(self.open_at);
        let outbox = self.outbox.poll_timeout(now);
        [
            self.engine.poll_timeout(),
            open,
            outbox,
            self.inbox.poll_timeout(),
            self.health.poll_timeout(now),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn open_port(&mut self, now: Instant) {
        match Port::open(&self.settings.port, self.settings.bits_per_s) {
            Ok(port) => {
                debug!("port opened");
                self.port = Some(port);
                self.health.port_opened();
                self.engine.port_opened(now);
            }
            Err(why) => {
                self.health.port_closed(why.to_string());
                self.back_off(now);
            }
        }
    }

    fn lose_port(&mut self, why: &PortError) {
        if self.port.is_some() {
            warn!(%why, "port lost");
        }
        self.close_port("the modem was unplugged or restarted; its port is awaited".to_owned());
    }

    fn close_port(&mut self, why: String) {
        let now = Instant::now();
        self.port = None;
        self.engine.port_lost(now);
        self.health.port_closed(why);
        self.back_off(now);
    }

    fn back_off(&mut self, now: Instant) {
        self.open_at = now + self.open_pause;
        self.open_pause = (self.open_pause * 2).min(REOPEN_PAUSE_LAST);
    }

    async fn may_try_pin(&self, iccid: &str) -> bool {
        let Some(pin) = &self.pin else { return false };
        let hash = pin.hash(iccid);
        let ask = async {
            if self.pins.tried(iccid, hash).await? {
                return Ok::<_, MemoryError>(false);
            }
            self.pins.record(iccid, hash).await?;
            Ok(true)
        };
        match timeout(MEMORY_TIMEOUT, ask).await {
            Ok(Ok(may_try)) => may_try,
            Ok(Err(failure)) => {
                // Without a memory of tries a restart loop could block the SIM.
                error!(error = %failure, "the PIN is not tried: this node cannot remember that it was");
                false
            }
            Err(_) => {
                error!(waited = ?MEMORY_TIMEOUT, "the PIN is not tried: this node's memory does not answer");
                false
            }
        }
    }

    async fn next_reference(&mut self) -> u8 {
        let counted = timeout(MEMORY_TIMEOUT, self.references.next(&self.settings.name)).await;
        self.last_reference = match counted {
            Ok(Ok(reference)) => reference,
            Ok(Err(_)) | Err(_) => {
                // A text that might be mixed with an old one is better than no text.
                warn!("the counter of long texts failed; counting on without it");
                self.last_reference.wrapping_add(1)
            }
        };
        self.last_reference
    }
}

impl std::fmt::Debug for SmsModemService {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SmsModemService")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

async fn read(port: Option<&Port>, buffer: &mut [u8]) -> Result<usize, PortError> {
    match port {
        Some(port) => port.read(buffer).await,
        None => std::future::pending().await,
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
