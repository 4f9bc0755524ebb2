//! Whoever asks with a session: the token, the proof that goes with it, and whether both still hold.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::http::request::Parts;
use axum::http::{HeaderName, header};
use domain::access::Command as Access;
use domain::access::accounts::{self, AccountRow, Command, SessionRow};
use domain::ports::{Freshness, Proposal};
use domain::{Actor, Civil, Command as DomainCommand, RequestId, Timestamp, nodes};
use tokio::time::timeout;
use tracing::{debug, info};

use super::proof::{self, About, ProofError, Replays};
use super::secret::token_hash;
use crate::problem::{Kind, Problem, of_query};
use crate::reading;
use crate::state::Shared;

/// Civil time in milliseconds since 1970, for devices whose clock is off.
const TIME: HeaderName = HeaderName::from_static("holdfast-time");
const PROOF: &str = "dpop";

/// A session is noted as used once in so much of its idle time,
const TOUCHES: u32 = 8;
/// but at least once a day, and no more often than this at one node.
const TOUCH_EVERY_MAX: Duration = Duration::from_secs(24 * 3_600);
const TOUCH_AGAIN: Duration = Duration::from_secs(30);
/// Noting it may take so long; a node that is cut off does not wait for it.
const TOUCH_TIME: Duration = Duration::from_millis(500);

/// That a session looked at something is told to the others this often, so that a node that takes over knows about it.
const LOOK_EVERY: Duration = Duration::from_secs(5 * 60);

/// The most sessions this node remembers the last use of.
const SEEN_MAX: usize = 10_000;

/// Somebody signed in.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) account: AccountRow,
    pub(crate) session: SessionRow,
    /// When the session ends if it is not used again.
    pub(crate) lives_until: Timestamp,
    /// The id of this request's proof: a repeat of the same request is known by it at every node.
    pub(crate) proof: String,
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller")
            .field("account", &self.account.name)
            .field("session", &self.session.id)
            .finish_non_exhaustive()
    }
}

/// What this node remembers of sessions: proofs it took, and uses it has not told the others of.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    replays: Replays,
    seen: Mutex<BTreeMap<String, Seen>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    at: Timestamp,
    /// When it was last tried to tell the others, on this machine's clock.
    told: Option<Duration>,
    /// When it looked at what asks for its owner after a pause, and when it was tried to tell that.
    looked: Timestamp,
    look_told: Option<Duration>,
}

/// The token of a request that comes with one; `None` when it comes with something else.
pub(crate) fn token(request: &Parts) -> Option<&str> {
    let value = request.headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("dpop").then(|| token.trim())
}

/// Who asks, if token and proof are good.
pub(crate) async fn authenticate(
    shared: &Shared,
    request: &Parts,
    token: &str,
) -> Result<Caller, Problem> {
    let Some(hash) = token_hash(token) else {
        return Err(over());
    };
    let (found, civil) = look_up(shared, &hash).await?;
    let Some((session, account)) = found else {
        info!("request refused: no such session");
        return Err(over());
    };
    let now = shared.replica.now();
    let lives_until = shared.sessions.lives_until(&session, &account);
    let Some(lives_until) = lives_until.filter(|until| now < *until && account.lets_in(now)) else {
        info!(
            account = account.name,
            session = session.id,
            "request refused: session is over"
        );
        return Err(over());
    };
    let proof = prove(shared, request, (token, &session), &civil, now)?;
    shared.sessions.used(shared, &session, &account, now).await;
    Ok(Caller {
        account,
        session,
        lives_until,
        proof,
    })
}

type Found = Option<(SessionRow, AccountRow)>;

async fn look_up(shared: &Shared, hash: &[u8; 32]) -> Result<(Found, Civil), Problem> {
    let mut view = reading::open(shared, Freshness::Local).await?;
    let mut found = accounts::session(&mut view, hash).await.map_err(of_query)?;
    let civil = nodes::civil(&mut view).await.map_err(of_query)?;
    drop(view);
    // It may have been opened at another node a moment ago.
    if found.is_none()
        && let Some(_asking) = shared.keys.ask()
    {
        let mut view = reading::open(shared, Freshness::Linearizable).await?;
        found = accounts::session(&mut view, hash).await.map_err(of_query)?;
    }
    Ok((found, civil))
}

fn prove(
    shared: &Shared,
    request: &Parts,
    (token, session): (&str, &SessionRow),
    civil: &Civil,
    now: Timestamp,
) -> Result<String, Problem> {
    let refuse = |error: ProofError| {
        info!(session = session.id, %error, "request refused: proof");
        refused(error).with_header(TIME, civil.at(now).0.to_string())
    };
    let mut proofs = request.headers.get_all(PROOF).iter();
    let (Some(proof), None) = (proofs.next(), proofs.next()) else {
        return Err(refuse(ProofError::Unreadable));
    };
    let text = |value: Option<&axum::http::HeaderValue>| {
        value
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned()
    };
    let about = About {
        method: request.method.as_str(),
        host: &text(request.headers.get(header::HOST)),
        path: request.uri.path(),
        token,
        key: &session.device_key,
        now: civil.at(now),
    };
    let id = proof::check(&text(Some(proof)), &about).map_err(refuse)?;
    let taken = shared
        .sessions
        .replays
        .take(&session.id, &id, shared.clock.boot());
    taken.map_err(refuse)?;
    Ok(id)
}

