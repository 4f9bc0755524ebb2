//! What is wrong, by another way of looking: plain SQL over the applied rows, none of the scheduler's own queries. So a
//! fault in those cannot hide itself (PRODUCT L-13). Reads only; who is told is the watcher's matter.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::{Row, SqliteConnection};

use crate::audit::{self, SealState};
use crate::ids::AlertId;
use crate::nodes::{self, DigestStanding, Disk, Power};
use crate::texts::{self, Language};
use crate::time::Timestamp;
use crate::vocabulary::Severity;
use crate::{alerts, limits, rows};

/// Alerts that the watchers raise carry this before their key.
pub const KEY_PREFIX: &str = "watch:";

/// An alert's next action is done within a second; a change of leadership takes a few.
const ACTION_LATE: Duration = Duration::from_secs(60);

/// A delivery that is due while a channel is free is assigned within a second.
const DELIVERY_LATE: Duration = Duration::from_secs(120);

/// The longest send takes two and a half minutes, and four wait before it (CHANNELS §1.6, DESIGN C3).
const SEND_LATE: Duration = Duration::from_secs(900);

/// A node that the leader cannot reach for this long has fallen silent.
const NODE_SILENT: Duration = Duration::from_secs(60);

/// A node that is cut off for this long tells people; shorter cuts heal by themselves.
const CUT_OFF: Duration = Duration::from_secs(60);

/// A channel that is down for this long does not heal by itself.
const CHANNEL_DOWN: Duration = Duration::from_secs(600);

/// Every node says something of its machine every ten minutes.
const REPORT_LATE: Duration = Duration::from_secs(1_800);

/// Findings of one kind that are told apart; beyond, they are one trouble.
const EACH_MAX: i64 = 8;

/// Something that is wrong.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Trouble {
    /// An open alert's next action is overdue: nobody moves it on.
    ActionLate { alert: String },
    /// An open alert has no next action.
    ActionMissing { alert: String },
    /// Deliveries wait although a channel is free for them: `sms` or `email`.
    DeliveriesLate { kind: String },
    /// Deliveries were given to a node that neither sends nor gives them back.
    SendsLate { node: String },
    /// Deliveries outlived their time and did not end.
    NotEnded,
    /// Deliveries wait and no channel of their kind is up anywhere.
    NoChannel { kind: String },
    /// A node has fallen silent.
    NodeSilent { node: String },
    /// A node has said nothing of its machine for long.
    ReportsLate { node: String },
    /// A channel is down and does not heal by itself.
    ChannelDown { node: String, channel: String },
    /// A text from one node's modem did not come to the next one's.
    TripMissing { node: String, to: String },
    /// A node's state differs from the others'.
    StateDiffers { node: String },
    /// The nodes' states differ and nobody knows which is right.
    StatesDiffer,
    /// A node signed another history of who did what than a majority.
    AuditDiffers { node: String },
    /// Nodes signed different histories, and no majority says which is right.
    AuditsDiffer,
    /// The members' wall clocks jumped, and a person must say which time is right.
    ClocksJumped,
    /// A node's disk is full, or nearly.
    DiskFull { node: String },
    /// A node runs on its battery.
    OnBattery { node: String },
    /// Nothing was applied here for long, neither by the cluster nor alone: this node hangs.
    Standstill,
    /// This node hears no majority and alerts by itself.
    CutOff { node: String },
    /// Most of an account's SMS budget is used up.
    BudgetNearlyUsed { account: String },
    /// Only critical texts leave on an account any more.
    BudgetUsed { account: String },
    /// The outbox is held back by a person or a restore: nothing leaves, this alarm neither.
    HeldBack,
}

