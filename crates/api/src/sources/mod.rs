//! Sources over HTTP: their settings, what they said, silences, and the stop of everything automatic. What the sources
//! themselves send comes in through `intake`.

mod body;
mod desk;
mod intake;
mod quiet;
mod redirect;
mod token;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Json, http::StatusCode};
use domain::Command as DomainCommand;
use domain::ports::Freshness;
use domain::sources::{self, Command, Signal, SourceRow};
use domain::vocabulary::Status;
use serde::{Deserialize, Serialize};
use tracing::info;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::body::{SignalJson, SourceBody, SourceJson, signal_json, source_json};
pub(crate) use self::desk::Desk;
use self::intake::{Raw, Said};
pub(crate) use self::quiet::stopped;
use self::token::SourceToken;
use crate::access::system_rng;
use crate::fields::Fields;
use crate::input::{Bare, Input, Params, Segment};
use crate::problem::{NamedIn, Problem, of_query};
use crate::reading::{self, View};
use crate::state::Shared;
use crate::submit::{Stored, submit};

const SIGNALS_DEFAULT: u32 = 100;
const SIGNALS_MAX: u32 = 1_000;
const TEXT_LEN_MAX: usize = 500;

/// The key of a contact that names none.
const CONTACT: &str = "contact";

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show, put, remove))
        .routes(routes!(new_token))
        .routes(routes!(signals))
        .routes(routes!(try_out))
        .routes(routes!(trigger))
        .merge(quiet::routes())
        .merge(redirect::routes())
        .merge(intake::routes())
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Sources)]
pub(crate) struct SourcesJson {
    sources: Vec<SourceJson>,
}

/// A token that was just made. The only time it is shown.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NewToken)]
pub(crate) struct NewTokenJson {
    #[serde(flatten)]
    stored: Stored,
    /// Send it as `Authorization: Bearer …`, or in the path.
    token: String,
    /// Path for senders that can set a header.
    path: String,
    /// Path for senders that cannot.
    path_with_token: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Signals)]
pub(crate) struct SignalsJson {
    /// Open ones first, then newest first.
    signals: Vec<SignalJson>,
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct SignalsParams {
    /// At most this many, up to 1,000.
    #[serde(default = "signals_default")]
    #[param(default = 100, maximum = 1000)]
    limit: u32,
}

fn signals_default() -> u32 {
    SIGNALS_DEFAULT
}

/// What would become of a sample.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Trial)]
pub(crate) struct TrialJson {
    signals: Vec<ForeseenJson>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Foreseen)]
pub(crate) struct ForeseenJson {
    key: String,
    severity: &'static str,
    status: &'static str,
    resolved: bool,
    texts: std::collections::BTreeMap<String, String>,
    labels: std::collections::BTreeMap<String, String>,
    /// `alone`: an alert at once. `bundle`: added to one that counts. `counted`: known already. `held`: nobody is told.
    /// `closes`: the end of something open. `nothing`: the end of something unknown.
    what: &'static str,
    /// Why it would be held.
    held: Option<&'static str>,
    /// How many people it would call.
    people: usize,
}

/// What a contact or a script reports.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TriggerBody {
    /// What happened, at most 500 characters; without it the source's name.
    text: Option<String>,
    /// Tells several matters of one source apart.
    key: Option<String>,
    /// It is over.
    #[serde(default)]
    resolve: bool,
}

/// Lists sources in order of key.
#[utoipa::path(get, path = "/v1/sources", tag = "sources", responses((status = 200, body = SourcesJson)))]
async fn list(State(shared): State<Shared>, mut view: View) -> Result<Response, Problem> {
    let rows = sources::sources(&mut view.0).await.map_err(of_query)?;
    let mut redirects = sources::redirects(&mut view.0).await.map_err(of_query)?;
    let now = shared.replica.now();
    let body = SourcesJson {
        sources: rows
            .into_iter()
            .map(|row| {
                let redirect = redirects.remove(&row.source.key);
                source_json(row, redirect, &view.1, now)
            })
            .collect(),
    };
    Ok(view.answer(&body))
}

