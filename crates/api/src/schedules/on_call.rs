//! Who is on call at a moment, who in a range of time, and what is wrong ahead.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::State;
use axum::response::Response;
use domain::oncall::{self, Because, Duty, Hop, OnCall, Plan, Shift, TooMuch, Warning};
use domain::ports::ReadView;
use domain::units::Thing;
use domain::{Civil, CivilTime};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{RedirectTargetJson, civil_now, find, unknown};
use crate::input::{Params, Segment};
use crate::problem::{Kind, Problem, of_query};
use crate::reading::View;
use crate::state::Shared;
use crate::time::parse_rfc3339;
use crate::units::Limit;

const DAY_MS: i64 = 86_400_000;
const RANGE_DEFAULT_MS: i64 = 14 * DAY_MS;
const RANGE_MAX_MS: i64 = 400 * DAY_MS;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(who))
        .routes(routes!(who_of_all))
        .routes(routes!(shifts))
        .routes(routes!(list_warnings))
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct AtParams {
    /// The moment asked about (RFC 3339); without it: now.
    at: Option<String>,
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct RangeParams {
    /// Beginning (RFC 3339); without it: now.
    from: Option<String>,
    /// End (RFC 3339), at most 400 days later; without it: 14 days later.
    to: Option<String>,
}

impl RangeParams {
    fn parse(&self, now: CivilTime) -> Result<(CivilTime, CivilTime), Problem> {
        let from = time_or("from", self.from.as_deref(), now)?;
        let to = time_or(
            "to",
            self.to.as_deref(),
            CivilTime(from.0.saturating_add(RANGE_DEFAULT_MS)),
        )?;
        if from < to && to.0.saturating_sub(from.0) <= RANGE_MAX_MS {
            return Ok((from, to));
        }
        Err(Problem::new(
            Kind::BadRequest,
            "`to` lies after `from`, and at most 400 days after it",
        ))
    }
}

/// Who is on call in a schedule at a moment.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OnCall)]
pub(crate) struct OnCallJson {
    schedule: String,
    name: String,
    at: String,
    /// What the wall shows in the schedule's zone.
    local: String,
    zone: String,
    /// In calling order.
    on_call: Vec<DutyJson>,
    /// Where the calls went, schedule by schedule; empty without a redirect.
    redirects: Vec<HopJson>,
    /// The same in words; also says so when nobody is on call.
    words: String,
}

/// A person on call.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Duty)]
pub(crate) struct DutyJson {
    person: String,
    /// Absent when the person was removed, and cannot be called.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    because: Vec<BecauseJson>,
    /// The causes in words.
    why: String,
}

/// What put a person on call.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "lowercase")]
#[schema(as = Because)]
pub(crate) enum BecauseJson {
    Turn {
        layer: String,
        /// 0 is the uppermost layer.
        place: usize,
        /// Counted from 0, the one that begins at the layer's start.
        shift: i64,
    },
    Fixed {
        uid: String,
    },
    Override {
        number: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        of: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        swap: Option<u64>,
        by: String,
        reason: String,
    },
}

/// A redirect that was followed.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Hop)]
pub(crate) struct HopJson {
    schedule: String,
    to: RedirectTargetJson,
    by: String,
    reason: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AllOnCall)]
pub(crate) struct AllOnCallJson {
    at: String,
    /// In order of key.
    schedules: Vec<OnCallJson>,
}

/// One person's uninterrupted time on call for one reason.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Shift)]
pub(crate) struct ShiftJson {
    from: String,
    to: String,
    local_from: String,
    local_to: String,
    #[serde(flatten)]
    duty: DutyJson,
    redirects: Vec<HopJson>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Shifts)]
pub(crate) struct ShiftsJson {
    schedule: String,
    zone: String,
    from: String,
    to: String,
    /// In order of their begin; cut at both ends of the range.
    shifts: Vec<ShiftJson>,
    /// When nobody is on call.
    gaps: Vec<GapJson>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Gap)]
