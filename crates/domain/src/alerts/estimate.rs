//! What an alert would take: how many people, texts and parts, what they cost, and how long until everyone is reached.
//! Arithmetic without rows (PRODUCT W-20).

use std::collections::BTreeMap;
use std::fmt;

use crate::deliveries::{Queued, RING_MS, RINGS, RUNG_MAX};
use crate::templates::Price;
use crate::texts::Language;

/// A way to a person that leaves at once.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Ways {
    pub(super) language: Language,
    /// SMS and mails that leave at once.
    pub(super) sms: u32,
    pub(super) mails: u32,
    /// Numbers that no text may go to.
    pub(super) barred: u32,
    /// Phones that ring to wake them.
    pub(super) rings: u32,
}

/// Somebody to be called.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Person {
    Reachable(Ways),
    /// Without any contact method, or removed.
    Unreachable,
}

/// A channel that can be given work now.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Channel {
    pub(super) sms: bool,
    /// Empty when not known.
    pub(super) operator: String,
    /// SMS parts or mails.
    pub(super) rate_per_min: u32,
}

/// All an estimate depends on.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    /// Delay from the raise in milliseconds and the people of each step, in order.
    pub(super) steps: Vec<(u64, Vec<Person>)>,
    /// Rounds after the last step.
    pub(super) repeats: u16,
    /// SMS parts of the page in each language.
    pub(super) parts: BTreeMap<Language, u16>,
    /// Those that can be given work.
    pub(super) channels: Vec<Channel>,
    /// What leaves before this alert.
    pub(super) queued: Queued,
    pub(super) price: Option<Price>,
    /// Nothing leaves before an operator says so.
    pub(super) held_back: bool,
}

/// What an alert would take if nobody answers before all steps are called.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Estimate {
    pub people: u64,
    /// People without any contact method.
    pub unreachable: u64,
    pub steps: Vec<StepEstimate>,
    /// Texts, SMS parts and mails of the first round.
    pub sms: u64,
    pub sms_parts: u64,
    pub mails: u64,
    /// SMS parts if nobody answers in any round.
    pub sms_parts_max: u64,
    /// What those parts cost; absent without a price.
    pub cost: Option<Cost>,
    /// What waits already and leaves before.
    pub queued: Queued,
    /// SMS parts and mails that leave in a minute, all channels together.
    pub sms_parts_per_min: u64,
    pub mails_per_min: u64,
    /// From the raise until the last text has left; absent when some have no channel to leave by.
    pub reached_after_ms: Option<u64>,
    /// Phones that are rung, each twice, while people stay silent.
    pub phones_rung: u64,
    /// From the raise until all of them were rung, when texts leave first; absent when none is, or no modem is up.
    pub rung_after_ms: Option<u64>,
    pub warnings: Vec<Warning>,
}

/// One step of an estimate.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StepEstimate {
    pub delay_ms: u64,
    pub people: u64,
    pub unreachable: u64,
    pub sms: u64,
    pub sms_parts: u64,
    pub mails: u64,
    /// Numbers that no text may go to.
    pub barred: u64,
    /// From the raise until everyone in it has been sent a text; absent when some have no channel to leave by.
    pub reached_after_ms: Option<u64>,
}

/// What SMS parts cost, in millionths of a currency.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Cost {
    /// The first round.
    pub micros: u64,
    /// If nobody answers in any round.
    pub micros_max: u64,
    pub currency: String,
}

/// What whoever is about to raise an alert should know first.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Warning {
    /// A step, counted from 1, calls nobody.
    NobodyInStep(u16),
    /// People without any contact method.
    Unreachable(u64),
    /// Numbers that no text may go to.
    Barred(u64),
    /// No modem is up, and so many texts would wait.
    NoModem(u64),
    /// No mail path is up, and so many mails would wait.
    NoMailPath(u64),
    /// All modems that are up hang on one operator.
    OneOperator(String),
    /// Nothing leaves before an operator says so.
    HeldBack,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NobodyInStep(step) => write!(f, "step {step} calls nobody"),
            Self::Unreachable(1) => write!(f, "1 person has no contact method"),
            Self::Unreachable(people) => write!(f, "{people} people have no contact method"),
            Self::Barred(numbers) => write!(
                f,
                "{numbers} numbers get no text, by how they begin; see `holdfast directory barred`"
            ),
            Self::NoModem(texts) => write!(f, "no modem is up: {texts} SMS would wait"),
            Self::NoMailPath(mails) => write!(f, "no mail path is up: {mails} mails would wait"),
            Self::OneOperator(operator) => {
                write!(
                    f,
                    "every modem that is up hangs on one operator, {operator}"
                )
            }
            Self::HeldBack => write!(
                f,
                "the outbox is held back: nothing leaves before `holdfast outbox release`"
            ),
        }
    }
}

