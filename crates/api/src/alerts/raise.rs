//! The body of a raise: parsed once, with every mistake named.

use std::collections::BTreeMap;

use domain::alerts::{
    DEFAULT_REPEAT_EVERY_MS, DEFAULT_REPEATS, DEFAULT_VALIDITY_MS, Raise, Severity, Status, Step,
    TEXT_LEN_MAX,
};
use domain::escalation::{Among, Quota};
use domain::ports::ReadView;
use domain::recipients::{self, Named};
use domain::{Actor, CivilTime, RecipientId, nodes};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::fields::Fields;
use crate::problem::{NamedIn, Problem, of_query, of_refusal};
use crate::time::parse_rfc3339;

/// Language of a text whose language nobody named (BCP 47 "undetermined").
const UNDETERMINED: &str = "und";

/// The text that serves languages without one of their own, when there are several and none is marked.
const FALLBACK: &str = "en";

const SOURCE_LEN_MAX: usize = 100;
const DEDUP_KEY_LEN_MAX: usize = 200;
const STEPS_MAX: usize = 16;

/// A new alert.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RaiseBody {
    /// `critical`, `high`, `normal` or `low`.
    #[schema(example = "critical")]
    severity: String,
    /// `actual`, `exercise` or `test`.
    #[serde(default = "actual")]
    #[schema(default = "actual")]
    status: String,
    /// What happened, at most 2,000 characters; serves every language that `texts` lacks.
    #[schema(example = "Pump 3 has tripped, water is rising in the turbine hall")]
    text: Option<String>,
    /// What happened, by language code. Without `text`, the English one serves languages that are missing, else the
    /// first in alphabetical order.
    #[serde(default)]
    #[schema(example = json!({"fi": "Pumppu 3 on pysähtynyt", "en": "Pump 3 has tripped"}))]
    texts: BTreeMap<String, String>,
    /// Where to gather: place, bridge number and PIN.
    #[serde(default)]
    gather: String,
    /// When the organisation became aware, if not now (RFC 3339).
    aware_at: Option<String>,
    /// Whom to call at once.
    to: Option<ToBody>,
    /// Whom to call in turn, instead of `to`.
    #[serde(default)]
    steps: Vec<StepBody>,
    /// Whom to call beside everyone else, on every path at once, when all rounds are over and too few answered.
    fallback: Option<ToBody>,
    /// How many "coming" answers stop the next steps, where a step says nothing else.
    #[serde(default = "one")]
    #[schema(default = 1)]
    needed: u16,
    /// Seconds between rounds of paging the silent.
    repeat_every_s: Option<u64>,
    /// Rounds after the last step.
    repeats: Option<u16>,
    /// Seconds one text may wait or travel before it is worthless.
    validity_s: Option<u64>,
    /// The source's own name for its alarm, for finding and joining. Never refused as a duplicate.
    dedup_key: Option<String>,
    /// Who or what raised it, as people should read it. Without it: the key or operator that asks.
    source: Option<String>,
}

/// People and groups by key.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ToBody {
    #[serde(default)]
    people: Vec<String>,
    #[serde(default)]
    groups: Vec<String>,
}

/// One step of a plan.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StepBody {
    /// Seconds after the raise.
    #[serde(default)]
    after_s: u64,
    #[serde(default)]
    people: Vec<String>,
    #[serde(default)]
    groups: Vec<String>,
    /// What must be answered before no further step is called, all of it; without: `needed` of anybody.
    #[serde(default)]
    enough: Vec<QuotaBody>,
}

/// So many "coming" among some people: `{"count": 2}` two different people, `{"all": true}` everyone of this step,
/// `{"count": 1, "groups": ["medics"], "what": "medic"}` one of these.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct QuotaBody {
    /// How many; or `all`.
    count: Option<u32>,
    /// All of those named, or of this step when nobody is.
    #[serde(default)]
    all: bool,
    /// What people call it.
    #[serde(default)]
    what: String,
    #[serde(default)]
    people: Vec<String>,
    #[serde(default)]
    groups: Vec<String>,
}

