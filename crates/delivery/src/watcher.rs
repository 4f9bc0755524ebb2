//! The independent checker (PRODUCT L-13, W-12): looks at the rows another way than the scheduler does, on every node,
//! and tells people what it finds. One node raises an alert the normal way, preferably not the leader; when that does not
//! reach anybody, each node falls back to its own channels.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use domain::alerts::{self, Raise, Status, Step};
use domain::ports::{Channel, Clock, Freshness, Proposal, ReadError, ReadView, Replica};
use domain::recipients::{self, Named, PersonRow};
use domain::texts::Language;
use domain::watch::{self, Board, Finding, KEY_PREFIX, Trouble};
use domain::{Command, NodeId, Outcome, RequestId, Timestamp, deliveries, nodes};
use tokio::select;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use crate::direct::{Direct, language_of, send_directly};
use crate::pulse::Pulse;

/// Pause between two looks.
const PERIOD: Duration = Duration::from_secs(5);

/// A trouble must last this long before anybody is told: what heals within it was a change under way.
const LASTING: Duration = Duration::from_secs(10);

/// The next node in line raises the alarm this much later than the one before.
const TURN: Duration = Duration::from_secs(30);

/// An alarm that has not left any channel by now did not get through.
const UNHEARD: Duration = Duration::from_secs(90);

/// People are told directly of the same trouble at most this often.
const DIRECT_EVERY: Duration = Duration::from_secs(3_600);

/// After a change of leaders, or of the history looked at, the rows say for so long who was silent before: the leader must
/// first have heard nobody for as long as a lease lasts.
const SETTLING: Duration = Duration::from_secs(20);

/// A trouble counts as over once it was gone for this long.
const OVER: Duration = Duration::from_secs(30);

/// Nothing applied for this long: every node says something every half minute.
const STANDSTILL: Duration = Duration::from_secs(120);

/// People told directly at most.
const DIRECT_MAX: usize = 10;

/// Open alerts looked through for those of the watchers.
const OPEN_MAX: u32 = 1_000;

/// Who raised the watchers' alerts, as people read it.
const SOURCE: &str = "Holdfast";

/// Looks, and tells.
pub struct Watcher {
    replica: Arc<dyn Replica>,
    channels: Vec<Arc<dyn Channel>>,
    clock: Arc<dyn Clock>,
    /// Key of the group that is told; nobody but the log when there is none.
    duty: Option<String>,
    board: Board,
    seen: BTreeMap<Trouble, Seen>,
    /// Whose word the rows are: the leader or this node's own island, and since when, on the boot clock.
    order: Option<(Order, Duration)>,
    /// The last index seen, and when it was new, on the boot clock.
    progress: Option<(u64, Duration)>,
    told_no_duty: bool,
    pulse: Pulse,
}

/// Whose word the rows are.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Order {
    Led(Option<NodeId>),
    Alone,
}

/// What this node knows of one trouble, on the boot clock.
#[derive(Clone, Copy, Debug)]
struct Seen {
    since: Duration,
    /// In cluster time, for people.
    since_at: Timestamp,
    last: Duration,
    told_directly: Option<Duration>,
}

/// A watchers' alert that is open.
#[derive(Clone, Debug)]
struct Raised {
    alert: domain::AlertId,
    label: String,
    key: String,
    raised_at: Timestamp,
}

impl Watcher {
    pub fn new(
        replica: Arc<dyn Replica>,
        channels: Vec<Arc<dyn Channel>>,
        clock: Arc<dyn Clock>,
        duty: Option<String>,
        board: Board,
    ) -> Self {
        Self {
            replica,
            channels,
            clock,
            duty,
            board,
            seen: BTreeMap::new(),
            order: None,
            progress: None,
            told_no_duty: false,
            pulse: Pulse::default(),
        }
    }

    /// Beats with every round.
    pub fn pulse(&self) -> Pulse {
        self.pulse.clone()
    }

