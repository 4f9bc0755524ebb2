//! Acts on a running alert over HTTP: one path, one body per act.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State as Extract;
use domain::alerts::{Act, ActRow, Audience, Command, IncidentRole, REASON_LEN_MAX, Severity};
use domain::oncall::Called;
use domain::ports::Freshness;
use domain::{Civil, RecipientId, RequestId, nodes, requests};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::raise::{ToBody, found, texts};
use super::{bounded_to, change};
use crate::fields::Fields;
use crate::input::{Input, Segment};
use crate::problem::{Problem, of_query};
use crate::reading;
use crate::state::Shared;
use crate::submit::Stored;

/// What to change about a running alert, and why. The reason stands in the room; it may be empty.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "act", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum ActBody {
    /// Calls more people now, and again with every round that is left.
    Add {
        to: ToBody,
        #[serde(default)]
        reason: String,
    },
    /// Calls the next step now.
    NextStep {
        #[serde(default)]
        reason: String,
    },
    /// Calls no further step or round for a while. A call for help ends it early.
    Pause {
        /// Seconds: 60 to 14,400.
        #[schema(example = 600)]
        for_s: u64,
        #[serde(default)]
        reason: String,
    },
    /// Ends a pause.
    Resume {
        #[serde(default)]
        reason: String,
    },
    /// Gives it another severity: `critical`, `high`, `normal` or `low`.
    Severity {
        severity: String,
        #[serde(default)]
        reason: String,
    },
    /// Tells those called so far something more.
    Update {
        /// In every language that `texts` lacks.
        text: Option<String>,
        /// By language code.
        #[serde(default)]
        texts: BTreeMap<String, String>,
        /// `called` (all but those who cannot), `coming` or `silent`.
        #[serde(default = "everyone")]
        #[schema(default = "called")]
        who: String,
        #[serde(default)]
        reason: String,
    },
    /// Stops calling somebody and tells them so.
    Withdraw {
        /// Key of the person.
        person: String,
        #[serde(default)]
        reason: String,
    },
    /// Gives a role in the incident to somebody, who is briefed by text, or leaves it to nobody.
    Role {
        /// `leader`, `deputy`, `scribe`, `communications` or `liaison`.
        role: String,
        /// Key of the person; without one nobody has the role any more.
        person: Option<String>,
        #[serde(default)]
        reason: String,
    },
}

fn everyone() -> String {
    Audience::Called.name().to_owned()
}

/// An act as it was done.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Act)]
pub(crate) struct ActJson {
    id: String,
    at: String,
    /// Who did it: a key, an operator, or a rule of the alert's template.
    by: String,
    /// `add`, `next_step`, `pause`, `resume`, `severity`, `update`, `withdraw` or `role`.
    act: &'static str,
    /// Empty when none was given.
    reason: String,
    /// Whom `add` named.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    named: Vec<String>,
    /// How many people `add` named.
    #[serde(skip_serializing_if = "Option::is_none")]
    people: Option<usize>,
    /// Until when `pause` holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    severity: Option<&'static str>,
    /// What `update` said, by language.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    texts: BTreeMap<String, String>,
    /// Whom `update` told.
    #[serde(skip_serializing_if = "Option::is_none")]
    who: Option<&'static str>,
    /// Which role changed hands.
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
}

impl ActJson {
    pub(super) fn new(row: ActRow, civil: &Civil) -> Self {
        let mut json = Self {
            id: row.id.to_string(),
            at: civil.rfc3339(row.at),
            by: row.by,
            act: row.act.name(),
            reason: row.reason,
            named: Vec::new(),
            people: None,
            until: None,
            severity: None,
            texts: BTreeMap::new(),
            who: None,
            role: None,
        };
        match row.act {
            Act::Add { named, people } => {
                json.named = named;
                json.people = Some(people.len());
            }
            Act::Pause { for_ms } => {
                let until = row.at + std::time::Duration::from_millis(for_ms);
                json.until = Some(civil.rfc3339(until));
            }
            Act::Severity { severity } => json.severity = Some(severity.name()),
            Act::Update { texts, to } => {
                json.texts = texts.into_iter().collect();
                json.who = Some(to.name());
            }
            Act::Role { role, .. } => json.role = Some(role.name()),
            Act::NextStep | Act::Resume | Act::Withdraw { .. } => {}
        }
        json
    }
}

