//! Swaps over HTTP: proposed, agreed to, declined.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use domain::oncall::{self, Command, ShiftRef, Swap, SwapRow, Verdict};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::on_call::rfc3339;
use super::{Numbered, change, find, numbered};
use crate::fields::Fields;
use crate::input::{Input, NumberedSegment, Segment};
use crate::problem::{NamedIn, Problem, of_query};
use crate::reading::View;
use crate::state::Shared;
use crate::submit::Stored;
use crate::time::parse_rfc3339;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list, propose))
        .routes(routes!(consent))
        .routes(routes!(decline))
}

/// A shift, or part of one, as `shifts` shows it.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ShiftRefJson {
    person: String,
    /// RFC 3339.
    from: String,
    to: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SwapBody {
    /// The shift of who asks.
    give: ShiftRefJson,
    /// The shift of who is asked.
    take: ShiftRefJson,
    #[serde(default)]
    reason: String,
}

/// The word of who is asked, or of somebody in charge.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConsentBody {
    /// The person who is asked, and agrees.
    person: Option<String>,
    /// Without a person: why somebody in charge decides for both.
    #[serde(default)]
    reason: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeclineBody {
    /// The person who is asked, or who asked.
    person: String,
    #[serde(default)]
    reason: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Swap)]
pub(crate) struct SwapJson {
    /// Its number within the schedule.
    number: u64,
    /// `proposed`, `done` or `declined`.
    state: &'static str,
    give: ShiftRefJson,
    take: ShiftRefJson,
    reason: String,
    proposed_at: String,
    proposed_by: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    settled_at: Option<String>,
    /// Empty while it is open.
    settled_by: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Swaps)]
pub(crate) struct SwapsJson {
    /// Newest first, at most 200.
    swaps: Vec<SwapJson>,
}

/// Lists a schedule's swaps, newest first.
#[utoipa::path(get, path = "/v1/schedules/{key}/swaps", tag = "on call", params(("key" = String, Path)), responses((status = 200, body = SwapsJson)))]
async fn list(Segment(key): Segment, mut view: View) -> Result<Response, Problem> {
    find(&mut view.0, &key).await?;
    let rows = oncall::swaps(&mut view.0, &key).await.map_err(of_query)?;
    let swap_json = |row: SwapRow| SwapJson {
        number: row.number,
        state: row.state.name(),
        give: ShiftRefJson::of(row.swap.give),
        take: ShiftRefJson::of(row.swap.take),
        reason: row.swap.reason,
        proposed_at: view.1.rfc3339(row.proposed_at),
        proposed_by: row.proposed_by,
        settled_at: rfc3339(&view.1, row.settled_at),
        settled_by: row.settled_by,
    };
    let body = SwapsJson {
        swaps: rows.into_iter().map(swap_json).collect(),
    };
    Ok(view.answer(&body))
}

/// Proposes that two people exchange shifts.
#[utoipa::path(post, path = "/v1/schedules/{key}/swaps", tag = "on call", params(("key" = String, Path)), request_body = SwapBody, responses((status = 200, body = Numbered)))]
async fn propose(
    State(shared): State<Shared>,
    Segment(schedule): Segment,
    input: Input<SwapBody>,
) -> Result<Json<Numbered>, Problem> {
    let mut fields = Fields::default();
    let give = parse(&mut fields, "/give", input.value.give);
    let take = parse(&mut fields, "/take", input.value.take);
    let (Some(give), Some(take)) = (give, take) else {
        return Err(fields.into_problem());
    };
    let swap = Swap {
        give,
        take,
        reason: input.value.reason,
    };
    let command = Command::ProposeSwap { schedule, swap };
    change(&shared, input.order, command, NamedIn::Body)
        .await
        .map(numbered)
}

/// Agrees to a swap. Refused when one of the shifts is not as it was proposed any more.
#[utoipa::path(post, path = "/v1/schedules/{key}/swaps/{number}/consent", tag = "on call", params(("key" = String, Path), ("number" = u64, Path)), request_body = ConsentBody, responses((status = 200, body = Stored)))]
async fn consent(
    State(shared): State<Shared>,
    NumberedSegment(schedule, number): NumberedSegment,
    input: Input<ConsentBody>,
) -> Result<Json<Stored>, Problem> {
    let ConsentBody { person, reason } = input.value;
    let verdict = match person {
        Some(person) => Verdict::Consent { person },
        None => Verdict::Impose { reason },
    };
    let command = Command::SettleSwap {
        schedule,
        number,
        verdict,
    };
    let done = change(&shared, input.order, command, NamedIn::Path).await?;
    Ok(Json(done.stored))
}

/// Says no to a swap, or takes the proposal back.
#[utoipa::path(post, path = "/v1/schedules/{key}/swaps/{number}/decline", tag = "on call", params(("key" = String, Path), ("number" = u64, Path)), request_body = DeclineBody, responses((status = 200, body = Stored)))]
async fn decline(
    State(shared): State<Shared>,
    NumberedSegment(schedule, number): NumberedSegment,
    input: Input<DeclineBody>,
) -> Result<Json<Stored>, Problem> {
    let DeclineBody { person, reason } = input.value;
    let command = Command::SettleSwap {
        schedule,
        number,
        verdict: Verdict::Decline { person, reason },
    };
    let done = change(&shared, input.order, command, NamedIn::Path).await?;
    Ok(Json(done.stored))
}

fn parse(fields: &mut Fields, at: &str, shift: ShiftRefJson) -> Option<ShiftRef> {
    let from = fields.take(format!("{at}/from"), parse_rfc3339(&shift.from));
    let to = fields.take(format!("{at}/to"), parse_rfc3339(&shift.to));
    Some(ShiftRef {
        person: shift.person,
        from: from?,
        to: to?,
    })
}

impl ShiftRefJson {
    fn of(shift: ShiftRef) -> Self {
        Self {
            person: shift.person,
            from: shift.from.to_rfc3339(),
            to: shift.to.to_rfc3339(),
        }
    }
}