/// When the queue of one kind of channel is empty, as texts are added to it.
struct Line {
    per_min: u64,
    /// Milliseconds from the raise; `None` once something waits for ever.
    free_at_ms: Option<u64>,
}

impl Line {
    fn new(per_min: u64, queued: u64) -> Self {
        let mut line = Self {
            per_min,
            free_at_ms: Some(0),
        };
        line.add(0, queued);
        line
    }

    /// Adds `units` that may leave from `from_ms` on, and says when the last of them has left.
    fn add(&mut self, from_ms: u64, units: u64) -> Option<u64> {
        if units == 0 {
            return Some(from_ms);
        }
        let took_ms = match self.per_min {
            0 => None,
            per_min => Some(units.saturating_mul(60_000).div_ceil(per_min)),
        };
        let start = self.free_at_ms.map(|free| free.max(from_ms));
        self.free_at_ms = start
            .zip(took_ms)
            .map(|(start, took)| start.saturating_add(took));
        self.free_at_ms
    }
}

/// Works it out.
pub(super) fn estimate(facts: &Facts) -> Estimate {
    let per_min = |sms: bool| {
        let rates = facts.channels.iter().filter(|channel| channel.sms == sms);
        rates.map(|channel| u64::from(channel.rate_per_min)).sum()
    };
    let (sms_parts_per_min, mails_per_min) = (per_min(true), per_min(false));
    let mut modems = Line::new(sms_parts_per_min, facts.queued.sms_parts);
    let mut mailers = Line::new(mails_per_min, facts.queued.mails);
    let steps: Vec<StepEstimate> = facts
        .steps
        .iter()
        .map(|(delay_ms, people)| step(&mut modems, &mut mailers, *delay_ms, people, &facts.parts))
        .collect();
    let sum = |of: fn(&StepEstimate) -> u64| steps.iter().map(of).sum::<u64>();
    let sms_parts = sum(|step| step.sms_parts);
    let sms_parts_max = sms_parts.saturating_mul(1 + u64::from(facts.repeats));
    let cost = facts.price.as_ref().map(|price| Cost {
        micros: sms_parts.saturating_mul(price.micros),
        micros_max: sms_parts_max.saturating_mul(price.micros),
        currency: price.currency.clone(),
    });
    let phones_rung = facts.steps.iter().map(|(_, people)| rung(people)).sum();
    let reached: Option<Vec<u64>> = steps.iter().map(|step| step.reached_after_ms).collect();
    let mut estimate = Estimate {
        people: sum(|step| step.people),
        unreachable: sum(|step| step.unreachable),
        sms: sum(|step| step.sms),
        sms_parts,
        mails: sum(|step| step.mails),
        sms_parts_max,
        cost,
        queued: facts.queued,
        sms_parts_per_min,
        mails_per_min,
        reached_after_ms: reached.map(|all| all.into_iter().max().unwrap_or(0)),
        steps,
        phones_rung,
        rung_after_ms: None,
        warnings: Vec::new(),
    };
    estimate.rung_after_ms = rung_after_ms(facts, &estimate);
    estimate.warnings = warnings(facts, &estimate);
    if facts.held_back {
        estimate.reached_after_ms = None;
        estimate.rung_after_ms = None;
    }
    estimate
}

/// How many phones of a step's people are rung; those of a crowd are not.
fn rung(people: &[Person]) -> u64 {
    if people.len() > RUNG_MAX {
        return 0;
    }
    let rings = people.iter().map(|person| match person {
        Person::Reachable(ways) => u64::from(ways.rings),
        Person::Unreachable => 0,
    });
    rings.sum()
}

/// A modem that rings sends nothing meanwhile, so rings come after texts.
fn rung_after_ms(facts: &Facts, estimate: &Estimate) -> Option<u64> {
    let modems = facts.channels.iter().filter(|channel| channel.sms).count() as u64;
    if estimate.phones_rung == 0 || modems == 0 {
        return None;
    }
    let turns = (estimate.phones_rung * RINGS).div_ceil(modems);
    Some(estimate.reached_after_ms?.saturating_add(turns * RING_MS))
}

