//! E-mail through several smarthosts in order, each with its own way in (CHANNELS §5.1).
//!
//! A mail goes to the first smarthost that is not known to be down. What one will not take now, the next is asked at once;
//! what one says about the *address* is final. A mail that one smarthost may have taken is offered to the next with the same
//! `Message-ID`: told twice is better than not told, and most receivers drop the second copy.

mod conversation;
mod line_stream;
mod mail;
mod settings;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::deliveries::SendOutcome;
use domain::nodes::ChannelReport;
use domain::ports::{Channel, ChannelEvent, ChannelKind, Clock, Outgoing, RIGHT_RAN_OUT};
use tokio::select;
use tokio::sync::{Notify, mpsc};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, debug, error, info, info_span, warn};

use self::conversation::PathEnd;
use self::settings::{Checked, check};
pub use self::settings::{Smarthost, SmtpError, SmtpSettings, SmtpTimeouts, SmtpTls};
use crate::ledger::{Ledger, Ticket};

/// How long a smarthost that could not be reached comes last in the order.
const UNREACHABLE_HOLD: Duration = Duration::from_secs(30);

/// How long a smarthost that refuses us comes last in the order. Somebody must act, so there is no hurry.
const REFUSED_HOLD: Duration = Duration::from_secs(300);

/// How long mails under way may still take once the channel is told to stop.
const STOP_GRACE: Duration = Duration::from_secs(5);

/// What one lane of sending is reckoned to carry: a mail every two seconds.
const MAILS_PER_MIN_PER_LANE: u32 = 30;

/// The worker's side of the mail channel.
#[derive(Debug)]
pub struct Smtp {
    name: String,
    ledger: Arc<Ledger>,
    queue: mpsc::Sender<Job>,
}

/// The side that talks to smarthosts. Run it until its token stops it.
#[derive(Debug)]
pub struct SmtpService {
    shared: Arc<Shared>,
    queue: mpsc::Receiver<Job>,
}

#[derive(Debug)]
struct Job {
    message: Outgoing,
    ticket: Ticket,
    taken: Instant,
}

struct Shared {
    settings: Checked,
    clock: Arc<dyn Clock>,
    ledger: Arc<Ledger>,
    /// One per smarthost, in the configured order.
    down: Mutex<Vec<Option<Down>>>,
}

/// Why and until when a smarthost comes last.
#[derive(Clone, Debug)]
struct Down {
    reason: String,
    until: Instant,
}

impl Smtp {
    /// Checks the settings and reads the files they name. `clock` gives the `Date` of mails.
    pub fn new(
        settings: SmtpSettings,
        clock: Arc<dyn Clock>,
    ) -> Result<(Self, SmtpService), SmtpError> {
        let settings = check(settings)?;
        let ledger = Ledger::new(settings.queue_len_max, 0);
        // The ledger admits no more messages than fit here, so a send never finds the queue full.
        let (sender, receiver) = mpsc::channel(settings.queue_len_max);
        let handle = Self {
            name: settings.name.clone(),
            ledger: Arc::clone(&ledger),
            queue: sender,
        };
        let down = Mutex::new(vec![None; settings.paths.len()]);
        let shared = Arc::new(Shared {
            settings,
            clock,
            ledger,
            down,
        });
        Ok((
            handle,
            SmtpService {
                shared,
                queue: receiver,
            },
        ))
    }
}

impl Channel for Smtp {
    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> ChannelKind {
        ChannelKind::Email
    }

    fn free(&self) -> usize {
        if self.queue.is_closed() {
            0
        } else {
            self.ledger.free()
        }
    }

    fn submit(&self, message: Outgoing) -> Result<(), Outgoing> {
        let Some(ticket) = self.ledger.open(message.attempt) else {
            return Err(message);
        };
        let job = Job {
            message,
            ticket,
            taken: Instant::now(),
        };
        self.queue.try_send(job).map_err(|refused| {
            let job = refused.into_inner();
            job.ticket.cancel();
            job.message
        })
    }

    fn poll_event(&self) -> Option<ChannelEvent> {
        self.ledger.poll()
    }

    fn stored(&self, _token: u64) {
        // Mail is received elsewhere: this channel never hands out a text.
    }

