//! Whatever is done to an exported audit, both verifiers find it: ours, and the one that shares no code with it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use domain::audit::{Checkpoint, GENESIS, Keys, Line, NodeKey, Record, commitment, hex, verify};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use ring::signature::{Ed25519KeyPair, KeyPair as _};

use tests::require::skip;

const CLUSTER: [u8; 16] = [7; 16];
const NODES: u64 = 3;

/// An export in memory.
#[derive(Clone, Debug)]
struct Export {
    lines: Vec<Line>,
    checkpoints: Vec<Checkpoint>,
    keys: Keys,
    /// Set when the file itself was changed, not the values in it.
    text: Option<String>,
}

fn signer(node: u64) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[u8::try_from(node).unwrap(); 32]).unwrap()
}

fn sign(node: u64, by: u64, epoch: u32, seq: u64, head: &str) -> Checkpoint {
    let mut checkpoint = Checkpoint {
        cluster: hex(&CLUSTER),
        epoch,
        head: head.to_owned(),
        node: format!("n{node}"),
        seq,
        signature: String::new(),
    };
    checkpoint.signature = hex(signer(by).sign(&checkpoint.message()).as_ref());
    checkpoint
}

impl Export {
    /// `entries` with words of any kind, signed by every node at the last one and at some before.
    fn new(entries: &[(String, Option<String>)], marks: &[usize]) -> Self {
        let mut export = Self {
            lines: Vec::new(),
            checkpoints: Vec::new(),
            keys: Keys {
                cluster: hex(&CLUSTER),
                nodes: (1..=NODES)
                    .map(|node| NodeKey {
                        key: hex(signer(node).public_key().as_ref()),
                        member: true,
                        name: format!("site {node}"),
                        node: format!("n{node}"),
                    })
                    .collect(),
            },
            text: None,
        };
        for (seq, (word, details)) in (1..).zip(entries) {
            let salt = details
                .as_ref()
                .map(|_| [u8::try_from(seq % 251).unwrap(); 16]);
            let commit = details
                .as_ref()
                .zip(salt)
                .map(|(d, salt)| hex(&commitment(&salt, d)));
            export.lines.push(Line {
                details: details.clone(),
                entry: Record {
                    action: "alert.raise".to_owned(),
                    actor: format!("key:{word}"),
                    assurance: "key".to_owned(),
                    details_commit: commit.unwrap_or_default(),
                    epoch: 1,
                    node: "n1".to_owned(),
                    object: format!("alert:{word}"),
                    outcome: "applied".to_owned(),
                    prev: String::new(),
                    req_id: "00".repeat(16),
                    seq,
                    ts: 1_795_230_000_000 + seq.cast_signed(),
                },
                hash: String::new(),
                salt: salt.map(|salt| hex(&salt)),
            });
        }
        export.chain(0);
        let last = export.lines.len() - 1;
        for mark in marks.iter().map(|mark| mark % (last + 1)).chain([last]) {
            let line = &export.lines[mark];
            for node in 1..=NODES {
                let seal = sign(node, node, line.entry.epoch, line.entry.seq, &line.hash);
                export.checkpoints.push(seal);
            }
        }
        export
    }

    /// Hashes everything from `place` on anew, as somebody who rewrites history would.
    fn chain(&mut self, place: usize) {
        for at in place..self.lines.len() {
            let prev = at
                .checked_sub(1)
                .map_or_else(|| hex(&GENESIS), |at| self.lines[at].hash.clone());
            self.lines[at].entry.prev = prev;
            self.lines[at].hash = hex(&self.lines[at].entry.hash());
        }
    }

    fn text(&self) -> String {
        self.text.clone().unwrap_or_else(|| {
            let lines = self.lines.iter();
            lines
                .map(|line| serde_json::to_string(line).unwrap() + "\n")
                .collect()
        })
    }

    fn holds(&self) -> bool {
        verify(&self.text(), &self.checkpoints, &self.keys).holds()
    }

    fn write(&self, folder: &Path) {
        fs::create_dir_all(folder).unwrap();
        fs::write(folder.join("audit.jsonl"), self.text()).unwrap();
        let checkpoints = self.checkpoints.iter();
        let checkpoints: String = checkpoints
            .map(|c| serde_json::to_string(c).unwrap() + "\n")
            .collect();
        fs::write(folder.join("checkpoints.jsonl"), checkpoints).unwrap();
        fs::write(
            folder.join("nodes.json"),
            serde_json::to_string(&self.keys).unwrap(),
        )
        .unwrap();
    }
}

/// What SECURITY §2.7 names, at a place in the file.
const MUTATIONS: [&str; 7] = [
    "flip",
    "drop",
    "swap",
    "truncate",
    "fork",
    "wrong_key",
    "epoch_jump",
];

fn mutate(export: &Export, mutation: &str, place: usize) -> Export {
    let mut changed = export.clone();
    let count = changed.lines.len();
    let at = place % count;
    match mutation {
        "flip" => {
            let mut bytes = export.text().into_bytes();
            let bit = place % (bytes.len() * 7);
            bytes[bit / 7] ^= 1 << (bit % 7); // the eighth bit would leave UTF-8: no text at all
            changed.text = Some(String::from_utf8(bytes).unwrap_or_default());
        }
        "drop" => _ = changed.lines.remove(at),
        "swap" => changed.lines.swap(at, (at + 1) % count),
        "truncate" => changed.lines.truncate(at),
        "fork" => {
            changed.lines[at].entry.object.push_str(" of another");
            changed.chain(at);
        }
        "wrong_key" => {
            changed.lines[at].entry.actor.push_str(" who was not there");
            changed.chain(at);
            let mut again = Vec::new();
            for old in &export.checkpoints {
                let node: u64 = old.node[1..].parse().unwrap();
                let line = &changed.lines[usize::try_from(old.seq).unwrap() - 1];
                again.push(sign(node, 9, 1, old.seq, &line.hash));
            }
            changed.checkpoints = again;
        }
        "epoch_jump" => {
            // By somebody who holds every key: only the rule about epochs is left.
            let at = at.max(1);
            for line in &mut changed.lines[at..] {
                line.entry.epoch = 2;
            }
            changed.chain(at);
            changed.checkpoints.clear();
            let last = changed.lines.last().unwrap();
            for node in 1..=NODES {
                let seal = sign(node, node, 2, last.entry.seq, &last.hash);
                changed.checkpoints.push(seal);
            }
        }
        other => panic!("no mutation {other}"),
    }
    changed
}

