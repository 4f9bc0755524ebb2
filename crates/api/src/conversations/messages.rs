//! What is said in a room, and what becomes of it.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Json, http::StatusCode};
use domain::conversations::{self, Command, MarkKind, Mention, MessageRow, Say};
use domain::passes::GUEST_MARK;
use domain::{Civil, Command as DomainCommand, recipients, texts};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::files::{self, FileJson};
use super::{find, find_message, speaker};
use crate::fields::Fields;
use crate::input::{Input, Params, Segment, Segments};
use crate::problem::{Kind, NamedIn, Problem, of_query};
use crate::reading::View;
use crate::state::Shared;
use crate::submit::{Stored, submit};

const PAGE_DEFAULT: u32 = 100;
const PAGE_MAX: u32 = 500;

#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = NewMessage)]
#[serde(deny_unknown_fields)]
pub(crate) struct PostBody {
    /// 1 to 4,000 characters. `@anna` mentions a person by key, `@all` everyone in the room, `@lead` whoever leads.
    text: String,
    /// Who says it, as people should read it. Without it: the person, else the key or operator that posts.
    author: Option<String>,
    /// Key of the person who says it.
    person: Option<String>,
    /// Marks it for the record: `diary`, `decision` or `minutes`.
    mark: Option<String>,
    /// Of a decision: what was not known when it was taken.
    #[serde(default)]
    unknown: String,
    /// Its words never leave by SMS or mail.
    #[serde(default)]
    restricted: bool,
}

#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = MessageEdit)]
#[serde(deny_unknown_fields)]
pub(crate) struct EditBody {
    /// The new wording. The old one stays readable.
    text: String,
    author: Option<String>,
    /// Key of the person who said it.
    person: Option<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = MessageMark)]
#[serde(deny_unknown_fields)]
pub(crate) struct MarkBody {
    /// `diary`, `decision` or `minutes`.
    mark: String,
    /// Of a decision: what was not known when it was taken.
    #[serde(default)]
    unknown: String,
    author: Option<String>,
    person: Option<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = MessagePin)]
#[serde(deny_unknown_fields)]
pub(crate) struct PinBody {
    pinned: bool,
    author: Option<String>,
    person: Option<String>,
}

/// A message that was taken.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Posted {
    #[serde(flatten)]
    stored: Stored,
    /// Its number in the room.
    sequence: Option<u64>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Message)]
pub(crate) struct MessageJson {
    id: String,
    /// Counts up within the room.
    sequence: u64,
    author: String,
    /// Somebody from outside, let into this room for some hours.
    guest: bool,
    /// Key of the person who said it, if that is known.
    person: Option<String>,
    /// `api`, `sms`, `email` or `system`.
    via: String,
    /// As it is worded now.
    text: String,
    at: String,
    /// Its words never leave by SMS or mail.
    restricted: bool,
    /// Whom it calls: `all`, `lead`, or keys of people.
    mentions: Vec<String>,
    /// As it was worded first; null while that stands.
    original: Option<String>,
    /// Later wordings, oldest first.
    edits: Vec<EditJson>,
    /// For what records it was marked.
    marks: Vec<MarkedJson>,
    pinned: bool,
    /// The file it shows; null of most.
    file: Option<FileJson>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Edit)]
struct EditJson {
    at: String,
    by: String,
    text: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Marked)]
