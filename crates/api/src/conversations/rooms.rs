//! Which rooms there are, who is in them, and how far each has read.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::Response;
use axum::{Extension, Json, http::StatusCode};
use domain::alerts::{self as alerts_domain, State as AlertState};
use domain::conversations::{self, Command, Follow, RoomRow};
use domain::units::Thing;
use domain::{Command as DomainCommand, RecipientId, RoomId, escalation, recipients, texts};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::followers::{self, DigestsJson, FollowerJson};
use super::messages::{MessageJson, shown};
use super::{INBOX, find, find_message, known, speaker};
use crate::fields::Fields;
use crate::guard::Principal;
use crate::input::{Bare, Input, Params, Segment, Segments};
use crate::problem::{NamedIn, Problem, of_query};
use crate::reading::View;
use crate::state::Shared;
use crate::submit::{Stored, submit};
use crate::units::Limit;

const PAGE_DEFAULT: u32 = 100;
const PAGE_MAX: u32 = 500;

/// Open alerts whose rooms are listed.
const ALERTS_MAX: u32 = 200;

/// People of one room in an answer.
const PEOPLE_MAX: usize = 1_000;

/// Those called among them; one more shows that there are others.
const CALLED_MAX: u32 = 1_001;

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListParams {
    /// Everyday rooms after this key; those of alerts and the inbox are on the first page.
    #[serde(default)]
    after: String,
    /// At most this many everyday rooms, up to 500.
    #[serde(default = "page_default")]
    #[param(default = 100, maximum = 500)]
    limit: u32,
    /// Everyday rooms that are closed as well.
    #[serde(default)]
    closed: bool,
    /// Counts what this person has not read.
    person: Option<String>,
}

fn page_default() -> u32 {
    PAGE_DEFAULT
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Rooms)]
pub(crate) struct RoomsJson {
    rooms: Vec<RoomSummary>,
    /// Ask with `after=` this for more; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// A room by itself.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RoomSummary {
    /// What paths call it: `inbox`, an alert's number, or its key.
    room: String,
    id: String,
    /// `inbox`, `alert` or `everyday`.
    kind: &'static str,
    name: String,
    /// Its words never leave by SMS or mail.
    restricted: bool,
    closed: bool,
    /// Messages in it.
    messages: u64,
    /// When the newest came; null of an empty room.
    newest_at: Option<String>,
    /// Messages the person asked about has not read; null when none was asked about.
    unread: Option<u64>,
}

/// A room with its people and what is pinned.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Room)]
pub(crate) struct RoomJson {
    #[serde(flatten)]
    room: RoomSummary,
    /// Those called to the alert and those added by name, by key.
    people: Vec<MemberJson>,
    /// There are more people than shown.
    more: bool,
    /// What everyone should see first.
    pinned: Vec<MessageJson>,
    /// Those who follow it by text or by mail, by key.
    followers: Vec<FollowerJson>,
    digests: DigestsJson,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RoomMember)]
struct MemberJson {
    key: String,
    name: String,
    /// The room's alert called them.
    called: bool,
    /// Added by name: how they follow the room, `app`, `sms` or `email`; null for those only called.
    follow: Option<&'static str>,
    /// Number of the last message they read; 0: none.
    read: u64,
    read_at: Option<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = PutRoom)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoomBody {
    /// 1 to 100 characters.
    name: String,
    /// Its words never leave by SMS or mail.
    #[serde(default)]
    restricted: bool,
    /// Nobody speaks there any more; what was said stays.
    #[serde(default)]
    closed: bool,
    author: Option<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = PutMember)]
#[serde(deny_unknown_fields)]
pub(crate) struct MemberBody {
    /// `app`, `sms` or `email`.
    #[serde(default = "in_the_app")]
    #[schema(default = "app")]
    follow: String,
    author: Option<String>,
}

fn in_the_app() -> String {
    Follow::App.name().to_owned()
}

#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = ReadTo)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReadBody {
    /// Key of the person who has read.
    person: String,
    /// Number or id of the last message read.
    message: String,
}

