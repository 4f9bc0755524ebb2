//! Reports by anyone over HTTP: take one, see what became of it, decide.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Json, http::StatusCode};
use domain::alerts::{
    Conduct, DEFAULT_REPEAT_EVERY_MS, DEFAULT_REPEATS, DEFAULT_VALIDITY_MS, Raise, Severity,
    Status, Step,
};
use domain::oncall;
use domain::ports::Freshness;
use domain::reports::{self, Command, Decision, Report, ReportRow};
use domain::{Civil, Command as DomainCommand, Refusal, nodes};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::alerts::called;
use crate::fields::Fields;
use crate::input::{Input, Params, Segment};
use crate::problem::{NamedIn, Problem, of_query, of_refusal};
use crate::reading::{self, View};
use crate::state::Shared;
use crate::submit::{Stored, submit};

const LIST_DEFAULT: u32 = 50;
const LIST_MAX: u32 = 500;

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list, take))
        .routes(routes!(show))
        .routes(routes!(decide))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReportBody {
    /// What was seen or heard: 1 to 2,000 characters.
    #[schema(example = "Smoke from the transformer at gate 2")]
    what: String,
    /// Who says so: 1 to 100 characters.
    #[schema(example = "Matti, gatekeeper")]
    who: String,
    /// Phone number with country code or mail address to answer to; absent: nowhere.
    contact: Option<String>,
    /// In which language to answer; without it, by the number's country.
    #[serde(default)]
    language: String,
    /// How it came.
    #[serde(default = "form")]
    #[schema(default = "form")]
    via: String,
}

fn form() -> String {
    "form".to_owned()
}

/// What a person on duty makes of a report.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DecisionBody {
    /// `wait`, `convene`, `no_action`, or `over` for one that was convened.
    decision: String,
    /// Why, as people should read it: 1 to 500 characters.
    reason: String,
    /// Seconds until it comes back; only with `wait`.
    for_s: Option<u64>,
    /// How bad; only with `convene`.
    severity: Option<String>,
    /// What those who are called read; without it the report itself. Only with `convene`.
    text: Option<String>,
    /// People to call; only with `convene`.
    #[serde(default)]
    people: Vec<String>,
    /// Groups to call; only with `convene`.
    #[serde(default)]
    groups: Vec<String>,
    /// Schedules whose people on call to call; only with `convene`.
    #[serde(default)]
    schedules: Vec<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NewReport)]
pub(crate) struct NewReportJson {
    #[serde(flatten)]
    stored: Stored,
    number: u64,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Decided)]
pub(crate) struct DecidedJson {
    #[serde(flatten)]
    stored: Stored,
    /// Number of the alert it became.
    alert: Option<String>,
    /// Number under which that waits for a second person.
    #[serde(skip_serializing_if = "Option::is_none")]
    held: Option<u64>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Report)]
pub(crate) struct ReportJson {
    number: u64,
    what: String,
    who: String,
    contact: String,
    via: String,
    at: String,
    taken_by: String,
    /// `new`, `waiting`, `convened`, `no_action` or `over`.
    state: &'static str,
    /// When it comes back to duty.
    due_at: Option<String>,
    decided_at: Option<String>,
    decided_by: String,
    reason: String,
    /// Number of the alert it became.
    alert: Option<u64>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Reports)]
pub(crate) struct ReportsJson {
    /// Newest first.
    reports: Vec<ReportJson>,
    /// Ask with `before=` this for more; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListParams {
    /// Only those that nobody has brought to an end.
    #[serde(default)]
    open: bool,
    /// Only older ones than this number.
    before: Option<u64>,
    /// At most this many, up to 500.
    #[serde(default = "list_default")]
    #[param(default = 50, maximum = 500)]
    limit: u32,
}

fn list_default() -> u32 {
    LIST_DEFAULT
}

/// Lists reports, newest first.
#[utoipa::path(get, path = "/v1/reports", tag = "reports", params(ListParams), responses((status = 200, body = ReportsJson)))]
async fn list(Params(page): Params<ListParams>, mut view: View) -> Result<Response, Problem> {
    let limit = page.limit.clamp(1, LIST_MAX);
    let rows = reports::list(&mut view.0, page.open, page.before, limit)
        .await
        .map_err(of_query)?;
    let full = u32::try_from(rows.len()).is_ok_and(|found| found == limit);
    let next = rows.last().filter(|_| full).map(|row| row.number);
    let body = ReportsJson {
        reports: rows
            .into_iter()
            .map(|row| report_json(row, &view.1))
            .collect(),
        next,
    };
    Ok(view.answer(&body))
}

/// Shows a report.
#[utoipa::path(get, path = "/v1/reports/{number}", tag = "reports", params(("number" = u64, Path)), responses((status = 200, body = ReportJson)))]
async fn show(Segment(number): Segment, mut view: View) -> Result<Response, Problem> {
    let row = reports::report(&mut view.0, parse(&number)?)
        .await
        .map_err(of_query)?;
    let body = report_json(row.ok_or_else(unknown)?, &view.1);
    Ok(view.answer(&body))
}

