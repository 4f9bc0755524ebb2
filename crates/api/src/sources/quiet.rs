//! Silences, maintenance windows, the stop of everything automatic, and what holds for all sources.

use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Json, http::StatusCode};
use domain::ports::Freshness;
use domain::sources::{self, Command, Matcher, Settings, Silence, SilenceKind, SilenceRow, Test};
use domain::{Civil, Command as DomainCommand, Timestamp, nodes};
use serde::{Deserialize, Serialize};
use tracing::info;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::body::{CallsJson, calls, named};
use crate::fields::Fields;
use crate::input::{Bare, Input, Segment};
use crate::problem::{NamedIn, Problem, of_query};
use crate::reading::{self, View};
use crate::state::Shared;
use crate::submit::{Stored, submit};
use crate::time::parse_rfc3339;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list_silences, add_silence))
        .routes(routes!(end_silence))
        .routes(routes!(show_stop, stop_all, resume))
        .routes(routes!(show_settings, set))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SilenceBody {
    /// `silence` or `maintenance`.
    #[serde(default = "silence")]
    #[schema(default = "silence")]
    kind: String,
    /// Key of a source; absent: every source.
    source: Option<String>,
    /// All of them must match.
    #[serde(default)]
    matchers: Vec<MatcherJson>,
    /// When it begins (RFC 3339), if not now.
    from: Option<String>,
    /// When it ends (RFC 3339), at most 31 days later.
    until: Option<String>,
    /// How many seconds it lasts, instead of `until`.
    for_s: Option<u64>,
    /// Why, as people should read it: 1 to 500 characters.
    reason: String,
}

fn silence() -> String {
    SilenceKind::Silence.name().to_owned()
}

/// One condition on a label; `key` is the signal's own key.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MatcherJson {
    #[schema(example = "instance")]
    label: String,
    /// `is`, `is_not` or `begins`.
    #[serde(default = "is")]
    #[schema(default = "is")]
    test: String,
    #[schema(example = "db1")]
    value: String,
}

fn is() -> String {
    Test::Is.name().to_owned()
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Silence)]
pub(super) struct SilenceJson {
    id: String,
    kind: &'static str,
    source: Option<String>,
    matchers: Vec<MatcherJson>,
    from: String,
    until: String,
    reason: String,
    made_by: String,
    made_at: String,
    /// How many signals it swallowed.
    swallowed: u64,
    /// The last of them.
    newest: String,
    /// Its end was told.
    over: bool,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Silences)]
pub(super) struct SilencesJson {
    /// Those that end last first.
    silences: Vec<SilenceJson>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NewSilence)]
pub(super) struct NewSilenceJson {
    #[serde(flatten)]
    stored: Stored,
    id: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StopBody {
    /// Why, as people should read it: 1 to 500 characters.
    reason: String,
    /// Seconds until it ends by itself, at most 1,800.
    #[serde(default = "longest")]
    #[schema(default = 1800)]
    for_s: u64,
}

fn longest() -> u64 {
    sources::STOP_MS_MAX / 1_000
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SourceStop)]
pub(crate) struct StopJson {
    since: String,
    /// When it ends by itself.
    until: String,
    reason: String,
    made_by: String,
    /// How many signals it swallowed.
    swallowed: u64,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SourceStopState)]
pub(super) struct StopStateJson {
    /// Null while automatic sources run.
    stop: Option<StopJson>,
}

/// What holds for all sources.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SourceSettings)]
pub(super) struct SettingsJson {
    /// At most so many automatic alarms of a severity or worse reach one person in 10 minutes one by one; the rest are
    /// told as one with a count. 1 to 100.
    person_alarms: u16,
    /// Called when whoever a source calls is gone.
    #[serde(default)]
    duty: CallsJson,
}

/// Lists silences and maintenance windows with what they swallowed.
#[utoipa::path(get, path = "/v1/silences", tag = "sources", responses((status = 200, body = SilencesJson)))]
async fn list_silences(mut view: View) -> Result<Response, Problem> {
    let rows = sources::silences(&mut view.0).await.map_err(of_query)?;
    let body = SilencesJson {
        silences: rows
            .into_iter()
            .map(|row| silence_json(row, &view.1))
            .collect(),
    };
    Ok(view.answer(&body))
}

