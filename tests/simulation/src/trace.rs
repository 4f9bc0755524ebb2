//! Everything that happened in a run, in order: a hash of all of it, and the last lines for people.

use std::collections::VecDeque;
use std::time::Duration;

use sha2::{Digest, Sha256};

/// Lines kept for a report.
const KEPT: usize = 600;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    hash: Sha256,
    last: VecDeque<String>,
    count: u64,
}

impl Trace {
    /// Notes one event.
    pub(crate) fn note(&mut self, at: Duration, event: &str) {
        let line = format!("{:>9.3} {event}", at.as_secs_f64());
        self.hash.update(line.as_bytes());
        self.hash.update(b"\n");
        self.count += 1;
        if self.last.len() == KEPT {
            self.last.pop_front();
        }
        self.last.push_back(line);
    }

    /// Events so far.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// The same for two runs exactly if all events were.
    pub(crate) fn digest(&self) -> String {
        let bytes = self.hash.clone().finalize();
        bytes[..8]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    /// The last events, oldest first.
    pub(crate) fn last(&self, count: usize) -> Vec<String> {
        let skip = self.last.len().saturating_sub(count);
        self.last.iter().skip(skip).cloned().collect()
    }
}
