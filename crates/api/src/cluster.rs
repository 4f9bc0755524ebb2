//! The cluster's membership over HTTP. Changes are idempotent by state, so they take no `Idempotency-Key`.

use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Json, http::StatusCode};
use domain::ports::{AdminError, PathStatus};
use domain::{CivilTime, NodeId, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;
use tracing::info;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::fields::Fields;
use crate::input::Input;
use crate::island::{self, IslandJson};
use crate::permits;
use crate::problem::{Kind, Problem};
use crate::reading;
use crate::sources;
use crate::state::Shared;

/// How long an invitation is valid unless asked otherwise, and at most (DESIGN B4).
const INVITATION_S_DEFAULT: u64 = 15 * 60;
const INVITATION_S_MAX: u64 = 24 * 60 * 60;

/// Catching a learner up before promotion is the longest a change waits.
const CHANGE_TIME: Duration = Duration::from_secs(60);

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(status))
        .routes(routes!(joins))
        .routes(routes!(invite))
        .routes(routes!(promote))
        .routes(routes!(remove))
        .routes(routes!(evict))
        .routes(routes!(transfer))
        .routes(routes!(rotate_key))
        .routes(routes!(rotate_ca))
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Cluster)]
pub(crate) struct ClusterJson {
    /// The node that answers.
    node: u64,
    /// Counts the cluster's histories; log indexes mean something only together with it.
    epoch: u32,
    /// What somebody must look at, in words.
    alarms: Vec<String>,
    backup: BackupJson,
    term: u64,
    leader: Option<u64>,
    /// Log index this node has applied.
    applied: u64,
    /// Last log index this node holds.
    last_log: u64,
    snapshot: Option<u64>,
    purged: Option<u64>,
    members: Vec<MemberJson>,
    /// Set while the answering node is cut off and works by itself.
    island: Option<IslandJson>,
    /// Set, in words, when the answering node reaches no other node and nobody by its own channels.
    alone: Option<&'static str>,
    /// Every way from the answering node to the others.
    paths: Vec<PathJson>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Path)]
pub(crate) struct PathJson {
    /// The member it leads to.
    peer: u64,
    /// The answering node's uplink.
    local: String,
    /// The peer's address.
    address: String,
    /// True when the peer made this connection.
    reverse: bool,
    /// `quic` or `tcp`; null while it is down.
    carrier: Option<&'static str>,
    /// `best` carries the traffic, `warm` is in reserve, `silent` gives no sign of life, `down` is not connected.
    state: &'static str,
    /// Smoothed round trip, microseconds.
    rtt_us: Option<u64>,
    /// The worst round trip but one in a hundred of the last minute, microseconds.
    rtt_p99_us: Option<u64>,
    /// Share of packets lost lately, in thousandths.
    loss_permille: u32,
    /// Milliseconds since anything arrived on it.
    last_heard_ms: Option<u64>,
    /// Seconds it has been up, or down.
    for_s: u64,
}

/// Backups made by the answering node, by its own clock.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Backup)]
pub(crate) struct BackupJson {
    /// It makes them by itself.
    scheduled: bool,
    /// When the newest whole one was made (RFC 3339).
    made_at: Option<String>,
    age_s: Option<u64>,
    /// Why the last try failed; empty when it did not.
    problem: String,
    /// When a restore was last practised here.
    drilled_at: Option<String>,
    drill_ok: Option<bool>,
    drill_result: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Member)]
pub(crate) struct MemberJson {
    node: u64,
    name: String,
    addresses: Vec<String>,
    /// `leader`, `voter` or `learner`.
    role: &'static str,
    /// Log entries it is behind; known on the leader only.
    lag: Option<u64>,
    /// Milliseconds since it was last heard; known on the leader, and of the leader.
    last_heard_ms: Option<u64>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Joins)]
pub(crate) struct JoinsJson {
    joins: Vec<JoinJson>,
}

