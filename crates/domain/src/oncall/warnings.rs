//! What is wrong with a plan ahead of time.

use std::collections::{BTreeMap, BTreeSet};

use super::{Plan, Segment, Shift, SwapRow, SwapState, TooMuch};
use crate::time::CivilTime;

/// Most warnings of one kind; the first ones are enough to act on.
const EACH_MAX: usize = 100;

/// Something to be put right before it is needed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Warning {
    /// Nobody is on call.
    Uncovered { from: CivilTime, to: CivilTime },
    /// Somebody is on call here and in another schedule at the same time.
    DoubleBooked {
        person: String,
        other: String,
        from: CivilTime,
        to: CivilTime,
    },
    /// A person the schedule names does not exist any more.
    PersonRemoved { person: String },
    /// A swap waits for an answer.
    SwapPending {
        number: u64,
        give: String,
        take: String,
        from: CivilTime,
    },
}

/// When nobody is on call who is `known`: those who were removed answer nothing.
pub(crate) fn gaps(
    segments: &[Segment],
    known: impl Fn(&str) -> bool,
) -> Vec<(CivilTime, CivilTime)> {
    let mut gaps: Vec<(CivilTime, CivilTime)> = Vec::new();
    for segment in segments {
        if segment
            .on_call
            .duties
            .iter()
            .any(|duty| known(&duty.person))
        {
            continue;
        }
        match gaps.last_mut() {
            Some(gap) if gap.1 == segment.from => gap.1 = segment.to,
            Some(_) | None => gaps.push((segment.from, segment.to)),
        }
    }
    gaps
}

/// What is wrong with one schedule in a range. `known` holds the keys of people who exist.
pub fn warnings(
    plan: &Plan,
    key: &str,
    (from, to): (CivilTime, CivilTime),
    known: &BTreeMap<String, String>,
    swaps: &[SwapRow],
) -> Result<Vec<Warning>, TooMuch> {
    let mut found = Vec::new();
    let segments = plan.segments(key, from, to)?;
    let gaps = gaps(&segments, |person| known.contains_key(person));
    let gaps = gaps.into_iter().take(EACH_MAX);
    found.extend(gaps.map(|(from, to)| Warning::Uncovered { from, to }));
    found.extend(double_bookings(plan, key, (from, to))?);
    let people = plan.people(key);
    let removed = people
        .into_iter()
        .filter(|person| !known.contains_key(*person));
    found.extend(removed.take(EACH_MAX).map(|person| Warning::PersonRemoved {
        person: person.to_owned(),
    }));
    let open = swaps
        .iter()
        .filter(|row| row.state == SwapState::Proposed)
        .take(EACH_MAX);
    found.extend(open.map(|row| Warning::SwapPending {
        number: row.number,
        give: row.swap.give.person.clone(),
        take: row.swap.take.person.clone(),
        from: row.swap.give.from.min(row.swap.take.from),
    }));
    Ok(found)
}

fn double_bookings(
    plan: &Plan,
    key: &str,
    (from, to): (CivilTime, CivilTime),
) -> Result<Vec<Warning>, TooMuch> {
    let here = plan.shifts(key, from, to)?;
    let people: BTreeSet<&str> = here
        .iter()
        .map(|shift| shift.duty.person.as_str())
        .collect();
    let mut found = Vec::new();
    for other in plan.schedules().map(|schedule| schedule.key.as_str()) {
        let shared = people.iter().any(|person| plan.mentions(other, person));
        if other == key || !shared {
            continue;
        }
        let there = plan.shifts(other, from, to)?;
        // Calls that were sent here or there on purpose are no mistake.
        let own = |shift: &&Shift| shift.redirects.is_empty();
        let mut by_person: BTreeMap<&str, Vec<&Shift>> = BTreeMap::new();
        for shift in there.iter().filter(own) {
            by_person.entry(&shift.duty.person).or_default().push(shift);
        }
        for shift in here.iter().filter(own) {
            let person = shift.duty.person.as_str();
            for also in by_person.get(person).into_iter().flatten() {
                let (from, to) = (shift.from.max(also.from), shift.to.min(also.to));
                if from < to && found.len() < EACH_MAX {
                    found.push(Warning::DoubleBooked {
                        person: person.to_owned(),
                        other: other.to_owned(),
                        from,
                        to,
                    });
                }
            }
        }
    }
    Ok(found)
}
