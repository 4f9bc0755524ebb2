//! A channel that does as it is told and remembers everything.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use domain::NodeId;
use domain::deliveries::{AttemptRef, Report, SendOutcome};
use domain::nodes::ChannelReport;
use domain::ports::{Channel, ChannelEvent, ChannelKind, Incoming, Outgoing, RIGHT_RAN_OUT};
use tokio::sync::Notify;

/// A message as it left a channel.
#[derive(Clone, Debug)]
pub struct Sent {
    /// Counts up over all channels of the process.
    pub order: u64,
    pub from: NodeId,
    pub message: Outgoing,
}

/// See the module's documentation.
pub struct FakeChannel {
    name: &'static str,
    kind: ChannelKind,
    node: u64,
    bell: Arc<Notify>,
    inner: Mutex<Inner>,
}

struct Inner {
    /// What the next messages come to; when empty, `accepted`.
    script: VecDeque<Option<SendOutcome>>,
    /// Messages it takes before their ends are polled.
    room: usize,
    sent: Vec<Sent>,
    held: Vec<AttemptRef>,
    events: VecDeque<ChannelEvent>,
    stored: Vec<u64>,
    received: Vec<Incoming>,
    up: bool,
    /// What is submitted waits in `fresh` for [`FakeChannel::end`], instead of following the script.
    by_hand: bool,
    fresh: Vec<Outgoing>,
    /// Begins one message at a time, as a modem does; the others wait in line.
    in_line: bool,
    begun: Option<AttemptRef>,
    bugs: ChannelBugs,
}

/// What a planted bug does to a channel. All off in an honest world.
#[derive(Clone, Copy, Debug, Default)]
pub struct ChannelBugs {
    /// The end of a send is never told.
    pub drops_ends: bool,
    /// A text that came in is never told, and forgotten.
    pub drops_texts: bool,
    /// A text is forgotten as soon as it was told, before it is stored.
    pub forgets_early: bool,
    /// What waited in line begins though its right to start has ended.
    pub ignores_rights: bool,
}

static ORDER: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);

impl FakeChannel {
    pub(super) fn sms(node: u64) -> Self {
        Self::new("modem", ChannelKind::Sms, node, 1)
    }

    pub(super) fn email(node: u64) -> Self {
        Self::new("mail", ChannelKind::Email, node, 4)
    }

    fn new(name: &'static str, kind: ChannelKind, node: u64, room: usize) -> Self {
        let channel = Self {
            name,
            kind,
            node,
            bell: Arc::default(),
            inner: Mutex::new(Inner {
                script: VecDeque::new(),
                room,
                sent: Vec::new(),
                held: Vec::new(),
                events: VecDeque::new(),
                stored: Vec::new(),
                received: Vec::new(),
                up: true,
                by_hand: false,
                fresh: Vec::new(),
                in_line: false,
                begun: None,
                bugs: ChannelBugs::default(),
            }),
        };
        channel.set_up(true);
        channel
    }