/// Adds a silence or a maintenance window. It always ends, and says then what it swallowed.
#[utoipa::path(post, path = "/v1/silences", tag = "sources", request_body = SilenceBody, responses((status = 201, body = NewSilenceJson)))]
async fn add_silence(
    State(shared): State<Shared>,
    input: Input<SilenceBody>,
) -> Result<Response, Problem> {
    let mut view = reading::open(&shared, Freshness::Local).await?;
    let civil = nodes::civil(&mut view).await.map_err(of_query)?;
    drop(view);
    // From the request, so that a repeat of it is about the same one.
    let id = input.order.request.to_string();
    let silence = parse(input.value, id.clone(), &civil, shared.replica.now())?;
    let actor = input.order.actor.label();
    let command = DomainCommand::Sources(Command::PutSilence(silence));
    let done = submit(&shared, input.order, command, NamedIn::Body).await?;
    info!(actor, silence = id, "silence added");
    let body = NewSilenceJson {
        stored: done.stored,
        id,
    };
    Ok((StatusCode::CREATED, Json(body)).into_response())
}

/// Ends a silence or window now.
#[utoipa::path(delete, path = "/v1/silences/{id}", tag = "sources", params(("id" = String, Path)), responses((status = 200, body = Stored)))]
async fn end_silence(
    State(shared): State<Shared>,
    Segment(id): Segment,
    bare: Bare,
) -> Result<Json<Stored>, Problem> {
    let command = DomainCommand::Sources(Command::EndSilence { id });
    let done = submit(&shared, bare.order, command, NamedIn::Path).await?;
    Ok(Json(done.stored))
}

/// Shows whether everything automatic is stopped.
#[utoipa::path(get, path = "/v1/source-stop", tag = "sources", responses((status = 200, body = StopStateJson)))]
async fn show_stop(State(shared): State<Shared>, mut view: View) -> Result<Response, Problem> {
    let now = shared.replica.now();
    let stop = sources::stop(&mut view.0, now).await.map_err(of_query)?;
    let body = StopStateJson {
        stop: stop.map(|stop| stop_json(stop, &view.1)),
    };
    Ok(view.answer(&body))
}

/// Stops everything automatic for a while; it ends by itself. People's own alerts go on.
#[utoipa::path(post, path = "/v1/source-stop", tag = "sources", request_body = StopBody, responses((status = 200, body = Stored)))]
async fn stop_all(
    State(shared): State<Shared>,
    input: Input<StopBody>,
) -> Result<Json<Stored>, Problem> {
    let actor = input.order.actor.label();
    let command = DomainCommand::Sources(Command::StopAll {
        reason: input.value.reason,
        for_ms: input.value.for_s.saturating_mul(1_000),
    });
    let done = submit(&shared, input.order, command, NamedIn::Body).await?;
    info!(actor, "all automatic sources are stopped");
    Ok(Json(done.stored))
}

/// Ends that before its time.
#[utoipa::path(delete, path = "/v1/source-stop", tag = "sources", responses((status = 200, body = Stored)))]
async fn resume(State(shared): State<Shared>, bare: Bare) -> Result<Json<Stored>, Problem> {
    let actor = bare.order.actor.label();
    let command = DomainCommand::Sources(Command::Resume);
    let done = submit(&shared, bare.order, command, NamedIn::Path).await?;
    info!(actor, "automatic sources run again");
    Ok(Json(done.stored))
}

/// Shows what holds for all sources.
#[utoipa::path(get, path = "/v1/source-settings", tag = "sources", responses((status = 200, body = SettingsJson)))]
async fn show_settings(mut view: View) -> Result<Response, Problem> {
    let settings = sources::settings(&mut view.0).await.map_err(of_query)?;
    Ok(view.answer(&SettingsJson {
        person_alarms: settings.person_alarms,
        duty: calls(&settings.duty),
    }))
}

