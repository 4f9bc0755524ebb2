//! Imports that were made, what those that wait would change, and what a person says of them.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use contacts::Exported;
use domain::recipients::{self, Change, Command, ImportRow, ImportState};
use domain::{Civil, Command as DomainCommand, ImportId, Receipt};
use serde::Serialize;
use tracing::info;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::input::{Bare, Segment};
use crate::problem::{NamedIn, Problem, of_query};
use crate::reading::View;
use crate::state::Shared;
use crate::submit::{Stored, submit};

/// As many as are remembered.
pub(super) const IMPORTS_SHOWN: u32 = 200;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show))
        .routes(routes!(approve))
        .routes(routes!(reject))
}

/// An import that was made.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Import)]
pub(crate) struct ImportJson {
    id: String,
    source: String,
    asked_by: String,
    asked_at: String,
    /// `done`, `waiting`, `approved`, `rejected`, `expired` or `replaced` by a newer one of the same source.
    state: &'static str,
    /// Until when somebody may decide.
    expires_at: String,
    /// Why it waits, or waited.
    reasons: Vec<String>,
    /// How many people it adds or changes.
    people: u64,
    /// How many it would remove.
    absent: u64,
    /// How many people it came to so far.
    applied: u64,
    /// Empty while nobody decided.
    decided_by: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    decided_at: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Imports)]
pub(crate) struct ImportsJson {
    /// Newest first.
    imports: Vec<ImportJson>,
}

/// What would become of one value, both written as in a table.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ImportedField)]
pub(crate) struct FieldJson {
    field: &'static str,
    before: String,
    after: String,
}

/// What would become of one person.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ImportedPerson)]
pub(crate) struct ChangeJson {
    key: String,
    name: String,
    /// The person is not known yet.
    added: bool,
    fields: Vec<FieldJson>,
    /// Groups the person would be added to.
    groups: Vec<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ImportInFull)]
pub(crate) struct ImportInFullJson {
    #[serde(flatten)]
    import: ImportJson,
    /// What approving would do now, by key; empty once decided. Those put or removed by hand since are left as they are.
    changes: Vec<ChangeJson>,
    /// Keys of those approving would remove.
    removes: Vec<String>,
}

/// The answer to a decision.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Decided {
    #[serde(flatten)]
    stored: Stored,
    /// How many people it came to.
    applied: u64,
}

/// Lists imports, newest first.
#[utoipa::path(get, path = "/v1/directory/imports", operation_id = "list_imports", tag = "people", responses((status = 200, body = ImportsJson)))]
async fn list(mut view: View) -> Result<Response, Problem> {
    let now = view.0.as_of;
    let rows = recipients::imports(&mut view.0, now, IMPORTS_SHOWN)
        .await
        .map_err(of_query)?;
    let imports = rows.into_iter().map(|row| import_json(row, &view.1));
    let imports = imports.collect();
    Ok(view.answer(&ImportsJson { imports }))
}

/// Shows an import, and what approving it would do.
#[utoipa::path(get, path = "/v1/directory/imports/{id}", operation_id = "show_import", tag = "people", params(("id" = String, Path)), responses((status = 200, body = ImportInFullJson)))]
async fn show(Segment(id): Segment, mut view: View) -> Result<Response, Problem> {
    let id = parse(&id)?;
    let now = view.0.as_of;
    let row = recipients::import(&mut view.0, id, now)
        .await
        .map_err(of_query)?
        .ok_or_else(unknown)?;
    let held = match row.state {
        ImportState::Waiting => recipients::waiting(&mut view.0, id)
            .await
            .map_err(of_query)?
            .unwrap_or_default(),
        ImportState::Done
        | ImportState::Approved
        | ImportState::Rejected
        | ImportState::Expired
        | ImportState::Replaced => recipients::Import::default(),
    };
    let weight = recipients::weight(&mut view.0, &held)
        .await
        .map_err(of_query)?;
    let body = ImportInFullJson {
        import: import_json(row, &view.1),
        changes: weight.changes.into_iter().map(change_json).collect(),
        removes: held.absent,
    };
    Ok(view.answer(&body))
}

/// Does what an import that waits would do, removals included.
#[utoipa::path(post, path = "/v1/directory/imports/{id}/approve", operation_id = "approve_import", tag = "people", params(("id" = String, Path)), responses((status = 200, body = Decided)))]
async fn approve(
    State(shared): State<Shared>,
    Segment(id): Segment,
    bare: Bare,
) -> Result<Json<Decided>, Problem> {
    decide(&shared, &id, bare, true).await
}

/// Gives an import up. Nothing of what waited happens.
#[utoipa::path(post, path = "/v1/directory/imports/{id}/reject", operation_id = "reject_import", tag = "people", params(("id" = String, Path)), responses((status = 200, body = Decided)))]
async fn reject(
    State(shared): State<Shared>,
    Segment(id): Segment,
    bare: Bare,
) -> Result<Json<Decided>, Problem> {
    decide(&shared, &id, bare, false).await
}

async fn decide(
    shared: &Shared,
    id: &str,
    bare: Bare,
    approve: bool,
) -> Result<Json<Decided>, Problem> {
    let import = parse(id)?;
    let actor = bare.order.actor.label();
    let command = DomainCommand::Recipients(Command::DecideImport { import, approve });
    let done = submit(shared, bare.order, command, NamedIn::Path).await?;
    let applied = match done.receipt {
        Receipt::Import { applied, .. } => applied,
        Receipt::None
        | Receipt::Alert { .. }
        | Receipt::IslandAlert { .. }
        | Receipt::Held { .. }
        | Receipt::Count(_)
        | Receipt::Number(_)
        | Receipt::Node { .. } => 0,
    };
    info!(actor, approve, applied, "import decided");
    let stored = done.stored;
    Ok(Json(Decided { stored, applied }))
}

fn parse(id: &str) -> Result<ImportId, Problem> {
    ImportId::parse(id).map_err(|_| unknown())
}

fn unknown() -> Problem {
    Problem::not_found("there is no such import; see /v1/directory/imports")
}

fn import_json(row: ImportRow, civil: &Civil) -> ImportJson {
    ImportJson {
        id: row.id.to_string(),
        source: row.source,
        asked_by: row.asked_by,
        asked_at: civil.rfc3339(row.asked_at),
        state: row.state.name(),
        expires_at: civil.rfc3339(row.expires_at),
        reasons: row.reasons,
        people: row.people,
        absent: row.absent,
        applied: row.applied,
        decided_by: row.decided_by,
        decided_at: row.decided_at.map(|at| civil.rfc3339(at)),
    }
}

fn change_json(change: Change) -> ChangeJson {
    let fields = change.fields();
    let key = change.key().to_owned();
    let added = change.before.is_none();
    let of = |person| Exported {
        person,
        groups: Vec::new(),
    };
    let (before, after) = (change.before.map(of), change.after.map(of));
    let text = |side: &Option<Exported>, field| {
        let side = side.as_ref();
        side.map_or_else(String::new, |exported| contacts::cell(field, exported))
    };
    ChangeJson {
        key,
        name: text(&after, "name"),
        added,
        fields: fields
            .into_iter()
            .filter(|field| *field != "groups")
            .map(|field| FieldJson {
                field,
                before: text(&before, field),
                after: text(&after, field),
            })
            .collect(),
        groups: change.groups,
    }
}
