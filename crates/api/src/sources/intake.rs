//! What sources send: webhooks and signs of life, each under the token of its own source. Tokens are never logged.

use axum::Json;
use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::nodes;
use domain::ports::Freshness;
use domain::sources::{
    self, Arrival, Arrived, Kind as SourceKind, Signal, Source, SourceRow, Word,
};
use serde::Serialize;
use serde_json::Value;
use subtle::ConstantTimeEq;
use tracing::{info, warn};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::token::SourceToken;
use crate::cap;
use crate::input;
use crate::problem::{Kind, Problem, of_query};
use crate::reading::{self, View};
use crate::state::Shared;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(receive))
        .routes(routes!(receive_at_address))
        .routes(routes!(beat, beat_by_get))
        .routes(routes!(beat_at_address, beat_at_address_by_get))
}

/// What was taken.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Taken {
    /// How many signals. Whether people were told of them is in the source's list.
    accepted: usize,
}

impl Taken {
    pub(super) fn one() -> Self {
        Self { accepted: 1 }
    }
}

/// The source a request proved to be, by the token in its path or its header.
pub(crate) struct Proven(Source);

impl FromRequestParts<Shared> for Proven {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Problem> {
        let path = RawPathParams::from_request_parts(parts, shared).await;
        let path = path.map_err(|error| Problem::new(Kind::BadRequest, error.body_text()))?;
        let named = |name| {
            path.iter()
                .find(|(found, _)| *found == name)
                .map(|(_, v)| v)
        };
        let key = named("key").unwrap_or_default();
        let token = named("token").or_else(|| bearer(parts));
        let Some(token) = token.and_then(SourceToken::parse) else {
            return Err(refused());
        };
        let mut row = look_up(shared, key, Freshness::Local).await?;
        if !proves(row.as_ref(), &token)
            && let Some(_asking) = shared.keys.ask()
        {
            // A node that lags may not know a new token yet, and must not call a good one bad.
            row = look_up(shared, key, Freshness::Linearizable).await?;
        }
        match row.filter(|row| proves(Some(row), &token)) {
            Some(row) => Ok(Self(row.source)),
            None => {
                info!("signal refused: the token is not that of its source");
                Err(refused())
            }
        }
    }
}

fn bearer(parts: &Parts) -> Option<&str> {
    let value = parts.headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

async fn look_up(
    shared: &Shared,
    key: &str,
    freshness: Freshness,
) -> Result<Option<SourceRow>, Problem> {
    let mut view = reading::open(shared, freshness).await?;
    sources::source(&mut view, key).await.map_err(of_query)
}

/// An unknown source is compared too, so that it takes as long as a wrong token (SECURITY T-15).
fn proves(row: Option<&SourceRow>, token: &SourceToken) -> bool {
    let expected = row.and_then(|row| row.token_hash);
    let same: bool = token.hash().ct_eq(&expected.unwrap_or([0; 32])).into();
    same && expected.is_some()
}

fn refused() -> Problem {
    Problem::new(
        Kind::NotAuthenticated,
        "this is not the token of this source; make a new one with `holdfast source token`",
    )
    .with_header(header::WWW_AUTHENTICATE, "Bearer realm=\"holdfast\"")
}

/// The bytes a source sent, whatever it says they are: senders are careless about content types.
pub(crate) struct Raw(pub(crate) Vec<u8>);

impl FromRequest<Shared> for Raw {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &Shared) -> Result<Self, Problem> {
        input::read(request.into_body()).await.map(Self)
    }
}

/// Takes what a source sends, its token in the header.
#[utoipa::path(post, path = "/v1/sources/{key}/in", tag = "sources", params(("key" = String, Path)), request_body = Value, responses((status = 200, body = Taken)))]
async fn receive(
    State(shared): State<Shared>,
    proven: Proven,
    raw: Raw,
) -> Result<Response, Problem> {
    take(&shared, proven.0, &raw.0).await
}

/// Takes what a source sends that cannot set headers.
#[utoipa::path(post, path = "/v1/sources/{key}/{token}/in", tag = "sources", params(("key" = String, Path), ("token" = String, Path)), request_body = Value, responses((status = 200, body = Taken)))]
async fn receive_at_address(
    State(shared): State<Shared>,
    proven: Proven,
    raw: Raw,
) -> Result<Response, Problem> {
    take(&shared, proven.0, &raw.0).await
}

/// Takes a sign of life, the token in the header.
#[utoipa::path(post, path = "/v1/sources/{key}/beat", tag = "sources", params(("key" = String, Path)), responses((status = 200, body = Taken)))]
async fn beat(State(shared): State<Shared>, proven: Proven) -> Result<Json<Taken>, Problem> {
    alive(&shared, proven.0).await
}

/// Takes a sign of life, for senders that can only fetch.
#[utoipa::path(get, path = "/v1/sources/{key}/beat", tag = "sources", params(("key" = String, Path)), responses((status = 200, body = Taken)))]
async fn beat_by_get(State(shared): State<Shared>, proven: Proven) -> Result<Json<Taken>, Problem> {
    alive(&shared, proven.0).await
}

