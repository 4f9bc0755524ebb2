//! Accounts of people over HTTP: administration here, signing in and one's own session beside it.

pub(crate) mod caller;
pub(crate) mod fresh;
pub(crate) mod glass;
mod guests;
mod own;
pub(crate) mod pace;
mod passkeys;
pub(crate) mod password;
pub(crate) mod proof;
mod reseal;
pub(crate) mod seal;
pub(crate) mod secret;
mod sign_in;
mod text;
mod totp;
pub(crate) mod webauthn;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Json, http::StatusCode};
use domain::access::Role;
use domain::access::accounts::{self, AccountRow, Command, INVITATION_TIME};
use domain::ports::Freshness;
use domain::{Command as DomainCommand, passes, recipients};
use serde::{Deserialize, Serialize};
use tracing::info;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::own::{DeviceSessionsJson, FactorsJson, device_session_json, factors_json, wrap};
pub use self::reseal::{ResealError, reseal};
use self::secret::{code_hash, new_code};
use crate::access::system_rng;
use crate::fields::Fields;
use crate::input::{Bare, Input, MaybeInput, Order, Segment};
use crate::problem::{Kind, NamedIn, Problem, of_query};
use crate::reading::{self, View};
use crate::state::Shared;
use crate::submit::{Stored, submit};
use crate::units::Limit;

const SHOWN_LEN_MAX: usize = 100;

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show, put))
        .routes(routes!(set_roles))
        .routes(routes!(set_disabled))
        .routes(routes!(invite))
        .routes(routes!(list_sessions, end_sessions))
        .merge(sign_in::routes())
        .merge(text::routes())
        .merge(guests::routes())
        .merge(glass::routes())
        .merge(fresh::routes())
        .merge(own::routes())
        .merge(passkeys::routes())
}

/// What a sealed seed is for, and whose.
fn totp_purpose(account: &str) -> String {
    format!("totp:{account}")
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Account)]
pub(crate) struct AccountJson {
    /// What people type to sign in.
    account: String,
    /// As people should read it.
    name: String,
    /// Key of the person it belongs to.
    person: Option<String>,
    roles: Vec<&'static str>,
    /// Key of the unit it is limited to; null: the whole organisation.
    unit: Option<String>,
    /// It lets somebody from outside into one room.
    guest: bool,
    factors: FactorsJson,
    /// Its roles ask for a factor that is not there yet.
    must_enrol: bool,
    /// Since when nobody is let in by it.
    disabled_at: Option<String>,
    /// Until when no password of it is looked at, after too many wrong ones.
    password_closed_until: Option<String>,
    /// Devices signed in.
    sessions: usize,
    created_at: String,
    created_by: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Accounts)]