fn actual() -> String {
    Status::Actual.name().to_owned()
}

fn one() -> u16 {
    1
}

/// A raise whose recipients still go by their keys.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    raise: Raise,
    aware_at: Option<CivilTime>,
    steps: Vec<WantedStep>,
    fallback: Vec<Named>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
struct WantedStep {
    delay_ms: u64,
    whom: Vec<Named>,
    enough: Vec<WantedQuota>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
struct WantedQuota {
    what: String,
    count: u32,
    /// Of this step's people, when nobody is named.
    of_step: bool,
    among: Vec<Named>,
}

/// Checks a body on its own, without looking anything up.
pub(super) fn parse(body: RaiseBody, actor: &Actor) -> Result<Wanted, Problem> {
    let mut fields = Fields::default();
    let severity = one_of(
        &mut fields,
        "/severity",
        &body.severity,
        Severity::parse,
        &Severity::ALL.map(Severity::name),
    );
    let status = one_of(
        &mut fields,
        "/status",
        &body.status,
        Status::parse,
        &Status::ALL.map(Status::name),
    );
    let texts = texts(&mut fields, body.text, body.texts);
    let aware_at = body
        .aware_at
        .and_then(|text| fields.take("/aware_at", parse_rfc3339(&text)));
    let source = body.source.unwrap_or_else(|| actor.label());
    fields.at_most("/source", &source, SOURCE_LEN_MAX);
    if let Some(key) = &body.dedup_key {
        fields.at_most("/dedup_key", key, DEDUP_KEY_LEN_MAX);
    }
    let steps = steps(&mut fields, body.to, body.steps);
    let fallback = body
        .fallback
        .map_or_else(Vec::new, |to| named(to.people, to.groups));
    let (Some(severity), Some(status)) = (severity, status) else {
        return Err(fields.into_problem());
    };
    fields.finish()?;
    let milliseconds = |seconds: u64| seconds.saturating_mul(1_000);
    let raise = Raise {
        severity,
        status,
        texts,
        gather: body.gather,
        aware_at: None,
        steps: Vec::new(),
        needed: body.needed,
        repeat_every_ms: body
            .repeat_every_s
            .map_or(DEFAULT_REPEAT_EVERY_MS, milliseconds),
        repeats: body.repeats.unwrap_or(DEFAULT_REPEATS),
        validity_ms: body.validity_s.map_or(DEFAULT_VALIDITY_MS, milliseconds),
        fallback: Vec::new(),
        dedup_key: body.dedup_key,
        source,
    };
    Ok(Wanted {
        raise,
        aware_at,
        steps,
        fallback,
    })
}

impl Wanted {
    /// Turns keys into people as they are known now; from here on the raise is frozen.
    pub(super) async fn resolve(self, view: &mut ReadView) -> Result<Raise, Problem> {
        let Self {
            mut raise,
            aware_at,
            steps,
            fallback,
        } = self;
        if let Some(aware_at) = aware_at {
            let civil = nodes::civil(view).await.map_err(of_query)?;
            raise.aware_at = Some(civil.moment(aware_at));
        }
        for step in steps {
            let recipients = found(view, &step.whom).await?;
            let mut enough = Vec::with_capacity(step.enough.len());
            for quota in step.enough {
                enough.push(quota.resolve(view).await?);
            }
            raise.steps.push(Step {
                delay_ms: step.delay_ms,
                recipients,
                enough,
            });
        }
        raise.fallback = found(view, &fallback).await?;
        Ok(raise)
    }

