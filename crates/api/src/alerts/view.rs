//! How alerts are shown. Codes are not: whoever knows one can answer in its holder's name.

use std::collections::{BTreeMap, BTreeSet};

use domain::alerts::{self, AlertRow, Answer, FromTemplate, IncidentRole};
use domain::automations::{self, AutomationRow};
use domain::deliveries::{self, AttemptRow, DeliveryRow, State};
use domain::escalation::{self, Called, PlanRow, QuotaRow};
use domain::ports::ReadView;
use domain::recipients::{self, PersonRow};
use domain::{AlertId, Civil, RecipientId, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use super::acts::ActJson;
use crate::problem::{Problem, of_query};
use crate::reading::View;
use crate::templates::{AttachmentBody, DocumentBody, GatherBody, ItemBody, sentences};

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Alerts)]
pub(crate) struct AlertsJson {
    pub(super) alerts: Vec<SummaryJson>,
    /// Ask with `before=` this for more; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next: Option<String>,
}

/// An alert by itself.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AlertSummary)]
pub(crate) struct SummaryJson {
    id: String,
    /// What people say aloud: `118`, or `B-7` when a node raised it while it was cut off.
    number: String,
    /// Every number it was ever known under, `number` first.
    numbers: Vec<String>,
    /// `critical`, `high`, `normal` or `low`.
    severity: &'static str,
    /// `actual`, `exercise` or `test`.
    status: &'static str,
    /// `alert` or `safety_check`.
    kind: &'static str,
    /// `open`, `resolved`, `called_off` or `joined`.
    state: &'static str,
    /// The text that serves languages without one of their own.
    text: String,
    /// By language; `und` when the raise named none.
    texts: BTreeMap<String, String>,
    gather: String,
    source: String,
    /// Empty when its source gave none.
    dedup_key: String,
    raised_by: String,
    raised_at: String,
    /// The node that took it.
    raised_on: u64,
    /// When the organisation became aware.
    aware_at: String,
    acknowledged_at: Option<String>,
    /// Empty while not acknowledged.
    acknowledged_by: String,
    closed_at: Option<String>,
    /// Empty while open.
    closed_by: String,
    /// What was said when it ended.
    note: String,
    /// Id of the alert it was joined into.
    joined_into: Option<String>,
    /// People in all steps.
    people: u64,
    /// Name of whoever leads now; null while nobody does.
    leader: Option<String>,
}

/// An alert with everyone called and every delivery.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Alert)]
pub(crate) struct AlertJson {
    #[serde(flatten)]
    alert: SummaryJson,
    /// `expand_page`, `advance`, `repeat`, `review`, `expand_call_off`; null once nothing more happens by itself.
    next_action: Option<String>,
    /// When.
    next_due: Option<String>,
    /// Where the plan stands.
    plan: Option<PlanJson>,
    /// Deliveries by state, all of them.
    deliveries_by_state: BTreeMap<&'static str, u64>,
    /// People called so far, in calling order.
    called: Vec<CalledJson>,
    deliveries: Vec<DeliveryJson>,
    /// What follows from answers by itself, and what became of it.
    automations: Vec<AutomationJson>,
    /// Id of the alert whose automation raised this one; null otherwise.
    raised_from: Option<String>,
    /// What people and rules changed while it ran, in order.
    acts: Vec<ActJson>,
    /// Who has which role in the incident now, whoever leads first.
    roles: Vec<RoleJson>,
    /// What it was prepared as, as that stood when it was raised; null without a template.
    template: Option<FromTemplateJson>,
    /// There are more people or deliveries than shown: ask with `skip`.
    more: bool,
}

/// Somebody with a role in an incident.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AlertRole)]
pub(crate) struct RoleJson {
    /// `leader`, `deputy`, `scribe`, `communications` or `liaison`.
    role: &'static str,
    person: NameJson,
    since: String,
    /// Who gave it to them.
    by: String,
}