impl Trouble {
    /// The word in keys, metrics and answers.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::ActionLate { .. } => "action_late",
            Self::ActionMissing { .. } => "action_missing",
            Self::DeliveriesLate { .. } => "deliveries_late",
            Self::SendsLate { .. } => "sends_late",
            Self::NotEnded => "not_ended",
            Self::NoChannel { .. } => "no_channel",
            Self::NodeSilent { .. } => "node_silent",
            Self::ReportsLate { .. } => "reports_late",
            Self::ChannelDown { .. } => "channel_down",
            Self::TripMissing { .. } => "trip_missing",
            Self::StateDiffers { .. } => "state_differs",
            Self::StatesDiffer => "states_differ",
            Self::AuditDiffers { .. } => "audit_differs",
            Self::AuditsDiffer => "audits_differ",
            Self::ClocksJumped => "clocks_jumped",
            Self::DiskFull { .. } => "disk_full",
            Self::OnBattery { .. } => "on_battery",
            Self::Standstill => "standstill",
            Self::CutOff { .. } => "cut_off",
            Self::BudgetNearlyUsed { .. } => "budget_nearly_used",
            Self::BudgetUsed { .. } => "budget_used",
            Self::HeldBack => "held_back",
        }
    }

    /// Names this trouble, so that it is raised once: `watch:node_silent:beta`.
    pub fn key(&self) -> String {
        let subject = match self {
            Self::ActionLate { alert } | Self::ActionMissing { alert } => alert.clone(),
            Self::DeliveriesLate { kind } | Self::NoChannel { kind } => kind.clone(),
            Self::SendsLate { node }
            | Self::NodeSilent { node }
            | Self::ReportsLate { node }
            | Self::StateDiffers { node }
            | Self::AuditDiffers { node }
            | Self::DiskFull { node }
            | Self::OnBattery { node }
            | Self::CutOff { node } => node.clone(),
            Self::BudgetNearlyUsed { account } | Self::BudgetUsed { account } => account.clone(),
            Self::ChannelDown { node, channel } => format!("{node}/{channel}"),
            Self::TripMissing { node, to } => format!("{node}/{to}"),
            Self::NotEnded
            | Self::StatesDiffer
            | Self::AuditsDiffer
            | Self::ClocksJumped
            | Self::Standstill
            | Self::HeldBack => String::new(),
        };
        format!("{KEY_PREFIX}{}:{subject}", self.kind())
    }

    /// The normal way of telling people may itself be what is broken: they are told directly as well.
    pub fn silences(&self) -> bool {
        matches!(
            self,
            Self::ActionLate { .. }
                | Self::ActionMissing { .. }
                | Self::DeliveriesLate { .. }
                | Self::NotEnded
                | Self::Standstill
        )
    }

    /// Whether an alert may tell people of it: not when that is what cannot work.
    pub fn raisable(&self) -> bool {
        !matches!(self, Self::Standstill | Self::HeldBack)
    }

    /// How bad.
    pub fn severity(&self) -> Severity {
        match self {
            Self::ActionLate { .. }
            | Self::ActionMissing { .. }
            | Self::DeliveriesLate { .. }
            | Self::NotEnded
            | Self::Standstill
            | Self::HeldBack
            | Self::NoChannel { .. }
            // The reserve is there for this, too: otherwise nobody would hear why texts stay away.
            | Self::BudgetUsed { .. }
            | Self::StatesDiffer
            | Self::AuditDiffers { .. }
            | Self::AuditsDiffer => Severity::Critical,
            Self::SendsLate { .. }
            | Self::NodeSilent { .. }
            | Self::TripMissing { .. }
            | Self::StateDiffers { .. }
            | Self::DiskFull { .. }
            | Self::OnBattery { .. }
            | Self::BudgetNearlyUsed { .. }
            | Self::CutOff { .. } => Severity::High,
            Self::ReportsLate { .. } | Self::ChannelDown { .. } | Self::ClocksJumped => {
                Severity::Normal
            }
        }
    }

    /// What people read: what is wrong and what to do.
    pub fn text(&self, language: Language) -> String {
        texts::trouble(self, language)
    }
}

/// A trouble and what came of it so far, for status and metrics.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Finding {
    pub trouble: Trouble,
    /// Since when this node has seen it.
    pub since: Timestamp,
    /// Number of the alert that tells people.
    pub alert: Option<String>,
    /// People were also told past the log, by this node's own channels.
    pub told_directly: bool,
}