/// A join in progress or just done on the answering node.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NodeJoin)]
pub(crate) struct JoinJson {
    node: u64,
    name: String,
    /// The six digits that both screens must show.
    digits: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct InviteBody {
    /// Seconds the token is valid, up to a day.
    #[serde(default = "invitation_default")]
    #[schema(default = 900, maximum = 86400)]
    valid_for_s: u64,
}

fn invitation_default() -> u64 {
    INVITATION_S_DEFAULT
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Invitation)]
pub(crate) struct InvitationJson {
    /// For `holdfast join`; works once.
    token: String,
    expires_at: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MemberBody {
    /// The member's id.
    node: u64,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RotateKeyBody {
    /// The member that gets a new key; without it, the answering node.
    node: Option<u64>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RotateCaBody {}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TransferBody {
    /// The member to lead; without it, the most current voter.
    to: Option<u64>,
}

/// Shows the cluster as the answering node sees it.
#[utoipa::path(get, path = "/v1/cluster", tag = "cluster", responses((status = 200, body = ClusterJson)))]
async fn status(State(shared): State<Shared>) -> Result<Json<ClusterJson>, Problem> {
    let status = shared.admin.status();
    let members = status.members.into_iter().map(|member| MemberJson {
        node: member.node.0,
        name: member.name,
        addresses: member.addresses,
        role: member.role,
        lag: member.lag,
        last_heard_ms: member
            .last_heard
            .map(|ago| u64::try_from(ago.as_millis()).unwrap_or(u64::MAX)),
    });
    let backup = BackupJson {
        scheduled: status.backup.scheduled,
        made_at: status.backup.made_at.map(by_own_wall),
        age_s: status
            .backup
            .made_at
            .map(|at| shared.clock.wall().since(at).as_secs()),
        problem: status.backup.problem,
        drilled_at: status
            .backup
            .drill
            .as_ref()
            .map(|(at, ..)| by_own_wall(*at)),
        drill_ok: status.backup.drill.as_ref().map(|(_, ok, _)| *ok),
        drill_result: status
            .backup
            .drill
            .map(|(.., found)| found)
            .unwrap_or_default(),
    };
    Ok(Json(ClusterJson {
        node: status.node.0,
        epoch: status.epoch,
        alarms: status
            .alarms
            .into_iter()
            .chain(sources::stopped(&shared).await)
            .collect(),
        backup,
        term: status.term,
        leader: status.leader.map(|node| node.0),
        applied: status.applied,
        last_log: status.last_log,
        snapshot: status.snapshot,
        purged: status.purged,
        members: members.collect(),
        island: IslandJson::of(&shared).await?,
        alone: island::reaches_nobody(&shared).await,
        paths: paths(&shared),
    }))
}

/// A time that this machine's wall clock gave, not the cluster.
fn by_own_wall(at: Timestamp) -> String {
    CivilTime(at.0).to_rfc3339()
}

fn paths(shared: &Shared) -> Vec<PathJson> {
    let micros = |d: Duration| u64::try_from(d.as_micros()).unwrap_or(u64::MAX);
    let show = |path: PathStatus| PathJson {
        peer: path.peer.0,
        local: path.local,
        address: path.address,
        reverse: path.reverse,
        carrier: path.carrier,
        state: path.state,
        rtt_us: path.rtt.map(micros),
        rtt_p99_us: path.rtt_p99.map(micros),
        loss_permille: path.loss_permille,
        last_heard_ms: path
            .heard
            .map(|ago| u64::try_from(ago.as_millis()).unwrap_or(u64::MAX)),
        for_s: path.since.as_secs(),
    };
    shared.admin.paths().into_iter().map(show).collect()
}

/// Lists joins in progress on the answering node, with the digits to compare.
#[utoipa::path(get, path = "/v1/cluster/joins", tag = "cluster", responses((status = 200, body = JoinsJson)))]
async fn joins(State(shared): State<Shared>) -> Json<JoinsJson> {
    let joins = shared
        .admin
        .joins()
        .into_iter()
        .map(|(node, name, digits)| JoinJson {
            node: node.0,
            name,
            digits,
        });
    Json(JoinsJson {
        joins: joins.collect(),
    })
}

/// Creates a token that lets one node join.
#[utoipa::path(post, path = "/v1/cluster/invitations", tag = "cluster", request_body = InviteBody, responses((status = 201, body = InvitationJson)))]
async fn invite(
    State(shared): State<Shared>,
    input: Input<InviteBody>,
) -> Result<Response, Problem> {
    let mut fields = Fields::default();
    let seconds = input.value.valid_for_s;
    if !(1..=INVITATION_S_MAX).contains(&seconds) {
        fields.add(
            "/valid_for_s",
            format!("takes 1 to {INVITATION_S_MAX} seconds"),
        );
    }
    fields.finish()?;
    permits::take(&shared, &input.order).await?;
    let invitation = bounded(shared.admin.invite(Duration::from_secs(seconds))).await?;
    info!(actor = input.order.actor.label(), "invitation created");
    let body = InvitationJson {
        token: invitation.token,
        expires_at: reading::rfc3339(&shared, invitation.expires_at).await?,
    };
    Ok((StatusCode::CREATED, Json(body)).into_response())
}

/// Makes a learner a voter.
#[utoipa::path(post, path = "/v1/cluster/promote", tag = "cluster", request_body = MemberBody, responses((status = 204)))]
async fn promote(
    State(shared): State<Shared>,
    input: Input<MemberBody>,
) -> Result<StatusCode, Problem> {
    bounded(shared.admin.promote(NodeId(input.value.node))).await?;
    info!(
        actor = input.order.actor.label(),
        node = input.value.node,
        "node promoted"
    );
    Ok(StatusCode::NO_CONTENT)
}

/// Takes a node out for good.
#[utoipa::path(post, path = "/v1/cluster/remove", tag = "cluster", request_body = MemberBody, responses((status = 204)))]
async fn remove(
    State(shared): State<Shared>,
    input: Input<MemberBody>,
) -> Result<StatusCode, Problem> {
    permits::take(&shared, &input.order).await?;
    bounded(shared.admin.remove(NodeId(input.value.node))).await?;
    info!(
        actor = input.order.actor.label(),
        node = input.value.node,
        "node removed"
    );
    Ok(StatusCode::NO_CONTENT)
}

/// Takes a node out that fell into wrong hands.
#[utoipa::path(post, path = "/v1/cluster/evict", tag = "cluster", request_body = MemberBody, responses((status = 204)))]
async fn evict(
    State(shared): State<Shared>,
    input: Input<MemberBody>,
) -> Result<StatusCode, Problem> {
    permits::take(&shared, &input.order).await?;
    bounded(shared.admin.evict(NodeId(input.value.node))).await?;
    info!(
        actor = input.order.actor.label(),
        node = input.value.node,
        "node evicted"
    );
    Ok(StatusCode::NO_CONTENT)
}

/// Hands leadership over.
#[utoipa::path(post, path = "/v1/cluster/transfer", tag = "cluster", request_body = TransferBody, responses((status = 204)))]
async fn transfer(
    State(shared): State<Shared>,
    input: Input<TransferBody>,
) -> Result<StatusCode, Problem> {
    bounded(shared.admin.transfer(input.value.to.map(NodeId))).await?;
    info!(
        actor = input.order.actor.label(),
        to = input.value.to,
        "leadership transferred"
    );
    Ok(StatusCode::NO_CONTENT)
}

/// Gives a member a new key, without a gap: the next one is pinned before it is used, the old one dropped after.
#[utoipa::path(post, path = "/v1/cluster/rotate-key", tag = "cluster", request_body = RotateKeyBody, responses((status = 204)))]
async fn rotate_key(
    State(shared): State<Shared>,
    input: Input<RotateKeyBody>,
) -> Result<StatusCode, Problem> {
    bounded(shared.admin.rotate_key(input.value.node.map(NodeId))).await?;
    info!(
        actor = input.order.actor.label(),
        node = input.value.node,
        "key rotated"
    );
    Ok(StatusCode::NO_CONTENT)
}

/// Gives the cluster a new certificate authority, in three steps that every member follows. Repeat it after a break.
#[utoipa::path(post, path = "/v1/cluster/rotate-ca", tag = "cluster", request_body = RotateCaBody, responses((status = 204)))]
async fn rotate_ca(
    State(shared): State<Shared>,
    input: Input<RotateCaBody>,
) -> Result<StatusCode, Problem> {
    bounded(shared.admin.rotate_authority()).await?;
    info!(actor = input.order.actor.label(), "authority rotated");
    Ok(StatusCode::NO_CONTENT)
}

async fn bounded<T>(change: impl Future<Output = Result<T, AdminError>>) -> Result<T, Problem> {
    match timeout(CHANGE_TIME, change).await {
        Ok(done) => Ok(done?),
        Err(_) => Err(Problem::new(
            Kind::OutcomeUnknown,
            "the cluster did not answer in time; see `holdfast cluster status` before trying again",
        )),
    }
}
