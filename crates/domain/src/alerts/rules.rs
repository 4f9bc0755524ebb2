//! Decisions about alerts without SQL.

use std::collections::BTreeSet;

use super::{Raise, Step};
use crate::ids::RecipientId;
use crate::outcome::Refusal;
use crate::vocabulary::{DELAY_MS_MAX, GATHER_LEN_MAX, TEXT_LEN_MAX, VALIDITY_MS};

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

/// Delay from the raise and the people of each step: without empty steps, everyone in the first step that names them.
pub(super) type Steps = Vec<(u64, Vec<RecipientId>)>;

/// Checks a raise and puts its steps in order.
pub(super) fn plan(raise: &Raise) -> Result<Steps, Refusal> {
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
    if !VALIDITY_MS.contains(&raise.validity_ms) {
        return invalid("a text is valid for 1 minute to 7 days".to_owned());
    }
    if raise.steps.iter().any(|step| step.delay_ms > DELAY_MS_MAX) {
        return invalid("a step starts at most 7 days after the alert".to_owned());
    }
    let mut steps = in_order(&raise.steps);
    steps.retain(|(_, people)| !people.is_empty());
    if steps.is_empty() {
        Err(Refusal::NoRecipients)
    } else {
        Ok(steps)
    }
}

/// Steps by their delay, each person in the first one that names them. A step may come out empty.
pub(super) fn in_order(steps: &[Step]) -> Steps {
    let mut seen = BTreeSet::new();
    let mut steps: Steps = steps
        .iter()
        .map(|step| {
            let named = step.recipients.iter().copied();
            (step.delay_ms, named.filter(|id| seen.insert(*id)).collect())
        })
        .collect();
    steps.sort_by_key(|(delay, _)| *delay);
    steps
}
