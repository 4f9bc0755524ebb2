//! Decisions about alerts without SQL.

use std::collections::BTreeSet;

use super::handover::SCHEDULES_MAX;
use super::{Raise, Step};
use crate::escalation::{self, NewStep, Quota};
use crate::ids::RecipientId;
use crate::outcome::Refusal;
use crate::vocabulary::{
    AlertKind, Answer, DELAY_MS_MAX, GATHER_LEN_MAX, TEXT_LEN_MAX, VALIDITY_MS,
};

/// Notes for the room of one raise.
pub const NOTES_MAX: usize = 16;

/// Those who lead one safety check.
const LEAD_MAX: usize = 50;

/// The longest note, in characters.
pub const NOTE_LEN_MAX: usize = 1_000;

/// Where an alert stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum State {
    Open,
    Resolved,
    CalledOff,
    Joined,
}

impl State {
    pub const ALL: [Self; 4] = [Self::Open, Self::Resolved, Self::CalledOff, Self::Joined];

    /// The word in rows and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Resolved => "resolved",
            Self::CalledOff => "called_off",
            Self::Joined => "joined",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// Everybody a raise would call in turn, by number; or why it would be refused.
pub(crate) fn headcount(raise: &Raise) -> Result<usize, Refusal> {
    let planned = plan(raise)?;
    Ok(planned.steps.iter().map(|step| step.people.len()).sum())
}

/// A raise's steps, put in order.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Planned {
    /// None is empty; everyone is in the first step that names them.
    pub(super) steps: Vec<NewStep>,
    /// In no step.
    pub(super) fallback: Vec<RecipientId>,
    /// Places, counted from 1, of steps that had nobody.
    pub(super) skipped: Vec<usize>,
}

/// Checks a raise and puts its steps in order.
pub(super) fn plan(raise: &Raise) -> Result<Planned, Refusal> {
    let invalid = |problem: String| Err(Refusal::Invalid(problem));
    if raise.texts.iter().all(|(_, text)| text.trim().is_empty()) {
        return invalid("the alert has no text".to_owned());
    }
    if raise
        .texts
        .iter()
        .any(|(_, text)| text.chars().count() > TEXT_LEN_MAX)
    {
        return invalid(format!(
            "an alert text has at most {TEXT_LEN_MAX} characters"
        ));
    }
    if raise.gather.chars().count() > GATHER_LEN_MAX {
        return invalid(format!(
            "where to gather has at most {GATHER_LEN_MAX} characters"
        ));
    }
    let long = |note: &String| note.chars().count() > NOTE_LEN_MAX;
    if raise.notes.len() > NOTES_MAX || raise.notes.iter().any(long) {
        return invalid(format!(
            "a raise has at most {NOTES_MAX} notes of {NOTE_LEN_MAX} characters"
        ));
    }
    if !VALIDITY_MS.contains(&raise.validity_ms) {
        return invalid("a text is valid for 1 minute to 7 days".to_owned());
    }
    if raise.steps.iter().any(|step| step.delay_ms > DELAY_MS_MAX) {
        return invalid("a step starts at most 7 days after the alert".to_owned());
    }
    if raise.on_call.len() > SCHEDULES_MAX {
        return invalid(format!(
            "an alert is raised through at most {SCHEDULES_MAX} schedules"
        ));
    }
    raise.conduct.check().map_err(Refusal::Invalid)?;
    if raise.lead.len() > LEAD_MAX {
        return invalid(format!("at most {LEAD_MAX} people lead a safety check"));
    }
    check_kind(raise).map_err(Refusal::Invalid)?;
    let in_order = in_order(&raise.steps);
    let delays: Vec<u64> = in_order.iter().map(|(step, _)| step.delay_ms).collect();
    let (mut steps, mut skipped) = (Vec::with_capacity(delays.len()), Vec::new());
    let mut earlier_ms = 0;
    for (at, (step, people)) in in_order.into_iter().enumerate() {
        if people.is_empty() {
            // Nobody waits for a step that has nobody: those after it come when it would have.
            let next = delays.get(at + 1).copied().unwrap_or(step.delay_ms);
            earlier_ms += next - step.delay_ms;
            skipped.push(at + 1);
            continue;
        }
        let enough = escalation::fit(&step.enough, &people).map_err(Refusal::Invalid)?;
        steps.push(NewStep {
            delay_ms: step.delay_ms - earlier_ms,
            people,
            enough,
        });
    }
    if steps.is_empty() {
        return Err(Refusal::NoRecipients);
    }
    let mut seen: BTreeSet<RecipientId> = raise
        .steps
        .iter()
        .flat_map(|step| step.recipients.iter().copied())
        .collect();
    let fallback = raise
        .fallback
        .iter()
        .copied()
        .filter(|id| seen.insert(*id))
        .collect();
    Ok(Planned {
        steps,
        fallback,
        skipped,
    })
}

/// What its kind asks of a raise.
fn check_kind(raise: &Raise) -> Result<(), String> {
    let kind = raise.conduct.kind;
    if let Some(odd) = raise
        .answers
        .iter()
        .find(|answer| !kind.answers().contains(answer))
    {
        return Err(no_answer(kind, *odd));
    }
    if kind == AlertKind::Alert {
        return Ok(());
    }
    if raise.steps.len() > 1 || raise.steps.iter().any(|step| !step.enough.is_empty()) {
        return Err(
            "a safety check asks everyone at once and waits for all of them; give one step without conditions"
                .to_owned(),
        );
    }
    if !raise.fallback.is_empty() {
        return Err(
            "a safety check has no fallback; say who leads, and they are told when time is over"
                .to_owned(),
        );
    }
    Ok(())
}

/// An answer that an alert of this kind does not take.
pub(super) fn unfit(kind: AlertKind, answer: Answer) -> Option<Refusal> {
    let fits = kind.answers().contains(&answer);
    (!fits).then(|| Refusal::Invalid(no_answer(kind, answer)))
}

fn no_answer(kind: AlertKind, answer: Answer) -> String {
    let known: Vec<&str> = kind.answers().iter().map(|answer| answer.name()).collect();
    let what = match kind {
        AlertKind::Alert => "an alert",
        AlertKind::SafetyCheck => "a safety check",
    };
    format!(
        "{} is no answer to {what}; known are {}",
        answer.name(),
        known.join(", ")
    )
}

/// Steps by their delay, each with the people no earlier one names. That may be nobody.
pub(super) fn in_order(steps: &[Step]) -> Vec<(&Step, Vec<RecipientId>)> {
    let mut seen = BTreeSet::new();
    let mut in_order: Vec<&Step> = steps.iter().collect();
    in_order.sort_by_key(|step| step.delay_ms);
    in_order
        .into_iter()
        .map(|step| {
            let named = step.recipients.iter().copied();
            (step, named.filter(|id| seen.insert(*id)).collect())
        })
        .collect()
}

/// What a step of a raise wants, fitted to its people; steps counted in their order from 0.
pub fn quotas_of(raise: &Raise, place: usize) -> Vec<Quota> {
    let step = in_order(&raise.steps).into_iter().nth(place);
    step.and_then(|(step, people)| escalation::fit(&step.enough, &people).ok())
        .unwrap_or_default()
}
