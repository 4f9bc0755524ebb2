//! Is a member who it says it is, and is it the only one? (SECURITY T-23, T-24.)
//!
//! Every second each node tells every other one which start of which copy of itself it is and how far its log reaches.
//! Two live copies of one identity, and a node on an old copy of its disk, are recognised by the others, told, and stop
//! for good. Until the others have looked at it, a node that just started takes no part in consensus.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::{NodeId, Timestamp, codec};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::identity::{Identity, verify_signature};
use crate::replica::Core;
use crate::retired::{Retired, Why};
use crate::rpc::{Kind, PeerTransport as _};
use crate::store::node_db::{NodeDb, NodeDbError};

/// How often a node shows itself.
const PERIOD: Duration = Duration::from_secs(1);
/// How often what is known of the others, and of oneself, is stored.
const KEEP_PERIOD: Duration = Duration::from_secs(5);
/// A start older than the newest one may still be heard for this long: its last words were under way.
const STRAY_TIME: Duration = Duration::from_secs(1);
/// So many words of an older start after that mean that it lives.
const STRAYS: u32 = 2;
/// A copy heard within this time is alive.
const ALIVE: Duration = Duration::from_secs(5);

/// A start that seems to lack what it had confirmed is asked again for this long: its words may be older than what is
/// known of it by now. Longer than any of them is under way.
const DOUBT_TIME: Duration = Duration::from_secs(6);

const BOOTS: &str = "boots";
const PEERS: &str = "peers";
const MEMO: &str = "memo";

/// What a node says of itself.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub(crate) struct Hello {
    pub(crate) epoch: u32,
    /// Counts the starts on these files.
    pub(crate) boot: u64,
    /// Drawn at this start.
    pub(crate) instance: [u8; 16],
    /// Last log index it has.
    pub(crate) has: u64,
    /// It leads.
    pub(crate) leads: bool,
    /// By a leader: the committed log index each member has confirmed.
    pub(crate) confirmed: Vec<(u64, u64)>,
    /// Cluster time as it reckons it. A node whose machine was off knows only the last stamp it applied, and could lead
    /// before it applies another.
    pub(crate) now: Timestamp,
}

/// What the other one makes of it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub(crate) enum Verdict {
    /// Nothing wrong; and the same about itself.
    Fine(Hello),
    Twin,
    OldCopy {
        confirmed: u64,
    },
    /// It seems to lack what it had confirmed; it says so again, or not, with its next words.
    Doubt,
}

/// What is known of one member.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Kept {
    boot: u64,
    instance: [u8; 16],
    confirmed: u64,
}

#[derive(Debug, Default)]
struct Known {
    kept: Kept,
    adopted: Option<Instant>,
    heard: Option<Instant>,
    strays: u32,
    doubt: Option<Doubt>,
    wrong: Option<Wrong>,
}

/// A start that seemed to be on an old copy, since when, and what it lacked then.
#[derive(Debug)]
struct Doubt {
    instance: [u8; 16],
    since: Instant,
    confirmed: u64,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Wrong {
    Twin,
    OldCopy {
        confirmed: u64,
        has: u64,
    },
    /// Perhaps on an old copy: not sure yet.
    Doubtful,
}

/// This start of this node, and what it knows of the others.
pub(crate) struct Presence {
    boot: u64,
    instance: [u8; 16],
    known: Mutex<BTreeMap<u64, Known>>,
    cleared: AtomicBool,
}

/// Signed by the node itself: how far it had come. Its log must never be behind.
#[derive(Debug, Serialize, Deserialize)]
struct Memo {
    epoch: u32,
    node: u64,
    index: u64,
    term: u64,
}

impl Presence {
    /// Counts this start, durably, before anybody hears of it.
    pub(crate) async fn begin(node_db: &NodeDb) -> Result<Self, NodeDbError> {
        let before = node_db.fact(BOOTS).await?;
        let before = before.and_then(|bytes| codec::decode::<u64>(&bytes).ok());
        let boot = before.unwrap_or(0) + 1;
        if let Ok(bytes) = codec::encode(&boot) {
            node_db.set_facts(&[(BOOTS, &bytes)]).await?;
        }
        let kept = node_db.fact(PEERS).await?;
        let kept: Vec<(u64, Kept)> = kept
            .and_then(|bytes| codec::decode(&bytes).ok())
            .unwrap_or_default();
        let known = kept.into_iter().map(|(id, kept)| {
            let known = Known {
                kept,
                ..Known::default()
            };
            (id, known)
        });
        Ok(Self {
            boot,
            instance: rand::random(),
            known: Mutex::new(known.collect()),
            cleared: AtomicBool::new(false),
        })
    }

