//! API keys over HTTP. A secret is shown once, in the answer that made it, and kept nowhere (SECURITY D-3).

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Json, http::StatusCode};
use domain::access::{self, Command, CreateKey, KeyRow, Scope};
use domain::ports::Freshness;
use domain::{Civil, CivilTime, Command as DomainCommand, Timestamp};
use rand::SeedableRng as _;
use rand::TryRng as _;
use rand::rngs::{StdRng, SysRng};
use serde::{Deserialize, Serialize};
use tracing::info;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::fields::Fields;
use crate::input::{Bare, Input, Segment};
use crate::key::ApiKey;
use crate::problem::{Kind, NamedIn, Problem, of_query};
use crate::reading::{self, View};
use crate::state::Shared;
use crate::submit::{Stored, submit};
use crate::time::parse_rfc3339;

const NAME_LEN_MAX: usize = 100;

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(revoke))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyBody {
    /// What it is for, as people should read it: 1 to 100 characters.
    #[schema(example = "SCADA gateway")]
    name: String,
    /// What it may be used for.
    #[schema(example = json!(["alert:create", "alert:read"]))]
    scopes: Vec<String>,
    /// When it ends by itself (RFC 3339).
    expires_at: Option<String>,
}

/// A key that was just made. The only time its secret is shown.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NewKey)]
pub(crate) struct NewKeyJson {
    #[serde(flatten)]
    stored: Stored,
    id: String,
    /// Send it as `Authorization: Bearer …`.
    key: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Key)]
pub(crate) struct KeyJson {
    id: String,
    name: String,
    scopes: Vec<&'static str>,
    created_at: String,
    created_by: String,
    expires_at: Option<String>,
    revoked_at: Option<String>,
    /// Whether it can be used now.
    live: bool,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Keys)]
pub(crate) struct KeysJson {
    keys: Vec<KeyJson>,
}

/// Lists API keys, also ended ones, oldest first.
#[utoipa::path(get, path = "/v1/keys", tag = "keys", responses((status = 200, body = KeysJson)))]
async fn list(State(shared): State<Shared>, mut view: View) -> Result<Response, Problem> {
    let now = shared.replica.now();
    let rows = access::keys(&mut view.0).await.map_err(of_query)?;
    let body = KeysJson {
        keys: rows
            .into_iter()
            .map(|row| key_json(row, now, &view.1))
            .collect(),
    };
    Ok(view.answer(&body))
}

/// Makes an API key.
#[utoipa::path(post, path = "/v1/keys", tag = "keys", request_body = KeyBody, responses((status = 201, body = NewKeyJson)))]
async fn create(State(shared): State<Shared>, input: Input<KeyBody>) -> Result<Response, Problem> {
    let (name, scopes, expires_at) = parse(input.value)?;
    let expires_at = match expires_at {
        Some(civil) => Some(reading::moment(&shared, civil).await?),
        None => None,
    };
    let key = ApiKey::generate(&mut system_rng()?);
    let command = CreateKey {
        id: key.id().to_owned(),
        name,
        secret_hash: key.secret_hash(),
        scopes,
        expires_at,
    };
    let actor = input.order.actor.label();
    let done = submit(
        &shared,
        input.order,
        DomainCommand::Access(Command::CreateKey(command)),
        NamedIn::Body,
    )
    .await?;
    shared.keys.clear();
    check_is_ours(&shared, &key, done.index()).await?;
    info!(actor, key = key.id(), "API key created");
    let body = NewKeyJson {
        stored: done.stored,
        id: key.id().to_owned(),
        key: key.to_string(),
    };
    Ok((StatusCode::CREATED, Json(body)).into_response())
}

/// Ends an API key at once.
#[utoipa::path(delete, path = "/v1/keys/{id}", tag = "keys", params(("id" = String, Path)), responses((status = 200, body = Stored)))]
async fn revoke(
    State(shared): State<Shared>,
    Segment(id): Segment,
    bare: Bare,
) -> Result<Json<Stored>, Problem> {
    let actor = bare.order.actor.label();
    let command = DomainCommand::Access(Command::RevokeKey { id: id.clone() });
    let done = submit(&shared, bare.order, command, NamedIn::Path).await?;
    shared.keys.clear();
    info!(actor, key = id, "API key revoked");
    Ok(Json(done.stored))
}

fn parse(body: KeyBody) -> Result<(String, Vec<String>, Option<CivilTime>), Problem> {
    let mut fields = Fields::default();
    if body.name.trim().is_empty() {
        fields.add("/name", "is empty; say what the key is for");
    }
    fields.at_most("/name", &body.name, NAME_LEN_MAX);
    if body.scopes.is_empty() {
        fields.add("/scopes", "is empty; a key without scopes can do nothing");
    }
    for (index, name) in body.scopes.iter().enumerate() {
        if Scope::parse(name).is_none() {
            let known = Scope::ALL.map(Scope::name).join(", ");
            fields.add(
                format!("/scopes/{index}"),
                format!("{name:?} is not a scope; known are {known}"),
            );
        }
    }
    let expires_at = body
        .expires_at
        .and_then(|text| fields.take("/expires_at", parse_rfc3339(&text)));
    fields.finish()?;
    Ok((body.name, body.scopes, expires_at))
}

/// A generator seeded by the operating system, for one secret.
pub(crate) fn system_rng() -> Result<StdRng, Problem> {
    let mut seed = [0; 32];
    SysRng.try_fill_bytes(&mut seed).map_err(|error| {
        tracing::error!(%error, "the operating system gives no random bytes");
        Problem::new(
            Kind::Internal,
            "this node cannot draw a secret; ask another node",
        )
    })?;
    Ok(StdRng::from_seed(seed))
}

/// A repeat of an earlier request ends well without making this key; its secret must not be handed out as if it did.
async fn check_is_ours(shared: &Shared, key: &ApiKey, index: u64) -> Result<(), Problem> {
    let mut view = reading::open(shared, Freshness::AtLeast(index)).await?;
    let row = access::key(&mut view, key.id()).await.map_err(of_query)?;
    if row.is_some_and(|row| row.secret_hash == key.secret_hash()) {
        return Ok(());
    }
    Err(Problem::new(
        Kind::Conflict,
        "this request made a key before, and its secret was shown only then; find that key in the list, revoke it, \
         and make another with a new Idempotency-Key",
    ))
}

fn key_json(row: KeyRow, now: Timestamp, civil: &Civil) -> KeyJson {
    let live = row.live(now);
    KeyJson {
        id: row.id,
        name: row.name,
        scopes: row.scopes.into_iter().map(Scope::name).collect(),
        created_at: civil.rfc3339(row.created_at),
        created_by: row.created_by,
        expires_at: row.expires_at.map(|at| civil.rfc3339(at)),
        revoked_at: row.revoked_at.map(|at| civil.rfc3339(at)),
        live,
    }
}
