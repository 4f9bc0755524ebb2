//! Codes by text, through a modem of ours: the weakest of the second factors, for those who have their phone and nothing
//! else (SECURITY D-4). The code is worked out from the cluster's secret when the text leaves and when it is typed; it is
//! nowhere kept.

use axum::Json;
use axum::extract::State;
use domain::access::accounts::{self, Proof};
use domain::ports::{Freshness, ReadView};
use domain::{Command as DomainCommand, Outcome, Refusal, Timestamp, deliveries, passes};
use serde::Serialize;
use subtle::ConstantTimeEq as _;
use tracing::info;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::pace::{Limit, Visitor};
use super::secret::sha256;
use super::sign_in::{accepted, propose};
use crate::input::Segment;
use crate::problem::{Problem, of_query};
use crate::reading::{self, View};
use crate::state::Shared;

/// Digits of a number that its owner knows it by.
const DIGITS_SHOWN: usize = 2;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(send))
}

/// A code is on its way.
#[derive(Serialize, ToSchema)]
#[schema(as = TextedCode)]
pub(crate) struct TextedJson {
    /// The end of the number it goes to.
    #[schema(example = "+•••67")]
    sent_to: String,
    /// Until when the code ends this sign-in.
    expires_at: String,
}

/// Texts a code of eight digits to whoever signs in, good for five minutes: at most three in ten minutes. Only to a number
/// that is known to reach them, never for admins and auditors.
#[utoipa::path(post, path = "/v1/sign-in/{attempt}/text", tag = "sign-in", params(("attempt" = String, Path)), responses((status = 200, body = TextedJson)))]
async fn send(
    State(shared): State<Shared>,
    _visitor: Visitor,
    Segment(attempt): Segment,
) -> Result<Json<TextedJson>, Problem> {
    let attempt = sha256(attempt.as_bytes());
    let command = DomainCommand::Passes(passes::Command::SendCode { attempt });
    let done = propose(&shared, command).await?;
    if matches!(done.outcome, Outcome::Refused(Refusal::TooMany { .. })) {
        shared.pace.turned_away(Limit::Texts);
    }
    let done = accepted(done)?;
    let view = reading::open(&shared, Freshness::AtLeast(done.index)).await?;
    let mut view = View::new(view).await?;
    let code = accounts::text_code(&mut view.0, &attempt).await;
    let found = accounts::attempt(&mut view.0, &attempt).await;
    let (Some(code), Some(found)) = (code.map_err(of_query)?, found.map_err(of_query)?) else {
        return Err(super::sign_in::not_right());
    };
    let account = accounts::account(&mut view.0, &found.account).await;
    let number = match account.map_err(of_query)? {
        Some(account) => number(&mut view.0, &account).await?,
        None => None,
    };
    info!(account = found.account, method = "text", "code on its way");
    Ok(Json(TextedJson {
        sent_to: number.unwrap_or_default(),
        expires_at: view.1.rfc3339(code.expires_at),
    }))
}

/// The end of the number that codes of an account go to; `None` when nothing is texted for it.
pub(super) async fn number(
    view: &mut ReadView,
    account: &accounts::AccountRow,
) -> Result<Option<String>, Problem> {
    let to = passes::addressee(view, account).await.map_err(of_query)?;
    Ok(to.ok().map(|to| {
        let end = to.number.len().saturating_sub(DIGITS_SHOWN);
        format!("+•••{}", to.number.get(end..).unwrap_or_default())
    }))
}

/// What shows that the code typed is the one that was texted for this sign-in.
pub(super) async fn proof(
    view: &mut ReadView,
    attempt: &[u8; 32],
    typed: &str,
    now: Timestamp,
) -> Result<Option<Proof>, Problem> {
    let code = accounts::text_code(view, attempt).await.map_err(of_query)?;
    let secret = deliveries::reply_secret(view).await.map_err(of_query)?;
    let (Some(code), Some(secret)) = (code, secret) else {
        return Ok(None);
    };
    let typed: Vec<u8> = typed
        .bytes()
        .filter(|b| !matches!(b, b' ' | b'-'))
        .collect();
    let expected = secret.sign_in_code(code.delivery);
    let same: bool = expected.as_bytes().ct_eq(&typed).into();
    Ok((same && now < code.expires_at).then_some(Proof::Text {
        delivery: code.delivery,
    }))
}
