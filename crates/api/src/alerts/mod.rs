//! Alerts over HTTP: raise, list, show, and everything that ends one.

mod acts;
mod conduct;
mod missing;
mod own;
mod preview;
mod quota;
mod raise;
mod view;

use axum::extract::State as Extract;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use domain::alerts::{self, AlertRow, Answer, Command, Name, Raise, State, TEXT_LEN_MAX};
use domain::ports::Freshness;
use domain::{
    AlertId, Command as DomainCommand, RecipientId, RequestId, nodes, recipients, requests, units,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) use self::conduct::{FollowUpBody, KINDS};
use self::preview::PreviewJson;
pub(crate) use self::preview::WordsJson;
pub(crate) use self::quota::{QuotaBody, called, named};
use self::raise::{RaiseBody, Wanted};
use self::view::{AlertJson, AlertsJson, SummaryJson};
use crate::cap;
use crate::fields::Fields;
use crate::guard::Principal;
use crate::held::{self, Held};
use crate::input::{Input, Order, Params, Segment};
use crate::problem::{Kind, NamedIn, Problem, of_query, of_refusal};
use crate::reading::{self, View, Wanting};
use crate::state::Shared;
use crate::submit::{Stored, submit};
use crate::units::Limit;

const LIST_DEFAULT: u32 = 50;
const LIST_MAX: u32 = 500;
const SHOW_DEFAULT: u32 = 1_000;
const SHOW_MAX: u32 = 5_000;

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(preview))
        .routes(routes!(show))
        .routes(routes!(show_cap))
        .routes(routes!(acknowledge))
        .routes(routes!(answer))
        .routes(routes!(resolve))
        .routes(routes!(call_off))
        .routes(routes!(join))
        .routes(routes!(acts::do_act))
        .routes(routes!(mark))
        .routes(routes!(own::own))
        .routes(routes!(missing::missing))
}

/// The alert meant by a path: its id, or the number people say aloud, `118` or `B-7`.
pub(crate) async fn find(shared: &Shared, text: &str) -> Result<AlertId, Problem> {
    match parse(text)? {
        Reference::Id(id) => Ok(id),
        Reference::Name(name) => {
            if let Some(row) = look_up(shared, Freshness::Local, &name).await? {
                return Ok(row.id);
            }
            // It may have been raised at another node a moment ago.
            let row = look_up(shared, Freshness::Linearizable, &name).await?;
            row.map(|row| row.id).ok_or_else(unknown)
        }
    }
}

/// How a path names an alert.
enum Reference {
    Id(AlertId),
    Name(Name),
}

fn parse(text: &str) -> Result<Reference, Problem> {
    if let Ok(id) = AlertId::parse(text) {
        return Ok(Reference::Id(id));
    }
    Name::parse(text).map(Reference::Name).ok_or_else(unknown)
}

pub(crate) fn unknown() -> Problem {
    Problem::new(
        Kind::UnknownAlert,
        "there is no such alert; name it by its id or by its number, such as 118 or B-7",
    )
}

async fn look_up(
    shared: &Shared,
    freshness: Freshness,
    name: &Name,
) -> Result<Option<AlertRow>, Problem> {
    let mut view = reading::open(shared, freshness).await?;
    alerts::find_named(&mut view, name).await.map_err(of_query)
}

/// An alert was raised and is on the disks of a majority.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Raised {
    #[serde(flatten)]
    stored: Stored,
    id: String,
    /// What people say aloud: `118`, or `B-7` from a node that is cut off.
    number: String,
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListParams {
    /// Only alerts in this state: `open`, `resolved`, `called_off` or `joined`.
    state: Option<String>,
    /// Only alerts raised before this one: `next` of an earlier answer, or any alert's id or number.
    before: Option<String>,
    /// At most this many, up to 500.
    #[serde(default = "list_default")]
    #[param(default = 50, maximum = 500)]
    limit: u32,
}

