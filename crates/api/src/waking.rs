//! What wakes people over HTTP: the card with our numbers, how to set a phone up, tests of phones, trips between modems.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, http::HeaderValue};
use domain::ports::Freshness;
use domain::recipients;
use domain::texts::{self, Language};
use domain::waking::{self, Card, Command, PROOF_VALID_MS, Phone, ProofRow, Test, TripRow};
use domain::{Civil, Command as DomainCommand, NodeId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::alerts::named;
use crate::fields::Fields;
use crate::input::{Bare, Input, Params, Segment};
use crate::problem::{NamedIn, Problem, of_query, of_refusal};
use crate::reading::{self, View};
use crate::state::Shared;
use crate::submit::{Stored, submit};

/// People on one page of proofs.
const PAGE: u32 = 200;
const PAGE_MAX: u32 = 1_000;

/// Tests shown.
const TESTS_MAX: u32 = 100;

const DAY_MS: u64 = 24 * 3_600_000;

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(card_file))
        .routes(routes!(card, set_spares))
        .routes(routes!(list_proofs))
        .routes(routes!(list_tests, start_test))
        .routes(routes!(call_off_test))
        .routes(routes!(list_trips, start_trips))
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NumberCard)]
pub(crate) struct CardJson {
    /// Rises with each change of a number; 0 before any modem told its number.
    version: u64,
    changed_at: Option<String>,
    /// Each modem's number with the name of its node.
    numbers: Vec<CardNumberJson>,
    /// Numbers kept for modems to come.
    spares: Vec<String>,
    /// Steps to set a phone up, by phone system: `iphone`, `android`.
    instructions: BTreeMap<&'static str, Vec<&'static str>>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CardNumber)]
pub(crate) struct CardNumberJson {
    number: String,
    node: String,
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct LanguageParams {
    /// `en`, `fi`, `sv`, `fr` or `ja`.
    #[serde(default)]
    #[param(default = "en")]
    language: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SparesBody {
    /// At most two numbers with country code; replaces those before.
    #[schema(example = json!(["+358401000009"]))]
    spares: Vec<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TestBody {
    /// People to ask, by key.
    #[serde(default)]
    people: Vec<String>,
    /// Groups to ask, by key.
    #[serde(default)]
    groups: Vec<String>,
    /// Seconds until it begins, up to four weeks: a time people chose.
    #[serde(default)]
    #[schema(default = 0)]
    in_s: u64,
    /// For how many days a yes counts: 1 to 360.
    #[serde(default = "valid_days")]
    #[schema(default = 180)]
    valid_days: u64,
}

fn valid_days() -> u64 {
    PROOF_VALID_MS / DAY_MS
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NewWakeTest)]
pub(crate) struct NewTestJson {
    #[serde(flatten)]
    stored: Stored,
    number: u64,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WakeTests)]
pub(crate) struct TestsJson {
    /// Newest first.
    tests: Vec<TestJson>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WakeTest)]
pub(crate) struct TestJson {
    number: u64,
    people: u64,
    started_by: String,
    /// `waiting`, `asked` or `called_off`.
    state: String,
    due_at: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WakeProofs)]
pub(crate) struct ProofsJson {
    /// Every phone, by person.
    phones: Vec<ProofJson>,
    /// Phones on this page that count as proven.
    proven: u64,
    /// What should be done about the others.
    warnings: Vec<String>,
    /// Ask with `after=` this for more; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WakeProof)]
pub(crate) struct ProofJson {
    person: String,
    name: String,
    number: String,
    /// `proven`, `expired`, `asked`, `no` or `never`.
    state: &'static str,
    asked_at: Option<String>,
    /// `yes`, `no`, or empty.
    answer: String,
    answered_at: Option<String>,
    proven_at: Option<String>,
    expires_at: Option<String>,
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ProofParams {
    /// Only people whose key comes after this one.
    #[serde(default)]
    after: String,
    /// At most the phones of so many people, up to 1,000.
    #[serde(default = "page")]
    #[param(default = 200, maximum = 1000)]
    limit: u32,
    /// Only phones that do not count as proven.
    #[serde(default)]
    unproven: bool,
}

fn page() -> u32 {
    PAGE
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RoundTrips)]
pub(crate) struct TripsJson {
    nodes: Vec<TripJson>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RoundTrip)]
