//! How files may change people, over HTTP: imports, those that wait for a person, the switch that freezes them, exports.

mod check;
mod decide;
mod plan;
mod upload;

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use contacts::{Exported, Format};
use domain::Command as DomainCommand;
use domain::recipients::{self, Barred, Command, ImportState};
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;
use tracing::info;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::fields::Fields;
use crate::guard::Principal;
use crate::input::{Bare, Input, Params};
use crate::problem::{Kind, NamedIn, Problem, of_query};
use crate::reading::View;
use crate::state::Shared;
use crate::submit::{Stored, submit};

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(show))
        .routes(routes!(freeze))
        .routes(routes!(thaw))
        .routes(routes!(allow_prefixes))
        .routes(routes!(bar_prefixes))
        .routes(routes!(export))
        .merge(upload::routes())
        .merge(decide::routes())
        .merge(check::routes())
}

/// Why imports are refused.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ImportFreeze)]
pub(crate) struct FreezeJson {
    reason: String,
    by: String,
    since: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Directory)]
pub(crate) struct DirectoryJson {
    people: u64,
    /// Absent while imports are taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    frozen: Option<FreezeJson>,
    /// How many imports wait for a person.
    waiting: usize,
    /// The beginnings of numbers that texts may go to; none: all.
    allowed_prefixes: Vec<String>,
    /// The beginnings of numbers that no text goes to.
    barred_prefixes: Vec<BarredJson>,
}

/// Numbers that no text goes to.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Barred)]
pub(crate) struct BarredJson {
    /// `+` and up to ten digits.
    #[schema(example = "+881")]
    prefix: String,
    /// What they are.
    #[schema(example = "satellite")]
    what: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BarredBody {
    /// All of them; none: texts may go to every number that is allowed.
    barred: Vec<BarredJson>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ImportFreezeBody)]