fn step(
    modems: &mut Line,
    mailers: &mut Line,
    delay_ms: u64,
    people: &[Person],
    parts: &BTreeMap<Language, u16>,
) -> StepEstimate {
    let mut step = StepEstimate {
        delay_ms,
        people: people.len() as u64,
        unreachable: 0,
        sms: 0,
        sms_parts: 0,
        mails: 0,
        barred: 0,
        reached_after_ms: None,
    };
    let (mut by_sms_only, mut by_mail_only, mut by_both) = (false, false, false);
    for person in people {
        let Person::Reachable(ways) = person else {
            step.unreachable += 1;
            continue;
        };
        let parts_each = u64::from(parts.get(&ways.language).copied().unwrap_or(1));
        step.sms += u64::from(ways.sms);
        step.sms_parts += u64::from(ways.sms) * parts_each;
        step.mails += u64::from(ways.mails);
        step.barred += u64::from(ways.barred);
        by_both |= ways.sms > 0 && ways.mails > 0;
        by_sms_only |= ways.mails == 0;
        by_mail_only |= ways.sms == 0;
    }
    let sms_at = modems.add(delay_ms, step.sms_parts);
    let mails_at = mailers.add(delay_ms, step.mails);
    // Whoever is sent both is reached by what leaves first.
    let first = match (sms_at, mails_at) {
        (Some(sms), Some(mails)) => Some(sms.min(mails)),
        (one, other) => one.or(other),
    };
    let waits_for = [
        (by_sms_only, sms_at),
        (by_mail_only, mails_at),
        (by_both, first),
    ];
    let ends: Option<Vec<u64>> = waits_for
        .into_iter()
        .filter(|(anybody, _)| *anybody)
        .map(|(_, at)| at)
        .collect();
    step.reached_after_ms = ends.map(|ends| ends.into_iter().max().unwrap_or(delay_ms));
    step
}

