//! What this node was given to send: what is under way, and results on their way to the log.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use domain::deliveries::{AttemptRef, AttemptReport, AttemptResult, RING, SendOutcome, Work};
use sha2::{Digest, Sha256};

/// Attempts begun here and results not yet in the log. Bounded by what the leader assigns (DESIGN C3).
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    /// Handed to a channel, or about to be; with what the record of them needs.
    begun: BTreeMap<AttemptRef, Sent>,
    results: Vec<AttemptResult>,
    reports: Vec<AttemptReport>,
}

#[derive(Debug, Default)]
struct Sent {
    parts: u16,
    text_hash: [u8; 8],
    wanted: Arc<AtomicBool>,
}

impl Outbox {
    /// Marks an attempt as begun. What it returns says whether it is still wanted.
    pub(crate) fn begin(&mut self, work: &Work) -> Arc<AtomicBool> {
        let wanted = Arc::new(AtomicBool::new(true));
        let parts = match work.kind.as_str() {
            "sms" => domain::texts::parts(&work.body),
            RING => 0,
            _ => 1,
        };
        let digest = Sha256::digest(work.body.as_bytes());
        let mut text_hash = [0; 8];
        text_hash.copy_from_slice(&digest[..8]);
        let sent = Sent {
            parts,
            text_hash,
            wanted: Arc::clone(&wanted),
        };
        self.begun.insert(work.attempt, sent);
        wanted
    }

    /// Of what was begun, only this work is wanted by now. The rest may still wait in a channel: its people have answered,
    /// or another node has it.
    pub(crate) fn want_only(&self, work: &[Work]) {
        let wanted: BTreeSet<AttemptRef> = work.iter().map(|item| item.attempt).collect();
        for (attempt, sent) in &self.begun {
            sent.wanted
                .store(wanted.contains(attempt), Ordering::Release);
        }
    }

    pub(crate) fn has_begun(&self, attempt: &AttemptRef) -> bool {
        self.begun.contains_key(attempt)
    }

    /// Keeps an outcome until the log has it.
    pub(crate) fn ended(&mut self, attempt: AttemptRef, outcome: SendOutcome, wall_ms: i64) {
        if self.results.iter().any(|result| result.attempt == attempt) {
            return;
        }
        let sent = self.begun.entry(attempt).or_default();
        let (parts, text_hash) = (sent.parts, sent.text_hash);
        self.results.push(AttemptResult {
            attempt,
            outcome,
            parts,
            text_hash,
            wall_ms,
        });
    }

    /// Keeps a network's later word until the log has it.
    pub(crate) fn reported(&mut self, report: AttemptReport) {
        self.reports.push(report);
    }

    pub(crate) fn results(&self) -> &[AttemptResult] {
        &self.results
    }

    /// Reports on attempts whose outcome is already in the log: a report must not overtake the acceptance it is about.
    pub(crate) fn reports(&self) -> Vec<AttemptReport> {
        let open: BTreeSet<AttemptRef> = self.begun.keys().copied().collect();
        self.reports
            .iter()
            .filter(|report| !open.contains(&report.attempt))
            .cloned()
            .collect()
    }

    /// The log has these results.
    pub(crate) fn results_recorded(&mut self, recorded: &[AttemptRef]) {
        self.results
            .retain(|result| !recorded.contains(&result.attempt));
        for attempt in recorded {
            self.begun.remove(attempt);
        }
    }

    /// The log has these reports.
    pub(crate) fn reports_recorded(&mut self, recorded: &[AttemptReport]) {
        self.reports.retain(|report| !recorded.contains(report));
    }
}
