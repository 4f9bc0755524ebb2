//! `POST /v1/directory/imports`: a file, and what it would do or does.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Json, http::StatusCode};
use domain::ports::Freshness;
use domain::recipients::{self, Command};
use domain::{Command as DomainCommand, Receipt};
use serde::{Deserialize, Serialize};
use tracing::info;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::off_the_runtime;
use super::plan::{LineReport, Verdict, plan};
use crate::input::{Params, Upload};
use crate::problem::{Kind, NamedIn, Problem, of_query, of_refusal};
use crate::reading::open;
use crate::state::Shared;
use crate::submit::submit;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(import))
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ImportParams {
    /// Say what would happen and change nothing.
    #[serde(default)]
    dry_run: bool,
    /// Change nothing if any line is refused.
    #[serde(default)]
    strict: bool,
    /// The file names everyone: those it does not name are listed, and removed once a person approves.
    #[serde(default)]
    complete: bool,
    /// What the source is called. Of each source, only the newest import waits.
    #[serde(default = "upload")]
    #[param(default = "upload")]
    source: String,
}

fn upload() -> String {
    "upload".to_owned()
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ImportReport {
    /// Whether anything of it went in.
    applied: bool,
    /// The file's format: `csv`, `xlsx` or `vcard`.
    format: &'static str,
    added: usize,
    changed: usize,
    unchanged: usize,
    refused: usize,
    /// Keys of those whom a complete file does not name.
    absent: Vec<String>,
    /// Why it waits for a person, or would; none: it does not.
    waits: Vec<String>,
    /// Under which id it is remembered; absent when nothing was changed and nothing waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    import: Option<String>,
    /// What is odd about the file as a whole.
    warnings: Vec<String>,
    lines: Vec<LineReport>,
}

/// Takes people from a file: CSV, XLSX or vCard, which one is found out.
///
/// Every line gets a verdict; those refused do not stop the others unless asked to. An import that would change more than
/// 5 % of the people or any duty number waits for a person and answers 202; removals always wait.
#[utoipa::path(post, path = "/v1/directory/imports", operation_id = "import_people", tag = "people", params(ImportParams), request_body(content = String, content_type = "application/octet-stream", description = "The file: at most 10 MB"), responses((status = 200, body = ImportReport), (status = 202, description = "It waits for a person", body = ImportReport)))]
async fn import(
    State(shared): State<Shared>,
    Params(params): Params<ImportParams>,
    upload: Upload,
) -> Result<Response, Problem> {
    let Upload { order, bytes } = upload;
    let reading = off_the_runtime(move || contacts::read(&bytes))
        .await?
        .map_err(|error| Problem::new(Kind::InvalidInput, error.to_string()))?;
    let format = reading.format.name();
    let freshness = match params.dry_run {
        true => Freshness::Local,
        // Lines that leave something out are completed with what is known: that must be current.
        false => Freshness::Linearizable,
    };
    let mut view = open(&shared, freshness).await?;
    let frozen = recipients::freeze(&mut view).await.map_err(of_query)?;
    if let Some(freeze) = frozen.filter(|_| !params.dry_run) {
        let (by, reason) = (freeze.by, freeze.reason);
        let refusal = domain::Refusal::ImportsFrozen { by, reason };
        return Err(of_refusal(&refusal, NamedIn::Body));
    }
    let plan = plan(&mut view, reading, params.source, params.complete).await?;
    recipients::check_import(&plan.import)
        .map_err(|problem| Problem::new(Kind::InvalidInput, problem))?;
    let weight = recipients::weight(&mut view, &plan.import)
        .await
        .map_err(of_query)?;
    drop(view);
    let mut report = report(plan.lines, plan.warnings, format);
    report.absent.clone_from(&plan.import.absent);
    report.waits = weight.waits;
    if !report.absent.is_empty() {
        let removals = format!("it would remove {} people", report.absent.len());
        report.waits.push(removals);
    }
    let nothing = weight.changes.is_empty() && plan.import.absent.is_empty();
    if params.dry_run || nothing || (params.strict && report.refused > 0) {
        return Ok((StatusCode::OK, Json(report)).into_response());
    }
    let actor = order.actor.label();
    let command = DomainCommand::Recipients(Command::Import(plan.import));
    let done = submit(&shared, order, command, NamedIn::Body).await?;
    let mut status = StatusCode::OK;
    if let Receipt::Import { id, applied, waits } = done.receipt {
        report.import = Some(id.to_string());
        report.applied = applied > 0;
        if waits {
            status = StatusCode::ACCEPTED;
        }
        info!(actor, applied, waits, "people imported");
    }
    Ok((status, Json(report)).into_response())
}

fn report(lines: Vec<LineReport>, warnings: Vec<String>, format: &'static str) -> ImportReport {
    let count = |verdict| lines.iter().filter(|line| line.verdict == verdict).count();
    ImportReport {
        applied: false,
        format,
        added: count(Verdict::Added),
        changed: count(Verdict::Changed),
        unchanged: count(Verdict::Unchanged),
        refused: count(Verdict::Refused),
        absent: Vec::new(),
        waits: Vec::new(),
        import: None,
        warnings,
        lines,
    }
}