/// One automation of an alert.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AlertAutomation)]
pub(crate) struct AutomationJson {
    /// Place in the template, from 1.
    number: u16,
    /// What it says, by language.
    sentences: BTreeMap<&'static str, String>,
    /// `waiting`, `fired`, or `over` when what it waited for cannot happen any more.
    state: &'static str,
    /// When it is looked at, if it waits for a time.
    due: Option<String>,
    fired_at: Option<String>,
    /// Why it fired; empty before.
    cause: String,
    /// What it did, a sentence for each effect.
    did: Vec<String>,
}

impl AutomationJson {
    fn new(row: AutomationRow, civil: &Civil) -> Self {
        let mut json = Self {
            number: row.number,
            sentences: sentences(&row.automation),
            state: "waiting",
            due: row.due.map(|at| civil.rfc3339(at)),
            fired_at: None,
            cause: String::new(),
            did: Vec::new(),
        };
        match row.state {
            automations::State::Waiting => {}
            automations::State::Over => json.state = "over",
            automations::State::Fired { at, cause, did } => {
                json.state = "fired";
                json.fired_at = Some(civil.rfc3339(at));
                json.cause = cause;
                json.did = did;
            }
        }
        json
    }
}

/// What a template gave an alert, frozen at the raise.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FromTemplate)]
pub(crate) struct FromTemplateJson {
    key: String,
    version: u32,
    /// The scenario.
    name: String,
    /// What was said for its placeholders.
    placeholders: BTreeMap<String, String>,
    /// Where to gather, by language.
    gather: BTreeMap<String, GatherBody>,
    /// What has to be done, in order.
    checklist: Vec<ItemBody>,
    documents: Vec<DocumentBody>,
    attachments: Vec<AttachmentBody>,
}

impl From<FromTemplate> for FromTemplateJson {
    fn from(from: FromTemplate) -> Self {
        let gather = from.gather.into_iter();
        Self {
            key: from.key,
            version: from.version,
            name: from.name,
            placeholders: from.values,
            gather: gather
                .map(|(language, words)| (language, words.into()))
                .collect(),
            checklist: from.checklist.into_iter().map(Into::into).collect(),
            documents: from.documents.into_iter().map(Into::into).collect(),
            attachments: from.attachments.into_iter().map(Into::into).collect(),
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Plan)]
pub(crate) struct PlanJson {
    /// `calling`, `calling_off` or `closed`.
    phase: &'static str,
    /// Steps started so far, of `steps`.
    step: u16,
    steps: u16,
    /// Rounds of paging the silent so far, of `repeats`.
    round: u16,
    repeats: u16,
    /// How many "coming" answers stop the next steps, and how many there are.
    needed: u16,
    coming: u16,
    /// Enough answered, or somebody acknowledged.
    satisfied: bool,
    /// No step or round is called before this, unless somebody asks for help; null when it is not paused.
    paused_until: Option<String>,
    /// The newest step's own conditions; empty: `needed` of anybody.
    enough: Vec<QuotaJson>,
}

/// A condition of a step, and how far it is met.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlanQuota)]
pub(crate) struct QuotaJson {
    /// What people call it.
    what: String,
    wanted: u32,
    coming: u32,
    /// How many could answer it; null: anyone called, or the step's people.
    of: Option<usize>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PersonName)]
pub(crate) struct NameJson {
    /// Empty when the person is not known any more, or never was.
    key: String,
    name: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Called)]
