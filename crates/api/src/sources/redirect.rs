//! A source's alarms go elsewhere for a while, over HTTP.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use domain::oncall::Called;
use domain::ports::Freshness;
use domain::recipients::Named;
use domain::sources::{Command, Redirect, RedirectRow};
use domain::{Civil, Command as DomainCommand, nodes};
use serde::{Deserialize, Serialize};
use tracing::info;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::fields::Fields;
use crate::input::{Bare, Input, Segment};
use crate::problem::{NamedIn, Problem, of_query};
use crate::reading;
use crate::schedules::RedirectTargetJson;
use crate::state::Shared;
use crate::submit::{Stored, submit};
use crate::time::parse_rfc3339;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(send_elsewhere, send_back))
}

/// Sends a source's alarms elsewhere for a while.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SourceRedirectBody)]
pub(super) struct RedirectBody {
    to_target: RedirectTargetJson,
    /// RFC 3339; without it and `for_s`: until taken back.
    until: Option<String>,
    /// Seconds from now.
    for_s: Option<u64>,
    /// At most 200 characters; stands in the room of each alert.
    #[serde(default)]
    reason: String,
}

/// Whom a source's alarms call instead.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SourceRedirect)]
pub(super) struct RedirectJson {
    target: RedirectTargetJson,
    /// Absent: until taken back.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    /// It has ended by itself; alarms call whom the source names.
    over: bool,
    reason: String,
    made_at: String,
    made_by: String,
}

pub(super) fn redirect_json(row: RedirectRow, civil: &Civil, over: bool) -> RedirectJson {
    let target = match row.redirect.to {
        Called::Named(Named::Person(key)) => RedirectTargetJson::Person(key),
        Called::Named(Named::Group(key)) => RedirectTargetJson::Group(key),
        Called::OnCall(key) => RedirectTargetJson::Schedule(key),
    };
    RedirectJson {
        target,
        until: row.redirect.until.map(|until| civil.rfc3339(until)),
        over,
        reason: row.redirect.reason,
        made_at: civil.rfc3339(row.made_at),
        made_by: row.made_by,
    }
}

/// Sends a source's alarms to a person, a group or a schedule, in one step. Replaces a redirect that is there; alerts under
/// way keep whom they called. Where the target has nobody at that moment, those the source names are called.
#[utoipa::path(put, path = "/v1/sources/{key}/redirect", operation_id = "redirect_source", tag = "sources", params(("key" = String, Path)), request_body = RedirectBody, responses((status = 200, body = Stored)))]
async fn send_elsewhere(
    State(shared): State<Shared>,
    Segment(source): Segment,
    input: Input<RedirectBody>,
) -> Result<Json<Stored>, Problem> {
    let body = input.value;
    let mut view = reading::open(&shared, Freshness::Local).await?;
    let civil = nodes::civil(&mut view).await.map_err(of_query)?;
    drop(view);
    let mut fields = Fields::default();
    let until = match (&body.until, body.for_s) {
        (Some(text), None) => fields
            .take("/until", parse_rfc3339(text))
            .map(|at| civil.moment(at)),
        (None, Some(seconds)) => Some(shared.replica.now() + Duration::from_secs(seconds)),
        (None, None) => None,
        (Some(_), Some(_)) => {
            fields.add(
                "/until",
                "says when it ends, or for_s how long it lasts, not both",
            );
            None
        }
    };
    fields.finish()?;
    let to = match body.to_target {
        RedirectTargetJson::Person(key) => Called::Named(Named::Person(key)),
        RedirectTargetJson::Group(key) => Called::Named(Named::Group(key)),
        RedirectTargetJson::Schedule(key) => Called::OnCall(key),
    };
    let redirect = Redirect {
        to,
        until,
        reason: body.reason,
    };
    let actor = input.order.actor.label();
    let command = Command::Redirect {
        source: source.clone(),
        redirect: Some(redirect),
    };
    let command = DomainCommand::Sources(command);
    let done = submit(&shared, input.order, command, NamedIn::Body).await?;
    info!(actor, source, "source redirected");
    Ok(Json(done.stored))
}

/// Takes a source's redirect back.
#[utoipa::path(delete, path = "/v1/sources/{key}/redirect", operation_id = "redirect_source_back", tag = "sources", params(("key" = String, Path)), responses((status = 200, body = Stored)))]
async fn send_back(
    State(shared): State<Shared>,
    Segment(source): Segment,
    bare: Bare,
) -> Result<Json<Stored>, Problem> {
    let command = DomainCommand::Sources(Command::Redirect {
        source,
        redirect: None,
    });
    let done = submit(&shared, bare.order, command, NamedIn::Path).await?;
    Ok(Json(done.stored))
}