struct MarkedJson {
    /// Its place in the room's chain.
    number: u64,
    /// `diary`, `decision` or `minutes`.
    mark: &'static str,
    at: String,
    by: String,
    /// The words that were marked.
    text: String,
    /// Of a decision: what was not known.
    unknown: String,
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

/// Lists what was said in a room, oldest first. `room` is an everyday room's key, an alert's id or number, or `inbox`.
#[utoipa::path(get, path = "/v1/rooms/{room}/messages", tag = "rooms", params(("room" = String, Path), PageParams), responses((status = 200, body = MessagesJson)))]
pub(super) async fn list(
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
    let messages = shown(&mut view, rows).await?;
    Ok(view.answer(&MessagesJson { messages, next }))
}

/// Says something in a room.
#[utoipa::path(post, path = "/v1/rooms/{room}/messages", tag = "rooms", params(("room" = String, Path)), request_body = PostBody, responses((status = 201, body = Posted)))]
pub(super) async fn post(
    State(shared): State<Shared>,
    Segment(room): Segment,
    input: Input<PostBody>,
) -> Result<Response, Problem> {
    let body = input.value;
    let mut fields = Fields::default();
    fields.at_most("/text", &body.text, conversations::TEXT_LEN_MAX);
    let mark = body.mark.as_deref().map(|word| kind(&mut fields, word));
    fields.finish()?;
    if mark.is_some() && input.order.guest {
        let text = "guests speak in a room and mark nothing for the record; ask somebody of the organisation";
        return Err(Problem::new(Kind::NotAllowed, text));
    }
    let room = find(&shared, &room).await?;
    let by = speaker(&shared, &input.order, body.author, body.person.as_deref()).await?;
    let command = Command::Say(Say {
        room,
        by,
        text: body.text,
        mark: mark.flatten(),
        unknown: body.unknown,
        restricted: body.restricted,
    });
    let command = DomainCommand::Conversations(command);
    let done = submit(&shared, input.order, command, NamedIn::Body).await?;
    let posted = Posted {
        sequence: done.receipt.number(),
        stored: done.stored,
    };
    Ok((StatusCode::CREATED, Json(posted)).into_response())
}

/// Words a message anew; the original stays. Only whoever said it may. `message` is its number in the room, or its id.
#[utoipa::path(post, path = "/v1/rooms/{room}/messages/{message}/edit", tag = "rooms", params(("room" = String, Path), ("message" = String, Path)), request_body = EditBody, responses((status = 200, body = Stored)))]
pub(super) async fn edit(
    State(shared): State<Shared>,
    Segments(room, message): Segments,
    input: Input<EditBody>,
) -> Result<Json<Stored>, Problem> {
    let body = input.value;
    let mut fields = Fields::default();
    fields.at_most("/text", &body.text, conversations::TEXT_LEN_MAX);
    fields.finish()?;
    let message = find_message(&shared, &room, &message).await?;
    let by = speaker(&shared, &input.order, body.author, body.person.as_deref()).await?;
    let text = body.text;
    let command = DomainCommand::Conversations(Command::Edit { message, text, by });
    let done = submit(&shared, input.order, command, NamedIn::Body).await?;
    Ok(Json(done.stored))
}

/// Marks a message for the record, and chains it at once.
#[utoipa::path(post, path = "/v1/rooms/{room}/messages/{message}/mark", tag = "rooms", params(("room" = String, Path), ("message" = String, Path)), request_body = MarkBody, responses((status = 200, body = Stored)))]
pub(super) async fn mark(
    State(shared): State<Shared>,
    Segments(room, message): Segments,
    input: Input<MarkBody>,
) -> Result<Json<Stored>, Problem> {
    let body = input.value;
    let mut fields = Fields::default();
    let Some(kind) = kind(&mut fields, &body.mark) else {
        return Err(fields.into_problem());
    };
    let message = find_message(&shared, &room, &message).await?;
    let by = speaker(&shared, &input.order, body.author, body.person.as_deref()).await?;
    let command = DomainCommand::Conversations(Command::Mark {
        message,
        kind,
        unknown: body.unknown,
        by,
    });
    let done = submit(&shared, input.order, command, NamedIn::Body).await?;
    Ok(Json(done.stored))
}

/// Pins a message to its room as a fact everyone should see first, or takes it down.
#[utoipa::path(post, path = "/v1/rooms/{room}/messages/{message}/pin", tag = "rooms", params(("room" = String, Path), ("message" = String, Path)), request_body = PinBody, responses((status = 200, body = Stored)))]
pub(super) async fn pin(
    State(shared): State<Shared>,
    Segments(room, message): Segments,
    input: Input<PinBody>,
) -> Result<Json<Stored>, Problem> {
    let body = input.value;
    let message = find_message(&shared, &room, &message).await?;
    let by = speaker(&shared, &input.order, body.author, body.person.as_deref()).await?;
    let command = DomainCommand::Conversations(Command::Pin {
        message,
        pinned: body.pinned,
        by,
    });
    let done = submit(&shared, input.order, command, NamedIn::Body).await?;
    Ok(Json(done.stored))
}

fn kind(fields: &mut Fields, word: &str) -> Option<MarkKind> {
    let known = MarkKind::ALL.map(MarkKind::name);
    fields.one_of("/mark", word, MarkKind::parse, &known)
}

/// Messages as they are answered, their people by key.
pub(super) async fn shown(
    view: &mut View,
    rows: Vec<MessageRow>,
) -> Result<Vec<MessageJson>, Problem> {
    let ids: Vec<_> = rows.iter().filter_map(|row| row.person).collect();
    let people = recipients::by_ids(&mut view.0, &ids)
        .await
        .map_err(of_query)?;
    let messages: Vec<_> = rows.iter().map(|row| row.id).collect();
    let mut files = files::of_messages(view, &messages).await?;
    let key = |row: &MessageRow| {
        let person = people.iter().find(|person| Some(person.id) == row.person);
        person.map(|person| person.key.clone())
    };
    Ok(rows
        .into_iter()
        .map(|row| message_json(key(&row), files.remove(&row.id), row, &view.1))
        .collect())
}

fn message_json(
    person: Option<String>,
    file: Option<FileJson>,
    row: MessageRow,
    civil: &Civil,
) -> MessageJson {
    let mention = |mention: Mention| match mention {
        Mention::All => "all".to_owned(),
        Mention::Lead => "lead".to_owned(),
        Mention::Person(key) => key,
    };
    // What came in from elsewhere steers no screen either.
    let (line, words) = (texts::clean, texts::neutral);
    MessageJson {
        id: row.id.to_string(),
        sequence: row.sequence,
        guest: row.person.is_none() && row.via == "api" && row.author.ends_with(GUEST_MARK),
        author: line(&row.author),
        person,
        via: row.via,
        text: words(&row.text),
        at: civil.rfc3339(row.at),
        restricted: row.restricted,
        mentions: row.mentions.into_iter().map(mention).collect(),
        original: row.original.as_deref().map(words),
        edits: row
            .edits
            .into_iter()
            .map(|edit| EditJson {
                at: civil.rfc3339(edit.at),
                by: line(&edit.by),
                text: words(&edit.text),
            })
            .collect(),
        marks: row
            .marks
            .into_iter()
            .map(|mark| MarkedJson {
                number: mark.number,
                mark: mark.kind.name(),
                at: civil.rfc3339(mark.at),
                by: line(&mark.by),
                text: words(&mark.text),
                unknown: words(&mark.unknown),
            })
            .collect(),
        pinned: row.pinned,
        file,
    }
}
