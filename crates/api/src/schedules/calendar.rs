//! Calendars: feeds that calendar programs read by an unguessable address, export for whoever has a key, and import.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::oncall::calendar::{self, Addressees, Asked, Entry, Imported};
use domain::oncall::{self, Command, CreateFeed, FeedRow, Plan, Subject};
use domain::ports::{Freshness, ReadView};
use domain::{CivilTime, recipients, zones};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;
use tracing::info;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::body::FixedBody;
use super::feed_token::FeedToken;
use super::on_call::rfc3339;
use super::{TargetJson, change, civil_now, find, unknown, zone_of};
use crate::access::system_rng;
use crate::input::{Bare, Input, Segment};
use crate::problem::{Kind, NamedIn, Problem, of_query};
use crate::reading::{self, View};
use crate::state::Shared;
use crate::submit::Stored;

const DAY_MS: i64 = 86_400_000;

/// What a calendar shows of the past and of what is to come.
const PAST_MS: i64 = 30 * DAY_MS;
const AHEAD_MS: i64 = 180 * DAY_MS;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(revoke))
        .routes(routes!(read))
        .routes(routes!(export))
        .routes(routes!(import))
}

/// A new calendar feed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FeedBody {
    /// A schedule's shifts, or one person's shifts in all schedules.
    of: TargetJson,
}

/// A feed that was just made. The only time its address is shown.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NewFeed)]
pub(crate) struct NewFeedJson {
    #[serde(flatten)]
    stored: Stored,
    id: String,
    /// Path of the calendar at every node. Whoever knows it can read the calendar.
    #[schema(example = "/v1/calendars/1a2b3c4d-….ics")]
    path: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Feed)]
pub(crate) struct FeedJson {
    id: String,
    of: TargetJson,
    created_at: String,
    created_by: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Feeds)]
pub(crate) struct FeedsJson {
    feeds: Vec<FeedJson>,
}

/// A calendar whose events become fixed shifts.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ImportBody {
    /// iCalendar (RFC 5545). Each event is a shift of its attendees, or of the person whose key is its summary.
    calendar: String,
    /// Say what would happen and change nothing.
    #[serde(default)]
    dry_run: bool,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Import)]
pub(crate) struct ImportJson {
    /// Absent on a dry run, and when no event was taken.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    stored: Option<Stored>,
    dry_run: bool,
    taken: usize,
    refused: usize,
    /// One line for each event, in the calendar's order.
    events: Vec<EventJson>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ImportedEvent)]