pub(crate) struct GapJson {
    from: String,
    to: String,
}

/// Something to be put right before it is needed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Warning)]
pub(crate) struct WarningJson {
    /// `uncovered`, `double_booked`, `person_removed` or `swap_pending`.
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    person: Option<String>,
    /// What is wrong, and what to do.
    words: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Warnings)]
pub(crate) struct WarningsJson {
    schedule: String,
    from: String,
    to: String,
    warnings: Vec<WarningJson>,
}

/// Says who is on call in a schedule, and why.
#[utoipa::path(get, path = "/v1/schedules/{key}/on-call", tag = "on call", params(("key" = String, Path), AtParams), responses((status = 200, body = OnCallJson)))]
async fn who(
    State(shared): State<Shared>,
    Segment(key): Segment,
    Params(params): Params<AtParams>,
    mut view: View,
) -> Result<Response, Problem> {
    let at = time_or("at", params.at.as_deref(), civil_now(&shared, &view.1))?;
    let plan = oncall::plan_of(&mut view.0, &key, at, at)
        .await
        .map_err(of_query)?;
    let on_call = plan.who_at(&key, at).ok_or_else(unknown)?;
    let names = names(&mut view.0, std::iter::once(&on_call)).await?;
    let body = on_call_json(&plan, &key, at, on_call, &names);
    Ok(view.answer(&body))
}

/// Says who is on call in every schedule, and why; to those limited to a unit, in its schedules.
#[utoipa::path(get, path = "/v1/on-call", tag = "on call", params(AtParams), responses((status = 200, body = AllOnCallJson)))]
async fn who_of_all(
    State(shared): State<Shared>,
    Params(params): Params<AtParams>,
    within: Limit,
    mut view: View,
) -> Result<Response, Problem> {
    let at = time_or("at", params.at.as_deref(), civil_now(&shared, &view.1))?;
    let plan = oncall::plan_of_all(&mut view.0, at, at)
        .await
        .map_err(of_query)?;
    let keys = plan.schedules().map(|schedule| schedule.key.as_str());
    let found: Vec<(&str, OnCall)> = keys
        .filter_map(|key| plan.who_at(key, at).map(|on_call| (key, on_call)))
        .collect();
    let found = within
        .kept(&mut view.0, found, |(key, _)| Thing::Schedule(key))
        .await?;
    let names = names(&mut view.0, found.iter().map(|(_, on_call)| on_call)).await?;
    let body = AllOnCallJson {
        at: at.to_rfc3339(),
        schedules: found
            .into_iter()
            .map(|(key, on_call)| on_call_json(&plan, key, at, on_call, &names))
            .collect(),
    };
    Ok(view.answer(&body))
}

/// Lists the shifts of a schedule in a range of time: the preview, by the rules that alerts go by.
#[utoipa::path(get, path = "/v1/schedules/{key}/shifts", tag = "on call", params(("key" = String, Path), RangeParams), responses((status = 200, body = ShiftsJson)))]
async fn shifts(
    State(shared): State<Shared>,
    Segment(key): Segment,
    Params(params): Params<RangeParams>,
    mut view: View,
) -> Result<Response, Problem> {
    let (from, to) = params.parse(civil_now(&shared, &view.1))?;
    let plan = oncall::plan_of(&mut view.0, &key, from, to)
        .await
        .map_err(of_query)?;
    let zone = plan.zone(&key).ok_or_else(unknown)?;
    let segments = plan.segments(&key, from, to).map_err(too_much)?;
    let names = names(&mut view.0, segments.iter().map(|s| &s.on_call)).await?;
    let empty = segments.iter().filter(|s| s.on_call.duties.is_empty());
    let gaps = empty.map(|segment| GapJson {
        from: segment.from.to_rfc3339(),
        to: segment.to.to_rfc3339(),
    });
    let gaps = gaps.collect();
    let shifts = plan.shifts(&key, from, to).map_err(too_much)?;
    let shift_json = |shift: Shift| ShiftJson {
        from: shift.from.to_rfc3339(),
        to: shift.to.to_rfc3339(),
        local_from: zone.wall(shift.from).to_string(),
        local_to: zone.wall(shift.to).to_string(),
        duty: duty_json(shift.duty, &names),
        redirects: shift.redirects.into_iter().map(hop_json).collect(),
    };
    let body = ShiftsJson {
        zone: zone.name().to_owned(),
        from: from.to_rfc3339(),
        to: to.to_rfc3339(),
        shifts: shifts.into_iter().map(shift_json).collect(),
        gaps,
        schedule: key,
    };
    Ok(view.answer(&body))
}

