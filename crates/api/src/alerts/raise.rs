//! The body of a raise: parsed once, with every mistake named.

use std::collections::BTreeMap;

use domain::alerts::{
    AlertKind, Conduct, DEFAULT_REPEAT_EVERY_MS, DEFAULT_REPEATS, DEFAULT_VALIDITY_MS,
    NOTE_LEN_MAX, NOTES_MAX, Raise, STEPS_MAX, Said, Severity, Status, Step, TEXT_LEN_MAX,
    TemplatedStep,
};
use domain::escalation;
use domain::oncall::{self, Called, Of, Resolved, WantedQuota};
use domain::ports::ReadView;
use domain::recipients::Named;
use domain::templates::Mistake;
use domain::{Actor, Civil, CivilTime, RecipientId, Refusal, Timestamp, alerts, nodes, sources};
use serde::Deserialize;
use utoipa::ToSchema;

use super::conduct::{FollowUpBody, KINDS};
use super::quota::{QuotaBody, called};
use crate::fields::Fields;
use crate::problem::{NamedIn, Problem, of_query, of_refusal};
use crate::templates;
use crate::time::parse_rfc3339;

/// Language of a text whose language nobody named (BCP 47 "undetermined").
const UNDETERMINED: &str = "und";

/// The text that serves languages without one of their own, when there are several and none is marked.
const FALLBACK: &str = "en";

const SOURCE_LEN_MAX: usize = 100;
const DEDUP_KEY_LEN_MAX: usize = 200;
const EXTRA_LEN_MAX: usize = 200;

/// A new alert.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RaiseBody {
    /// `critical`, `high`, `normal` or `low`; needed without `template`.
    #[schema(example = "critical")]
    severity: Option<String>,
    /// `actual`, `exercise` or `test`. Without it: the template's, else `actual`.
    status: Option<String>,
    /// `alert`, or `safety_check`: everyone is asked whether they are safe until all have answered or were seen. Without it:
    /// the template's, else `alert`.
    kind: Option<String>,
    /// Nobody is called on every path when all rounds are over. Without it: for tests.
    quiet: Option<bool>,
    /// What is asked again of those called.
    #[serde(default)]
    follow_up: FollowUpBody,
    /// Who is told at once how a safety check goes. Without it: the template's, else those on duty for sources.
    lead: Option<ToBody>,
    /// Key of the template to raise it from: everything that is not said here is the template's.
    #[schema(example = "mail-down")]
    template: Option<String>,
    /// What the template's placeholders stand for, by name.
    #[serde(default)]
    placeholders: BTreeMap<String, String>,
    /// Words behind the template's, the same in every language.
    #[serde(default)]
    extra: String,
    /// Who asked for it and is told by the template's automations how it goes: `person:anna`.
    #[schema(example = "person:anna")]
    requester: Option<String>,
    /// Send the real texts to this person only, as a test: `person:anna`.
    #[schema(example = "person:anna")]
    only: Option<String>,
    /// What happened, at most 2,000 characters; serves every language that `texts` lacks.
    #[schema(example = "Pump 3 has tripped, water is rising in the turbine hall")]
    text: Option<String>,
    /// What happened, by language code. Without `text`, the English one serves languages that are missing, else the
    /// first in alphabetical order.
    #[serde(default)]
    #[schema(example = json!({"fi": "Pumppu 3 on pysähtynyt", "en": "Pump 3 has tripped"}))]
    texts: BTreeMap<String, String>,
    /// Where to gather: place, bridge number and PIN. In place of the template's in every language.
    gather: Option<String>,
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
    #[schema(default = 1)]
    needed: Option<u16>,
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
    /// Whoever is on call in these schedules at the moment of the raise.
    #[serde(default)]
    schedules: Vec<String>,
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
    /// Whoever is on call in these schedules at the moment of the raise.
    #[serde(default)]
    schedules: Vec<String>,
    /// What must be answered before no further step is called, all of it; without: `needed` of anybody.
    #[serde(default)]
    enough: Vec<QuotaBody>,
}