    /// The raise without its people, for a request that was applied before.
    pub(super) fn unresolved(self) -> Raise {
        self.raise
    }
}

impl WantedQuota {
    async fn resolve(self, view: &mut ReadView) -> Result<Quota, Problem> {
        let among = if self.among.is_empty() {
            if self.of_step {
                Among::Step
            } else {
                Among::Anyone
            }
        } else {
            Among::Listed(found(view, &self.among).await?)
        };
        Ok(Quota {
            what: self.what,
            among,
            count: self.count,
        })
    }
}

/// The people meant by names.
async fn found(view: &mut ReadView, names: &[Named]) -> Result<Vec<RecipientId>, Problem> {
    let found = recipients::resolve(view, names).await.map_err(of_query)?;
    found.map_err(|refusal| of_refusal(&refusal, NamedIn::Body))
}

fn named(people: Vec<String>, groups: Vec<String>) -> Vec<Named> {
    let people = people.into_iter().map(Named::Person);
    people.chain(groups.into_iter().map(Named::Group)).collect()
}

fn one_of<T>(
    fields: &mut Fields,
    pointer: &str,
    name: &str,
    parse: impl Fn(&str) -> Option<T>,
    known: &[&str],
) -> Option<T> {
    let parsed = parse(name);
    if parsed.is_none() {
        fields.add(
            pointer,
            format!("{name:?} is not known; write one of {}", known.join(", ")),
        );
    }
    parsed
}

/// The texts in the order the domain wants them: the one that serves missing languages first.
fn texts(
    fields: &mut Fields,
    text: Option<String>,
    by_language: BTreeMap<String, String>,
) -> Vec<(String, String)> {
    for (language, text) in &by_language {
        let pointer = format!("/texts/{language}");
        if !(2..=3).contains(&language.len()) || !language.bytes().all(|b| b.is_ascii_lowercase()) {
            fields.add(&pointer, "is not a language code; write fi, sv or en");
        }
        check_text(fields, &pointer, text);
    }
    let (fallback, others): (Vec<_>, Vec<_>) = by_language
        .into_iter()
        .partition(|(language, _)| language == FALLBACK);
    if let Some(text) = &text {
        check_text(fields, "/text", text);
    }
    let unmarked = text.map(|text| (UNDETERMINED.to_owned(), text));
    let texts: Vec<_> = unmarked.into_iter().chain(fallback).chain(others).collect();
    if texts.is_empty() {
        fields.add("/text", "is missing; say what happened");
    }
    texts
}

fn check_text(fields: &mut Fields, pointer: &str, text: &str) {
    if text.trim().is_empty() {
        fields.add(pointer, "is empty; say what happened");
    }
    fields.at_most(pointer, text, TEXT_LEN_MAX);
}

fn steps(fields: &mut Fields, to: Option<ToBody>, steps: Vec<StepBody>) -> Vec<WantedStep> {
    if to.is_some() && !steps.is_empty() {
        fields.add("/steps", "stands beside `to`; give one of them");
    }
    if to.is_none() && steps.is_empty() {
        fields.add("/to", "is missing; name people or groups to call");
    }
    if steps.len() > STEPS_MAX {
        fields.add(
            "/steps",
            format!("has {} steps; at most {STEPS_MAX} are taken", steps.len()),
        );
    }
    let at_once = to.map(|to| StepBody {
        after_s: 0,
        people: to.people,
        groups: to.groups,
        enough: Vec::new(),
    });
    let all = at_once.into_iter().chain(steps).enumerate();
    all.map(|(at, step)| {
        let quotas = step.enough.into_iter().enumerate();
        let enough = quotas.filter_map(|(number, body)| {
            quota(fields, &format!("/steps/{at}/enough/{number}"), body)
        });
        WantedStep {
            delay_ms: step.after_s.saturating_mul(1_000),
            enough: enough.collect(),
            whom: named(step.people, step.groups),
        }
    })
    .collect()
}

fn quota(fields: &mut Fields, pointer: &str, body: QuotaBody) -> Option<WantedQuota> {
    let count = match (body.count, body.all) {
        (Some(count), false) if count > 0 => count,
        (None, true) => u32::MAX,
        (Some(_), true) => {
            fields.add(pointer, "has `count` beside `all`; give one of them");
            return None;
        }
        (Some(_) | None, false) => {
            fields.add(
                pointer,
                "says not how many; write `count`, 1 or more, or `all`",
            );
            return None;
        }
    };
    Some(WantedQuota {
        what: body.what,
        count,
        of_step: body.all,
        among: named(body.people, body.groups),
    })
}

#[cfg(test)]
mod tests {
    use domain::NodeId;
    use serde_json::json;

