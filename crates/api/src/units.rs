//! Units of the organisation over HTTP, and what an account that is limited to one gets to see
//! ([decision 38](../../../docs/decisions/0038-units.md)).
//!
//! What such an account may change is decided by [`domain::units`] when it is applied; here is what it may read.

use axum::Json;
use axum::extract::{FromRequestParts, RawPathParams, State};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use domain::ports::{Freshness, ReadView};
use domain::units::{self, Command, Thing, UnitRow};
use domain::{Command as DomainCommand, approvals, recipients};
use serde::{Deserialize, Serialize};
use tracing::info;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::guard::Principal;
use crate::input::{Bare, Input, KeyPage, Params, Segment, Segments};
use crate::problem::{Kind, NamedIn, Problem, of_query};
use crate::reading::{self, View};
use crate::state::Shared;
use crate::submit::{Stored, submit};
use crate::{alerts, conversations};

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(put, remove))
        .routes(routes!(people, place))
        .routes(routes!(take_out))
        .routes(routes!(limit))
}

/// A unit: part of the organisation.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Unit)]
pub(crate) struct UnitJson {
    key: String,
    name: String,
    /// Key of the unit it is part of.
    part_of: Option<String>,
    /// Who belong to it, those of its parts not counted.
    people: u64,
    /// Accounts limited to it, those of its parts not counted.
    accounts: u64,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Units)]
pub(crate) struct UnitsJson {
    /// By key; to those who are limited to one, that and its parts.
    units: Vec<UnitJson>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = PutUnit)]
