//! The leader's loop: moves alerts on, gives deliveries to channels, takes them back from silent nodes.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use domain::agenda::{Agenda, agenda};
use domain::alerts;
use domain::approvals;
use domain::audit;
use domain::automations;
use domain::bridge;
use domain::deliveries::{self, Command as Deliveries, Lane};
use domain::envelope::{Actor, LeaderStamp};
use domain::escalation;
use domain::files;
use domain::inbound;
use domain::islands;
use domain::nodes::{self, ChannelRow, CivilStep, Command as Nodes, SetCivilOffset};
use domain::oncall::{self, Called, OnDuty};
use domain::ports::{Freshness, LEASE_EXPIRED, Leadership, Proposal, ReadError, ReadView, Replica};
use domain::reports;
use domain::sources::{self, DueWhat};
use domain::waking;
use domain::{AlertId, Command, NodeId, RequestId, Timestamp, requests};
use tokio::select;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::Wake;
use crate::assignment::assign;
use crate::level;
use crate::pulse::Pulse;
use crate::share;

/// A contact method that no channel has taken for this long brings in the next one (DESIGN C4).
const NEXT_METHOD_AFTER: Duration = Duration::from_secs(120);

/// A number is dark once its channel has been unusable this long; shorter gaps heal by themselves. With the time it
/// takes to notice a dead node this stays well below the 60 s of DESIGN C6.
const DARK_AFTER: Duration = Duration::from_secs(10);

/// Requests are remembered this long (DESIGN A7).
const REQUESTS_KEPT: Duration = Duration::from_secs(35 * 24 * 3_600);

/// Work that falls to another node that is cut off with this one is done here after all when it is this late.
const SHARE_OVERDUE: Duration = Duration::from_secs(20);

/// Most rows one command of each kind names.
const BATCH: u32 = 200;

/// How often the members' feature levels are looked at.
const LEVEL_EVERY: Duration = Duration::from_secs(5);

/// How often every replica digests its state (DESIGN A9).
const DIGEST_EVERY: Duration = Duration::from_secs(600);

/// How often a large pile is looked through.
const BACKLOG_EVERY: Duration = Duration::from_secs(5);

/// Most people told in summaries, and most texts looked at again, in one step.
const BACKLOG: usize = 50;

/// Most actions of alerts taken in one step.
const ACTIONS: u32 = 32;

/// Signs of life are judged missing only by a leadership so old: while there was none, nobody could record them.
const BEATS_SETTLED: Duration = Duration::from_secs(60);

/// Most rows of sources followed up in one step.
const FOLLOW_UPS: u32 = 50;

/// Followers of rooms among whom those to be looked at are found; some may fall to other nodes that are cut off alike.
const FOLLOWERS: u32 = 2_000;

/// How often the members' clocks are compared.
const CIVIL_EVERY: Duration = Duration::from_secs(1);

/// It is looked this often whether the rota of a running alert changed.
const DUTY_EVERY: Duration = Duration::from_secs(10);

/// Decides what happens next while this node leads. Holds no state that a successor would miss.
pub struct Scheduler {
    replica: Arc<dyn Replica>,
    proposals: u64,
    /// When a large pile was last looked through, and which kinds of channel were usable then. A pause only: a successor
    /// just looks at once.
    looked: Option<(Timestamp, BTreeSet<String>)>,
    /// When the members' feature levels were last looked at; a pause as well.
    level_looked: Option<Timestamp>,
    /// When the members' clocks were last compared; a pause as well.
    civil_looked: Option<Timestamp>,
    /// When it was last looked who is on call for running alerts; a pause as well.
    duty_looked: Option<Timestamp>,
    /// The jump of the members' clocks a person was last asked about, so that the log says it once.
    asked_ms: Option<i64>,
    pulse: Pulse,
}

/// What one look at the rows calls for.
#[derive(Debug, Default)]
struct Plan {
    commands: Vec<Command>,
    next: Option<Timestamp>,
    /// Deliveries wait that found no room; the next report makes some.
    full: bool,
    /// A step of an alert is due; the next page of a crowd follows at once, room or not.
    acts: bool,
}

impl Scheduler {
    pub fn new(replica: Arc<dyn Replica>) -> Self {
        Self {
            replica,
            proposals: 0,
            looked: None,
            level_looked: None,
            civil_looked: None,
            duty_looked: None,
            asked_ms: None,
            pulse: Pulse::default(),
        }
    }

