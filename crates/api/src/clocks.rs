//! What time it is over HTTP: cluster time, the civil time people read, and how sure the members are of it.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use domain::nodes::{self, Agreement, CLOCK_AGREEMENT_MS, CivilRow, MachineRow, SetCivilOffset};
use domain::{Civil, CivilTime, Command as DomainCommand};
use serde::{Deserialize, Serialize};
use tracing::info;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::fields::Fields;
use crate::input::Input;
use crate::problem::{NamedIn, Problem, of_query};
use crate::reading::View;
use crate::state::Shared;
use crate::submit::{Stored, submit};
use crate::time::parse_rfc3339;

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(show))
        .routes(routes!(set))
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ClusterTime)]
pub(crate) struct TimeJson {
    /// What people's clocks should say now. Every time in every answer and text is civil time in UTC.
    civil: String,
    /// Milliseconds of cluster time, by which everything is due. No wall clock moves it.
    cluster_ms: i64,
    /// Civil minus cluster time, milliseconds.
    offset_ms: i64,
    /// Since when that holds; null before the first.
    since: Option<String>,
    /// `loop` when the members' clocks agreed on it, else who said so; empty before the first.
    set_by: String,
    /// `majority`, `operator`, `disputed` or `unknown`.
    confidence: &'static str,
    /// What a person should do about it; empty when all is well.
    advice: String,
    /// Members whose wall clocks say the same within two seconds, of all.
    agreeing: u16,
    members: u16,
    /// Between the earliest and the latest wall clock, milliseconds.
    spread_ms: u64,
    clocks: Vec<ClockJson>,
}

/// A member's wall clock.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NodeClock)]
pub(crate) struct ClockJson {
    node: u64,
    /// Its wall clock minus civil time, milliseconds.
    off_by_ms: i64,
    /// `ntp`, `rtc`, `none` or empty when that is not known.
    source: String,
    /// Whether the kernel says the clock is kept right.
    synchronised: Option<bool>,
    /// Since when source and synchronisation are so.
    since: String,
    reported_at: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TimeBody {
    /// What a right clock says now (RFC 3339).
    #[schema(example = "2026-11-21T03:12:05Z")]
    civil: String,
}

/// Shows the time and how sure the members are of it.
#[utoipa::path(get, path = "/v1/cluster/time", tag = "cluster", responses((status = 200, body = TimeJson)))]
async fn show(State(shared): State<Shared>, mut view: View) -> Result<Response, Problem> {
    let Clocks {
        held,
        machines,
        agreed,
    } = Clocks::read(&mut view).await?;
    let (now, civil) = (shared.replica.now(), view.1.clone());
    let body = TimeJson {
        civil: civil.rfc3339(now),
        cluster_ms: now.0,
        offset_ms: civil.offset_ms(),
        since: held.as_ref().map(|row| civil.rfc3339(row.since)),
        set_by: held
            .as_ref()
            .map(|row| row.set_by.clone())
            .unwrap_or_default(),
        confidence: confidence(held.as_ref(), &agreed, &civil),
        advice: advice(held.as_ref(), &agreed, &civil),
        agreeing: agreed.agreeing,
        members: agreed.members,
        spread_ms: agreed.spread_ms,
        clocks: machines
            .into_iter()
            .map(|row| clock_json(row, &civil))
            .collect(),
    };
    Ok(view.answer(&body))
}

/// Says what time it is, where the members' clocks cannot.
#[utoipa::path(post, path = "/v1/cluster/time", tag = "cluster", request_body = TimeBody, responses((status = 200, body = Stored)))]
async fn set(
    State(shared): State<Shared>,
    input: Input<TimeBody>,
) -> Result<Json<Stored>, Problem> {
    let mut fields = Fields::default();
    let civil = fields.take("/civil", parse_rfc3339(&input.value.civil));
    let Some(CivilTime(civil_ms)) = civil else {
        return Err(fields.into_problem());
    };
    let actor = input.order.actor.label();
    let set = SetCivilOffset {
        offset_ms: civil_ms.saturating_sub(shared.replica.now().0),
        since: None,
        agreeing: 0,
        members: 0,
        spread_ms: 0,
        explained: true,
    };
    let command = DomainCommand::Nodes(nodes::Command::SetCivilOffset(set));
    let done = submit(&shared, input.order, command, NamedIn::Body).await?;
    info!(actor, civil = input.value.civil, "civil time set");
    Ok(Json(done.stored))
}

/// What the rows say of the members' clocks.
pub(crate) struct Clocks {
    pub(crate) held: Option<CivilRow>,
    pub(crate) machines: Vec<MachineRow>,
    pub(crate) agreed: Agreement,
}

impl Clocks {
    pub(crate) async fn read(view: &mut View) -> Result<Self, Problem> {
        let view = &mut view.0;
        let members = nodes::nodes(view).await.map_err(of_query)?;
        let members = members.iter().filter(|node| node.removed_at.is_none());
        let machines = nodes::machines(view).await.map_err(of_query)?;
        let offsets = machines.iter().map(|machine| machine.civil_offset_ms);
        Ok(Self {
            agreed: nodes::agreement(offsets, members.count()),
            held: nodes::civil_row(view).await.map_err(of_query)?,
            machines,
        })
    }
}

/// In one word. Reading rows of silent members too, it is at most as sure as the leader.
fn confidence(held: Option<&CivilRow>, agreed: &Agreement, civil: &Civil) -> &'static str {
    let near = |offset: i64| offset.abs_diff(civil.offset_ms()) <= CLOCK_AGREEMENT_MS;
    match (held, agreed.offset_ms) {
        (None, _) => "unknown",
        (Some(_), Some(offset)) if near(offset) => "majority",
        (Some(_), Some(_)) => "disputed",
        (Some(row), None) if row.agreeing == 0 => "operator",
        (Some(_), None) => "disputed",
    }
}

fn advice(held: Option<&CivilRow>, agreed: &Agreement, civil: &Civil) -> String {
    match (confidence(held, agreed, civil), agreed.offset_ms) {
        ("disputed", Some(offset)) => {
            let way = if offset > civil.offset_ms() {
                "ahead"
            } else {
                "behind"
            };
            format!(
                "the members' clocks agree on another time, {} s {way}; put right whichever is wrong: their clocks, or civil \
                 time with `holdfast cluster set-time`",
                offset.abs_diff(civil.offset_ms()) / 1_000
            )
        }
        ("disputed", None) => format!(
            "only {} of {} wall clocks agree; put the others right, or say what time it is with `holdfast cluster set-time`",
            agreed.agreeing, agreed.members
        ),
        _ => String::new(),
    }
}

fn clock_json(row: MachineRow, civil: &Civil) -> ClockJson {
    ClockJson {
        node: row.node.0,
        off_by_ms: row.civil_offset_ms.saturating_sub(civil.offset_ms()),
        source: row.clock_source,
        synchronised: row.synchronised,
        since: civil.rfc3339(row.clock_since),
        reported_at: civil.rfc3339(row.reported_at),
    }
}