#[serde(deny_unknown_fields)]
pub(crate) struct UnitBody {
    /// 1 to 100 characters.
    #[schema(example = "Plant A")]
    name: String,
    /// Key of the unit it is part of.
    part_of: Option<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlaceBody {
    /// Keys of people; at most 5,000.
    #[schema(example = json!(["anna", "bela"]))]
    people: Vec<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LimitBody {
    /// Key of a unit; null: the whole organisation.
    #[schema(example = "plant-a")]
    unit: Option<String>,
}

/// Somebody who belongs to a unit.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UnitPerson {
    key: String,
    name: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UnitPeople {
    people: Vec<UnitPerson>,
    /// Ask with `after=` this for more; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// The answer to a change of who belongs to a unit.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Placed {
    #[serde(flatten)]
    stored: Stored,
    /// How many belonged elsewhere, or nowhere, before.
    count: u64,
}

/// Lists units in order of key.
#[utoipa::path(get, path = "/v1/units", tag = "units", responses((status = 200, body = UnitsJson)))]
async fn list(limit: Limit, mut view: View) -> Result<Response, Problem> {
    let rows = units::list(&mut view.0, limit.0.as_deref())
        .await
        .map_err(of_query)?;
    let units = rows.into_iter().map(unit_json).collect();
    Ok(view.answer(&UnitsJson { units }))
}

/// Adds a unit, or changes its name and what it is part of.
#[utoipa::path(put, path = "/v1/units/{key}", tag = "units", params(("key" = String, Path, description = "2 to 40 small letters, digits and hyphens")), request_body = UnitBody, responses((status = 200, body = Stored)))]
async fn put(
    State(shared): State<Shared>,
    Segment(key): Segment,
    input: Input<UnitBody>,
) -> Result<Json<Stored>, Problem> {
    let command = Command::Put {
        key,
        name: input.value.name,
        above: input.value.part_of,
    };
    let command = DomainCommand::Units(command);
    let done = submit(&shared, input.order, command, NamedIn::Body).await?;
    Ok(Json(done.stored))
}

/// Removes a unit that nobody belongs to, no account is limited to and no other is part of.
#[utoipa::path(delete, path = "/v1/units/{key}", tag = "units", params(("key" = String, Path)), responses((status = 200, body = Stored)))]
async fn remove(
    State(shared): State<Shared>,
    Segment(key): Segment,
    bare: Bare,
) -> Result<Json<Stored>, Problem> {
    let command = DomainCommand::Units(Command::Remove { key });
    let done = submit(&shared, bare.order, command, NamedIn::Path).await?;
    Ok(Json(done.stored))
}

/// Lists who belong to a unit, by key; those of its parts are listed there.
#[utoipa::path(get, path = "/v1/units/{key}/people", tag = "units", params(("key" = String, Path), KeyPage), responses((status = 200, body = UnitPeople)))]
async fn people(
    Segment(key): Segment,
    Params(page): Params<KeyPage>,
    mut view: View,
) -> Result<Response, Problem> {
    let found = units::find(&mut view.0, &key).await.map_err(of_query)?;
    found.ok_or_else(|| unknown(&key))?;
    let limit = page.limit();
    let rows = recipients::people(&mut view.0, Some(&[key]), &page.after, limit)
        .await
        .map_err(of_query)?;
    let full = u32::try_from(rows.len()).is_ok_and(|found| found == limit);
    let next = rows.last().filter(|_| full).map(|row| row.key.clone());
    let people = rows.into_iter().map(|row| UnitPerson {
        key: row.key,
        name: row.name,
    });
    let people = people.collect();
    Ok(view.answer(&UnitPeople { people, next }))
}

/// Says that people belong to a unit; those who belonged to another do not any more.
#[utoipa::path(post, path = "/v1/units/{key}/people", tag = "units", params(("key" = String, Path)), request_body = PlaceBody, responses((status = 200, body = Placed)))]
async fn place(
    State(shared): State<Shared>,
    Segment(key): Segment,
    input: Input<PlaceBody>,
) -> Result<Response, Problem> {
    let command = Command::Place {
        people: input.value.people,
        unit: Some(key),
    };
    let command = DomainCommand::Units(command);
    let done = submit(&shared, input.order, command, NamedIn::Body).await?;
    let body = Placed {
        count: done.receipt.count().unwrap_or(0),
        stored: done.stored,
    };
    Ok((StatusCode::OK, Json(body)).into_response())
}

/// Says that somebody belongs to a unit no more.
#[utoipa::path(delete, path = "/v1/units/{key}/people/{person}", tag = "units", params(("key" = String, Path), ("person" = String, Path)), responses((status = 200, body = Stored)))]
async fn take_out(
    State(shared): State<Shared>,
    Segments(key, person): Segments,
    bare: Bare,
) -> Result<Json<Stored>, Problem> {
    let mut view = reading::open(&shared, Freshness::Local).await?;
    let found = recipients::person(&mut view, &person).await;
    drop(view);
    let found = found.map_err(of_query)?;
    if found.is_none_or(|found| found.unit.as_deref() != Some(key.as_str())) {
        let text = "nobody of this unit is known by this key";
        return Err(Problem::not_found(text));
    }
    let command = Command::Place {
        people: vec![person],
        unit: None,
    };
    let command = DomainCommand::Units(command);
    let done = submit(&shared, bare.order, command, NamedIn::Path).await?;
    Ok(Json(done.stored))
}

/// Limits an account to a unit and its parts: it sees and changes nothing else. Holds for its open sessions at once.
#[utoipa::path(put, path = "/v1/accounts/{name}/unit", tag = "accounts", params(("name" = String, Path)), request_body = LimitBody, responses((status = 200, body = Stored)))]
async fn limit(
    State(shared): State<Shared>,
    Segment(name): Segment,
    input: Input<LimitBody>,
) -> Result<Json<Stored>, Problem> {
    let unit = input.value.unit;
    info!(
        actor = input.order.actor.label(),
        account = name,
        unit = unit.as_deref().unwrap_or_default(),
        "account limited to a unit"
    );
    let command = DomainCommand::Units(Command::Limit {
        account: name,
        unit,
    });
    let done = submit(&shared, input.order, command, NamedIn::Path).await?;
    Ok(Json(done.stored))
}

fn unit_json(row: UnitRow) -> UnitJson {
    UnitJson {
        key: row.key,
        name: row.name,
        part_of: row.above,
        people: row.people,
        accounts: row.accounts,
    }
}

fn unknown(key: &str) -> Problem {
    Problem::not_found(&format!("there is no unit {key}; see GET /v1/units"))
}

/// The unit that whoever asks is limited to, by its key; `None`: the whole organisation.
#[derive(Clone, Debug)]
pub(crate) struct Limit(pub(crate) Option<String>);

impl<S: Send + Sync> FromRequestParts<S> for Limit {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let principal = parts.extensions.get::<Principal>();
        let unit = principal.and_then(Principal::unit).map(str::to_owned);
        Ok(Self(unit))
    }
}

impl Limit {
    /// Keys of the unit and of its parts.
    pub(crate) async fn keys(&self, view: &mut ReadView) -> Result<Option<Vec<String>>, Problem> {
        let Some(unit) = &self.0 else { return Ok(None) };
        let rows = units::list(view, Some(unit)).await.map_err(of_query)?;
        Ok(Some(rows.into_iter().map(|row| row.key).collect()))
    }