pub(crate) struct CalledJson {
    person: NameJson,
    /// Counted from 1, as in the plan; null when called beside it.
    step: Option<u16>,
    /// Not called any more, and an earlier answer does not count.
    withdrawn: bool,
    called_at: String,
    /// `coming`, `cannot`, `received` or `need_help`; to a safety check `safe`, `need_help` or `not_on_site`; null while
    /// silent.
    answer: Option<&'static str>,
    /// Whether "coming" still stands: `given`, `asked` again, `lapsed` (counts no more) or `confirmed`; null otherwise.
    stands: Option<&'static str>,
    /// Reminders sent while silent.
    reminded: u16,
    answered_at: Option<String>,
    /// Minutes from then until they are there, if they said so.
    eta_minutes: Option<u16>,
    /// When that is.
    expected_at: Option<String>,
    /// The number or key it came from; empty while silent.
    answered_from: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Delivery)]
pub(crate) struct DeliveryJson {
    id: String,
    person: NameJson,
    purpose: &'static str,
    /// Counted from 1, as in the plan; null when called beside it.
    step: Option<u16>,
    round: u16,
    /// `sms` or `email`.
    kind: String,
    address: String,
    state: &'static str,
    /// Why it ended as it did, or what it waits for; may be empty.
    reason: String,
    /// The person may get this text twice; it says so.
    possible_repeat: bool,
    /// Goes out from another number than before.
    renumbered: bool,
    created_at: String,
    expires_at: String,
    ended_at: Option<String>,
    /// `wait_for_earlier_method`, `send`, `report`, `await_receipt`; null once ended.
    next_action: Option<&'static str>,
    /// When that happens or is given up.
    next_due: Option<String>,
    attempts: Vec<AttemptJson>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Attempt)]
pub(crate) struct AttemptJson {
    /// From 1.
    attempt: u32,
    node: u64,
    channel: String,
    /// The number answers go to; empty for e-mail.
    number: String,
    /// `assigned`, `withdrawn`, `reclaimed`, `accepted`, `refused` or `unknown`.
    state: String,
    detail: String,
    /// Parts the text took; 1 for mail.
    parts: u16,
    assigned_at: String,
    ended_at: Option<String>,
    /// `delivered`, `delayed`, `failed` or empty.
    report: String,
    reported_at: Option<String>,
}

impl From<PersonRow> for NameJson {
    fn from(person: PersonRow) -> Self {
        Self {
            key: person.key,
            name: person.name,
        }
    }
}

/// Reads everything shown about an alert, in one snapshot.
pub(super) async fn read(
    View(view, civil): &mut View,
    row: AlertRow,
    skip: u32,
    limit: u32,
) -> Result<AlertJson, Problem> {
    let (id, as_of) = (row.id, view.as_of);
    let plan = escalation::plan(view, id).await.map_err(of_query)?;
    let enough = escalation::quotas_of(view, id).await.map_err(of_query)?;
    let called = escalation::called(view, id, skip, limit)
        .await
        .map_err(of_query)?;
    let deliveries = deliveries::of_alert(view, id, skip, limit)
        .await
        .map_err(of_query)?;
    let out = escalation::left_out(view, id).await.map_err(of_query)?;
    let acts = alerts::acts(view, id).await.map_err(of_query)?;
    let roles = roles(view, civil, id).await?;
    let leader = roles
        .iter()
        .find(|held| held.role == IncidentRole::Leader.name());
    let leader = leader.map(|held| held.person.name.clone());
    let automations = automations::of_alert(view, id).await.map_err(of_query)?;
    let template = alerts::template_of(view, id).await.map_err(of_query)?;
    let counts = deliveries::counts(view, Some(id)).await.map_err(of_query)?;
    let ids: Vec<RecipientId> = called.iter().map(|call| call.recipient).collect();
    let people = recipients::by_ids(view, &ids).await.map_err(of_query)?;
    let names: BTreeMap<RecipientId, PersonRow> = people
        .into_iter()
        .map(|person| (person.id, person))
        .collect();
    let full = |found: usize| u32::try_from(found).is_ok_and(|found| found == limit);
    Ok(AlertJson {
        alert: SummaryJson::new(row, leader, civil),
        next_action: plan
            .as_ref()
            .map(|plan| plan.next_action.clone())
            .filter(|action| !action.is_empty()),
        next_due: plan
            .as_ref()
            .and_then(|plan| plan.next_due)
            .map(|at| civil.rfc3339(at)),
        plan: plan.map(|plan| PlanJson::new(plan, enough, civil, as_of)),
        deliveries_by_state: counts
            .into_iter()
            .map(|(state, count)| (state.name(), count))
            .collect(),
        raised_from: template
            .as_ref()
            .and_then(|template| template.cause.as_ref())
            .map(|cause| cause.alert.to_string()),
        template: template.map(Into::into),
        roles,
        automations: automations
            .into_iter()
            .map(|row| AutomationJson::new(row, civil))
            .collect(),
        more: full(called.len()) || full(deliveries.len()),
        called: called
            .into_iter()
            .map(|call| called_json(call, &names, &out, civil))
            .collect(),
        acts: acts
            .into_iter()
            .map(|row| ActJson::new(row, civil))
            .collect(),
        deliveries: deliveries
            .into_iter()
            .map(|row| DeliveryJson::new(row, civil))
            .collect(),
    })
}

