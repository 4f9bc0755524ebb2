//! Who sees everything: what was settled and answered, against a plain model of what should have been. The first promise
//! found broken ends the run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cluster::types::{LeaderId, LogId, Record};
use domain::{Command, Outcome, RequestId, recipients};
use sha2::{Digest as _, Sha256};

use crate::run::Rows;

/// A cut-off node may answer what was under way for so long.
const GRACE: Duration = Duration::from_millis(200);

/// A promise broken.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Violation {
    /// Which of the invariants in the README.
    pub invariant: &'static str,
    /// Simulated time.
    pub at: Duration,
    pub what: String,
}

/// Shared by all nodes, clients and the run. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Witness(Arc<Mutex<Seen>>);

#[derive(Default)]
struct Seen {
    now: Duration,
    trace: Vec<String>,
    violation: Option<Violation>,
    settled: BTreeMap<u64, Settled>,
    /// Where each request was settled first.
    first: BTreeMap<RequestId, u64>,
    /// Each register's values and the index from which each holds.
    values: BTreeMap<String, Vec<(u64, String)>>,
    position: BTreeMap<u64, u64>,
    outcomes: BTreeMap<RequestId, Outcome>,
    promised: BTreeSet<RequestId>,
    /// Everything up to here has been answered to somebody.
    answered: u64,
    leaderships: BTreeMap<(u64, u64), u32>,
    alone: BTreeMap<u64, Duration>,
    counts: Counts,
}

/// How much happened.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counts {
    pub written: u64,
    pub read: u64,
    pub unknown: u64,
    pub repeats: u64,
    pub installs: u64,
    pub leaderships: u64,
    pub settled: u64,
}

#[derive(Debug)]
struct Settled {
    id: LogId,
    digest: [u8; 32],
}

impl Witness {
    pub(crate) fn now(&self) -> Duration {
        self.seen().now
    }

    pub(crate) fn set_now(&self, now: Duration) {
        self.seen().now = now;
    }

    pub(crate) fn violation(&self) -> Option<Violation> {
        self.seen().violation.clone()
    }

    pub(crate) fn counts(&self) -> Counts {
        let seen = self.seen();
        Counts {
            leaderships: seen.leaderships.len() as u64,
            settled: seen.settled.len() as u64,
            ..seen.counts
        }
    }

    pub(crate) fn trace(&self) -> Vec<String> {
        self.seen().trace.clone()
    }

    pub(crate) fn note(&self, line: &str) {
        self.seen().note(line);
    }

    pub(crate) fn broken(&self, invariant: &'static str, what: String) {
        self.seen().broken(invariant, what);
    }

    /// A node applies these entries: a majority has them, so they are what they are for ever.
    pub(crate) fn applied(&self, node: u64, entries: &[(LogId, Option<Record>)]) {
        let mut seen = self.seen();
        for (id, record) in entries {
            let before = seen.position.insert(node, id.index);
            if before.is_some_and(|before| id.index != before + 1) {
                let what = format!("n{node} applied {} after {before:?}", id.index);
                seen.broken("applied_once", what);
            }
            seen.settle(node, *id, record.as_ref());
        }
        if let Some((last, _)) = entries.last() {
            let line = format!("n{node} applied to {} ({})", last.index, last.leader_id);
            seen.note(&line);
        }
    }

    /// A node took over a snapshot.
    pub(crate) fn installed(&self, node: u64, last: Option<LogId>) {
        let mut seen = self.seen();
        seen.counts.installs += 1;
        let index = last.map_or(0, |id| id.index);
        seen.position.insert(node, index);
        if let (Some(last), Some(known)) = (last, seen.settled.get(&index))
            && known.id != last
        {
            let what = format!("n{node} installed {last}, settled was {}", known.id);
            seen.broken("log_matches", what);
        }
        let line = format!("n{node} installed a snapshot up to {index}");
        seen.note(&line);
    }

    /// A node starts from its files, which stand here.
    pub(crate) fn starts(&self, node: u64, applied: Option<LogId>) {
        let mut seen = self.seen();
        match applied {
            Some(id) => seen.position.insert(node, id.index),
            None => seen.position.remove(&node),
        };
        let line = format!("n{node} starts at {}", applied.map_or(0, |id| id.index));
        seen.note(&line);
    }

    /// A node says that it leads. `missing` is what is settled and its log lacks.
    pub(crate) fn leads(&self, node: u64, life: u32, id: LeaderId) -> bool {
        let mut seen = self.seen();
        match seen.leaderships.insert((id.term, id.node_id), life) {
            None => {
                let line = format!("n{node} leads as {id}");
                seen.note(&line);
                true
            }
            Some(before) if before == life && id.node_id == node => false,
            Some(before) => {
                let what =
                    format!("{id} led in life {before}, and again in life {life} of n{node}");
                seen.broken("one_leader", what);
                false
            }
        }
    }

    /// What was settled, by index.
    pub(crate) fn settled_ids(&self) -> BTreeMap<u64, LogId> {
        self.seen()
            .settled
            .iter()
            .map(|(index, settled)| (*index, settled.id))
            .collect()
    }

    /// These nodes hear nobody and nobody hears them.
    pub(crate) fn set_alone(&self, nodes: &BTreeSet<u64>) {
        let mut seen = self.seen();
        let now = seen.now;
        seen.alone.retain(|node, _| nodes.contains(node));
        for node in nodes {
            seen.alone.entry(*node).or_insert(now);
        }
    }