/// A raise whose recipients still go by their keys.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    /// With its own words, or empty where the template's come.
    raise: Raise,
    template: Option<(String, Said)>,
    over: Over,
    aware_at: Option<CivilTime>,
    /// Key of whoever asked for it.
    requester: Option<String>,
    /// One person tries the texts out: nothing follows from answers.
    only_tried: bool,
    /// `None`: whom the template names.
    steps: Option<Vec<WantedStep>>,
    fallback: Vec<Called>,
    /// `None`: the template's, or those on duty.
    lead: Option<Vec<Called>>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
struct WantedStep {
    delay_ms: u64,
    whom: Vec<Called>,
    enough: Vec<WantedQuota>,
}

/// What a raise says in place of a template or of what holds without one.
#[derive(Clone, Debug)]
struct Over {
    gather: Option<String>,
    needed: Option<u16>,
    repeat_every_ms: Option<u64>,
    repeats: Option<u16>,
    validity_ms: Option<u64>,
    kind: Option<AlertKind>,
    quiet: Option<bool>,
    follow_up: FollowUpBody,
}

/// Checks a body on its own, without looking anything up.
pub(super) fn parse(body: RaiseBody, actor: &Actor) -> Result<Wanted, Problem> {
    let mut fields = Fields::default();
    let known = &Severity::ALL.map(Severity::name);
    let severity = body
        .severity
        .as_deref()
        .and_then(|word| fields.one_of("/severity", word, Severity::parse, known));
    if body.severity.is_none() && body.template.is_none() {
        let detail = format!("is missing; write one of {}", known.join(", "));
        fields.add("/severity", detail);
    }
    let known = &Status::ALL.map(Status::name);
    let status = body
        .status
        .as_deref()
        .and_then(|word| fields.one_of("/status", word, Status::parse, known));
    let requester = requester(&mut fields, body.requester, body.template.is_some());
    let only = only(&mut fields, body.only, status);
    let only_tried = only.is_some();
    let status = match only {
        Some(_) => Some(Status::Test),
        None => status,
    };
    let aware_at = body
        .aware_at
        .and_then(|text| fields.take("/aware_at", parse_rfc3339(&text)));
    let mut source = body.source.unwrap_or_else(|| actor.label());
    fields.at_most("/source", &source, SOURCE_LEN_MAX);
    if let Some(key) = &body.dedup_key {
        fields.at_most("/dedup_key", key, DEDUP_KEY_LEN_MAX);
    }
    fields.at_most("/extra", &body.extra, EXTRA_LEN_MAX);
    let texts = match &body.template {
        None => texts(&mut fields, body.text, body.texts),
        Some(_) => {
            if body.text.is_some() || !body.texts.is_empty() {
                let detail = "stands beside `template`; say words of your own in `extra`";
                fields.add("/text", detail);
            }
            Vec::new()
        }
    };
    if body.template.is_none() && !(body.placeholders.is_empty() && body.extra.is_empty()) {
        let detail = "stands without `template`; name the template to fill";
        fields.add("/placeholders", detail);
    }
    let kind = body
        .kind
        .as_deref()
        .and_then(|word| fields.one_of("/kind", word, AlertKind::parse, &KINDS));
    let milliseconds = |seconds: u64| seconds.saturating_mul(1_000);
    let mut over = Over {
        gather: body.gather,
        needed: body.needed,
        repeat_every_ms: body.repeat_every_s.map(milliseconds),
        repeats: body.repeats,
        validity_ms: body.validity_s.map(milliseconds),
        kind,
        quiet: body.quiet,
        follow_up: body.follow_up,
    };
    // A trial is nobody else's business, not even of those who lead.
    let lead = match &only {
        Some(person) => Some(vec![Called::Named(Named::Person(person.clone()))]),
        None => body
            .lead
            .map(|to| called(to.people, to.groups, to.schedules)),
    };
    let steps = match only {
        Some(person) => {
            if body.to.is_some() || !body.steps.is_empty() {
                fields.add("/to", "stands beside `only`; give one of them");
            }
            source = format!("{source}, only to {person}");
            // Whoever tries a text out is not paged again and again.
            over.repeats = Some(0);
            Some(vec![WantedStep {
                delay_ms: 0,
                whom: vec![Called::Named(Named::Person(person))],
                enough: Vec::new(),
            }])
        }
        None => steps(&mut fields, body.to, body.steps, body.template.is_some()),
    };
    let fallback = body.fallback.map_or_else(Vec::new, ToBody::called);
    fields.finish()?;
    let said = Said {
        values: body.placeholders,
        extra: body.extra,
        severity,
        status,
    };
    let raise = Raise {
        severity: severity.unwrap_or(Severity::Low),
        status: status.unwrap_or(Status::Actual),
        texts,
        gather: String::new(),
        gather_in: Vec::new(),
        aware_at: None,
        steps: Vec::new(),
        needed: 1,
        repeat_every_ms: DEFAULT_REPEAT_EVERY_MS,
        repeats: DEFAULT_REPEATS,
        validity_ms: DEFAULT_VALIDITY_MS,
        fallback: Vec::new(),
        notes: Vec::new(),
        channels: Vec::new(),
        answers: Vec::new(),
        conduct: Conduct::default(),
        lead: Vec::new(),
        on_call: Vec::new(),
        dedup_key: body.dedup_key,
        source,
        template: None,
    };
    Ok(Wanted {
        raise,
        template: body.template.map(|key| (key, said)),
        over,
        aware_at,
        requester,
        only_tried,
        steps,
        fallback,
        lead,
    })
}

