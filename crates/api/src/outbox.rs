//! What waits to leave, and whether it is held back (as after a restore), over HTTP.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use domain::Command as DomainCommand;
use domain::deliveries::{self, Command, Waiting};
use domain::{Civil, nodes};
use serde::{Deserialize, Serialize};
use tracing::info;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::fields::Fields;
use crate::input::Input;
use crate::problem::{NamedIn, Problem, of_query};
use crate::reading::View;
use crate::state::Shared;
use crate::submit::{Stored, submit};

/// What is older is not worth sending, unless asked otherwise.
const STALE_AFTER_S: u64 = 3_600;
/// The same for pages of critical alerts.
const STALE_AFTER_CRITICAL_S: u64 = 24 * 3_600;
const REASON_LEN_MAX: usize = 200;

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(show))
        .routes(routes!(pause))
        .routes(routes!(release))
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Outbox)]
pub(crate) struct OutboxJson {
    /// Nothing leaves until it is released.
    held_back: bool,
    since: Option<String>,
    reason: String,
    waiting: Vec<WaitingJson>,
}

/// Deliveries of one class that have not left.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Waiting)]
pub(crate) struct WaitingJson {
    /// `sms` or `email`.
    kind: String,
    purpose: String,
    critical: bool,
    count: u64,
    oldest: String,
    newest: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PauseBody {
    /// Why, as people should read it: 1 to 200 characters.
    reason: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReleaseBody {
    /// What has waited longer ends unsent.
    #[serde(default = "stale_after")]
    #[schema(default = 3600)]
    stale_after_s: u64,
    /// The same for pages of critical alerts.
    #[serde(default = "stale_after_critical")]
    #[schema(default = 86400)]
    stale_after_critical_s: u64,
}

fn stale_after() -> u64 {
    STALE_AFTER_S
}

fn stale_after_critical() -> u64 {
    STALE_AFTER_CRITICAL_S
}

/// Shows what waits and whether it is held back.
#[utoipa::path(get, path = "/v1/outbox", operation_id = "show_outbox", tag = "cluster", responses((status = 200, body = OutboxJson)))]
async fn show(mut view: View) -> Result<Response, Problem> {
    let pause = nodes::outbox_pause(&mut view.0).await.map_err(of_query)?;
    let waiting = deliveries::waiting(&mut view.0).await.map_err(of_query)?;
    let body = OutboxJson {
        held_back: pause.is_some(),
        since: pause.as_ref().map(|pause| view.1.rfc3339(pause.since)),
        reason: pause.map(|pause| pause.reason).unwrap_or_default(),
        waiting: waiting
            .into_iter()
            .map(|row| waiting_json(row, &view.1))
            .collect(),
    };
    Ok(view.answer(&body))
}

/// Holds every text and mail back.
#[utoipa::path(post, path = "/v1/outbox/pause", operation_id = "pause_outbox", tag = "cluster", request_body = PauseBody, responses((status = 200, body = Stored)))]
async fn pause(
    State(shared): State<Shared>,
    input: Input<PauseBody>,
) -> Result<Json<Stored>, Problem> {
    let reason = input.value.reason;
    let mut fields = Fields::default();
    fields.at_most("/reason", &reason, REASON_LEN_MAX);
    if reason.trim().is_empty() {
        fields.add(
            "/reason",
            "say why, so that others know when to release it".to_owned(),
        );
    }
    fields.finish()?;
    let actor = input.order.actor.label();
    let command = DomainCommand::Deliveries(Command::PauseOutbox { reason });
    let done = submit(&shared, input.order, command, NamedIn::Body).await?;
    info!(actor, "outbox held back");
    Ok(Json(done.stored))
}

/// Lets texts and mails leave again; what is too old ends unsent.
#[utoipa::path(post, path = "/v1/outbox/release", operation_id = "release_outbox", tag = "cluster", request_body = ReleaseBody, responses((status = 200, body = Stored)))]
async fn release(
    State(shared): State<Shared>,
    input: Input<ReleaseBody>,
) -> Result<Json<Stored>, Problem> {
    let ms = |s: u64| u64::try_from(Duration::from_secs(s).as_millis()).unwrap_or(u64::MAX);
    let command = DomainCommand::Deliveries(Command::ReleaseOutbox {
        stale_after_ms: ms(input.value.stale_after_s),
        stale_after_critical_ms: ms(input.value.stale_after_critical_s),
    });
    let actor = input.order.actor.label();
    let done = submit(&shared, input.order, command, NamedIn::Body).await?;
    info!(actor, "outbox released");
    Ok(Json(done.stored))
}

fn waiting_json(row: Waiting, civil: &Civil) -> WaitingJson {
    WaitingJson {
        kind: row.kind,
        purpose: row.purpose,
        critical: row.critical,
        count: row.count,
        oldest: civil.rfc3339(row.oldest),
        newest: civil.rfc3339(row.newest),
    }
}
