//! What clients asked and what they were told, and whether one alert that lives in one place could have answered so.
//!
//! Each alert is an object of its own, so each alert's history is checked by itself (linearizability is local). An
//! operation whose answer never came stays open for ever: it may have happened at any later moment, or never. Alerts an
//! island had a hand in have no single order of events by design and are judged after healing instead.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use stateright::semantics::{ConsistencyTester as _, LinearizabilityTester, SequentialSpec};

use crate::world::PEOPLE;

/// What a person can answer.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Word {
    Coming,
    Cannot,
    Received,
    NeedHelp,
}

impl Word {
    pub(crate) const ALL: [Self; 4] = [Self::Coming, Self::Cannot, Self::Received, Self::NeedHelp];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Coming => "coming",
            Self::Cannot => "cannot",
            Self::Received => "received",
            Self::NeedHelp => "need_help",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|word| word.name() == text)
    }
}

/// What a client asks of one alert.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Operation {
    Raise,
    Acknowledge,
    Resolve,
    Answer { person: usize, word: Word },
    Read,
}

/// What it is told.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Told {
    Done,
    /// It was closed already.
    Closed,
    /// There is no such alert.
    Missing,
    /// The person was not called to it (yet).
    NotCalled,
    Seen(Seen),
}

/// The state of an alert as far as clients change it. Answers only of people who do not answer by text.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Seen {
    pub(crate) acknowledged: bool,
    pub(crate) closed: bool,
    pub(crate) answers: [Option<Word>; PEOPLE],
}

/// One operation from question to answer. Times are microseconds since the run began.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Record {
    pub(crate) alert: String,
    pub(crate) operation: Operation,
    pub(crate) asked_us: u64,
    pub(crate) told_us: u64,
    /// `None`: nobody knows.
    pub(crate) told: Option<Told>,
    /// An island gave the answer, or may have.
    pub(crate) island: bool,
    /// Sites that were asked, in order.
    pub(crate) sites: Vec<u8>,
}

/// An alert that lives in one place.
#[derive(Clone, Copy, Debug, Default)]
struct Alert {
    raised: bool,
    seen: Seen,
}

impl SequentialSpec for Alert {
    type Op = Operation;
    type Ret = Told;

    fn invoke(&mut self, operation: &Operation) -> Told {
        if *operation == Operation::Raise {
            self.raised = true;
            return Told::Done;
        }
        if !self.raised {
            return Told::Missing;
        }
        let closed = self.seen.closed;
        match operation {
            Operation::Read => return Told::Seen(self.seen),
            _ if closed => return Told::Closed,
            Operation::Acknowledge => self.seen.acknowledged = true,
            Operation::Resolve => self.seen.closed = true,
            Operation::Answer { person, word } => self.seen.answers[*person] = Some(*word),
            Operation::Raise => {}
        }
        Told::Done
    }

    fn is_valid_step(&mut self, operation: &Operation, told: &Told) -> bool {
        match (operation, told) {
            // Calling people takes a moment after the raise; until then an answer changes nothing.
            (Operation::Answer { .. }, Told::NotCalled) => self.raised,
            // Closing what is closed is as good as closing it.
            (Operation::Resolve, Told::Done) if self.raised => {
                self.seen.closed = true;
                true
            }
            _ => &self.invoke(operation) == told,
        }
    }
}

/// What the check found.
#[derive(Debug, Default)]
pub(crate) struct Checked {
    pub(crate) alerts: usize,
    pub(crate) operations: usize,
    /// Operations without an answer.
    pub(crate) unknown: usize,
    /// Alerts left out because an island had a hand in them.
    pub(crate) islands: usize,
    /// Alerts whose history no order explains, with that history.
    pub(crate) broken: Vec<String>,
}

/// Looks for an order that explains each alert's history.
pub(crate) fn check(records: &[Record]) -> Checked {
    let islands: BTreeSet<&str> = records
        .iter()
        .filter(|record| record.island)
        .map(|record| record.alert.as_str())
        .collect();
    let mut by_alert: BTreeMap<&str, Vec<&Record>> = BTreeMap::new();
    for record in records {
        if !islands.contains(record.alert.as_str()) {
            by_alert.entry(&record.alert).or_default().push(record);
        }
    }
    let mut checked = Checked {
        alerts: by_alert.len(),
        islands: islands.len(),
        ..Checked::default()
    };
    for (alert, records) in by_alert {
        checked.operations += records.len();
        checked.unknown += records.iter().filter(|r| r.told.is_none()).count();
        if !is_explained(&records) {
            let lines: Vec<String> = records.iter().map(|record| line(record)).collect();
            checked.broken.push(format!(
                "no order of events explains what was said about {alert}:\n{}",
                lines.join("\n")
            ));
        }
    }
    checked
}

