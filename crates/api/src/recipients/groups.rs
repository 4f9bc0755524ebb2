//! Groups over HTTP: whom they name, whom their rules find, and who is in one now.

use axum::extract::State;
use axum::response::Response;
use domain::recipients::{
    self, Command, Criterion, Group, GroupRow, Member, Membership, Occupancy, Rule,
};
use domain::units::Thing;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Counted, change, key_of};
use crate::fields::Fields;
use crate::input::{Bare, Input, PAGE_DEFAULT, PAGE_MAX, Params, Segment};
use crate::problem::{NamedIn, Problem, of_query};
use crate::reading::View;
use crate::state::Shared;
use crate::units::Limit;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list_groups, put_groups))
        .routes(routes!(show_group, put_group, remove_group))
        .routes(routes!(show_members))
}

/// Whom a group finds by what is known of people: those who meet all of `all_of` and, if there is any, one of `any_of`.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = GroupRule)]
pub(crate) struct RuleJson {
    /// Each `tag:…`, `skill:…`, `site:…` or `kind:internal`, `kind:supplier`, `kind:authority`.
    #[schema(example = json!(["skill:network"]))]
    all_of: Vec<String>,
    #[schema(example = json!(["site:Turku", "site:Oulu"]))]
    any_of: Vec<String>,
}

/// A group.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GroupBody {
    /// One of many needs it; where it stands in the path, it may be left out.
    #[schema(example = "control-room")]
    key: Option<String>,
    #[schema(example = "Control room")]
    name: String,
    /// Keys of people, or `group:` and the key of another group, in calling order. Those the rule finds come after them.
    #[schema(example = json!(["anna", "group:managers"]))]
    #[serde(default)]
    members: Vec<String>,
    #[serde(default)]
    rule: RuleJson,
}

/// Many groups at once: all are taken, or none.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GroupsBody {
    groups: Vec<GroupBody>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Group)]
pub(crate) struct GroupJson {
    key: String,
    name: String,
    /// Keys of people, or `group:` and the key of another group, in calling order.
    members: Vec<String>,
    rule: RuleJson,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Groups)]
pub(crate) struct GroupsJson {
    groups: Vec<GroupJson>,
}

/// One reason why a person is in a group.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Membership)]
pub(crate) struct WhyJson {
    /// Keys of the groups between, outermost first; empty: the group itself says so.
    through: Vec<String>,
    /// What the person meets of the last group's rule; empty: that group names the person.
    matches: Vec<String>,
}

/// Somebody in a group, and every reason.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = GroupMember)]
pub(crate) struct MemberJson {
    key: String,
    name: String,
    why: Vec<WhyJson>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = GroupMembers)]