fn list_default() -> u32 {
    LIST_DEFAULT
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ShowParams {
    /// Leave out this many people and deliveries.
    #[serde(default)]
    skip: u32,
    /// Show at most this many people and this many deliveries, up to 5,000.
    #[serde(default = "show_default")]
    #[param(default = 1000, maximum = 5000)]
    limit: u32,
}

fn show_default() -> u32 {
    SHOW_DEFAULT
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoteBody {
    /// What people should know about it; may be empty.
    #[serde(default)]
    note: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CallOffBody {
    /// Why; everyone who was told is told this. May be empty.
    #[serde(default)]
    reason: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AnswerBody {
    /// Key of the person on whose behalf the answer is given.
    #[schema(example = "anna")]
    person: String,
    /// `coming`, `cannot`, `received` or `need_help`; to a safety check `safe`, `need_help` or `not_on_site`.
    #[schema(example = "coming")]
    answer: String,
    /// In how many minutes somebody who is coming will be there: 0 to 720.
    #[schema(example = 20)]
    eta_minutes: Option<u16>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MarkBody {
    /// Key of the person who was seen, or was found to be missing no more.
    #[schema(example = "anna")]
    person: String,
    /// `safe`, `need_help` or `not_on_site`.
    #[schema(example = "safe")]
    mark: String,
    /// Who saw them, by name. Without it: the key or operator that asks.
    #[schema(example = "Kalle, gate 3")]
    by: Option<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct JoinBody {
    /// Id or number of the alert this one belongs to.
    #[schema(example = "118")]
    into: String,
}

/// Raises an alert. Answered once it cannot be lost any more; 202 when it waits for a second person.
#[utoipa::path(post, path = "/v1/alerts", tag = "alerts", request_body = RaiseBody, responses((status = 201, body = Raised), (status = 202, body = Held)))]
async fn create(
    Extract(shared): Extract<Shared>,
    input: Input<RaiseBody>,
) -> Result<Response, Problem> {
    let wanted = raise::parse(input.value, &input.order.actor)?;
    let raise = resolve_recipients(&shared, wanted, input.order.request).await?;
    let done = submit(
        &shared,
        input.order,
        DomainCommand::Alerts(Command::Raise(Box::new(raise))),
        NamedIn::Body,
    )
    .await?;
    if let Some(number) = done.receipt.held() {
        return held::answer(&shared, done.stored, number).await;
    }
    let Some((id, number)) = done.receipt.alert() else {
        return Err(Problem::new(
            Kind::Internal,
            "the alert was stored, but its number is not known; list alerts",
        ));
    };
    let location = [(header::LOCATION, format!("/v1/alerts/{id}"))];
    let body = Raised {
        stored: done.stored,
        id: id.to_string(),
        number,
    };
    Ok((StatusCode::CREATED, location, Json(body)).into_response())
}

/// Says what raising an alert would come to: whom it would reach, in how many texts, what they cost, and how long it takes
/// with the channels that are up. Takes what a raise takes and changes nothing.
#[utoipa::path(post, path = "/v1/alerts/preview", tag = "alerts", request_body = RaiseBody, responses((status = 200, body = PreviewJson)))]
async fn preview(
    Extract(shared): Extract<Shared>,
    within: Limit,
    input: Input<RaiseBody>,
) -> Result<Json<PreviewJson>, Problem> {
    let account = input.order.actor.label();
    let wanted = raise::parse(input.value, &input.order.actor)?;
    let raise = resolve_recipients(&shared, wanted, input.order.request).await?;
    let mut view = reading::open(&shared, Freshness::Local).await?;
    if let Some(unit) = &within.0 {
        let refusal = units::raise_refusal(&mut view, unit, &raise).await;
        if let Some(refusal) = refusal.map_err(of_query)? {
            return Err(of_refusal(&refusal, NamedIn::Body));
        }
    }
    let now = shared.replica.now();
    let preview = alerts::preview(&mut view, &raise, &account, now).await;
    let preview = preview.map_err(of_query)?;
    let preview = preview.map_err(|refusal| of_refusal(&refusal, NamedIn::Body))?;
    let unreachable = recipients::by_ids(&mut view, &preview.unreachable)
        .await
        .map_err(of_query)?;
    Ok(Json(PreviewJson::new(&raise, preview, unreachable)))
}

/// Turns keys into people. A key this node does not know may have been added at another one a moment ago; and a repeat
/// must be answered as the first time, even when its people have gone since.
async fn resolve_recipients(
    shared: &Shared,
    wanted: Wanted,
    request: RequestId,
) -> Result<Raise, Problem> {
    let refused = {
        let mut view = reading::open(shared, Freshness::Local).await?;
        match wanted
            .clone()
            .resolve(&mut view, shared.replica.now())
            .await
        {
            Ok(raise) => return Ok(raise),
            Err(refused) => refused,
        }
    };
    let mut view = match reading::open(shared, Freshness::Linearizable).await {
        Ok(view) => view,
        // Cut off, what this node knows is all there is.
        Err(_) if shared.replica.island().is_some() => return Err(refused),
        // A node that has just joined knows nobody yet; that is no reason to refuse people.
        Err(unsure) => return Err(unsure),
    };
    if requests::is_known(&mut view, request)
        .await
        .map_err(of_query)?
    {
        return Ok(wanted.unresolved());
    }
    wanted.resolve(&mut view, shared.replica.now()).await
}

/// Lists alerts, newest first; to responders those they were called for.
#[utoipa::path(get, path = "/v1/alerts", tag = "alerts", params(ListParams), responses((status = 200, body = AlertsJson)))]
async fn list(
    Extract(shared): Extract<Shared>,
    Params(params): Params<ListParams>,
    Extension(principal): Extension<Principal>,
    within: Limit,
    wanted: Wanting,
) -> Result<Response, Problem> {
    let state = params.state.as_deref().map(parse_state).transpose()?;
    let limit = params.limit.clamp(1, LIST_MAX);
    let make = async {
        let view = wanted.view(&shared).await?;
        listed(
            view,
            &principal,
            &within,
            state,
            params.before.as_deref(),
            limit,
        )
        .await
    };
    if principal.own.is_some() || within.0.is_some() || !wanted.is_local() {
        return make.await;
    }
    // The same for all others; when something changes, all their apps ask for it at once.
    let state = state.map_or("", State::name);
    let before = params.before.as_deref().unwrap_or_default();
    let question = format!("alerts {state} {limit} {before}");
    shared.answers.once(&shared, question, make).await
}

async fn listed(
    mut view: View,
    principal: &Principal,
    within: &Limit,
    state: Option<State>,
    before: Option<&str>,
    limit: u32,
) -> Result<Response, Problem> {
    let before = match before {
        Some(before) => {
            let row = read_row(&mut view, &parse(before)?).await?;
            Some(row.ok_or_else(unknown)?.id)
        }
        None => None,
    };
    let own_units = within.keys(&mut view.0).await?;
    let rows = match (&principal.own, &own_units) {
        (None, None) => alerts::list(&mut view.0, state, before, limit).await,
        (None, Some(units)) => {
            alerts::list_of_units(&mut view.0, units, state, before, limit).await
        }
        (Some(key), _) => {
            let person = RecipientId::of_key(key);
            alerts::list_called(&mut view.0, person, state, before, limit).await
        }
    };
    let rows = rows.map_err(of_query)?;
    let full = u32::try_from(rows.len()).is_ok_and(|found| found == limit);
    let next = rows.last().filter(|_| full).map(|row| row.label.clone());
    let ids: Vec<AlertId> = rows.iter().map(|row| row.id).collect();
    let mut leaders = view::leaders(&mut view.0, &ids).await?;
    let rows = rows.into_iter();
    let alerts = rows.map(|row| {
        let leader = leaders.remove(&row.id);
        SummaryJson::new(row, leader, &view.1)
    });
    let alerts = alerts.collect();
    Ok(view.answer(&AlertsJson { alerts, next }))
}

/// Shows an alert with everyone called, every delivery with its attempts, and what happens next.
#[utoipa::path(get, path = "/v1/alerts/{alert}", tag = "alerts", params(("alert" = String, Path, description = "Id or number"), ShowParams), responses((status = 200, body = AlertJson)))]
async fn show(
    Extract(shared): Extract<Shared>,
    Segment(alert): Segment,
    Params(params): Params<ShowParams>,
    mut view: View,
) -> Result<Response, Problem> {
    let reference = parse(&alert)?;
    let mut row = read_row(&mut view, &reference).await?;
    if row.is_none() {
        // It may have been raised at another node a moment ago.
        let current = reading::open(&shared, Freshness::Linearizable).await;
        view = View::new(current.map_err(|_| unknown())?).await?;
        row = read_row(&mut view, &reference).await?;
    }
    let row = row.ok_or_else(unknown)?;
    let shown = view::read(&mut view, row, params.skip, params.limit.clamp(1, SHOW_MAX)).await?;
    Ok(view.answer(&shown))
}

/// Shows an alert in the Common Alerting Protocol 1.2: an `Alert` while it is open, then the `Cancel` that refers to it.
#[utoipa::path(get, path = "/v1/alerts/{alert}/cap", tag = "alerts", params(("alert" = String, Path)), responses((status = 200, body = String, content_type = "application/cap+xml")))]
async fn show_cap(
    Extract(shared): Extract<Shared>,
    Segment(alert): Segment,
    mut view: View,
) -> Result<Response, Problem> {
    let id = find(&shared, &alert).await?;
    let row = alerts::find(&mut view.0, id).await.map_err(of_query)?;
    let row = row.ok_or_else(unknown)?;
    let organisation = nodes::organisation(&mut view.0).await.map_err(of_query)?;
    let document = cap::write(&row, &organisation, &view.1);
    Ok(([(header::CONTENT_TYPE, cap::MEDIA_TYPE)], document).into_response())
}

async fn read_row(view: &mut View, reference: &Reference) -> Result<Option<AlertRow>, Problem> {
    let row = match reference {
        Reference::Id(id) => alerts::find(&mut view.0, *id).await,
        Reference::Name(name) => alerts::find_named(&mut view.0, name).await,
    };
    row.map_err(of_query)
}

/// Stops the calling of further people, on somebody's word.
#[utoipa::path(post, path = "/v1/alerts/{alert}/acknowledge", tag = "alerts", params(("alert" = String, Path)), request_body = NoteBody, responses((status = 200, body = Stored)))]
async fn acknowledge(
    Extract(shared): Extract<Shared>,
    Segment(alert): Segment,
    input: Input<NoteBody>,
) -> Result<Json<Stored>, Problem> {
    let note = bounded("/note", input.value.note)?;
    change(&shared, &alert, input.order, |alert| Command::Acknowledge {
        alert,
        note,
    })
    .await
}

/// Records an answer on behalf of a called person.
#[utoipa::path(post, path = "/v1/alerts/{alert}/answer", tag = "alerts", params(("alert" = String, Path)), request_body = AnswerBody, responses((status = 200, body = Stored)))]
async fn answer(
    Extract(shared): Extract<Shared>,
    Segment(alert): Segment,
    input: Input<AnswerBody>,
) -> Result<Json<Stored>, Problem> {
    let answer = parse_answer("/answer", &input.value.answer)?;
    if input
        .order
        .own
        .as_ref()
        .is_some_and(|own| *own != input.value.person)
    {
        let text = "you answer for yourself only";
        return Err(Problem::new(Kind::NotAllowed, text));
    }
    let recipient = RecipientId::of_key(&input.value.person);
    let eta_min = input.value.eta_minutes;
    change(&shared, &alert, input.order, |alert| Command::Answer {
        alert,
        recipient,
        answer,
        eta_min,
    })
    .await
}

/// Ends an alert: the matter is dealt with. Nobody is texted.
#[utoipa::path(post, path = "/v1/alerts/{alert}/resolve", tag = "alerts", params(("alert" = String, Path)), request_body = NoteBody, responses((status = 200, body = Stored)))]
async fn resolve(
    Extract(shared): Extract<Shared>,
    Segment(alert): Segment,
    input: Input<NoteBody>,
) -> Result<Json<Stored>, Problem> {
    let note = bounded("/note", input.value.note)?;
    change(&shared, &alert, input.order, |alert| Command::Resolve {
        alert,
        note,
    })
    .await
}

/// Calls an alert off: everyone who was or may have been told is told to stand down.
#[utoipa::path(post, path = "/v1/alerts/{alert}/call-off", tag = "alerts", params(("alert" = String, Path)), request_body = CallOffBody, responses((status = 200, body = Stored)))]
async fn call_off(
    Extract(shared): Extract<Shared>,
    Segment(alert): Segment,
    input: Input<CallOffBody>,
) -> Result<Json<Stored>, Problem> {
    let reason = bounded("/reason", input.value.reason)?;
    change(&shared, &alert, input.order, |alert| Command::CallOff {
        alert,
        reason,
    })
    .await
}

/// Joins an alert into another one that is the same matter; its answers carry over.
#[utoipa::path(post, path = "/v1/alerts/{alert}/join", tag = "alerts", params(("alert" = String, Path)), request_body = JoinBody, responses((status = 200, body = Stored)))]
async fn join(
    Extract(shared): Extract<Shared>,
    Segment(alert): Segment,
    input: Input<JoinBody>,
) -> Result<Json<Stored>, Problem> {
    let into = find(&shared, &input.value.into).await?;
    change(&shared, &alert, input.order, |alert| Command::Join {
        alert,
        into,
    })
    .await
}

/// Records how somebody asked by a safety check is, on the word of whoever saw them. Their own answer stays beside it and
/// says how they are, if there is one.
#[utoipa::path(post, path = "/v1/alerts/{alert}/mark", tag = "alerts", params(("alert" = String, Path)), request_body = MarkBody, responses((status = 200, body = Stored)))]
async fn mark(
    Extract(shared): Extract<Shared>,
    Segment(alert): Segment,
    input: Input<MarkBody>,
) -> Result<Json<Stored>, Problem> {
    let mark = parse_answer("/mark", &input.value.mark)?;
    let by = input.value.by.unwrap_or_else(|| input.order.actor.label());
    let recipient = RecipientId::of_key(&input.value.person);
    change(&shared, &alert, input.order, |alert| Command::Mark {
        alert,
        recipient,
        by,
        mark,
    })
    .await
}

fn parse_answer(pointer: &str, word: &str) -> Result<Answer, Problem> {
    Answer::parse(word).ok_or_else(|| {
        let mut fields = Fields::default();
        let known = Answer::ALL.map(Answer::name).join(", ");
        fields.add(
            pointer,
            format!("{word:?} is not an answer; known are {known}"),
        );
        fields.into_problem()
    })
}

async fn change(
    shared: &Shared,
    alert: &str,
    order: Order,
    command: impl FnOnce(AlertId) -> Command,
) -> Result<Json<Stored>, Problem> {
    let command = command(find(shared, alert).await?);
    let done = submit(shared, order, DomainCommand::Alerts(command), NamedIn::Body).await?;
    Ok(Json(done.stored))
}

fn bounded(pointer: &str, text: String) -> Result<String, Problem> {
    bounded_to(pointer, text, TEXT_LEN_MAX)
}

fn bounded_to(pointer: &str, text: String, max: usize) -> Result<String, Problem> {
    let mut fields = Fields::default();
    fields.at_most(pointer, &text, max);
    fields.finish().map(|()| text)
}

fn parse_state(name: &str) -> Result<State, Problem> {
    State::parse(name).ok_or_else(|| {
        let known = State::ALL.map(State::name).join(", ");
        Problem::new(
            Kind::BadRequest,
            format!("{name:?} is not a state of an alert; known are {known}"),
        )
    })
}
