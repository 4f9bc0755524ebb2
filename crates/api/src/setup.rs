//! What a new cluster needs before it may be relied upon, over HTTP
//! ([decision 40](../../../docs/decisions/0040-setup.md)).

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use domain::setup::{self, Command, State as StepState};
use domain::{Command as DomainCommand, nodes};
use serde::Serialize;
use tracing::info;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::input::Bare;
use crate::problem::{NamedIn, Problem, of_query};
use crate::reading::View;
use crate::state::Shared;
use crate::submit::{Stored, submit};

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(show))
        .routes(routes!(finish))
}

/// How far the cluster is set up.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Setup)]
pub(crate) struct SetupJson {
    organisation: String,
    /// In the order in which they are best done.
    steps: Vec<StepJson>,
    /// All that is needed is there: setup can be finished.
    can_finish: bool,
    /// When somebody said that it is finished; null before.
    finished_at: Option<String>,
    finished_by: Option<String>,
}

/// One step, seen from what there is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SetupStep)]
pub(crate) struct StepJson {
    /// `administrators`, `managers`, `nodes`, `channels`, `texts`, `people`, `templates`, `cards`, `exercise` or `names`: people
    /// sign in by passkeys, under names of their own.
    step: &'static str,
    done: bool,
    /// Setup is not finished without it.
    needed: bool,
    /// How many there are.
    count: u32,
    /// How many there should be.
    of: u32,
    /// Those that are not there yet, as people call them.
    missing: Vec<String>,
}

/// Says how far the cluster is set up, step by step.
#[utoipa::path(get, path = "/v1/setup", operation_id = "show_setup", tag = "app", responses((status = 200, body = SetupJson)))]
async fn show(State(shared): State<Shared>, mut view: View) -> Result<Response, Problem> {
    let now = view.0.as_of;
    let states = setup::look(&mut view.0, now).await.map_err(of_query)?;
    let finished = setup::finished(&mut view.0).await.map_err(of_query)?;
    let organisation = nodes::organisation(&mut view.0).await.map_err(of_query)?;
    let mut steps: Vec<StepJson> = states.into_iter().map(step_json).collect();
    // Kept by each node in its settings, not in the log.
    let named = shared.passkeys.domain().is_some();
    steps.push(StepJson {
        step: "names",
        done: named,
        needed: false,
        count: u32::from(named),
        of: 1,
        missing: Vec::new(),
    });
    let body = SetupJson {
        organisation,
        can_finish: steps.iter().all(|step| step.done || !step.needed),
        steps,
        finished_at: finished.as_ref().map(|said| view.1.rfc3339(said.at)),
        finished_by: finished.map(|said| said.by),
    };
    Ok(view.answer(&body))
}

/// Says that setup is finished. Refused while something that is needed is missing.
#[utoipa::path(post, path = "/v1/setup/finish", operation_id = "finish_setup", tag = "app", responses((status = 200, body = Stored)))]
async fn finish(State(shared): State<Shared>, bare: Bare) -> Result<Json<Stored>, Problem> {
    let actor = bare.order.actor.label();
    let command = DomainCommand::Setup(Command::Finish);
    let done = submit(&shared, bare.order, command, NamedIn::Body).await?;
    info!(actor, "setup finished");
    Ok(Json(done.stored))
}

fn step_json(state: StepState) -> StepJson {
    StepJson {
        step: state.step.name(),
        done: state.is_done(),
        needed: state.step.is_needed(),
        count: state.count,
        of: state.of,
        missing: state.missing,
    }
}