/// What a node's watcher sees now. Cheap to clone; all clones are one board.
#[derive(Clone, Debug, Default)]
pub struct Board(Arc<Mutex<Vec<Finding>>>);

impl Board {
    /// Replaces what stands on it.
    pub fn post(&self, findings: Vec<Finding>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = findings;
    }

    /// What stands on it.
    pub fn read(&self) -> Vec<Finding> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// Everything wrong by the rows as they stand at `now`, in order.
pub async fn look(
    conn: &mut SqliteConnection,
    now: Timestamp,
) -> Result<Vec<Trouble>, sqlx::Error> {
    let mut all = Vec::new();
    if nodes::outbox_pause(conn).await?.is_some() {
        // Everything is late on purpose.
        all.push(Trouble::HeldBack);
    } else {
        of_alerts(conn, now, &mut all).await?;
        of_deliveries(conn, now, &mut all).await?;
    }
    let fork = nodes::fork(conn).await?;
    let alone = fork.is_some();
    of_nodes(conn, now, alone, &mut all).await?;
    match fork {
        // The others are silent from here, and what is known of their states is old: one alarm says so.
        Some(fork) if now.since(fork.entered_at) >= CUT_OFF => {
            all.push(Trouble::CutOff { node: fork.site });
        }
        Some(_) => {}
        None => {
            of_states(conn, &mut all).await?;
            of_trips(conn, now, &mut all).await?;
        }
    }
    of_budgets(conn, now, &mut all).await?;
    all.sort();
    all.dedup();
    Ok(all)
}

async fn of_budgets(
    conn: &mut SqliteConnection,
    now: Timestamp,
    all: &mut Vec<Trouble>,
) -> Result<(), sqlx::Error> {
    let (mut used, mut nearly) = (BTreeSet::new(), BTreeSet::new());
    for standing in limits::standings(conn, now).await? {
        if standing.is_used_up() {
            used.insert(standing.account);
        } else if standing.is_nearly_used_up() {
            nearly.insert(standing.account);
        }
    }
    let most = usize::try_from(EACH_MAX).unwrap_or(usize::MAX);
    let nearly = nearly.into_iter().filter(|account| !used.contains(account));
    let nearly: Vec<String> = nearly.take(most).collect();
    let used = used.into_iter().take(most);
    all.extend(used.map(|account| Trouble::BudgetUsed { account }));
    let nearly = nearly.into_iter();
    all.extend(nearly.map(|account| Trouble::BudgetNearlyUsed { account }));
    Ok(())
}

/// The watchers' own alerts are left out: one stuck alarm must not raise another.
async fn of_alerts(
    conn: &mut SqliteConnection,
    now: Timestamp,
    all: &mut Vec<Trouble>,
) -> Result<(), sqlx::Error> {
    let found = sqlx::query(
        "select a.alert_id, coalesce(e.next_action, '') as action, coalesce(e.next_due_ms, 0) as due \
         from alert a left join escalation e on e.alert_id = a.alert_id \
         where a.state = 'open' and a.dedup_key not like 'watch:%' \
         and (coalesce(e.next_action, '') = '' or e.next_due_ms < ?) order by a.raised_at_ms, a.alert_id limit ?",
    )
    .bind((now - ACTION_LATE).0)
    .bind(EACH_MAX)
    .fetch_all(&mut *conn)
    .await?;
    for row in &found {
        let id = AlertId::from_row(row.try_get("alert_id")?)?;
        let named = alerts::find(conn, id).await?;
        let alert = named.map_or_else(|| id.to_string(), |row| row.label);
        all.push(if row.try_get::<&str, _>("action")?.is_empty() {
            Trouble::ActionMissing { alert }
        } else {
            Trouble::ActionLate { alert }
        });
    }
    Ok(())
}

async fn of_deliveries(
    conn: &mut SqliteConnection,
    now: Timestamp,
    all: &mut Vec<Trouble>,
) -> Result<(), sqlx::Error> {
    // Rings wait for a modem that has no text to send. Many texts may wait for their turn; what matters is whether anything of the kind was given out lately.
    let waiting = sqlx::query(
        "select d.kind, \
         exists (select 1 from channel c join node n on n.node_id = c.node_id \
          where c.kind = d.kind and c.up = 1 and n.reachable = 1 and n.removed_at_ms is null \
          and max(c.changed_at_ms, n.reachable_since_ms) < ?1) as usable, \
         exists (select 1 from channel c join node n on n.node_id = c.node_id \
          where c.kind = d.kind and c.up = 1 and n.removed_at_ms is null) as any_up, \
         exists (select 1 from attempt t join channel c on c.node_id = t.node_id and c.name = t.channel \
          where c.kind = d.kind and max(t.assigned_at_ms, coalesce(t.ended_at_ms, 0)) >= ?1) as moving \
         from delivery d where d.state = 'pending' and d.kind <> 'ring' and d.ended_at_ms is null and d.due_at_ms < ?1 \
         and d.expires_at_ms > ?2 group by d.kind order by d.kind",
    )
    .bind((now - DELIVERY_LATE).0)
    .bind(now.0)
    .fetch_all(&mut *conn)
    .await?;
    for row in &waiting {
        let kind: String = row.try_get("kind")?;
        let (usable, any_up, moving): (bool, bool, bool) = (
            row.try_get("usable")?,
            row.try_get("any_up")?,
            row.try_get("moving")?,
        );
        if !any_up {
            all.push(Trouble::NoChannel { kind });
        } else if usable && !moving {
            all.push(Trouble::DeliveriesLate { kind });
        }
    }
    let held: Vec<String> = sqlx::query_scalar(
        "select distinct n.name from attempt t join node n on n.node_id = t.node_id \
         where t.state = 'assigned' and t.assigned_at_ms < ? order by n.name limit ?",
    )
    .bind((now - SEND_LATE).0)
    .bind(EACH_MAX)
    .fetch_all(&mut *conn)
    .await?;
    all.extend(held.into_iter().map(|node| Trouble::SendsLate { node }));
    let outlived: bool = sqlx::query_scalar(
        "select exists (select 1 from delivery where ended_at_ms is null and expires_at_ms < ?)",
    )
    .bind((now - DELIVERY_LATE).0)
    .fetch_one(conn)
    .await?;
    if outlived {
        all.push(Trouble::NotEnded);
    }
    Ok(())
}

async fn of_nodes(
    conn: &mut SqliteConnection,
    now: Timestamp,
    alone: bool,
    all: &mut Vec<Trouble>,
) -> Result<(), sqlx::Error> {
    let members = sqlx::query(
        "select n.name, n.reachable, n.reachable_since_ms, m.reported_at_ms, coalesce(m.disk, '') as disk, \
         coalesce(m.power, '') as power from node n left join machine m on m.node_id = n.node_id \
         where n.removed_at_ms is null order by n.node_id",
    )
    .fetch_all(&mut *conn)
    .await?;
    for row in &members {
        let node: String = row.try_get("name")?;
        let silent_since = rows::time(row, "reachable_since_ms")?;
        let reported_at = rows::time_opt(row, "reported_at_ms")?;
        if !row.try_get::<bool, _>("reachable")? {
            if !alone && now.since(silent_since) >= NODE_SILENT {
                all.push(Trouble::NodeSilent { node });
            }
            continue; // what it said last is old
        }
        if reported_at.is_some_and(|at| now.since(at) >= REPORT_LATE) {
            all.push(Trouble::ReportsLate { node: node.clone() });
        }
        if Disk::parse(row.try_get("disk")?) >= Disk::CriticalOnly {
            all.push(Trouble::DiskFull { node: node.clone() });
        }
        if Power::parse(row.try_get("power")?) >= Power::Battery {
            all.push(Trouble::OnBattery { node });
        }
    }
    let down: Vec<(String, String)> = sqlx::query_as(
        "select n.name, c.name from channel c join node n on n.node_id = c.node_id \
         where c.up = 0 and c.changed_at_ms < ? and n.reachable = 1 and n.removed_at_ms is null \
         order by n.node_id, c.name limit ?",
    )
    .bind((now - CHANNEL_DOWN).0)
    .bind(EACH_MAX)
    .fetch_all(&mut *conn)
    .await?;
    let down = down.into_iter();
    all.extend(down.map(|(node, channel)| Trouble::ChannelDown { node, channel }));
    Ok(())
}

/// A modem that does not reach the next one: its newest trip did not arrive in time (PRODUCT L-5, W-4).
async fn of_trips(
    conn: &mut SqliteConnection,
    now: Timestamp,
    all: &mut Vec<Trouble>,
) -> Result<(), sqlx::Error> {
    let found: Vec<(String, String)> = sqlx::query_as(
        "select n.name, o.name from round_trip t join node n on n.node_id = t.node_id \
         join node o on o.node_id = t.to_node where t.arrived_at_ms is null and t.due_ms < ? \
         and n.removed_at_ms is null and o.removed_at_ms is null and t.started_at_ms = \
          (select max(l.started_at_ms) from round_trip l where l.node_id = t.node_id) order by n.node_id limit ?",
    )
    .bind(now.0)
    .bind(EACH_MAX)
    .fetch_all(conn)
    .await?;
    all.extend(
        found
            .into_iter()
            .map(|(node, to)| Trouble::TripMissing { node, to }),
    );
    Ok(())
}

async fn of_states(conn: &mut SqliteConnection, all: &mut Vec<Trouble>) -> Result<(), sqlx::Error> {
    let members = nodes::nodes(conn).await?;
    let name = |id| {
        let row = members.iter().find(|row| row.node == id);
        row.map_or_else(String::new, |row| row.name.clone())
    };
    for row in nodes::digests(conn).await? {
        match row.standing {
            DigestStanding::Differs => all.push(Trouble::StateDiffers {
                node: name(row.node),
            }),
            DigestStanding::Disputed => all.push(Trouble::StatesDiffer),
            DigestStanding::Same | DigestStanding::Alone => {}
        }
    }
    for (node, _, state) in audit::sealing(conn).await?.members {
        match state {
            SealState::Differs => all.push(Trouble::AuditDiffers { node: name(node) }),
            SealState::Disputed => all.push(Trouble::AuditsDiffer),
            SealState::Agrees => {}
        }
    }
    let reachable = |id| members.iter().any(|row| row.node == id && row.reachable);
    let mut machines = nodes::machines(conn).await?;
    machines.retain(|machine| reachable(machine.node));
    let held = nodes::civil_row(conn).await?;
    let count = members
        .iter()
        .filter(|row| row.removed_at.is_none())
        .count();
    if let nodes::CivilStep::Ask(_) = nodes::next_civil(held.as_ref(), &machines, count) {
        all.push(Trouble::ClocksJumped);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerts::Severity;
    use crate::nodes::{Command as Nodes, MachineReport};
    use crate::transcript::World;
    use crate::{Command, NodeId};

    async fn kinds(world: &mut World) -> Vec<&'static str> {
        let found = look(&mut world.conn, world.now).await.unwrap();
        found.iter().map(Trouble::kind).collect()
    }

    #[tokio::test]
    async fn a_healthy_cluster_is_quiet() {
        let mut world = World::new().await;
        assert_eq!(kinds(&mut world).await, Vec::<&str>::new());
    }

    #[tokio::test]
    async fn an_alert_that_nobody_moves_on_is_found_and_one_without_a_next_action_at_once() {
        let mut world = World::new().await;
        world
            .raise(Severity::High, 60, &[&["ana"], &["bela"]])
            .await;
        world.pass(110);
        assert_eq!(kinds(&mut world).await, Vec::<&str>::new());
        world.pass(11);
        assert_eq!(kinds(&mut world).await, ["action_late", "deliveries_late"]);
        sqlx::query("update escalation set next_action = ''")
            .execute(&mut world.conn)
            .await
            .unwrap();
        assert_eq!(
            kinds(&mut world).await,
            ["action_missing", "deliveries_late"]
        );
    }

    #[tokio::test]
    async fn a_silent_node_and_a_full_disk_are_found() {
        let mut world = World::new().await;
        let reachable = |reachable| Nodes::SetReachable {
            node: NodeId(2),
            reachable,
        };
        world.run(Command::Nodes(reachable(false))).await;
        world.pass(60);
        assert_eq!(kinds(&mut world).await, ["node_silent"]);
        world.run(Command::Nodes(reachable(true))).await;
        let report = MachineReport {
            node: NodeId(2),
            civil_offset_ms: 0,
            moved_ms: 0,
            resumed: false,
            clock_source: String::new(),
            synchronised: None,
            disk: "critical_only".to_owned(),
            disk_free_mb: 200,
            power: "battery".to_owned(),
            runtime_s: Some(900),
            place: nodes::Place::default(),
        };
        world
            .run(Command::Nodes(Nodes::ReportMachine(report)))
            .await;
        assert_eq!(kinds(&mut world).await, ["disk_full", "on_battery"]);
    }

    #[tokio::test]
    async fn an_island_tells_that_it_is_cut_off_instead_of_that_everybody_is_silent() {
        let mut world = World::new().await;
        let fork = nodes::Fork {
            node: NodeId(1),
            site: "alpha".to_owned(),
            entered_at: world.now,
            base: 1,
        };
        crate::islands::enter(&mut world.conn, &fork).await.unwrap();
        world.pass(59);
        assert_eq!(kinds(&mut world).await, Vec::<&str>::new());
        world.pass(1);
        assert_eq!(kinds(&mut world).await, ["cut_off"]);
    }

    #[tokio::test]
    async fn what_is_late_because_the_outbox_is_held_back_is_one_thing() {
        let mut world = World::new().await;
        world.raise(Severity::High, 60, &[&["ana"]]).await;
        let reason = "restored".to_owned();
        world
            .run(Command::Deliveries(
                crate::deliveries::Command::PauseOutbox { reason },
            ))
            .await;
        world.pass(600);
        assert_eq!(kinds(&mut world).await, ["held_back"]);
    }

    #[test]
    fn every_trouble_has_a_key_of_its_own_and_words_in_every_language() {
        let node = || "beta".to_owned();
        let all = [
            Trouble::ActionLate {
                alert: "118".to_owned(),
            },
            Trouble::ActionMissing {
                alert: "118".to_owned(),
            },
            Trouble::DeliveriesLate {
                kind: "sms".to_owned(),
            },
            Trouble::SendsLate { node: node() },
            Trouble::NotEnded,
            Trouble::NoChannel {
                kind: "sms".to_owned(),
            },
            Trouble::NodeSilent { node: node() },
            Trouble::ReportsLate { node: node() },
            Trouble::ChannelDown {
                node: node(),
                channel: "m1".to_owned(),
            },
            Trouble::TripMissing {
                node: node(),
                to: "gamma".to_owned(),
            },
            Trouble::StateDiffers { node: node() },
            Trouble::StatesDiffer,
            Trouble::AuditDiffers { node: node() },
            Trouble::AuditsDiffer,
            Trouble::ClocksJumped,
            Trouble::DiskFull { node: node() },
            Trouble::OnBattery { node: node() },
            Trouble::Standstill,
            Trouble::CutOff { node: node() },
            Trouble::HeldBack,
        ];
        let keys: BTreeSet<String> = all.iter().map(Trouble::key).collect();
        assert_eq!(keys.len(), all.len());
        for trouble in &all {
            for language in Language::all() {
                let text = trouble.text(*language);
                assert!(
                    text.ends_with(['.', '。']) && text.chars().count() < 130,
                    "{text}"
                );
            }
        }
    }
}
