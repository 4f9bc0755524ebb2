//! Alerts that need a second person, over HTTP: what waits, what went without one, and who says what about it.

use axum::extract::State as Extract;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::{Json, http::StatusCode};
use domain::approvals::{self, ApprovalRow, Command, Decision, Said, Shown};
use domain::limits::{self, Command as Limits, SecondPerson};
use domain::oncall::Called;
use domain::ports::Freshness;
use domain::recipients::Named;
use domain::units::Thing;
use domain::{Civil, Command as DomainCommand};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::alerts::called;
use crate::fields::Fields;
use crate::input::{Bare, Input, Params, Segment};
use crate::problem::{NamedIn, Problem, of_query};
use crate::reading::{self, View};
use crate::state::Shared;
use crate::submit::{Stored, submit};
use crate::text_policy::{amount, micros};
use crate::units::Limit;

const LIST_DEFAULT: u32 = 50;
const LIST_MAX: u32 = 500;

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show))
        .routes(routes!(decide))
        .routes(routes!(review))
        .routes(routes!(setting, set, unset))
}

/// An alert that needs or needed a second person.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = HeldAlert)]
pub(crate) struct HeldJson {
    /// By which it is approved, refused, released, withdrawn and reviewed.
    number: u64,
    /// `awaiting_second_person`, `approved`, `refused`, `released_alone`, `withdrawn`, `lapsed`, `went_at_once` or
    /// `went_from_island`.
    state: &'static str,
    /// Number of the alert, once people are called.
    alert: Option<String>,
    severity: &'static str,
    status: &'static str,
    text: String,
    source: String,
    people: u64,
    /// Of the first round.
    sms_parts: u64,
    /// Why a second person must agree.
    why: Vec<String>,
    asked_by: String,
    asked_at: String,
    /// How many people were asked to agree, by SMS and mail.
    asked: u64,
    /// From when whoever asked may release it alone.
    release_from: String,
    /// When something happens to it by itself.
    next_due: Option<String>,
    decided_by: String,
    /// The name they gave.
    decided_as: String,
    decided_at: Option<String>,
    reason: String,
    /// It went without a second person's word, and nobody has looked at that yet.
    awaits_review: bool,
    reviewed_by: String,
    reviewed_as: String,
    reviewed_at: Option<String>,
    review_note: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = HeldAlerts)]
pub(crate) struct HeldListJson {
    /// Newest first.
    held: Vec<HeldJson>,
    /// Ask with `before=` this for more; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListParams {
    /// `waiting`, `to_review` or `all`.
    #[serde(default)]
    #[param(inline)]
    show: ShowWord,
    /// Only older ones than this number.
    before: Option<u64>,
    /// At most this many, up to 500.
    #[serde(default = "list_default")]
    #[param(default = 50, maximum = 500)]
    limit: u32,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum ShowWord {
    /// What waits for a second person.
    #[default]
    Waiting,
    /// What went without one and nobody has reviewed.
    ToReview,
    All,
}

fn list_default() -> u32 {
    LIST_DEFAULT
}

/// Nobody is called yet: a second person must agree first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Held {
    #[serde(flatten)]
    stored: Stored,
    held: HeldJson,
}

/// What somebody says of an alert that waits.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HeldDecisionBody {
    /// `approve` and `refuse` by a second person; `release` (after three minutes) and `withdraw` by whoever asked.
    #[schema(example = "approve")]
    decision: String,
    /// The name of whoever does this: 1 to 100 characters.
    #[schema(example = "Olga Salo")]
    name: String,
    /// Why, as people should read it: 1 to 500 characters.
    #[schema(example = "seen with my own eyes")]
    reason: String,
    /// The code that a person who was asked got. Needed where the same key or command line asked for the alert.
    code: Option<String>,
}

/// Somebody looked at what went without a second person's word.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReviewBody {
    /// The name of whoever looked: 1 to 100 characters.
    name: String,
    /// What they found: 1 to 500 characters.
    note: String,
    /// The code that a person who was asked got. Needed where the same key or command line sent the alert.
    code: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = HeldDecided)]
pub(crate) struct HeldDecidedJson {
    #[serde(flatten)]
    stored: Stored,
    /// Number of the alert by which people are called now.
    alert: Option<String>,
}

/// When a second person must agree before people are called.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[schema(as = SecondPerson)]
#[serde(deny_unknown_fields)]
pub(crate) struct SecondPersonBody {
    /// For an alert that calls more people than this.
    people_over: Option<u32>,
    /// For an alert whose first round takes more SMS parts than this.
    parts_over: Option<u32>,
    /// For an alert whose first round costs more than this: a decimal number, in the currency of the price per part.
    #[schema(example = "25.00")]
    cost_over: Option<String>,
    /// Let critical alerts go at once; they are reviewed after.
    #[serde(default)]
    critical_at_once: bool,
    /// Who is asked to agree.
    #[serde(default)]
    people: Vec<String>,
    /// Groups of whom the first twenty people are asked.
    #[serde(default)]
    groups: Vec<String>,
    /// Schedules of which whoever is on call then is asked.
    #[serde(default)]
    schedules: Vec<String>,
}

