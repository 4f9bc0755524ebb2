//! A node by itself, as the cluster crate lets it be: a fork of the state that only it writes, a journal of facts that
//! outlives the process, gossip among those cut off together, and handing over once a majority answers (DESIGN 4.4).
//! What is applied and joined is the domain's own; only when to enter, heal and leave is modelled here.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::islands::{self, Fact};
use domain::nodes::Fork;
use domain::ports::{Committed, Durability, Island, LEASE};
use domain::{
    Actor, Command, Envelope, LeaderStamp, LogEntry, NodeId, Outcome, Refusal, RequestId, Timestamp,
};

use super::order::Handed;
use super::replica::{SharedOrder, locked};
use super::state::NodeState;

/// Without a majority for this long a node works by itself (DESIGN D1, profile `lan`).
pub const ISLAND_AFTER: Duration = Duration::from_secs(10);

/// A majority must have answered for this long before an island is left.
const STABLE: Duration = Duration::from_secs(3);

/// Leaderships of forks, above any term of the common log.
const FORK_TERMS: u64 = 1 << 62;

/// What outlives the process: facts not yet handed over, by origin and in order, and the stay they belong to.
#[derive(Debug, Default)]
struct Kept {
    rows: Vec<(NodeId, u64, Fact)>,
    /// Last place known of each origin's facts, handed over or not.
    seen: BTreeMap<NodeId, u64>,
    stay: Option<Stay>,
    /// Every fact this node ever made, for the invariants.
    ever: Vec<Fact>,
}

#[derive(Clone, Copy, Debug)]
struct Stay {
    entered_at: Timestamp,
    tail: u64,
}

/// A fork in use.
struct Isle {
    mark: Fork,
    stamp: LeaderStamp,
    began: Duration,
    state: Arc<NodeState>,
    healing: AtomicBool,
}

#[derive(Debug, Default)]
struct Watch {
    failing: Option<Duration>,
    answering: Option<Duration>,
}

/// See the module's documentation.
pub struct Islander {
    id: NodeId,
    order: SharedOrder,
    common: Arc<NodeState>,
    isle: Mutex<Option<Arc<Isle>>>,
    kept: Mutex<Kept>,
    watch: Mutex<Watch>,
    enabled: AtomicBool,
    /// A planted bug: facts of answers are not journalled.
    loses_answers: AtomicBool,
}

impl Islander {
    pub(super) fn new(id: NodeId, order: SharedOrder, common: Arc<NodeState>) -> Self {
        Self {
            id,
            order,
            common,
            isle: Mutex::default(),
            kept: Mutex::default(),
            watch: Mutex::default(),
            enabled: AtomicBool::new(false),
            loses_answers: AtomicBool::new(false),
        }
    }

    /// From now on this node works by itself when it must.
    pub fn enable(&self) {
        self.enabled.store(true, Ordering::SeqCst);
    }

    pub fn plant_lost_answers(&self) {
        self.loses_answers.store(true, Ordering::SeqCst);
    }

    pub fn is_alone(&self) -> bool {
        self.isle().is_some()
    }

    /// Nothing is left to hand over, and the node is one of the cluster.
    pub fn is_healed(&self) -> bool {
        self.isle().is_none() && held(&self.kept).rows.is_empty()
    }

    /// Every fact this node ever made.
    pub fn ever(&self) -> Vec<Fact> {
        held(&self.kept).ever.clone()
    }

    /// The state its loops see: the fork's while there is one.
    pub(super) fn state(&self) -> Option<Arc<NodeState>> {
        self.isle().map(|isle| isle.state.clone())
    }

    /// What the loops are told of it.
    pub(super) fn described(&self) -> Option<Island> {
        let isle = self.isle()?;
        let order = locked(&self.order);
        Some(Island {
            letter: isle.mark.letters(),
            site: isle.mark.site.clone(),
            since: isle.mark.entered_at,
            healing: isle.healing.load(Ordering::SeqCst),
            fellows: order
                .members()
                .into_iter()
                .filter(|other| order.talk(self.id, *other))
                .collect(),
            waiting: held(&self.kept).rows.len() as u64,
        })
    }

    /// The fork's own leadership and its age, unless it is healing.
    pub(super) fn leading(&self) -> Option<Option<(LeaderStamp, Duration)>> {
        let isle = self.isle()?;
        let boot = locked(&self.order).boot(self.id);
        let leads = !isle.healing.load(Ordering::SeqCst);
        Some(leads.then(|| (isle.stamp, boot.saturating_sub(isle.began))))
    }