/// Lists what is wrong with a schedule ahead: times without anybody, people in two places, people who were removed,
/// swaps without an answer.
#[utoipa::path(get, path = "/v1/schedules/{key}/warnings", tag = "on call", params(("key" = String, Path), RangeParams), responses((status = 200, body = WarningsJson)))]
async fn list_warnings(
    State(shared): State<Shared>,
    Segment(key): Segment,
    Params(params): Params<RangeParams>,
    mut view: View,
) -> Result<Response, Problem> {
    let range = params.parse(civil_now(&shared, &view.1))?;
    find(&mut view.0, &key).await?;
    let plan = oncall::plan_of_all(&mut view.0, range.0, range.1)
        .await
        .map_err(of_query)?;
    let known = plan
        .schedules()
        .flat_map(|schedule| plan.people(&schedule.key));
    let known: BTreeSet<&str> = known.collect();
    let known = oncall::names_of_people(&mut view.0, &known)
        .await
        .map_err(of_query)?;
    let swaps = oncall::swaps(&mut view.0, &key).await.map_err(of_query)?;
    let found = oncall::warnings(&plan, &key, range, &known, &swaps).map_err(too_much)?;
    let body = WarningsJson {
        from: range.0.to_rfc3339(),
        to: range.1.to_rfc3339(),
        warnings: found.into_iter().map(warning_json).collect(),
        schedule: key,
    };
    Ok(view.answer(&body))
}

fn time_or(name: &str, text: Option<&str>, otherwise: CivilTime) -> Result<CivilTime, Problem> {
    text.map_or(Ok(otherwise), |text| {
        parse_rfc3339(text).map_err(|why| Problem::new(Kind::BadRequest, format!("{name}: {why}")))
    })
}

fn too_much(error: TooMuch) -> Problem {
    Problem::new(Kind::BadRequest, error.to_string())
}

/// Names of everybody on call.
async fn names(
    view: &mut ReadView,
    found: impl Iterator<Item = &OnCall>,
) -> Result<BTreeMap<String, String>, Problem> {
    let duties = found.flat_map(|on_call| &on_call.duties);
    let keys: BTreeSet<&str> = duties.map(|duty| duty.person.as_str()).collect();
    oncall::names_of_people(view, &keys).await.map_err(of_query)
}

fn on_call_json(
    plan: &Plan,
    key: &str,
    at: CivilTime,
    on_call: OnCall,
    names: &BTreeMap<String, String>,
) -> OnCallJson {
    let schedule = plan.schedule(key);
    let local = plan.zone(key).map(|zone| zone.wall(at).to_string());
    let duties: Vec<DutyJson> = on_call
        .duties
        .into_iter()
        .map(|duty| duty_json(duty, names))
        .collect();
    let redirects: Vec<HopJson> = on_call.redirects.into_iter().map(hop_json).collect();
    OnCallJson {
        name: schedule.map_or_else(String::new, |schedule| schedule.name.clone()),
        zone: schedule.map_or_else(String::new, |schedule| schedule.zone.clone()),
        words: words(key, at, &duties, &redirects),
        at: at.to_rfc3339(),
        local: local.unwrap_or_default(),
        on_call: duties,
        redirects,
        schedule: key.to_owned(),
    }
}

