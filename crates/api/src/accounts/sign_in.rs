//! Signing in: a password and a second factor, or an invitation. Whoever asks here has shown nothing yet, so every answer
//! is the same for accounts that exist and accounts that do not, and takes as long (SECURITY T-14, T-15).

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Json, http::StatusCode};
use domain::access::accounts::{self, Accept, AccountRow, Command, Device, Proof, is_name};
use domain::ports::{Committed, Freshness, Proposal, ProposeError};
use domain::{Actor, Command as DomainCommand, Outcome, Refusal, RequestId, nodes};
use rand::RngExt as _;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;
use tracing::{error, info, warn};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::own::{SessionJson, session_json, wrap};
use super::pace::{Limit, Visitor};
use super::proof::Jwk;
use super::secret::{Token, code_hash, new_attempt, sha256};
use super::{password, text, totp, totp_purpose};
use crate::access::system_rng;
use crate::fields::Fields;
use crate::input::{Segment, Unsigned};
use crate::problem::{Kind, NamedIn, Problem, of_outcome, of_propose_error, of_query};
use crate::reading;
use crate::state::Shared;
use crate::submit::PROPOSE_TIME;

const DEVICE_NAME_LEN_MAX: usize = 80;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(sign_in))
        .routes(routes!(second_factor))
        .routes(routes!(accept))
}

/// The device that will hold the session.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeviceBody {
    /// As its owner calls it: 1 to 80 characters.
    #[schema(example = "Anna's phone")]
    name: String,
    /// The public half of a key made on the device, as JWK: EC, P-256.
    key: Jwk,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignInBody {
    #[schema(example = "anna")]
    account: String,
    password: String,
    device: DeviceBody,
}

