//! Texts received, over HTTP: what came in and what it was taken for, and who may order by text.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use domain::inbound::{self, Command, InboundRow, OrderRow, Taken};
use domain::phone::PhoneNumber;
use domain::recipients::{self, PersonRow};
use domain::{Civil, Command as DomainCommand, RecipientId, Timestamp, stamp_of_last};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::input::{Input, Params};
use crate::problem::{Kind, NamedIn, Problem, of_query};
use crate::reading::View;
use crate::state::Shared;
use crate::submit::{Stored, submit};
use crate::time::parse_rfc3339;

const LIST_DEFAULT: u32 = 50;
const LIST_MAX: u32 = 500;

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(orders))
        .routes(routes!(set_commanders))
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListParams {
    /// The sender: a phone number with country code, or a name as the network gave it. Without it: everybody.
    from: Option<String>,
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

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct OrdersParams {
    /// At most this many, up to 500.
    #[serde(default = "list_default")]
    #[param(default = 50, maximum = 500)]
    limit: u32,
}

/// Who may order by text, and what was ordered in the last two days.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TextOrders)]
pub(crate) struct OrdersJson {
    /// Names as a template has them: `person:anna`, `group:duty`, `schedule:net`. Nobody else may order by text.
    commanders: Vec<String>,
    /// Orders whose code has not come back yet and still may.
    waiting: u64,
    /// Newest first.
    orders: Vec<OrderJson>,
}

/// An order by text. Its code is not shown: whoever knows it could give it back.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TextOrder)]
pub(crate) struct OrderJson {
    sender: String,
    /// Key of whoever ordered; null when they are not known any more.
    person: Option<String>,
    name: Option<String>,
    /// `start`, `add`, `tell`, `mute`, `call_off` or `take`.
    verb: String,
    /// The text as it came.
    text: String,
    /// Id of the alert it is about, or that it raised.
    alert: Option<String>,
    /// `waiting`, `done`, `dropped` or `void`.
    state: &'static str,
    asked_at: String,
    /// Until when its code was good.
    expires_at: String,
    ended_at: Option<String>,
}

/// Who may order by text.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = Commanders)]
#[serde(deny_unknown_fields)]
pub(crate) struct CommandersBody {
    /// `person:KEY`, `group:KEY` or `schedule:KEY` (whoever is on call when the order comes); none: nobody.
    #[schema(example = json!(["group:duty", "schedule:incident-managers"]))]
    commanders: Vec<String>,
}

/// Lists texts received, newest first. Texts that belong to no alert are also in the room `inbox`.
#[utoipa::path(get, path = "/v1/inbound", tag = "rooms", params(ListParams), responses((status = 200, body = InboundJson)))]
async fn list(Params(params): Params<ListParams>, mut view: View) -> Result<Response, Problem> {
    let since = match params.since.as_deref().map(parse_rfc3339) {
        Some(since) => view
            .1
            .moment(since.map_err(|error| Problem::new(Kind::BadRequest, error))?),
        None => Timestamp::default(),
    };
    let limit = params.limit.clamp(1, LIST_MAX);
    let rows = match params.from {
        Some(from) => inbound::of_sender(&mut view.0, &sender(from), since, limit).await,
        None => inbound::latest(&mut view.0, since, limit).await,
    };
    let rows = rows.map_err(of_query)?;
    let body = InboundJson {
        texts: rows
            .into_iter()
            .map(|row| TextJson::new(row, &view.1))
            .collect(),
    };
    Ok(view.answer(&body))
}

/// Shows who may order by text, and what was ordered in the last two days.
#[utoipa::path(get, path = "/v1/inbound/orders", tag = "rooms", params(OrdersParams), responses((status = 200, body = OrdersJson)))]
async fn orders(Params(params): Params<OrdersParams>, mut view: View) -> Result<Response, Problem> {
    let limit = params.limit.clamp(1, LIST_MAX);
    let now = stamp_of_last(&mut view.0).await.map_err(of_query)?;
    let commanders = inbound::commanders(&mut view.0).await.map_err(of_query)?;
    let waiting = inbound::waiting(&mut view.0, now).await.map_err(of_query)?;
    let rows = inbound::orders(&mut view.0, Timestamp::default(), limit)
        .await
        .map_err(of_query)?;
    let ids: Vec<RecipientId> = rows.iter().map(|row| row.recipient).collect();
    let people = recipients::by_ids(&mut view.0, &ids)
        .await
        .map_err(of_query)?;
    let people: BTreeMap<RecipientId, PersonRow> = people
        .into_iter()
        .map(|person| (person.id, person))
        .collect();
    let body = OrdersJson {
        commanders,
        waiting,
        orders: rows
            .into_iter()
            .map(|row| OrderJson::new(row, &people, &view.1))
            .collect(),
    };
    Ok(view.answer(&body))
}

/// Says who may order by text, in place of those who could before.
#[utoipa::path(put, path = "/v1/inbound/commanders", tag = "rooms", request_body = CommandersBody, responses((status = 200, body = Stored)))]
async fn set_commanders(
    State(shared): State<Shared>,
    input: Input<CommandersBody>,
) -> Result<Json<Stored>, Problem> {
    let whom = input.value.commanders;
    let command = DomainCommand::Inbound(Command::SetCommanders { whom });
    let done = submit(&shared, input.order, command, NamedIn::Body).await?;
    Ok(Json(done.stored))
}

/// A sender as it is stored. A bare `+` in a query is a blank; numbers are stored with it.
fn sender(from: String) -> String {
    let written = from.replacen(' ', "+", usize::from(from.starts_with(' ')));
    PhoneNumber::parse(&written).map_or(from, |number| number.as_str().to_owned())
}

impl OrderJson {
    fn new(row: OrderRow, people: &BTreeMap<RecipientId, PersonRow>, civil: &Civil) -> Self {
        let person = people.get(&row.recipient);
        Self {
            sender: row.sender,
            person: person.map(|person| person.key.clone()),
            name: person.map(|person| person.name.clone()),
            verb: row.verb,
            text: row.asked,
            alert: row.alert.map(|alert| alert.to_string()),
            state: row.state.name(),
            asked_at: civil.rfc3339(row.asked_at),
            expires_at: civil.rfc3339(row.expires_at),
            ended_at: row.ended_at.map(|at| civil.rfc3339(at)),
        }
    }
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
