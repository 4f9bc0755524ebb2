//! Break-glass cards: made by two people, used once by whoever opens the envelope, and marked on every answer while somebody
//! is in by one (SECURITY §2.5).

use std::sync::{Mutex, PoisonError};

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use axum::{Json, http::StatusCode};
use data_encoding::HEXLOWER;
use domain::passes::{self, CardRow, Command, OpenByCard, OpenGlass};
use domain::ports::Freshness;
use domain::topics::Topic;
use domain::{Civil, Command as DomainCommand, Timestamp};
use serde::{Deserialize, Serialize};
use tracing::{info, warn};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::pace::Visitor;
use super::secret::{Token, code_hash, new_code};
use super::sign_in::{DeviceBody, OpenedJson, accepted, answer, parse_device, propose};
use crate::access::system_rng;
use crate::fields::Fields;
use crate::input::{Bare, Input, Segment, Unsigned};
use crate::problem::{Kind, NamedIn, Problem, of_query};
use crate::reading::{self, View};
use crate::state::Shared;
use crate::submit::{Stored, submit};

/// On every answer to whoever showed who they are: `none`, or where the card is from that somebody is in by:
/// `helsinki; until=2026-11-23T05:12:00+00:00`.
pub(crate) const GLASS: HeaderName = HeaderName::from_static("holdfast-break-glass");

/// Under which starts are counted: a card names no account.
const STARTS_AS: &str = "break-glass card";

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list, make))
        .routes(routes!(confirm))
        .routes(routes!(revoke))
        .routes(routes!(sign_in))
}

/// A break-glass card. Its code is nowhere but on the paper.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = GlassCard)]
pub(crate) struct CardJson {
    /// Printed on the card.
    card: String,
    /// Where its envelope lies.
    site: String,
    /// `waiting` for a second person, `ready`, `used`, `ended` (revoked or replaced), `void` (nobody confirmed it in time, or
    /// the state was restored since).
    state: &'static str,
    made_at: String,
    made_by: String,
    /// Null while it waits.
    confirmed_at: Option<String>,
    confirmed_by: Option<String>,
    /// Null: never.
    used_at: Option<String>,
    /// The device it let in.
    used_on: Option<String>,
    ended_at: Option<String>,
    /// Who revoked it, or what replaced it.
    ended_by: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = GlassCards)]
