//! Overrides and redirects over HTTP.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use domain::oncall::{self, Command, Override, OverrideRow, Redirect};
use domain::ports::Freshness;
use domain::zones::{WallTime, Zone};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::body::parse_wall;
use super::{Numbered, RedirectTargetJson, change, civil_now, find, numbered, zone_of};
use crate::fields::Fields;
use crate::input::{Bare, Input, NumberedSegment, Segment};
use crate::problem::{NamedIn, Problem, of_query};
use crate::reading::{self, View};
use crate::state::Shared;
use crate::submit::Stored;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list, add))
        .routes(routes!(remove))
        .routes(routes!(redirect, redirect_back))
}

/// Somebody else for a while.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OverrideBody {
    /// Local time of the schedule, or RFC 3339.
    #[schema(example = "2026-11-23T18:00")]
    from: String,
    /// As `from`.
    #[schema(example = "2026-11-24T08:00")]
    to: String,
    /// Who is on call instead: keys of people.
    instead: Vec<String>,
    /// For whom; without it: for everyone, also where nobody would be on call.
    of: Option<String>,
    #[serde(default)]
    reason: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Override)]
pub(crate) struct OverrideJson {
    /// Its number within the schedule.
    number: u64,
    /// Local time of the schedule.
    from: String,
    to: String,
    instead: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    of: Option<String>,
    /// The swap it came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    swap: Option<u64>,
    reason: String,
    made_at: String,
    made_by: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Overrides)]
pub(crate) struct OverridesJson {
    /// Those that are not over, oldest first.
    overrides: Vec<OverrideJson>,
}

/// Sends a schedule's calls elsewhere for a while.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RedirectBody {
    to_target: RedirectTargetJson,
    /// Local time of the schedule, or RFC 3339; without it: now.
    from: Option<String>,
    /// As `from`; without it: until taken back.
    to: Option<String>,
    #[serde(default)]
    reason: String,
}

/// Lists a schedule's overrides that are not over.
#[utoipa::path(get, path = "/v1/schedules/{key}/overrides", tag = "on call", params(("key" = String, Path)), responses((status = 200, body = OverridesJson)))]
async fn list(
    State(shared): State<Shared>,
    Segment(key): Segment,
    mut view: View,
) -> Result<Response, Problem> {
    let row = find(&mut view.0, &key).await?;
    let zone = zone_of(&mut view.0, &row).await?;
    let now = zone.wall(civil_now(&shared, &view.1));
    let rows = oncall::overrides(&mut view.0, &key, now)
        .await
        .map_err(of_query)?;
    let override_json = |row: OverrideRow| OverrideJson {
        number: row.number,
        from: row.order.from.to_string(),
        to: row.order.to.to_string(),
        instead: row.order.instead,
        of: row.order.of,
        swap: row.swap,
        reason: row.order.reason,
        made_at: view.1.rfc3339(row.made_at),
        made_by: row.made_by,
    };
    let body = OverridesJson {
        overrides: rows.into_iter().map(override_json).collect(),
    };
    Ok(view.answer(&body))
}

/// Puts somebody else on call for a while.
#[utoipa::path(post, path = "/v1/schedules/{key}/overrides", tag = "on call", params(("key" = String, Path)), request_body = OverrideBody, responses((status = 200, body = Numbered)))]
async fn add(
    State(shared): State<Shared>,
    Segment(schedule): Segment,
    input: Input<OverrideBody>,
) -> Result<Json<Numbered>, Problem> {
    let body = input.value;
    let (zone, _) = zone_and_now(&shared, &schedule).await?;
    let mut fields = Fields::default();
    let from = fields.take("/from", parse_wall(&body.from, &zone, false));
    let to = fields.take("/to", parse_wall(&body.to, &zone, true));
    let (Some(from), Some(to)) = (from, to) else {
        return Err(fields.into_problem());
    };
    let order = Override {
        from,
        to,
        instead: body.instead,
        of: body.of,
        reason: body.reason,
    };
    fields.take("", oncall::check_override(&order));
    fields.finish()?;
    let command = Command::AddOverride { schedule, order };
    change(&shared, input.order, command, NamedIn::Body)
        .await
        .map(numbered)
}

/// Takes an override back; the two of a swap together.
#[utoipa::path(delete, path = "/v1/schedules/{key}/overrides/{number}", tag = "on call", params(("key" = String, Path), ("number" = u64, Path)), responses((status = 200, body = Stored)))]
async fn remove(
    State(shared): State<Shared>,
    NumberedSegment(schedule, number): NumberedSegment,
    bare: Bare,
) -> Result<Json<Stored>, Problem> {
    let command = Command::RemoveOverride { schedule, number };
    let done = change(&shared, bare.order, command, NamedIn::Path).await?;
    Ok(Json(done.stored))
}

/// Sends a schedule's calls to another schedule or a person, in one step. Replaces a redirect that is there.
#[utoipa::path(put, path = "/v1/schedules/{key}/redirect", tag = "on call", params(("key" = String, Path)), request_body = RedirectBody, responses((status = 200, body = Stored)))]
async fn redirect(
    State(shared): State<Shared>,
    Segment(schedule): Segment,
    input: Input<RedirectBody>,
) -> Result<Json<Stored>, Problem> {
    let body = input.value;
    let (zone, now) = zone_and_now(&shared, &schedule).await?;
    let mut fields = Fields::default();
    let from = body.from.map_or(Some(now), |from| {
        fields.take("/from", parse_wall(&from, &zone, false))
    });
    let to = body
        .to
        .map(|to| fields.take("/to", parse_wall(&to, &zone, true)));
    let Some(from) = from else {
        return Err(fields.into_problem());
    };
    fields.finish()?;
    let redirect = Redirect {
        from,
        to: to.flatten(),
        target: body.to_target.parse(),
        reason: body.reason,
    };
    let command = Command::Redirect {
        schedule,
        redirect: Some(redirect),
    };
    let done = change(&shared, input.order, command, NamedIn::Body).await?;
    Ok(Json(done.stored))
}

/// Takes a schedule's redirect back.
#[utoipa::path(delete, path = "/v1/schedules/{key}/redirect", tag = "on call", params(("key" = String, Path)), responses((status = 200, body = Stored)))]
async fn redirect_back(
    State(shared): State<Shared>,
    Segment(schedule): Segment,
    bare: Bare,
) -> Result<Json<Stored>, Problem> {
    let command = Command::Redirect {
        schedule,
        redirect: None,
    };
    let done = change(&shared, bare.order, command, NamedIn::Path).await?;
    Ok(Json(done.stored))
}

/// What a schedule's wall shows now, and its zone.
async fn zone_and_now(shared: &Shared, key: &str) -> Result<(Zone, WallTime), Problem> {
    let mut view = View::new(reading::open(shared, Freshness::Local).await?).await?;
    let row = find(&mut view.0, key).await?;
    let zone = zone_of(&mut view.0, &row).await?;
    let now = zone.wall(civil_now(shared, &view.1));
    Ok((zone, now))
}