    /// The others have looked at this node, or cannot: it may take part.
    pub(crate) fn cleared(&self) -> bool {
        self.cleared.load(Ordering::Acquire)
    }

    /// Why nothing of `node` is listened to, if so.
    pub(crate) fn shut_out(&self, node: NodeId) -> Option<String> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let wrong = known.get(&node.0)?.wrong?;
        Some(words(node, wrong))
    }

    /// What people must look at.
    pub(crate) fn alarms(&self) -> Vec<String> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known
            .iter()
            .filter_map(|(id, known)| Some(words(NodeId(*id), known.wrong?)))
            .collect()
    }

    /// Judges what `from` says of itself.
    fn judge(&self, from: NodeId, hello: &Hello, now: Instant) -> Option<Wrong> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        for (id, index) in &hello.confirmed {
            let kept = &mut known.entry(*id).or_default().kept;
            kept.confirmed = kept.confirmed.max(*index);
        }
        let known = known.entry(from.0).or_default();
        if known.wrong.is_some() {
            return known.wrong;
        }
        // Only its own words clear a start of doubt: those of a twin that lacks nothing do not.
        let doubted = |doubt: &Doubt| doubt.instance == hello.instance;
        if hello.has >= known.kept.confirmed && known.doubt.as_ref().is_some_and(doubted) {
            known.doubt = None;
        }
        let same = hello.instance == known.kept.instance;
        let alive = known.heard.is_some_and(|at| now - at < ALIVE);
        let adopt = |known: &mut Known| {
            known.kept.boot = hello.boot;
            known.kept.instance = hello.instance;
            known.adopted = Some(now);
            known.strays = 0;
        };
        // Whatever else is wrong with it: it lacks what it had confirmed. Words of a start that was looked at before are only
        // old, an old copy begins with a start of its own.
        if hello.has < known.kept.confirmed && !same {
            let doubt = known.doubt.take().filter(doubted);
            let doubt = doubt.unwrap_or(Doubt {
                instance: hello.instance,
                since: now,
                confirmed: known.kept.confirmed,
            });
            let sure = now - doubt.since >= DOUBT_TIME && hello.has < doubt.confirmed;
            known.doubt = Some(doubt);
            if !sure {
                return Some(Wrong::Doubtful);
            }
            known.wrong = Some(if alive {
                Wrong::Twin
            } else {
                Wrong::OldCopy {
                    confirmed: known.kept.confirmed,
                    has: hello.has,
                }
            });
        } else if hello.boot > known.kept.boot {
            adopt(known);
        } else if !same && hello.boot == known.kept.boot {
            // One start is counted once: these files were copied.
            known.wrong = Some(Wrong::Twin);
        } else if !same && alive {
            let settled = known.adopted.is_some_and(|at| now - at > STRAY_TIME);
            known.strays += u32::from(settled);
            if known.strays >= STRAYS {
                known.wrong = Some(Wrong::Twin);
            }
            return known.wrong;
        } else if !same {
            tracing::warn!(node = %from, "a node counts its starts anew; was its node.db replaced?");
            adopt(known);
        }
        known.heard = Some(now);
        if let Some(wrong) = known.wrong {
            tracing::error!(reason = words(from, wrong), "a node is shut out");
        }
        known.wrong
    }

    /// As the leader: what each member has confirmed.
    fn note(&self, confirmed: &[(u64, u64)]) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        for (id, index) in confirmed {
            let kept = &mut known.entry(*id).or_default().kept;
            kept.confirmed = kept.confirmed.max(*index);
        }
    }

    fn kept(&self) -> Vec<(u64, Kept)> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known
            .iter()
            .map(|(id, known)| (*id, known.kept.clone()))
            .collect()
    }
}