pub(crate) struct TripJson {
    node: u64,
    name: String,
    /// `planned`, `under_way`, `arrived`, `missing`, or `alone`: no other node has a modem.
    state: &'static str,
    /// The node it went to.
    to: Option<String>,
    started_at: Option<String>,
    /// From when it was wanted until it was stored where it came.
    took_ms: Option<u64>,
    next_at: Option<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TripsBody {
    /// Whose modem sends; absent: every node's.
    node: Option<u64>,
}

/// The card with every number of ours, as a file for phones.
#[utoipa::path(get, path = "/v1/vcard", operation_id = "number_card_file", tag = "waking", params(LanguageParams), responses((status = 200, body = String, content_type = "text/vcard")))]
async fn card_file(
    Params(params): Params<LanguageParams>,
    mut view: View,
) -> Result<Response, Problem> {
    let card = found_card(&mut view).await?;
    let card =
        card.ok_or_else(|| Problem::not_found("no modem has told its number yet; try again"))?;
    let note = texts::card_note(Language::parse(&params.language), card.version);
    let file = waking::vcard(&card, &note);
    let kind = HeaderValue::from_static("text/vcard; charset=utf-8");
    let name = HeaderValue::from_static("attachment; filename=\"alerts.vcf\"");
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_DISPOSITION, name),
    ];
    Ok((headers, file).into_response())
}

/// Shows what stands on the card and how to set phones up.
#[utoipa::path(get, path = "/v1/number-card", operation_id = "show_number_card", tag = "waking", params(LanguageParams), responses((status = 200, body = CardJson)))]
async fn card(Params(params): Params<LanguageParams>, mut view: View) -> Result<Response, Problem> {
    let card = found_card(&mut view).await?;
    let language = Language::parse(&params.language);
    let instructions = Phone::ALL.map(|phone| {
        let steps = texts::instructions(language, phone).to_vec();
        (phone.name(), steps)
    });
    let body = CardJson {
        version: card.as_ref().map_or(0, |card| card.version),
        changed_at: card.as_ref().map(|card| view.1.rfc3339(card.changed_at)),
        numbers: card.iter().flat_map(numbers).collect(),
        spares: card.map(|card| card.spares).unwrap_or_default(),
        instructions: instructions.into(),
    };
    Ok(view.answer(&body))
}

fn numbers(card: &Card) -> Vec<CardNumberJson> {
    let line = |(number, node): &(String, String)| CardNumberJson {
        number: number.clone(),
        node: node.clone(),
    };
    card.numbers.iter().map(line).collect()
}

async fn found_card(view: &mut View) -> Result<Option<Card>, Problem> {
    waking::card(&mut view.0).await.map_err(of_query)
}

/// Sets the spare numbers on the card.
#[utoipa::path(put, path = "/v1/number-card", operation_id = "set_spare_numbers", tag = "waking", request_body = SparesBody, responses((status = 200, body = Stored)))]
async fn set_spares(
    State(shared): State<Shared>,
    input: Input<SparesBody>,
) -> Result<Json<Stored>, Problem> {
    let mut fields = Fields::default();
    let numbers = fields.take("/spares", waking::check_spares(&input.value.spares));
    fields.finish()?;
    let numbers = numbers.unwrap_or_default();
    let command = DomainCommand::Waking(Command::SetSpares { numbers });
    let done = submit(&shared, input.order, command, NamedIn::Body).await?;
    Ok(Json(done.stored))
}

/// Lists every phone with what is known of it: whether a test woke its owner, and until when that counts.
#[utoipa::path(get, path = "/v1/wake-proofs", operation_id = "list_wake_proofs", tag = "waking", params(ProofParams), responses((status = 200, body = ProofsJson)))]
async fn list_proofs(
    State(shared): State<Shared>,
    Params(page): Params<ProofParams>,
    mut view: View,
) -> Result<Response, Problem> {
    let limit = page.limit.clamp(1, PAGE_MAX);
    let now = shared.replica.now();
    let rows = waking::proofs(&mut view.0, &page.after, limit)
        .await
        .map_err(of_query)?;
    let mut people: Vec<&str> = rows.iter().map(|row| row.key.as_str()).collect();
    people.dedup();
    let full = u32::try_from(people.len()).is_ok_and(|found| found >= limit);
    let next = people.last().filter(|_| full).map(|key| (*key).to_owned());
    let count = |state: &str| rows.iter().filter(|row| row.state(now) == state).count();
    let warnings = [
        ("expired", "phones were proven too long ago; test them anew"),
        (
            "no",
            "phones did not wake their owners; help them with the instructions",
        ),
        ("never", "phones were never tested"),
    ]
    .into_iter()
    .map(|(state, words)| (count(state), words))
    .filter(|(phones, _)| *phones > 0)
    .map(|(phones, words)| format!("{phones} {words}"))
    .collect();
    let proven = count("proven") as u64;
    let body = ProofsJson {
        proven,
        warnings,
        next,
        phones: rows
            .iter()
            .filter(|row| !(page.unproven && row.state(now) == "proven"))
            .map(|row| proof_json(row, now, &view.1))
            .collect(),
    };
    Ok(view.answer(&body))
}

