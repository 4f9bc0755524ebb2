//! What a channel owes the worker: one end for every message it took, and whatever else it has to say.
//!
//! A [`Ticket`] is the debt of one message. It pays itself when dropped, so a task that is aborted or panics still ends its
//! message, truthfully: as refused while nothing can have left, as unknown afterwards.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::deliveries::{AttemptRef, Report, SendOutcome};
use domain::nodes::ChannelReport;
use domain::ports::{ChannelEvent, Incoming};
use tokio::sync::Notify;

/// Status reports and received texts kept for a worker that does not fetch them; beyond, reports are dropped (they are
/// only a note) and texts stay in the modem.
const EVENTS_MAX: usize = 256;

/// Events of one channel, shared between its task and its handle.
#[derive(Debug)]
pub(crate) struct Ledger {
    inner: Mutex<Inner>,
    wake: Arc<Notify>,
    /// Messages under way or ended but not yet fetched, at most.
    capacity: usize,
    /// So many more, when they are urgent.
    reserve: usize,
}

#[derive(Debug, Default)]
struct Inner {
    /// Messages taken whose end was not yet fetched by `poll`.
    owed: usize,
    ended: VecDeque<(AttemptRef, SendOutcome)>,
    reports: VecDeque<(AttemptRef, Report)>,
    received: VecDeque<Incoming>,
    /// Only the latest matters.
    health: Option<ChannelReport>,
    last_health: Option<ChannelReport>,
}

impl Ledger {
    pub(crate) fn new(capacity: usize, reserve: usize) -> Arc<Self> {
        Arc::new(Self {
            inner: Mutex::default(),
            wake: Arc::new(Notify::new()),
            capacity,
            reserve,
        })
    }

    /// How many further messages fit.
    pub(crate) fn free(&self) -> usize {
        self.capacity.saturating_sub(self.lock().owed)
    }

    pub(crate) fn wake(&self) -> Arc<Notify> {
        Arc::clone(&self.wake)
    }

    /// Takes on the debt for one message; `None` when there is no room.
    pub(crate) fn open(self: &Arc<Self>, attempt: AttemptRef) -> Option<Ticket> {
        self.open_within(attempt, self.capacity)
    }

    /// As [`open`](Self::open), with the room kept for urgent messages.
    pub(crate) fn open_urgent(self: &Arc<Self>, attempt: AttemptRef) -> Option<Ticket> {
        self.open_within(attempt, self.capacity + self.reserve)
    }

    fn open_within(self: &Arc<Self>, attempt: AttemptRef, limit: usize) -> Option<Ticket> {
        let mut inner = self.lock();
        if inner.owed >= limit {
            return None;
        }
        inner.owed += 1;
        Some(Ticket {
            attempt,
            maybe_left: false,
            ledger: Some(Arc::clone(self)),
        })
    }

    /// The next thing to tell the worker: ends first, for they free room.
    pub(crate) fn poll(&self) -> Option<ChannelEvent> {
        let mut inner = self.lock();
        if let Some((attempt, outcome)) = inner.ended.pop_front() {
            inner.owed = inner.owed.saturating_sub(1);
            return Some(ChannelEvent::Ended { attempt, outcome });
        }
        if let Some(state) = inner.health.take() {
            return Some(ChannelEvent::Health(state));
        }
        if let Some(incoming) = inner.received.pop_front() {
            return Some(ChannelEvent::Received(incoming));
        }
        inner
            .reports
            .pop_front()
            .map(|(attempt, report)| ChannelEvent::Report { attempt, report })
    }

    pub(crate) fn report(&self, attempt: AttemptRef, report: Report) {
        let mut inner = self.lock();
        if inner.reports.len() >= EVENTS_MAX {
            tracing::warn!("a status report was dropped: nobody fetches this channel's events");
            inner.reports.pop_front();
        }
        inner.reports.push_back((attempt, report));
        drop(inner);
        self.wake.notify_one();
    }

    /// Hands a text to the worker. Offered again while it still waits, it changes nothing; when too many wait it is
    /// dropped, for it stays in the modem, which shows it again.
    pub(crate) fn receive(&self, incoming: Incoming) {
        let mut inner = self.lock();
        if inner
            .received
            .iter()
            .any(|waiting| waiting.token == incoming.token)
        {
            return;
        }
        if inner.received.len() >= EVENTS_MAX {
            tracing::warn!(
                "a received text was left in the modem: nobody fetches this channel's events"
            );
            return;
        }
        inner.received.push_back(incoming);
        drop(inner);
        self.wake.notify_one();
    }

    /// Tells the channel's state when it differs from what was told last.
    pub(crate) fn health(&self, state: ChannelReport) {
        let mut inner = self.lock();
        if inner.last_health.as_ref() == Some(&state) {
            return;
        }
        inner.last_health = Some(state.clone());
        inner.health = Some(state);
        drop(inner);
        self.wake.notify_one();
    }

    fn end(&self, attempt: AttemptRef, outcome: SendOutcome) {
        self.lock().ended.push_back((attempt, outcome));
        self.wake.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing panics while holding it, and queues of whole values are never half changed.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The duty to end one message exactly once.
#[derive(Debug)]
pub(crate) struct Ticket {
    pub(crate) attempt: AttemptRef,
    /// Some path may already have it.
    maybe_left: bool,
    /// `None` once it is paid.
    ledger: Option<Arc<Ledger>>,
}

impl Ticket {
    /// From here on the message may have left.
    pub(crate) fn may_leave(&mut self) {
        self.maybe_left = true;
    }

    /// Whether some path may already have it.
    pub(crate) fn may_have_left(&self) -> bool {
        self.maybe_left
    }

    /// The path that might have had it said clearly that it has not.
    pub(crate) fn did_not_leave(&mut self) {
        self.maybe_left = false;
    }

    pub(crate) fn end(mut self, outcome: SendOutcome) {
        self.pay(outcome);
    }

    /// Undoes [`Ledger::open`] for a message that is handed back to the caller.
    pub(crate) fn cancel(mut self) {
        if let Some(ledger) = self.ledger.take() {
            let mut inner = ledger.lock();
            inner.owed = inner.owed.saturating_sub(1);
        }
    }

    fn pay(&mut self, outcome: SendOutcome) {
        if let Some(ledger) = self.ledger.take() {
            ledger.end(self.attempt, outcome);
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let detail = "the channel stopped before the message was through".to_owned();
        let outcome = if self.maybe_left {
            SendOutcome::Unknown { detail }
        } else {
            SendOutcome::Refused {
                permanent: false,
                detail,
            }
        };
        self.pay(outcome);
    }
}
