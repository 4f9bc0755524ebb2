//! People and groups over HTTP.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Json, http::StatusCode};
use domain::phone::{MailAddress, PhoneNumber};
use domain::recipients::{self, Command, ContactMethod, Group, GroupRow, Person, PersonRow};
use domain::{Command as DomainCommand, Receipt};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::fields::Fields;
use crate::input::{Bare, Input, Params, Segment};
use crate::problem::{NamedIn, Problem, of_query};
use crate::reading::View;
use crate::state::Shared;
use crate::submit::{Done, Stored, submit};

const PAGE_DEFAULT: u32 = 100;
const PAGE_MAX: u32 = 1_000;

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list_people, put_people))
        .routes(routes!(show_person, put_person, remove_person))
        .routes(routes!(list_groups, put_groups))
        .routes(routes!(show_group, put_group, remove_group))
}

/// By which network a contact method goes.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum MethodKind {
    Sms,
    Email,
}

/// One way to reach a person.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MethodJson {
    kind: MethodKind,
    /// Phone number with country code, or mail address.
    #[schema(example = "+358401234567")]
    address: String,
}

/// A person without the key, which stands in the path.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PersonBody {
    /// As people know them.
    #[schema(example = "Anna Virtanen")]
    name: String,
    /// Language code; texts exist in `fi`, `sv` and `en`, others get English.
    #[serde(default = "english")]
    #[schema(example = "fi")]
    language: String,
    /// In the order in which they are tried.
    methods: Vec<MethodJson>,
}

/// A person with key, as one of many.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyedPersonBody {
    /// Short stable name such as a staff number: 1 to 64 letters, digits, dots, dashes and underscores.
    #[schema(example = "anna")]
    key: String,
    name: String,
    #[serde(default = "english")]
    language: String,
    methods: Vec<MethodJson>,
}

/// Many people at once: all are taken, or none.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PeopleBody {
    people: Vec<KeyedPersonBody>,
}

/// A group without the key, which stands in the path.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GroupBody {
    #[schema(example = "Control room")]
    name: String,
    /// Keys of people, in calling order.
    members: Vec<String>,
}

/// A group with key, as one of many.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyedGroupBody {
    #[schema(example = "control-room")]
    key: String,
    name: String,
    members: Vec<String>,
}

/// Many groups at once: all are taken, or none.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GroupsBody {
    groups: Vec<KeyedGroupBody>,
}

fn english() -> String {
    "en".to_owned()
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Person)]
pub(crate) struct PersonJson {
    key: String,
    name: String,
    language: String,
    methods: Vec<MethodJson>,
    /// Keys of the groups the person is in.
    groups: Vec<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = People)]
pub(crate) struct PeopleJson {
    people: Vec<PersonJson>,
    /// Ask with `after=` this for more; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Group)]
pub(crate) struct GroupJson {
    key: String,
    name: String,
    /// Keys of people, in calling order.
    members: Vec<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Groups)]
pub(crate) struct GroupsJson {
    groups: Vec<GroupJson>,
}

/// The answer to a change of people or groups.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Counted {
    #[serde(flatten)]
    stored: Stored,
    /// How many people or groups it was about.
    count: u64,
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageParams {
    /// Start after this key.
    #[serde(default)]
    after: String,
    /// At most this many, up to 1,000.
    #[serde(default = "page_default")]
    #[param(default = 100, maximum = 1000)]
    limit: u32,
}

fn page_default() -> u32 {
    PAGE_DEFAULT
}

/// Lists people in order of key.
#[utoipa::path(get, path = "/v1/people", tag = "people", params(PageParams), responses((status = 200, body = PeopleJson)))]
async fn list_people(
    Params(page): Params<PageParams>,
    mut view: View,
) -> Result<Response, Problem> {
    let limit = page.limit.clamp(1, PAGE_MAX);
    let rows = recipients::people(&mut view.0, &page.after, limit)
        .await
        .map_err(of_query)?;
    let full = u32::try_from(rows.len()).is_ok_and(|found| found == limit);
    let next = rows.last().filter(|_| full).map(|row| row.key.clone());
    Ok(view.answer(&PeopleJson {
        people: rows.into_iter().map(person_json).collect(),
        next,
    }))
}

