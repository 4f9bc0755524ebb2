//! Every node's loop: sends what is assigned to its channels, reports what became of it, brings in what people answer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use domain::deliveries::{
    self, Assigned, AttemptRef, AttemptReport, AttemptResult, Command as Deliveries, SendOutcome,
    Work, carrier,
};
use domain::inbound::{Command as Inbound, Receive};
use domain::nodes::{self, ChannelReport, Command as Nodes, DigestReport, Power};
use domain::ports::{
    Channel, ChannelEvent, ChannelKind, Clock, Freshness, Journal, Lease, Machine, Outgoing,
    Permit, Proposal, RIGHT_RAN_OUT, ReadError, Replica, ReplyPath, Signer, UnknownMachine,
};
use domain::{Command, Outcome, RequestId, Timestamp};
use futures_util::future::select_all;
use tokio::select;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use crate::Wake;
use crate::inbox::{Arrival, Inbox};
use crate::level;
use crate::machine::{Seen, Teller};
use crate::outbox::Outbox;
use crate::pulse::Pulse;
use crate::sealer::Sealer;

/// A lease is renewed when less than this is left of it.
const LEASE_RENEW: Duration = Duration::from_secs(7);

/// Pause between two requests for a lease that were not granted.
const LEASE_RETRY: Duration = Duration::from_millis(500);

/// Health of all channels is told at least this often.
const HEALTH_EVERY: Duration = Duration::from_secs(30);

/// Most results in one command.
const BATCH: usize = 100;

/// Most events taken from one channel in one step, so that a chatty one cannot starve the others.
const EVENTS_PER_STEP: usize = 256;

/// A node's sending and receiving.
pub struct Worker {
    replica: Arc<dyn Replica>,
    journal: Arc<dyn Journal>,
    channels: Vec<Arc<dyn Channel>>,
    clock: Arc<dyn Clock>,
    outbox: Outbox,
    inbox: Inbox,
    health: BTreeMap<String, ChannelReport>,
    health_changed: bool,
    health_told: Option<Duration>,
    /// Channels and machine were told to an island: the cluster has yet to hear of them.
    told_island: bool,
    machine: Arc<dyn Machine>,
    pulse: Pulse,
    told: Teller,
    sealer: Sealer,
    /// Log index of the digest that was told last.
    digest_told: Option<u64>,
    lease: Option<Lease>,
    /// The node gave itself the lease, because it was cut off.
    lease_own: Arc<AtomicBool>,
    /// The lease's end in milliseconds of the boot clock, for texts that wait in a channel.
    lease_until_ms: Arc<AtomicU64>,
    lease_asked: Option<Duration>,
    recovered: bool,
    proposals: u64,
}

