//! What people do with their own session, devices and factors.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Json, http::StatusCode};
use domain::access::Command as Access;
use domain::access::accounts::{self, AccountRow, Command, RECOVERY_CODES, SessionRow};
use domain::access::{Reach, Scope};
use domain::ports::{Freshness, ReadView};
use domain::{Civil, Command as DomainCommand, nodes, recipients, setup, units};
use rand::RngExt as _;
use serde::{Deserialize, Serialize};
use tracing::info;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::caller::Caller;
use super::secret::{code_hash, new_code};
use super::sign_in::{check_password, open_seed};
use super::{seal, totp, totp_purpose};
use crate::access::system_rng;
use crate::fields::Fields;
use crate::input::{Bare, Input, Order, Segment};
use crate::problem::{Kind, NamedIn, Problem, of_query};
use crate::reading::{self, View};
use crate::state::Shared;
use crate::submit::{Stored, submit};

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(show, sign_out))
        .routes(routes!(list))
        .routes(routes!(end))
        .routes(routes!(set_password))
        .routes(routes!(set_totp))
        .routes(routes!(confirm_totp))
        .routes(routes!(make_recovery_codes))
}

/// The person an account belongs to.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AccountPerson)]
pub(crate) struct PersonRef {
    key: String,
    name: String,
}

/// The unit an account is limited to.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AccountUnit)]
pub(crate) struct UnitRef {
    key: String,
    name: String,
}

/// Where a guest is let in.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct GuestOf {
    /// As paths call it: the number of its alert.
    room: String,
    expires_at: String,
}

/// How an account can be signed in to.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Factors)]
pub(crate) struct FactorsJson {
    password: bool,
    /// One-time codes of an app.
    totp: bool,
    /// Printed codes that are left.
    recovery_codes: u64,
    /// Keys of devices, each of which lets in alone.
    passkeys: u32,
    /// Codes by text: there is a number known to reach them, and the roles allow it.
    text: bool,
}

/// A session and who holds it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Session)]
pub(crate) struct SessionJson {
    id: String,
    account: String,
    /// As people should read the account.
    name: String,
    /// Absent when the account belongs to nobody of the directory.
    person: Option<PersonRef>,
    roles: Vec<&'static str>,
    /// The unit they are limited to; null: the whole organisation.
    unit: Option<UnitRef>,
    /// Of somebody from outside: the only room they are let into, and until when.
    guest: Option<GuestOf>,
    /// What the roles allow for everything.
    permissions: Vec<&'static str>,
    /// What the roles allow for what concerns the person: alerts they were called for, answers of their own.
    own_permissions: Vec<&'static str>,
    /// The roles ask for a factor that is not there yet: nothing is allowed but to enrol it.
    must_enrol: bool,
    /// The cluster is not set up yet, and it is for this account to go on with that.
    sets_up: bool,
    factors: FactorsJson,
    device: String,
    opened_at: String,
    /// When it ends if it is not used.
    expires_at: String,
    /// When its owner last showed a factor.
    proved_at: String,
}

/// One device somebody is or was signed in on.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeviceSession)]
pub(crate) struct DeviceSessionJson {
    id: String,
    device: String,
    /// What opened it.
    factors: String,
    opened_at: String,
    seen_at: String,
    /// Null once it is over.
    expires_at: Option<String>,
    ended_at: Option<String>,
    /// Who ended it; empty when nobody did.
    ended_by: String,
    /// The one that asks.
    this: bool,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeviceSessions)]