fn warnings(facts: &Facts, estimate: &Estimate) -> Vec<Warning> {
    let mut warnings = Vec::new();
    for (step, number) in estimate.steps.iter().zip(1..) {
        if step.people == 0 {
            warnings.push(Warning::NobodyInStep(number));
        }
    }
    if estimate.unreachable > 0 {
        warnings.push(Warning::Unreachable(estimate.unreachable));
    }
    let barred = estimate.steps.iter().map(|step| step.barred).sum();
    if barred > 0 {
        warnings.push(Warning::Barred(barred));
    }
    let mut operators: Vec<&str> = facts
        .channels
        .iter()
        .filter(|channel| channel.sms)
        .map(|channel| channel.operator.as_str())
        .collect();
    operators.sort_unstable();
    operators.dedup();
    if estimate.sms > 0 {
        match operators.as_slice() {
            [] => warnings.push(Warning::NoModem(estimate.sms)),
            [operator] if !operator.is_empty() => {
                warnings.push(Warning::OneOperator((*operator).to_owned()));
            }
            [_, ..] => {}
        }
    }
    if estimate.mails > 0 && estimate.mails_per_min == 0 {
        warnings.push(Warning::NoMailPath(estimate.mails));
    }
    if facts.held_back {
        warnings.push(Warning::HeldBack);
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(language: Language, sms: u32, mails: u32) -> Person {
        Person::Reachable(Ways {
            language,
            sms,
            mails,
            barred: 0,
            rings: sms,
        })
    }

    fn modem(operator: &str, rate_per_min: u32) -> Channel {
        Channel {
            sms: true,
            operator: operator.to_owned(),
            rate_per_min,
        }
    }

    fn mailer(rate_per_min: u32) -> Channel {
        Channel {
            sms: false,
            operator: String::new(),
            rate_per_min,
        }
    }

    fn facts(steps: Vec<(u64, Vec<Person>)>, channels: Vec<Channel>) -> Facts {
        Facts {
            steps,
            repeats: 2,
            parts: BTreeMap::from([
                (Language::parse("fi"), 1),
                (Language::parse("sv"), 1),
                (Language::english(), 2),
            ]),
            channels,
            queued: Queued::default(),
            price: None,
            held_back: false,
        }
    }

    #[test]
    fn everyone_is_reached_when_the_last_text_has_left() {
        let fi = |count: usize| vec![person(Language::parse("fi"), 1, 0); count];
        let two = || vec![modem("a", 10), modem("b", 10)];
        let queued = |sms_parts| Queued {
            sms_parts,
            mails: 0,
        };
        // Steps, channels, parts waiting before; seconds until everyone is reached.
        for (steps, channels, waiting, seconds) in [
            (vec![(0, fi(240))], two(), 0, Some(720)),
            (vec![(0, fi(240))], two(), 20, Some(780)),
            (vec![(0, fi(1))], vec![modem("a", 7)], 0, Some(9)),
            // A later step waits for its time, or for the earlier one's texts.
            (vec![(0, fi(20)), (600_000, fi(20))], two(), 0, Some(660)),
            (vec![(0, fi(240)), (600_000, fi(20))], two(), 0, Some(780)),
            (vec![(0, fi(1))], vec![], 0, None),
            (vec![(0, fi(1))], vec![modem("a", 0)], 0, None),
            (vec![(0, vec![])], vec![], 0, Some(0)),
            // English takes two parts.
            (
                vec![(0, vec![person(Language::english(), 1, 0); 10])],
                two(),
                0,
                Some(60),
            ),
            // Whoever is sent a mail, too, is reached by it.
            (
                vec![(0, vec![person(Language::parse("fi"), 1, 1); 60])],
                vec![mailer(60)],
                0,
                Some(60),
            ),
            (
                vec![(0, vec![person(Language::parse("fi"), 0, 1); 60])],
                vec![modem("a", 60)],
                0,
                None,
            ),
        ] {
            let facts = Facts {
                queued: queued(waiting),
                ..facts(steps, channels)
            };
            let found = estimate(&facts).reached_after_ms;
            assert_eq!(found.map(|ms| ms.div_ceil(1_000)), seconds, "{facts:?}");
        }
    }

    #[test]
    fn parts_and_cost_count_every_text_and_every_round() {
        let people = vec![
            person(Language::english(), 2, 1),
            person(Language::parse("fi"), 1, 0),
            Person::Unreachable,
        ];
        let facts = Facts {
            price: Some(Price {
                micros: 45_000,
                currency: "EUR".to_owned(),
            }),
            ..facts(
                vec![(0, people)],
                vec![modem("a", 10), modem("b", 10), mailer(60)],
            )
        };
        let found = estimate(&facts);
        assert_eq!((found.people, found.unreachable), (3, 1));
        assert_eq!((found.sms, found.sms_parts, found.mails), (3, 5, 1));
        assert_eq!(found.sms_parts_max, 15);
        let cost = found.cost.unwrap();
        assert_eq!((cost.micros, cost.micros_max), (225_000, 675_000));
        assert_eq!(found.warnings, [Warning::Unreachable(1)]);
    }

    #[test]
    fn rings_follow_the_texts_and_share_the_modems() {
        let fi = |count: usize| vec![person(Language::parse("fi"), 1, 0); count];
        for (people, channels, phones, seconds) in [
            (
                fi(10),
                vec![modem("a", 10), modem("b", 10)],
                10,
                Some(30 + 300),
            ),
            (fi(1), vec![modem("a", 10)], 1, Some(6 + 60)),
            (fi(101), vec![modem("a", 10)], 0, None),
            (fi(1), vec![], 1, None),
        ] {
            let found = estimate(&facts(vec![(0, people)], channels));
            assert_eq!(found.phones_rung, phones);
            assert_eq!(found.rung_after_ms.map(|ms| ms.div_ceil(1_000)), seconds);
        }
    }

    #[test]
    fn what_stands_in_the_way_is_said() {
        let one = || vec![person(Language::parse("fi"), 1, 1)];
        let said = |facts: Facts| -> Vec<String> {
            let found = estimate(&facts).warnings;
            found.iter().map(Warning::to_string).collect()
        };
        let steps = || vec![(0, one()), (60_000, vec![])];
        assert_eq!(
            said(facts(steps(), vec![])),
            [
                "step 2 calls nobody",
                "no modem is up: 1 SMS would wait",
                "no mail path is up: 1 mails would wait"
            ]
        );
        let channels = vec![modem("Elisa", 10), modem("Elisa", 10), mailer(60)];
        assert_eq!(
            said(facts(vec![(0, one())], channels)),
            ["every modem that is up hangs on one operator, Elisa"]
        );
        let held = Facts {
            held_back: true,
            ..facts(
                vec![(0, one())],
                vec![modem("a", 1), modem("b", 1), mailer(60)],
            )
        };
        assert_eq!(estimate(&held).reached_after_ms, None);
        assert!(said(held)[0].contains("held back"));
    }

    #[test]
    fn no_number_is_too_large() {
        let crowd = Facts {
            repeats: u16::MAX,
            queued: Queued {
                sms_parts: u64::MAX,
                mails: u64::MAX,
            },
            price: Some(Price {
                micros: u64::MAX,
                currency: "EUR".to_owned(),
            }),
            ..facts(
                vec![(u64::MAX, vec![person(Language::english(), 1, 1)])],
                vec![modem("a", 1), mailer(1)],
            )
        };
        assert_eq!(estimate(&crowd).reached_after_ms, Some(u64::MAX));
    }
}