/// What is set; null: alerts never wait.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SecondPersonSetting)]
pub(crate) struct SettingJson {
    second_person: Option<SecondPersonBody>,
}

/// Lists alerts that wait for a second person, or that went without one and nobody has reviewed.
#[utoipa::path(get, path = "/v1/held-alerts", operation_id = "list_held", tag = "alerts", params(ListParams), responses((status = 200, body = HeldListJson)))]
async fn list(
    Params(page): Params<ListParams>,
    within: Limit,
    mut view: View,
) -> Result<Response, Problem> {
    let shown = match page.show {
        ShowWord::Waiting => Shown::Waiting,
        ShowWord::ToReview => Shown::ToReview,
        ShowWord::All => Shown::All,
    };
    let limit = page.limit.clamp(1, LIST_MAX);
    let rows = approvals::list(&mut view.0, shown, page.before, limit)
        .await
        .map_err(of_query)?;
    let full = u32::try_from(rows.len()).is_ok_and(|found| found == limit);
    let next = rows.last().filter(|_| full).map(|row| row.number);
    let rows = within
        .kept(&mut view.0, rows, |row| Thing::Approval(row))
        .await?;
    let held = rows
        .into_iter()
        .map(|row| HeldJson::new(row, &view.1))
        .collect();
    Ok(view.answer(&HeldListJson { held, next }))
}

/// Shows an alert that needs or needed a second person.
#[utoipa::path(get, path = "/v1/held-alerts/{number}", operation_id = "show_held", tag = "alerts", params(("number" = u64, Path)), responses((status = 200, body = HeldJson)))]
async fn show(Segment(number): Segment, mut view: View) -> Result<Response, Problem> {
    let row = approvals::approval(&mut view.0, parse(&number)?)
        .await
        .map_err(of_query)?;
    let body = HeldJson::new(row.ok_or_else(unknown)?, &view.1);
    Ok(view.answer(&body))
}

/// Says what becomes of an alert that waits. The first word stands.
#[utoipa::path(post, path = "/v1/held-alerts/{number}/decide", operation_id = "decide_held", tag = "alerts", params(("number" = u64, Path)), request_body = HeldDecisionBody, responses((status = 200, body = HeldDecidedJson)))]
async fn decide(
    Extract(shared): Extract<Shared>,
    Segment(number): Segment,
    input: Input<HeldDecisionBody>,
) -> Result<Json<HeldDecidedJson>, Problem> {
    let number = parse(&number)?;
    let body = input.value;
    let decision = match body.decision.as_str() {
        "approve" => Some(Decision::Approve),
        "refuse" => Some(Decision::Refuse),
        "release" => Some(Decision::Release),
        "withdraw" => Some(Decision::Withdraw),
        _ => None,
    };
    let mut fields = Fields::default();
    if decision.is_none() {
        let words = "is not known; write approve, refuse, release or withdraw";
        fields.add("/decision", format!("{:?} {words}", body.decision));
    }
    let said = said(&mut fields, body.name, body.reason, body.code);
    let Some(decision) = decision else {
        return Err(fields.into_problem());
    };
    fields.finish()?;
    let command = DomainCommand::Approvals(Command::Decide {
        number,
        decision,
        said,
    });
    let done = submit(&shared, input.order, command, NamedIn::Path).await?;
    Ok(Json(HeldDecidedJson {
        alert: done.receipt.alert().map(|(_, label)| label),
        stored: done.stored,
    }))
}

/// Notes that somebody looked at an alert that went without a second person's word.
#[utoipa::path(post, path = "/v1/held-alerts/{number}/review", operation_id = "review_held", tag = "alerts", params(("number" = u64, Path)), request_body = ReviewBody, responses((status = 200, body = Stored)))]
async fn review(
    Extract(shared): Extract<Shared>,
    Segment(number): Segment,
    input: Input<ReviewBody>,
) -> Result<Json<Stored>, Problem> {
    let number = parse(&number)?;
    let mut fields = Fields::default();
    let body = input.value;
    let said = said(&mut fields, body.name, body.note, body.code);
    fields.finish()?;
    let command = DomainCommand::Approvals(Command::Review { number, said });
    let done = submit(&shared, input.order, command, NamedIn::Path).await?;
    Ok(Json(done.stored))
}

