//! What the answering node's watcher sees wrong, over HTTP.

use axum::extract::State;
use axum::response::Response;
use domain::Civil;
use domain::texts::Language;
use domain::watch::Finding;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::problem::Problem;
use crate::reading::View;
use crate::state::Shared;

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list))
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Watch)]
pub(crate) struct WatchJson {
    /// Troubles that last, worst first; empty when all is well.
    findings: Vec<FindingJson>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Finding)]
pub(crate) struct FindingJson {
    /// `action_late`, `node_silent`, `disk_full` and the like.
    kind: &'static str,
    /// Its dedup key as an alert.
    key: String,
    severity: &'static str,
    /// What is wrong and what to do, in English.
    text: String,
    /// Since when the answering node has seen it.
    since: String,
    /// Number of the alert that tells people; null while nobody was told that way.
    alert: Option<String>,
    /// Whether people were told past the log, by the answering node's own channels.
    told_directly: bool,
}

/// Lists what the answering node's watcher sees wrong with Holdfast itself.
#[utoipa::path(get, path = "/v1/watch", tag = "cluster", responses((status = 200, body = WatchJson)))]
async fn list(State(shared): State<Shared>, view: View) -> Result<Response, Problem> {
    let mut findings = shared.board.read();
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.trouble.severity()));
    let findings = findings.iter().map(|finding| json(finding, &view.1));
    let body = WatchJson {
        findings: findings.collect(),
    };
    Ok(view.answer(&body))
}

fn json(finding: &Finding, civil: &Civil) -> FindingJson {
    FindingJson {
        kind: finding.trouble.kind(),
        key: finding.trouble.key(),
        severity: finding.trouble.severity().name(),
        text: finding.trouble.text(Language::english()),
        since: civil.rfc3339(finding.since),
        alert: finding.alert.clone(),
        told_directly: finding.told_directly,
    }
}
