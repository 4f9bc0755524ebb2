//! Texts received, over HTTP: what a number sent us and what it was taken for.

use axum::response::Response;
use domain::inbound::{self, InboundRow, Taken};
use domain::phone::PhoneNumber;
use domain::{Civil, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::input::Params;
use crate::problem::{Kind, Problem, of_query};
use crate::reading::View;
use crate::state::Shared;
use crate::time::parse_rfc3339;

const LIST_DEFAULT: u32 = 50;
const LIST_MAX: u32 = 500;

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list))
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListParams {
    /// The sender: a phone number with country code, or a name as the network gave it.
    from: String,
    /// Only texts received since then (RFC 3339).
    since: Option<String>,
    /// At most this many, up to 500.
    #[serde(default = "list_default")]
    #[param(default = 50, maximum = 500)]
    limit: u32,
}

fn list_default() -> u32 {
    LIST_DEFAULT
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Inbound)]
pub(crate) struct InboundJson {
    texts: Vec<TextJson>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = InboundText)]
pub(crate) struct TextJson {
    /// The node and channel it came in at.
    node: u64,
    channel: String,
    sender: String,
    text: String,
    received_at: String,
    /// Id of the alert it was about.
    alert: Option<String>,
    /// What it was taken for; null if this version does not know.
    taken: Option<&'static str>,
    /// Whether a reply was queued.
    replied: bool,
    /// Parts were missing or could not be decoded.
    damaged: bool,
}

/// Lists what a number sent us, newest first. Texts that belong to no alert are also in the room `inbox`.
#[utoipa::path(get, path = "/v1/inbound", tag = "rooms", params(ListParams), responses((status = 200, body = InboundJson)))]
async fn list(Params(params): Params<ListParams>, mut view: View) -> Result<Response, Problem> {
    let since = match params.since.as_deref().map(parse_rfc3339) {
        Some(since) => view
            .1
            .moment(since.map_err(|error| Problem::new(Kind::BadRequest, error))?),
        None => Timestamp::default(),
    };
    // A bare `+` in a query is a blank; numbers are stored with it.
    let written = params
        .from
        .replacen(' ', "+", usize::from(params.from.starts_with(' ')));
    let sender =
        PhoneNumber::parse(&written).map_or(params.from, |number| number.as_str().to_owned());
    let limit = params.limit.clamp(1, LIST_MAX);
    let rows = inbound::of_sender(&mut view.0, &sender, since, limit)
        .await
        .map_err(of_query)?;
    let body = InboundJson {
        texts: rows
            .into_iter()
            .map(|row| TextJson::new(row, &view.1))
            .collect(),
    };
    Ok(view.answer(&body))
}

impl TextJson {
    fn new(row: InboundRow, civil: &Civil) -> Self {
        Self {
            node: row.node.0,
            channel: row.channel,
            sender: row.sender,
            text: row.text,
            received_at: civil.rfc3339(row.received_at),
            alert: row.alert.map(|alert| alert.to_string()),
            taken: row.taken.map(Taken::name),
            replied: row.replied,
            damaged: row.damaged,
        }
    }
}
