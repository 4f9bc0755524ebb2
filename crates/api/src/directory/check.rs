//! Contact checks: whether texts and mails reach people, found out by asking them.
//!
//! A check is an alert of status test with words of its own. So nobody gets it twice, the silent are asked once more, and a
//! code that comes back from a person's number verifies that number, as it does with every alert.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use axum::extract::State as Extract;
use axum::response::{IntoResponse, Response};
use axum::{Json, http::StatusCode};
use domain::alerts::{self, AlertRow, Command, Raise, Severity, Status, Step};
use domain::deliveries::{self, State as Delivery};
use domain::escalation::{self, Called};
use domain::ports::{Freshness, ReadView};
use domain::recipients::{self, PersonRow};
use domain::{AlertId, Command as DomainCommand, RecipientId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::alerts::named;
use crate::fields::Fields;
use crate::held::{self, Held};
use crate::input::{Input, Segment};
use crate::problem::{Kind, NamedIn, Problem, of_query, of_refusal};
use crate::reading::{View, open};
use crate::state::Shared;
use crate::submit::{Stored, submit};

/// The source of alerts that are checks.
const SOURCE: &str = "contact check";
const TEXTS: [(&str, &str); 3] = [
    (
        "en",
        "Holdfast checks whether this reaches you. Nothing has happened. Please answer with 1.",
    ),
    (
        "fi",
        "Holdfast tarkistaa, tavoittaako tämä sinut. Mitään ei ole tapahtunut. Vastaa 1.",
    ),
    (
        "sv",
        "Holdfast kontrollerar att detta når dig. Ingenting har hänt. Svara med 1.",
    ),
];
/// How long one text or mail may wait or travel: a day.
const VALIDITY_MS: u64 = 24 * 3_600_000;
/// The reminder comes after an hour at the earliest, after a week at the latest.
const REMIND_S: std::ops::RangeInclusive<u64> = 3_600..=7 * 24 * 3_600;
/// After this long, those who are silent may be asked by another check.
const ASKED_FOR: Duration = Duration::from_secs(7 * 24 * 3_600);
/// Checks that are looked through for people who are being asked already.
const OPEN_MAX: u32 = 1_000;
/// People and deliveries of one check that are looked at.
const ROWS_MAX: u32 = 1_000_000;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(start))
        .routes(routes!(show))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CheckBody {
    /// Keys of people.
    #[serde(default)]
    people: Vec<String>,
    /// Keys of groups.
    #[serde(default)]
    groups: Vec<String>,
    /// When the silent are asked once more: an hour to a week.
    #[serde(default = "one_day")]
    #[schema(default = 86400)]
    remind_after_s: u64,
}

fn one_day() -> u64 {
    24 * 3_600
}

/// A check that was started.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CheckStarted {
    #[serde(flatten)]
    stored: Stored,
    /// Id of the alert that asks.
    alert: String,
    /// The number people say aloud.
    number: String,
    /// How many are asked.
    asked: usize,
    /// Keys of those left out because another check is asking them.
    left_out: Vec<String>,
}

/// Somebody who was asked.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CheckedPerson)]
pub(crate) struct CheckedJson {
    key: String,
    name: String,
    /// When they answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<String>,
    /// From which number or by whom the answer came; why nothing reached them.
    detail: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Check)]
pub(crate) struct CheckJson {
    number: String,
    started_at: String,
    answered: Vec<CheckedJson>,
    /// Asked, and silent so far.
    silent: Vec<CheckedJson>,
    /// Nothing that was sent to them got through.
    unreachable: Vec<CheckedJson>,
}

/// Asks people whether this reaches them; 202 when so many are asked that a second person must agree. Those another check is asking already are left out.
#[utoipa::path(post, path = "/v1/directory/checks", operation_id = "start_check", tag = "people", request_body = CheckBody, responses((status = 201, body = CheckStarted), (status = 202, body = Held)))]
async fn start(
    Extract(shared): Extract<Shared>,
    input: Input<CheckBody>,
) -> Result<Response, Problem> {
    let body = input.value;
    let mut fields = Fields::default();
    if !REMIND_S.contains(&body.remind_after_s) {
        fields.add("/remind_after_s", "write 3600 to 604800, an hour to a week");
    }
    fields.finish()?;
    let named = named(body.people, body.groups);
    let mut view = open(&shared, Freshness::Linearizable).await?;
    let found = recipients::resolve(&mut view, &named)
        .await
        .map_err(of_query)?;
    let mut recipients = found.map_err(|refusal| of_refusal(&refusal, NamedIn::Body))?;
    let busy = being_asked(&mut view).await?;
    let left_out: Vec<RecipientId> = recipients
        .iter()
        .copied()
        .filter(|id| busy.contains(id))
        .collect();
    recipients.retain(|id| !busy.contains(id));
    let left_out = recipients::by_ids(&mut view, &left_out)
        .await
        .map_err(of_query)?;
    drop(view);
    let asked = recipients.len();
    let command = DomainCommand::Alerts(Command::Raise(Box::new(raise(
        recipients,
        body.remind_after_s,
    ))));
    let done = submit(&shared, input.order, command, NamedIn::Body).await?;
    if let Some(number) = done.receipt.held() {
        return held::answer(&shared, done.stored, number).await;
    }
    let Some((alert, number)) = done.receipt.alert() else {
        return Err(Problem::new(
            Kind::Internal,
            "the check was stored, but its number is not known; list alerts",
        ));
    };
    let started = CheckStarted {
        stored: done.stored,
        alert: alert.to_string(),
        number,
        asked,
        left_out: left_out.into_iter().map(|person| person.key).collect(),
    };
    Ok((StatusCode::CREATED, Json(started)).into_response())
}

