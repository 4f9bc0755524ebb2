//! When to build a snapshot: after so many bytes of log or so much time, not after so many entries (DESIGN A3).

use std::time::Duration;

use tokio::time::Instant;

/// Log bytes after which a snapshot is worth building.
pub const SNAPSHOT_BYTES: u64 = 64 * 1024 * 1024;

/// Time after which a snapshot is built if anything changed.
pub const SNAPSHOT_PERIOD: Duration = Duration::from_secs(30 * 60);

/// How often to ask [`SnapshotTrigger::due`].
pub const SNAPSHOT_POLL: Duration = Duration::from_secs(5);

/// Remembers when the last snapshot was asked for. The replica runs it: poll, and if due, trigger the engine.
#[derive(Clone, Debug)]
pub struct SnapshotTrigger {
    bytes_max: u64,
    period: Duration,
    asked_at: Instant,
    asked_for: Option<u64>,
}

impl SnapshotTrigger {
    /// Starts counting at `now`, with the newest snapshot at log index `newest`.
    pub fn new(now: Instant, newest: Option<u64>) -> Self {
        Self::with_limits(SNAPSHOT_BYTES, SNAPSHOT_PERIOD, now, newest)
    }

    /// As [`Self::new`] with other limits.
    pub fn with_limits(
        bytes_max: u64,
        period: Duration,
        now: Instant,
        newest: Option<u64>,
    ) -> Self {
        Self {
            bytes_max,
            period,
            asked_at: now,
            asked_for: newest,
        }
    }

    /// True when a snapshot should be built now: `bytes` of log since the last one, state applied up to `applied`.
    /// Says so once; the caller triggers the engine.
    pub fn due(&mut self, now: Instant, bytes: u64, applied: Option<u64>) -> bool {
        let due = applied > self.asked_for
            && (bytes >= self.bytes_max
                || now.saturating_duration_since(self.asked_at) >= self.period);
        if due {
            self.asked_at = now;
            self.asked_for = applied;
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn bytes_or_time_make_it_due_but_never_without_a_change() {
        let start = Instant::now();
        let mut trigger = SnapshotTrigger::new(start, Some(10));
        assert!(!trigger.due(start + SNAPSHOT_PERIOD, SNAPSHOT_BYTES, Some(10)));
        assert!(!trigger.due(start, SNAPSHOT_BYTES - 1, Some(11)));
        assert!(trigger.due(start, SNAPSHOT_BYTES, Some(11)));
        assert!(!trigger.due(start, SNAPSHOT_BYTES, Some(11)));
        assert!(!trigger.due(start + Duration::from_secs(60), 0, Some(12)));
        assert!(trigger.due(start + SNAPSHOT_PERIOD, 0, Some(12)));
    }
}