fn proof_json(row: &ProofRow, now: Timestamp, civil: &Civil) -> ProofJson {
    let time = |at: Option<Timestamp>| at.map(|at| civil.rfc3339(at));
    ProofJson {
        person: row.key.clone(),
        name: row.name.clone(),
        number: row.address.clone(),
        state: row.state(now),
        asked_at: time(row.asked_at),
        answer: row.answer.clone(),
        answered_at: time(row.answered_at),
        proven_at: time(row.proven_at),
        expires_at: time(row.expires_at),
    }
}

/// Lists tests of phones, newest first.
#[utoipa::path(get, path = "/v1/wake-tests", operation_id = "list_wake_tests", tag = "waking", responses((status = 200, body = TestsJson)))]
async fn list_tests(mut view: View) -> Result<Response, Problem> {
    let rows = waking::tests(&mut view.0, TESTS_MAX)
        .await
        .map_err(of_query)?;
    let tests = rows.into_iter().map(|row| TestJson {
        number: row.number,
        people: row.people,
        started_by: row.started_by,
        state: row.state,
        due_at: view.1.rfc3339(row.due_at),
    });
    let body = TestsJson {
        tests: tests.collect(),
    };
    Ok(view.answer(&body))
}

/// Plans a test: each phone gets a text that asks whether it woke its owner, and rings twice after it.
#[utoipa::path(post, path = "/v1/wake-tests", operation_id = "start_wake_test", tag = "waking", request_body = TestBody, responses((status = 201, body = NewTestJson)))]
async fn start_test(
    State(shared): State<Shared>,
    input: Input<TestBody>,
) -> Result<Response, Problem> {
    let body = input.value;
    let named = named(body.people, body.groups);
    let mut view = reading::open(&shared, Freshness::Local).await?;
    let found = recipients::resolve(&mut view, &named)
        .await
        .map_err(of_query)?;
    drop(view);
    let people = found.map_err(|refusal| of_refusal(&refusal, NamedIn::Body))?;
    let test = Test {
        people,
        in_ms: body.in_s.saturating_mul(1_000),
        valid_ms: body.valid_days.saturating_mul(DAY_MS),
    };
    let command = DomainCommand::Waking(Command::StartTest(test));
    let done = submit(&shared, input.order, command, NamedIn::Body).await?;
    let body = NewTestJson {
        number: done.receipt.number().unwrap_or(0),
        stored: done.stored,
    };
    Ok((StatusCode::CREATED, Json(body)).into_response())
}

/// Calls a test off that has not begun.
#[utoipa::path(delete, path = "/v1/wake-tests/{number}", operation_id = "call_off_wake_test", tag = "waking", params(("number" = u64, Path)), responses((status = 200, body = Stored)))]
async fn call_off_test(
    State(shared): State<Shared>,
    Segment(number): Segment,
    bare: Bare,
) -> Result<Json<Stored>, Problem> {
    let unknown = || Problem::not_found("there is no test of this number");
    let number = number.parse().map_err(|_| unknown())?;
    let command = DomainCommand::Waking(Command::CallOffTest { number });
    let done = submit(&shared, bare.order, command, NamedIn::Path).await?;
    Ok(Json(done.stored))
}

/// Shows how each node's last text to the next node's modem went, and when the next one leaves.
#[utoipa::path(get, path = "/v1/round-trips", operation_id = "list_round_trips", tag = "waking", responses((status = 200, body = TripsJson)))]
async fn list_trips(State(shared): State<Shared>, mut view: View) -> Result<Response, Problem> {
    let now = shared.replica.now();
    let rows = waking::trips(&mut view.0, now).await.map_err(of_query)?;
    let body = TripsJson {
        nodes: rows
            .into_iter()
            .map(|row| trip_json(row, &view.1))
            .collect(),
    };
    Ok(view.answer(&body))
}

fn trip_json(row: TripRow, civil: &Civil) -> TripJson {
    let last = row.last;
    TripJson {
        node: row.node.0,
        name: row.name,
        state: last.as_ref().map_or("planned", |trip| trip.state.name()),
        to: last
            .as_ref()
            .map(|trip| trip.to.clone())
            .filter(|to| !to.is_empty()),
        started_at: last.as_ref().map(|trip| civil.rfc3339(trip.started_at)),
        took_ms: last.and_then(|trip| trip.took_ms),
        next_at: row.next_at.map(|at| civil.rfc3339(at)),
    }
}

/// Lets modems text each other now.
#[utoipa::path(post, path = "/v1/round-trips", operation_id = "start_round_trips", tag = "waking", request_body = TripsBody, responses((status = 200, body = Stored)))]
async fn start_trips(
    State(shared): State<Shared>,
    input: Input<TripsBody>,
) -> Result<Json<Stored>, Problem> {
    let node = input.value.node.map(NodeId);
    let command = DomainCommand::Waking(Command::StartTrips { node });
    let done = submit(&shared, input.order, command, NamedIn::Body).await?;
    Ok(Json(done.stored))
}
