//! A process that writes log, vote and state is killed at random moments, again and again; whatever it said was safe
//! must be there afterwards. (`kill -9` leaves the page cache alone: this tests our ordering and recovery, not fsync.)
#![expect(
    clippy::unwrap_used,
    reason = "a test: a panic is how it reports a broken assumption"
)]

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Write};
use std::ops::RangeInclusive;
use std::path::Path;
use std::process::{Child, Command as Process, Stdio};
use std::time::{Duration, Instant};

use cluster::store::Store;
use cluster::types::{Entry, LeaderId, LogId, Membership, Peer, Record, TypeConfig, Vote};
use domain::ids::RequestId;
use domain::{Actor, Command, Envelope, NodeId, Timestamp, requests};
use openraft::storage::{IOFlushed, RaftLogStorage, RaftStateMachine};
use openraft::type_config::TypeConfigExt;
use openraft::{EntryPayload, RaftLogReader, RaftSnapshotBuilder};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

const KILLS: u32 = 200;

/// Longest life of a child. Some die before they have opened their files.
const LIFE_MAX_MS: u64 = 160;

/// Entries kept in the log when the child purges.
const KEPT: u64 = 200;

const CHILD_DIR: &str = "HOLDFAST_CRASH_DIR";
const SEED: &str = "HOLDFAST_SEED";

/// What the parent knows from the child's own words.
#[derive(Debug, Default)]
struct Promised {
    /// Term of each entry acknowledged as durable.
    terms: BTreeMap<u64, u64>,
    /// Entries from here on may have been truncated when the child died.
    shaken_from: Option<u64>,
    vote: u64,
    vote_asked: u64,
    applied: Option<u64>,
    purge_asked: Option<u64>,
}

impl Promised {
    fn hear(&mut self, line: &str) {
        let mut words = line.split(' ');
        let word = words.next().unwrap_or_default();
        let numbers: Vec<u64> = words.map_while(|w| w.parse().ok()).collect();
        match (word, numbers.as_slice()) {
            ("acked", [first, last, term]) => self
                .terms
                .extend((*first..=*last).map(|index| (index, *term))),
            ("truncating", [after]) => self.shaken_from = Some(after + 1),
            ("truncated", [after]) => {
                self.terms.retain(|index, _| index <= after);
                self.shaken_from = None;
            }
            ("voting", [term]) => self.vote_asked = *term,
            ("voted", [term]) => self.vote = *term,
            ("applied", [index]) => self.applied = Some(*index),
            ("purging", [upto]) => self.purge_asked = Some(*upto),
            _ => {}
        }
    }

    /// Compares promises with what the files hold, and goes on from there.
    async fn check(&mut self, dir: &Path) {
        let mut store = Store::open(dir).await.expect("the files open after a kill");
        let log = &mut store.log;
        let (purged, last) = (
            log.purged().map(|id| id.index),
            log.last_log_id().map(|id| id.index),
        );
        let entries = log.try_get_log_entries(..).await.unwrap();
        assert!(
            purged <= self.purge_asked,
            "purged {purged:?}, asked {:?}",
            self.purge_asked
        );
        let first = purged.map_or(0, |index| index + 1);
        for (entry, index) in entries.iter().zip(first..) {
            let id = entry.log_id;
            assert_eq!(
                *entry,
                make(id.leader_id.term, index),
                "entry {index} is what was written there"
            );
        }
        assert_eq!(last, entries.last().map(|e| e.log_id.index).or(purged));
        let held: BTreeMap<u64, u64> = entries
            .iter()
            .map(|e| (e.log_id.index, e.log_id.leader_id.term))
            .collect();
        for (index, term) in self
            .terms
            .range(first..self.shaken_from.unwrap_or(u64::MAX))
        {
            assert_eq!(
                held.get(index),
                Some(term),
                "acknowledged entry {index}; the log ends at {last:?}"
            );
        }
        let vote = log.vote().map_or(0, |vote| vote.leader_id.term);
        assert!(
            (self.vote..=self.vote_asked.max(self.vote)).contains(&vote),
            "vote {vote}, promised {}",
            self.vote
        );
        self.check_state(&store).await;
        self.terms = held;
        (self.vote, self.shaken_from) = (vote, None);
        if last.unwrap_or(0) % 2 == 0 {
            store.close().await.unwrap(); // the other half of the children find an unclean stop
        }
    }

