//! Who asks, and whether they may. Every request passes here before any handler sees it, and every answer after.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{FromRequestParts as _, MatchedPath, RawPathParams, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use domain::Actor;
use domain::access::{self, KeyRow, Reach, Scope};
use domain::ports::Freshness;
use domain::{RecipientId, RoomId};
use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;
use tracing::info;

use crate::accounts::caller::{self, Caller};
use crate::accounts::{fresh, glass};
use crate::connection::Entrance;
use crate::key::ApiKey;
use crate::problem::{Kind, Problem, of_query};
use crate::reading;
use crate::scopes::{self, Rule};
use crate::state::Shared;
use crate::{alerts, asks, conversations, headers, sight, units};

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
    rights: Rights,
    /// Set when the operation is allowed only for what concerns one person: the key of that person.
    pub(crate) own: Option<String>,
}

#[derive(Clone, Debug)]
enum Rights {
    All,
    Only(Vec<Scope>),
    /// Those of somebody's roles.
    Of(Box<Caller>),
}

impl Principal {
    /// How far this may be done, if at all.
    pub(crate) fn may(&self, scope: Scope) -> Option<Reach> {
        match &self.rights {
            Rights::All => Some(Reach::All),
            Rights::Only(scopes) => {
                let implied = scope == Scope::OutboxPause && scopes.contains(&Scope::ClusterAdmin);
                (implied || scopes.contains(&scope)).then_some(Reach::All)
            }
            Rights::Of(caller) if caller.account.must_enrol() => None,
            Rights::Of(caller) => caller.account.reach(scope),
        }
    }

    /// Key of the unit that somebody is limited to.
    pub(crate) fn unit(&self) -> Option<&str> {
        self.caller()?.account.unit.as_deref()
    }

    /// The only room that somebody from outside is let into.
    pub(crate) fn guest_room(&self) -> Option<RoomId> {
        let guest = self.caller()?.account.guest.as_ref()?;
        Some(guest.room)
    }

    /// Who is signed in, if it is somebody who is.
    pub(crate) fn caller(&self) -> Option<&Caller> {
        match &self.rights {
            Rights::Of(caller) => Some(caller),
            Rights::All | Rights::Only(_) => None,
        }
    }
}

/// Lets a request through to its handler, or answers instead.
pub(crate) async fn guard(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let principal = match Box::pin(admit(&shared, &mut parts)).await {
        Ok(principal) => principal,
        Err(problem) => return problem.into_response(),
    };
    let caller = principal.as_ref().and_then(Principal::caller).cloned();
    let path = parts.extensions.get::<MatchedPath>().cloned();
    if let Some(caller) = &caller {
        let asks = asks::asks(&parts.method, path.as_ref().map_or("", MatchedPath::as_str));
        if let Err(problem) = Box::pin(fresh::check(&shared, caller, asks)).await {
            return problem.into_response();
        }
    }
    let Some(principal) = principal else {
        return next.run(Request::from_parts(parts, body)).await;
    };
    parts.extensions.insert(principal);
    let mut response = match caller {
        None => next.run(Request::from_parts(parts, body)).await,
        Some(caller) => {
            parts.extensions.insert(caller.clone());
            let response = next.run(Request::from_parts(parts, body)).await;
            let path = path.as_ref().map_or("", MatchedPath::as_str);
            Box::pin(sight::limit(&shared, &caller, path, response)).await
        }
    };
    Box::pin(glass::mark(&shared, response.headers_mut())).await;
    response
}

async fn admit(shared: &Shared, request: &mut Parts) -> Result<Option<Principal>, Problem> {
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
    if matches!(rule, Some(Rule::Open | Rule::SourceToken | Rule::Stranger)) {
        return Ok(None);
    }
    let mut principal = match request.extensions.get::<Entrance>() {
        Some(Entrance::Socket) => Principal {
            actor: Actor::Operator {
                node: shared.replica.node(),
            },
            rights: Rights::All,
            own: None,
        },
        Some(Entrance::Https | Entrance::Admin) | None => match caller::token(request) {
            Some(token) => signed_in(caller::authenticate(shared, request, token).await?),
            None => authenticate(shared, &request.headers).await?,
        },
    };
    let path = path.map(str::to_owned);
    match rule {
        None => Err(Problem::not_found(
            "there is nothing at this path; see /openapi.json on the admin listener",
        )),
        Some(Rule::NoSuchMethod(allowed)) => Err(Problem::new(
            Kind::MethodNotAllowed,
            format!("use {allowed}"),
        )
        .with_header(header::ALLOW, allowed)),
        Some(Rule::Session) if principal.caller().is_none() => Err(Problem::new(
            Kind::NotAllowed,
            "this is for people who are signed in; a key has no session",
        )),
        Some(Rule::Scope(scope)) => match principal.may(scope) {
            None => Err(refuse(&principal, scope)),
            Some(Reach::All) => {
                let Some(unit) = principal.unit().map(str::to_owned) else {
                    return Ok(Some(principal));
                };
                let path = path.unwrap_or_default();
                if !scopes::is_for_units(&method, &path) {
                    return Err(refuse_beyond(&principal, &unit));
                }
                Box::pin(units::check(shared, &unit, (&method, &path), request)).await?;
                Ok(Some(principal))
            }
            Some(Reach::Own) => {
                let path = path.unwrap_or_default();
                let outside = principal.guest_room().is_some();
                if !scopes::has_own(&method, &path)
                    || outside && !scopes::is_for_guests(&method, &path)
                {
                    return Err(refuse(&principal, scope));
                }
                principal.own = Some(own(shared, &principal, request).await?);
                Ok(Some(principal))
            }
        },
        Some(Rule::Open | Rule::SourceToken | Rule::Stranger | Rule::Session | Rule::Known) => {
            Ok(Some(principal))
        }
    }
}

