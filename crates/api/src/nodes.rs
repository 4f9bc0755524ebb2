//! Nodes and their channels over HTTP: who can send, and if not, why.

use std::collections::BTreeMap;

use axum::response::Response;
use domain::nodes::{self, ChannelRow, DigestRow, MachineRow};
use domain::{Civil, NodeId};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::problem::{Problem, of_query};
use crate::reading::View;
use crate::state::Shared;

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list))
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Nodes)]
pub(crate) struct NodesJson {
    /// As shown in every text.
    organisation: String,
    /// Nothing is sent until somebody releases the outbox.
    outbox_held_back: bool,
    nodes: Vec<NodeJson>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Node)]
pub(crate) struct NodeJson {
    node: u64,
    name: String,
    addresses: Vec<String>,
    /// Whether the leader gives it work.
    reachable: bool,
    reachable_since: String,
    admitted_at: String,
    /// What it said last of the machine under it; null before it did.
    machine: Option<MachineJson>,
    /// How its copy of the state compared last; null before it was.
    data: Option<DataJson>,
    channels: Vec<ChannelJson>,
}

/// A machine's clock, disk and power. Empty words are not watched.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Machine)]
pub(crate) struct MachineJson {
    /// `ntp`, `rtc`, `none` or empty.
    clock_source: String,
    synchronised: Option<bool>,
    /// `ample`, `critical_only`, `results_only` or empty.
    disk: &'static str,
    disk_free_mb: u64,
    /// `mains`, `battery`, `draining` or empty.
    power: &'static str,
    power_since: String,
    /// What the battery still gives.
    runtime_s: Option<u64>,
    reported_at: String,
}

/// What a node's copy of the state came to at one place in the log, against the others' there.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Data)]
pub(crate) struct DataJson {
    /// `same`, `differs` (from a majority: the node must not lead), `disputed` (no majority says which is right) or `alone`
    /// (nobody else was compared there).
    standing: &'static str,
    /// Log index at which it was taken.
    index: u64,
    compared_at: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Channel)]
pub(crate) struct ChannelJson {
    name: String,
    /// `sms` or `email`.
    kind: String,
    up: bool,
    /// Up, and on a node that can be given work.
    usable: bool,
    /// Why it is down or what limits it; empty when all is well.
    reason: String,
    /// Mobile operator; empty for e-mail.
    operator: String,
    /// The number answers go to; empty for e-mail.
    number: String,
    signal_dbm: Option<i16>,
    /// Parts or mails it can send per minute.
    rate_per_min: u32,
    /// Since when it is up or down.
    changed_at: String,
    reported_at: String,
}

/// Lists the nodes with the health of their channels.
#[utoipa::path(get, path = "/v1/nodes", tag = "cluster", responses((status = 200, body = NodesJson)))]
async fn list(mut view: View) -> Result<Response, Problem> {
    let pause = nodes::outbox_pause(&mut view.0).await.map_err(of_query)?;
    let organisation = nodes::organisation(&mut view.0).await.map_err(of_query)?;
    let members = nodes::nodes(&mut view.0).await.map_err(of_query)?;
    let mut channels: BTreeMap<NodeId, Vec<ChannelJson>> = BTreeMap::new();
    for row in nodes::channels(&mut view.0).await.map_err(of_query)? {
        channels
            .entry(row.node)
            .or_default()
            .push(channel_json(row, &view.1));
    }
    let mut machines: BTreeMap<NodeId, MachineRow> = nodes::machines(&mut view.0)
        .await
        .map_err(of_query)?
        .into_iter()
        .map(|row| (row.node, row))
        .collect();
    let mut digests: BTreeMap<NodeId, DigestRow> = nodes::digests(&mut view.0)
        .await
        .map_err(of_query)?
        .into_iter()
        .map(|row| (row.node, row))
        .collect();
    let nodes = members
        .into_iter()
        .filter(|row| row.removed_at.is_none())
        .map(|row| NodeJson {
            node: row.node.0,
            name: row.name,
            addresses: row.addresses,
            reachable: row.reachable,
            reachable_since: view.1.rfc3339(row.reachable_since),
            admitted_at: view.1.rfc3339(row.admitted_at),
            machine: machines
                .remove(&row.node)
                .map(|row| machine_json(row, &view.1)),
            data: digests.remove(&row.node).map(|row| DataJson {
                standing: row.standing.name(),
                index: row.index,
                compared_at: view.1.rfc3339(row.reported_at),
            }),
            channels: channels.remove(&row.node).unwrap_or_default(),
        });
    let body = NodesJson {
        organisation,
        outbox_held_back: pause.is_some(),
        nodes: nodes.collect(),
    };
    Ok(view.answer(&body))
}

fn machine_json(row: MachineRow, civil: &Civil) -> MachineJson {
    MachineJson {
        clock_source: row.clock_source,
        synchronised: row.synchronised,
        disk: row.disk.name(),
        disk_free_mb: row.disk_free_mb,
        power: row.power.name(),
        power_since: civil.rfc3339(row.power_since),
        runtime_s: row.runtime_s,
        reported_at: civil.rfc3339(row.reported_at),
    }
}

fn channel_json(row: ChannelRow, civil: &Civil) -> ChannelJson {
    ChannelJson {
        name: row.name,
        kind: row.kind,
        up: row.up,
        usable: row.usable,
        reason: row.reason,
        operator: row.operator,
        number: row.number,
        signal_dbm: row.signal_dbm,
        rate_per_min: row.rate_per_min,
        changed_at: civil.rfc3339(row.changed_at),
        reported_at: civil.rfc3339(row.reported_at),
    }
}