impl Worker {
    pub fn new(
        replica: Arc<dyn Replica>,
        journal: Arc<dyn Journal>,
        channels: Vec<Arc<dyn Channel>>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            replica,
            journal,
            channels,
            clock,
            outbox: Outbox::default(),
            inbox: Inbox::default(),
            health: BTreeMap::new(),
            health_changed: true,
            health_told: None,
            told_island: false,
            machine: Arc::new(UnknownMachine),
            pulse: Pulse::default(),
            told: Teller::default(),
            sealer: Sealer::default(),
            digest_told: None,
            lease: None,
            lease_own: Arc::default(),
            lease_until_ms: Arc::default(),
            lease_asked: None,
            recovered: false,
            proposals: 0,
        }
    }

    /// Also tells what `machine` says of itself.
    #[must_use]
    pub fn on(mut self, machine: Arc<dyn Machine>) -> Self {
        self.machine = machine;
        self
    }

    /// Also signs the audit with `signer`.
    #[must_use]
    pub fn signing(mut self, signer: Arc<dyn Signer>) -> Self {
        self.sealer = Sealer::new(signer);
        self
    }

    /// Beats with every round.
    pub fn pulse(&self) -> Pulse {
        self.pulse.clone()
    }

    /// Works until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut changes = self.replica.changes();
        let bells: Vec<_> = self.channels.iter().map(|channel| channel.wake()).collect();
        loop {
            changes.mark_unchanged();
            let now = self.replica.now();
            let began = Instant::now();
            let wake = self.step(now).await;
            self.pulse.beat();
            select! {
                () = stop.cancelled() => return,
                () = sleep(wake.rest(began.elapsed())) => {}
            }
            let pause = wake.pause(self.replica.now());
            let any_bell = async {
                if bells.is_empty() {
                    std::future::pending::<()>().await;
                }
                select_all(bells.iter().map(|bell| Box::pin(bell.notified()))).await;
            };
            select! {
                () = stop.cancelled() => return,
                changed = changes.changed() => if changed.is_err() { return },
                () = any_bell => {}
                () = sleep(pause) => {}
            }
        }
    }

    /// One round: take what channels say, put it into the log, start what may be started.
    pub async fn step(&mut self, now: Timestamp) -> Wake {
        if !self.recovered && !self.recover().await {
            return Wake::Idle;
        }
        self.drain_channels();
        self.change_audience();
        let mut wake = self.tell_health().await;
        // Before the lease: whoever holds one has said how its clocks stand.
        self.tell_machine().await;
        self.tell_digest().await;
        self.tell_audit().await;
        wake = wake.sooner(self.record_results().await);
        wake = wake.sooner(self.record_reports().await);
        wake = wake.sooner(self.store_texts().await);
        self.renew_lease().await;
        wake.sooner(self.start_sends(now).await)
    }

    /// What was begun before a crash has an unknown end.
    async fn recover(&mut self) -> bool {
        match self.journal.unfinished().await {
            Ok(unfinished) => {
                let wall = self.clock.wall().0;
                for attempt in unfinished {
                    info!(delivery = %attempt.delivery, attempt = attempt.attempt, "begun before a restart");
                    let detail = "the node restarted while sending".to_owned();
                    self.outbox
                        .ended(attempt, SendOutcome::Unknown { detail }, wall);
                }
                self.recovered = true;
            }
            Err(error) => error!(
                error = &error as &dyn std::error::Error,
                "nothing can be sent without the journal"
            ),
        }
        self.recovered
    }

    fn drain_channels(&mut self) {
        for (position, channel) in self.channels.iter().enumerate() {
            for _ in 0..EVENTS_PER_STEP {
                // A text that is not taken stays in the modem, which keeps it over restarts.
                if !self.inbox.has_room() {
                    break;
                }
                match channel.poll_event() {
                    None => break,
                    Some(ChannelEvent::Ended { attempt, outcome }) => {
                        self.outbox.ended(attempt, outcome, self.clock.wall().0);
                    }
                    Some(ChannelEvent::Report { attempt, report }) => {
                        self.outbox.reported(AttemptReport { attempt, report });
                    }
                    Some(ChannelEvent::Received(text)) => {
                        self.inbox.add(Arrival {
                            channel: position,
                            text,
                        });
                    }
                    Some(ChannelEvent::Health(report)) => {
                        let known = self.health.insert(report.name.clone(), report.clone());
                        // Signal alone wanders all the time and waits for the regular report.
                        self.health_changed |= known.is_none_or(|k| {
                            ChannelReport {
                                signal_dbm: report.signal_dbm,
                                ..k
                            } != report
                        });
                    }
                }
            }
        }
    }

    /// What an island was told of this node's channels and machine, its cluster does not know, nor the other way round.
    fn change_audience(&mut self) {
        let island = self.replica.island().is_some();
        if island != self.told_island {
            self.told_island = island;
            self.health_told = None;
            self.told.forget();
        }
    }

    async fn tell_health(&mut self) -> Wake {
        let boot = self.clock.boot();
        let overdue = self
            .health_told
            .is_none_or(|told| boot.saturating_sub(told) >= HEALTH_EVERY);
        if !(self.health_changed || overdue) {
            return Wake::Idle;
        }
        let node = self.replica.node();
        let channels: Vec<ChannelReport> = self
            .channels
            .iter()
            .map(|channel| self.report_of(channel.as_ref()))
            .collect();
        self.sealer.see_channels(self.replica.as_ref(), &channels);
        if self
            .propose(
                Command::Nodes(Nodes::ReportChannels { node, channels }),
                None,
            )
            .await
            .is_some()
        {
            self.health_changed = false;
            self.health_told = Some(boot);
            self.tell_level().await;
        }
        Wake::Idle
    }

    async fn tell_level(&mut self) {
        match level::of_node(self.replica.as_ref()).await {
            Ok(commands) => {
                for command in commands {
                    _ = self.propose(command, None).await; // said again with the next health
                }
            }
            Err(error) => warn!(
                error = &error as &dyn std::error::Error,
                "cannot read the feature level"
            ),
        }
    }

    async fn tell_machine(&mut self) {
        let seen = Seen {
            cluster: self.replica.now(),
            wall: self.clock.wall(),
            boot: self.clock.boot(),
            resumed: self.replica.resumed(),
            clock: self.machine.clock_source(),
            disk: self.machine.disk(),
            power: self.machine.power(),
            place: self.machine.place(),
        };
        let Some(report) = self.told.due(self.replica.node(), &seen) else {
            return;
        };
        self.sealer.see_machine(self.replica.as_ref(), &report);
        let command = Command::Nodes(Nodes::ReportMachine(report.clone()));
        if self.propose(command, None).await.is_some() {
            self.told.accepted(report, &seen);
        }
    }

    /// What this replica's state came to where the log last asked for it (DESIGN A9).
    async fn tell_digest(&mut self) {
        let Some(taken) = self.replica.digest() else {
            return;
        };
        if self.digest_told == Some(taken.index) {
            return;
        }
        let report = DigestReport {
            node: self.replica.node(),
            index: taken.index,
            schema: taken.schema,
            digest: taken.digest,
        };
        let command = Command::Nodes(Nodes::ReportDigest(report));
        if self.propose(command, None).await.is_some() {
            self.digest_told = Some(taken.index);
        }
    }

    /// What this node has to add to the audit and to sign of it.
    async fn tell_audit(&mut self) {
        let boot = self.clock.boot();
        let due = self.sealer.due(self.replica.as_ref(), boot).await;
        for command in due {
            if self.propose(command.clone(), None).await.is_some() {
                self.sealer.told(&command);
            }
        }
    }

    /// A channel that has not said anything yet is starting, hence down.
    fn report_of(&self, channel: &dyn Channel) -> ChannelReport {
        self.health
            .get(channel.name())
            .cloned()
            .unwrap_or_else(|| ChannelReport {
                name: channel.name().to_owned(),
                kind: match channel.kind() {
                    ChannelKind::Sms => "sms".to_owned(),
                    ChannelKind::Email => "email".to_owned(),
                },
                up: false,
                reason: "starting".to_owned(),
                operator: String::new(),
                number: String::new(),
                signal_dbm: None,
                rate_per_min: 0,
            })
    }

    async fn record_results(&mut self) -> Wake {
        let results = match self.recordable().await {
            Ok(results) if results.is_empty() => return Wake::Idle,
            Ok(results) => results,
            Err(error) => {
                warn!(error, "cannot read what is on record");
                return Wake::Idle;
            }
        };
        let recorded: Vec<AttemptRef> = results.iter().map(|result| result.attempt).collect();
        let node = self.replica.node();
        let command = Command::Deliveries(Deliveries::RecordAttempts { node, results });
        if self.propose(command, None).await.is_none() {
            return Wake::Idle;
        }
        self.outbox.results_recorded(&recorded);
        if let Err(error) = self.journal.ended(&recorded).await {
            // Harmless: after a restart they are reported once more, and apply knows them already.
            warn!(
                error = &error as &dyn std::error::Error,
                "the journal keeps ended attempts"
            );
        }
        Wake::Now
    }

    /// Results the log can take now. What the cluster gave this node just before it was cut off, its island may not know of:
    /// how that ended waits for the cluster.
    async fn recordable(&self) -> Result<Vec<AttemptResult>, String> {
        let results = self.outbox.results();
        if results.is_empty() || self.replica.island().is_none() {
            return Ok(results.iter().take(BATCH).cloned().collect());
        }
        let ended: Vec<AttemptRef> = results.iter().map(|result| result.attempt).collect();
        let mut view = self
            .replica
            .read(Freshness::Local)
            .await
            .map_err(|e| e.to_string())?;
        let known = deliveries::known_attempts(&mut view, &ended)
            .await
            .map_err(|e| e.to_string())?;
        let known = results
            .iter()
            .filter(|result| known.contains(&result.attempt));
        Ok(known.take(BATCH).cloned().collect())
    }

    async fn record_reports(&mut self) -> Wake {
        let reports: Vec<_> = self.outbox.reports().into_iter().take(BATCH).collect();
        if reports.is_empty() {
            return Wake::Idle;
        }
        let command = Command::Deliveries(Deliveries::RecordReports {
            reports: reports.clone(),
        });
        if self.propose(command, None).await.is_some() {
            self.outbox.reports_recorded(&reports);
        }
        Wake::Idle
    }

    /// Texts go into the log one by one, in order; only then may the modem forget them.
    async fn store_texts(&mut self) -> Wake {
        while let Some(Arrival { channel, text }) = self.inbox.first().cloned() {
            let receive = Receive {
                key: text.key,
                node: self.replica.node(),
                channel: self.channels[channel].name().to_owned(),
                from: text.from,
                text: text.text,
                sent_at_ms: text.sent_at_ms,
                wall_ms: self.clock.wall().0,
                whole: text.whole,
                damaged: text.damaged,
                call: text.call,
            };
            if self
                .propose(Command::Inbound(Inbound::Receive(receive)), Some(text.key))
                .await
                .is_none()
            {
                return Wake::Idle;
            }
            self.channels[channel].stored(text.token);
            self.inbox.stored();
        }
        Wake::Idle
    }

    async fn renew_lease(&mut self) {
        let alone = is_alone(self.replica.as_ref());
        if alone != self.lease_own.load(Ordering::Acquire) {
            // What a node allowed itself while it was cut off does not hold among the others, who may have given its work
            // away (DESIGN C2).
            (self.lease, self.lease_asked) = (None, None);
            self.lease_until_ms.store(0, Ordering::Release); // also for what waits in a channel
            self.lease_own.store(alone, Ordering::Release);
        }
        let boot = self.clock.boot();
        let fresh = self
            .lease
            .is_some_and(|lease| lease.until.saturating_sub(boot) > LEASE_RENEW);
        let asked_lately = self
            .lease_asked
            .is_some_and(|asked| boot.saturating_sub(asked) < LEASE_RETRY);
        if fresh || asked_lately {
            return;
        }
        self.lease_asked = Some(boot);
        if let Some(lease) = self.replica.lease().await {
            self.lease = Some(lease);
            let until_ms = u64::try_from(lease.until.as_millis()).unwrap_or(u64::MAX);
            self.lease_until_ms.store(until_ms, Ordering::Release);
        }
    }

    /// Starts what is assigned here, wanted, and has room in its channel; journalled first (DESIGN C1).
    async fn start_sends(&mut self, now: Timestamp) -> Wake {
        let Assigned { work, unwanted } = match self.assigned().await {
            Ok(assigned) => assigned,
            Err(error) => {
                warn!(
                    error = &error as &dyn std::error::Error,
                    "cannot read what to send"
                );
                return Wake::Idle;
            }
        };
        self.outbox.want_only(&work);
        let spared = self.spared().await;
        let mut wake = Wake::Idle;
        for attempt in unwanted {
            // Nobody else can tell: without this it would count as under way here for ever.
            if !self.outbox.has_begun(&attempt) {
                let detail = "nobody waited for it any more".to_owned();
                let outcome = SendOutcome::Refused {
                    permanent: false,
                    detail,
                };
                self.outbox.ended(attempt, outcome, self.clock.wall().0);
                wake = Wake::Now;
            }
        }
        let mut starting: Vec<(usize, Work)> = Vec::new();
        let mut room: Vec<usize> = self.channels.iter().map(|channel| channel.free()).collect();
        for item in work {
            if self.outbox.has_begun(&item.attempt) {
                continue;
            }
            let position = self
                .channels
                .iter()
                .position(|channel| channel.name() == item.channel);
            let down = match position {
                _ if spared.iter().any(|kind| kind == carrier(&item.kind)) => {
                    Some("its node runs out of power".to_owned())
                }
                None => Some("this node has no such channel".to_owned()),
                Some(_) => self
                    .health
                    .get(&item.channel)
                    .filter(|report| !report.up)
                    .map(|r| r.reason.clone()),
            };
            if let Some(reason) = down {
                // Nothing was begun, so another channel can have it at once.
                let detail = format!("{}: {reason}", item.channel);
                self.outbox.ended(
                    item.attempt,
                    SendOutcome::Refused {
                        permanent: false,
                        detail,
                    },
                    self.clock.wall().0,
                );
                wake = Wake::Now;
            } else if let Some(position) = position.filter(|position| room[*position] > 0)
                && item.expires_at > now
            {
                room[position] -= 1;
                starting.push((position, item));
            }
        }
        if starting.is_empty() {
            return wake;
        }
        if !self.holds_lease() {
            debug!(waiting = starting.len(), "no send lease");
            return wake;
        }
        let attempts: Vec<AttemptRef> = starting.iter().map(|(_, item)| item.attempt).collect();
        if let Err(error) = self.journal.started(&attempts).await {
            error!(
                error = &error as &dyn std::error::Error,
                "nothing can be sent without the journal"
            );
            return wake;
        }
        for (position, item) in starting {
            // The journal may have taken long: the lease must cover the moment of starting.
            if !self.holds_lease() {
                let detail = RIGHT_RAN_OUT.to_owned();
                self.outbox.ended(
                    item.attempt,
                    SendOutcome::Refused {
                        permanent: false,
                        detail,
                    },
                    self.clock.wall().0,
                );
                wake = Wake::Now;
                continue;
            }
            wake = wake.sooner(self.submit(position, item, now));
        }
        wake
    }

    fn holds_lease(&self) -> bool {
        let same_side = is_alone(self.replica.as_ref()) == self.lease_own.load(Ordering::Acquire);
        same_side
            && self
                .lease
                .is_some_and(|lease| self.clock.boot() < lease.until)
    }

    async fn assigned(&self) -> Result<Assigned, ReadError> {
        let mut view = self.replica.read(Freshness::Local).await?;
        Ok(deliveries::assigned(&mut view, self.replica.node()).await?)
    }

    /// Kinds of channels that other nodes have and this one, running out of power, leaves to them.
    async fn spared(&self) -> Vec<String> {
        if self.machine.power().power != Power::Draining {
            return Vec::new();
        }
        let channels = match self.replica.read(Freshness::Local).await {
            Ok(mut view) => nodes::channels(&mut view).await.unwrap_or_default(),
            Err(_) => Vec::new(),
        };
        let own = self.replica.node();
        channels
            .into_iter()
            .filter(|channel| channel.node != own && channel.usable && !channel.draining)
            .map(|channel| channel.kind)
            .collect()
    }

    /// Holds while a lease does, also one renewed after the text was handed over, and while the text is wanted. What a node
    /// allowed itself while it was cut off ends with that, though this loop may hear of it later.
    fn permit(&self, wanted: Arc<AtomicBool>) -> Permit {
        let (clock, until_ms) = (Arc::clone(&self.clock), Arc::clone(&self.lease_until_ms));
        let (replica, own) = (Arc::clone(&self.replica), Arc::clone(&self.lease_own));
        Permit::new(move || {
            let until = Duration::from_millis(until_ms.load(Ordering::Acquire));
            wanted.load(Ordering::Acquire)
                && clock.boot() < until
                && is_alone(replica.as_ref()) == own.load(Ordering::Acquire)
        })
    }

    fn submit(&mut self, position: usize, item: Work, now: Timestamp) -> Wake {
        let wanted = self.outbox.begin(&item);
        let message = Outgoing {
            attempt: item.attempt,
            permit: self.permit(wanted),
            urgent: item.lane.urgent(),
            validity: item.expires_at.since(now),
            ring: item.kind == deliveries::RING,
            address: item.address,
            subject: item.subject,
            body: item.body,
            reply: item.reply.map(|(local, words)| ReplyPath {
                local,
                words: words.to_owned(),
            }),
        };
        match self.channels[position].submit(message) {
            Ok(()) => Wake::Idle,
            Err(message) => {
                let detail = "the channel had no room".to_owned();
                let outcome = SendOutcome::Refused {
                    permanent: false,
                    detail,
                };
                self.outbox
                    .ended(message.attempt, outcome, self.clock.wall().0);
                Wake::Now
            }
        }
    }

    /// Proposes a fact. `None`: no outcome yet, keep it and try again.
    async fn propose(&mut self, command: Command, key: Option<[u8; 16]>) -> Option<Outcome> {
        self.proposals += 1;
        let node = self.replica.node().0.to_be_bytes();
        let request = match key {
            Some(key) => RequestId::derive(&[b"inbound", &key]),
            None => {
                let boot = self.clock.boot().as_nanos().to_be_bytes();
                RequestId::derive(&[b"worker", &node, &boot, &self.proposals.to_be_bytes()])
            }
        };
        let proposal = Proposal::by_loop(request, command);
        match self.replica.propose(proposal).await {
            Ok(committed) => {
                if let Outcome::Defect(code) = &committed.outcome {
                    error!(
                        code,
                        index = committed.index,
                        "a worker's command could not be applied"
                    );
                }
                Some(committed.outcome)
            }
            Err(error) => {
                debug!(
                    error = &error as &dyn std::error::Error,
                    "a worker's command has no outcome yet"
                );
                None
            }
        }
    }
}

/// Whether the node decides by itself. While it heals, the others may have given its work away.
fn is_alone(replica: &dyn Replica) -> bool {
    replica.island().is_some_and(|island| !island.healing)
}
