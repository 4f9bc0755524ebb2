//! People and groups over HTTP.

mod groups;
mod numbers;
mod person;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Json, http::StatusCode};
use domain::Command as DomainCommand;
use domain::ports::Freshness;
use domain::recipients::{self, Command, Person, Verify};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::person::{
    FoundWord, MethodBody, PersonBody, PersonJson, parse_method, parse_person, person_json,
};
use crate::fields::Fields;
use crate::input::{Bare, Input, KeyPage, Order, Params, Segment};
use crate::problem::{NamedIn, Problem, of_query};
use crate::reading::{View, open};
use crate::state::Shared;
use crate::submit::{Stored, submit};
use crate::units::Limit;

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list_people, put_people))
        .routes(routes!(show_person, put_person, remove_person))
        .routes(routes!(verify_method))
        .merge(numbers::routes())
        .merge(groups::routes())
}

/// Many people at once: all are taken, or none.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PeopleBody {
    people: Vec<PersonBody>,
}

/// What a try at one of a person's contact methods showed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct VerificationBody {
    method: MethodBody,
    #[schema(inline)]
    state: FoundWord,
    /// By which path it was found out: at most 80 characters.
    #[serde(default)]
    #[schema(example = "told by phone")]
    how: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = People)]
pub(crate) struct PeopleJson {
    people: Vec<PersonJson>,
    /// Ask with `after=` this for more; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// The answer to a change of people or groups.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Counted {
    #[serde(flatten)]
    stored: Stored,
    /// How many people or groups it was about.
    count: u64,
    /// What was taken and will not work as it stands.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

/// Lists people in order of key; to those limited to a unit, who belong to it.
#[utoipa::path(get, path = "/v1/people", tag = "people", params(KeyPage), responses((status = 200, body = PeopleJson)))]
async fn list_people(
    Params(page): Params<KeyPage>,
    within: Limit,
    mut view: View,
) -> Result<Response, Problem> {
    let limit = page.limit();
    let units = within.keys(&mut view.0).await?;
    let rows = recipients::people(&mut view.0, units.as_deref(), &page.after, limit)
        .await
        .map_err(of_query)?;
    let full = u32::try_from(rows.len()).is_ok_and(|found| found == limit);
    let next = rows.last().filter(|_| full).map(|row| row.key.clone());
    let now = view.0.as_of;
    let people = rows.into_iter().map(|row| person_json(row, &view.1, now));
    let people = people.collect();
    Ok(view.answer(&PeopleJson { people, next }))
}

/// Shows a person.
#[utoipa::path(get, path = "/v1/people/{key}", tag = "people", params(("key" = String, Path)), responses((status = 200, body = PersonJson)))]
async fn show_person(Segment(key): Segment, mut view: View) -> Result<Response, Problem> {
    let row = recipients::person(&mut view.0, &key)
        .await
        .map_err(of_query)?;
    let row = row.ok_or_else(|| Problem::not_found("nobody is known by this key"))?;
    let shown = person_json(row, &view.1, view.0.as_of);
    Ok(view.answer(&shown))
}

/// Adds people or replaces them by key. All are taken, or none.
#[utoipa::path(put, path = "/v1/people", tag = "people", request_body = PeopleBody, responses((status = 200, body = Counted)))]
async fn put_people(
    State(shared): State<Shared>,
    input: Input<PeopleBody>,
) -> Result<Response, Problem> {
    let mut fields = Fields::default();
    let mut people = Vec::with_capacity(input.value.people.len());
    for (index, body) in input.value.people.into_iter().enumerate() {
        let at = format!("/people/{index}");
        if let Some(key) = key_of(&mut fields, &at, None, body.key.clone()) {
            people.extend(parse_person(&mut fields, &at, key, body));
        }
    }
    fields.finish()?;
    put(&shared, input.order, people).await
}

/// Adds a person or replaces the one with this key.
#[utoipa::path(put, path = "/v1/people/{key}", tag = "people", params(("key" = String, Path)), request_body = PersonBody, responses((status = 200, body = Counted)))]
async fn put_person(
    State(shared): State<Shared>,
    Segment(key): Segment,
    input: Input<PersonBody>,
) -> Result<Response, Problem> {
    let mut fields = Fields::default();
    let body = input.value;
    let person = key_of(&mut fields, "", Some(key), body.key.clone())
        .and_then(|key| parse_person(&mut fields, "", key, body));
    fields.finish()?;
    put(&shared, input.order, person.into_iter().collect()).await
}

/// Removes a person. Alerts under way keep what was frozen when they were raised.
#[utoipa::path(delete, path = "/v1/people/{key}", tag = "people", params(("key" = String, Path)), responses((status = 200, body = Counted)))]
async fn remove_person(
    State(shared): State<Shared>,
    Segment(key): Segment,
    bare: Bare,
) -> Result<Response, Problem> {
    let command = Command::RemovePerson { key };
    change(&shared, bare.order, command, NamedIn::Path, Vec::new()).await
}

/// Notes whether one of a person's contact methods was found to reach them.
#[utoipa::path(post, path = "/v1/people/{key}/verification", tag = "people", params(("key" = String, Path)), request_body = VerificationBody, responses((status = 200, body = Counted)))]
async fn verify_method(
    State(shared): State<Shared>,
    Segment(key): Segment,
    input: Input<VerificationBody>,
) -> Result<Response, Problem> {
    let mut fields = Fields::default();
    let VerificationBody { method, state, how } = input.value;
    let method = fields.take("/method/address", parse_method(&method));
    let Some(method) = method else {
        return Err(fields.into_problem());
    };
    let verify = Verify {
        person: key,
        method,
        found: state.into(),
        how,
    };
    fields.take("/how", recipients::check_verify(&verify));
    fields.finish()?;
    let command = Command::Verify(verify);
    change(&shared, input.order, command, NamedIn::Path, Vec::new()).await
}

/// Puts people, warning of numbers that no text may go to.
async fn put(shared: &Shared, order: Order, people: Vec<Person>) -> Result<Response, Problem> {
    let mut view = open(shared, Freshness::Local).await?;
    let prefixes = recipients::prefixes(&mut view).await.map_err(of_query)?;
    drop(view);
    let mut warnings = Vec::new();
    for person in &people {
        warnings.extend(person.methods.iter().filter_map(|method| {
            let refused = recipients::check_prefix(&prefixes, method).err()?;
            Some(format!("{}, {}: {refused}", person.key, method.address()))
        }));
    }
    let command = Command::PutPeople { people };
    change(shared, order, command, NamedIn::Body, warnings).await
}

/// The key that stands in the path, in the body, or in both and is the same.
fn key_of(
    fields: &mut Fields,
    at: &str,
    path: Option<String>,
    body: Option<String>,
) -> Option<String> {
    match (path, body) {
        (Some(path), Some(body)) if path != body => {
            fields.add(
                format!("{at}/key"),
                format!("the path says {path:?}; leave the key out here"),
            );
            None
        }
        (Some(key), _) | (None, Some(key)) => Some(key),
        (None, None) => {
            fields.add(format!("{at}/key"), "is missing");
            None
        }
    }
}

async fn change(
    shared: &Shared,
    order: Order,
    command: Command,
    named_in: NamedIn,
    warnings: Vec<String>,
) -> Result<Response, Problem> {
    let done = submit(shared, order, DomainCommand::Recipients(command), named_in).await?;
    let count = done.receipt.count().unwrap_or(0);
    let body = Counted {
        stored: done.stored,
        count,
        warnings,
    };
    Ok((StatusCode::OK, Json(body)).into_response())
}
