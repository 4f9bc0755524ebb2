//! Whoever has been away for a while, or is about to do something that cannot be taken back, shows again that it is them
//! (SECURITY §2.5, T-31). What is asked of which operation stands in [`Asks`]; answers to alerts are asked nothing.

use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use axum::{Extension, Json};
use data_encoding::BASE64URL_NOPAD as BASE64URL;
use domain::access::accounts::{self, AccountRow, Command, Shown};
use domain::ports::{Freshness, Proposal, ProposeError};
use domain::{Actor, RequestId, nodes};
use rand::RngExt as _;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;
use tracing::info;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::caller::Caller;
use super::own::wrap;
use super::sign_in::{accepted, ask, open_seed};
use super::totp;
use super::webauthn::Purpose;
use crate::access::system_rng;
use crate::asks::Asks;
use crate::fields::Fields;
use crate::input::Unsigned;
use crate::problem::{Kind, Problem, of_propose_error, of_query};
use crate::reading::{self, View};
use crate::state::Shared;
use crate::submit::PROPOSE_TIME;

/// Reading goes on without a question as long as the pause is no longer.
pub(crate) const PAUSE: Duration = Duration::from_secs(15 * 60);

/// A factor shown so long ago is good for acts that need one.
pub(crate) const FRESH: Duration = Duration::from_secs(10 * 60);

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(ways, show))
}

/// How one can show that it is oneself.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProofWays)]
pub(crate) struct WaysJson {
    /// `passkey`, `password`, `totp`: what the account has, the easiest first. Empty: nothing is asked.
    factors: Vec<&'static str>,
    /// What to ask a passkey for.
    passkey: Option<AskPasskey>,
    /// When a factor was shown last.
    proved_at: String,
}

/// What a browser is to ask a passkey for, in this session.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProofChallenge)]
pub(crate) struct AskPasskey {
    /// Base64url. Good for five minutes, at this node, once.
    challenge: String,
    /// The RP ID: the domain passkeys are for.
    domain: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProofBody {
    /// `password`, `totp` or `passkey`.
    #[schema(example = "totp")]
    factor: String,
    /// The password, or the six digits of the app.
    secret: Option<String>,
    /// What the browser gave, for `passkey`.
    passkey: Option<PasskeyAnswer>,
}

/// An answer by a passkey, each field as base64url of what the browser gave.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasskeyAnswer {
    /// `rawId`.
    id: String,
    /// `response.clientDataJSON`.
    client_data: String,
    /// `response.authenticatorData`.
    authenticator_data: String,
    /// `response.signature`.
    signature: String,
}

/// A factor was shown.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Proved)]
pub(crate) struct ProvedJson {
    proved_at: String,
}

/// Refuses what asks for a factor that was not shown lately. Whoever has none to show is not asked, and nobody is asked by a node that
/// is cut off: it could not note the answer, and there reading is what keeps people going.
pub(crate) async fn check(shared: &Shared, caller: &Caller, asks: Asks) -> Result<(), Problem> {
    let (account, session) = (&caller.account, &caller.session);
    if asks == Asks::Nothing || !account.can_show() || shared.replica.island().is_some() {
        return Ok(());
    }
    let now = shared.replica.now();
    match asks {
        Asks::Nothing => Ok(()),
        Asks::AfterPause if !account.roles.asked_after_pause() => Ok(()),
        Asks::AfterPause => {
            let looked = shared.sessions.looked(session);
            if now.since(looked.max(session.proved_at)) > PAUSE {
                return Err(wanted(account, "you have been away for a while"));
            }
            shared.sessions.looks(shared, session, now).await;
            Ok(())
        }
        Asks::Fresh if now.since(session.proved_at) > FRESH => {
            Err(wanted(account, "this needs a factor shown just now"))
        }
        Asks::Fresh => Ok(()),
    }
}

fn wanted(account: &AccountRow, why: &str) -> Problem {
    info!(
        account = account.name,
        "request refused: a factor is wanted"
    );
    let text = format!(
        "{why}; show your passkey, password or code with POST /v1/session/proof and ask again"
    );
    Problem::new(Kind::FactorWanted, text)
}

/// What the account can show, the easiest first.
fn factors(shared: &Shared, account: &AccountRow) -> Vec<&'static str> {
    let passkey = account.passkeys > 0 && shared.passkeys.domain().is_some();
    let all = [
        ("passkey", passkey),
        ("password", account.password.is_some()),
        ("totp", account.has_totp()),
    ];
    let held = all.into_iter().filter(|(_, has)| *has);
    held.map(|(name, _)| name).collect()
}

/// Says by what one can show again that it is oneself.
#[utoipa::path(get, path = "/v1/session/proof", tag = "sign-in", responses((status = 200, body = WaysJson)))]
async fn ways(
    State(shared): State<Shared>,
    caller: Extension<Caller>,
    view: View,
) -> Result<Response, Problem> {
    let (account, session) = (&caller.account, &caller.session);
    let factors = factors(&shared, account);
    let domain = shared.passkeys.domain();
    let domain = domain.filter(|_| factors.contains(&"passkey"));
    let passkey = domain.map(|domain| {
        let purpose = Purpose::Prove(&session.id);
        let challenge = shared.passkeys.challenge(purpose, shared.replica.now());
        AskPasskey {
            challenge: BASE64URL.encode(&challenge),
            domain: domain.to_owned(),
        }
    });
    let body = WaysJson {
        factors,
        passkey,
        proved_at: view.1.rfc3339(session.proved_at),
    };
    Ok(view.answer(&body))
}