/// Sets what holds for all sources.
#[utoipa::path(put, path = "/v1/source-settings", tag = "sources", request_body = SettingsJson, responses((status = 200, body = Stored)))]
async fn set(
    State(shared): State<Shared>,
    input: Input<SettingsJson>,
) -> Result<Json<Stored>, Problem> {
    let settings = Settings {
        person_alarms: input.value.person_alarms,
        duty: named(input.value.duty),
    };
    let command = DomainCommand::Sources(Command::Set(settings));
    let done = submit(&shared, input.order, command, NamedIn::Body).await?;
    Ok(Json(done.stored))
}

/// In words, when everything automatic is stopped: every answer about the cluster's state says so.
pub(crate) async fn stopped(shared: &Shared) -> Option<String> {
    let mut view = reading::open(shared, Freshness::Local).await.ok()?;
    let stop = sources::stop(&mut view, shared.replica.now())
        .await
        .ok()??;
    let civil = nodes::civil(&mut view).await.ok()?;
    Some(format!(
        "automatic sources are stopped until {} by {}: {}; people's own alerts go on",
        civil.rfc3339(stop.until),
        stop.by,
        stop.reason
    ))
}

fn parse(body: SilenceBody, id: String, civil: &Civil, now: Timestamp) -> Result<Silence, Problem> {
    let mut fields = Fields::default();
    let kind = SilenceKind::parse(&body.kind);
    if kind.is_none() {
        fields.add("/kind", "is not known; write silence or maintenance");
    }
    let mut matchers = Vec::with_capacity(body.matchers.len());
    for (index, matcher) in body.matchers.into_iter().enumerate() {
        let Some(test) = Test::parse(&matcher.test) else {
            let pointer = format!("/matchers/{index}/test");
            fields.add(pointer, "is not known; write is, is_not or begins");
            continue;
        };
        matchers.push(Matcher {
            label: matcher.label,
            test,
            value: matcher.value,
        });
    }
    let from = match &body.from {
        None => Some(now),
        Some(text) => fields
            .take("/from", parse_rfc3339(text))
            .map(|at| civil.moment(at)),
    };
    let until = match (&body.until, body.for_s) {
        (Some(text), None) => fields
            .take("/until", parse_rfc3339(text))
            .map(|at| civil.moment(at)),
        (None, Some(seconds)) => from.map(|from| from + Duration::from_secs(seconds)),
        (Some(_), Some(_)) | (None, None) => {
            fields.add(
                "/until",
                "must say when it ends, or for_s how long it lasts, not both",
            );
            None
        }
    };
    let (Some(kind), Some(from), Some(until)) = (kind, from, until) else {
        return Err(fields.into_problem());
    };
    let silence = Silence {
        id,
        kind,
        source: body.source.unwrap_or_default(),
        matchers,
        from,
        until,
        reason: body.reason,
    };
    fields.take("", sources::check_silence(&silence));
    fields.finish()?;
    Ok(silence)
}

fn silence_json(row: SilenceRow, civil: &Civil) -> SilenceJson {
    let silence = row.silence;
    SilenceJson {
        id: silence.id,
        kind: silence.kind.name(),
        source: (!silence.source.is_empty()).then_some(silence.source),
        matchers: silence
            .matchers
            .into_iter()
            .map(|matcher| MatcherJson {
                label: matcher.label,
                test: matcher.test.name().to_owned(),
                value: matcher.value,
            })
            .collect(),
        from: civil.rfc3339(silence.from),
        until: civil.rfc3339(silence.until),
        reason: silence.reason,
        made_by: row.by,
        made_at: civil.rfc3339(row.made_at),
        swallowed: row.swallowed,
        newest: row.newest,
        over: row.due.is_none(),
    }
}

pub(crate) fn stop_json(stop: sources::Stop, civil: &Civil) -> StopJson {
    StopJson {
        since: civil.rfc3339(stop.since),
        until: civil.rfc3339(stop.until),
        reason: stop.reason,
        made_by: stop.by,
        swallowed: stop.swallowed,
    }
}
