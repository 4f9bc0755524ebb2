//! Is this node alive, and can it alert? Open to everyone, so it says no more than that.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use domain::nodes;
use domain::ports::Freshness;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::reading;
use crate::state::Shared;

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(healthz))
        .routes(routes!(readyz))
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Health)]
pub(crate) struct HealthJson {
    /// Always `ok`: the process answers.
    status: &'static str,
    /// Letter of the island this node is by itself; absent while it is one of the cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    island: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Ready)]
pub(crate) struct ReadinessJson {
    ready: bool,
    /// What is missing; empty when ready.
    reasons: Vec<Reason>,
    /// Letter of the island this node is by itself; absent while it is one of the cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    island: Option<String>,
}

/// Why a node is not ready.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reason {
    /// No leader is known, and the node does not work by itself yet: a new alert waits.
    NoLeader,
    /// This node cannot read its state.
    Database,
    /// No channel of any reachable node is up: an alert would reach nobody.
    NoChannel,
}

/// Whether the process answers.
#[utoipa::path(get, path = "/healthz", tag = "health", responses((status = 200, body = HealthJson)))]
pub(crate) async fn healthz(State(shared): State<Shared>) -> Json<HealthJson> {
    Json(HealthJson {
        status: "ok",
        island: letter(&shared),
    })
}

fn letter(shared: &Shared) -> Option<String> {
    shared.replica.island().map(|island| island.letter)
}

/// Whether an alert given to this node now would go out.
#[utoipa::path(get, path = "/readyz", tag = "health", responses((status = 200, body = ReadinessJson), (status = 503, body = ReadinessJson)))]
pub(crate) async fn readyz(State(shared): State<Shared>) -> Response {
    let reasons = reasons(&shared).await;
    let status = if reasons.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (
        status,
        Json(ReadinessJson {
            ready: reasons.is_empty(),
            reasons,
            island: letter(&shared),
        }),
    )
        .into_response()
}

async fn reasons(shared: &Shared) -> Vec<Reason> {
    let mut reasons = Vec::new();
    if shared.replica.leadership().leader.is_none() && shared.replica.island().is_none() {
        reasons.push(Reason::NoLeader);
    }
    match any_channel(shared).await {
        Some(true) => {}
        Some(false) => reasons.push(Reason::NoChannel),
        None => reasons.push(Reason::Database),
    }
    reasons
}

async fn any_channel(shared: &Shared) -> Option<bool> {
    let mut view = reading::open(shared, Freshness::Local).await.ok()?;
    let channels = nodes::channels(&mut view).await.ok()?;
    Some(channels.iter().any(|channel| channel.usable))
}
