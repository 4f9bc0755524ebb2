//! What operators page on, in the OpenMetrics text format. Labels come from closed sets; nothing personal is counted by.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use domain::nodes::{Agreement, MachineRow};
use domain::ports::{Freshness, ReadView};
use domain::waking::TripRow;
use domain::{alerts, audit, deliveries, nodes, readiness, waking};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio::time::Instant;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::accounts::pace::Limit;
use crate::problem::{Kind, Problem, of_query};
use crate::reading::{self, View};
use crate::state::Shared;

/// How often readiness is worked out for a collector.
const READINESS_EVERY: Duration = Duration::from_secs(300);

/// Open alerts are counted up to this many.
const OPEN_ALERTS_MAX: u32 = 10_000;

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(show))
}

/// Everything measured at this node.
pub(crate) struct Metrics {
    registry: Registry,
    /// One scrape at a time sets the gauges and writes them out.
    scrape: Mutex<()>,
    requests: Family<RequestLabels, Counter>,
    has_leader: Gauge,
    term: Gauge,
    applied: Gauge,
    open_alerts: Gauge,
    epoch: Gauge,
    /// Unset until there is a backup.
    backup_age: Family<NodeLabels, Gauge>,
    deliveries: Family<StateLabels, Gauge>,
    channel_up: Family<ChannelLabels, Gauge>,
    trip_state: Family<TripLabels, Gauge>,
    trip_ms: Family<NodeLabels, Gauge>,
    card_version: Gauge,
    audit_unsealed: Gauge,
    island: Gauge,
    island_waiting: Gauge,
    path_up: Family<PathLabels, Gauge>,
    path_rtt_us: Family<PathLabels, Gauge>,
    path_loss_permille: Family<PathLabels, Gauge>,
    refused: Family<ReasonLabels, Gauge>,
    intake: Family<IntakeLabels, Gauge>,
    turned_away: Family<LimitLabels, Gauge>,
    findings: Family<FindingLabels, Gauge>,
    readiness: Family<KindLabels, Gauge>,
    /// When readiness was last worked out: it looks at everybody, and changes slowly.
    readiness_at: Mutex<Option<Instant>>,
    clocks: Clocks,
    machines: Machines,
}

/// How sure the members are of the time.
#[derive(Default)]
struct Clocks {
    agreeing: Gauge,
    members: Gauge,
    spread_ms: Gauge,
    off_by_ms: Family<NodeLabels, Gauge>,
}