    fn wake(&self) -> Arc<Notify> {
        self.ledger.wake()
    }
}

impl SmtpService {
    /// Sends until `stop`; then mails under way get a few seconds, and those still waiting are given back as refused.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut sends = JoinSet::new();
        let mut probes = JoinSet::new();
        let mut probe_at = self.shared.settings.probe_every.map(|_| Instant::now());
        self.shared.tell_health();
        loop {
            let room = sends.len() < self.shared.settings.in_flight_max;
            select! {
                () = stop.cancelled() => break,
                Some(ended) = sends.join_next() => note_panic(ended),
                Some(ended) = probes.join_next() => note_panic(ended),
                () = until(probe_at), if probes.is_empty() => {
                    probes.spawn(probe_all(Arc::clone(&self.shared)));
                    probe_at = self.shared.settings.probe_every.map(|every| Instant::now() + every);
                }
                Some(job) = self.queue.recv(), if room => {
                    let span = info_span!("mail", delivery = %job.message.attempt.delivery, attempt = job.message.attempt.attempt);
                    sends.spawn(send(Arc::clone(&self.shared), job).instrument(span));
                }
            }
        }
        self.queue.close();
        probes.shutdown().await;
        let finish = async { while sends.join_next().await.is_some() {} };
        if timeout(STOP_GRACE, finish).await.is_err() {
            // Their tickets tell how far they came.
            sends.shutdown().await;
        }
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

fn note_panic(ended: Result<(), JoinError>) {
    if let Err(failure) = ended {
        error!(error = %failure, "a mail task failed; its mail was reported as refused or unknown");
    }
}

async fn probe_all(shared: Arc<Shared>) {
    for (index, path) in shared.settings.paths.iter().enumerate() {
        match conversation::probe(path, &shared.settings.hello, &shared.settings.timeouts).await {
            Ok(()) => shared.mark_up(index),
            Err(end) => shared.note(index, &end),
        }
    }
}

/// Takes one mail to its end.
async fn send(shared: Arc<Shared>, job: Job) {
    let Job {
        message,
        mut ticket,
        taken,
    } = job;
    let mail = match mail::compose(
        &shared.settings.from,
        shared.settings.answers_at.as_deref(),
        &message,
        shared.clock.wall(),
    ) {
        Ok(mail) => mail,
        Err(e) => {
            return ticket.end(SendOutcome::Refused {
                permanent: true,
                detail: e.to_string(),
            });
        }
    };
    let mut tried = Tried::default();
    for index in shared.order() {
        let path = &shared.settings.paths[index];
        if taken.elapsed() > message.validity {
            tried.temporary.push("its time is over".to_owned());
            break;
        }
        if !message.permit.may_start() {
            tried.temporary.push(RIGHT_RAN_OUT.to_owned());
            break;
        }
        let ended = conversation::hand_over(
            path,
            &shared.settings.hello,
            &shared.settings.timeouts,
            &mail,
            &mut ticket,
        )
        .await;
        shared.note(index, &ended.end);
        if let Some(outcome) = tried.add(&path.name, &ended.end) {
            info!(
                smarthost = path.name,
                took_ms = taken.elapsed().as_millis(),
                outcome = word(&outcome),
                "mail ended"
            );
            ticket.end(outcome);
            return ended.goodbye().await;
        }
        debug!(smarthost = path.name, "the next smarthost is asked");
        ended.goodbye().await;
    }
    let outcome = tried.conclude();
    warn!(
        took_ms = taken.elapsed().as_millis(),
        ?outcome,
        "no smarthost took the mail"
    );
    ticket.end(outcome);
}

fn word(outcome: &SendOutcome) -> &'static str {
    match outcome {
        SendOutcome::Accepted { .. } => "accepted",
        SendOutcome::Refused { .. } => "refused",
        SendOutcome::Unknown { .. } => "unknown",
    }
}

/// What the smarthosts asked so far said.
#[derive(Debug, Default)]
struct Tried {
    temporary: Vec<String>,
    permanent: Vec<String>,
    unknown: Vec<String>,
}