/// Lists rooms: the inbox, those of open alerts, newest first, and everyday ones by key; to responders their own.
#[utoipa::path(get, path = "/v1/rooms", tag = "rooms", params(ListParams), responses((status = 200, body = RoomsJson)))]
pub(super) async fn list(
    State(shared): State<Shared>,
    Params(params): Params<ListParams>,
    Extension(principal): Extension<Principal>,
    within: Limit,
    mut view: View,
) -> Result<Response, Problem> {
    if let Some(room) = principal.guest_room() {
        let alert = alerts_domain::find(&mut view.0, domain::AlertId(room.0)).await;
        let mut rooms = Vec::new();
        if let Some(alert) = alert.map_err(of_query)? {
            rooms.push(of_alert(&mut view, &alert, None).await?);
        }
        return Ok(view.answer(&RoomsJson { rooms, next: None }));
    }
    let person = match principal.own.as_ref().or(params.person.as_ref()) {
        Some(key) => Some(known(&shared, key).await?.0),
        None => None,
    };
    let limit = params.limit.clamp(1, PAGE_MAX);
    let mut rooms = Vec::new();
    let only = person.filter(|_| principal.own.is_some());
    if params.after.is_empty() {
        let open = Some(AlertState::Open);
        let own_units = within.keys(&mut view.0).await?;
        let alerts = match (only, &own_units) {
            (Some(person), _) => {
                alerts_domain::list_called(&mut view.0, person, open, None, ALERTS_MAX).await
            }
            (None, Some(units)) => {
                alerts_domain::list_of_units(&mut view.0, units, open, None, ALERTS_MAX).await
            }
            (None, None) => {
                rooms.push(inbox(&mut view, person).await?);
                alerts_domain::list(&mut view.0, open, None, ALERTS_MAX).await
            }
        };
        for alert in alerts.map_err(of_query)? {
            rooms.push(of_alert(&mut view, &alert, person).await?);
        }
    }
    let found = conversations::rooms(&mut view.0, &params.after, params.closed, limit)
        .await
        .map_err(of_query)?;
    let full = u32::try_from(found.len()).is_ok_and(|found| found == limit);
    let next = found.last().filter(|_| full).map(|room| room.key.clone());
    let found = within
        .kept(&mut view.0, found, |room| Thing::Room(room.id))
        .await?;
    for room in found {
        if let Some(person) = only {
            let member = conversations::member(&mut view.0, room.id, person).await;
            if member.map_err(of_query)?.is_none() {
                continue;
            }
        }
        rooms.push(everyday(&mut view, room, person).await?);
    }
    Ok(view.answer(&RoomsJson { rooms, next }))
}

/// Shows a room: who is in it, how far each has read, what is pinned.
#[utoipa::path(get, path = "/v1/rooms/{room}", tag = "rooms", params(("room" = String, Path)), responses((status = 200, body = RoomJson)))]
pub(super) async fn show(
    State(shared): State<Shared>,
    Segment(room): Segment,
    mut view: View,
) -> Result<Response, Problem> {
    let id = find(&shared, &room).await?;
    let alert = alerts_domain::find(&mut view.0, domain::AlertId(id.0))
        .await
        .map_err(of_query)?;
    let everyday_row = conversations::room(&mut view.0, id)
        .await
        .map_err(of_query)?;
    let (followers, digests) = followers::shown(&mut view, id, alert.as_ref()).await?;
    let room = match (alert, everyday_row) {
        (Some(alert), _) => of_alert(&mut view, &alert, None).await?,
        (None, Some(row)) => everyday(&mut view, row, None).await?,
        (None, None) if id == RoomId::DUTY_INBOX => inbox(&mut view, None).await?,
        (None, None) => return Err(Problem::not_found("there is no such room")),
    };
    let (people, more) = people(&mut view, id).await?;
    let pinned = conversations::pinned(&mut view.0, id)
        .await
        .map_err(of_query)?;
    let pinned = pinned.into_iter().map(|pinned| pinned.message).collect();
    let pinned = shown(&mut view, pinned).await?;
    Ok(view.answer(&RoomJson {
        room,
        people,
        more,
        pinned,
        followers,
        digests,
    }))
}

