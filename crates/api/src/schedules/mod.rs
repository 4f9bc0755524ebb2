//! Schedules over HTTP: as they are written, and what stands beside them. Who is on call is in [`on_call`], what changes
//! that for a while in [`changes`] and [`swaps`], calendars in [`calendar`].

mod body;
mod calendar;
mod changes;
mod feed_token;
mod on_call;
mod swaps;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use domain::oncall::{self, Command, RedirectRow, ScheduleRow, Target};
use domain::ports::ReadView;
use domain::units::Thing;
use domain::zones::{self, Zone};
use domain::{Civil, CivilTime, Command as DomainCommand};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::body::ScheduleBody;
use crate::fields::Fields;
use crate::input::{Bare, Input, KeyPage, Order, Params, Segment};
use crate::problem::{NamedIn, Problem, of_query};
use crate::reading::View;
use crate::state::Shared;
use crate::submit::{Done, Stored, submit};
use crate::units::Limit;

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show, put, remove))
        .merge(on_call::routes())
        .merge(changes::routes())
        .merge(swaps::routes())
        .merge(calendar::routes())
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Schedule)]
pub(crate) struct ScheduleJson {
    key: String,
    #[serde(flatten)]
    schedule: ScheduleBody,
    #[serde(skip_serializing_if = "Option::is_none")]
    redirect: Option<RedirectJson>,
    updated_at: String,
    updated_by: String,
}

/// Where a schedule's calls go for a while.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Redirect)]
pub(crate) struct RedirectJson {
    /// Local time of the schedule.
    from: String,
    /// Absent: until taken back.
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    target: RedirectTargetJson,
    reason: String,
    made_at: String,
    made_by: String,
}

/// A schedule or a person, by key.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum TargetJson {
    Schedule(String),
    Person(String),
}

/// Where a redirect goes: a schedule, a person or everyone in a group, by key.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
#[schema(as = RedirectTarget)]
pub(crate) enum RedirectTargetJson {
    Schedule(String),
    Person(String),
    Group(String),
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Schedules)]
pub(crate) struct SchedulesJson {
    schedules: Vec<SummaryJson>,
    /// Ask with `after=` this for more; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ScheduleSummary)]
pub(crate) struct SummaryJson {
    key: String,
    name: String,
    zone: String,
    layers: usize,
    fixed: usize,
    updated_at: String,
    updated_by: String,
}

/// The answer to a change that made something people know by a number.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Numbered {
    #[serde(flatten)]
    stored: Stored,
    /// Its number within the schedule.
    number: u64,
}

/// Lists schedules in order of key.
#[utoipa::path(get, path = "/v1/schedules", tag = "on call", params(KeyPage), responses((status = 200, body = SchedulesJson)))]
async fn list(
    Params(page): Params<KeyPage>,
    within: Limit,
    mut view: View,
) -> Result<Response, Problem> {
    let limit = page.limit();
    let rows = oncall::schedules(&mut view.0, &page.after, limit)
        .await
        .map_err(of_query)?;
    let full = u32::try_from(rows.len()).is_ok_and(|found| found == limit);
    let next = rows.last().filter(|_| full);
    let next = next.map(|row| row.schedule.key.clone());
    let rows = within
        .kept(&mut view.0, rows, |row| Thing::Schedule(&row.schedule.key))
        .await?;
    let body = SchedulesJson {
        next,
        schedules: rows
            .into_iter()
            .map(|row| SummaryJson {
                layers: row.schedule.layers.len(),
                fixed: row.schedule.fixed.len(),
                key: row.schedule.key,
                name: row.schedule.name,
                zone: row.schedule.zone,
                updated_at: view.1.rfc3339(row.updated_at),
                updated_by: row.updated_by,
            })
            .collect(),
    };
    Ok(view.answer(&body))
}