async fn roles(
    view: &mut ReadView,
    civil: &Civil,
    alert: AlertId,
) -> Result<Vec<RoleJson>, Problem> {
    let held = alerts::roles(view, alert).await.map_err(of_query)?;
    let ids: Vec<RecipientId> = held.iter().map(|held| held.person).collect();
    let people = recipients::by_ids(view, &ids).await.map_err(of_query)?;
    let named = held.into_iter().filter_map(|held| {
        let person = people.iter().find(|person| person.id == held.person)?;
        Some(RoleJson {
            role: held.role.name(),
            person: person.clone().into(),
            since: civil.rfc3339(held.since),
            by: held.by,
        })
    });
    Ok(named.collect())
}

/// The name of whoever leads each of these alerts.
pub(super) async fn leaders(
    view: &mut ReadView,
    alerts: &[AlertId],
) -> Result<BTreeMap<AlertId, String>, Problem> {
    let leaders = alerts::leaders(view, alerts).await.map_err(of_query)?;
    let people: Vec<RecipientId> = leaders.values().copied().collect();
    let people = recipients::by_ids(view, &people).await.map_err(of_query)?;
    let names: BTreeMap<RecipientId, String> = people
        .into_iter()
        .map(|person| (person.id, person.name))
        .collect();
    let named = leaders
        .into_iter()
        .filter_map(|(alert, person)| Some((alert, names.get(&person)?.clone())));
    Ok(named.collect())
}

impl SummaryJson {
    pub(super) fn new(row: AlertRow, leader: Option<String>, civil: &Civil) -> Self {
        Self {
            leader,
            id: row.id.to_string(),
            numbers: row.all_labels(),
            number: row.label,
            severity: row.severity.name(),
            status: row.status.name(),
            kind: row.kind.name(),
            state: row.state.name(),
            text: row
                .texts
                .first()
                .map(|(_, text)| text.clone())
                .unwrap_or_default(),
            texts: row.texts.into_iter().collect(),
            gather: row.gather,
            source: row.source,
            dedup_key: row.dedup_key,
            raised_by: row.raised_by,
            raised_at: civil.rfc3339(row.raised_at),
            raised_on: row.issued_by.0,
            aware_at: civil.rfc3339(row.aware_at),
            acknowledged_at: row.acknowledged_at.map(|at| civil.rfc3339(at)),
            acknowledged_by: row.acknowledged_by,
            closed_at: row.closed_at.map(|at| civil.rfc3339(at)),
            closed_by: row.closed_by,
            note: row.note,
            joined_into: row.joined_into.map(|id| id.to_string()),
            people: row.people,
        }
    }
}