/// Shows a source.
#[utoipa::path(get, path = "/v1/sources/{key}", tag = "sources", params(("key" = String, Path)), responses((status = 200, body = SourceJson)))]
async fn show(
    State(shared): State<Shared>,
    Segment(key): Segment,
    mut view: View,
) -> Result<Response, Problem> {
    let row = sources::source(&mut view.0, &key).await.map_err(of_query)?;
    let row = row.ok_or_else(unknown)?;
    let redirect = sources::redirect(&mut view.0, &key)
        .await
        .map_err(of_query)?;
    let body = source_json(row, redirect, &view.1, shared.replica.now());
    Ok(view.answer(&body))
}

/// Adds a source or replaces the one with this key; its token and what it said stay.
#[utoipa::path(put, path = "/v1/sources/{key}", tag = "sources", params(("key" = String, Path)), request_body = SourceBody, responses((status = 200, body = Stored)))]
async fn put(
    State(shared): State<Shared>,
    Segment(key): Segment,
    input: Input<SourceBody>,
) -> Result<Json<Stored>, Problem> {
    let source = Box::new(body::parse(key, input.value)?);
    let command = DomainCommand::Sources(Command::Put { source });
    let done = submit(&shared, input.order, command, NamedIn::Body).await?;
    Ok(Json(done.stored))
}

/// Removes a source with everything it said. Alerts it raised stay.
#[utoipa::path(delete, path = "/v1/sources/{key}", tag = "sources", params(("key" = String, Path)), responses((status = 200, body = Stored)))]
async fn remove(
    State(shared): State<Shared>,
    Segment(key): Segment,
    bare: Bare,
) -> Result<Json<Stored>, Problem> {
    let actor = bare.order.actor.label();
    let command = DomainCommand::Sources(Command::Remove { key: key.clone() });
    let done = submit(&shared, bare.order, command, NamedIn::Path).await?;
    info!(actor, source = key, "source removed");
    Ok(Json(done.stored))
}

/// Gives a source a new token; the old one ends at once.
#[utoipa::path(post, path = "/v1/sources/{key}/token", tag = "sources", params(("key" = String, Path)), responses((status = 201, body = NewTokenJson)))]
async fn new_token(
    State(shared): State<Shared>,
    Segment(key): Segment,
    bare: Bare,
) -> Result<Response, Problem> {
    let token = SourceToken::generate(&mut system_rng()?);
    let actor = bare.order.actor.label();
    let command = Command::SetToken {
        key: key.clone(),
        token_hash: token.hash(),
    };
    let command = DomainCommand::Sources(command);
    let done = submit(&shared, bare.order, command, NamedIn::Path).await?;
    check_is_ours(&shared, &key, &token, done.index()).await?;
    info!(actor, source = key, "source has a new token");
    let body = NewTokenJson {
        stored: done.stored,
        path: format!("/v1/sources/{key}/in"),
        path_with_token: format!("/v1/sources/{key}/{token}/in"),
        token: token.to_string(),
    };
    Ok((StatusCode::CREATED, Json(body)).into_response())
}

/// A repeat of an earlier request ends well without setting this token; it must not be handed out as if it did.
async fn check_is_ours(
    shared: &Shared,
    key: &str,
    token: &SourceToken,
    index: u64,
) -> Result<(), Problem> {
    let mut view = reading::open(shared, Freshness::AtLeast(index)).await?;
    let row = sources::source(&mut view, key).await.map_err(of_query)?;
    if row.is_some_and(|row| row.token_hash == Some(token.hash())) {
        return Ok(());
    }
    Err(Problem::new(
        crate::problem::Kind::Conflict,
        "another token was made with this request or meanwhile, and it was shown only then; make another with a new \
         Idempotency-Key",
    ))
}