/// Takes a sign of life of a sender that cannot set headers.
#[utoipa::path(post, path = "/v1/sources/{key}/{token}/beat", tag = "sources", params(("key" = String, Path), ("token" = String, Path)), responses((status = 200, body = Taken)))]
async fn beat_at_address(
    State(shared): State<Shared>,
    proven: Proven,
) -> Result<Json<Taken>, Problem> {
    alive(&shared, proven.0).await
}

/// Takes a sign of life of a sender that can only fetch an address.
#[utoipa::path(get, path = "/v1/sources/{key}/{token}/beat", tag = "sources", params(("key" = String, Path), ("token" = String, Path)), responses((status = 200, body = Taken)))]
async fn beat_at_address_by_get(
    State(shared): State<Shared>,
    proven: Proven,
) -> Result<Json<Taken>, Problem> {
    alive(&shared, proven.0).await
}

async fn alive(shared: &Shared, source: Source) -> Result<Json<Taken>, Problem> {
    if source.beat.is_none() {
        let detail = "this source is not a heartbeat; post its signals to …/in";
        return Err(Problem::new(Kind::InvalidInput, detail));
    }
    let arrivals = vec![Arrival {
        source: source.key.clone(),
        what: Arrived::Beat,
    }];
    shared.desk.take(shared, &source.key, arrivals).await?;
    Ok(Json(Taken { accepted: 1 }))
}

async fn take(shared: &Shared, source: Source, bytes: &[u8]) -> Result<Response, Problem> {
    let head = source.answers.then(|| cap::head(bytes)).flatten();
    match (read(&source, bytes), head) {
        (Ok(said), head) => {
            let accepted = said.signals.len() + said.words.len();
            hand_in(shared, &source.key, said).await?;
            match head {
                Some(head) => answer(shared, StatusCode::OK, &head, None).await,
                None => Ok(Json(Taken { accepted }).into_response()),
            }
        }
        (Err(problem), head) => {
            // It may have been an alarm: people hear that something came, whoever sent it that it was not understood.
            warn!(source = source.key, "what a source sent cannot be read");
            let unreadable = Said::one(sources::unreadable(&source));
            hand_in(shared, &source.key, unreadable).await?;
            match head {
                Some(head) => {
                    let refused = Some(problem.detail());
                    answer(shared, StatusCode::UNPROCESSABLE_ENTITY, &head, refused).await
                }
                None => Err(problem),
            }
        }
    }
}

/// Answers a document in its own language.
async fn answer(
    shared: &Shared,
    status: StatusCode,
    head: &cap::Head,
    refused: Option<&str>,
) -> Result<Response, Problem> {
    let mut view = View::new(reading::open(shared, Freshness::Local).await?).await?;
    let organisation = nodes::organisation(&mut view.0).await.map_err(of_query)?;
    let document = cap::answer(head, refused, &organisation, &view.1, shared.replica.now());
    Ok((status, [(header::CONTENT_TYPE, cap::MEDIA_TYPE)], document).into_response())
}

/// What is in something that a source sent.
pub(super) struct Said {
    pub(super) signals: Vec<Signal>,
    words: Vec<Word>,
}

impl Said {
    pub(super) fn one(signal: Signal) -> Self {
        Self {
            signals: vec![signal],
            words: Vec::new(),
        }
    }
}

/// Puts what a source said through the log.
pub(super) async fn hand_in(shared: &Shared, source: &str, said: Said) -> Result<(), Problem> {
    let signals = said.signals.into_iter().map(Arrived::Signal);
    let words = said.words.into_iter().map(Arrived::Word);
    let arrivals = signals.chain(words).map(|what| Arrival {
        source: source.to_owned(),
        what,
    });
    shared.desk.take(shared, source, arrivals.collect()).await
}

/// Reads what a source sent.
pub(super) fn read(source: &Source, bytes: &[u8]) -> Result<Said, Problem> {
    let mut words = Vec::new();
    let document: Value = match source.kind {
        SourceKind::Cap => {
            let found = cap::read(bytes)
                .map_err(|error| Problem::new(Kind::InvalidInput, error.to_string()))?;
            words = found.words;
            if found.signals.is_empty() {
                let signals = Vec::new();
                return Ok(Said { signals, words }); // a draft, an acknowledgement: nobody is called
            }
            Value::Array(found.signals)
        }
        SourceKind::Webhook
        | SourceKind::Alertmanager
        | SourceKind::Grafana
        | SourceKind::Email
        | SourceKind::Heartbeat
        | SourceKind::Snmp
        | SourceKind::Contact => serde_json::from_slice(bytes)
            .map_err(|error| Problem::new(Kind::MalformedJson, error.to_string()))?,
    };
    let signals = sources::signals(source, &document)
        .map_err(|error| Problem::new(Kind::InvalidInput, error.to_string()))?;
    Ok(Said { signals, words })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_without_a_token_is_proven_by_none() {
        assert!(!proves(
            None,
            &SourceToken::parse(&format!("hfs_{}", "a".repeat(43))).unwrap()
        ));
    }
}