pub(crate) struct MembersJson {
    /// How many people are in the group now.
    count: usize,
    /// In calling order.
    members: Vec<MemberJson>,
    /// Ask with `skip=` this for more; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<usize>,
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct MemberParams {
    /// Leave out this many.
    #[serde(default)]
    skip: usize,
    /// At most this many, up to 1,000.
    #[serde(default = "crate::input::page_default")]
    #[param(default = 100, maximum = 1000)]
    limit: u32,
}

/// Lists groups in order of key.
#[utoipa::path(get, path = "/v1/groups", tag = "people", responses((status = 200, body = GroupsJson)))]
async fn list_groups(within: Limit, mut view: View) -> Result<Response, Problem> {
    let rows = recipients::groups(&mut view.0).await.map_err(of_query)?;
    let rows = within
        .kept(&mut view.0, rows, |row| Thing::Group(&row.key))
        .await?;
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
    let row = row.ok_or_else(unknown)?;
    Ok(view.answer(&group_json(row)))
}

/// Says who is in a group now, and why.
#[utoipa::path(get, path = "/v1/groups/{key}/members", tag = "people", params(("key" = String, Path), MemberParams), responses((status = 200, body = MembersJson)))]
async fn show_members(
    Segment(key): Segment,
    Params(params): Params<MemberParams>,
    mut view: View,
) -> Result<Response, Problem> {
    let limit = usize::try_from(params.limit.clamp(1, PAGE_MAX)).unwrap_or(PAGE_DEFAULT as usize);
    let found = recipients::occupancy(&mut view.0, &key, params.skip, limit)
        .await
        .map_err(of_query)?;
    let (count, page) = found.ok_or_else(unknown)?;
    let end = params.skip.saturating_add(page.len());
    Ok(view.answer(&MembersJson {
        count,
        members: page.into_iter().map(member_json).collect(),
        next: (end < count).then_some(end),
    }))
}

/// Adds groups or replaces them by key. All are taken, or none.
#[utoipa::path(put, path = "/v1/groups", tag = "people", request_body = GroupsBody, responses((status = 200, body = Counted)))]
async fn put_groups(
    State(shared): State<Shared>,
    input: Input<GroupsBody>,
) -> Result<Response, Problem> {
    let mut fields = Fields::default();
    let mut groups = Vec::with_capacity(input.value.groups.len());
    for (index, body) in input.value.groups.into_iter().enumerate() {
        let at = format!("/groups/{index}");
        if let Some(key) = key_of(&mut fields, &at, None, body.key.clone()) {
            groups.extend(parse_group(&mut fields, &at, key, body));
        }
    }
    fields.finish()?;
    let command = Command::PutGroups { groups };
    change(&shared, input.order, command, NamedIn::Body, Vec::new()).await
}

/// Adds a group or replaces the one with this key.
#[utoipa::path(put, path = "/v1/groups/{key}", tag = "people", params(("key" = String, Path)), request_body = GroupBody, responses((status = 200, body = Counted)))]
async fn put_group(
    State(shared): State<Shared>,
    Segment(key): Segment,
    input: Input<GroupBody>,
) -> Result<Response, Problem> {
    let mut fields = Fields::default();
    let body = input.value;
    let groups = key_of(&mut fields, "", Some(key), body.key.clone())
        .and_then(|key| parse_group(&mut fields, "", key, body));
    fields.finish()?;
    let command = Command::PutGroups {
        groups: groups.into_iter().collect(),
    };
    change(&shared, input.order, command, NamedIn::Body, Vec::new()).await
}

/// Removes a group; its people stay. A group that others name stays until they do not.
#[utoipa::path(delete, path = "/v1/groups/{key}", tag = "people", params(("key" = String, Path)), responses((status = 200, body = Counted)))]
async fn remove_group(
    State(shared): State<Shared>,
    Segment(key): Segment,
    bare: Bare,
) -> Result<Response, Problem> {
    let command = Command::RemoveGroup { key };
    change(&shared, bare.order, command, NamedIn::Path, Vec::new()).await
}

fn parse_group(fields: &mut Fields, at: &str, key: String, body: GroupBody) -> Option<Group> {
    let all_of = criteria(fields, &format!("{at}/rule/all_of"), &body.rule.all_of)?;
    let any_of = criteria(fields, &format!("{at}/rule/any_of"), &body.rule.any_of)?;
    let group = Group {
        key,
        name: body.name.trim().to_owned(),
        members: body.members.iter().map(|m| Member::parse(m)).collect(),
        rule: Rule { all_of, any_of },
    };
    fields.take(at, recipients::check_group(&group))?;
    Some(group)
}

fn criteria(fields: &mut Fields, at: &str, texts: &[String]) -> Option<Vec<Criterion>> {
    let mut criteria = Vec::with_capacity(texts.len());
    for (index, text) in texts.iter().enumerate() {
        criteria.push(fields.take(format!("{at}/{index}"), Criterion::parse(text))?);
    }
    Some(criteria)
}

fn group_json(row: GroupRow) -> GroupJson {
    let texts = |criteria: &[Criterion]| criteria.iter().map(Criterion::to_string).collect();
    GroupJson {
        key: row.key,
        name: row.name,
        members: row.members.iter().map(Member::to_string).collect(),
        rule: RuleJson {
            all_of: texts(&row.rule.all_of),
            any_of: texts(&row.rule.any_of),
        },
    }
}

fn member_json(one: Occupancy) -> MemberJson {
    let why = |why: Membership| WhyJson {
        through: why.through,
        matches: why.matches.iter().map(Criterion::to_string).collect(),
    };
    MemberJson {
        key: one.person.key,
        name: one.person.name,
        why: one.why.into_iter().map(why).collect(),
    }
}

fn unknown() -> Problem {
    Problem::not_found("there is no group with this key")
}