/// Shows who answered a check, who is silent, and whom nothing reached.
#[utoipa::path(get, path = "/v1/directory/checks/{alert}", operation_id = "show_check", tag = "people", params(("alert" = String, Path, description = "Id or number")), responses((status = 200, body = CheckJson)))]
async fn show(Segment(alert): Segment, mut view: View) -> Result<Response, Problem> {
    let row = find(&mut view.0, &alert)
        .await?
        .filter(|row| row.source == SOURCE)
        .ok_or_else(|| Problem::not_found("there is no contact check with this number"))?;
    let called = escalation::called(&mut view.0, row.id, 0, ROWS_MAX)
        .await
        .map_err(of_query)?;
    let ids: Vec<RecipientId> = called.iter().map(|call| call.recipient).collect();
    let people = recipients::by_ids(&mut view.0, &ids)
        .await
        .map_err(of_query)?;
    let people: BTreeMap<RecipientId, PersonRow> = people
        .into_iter()
        .map(|person| (person.id, person))
        .collect();
    let failed = failures(&mut view.0, row.id).await?;
    let mut check = CheckJson {
        number: row.label,
        started_at: view.1.rfc3339(row.raised_at),
        answered: Vec::new(),
        silent: Vec::new(),
        unreachable: Vec::new(),
    };
    for call in called {
        let at = call.answered_at.map(|at| view.1.rfc3339(at));
        let person = people.get(&call.recipient);
        let failure = failed.get(&call.recipient);
        sort_in(&mut check, call, person, at, failure);
    }
    Ok(view.answer(&check))
}

fn sort_in(
    check: &mut CheckJson,
    call: Called,
    person: Option<&PersonRow>,
    at: Option<String>,
    failure: Option<&String>,
) {
    // Whoever was removed since is still somebody who was asked.
    let (key, name) = person.map_or_else(
        || (call.recipient.to_string(), String::new()),
        |person| (person.key.clone(), person.name.clone()),
    );
    let (list, detail) = match (call.answer.is_some(), failure) {
        (true, _) => (&mut check.answered, call.answered_from),
        (false, Some(reason)) => (&mut check.unreachable, reason.clone()),
        (false, None) => (&mut check.silent, String::new()),
    };
    list.push(CheckedJson {
        key,
        name,
        at,
        detail,
    });
}

/// Those all of whose deliveries failed, with the last reason.
async fn failures(
    view: &mut ReadView,
    alert: AlertId,
) -> Result<BTreeMap<RecipientId, String>, Problem> {
    let deliveries = deliveries::of_alert(view, alert, 0, ROWS_MAX)
        .await
        .map_err(of_query)?;
    let (mut failed, mut alive) = (BTreeMap::new(), BTreeSet::new());
    for delivery in deliveries {
        match delivery.state {
            Delivery::Failed | Delivery::Expired => {
                failed.insert(delivery.recipient, delivery.reason);
            }
            Delivery::Standby
            | Delivery::Pending
            | Delivery::Assigned
            | Delivery::Sent
            | Delivery::Delivered
            | Delivery::HandedOver
            | Delivery::Acknowledged
            | Delivery::Cancelled => {
                alive.insert(delivery.recipient);
            }
        }
    }
    failed.retain(|recipient, _| !alive.contains(recipient));
    Ok(failed)
}

/// Everyone an open check is asking.
async fn being_asked(view: &mut ReadView) -> Result<BTreeSet<RecipientId>, Problem> {
    let open = alerts::list(view, Some(alerts::State::Open), None, OPEN_MAX)
        .await
        .map_err(of_query)?;
    let mut busy = BTreeSet::new();
    let since = view.as_of - ASKED_FOR;
    for check in open
        .iter()
        .filter(|alert| alert.source == SOURCE && alert.raised_at >= since)
    {
        let called = escalation::called(view, check.id, 0, ROWS_MAX)
            .await
            .map_err(of_query)?;
        let waiting = called.into_iter().filter(|call| call.answer.is_none());
        busy.extend(waiting.map(|call| call.recipient));
    }
    Ok(busy)
}

async fn find(view: &mut ReadView, alert: &str) -> Result<Option<AlertRow>, Problem> {
    if let Ok(id) = AlertId::parse(alert) {
        return alerts::find(view, id).await.map_err(of_query);
    }
    let Some(name) = alerts::Name::parse(alert) else {
        return Ok(None);
    };
    alerts::find_named(view, &name).await.map_err(of_query)
}

/// One step, one reminder, and an end that nobody's coming brings nearer.
fn raise(recipients: Vec<RecipientId>, remind_after_s: u64) -> Raise {
    Raise {
        severity: Severity::Low,
        status: Status::Test,
        texts: TEXTS
            .map(|(language, text)| (language.to_owned(), text.to_owned()))
            .to_vec(),
        gather: String::new(),
        gather_in: Vec::new(),
        aware_at: None,
        needed: u16::try_from(recipients.len()).unwrap_or(u16::MAX).max(1),
        steps: vec![Step {
            delay_ms: 0,
            recipients,
            enough: Vec::new(),
        }],
        repeat_every_ms: remind_after_s * 1_000,
        // The reminder is the round at the end, which goes over every contact method; so it is not quiet, though a test.
        repeats: 0,
        validity_ms: VALIDITY_MS,
        fallback: Vec::new(),
        notes: Vec::new(),
        channels: Vec::new(),
        answers: Vec::new(),
        conduct: alerts::Conduct::default(),
        lead: Vec::new(),
        on_call: Vec::new(),
        dedup_key: None,
        source: SOURCE.to_owned(),
        template: None,
    }
}