/// Lists what a source said: what is open, what people were told, and what was held and why.
#[utoipa::path(get, path = "/v1/sources/{key}/signals", tag = "sources", params(("key" = String, Path), SignalsParams), responses((status = 200, body = SignalsJson)))]
async fn signals(
    Segment(key): Segment,
    Params(page): Params<SignalsParams>,
    mut view: View,
) -> Result<Response, Problem> {
    let known = sources::source(&mut view.0, &key).await.map_err(of_query)?;
    known.ok_or_else(unknown)?;
    let limit = page.limit.clamp(1, SIGNALS_MAX);
    let rows = sources::signals_of(&mut view.0, &key, limit)
        .await
        .map_err(of_query)?;
    let body = SignalsJson {
        signals: rows
            .into_iter()
            .map(|row| signal_json(row, &view.1))
            .collect(),
    };
    Ok(view.answer(&body))
}

/// Says what would become of a sample of what a source sends, and changes nothing.
#[utoipa::path(post, path = "/v1/sources/{key}/try", tag = "sources", params(("key" = String, Path)), request_body = serde_json::Value, responses((status = 200, body = TrialJson)))]
async fn try_out(
    State(shared): State<Shared>,
    Segment(key): Segment,
    raw: Raw,
) -> Result<Json<TrialJson>, Problem> {
    let mut view = reading::open(&shared, Freshness::Local).await?;
    let row: Option<SourceRow> = sources::source(&mut view, &key).await.map_err(of_query)?;
    let row = row.ok_or_else(unknown)?;
    let now = shared.replica.now();
    let mut foreseen = Vec::new();
    for signal in intake::read(&row.source, &raw.0)?.signals {
        let what = sources::foresee(&mut view, &row, &signal, now).await;
        let what = what.map_err(of_query)?;
        foreseen.push(ForeseenJson {
            key: signal.key,
            severity: signal.severity.name(),
            status: signal.status.name(),
            resolved: signal.resolved,
            texts: signal.texts.into_iter().collect(),
            labels: signal.labels.into_iter().collect(),
            what: what.what,
            held: what.held.map(sources::Held::name),
            people: what.people,
        });
    }
    Ok(Json(TrialJson { signals: foreseen }))
}

/// Reports for a source that something happened or is over: for contacts and scripts.
#[utoipa::path(post, path = "/v1/sources/{key}/trigger", tag = "sources", params(("key" = String, Path)), request_body = TriggerBody, responses((status = 200, body = intake::Taken)))]
async fn trigger(
    State(shared): State<Shared>,
    Segment(key): Segment,
    input: Input<TriggerBody>,
) -> Result<Json<intake::Taken>, Problem> {
    let mut fields = Fields::default();
    if let Some(text) = &input.value.text {
        fields.at_most("/text", text, TEXT_LEN_MAX);
    }
    if let Some(key) = &input.value.key {
        fields.at_most("/key", key, sources::KEY_LEN_MAX);
    }
    fields.finish()?;
    let mut view = reading::open(&shared, Freshness::Local).await?;
    let row = sources::source(&mut view, &key).await.map_err(of_query)?;
    drop(view);
    let source = row.ok_or_else(unknown)?.source;
    let given = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
    let signal = Signal {
        key: given(input.value.key).unwrap_or_else(|| CONTACT.to_owned()),
        texts: vec![(
            "und".to_owned(),
            given(input.value.text).unwrap_or_else(|| source.name.clone()),
        )],
        severity: source.severity,
        status: Status::Actual,
        labels: Vec::new(),
        resolved: input.value.resolve,
    };
    intake::hand_in(&shared, &source.key, Said::one(signal)).await?;
    Ok(Json(intake::Taken::one()))
}

fn unknown() -> Problem {
    Problem::not_found("there is no source with this key")
}