fn words(key: &str, at: CivilTime, duties: &[DutyJson], redirects: &[HopJson]) -> String {
    let mut said = String::new();
    for hop in redirects {
        let to = match &hop.to {
            RedirectTargetJson::Schedule(key) => format!("schedule {key}"),
            RedirectTargetJson::Person(key) => key.clone(),
            RedirectTargetJson::Group(key) => format!("group {key}"),
        };
        said.push_str(&format!(
            "{} is redirected to {to} by {}. ",
            hop.schedule, hop.by
        ));
    }
    let there: Vec<&str> = duties
        .iter()
        .filter_map(|duty| duty.name.as_deref())
        .collect();
    let gone: Vec<&str> = duties
        .iter()
        .filter(|duty| duty.name.is_none())
        .map(|duty| duty.person.as_str())
        .collect();
    if there.is_empty() {
        said.push_str(&format!(
            "Nobody is on call in {key} at {}",
            at.to_rfc3339()
        ));
        said.push_str(match gone.as_slice() {
            [] => ": no layer, fixed shift or override covers it. Put somebody on call with an override.",
            _ => ": everyone whose turn it is was removed. Put somebody on call with an override.",
        });
    } else {
        said.push_str(&format!("{} on call.", there.join(", ")));
    }
    if !gone.is_empty() {
        said.push_str(&format!(" Removed and not called: {}.", gone.join(", ")));
    }
    said
}

fn duty_json(duty: Duty, names: &BTreeMap<String, String>) -> DutyJson {
    let because = |because: &Because| match because.clone() {
        Because::Turn {
            layer,
            place,
            shift,
        } => BecauseJson::Turn {
            layer,
            place,
            shift,
        },
        Because::Fixed { uid } => BecauseJson::Fixed { uid },
        Because::Override {
            number,
            of,
            swap,
            by,
            reason,
        } => BecauseJson::Override {
            number,
            of,
            swap,
            by,
            reason,
        },
    };
    DutyJson {
        name: names.get(&duty.person).cloned(),
        because: duty.because.iter().map(because).collect(),
        why: duty.why(),
        person: duty.person,
    }
}

fn hop_json(hop: Hop) -> HopJson {
    HopJson {
        schedule: hop.schedule,
        to: RedirectTargetJson::of(hop.to),
        by: hop.by,
        reason: hop.reason,
    }
}

fn warning_json(warning: Warning) -> WarningJson {
    let range = |from: CivilTime, to: CivilTime| (Some(from.to_rfc3339()), Some(to.to_rfc3339()));
    let (kind, (from, to), person, words) = match warning {
        Warning::Uncovered { from, to } => {
            let words = "nobody is on call; add a layer below, or an override".to_owned();
            ("uncovered", range(from, to), None, words)
        }
        Warning::DoubleBooked {
            person,
            other,
            from,
            to,
        } => {
            let words =
                format!("{person} is on call here and in schedule {other}; swap one of the shifts");
            ("double_booked", range(from, to), Some(person), words)
        }
        Warning::PersonRemoved { person } => {
            let words =
                format!("{person} was removed and cannot be called; take them out of the schedule");
            ("person_removed", (None, None), Some(person), words)
        }
        Warning::SwapPending {
            number,
            give,
            take,
            from,
        } => {
            let words = format!("swap {number} that {give} proposed waits for {take}'s answer");
            (
                "swap_pending",
                (Some(from.to_rfc3339()), None),
                Some(take),
                words,
            )
        }
    };
    WarningJson {
        kind,
        from,
        to,
        person,
        words,
    }
}

/// A time as both people and programs read it.
pub(super) fn rfc3339(civil: &Civil, at: Option<domain::Timestamp>) -> Option<String> {
    at.map(|at| civil.rfc3339(at))
}
