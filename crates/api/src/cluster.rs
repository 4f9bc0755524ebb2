//! The cluster's membership over HTTP. Changes are idempotent by state, so they take no `Idempotency-Key`.

use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Json, http::StatusCode};
use domain::NodeId;
use domain::ports::AdminError;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;
use tracing::info;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::fields::Fields;
use crate::input::Input;
use crate::island::{self, IslandJson};
use crate::problem::{Kind, Problem};
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
        .routes(routes!(transfer))
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Cluster)]
pub(crate) struct ClusterJson {
    /// The node that answers.
    node: u64,
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
pub(crate) struct TransferBody {
    /// The member to lead; without it, the most current voter.
    to: Option<u64>,
}

/// Shows the cluster as the answering node sees it.
#[utoipa::path(get, path = "/v1/cluster", tag = "cluster", responses((status = 200, body = ClusterJson)))]
async fn status(State(shared): State<Shared>) -> Json<ClusterJson> {
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
    Json(ClusterJson {
        node: status.node.0,
        term: status.term,
        leader: status.leader.map(|node| node.0),
        applied: status.applied,
        last_log: status.last_log,
        snapshot: status.snapshot,
        purged: status.purged,
        members: members.collect(),
        island: shared.replica.island().map(IslandJson::from),
        alone: island::reaches_nobody(&shared).await,
    })
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
    let invitation = bounded(shared.admin.invite(Duration::from_secs(seconds))).await?;
    info!(actor = input.order.actor.label(), "invitation created");
    let body = InvitationJson {
        token: invitation.token,
        expires_at: invitation.expires_at.to_rfc3339(),
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
    bounded(shared.admin.remove(NodeId(input.value.node))).await?;
    info!(
        actor = input.order.actor.label(),
        node = input.value.node,
        "node removed"
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

async fn bounded<T>(change: impl Future<Output = Result<T, AdminError>>) -> Result<T, Problem> {
    match timeout(CHANGE_TIME, change).await {
        Ok(done) => Ok(done?),
        Err(_) => Err(Problem::new(
            Kind::OutcomeUnknown,
            "the cluster did not answer in time; see `holdfast cluster status` before trying again",
        )),
    }
}