    /// How long a send may start by the node's own leave; `None`: ask the leader.
    pub(super) fn own_lease(&self) -> Option<Duration> {
        let isle = self.isle()?;
        let boot = locked(&self.order).boot(self.id);
        (!isle.healing.load(Ordering::SeqCst)).then(|| boot + LEASE)
    }

    /// Applies a command on the fork, its facts journalled first.
    pub(super) async fn commit(&self, envelope: Envelope) -> Option<Committed> {
        let isle = self.isle()?;
        let index = isle.state.applied() + 1;
        let outcome = match islands::safe(&envelope.command) {
            Err(refusal) => Outcome::Refused(refusal),
            Ok(()) => {
                let entry = LogEntry {
                    index,
                    leader: isle.stamp,
                    envelope,
                };
                let stale = entry
                    .envelope
                    .decided_under
                    .is_some_and(|decided| decided != isle.stamp);
                if stale {
                    Outcome::Refused(Refusal::StaleLeadership)
                } else {
                    self.write(&isle, &entry, true).await
                }
            }
        };
        let stamp = isle.state.stamp().await;
        locked(&self.order).observe(self.id, stamp);
        Some(Committed {
            index,
            outcome,
            durability: Durability::Island,
        })
    }

    /// The process died: the fork is a cache and gone, the journal is not.
    pub(super) fn crash(&self) {
        *held(&self.isle) = None;
        *held(&self.watch) = Watch::default();
    }

    /// Enters, heals and leaves as the majority comes and goes.
    pub(super) async fn tend(&self) {
        if !self.enabled.load(Ordering::SeqCst) {
            return;
        }
        let (boot, answers) = {
            let order = locked(&self.order);
            (order.boot(self.id), order.answers(self.id))
        };
        let Some(isle) = self.isle() else {
            let journalled = !held(&self.kept).rows.is_empty();
            let failing = {
                let mut watch = held(&self.watch);
                if answers {
                    watch.failing = None;
                    None
                } else {
                    Some(*watch.failing.get_or_insert(boot))
                }
            };
            let alone = failing.is_some_and(|since| boot.saturating_sub(since) >= ISLAND_AFTER);
            if alone || journalled {
                self.enter(boot, answers).await;
            }
            return;
        };
        isle.healing.store(answers, Ordering::SeqCst);
        let since = {
            let mut watch = held(&self.watch);
            watch.failing = None;
            if !answers {
                watch.answering = None;
                return;
            }
            *watch.answering.get_or_insert(boot)
        };
        if boot.saturating_sub(since) >= STABLE {
            self.hand_over().await;
        }
    }

    /// Takes over what a fellow islander knows and this one does not.
    pub(super) async fn hear(&self, fellow: &Self) {
        let Some(isle) = self.isle() else { return };
        if fellow.isle().is_none() {
            return;
        }
        let news: Vec<(NodeId, u64, Fact)> = {
            let own = held(&self.kept).seen.clone();
            let known = |origin| own.get(origin).copied().unwrap_or(0);
            let theirs = held(&fellow.kept);
            let rows = theirs.rows.iter();
            rows.filter(|(origin, seq, _)| *origin != self.id && *seq > known(origin))
                .cloned()
                .collect()
        };
        if news.is_empty() {
            return;
        }
        let now = locked(&self.order).now(self.id);
        let mut tx = isle.state.begin().await;
        for (origin, _, fact) in &news {
            islands::apply_facts(&mut tx, now, *origin, std::slice::from_ref(fact))
                .await
                .expect("memory does not fail");
        }
        {
            let mut kept = held(&self.kept);
            for (origin, seq, fact) in news {
                kept.seen.insert(origin, seq);
                kept.rows.push((origin, seq, fact));
            }
        }
        tx.commit().await.expect("memory does not fail");
        isle.state.advance();
    }

    fn isle(&self) -> Option<Arc<Isle>> {
        held(&self.isle).clone()
    }

