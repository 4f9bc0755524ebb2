//! Proof that a loop still goes round, for whoever decides that this program hangs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts a loop's rounds. Cheap to clone; all clones are one count.
#[derive(Clone, Debug, Default)]
pub struct Pulse(Arc<AtomicU64>);

impl Pulse {
    /// One more round is done.
    pub fn beat(&self) {
        _ = self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// Rounds so far.
    pub fn rounds(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
