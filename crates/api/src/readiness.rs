//! Whether people can be reached when it matters, over HTTP.

use axum::response::Response;
use domain::readiness::{self, About, Readiness, Reason, Score};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::input::Params;
use crate::problem::{Kind, Problem, of_query};
use crate::reading::View;
use crate::state::Shared;

const LIST_DEFAULT: usize = 50;
const LIST_MAX: usize = 500;

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(show))
}

/// How ready everything is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Readiness)]
pub(crate) struct ReadinessJson {
    /// 0 to 100: the least of the kinds.
    score: u8,
    /// Mean scores.
    kinds: Vec<KindJson>,
    /// Mail under these domains goes when the organisation's own IT does, and is no independent way.
    own_domains: Vec<String>,
    /// Schedules that were not looked at, because there are more than are looked at in one go.
    schedules_left_out: u64,
    /// How many have something to put right.
    to_put_right: usize,
    /// Those that have something to put right, worst first; with `about`, what was asked about.
    scores: Vec<ScoreJson>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReadinessKind)]
pub(crate) struct KindJson {
    /// `node`, `schedule`, `site`, `group` or `person`.
    kind: &'static str,
    score: u8,
}

/// How ready something is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReadinessScore)]
pub(crate) struct ScoreJson {
    /// `person:anna`, `group:duty`, `schedule:network`, `site:Turku` or `node:north`.
    about: String,
    name: String,
    /// 0 to 100.
    score: u8,
    /// Most severe first.
    reasons: Vec<ReasonJson>,
}

/// Why, and what to do.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReadinessReason)]
pub(crate) struct ReasonJson {
    /// `red` or `amber`.
    grade: &'static str,
    what: String,
    to_do: String,
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ReadinessParams {
    /// Only this: `person:anna`, `group:duty`, `schedule:network`, `site:Turku` or `node:north`.
    about: Option<String>,
    /// Show at most this many, up to 500.
    #[serde(default = "list_default")]
    #[param(default = 50, maximum = 500)]
    limit: usize,
}

fn list_default() -> usize {
    LIST_DEFAULT
}

/// Says how ready people, groups, schedules, sites and nodes are, why, and what to do.
#[utoipa::path(get, path = "/v1/readiness", operation_id = "show_readiness", tag = "people", params(ReadinessParams), responses((status = 200, body = ReadinessJson)))]
async fn show(
    Params(params): Params<ReadinessParams>,
    mut view: View,
) -> Result<Response, Problem> {
    let about = params.about.as_deref().map(parse).transpose()?;
    let now = view.0.as_of;
    let found = readiness::look(&mut view.0, now).await.map_err(of_query)?;
    let Readiness {
        score,
        kinds,
        own_domains,
        left_out,
        scores,
    } = found;
    let to_put_right = scores
        .iter()
        .filter(|score| !score.reasons.is_empty())
        .count();
    let scores: Vec<ScoreJson> = match about {
        Some(about) => scores
            .into_iter()
            .filter(|score| score.about == about)
            .map(ScoreJson::of)
            .collect(),
        None => scores
            .into_iter()
            .filter(|score| !score.reasons.is_empty())
            .take(params.limit.clamp(1, LIST_MAX))
            .map(ScoreJson::of)
            .collect(),
    };
    if scores.is_empty() && params.about.is_some() {
        return Err(Problem::not_found("nothing is known by this name"));
    }
    let kinds = kinds.into_iter();
    let body = ReadinessJson {
        score,
        kinds: kinds
            .map(|(kind, score)| KindJson { kind, score })
            .collect(),
        own_domains,
        schedules_left_out: left_out,
        to_put_right,
        scores,
    };
    Ok(view.answer(&body))
}

fn parse(text: &str) -> Result<About, Problem> {
    About::parse(text).ok_or_else(|| {
        let detail = format!("{text:?} names nothing; write person:KEY, group:KEY, schedule:KEY, site:NAME or node:NAME");
        Problem::new(Kind::BadRequest, detail)
    })
}

impl ScoreJson {
    fn of(score: Score) -> Self {
        let reason = |Reason { grade, what, to_do }| ReasonJson {
            grade: grade.name(),
            what,
            to_do,
        };
        Self {
            about: score.about.to_string(),
            name: score.name,
            score: score.score,
            reasons: score.reasons.into_iter().map(reason).collect(),
        }
    }
}