    async fn enter(&self, boot: Duration, healing: bool) {
        let state = self.common.fork().await;
        let base = self.common.applied();
        let now = locked(&self.order).now(self.id);
        let stay = *held(&self.kept).stay.get_or_insert(Stay {
            entered_at: now,
            tail: base,
        });
        let mark = Fork {
            node: self.id,
            site: format!("site-{}", self.id),
            entered_at: stay.entered_at,
            base,
        };
        let mut tx = state.begin().await;
        islands::enter(&mut tx, &mark)
            .await
            .expect("memory does not fail");
        tx.commit().await.expect("memory does not fail");
        let isle = Arc::new(Isle {
            stamp: LeaderStamp {
                term: FORK_TERMS + now.0.cast_unsigned(),
                node: self.id,
            },
            mark,
            began: boot,
            state,
            healing: AtomicBool::new(healing),
        });
        // D2: what the log holds beyond the applied entries may be cut off it when the others come back.
        let tail = locked(&self.order).tail_after(self.id, base);
        let entries: Vec<LogEntry> = tail.iter().filter_map(|item| item.entry()).collect();
        for entry in entries.iter().filter(|entry| entry.index <= stay.tail) {
            self.write(&isle, entry, false).await;
        }
        self.replay(&isle, now).await;
        for entry in entries.iter().filter(|entry| entry.index > stay.tail) {
            self.write(&isle, entry, true).await;
        }
        let last = entries.last().map_or(stay.tail, |entry| entry.index);
        held(&self.kept).stay = Some(Stay {
            tail: stay.tail.max(last),
            ..stay
        });
        *held(&self.isle) = Some(isle);
        self.common.changed();
    }

    async fn replay(&self, isle: &Isle, now: Timestamp) {
        let rows = held(&self.kept).rows.clone();
        let mut tx = isle.state.begin().await;
        for (origin, _, fact) in rows {
            islands::apply_facts(&mut tx, now, origin, &[fact])
                .await
                .expect("memory does not fail");
        }
        tx.commit().await.expect("memory does not fail");
    }

    async fn write(&self, isle: &Isle, entry: &LogEntry, journal: bool) -> Outcome {
        let mut tx = isle.state.begin().await;
        let (outcome, facts) = islands::apply_on_island(&mut tx, entry)
            .await
            .expect("memory does not fail");
        if journal {
            let mut kept = held(&self.kept);
            for fact in facts {
                if self.loses_answers.load(Ordering::SeqCst) && matches!(fact, Fact::Call(_)) {
                    kept.ever.push(fact);
                    continue;
                }
                let last = kept.seen.entry(self.id).or_default();
                *last += 1;
                let seq = *last;
                kept.ever.push(fact.clone());
                kept.rows.push((self.id, seq, fact));
            }
        }
        tx.commit().await.expect("memory does not fail");
        isle.state.advance();
        outcome
    }

    /// Brings the journal into the common log, own facts first; leaves the island when nothing is left.
    async fn hand_over(&self) {
        loop {
            let mut rows = held(&self.kept).rows.clone();
            rows.sort_by_key(|(origin, seq, _)| (*origin != self.id, *origin, *seq));
            let Some((origin, ..)) = rows.first().cloned() else {
                break;
            };
            let facts: Vec<Fact> = rows
                .iter()
                .filter(|(from, ..)| *from == origin)
                .map(|(.., fact)| fact.clone())
                .collect();
            let batch = islands::batches(facts)
                .into_iter()
                .next()
                .unwrap_or_default();
            let last = rows[batch.len() - 1].1;
            if !self.merge(origin, last, batch).await {
                return;
            }
            held(&self.kept)
                .rows
                .retain(|(from, seq, _)| *from != origin || *seq > last);
        }
        *held(&self.isle) = None;
        held(&self.kept).stay = None;
        *held(&self.watch) = Watch::default();
        self.common.changed();
    }

    async fn merge(&self, origin: NodeId, last: u64, facts: Vec<Fact>) -> bool {
        let issued_at = locked(&self.order).now(self.id);
        let mut seed = [0; 16];
        seed[..8].copy_from_slice(&origin.0.to_be_bytes());
        seed[8..].copy_from_slice(&issued_at.0.to_be_bytes());
        let envelope = Envelope {
            request: RequestId::derive(&[
                b"merge",
                &self.id.0.to_be_bytes(),
                &origin.0.to_be_bytes(),
                &last.to_be_bytes(),
            ]),
            issued_at,
            issued_by: self.id,
            seed,
            body: [0; 32],
            actor: Actor::Loop,
            decided_under: None,
            command: Command::Islands(islands::Command::Merge { origin, facts }),
        };
        let handed = locked(&self.order).hand_in(self.id, envelope);
        let Handed::Committed(index) = handed else {
            return false;
        };
        let items = locked(&self.order).agreed_after(self.id, self.common.applied());
        let outcomes = self.common.apply(&items).await;
        let outcome = outcomes.into_iter().find(|(at, _)| *at == index);
        matches!(outcome, Some((_, Outcome::Applied(_) | Outcome::Unchanged)))
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