fn words(node: NodeId, wrong: Wrong) -> String {
    match wrong {
        Wrong::Twin => format!(
            "the identity of {node} is alive in two places (a cloned disk or machine); both are stopped: \
             `holdfast cluster remove {node}`, then join a fresh node"
        ),
        Wrong::OldCopy { confirmed, has } => format!(
            "{node} runs on an old copy of its files: it had confirmed log entry {confirmed} and now holds up to {has}; \
             it is stopped: `holdfast cluster remove {node}`, then join a fresh node"
        ),
        Wrong::Doubtful => format!("{node} may run on an old copy of its files"),
    }
}

/// Answers a member's hello.
pub(crate) fn answer(core: &Core, from: NodeId, body: &[u8]) -> Result<Vec<u8>, String> {
    let hello: Hello = codec::decode(body).map_err(|e| e.to_string())?;
    let verdict = match core.presence.judge(from, &hello, Instant::now()) {
        None => {
            core.time.observe(hello.now);
            Verdict::Fine(own_hello(core))
        }
        Some(Wrong::Twin) => Verdict::Twin,
        Some(Wrong::OldCopy { confirmed, .. }) => Verdict::OldCopy { confirmed },
        Some(Wrong::Doubtful) => Verdict::Doubt,
    };
    codec::encode(&verdict).map_err(|e| e.to_string())
}

fn own_hello(core: &Core) -> Hello {
    let metrics = core.metrics();
    let leads = core.leader() == Some(core.node);
    let applied = metrics.last_applied.map_or(0, |id| id.index);
    let confirmed: Vec<(u64, u64)> = metrics
        .replication
        .filter(|_| leads)
        .into_iter()
        .flatten()
        .filter(|(id, _)| *id != core.node.0)
        .filter_map(|(id, matched)| Some((id, matched?.index.min(applied))))
        .collect();
    core.presence.note(&confirmed);
    Hello {
        epoch: core.identity.epoch(),
        boot: core.presence.boot,
        instance: core.presence.instance,
        has: metrics.last_log_index.unwrap_or(0),
        leads,
        confirmed,
        now: core.time.now(),
    }
}

/// Shows this node to the others and stores what is known, until stopped.
pub(crate) async fn keep(core: Arc<Core>, node_db: Arc<NodeDb>, stop: CancellationToken) {
    // Whoever has not answered by then is down, or hears us no better later.
    let patience = Duration::from_secs(1) + core.timing.initial_rtt * 4;
    let mut stored = Instant::now();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = show(&core, patience) => {}
        }
        if stored.elapsed() > KEEP_PERIOD {
            stored = Instant::now();
            store(&core, &node_db).await;
        }
        let pause = if core.presence.cleared() {
            PERIOD
        } else {
            Duration::from_millis(100)
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(pause) => {}
        }
    }
}

/// One round. Clears this node as soon as the leader, or enough others, found nothing wrong.
async fn show(core: &Core, patience: Duration) {
    let hello = own_hello(core);
    let Ok(body) = codec::encode(&hello) else {
        return;
    };
    let peers = core.transport.pins().peers();
    let others: Vec<u64> = peers.into_keys().filter(|id| *id != core.node.0).collect();
    let body = &body;
    let asked = others.iter().map(|id| async move {
        let to = NodeId(*id);
        let answer = core
            .transport
            .call(to, Kind::Presence, body, patience)
            .await
            .ok()?;
        Some((to, codec::decode::<Verdict>(&answer).ok()?))
    });
    let mut answers: FuturesUnordered<_> = asked.collect();
    let mut fine = 0;
    let (mut leader_fine, mut doubted) = (false, false);
    while let Some(answer) = answers.next().await {
        let Some((from, verdict)) = answer else {
            continue;
        };
        match verdict {
            Verdict::Fine(theirs) => {
                if core.presence.judge(from, &theirs, Instant::now()).is_none() {
                    core.time.observe(theirs.now);
                }
                fine += 1;
                leader_fine |= theirs.leads;
            }
            Verdict::Doubt => doubted = true,
            Verdict::Twin => core.retire(Retired { why: Why::Twin }),
            // Ours is no old copy: then another one with our name is about.
            Verdict::OldCopy { confirmed } if confirmed <= hello.has => {
                core.retire(Retired { why: Why::Twin });
            }
            Verdict::OldCopy { confirmed } => core.retire(Retired {
                why: Why::OldCopy {
                    confirmed,
                    has: hello.has,
                },
            }),
        }
        let looked_at = !doubted && (leader_fine || fine >= enough(core, others.len()));
        if looked_at && core.retired.borrow().is_none() {
            clear(core);
        }
    }
    if enough(core, others.len()) == 0 {
        clear(core);
    }
}

