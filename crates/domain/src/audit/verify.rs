//! Whether an exported audit is what the nodes signed. No database, no cluster: only files and the keys of the nodes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::record::{Checkpoint, GENESIS, Keys, Line, commitment, hex};

/// More entries after the last sealed one than a checkpoint may leave waiting.
pub const UNSEALED_MAX: u64 = 512;

/// The action of an entry that begins an epoch.
const RECOVERY: &str = "cluster.recover";

/// Something that does not hold.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Flaw {
    /// The first entry that cannot be relied on.
    pub seq: u64,
    pub what: String,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "entry {}: {}", self.seq, self.what)
    }
}

/// What came of looking.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Verdict {
    pub entries: u64,
    pub last: u64,
    /// A majority of the members signed up to here.
    pub sealed: u64,
    /// Entries whose details were erased.
    pub erased: u64,
    /// In the order of entries; none: everything holds.
    pub flaws: Vec<Flaw>,
}

impl Verdict {
    pub fn holds(&self) -> bool {
        self.flaws.is_empty()
    }

    fn flaw(&mut self, seq: u64, what: impl Into<String>) {
        let what = what.into();
        self.flaws.push(Flaw { seq, what });
    }
}

/// Looks at `text`, one entry a line, against what nodes signed.
pub fn verify(text: &str, checkpoints: &[Checkpoint], keys: &Keys) -> Verdict {
    let mut verdict = Verdict::default();
    let chain = follow(text, &mut verdict);
    let mut newest: BTreeMap<&str, u64> = BTreeMap::new();
    for checkpoint in checkpoints {
        let (seq, node) = (checkpoint.seq, checkpoint.node.as_str());
        let known = keys.nodes.iter().find(|key| key.node == node);
        let signed = known.is_some_and(|key| {
            let bytes = data_encoding::HEXLOWER.decode(key.key.as_bytes());
            bytes.is_ok_and(|bytes| checkpoint.is_signed_by(&bytes))
        });
        if checkpoint.cluster != keys.cluster || !signed {
            verdict.flaw(
                seq,
                format!("the checkpoint is not signed by the key of {node}"),
            );
            continue;
        }
        match chain.get(&seq) {
            Some((epoch, hash)) if *epoch == checkpoint.epoch && *hash == checkpoint.head => {
                let last = newest.entry(node).or_default();
                *last = seq.max(*last);
            }
            Some(_) => verdict.flaw(seq, format!("{node} signed another history (fork)")),
            None if seq > verdict.last => {
                let from = verdict.last + 1;
                verdict.flaw(from, format!("missing: {node} signed up to entry {seq}"));
            }
            None => verdict.flaw(seq, format!("{node} signed it, and it is missing")),
        }
    }
    let members: BTreeSet<&str> = keys
        .nodes
        .iter()
        .filter(|key| key.member)
        .map(|key| key.node.as_str())
        .collect();
    let signed = newest
        .into_iter()
        .filter(|(node, _)| members.contains(node));
    verdict.sealed = super::rules::sealed(signed.map(|(_, seq)| seq).collect(), members.len());
    if verdict.last.saturating_sub(verdict.sealed) > UNSEALED_MAX {
        let (from, to) = (verdict.sealed + 1, verdict.last);
        verdict.flaw(
            from,
            format!("unsigned tail: no majority signed {from} to {to}"),
        );
    }
    verdict.flaws.sort();
    verdict.flaws.dedup();
    verdict
}

/// Follows the chain from its first entry; epoch and hash of every entry that could be read.
fn follow(text: &str, verdict: &mut Verdict) -> BTreeMap<u64, (u32, String)> {
    let mut chain = BTreeMap::new();
    let (mut next, mut epoch) = (1, None);
    // Unknown after a gap: the entry after it is taken at its word, once.
    let mut head = Some(hex(&GENESIS));
    for written in text.split_terminator('\n') {
        let line: Line = match serde_json::from_str(written) {
            Ok(line) => line,
            Err(_) => {
                verdict.flaw(next, "it cannot be read");
                (next, head) = (next + 1, None);
                continue;
            }
        };
        let entry = &line.entry;
        if entry.seq < next {
            verdict.flaw(entry.seq, "it comes twice, or out of order");
            continue;
        }
        if entry.seq > next {
            let to = entry.seq - 1;
            verdict.flaw(next, format!("missing: {next} to {to}"));
            head = None;
        }
        let hash = hex(&entry.hash());
        if head.as_ref().is_some_and(|head| *head != entry.prev) {
            verdict.flaw(entry.seq, "it does not follow the entry before");
        }
        if hash != line.hash || serde_json::to_string(&line).ok().as_deref() != Some(written) {
            verdict.flaw(entry.seq, "it was altered");
        }
        let began = entry.action == RECOVERY && entry.outcome == "applied";
        if epoch.is_some_and(|before| entry.epoch != before && !(began && entry.epoch > before)) {
            verdict.flaw(entry.seq, "the epoch jumps without a recovery");
        }
        match (&line.details, &line.salt) {
            (None, None) => verdict.erased += u64::from(!entry.details_commit.is_empty()),
            (Some(details), Some(salt)) => {
                let salt = data_encoding::HEXLOWER.decode(salt.as_bytes());
                let holds =
                    salt.is_ok_and(|salt| hex(&commitment(&salt, details)) == entry.details_commit);
                if !holds {
                    verdict.flaw(entry.seq, "its details were altered");
                }
            }
            (Some(_), None) | (None, Some(_)) => {
                verdict.flaw(entry.seq, "its details were altered");
            }
        }
        chain.insert(entry.seq, (entry.epoch, hash.clone()));
        (next, epoch, head) = (entry.seq + 1, Some(entry.epoch), Some(hash));
        verdict.entries += 1;
        verdict.last = entry.seq;
    }
    chain
}