impl Tried {
    /// Takes in one more answer; gives the outcome when no other smarthost needs to be asked.
    fn add(&mut self, smarthost: &str, end: &PathEnd) -> Option<SendOutcome> {
        match end {
            PathEnd::Accepted(answer) => {
                let mut detail = format!("{smarthost}: {answer}");
                if !self.unknown.is_empty() {
                    detail.push_str(&format!(
                        " (may arrive twice; before: {})",
                        self.unknown.join("; ")
                    ));
                }
                return Some(SendOutcome::Accepted { detail });
            }
            PathEnd::BadAddress(said) => {
                self.permanent.push(format!("{smarthost}: {said}"));
                // Final for the address, unless somebody may have taken the mail for it.
                return Some(self.conclude_final());
            }
            PathEnd::BadMail(said) => self.permanent.push(format!("{smarthost}: {said}")),
            PathEnd::Busy(said) | PathEnd::Unreachable(said) | PathEnd::RefusesUs(said) => {
                self.temporary.push(format!("{smarthost}: {said}"));
            }
            PathEnd::Unknown(said) => self.unknown.push(format!("{smarthost}: {said}")),
        }
        None
    }

    fn conclude_final(&mut self) -> SendOutcome {
        self.temporary.clear();
        std::mem::take(self).conclude()
    }

    fn conclude(self) -> SendOutcome {
        let detail = [self.unknown.as_slice(), &self.temporary, &self.permanent]
            .concat()
            .join("; ");
        if !self.unknown.is_empty() {
            SendOutcome::Unknown { detail }
        } else {
            SendOutcome::Refused {
                permanent: self.temporary.is_empty(),
                detail,
            }
        }
    }
}

impl Shared {
    /// Indices of the smarthosts in the order to ask: as configured, those known to be down last.
    fn order(&self) -> Vec<usize> {
        let now = Instant::now();
        let down: BTreeSet<usize> = self
            .lock()
            .iter()
            .enumerate()
            .filter(|(_, d)| d.as_ref().is_some_and(|d| d.until > now))
            .map(|(i, _)| i)
            .collect();
        let (last, first): (Vec<_>, Vec<_>) =
            (0..self.settings.paths.len()).partition(|i| down.contains(i));
        [first, last].concat()
    }

    /// Learns from how a conversation ended.
    fn note(&self, index: usize, end: &PathEnd) {
        match end {
            PathEnd::Accepted(_) | PathEnd::BadAddress(_) | PathEnd::BadMail(_) => {
                self.mark_up(index)
            }
            // It is there and may take the next mail.
            PathEnd::Busy(_) => {}
            PathEnd::Unreachable(why) | PathEnd::Unknown(why) => {
                self.mark_down(index, why, UNREACHABLE_HOLD)
            }
            PathEnd::RefusesUs(why) => self.mark_down(index, why, REFUSED_HOLD),
        }
    }

    fn mark_up(&self, index: usize) {
        let was = self.lock()[index].take();
        if was.is_some() {
            info!(
                smarthost = self.settings.paths[index].name,
                "smarthost is back"
            );
            self.tell_health();
        }
    }

    fn mark_down(&self, index: usize, reason: &str, hold: Duration) {
        let down = Down {
            reason: reason.to_owned(),
            until: Instant::now() + hold,
        };
        let was = self.lock()[index].replace(down);
        if was.is_none_or(|was| was.reason != reason) {
            warn!(
                smarthost = self.settings.paths[index].name,
                reason, "smarthost does not take our mail"
            );
            self.tell_health();
        }
    }

    fn tell_health(&self) {
        let reasons: Vec<_> = self
            .settings
            .paths
            .iter()
            .zip(self.lock().iter())
            .filter_map(|(path, down)| {
                down.as_ref()
                    .map(|d| format!("{}: {}", path.name, d.reason))
            })
            .collect();
        self.ledger.health(ChannelReport {
            name: self.settings.name.clone(),
            kind: "email".to_owned(),
            up: reasons.len() < self.settings.paths.len(),
            reason: reasons.join("; "),
            operator: String::new(),
            number: String::new(),
            signal_dbm: None,
            rate_per_min: u32::try_from(self.settings.in_flight_max)
                .unwrap_or(u32::MAX)
                .saturating_mul(MAILS_PER_MIN_PER_LANE),
        });
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Option<Down>>> {
        self.down.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