    fn inner(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the next message comes to; `None` holds it under way for ever.
    pub fn next(&self, outcome: Option<SendOutcome>) {
        self.inner().script.push_back(outcome);
    }

    /// Reports the channel as up or down.
    pub fn set_up(&self, up: bool) {
        let report = ChannelReport {
            name: self.name.to_owned(),
            kind: match self.kind {
                ChannelKind::Sms => "sms".to_owned(),
                ChannelKind::Email => "email".to_owned(),
            },
            up,
            reason: if up {
                String::new()
            } else {
                "no network".to_owned()
            },
            operator: format!("operator-{}", self.node),
            number: match self.kind {
                ChannelKind::Sms => format!("+35850000000{}", self.node),
                ChannelKind::Email => String::new(),
            },
            signal_dbm: None,
            rate_per_min: 10,
        };
        let mut inner = self.inner();
        inner.up = up;
        inner.events.push_back(ChannelEvent::Health(report));
        drop(inner);
        self.bell.notify_one();
    }

    /// From now on ends of sends come from [`FakeChannel::end`] only.
    pub fn by_hand(&self) {
        self.inner().by_hand = true;
    }

    /// As [`by_hand`](Self::by_hand), and up to `room` messages stand in line: one begins when the one before has ended.
    pub fn in_line(&self, room: usize) {
        let mut inner = self.inner();
        (inner.by_hand, inner.in_line, inner.room) = (true, true, room);
    }

    /// Plants bugs in this channel.
    pub fn plant(&self, bugs: ChannelBugs) {
        self.inner().bugs = bugs;
    }

    /// What was submitted since this was last asked; each waits for its end.
    pub fn take_fresh(&self) -> Vec<Outgoing> {
        let mut inner = self.inner();
        if inner.in_line {
            inner.next_in_line().into_iter().collect()
        } else {
            std::mem::take(&mut inner.fresh)
        }
    }

    /// Ends a send that is still held; false when a restart has lost it.
    pub fn end(&self, attempt: AttemptRef, outcome: SendOutcome) -> bool {
        let mut inner = self.inner();
        let Some(place) = inner.held.iter().position(|held| *held == attempt) else {
            return false;
        };
        inner.held.remove(place);
        inner.begun.take_if(|begun| *begun == attempt);
        inner.tell_end(attempt, outcome);
        true
    }

    /// Ends everything begun with the same outcome and gives back what waits: the channel lost its device.
    pub fn end_all(&self, outcome: &SendOutcome) {
        let (held, waiting) = {
            let mut inner = self.inner();
            (inner.held.clone(), std::mem::take(&mut inner.fresh))
        };
        for attempt in held {
            let waits = waiting.iter().any(|message| message.attempt == attempt);
            self.end(
                attempt,
                if waits {
                    not_begun("given back")
                } else {
                    outcome.clone()
                },
            );
        }
    }

    /// The network's later word on one attempt.
    pub fn report(&self, attempt: AttemptRef, report: Report) {
        self.inner()
            .events
            .push_back(ChannelEvent::Report { attempt, report });
    }

    /// Whether it has something to say.
    pub fn has_events(&self) -> bool {
        !self.inner().events.is_empty()
    }

    pub fn is_up(&self) -> bool {
        self.inner().up
    }

    /// A text from `from` arrives and stays until it is stored.
    pub fn receive(&self, from: &str, text: &str) -> [u8; 16] {
        let mut inner = self.inner();
        let token = inner.received.len() as u64;
        let mut key = [0; 16];
        key[..8].copy_from_slice(&self.node.to_be_bytes());
        key[8..].copy_from_slice(&token.to_be_bytes());
        let incoming = Incoming {
            token,
            key,
            from: from.to_owned(),
            text: text.to_owned(),
            sent_at_ms: None,
            whole: true,
            damaged: false,
            call: false,
        };
        inner.received.push(incoming.clone());
        if inner.bugs.forgets_early {
            inner.stored.push(token);
        }
        if inner.bugs.drops_texts {
            inner.stored.push(token);
        } else {
            inner.events.push_back(ChannelEvent::Received(incoming));
        }
        key
    }

    /// The network's later word on everything sent so far.
    pub fn report_all(&self, report: &Report) {
        let mut inner = self.inner();
        let sent: Vec<AttemptRef> = inner.sent.iter().map(|sent| sent.message.attempt).collect();
        for attempt in sent {
            inner.events.push_back(ChannelEvent::Report {
                attempt,
                report: report.clone(),
            });
        }
    }

    pub fn sent(&self) -> Vec<Sent> {
        self.inner().sent.clone()
    }

    /// Tokens of texts the modem was allowed to forget.
    pub fn forgotten(&self) -> Vec<u64> {
        self.inner().stored.clone()
    }

    /// After a restart the modem announces again what it was not told to forget; what was under way is lost.
    pub(super) fn restart(&self) {
        let up = {
            let mut inner = self.inner();
            inner.fresh.clear();
            inner.events.clear();
            inner.held.clear();
            inner.begun = None;
            let kept: Vec<Incoming> = inner
                .received
                .iter()
                .filter(|text| !inner.stored.contains(&text.token))
                .cloned()
                .collect();
            inner
                .events
                .extend(kept.into_iter().map(ChannelEvent::Received));
            inner.up
        };
        self.set_up(up);
    }
}

impl Inner {
    /// The message whose turn it is: urgent ones first, and none whose right to start has ended.
    fn next_in_line(&mut self) -> Option<Outgoing> {
        if self.begun.is_some() || !self.up {
            return None;
        }
        while !self.fresh.is_empty() {
            let urgent = self.fresh.iter().position(|message| message.urgent);
            let message = self.fresh.remove(urgent.unwrap_or(0));
            if self.bugs.ignores_rights || message.permit.may_start() {
                self.begun = Some(message.attempt);
                return Some(message);
            }
            self.held.retain(|held| *held != message.attempt);
            self.tell_end(message.attempt, not_begun(RIGHT_RAN_OUT));
        }
        None
    }

    fn tell_end(&mut self, attempt: AttemptRef, outcome: SendOutcome) {
        if !self.bugs.drops_ends {
            self.events
                .push_back(ChannelEvent::Ended { attempt, outcome });
        }
    }
}

fn not_begun(detail: &str) -> SendOutcome {
    SendOutcome::Refused {
        permanent: false,
        detail: detail.to_owned(),
    }
}

impl Channel for FakeChannel {
    fn name(&self) -> &str {
        self.name
    }

    fn kind(&self) -> ChannelKind {
        self.kind
    }

    fn free(&self) -> usize {
        let inner = self.inner();
        if inner.up {
            inner.room.saturating_sub(inner.held.len())
        } else {
            0
        }
    }

    fn submit(&self, message: Outgoing) -> Result<(), Outgoing> {
        if self.free() == 0 {
            return Err(message);
        }
        let mut inner = self.inner();
        let attempt = message.attempt;
        if inner.by_hand {
            inner.held.push(attempt);
            inner.fresh.push(message);
            return Ok(());
        }
        let outcome = inner
            .script
            .pop_front()
            .unwrap_or(Some(SendOutcome::Accepted {
                detail: String::new(),
            }));
        let left = !message.ring && !matches!(outcome, Some(SendOutcome::Refused { .. }));
        if left {
            inner.sent.push(Sent {
                order: ORDER.fetch_add(1, std::sync::atomic::Ordering::SeqCst),
                from: NodeId(self.node),
                message,
            });
        }
        match outcome {
            Some(outcome) => inner
                .events
                .push_back(ChannelEvent::Ended { attempt, outcome }),
            None => inner.held.push(attempt),
        }
        Ok(())
    }

    fn poll_event(&self) -> Option<ChannelEvent> {
        self.inner().events.pop_front()
    }

    fn stored(&self, token: u64) {
        self.inner().stored.push(token);
    }

    fn wake(&self) -> Arc<Notify> {
        Arc::clone(&self.bell)
    }
}