/// Opens an everyday room, or changes it.
#[utoipa::path(put, path = "/v1/rooms/{room}", tag = "rooms", params(("room" = String, Path, description = "Its key: 3 to 30 small letters, digits and hyphens")), request_body = RoomBody, responses((status = 200, body = Stored)))]
pub(super) async fn put(
    State(shared): State<Shared>,
    Segment(key): Segment,
    input: Input<RoomBody>,
) -> Result<Json<Stored>, Problem> {
    let body = input.value;
    let by = speaker(&shared, &input.order, body.author, None).await?;
    let command = DomainCommand::Conversations(Command::PutRoom {
        key,
        name: body.name,
        restricted: body.restricted,
        closed: body.closed,
        by,
    });
    let done = submit(&shared, input.order, command, NamedIn::Body).await?;
    Ok(Json(done.stored))
}

/// Adds somebody to a room, or changes how they follow it. Works on a node that is cut off, too.
#[utoipa::path(put, path = "/v1/rooms/{room}/members/{person}", tag = "rooms", params(("room" = String, Path), ("person" = String, Path)), request_body = MemberBody, responses((status = 200, body = Stored)))]
pub(super) async fn put_member(
    State(shared): State<Shared>,
    Segments(room, person): Segments,
    input: Input<MemberBody>,
) -> Result<Json<Stored>, Problem> {
    let body = input.value;
    let mut fields = Fields::default();
    let words = Follow::ALL.map(Follow::name);
    let Some(follow) = fields.one_of("/follow", &body.follow, Follow::parse, &words) else {
        return Err(fields.into_problem());
    };
    let command = Command::PutMember {
        room: find(&shared, &room).await?,
        person: known(&shared, &person).await?.0,
        member: true,
        follow,
        by: speaker(&shared, &input.order, body.author, None).await?,
    };
    let command = DomainCommand::Conversations(command);
    let done = submit(&shared, input.order, command, NamedIn::Path).await?;
    Ok(Json(done.stored))
}

/// Takes somebody out of a room who was added by name.
#[utoipa::path(delete, path = "/v1/rooms/{room}/members/{person}", tag = "rooms", params(("room" = String, Path), ("person" = String, Path)), responses((status = 200, body = Stored)))]
pub(super) async fn remove_member(
    State(shared): State<Shared>,
    Segments(room, person): Segments,
    bare: Bare,
) -> Result<Json<Stored>, Problem> {
    let command = Command::PutMember {
        room: find(&shared, &room).await?,
        person: known(&shared, &person).await?.0,
        member: false,
        follow: Follow::App,
        by: speaker(&shared, &bare.order, None, None).await?,
    };
    let command = DomainCommand::Conversations(command);
    let done = submit(&shared, bare.order, command, NamedIn::Path).await?;
    Ok(Json(done.stored))
}

/// Notes how far somebody has read. It never goes back.
#[utoipa::path(post, path = "/v1/rooms/{room}/read", tag = "rooms", params(("room" = String, Path)), request_body = ReadBody, responses((status = 200, body = Stored)))]
pub(super) async fn read(
    State(shared): State<Shared>,
    Segment(room): Segment,
    input: Input<ReadBody>,
) -> Result<(StatusCode, Json<Stored>), Problem> {
    let body = input.value;
    let message = find_message(&shared, &room, &body.message).await?;
    // Nobody who is signed in reads for somebody else.
    let own = input.order.person.as_deref();
    let key = own.filter(|_| input.order.signed.is_some());
    let (person, _) = known(&shared, key.unwrap_or(&body.person)).await?;
    let command = DomainCommand::Conversations(Command::Read { person, message });
    let done = submit(&shared, input.order, command, NamedIn::Body).await?;
    Ok((StatusCode::OK, Json(done.stored)))
}

