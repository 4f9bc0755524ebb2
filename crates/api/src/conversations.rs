//! Rooms over HTTP: what is said about an alert, and the duty inbox.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Json, http::StatusCode};
use domain::conversations::{self, Command, MessageRow};
use domain::{Civil, Command as DomainCommand, RoomId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::alerts;
use crate::fields::Fields;
use crate::input::{Input, Params, Segment};
use crate::problem::{NamedIn, Problem, of_query};
use crate::reading::View;
use crate::state::Shared;
use crate::submit::{Stored, submit};

const PAGE_DEFAULT: u32 = 100;
const PAGE_MAX: u32 = 500;
const AUTHOR_LEN_MAX: usize = 100;

/// The room of texts that belong to no alert.
const INBOX: &str = "inbox";

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list, post))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PostBody {
    /// 1 to 4,000 characters.
    text: String,
    /// Who says it, as people should read it. Without it: the key or operator that posts. Whoever is signed in signs as
    /// themselves.
    author: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Message)]
pub(crate) struct MessageJson {
    id: String,
    /// Counts up within the room.
    sequence: u64,
    author: String,
    /// `api`, `sms` or `system`.
    via: String,
    text: String,
    at: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Messages)]
pub(crate) struct MessagesJson {
    messages: Vec<MessageJson>,
    /// Ask with `after=` this for more; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageParams {
    /// Start after this sequence number.
    #[serde(default)]
    after: u64,
    /// At most this many, up to 500.
    #[serde(default = "page_default")]
    #[param(default = 100, maximum = 500)]
    limit: u32,
}

fn page_default() -> u32 {
    PAGE_DEFAULT
}

/// Lists what was said in a room, oldest first. `room` is an alert's id or number, or `inbox`.
#[utoipa::path(get, path = "/v1/rooms/{room}/messages", tag = "rooms", params(("room" = String, Path), PageParams), responses((status = 200, body = MessagesJson)))]
async fn list(
    State(shared): State<Shared>,
    Segment(room): Segment,
    Params(page): Params<PageParams>,
    mut view: View,
) -> Result<Response, Problem> {
    let room = find(&shared, &room).await?;
    let limit = page.limit.clamp(1, PAGE_MAX);
    let rows = conversations::messages(&mut view.0, room, page.after, limit)
        .await
        .map_err(of_query)?;
    let full = u32::try_from(rows.len()).is_ok_and(|found| found == limit);
    let next = rows.last().filter(|_| full).map(|row| row.sequence);
    let body = MessagesJson {
        messages: rows
            .into_iter()
            .map(|row| message_json(row, &view.1))
            .collect(),
        next,
    };
    Ok(view.answer(&body))
}

/// Says something in a room.
#[utoipa::path(post, path = "/v1/rooms/{room}/messages", tag = "rooms", params(("room" = String, Path)), request_body = PostBody, responses((status = 201, body = Stored)))]
async fn post(
    State(shared): State<Shared>,
    Segment(room): Segment,
    input: Input<PostBody>,
) -> Result<Response, Problem> {
    let PostBody { text, author } = input.value;
    let signed = input.order.signed.clone();
    let author = signed
        .or(author)
        .unwrap_or_else(|| input.order.actor.label());
    let mut fields = Fields::default();
    fields.at_most("/author", &author, AUTHOR_LEN_MAX);
    fields.finish()?;
    let room = find(&shared, &room).await?;
    let command = DomainCommand::Conversations(Command::Post { room, author, text });
    let done = submit(&shared, input.order, command, NamedIn::Path).await?;
    Ok((StatusCode::CREATED, Json(done.stored)).into_response())
}

async fn find(shared: &Shared, room: &str) -> Result<RoomId, Problem> {
    if room == INBOX {
        return Ok(RoomId::DUTY_INBOX);
    }
    alerts::find(shared, room).await.map(RoomId::of_alert)
}

fn message_json(row: MessageRow, civil: &Civil) -> MessageJson {
    MessageJson {
        id: row.id.to_string(),
        sequence: row.sequence,
        author: row.author,
        via: row.via,
        text: row.text,
        at: civil.rfc3339(row.at),
    }
}