/// How many others must find nothing wrong: as many as a majority needs besides this node. Fewer are no use to it anyway.
fn enough(core: &Core, others: usize) -> usize {
    match core.standing().voters.len() {
        0 => others.div_ceil(2), // a newcomer that has not seen a membership yet
        voters => voters / 2,
    }
}

fn clear(core: &Core) {
    if !core.presence.cleared.swap(true, Ordering::AcqRel) {
        core.raft.runtime_config().elect(true);
        tracing::debug!("takes part");
    }
}

async fn store(core: &Core, node_db: &NodeDb) {
    let metrics = core.metrics();
    // Never more than the log holds on disk: the state may be ahead of it for a moment, and after a crash then this memo
    // would take this node for an old copy of itself.
    let flushed = core.raft.watch_log_progress().get();
    let flushed = flushed.and_then(|point| point.last_log_id);
    let flushed = flushed.map_or(u64::MAX, |id| id.index);
    let memo = Memo {
        epoch: core.identity.epoch(),
        node: core.node.0,
        index: core.state.durable().unwrap_or(0).min(flushed),
        term: metrics.vote.leader_id.term,
    };
    let signed = codec::encode(&memo).ok().and_then(|bytes| {
        let signature = core.identity.sign(&bytes).ok()?;
        codec::encode(&(bytes, signature)).ok()
    });
    let peers = codec::encode(&core.presence.kept()).ok();
    let (Some(signed), Some(peers)) = (signed, peers) else {
        return;
    };
    if let Err(e) = node_db.set_facts(&[(MEMO, &signed), (PEERS, &peers)]).await {
        tracing::warn!(error = %e, "cannot store what is known of the members");
    }
}