/// What each node says of the machine under it.
#[derive(Default)]
struct Machines {
    disk_free_bytes: Family<NodeLabels, Gauge>,
    disk_level: Family<NodeLabels, Gauge>,
    power_level: Family<NodeLabels, Gauge>,
    battery_s: Family<NodeLabels, Gauge>,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct RequestLabels {
    method: String,
    route: String,
    status: u16,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct StateLabels {
    state: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct NodeLabels {
    node: u64,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct TripLabels {
    node: u64,
    state: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct ChannelLabels {
    node: u64,
    channel: String,
    kind: String,
}

/// One way to a peer; the addresses are those of the membership.
#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct PathLabels {
    peer: u64,
    local: String,
    address: String,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct ReasonLabels {
    reason: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct IntakeLabels {
    listener: &'static str,
    what: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct LimitLabels {
    limit: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct FindingLabels {
    kind: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct KindLabels {
    about: &'static str,
}

impl Clocks {
    fn register(&self, registry: &mut Registry) {
        let Self {
            agreeing,
            members,
            spread_ms,
            off_by_ms,
        } = self;
        let help = "Members whose wall clocks agree within two seconds";
        registry.register("clock_members_agreeing", help, agreeing.clone());
        let help = "Members that could agree";
        registry.register("clock_members", help, members.clone());
        let help = "Between the earliest and the latest wall clock, milliseconds";
        registry.register("clock_spread_milliseconds", help, spread_ms.clone());
        let help = "A node's wall clock minus civil time, milliseconds";
        registry.register("clock_off_milliseconds", help, off_by_ms.clone());
    }

    fn set(&self, agreed: &Agreement, machines: &[MachineRow], civil_offset_ms: i64) {
        self.agreeing.set(i64::from(agreed.agreeing));
        self.members.set(i64::from(agreed.members));
        self.spread_ms.set(agreed.spread_ms.cast_signed());
        self.off_by_ms.clear();
        for row in machines {
            let labels = NodeLabels { node: row.node.0 };
            let off_by_ms = row.civil_offset_ms.saturating_sub(civil_offset_ms);
            self.off_by_ms.get_or_create(&labels).set(off_by_ms);
        }
    }
}

impl Machines {
    fn register(&self, registry: &mut Registry) {
        let Self {
            disk_free_bytes,
            disk_level,
            power_level,
            battery_s,
        } = self;
        let help = "Room left on a node's disk";
        registry.register("disk_free_bytes", help, disk_free_bytes.clone());
        let help = "0 not watched, 1 ample, 2 critical alerts only, 3 no new alerts";
        registry.register("disk_level", help, disk_level.clone());
        let help = "0 not watched, 1 mains, 2 battery, 3 draining";
        registry.register("power_level", help, power_level.clone());
        let help = "What a node's battery still gives, seconds";
        registry.register("power_battery_seconds", help, battery_s.clone());
    }

    fn set(&self, machines: &[MachineRow]) {
        self.disk_free_bytes.clear();
        self.disk_level.clear();
        self.power_level.clear();
        self.battery_s.clear();
        for row in machines {
            let labels = NodeLabels { node: row.node.0 };
            let free_bytes = (row.disk_free_mb << 20).cast_signed();
            self.disk_free_bytes.get_or_create(&labels).set(free_bytes);
            self.disk_level.get_or_create(&labels).set(row.disk as i64);
            self.power_level
                .get_or_create(&labels)
                .set(row.power as i64);
            if let Some(left) = row.runtime_s {
                self.battery_s
                    .get_or_create(&labels)
                    .set(left.cast_signed());
            }
        }
    }
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("holdfast");
        let metrics = Self {
            requests: Family::default(),
            has_leader: Gauge::default(),
            term: Gauge::default(),
            applied: Gauge::default(),
            open_alerts: Gauge::default(),
            epoch: Gauge::default(),
            backup_age: Family::default(),
            deliveries: Family::default(),
            channel_up: Family::default(),
            trip_state: Family::default(),
            trip_ms: Family::default(),
            card_version: Gauge::default(),
            audit_unsealed: Gauge::default(),
            island: Gauge::default(),
            island_waiting: Gauge::default(),
            path_up: Family::default(),
            path_rtt_us: Family::default(),
            path_loss_permille: Family::default(),
            refused: Family::default(),
            intake: Family::default(),
            turned_away: Family::default(),
            findings: Family::default(),
            readiness: Family::default(),
            readiness_at: Mutex::default(),
            clocks: Clocks::default(),
            machines: Machines::default(),
            scrape: Mutex::default(),
            registry: Registry::default(),
        };
        registry.register(
            "http_requests",
            "HTTP requests answered",
            metrics.requests.clone(),
        );
        registry.register(
            "raft_has_leader",
            "Whether this node knows a leader",
            metrics.has_leader.clone(),
        );
        registry.register(
            "raft_term",
            "The term this node is in",
            metrics.term.clone(),
        );
        registry.register(
            "raft_applied_index",
            "Last log index applied here",
            metrics.applied.clone(),
        );
        registry.register(
            "cluster_epoch",
            "How many histories the cluster has had",
            metrics.epoch.clone(),
        );
        registry.register(
            "backup_age_seconds",
            "Age of this node's newest backup, by its wall clock",
            metrics.backup_age.clone(),
        );
        registry.register("alerts_open", "Open alerts", metrics.open_alerts.clone());
        registry.register(
            "deliveries",
            "Deliveries by state",
            metrics.deliveries.clone(),
        );
        registry.register(
            "channel_up",
            "Whether a channel of any node is up",
            metrics.channel_up.clone(),
        );
        registry.register(
            "round_trip",
            "How the last text of a node's modem to the next node's went; 1 for its state",
            metrics.trip_state.clone(),
        );
        registry.register(
            "round_trip_milliseconds",
            "How long that text took, once it arrived",
            metrics.trip_ms.clone(),
        );
        registry.register(
            "number_card_version",
            "Version of the card with our numbers; people need the new one when it rises",
            metrics.card_version.clone(),
        );
        registry.register(
            "audit_unsealed_entries",
            "Entries of the audit that no majority of the members has signed yet",
            metrics.audit_unsealed.clone(),
        );
        registry.register(
            "island",
            "Whether this node is cut off and works by itself",
            metrics.island.clone(),
        );
        registry.register(
            "island_facts_waiting",
            "Facts journalled here that the cluster does not have yet",
            metrics.island_waiting.clone(),
        );
        registry.register(
            "peer_path_up",
            "Whether a way to a peer answers",
            metrics.path_up.clone(),
        );
        registry.register(
            "peer_path_rtt_microseconds",
            "Smoothed round trip of a way to a peer",
            metrics.path_rtt_us.clone(),
        );
        registry.register(
            "peer_path_loss_permille",
            "Packets lost lately on a way to a peer, in thousandths",
            metrics.path_loss_permille.clone(),
        );
        registry.register(
            "peers_refused",
            "Connections, frames and newcomers turned away since start",
            metrics.refused.clone(),
        );
        registry.register(
            "intake",
            "What listeners for sources took and turned away since start",
            metrics.intake.clone(),
        );
        registry.register(
            "sign_in_turned_away",
            "How often a limit on signing in turned somebody away here since this node started",
            metrics.turned_away.clone(),
        );
        registry.register(
            "watch_findings",
            "Troubles this node's watcher sees",
            metrics.findings.clone(),
        );
        registry.register(
            "readiness_score",
            "Whether people can be reached when it matters, 0 to 100, by what it is about; worked out every five minutes",
            metrics.readiness.clone(),
        );
        metrics.clocks.register(&mut registry);
        metrics.machines.register(&mut registry);
        Self {
            registry,
            ..metrics
        }
    }

    /// Whether readiness should be worked out now; it counts as done from here on.
    fn is_readiness_due(&self) -> bool {
        let mut at = self
            .readiness_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let lately = at.is_some_and(|at| at.elapsed() < READINESS_EVERY);
        if !lately {
            *at = Some(Instant::now());
        }
        !lately
    }

    /// Works out readiness, unless that was done a moment ago.
    async fn look_at_readiness(&self, shared: &Shared) -> Result<(), Problem> {
        if !self.is_readiness_due() {
            return Ok(());
        }
        let mut view = reading::open(shared, Freshness::Local).await?;
        let now = view.as_of;
        let found = readiness::look(&mut view, now).await.map_err(of_query)?;
        let all = ("all", found.score);
        for (kind, score) in found.kinds.into_iter().chain([all]) {
            let labels = KindLabels { about: kind };
            self.readiness.get_or_create(&labels).set(score.into());
        }
        Ok(())
    }

    /// Counts an answered request. `route` is the route's pattern, never the path asked for.
    pub(crate) fn request(&self, method: &str, route: &str, status: u16) {
        let labels = RequestLabels {
            method: method.to_owned(),
            route: route.to_owned(),
            status,
        };
        self.requests.get_or_create(&labels).inc();
    }
}

/// Shows the metrics to holders of a key, for a collector that cannot reach the admin listener.
#[utoipa::path(get, path = "/v1/metrics", tag = "health", responses((status = 200, content_type = "application/openmetrics-text", body = String)))]
pub(crate) async fn show(State(shared): State<Shared>) -> Result<Response, Problem> {
    let rows = Rows::read(&shared).await?;
    shared.metrics.look_at_readiness(&shared).await?;
    let text = render(&shared, &rows)
        .map_err(|_| Problem::new(Kind::Internal, "the metrics could not be written out"))?;
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, content_type)], text).into_response())
}

/// What the state says, read in one snapshot.
struct Rows {
    open_alerts: u64,
    deliveries: Vec<(deliveries::State, u64)>,
    channels: Vec<nodes::ChannelRow>,
    trips: Vec<TripRow>,
    card: u64,
    audit_unsealed: u64,
    clocks: crate::clocks::Clocks,
    civil_offset_ms: i64,
}

impl Rows {
    async fn read(shared: &Shared) -> Result<Self, Problem> {
        let mut view = View::new(reading::open(shared, Freshness::Local).await?).await?;
        let clocks = crate::clocks::Clocks::read(&mut view).await?;
        let View(mut view, civil) = view;
        Ok(Self {
            clocks,
            civil_offset_ms: civil.offset_ms(),
            open_alerts: open_alerts(&mut view).await?,
            deliveries: deliveries::counts(&mut view, None)
                .await
                .map_err(of_query)?,
            channels: nodes::channels(&mut view).await.map_err(of_query)?,
            trips: waking::trips(&mut view, shared.replica.now())
                .await
                .map_err(of_query)?,
            card: waking::card(&mut view)
                .await
                .map_err(of_query)?
                .map_or(0, |card| card.version),
            audit_unsealed: audit::sealing(&mut view)
                .await
                .map_err(of_query)?
                .unsealed(),
        })
    }
}

async fn open_alerts(view: &mut ReadView) -> Result<u64, Problem> {
    let open = alerts::list(view, Some(alerts::State::Open), None, OPEN_ALERTS_MAX)
        .await
        .map_err(of_query)?;
    Ok(open.len() as u64)
}

fn render(shared: &Shared, rows: &Rows) -> Result<String, std::fmt::Error> {
    let metrics = &shared.metrics;
    let status = shared.admin.status();
    let _one_at_a_time = metrics
        .scrape
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    metrics.has_leader.set(i64::from(status.leader.is_some()));
    metrics.term.set(status.term.cast_signed());
    metrics.applied.set(status.applied.cast_signed());
    let island = shared.replica.island();
    metrics.island.set(i64::from(island.is_some()));
    let waiting = island.map_or(0, |island| island.waiting);
    metrics.island_waiting.set(waiting.cast_signed());
    metrics.epoch.set(i64::from(status.epoch));
    metrics.backup_age.clear();
    if let Some(at) = status.backup.made_at {
        let age = shared.clock.wall().since(at).as_secs();
        metrics
            .backup_age
            .get_or_create(&NodeLabels {
                node: status.node.0,
            })
            .set(i64::try_from(age).unwrap_or(i64::MAX));
    }
    metrics
        .audit_unsealed
        .set(i64::try_from(rows.audit_unsealed).unwrap_or(i64::MAX));
    metrics.open_alerts.set(rows.open_alerts.cast_signed());
    metrics.deliveries.clear();
    for state in deliveries::State::ALL {
        let count = rows
            .deliveries
            .iter()
            .find(|(found, _)| *found == state)
            .map_or(0, |(_, count)| *count);
        metrics
            .deliveries
            .get_or_create(&StateLabels {
                state: state.name(),
            })
            .set(count.cast_signed());
    }
    metrics.channel_up.clear();
    for row in &rows.channels {
        let labels = ChannelLabels {
            node: row.node.0,
            channel: row.name.clone(),
            kind: row.kind.clone(),
        };
        metrics
            .channel_up
            .get_or_create(&labels)
            .set(i64::from(row.up));
    }
    render_trips(metrics, rows);
    render_paths(shared);
    metrics.findings.clear();
    for finding in shared.board.read() {
        let kind = finding.trouble.kind();
        metrics
            .findings
            .get_or_create(&FindingLabels { kind })
            .inc();
    }
    let machines = &rows.clocks.machines;
    metrics
        .clocks
        .set(&rows.clocks.agreed, machines, rows.civil_offset_ms);
    metrics.machines.set(machines);
    let mut text = String::new();
    encode(&mut text, &metrics.registry)?;
    Ok(text)
}

fn render_trips(metrics: &Metrics, rows: &Rows) {
    metrics.trip_state.clear();
    metrics.trip_ms.clear();
    metrics
        .card_version
        .set(i64::try_from(rows.card).unwrap_or(i64::MAX));
    for row in &rows.trips {
        let state = row
            .last
            .as_ref()
            .map_or("planned", |trip| trip.state.name());
        let node = row.node.0;
        metrics
            .trip_state
            .get_or_create(&TripLabels { node, state })
            .set(1);
        if let Some(took) = row.last.as_ref().and_then(|trip| trip.took_ms) {
            metrics
                .trip_ms
                .get_or_create(&NodeLabels { node })
                .set(took.cast_signed());
        }
    }
}

/// Ways to the peers, by the addresses they are dialled at; those that peers made are theirs to report.
fn render_paths(shared: &Shared) {
    let metrics = &shared.metrics;
    metrics.path_up.clear();
    metrics.path_rtt_us.clear();
    metrics.path_loss_permille.clear();
    for path in shared.admin.paths().into_iter().filter(|p| !p.reverse) {
        let labels = PathLabels {
            peer: path.peer.0,
            local: path.local,
            address: path.address,
        };
        let up = matches!(path.state, "best" | "warm");
        metrics.path_up.get_or_create(&labels).set(i64::from(up));
        if let Some(rtt) = path.rtt {
            let rtt = i64::try_from(rtt.as_micros()).unwrap_or(i64::MAX);
            metrics.path_rtt_us.get_or_create(&labels).set(rtt);
        }
        metrics
            .path_loss_permille
            .get_or_create(&labels)
            .set(path.loss_permille.into());
    }
    for (listener, what, count) in shared.intake.counts() {
        let labels = IntakeLabels { listener, what };
        metrics
            .intake
            .get_or_create(&labels)
            .set(count.cast_signed());
    }
    for limit in Limit::ALL {
        let labels = LimitLabels {
            limit: limit.name(),
        };
        metrics
            .turned_away
            .get_or_create(&labels)
            .set(shared.pace.count(limit).cast_signed());
    }
    for (reason, count) in shared.admin.refusals() {
        metrics
            .refused
            .get_or_create(&ReasonLabels { reason })
            .set(count.cast_signed());
    }
}
