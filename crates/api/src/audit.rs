//! Who did what, over HTTP: to look at, and to take away and verify with another program (SECURITY §2.7).

use std::time::Duration;

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use domain::audit::{
    self, Assurance, Command, EXPORT_PAGE, Event, Filter, Line, NodeKey, SealState, What,
};
use domain::ports::{Freshness, Proposal, ProposeError};
use domain::{Actor, Civil, Command as DomainCommand, Outcome, RequestId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::timeout;
use tracing::info;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::fields::Fields;
use crate::guard::Principal;
use crate::input::{Input, Params, Segment};
use crate::problem::{Kind, NamedIn, Problem, of_query};
use crate::reading::{self, View};
use crate::state::Shared;
use crate::submit::{Stored, submit};

const LIST_DEFAULT: u32 = 50;
const LIST_MAX: u32 = 500;

const REASON_LEN_MAX: usize = 200;

/// An export waits this long until it is itself in the audit.
const NOTE_TIME: Duration = Duration::from_secs(60);

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(export))
        .routes(routes!(checkpoints))
        .routes(routes!(nodes))
        .routes(routes!(erase))
}

/// The end of the audit, or what was asked for of it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Audit)]
pub(crate) struct AuditJson {
    /// Number of the last entry.
    last: u64,
    /// Up to here a majority of the members has signed.
    sealed: u64,
    members: Vec<MemberJson>,
    /// Newest first.
    entries: Vec<EntryJson>,
}

/// How far a member has signed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditMember)]
pub(crate) struct MemberJson {
    node: String,
    signed: u64,
    /// `agrees`, `differs` (a majority signed another history) or `disputed`.
    state: &'static str,
}

/// Who did what.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditEntry)]
pub(crate) struct EntryJson {
    seq: u64,
    at: String,
    /// The node it was asked at; `island:n3` when that was cut off.
    node: String,
    actor: String,
    /// `local`, `key`, `text_code`, `claimed`, `node` or `none`: how sure it is that the actor is who it says.
    assurance: String,
    action: String,
    object: String,
    /// `applied`, `unchanged`, `refused`, `conflict`, `defect`; of what is no command: `done` or `denied`.
    outcome: String,
    /// What else is known; null when there is nothing or it was erased.
    #[schema(value_type = Option<Object>)]
    details: Option<Value>,
}

/// The keys that nodes sign with.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditKeys)]
pub(crate) struct KeysJson {
    /// The cluster's id.
    cluster: String,
    nodes: Vec<NodeKeyJson>,
}