pub(crate) struct EventJson {
    /// Line of the event in the calendar.
    line: usize,
    summary: String,
    /// The shifts it became; empty when it was refused.
    shifts: Vec<FixedBody>,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

/// Lists calendar feeds, also ended ones, oldest first. Their addresses are not kept.
#[utoipa::path(get, path = "/v1/feeds", tag = "on call", responses((status = 200, body = FeedsJson)))]
async fn list(mut view: View) -> Result<Response, Problem> {
    let rows = oncall::feeds(&mut view.0).await.map_err(of_query)?;
    let feed_json = |row: FeedRow| FeedJson {
        id: row.id,
        of: match row.subject {
            Subject::Schedule(key) => TargetJson::Schedule(key),
            Subject::Person(key) => TargetJson::Person(key),
        },
        created_at: view.1.rfc3339(row.created_at),
        created_by: row.created_by,
        revoked_at: rfc3339(&view.1, row.revoked_at),
    };
    let body = FeedsJson {
        feeds: rows.into_iter().map(feed_json).collect(),
    };
    Ok(view.answer(&body))
}

/// Makes a calendar feed of a schedule or a person.
#[utoipa::path(post, path = "/v1/feeds", tag = "on call", request_body = FeedBody, responses((status = 201, body = NewFeedJson)))]
async fn create(State(shared): State<Shared>, input: Input<FeedBody>) -> Result<Response, Problem> {
    let token = FeedToken::generate(&mut system_rng()?);
    let subject = match input.value.of {
        TargetJson::Schedule(key) => Subject::Schedule(key),
        TargetJson::Person(key) => Subject::Person(key),
    };
    let command = Command::CreateFeed(CreateFeed {
        id: token.id().to_owned(),
        subject,
        secret_hash: token.secret_hash(),
    });
    let actor = input.order.actor.label();
    let done = change(&shared, input.order, command, NamedIn::Body).await?;
    // A repeat of an earlier request ends well without making this feed.
    let mut view = reading::open(&shared, Freshness::AtLeast(done.index())).await?;
    let row = oncall::feed(&mut view, token.id())
        .await
        .map_err(of_query)?;
    if row.is_none_or(|row| row.secret_hash != token.secret_hash()) {
        return Err(Problem::new(
            Kind::Conflict,
            "this request made a feed before, and its address was shown only then; find that feed in the list, revoke \
             it, and make another with a new Idempotency-Key",
        ));
    }
    info!(actor, feed = token.id(), "calendar feed created");
    let body = NewFeedJson {
        stored: done.stored,
        id: token.id().to_owned(),
        path: format!("/v1/calendars/{token}.ics"),
    };
    Ok((StatusCode::CREATED, Json(body)).into_response())
}

/// Ends a calendar feed at once.
#[utoipa::path(delete, path = "/v1/feeds/{id}", tag = "on call", params(("id" = String, Path)), responses((status = 200, body = Stored)))]
async fn revoke(
    State(shared): State<Shared>,
    Segment(id): Segment,
    bare: Bare,
) -> Result<Json<Stored>, Problem> {
    let actor = bare.order.actor.label();
    let command = Command::RevokeFeed { id: id.clone() };
    let done = change(&shared, bare.order, command, NamedIn::Path).await?;
    info!(actor, feed = id, "calendar feed revoked");
    Ok(Json(done.stored))
}

/// Reads a calendar feed by its address, without a key. Nothing tells a wrong address from an ended one.
#[utoipa::path(get, path = "/v1/calendars/{feed}", tag = "on call", params(("feed" = String, Path)), responses((status = 200, content_type = "text/calendar", body = String)))]
async fn read(
    State(shared): State<Shared>,
    Segment(feed): Segment,
    mut view: View,
) -> Result<Response, Problem> {
    let nothing = || Problem::not_found("there is no calendar at this address");
    let token = feed.strip_suffix(".ics").unwrap_or(&feed);
    let token = FeedToken::parse(token).ok_or_else(nothing)?;
    let row = oncall::feed(&mut view.0, token.id())
        .await
        .map_err(of_query)?;
    // An unknown id is compared too, so that it takes as long as a wrong secret (SECURITY T-15).
    let expected = row.as_ref().map_or([0; 32], |row| row.secret_hash);
    let same: bool = token.secret_hash().ct_eq(&expected).into();
    let row = row.filter(|row| same && row.revoked_at.is_none());
    let row = row.ok_or_else(nothing)?;
    let now = civil_now(&shared, &view.1);
    let text = match &row.subject {
        Subject::Schedule(key) => of_schedule(&mut view.0, key, now).await?,
        Subject::Person(key) => of_person(&mut view.0, key, now).await?,
    };
    Ok(calendar_answer(text.ok_or_else(nothing)?))
}

/// A schedule's calendar for who has a key: what its feed shows.
#[utoipa::path(get, path = "/v1/schedules/{key}/calendar", tag = "on call", params(("key" = String, Path)), responses((status = 200, content_type = "text/calendar", body = String)))]
async fn export(
    State(shared): State<Shared>,
    Segment(key): Segment,
    mut view: View,
) -> Result<Response, Problem> {
    let now = civil_now(&shared, &view.1);
    let text = of_schedule(&mut view.0, &key, now).await?;
    Ok(calendar_answer(text.ok_or_else(unknown)?))
}

/// Takes a calendar's events as fixed shifts, event by event. An event that comes again under its UID replaces its
/// shifts.
#[utoipa::path(post, path = "/v1/schedules/{key}/import", tag = "on call", params(("key" = String, Path)), request_body = ImportBody, responses((status = 200, body = ImportJson)))]
async fn import(
    State(shared): State<Shared>,
    Segment(schedule): Segment,
    input: Input<ImportBody>,
) -> Result<Json<ImportJson>, Problem> {
    let ImportBody { calendar, dry_run } = input.value;
    let events = calendar::read(&calendar);
    let events =
        events.map_err(|error| Problem::new(Kind::InvalidInput, format!("calendar: {error}")))?;
    let mut view = reading::open(&shared, Freshness::Local).await?;
    let row = find(&mut view, &schedule).await?;
    let zone = zone_of(&mut view, &row).await?;
    let asked = Asked::by(&events);
    let people = addressees(&mut view, &asked).await?;
    let zones = zones::load(&mut view, &asked.zones)
        .await
        .map_err(of_query)?;
    drop(view);
    let imported = calendar::import(&events, &zone, &zones, &people);
    let taken: Vec<&Imported> = imported
        .iter()
        .filter(|event| event.shifts.is_ok())
        .collect();
    let shifts = taken.iter().filter_map(|event| event.shifts.as_ref().ok());
    let shifts: Vec<_> = shifts.flatten().cloned().collect();
    let taken = taken.len();
    let mut stored = None;
    if !dry_run && !shifts.is_empty() {
        let command = Command::PutFixed { schedule, shifts };
        let done = change(&shared, input.order, command, NamedIn::Body).await?;
        stored = Some(done.stored);
    }
    Ok(Json(ImportJson {
        stored,
        dry_run,
        taken,
        refused: imported.len() - taken,
        events: imported.into_iter().map(event_json).collect(),
    }))
}

fn event_json(event: Imported) -> EventJson {
    let (shifts, problem) = match event.shifts {
        Ok(shifts) => (shifts.into_iter().map(FixedBody::of).collect(), None),
        Err(problem) => (Vec::new(), Some(problem)),
    };
    EventJson {
        line: event.line,
        summary: event.summary,
        shifts,
        problem,
    }
}

/// The people a calendar names, as far as we know them.
async fn addressees(view: &mut ReadView, asked: &Asked) -> Result<Addressees, Problem> {
    let keys = asked.keys.iter().map(String::as_str).collect();
    let known = oncall::names_of_people(view, &keys).await;
    let mut people = Addressees {
        keys: known.map_err(of_query)?.into_keys().collect(),
        ..Addressees::default()
    };
    for mail in &asked.mails {
        let lower = mail.to_ascii_lowercase();
        let mut keys = BTreeSet::new();
        for written in BTreeSet::from([mail, &lower]) {
            let found = recipients::by_address(view, "email", written).await;
            keys.extend(found.map_err(of_query)?.into_iter().map(|row| row.key));
        }
        if keys.len() == 1 {
            people
                .by_mail
                .extend(keys.into_iter().map(|key| (lower.clone(), key)));
        }
    }
    Ok(people)
}

/// Everyone's shifts in a schedule. `None`: there is no such schedule.
async fn of_schedule(
    view: &mut ReadView,
    key: &str,
    now: CivilTime,
) -> Result<Option<String>, Problem> {
    let (from, to) = range(now);
    let plan = oncall::plan_of(view, key, from, to)
        .await
        .map_err(of_query)?;
    if plan.zone(key).is_none() {
        return Ok(None);
    }
    let entries = entries(view, &plan, &[key.to_owned()], None, (from, to)).await?;
    let name = plan.schedule(key);
    let name = name.map_or(key, |schedule| schedule.name.as_str());
    Ok(Some(calendar::write(name, &entries, now)))
}

/// One person's shifts in all schedules. `None`: the person was removed.
async fn of_person(
    view: &mut ReadView,
    person: &str,
    now: CivilTime,
) -> Result<Option<String>, Problem> {
    let Some(row) = recipients::person(view, person).await.map_err(of_query)? else {
        return Ok(None);
    };
    let (from, to) = range(now);
    let (plan, keys) = oncall::plan_of_person(view, person, from, to)
        .await
        .map_err(of_query)?;
    let entries = entries(view, &plan, &keys, Some(person), (from, to)).await?;
    let name = format!("On call: {}", row.name);
    Ok(Some(calendar::write(&name, &entries, now)))
}

fn range(now: CivilTime) -> (CivilTime, CivilTime) {
    (
        CivilTime(now.0.saturating_sub(PAST_MS)),
        CivilTime(now.0.saturating_add(AHEAD_MS)),
    )
}

async fn entries(
    view: &mut ReadView,
    plan: &Plan,
    keys: &[String],
    only: Option<&str>,
    (from, to): (CivilTime, CivilTime),
) -> Result<Vec<Entry>, Problem> {
    let mut found = Vec::new();
    for key in keys {
        let shifts = plan.shifts(key, from, to);
        let shifts = shifts.map_err(|error| Problem::new(Kind::TooLarge, error.to_string()))?;
        let wanted = shifts
            .into_iter()
            .filter(|shift| only.is_none_or(|person| shift.duty.person == person));
        found.extend(wanted.map(|shift| (key, shift)));
    }
    let people: BTreeSet<&str> = found.iter().map(|(_, s)| s.duty.person.as_str()).collect();
    let names = oncall::names_of_people(view, &people)
        .await
        .map_err(of_query)?;
    let titles = |key: &str| {
        let schedule = plan.schedule(key);
        schedule.map_or_else(|| key.to_owned(), |schedule| schedule.name.clone())
    };
    let entry = |(key, shift): (&String, oncall::Shift)| {
        let person = shift.duty.person.clone();
        // Someone who was removed is still in the plan until somebody changes it; a calendar should show that.
        let name = names.get(&person).unwrap_or(&person).clone();
        Entry {
            uid: format!("{key}-{person}-{}@holdfast", shift.from.0),
            from: shift.from,
            to: shift.to,
            summary: format!("{}: {name}", titles(key)),
            description: shift.duty.why(),
            person_name: name,
            person,
        }
    };
    Ok(found.into_iter().map(entry).collect())
}

fn calendar_answer(text: String) -> Response {
    let mut response = text.into_response();
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/calendar; charset=utf-8"),
    );
    response
}