impl Wanted {
    /// Fills in the template and turns keys into people as they are known now; from here on the raise is frozen.
    ///
    /// A step that reaches nobody is skipped at once (PRODUCT L-15); where a schedule had nobody on call the room is told.
    /// With nobody in any step the raise is refused.
    pub(super) async fn resolve(
        self,
        view: &mut ReadView,
        now: Timestamp,
    ) -> Result<Raise, Problem> {
        let Self {
            mut raise,
            template,
            over,
            aware_at,
            requester,
            only_tried,
            steps,
            fallback,
            lead,
        } = self;
        let (mut by_template, mut leads_by_template) = (Vec::new(), Vec::new());
        if let Some((key, said)) = template {
            let version = templates::in_use(view, &key).await?;
            let made = alerts::from_template(&version, &said).map_err(of_mistakes)?;
            by_template = made.steps;
            leads_by_template = made.lead.into_iter().map(Called::Named).collect();
            raise = Raise {
                dedup_key: raise.dedup_key,
                source: raise.source,
                ..made.raise
            };
        }
        over.apply(&mut raise);
        if let Some(template) = &mut raise.template {
            if only_tried {
                template.automations.clear();
            }
            if let Some(key) = requester {
                let named = [Called::Named(Named::Person(key))];
                let found = found(view, &named, CivilTime(0)).await?;
                template.requester = found.people.first().copied();
            }
        }
        let steps =
            steps.unwrap_or_else(|| by_template.into_iter().map(WantedStep::from).collect());
        let checks = raise.conduct.kind == AlertKind::SafetyCheck;
        let lead = lead.unwrap_or(leads_by_template);
        let on_call = (steps
            .iter()
            .flat_map(WantedStep::called)
            .chain(&fallback)
            .chain(&lead))
        .any(|called| matches!(called, Called::OnCall(_)));
        // Most raises name neither, and need not wait for one more read.
        let civil = match on_call || aware_at.is_some() {
            true => nodes::civil(view).await.map_err(of_query)?,
            false => Civil::default(),
        };
        raise.aware_at = aware_at.map(|aware_at| civil.moment(aware_at));
        let now = civil.at(now);
        for step in &steps {
            let found = found(view, &step.whom, now).await?;
            note(&mut raise, found.notes);
            oncall::add_duties(&mut raise.on_call, found.on_call);
            raise.steps.push(Step {
                delay_ms: step.delay_ms,
                recipients: found.people,
                enough: Vec::new(),
            });
        }
        if !raise.notes.is_empty() && raise.steps.iter().all(|step| step.recipients.is_empty()) {
            let refusal = Refusal::NobodyOnCall(raise.notes.join("; "));
            return Err(of_refusal(&refusal, NamedIn::Body));
        }
        raise.fallback = found(view, &fallback, now).await?.people;
        let leads = match lead.is_empty() && checks {
            true => on_duty(view, now).await?,
            false => found(view, &lead, now).await?,
        };
        note(&mut raise, leads.notes);
        raise.lead = leads.people;
        if checks && raise.lead.is_empty() {
            note(&mut raise, vec![alerts::NOBODY_LEADS.to_owned()]);
        }
        let in_steps = raise.steps.iter().flat_map(|step| &step.recipients);
        let everyone: Vec<RecipientId> = in_steps.chain(&raise.fallback).copied().collect();
        for (place, step) in steps
            .iter()
            .enumerate()
            .filter(|(_, step)| !step.enough.is_empty())
        {
            let quotas = escalation::quotas(view, &step.enough, &everyone, now).await;
            let quotas = quotas.map_err(of_query)?;
            let quotas = quotas.map_err(|refusal| of_refusal(&refusal, NamedIn::Body))?;
            note(&mut raise, quotas.notes);
            raise.steps[place].enough = quotas.quotas;
        }
        Ok(raise)
    }