fn signed_in(caller: Caller) -> Principal {
    Principal {
        actor: Actor::Account {
            name: caller.account.name.clone(),
        },
        rights: Rights::Of(Box::new(caller)),
        own: None,
    }
}

/// The person whose own matters these are, if what the path names is one of them. What is not, is not there at all.
async fn own(
    shared: &Shared,
    principal: &Principal,
    request: &mut Parts,
) -> Result<String, Problem> {
    if let Some(room) = principal.guest_room() {
        return own_room(shared, room, request).await;
    }
    let person = principal
        .caller()
        .and_then(|caller| caller.account.person.clone());
    let Some(person) = person else {
        let text = "your account belongs to nobody who can be called; ask an administrator to name the person";
        return Err(Problem::new(Kind::NotAllowed, text));
    };
    let params = RawPathParams::from_request_parts(request, shared).await;
    let params = params.map_err(|error| Problem::new(Kind::BadRequest, error.body_text()))?;
    let id = RecipientId::of_key(&person);
    for (name, value) in &params {
        let own = match name {
            "alert" => {
                let alert = alerts::find(shared, value).await?;
                let mut view = reading::open(shared, Freshness::Local).await?;
                let called = domain::alerts::was_called(&mut view, alert, id).await;
                called.map_err(of_query)?
            }
            "room" => conversations::is_own(shared, value, id).await?,
            "key" => value == person,
            _ => continue,
        };
        if !own {
            return Err(alerts::unknown());
        }
    }
    Ok(person)
}

/// For somebody from outside: whatever the path names must be their room. They are no person that anything is theirs.
async fn own_room(shared: &Shared, room: RoomId, request: &mut Parts) -> Result<String, Problem> {
    let params = RawPathParams::from_request_parts(request, shared).await;
    let params = params.map_err(|error| Problem::new(Kind::BadRequest, error.body_text()))?;
    for (name, value) in &params {
        let own = match name {
            "room" => conversations::find(shared, value).await? == room,
            // Its handler looks for it in the room only.
            "file" => true,
            _ => false,
        };
        if !own {
            return Err(alerts::unknown());
        }
    }
    Ok(String::new())
}

fn refuse(principal: &Principal, scope: Scope) -> Problem {
    if let Some(caller) = principal.caller() {
        return refuse_caller(caller, scope);
    }
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

fn refuse_caller(caller: &Caller, scope: Scope) -> Problem {
    let (account, scope) = (&caller.account, scope.name());
    info!(
        account = account.name,
        scope, "request refused: no role allows it"
    );
    if account.must_enrol() {
        let text = "set up one-time codes of an app first: your roles ask for them";
        return Problem::new(Kind::MustEnrol, text);
    }
    let roles = account.roles.names().join(", ");
    let roles = if roles.is_empty() { "none" } else { &roles };
    Problem::new(
        Kind::NotAllowed,
        format!("your roles ({roles}) do not allow {scope} here"),
    )
}

fn refuse_beyond(principal: &Principal, unit: &str) -> Problem {
    info!(
        actor = principal.actor.label(),
        unit, "request refused: beyond the unit"
    );
    let text = format!(
        "your account is limited to the unit {unit}; this is for those who answer for the whole organisation"
    );
    Problem::new(Kind::NotAllowed, text)
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
            rights: Rights::Only(row.scopes),
            own: None,
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

/// Who a request says it comes from; nothing here shows that it does.
pub(crate) fn claimed(headers: &HeaderMap) -> Option<String> {
    let key = bearer(headers)?;
    let id = key.id().to_owned();
    Some(Actor::ApiKey { id }.label())
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