    /// How far a read that starts now must see.
    pub(crate) fn floor(&self) -> u64 {
        self.seen().answered
    }

    /// A client was told that its write is replicated.
    pub(crate) fn acknowledged(
        &self,
        node: u64,
        request: RequestId,
        index: Option<u64>,
        outcome: &Outcome,
        asked_at: Duration,
    ) {
        let mut seen = self.seen();
        seen.counts.written += 1;
        seen.promised.insert(request);
        let line = format!("n{node} acknowledges {index:?}");
        seen.note(&line);
        if let Some(index) = index
            && seen.first.get(&request).is_none_or(|first| *first > index)
        {
            let first = seen.first.get(&request).copied();
            let what = format!("n{node} acknowledged {index}, settled was {first:?}");
            seen.broken("committed_stays", what);
        }
        let first = seen
            .outcomes
            .entry(request)
            .or_insert_with(|| outcome.clone())
            .clone();
        if first != *outcome || !matches!(outcome, Outcome::Applied(_)) {
            let what = format!("one request answered {first:?} and {outcome:?}");
            seen.broken("applied_once", what);
        }
        seen.alone_is_silent(node, asked_at, "acknowledged a write");
        seen.answered = seen.answered.max(index.unwrap_or(0));
    }

    /// A client was told what a register holds, by a node that had applied `index`.
    pub(crate) fn answered(
        &self,
        node: u64,
        key: &str,
        index: u64,
        value: &str,
        floor: u64,
        asked_at: Duration,
    ) {
        let mut seen = self.seen();
        seen.counts.read += 1;
        if index < floor {
            let what = format!("n{node} read {key} at {index}, {floor} was answered before");
            seen.broken("reads_are_fresh", what);
        }
        let expected = seen.value_at(key, index);
        if expected != value {
            let what = format!("n{node} read {key} = {value} at {index}, should be {expected}");
            seen.broken("applied_once", what);
        }
        seen.alone_is_silent(node, asked_at, "answered a read");
        seen.answered = seen.answered.max(index);
    }

    pub(crate) fn count(&self, what: impl FnOnce(&mut Counts)) {
        what(&mut self.seen().counts);
    }

    /// Once all is over: nothing that was acknowledged is missing.
    pub(crate) fn nothing_is_missing(&self) {
        let mut seen = self.seen();
        let missing = seen.promised.iter();
        let missing = missing
            .filter(|request| !seen.first.contains_key(request))
            .count();
        if missing > 0 {
            let what = format!("{missing} acknowledged writes are nowhere");
            seen.broken("committed_stays", what);
        }
    }

    /// What every register should hold on a node that has applied `index`, and how many requests it should remember.
    pub(crate) fn expected_at(&self, index: u64) -> Rows {
        let seen = self.seen();
        let values = seen
            .values
            .keys()
            .map(|key| (key.clone(), seen.value_at(key, index)));
        let values = values.filter(|(_, value)| !value.is_empty()).collect();
        let requests = seen.first.values().filter(|first| **first <= index);
        (values, requests.count() as u64)
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    fn note(&mut self, line: &str) {
        let at = self.now.as_secs_f64();
        self.trace.push(format!("{at:8.3} {line}"));
    }

    fn broken(&mut self, invariant: &'static str, what: String) {
        self.note(&format!("BROKEN {invariant}: {what}"));
        let at = self.now;
        self.violation.get_or_insert(Violation {
            invariant,
            at,
            what,
        });
    }

    fn settle(&mut self, node: u64, id: LogId, record: Option<&Record>) {
        let digest = Sha256::digest(record.map_or(&[][..], Record::as_bytes)).into();
        if let Some(known) = self.settled.get(&id.index) {
            if known.id != id || known.digest != digest {
                let what = format!("n{node} applied {id}, settled was {}", known.id);
                self.broken("log_matches", what);
            }
            return;
        }
        let last = self.settled.last_key_value().map(|(index, _)| *index);
        if last.is_some_and(|last| id.index != last + 1) {
            self.broken(
                "committed_stays",
                format!("{id} follows {last:?} on n{node}"),
            );
        }
        self.settled.insert(id.index, Settled { id, digest });
        let Some(envelope) = record.and_then(|record| record.decode().ok()) else {
            return;
        };
        let Command::Recipients(recipients::Command::PutPeople { people }) = envelope.command
        else {
            return;
        };
        if self.first.contains_key(&envelope.request) {
            self.counts.repeats += 1;
            return;
        }
        self.first.insert(envelope.request, id.index);
        for person in people {
            self.values
                .entry(person.key)
                .or_default()
                .push((id.index, person.name));
        }
    }

    fn value_at(&self, key: &str, index: u64) -> String {
        let values = self.values.get(key).map_or(&[][..], Vec::as_slice);
        let after = values.partition_point(|(from, _)| *from <= index);
        after
            .checked_sub(1)
            .map_or(String::new(), |at| values[at].1.clone())
    }

    fn alone_is_silent(&mut self, node: u64, asked_at: Duration, did: &str) {
        if let Some(since) = self.alone.get(&node)
            && asked_at > *since + GRACE
        {
            let what = format!("n{node}, alone since {since:?}, {did} asked at {asked_at:?}");
            self.broken("alone_is_silent", what);
        }
    }
}
