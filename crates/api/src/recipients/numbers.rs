//! Another number for somebody, with a second person's word: what is needed while an alert is open.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json, http::StatusCode};
use domain::Command as DomainCommand;
use domain::passes::{self, AskNumber, Command};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::guard::Principal;
use crate::input::{Input, Order, Segment};
use crate::problem::{NamedIn, Problem, of_query};
use crate::reading::View;
use crate::state::Shared;
use crate::submit::{Stored, submit};

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(show, ask))
        .routes(routes!(vouch))
}

#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = NumberChangeAsked)]
#[serde(deny_unknown_fields)]
pub(crate) struct AskBody {
    /// The number to be replaced; may be left out of a person who has one, or none.
    from: Option<String>,
    #[schema(example = "+358401234567")]
    to: String,
    /// Who asks, as people should read it. Not taken of somebody who is signed in.
    by: Option<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = NumberVoucher)]
#[serde(deny_unknown_fields)]
pub(crate) struct VouchBody {
    /// Who vouches, as people should read it. Not taken of somebody who is signed in.
    by: Option<String>,
}

/// A change that waits for somebody else's word.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NumberChange)]
pub(crate) struct ChangeJson {
    /// Empty: they had none.
    from: String,
    to: String,
    asked_at: String,
    asked_by: String,
    /// Whoever looks asked for it: somebody else has to vouch.
    mine: bool,
    /// Until when it waits.
    expires_at: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WaitingNumberChange)]
pub(crate) struct WaitingJson {
    waiting: Option<ChangeJson>,
}

/// Shows the change of a person's number that waits for somebody's word.
#[utoipa::path(get, path = "/v1/people/{key}/number-change", tag = "people", params(("key" = String, Path)), responses((status = 200, body = WaitingJson)))]
async fn show(
    Segment(key): Segment,
    Extension(principal): Extension<Principal>,
    mut view: View,
) -> Result<Response, Problem> {
    let now = view.0.as_of;
    let looks = principal.actor.label();
    let waiting = passes::number_change(&mut view.0, &key, now)
        .await
        .map_err(of_query)?;
    let waiting = waiting.map(|change| ChangeJson {
        from: change.from,
        to: change.to,
        asked_at: view.1.rfc3339(change.asked_at),
        mine: change.asked_by == looks,
        asked_by: change.asked_name,
        expires_at: view.1.rfc3339(change.expires_at),
    });
    Ok(view.answer(&WaitingJson { waiting }))
}

/// Asks for another number of a person. It changes when somebody else vouches for it within an hour.
#[utoipa::path(post, path = "/v1/people/{key}/number-change", tag = "people", params(("key" = String, Path)), request_body = AskBody, responses((status = 201, body = Stored)))]
async fn ask(
    State(shared): State<Shared>,
    Segment(key): Segment,
    input: Input<AskBody>,
) -> Result<Response, Problem> {
    let body = input.value;
    let ask = AskNumber {
        person: key,
        from: body.from,
        to: body.to,
        by: who(&input.order, body.by),
    };
    let command = DomainCommand::Passes(Command::AskNumber(ask));
    let done = submit(&shared, input.order, command, NamedIn::Path).await?;
    Ok((StatusCode::CREATED, Json(done.stored)).into_response())
}

/// Vouches for the number that waits, and changes it: the old number is told, and for 24 hours texts from the new one command
/// nothing and prove nothing. Answers of the person's own count as ever.
#[utoipa::path(post, path = "/v1/people/{key}/number-change/vouch", tag = "people", params(("key" = String, Path)), request_body = VouchBody, responses((status = 200, body = Stored)))]
async fn vouch(
    State(shared): State<Shared>,
    Segment(person): Segment,
    input: Input<VouchBody>,
) -> Result<Json<Stored>, Problem> {
    let by = who(&input.order, input.value.by);
    let command = DomainCommand::Passes(Command::VouchNumber { person, by });
    let done = submit(&shared, input.order, command, NamedIn::Path).await?;
    Ok(Json(done.stored))
}

/// Whoever is signed in, by their own name; else the name given, or the actor.
fn who(order: &Order, named: Option<String>) -> String {
    let signed = order.signed.clone();
    signed.or(named).unwrap_or_else(|| order.actor.label())
}