    async fn check_state(&mut self, store: &Store) {
        let applied = store.state.applied().map(|id| id.index);
        assert!(
            applied >= self.applied,
            "applied {applied:?}, promised {:?}",
            self.applied
        );
        assert!(
            applied >= store.log.purged().map(|id| id.index),
            "state is not older than the log"
        );
        let mut view = store.state.view().await.unwrap();
        let rows: i64 = sqlx::query_scalar("select count(*) from request")
            .fetch_one(&mut *view)
            .await
            .unwrap();
        let commands = applied.map_or(0, |applied| {
            (0..=applied).filter(|index| is_command(*index)).count()
        });
        assert_eq!(
            rows,
            i64::try_from(commands).unwrap(),
            "each entry up to {applied:?} took effect exactly once"
        );
        self.applied = applied;
    }
}

#[test]
fn whatever_was_acknowledged_survives_kills_at_random_moments() {
    let seed = std::env::var(SEED)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or_else(rand::random::<u64>);
    println!(
        "seed {seed}; replay: {SEED}={seed} cargo nextest run -p tests whatever_was_acknowledged"
    );
    let mut rng = StdRng::seed_from_u64(seed);
    let dir = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut promised = Promised::default();
    let (mut heard, mut snapshots, start) = (0, 0, Instant::now());
    for kill in 0..KILLS {
        let lines = one_life(
            dir.path(),
            rng.random(),
            Duration::from_millis(rng.random_range(10..LIFE_MAX_MS)),
        );
        heard += lines.len();
        snapshots += lines
            .iter()
            .filter(|line| line.starts_with("purging"))
            .count();
        for line in &lines {
            assert!(!line.starts_with("failed"), "kill {kill}: {line}");
            promised.hear(line);
        }
        runtime.block_on(promised.check(dir.path()));
    }
    let entries = promised
        .terms
        .last_key_value()
        .map_or(0, |(index, _)| *index);
    println!(
        "{KILLS} kills in {:?}: {heard} promises, {snapshots} snapshots, log up to {entries}",
        start.elapsed()
    );
    assert!(
        entries > 1_000 && snapshots > 0,
        "the children got too little done to prove anything"
    );
}