/// Any words, also those that look like JSON.
fn entries() -> impl Strategy<Value = Vec<(String, Option<String>)>> {
    let words = || prop_oneof!["[a-z0-9]{1,8}", "\\PC{0,12}", "[\u{0}-\u{1f}\"\\\\]{1,4}"];
    prop::collection::vec((words(), prop::option::of(words())), 2..12)
}

/// Python with what checks signatures, where the tests' runner put it.
fn python() -> Option<PathBuf> {
    let tools = std::env::var_os("HOLDFAST_TOOLS").map(PathBuf::from);
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let tools = tools.or(home.map(|home| home.join(".cache/holdfast-tools")));
    let beside = tools.map(|tools| tools.join("bin/python"));
    let found = beside
        .into_iter()
        .chain([PathBuf::from("/usr/bin/python3")])
        .find(|python| {
            let tried = Command::new(python)
                .args(["-c", "import cryptography"])
                .output();
            tried.is_ok_and(|ran| ran.status.success())
        });
    if found.is_none() {
        skip("no Python has cryptography; tests/run puts it beside the cargo tools");
    }
    found
}

/// What the other verifier says of each folder: whether it holds.
fn second_opinion(python: &Path, folders: &[PathBuf]) -> Vec<bool> {
    let tool = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tools/verify_audit.py");
    let ran = Command::new(python)
        .arg(tool)
        .args(folders)
        .output()
        .unwrap();
    let text = String::from_utf8(ran.stdout).unwrap();
    let errors = String::from_utf8_lossy(&ran.stderr);
    let verdicts: Vec<bool> = text
        .lines()
        .filter(|line| !line.starts_with(' '))
        .map(|line| line.ends_with(", holds"))
        .collect();
    assert_eq!(verdicts.len(), folders.len(), "{text}{errors}");
    let code = if verdicts.contains(&false) { 7 } else { 0 };
    assert_eq!(ran.status.code(), Some(code), "{errors}");
    verdicts
}

#[test]
fn every_mutation_is_found_by_both_verifiers() {
    let dir = tempfile::tempdir().unwrap();
    let folders = std::cell::RefCell::new(Vec::new());
    let config = Config {
        cases: 24,
        failure_persistence: None,
        ..Config::default()
    };
    let strategy = (
        entries(),
        prop::collection::vec(any::<usize>(), 0..3),
        any::<usize>(),
    );
    TestRunner::new(config)
        .run(&strategy, |(entries, marks, place)| {
            let export = Export::new(&entries, &marks);
            prop_assert!(export.holds());
            let mut folders = folders.borrow_mut();
            let mut keep = |export: &Export, what: &str| {
                let folder = dir.path().join(format!("{}-{what}", folders.len()));
                export.write(&folder);
                folders.push((folder, what == "sound"));
            };
            keep(&export, "sound");
            for mutation in MUTATIONS {
                let changed = mutate(&export, mutation, place);
                prop_assert!(!changed.holds(), "{mutation} at {place} was not found");
                keep(&changed, mutation);
            }
            Ok(())
        })
        .unwrap();
    let (folders, expected): (Vec<PathBuf>, Vec<bool>) = folders.into_inner().into_iter().unzip();
    let Some(python) = python() else { return };
    let verdicts = second_opinion(&python, &folders);
    for ((folder, expected), found) in folders.iter().zip(expected).zip(verdicts) {
        assert_eq!(found, expected, "{}", folder.display());
    }
}

#[test]
fn the_first_bad_entry_a_gap_a_fork_and_a_tail_are_named() {
    let entries: Vec<_> = (0..300).map(|n| (format!("e{n}"), None)).collect();
    let export = Export::new(&entries, &[]);
    let said = |export: &Export| {
        let verdict = verify(&export.text(), &export.checkpoints, &export.keys);
        verdict
            .flaws
            .first()
            .map(ToString::to_string)
            .unwrap_or_default()
    };
    let mut altered = export.clone();
    altered.lines[4].entry.actor = "key:other".to_owned();
    assert_eq!(said(&altered), "entry 5: it was altered");
    let mut gap = export.clone();
    gap.lines.drain(9..20);
    assert_eq!(said(&gap), "entry 10: missing: 10 to 20");
    let mut short = export.clone();
    short.lines.truncate(200);
    assert_eq!(
        said(&short),
        "entry 201: missing: n1 signed up to entry 300"
    );
    assert_eq!(
        said(&mutate(&export, "fork", 10)),
        "entry 300: n1 signed another history (fork)"
    );
    let entries: Vec<_> = (0..700).map(|n| (format!("e{n}"), None)).collect();
    let mut tail = Export::new(&entries, &[]);
    tail.checkpoints.clear();
    assert_eq!(
        said(&tail),
        "entry 1: unsigned tail: no majority signed 1 to 700"
    );
}