/// Every operation is a thread of its own: the order of one client's operations shows in their times.
fn is_explained(records: &[&Record]) -> bool {
    let mut events = Vec::new();
    for (thread, record) in records.iter().enumerate() {
        events.push((record.asked_us, 1, thread));
        if record.told.is_some() {
            events.push((record.told_us, 0, thread));
        }
    }
    // An answer and a question in the same microsecond: the answer first would claim an order nobody saw.
    events.sort_by_key(|(at, kind, thread)| (*at, std::cmp::Reverse(*kind), *thread));
    let mut tester = LinearizabilityTester::new(Alert::default());
    for (_, kind, thread) in events {
        let record = records[thread];
        let noted = match (kind, record.told) {
            (0, Some(told)) => tester.on_return(thread, told).map(drop),
            _ => tester.on_invoke(thread, record.operation).map(drop),
        };
        if noted.is_err() {
            return false;
        }
    }
    tester.is_consistent()
}

fn line(record: &Record) -> String {
    let seconds = |us: u64| us as f64 / 1e6;
    let told = record
        .told
        .map_or_else(|| "?".to_owned(), |told| format!("{told:?}"));
    format!(
        "  {:9.3}-{:9.3} s  sites {:?}  {:?} -> {told}",
        seconds(record.asked_us),
        seconds(record.told_us),
        record.sites,
        record.operation
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(from: u64, to: u64, operation: Operation, told: Option<Told>) -> Record {
        Record {
            alert: "a".to_owned(),
            operation,
            asked_us: from,
            told_us: to,
            told,
            island: false,
            sites: vec![1],
        }
    }

    fn says(word: Word) -> Operation {
        Operation::Answer { person: 5, word }
    }

    fn saw(word: Option<Word>) -> Option<Told> {
        let mut seen = Seen::default();
        seen.answers[5] = word;
        Some(Told::Seen(seen))
    }

    fn broken(records: &[Record]) -> usize {
        check(records).broken.len()
    }

    #[test]
    fn a_read_after_an_answer_must_see_it() {
        let done = Some(Told::Done);
        let mut records = vec![
            record(0, 10, Operation::Raise, done),
            record(20, 30, says(Word::Coming), done),
            record(40, 50, Operation::Read, saw(Some(Word::Coming))),
        ];
        assert_eq!(broken(&records), 0);
        records.push(record(60, 70, Operation::Read, saw(None)));
        assert_eq!(broken(&records), 1);
    }

    #[test]
    fn an_unknown_answer_may_be_seen_late_or_never_but_not_come_and_go() {
        let done = Some(Told::Done);
        let mut records = vec![
            record(0, 10, Operation::Raise, done),
            record(20, 30, says(Word::Cannot), None),
            record(40, 50, Operation::Read, saw(None)),
            record(60, 70, Operation::Read, saw(Some(Word::Cannot))),
        ];
        assert_eq!(broken(&records), 0);
        assert_eq!(check(&records).unknown, 1);
        records.push(record(80, 90, Operation::Read, saw(None)));
        assert_eq!(broken(&records), 1);
    }

    #[test]
    fn an_accepted_alert_that_is_missing_is_found() {
        let records = [
            record(0, 10, Operation::Raise, Some(Told::Done)),
            record(20, 30, Operation::Read, Some(Told::Missing)),
        ];
        assert_eq!(broken(&records), 1);
    }

    #[test]
    fn overlapping_answers_may_come_in_either_order() {
        let done = Some(Told::Done);
        for last in [Word::Coming, Word::Cannot] {
            let records = [
                record(0, 10, Operation::Raise, done),
                record(20, 60, says(Word::Coming), done),
                record(30, 50, says(Word::Cannot), done),
                record(70, 80, Operation::Read, saw(Some(last))),
            ];
            assert_eq!(broken(&records), 0);
        }
    }

    #[test]
    fn what_an_island_had_a_hand_in_is_left_to_the_judgement_after_healing() {
        let mut records = vec![
            record(0, 10, Operation::Raise, Some(Told::Done)),
            record(20, 30, Operation::Read, Some(Told::Missing)),
        ];
        records[0].island = true;
        let checked = check(&records);
        assert_eq!((checked.islands, checked.broken.len()), (1, 0));
    }
}