    /// Works until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        loop {
            let now = self.replica.now();
            self.step(now).await;
            self.pulse.beat();
            select! {
                () = stop.cancelled() => return,
                () = sleep(PERIOD) => {}
            }
        }
    }

    /// Looks once, and does what follows.
    pub async fn step(&mut self, now: Timestamp) {
        let settled = self.settled();
        let looked = match self.replica.read(Freshness::Local).await {
            Ok(mut view) => self.look(&mut view, now).await,
            Err(error) => Err(error),
        };
        let (troubles, raised, turn) = match looked {
            Ok(looked) => looked,
            Err(error) => {
                self.replica.suspect(&error);
                error!(
                    error = &error as &dyn std::error::Error,
                    "the watcher cannot read the state"
                );
                return;
            }
        };
        let boot = self.clock.boot();
        for trouble in troubles {
            let seen = self.seen.entry(trouble.clone()).or_insert_with(|| {
                warn!(
                    trouble = trouble.kind(),
                    key = trouble.key(),
                    "the watcher sees trouble"
                );
                Seen {
                    since: boot,
                    since_at: now,
                    last: boot,
                    told_directly: None,
                }
            });
            seen.last = boot;
        }
        self.seen.retain(|trouble, seen| {
            let kept = boot.saturating_sub(seen.last) < OVER;
            if !kept {
                info!(
                    trouble = trouble.kind(),
                    key = trouble.key(),
                    "trouble is over"
                );
            }
            kept
        });
        self.post(&raised);
        if let Some(turn) = turn
            && settled
        {
            self.raise_what_lasts(boot, turn, &raised).await;
            // What others had raised before, an island cannot see the end of.
            if self.replica.island().is_none() {
                self.close_what_is_over(&raised).await;
            }
        }
        self.tell_directly(boot, now, &raised).await;
        self.post(&raised);
    }

    /// Whether the rows speak of now. What was seen in another history is forgotten: there it may have ended long ago.
    fn settled(&mut self) -> bool {
        let order = match self.replica.island() {
            Some(_) => Order::Alone,
            None => Order::Led(self.replica.leadership().leader),
        };
        let boot = self.clock.boot();
        match &self.order {
            Some((known, since)) if *known == order => {
                boot.saturating_sub(*since) >= SETTLING && order != Order::Led(None)
            }
            known => {
                let was_alone = matches!(known, Some((Order::Alone, _)));
                if was_alone || (order == Order::Alone && known.is_some()) {
                    self.seen.clear();
                }
                self.order = Some((order, boot));
                false
            }
        }
    }

    /// Troubles now, the watchers' open alerts, and when it is this node's turn to raise; `None` when it never is.
    async fn look(
        &mut self,
        view: &mut ReadView,
        now: Timestamp,
    ) -> Result<(Vec<Trouble>, Vec<Raised>, Option<Duration>), ReadError> {
        let mut troubles = watch::look(view, now).await?;
        let boot = self.clock.boot();
        let (index, since) = *self.progress.get_or_insert((view.applied, boot));
        if index != view.applied {
            self.progress = Some((view.applied, boot));
        } else if boot.saturating_sub(since) >= STANDSTILL {
            troubles.push(Trouble::Standstill);
        }
        let open = alerts::list(view, Some(alerts::State::Open), None, OPEN_MAX).await?;
        let raised = open
            .into_iter()
            .filter(|row| row.dedup_key.starts_with(KEY_PREFIX))
            .map(|row| Raised {
                alert: row.id,
                label: row.label,
                key: row.dedup_key,
                raised_at: row.raised_at,
            })
            .collect();
        let members = nodes::nodes(view).await?;
        let mut line: Vec<NodeId> = members
            .iter()
            .filter(|row| row.removed_at.is_none() && row.reachable)
            .map(|row| row.node)
            .collect();
        // Another node than the leader looks first: what is wrong with the leader may keep it from saying so.
        let leader = self.replica.leadership().leader;
        line.sort_by_key(|node| (Some(*node) == leader, *node));
        let own = self.replica.node();
        let place = line.iter().position(|node| *node == own);
        let turns = place.or((!members.is_empty()).then_some(line.len()));
        let turn = turns.map(|turns| TURN * u32::try_from(turns).unwrap_or(u32::MAX));
        Ok((troubles, raised, turn))
    }

    fn post(&self, raised: &[Raised]) {
        let findings = self.seen.iter().map(|(trouble, seen)| {
            let key = trouble.key();
            Finding {
                trouble: trouble.clone(),
                since: seen.since_at,
                alert: raised
                    .iter()
                    .find(|r| r.key == key)
                    .map(|r| r.label.clone()),
                told_directly: seen.told_directly.is_some(),
            }
        });
        self.board.post(findings.collect());
    }

    async fn raise_what_lasts(&mut self, boot: Duration, turn: Duration, raised: &[Raised]) {
        let lasting: Vec<Trouble> = self
            .seen
            .iter()
            // Still there at this look, not only lately.
            .filter(|(_, seen)| seen.last == boot)
            .filter(|(_, seen)| boot.saturating_sub(seen.since) >= LASTING + turn)
            .map(|(trouble, _)| trouble.clone())
            .filter(Trouble::raisable)
            .collect();
        for trouble in lasting {
            if raised.iter().all(|r| r.key != trouble.key()) {
                self.raise(&trouble).await;
            }
        }
    }

    async fn raise(&mut self, trouble: &Trouble) {
        let Some(duty) = self.duty.clone() else {
            if !self.told_no_duty {
                error!("trouble is seen and nobody is told: name a group in [watch] duty");
                self.told_no_duty = true;
            }
            return;
        };
        let (people, earlier) = match self.duty_people(&duty, &trouble.key()).await {
            Ok(Some(found)) => found,
            Ok(None) => {
                error!(
                    duty,
                    "trouble is seen and nobody is told: the group is unknown or empty"
                );
                return;
            }
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                return warn!(error, "the watcher cannot read who is on duty");
            }
        };
        let raise = Raise {
            severity: trouble.severity(),
            status: Status::Actual,
            // English first: it serves languages that are missing.
            texts: Language::all()
                .iter()
                .map(|language| (language.tag().to_owned(), trouble.text(*language)))
                .collect(),
            gather: String::new(),
            gather_in: Vec::new(),
            aware_at: None,
            steps: vec![Step {
                delay_ms: 0,
                recipients: people.iter().map(|person| person.id).collect(),
                enough: Vec::new(),
            }],
            notes: Vec::new(),
            needed: 1,
            repeat_every_ms: alerts::DEFAULT_REPEAT_EVERY_MS,
            repeats: alerts::DEFAULT_REPEATS,
            validity_ms: alerts::DEFAULT_VALIDITY_MS,
            fallback: Vec::new(),
            channels: Vec::new(),
            answers: Vec::new(),
            conduct: alerts::Conduct::default(),
            lead: Vec::new(),
            on_call: Vec::new(),
            dedup_key: Some(trouble.key()),
            source: SOURCE.to_owned(),
            template: None,
        };
        // Whichever node raises it, and however often: the next of its kind is one alert. Two histories that know nothing of
        // each other must not make the same one, though: they would differ under one id.
        let history = self.replica.island().map_or(String::new(), |i| i.letter);
        let request = RequestId::derive(&[
            b"watch",
            history.as_bytes(),
            trouble.key().as_bytes(),
            &earlier.to_be_bytes(),
        ]);
        let command = Command::Alerts(alerts::Command::Raise(Box::new(raise)));
        match self.propose(request, command).await {
            Some(Outcome::Applied(_)) => {
                warn!(
                    trouble = trouble.kind(),
                    "people on duty are told of trouble"
                );
            }
            Some(outcome @ (Outcome::Refused(_) | Outcome::Conflict | Outcome::Defect(_))) => {
                error!(?outcome, "the watcher's alert was not taken");
            }
            Some(Outcome::Unchanged) | None => {}
        }
    }

    /// The people on duty, and how many alerts of this key there were.
    async fn duty_people(
        &self,
        duty: &str,
        key: &str,
    ) -> Result<Option<(Vec<PersonRow>, u64)>, ReadError> {
        let mut view = self.replica.read(Freshness::Local).await?;
        let named = [Named::Group(duty.to_owned())];
        let Ok(ids) = recipients::resolve(&mut view, &named).await? else {
            return Ok(None);
        };
        let people = recipients::by_ids(&mut view, &ids).await?;
        let earlier = alerts::count_with_key(&mut view, key).await?;
        Ok((!people.is_empty()).then_some((people, earlier)))
    }

    async fn close_what_is_over(&mut self, raised: &[Raised]) {
        let now = self.replica.now();
        for alert in raised {
            let lasts = self.seen.keys().any(|trouble| trouble.key() == alert.key);
            // This node may only just have started looking.
            if lasts || now.since(alert.raised_at) < OVER {
                continue;
            }
            let request = RequestId::derive(&[b"watch over", alert.alert.as_bytes()]);
            let command = alerts::Command::Resolve {
                alert: alert.alert,
                note: "it is over".to_owned(),
            };
            self.propose(request, Command::Alerts(command)).await;
        }
    }

    /// Tells people past the log what keeps the log from telling them.
    async fn tell_directly(&mut self, boot: Duration, now: Timestamp, raised: &[Raised]) {
        if self.seen.contains_key(&Trouble::HeldBack) {
            return; // whoever holds everything back, as for a drill, means all of it
        }
        let unheard: Vec<Trouble> = self
            .seen
            .iter()
            .filter(|(trouble, seen)| {
                let told = seen.told_directly;
                trouble.silences()
                    && seen.last == boot
                    && boot.saturating_sub(seen.since) >= UNHEARD
                    && told.is_none_or(|told| boot.saturating_sub(told) >= DIRECT_EVERY)
            })
            .map(|(trouble, _)| trouble.clone())
            .collect();
        for trouble in unheard {
            let alarm = raised.iter().find(|alarm| alarm.key == trouble.key());
            if let Some(alarm) = alarm
                && self.was_heard(alarm).await
            {
                continue;
            }
            let Some(duty) = self.duty.clone() else {
                return;
            };
            let Ok(Some((people, _))) = self.duty_people(&duty, &trouble.key()).await else {
                error!(trouble = trouble.kind(), "nobody could be told of trouble");
                continue;
            };
            let mut told = false;
            for person in people.iter().take(DIRECT_MAX) {
                let body = trouble.text(language_of(person));
                let text = Direct {
                    person,
                    subject: &body,
                    body: &body,
                };
                told |= send_directly(&self.channels, &text, &trouble.key(), now);
            }
            if let Some(seen) = self.seen.get_mut(&trouble).filter(|_| told) {
                seen.told_directly = Some(boot);
            }
        }
    }

    /// Whether some text of an alarm has left.
    async fn was_heard(&self, alarm: &Raised) -> bool {
        let Ok(mut view) = self.replica.read(Freshness::Local).await else {
            return false;
        };
        let counts = deliveries::counts(&mut view, Some(alarm.alert)).await;
        counts.is_ok_and(|counts| {
            counts.iter().any(|(state, count)| {
                let left = matches!(
                    state,
                    deliveries::State::Sent
                        | deliveries::State::Delivered
                        | deliveries::State::HandedOver
                        | deliveries::State::Acknowledged
                );
                left && *count > 0
            })
        })
    }

    async fn propose(&self, request: RequestId, command: Command) -> Option<Outcome> {
        let proposal = Proposal::by_loop(request, command);
        match self.replica.propose(proposal).await {
            Ok(committed) => Some(committed.outcome),
            Err(error) => {
                debug!(
                    error = &error as &dyn std::error::Error,
                    "the watcher's command has no outcome yet"
                );
                None
            }
        }
    }
}