/// A node that ever signed, or is to sign.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditNodeKey)]
pub(crate) struct NodeKeyJson {
    /// Ed25519, in hexadecimal; empty until the node has told it.
    key: String,
    /// Its word counts for a majority.
    member: bool,
    name: String,
    node: String,
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListParams {
    /// Only entries before this number.
    before: Option<u64>,
    /// Only this action, or all that begin so: `alert.raise`, `alert`.
    #[serde(default)]
    action: String,
    /// Only what this actor did: `key:3fa9`, `operator:n1`, `person:anna`.
    #[serde(default)]
    actor: String,
    /// Only what was done to this.
    #[serde(default)]
    object: String,
    /// Show at most this many, up to 500.
    #[serde(default = "list_default")]
    #[param(default = 50, maximum = 500)]
    limit: u32,
}

fn list_default() -> u32 {
    LIST_DEFAULT
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExportParams {
    /// Only entries after this number: the last one of the page before.
    #[serde(default)]
    #[param(default = 0)]
    after: u64,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EraseBody {
    /// Why, as people should read it: 1 to 200 characters.
    reason: String,
}

/// Shows who did what, newest first.
#[utoipa::path(get, path = "/v1/audit", operation_id = "list_audit", tag = "audit", params(ListParams), responses((status = 200, body = AuditJson)))]
async fn list(Params(params): Params<ListParams>, mut view: View) -> Result<Response, Problem> {
    let filter = Filter {
        action: params.action,
        actor: params.actor,
        object: params.object,
    };
    let limit = params.limit.clamp(1, LIST_MAX);
    let before = params.before.unwrap_or(u64::MAX);
    let lines = audit::lines_before(&mut view.0, before, &filter, limit)
        .await
        .map_err(of_query)?;
    let standing = audit::sealing(&mut view.0).await.map_err(of_query)?;
    let body = AuditJson {
        last: standing.last,
        sealed: standing.sealed,
        members: standing
            .members
            .iter()
            .map(|(node, signed, state)| MemberJson {
                node: node.to_string(),
                signed: *signed,
                state: match state {
                    SealState::Agrees => "agrees",
                    SealState::Differs => "differs",
                    SealState::Disputed => "disputed",
                },
            })
            .collect(),
        entries: lines
            .into_iter()
            .map(|line| entry_json(line, &view.1))
            .collect(),
    };
    Ok(view.answer(&body))
}

/// Gives the next 5,000 entries as JSON lines, byte for byte as they are hashed. Fetch checkpoints and nodes first, then
/// pages until one has fewer; the export is itself an entry.
#[utoipa::path(get, path = "/v1/audit/export", operation_id = "export_audit", tag = "audit", params(ExportParams), responses((status = 200, content_type = "application/jsonl", body = String)))]
async fn export(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    Params(params): Params<ExportParams>,
) -> Result<Response, Problem> {
    let _place = shared.pace.export(&principal.actor.label())?;
    note_export(&shared, &principal.actor, params.after).await?;
    let mut view = reading::open(&shared, Freshness::Local).await?;
    let lines = audit::lines(&mut view, params.after, EXPORT_PAGE)
        .await
        .map_err(of_query)?;
    drop(view);
    Ok(json_lines(&lines))
}

/// Gives what nodes signed, as JSON lines.
#[utoipa::path(get, path = "/v1/audit/export/checkpoints", operation_id = "export_audit_checkpoints", tag = "audit", responses((status = 200, content_type = "application/jsonl", body = String)))]
async fn checkpoints(mut view: View) -> Result<Response, Problem> {
    let found = audit::checkpoints(&mut view.0).await.map_err(of_query)?;
    Ok(json_lines(&found))
}

/// Gives the keys that nodes sign with.
#[utoipa::path(get, path = "/v1/audit/export/nodes", operation_id = "export_audit_nodes", tag = "audit", responses((status = 200, body = KeysJson)))]
async fn nodes(mut view: View) -> Result<Response, Problem> {
    let keys = audit::keys(&mut view.0).await.map_err(of_query)?;
    let node = |node: NodeKey| NodeKeyJson {
        key: node.key,
        member: node.member,
        name: node.name,
        node: node.node,
    };
    let body = KeysJson {
        cluster: keys.cluster,
        nodes: keys.nodes.into_iter().map(node).collect(),
    };
    Ok(view.answer(&body))
}

/// Erases what an entry says of people. The entry stays, and so does the chain.
#[utoipa::path(post, path = "/v1/audit/{seq}/erase", operation_id = "erase_audit_details", tag = "audit", params(("seq" = u64, Path, description = "The entry's number")), request_body = EraseBody, responses((status = 200, body = Stored)))]
async fn erase(
    State(shared): State<Shared>,
    Segment(seq): Segment,
    input: Input<EraseBody>,
) -> Result<Json<Stored>, Problem> {
    let seq: u64 = seq
        .parse()
        .map_err(|_| Problem::not_found("entries have numbers"))?;
    let reason = input.value.reason;
    let mut fields = Fields::default();
    fields.at_most("/reason", &reason, REASON_LEN_MAX);
    if reason.trim().is_empty() {
        fields.add("/reason", "say why");
    }
    fields.finish()?;
    let command = DomainCommand::Audit(Command::Erase { seq, reason });
    let actor = input.order.actor.label();
    let done = submit(&shared, input.order, command, NamedIn::Path).await?;
    info!(actor, seq, "details of an audit entry erased");
    Ok(Json(done.stored))
}

/// Nobody takes the audit away unseen.
async fn note_export(shared: &Shared, actor: &Actor, after: u64) -> Result<(), Problem> {
    let event = Event {
        at: shared.replica.now(),
        actor: actor.label(),
        assurance: match actor {
            Actor::Operator { .. } => Assurance::Local,
            Actor::ApiKey { .. } => Assurance::Key,
            Actor::Account { .. } => Assurance::Session,
            Actor::Person { .. } => Assurance::TextCode,
            Actor::Mail { .. } => Assurance::Claimed,
            Actor::Loop => Assurance::Node,
            Actor::Stranger { .. } => Assurance::None,
        }
        .name()
        .to_owned(),
        what: What::Exported,
        object: format!("entries:{}", after.saturating_add(1)),
        count: 1,
        details: Vec::new(),
    };
    let outcome = note(shared, vec![event]).await.map_err(|error| {
        let detail = format!("nothing is exported that is not in the audit itself: {error}");
        Problem::new(Kind::Unavailable, detail)
    })?;
    match outcome {
        Outcome::Applied(_) | Outcome::Unchanged => Ok(()),
        Outcome::Refused(_) | Outcome::Conflict | Outcome::Defect(_) => Err(Problem::new(
            Kind::Internal,
            "the export could not be noted in the audit",
        )),
    }
}

/// Puts events into the audit.
pub(crate) async fn note(shared: &Shared, events: Vec<Event>) -> Result<Outcome, ProposeError> {
    let command = DomainCommand::Audit(Command::Note {
        node: shared.replica.node(),
        events,
    });
    let proposal = Proposal::by_loop(RequestId(rand::random()), command);
    let proposed = timeout(NOTE_TIME, shared.replica.propose(proposal)).await;
    Ok(proposed.unwrap_or(Err(ProposeError::Unknown))?.outcome)
}

fn json_lines<T: Serialize>(values: &[T]) -> Response {
    let mut text = String::new();
    for value in values {
        // Strings and numbers always encode.
        text.push_str(&serde_json::to_string(value).unwrap_or_default());
        text.push('\n');
    }
    ([(header::CONTENT_TYPE, "application/jsonl")], text).into_response()
}

fn entry_json(line: Line, civil: &Civil) -> EntryJson {
    let entry = line.entry;
    EntryJson {
        seq: entry.seq,
        at: civil.rfc3339(Timestamp(entry.ts)),
        node: entry.node,
        actor: entry.actor,
        assurance: entry.assurance,
        action: entry.action,
        object: entry.object,
        outcome: entry.outcome,
        details: line
            .details
            .and_then(|details| serde_json::from_str(&details).ok()),
    }
}
