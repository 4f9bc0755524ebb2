//! Passkeys: adding one to one's account, and signing in by one alone (Web Authentication Level 2).

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Json, http::StatusCode};
use data_encoding::BASE64URL_NOPAD as BASE64URL;
use domain::access::accounts::{
    self, ByPasskey, Command, NewPasskey, PASSKEY_LABEL_LEN_MAX, PASSKEYS_MAX,
};
use domain::ports::Freshness;
use serde::{Deserialize, Serialize};
use tracing::{info, warn};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::caller::Caller;
use super::own::wrap;
use super::pace::Visitor;
use super::secret::Token;
use super::sign_in::{DeviceBody, OpenedJson, answer, not_right, parse_device, spend};
use super::webauthn::Purpose;
use crate::access::system_rng;
use crate::fields::Fields;
use crate::input::{Bare, Input, Segment, Unsigned};
use crate::problem::{NamedIn, Problem, of_query};
use crate::reading::{self, View};
use crate::state::Shared;
use crate::submit::{Stored, submit};

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(challenge, sign_in))
        .routes(routes!(list, add))
        .routes(routes!(remove))
}

/// What a browser is to ask a passkey for.
#[derive(Serialize, ToSchema)]
#[schema(as = PasskeyChallenge)]
pub(crate) struct ChallengeJson {
    /// Base64url. Good for five minutes, at this node, once.
    challenge: String,
    /// The RP ID: the domain passkeys are for.
    #[schema(example = "holdfast.example.org")]
    domain: String,
}

/// An answer by a passkey, each field as base64url of what the browser gave.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasskeySignInBody {
    /// `rawId`.
    id: String,
    /// `response.clientDataJSON`.
    client_data: String,
    /// `response.authenticatorData`.
    authenticator_data: String,
    /// `response.signature`.
    signature: String,
    device: DeviceBody,
}

/// A passkey of one's account.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Passkey)]
pub(crate) struct PasskeyJson {
    /// Base64url.
    id: String,
    /// As its owner calls it.
    name: String,
    added_at: String,
    /// Null until it is used.
    used_at: Option<String>,
}

/// What a new passkey is to be made for.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PasskeyEnrolment)]
pub(crate) struct EnrolmentJson {
    /// Base64url. Good for five minutes, at this node, in this session.
    challenge: String,
    /// The RP ID: the domain the passkey will be for.
    domain: String,
    /// Base64url: the user handle, the same for every passkey of the account.
    user: String,
    account: String,
    /// As people should read the account.
    name: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Passkeys)]
pub(crate) struct PasskeysJson {
    passkeys: Vec<PasskeyJson>,
    /// Null when this cluster takes no passkeys, or the account has as many as it may.
    enrol: Option<EnrolmentJson>,
}

/// A passkey that was just made, each field as base64url of what the browser gave.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasskeyBody {
    /// What to call it: 1 to 80 characters.
    #[schema(example = "Key ring")]
    name: String,
    /// `response.clientDataJSON`.
    client_data: String,
    /// `response.getAuthenticatorData()`.
    authenticator_data: String,
}

/// Asks for a passkey, to sign in by it.
#[utoipa::path(get, path = "/v1/sign-in/passkey", tag = "sign-in", responses((status = 200, body = ChallengeJson)))]
async fn challenge(
    State(shared): State<Shared>,
    _visitor: Visitor,
) -> Result<Json<ChallengeJson>, Problem> {
    let Some(domain) = shared.passkeys.domain() else {
        return Err(Problem::not_found(
            "this cluster takes no passkeys; set api.passkey_domain on its nodes",
        ));
    };
    let now = shared.replica.now();
    let challenge = shared.passkeys.challenge(Purpose::SignIn, now);
    Ok(Json(ChallengeJson {
        challenge: BASE64URL.encode(&challenge),
        domain: domain.to_owned(),
    }))
}

/// Signs in by a passkey alone.
#[utoipa::path(post, path = "/v1/sign-in/passkey", tag = "sign-in", request_body = PasskeySignInBody, responses((status = 201, body = OpenedJson)))]
async fn sign_in(
    State(shared): State<Shared>,
    _visitor: Visitor,
    Unsigned(body): Unsigned<PasskeySignInBody>,
) -> Result<Response, Problem> {
    let device = parse_device(body.device)?;
    let mut fields = Fields::default();
    let id = bytes(&mut fields, "/id", &body.id);
    let client_data = bytes(&mut fields, "/client_data", &body.client_data);
    let data = bytes(&mut fields, "/authenticator_data", &body.authenticator_data);
    let signature = bytes(&mut fields, "/signature", &body.signature);
    fields.finish()?;
    let mut view = reading::open(&shared, Freshness::Local).await?;
    let known = accounts::passkey(&mut view, &id).await.map_err(of_query)?;
    drop(view);
    let refuse = |why: &str| {
        warn!(method = "passkey", why, "sign-in refused");
        not_right()
    };
    let Some(known) = known else {
        return Err(refuse("unknown"));
    };
    shared.pace.passkey(&known.account, shared.clock.boot())?;
    let now = shared.replica.now();
    let asserted = shared
        .passkeys
        .asserted(
            Purpose::SignIn,
            &known.key,
            (&client_data, &data, &signature),
            now,
        )
        .map_err(|error| refuse(&error.to_string()))?;
    let mut rng = system_rng()?;
    let token = Token::generate(&mut rng);
    let open = Command::OpenByPasskey(ByPasskey {
        id,
        count: asserted.count,
        challenge: asserted.challenge,
        session: token.session(&mut rng),
        device,
    });
    let index = spend(&shared, open).await?.map_err(|why| refuse(&why))?;
    info!(account = known.account, method = "passkey", "signed in");
    answer(&shared, token, index).await
}