    /// The raise without its people, for a request that was applied before.
    pub(super) fn unresolved(self) -> Raise {
        self.raise
    }
}

impl WantedStep {
    /// Everyone named in it.
    fn called(&self) -> impl Iterator<Item = &Called> {
        let quotas = self.enough.iter().flat_map(|quota| match &quota.of {
            Of::Called(names) => names.as_slice(),
            Of::Anyone | Of::Step | Of::Skill(_) | Of::Site(_) | Of::EachSite => &[],
        });
        self.whom.iter().chain(quotas)
    }
}

/// Those on duty for sources, as far as they are known: that somebody is gone is no reason to refuse a safety check.
async fn on_duty(view: &mut ReadView, now: CivilTime) -> Result<Resolved, Problem> {
    let settings = sources::settings(view).await.map_err(of_query)?;
    let duty = settings.duty;
    let found = oncall::resolve(view, &duty, now).await.map_err(of_query)?;
    Ok(found.unwrap_or_default())
}

/// Keeps what the room is to be told. The same schedule may stand in several steps.
fn note(raise: &mut Raise, notes: Vec<String>) {
    for note in notes {
        if !raise.notes.contains(&note) && raise.notes.len() < NOTES_MAX {
            raise.notes.push(note.chars().take(NOTE_LEN_MAX).collect());
        }
    }
}

/// The people meant by names at a moment.
pub(super) async fn found(
    view: &mut ReadView,
    called: &[Called],
    now: CivilTime,
) -> Result<Resolved, Problem> {
    let found = oncall::resolve(view, called, now).await.map_err(of_query)?;
    found.map_err(|refusal| of_refusal(&refusal, NamedIn::Body))
}

impl ToBody {
    pub(super) fn called(self) -> Vec<Called> {
        called(self.people, self.groups, self.schedules)
    }
}

impl From<TemplatedStep> for WantedStep {
    fn from(step: TemplatedStep) -> Self {
        Self {
            delay_ms: step.delay_ms,
            whom: step.whom,
            enough: step.enough,
        }
    }
}

