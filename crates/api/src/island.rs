//! A node by itself, over HTTP: the mark on everything it answers, and its journal (DESIGN 4.4).

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::{Json, body::Bytes};
use data_encoding::{BASE64, HEXLOWER};
use domain::ports::Freshness;
use domain::{islands, nodes};
use serde::{Deserialize, Serialize};
use tokio::time::{Duration, timeout};
use tracing::info;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::guard::Principal;
use crate::input::Params;
use crate::problem::{Kind, Problem, of_query};
use crate::reading;
use crate::state::Shared;

/// On every answer of a node that is cut off: the letter of the numbers it gives.
const ISLAND: HeaderName = HeaderName::from_static("holdfast-island");
/// What people call that node.
const SITE: HeaderName = HeaderName::from_static("holdfast-island-site");

/// Taking in a long journal is many commands.
const IMPORT_TIME: Duration = Duration::from_secs(60);

/// The largest journal file taken over HTTP, in base64.
pub(crate) const FILE_LEN_MAX: usize = 48 << 20;

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(show))
        .routes(routes!(export))
        .routes(routes!(import))
        .layer(axum::extract::DefaultBodyLimit::max(FILE_LEN_MAX))
}

/// A node that is cut off and works by itself.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Island)]
pub(crate) struct IslandJson {
    /// Letter of the alert numbers it gives, `B` in `B-7`.
    letter: String,
    /// What people call the node.
    site: String,
    /// When it gave up on the others.
    since: String,
    /// A majority answers again and what happened here is being handed over.
    healing: bool,
    /// This node, and nodes cut off like it that share the work with it.
    fellows: Vec<u64>,
    /// Facts that the cluster does not have yet.
    waiting: u64,
}

impl IslandJson {
    /// The answering node's island, if it is on one.
    pub(crate) async fn of(shared: &Shared) -> Result<Option<Self>, Problem> {
        let Some(island) = shared.replica.island() else {
            return Ok(None);
        };
        Ok(Some(Self {
            letter: island.letter,
            site: island.site,
            since: reading::rfc3339(shared, island.since).await?,
            healing: island.healing,
            fellows: island.fellows.into_iter().map(|node| node.0).collect(),
            waiting: island.waiting,
        }))
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Journal)]
pub(crate) struct JournalJson {
    /// Null while the node is one of the cluster.
    island: Option<IslandJson>,
    /// Facts of this node that the cluster does not have yet.
    waiting: u64,
    /// Facts of other cut-off nodes, kept for them.
    kept_for_others: u64,
    /// Facts waiting that no exported file holds.
    unexported: u64,
    /// What could not be handed over.
    refused: Vec<RefusedJson>,
    /// Digest of all alerts, calls, deliveries, attempts and messages as this node knows them: equal on nodes that know the
    /// same, whatever way they came to know it.
    #[serde(skip_serializing_if = "Option::is_none")]
    history: Option<String>,
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct ShowParams {
    /// Also work out `history`; takes a while where there is much of it.
    #[serde(default)]
    #[param(inline)]
    history: bool,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RefusedFact)]
pub(crate) struct RefusedJson {
    /// The node that journalled it.
    origin: u64,
    /// Which one.
    what: String,
    reason: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = JournalFile)]
pub(crate) struct FileJson {
    /// The signed file, in base64.
    file: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FileBody {
    /// A file that `export` gave, in base64.
    file: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = JournalTaken)]
pub(crate) struct TakenJson {
    /// Facts the file held. Ones the cluster had already changed nothing.
    facts: u64,
}

/// Shows whether this node works by itself, and what of that waits to be handed over.
#[utoipa::path(get, path = "/v1/island", tag = "cluster", params(ShowParams), responses((status = 200, body = JournalJson)))]
async fn show(
    State(shared): State<Shared>,
    Params(params): Params<ShowParams>,
) -> Result<Json<JournalJson>, Problem> {
    let journal = shared.admin.journal().await?;
    let mut history = None;
    if params.history {
        let mut view = reading::open(&shared, Freshness::Local).await?;
        let digest = islands::merge_digest(&mut view).await.map_err(of_query)?;
        history = Some(HEXLOWER.encode(&digest));
    }
    let refused = journal.refused.into_iter().map(|entry| RefusedJson {
        origin: entry.origin.0,
        what: entry.what,
        reason: entry.reason,
    });
    Ok(Json(JournalJson {
        island: IslandJson::of(&shared).await?,
        waiting: journal.waiting,
        kept_for_others: journal.kept_for_others,
        unexported: journal.unexported,
        refused: refused.collect(),
        history,
    }))
}

/// Gives out everything journalled here that the cluster does not have, as a file for import at any member.
#[utoipa::path(post, path = "/v1/island/export", tag = "cluster", responses((status = 200, body = FileJson)))]
async fn export(State(shared): State<Shared>) -> Result<Json<FileJson>, Problem> {
    let file = shared.admin.export_journal().await?;
    info!(bytes = file.len(), "journal exported");
    Ok(Json(FileJson {
        file: BASE64.encode(&file),
    }))
}

/// Brings in a journal that another node exported. Repeating it changes nothing.
#[utoipa::path(post, path = "/v1/island/import", tag = "cluster", request_body = FileBody, responses((status = 200, body = TakenJson)))]
async fn import(
    State(shared): State<Shared>,
    axum::Extension(principal): axum::Extension<Principal>,
    body: Bytes,
) -> Result<Json<TakenJson>, Problem> {
    let body: FileBody = serde_json::from_slice(&body)
        .map_err(|error| Problem::new(Kind::MalformedJson, error.to_string()))?;
    let file = BASE64.decode(body.file.as_bytes()).map_err(|error| {
        Problem::new(Kind::InvalidInput, format!("`file` is not base64: {error}"))
    })?;
    let importing = timeout(IMPORT_TIME, shared.admin.import_journal(&file));
    let facts = importing.await.map_err(|_| {
        let detail = "the cluster did not take it in time; import the same file again, nothing is taken twice";
        Problem::new(Kind::OutcomeUnknown, detail)
    })??;
    info!(actor = principal.actor.label(), facts, "journal imported");
    Ok(Json(TakenJson { facts }))
}

/// Marks an answer of a node that works by itself.
pub(crate) fn mark(shared: &Shared, headers: &mut HeaderMap) {
    let Some(island) = shared.replica.island() else {
        return;
    };
    for (name, value) in [(ISLAND, island.letter), (SITE, island.site)] {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    }
}

/// In words, that this node reaches nobody: no other node, and nobody by any channel of its own. `None` when it does.
pub(crate) async fn reaches_nobody(shared: &Shared) -> Option<&'static str> {
    let own = shared.replica.node();
    let island = shared.replica.island();
    let peers = match &island {
        Some(island) => island.healing || island.fellows.iter().any(|node| *node != own),
        None => shared.replica.leadership().leader.is_some(),
    };
    if peers {
        return None;
    }
    let mut view = reading::open(shared, Freshness::Local).await.ok()?;
    let channels = nodes::channels(&mut view).await.ok()?;
    let works = channels
        .iter()
        .any(|channel| channel.node == own && channel.up);
    (!works).then_some(
        "this node reaches nobody: no other node answers, and no modem or smarthost of its own works. Alerts raised here \
         are kept and leave when one of them works again; until then, call people by other means",
    )
}
