//! A machine's clocks, as true time moves them.

use std::time::Duration;

use domain::Timestamp;

/// Cluster time at which every world begins: 2026-11-21T00:00:00Z.
pub const START: Timestamp = Timestamp(1_795_219_200_000);

/// How long every machine has been up when a world begins.
const UPTIME: Duration = Duration::from_secs(3_600);

/// One machine: how it counts time. Never asked for true time itself.
#[derive(Clone, Debug)]
pub struct Machine {
    /// True time at which it booted is unknown to it; its counter stood here when `since` was true.
    boot_at: Duration,
    since: Duration,
    /// Parts per million by which it runs fast.
    pub drift_ppm: i64,
    /// What somebody set the wall clock to, beside the truth.
    pub wall_offset_ms: i64,
    /// Cluster time minus boot time; only grows (DESIGN A10).
    offset_ms: i64,
}

impl Machine {
    pub(super) fn new() -> Self {
        Self {
            boot_at: UPTIME,
            since: Duration::ZERO,
            drift_ppm: 0,
            wall_offset_ms: 0,
            offset_ms: START.0 - ms(UPTIME),
        }
    }

    /// CLOCK_BOOTTIME.
    pub fn boot(&self, elapsed: Duration) -> Duration {
        let passed = ms(elapsed.saturating_sub(self.since));
        let counted = passed + passed * self.drift_ppm / 1_000_000;
        self.boot_at + Duration::from_millis(counted.unsigned_abs())
    }

    /// CLOCK_REALTIME.
    pub fn wall(&self, elapsed: Duration) -> Timestamp {
        Timestamp(START.0 + ms(elapsed) + self.wall_offset_ms)
    }

    /// Cluster time.
    pub fn now(&self, elapsed: Duration) -> Timestamp {
        Timestamp((ms(self.boot(elapsed)) + self.offset_ms).max(0))
    }

    /// It is at least this late.
    pub fn observe(&mut self, elapsed: Duration, stamp: Timestamp) {
        self.offset_ms = self.offset_ms.max(stamp.0 - ms(self.boot(elapsed)));
    }

    /// The machine starts anew: it counts from zero, and the last applied stamp is all it knows of cluster time.
    pub fn reboot(&mut self, elapsed: Duration, stamp: Timestamp) {
        self.boot_at = Duration::ZERO;
        self.since = elapsed;
        self.offset_ms = stamp.0;
    }
}

fn ms(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX / 4)
}