/// The same whatever is wrong with the token: the app forgets what it kept (SECURITY T-31).
fn over() -> Problem {
    let text = "the session is over; sign in";
    Problem::new(Kind::SessionOver, text).with_header(
        header::WWW_AUTHENTICATE,
        "DPoP realm=\"holdfast\", algs=\"ES256\", error=\"invalid_token\"",
    )
}

fn refused(error: ProofError) -> Problem {
    let kind = match error {
        ProofError::Unreadable
        | ProofError::OfSomethingElse
        | ProofError::Clock(_)
        | ProofError::Replayed => Kind::ProofRefused,
        ProofError::TooMany => {
            return Problem::new(Kind::TooMany, error.to_string())
                .with_header(header::RETRY_AFTER, "60");
        }
        ProofError::Full => return Problem::new(Kind::Overloaded, error.to_string()),
    };
    Problem::new(kind, error.to_string()).with_header(
        header::WWW_AUTHENTICATE,
        "DPoP realm=\"holdfast\", algs=\"ES256\", error=\"invalid_dpop_proof\"",
    )
}

impl Sessions {
    /// Until when a session lives, counting uses here that the others do not know of.
    fn lives_until(&self, session: &SessionRow, account: &AccountRow) -> Option<Timestamp> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut session = session.clone();
        if let Some(here) = seen.get(&session.id) {
            session.seen_at = session.seen_at.max(here.at);
        }
        session.lives_until(&account.roles)
    }

    /// Notes a proof of a device without a session; false when it came before.
    pub(super) fn takes(&self, device: &str, proof: &str, now: Duration) -> bool {
        self.replays.take(device, proof, now).is_ok()
    }

    /// Notes a use, and tells the others now and then.
    async fn used(
        &self,
        shared: &Shared,
        session: &SessionRow,
        account: &AccountRow,
        now: Timestamp,
    ) {
        let every = (account.roles.lifetime().idle / TOUCHES).min(TOUCH_EVERY_MAX);
        let boot = shared.clock.boot();
        let tell = {
            let mut all = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            if all.len() >= SEEN_MAX {
                all.clear();
            }
            let seen = all.entry(session.id.clone()).or_default();
            seen.at = seen.at.max(now);
            let due = now.since(session.seen_at) >= every;
            let again = seen
                .told
                .is_none_or(|told| boot.saturating_sub(told) >= TOUCH_AGAIN);
            if due && again {
                seen.told = Some(boot);
            }
            due && again
        };
        if !tell {
            return;
        }
        let command = Command::Touch {
            session: session.id.clone(),
        };
        tell_others(shared, session, (b"touch", command), now).await;
    }

    /// When a session looked last at what asks for its owner after a pause.
    pub(super) fn looked(&self, session: &SessionRow) -> Timestamp {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let here = seen.get(&session.id).map(|here| here.looked);
        session.looked_at.max(here.unwrap_or_default())
    }

    /// Notes that it looks now, and tells the others now and then.
    pub(super) async fn looks(&self, shared: &Shared, session: &SessionRow, now: Timestamp) {
        let boot = shared.clock.boot();
        let tell = {
            let mut all = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            let seen = all.entry(session.id.clone()).or_default();
            seen.looked = seen.looked.max(now);
            let known = session.looked_at.max(session.proved_at);
            let again = seen
                .look_told
                .is_none_or(|told| boot.saturating_sub(told) >= TOUCH_AGAIN);
            let tell = again && now.since(known) >= LOOK_EVERY;
            if tell {
                seen.look_told = Some(boot);
            }
            tell
        };
        if tell {
            let command = Command::Look {
                session: session.id.clone(),
            };
            tell_others(shared, session, (b"look", command), now).await;
        }
    }
}

async fn tell_others(
    shared: &Shared,
    session: &SessionRow,
    (word, command): (&[u8], Command),
    now: Timestamp,
) {
    let request = RequestId::derive(&[word, session.id.as_bytes(), &now.0.to_be_bytes()]);
    let proposal = Proposal {
        actor: Actor::Stranger {
            node: shared.replica.node(),
        },
        ..Proposal::by_loop(request, DomainCommand::Access(Access::Accounts(command)))
    };
    let told = timeout(TOUCH_TIME, shared.replica.propose(proposal)).await;
    if !matches!(told, Ok(Ok(_))) {
        debug!(
            session = session.id,
            "the others were not told that a session is in use"
        );
    }
}
