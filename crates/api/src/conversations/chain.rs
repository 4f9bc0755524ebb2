//! The record of a room: what was marked, link by link, and whether it is as it was written.

use axum::extract::State;
use axum::response::Response;
use data_encoding::HEXLOWER;
use domain::conversations::{self, Link};
use domain::{Civil, texts};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::find;
use crate::input::{Params, Segment};
use crate::problem::{Problem, of_query};
use crate::reading::View;
use crate::state::Shared;

const PAGE_DEFAULT: u32 = 100;
const PAGE_MAX: u32 = 500;

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ChainParams {
    /// Start after this link.
    #[serde(default)]
    after: u64,
    /// At most this many, up to 500.
    #[serde(default = "page_default")]
    #[param(default = 100, maximum = 500)]
    limit: u32,
}

fn page_default() -> u32 {
    PAGE_DEFAULT
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RoomChain)]
pub(crate) struct ChainJson {
    links: Vec<LinkJson>,
    /// Ask with `after=` this for more; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
}

/// One link. Its hash is SHA-256 over `holdfast-room-v1` and the canonical JSON (RFC 8785) of `at` (in milliseconds),
/// `author`, `by`, `commit`, `entry`, `kind`, `message`, `number`, `previous` and `room`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RoomLink)]
struct LinkJson {
    number: u64,
    /// The mark or the edit it stands for.
    entry: String,
    message: String,
    /// `diary`, `decision`, `minutes`, or `edit`: a new wording of a marked message.
    kind: String,
    author: String,
    by: String,
    at: String,
    /// The same moment in cluster time.
    at_ms: i64,
    text: String,
    /// Of a decision: what was not known.
    unknown: String,
    salt: String,
    /// SHA-256 over `holdfast-room-text-v1`, the salt and the canonical JSON of `text` and `unknown`.
    commit: String,
    previous: String,
    hash: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RoomVerdict)]
pub(crate) struct VerdictJson {
    /// The room's id, which is in every link's hash.
    room: String,
    /// Every link is as it was written and says what the room says.
    intact: bool,
    /// Links that are.
    links: u64,
    /// The hash of the last of them: write it down to compare later. Null of an empty record.
    head: Option<String>,
    /// The first link that is not.
    first_bad: Option<u64>,
    /// Why; empty when all is well.
    why: String,
}

/// Lists what was marked in a room, in the order in which it was chained.
#[utoipa::path(get, path = "/v1/rooms/{room}/chain", tag = "rooms", params(("room" = String, Path), ChainParams), responses((status = 200, body = ChainJson)))]
pub(super) async fn chain(
    State(shared): State<Shared>,
    Segment(room): Segment,
    Params(page): Params<ChainParams>,
    mut view: View,
) -> Result<Response, Problem> {
    let room = find(&shared, &room).await?;
    let limit = page.limit.clamp(1, PAGE_MAX);
    let links = conversations::chain(&mut view.0, room, page.after, limit)
        .await
        .map_err(of_query)?;
    let full = u32::try_from(links.len()).is_ok_and(|found| found == limit);
    let next = links.last().filter(|_| full).map(|link| link.number);
    let links = links.iter().map(|link| link_json(link, &view.1)).collect();
    Ok(view.answer(&ChainJson { links, next }))
}

/// Looks through a room's record and names the first link that is not as it was written.
#[utoipa::path(get, path = "/v1/rooms/{room}/verify", tag = "rooms", params(("room" = String, Path)), responses((status = 200, body = VerdictJson)))]
pub(super) async fn verify(
    State(shared): State<Shared>,
    Segment(room): Segment,
    mut view: View,
) -> Result<Response, Problem> {
    let room = find(&shared, &room).await?;
    let verdict = conversations::verify(&mut view.0, room)
        .await
        .map_err(of_query)?;
    let body = VerdictJson {
        room: room.to_string(),
        intact: verdict.bad.is_none(),
        links: verdict.links,
        head: verdict.head.map(|hash| HEXLOWER.encode(&hash)),
        first_bad: verdict.bad.as_ref().map(|bad| bad.number),
        why: verdict.bad.map_or_else(String::new, |bad| bad.why),
    };
    Ok(view.answer(&body))
}

/// As it is: words are kept without anything that steers a screen, and whoever verifies needs every byte.
fn link_json(link: &Link, civil: &Civil) -> LinkJson {
    LinkJson {
        number: link.number,
        entry: HEXLOWER.encode(&link.entry),
        message: link.message.to_string(),
        kind: texts::clean(&link.kind),
        author: link.author.clone(),
        by: link.by.clone(),
        at: civil.rfc3339(link.at),
        at_ms: link.at.0,
        text: link.text.clone(),
        unknown: link.unknown.clone(),
        salt: HEXLOWER.encode(&link.salt),
        commit: HEXLOWER.encode(&link.commitment()),
        previous: HEXLOWER.encode(&link.previous),
        hash: HEXLOWER.encode(&link.hash),
    }
}