pub(crate) struct FreezeBody {
    /// Why, as people should read it: 1 to 200 characters.
    reason: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PrefixesBody {
    /// Each `+` and up to ten digits; none: texts may go to every number.
    #[schema(example = json!(["+358", "+46"]))]
    prefixes: Vec<String>,
}

/// How a file writes people.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum FormatWord {
    #[default]
    Csv,
    Xlsx,
    Vcard,
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExportParams {
    #[serde(default)]
    #[param(inline)]
    format: FormatWord,
}

/// Shows how people may change: whether imports are frozen, what waits, where texts may go.
#[utoipa::path(get, path = "/v1/directory", operation_id = "show_directory", tag = "people", responses((status = 200, body = DirectoryJson)))]
async fn show(mut view: View) -> Result<Response, Problem> {
    let frozen = recipients::freeze(&mut view.0).await.map_err(of_query)?;
    let now = view.0.as_of;
    let imports = recipients::imports(&mut view.0, now, decide::IMPORTS_SHOWN)
        .await
        .map_err(of_query)?;
    let prefixes = recipients::prefixes(&mut view.0).await.map_err(of_query)?;
    let body = DirectoryJson {
        people: recipients::count(&mut view.0).await.map_err(of_query)?,
        frozen: frozen.map(|freeze| FreezeJson {
            reason: freeze.reason,
            by: freeze.by,
            since: view.1.rfc3339(freeze.since),
        }),
        waiting: imports
            .iter()
            .filter(|import| import.state == ImportState::Waiting)
            .count(),
        allowed_prefixes: prefixes.allowed,
        barred_prefixes: prefixes
            .barred
            .into_iter()
            .map(|Barred { prefix, what }| BarredJson { prefix, what })
            .collect(),
    };
    Ok(view.answer(&body))
}

/// Refuses every import, and every approval of one, until thawed. People edited by hand are not touched by it.
#[utoipa::path(post, path = "/v1/directory/freeze", operation_id = "freeze_imports", tag = "people", request_body = FreezeBody, responses((status = 200, body = Stored)))]
async fn freeze(
    State(shared): State<Shared>,
    input: Input<FreezeBody>,
) -> Result<Json<Stored>, Problem> {
    let reason = input.value.reason.trim().to_owned();
    let mut fields = Fields::default();
    fields.take("/reason", recipients::check_reason(&reason));
    fields.finish()?;
    let actor = input.order.actor.label();
    let command = DomainCommand::Recipients(Command::FreezeImports { reason });
    let done = submit(&shared, input.order, command, NamedIn::Body).await?;
    info!(actor, "imports frozen");
    Ok(Json(done.stored))
}

/// Takes imports again.
#[utoipa::path(post, path = "/v1/directory/thaw", operation_id = "thaw_imports", tag = "people", responses((status = 200, body = Stored)))]
async fn thaw(State(shared): State<Shared>, bare: Bare) -> Result<Json<Stored>, Problem> {
    let actor = bare.order.actor.label();
    let command = DomainCommand::Recipients(Command::ThawImports);
    let done = submit(&shared, bare.order, command, NamedIn::Body).await?;
    info!(actor, "imports thawed");
    Ok(Json(done.stored))
}

/// Says to which numbers texts may go, by their beginnings. Others fail with a reason when an alert calls them.
#[utoipa::path(put, path = "/v1/directory/prefixes", operation_id = "allow_prefixes", tag = "people", request_body = PrefixesBody, responses((status = 200, body = Stored)))]
async fn allow_prefixes(
    State(shared): State<Shared>,
    input: Input<PrefixesBody>,
) -> Result<Json<Stored>, Problem> {
    let prefixes = input.value.prefixes;
    let mut fields = Fields::default();
    fields.take("/prefixes", recipients::check_prefixes(&prefixes));
    fields.finish()?;
    let command = DomainCommand::Recipients(Command::AllowPrefixes { prefixes });
    let done = submit(&shared, input.order, command, NamedIn::Body).await?;
    Ok(Json(done.stored))
}

/// Says to which numbers no text goes, by their beginnings, in place of those before. A longer beginning that is allowed
/// goes first. What would be called there fails with a reason, and is shown at import and before an alert is raised.
#[utoipa::path(put, path = "/v1/directory/barred", operation_id = "bar_prefixes", tag = "people", request_body = BarredBody, responses((status = 200, body = Stored)))]
async fn bar_prefixes(
    State(shared): State<Shared>,
    input: Input<BarredBody>,
) -> Result<Json<Stored>, Problem> {
    let barred = input.value.barred.into_iter();
    let barred: Vec<Barred> = barred
        .map(|BarredJson { prefix, what }| Barred { prefix, what })
        .collect();
    let mut fields = Fields::default();
    fields.take("/barred", recipients::check_barred(&barred));
    fields.finish()?;
    let command = DomainCommand::Recipients(Command::BarPrefixes { barred });
    let done = submit(&shared, input.order, command, NamedIn::Body).await?;
    Ok(Json(done.stored))
}

/// Everyone, as a file that an import takes back without changing anything.
#[utoipa::path(get, path = "/v1/directory/export", operation_id = "export_people", tag = "people", params(ExportParams), responses((status = 200, description = "CSV, XLSX or vCard", content((String = "text/csv"), (Vec<u8> = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"), (String = "text/vcard")))))]
async fn export(
    State(shared): State<Shared>,
    Extension(principal): Extension<Principal>,
    Params(params): Params<ExportParams>,
    mut view: View,
) -> Result<Response, Problem> {
    let _place = shared.pace.export(&principal.actor.label())?;
    let format = match params.format {
        FormatWord::Csv => Format::Csv,
        FormatWord::Xlsx => Format::Xlsx,
        FormatWord::Vcard => Format::Vcard,
    };
    let rows = recipients::people(&mut view.0, None, "", u32::MAX)
        .await
        .map_err(of_query)?;
    drop(view);
    let people: Vec<Exported> = rows
        .into_iter()
        .map(|row| Exported {
            groups: row.groups.clone(),
            person: row.into_person(),
        })
        .collect();
    let bytes = off_the_runtime(move || contacts::write(format, &people))
        .await?
        .map_err(|error| Problem::new(Kind::Internal, error.to_string()))?;
    let extension = match format {
        Format::Csv => "csv",
        Format::Xlsx => "xlsx",
        Format::Vcard => "vcf",
    };
    let mut response = bytes.into_response();
    let headers = response.headers_mut();
    let media_type = HeaderValue::from_static(format.media_type());
    headers.insert(header::CONTENT_TYPE, media_type);
    let name = format!("attachment; filename=\"people.{extension}\"");
    if let Ok(name) = HeaderValue::try_from(name) {
        headers.insert(header::CONTENT_DISPOSITION, name);
    }
    Ok(response)
}

/// Does what takes a while where other requests do not wait for it.
async fn off_the_runtime<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problem> {
    spawn_blocking(work).await.map_err(|_| {
        Problem::new(
            Kind::Internal,
            "this node broke off while it worked on the file; report this defect",
        )
    })
}
