//! Who asks, and whether they may. Every request passes here before any handler sees it.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use domain::Actor;
use domain::access::{self, KeyRow, Scope};
use domain::ports::Freshness;
use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;
use tracing::info;

use crate::connection::Entrance;
use crate::headers;
use crate::key::ApiKey;
use crate::problem::{Kind, Problem, of_query};
use crate::reading;
use crate::scopes::{self, Rule};
use crate::state::Shared;

/// How long a key found valid is taken for valid without another look: the bound on how long a key revoked through
/// another node still works here.
const KEY_CACHE_TIME: Duration = Duration::from_millis(500);

/// The most keys remembered at once.
const KEY_CACHE_MAX: usize = 256;

/// How many unknown keys the other nodes are asked about at the same time.
const ASKING_MAX: usize = 4;

/// Who asks.
#[derive(Clone, Debug)]
pub(crate) struct Principal {
    pub(crate) actor: Actor,
    scopes: Scopes,
}

#[derive(Clone, Debug)]
enum Scopes {
    All,
    Only(Vec<Scope>),
}

impl Principal {
    pub(crate) fn may(&self, scope: Scope) -> bool {
        match &self.scopes {
            Scopes::All => true,
            Scopes::Only(scopes) => scopes.contains(&scope),
        }
    }
}

/// Lets a request through to its handler, or answers instead.
pub(crate) async fn guard(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    match admit(&shared, &parts).await {
        Ok(principal) => {
            if let Some(principal) = principal {
                parts.extensions.insert(principal);
            }
            next.run(Request::from_parts(parts, body)).await
        }
        Err(problem) => problem.into_response(),
    }
}

async fn admit(shared: &Shared, request: &Parts) -> Result<Option<Principal>, Problem> {
    let method = match &request.method {
        // axum answers HEAD with the GET handler.
        &Method::HEAD => Method::GET,
        other => other.clone(),
    };
    if headers::is_cross_site_change(&method, &request.headers, &shared.origins) {
        return Err(Problem::new(
            Kind::CrossSite,
            "changes are not taken from pages of other sites",
        ));
    }
    let path = request
        .extensions
        .get::<MatchedPath>()
        .map(MatchedPath::as_str);
    let rule = path.map(|path| scopes::rule(&method, path));
    if matches!(rule, Some(Rule::Open | Rule::SourceToken)) {
        return Ok(None);
    }
    let principal = match request.extensions.get::<Entrance>() {
        Some(Entrance::Socket) => Principal {
            actor: Actor::Operator {
                node: shared.replica.node(),
            },
            scopes: Scopes::All,
        },
        Some(Entrance::Https | Entrance::Admin) | None => {
            authenticate(shared, &request.headers).await?
        }
    };
    match rule {
        None => Err(Problem::not_found(
            "there is nothing at this path; see /openapi.json on the admin listener",
        )),
        Some(Rule::NoSuchMethod(allowed)) => Err(Problem::new(
            Kind::MethodNotAllowed,
            format!("use {allowed}"),
        )
        .with_header(header::ALLOW, allowed)),
        Some(Rule::Scope(scope)) if !principal.may(scope) => Err(refuse(&principal, scope)),
        Some(Rule::Open | Rule::SourceToken | Rule::Scope(_)) => Ok(Some(principal)),
    }
}

fn refuse(principal: &Principal, scope: Scope) -> Problem {
    info!(
        actor = principal.actor.label(),
        scope = scope.name(),
        "request refused: scope is missing"
    );
    Problem::new(
        Kind::NotAllowed,
        format!("this API key lacks the scope {}", scope.name()),
    )
    .with_header(
        header::WWW_AUTHENTICATE,
        format!(
            "Bearer realm=\"holdfast\", error=\"insufficient_scope\", scope=\"{}\"",
            scope.name()
        ),
    )
}

async fn authenticate(shared: &Shared, headers: &HeaderMap) -> Result<Principal, Problem> {
    let Some(key) = bearer(headers) else {
        info!("request refused: no readable API key");
        return Err(Problem::not_authenticated());
    };
    let row = match shared.keys.get(key.id(), shared.clock.boot()) {
        Some(row) => Some(row),
        None => look_up(shared, key.id()).await?,
    };
    // An unknown id is compared too, so that it takes as long as a wrong secret (SECURITY T-15).
    let expected = row.as_ref().map_or([0; 32], |row| row.secret_hash);
    let same: bool = key.secret_hash().ct_eq(&expected).into();
    match row {
        Some(row) if same && row.live(shared.replica.now()) => Ok(Principal {
            actor: Actor::ApiKey { id: row.id },
            scopes: Scopes::Only(row.scopes),
        }),
        Some(_) | None => {
            info!(key = key.id(), "request refused: API key is not valid");
            Err(Problem::not_authenticated())
        }
    }
}

async fn look_up(shared: &Shared, id: &str) -> Result<Option<KeyRow>, Problem> {
    let now = shared.clock.boot();
    let mut view = reading::open(shared, Freshness::Local).await?;
    let mut row = access::key(&mut view, id).await.map_err(of_query)?;
    drop(view);
    // A node that has just joined, or lags, does not know every key yet, and must not call a good one bad. A flood of
    // bad keys asks the others only so much.
    if row.is_none()
        && let Ok(_asking) = shared.keys.asking.try_acquire()
    {
        let mut view = reading::open(shared, Freshness::Linearizable).await?;
        row = access::key(&mut view, id).await.map_err(of_query)?;
    }
    if let Some(row) = &row {
        shared.keys.put(row.clone(), now);
    }
    Ok(row)
}

fn bearer(headers: &HeaderMap) -> Option<ApiKey> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, key) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    ApiKey::parse(key.trim()).ok()
}

/// Rows of keys seen in the last moments, so that a busy client does not cost a read for each request.
#[derive(Debug)]
pub(crate) struct KeyCache {
    rows: Mutex<BTreeMap<String, (Duration, KeyRow)>>,
    /// Held while the other nodes are asked about a key unknown here.
    asking: Semaphore,
}

impl Default for KeyCache {
    fn default() -> Self {
        Self {
            rows: Mutex::default(),
            asking: Semaphore::new(ASKING_MAX),
        }
    }
}

impl KeyCache {
    fn get(&self, id: &str, now: Duration) -> Option<KeyRow> {
        let rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let (read_at, row) = rows.get(id)?;
        (now.saturating_sub(*read_at) < KEY_CACHE_TIME).then(|| row.clone())
    }

    /// Leave to ask the other nodes about something unknown here; a flood of bad tokens gets little of it.
    pub(crate) fn ask(&self) -> Option<tokio::sync::SemaphorePermit<'_>> {
        self.asking.try_acquire().ok()
    }

    fn put(&self, row: KeyRow, now: Duration) {
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        if rows.len() >= KEY_CACHE_MAX {
            rows.clear();
        }
        rows.insert(row.id.clone(), (now, row));
    }

    /// Forgets everything, after a change of keys made through this node.
    pub(crate) fn clear(&self) {
        self.rows
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}