/// Shows again that it is oneself: a passkey, the password or a code of the app. Tries count with those of signing in.
#[utoipa::path(post, path = "/v1/session/proof", tag = "sign-in", request_body = ProofBody, responses((status = 200, body = ProvedJson)))]
async fn show(
    State(shared): State<Shared>,
    caller: Extension<Caller>,
    // Nothing of it is remembered, not even its hash: it may hold a password.
    Unsigned(body): Unsigned<ProofBody>,
) -> Result<Json<ProvedJson>, Problem> {
    let account = &caller.account;
    let secret = body.secret.unwrap_or_default();
    let shown = match (body.factor.as_str(), body.passkey) {
        ("password", None) => by_password(&shared, &caller, secret).await?,
        ("totp", None) => by_code(&shared, account, &secret).await?,
        ("passkey", Some(answer)) => by_passkey(&shared, &caller, &answer).await?,
        ("passkey", None) => return Err(wrong("/passkey", "is missing")),
        ("password" | "totp", Some(_)) => {
            return Err(wrong("/passkey", "goes with the factor passkey only"));
        }
        _ => {
            let text = "is no factor to show in a session; known are passkey, password and totp";
            return Err(wrong("/factor", text));
        }
    };
    let command = wrap(Command::Prove {
        session: caller.session.id.clone(),
        by: shown,
    });
    let proposal = Proposal {
        actor: Actor::Account {
            name: account.name.clone(),
        },
        ..Proposal::by_loop(RequestId(system_rng()?.random()), command)
    };
    let answered = timeout(PROPOSE_TIME, shared.replica.propose(proposal)).await;
    let committed = answered
        .unwrap_or(Err(ProposeError::Unknown))
        .map_err(|error| of_propose_error(&error, ""))?;
    let committed = accepted(committed)?;
    info!(
        account = account.name,
        factor = body.factor,
        "a factor was shown"
    );
    let view = reading::open(&shared, Freshness::AtLeast(committed.index)).await?;
    let view = View::new(view).await?;
    Ok(Json(ProvedJson {
        proved_at: view.1.rfc3339(view.0.as_of),
    }))
}

async fn by_password(shared: &Shared, caller: &Caller, typed: String) -> Result<Shown, Problem> {
    let (account, session) = (&caller.account, &caller.session);
    // This device is known: whoever guesses elsewhere does not close this way.
    let subject = accounts::subject_on(&account.name, &session.device_key);
    ask(shared, Command::TryPassword { subject }).await?;
    // One longer than any can be is wrong, not a load.
    let typed = typed.chars().take(256).collect();
    let verdict = shared
        .hasher
        .verify(typed, account.password.clone())
        .await?;
    match verdict.right && account.password.is_some() {
        true => Ok(Shown::Password),
        false => Err(wrong("/secret", "is not your password")),
    }
}

async fn by_code(shared: &Shared, account: &AccountRow, typed: &str) -> Result<Shown, Problem> {
    let name = account.name.clone();
    ask(shared, Command::TryProof { name }).await?;
    if !account.has_totp() {
        return Err(wrong("/factor", "is not set up"));
    }
    let seed = open_seed(shared, account)?;
    let mut view = reading::open(shared, Freshness::Local).await?;
    let civil = nodes::civil(&mut view).await.map_err(of_query)?;
    drop(view);
    let now = civil.at(shared.replica.now());
    match totp::step_of(&seed, typed, now) {
        Some(step) => Ok(Shown::Totp { step }),
        None => Err(wrong("/secret", "is not the code of now")),
    }
}

async fn by_passkey(
    shared: &Shared,
    caller: &Caller,
    answer: &PasskeyAnswer,
) -> Result<Shown, Problem> {
    let mut fields = Fields::default();
    let mut bytes = |pointer: &str, text: &str| {
        let read = BASE64URL.decode(text.trim_end_matches('=').as_bytes());
        let read = read.map_err(|_| "is not base64url");
        fields.take(pointer, read).unwrap_or_default()
    };
    let id = bytes("/passkey/id", &answer.id);
    let client_data = bytes("/passkey/client_data", &answer.client_data);
    let data = bytes("/passkey/authenticator_data", &answer.authenticator_data);
    let signature = bytes("/passkey/signature", &answer.signature);
    fields.finish()?;
    let mut view = reading::open(shared, Freshness::Local).await?;
    let known = accounts::passkey(&mut view, &id).await.map_err(of_query)?;
    drop(view);
    let Some(known) = known.filter(|known| known.account == caller.account.name) else {
        return Err(wrong("/passkey/id", "is no passkey of yours"));
    };
    shared
        .pace
        .passkey(&caller.account.name, shared.clock.boot())?;
    let asserted = shared.passkeys.asserted(
        Purpose::Prove(&caller.session.id),
        &known.key,
        (&client_data, &data, &signature),
        shared.replica.now(),
    );
    match asserted {
        Ok(asserted) => Ok(Shown::Passkey {
            id,
            count: asserted.count,
            challenge: asserted.challenge,
        }),
        Err(error) => Err(wrong("/passkey", &error.to_string())),
    }
}

/// Never 401: the session is what it was.
fn wrong(pointer: &str, detail: &str) -> Problem {
    let mut fields = Fields::default();
    fields.add(pointer, detail);
    fields.into_problem()
}