    use super::*;

    fn parsed(body: serde_json::Value) -> Result<Wanted, String> {
        let body: RaiseBody = serde_json::from_value(body).map_err(|error| error.to_string())?;
        parse(body, &Actor::Operator { node: NodeId(1) }).map_err(|problem| format!("{problem:?}"))
    }

    #[test]
    fn a_short_raise_takes_its_defaults() {
        let Wanted { raise, steps, .. } =
            parsed(json!({"severity": "high", "text": "Fire", "to": {"people": ["anna"], "groups": ["duty"]}})).unwrap();
        assert_eq!(raise.texts, [("und".to_owned(), "Fire".to_owned())]);
        assert_eq!(
            (raise.status, raise.needed, raise.source.as_str()),
            (Status::Actual, 1, "operator:n1")
        );
        assert_eq!(
            steps,
            [WantedStep {
                delay_ms: 0,
                whom: vec![
                    Named::Person("anna".to_owned()),
                    Named::Group("duty".to_owned())
                ],
                enough: vec![],
            }]
        );
    }

    #[test]
    fn english_serves_missing_languages_unless_an_unmarked_text_does() {
        let order = |body| {
            parsed(body)
                .unwrap()
                .raise
                .texts
                .into_iter()
                .map(|(l, _)| l)
                .collect::<Vec<_>>()
        };
        let to = json!({"people": ["anna"]});
        assert_eq!(
            order(json!({"severity": "low", "texts": {"fi": "x", "en": "y", "sv": "z"}, "to": to})),
            ["en", "fi", "sv"]
        );
        assert_eq!(
            order(
                json!({"severity": "low", "text": "w", "texts": {"fi": "x", "en": "y"}, "to": to})
            ),
            ["und", "en", "fi"]
        );
    }

    #[test]
    fn every_mistake_is_named_at_its_place() {
        let problem = parsed(json!({
            "severity": "urgent", "status": "real", "text": "x".repeat(5_000), "texts": {"finnish": ""},
            "aware_at": "yesterday",
        }))
        .unwrap_err();
        for expected in [
            "#/severity",
            "#/status",
            "5000 characters; at most 2000",
            "#/texts/finnish",
            "#/aware_at",
            "#/to",
        ] {
            assert!(problem.contains(expected), "{expected} in {problem}");
        }
    }

    #[test]
    fn what_is_enough_is_said_in_one_way() {
        let step = |enough| json!({"severity": "low", "text": "x", "steps": [{"people": ["anna"], "enough": enough}]});
        let wanted = parsed(step(json!([
            {"count": 2},
            {"all": true},
            {"count": 1, "groups": ["medics"], "what": "medic"},
        ])))
        .unwrap();
        let quota = |count, of_step, what: &str, among: &[Named]| WantedQuota {
            what: what.to_owned(),
            count,
            of_step,
            among: among.to_vec(),
        };
        assert_eq!(
            wanted.steps[0].enough,
            [
                quota(2, false, "", &[]),
                quota(u32::MAX, true, "", &[]),
                quota(1, false, "medic", &[Named::Group("medics".to_owned())]),
            ]
        );
        for (bad, words) in [
            (json!([{}]), "#/steps/0/enough/0: says not how many"),
            (json!([{"count": 0}]), "says not how many"),
            (json!([{"count": 1, "all": true}]), "beside `all`"),
        ] {
            let problem = parsed(step(bad)).unwrap_err();
            assert!(problem.contains(words), "{words} in {problem}");
        }
    }

    #[test]
    fn control_characters_are_taken_as_they_are() {
        let text = "Pump\r\nAT+CMGD=1,4\u{1a}\u{1b}";
        let Wanted { raise, .. } =
            parsed(json!({"severity": "low", "text": text, "to": {"people": ["a"]}})).unwrap();
        assert_eq!(raise.texts[0].1, text);
    }

    #[test]
    fn a_misspelt_field_is_refused() {
        assert!(
            parsed(json!({"severity": "low", "txet": "Fire", "to": {"people": ["a"]}})).is_err()
        );
    }
}