    /// Beats with every round, also while another node leads.
    pub fn pulse(&self) -> Pulse {
        self.pulse.clone()
    }

    /// Works until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut changes = self.replica.changes();
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
            select! {
                () = stop.cancelled() => return,
                changed = changes.changed() => if changed.is_err() { return },
                () = sleep(pause) => {}
            }
        }
    }

    /// Does what is due at `now`, if this node leads.
    pub async fn step(&mut self, now: Timestamp) -> Wake {
        let leadership = self.replica.leadership();
        let Some(leader) = leadership.leading else {
            return Wake::Idle;
        };
        let plan = match self.plan(now, &leadership).await {
            Ok(plan) => plan,
            Err(error) => {
                self.replica.suspect(&error);
                warn!(
                    error = &error as &dyn std::error::Error,
                    "cannot read the state; trying again"
                );
                return Wake::Idle;
            }
        };
        let mut progress = false;
        for command in plan.commands {
            match self.propose(leader, command).await {
                Some(changed) => progress |= changed,
                None => return Wake::Idle, // not the leader any more, or no majority: the rows still say what is due
            }
        }
        match (progress && (plan.acts || !plan.full), plan.next) {
            (true, _) => Wake::Now,
            (false, Some(at)) => Wake::At(at),
            (false, None) => Wake::Idle,
        }
    }

    async fn plan(&mut self, now: Timestamp, leadership: &Leadership) -> Result<Plan, ReadError> {
        let mut view = self.replica.read(Freshness::Local).await?;
        let (island, own) = (self.replica.island(), self.replica.node());
        let island = island.as_ref();
        let granted = self.replica.granted();
        let age = |node: NodeId| {
            granted
                .iter()
                .find(|(id, _)| *id == node)
                .map(|(_, age)| *age)
        };
        // Only a leadership as old as a lease knows that a node it never granted one to holds none.
        let settled = leadership.leading_for >= LEASE_EXPIRED;
        let silent = |node| settled && age(node).is_none_or(|age| age >= LEASE_EXPIRED);
        let mut plan = Plan::default();
        let members = nodes::nodes(&mut view).await?;
        let agenda = agenda(&mut view).await?;

        for node in members.iter().filter(|node| node.removed_at.is_none()) {
            let reachable = if silent(node.node) {
                false
            } else {
                age(node.node).is_some() || node.reachable
            };
            if reachable != node.reachable {
                info!(node = %node.node, reachable, "node changed");
                plan.commands.push(Command::Nodes(Nodes::SetReachable {
                    node: node.node,
                    reachable,
                }));
            }
        }
        if agenda.under_way && members.iter().any(|node| silent(node.node)) {
            for node in deliveries::under_way(&mut view).await? {
                if silent(node) {
                    let attempts = deliveries::under_way_on(&mut view, node).await?;
                    info!(%node, attempts = attempts.len(), "work taken back from a silent node");
                    plan.commands
                        .push(Command::Deliveries(Deliveries::Reclaim { attempts }));
                }
            }
        }
        if island.is_none() {
            if digest_due(&agenda, now, leadership) {
                plan.commands.push(Command::Nodes(Nodes::TakeDigest));
            }
            if !agenda.has_reply_secret {
                plan.commands
                    .push(Command::Deliveries(Deliveries::DrawReplySecret));
            }
            if agenda.audit.by(now) {
                plan.commands.push(Command::Audit(audit::Command::Mark));
            }
            // On an island the time of the others is kept: one clock is no majority.
            if let Some(set) = self
                .civil_offset(&mut view, now, &members, &granted)
                .await?
            {
                plan.commands
                    .push(Command::Nodes(Nodes::SetCivilOffset(set)));
            }
        }
        if agenda.outbox_paused {
            // Held back, as after a restore: nothing is decided that would leave, and nobody's silence counts.
            return Ok(plan);
        }
        let late = now - SHARE_OVERDUE;
        let found = escalation::due(&mut view, now, ACTIONS);
        for action in look(agenda.escalation.by(now), found).await? {
            if action.due > late && !share::is_ours(island, own, action.alert.as_bytes()) {
                continue;
            }
            plan.acts = true;
            plan.commands.push(Command::Escalation(action.command));
        }
        let found = sources::due(&mut view, now, FOLLOW_UPS);
        let mut followed = look(agenda.sources.by(now), found).await?;
        if leadership.leading_for < BEATS_SETTLED {
            followed.retain(|due| !matches!(due.what, DueWhat::Beat { .. }));
        }
        if !followed.is_empty() {
            plan.commands
                .push(Command::Sources(sources::Command::FollowUp {
                    due: followed,
                }));
        }
        let found = automations::due(&mut view, now, FOLLOW_UPS);
        let due = look(agenda.automations.by(now), found).await?;
        let ours = |due: &automations::Due| {
            due.at.is_none_or(|at| at <= late) || share::is_ours(island, own, due.alert.as_bytes())
        };
        let alerts: Vec<_> = due.into_iter().filter(ours).map(|due| due.alert).collect();
        if !alerts.is_empty() {
            plan.commands
                .push(Command::Automations(automations::Command::FollowUp {
                    alerts,
                }));
        }
        let found = bridge::due(&mut view, now, FOLLOWERS);
        let mut followers = look(agenda.bridge.by(now), found).await?;
        followers.retain(|who| share::is_ours(island, own, who.person.as_bytes()));
        followers.truncate(bridge::FOLLOWERS_MAX);
        if !followers.is_empty() {
            plan.commands
                .push(Command::Bridge(bridge::Command::FollowUp { followers }));
        }
        let mut handed = self.handed(&mut view, now, agenda.duty_awaited).await?;
        handed.retain(|alert| share::is_ours(island, own, alert.as_bytes()));
        if !handed.is_empty() {
            plan.commands
                .push(Command::Alerts(alerts::Command::HandOver {
                    alerts: handed,
                }));
        }
        if island.is_none() {
            let found = files::over(&mut view, now, FOLLOW_UPS);
            let over = look(agenda.files.by(now), found).await?;
            if !over.is_empty() {
                plan.commands
                    .push(Command::Files(files::Command::Expire { files: over }));
            }
            let found = reports::due(&mut view, now, FOLLOW_UPS);
            let due = look(agenda.reports.by(now), found).await?;
            if !due.is_empty() {
                plan.commands
                    .push(Command::Reports(reports::Command::FollowUp { due }));
            }
            let found = approvals::due(&mut view, now, FOLLOW_UPS);
            let due = look(agenda.approvals.by(now), found).await?;
            if !due.is_empty() {
                plan.commands
                    .push(Command::Approvals(approvals::Command::FollowUp { due }));
            }
            let found = waking::due(&mut view, now, FOLLOW_UPS);
            let due = look(agenda.waking.by(now), found).await?;
            if !due.is_empty() {
                plan.commands
                    .push(Command::Waking(waking::Command::FollowUp { due }));
            }
        }
        let found = deliveries::expired(&mut view, now, BATCH);
        let expired = look(agenda.expiry.by(now), found).await?;
        if !expired.is_empty() {
            plan.commands.push(Command::Deliveries(Deliveries::Expire {
                deliveries: expired,
            }));
        }
        let leveled_lately = self
            .level_looked
            .is_some_and(|at| now.since(at) < LEVEL_EVERY);
        if !leveled_lately {
            self.level_looked = Some(now);
            if island.is_none()
                && let Some(raise) = level::of_leader(&nodes::levels(&mut view).await?)
            {
                info!(command = ?raise, "every member knows a higher feature level");
                plan.commands.push(raise);
            }
        }
        // What piled up while nothing could leave is shortened before any of it is given to a channel.
        let channels = nodes::channels(&mut view).await?;
        let shorter = self.shorter(&mut view, now, &agenda, &channels).await?;
        let shortened = !shorter.is_empty();
        plan.commands.extend(shorter);
        let before = now - NEXT_METHOD_AFTER;
        let found = deliveries::failed_predecessor(&mut view, before, BATCH);
        let waiting = look(agenda.standby_since.is_some_and(|at| at <= before), found).await?;
        if !waiting.is_empty() {
            plan.commands
                .push(Command::Deliveries(Deliveries::Activate {
                    deliveries: waiting,
                }));
        }
        let mut heard = channels.clone();
        if members.iter().any(|node| node.removed_at.is_some()) {
            heard.extend(nodes::channels_of_the_gone(&mut view).await?);
        }
        for channel in dark(&heard, &members, now) {
            let stranded =
                deliveries::stranded(&mut view, channel.node, &channel.name, now, BATCH).await?;
            if !stranded.is_empty() {
                info!(node = %channel.node, channel = channel.name, texts = stranded.len(), "answers would be lost; sending again");
                plan.commands.push(Command::Deliveries(Deliveries::Resend {
                    deliveries: stranded,
                }));
            }
        }
        let found = deliveries::due(&mut view, now, BATCH);
        let mut due = look(agenda.deliveries.by(now), found).await?;
        if island.is_some() && !due.is_empty() {
            // Only this node's own channels hear what is decided here.
            let overdue = deliveries::due(&mut view, late, BATCH).await?;
            due.retain(|due| overdue.contains(due) || share::sends(island, own, due, &channels));
        }
        if shortened {
            // The rest of what piled up is shortened before any of it leaves; there may be more than one step's worth.
            due.retain(|due| due.critical || due.lane < Lane::Human);
        }
        if !due.is_empty() {
            let usable: Vec<ChannelRow> = channels
                .into_iter()
                .filter(|channel| island.is_none() || channel.node == own)
                .collect();
            let assignments = assign(&due, &usable, &deliveries::load(&mut view).await?);
            plan.full = assignments.is_empty();
            if !assignments.is_empty() {
                plan.commands
                    .push(Command::Deliveries(Deliveries::Assign { assignments }));
            }
        }
        let horizon = now - REQUESTS_KEPT;
        if agenda.oldest_request.is_some_and(|at| at < horizon) {
            plan.commands
                .push(Command::Requests(requests::Command::Prune {
                    before: horizon,
                }));
        }
        let mark = agenda.audit.next.filter(|at| island.is_none() && *at > now);
        plan.next = agenda.next_after(now).into_iter().chain(mark).min();
        Ok(plan)
    }

    /// Running alerts that a change of duty concerns.
    async fn handed(
        &mut self,
        view: &mut ReadView,
        now: Timestamp,
        awaited: bool,
    ) -> Result<Vec<AlertId>, ReadError> {
        let mut duties = Vec::new();
        let lately = self
            .duty_looked
            .is_some_and(|at| now.since(at) < DUTY_EVERY);
        if !lately {
            self.duty_looked = Some(now);
            let at = nodes::civil(view).await?.at(now);
            for schedule in alerts::schedules_under_way(view).await? {
                let called = [Called::OnCall(schedule.clone())];
                let found = oncall::resolve(view, &called, at).await?;
                let people = found.unwrap_or_default().people;
                duties.push(OnDuty { schedule, people });
            }
        }
        let found = alerts::unsettled(view, &duties, alerts::HANDED_MAX as u32);
        look(awaited || !duties.is_empty(), found).await
    }

    /// What shortens the pile that grew while nothing could leave, and texts that can be understood by now.
    async fn shorter(
        &mut self,
        view: &mut ReadView,
        now: Timestamp,
        agenda: &Agenda,
        channels: &[ChannelRow],
    ) -> Result<Vec<Command>, ReadError> {
        let usable: BTreeSet<String> = channels
            .iter()
            .filter(|channel| channel.usable)
            .map(|channel| channel.kind.clone())
            .collect();
        let lately = self
            .looked
            .as_ref()
            .is_some_and(|(at, then)| now.since(*at) < BACKLOG_EVERY && *then == usable);
        let before = now - islands::SUPERSEDED_AFTER;
        let waits = agenda.untold_since.is_some_and(|at| at <= before);
        if waits && !lately {
            self.looked = Some((now, usable));
        }
        let found = islands::backlog(view, now, BACKLOG, lately);
        let shorter = look(waits, found).await?;
        let mut commands: Vec<Command> = shorter.into_iter().map(Command::Deliveries).collect();
        let keys = look(agenda.elsewhere, inbound::understood(view, now, BACKLOG)).await?;
        if !keys.is_empty() {
            commands.push(Command::Inbound(inbound::Command::Replay { keys }));
        }
        Ok(commands)
    }

    /// Civil time by the wall clocks of the members heard now (DESIGN A10). Nothing here depends on it.
    async fn civil_offset(
        &mut self,
        view: &mut ReadView,
        now: Timestamp,
        members: &[nodes::NodeRow],
        granted: &[(NodeId, Duration)],
    ) -> Result<Option<SetCivilOffset>, ReadError> {
        let lately = self
            .civil_looked
            .is_some_and(|at| now.since(at) < CIVIL_EVERY);
        if lately {
            return Ok(None);
        }
        self.civil_looked = Some(now);
        let members = members.iter().filter(|node| node.removed_at.is_none());
        let heard = |node: NodeId| {
            granted
                .iter()
                .any(|(id, age)| *id == node && *age < LEASE_EXPIRED)
        };
        let mut machines = nodes::machines(view).await?;
        machines.retain(|machine| heard(machine.node));
        let held = nodes::civil_row(view).await?;
        match nodes::next_civil(held.as_ref(), &machines, members.count()) {
            CivilStep::Keep => {
                self.asked_ms = None;
                Ok(None)
            }
            CivilStep::Set(set) => {
                info!(
                    offset_ms = set.offset_ms,
                    agreeing = set.agreeing,
                    "civil time follows the members' clocks"
                );
                Ok(Some(set))
            }
            CivilStep::Ask(offset_ms) => {
                if self.asked_ms != Some(offset_ms) {
                    warn!(
                        offset_ms,
                        "the members' clocks jumped together; say which time is right with `holdfast cluster set-time`"
                    );
                }
                self.asked_ms = Some(offset_ms);
                Ok(None)
            }
        }
    }

    /// Proposes one command under this leadership; says whether it changed anything, `None` when it has no outcome.
    async fn propose(&mut self, leader: LeaderStamp, command: Command) -> Option<bool> {
        self.proposals += 1;
        let request = RequestId::derive(&[
            b"scheduler",
            &leader.term.to_be_bytes(),
            &leader.node.0.to_be_bytes(),
            &self.proposals.to_be_bytes(),
        ]);
        let proposal = Proposal {
            request,
            body: [0; 32],
            actor: Actor::Loop,
            decided_under: Some(leader),
            command,
        };
        match self.replica.propose(proposal).await {
            Ok(committed) => match committed.outcome {
                domain::Outcome::Applied(_) => Some(true),
                domain::Outcome::Unchanged => Some(false),
                outcome @ (domain::Outcome::Refused(_)
                | domain::Outcome::Conflict
                | domain::Outcome::Defect(_)) => {
                    warn!(?outcome, "a scheduler command was not applied");
                    Some(false)
                }
            },
            Err(error) => {
                debug!(
                    error = &error as &dyn std::error::Error,
                    "a scheduler command has no outcome"
                );
                None
            }
        }
    }
}