/// Changes a running alert: calls more people or the next step, pauses it, gives it another severity, tells more,
/// withdraws somebody, gives a role to somebody. Each change stands in the alert's room with who did it and why.
#[utoipa::path(post, path = "/v1/alerts/{alert}/acts", tag = "alerts", params(("alert" = String, Path)), request_body = ActBody, responses((status = 200, body = Stored)))]
pub(super) async fn do_act(
    Extract(shared): Extract<Shared>,
    Segment(alert): Segment,
    input: Input<ActBody>,
) -> Result<Json<Stored>, Problem> {
    let (act, reason) = parse(&shared, input.value, input.order.request).await?;
    change(&shared, &alert, input.order, |alert| Command::Act {
        alert,
        act,
        reason,
    })
    .await
}

async fn parse(
    shared: &Shared,
    body: ActBody,
    request: RequestId,
) -> Result<(Act, String), Problem> {
    let (act, reason) = match body {
        ActBody::Add { to, reason } => (add(shared, to, request).await?, reason),
        ActBody::NextStep { reason } => (Act::NextStep, reason),
        ActBody::Pause { for_s, reason } => {
            let for_ms = for_s.saturating_mul(1_000);
            (Act::Pause { for_ms }, reason)
        }
        ActBody::Resume { reason } => (Act::Resume, reason),
        ActBody::Severity { severity, reason } => (severity_of(&severity)?, reason),
        ActBody::Update {
            text,
            texts,
            who,
            reason,
        } => (update(text, texts, &who)?, reason),
        ActBody::Withdraw { person, reason } => {
            let person = RecipientId::of_key(&person);
            (Act::Withdraw { person }, reason)
        }
        ActBody::Role {
            role,
            person,
            reason,
        } => (role_of(&role, person)?, reason),
    };
    let reason = bounded_to("/reason", reason, REASON_LEN_MAX)?;
    Ok((act, reason))
}

/// People by the names given, as they are known now. A name this node does not know may have been added at another one
/// a moment ago; and a repeat must be answered as the first time, even when its people have gone since.
async fn add(shared: &Shared, to: ToBody, request: RequestId) -> Result<Act, Problem> {
    let names = to.called();
    let named: Vec<String> = names.iter().map(Called::written).collect();
    let refused = match people(shared, &names, Freshness::Local).await {
        Ok(people) => return Ok(Act::Add { named, people }),
        Err(refused) => refused,
    };
    if shared.replica.island().is_some() {
        return Err(refused); // what this node knows is all there is
    }
    match people(shared, &names, Freshness::Linearizable).await {
        Ok(people) => Ok(Act::Add { named, people }),
        Err(refused) => {
            let mut view = reading::open(shared, Freshness::Local).await?;
            let known = requests::is_known(&mut view, request).await;
            match known.map_err(of_query)? {
                true => Ok(Act::Add {
                    named,
                    people: Vec::new(),
                }),
                false => Err(refused),
            }
        }
    }
}

async fn people(
    shared: &Shared,
    names: &[Called],
    freshness: Freshness,
) -> Result<Vec<RecipientId>, Problem> {
    let mut view = reading::open(shared, freshness).await?;
    let civil = nodes::civil(&mut view).await.map_err(of_query)?;
    let now = civil.at(shared.replica.now());
    found(&mut view, names, now).await.map(|found| found.people)
}

fn severity_of(word: &str) -> Result<Act, Problem> {
    let mut fields = Fields::default();
    let known = &Severity::ALL.map(Severity::name);
    match fields.one_of("/severity", word, Severity::parse, known) {
        Some(severity) => Ok(Act::Severity { severity }),
        None => Err(fields.into_problem()),
    }
}

fn role_of(word: &str, person: Option<String>) -> Result<Act, Problem> {
    let mut fields = Fields::default();
    let known = &IncidentRole::ALL.map(IncidentRole::name);
    let person = person.map(|key| RecipientId::of_key(&key));
    match fields.one_of("/role", word, IncidentRole::parse, known) {
        Some(role) => Ok(Act::Role { role, person }),
        None => Err(fields.into_problem()),
    }
}

fn update(
    text: Option<String>,
    by_language: BTreeMap<String, String>,
    who: &str,
) -> Result<Act, Problem> {
    let mut fields = Fields::default();
    let known = &Audience::ALL.map(Audience::name);
    let to = fields.one_of("/who", who, Audience::parse, known);
    let texts = texts(&mut fields, text, by_language);
    match to {
        Some(to) => fields.finish().map(|()| Act::Update { texts, to }),
        None => Err(fields.into_problem()),
    }
}