/// Shows a person.
#[utoipa::path(get, path = "/v1/people/{key}", tag = "people", params(("key" = String, Path)), responses((status = 200, body = PersonJson)))]
async fn show_person(Segment(key): Segment, mut view: View) -> Result<Response, Problem> {
    let row = recipients::person(&mut view.0, &key)
        .await
        .map_err(of_query)?;
    let row = row.ok_or_else(|| Problem::not_found("nobody is known by this key"))?;
    Ok(view.answer(&person_json(row)))
}

/// Adds people or replaces them by key. All are taken, or none.
#[utoipa::path(put, path = "/v1/people", tag = "people", request_body = PeopleBody, responses((status = 200, body = Counted)))]
async fn put_people(
    State(shared): State<Shared>,
    input: Input<PeopleBody>,
) -> Result<Response, Problem> {
    let mut fields = Fields::default();
    let people = input
        .value
        .people
        .into_iter()
        .enumerate()
        .filter_map(|(index, body)| {
            let KeyedPersonBody {
                key,
                name,
                language,
                methods,
            } = body;
            parse_person(
                &mut fields,
                &format!("/people/{index}"),
                key,
                PersonBody {
                    name,
                    language,
                    methods,
                },
            )
        });
    let people = people.collect();
    fields.finish()?;
    counted(
        submit(
            &shared,
            input.order,
            command(Command::PutPeople { people }),
            NamedIn::Body,
        )
        .await?,
    )
}

/// Adds a person or replaces the one with this key.
#[utoipa::path(put, path = "/v1/people/{key}", tag = "people", params(("key" = String, Path)), request_body = PersonBody, responses((status = 200, body = Counted)))]
async fn put_person(
    State(shared): State<Shared>,
    Segment(key): Segment,
    input: Input<PersonBody>,
) -> Result<Response, Problem> {
    let mut fields = Fields::default();
    let people = parse_person(&mut fields, "", key, input.value)
        .into_iter()
        .collect();
    fields.finish()?;
    counted(
        submit(
            &shared,
            input.order,
            command(Command::PutPeople { people }),
            NamedIn::Body,
        )
        .await?,
    )
}

/// Removes a person. Alerts under way keep what was frozen when they were raised.
#[utoipa::path(delete, path = "/v1/people/{key}", tag = "people", params(("key" = String, Path)), responses((status = 200, body = Counted)))]
async fn remove_person(
    State(shared): State<Shared>,
    Segment(key): Segment,
    bare: Bare,
) -> Result<Response, Problem> {
    counted(
        submit(
            &shared,
            bare.order,
            command(Command::RemovePerson { key }),
            NamedIn::Path,
        )
        .await?,
    )
}

/// Lists groups in order of key.
#[utoipa::path(get, path = "/v1/groups", tag = "people", responses((status = 200, body = GroupsJson)))]
async fn list_groups(mut view: View) -> Result<Response, Problem> {
    let rows = recipients::groups(&mut view.0).await.map_err(of_query)?;
    Ok(view.answer(&GroupsJson {
        groups: rows.into_iter().map(group_json).collect(),
    }))
}

/// Shows a group.
#[utoipa::path(get, path = "/v1/groups/{key}", tag = "people", params(("key" = String, Path)), responses((status = 200, body = GroupJson)))]
async fn show_group(Segment(key): Segment, mut view: View) -> Result<Response, Problem> {
    let row = recipients::group(&mut view.0, &key)
        .await
        .map_err(of_query)?;
    let row = row.ok_or_else(|| Problem::not_found("there is no group with this key"))?;
    Ok(view.answer(&group_json(row)))
}