async fn inbox(view: &mut View, person: Option<RecipientId>) -> Result<RoomSummary, Problem> {
    let summary = RoomSummary {
        room: INBOX.to_owned(),
        id: RoomId::DUTY_INBOX.to_string(),
        kind: "inbox",
        name: "Texts about no alert".to_owned(),
        restricted: false,
        closed: false,
        messages: 0,
        newest_at: None,
        unread: None,
    };
    counted(view, summary, RoomId::DUTY_INBOX, person).await
}

async fn of_alert(
    view: &mut View,
    alert: &alerts_domain::AlertRow,
    person: Option<RecipientId>,
) -> Result<RoomSummary, Problem> {
    let room = RoomId::of_alert(alert.id);
    let text = alert.texts.first().map_or("", |(_, text)| text.as_str());
    let summary = RoomSummary {
        room: alert.label.clone(),
        id: room.to_string(),
        kind: "alert",
        name: texts::clip(&texts::clean(text), 100),
        restricted: false,
        closed: false,
        messages: 0,
        newest_at: None,
        unread: None,
    };
    counted(view, summary, room, person).await
}

async fn everyday(
    view: &mut View,
    room: RoomRow,
    person: Option<RecipientId>,
) -> Result<RoomSummary, Problem> {
    let summary = RoomSummary {
        room: room.key,
        id: room.id.to_string(),
        kind: "everyday",
        name: texts::clean(&room.name),
        restricted: room.restricted,
        closed: room.closed,
        messages: 0,
        newest_at: None,
        unread: None,
    };
    counted(view, summary, room.id, person).await
}

/// With how much there is, and how much of it somebody has not read.
async fn counted(
    view: &mut View,
    mut summary: RoomSummary,
    room: RoomId,
    person: Option<RecipientId>,
) -> Result<RoomSummary, Problem> {
    let newest = conversations::newest(&mut view.0, room)
        .await
        .map_err(of_query)?;
    if let Some((sequence, at)) = newest {
        summary.messages = sequence;
        summary.newest_at = Some(view.1.rfc3339(at));
    }
    if let Some(person) = person {
        let reads = conversations::reads(&mut view.0, room)
            .await
            .map_err(of_query)?;
        let read = reads.iter().find(|read| read.person == person);
        let read = read.map_or(0, |read| read.sequence);
        summary.unread = Some(summary.messages.saturating_sub(read));
    }
    Ok(summary)
}

/// Everyone in a room, by key, and whether there are more.
async fn people(view: &mut View, room: RoomId) -> Result<(Vec<MemberJson>, bool), Problem> {
    let alert = domain::AlertId(room.0);
    let called = escalation::called(&mut view.0, alert, 0, CALLED_MAX)
        .await
        .map_err(of_query)?;
    let members = conversations::members(&mut view.0, room)
        .await
        .map_err(of_query)?;
    let reads = conversations::reads(&mut view.0, room)
        .await
        .map_err(of_query)?;
    let reads: BTreeMap<RecipientId, _> = reads.iter().map(|read| (read.person, read)).collect();
    let mut ids: Vec<RecipientId> = called.iter().map(|call| call.recipient).collect();
    ids.extend(members.iter().map(|member| member.person));
    ids.sort_unstable();
    ids.dedup();
    let more = ids.len() > PEOPLE_MAX;
    ids.truncate(PEOPLE_MAX);
    let known = recipients::by_ids(&mut view.0, &ids)
        .await
        .map_err(of_query)?;
    let shown = known.into_iter().map(|person| {
        let member = members.iter().find(|member| member.person == person.id);
        let read = reads.get(&person.id);
        MemberJson {
            called: called.iter().any(|call| call.recipient == person.id),
            key: person.key,
            name: texts::clean(&person.name),
            follow: member.map(|member| member.follow.name()),
            read: read.map_or(0, |read| read.sequence),
            read_at: read.map(|read| view.1.rfc3339(read.at)),
        }
    });
    Ok((shown.collect(), more))
}