/// Starts a child, kills it after `life`, and answers what it said in full lines.
fn one_life(dir: &Path, seed: u64, life: Duration) -> Vec<String> {
    let mut child: Child = Process::new(std::env::current_exe().unwrap())
        .args(
            ["--exact", concat!(module_path!(), "::writes_until_killed")]
                .map(|arg| arg.trim_start_matches("all::")),
        )
        .args(["--nocapture", "--test-threads=1"])
        .env(CHILD_DIR, dir)
        .env(SEED, seed.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut pipe = BufReader::new(child.stdout.take().unwrap());
    let reader = std::thread::spawn(move || {
        let (mut lines, mut line) = (Vec::new(), String::new());
        while pipe.read_line(&mut line).is_ok_and(|n| n > 0) {
            if line.ends_with('\n') {
                lines.push(line.trim_end().to_owned());
            }
            line.clear();
        }
        lines
    });
    std::thread::sleep(life);
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap()
}

/// Not a test by itself: what [`one_life`] runs in the child.
#[test]
fn writes_until_killed() {
    let Ok(dir) = std::env::var(CHILD_DIR) else {
        return;
    };
    let seed = std::env::var(SEED).unwrap().parse().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    if let Err(error) = runtime.block_on(write_until_killed(
        Path::new(&dir),
        StdRng::seed_from_u64(seed),
    )) {
        say(&format!("failed {error}"));
    }
}

async fn write_until_killed(dir: &Path, mut rng: StdRng) -> std::io::Result<()> {
    say("\nopening"); // the test runner may have begun a line of its own
    let mut store = Store::open(dir).await.map_err(std::io::Error::other)?;
    let mut term = store
        .log
        .vote()
        .map_or(1, |vote| vote.leader_id.term)
        .max(1);
    let mut next = store.log.last_log_id().map_or(0, |id| id.index + 1);
    let mut acked = next.checked_sub(1);
    let mut in_flight = VecDeque::new();
    loop {
        match rng.random_range(0..100) {
            0..60 => {
                let range = next..=next + rng.random_range(0..40);
                let (done, flushed) = TypeConfig::oneshot();
                next = range.end() + 1;
                let entries: Vec<Entry> = range.clone().map(|index| make(term, index)).collect();
                store.log.append(entries, IOFlushed::signal(done)).await?;
                in_flight.push_back((range, term, flushed));
            }
            60..66 => {
                term += 1;
                say(&format!("voting {term}"));
                store.log.save_vote(&Vote::new(term, 1)).await?;
                say(&format!("voted {term}"));
            }
            66..70 => {
                acked = settle(&mut in_flight, 0).await?.or(acked);
                let committed = store.state.applied().map(|id| id.index);
                let (Some(from), Some(to)) = (committed, acked) else {
                    continue;
                };
                let after = rng.random_range(from..=to.max(from));
                let entries = store.log.try_get_log_entries(after..=after).await?;
                let Some(kept) = entries.first() else {
                    continue;
                };
                say(&format!("truncating {after}"));
                store.log.truncate_after(Some(kept.log_id)).await?;
                say(&format!("truncated {after}"));
                (next, acked) = (after + 1, Some(after));
            }
            70..97 => {
                acked = settle(&mut in_flight, 2).await?.or(acked);
                apply_some(&mut store, acked, &mut rng).await?;
            }
            _ => {
                let Some(applied) = store.state.applied() else {
                    continue;
                };
                store.state.build_snapshot().await?;
                let entries = store
                    .log
                    .try_get_log_entries(..=applied.index.saturating_sub(KEPT))
                    .await?;
                if let Some(upto) = entries.last() {
                    say(&format!("purging {}", upto.log_id.index));
                    store.log.purge(upto.log_id).await?;
                }
            }
        }
        acked = settle(&mut in_flight, 4).await?.or(acked);
    }
}

type InFlight = VecDeque<(
    RangeInclusive<u64>,
    u64,
    tokio::sync::oneshot::Receiver<std::io::Result<()>>,
)>;

/// Waits until at most `left` appends are under way, and says what is durable.
async fn settle(in_flight: &mut InFlight, left: usize) -> std::io::Result<Option<u64>> {
    let mut acked = None;
    while in_flight.len() > left {
        let Some((range, term, flushed)) = in_flight.pop_front() else {
            break;
        };
        flushed.await.map_err(std::io::Error::other)??;
        say(&format!("acked {} {} {term}", range.start(), range.end()));
        acked = Some(*range.end());
    }
    Ok(acked)
}

async fn apply_some(
    store: &mut Store,
    acked: Option<u64>,
    rng: &mut StdRng,
) -> std::io::Result<()> {
    let from = store.state.applied().map_or(0, |id| id.index + 1);
    let Some(acked) = acked.filter(|acked| *acked >= from) else {
        return Ok(());
    };
    let entries = store
        .log
        .try_get_log_entries(from..=rng.random_range(from..=acked))
        .await?;
    let Some(last) = entries.last().map(|entry| entry.log_id) else {
        return Ok(());
    };
    store.log.save_committed(Some(last)).await?;
    store
        .state
        .apply(futures_util::stream::iter(
            entries.into_iter().map(|entry| Ok((entry, None))),
        ))
        .await?;
    say(&format!("applied {}", last.index));
    Ok(())
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    _ = out.write_all(format!("{line}\n").as_bytes());
    _ = out.flush();
}

/// The entry at a place: everything in it follows from term and index, so that a reader can tell a wrong one.
fn make(term: u64, index: u64) -> Entry {
    let log_id = LogId::new(LeaderId { term, node_id: 1 }, index);
    let payload = if is_command(index) {
        EntryPayload::Normal(Record::encode(&envelope(term, index)).unwrap())
    } else if index.is_multiple_of(2) {
        EntryPayload::Blank
    } else {
        let peer = Peer {
            addresses: vec![format!("a{term}:{index}")],
            ..Peer::default()
        };
        EntryPayload::Membership(
            Membership::new(vec![[1].into()], BTreeMap::from([(1, peer)])).unwrap(),
        )
    };
    Entry { log_id, payload }
}

fn is_command(index: u64) -> bool {
    !index.is_multiple_of(23)
}

/// Applying it leaves one row in `request` and nothing else.
fn envelope(term: u64, index: u64) -> Envelope {
    Envelope {
        request: RequestId::derive(&[&term.to_be_bytes(), &index.to_be_bytes()]),
        issued_at: Timestamp(index.cast_signed()),
        issued_by: NodeId(1),
        seed: [7; 16],
        body: [1; 32],
        actor: Actor::ApiKey {
            id: "k".repeat(usize::try_from(index * 37 % 1_500).unwrap()),
        },
        decided_under: None,
        command: Command::Requests(requests::Command::Prune {
            before: Timestamp(0),
        }),
    }
}