/// Takes a report; those on duty are told, and the reporter hears what becomes of it.
#[utoipa::path(post, path = "/v1/reports", tag = "reports", request_body = ReportBody, responses((status = 201, body = NewReportJson)))]
async fn take(State(shared): State<Shared>, input: Input<ReportBody>) -> Result<Response, Problem> {
    let body = input.value;
    let report = Report {
        who: body.who,
        contact: body.contact.unwrap_or_default(),
        language: body.language,
        what: body.what,
        via: body.via,
    };
    let mut fields = Fields::default();
    fields.take("", reports::check_report(&report));
    fields.finish()?;
    let command = DomainCommand::Reports(Command::Take(report));
    let done = submit(&shared, input.order, command, NamedIn::Body).await?;
    let number = done.receipt.number().unwrap_or(0);
    let body = NewReportJson {
        stored: done.stored,
        number,
    };
    Ok((StatusCode::CREATED, Json(body)).into_response())
}

/// Says what becomes of a report.
#[utoipa::path(post, path = "/v1/reports/{number}/decide", tag = "reports", params(("number" = u64, Path)), request_body = DecisionBody, responses((status = 200, body = DecidedJson)))]
async fn decide(
    State(shared): State<Shared>,
    Segment(number): Segment,
    input: Input<DecisionBody>,
) -> Result<Json<DecidedJson>, Problem> {
    let number = parse(&number)?;
    let reason = input.value.reason.clone();
    let by = input.order.actor.label();
    let decision = decision(&shared, number, input.value, by).await?;
    let command = DomainCommand::Reports(Command::Decide {
        number,
        decision,
        reason,
    });
    let done = submit(&shared, input.order, command, NamedIn::Body).await?;
    Ok(Json(DecidedJson {
        alert: done.receipt.alert().map(|(_, number)| number),
        held: done.receipt.held(),
        stored: done.stored,
    }))
}

async fn decision(
    shared: &Shared,
    number: u64,
    body: DecisionBody,
    by: String,
) -> Result<Decision, Problem> {
    let mut fields = Fields::default();
    let found = match body.decision.as_str() {
        "wait" => body
            .for_s
            .map(|seconds| Decision::Wait {
                for_ms: seconds.saturating_mul(1_000),
            })
            .or_else(|| {
                fields.add(
                    "/for_s",
                    "is missing; say after how many seconds it comes back",
                );
                None
            }),
        "convene" => return convene(shared, number, body, by).await,
        "no_action" => Some(Decision::NoAction),
        "over" => Some(Decision::Over),
        other => {
            let words = "write wait, convene, no_action or over";
            fields.add("/decision", format!("{other:?} is not known; {words}"));
            None
        }
    };
    found.ok_or_else(|| fields.into_problem())
}

async fn convene(
    shared: &Shared,
    number: u64,
    body: DecisionBody,
    by: String,
) -> Result<Decision, Problem> {
    let mut fields = Fields::default();
    let word = body
        .severity
        .unwrap_or_else(|| Severity::High.name().to_owned());
    let Some(severity) = Severity::parse(&word) else {
        let all = Severity::ALL.map(Severity::name).join(", ");
        fields.add(
            "/severity",
            format!("{word:?} is not known; write one of {all}"),
        );
        return Err(fields.into_problem());
    };
    let mut view = reading::open(shared, Freshness::Local).await?;
    let row = reports::report(&mut view, number).await.map_err(of_query)?;
    let row = row.ok_or_else(unknown)?;
    let called = called(body.people, body.groups, body.schedules);
    let civil = nodes::civil(&mut view).await.map_err(of_query)?;
    let found = oncall::resolve(&mut view, &called, civil.at(shared.replica.now()))
        .await
        .map_err(of_query)?
        .map_err(|refusal| of_refusal(&refusal, NamedIn::Body))?;
    if found.people.is_empty() && !found.notes.is_empty() {
        let refusal = Refusal::NobodyOnCall(found.notes.join("; "));
        return Err(of_refusal(&refusal, NamedIn::Body));
    }
    Ok(Decision::Convene {
        raise: Box::new(Raise {
            severity,
            status: Status::Actual,
            texts: vec![("und".to_owned(), body.text.unwrap_or(row.what))],
            gather: String::new(),
            gather_in: Vec::new(),
            aware_at: Some(row.at),
            steps: vec![Step {
                delay_ms: 0,
                recipients: found.people,
                enough: Vec::new(),
            }],
            notes: found.notes,
            needed: 1,
            repeat_every_ms: DEFAULT_REPEAT_EVERY_MS,
            repeats: DEFAULT_REPEATS,
            validity_ms: DEFAULT_VALIDITY_MS,
            fallback: Vec::new(),
            channels: Vec::new(),
            answers: Vec::new(),
            conduct: Conduct::default(),
            lead: Vec::new(),
            on_call: Vec::new(),
            dedup_key: None,
            source: by,
            template: None,
        }),
    })
}

fn parse(number: &str) -> Result<u64, Problem> {
    number.parse().map_err(|_| unknown())
}

fn unknown() -> Problem {
    Problem::not_found("there is no report with this number")
}

fn report_json(row: ReportRow, civil: &Civil) -> ReportJson {
    ReportJson {
        number: row.number,
        what: row.what,
        who: row.who,
        contact: row.contact,
        via: row.via,
        at: civil.rfc3339(row.at),
        taken_by: row.taken_by,
        state: row.state.name(),
        due_at: row.due.map(|at| civil.rfc3339(at)),
        decided_at: row.decided_at.map(|at| civil.rfc3339(at)),
        decided_by: row.decided_by,
        reason: row.reason,
        alert: row.alert_number,
    }
}