/// The password was right; a second factor is awaited for ten minutes.
#[derive(Serialize, ToSchema)]
#[schema(as = SignInAttempt)]
pub(crate) struct AttemptJson {
    /// Names this sign-in in the next request.
    attempt: String,
    /// Factors that end it, the better ones first: `totp`, `recovery`, `text` (ask for the text first; operators of mobile
    /// networks can read it). Empty: ask for an invitation.
    next: Vec<&'static str>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FactorBody {
    /// `totp` (the app's six digits), `recovery` (one of the printed codes) or `text` (the eight digits that were texted).
    #[schema(example = "totp")]
    factor: String,
    #[schema(example = "123456")]
    code: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AcceptBody {
    /// The invitation's code, however it is typed.
    #[schema(example = "K7Q2P-0M3XN-8WZTR-5DVCA-9H4EB")]
    code: String,
    /// A password for signing in elsewhere later: 12 to 128 characters. Needed but for accounts that are only called.
    password: Option<String>,
    device: DeviceBody,
}

/// A session, bound to the device's key.
#[derive(Serialize, ToSchema)]
#[schema(as = Opened)]
pub(crate) struct OpenedJson {
    /// Send it as `Authorization: DPoP …`, with a proof in `DPoP` (RFC 9449). Shown only here.
    token: String,
    session: SessionJson,
}

/// Begins to sign in, with a password.
#[utoipa::path(post, path = "/v1/sign-in", tag = "sign-in", request_body = SignInBody, responses((status = 200, body = AttemptJson)))]
async fn sign_in(
    State(shared): State<Shared>,
    visitor: Visitor,
    Unsigned(body): Unsigned<SignInBody>,
) -> Result<Json<AttemptJson>, Problem> {
    let device = parse_device(body.device)?;
    let name = body.account.trim().to_lowercase();
    // A password longer than any can be is wrong, not a load.
    let password: String = body.password.chars().take(256).collect();
    visitor.starts(&shared, &name)?;
    let tried = Command::TryPassword {
        subject: visitor.subject(&name),
    };
    let counted = ask(&shared, tried).await?;
    let account = read_account(&shared, &name, counted.index).await?;
    let account = account.filter(|account| account.lets_in(shared.replica.now()));
    let phc = account
        .as_ref()
        .and_then(|account| account.password.clone());
    let verdict = shared.hasher.verify(password.clone(), phc).await?;
    let Some(account) = account.filter(|_| verdict.right) else {
        warn!(
            account = shown_name(&name),
            method = "password",
            "sign-in refused"
        );
        return Err(not_right());
    };
    let mut rng = system_rng()?;
    let rehashed = match verdict.outdated {
        true => Some(shared.hasher.hash(password, &mut rng).await?),
        false => None,
    };
    let (attempt, hash) = new_attempt(&mut rng);
    let begin = Command::BeginAttempt {
        attempt: hash,
        name: account.name.clone(),
        device,
        rehashed,
    };
    let begun = ask(&shared, begin).await?;
    let mut view = reading::open(&shared, Freshness::AtLeast(begun.index)).await?;
    let left = accounts::recovery_codes_left(&mut view, &account.name).await;
    let left = left.map_err(of_query)?;
    let texted = text::number(&mut view, &account).await?.is_some();
    info!(
        account = account.name,
        method = "password",
        "first factor shown"
    );
    let next = [
        ("totp", account.has_totp()),
        ("recovery", left > 0),
        ("text", texted),
    ];
    let next = next.into_iter().filter(|(_, has)| *has);
    Ok(Json(AttemptJson {
        attempt,
        next: next.map(|(name, _)| name).collect(),
    }))
}

/// Ends signing in, with a second factor.
#[utoipa::path(post, path = "/v1/sign-in/{attempt}", tag = "sign-in", params(("attempt" = String, Path)), request_body = FactorBody, responses((status = 201, body = OpenedJson)))]
async fn second_factor(
    State(shared): State<Shared>,
    _visitor: Visitor,
    Segment(attempt): Segment,
    Unsigned(body): Unsigned<FactorBody>,
) -> Result<Response, Problem> {
    let attempt = sha256(attempt.as_bytes());
    let counted = ask(&shared, Command::TryCode { attempt }).await?;
    let mut view = reading::open(&shared, Freshness::AtLeast(counted.index)).await?;
    let found = accounts::attempt(&mut view, &attempt)
        .await
        .map_err(of_query)?;
    let Some(found) = found else {
        return Err(not_right());
    };
    let account = accounts::account(&mut view, &found.account)
        .await
        .map_err(of_query)?;
    let civil = nodes::civil(&mut view).await.map_err(of_query)?;
    let texted = match body.factor.as_str() {
        "text" => text::proof(&mut view, &attempt, &body.code, shared.replica.now()).await?,
        _ => None,
    };
    drop(view);
    let Some(account) = account else {
        return Err(not_right());
    };
    let proof = match body.factor.as_str() {
        "totp" => {
            let seed = open_seed(&shared, &account)?;
            let now = civil.at(shared.replica.now());
            totp::step_of(&seed, &body.code, now).map(|step| Proof::Totp { step })
        }
        "recovery" => code_hash(&body.code).map(|code_hash| Proof::Recovery { code_hash }),
        "text" => texted,
        other => {
            let mut fields = Fields::default();
            fields.add(
                "/factor",
                format!("{other:?} is not a factor; known are totp, recovery and text"),
            );
            return Err(fields.into_problem());
        }
    };
    let refuse = || {
        warn!(
            account = account.name,
            method = body.factor,
            "sign-in refused"
        );
        not_right()
    };
    let Some(proof) = proof else {
        return Err(refuse());
    };
    let mut rng = system_rng()?;
    let token = Token::generate(&mut rng);
    let open = Command::Open {
        attempt,
        proof,
        session: token.session(&mut rng),
    };
    let index = spend(&shared, open).await?.map_err(|_| refuse())?;
    info!(account = account.name, method = body.factor, "signed in");
    answer(&shared, token, index).await
}

/// Uses an invitation: lets this device in, and sets a password for later.
#[utoipa::path(post, path = "/v1/invitations/accept", tag = "sign-in", request_body = AcceptBody, responses((status = 201, body = OpenedJson)))]
async fn accept(
    State(shared): State<Shared>,
    _visitor: Visitor,
    Unsigned(body): Unsigned<AcceptBody>,
) -> Result<Response, Problem> {
    let device = parse_device(body.device)?;
    let mut rng = system_rng()?;
    let Some(code_hash) = code_hash(&body.code) else {
        let mut fields = Fields::default();
        fields.add(
            "/code",
            "is not a code; it has 25 letters and digits in groups of five",
        );
        return Err(fields.into_problem());
    };
    let password = match body.password {
        None => None,
        Some(password) => {
            check_password(&shared, &password, &[]).await?;
            Some(shared.hasher.hash(password, &mut rng).await?)
        }
    };
    let token = Token::generate(&mut rng);
    let accept = Command::Accept(Accept {
        code_hash,
        password,
        session: token.session(&mut rng),
        device,
    });
    let done = ask(&shared, accept).await.inspect_err(|problem| {
        warn!(
            method = "invitation",
            why = problem.detail(),
            "sign-in refused"
        );
    })?;
    info!(method = "invitation", "signed in");
    answer(&shared, token, done.index).await
}

/// Refuses a password that is easy to guess.
pub(super) async fn check_password(
    shared: &Shared,
    typed: &str,
    about: &[&str],
) -> Result<(), Problem> {
    let mut view = reading::open(shared, Freshness::Local).await?;
    let organisation = nodes::organisation(&mut view).await.map_err(of_query)?;
    drop(view);
    let mut about = about.to_vec();
    about.push(&organisation);
    let mut fields = Fields::default();
    fields.take("/password", password::check(typed, &about));
    fields.finish()
}

pub(super) async fn answer(shared: &Shared, token: Token, index: u64) -> Result<Response, Problem> {
    let token = token.into_text();
    let mut view = reading::open(shared, Freshness::AtLeast(index)).await?;
    let found = accounts::session(&mut view, &sha256(token.as_bytes())).await;
    let Some((session, account)) = found.map_err(of_query)? else {
        return Err(not_right());
    };
    let session = session_json(shared, &mut view, &session, &account).await?;
    Ok((StatusCode::CREATED, Json(OpenedJson { token, session })).into_response())
}

async fn read_account(
    shared: &Shared,
    name: &str,
    index: u64,
) -> Result<Option<AccountRow>, Problem> {
    let mut view = reading::open(shared, Freshness::AtLeast(index)).await?;
    accounts::account(&mut view, name).await.map_err(of_query)
}

/// The seed of an account's one-time codes, in clear for this moment.
pub(super) fn open_seed(shared: &Shared, account: &AccountRow) -> Result<Vec<u8>, Problem> {
    let Some(sealed) = &account.totp_sealed else {
        return Err(not_right());
    };
    let keys = shared.admin.sealing_keys();
    let opened = super::seal::open(&keys, &totp_purpose(&account.name), sealed);
    opened.map(|(seed, _)| seed).ok_or_else(|| {
        error!(account = account.name, keys = keys.len(), "a sealed seed cannot be opened here");
        Problem::new(
            Kind::Unavailable,
            "this node cannot look at codes of apps; sign in at a voting node, or with another factor",
        )
    })
}

/// One answer for everything that was not right (SECURITY T-15).
pub(super) fn not_right() -> Problem {
    Problem::new(
        Kind::SignInRefused,
        "that is not right; look at account, password and code, and try again",
    )
}

/// What may stand in this node's log of a name somebody typed; it may have been a password.
fn shown_name(name: &str) -> &str {
    match is_name(name) && name.len() <= 32 {
        true => name,
        false => "(not a name)",
    }
}

pub(super) fn parse_device(body: DeviceBody) -> Result<Device, Problem> {
    let mut fields = Fields::default();
    if body.name.trim().is_empty() {
        fields.add("/device/name", "is empty; how do you call this device?");
    }
    fields.at_most("/device/name", &body.name, DEVICE_NAME_LEN_MAX);
    let key = body.key.point();
    if key.is_none() {
        fields.add("/device/key", "is not a public key as JWK on P-256");
    }
    fields.finish()?;
    Ok(Device {
        name: body.name.trim().to_owned(),
        key: key.unwrap_or_default(),
    })
}

/// Puts a command of somebody unknown through the log.
pub(super) async fn propose(shared: &Shared, command: DomainCommand) -> Result<Committed, Problem> {
    let request = RequestId(system_rng()?.random());
    let proposal = Proposal {
        actor: Actor::Stranger {
            node: shared.replica.node(),
        },
        ..Proposal::by_loop(request, command)
    };
    let answered = timeout(PROPOSE_TIME, shared.replica.propose(proposal)).await;
    answered
        .unwrap_or(Err(ProposeError::Unknown))
        .map_err(|error| of_propose_error(&error, ""))
}

/// Opens a session by what somebody showed; the index of the entry, or why it opens nothing.
pub(super) async fn spend(shared: &Shared, open: Command) -> Result<Result<u64, String>, Problem> {
    let committed = propose(shared, wrap(open)).await?;
    if let Outcome::Refused(Refusal::NotNow(why)) = committed.outcome {
        return Ok(Err(why));
    }
    accepted(committed).map(|committed| Ok(committed.index))
}

pub(super) async fn ask(shared: &Shared, command: Command) -> Result<Committed, Problem> {
    let limit = match matches!(command, Command::TryPassword { .. }) {
        true => Limit::Passwords,
        false => Limit::Codes,
    };
    let committed = propose(shared, wrap(command)).await?;
    if matches!(committed.outcome, Outcome::Refused(Refusal::TooMany { .. })) {
        shared.pace.turned_away(limit);
    }
    accepted(committed)
}

pub(super) fn accepted(committed: Committed) -> Result<Committed, Problem> {
    match of_outcome(&committed.outcome, NamedIn::Body) {
        None => Ok(committed),
        Some(problem) => Err(problem),
    }
}
