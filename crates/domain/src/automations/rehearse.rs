//! What a template's automations would do if people answered so: the same decisions as for an alert that runs, and
//! nothing is raised, called or written.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::SqliteConnection;

use super::apply::{counts, people_of};
use super::rules::{Seen, Verdict, cause, verdict};
use crate::ids::RecipientId;
use crate::templates::Template;
use crate::time::CivilTime;
use crate::vocabulary::{Answer, Automation, Effect};

/// An answer somebody would give.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rehearsed {
    /// From the raise.
    pub after_ms: u64,
    pub person: RecipientId,
    pub answer: Answer,
}

/// An automation that would fire.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Foreseen {
    /// From the raise.
    pub after_ms: u64,
    /// Place in the template, from 1.
    pub number: u16,
    pub cause: String,
}

/// What would fire, in order, and notes about names that mean nobody now.
pub async fn rehearse(
    conn: &mut SqliteConnection,
    template: &Template,
    answers: &[Rehearsed],
    now: CivilTime,
) -> Result<(Vec<Foreseen>, Vec<String>), sqlx::Error> {
    let mut waiting = Vec::with_capacity(template.automations.len());
    let mut all_notes = Vec::new();
    for (automation, number) in template.automations.iter().zip(1_u16..) {
        let names = automation.when.among();
        let (people, notes) = people_of(conn, names, now).await?;
        all_notes.extend(
            notes
                .iter()
                .map(|note| format!("automation {number}: {note}")),
        );
        if names.is_empty() || !people.is_empty() {
            let among = (!names.is_empty()).then(|| people.into_iter().collect());
            waiting.push(Watch {
                number,
                automation,
                among,
            });
        }
    }
    let mut answers = answers.to_vec();
    answers.sort_by_key(|answer| answer.after_ms);
    let stage = Stage {
        needed: u32::from(template.needed),
        answers,
    };
    Ok((stage.play(waiting), all_notes))
}

struct Watch<'a> {
    number: u16,
    automation: &'a Automation,
    among: Option<BTreeSet<RecipientId>>,
}

struct Stage {
    needed: u32,
    answers: Vec<Rehearsed>,
}

impl Stage {
    /// Every moment at which something happens, in order; at each the answers come before what goes by time.
    fn play(&self, mut waiting: Vec<Watch<'_>>) -> Vec<Foreseen> {
        let times = waiting.iter().filter_map(|w| w.automation.when.after_ms());
        let moments: BTreeSet<u64> = self
            .answers
            .iter()
            .map(|answer| answer.after_ms)
            .chain(times)
            .chain([0])
            .collect();
        let mut foreseen = Vec::new();
        for after_ms in moments {
            let given = self.given(after_ms);
            let mut left = Vec::with_capacity(waiting.len());
            let mut closed = false;
            for watch in waiting {
                let when = &watch.automation.when;
                let seen = self.see(&watch, &given, after_ms);
                match verdict(when, seen) {
                    Verdict::Fires if !closed => {
                        closed = closes(watch.automation);
                        foreseen.push(Foreseen {
                            after_ms,
                            number: watch.number,
                            cause: cause(when, seen),
                        });
                    }
                    Verdict::Waits => left.push(watch),
                    Verdict::Fires | Verdict::Never => {}
                }
            }
            if closed {
                break;
            }
            waiting = left;
        }
        foreseen
    }

    /// Everybody's last answer by then.
    fn given(&self, after_ms: u64) -> BTreeMap<RecipientId, Answer> {
        self.answers
            .iter()
            .take_while(|answer| answer.after_ms <= after_ms)
            .map(|answer| (answer.person, answer.answer))
            .collect()
    }

    fn see(&self, watch: &Watch<'_>, given: &BTreeMap<RecipientId, Answer>, after_ms: u64) -> Seen {
        let when = &watch.automation.when;
        let among = |id: &RecipientId| watch.among.as_ref().is_none_or(|ids| ids.contains(id));
        let count = |wanted: Option<Answer>, all: bool| {
            let found = given
                .iter()
                .filter(|(id, answer)| counts(wanted, **answer) && (all || among(id)));
            u32::try_from(found.count()).unwrap_or(u32::MAX)
        };
        Seen {
            matching: count(when.answer(), false),
            complete: count(Some(Answer::Coming), true) >= self.needed,
            time_is_up: when.after_ms().is_some_and(|time| time <= after_ms),
        }
    }
}

fn closes(automation: &Automation) -> bool {
    let close = |effect: &Effect| matches!(effect, Effect::Close { .. });
    automation.then.iter().any(close)
}