impl PlanJson {
    fn new(row: PlanRow, enough: Vec<QuotaRow>, civil: &Civil, now: Timestamp) -> Self {
        let paused_until = row.paused_until.filter(|until| *until > now);
        Self {
            paused_until: paused_until.map(|at| civil.rfc3339(at)),
            enough: enough
                .into_iter()
                .map(|quota| QuotaJson {
                    what: quota.what,
                    wanted: quota.wanted,
                    coming: quota.coming,
                    of: quota.of,
                })
                .collect(),
            phase: row.phase.name(),
            step: row.step,
            steps: row.steps,
            round: row.round,
            repeats: row.repeats,
            needed: row.needed,
            coming: row.coming,
            satisfied: row.satisfied,
        }
    }
}

pub(super) fn called_json(
    call: Called,
    names: &BTreeMap<RecipientId, PersonRow>,
    out: &BTreeSet<RecipientId>,
    civil: &Civil,
) -> CalledJson {
    let person = names.get(&call.recipient);
    let expected_at = call.expected_at().map(|at| civil.rfc3339(at));
    CalledJson {
        person: NameJson {
            key: person.map(|person| person.key.clone()).unwrap_or_default(),
            name: person.map(|person| person.name.clone()).unwrap_or_default(),
        },
        step: shown_step(call.step),
        withdrawn: out.contains(&call.recipient),
        called_at: civil.rfc3339(call.called_at),
        stands: call
            .answer
            .filter(|answer| *answer == Answer::Coming)
            .map(|_| call.word.name()),
        reminded: call.reminded,
        answer: call.answer.map(Answer::name),
        answered_at: call.answered_at.map(|at| civil.rfc3339(at)),
        eta_minutes: call.eta_min,
        expected_at,
        answered_from: call.answered_from,
    }
}

impl DeliveryJson {
    fn new(row: DeliveryRow, civil: &Civil) -> Self {
        let (next_action, next_due) = next(&row);
        Self {
            id: row.id.to_string(),
            person: NameJson {
                key: row.recipient_key,
                name: row.recipient_name,
            },
            purpose: row.purpose.name(),
            step: shown_step(row.step),
            round: row.round,
            kind: row.kind,
            address: row.address,
            state: row.state.name(),
            reason: row.reason,
            possible_repeat: row.possible_repeat,
            renumbered: row.renumbered,
            created_at: civil.rfc3339(row.created_at),
            expires_at: civil.rfc3339(row.expires_at),
            ended_at: row.ended_at.map(|at| civil.rfc3339(at)),
            next_action,
            next_due: next_due.map(|at| civil.rfc3339(at)),
            attempts: row
                .attempts
                .into_iter()
                .map(|row| AttemptJson::new(row, civil))
                .collect(),
        }
    }
}

/// A step as people count it; those called beside the plan are in none.
fn shown_step(step: u16) -> Option<u16> {
    (step != escalation::BESIDE).then(|| step + 1)
}

/// What a state means for what happens next.
fn next(row: &DeliveryRow) -> (Option<&'static str>, Option<Timestamp>) {
    match row.state {
        State::Standby => (Some("wait_for_earlier_method"), Some(row.due_at)),
        State::Pending => (Some("send"), Some(row.due_at)),
        State::Assigned => (Some("report"), Some(row.expires_at)),
        State::Sent => (Some("await_receipt"), Some(row.expires_at)),
        State::Delivered
        | State::HandedOver
        | State::Acknowledged
        | State::Failed
        | State::Expired
        | State::Cancelled => (None, None),
    }
}

impl AttemptJson {
    fn new(row: AttemptRow, civil: &Civil) -> Self {
        Self {
            attempt: row.attempt,
            node: row.node.0,
            channel: row.channel,
            number: row.number,
            state: row.state,
            detail: row.detail,
            parts: row.parts,
            assigned_at: civil.rfc3339(row.assigned_at),
            ended_at: row.ended_at.map(|at| civil.rfc3339(at)),
            report: row.report,
            reported_at: row.reported_at.map(|at| civil.rfc3339(at)),
        }
    }
}