/// Whether the replicas should be compared again; one alone has nobody to differ from.
fn digest_due(agenda: &Agenda, now: Timestamp, leadership: &Leadership) -> bool {
    let several = leadership.voters.len() + leadership.learners.len() > 1;
    let digested = agenda.digested_at;
    several && digested.is_none_or(|at| now.since(at) >= DIGEST_EVERY)
}

/// What a slice finds, if the agenda says that there is something to find. A debug build looks all the same, and stops
/// where the agenda was wrong.
async fn look<T, E>(
    due: bool,
    found: impl Future<Output = Result<Vec<T>, E>>,
) -> Result<Vec<T>, ReadError>
where
    ReadError: From<E>,
{
    if !due && !cfg!(debug_assertions) {
        return Ok(Vec::new());
    }
    let found = found.await?;
    debug_assert!(
        due || found.is_empty(),
        "the agenda misses what {} finds",
        std::any::type_name::<T>()
    );
    Ok(found)
}

/// SMS channels whose numbers hear no answers, while another one could send again.
fn dark<'a>(
    channels: &'a [ChannelRow],
    members: &[nodes::NodeRow],
    now: Timestamp,
) -> Vec<&'a ChannelRow> {
    let sms = || channels.iter().filter(|channel| channel.kind == "sms");
    if !sms().any(|channel| channel.usable) {
        return Vec::new();
    }
    sms()
        .filter(|channel| !channel.usable)
        .filter(|channel| {
            let node = members.iter().find(|node| node.node == channel.node);
            let since = match node {
                Some(node) if !node.reachable => node.reachable_since,
                Some(_) | None => channel.changed_at,
            };
            now.since(since) >= DARK_AFTER
        })
        .collect()
}