    /// Of what is listed, what is the unit's.
    pub(crate) async fn kept<T>(
        &self,
        view: &mut ReadView,
        rows: Vec<T>,
        thing: impl Fn(&T) -> Thing<'_>,
    ) -> Result<Vec<T>, Problem> {
        let Some(unit) = &self.0 else { return Ok(rows) };
        let mut kept = Vec::with_capacity(rows.len());
        for row in rows {
            let has = units::has(view, unit, thing(&row)).await;
            if has.map_err(of_query)? {
                kept.push(row);
            }
        }
        Ok(kept)
    }
}

/// For somebody limited to a unit: whatever a path names must belong to it, or is not there at all. What a change is about
/// is looked at when it is applied, by its content.
pub(crate) async fn check(
    shared: &Shared,
    unit: &str,
    (method, path): (&Method, &str),
    request: &mut Parts,
) -> Result<(), Problem> {
    let params = RawPathParams::from_request_parts(request, shared).await;
    let params = params.map_err(|error| Problem::new(Kind::BadRequest, error.body_text()))?;
    for (name, value) in &params {
        if !belongs(shared, unit, (method, path), (name, value)).await? {
            return Err(Problem::not_found(
                "there is nothing of this name in your unit",
            ));
        }
    }
    Ok(())
}

async fn belongs(
    shared: &Shared,
    unit: &str,
    (method, path): (&Method, &str),
    (name, value): (&str, &str),
) -> Result<bool, Problem> {
    let reads = method == Method::GET;
    let below = |top: &str| path.starts_with(top);
    let row;
    let thing = match name {
        "alert" => Thing::Alert(alerts::find(shared, value).await?),
        "room" => Thing::Room(conversations::find(shared, value).await?),
        "number" if below("/v1/held-alerts/") => {
            let mut view = reading::open(shared, Freshness::Local).await?;
            let number = value.parse().unwrap_or(0);
            let found = approvals::approval(&mut view, number).await;
            row = found.map_err(of_query)?;
            match &row {
                Some(row) => Thing::Approval(row),
                None => return Ok(false),
            }
        }
        "key" if below("/v1/units/") => Thing::Unit(value),
        "key" if reads && below("/v1/people/") => Thing::Person(value),
        "key" if reads && below("/v1/groups/") => Thing::Group(value),
        "key" if reads && below("/v1/schedules/") => Thing::Schedule(value),
        "name" if reads => Thing::Account(value),
        // The rest is of what stands before it in the path, or of the whole organisation and for everybody to read.
        _ => return Ok(true),
    };
    let mut view = reading::open(shared, Freshness::Local).await?;
    units::has(&mut view, unit, thing).await.map_err(of_query)
}
