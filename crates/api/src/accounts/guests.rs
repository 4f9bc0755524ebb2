//! People from outside in one alert's room.

use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Json, http::StatusCode};
use domain::access::accounts::{self, AccountRow};
use domain::deliveries::State as TextState;
use domain::passes::{self, AddGuest, Command, GUEST_TIME, GUEST_TIME_MAX};
use domain::ports::Freshness;
use domain::{AlertId, Command as DomainCommand};
use serde::{Deserialize, Serialize};
use tracing::info;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::conversations;
use crate::fields::Fields;
use crate::input::{Bare, Input, Segment, Segments};
use crate::problem::{Kind, NamedIn, Problem, of_query};
use crate::reading::{self, View};
use crate::state::Shared;
use crate::submit::{Stored, submit};

const HOUR: Duration = Duration::from_secs(3_600);

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list, add))
        .routes(routes!(end))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GuestBody {
    /// As people should read it: 1 to 60 characters.
    #[schema(example = "Kai Laine, Fire Brigade")]
    name: String,
    /// Where the code that lets them in is texted.
    #[schema(example = "+358401234567")]
    number: String,
    /// How long they stay: 1 to 168 hours.
    #[serde(default = "a_day")]
    #[schema(default = 24)]
    hours: u64,
}

fn a_day() -> u64 {
    GUEST_TIME.as_secs() / HOUR.as_secs()
}

/// Somebody from outside in one room.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Guest)]
pub(crate) struct GuestJson {
    account: String,
    /// Ends in `(guest)`.
    name: String,
    /// Always true: what is shown beside people says who is none of ours.
    guest: bool,
    number: String,
    added_at: String,
    added_by: String,
    /// How far the text with the code has come, in the words of deliveries; null: this node does not know.
    code: Option<&'static str>,
    /// When the code came back from a device: since then the number is known to be theirs. Null: not yet.
    proven_at: Option<String>,
    /// When it ends by itself.
    expires_at: String,
    ended_at: Option<String>,
    /// Who ended it; empty when nobody did.
    ended_by: String,
    /// Devices let in.
    sessions: usize,
    /// Whether they are let in now.
    live: bool,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Guests)]
pub(crate) struct GuestsJson {
    guests: Vec<GuestJson>,
}

/// Somebody from outside was let in.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AddedGuest)]
pub(crate) struct AddedJson {
    #[serde(flatten)]
    stored: Stored,
    guest: GuestJson,
}

/// Lists those from outside who were let into a room, by when they were added, also those whose time is over.
#[utoipa::path(get, path = "/v1/rooms/{room}/guests", tag = "rooms", params(("room" = String, Path)), responses((status = 200, body = GuestsJson)))]
async fn list(
    State(shared): State<Shared>,
    Segment(room): Segment,
    mut view: View,
) -> Result<Response, Problem> {
    let room = conversations::find(&shared, &room).await?;
    let rows = accounts::guests(&mut view.0, room)
        .await
        .map_err(of_query)?;
    let mut guests = Vec::with_capacity(rows.len());
    for row in rows {
        guests.extend(guest_json(&mut view, row).await?);
    }
    Ok(view.answer(&GuestsJson { guests }))
}

/// Lets somebody from outside into the room of an open alert, and nowhere else, until a time. They are texted a code for the
/// app, which shows that the number is theirs.
#[utoipa::path(post, path = "/v1/rooms/{room}/guests", tag = "rooms", params(("room" = String, Path)), request_body = GuestBody, responses((status = 201, body = AddedJson)))]
async fn add(
    State(shared): State<Shared>,
    Segment(room): Segment,
    input: Input<GuestBody>,
) -> Result<Response, Problem> {
    let body = input.value;
    let mut fields = Fields::default();
    if !(1..=GUEST_TIME_MAX.as_secs() / HOUR.as_secs()).contains(&body.hours) {
        fields.add("/hours", "a guest stays for 1 to 168 hours");
    }
    fields.finish()?;
    let room = conversations::find(&shared, &room).await?;
    // The same request makes the same guest.
    let id = data_encoding::HEXLOWER.encode(&input.order.request.as_bytes()[..6]);
    let account = format!("guest-{id}");
    info!(
        actor = input.order.actor.label(),
        account, "guest let into a room"
    );
    let command = DomainCommand::Passes(Command::AddGuest(AddGuest {
        account: account.clone(),
        alert: AlertId(room.0),
        name: body.name,
        number: body.number,
        valid_ms: body.hours.saturating_mul(3_600_000),
    }));
    let done = submit(&shared, input.order, command, NamedIn::Path).await?;
    let view = reading::open(&shared, Freshness::AtLeast(done.index())).await?;
    let mut view = View::new(view).await?;
    let row = accounts::account(&mut view.0, &account)
        .await
        .map_err(of_query)?;
    let guest = match row {
        Some(row) => guest_json(&mut view, row).await?,
        None => None,
    };
    let Some(guest) = guest else {
        let text = "the guest cannot be read back; list the room's guests";
        return Err(Problem::new(Kind::Internal, text));
    };
    let added = AddedJson {
        stored: done.stored,
        guest,
    };
    Ok((StatusCode::CREATED, Json(added)).into_response())
}

/// Shows a guest out, at once and on every node.
#[utoipa::path(delete, path = "/v1/rooms/{room}/guests/{account}", tag = "rooms", params(("room" = String, Path), ("account" = String, Path)), responses((status = 200, body = Stored)))]
async fn end(
    State(shared): State<Shared>,
    Segments(room, account): Segments,
    bare: Bare,
) -> Result<Json<Stored>, Problem> {
    let room = conversations::find(&shared, &room).await?;
    let mut view = reading::open(&shared, Freshness::Local).await?;
    let known = accounts::account(&mut view, &account)
        .await
        .map_err(of_query)?;
    drop(view);
    let guest = known.and_then(|known| known.guest);
    if guest.is_none_or(|guest| guest.room != room) {
        return Err(Problem::not_found("there is no such guest in this room"));
    }
    info!(actor = bare.order.actor.label(), account, "guest shown out");
    let command = DomainCommand::Passes(Command::EndGuest { account });
    let done = submit(&shared, bare.order, command, NamedIn::Path).await?;
    Ok(Json(done.stored))
}

/// A guest as people see it; `None` for an account that is none.
async fn guest_json(view: &mut View, row: AccountRow) -> Result<Option<GuestJson>, Problem> {
    let now = view.0.as_of;
    let live = row.lets_in(now);
    let Some(guest) = row.guest else {
        return Ok(None);
    };
    let sessions = accounts::sessions(&mut view.0, &row.name)
        .await
        .map_err(of_query)?;
    let code = passes::guest_code(&mut view.0, &row.name, &guest)
        .await
        .map_err(of_query)?;
    let open = sessions
        .iter()
        .filter_map(|session| session.lives_until(&row.roles));
    let time = |at| view.1.rfc3339(at);
    Ok(Some(GuestJson {
        sessions: open.filter(|until| live && now < *until).count(),
        account: row.name,
        name: row.shown,
        guest: true,
        number: guest.number,
        added_at: time(guest.added_at),
        added_by: guest.added_by,
        code: code.text.map(TextState::name),
        proven_at: code.proven_at.map(time),
        expires_at: time(guest.expires_at),
        ended_at: guest.ended_at.map(time),
        ended_by: guest.ended_by,
        live,
    }))
}