pub(crate) struct DeviceSessionsJson {
    pub(super) sessions: Vec<DeviceSessionJson>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasswordBody {
    /// The one there is; may be left out when there is none.
    current: Option<String>,
    /// 12 to 128 characters.
    password: String,
}

/// A seed for an app. Shown only here; it counts once a code of it is confirmed.
#[derive(Serialize, ToSchema)]
#[schema(as = TotpSeed)]
pub(crate) struct SeedJson {
    /// To be typed into an app.
    secret: String,
    /// The same as a link, or a picture to be scanned.
    uri: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CodeBody {
    #[schema(example = "123456")]
    code: String,
}

/// New codes, to be printed and kept apart from the phone. Shown only here; earlier ones open nothing any more.
#[derive(Serialize, ToSchema)]
#[schema(as = RecoveryCodes)]
pub(crate) struct RecoveryCodesJson {
    #[serde(flatten)]
    stored: Stored,
    codes: Vec<String>,
}

/// Who is signed in, and what they may do.
#[utoipa::path(get, path = "/v1/session", tag = "sign-in", responses((status = 200, body = SessionJson)))]
async fn show(
    State(shared): State<Shared>,
    caller: axum::Extension<Caller>,
    mut view: View,
) -> Result<Response, Problem> {
    let (session, account) = (&caller.session, &caller.account);
    let mut body = session_json(&shared, &mut view.0, session, account).await?;
    body.expires_at = view.1.rfc3339(caller.lives_until);
    Ok(view.answer(&body))
}

/// Signs this device out, everywhere and at once.
#[utoipa::path(delete, path = "/v1/session", tag = "sign-in", responses((status = 200, body = Stored)))]
async fn sign_out(
    State(shared): State<Shared>,
    caller: axum::Extension<Caller>,
    bare: Bare,
) -> Result<Response, Problem> {
    let session = caller.session.id.clone();
    info!(account = caller.account.name, session, "signed out");
    let command = wrap(Command::End { session });
    let done = submit(&shared, bare.order, command, NamedIn::Path).await?;
    // Whatever the browser keeps for this address goes, too.
    let clear = [("clear-site-data", "\"cache\", \"storage\"")];
    Ok((clear, Json(done.stored)).into_response())
}

/// Lists the devices one is or was signed in on, newest first.
#[utoipa::path(get, path = "/v1/sessions", tag = "sign-in", responses((status = 200, body = DeviceSessionsJson)))]
async fn list(caller: axum::Extension<Caller>, mut view: View) -> Result<Response, Problem> {
    let rows = accounts::sessions(&mut view.0, &caller.account.name).await;
    let rows = rows.map_err(of_query)?.into_iter();
    let this = Some(caller.session.id.as_str());
    let shown =
        rows.map(|row| device_session_json(row, &caller.account, this, &view.1, view.0.as_of));
    let sessions = shown.collect();
    Ok(view.answer(&DeviceSessionsJson { sessions }))
}

/// Signs one of one's devices out, everywhere and at once.
#[utoipa::path(delete, path = "/v1/sessions/{id}", tag = "sign-in", params(("id" = String, Path)), responses((status = 200, body = Stored)))]
async fn end(
    State(shared): State<Shared>,
    caller: axum::Extension<Caller>,
    Segment(id): Segment,
    bare: Bare,
) -> Result<Json<Stored>, Problem> {
    let mut view = reading::open(&shared, Freshness::Local).await?;
    let own = accounts::sessions(&mut view, &caller.account.name)
        .await
        .map_err(of_query)?;
    drop(view);
    if !own.iter().any(|session| session.id == id) {
        return Err(Problem::not_found("you have no such session"));
    }
    info!(
        account = caller.account.name,
        session = id,
        "session ended by its owner"
    );
    let command = wrap(Command::End { session: id });
    let done = submit(&shared, bare.order, command, NamedIn::Path).await?;
    Ok(Json(done.stored))
}

/// Sets one's password and ends all one's other sessions.
#[utoipa::path(put, path = "/v1/session/password", tag = "sign-in", request_body = PasswordBody, responses((status = 200, body = Stored)))]
async fn set_password(
    State(shared): State<Shared>,
    caller: axum::Extension<Caller>,
    input: Input<PasswordBody>,
) -> Result<Json<Stored>, Problem> {
    let account = &caller.account;
    if account.password.is_some() {
        let current = input.value.current.unwrap_or_default();
        count_password(&shared, account).await?;
        let verdict = shared
            .hasher
            .verify(current, account.password.clone())
            .await?;
        if !verdict.right {
            let mut fields = Fields::default();
            fields.add("/current", "is not your password");
            return Err(fields.into_problem());
        }
    }
    check_password(
        &shared,
        &input.value.password,
        &[&account.name, &account.shown],
    )
    .await?;
    let phc = shared
        .hasher
        .hash(input.value.password, &mut system_rng()?)
        .await?;
    info!(account = account.name, "password set");
    let command = wrap(Command::SetPassword {
        name: account.name.clone(),
        phc,
        but: Some(caller.session.id.clone()),
    });
    // What was sent holds passwords: a quick hash of it, kept to know a repeat by, would be one to guess at (SECURITY D-3).
    let order = Order {
        body: [0; 32],
        ..input.order
    };
    let done = submit(&shared, order, command, NamedIn::Body).await?;
    Ok(Json(done.stored))
}

/// Tries from inside count with those from outside: one limiter for every way in (SECURITY §2.3 no. 5).
async fn count_password(shared: &Shared, account: &AccountRow) -> Result<(), Problem> {
    let subject = accounts::subject(&account.name);
    super::sign_in::ask(shared, Command::TryPassword { subject })
        .await
        .map(|_| ())
}

/// Makes a seed for one-time codes of an app.
#[utoipa::path(post, path = "/v1/session/totp", tag = "sign-in", responses((status = 201, body = SeedJson)))]
async fn set_totp(
    State(shared): State<Shared>,
    caller: axum::Extension<Caller>,
    bare: Bare,
) -> Result<Response, Problem> {
    let name = caller.account.name.clone();
    let mut rng = system_rng()?;
    let seed: [u8; totp::SEED_LEN] = rng.random();
    let keys = shared.admin.sealing_keys();
    let sealed = seal::seal(&keys, &totp_purpose(&name), &seed, &mut rng).ok_or_else(|| {
        let text = "this node cannot keep seeds; set it up at a voting node";
        Problem::new(Kind::Unavailable, text)
    })?;
    let mut view = reading::open(&shared, Freshness::Local).await?;
    let organisation = nodes::organisation(&mut view).await.map_err(of_query)?;
    drop(view);
    let command = wrap(Command::SetTotp {
        name: name.clone(),
        sealed: sealed.clone(),
    });
    let done = submit(&shared, bare.order, command, NamedIn::Path).await?;
    let mut view = reading::open(&shared, Freshness::AtLeast(done.index())).await?;
    let stored = accounts::account(&mut view, &name)
        .await
        .map_err(of_query)?;
    if stored.is_none_or(|account| account.totp_sealed.as_ref() != Some(&sealed)) {
        let text = "this request made a seed before, and it was shown only then; ask again with a new Idempotency-Key";
        return Err(Problem::new(Kind::Conflict, text));
    }
    let body = SeedJson {
        secret: totp::secret(&seed),
        uri: totp::uri(&name, &organisation, &seed),
    };
    Ok((StatusCode::CREATED, Json(body)).into_response())
}

/// Confirms that the app shows the right codes: from now on they are a factor.
#[utoipa::path(post, path = "/v1/session/totp/confirm", tag = "sign-in", request_body = CodeBody, responses((status = 200, body = Stored)))]
async fn confirm_totp(
    State(shared): State<Shared>,
    caller: axum::Extension<Caller>,
    input: Input<CodeBody>,
) -> Result<Json<Stored>, Problem> {
    let account = &caller.account;
    let mut fields = Fields::default();
    if account.totp_sealed.is_none() || account.has_totp() {
        fields.add("/code", "confirms nothing: no new seed waits for it");
        return Err(fields.into_problem());
    }
    let seed = open_seed(&shared, account)?;
    let mut view = reading::open(&shared, Freshness::Local).await?;
    let civil = nodes::civil(&mut view).await.map_err(of_query)?;
    drop(view);
    let now = civil.at(shared.replica.now());
    let Some(step) = totp::step_of(&seed, &input.value.code, now) else {
        fields.add(
            "/code",
            "is not the code of now; look at the clock of the phone",
        );
        return Err(fields.into_problem());
    };
    info!(account = account.name, "one-time codes of an app confirmed");
    let name = account.name.clone();
    let command = wrap(Command::ConfirmTotp { name, step });
    let done = submit(&shared, input.order, command, NamedIn::Body).await?;
    Ok(Json(done.stored))
}

/// Makes new recovery codes.
#[utoipa::path(post, path = "/v1/session/recovery-codes", tag = "sign-in", responses((status = 201, body = RecoveryCodesJson)))]
async fn make_recovery_codes(
    State(shared): State<Shared>,
    caller: axum::Extension<Caller>,
    bare: Bare,
) -> Result<Response, Problem> {
    let mut rng = system_rng()?;
    let codes: Vec<String> = (0..RECOVERY_CODES).map(|_| new_code(&mut rng)).collect();
    let code_hashes: Vec<[u8; 32]> = codes.iter().filter_map(|code| code_hash(code)).collect();
    let first = code_hashes.first().copied();
    let command = wrap(Command::SetRecoveryCodes {
        name: caller.account.name.clone(),
        code_hashes,
    });
    info!(account = caller.account.name, "new recovery codes");
    let done = submit(&shared, bare.order, command, NamedIn::Path).await?;
    let mut view = reading::open(&shared, Freshness::AtLeast(done.index())).await?;
    let known = match first {
        Some(hash) => accounts::is_recovery_code(&mut view, &hash)
            .await
            .map_err(of_query)?,
        None => false,
    };
    if !known {
        let text = "this request made codes before, and they were shown only then; ask again with a new Idempotency-Key";
        return Err(Problem::new(Kind::Conflict, text));
    }
    let stored = done.stored;
    Ok((
        StatusCode::CREATED,
        Json(RecoveryCodesJson { stored, codes }),
    )
        .into_response())
}

pub(super) fn wrap(command: Command) -> DomainCommand {
    DomainCommand::Access(Access::Accounts(command))
}

/// A session as whoever holds it sees it.
pub(super) async fn session_json(
    shared: &Shared,
    view: &mut ReadView,
    session: &SessionRow,
    account: &AccountRow,
) -> Result<SessionJson, Problem> {
    let civil = nodes::civil(view).await.map_err(of_query)?;
    let reaching = |reach| {
        let scopes = Scope::ALL.into_iter();
        let held = scopes.filter(move |scope| account.reach(*scope) == Some(reach));
        held.map(Scope::name).collect()
    };
    let person = match &account.person {
        None => None,
        Some(key) => recipients::person(view, key).await.map_err(of_query)?,
    };
    let unit = match &account.unit {
        None => None,
        Some(key) => units::find(view, key).await.map_err(of_query)?,
    };
    let guest = match &account.guest {
        None => None,
        Some(guest) => {
            let alert = domain::alerts::find(view, domain::AlertId(guest.room.0)).await;
            let alert = alert.map_err(of_query)?;
            Some(GuestOf {
                room: alert.map_or_else(|| guest.room.to_string(), |alert| alert.label),
                expires_at: civil.rfc3339(guest.expires_at),
            })
        }
    };
    let sets_up = account.reach(Scope::AccountsAdmin) == Some(Reach::All)
        && !account.is_glass()
        && setup::finished(view).await.map_err(of_query)?.is_none();
    let ends = session
        .lives_until(&account.roles)
        .unwrap_or(shared.replica.now());
    Ok(SessionJson {
        id: session.id.clone(),
        account: account.name.clone(),
        name: account.shown.clone(),
        person: person.map(|row| PersonRef {
            key: row.key,
            name: row.name,
        }),
        roles: account.roles.names(),
        unit: unit.map(|row| UnitRef {
            key: row.key,
            name: row.name,
        }),
        guest,
        permissions: reaching(Reach::All),
        own_permissions: reaching(Reach::Own),
        must_enrol: account.must_enrol(),
        sets_up,
        factors: factors_json(view, account).await?,
        device: session.device_name.clone(),
        opened_at: civil.rfc3339(session.opened_at),
        expires_at: civil.rfc3339(ends),
        proved_at: civil.rfc3339(session.proved_at),
    })
}

pub(super) async fn factors_json(
    view: &mut ReadView,
    account: &AccountRow,
) -> Result<FactorsJson, Problem> {
    let left = accounts::recovery_codes_left(view, &account.name).await;
    let text = super::text::number(view, account).await?.is_some();
    Ok(FactorsJson {
        text,
        password: account.password.is_some(),
        totp: account.has_totp(),
        recovery_codes: left.map_err(of_query)?,
        passkeys: account.passkeys,
    })
}

pub(super) fn device_session_json(
    row: SessionRow,
    account: &AccountRow,
    this: Option<&str>,
    civil: &Civil,
    now: domain::Timestamp,
) -> DeviceSessionJson {
    let ends = row.lives_until(&account.roles).filter(|ends| now < *ends);
    DeviceSessionJson {
        this: this == Some(row.id.as_str()),
        id: row.id,
        device: row.device_name,
        factors: row.factors,
        opened_at: civil.rfc3339(row.opened_at),
        seen_at: civil.rfc3339(row.seen_at),
        expires_at: ends.map(|ends| civil.rfc3339(ends)),
        ended_at: row.ended_at.map(|at| civil.rfc3339(at)),
        ended_by: row.ended_by,
    }
}