pub(crate) struct AccountsJson {
    accounts: Vec<AccountJson>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccountBody {
    /// As people should read it: 1 to 100 characters. Without it: the person's name.
    name: Option<String>,
    /// Key of the person it belongs to: whose alerts it shows and answers.
    #[schema(example = "anna")]
    person: Option<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RolesBody {
    /// `admin`, `incident-manager`, `duty-officer`, `responder`, `auditor`.
    #[schema(example = json!(["responder"]))]
    roles: Vec<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DisabledBody {
    disabled: bool,
}

#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct InvitationBody {
    /// `text`: to the number known to reach the person, who alone sees the code. Without it: shown here, to be printed or
    /// read aloud.
    #[schema(example = "text")]
    send: Option<String>,
}

/// A code that lets one device in, once, within 24 hours. Shown only here.
#[derive(Serialize, ToSchema)]
#[schema(as = AccountInvitation)]
pub(crate) struct InvitationJson {
    #[serde(flatten)]
    stored: Stored,
    /// Null when it was texted.
    code: Option<String>,
    /// The end of the number it was texted to.
    sent_to: Option<String>,
    expires_at: String,
}

/// Lists accounts in order of name; to those limited to a unit, those that are too.
#[utoipa::path(get, path = "/v1/accounts", tag = "accounts", responses((status = 200, body = AccountsJson)))]
async fn list(limit: Limit, mut view: View) -> Result<Response, Problem> {
    let mut rows = accounts::accounts(&mut view.0).await.map_err(of_query)?;
    if let Some(units) = limit.keys(&mut view.0).await? {
        rows.retain(|row| row.unit.as_ref().is_some_and(|unit| units.contains(unit)));
    }
    let mut accounts = Vec::with_capacity(rows.len());
    for row in rows {
        accounts.push(account_json(&mut view, row).await?);
    }
    Ok(view.answer(&AccountsJson { accounts }))
}

/// Shows an account.
#[utoipa::path(get, path = "/v1/accounts/{name}", tag = "accounts", params(("name" = String, Path)), responses((status = 200, body = AccountJson)))]
async fn show(Segment(name): Segment, mut view: View) -> Result<Response, Problem> {
    let row = accounts::account(&mut view.0, &name)
        .await
        .map_err(of_query)?;
    let row = row.ok_or_else(unknown)?;
    let body = account_json(&mut view, row).await?;
    Ok(view.answer(&body))
}

/// Adds an account, which then can do nothing and let nobody in, or changes whom it stands for.
#[utoipa::path(put, path = "/v1/accounts/{name}", tag = "accounts", params(("name" = String, Path)), request_body = AccountBody, responses((status = 200, body = Stored)))]
async fn put(
    State(shared): State<Shared>,
    Segment(name): Segment,
    input: Input<AccountBody>,
) -> Result<Json<Stored>, Problem> {
    let mut fields = Fields::default();
    let mut shown = input.value.name.unwrap_or_default().trim().to_owned();
    if let Some(key) = &input.value.person {
        let mut view = reading::open(&shared, Freshness::Local).await?;
        match recipients::person(&mut view, key).await.map_err(of_query)? {
            Some(person) if shown.is_empty() => shown = person.name,
            Some(_) => {}
            None => fields.add(
                "/person",
                "nobody is known by this key; add the person first",
            ),
        }
    }
    if shown.is_empty() {
        shown.clone_from(&name);
    }
    fields.at_most("/name", &shown, SHOWN_LEN_MAX);
    fields.finish()?;
    info!(
        actor = input.order.actor.label(),
        account = name,
        "account put"
    );
    let command = Command::Put {
        name,
        shown,
        person: input.value.person,
    };
    let done = submit(&shared, input.order, wrap(command), NamedIn::Path).await?;
    Ok(Json(done.stored))
}

/// Sets what an account may do. Holds for its open sessions at once.
#[utoipa::path(put, path = "/v1/accounts/{name}/roles", tag = "accounts", params(("name" = String, Path)), request_body = RolesBody, responses((status = 200, body = Stored)))]
async fn set_roles(
    State(shared): State<Shared>,
    Segment(name): Segment,
    input: Input<RolesBody>,
) -> Result<Json<Stored>, Problem> {
    let mut fields = Fields::default();
    for (index, role) in input.value.roles.iter().enumerate() {
        if Role::parse(role).is_none() {
            let known = Role::GIVEN.map(Role::name).join(", ");
            let text = format!("{role:?} is not a role; known are {known}");
            fields.add(format!("/roles/{index}"), text);
        }
    }
    fields.finish()?;
    let roles = input.value.roles;
    info!(
        actor = input.order.actor.label(),
        account = name,
        roles = roles.join(","),
        "roles set"
    );
    let command = wrap(Command::SetRoles { name, roles });
    let done = submit(&shared, input.order, command, NamedIn::Path).await?;
    Ok(Json(done.stored))
}

/// Lets nobody in by an account any more and ends its sessions, or lets people in again.
#[utoipa::path(put, path = "/v1/accounts/{name}/disabled", tag = "accounts", params(("name" = String, Path)), request_body = DisabledBody, responses((status = 200, body = Stored)))]
async fn set_disabled(
    State(shared): State<Shared>,
    Segment(name): Segment,
    input: Input<DisabledBody>,
) -> Result<Json<Stored>, Problem> {
    let disabled = input.value.disabled;
    info!(
        actor = input.order.actor.label(),
        account = name,
        disabled,
        "account switched"
    );
    let command = wrap(Command::SetDisabled { name, disabled });
    let done = submit(&shared, input.order, command, NamedIn::Path).await?;
    Ok(Json(done.stored))
}

/// Makes a code that lets one device in, once, within 24 hours. Earlier ones of the account open nothing any more.
#[utoipa::path(post, path = "/v1/accounts/{name}/invitation", tag = "accounts", params(("name" = String, Path)), request_body = Option<InvitationBody>, responses((status = 201, body = InvitationJson)))]
async fn invite(
    State(shared): State<Shared>,
    Segment(name): Segment,
    input: MaybeInput<InvitationBody>,
) -> Result<Response, Problem> {
    match input.value.send.as_deref() {
        None => {}
        Some("text") => return invite_by_text(&shared, name, input.order).await,
        Some(other) => {
            let mut fields = Fields::default();
            let text = format!("{other:?} is no way to send it; known is text");
            fields.add("/send", text);
            return Err(fields.into_problem());
        }
    }
    let code = new_code(&mut system_rng()?);
    let Some(code_hash) = code_hash(&code) else {
        return Err(Problem::new(
            Kind::Internal,
            "no code could be made; try again",
        ));
    };
    info!(
        actor = input.order.actor.label(),
        account = name,
        "invitation made"
    );
    let command = wrap(Command::Invite { name, code_hash });
    let done = submit(&shared, input.order, command, NamedIn::Path).await?;
    let view = reading::open(&shared, Freshness::AtLeast(done.index())).await?;
    let mut view = View::new(view).await?;
    let ours = accounts::invitation_expires(&mut view.0, &code_hash).await;
    let Some(expires) = ours.map_err(of_query)? else {
        let text = "this request made a code before, and it was shown only then; ask again with a new Idempotency-Key";
        return Err(Problem::new(Kind::Conflict, text));
    };
    debug_assert!(expires.since(view.0.as_of) <= INVITATION_TIME);
    let body = InvitationJson {
        stored: done.stored,
        code: Some(code),
        sent_to: None,
        expires_at: view.1.rfc3339(expires),
    };
    Ok((StatusCode::CREATED, Json(body)).into_response())
}

/// Nobody but the person sees the code: it is worked out when the text leaves.
async fn invite_by_text(shared: &Shared, name: String, order: Order) -> Result<Response, Problem> {
    info!(
        actor = order.actor.label(),
        account = name,
        "invitation texted"
    );
    let command = passes::Command::SendInvitation { name: name.clone() };
    let command = DomainCommand::Passes(command);
    let done = submit(shared, order, command, NamedIn::Path).await?;
    let view = reading::open(shared, Freshness::AtLeast(done.index())).await?;
    let mut view = View::new(view).await?;
    let expires = accounts::invitation_of(&mut view.0, &name).await;
    let account = accounts::account(&mut view.0, &name)
        .await
        .map_err(of_query)?;
    let sent_to = match account {
        Some(account) => text::number(&mut view.0, &account).await?,
        None => None,
    };
    let Some(expires) = expires.map_err(of_query)? else {
        let text =
            "the invitation of this request was used already; ask again with a new Idempotency-Key";
        return Err(Problem::new(Kind::Conflict, text));
    };
    let body = InvitationJson {
        stored: done.stored,
        code: None,
        sent_to,
        expires_at: view.1.rfc3339(expires),
    };
    Ok((StatusCode::CREATED, Json(body)).into_response())
}

/// Lists the devices an account is or was signed in on, newest first.
#[utoipa::path(get, path = "/v1/accounts/{name}/sessions", tag = "accounts", params(("name" = String, Path)), responses((status = 200, body = DeviceSessionsJson)))]
async fn list_sessions(Segment(name): Segment, mut view: View) -> Result<Response, Problem> {
    let account = accounts::account(&mut view.0, &name)
        .await
        .map_err(of_query)?;
    let account = account.ok_or_else(unknown)?;
    let rows = accounts::sessions(&mut view.0, &name)
        .await
        .map_err(of_query)?;
    let rows = rows.into_iter();
    let sessions = rows.map(|row| device_session_json(row, &account, None, &view.1, view.0.as_of));
    let sessions = sessions.collect();
    Ok(view.answer(&DeviceSessionsJson { sessions }))
}

/// Ends every session of an account, on all nodes and at once.
#[utoipa::path(delete, path = "/v1/accounts/{name}/sessions", tag = "accounts", params(("name" = String, Path)), responses((status = 200, body = Stored)))]
async fn end_sessions(
    State(shared): State<Shared>,
    Segment(name): Segment,
    bare: Bare,
) -> Result<Json<Stored>, Problem> {
    let mut view = reading::open(&shared, Freshness::Local).await?;
    let known = accounts::account(&mut view, &name)
        .await
        .map_err(of_query)?;
    drop(view);
    known.ok_or_else(unknown)?;
    info!(
        actor = bare.order.actor.label(),
        account = name,
        "sessions ended"
    );
    let command = wrap(Command::EndAll { name, but: None });
    let done = submit(&shared, bare.order, command, NamedIn::Path).await?;
    Ok(Json(done.stored))
}

async fn account_json(view: &mut View, row: AccountRow) -> Result<AccountJson, Problem> {
    let factors = factors_json(&mut view.0, &row).await?;
    let sessions = accounts::sessions(&mut view.0, &row.name)
        .await
        .map_err(of_query)?;
    let now = view.0.as_of;
    let live = sessions
        .iter()
        .filter_map(|session| session.lives_until(&row.roles));
    let subject = accounts::subject(&row.name);
    let closed =
        accounts::tries_closed_until(&mut view.0, &accounts::PASSWORD_TRIES, &subject, now);
    let closed = closed.await.map_err(of_query)?;
    Ok(AccountJson {
        sessions: live.filter(|until| now < *until).count(),
        must_enrol: row.must_enrol(),
        guest: row.guest.is_some(),
        factors,
        account: row.name,
        name: row.shown,
        person: row.person,
        roles: row.roles.names(),
        unit: row.unit,
        disabled_at: row.disabled_at.map(|at| view.1.rfc3339(at)),
        password_closed_until: closed.map(|at| view.1.rfc3339(at)),
        created_at: view.1.rfc3339(row.created_at),
        created_by: row.created_by,
    })
}

fn unknown() -> Problem {
    Problem::not_found("there is no such account")
}