/// Lists one's passkeys, and says what a new one is to be made for.
#[utoipa::path(get, path = "/v1/session/passkeys", tag = "sign-in", responses((status = 200, body = PasskeysJson)))]
async fn list(
    State(shared): State<Shared>,
    caller: axum::Extension<Caller>,
    mut view: View,
) -> Result<Response, Problem> {
    let account = &caller.account;
    let rows = accounts::passkeys(&mut view.0, &account.name).await;
    let rows = rows.map_err(of_query)?;
    let domain = shared.passkeys.domain();
    let enrol = domain.filter(|_| rows.len() < PASSKEYS_MAX).map(|domain| {
        let purpose = Purpose::Enrol(&caller.session.id);
        let challenge = shared.passkeys.challenge(purpose, shared.replica.now());
        EnrolmentJson {
            challenge: BASE64URL.encode(&challenge),
            domain: domain.to_owned(),
            user: BASE64URL.encode(&accounts::subject(&account.name)),
            account: account.name.clone(),
            name: account.shown.clone(),
        }
    });
    let passkeys = rows
        .into_iter()
        .map(|row| PasskeyJson {
            id: BASE64URL.encode(&row.id),
            name: row.label,
            added_at: view.1.rfc3339(row.added_at),
            used_at: row.used_at.map(|at| view.1.rfc3339(at)),
        })
        .collect();
    Ok(view.answer(&PasskeysJson { passkeys, enrol }))
}

/// Adds a passkey that this browser just made.
#[utoipa::path(post, path = "/v1/session/passkeys", tag = "sign-in", request_body = PasskeyBody, responses((status = 201, body = Stored)))]
async fn add(
    State(shared): State<Shared>,
    caller: axum::Extension<Caller>,
    input: Input<PasskeyBody>,
) -> Result<Response, Problem> {
    let body = input.value;
    let mut fields = Fields::default();
    if body.name.trim().is_empty() {
        fields.add("/name", "is empty; what do you call this passkey?");
    }
    fields.at_most("/name", &body.name, PASSKEY_LABEL_LEN_MAX);
    let client_data = bytes(&mut fields, "/client_data", &body.client_data);
    let data = bytes(&mut fields, "/authenticator_data", &body.authenticator_data);
    let purpose = Purpose::Enrol(&caller.session.id);
    let now = shared.replica.now();
    let made = shared.passkeys.made(purpose, &client_data, &data, now);
    let made = fields.take("/authenticator_data", made);
    fields.finish()?;
    let Some(made) = made else {
        return Err(not_right());
    };
    let name = caller.account.name.clone();
    info!(account = name, "passkey added");
    let passkey = NewPasskey {
        id: made.id,
        key: made.key,
        label: body.name.trim().to_owned(),
        count: made.count,
    };
    let command = wrap(Command::AddPasskey { name, passkey });
    let done = submit(&shared, input.order, command, NamedIn::Body).await?;
    Ok((StatusCode::CREATED, Json(done.stored)).into_response())
}

/// Removes one of one's passkeys. Sessions it opened stay.
#[utoipa::path(delete, path = "/v1/session/passkeys/{id}", tag = "sign-in", params(("id" = String, Path)), responses((status = 200, body = Stored)))]
async fn remove(
    State(shared): State<Shared>,
    caller: axum::Extension<Caller>,
    Segment(id): Segment,
    bare: Bare,
) -> Result<Json<Stored>, Problem> {
    let nothing = || Problem::not_found("you have no such passkey");
    let id = BASE64URL.decode(id.as_bytes()).map_err(|_| nothing())?;
    let name = caller.account.name.clone();
    let mut view = reading::open(&shared, Freshness::Local).await?;
    let known = accounts::passkey(&mut view, &id).await.map_err(of_query)?;
    drop(view);
    if known.is_none_or(|known| known.account != name) {
        return Err(nothing());
    }
    info!(account = name, "passkey removed");
    let command = wrap(Command::RemovePasskey { name, id });
    let done = submit(&shared, bare.order, command, NamedIn::Path).await?;
    Ok(Json(done.stored))
}

fn bytes(fields: &mut Fields, pointer: &str, text: &str) -> Vec<u8> {
    let read = BASE64URL.decode(text.trim_end_matches('=').as_bytes());
    let read = read.map_err(|_| "is not base64url");
    fields.take(pointer, read).unwrap_or_default()
}
