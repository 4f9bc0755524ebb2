//! What one administrator alone does not do, over HTTP ([decision 39](../../../docs/decisions/0039-two-administrators.md)):
//! asked for by one, let by another, then done once by whoever asked.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json, http::StatusCode};
use domain::permits::{self, Ask, Command, Kind as What, PermitRow};
use domain::{Civil, Command as DomainCommand, Timestamp};
use serde::{Deserialize, Serialize};
use tracing::info;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::guard::Principal;
use crate::input::{Bare, Input, Order, Segment};
use crate::problem::{Kind, NamedIn, Problem, of_query};
use crate::reading::View;
use crate::state::Shared;
use crate::submit::{Stored, submit};

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list, ask))
        .routes(routes!(permit))
        .routes(routes!(drop_it))
}

/// Something that takes two administrators.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Permit)]
pub(crate) struct PermitJson {
    number: u64,
    /// `waiting` for a second administrator, `ready` to be done by whoever asked, `used`, `dropped`, or `void` when its time is
    /// over.
    state: &'static str,
    /// `account`, `roles`, `enable`, `invitation`, `limit`, `budget`, `second-person`, `node-invitation`, `node-removal` or
    /// `node-eviction`.
    what: &'static str,
    /// The account, or whose budget; empty when it is about neither.
    about: String,
    method: String,
    path: String,
    /// What will be sent, word by word; empty: nothing.
    body: String,
    reason: String,
    asked_by: String,
    /// As people should read it.
    asked_name: String,
    /// Whoever asks now asked for it.
    mine: bool,
    asked_at: String,
    /// Who let it; null while it waits.
    let_by: Option<String>,
    let_at: Option<String>,
    /// Until when it can be let, or done.
    until: String,
    used_at: Option<String>,
    dropped_by: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Permits)]
pub(crate) struct PermitsJson {
    /// The newest first.
    permits: Vec<PermitJson>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = AskPermit)]
#[serde(deny_unknown_fields)]
pub(crate) struct AskBody {
    /// `PUT`, `POST` or `DELETE`.
    #[schema(example = "PUT")]
    method: String,
    #[schema(example = "/v1/budgets/cluster")]
    path: String,
    /// The body, byte by byte as it will be sent; at most 4,000.
    #[serde(default)]
    #[schema(example = "{\"day_parts\":5000}")]
    body: String,
    /// Why, as people should read it: at most 500 characters.
    #[serde(default)]
    reason: String,
}

/// It waits for a second administrator.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Asked {
    #[serde(flatten)]
    stored: Stored,
    number: u64,
}

/// Lists what takes two, the newest first, also what is done or over.
#[utoipa::path(get, path = "/v1/permits", tag = "accounts", responses((status = 200, body = PermitsJson)))]
async fn list(
    Extension(principal): Extension<Principal>,
    mut view: View,
) -> Result<Response, Problem> {
    let rows = permits::list(&mut view.0).await.map_err(of_query)?;
    let (now, asks) = (view.0.as_of, principal.actor.label());
    let rows = rows.into_iter();
    let permits = rows.map(|row| permit_json(row, &asks, &view.1, now));
    let permits = permits.collect();
    Ok(view.answer(&PermitsJson { permits }))
}

/// Asks a second administrator to let something. Asking for the same again gives the same.
#[utoipa::path(post, path = "/v1/permits", tag = "accounts", request_body = AskBody, responses((status = 201, body = Asked)))]
async fn ask(State(shared): State<Shared>, input: Input<AskBody>) -> Result<Response, Problem> {
    let AskBody {
        method,
        path,
        body,
        reason,
    } = input.value;
    let actor = input.order.actor.label();
    info!(actor, method, path, "asked for what takes two");
    let name = input.order.signed.clone().unwrap_or(actor);
    let ask = Ask {
        method,
        path,
        body,
        name,
        reason,
    };
    let command = DomainCommand::Permits(Command::Ask(ask));
    let done = submit(&shared, input.order, command, NamedIn::Body).await?;
    let Some(number) = done.receipt.number() else {
        let text = "it was asked for, but its number is not known; see GET /v1/permits";
        return Err(Problem::new(Kind::Internal, text));
    };
    let body = Asked {
        stored: done.stored,
        number,
    };
    Ok((StatusCode::CREATED, Json(body)).into_response())
}

/// Lets what another administrator asked for: they can do it now, once, within an hour.
#[utoipa::path(post, path = "/v1/permits/{number}/let", operation_id = "let_permit", tag = "accounts", params(("number" = u64, Path)), responses((status = 200, body = Stored)))]
async fn permit(
    State(shared): State<Shared>,
    Segment(number): Segment,
    bare: Bare,
) -> Result<Json<Stored>, Problem> {
    settle(&shared, bare.order, &number, |number| Command::Let {
        number,
    })
    .await
}

/// Says that it is not to be done.
#[utoipa::path(delete, path = "/v1/permits/{number}", operation_id = "drop_permit", tag = "accounts", params(("number" = u64, Path)), responses((status = 200, body = Stored)))]
async fn drop_it(
    State(shared): State<Shared>,
    Segment(number): Segment,
    bare: Bare,
) -> Result<Json<Stored>, Problem> {
    settle(&shared, bare.order, &number, |number| Command::Drop {
        number,
    })
    .await
}

async fn settle(
    shared: &Shared,
    order: Order,
    number: &str,
    command: fn(u64) -> Command,
) -> Result<Json<Stored>, Problem> {
    let command = command(parse(number)?);
    info!(actor = order.actor.label(), ?command, "what takes two");
    let command = DomainCommand::Permits(command);
    let done = submit(shared, order, command, NamedIn::Path).await?;
    Ok(Json(done.stored))
}

/// Uses up what a second administrator let, for a change that is no command of the log; whoever needs nobody else passes.
pub(crate) async fn take(shared: &Shared, order: &Order) -> Result<(), Problem> {
    let command = DomainCommand::Permits(Command::Use { digest: order.body });
    submit(shared, order.clone(), command, NamedIn::Path)
        .await
        .map(|_| ())
}

fn parse(number: &str) -> Result<u64, Problem> {
    number
        .parse()
        .map_err(|_| Problem::not_found("nothing was asked for under this number"))
}

fn permit_json(row: PermitRow, asks: &str, civil: &Civil, now: Timestamp) -> PermitJson {
    let words = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let (what, about) = match What::of(&row.method, &row.path) {
        Some((what, about)) => (what.name(), about.to_owned()),
        None => ("", String::new()),
    };
    let state = row.state(now);
    PermitJson {
        number: row.number,
        mine: row.asked_by == asks,
        state: state.name(),
        what,
        about,
        until: civil.rfc3339(row.until()),
        body: row.body,
        asked_at: civil.rfc3339(row.asked_at),
        let_by: words(&row.let_by),
        let_at: row.let_at.map(|at| civil.rfc3339(at)),
        used_at: row.used_at.map(|at| civil.rfc3339(at)),
        dropped_by: words(&row.dropped_by),
        method: row.method,
        path: row.path,
        reason: row.reason,
        asked_by: row.asked_by,
        asked_name: row.asked_name,
    }
}
