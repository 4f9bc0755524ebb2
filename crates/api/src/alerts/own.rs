//! What one person is asked right now: the answer to "what is it, and what have I said?" on the smallest link.

use std::collections::BTreeMap;

use axum::response::Response;
use domain::{alerts, escalation, recipients};
use serde::Serialize;
use utoipa::ToSchema;

use super::view::{CalledJson, SummaryJson, called_json, leaders};
use crate::input::Segment;
use crate::problem::{Problem, of_query};
use crate::reading::View;

/// The most alerts shown at once; nobody can answer more.
const OWN_MAX: usize = 100;

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OwnAlerts)]
pub(crate) struct OwnAlertsJson {
    /// Newest call first.
    alerts: Vec<OwnAlertJson>,
}

/// An open alert, and what it is to the person called.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OwnAlert)]
pub(crate) struct OwnAlertJson {
    alert: SummaryJson,
    call: CalledJson,
    /// How many are coming so far.
    coming: u16,
    /// How many are wanted.
    needed: u16,
}

/// Lists the open alerts a person was called to, with what they answered.
#[utoipa::path(get, path = "/v1/people/{key}/alerts", tag = "alerts", params(("key" = String, Path)), responses((status = 200, body = OwnAlertsJson)))]
pub(super) async fn own(Segment(key): Segment, mut view: View) -> Result<Response, Problem> {
    let person = recipients::person(&mut view.0, &key)
        .await
        .map_err(of_query)?
        .ok_or_else(|| Problem::not_found("there is no person with this key"))?;
    let names = BTreeMap::from([(person.id, person.clone())]);
    let calls = escalation::open_calls_of(&mut view.0, person.id)
        .await
        .map_err(of_query)?;
    let mut found = Vec::new();
    for call in calls.into_iter().take(OWN_MAX) {
        let row = alerts::find(&mut view.0, call.alert)
            .await
            .map_err(of_query)?;
        let Some(row) = row.filter(|row| row.state == alerts::State::Open) else {
            continue;
        };
        let plan = escalation::plan(&mut view.0, call.alert)
            .await
            .map_err(of_query)?;
        let out = escalation::left_out(&mut view.0, call.alert)
            .await
            .map_err(of_query)?;
        found.push(OwnAlertJson {
            coming: plan.as_ref().map_or(0, |plan| plan.coming),
            needed: plan.as_ref().map_or(0, |plan| plan.needed),
            call: called_json(call, &names, &out, &view.1),
            alert: {
                let leader = leaders(&mut view.0, &[row.id]).await?.remove(&row.id);
                SummaryJson::new(row, leader, &view.1)
            },
        });
    }
    let body = OwnAlertsJson { alerts: found };
    Ok(view.answer(&body))
}