/// Shows when a second person must agree before people are called.
#[utoipa::path(get, path = "/v1/second-person", operation_id = "show_second_person", tag = "alerts", responses((status = 200, body = SettingJson)))]
async fn setting(mut view: View) -> Result<Response, Problem> {
    let found = limits::second_person(&mut view.0).await.map_err(of_query)?;
    let body = SettingJson {
        second_person: found.map(SecondPersonBody::of),
    };
    Ok(view.answer(&body))
}

/// Says when a second person must agree before people are called, in place of what held before.
#[utoipa::path(put, path = "/v1/second-person", operation_id = "set_second_person", tag = "alerts", request_body = SecondPersonBody, responses((status = 200, body = Stored)))]
async fn set(
    Extract(shared): Extract<Shared>,
    input: Input<SecondPersonBody>,
) -> Result<Json<Stored>, Problem> {
    let body = input.value;
    let mut fields = Fields::default();
    let micros_over = body
        .cost_over
        .and_then(|cost| fields.take("/cost_over", micros(&cost)));
    let setting = SecondPerson {
        people_over: body.people_over,
        parts_over: body.parts_over,
        micros_over,
        critical_at_once: body.critical_at_once,
        ask: called(body.people, body.groups, body.schedules),
    };
    fields.take("", limits::check_second_person(&setting));
    fields.finish()?;
    let command = DomainCommand::Limits(Limits::SetSecondPerson(Some(setting)));
    let done = submit(&shared, input.order, command, NamedIn::Body).await?;
    Ok(Json(done.stored))
}

/// Lets every alert go without a second person.
#[utoipa::path(delete, path = "/v1/second-person", operation_id = "unset_second_person", tag = "alerts", responses((status = 200, body = Stored)))]
async fn unset(Extract(shared): Extract<Shared>, input: Bare) -> Result<Json<Stored>, Problem> {
    let command = DomainCommand::Limits(Limits::SetSecondPerson(None));
    let done = submit(&shared, input.order, command, NamedIn::Body).await?;
    Ok(Json(done.stored))
}

/// The answer for an alert that waits for a second person.
pub(crate) async fn answer(
    shared: &Shared,
    stored: Stored,
    number: u64,
) -> Result<Response, Problem> {
    let mut view = View::new(reading::open(shared, Freshness::Local).await?).await?;
    let row = approvals::approval(&mut view.0, number)
        .await
        .map_err(of_query)?;
    let row = row.ok_or_else(unknown)?;
    let location = [(header::LOCATION, format!("/v1/held-alerts/{number}"))];
    let body = Held {
        stored,
        held: HeldJson::new(row, &view.1),
    };
    Ok((StatusCode::ACCEPTED, location, Json(body)).into_response())
}

impl HeldJson {
    pub(crate) fn new(row: ApprovalRow, civil: &Civil) -> Self {
        let awaits_review = row.awaits_review();
        let text = row.texts.into_iter().next();
        Self {
            number: row.number,
            state: row.state.name(),
            alert: row.label,
            severity: row.severity.name(),
            status: row.status.name(),
            text: text.map_or_else(String::new, |(_, text)| text),
            source: row.source,
            people: row.people,
            sms_parts: row.sms_parts,
            why: row.why,
            asked_by: row.asked_by,
            asked_at: civil.rfc3339(row.asked_at),
            asked: row.asked,
            release_from: civil.rfc3339(row.release_from),
            next_due: row.due.map(|at| civil.rfc3339(at)),
            decided_by: row.decided_by,
            decided_as: row.decided_as,
            decided_at: row.decided_at.map(|at| civil.rfc3339(at)),
            reason: row.reason,
            awaits_review,
            reviewed_by: row.reviewed_by,
            reviewed_as: row.reviewed_as,
            reviewed_at: row.reviewed_at.map(|at| civil.rfc3339(at)),
            review_note: row.review_note,
        }
    }
}

impl SecondPersonBody {
    fn of(setting: SecondPerson) -> Self {
        let mut body = Self {
            people_over: setting.people_over,
            parts_over: setting.parts_over,
            cost_over: setting.micros_over.map(amount),
            critical_at_once: setting.critical_at_once,
            people: Vec::new(),
            groups: Vec::new(),
            schedules: Vec::new(),
        };
        for called in setting.ask {
            match called {
                Called::Named(Named::Person(key)) => body.people.push(key),
                Called::Named(Named::Group(key)) => body.groups.push(key),
                Called::OnCall(key) => body.schedules.push(key),
            }
        }
        body
    }
}

fn said(fields: &mut Fields, name: String, reason: String, code: Option<String>) -> Said {
    let said = Said { name, reason, code };
    fields.take("", approvals::check_said(&said));
    said
}

fn parse(number: &str) -> Result<u64, Problem> {
    number.parse().map_err(|_| unknown())
}

fn unknown() -> Problem {
    Problem::not_found("there is no held alert with this number")
}