/// Adds groups or replaces them by key. All are taken, or none.
#[utoipa::path(put, path = "/v1/groups", tag = "people", request_body = GroupsBody, responses((status = 200, body = Counted)))]
async fn put_groups(
    State(shared): State<Shared>,
    input: Input<GroupsBody>,
) -> Result<Response, Problem> {
    let mut fields = Fields::default();
    let groups = input
        .value
        .groups
        .into_iter()
        .enumerate()
        .filter_map(|(index, body)| {
            let KeyedGroupBody { key, name, members } = body;
            parse_group(
                &mut fields,
                &format!("/groups/{index}"),
                Group { key, name, members },
            )
        });
    let groups = groups.collect();
    fields.finish()?;
    counted(
        submit(
            &shared,
            input.order,
            command(Command::PutGroups { groups }),
            NamedIn::Body,
        )
        .await?,
    )
}

/// Adds a group or replaces the one with this key.
#[utoipa::path(put, path = "/v1/groups/{key}", tag = "people", params(("key" = String, Path)), request_body = GroupBody, responses((status = 200, body = Counted)))]
async fn put_group(
    State(shared): State<Shared>,
    Segment(key): Segment,
    input: Input<GroupBody>,
) -> Result<Response, Problem> {
    let mut fields = Fields::default();
    let GroupBody { name, members } = input.value;
    let groups = parse_group(&mut fields, "", Group { key, name, members })
        .into_iter()
        .collect();
    fields.finish()?;
    counted(
        submit(
            &shared,
            input.order,
            command(Command::PutGroups { groups }),
            NamedIn::Body,
        )
        .await?,
    )
}

/// Removes a group; its people stay.
#[utoipa::path(delete, path = "/v1/groups/{key}", tag = "people", params(("key" = String, Path)), responses((status = 200, body = Counted)))]
async fn remove_group(
    State(shared): State<Shared>,
    Segment(key): Segment,
    bare: Bare,
) -> Result<Response, Problem> {
    counted(
        submit(
            &shared,
            bare.order,
            command(Command::RemoveGroup { key }),
            NamedIn::Path,
        )
        .await?,
    )
}

fn command(command: Command) -> DomainCommand {
    DomainCommand::Recipients(command)
}

fn counted(done: Done) -> Result<Response, Problem> {
    let count = match done.receipt {
        Receipt::Count(count) => count,
        Receipt::None
        | Receipt::Alert { .. }
        | Receipt::IslandAlert { .. }
        | Receipt::Node { .. }
        | Receipt::Number(_) => 0,
    };
    Ok((
        StatusCode::OK,
        Json(Counted {
            stored: done.stored,
            count,
        }),
    )
        .into_response())
}

fn parse_person(fields: &mut Fields, at: &str, key: String, body: PersonBody) -> Option<Person> {
    let mut methods = Vec::with_capacity(body.methods.len());
    for (index, method) in body.methods.iter().enumerate() {
        let pointer = format!("{at}/methods/{index}/address");
        methods.push(match method.kind {
            MethodKind::Sms => ContactMethod::Sms(
                fields
                    .take(pointer, PhoneNumber::parse(&method.address))?
                    .as_str()
                    .to_owned(),
            ),
            MethodKind::Email => ContactMethod::Email(
                fields
                    .take(pointer, MailAddress::parse(&method.address))?
                    .as_str()
                    .to_owned(),
            ),
        });
    }
    let person = Person {
        key,
        name: body.name,
        language: body.language,
        methods,
    };
    fields.take(at, recipients::check_person(&person))?;
    Some(person)
}

fn parse_group(fields: &mut Fields, at: &str, group: Group) -> Option<Group> {
    fields.take(at, recipients::check_group(&group))?;
    Some(group)
}

fn person_json(row: PersonRow) -> PersonJson {
    let methods = row.methods.into_iter().map(|method| match method {
        ContactMethod::Sms(address) => MethodJson {
            kind: MethodKind::Sms,
            address,
        },
        ContactMethod::Email(address) => MethodJson {
            kind: MethodKind::Email,
            address,
        },
    });
    PersonJson {
        key: row.key,
        name: row.name,
        language: row.language,
        methods: methods.collect(),
        groups: row.groups,
    }
}

fn group_json(row: GroupRow) -> GroupJson {
    GroupJson {
        key: row.key,
        name: row.name,
        members: row.members,
    }
}