/// This node's own word on how far it had come, if its log or vote is behind that: the files are not of one time.
pub(crate) async fn behind_memo(
    node_db: &NodeDb,
    identity: &Identity,
    last: u64,
    term: u64,
) -> Result<Option<Retired>, NodeDbError> {
    let Some(stored) = node_db.fact(MEMO).await? else {
        return Ok(None);
    };
    let memo = codec::decode::<(Vec<u8>, Vec<u8>)>(&stored)
        .ok()
        .filter(|(bytes, signature)| verify_signature(&identity.leaf(), bytes, signature))
        .and_then(|(bytes, _)| codec::decode::<Memo>(&bytes).ok());
    let Some(memo) = memo else {
        tracing::warn!("this node's memo of itself does not hold; it is written anew");
        return Ok(None);
    };
    let ours = (memo.epoch, memo.node) == (identity.epoch(), identity.node().0);
    Ok(
        (ours && (last < memo.index || term < memo.term)).then_some(Retired {
            why: Why::OldCopy {
                confirmed: memo.index,
                has: last,
            },
        }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn presence() -> Presence {
        Presence {
            boot: 1,
            instance: [0; 16],
            known: Mutex::default(),
            cleared: AtomicBool::new(false),
        }
    }

    fn hello(boot: u64, instance: u8, has: u64) -> Hello {
        Hello {
            epoch: 1,
            boot,
            instance: [instance; 16],
            has,
            leads: false,
            confirmed: vec![],
            now: Timestamp(0),
        }
    }

    /// Words of node 2 at seconds, and the first verdict against it.
    fn story(confirmed: u64, words: &[(u64, Hello)]) -> Option<Wrong> {
        let (presence, start) = (presence(), Instant::now());
        presence.note(&[(2, confirmed)]);
        words.iter().find_map(|(s, hello)| {
            let found = presence.judge(NodeId(2), hello, start + Duration::from_secs(*s));
            found.filter(|wrong| *wrong != Wrong::Doubtful)
        })
    }

    #[test]
    fn words_older_than_what_is_known_make_no_old_copy() {
        // A start that was looked at, whose words were overtaken by its leader's.
        let (presence, start) = (presence(), Instant::now());
        assert_eq!(presence.judge(NodeId(2), &hello(1, 1, 5), start), None);
        presence.note(&[(2, 6)]);
        assert_eq!(presence.judge(NodeId(2), &hello(1, 1, 5), start), None);
        // A new one: in doubt until its next words.
        let doubted = presence.judge(NodeId(2), &hello(2, 2, 5), start);
        assert_eq!(doubted, Some(Wrong::Doubtful));
        assert_eq!(presence.judge(NodeId(2), &hello(2, 2, 6), start), None);
    }

    #[test]
    fn restarts_are_no_twins() {
        let restarted = [
            (0, hello(1, 1, 5)),
            (1, hello(1, 1, 6)),
            (2, hello(2, 2, 6)),
            (2, hello(1, 1, 6)), // last words, overtaken
            (3, hello(2, 2, 7)),
            (60, hello(3, 3, 7)),
        ];
        assert_eq!(story(5, &restarted), None);
        // Its own memory was lost and it counts anew, long after.
        assert_eq!(story(5, &[(0, hello(7, 1, 9)), (60, hello(1, 2, 9))]), None);
    }

    #[test]
    fn two_living_copies_are_seen() {
        // The clone starts while the original lives.
        let clone = [
            (0, hello(7, 1, 5)),
            (1, hello(8, 2, 5)),
            (2, hello(7, 1, 5)),
            (3, hello(8, 2, 5)),
            (3, hello(7, 1, 5)),
            (4, hello(8, 2, 5)),
            (4, hello(7, 1, 5)),
        ];
        assert_eq!(story(5, &clone), Some(Wrong::Twin));
        // Both start after the copy was made: the same start twice.
        let both = [(0, hello(8, 1, 5)), (90, hello(8, 2, 5))];
        assert_eq!(story(5, &both), Some(Wrong::Twin));
    }

    #[test]
    fn a_copy_that_lags_behind_its_living_twin_is_seen() {
        // Nothing is replicated to the copy: it stays behind for as long as it lives.
        let mut words = Vec::new();
        for s in 0..10 {
            words.push((s, hello(8, 1, 9)));
            words.push((s, hello(8, 2, 4)));
        }
        assert_eq!(story(9, &words), Some(Wrong::Twin));
    }

    #[test]
    fn files_behind_what_was_confirmed_are_seen_and_stay_shut_out() {
        let old = Some(Wrong::OldCopy {
            confirmed: 9,
            has: 4,
        });
        let old_words = |first| [(first, hello(3, 2, 4)), (first + 7, hello(3, 2, 4))];
        assert_eq!(story(9, &old_words(0)[..1]), None);
        assert_eq!(story(9, &old_words(0)), old);
        let [first, second] = old_words(60);
        assert_eq!(story(9, &[(0, hello(5, 1, 9)), first, second]), old);
        let presence = presence();
        presence.note(&[(2, 9)]);
        let start = Instant::now();
        presence.judge(NodeId(2), &hello(3, 1, 4), start);
        presence.judge(NodeId(2), &hello(3, 1, 4), start + DOUBT_TIME);
        // Neither a second look nor a fuller log mends it: what it promised in between is lost.
        assert_eq!(
            presence.judge(NodeId(2), &hello(4, 2, 20), Instant::now()),
            old
        );
        assert!(presence.shut_out(NodeId(2)).is_some());
        assert_eq!(presence.alarms().len(), 1);
        assert!(presence.shut_out(NodeId(3)).is_none());
    }
}