pub(crate) struct CardsJson {
    cards: Vec<CardJson>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CardBody {
    /// Where the envelope will lie: 1 to 40 lower-case letters, digits, dots, dashes and underscores.
    #[schema(example = "helsinki")]
    site: String,
}

/// A card was made. Its code is shown only here.
#[derive(Serialize, ToSchema)]
#[schema(as = NewGlassCard)]
pub(crate) struct NewCardJson {
    #[serde(flatten)]
    stored: Stored,
    /// To be printed and sealed. Opens nothing before somebody else confirms the card.
    code: String,
    card: CardJson,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GlassSignInBody {
    /// The card's code, however it is typed.
    #[schema(example = "K7Q2P-0M3XN-8WZTR-5DVCA-9H4EB")]
    code: String,
    device: DeviceBody,
}

/// Lists break-glass cards, the newest first, also those that are used or over.
#[utoipa::path(get, path = "/v1/glass-cards", tag = "accounts", responses((status = 200, body = CardsJson)))]
async fn list(mut view: View) -> Result<Response, Problem> {
    let rows = passes::cards(&mut view.0).await.map_err(of_query)?;
    let now = view.0.as_of;
    let rows = rows.into_iter();
    let cards = rows.map(|row| card_json(row, &view.1, now)).collect();
    Ok(view.answer(&CardsJson { cards }))
}

/// Makes a break-glass card for a site. It opens nothing before somebody else confirms it; the site's earlier card holds
/// until then.
#[utoipa::path(post, path = "/v1/glass-cards", tag = "accounts", request_body = CardBody, responses((status = 201, body = NewCardJson)))]
async fn make(State(shared): State<Shared>, input: Input<CardBody>) -> Result<Response, Problem> {
    let code = new_code(&mut system_rng()?);
    let Some(hash) = code_hash(&code) else {
        return Err(Problem::new(
            Kind::Internal,
            "no code could be made; try again",
        ));
    };
    // The same request makes the same card.
    let id = HEXLOWER.encode(&input.order.request.as_bytes()[..4]);
    let site = input.value.site;
    info!(
        actor = input.order.actor.label(),
        card = id,
        site,
        "break-glass card made"
    );
    let command = DomainCommand::Passes(Command::MakeCard {
        card: id.clone(),
        site,
        code_hash: hash,
    });
    let done = submit(&shared, input.order, command, NamedIn::Body).await?;
    let view = reading::open(&shared, Freshness::AtLeast(done.index())).await?;
    let mut view = View::new(view).await?;
    let ours = passes::is_card_code(&mut view.0, &id, &hash).await;
    let ours = ours.map_err(of_query)?;
    let row = passes::card(&mut view.0, &id).await.map_err(of_query)?;
    let Some(row) = row.filter(|_| ours) else {
        let text = "this request made a card before, and its code was shown only then; revoke that card and ask again with a \
                    new Idempotency-Key";
        return Err(Problem::new(Kind::Conflict, text));
    };
    let body = NewCardJson {
        stored: done.stored,
        code,
        card: card_json(row, &view.1, view.0.as_of),
    };
    Ok((StatusCode::CREATED, Json(body)).into_response())
}

/// Confirms that a card is printed and sealed, as somebody else than who made it. From now on it opens the door, and the site's
/// earlier one does no more.
#[utoipa::path(post, path = "/v1/glass-cards/{card}/confirm", tag = "accounts", params(("card" = String, Path)), responses((status = 200, body = Stored)))]
async fn confirm(
    State(shared): State<Shared>,
    Segment(card): Segment,
    bare: Bare,
) -> Result<Json<Stored>, Problem> {
    let actor = bare.order.actor.label();
    info!(actor, card, "break-glass card confirmed");
    let command = DomainCommand::Passes(Command::ConfirmCard { card });
    let done = submit(&shared, bare.order, command, NamedIn::Path).await?;
    Ok(Json(done.stored))
}

/// Revokes a card. Whoever is in by it is signed out, everywhere and at once.
#[utoipa::path(delete, path = "/v1/glass-cards/{card}", tag = "accounts", params(("card" = String, Path)), responses((status = 200, body = Stored)))]
async fn revoke(
    State(shared): State<Shared>,
    Segment(card): Segment,
    bare: Bare,
) -> Result<Json<Stored>, Problem> {
    let actor = bare.order.actor.label();
    info!(actor, card, "break-glass card revoked");
    let command = DomainCommand::Passes(Command::EndCard { card });
    let done = submit(&shared, bare.order, command, NamedIn::Path).await?;
    Ok(Json(done.stored))
}

/// Signs in by a break-glass card: once, for two hours. Admins, auditors and incident managers are told at once.
#[utoipa::path(post, path = "/v1/sign-in/glass", tag = "sign-in", request_body = GlassSignInBody, responses((status = 201, body = OpenedJson)))]
async fn sign_in(
    State(shared): State<Shared>,
    visitor: Visitor,
    Unsigned(body): Unsigned<GlassSignInBody>,
) -> Result<Response, Problem> {
    let device = parse_device(body.device)?;
    let Some(code_hash) = code_hash(&body.code) else {
        let mut fields = Fields::default();
        fields.add(
            "/code",
            "is not a code; it has 25 letters and digits in groups of five",
        );
        return Err(fields.into_problem());
    };
    visitor.starts(&shared, STARTS_AS)?;
    let mut rng = system_rng()?;
    let token = Token::generate(&mut rng);
    let open = Command::OpenByCard(OpenByCard {
        code_hash,
        session: token.session(&mut rng),
        device,
    });
    let done = propose(&shared, DomainCommand::Passes(open)).await?;
    let done = accepted(done).inspect_err(|problem| {
        warn!(
            method = "break-glass card",
            why = problem.detail(),
            "sign-in refused"
        );
    })?;
    warn!(method = "break-glass card", "signed in");
    answer(&shared, token, done.index).await
}

fn card_json(row: CardRow, civil: &Civil, now: Timestamp) -> CardJson {
    let time = |at: Option<Timestamp>| at.map(|at| civil.rfc3339(at));
    let words = |text: String| Some(text).filter(|text| !text.is_empty());
    CardJson {
        state: row.state(now).name(),
        card: row.id,
        site: row.site,
        made_at: civil.rfc3339(row.made_at),
        made_by: row.made_by,
        confirmed_at: time(row.confirmed_at),
        confirmed_by: words(row.confirmed_by),
        used_at: time(row.used_at),
        used_on: words(row.used_on),
        ended_at: time(row.ended_at),
        ended_by: words(row.ended_by),
    }
}

/// What this node last read about cards that let somebody in: read anew when sessions may have changed.
#[derive(Debug, Default)]
pub(crate) struct Glass(Mutex<Known>);

#[derive(Clone, Debug, Default)]
struct Known {
    /// The newest change it holds; `None`: nothing was read yet.
    at: Option<u64>,
    open: Option<(OpenGlass, String)>,
}

impl Glass {
    /// What is known, if nothing that touches sessions happened since.
    fn known(&self, shared: &Shared) -> Result<Known, Option<u64>> {
        let Some(feed) = shared.replica.feed() else {
            return Err(None);
        };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(at) = known.at else {
            return Err(Some(feed.newest()));
        };
        let (newest, topics) = feed.since(at);
        if topics.contains(Topic::Access) {
            return Err(Some(newest));
        }
        known.at = Some(newest);
        Ok(known.clone())
    }

    fn keep(&self, known: Known) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = known;
    }
}

/// Marks an answer with whether somebody is in by a card, so that every screen says so. The mark is always there: answers to
/// everybody carry none, and mean nothing by it.
pub(crate) async fn mark(shared: &Shared, headers: &mut HeaderMap) {
    let known = match shared.glass.known(shared) {
        Ok(known) => known,
        Err(newest) => match read(shared, newest).await {
            Ok(known) => {
                shared.glass.keep(known.clone());
                known
            }
            // A node that cannot read its state says so in its answers.
            Err(_) => return,
        },
    };
    let now = shared.replica.now();
    let open = known.open.filter(|(open, _)| now < open.until);
    let words = open.map(|(open, until)| format!("{}; until={until}", open.site));
    let value = words.and_then(|words| HeaderValue::try_from(words).ok());
    headers.insert(GLASS, value.unwrap_or(HeaderValue::from_static("none")));
}

async fn read(shared: &Shared, at: Option<u64>) -> Result<Known, Problem> {
    let view = reading::open(shared, Freshness::Local).await?;
    let mut view = View::new(view).await?;
    let open = passes::open_glass(&mut view.0, shared.replica.now()).await;
    let open = open.map_err(of_query)?.map(|open| {
        let until = view.1.rfc3339(open.until);
        (open, until)
    });
    Ok(Known { at, open })
}
