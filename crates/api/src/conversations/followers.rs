//! Who follows a room by text or by mail, and what came of it.

use axum::Json;
use axum::extract::State;
use domain::alerts::AlertRow;
use domain::bridge::{self, Held};
use domain::conversations::{Command, Follow};
use domain::{Command as DomainCommand, RoomId, recipients, texts};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{find, known, speaker};
use crate::fields::Fields;
use crate::input::{Bare, Input, Segments};
use crate::problem::{NamedIn, Problem, of_query};
use crate::reading::View;
use crate::state::Shared;
use crate::submit::{Stored, submit};

/// What leaves a room by text and mail.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RoomDigests)]
pub(super) struct DigestsJson {
    /// Messages are gathered for so many minutes; whoever is called by name or with `@all` is told at once.
    every_min: u64,
    /// SMS parts of one digest at most.
    parts_max: u16,
    /// Digests that left to all followers within the last hour.
    last_hour: u32,
    /// More wait for the next.
    last_hour_max: u32,
    /// Digests that one person gets within an hour, over all rooms; more wait.
    person_hour_max: u32,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RoomFollower)]
pub(super) struct FollowerJson {
    key: String,
    name: String,
    /// `sms` or `email`.
    by: &'static str,
    since: String,
    /// When it ends by itself: some hours after the alert is over; null while it is open and of everyday rooms.
    until: Option<String>,
    /// Messages of others that they were not told yet.
    waiting: u64,
    /// When they are told; null: nothing waits, or nothing can be sent.
    due_at: Option<String>,
    /// Why what was due waits: `person` (as many digests as one hour allows), `room` (the room sent as many), `unreachable`
    /// (no number or address left); null: nothing is held back.
    held: Option<&'static str>,
    /// Digests that left to them about this room within 30 days.
    digests: u64,
    /// Messages that did not fit into those, or that stay in the app, and were only counted.
    left_out: u64,
    /// Digests that did not reach them.
    failed: u64,
}

#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = FollowRoom)]
#[serde(deny_unknown_fields)]
pub(crate) struct FollowBody {
    /// `sms` or `email`.
    by: String,
    author: Option<String>,
}

/// Lets somebody follow a room by text or by mail: themselves, or whoever may write in every room lets them. Works on a node
/// that is cut off, too.
#[utoipa::path(put, path = "/v1/rooms/{room}/followers/{key}", tag = "rooms", params(("room" = String, Path), ("key" = String, Path, description = "Key of the person")), request_body = FollowBody, responses((status = 200, body = Stored)))]
pub(super) async fn follow(
    State(shared): State<Shared>,
    Segments(room, person): Segments,
    input: Input<FollowBody>,
) -> Result<Json<Stored>, Problem> {
    let body = input.value;
    let mut fields = Fields::default();
    let outside = |word: &str| Follow::parse(word).filter(|follow| *follow != Follow::App);
    let words = [Follow::Sms.name(), Follow::Email.name()];
    let Some(follow) = fields.one_of("/by", &body.by, outside, &words) else {
        return Err(fields.into_problem());
    };
    let command = Command::Follow {
        room: find(&shared, &room).await?,
        person: known(&shared, &person).await?.0,
        follow,
        by: speaker(&shared, &input.order, body.author, None).await?,
    };
    let command = DomainCommand::Conversations(command);
    let done = submit(&shared, input.order, command, NamedIn::Path).await?;
    Ok(Json(done.stored))
}

/// Ends that somebody follows a room by text or by mail. They stay in it.
#[utoipa::path(delete, path = "/v1/rooms/{room}/followers/{key}", tag = "rooms", params(("room" = String, Path), ("key" = String, Path, description = "Key of the person")), responses((status = 200, body = Stored)))]
pub(super) async fn unfollow(
    State(shared): State<Shared>,
    Segments(room, person): Segments,
    bare: Bare,
) -> Result<Json<Stored>, Problem> {
    let command = Command::Follow {
        room: find(&shared, &room).await?,
        person: known(&shared, &person).await?.0,
        follow: Follow::App,
        by: speaker(&shared, &bare.order, None, None).await?,
    };
    let command = DomainCommand::Conversations(command);
    let done = submit(&shared, bare.order, command, NamedIn::Path).await?;
    Ok(Json(done.stored))
}

/// Who follows a room from outside, by key, and what leaves it.
pub(super) async fn shown(
    view: &mut View,
    room: RoomId,
    alert: Option<&AlertRow>,
) -> Result<(Vec<FollowerJson>, DigestsJson), Problem> {
    let as_of = view.0.as_of;
    let rows = bridge::followers(&mut view.0, room)
        .await
        .map_err(of_query)?;
    let ids: Vec<_> = rows.iter().map(|row| row.person).collect();
    let people = recipients::by_ids(&mut view.0, &ids)
        .await
        .map_err(of_query)?;
    let last_hour = bridge::spent(&mut view.0, room, as_of)
        .await
        .map_err(of_query)?;
    let civil = &view.1;
    let until = bridge::ends(alert).map(|at| civil.rfc3339(at));
    let followers = people.into_iter().filter_map(|person| {
        let row = rows.iter().find(|row| row.person == person.id)?;
        Some(FollowerJson {
            key: person.key,
            name: texts::clean(&person.name),
            by: row.by.name(),
            since: civil.rfc3339(row.since),
            until: until.clone(),
            waiting: row.waiting,
            due_at: row.due.map(|at| civil.rfc3339(at)),
            held: Some(row.held)
                .filter(|held| *held != Held::No)
                .map(Held::name),
            digests: row.digests,
            left_out: row.left_out,
            failed: row.failed,
        })
    });
    let digests = DigestsJson {
        every_min: bridge::period(alert.map(|alert| alert.severity)).as_secs() / 60,
        parts_max: texts::DIGEST_PARTS_MAX,
        last_hour,
        last_hour_max: bridge::ROOM_HOUR_MAX,
        person_hour_max: bridge::PERSON_HOUR_MAX,
    };
    Ok((followers.collect(), digests))
}