impl Over {
    fn apply(self, raise: &mut Raise) {
        if let Some(gather) = self.gather {
            raise.gather = gather;
            raise.gather_in.clear();
        }
        raise.needed = self.needed.unwrap_or(raise.needed);
        raise.repeat_every_ms = self.repeat_every_ms.unwrap_or(raise.repeat_every_ms);
        raise.repeats = self.repeats.unwrap_or(raise.repeats);
        raise.validity_ms = self.validity_ms.unwrap_or(raise.validity_ms);
        let conduct = &mut raise.conduct;
        conduct.kind = self.kind.unwrap_or(conduct.kind);
        // Whoever tries something out wakes nobody by it.
        let test = raise.status == Status::Test;
        conduct.quiet = self.quiet.unwrap_or(conduct.quiet || test);
        self.follow_up.apply(conduct);
    }
}

/// What was said for a template and is not as it should be.
fn of_mistakes(mistakes: Vec<Mistake>) -> Problem {
    let mut fields = Fields::default();
    for mistake in mistakes {
        fields.add(mistake.at, mistake.problem);
    }
    fields.into_problem()
}

/// Key of whoever asked for the alert.
fn requester(fields: &mut Fields, name: Option<String>, from_template: bool) -> Option<String> {
    let name = name?;
    if !from_template {
        let detail = "stands without `template`; only automations of a template tell them anything";
        fields.add("/requester", detail);
        return None;
    }
    match Named::parse(&name) {
        Some(Named::Person(key)) => Some(key),
        Some(Named::Group(_)) | None => {
            fields.add("/requester", "is not one person; write person:KEY");
            None
        }
    }
}

/// Key of the one person who gets the texts.
fn only(fields: &mut Fields, only: Option<String>, status: Option<Status>) -> Option<String> {
    let name = only?;
    if status.is_some_and(|status| status != Status::Test) {
        let detail = "stands beside `only`, which sends a test; leave it out";
        fields.add("/status", detail);
    }
    match Named::parse(&name) {
        Some(Named::Person(key)) => Some(key),
        Some(Named::Group(_)) | None => {
            fields.add("/only", "is not one person; write person:KEY");
            None
        }
    }
}

/// The texts in the order the domain wants them: the one that serves missing languages first.
pub(super) fn texts(
    fields: &mut Fields,
    text: Option<String>,
    by_language: BTreeMap<String, String>,
) -> Vec<(String, String)> {
    for (language, text) in &by_language {
        let pointer = format!("/texts/{language}");
        if !(2..=3).contains(&language.len()) || !language.bytes().all(|b| b.is_ascii_lowercase()) {
            fields.add(
                &pointer,
                "is not a language code; write en, fi, sv, fr or ja",
            );
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

/// Whom to call; `None` leaves it to the template.
fn steps(
    fields: &mut Fields,
    to: Option<ToBody>,
    steps: Vec<StepBody>,
    from_template: bool,
) -> Option<Vec<WantedStep>> {
    if to.is_some() && !steps.is_empty() {
        fields.add("/steps", "stands beside `to`; give one of them");
    }
    if to.is_none() && steps.is_empty() {
        if !from_template {
            fields.add(
                "/to",
                "is missing; name people, groups or schedules to call",
            );
        }
        return None;
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
        schedules: to.schedules,
        enough: Vec::new(),
    });
    let all = at_once
        .into_iter()
        .chain(steps)
        .enumerate()
        .map(|(at, step)| {
            let quotas = step.enough.into_iter().enumerate();
            let enough = quotas.filter_map(|(number, body)| {
                let pointer = format!("/steps/{at}/enough/{number}");
                fields.take(pointer, body.parse())
            });
            WantedStep {
                delay_ms: step.after_s.saturating_mul(1_000),
                enough: enough.collect(),
                whom: called(step.people, step.groups, step.schedules),
            }
        });
    Some(all.collect())
}

#[cfg(test)]
mod tests;