/// Shows a schedule as it was written, with its redirect.
#[utoipa::path(get, path = "/v1/schedules/{key}", tag = "on call", params(("key" = String, Path)), responses((status = 200, body = ScheduleJson)))]
async fn show(Segment(key): Segment, mut view: View) -> Result<Response, Problem> {
    let row = find(&mut view.0, &key).await?;
    let redirect = oncall::redirect(&mut view.0, &key)
        .await
        .map_err(of_query)?;
    let body = ScheduleJson {
        key,
        redirect: redirect.map(|row| redirect_json(row, &view.1)),
        updated_at: view.1.rfc3339(row.updated_at),
        updated_by: row.updated_by,
        schedule: ScheduleBody::of(row.schedule),
    };
    Ok(view.answer(&body))
}

/// Adds a schedule or replaces the one with this key, fixed shifts included. Overrides, swaps and its redirect stay.
#[utoipa::path(put, path = "/v1/schedules/{key}", tag = "on call", params(("key" = String, Path)), request_body = ScheduleBody, responses((status = 200, body = Stored)))]
async fn put(
    State(shared): State<Shared>,
    Segment(key): Segment,
    input: Input<ScheduleBody>,
) -> Result<Json<Stored>, Problem> {
    let mut fields = Fields::default();
    let Some(schedule) = body::parse(&mut fields, key, input.value) else {
        return Err(fields.into_problem());
    };
    let done = change(&shared, input.order, Command::Put(schedule), NamedIn::Body).await?;
    Ok(Json(done.stored))
}

/// Removes a schedule with its overrides, swaps and redirects. Alerts under way keep whom they called.
#[utoipa::path(delete, path = "/v1/schedules/{key}", tag = "on call", params(("key" = String, Path)), responses((status = 200, body = Stored)))]
async fn remove(
    State(shared): State<Shared>,
    Segment(schedule): Segment,
    bare: Bare,
) -> Result<Json<Stored>, Problem> {
    let command = Command::Remove { schedule };
    let done = change(&shared, bare.order, command, NamedIn::Path).await?;
    Ok(Json(done.stored))
}

async fn change(
    shared: &Shared,
    order: Order,
    command: Command,
    named_in: NamedIn,
) -> Result<Done, Problem> {
    submit(shared, order, DomainCommand::Oncall(command), named_in).await
}

fn numbered(done: Done) -> Json<Numbered> {
    let number = done.receipt.number().unwrap_or(0);
    Json(Numbered {
        stored: done.stored,
        number,
    })
}

/// The schedule with this key.
async fn find(view: &mut ReadView, key: &str) -> Result<ScheduleRow, Problem> {
    let row = oncall::schedule(view, key).await.map_err(of_query)?;
    row.ok_or_else(unknown)
}

fn unknown() -> Problem {
    Problem::not_found("there is no schedule with this key")
}

/// The zone of a schedule's local times.
async fn zone_of(view: &mut ReadView, row: &ScheduleRow) -> Result<Zone, Problem> {
    let name = &row.schedule.zone;
    let loaded = zones::load(view, &[name.clone()].into()).await;
    let mut loaded = loaded.map_err(of_query)?;
    // Apply takes no schedule without its zone, and zones never go away.
    loaded
        .remove(name)
        .ok_or_else(|| Problem::not_found(&zones::unknown_zone(name)))
}

/// What people's clocks say now.
fn civil_now(shared: &Shared, civil: &Civil) -> CivilTime {
    civil.at(shared.replica.now())
}

fn redirect_json(row: RedirectRow, civil: &Civil) -> RedirectJson {
    RedirectJson {
        from: row.redirect.from.to_string(),
        to: row.redirect.to.map(|to| to.to_string()),
        target: RedirectTargetJson::of(row.redirect.target),
        reason: row.redirect.reason,
        made_at: civil.rfc3339(row.made_at),
        made_by: row.made_by,
    }
}

impl RedirectTargetJson {
    fn of(target: Target) -> Self {
        match target {
            Target::Schedule(key) => Self::Schedule(key),
            Target::Person(key) => Self::Person(key),
            Target::Group(key) => Self::Group(key),
        }
    }

    fn parse(self) -> Target {
        match self {
            Self::Schedule(key) => Target::Schedule(key),
            Self::Person(key) => Target::Person(key),
            Self::Group(key) => Target::Group(key),
        }
    }
}
