//! Cluster time (DESIGN A10): the last applied stamp plus what the boot clock counted since. Never goes back, and no
//! wall clock moves it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use domain::Timestamp;
use domain::ports::Clock;

/// Cluster time of this node: its boot clock plus an offset that only grows.
pub(crate) struct ClusterTime {
    clock: Arc<dyn Clock>,
    offset_ms: AtomicI64,
    resumed: bool,
}

impl ClusterTime {
    /// Starts from an offset kept across a restart within one boot, if there is one.
    pub(crate) fn new(clock: Arc<dyn Clock>, kept_offset_ms: Option<i64>) -> Self {
        Self {
            clock,
            resumed: kept_offset_ms.is_none(),
            offset_ms: AtomicI64::new(kept_offset_ms.unwrap_or(i64::MIN / 4)),
        }
    }

    /// Cluster time now.
    pub(crate) fn now(&self) -> Timestamp {
        Timestamp((self.boot_ms() + self.offset_ms.load(Ordering::Acquire)).max(0))
    }

    /// A stamp was applied, or another member said what time it is: it is at least that late.
    pub(crate) fn observe(&self, stamp: Timestamp) {
        self.offset_ms
            .fetch_max(stamp.0 - self.boot_ms(), Ordering::AcqRel);
    }

    /// Nothing was kept of this boot: time goes on from the last stamp, and how long the machine was off is unknown.
    pub(crate) fn resumed(&self) -> bool {
        self.resumed
    }

    /// What to keep for a restart within this boot.
    pub(crate) fn offset_ms(&self) -> i64 {
        self.offset_ms.load(Ordering::Acquire)
    }

    fn boot_ms(&self) -> i64 {
        i64::try_from(self.clock.boot().as_millis()).unwrap_or(i64::MAX / 4)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Duration;

    use super::*;

    #[derive(Default)]
    struct ManualClock(Mutex<Duration>);

    impl Clock for ManualClock {
        fn boot(&self) -> Duration {
            *self.0.lock().unwrap()
        }

        fn wall(&self) -> Timestamp {
            Timestamp(0)
        }
    }

    #[test]
    fn time_goes_on_between_stamps_and_never_back() {
        let clock = Arc::new(ManualClock::default());
        let time = ClusterTime::new(clock.clone(), None);
        assert_eq!(time.now(), Timestamp(0));
        time.observe(Timestamp(1_000_000));
        *clock.0.lock().unwrap() += Duration::from_millis(250);
        assert_eq!(time.now(), Timestamp(1_000_250));
        time.observe(Timestamp(1_000_100)); // a slower member's stamp
        assert_eq!(time.now(), Timestamp(1_000_250));
        time.observe(Timestamp(1_002_000));
        assert_eq!(time.now(), Timestamp(1_002_000));
    }

    #[test]
    fn a_restart_within_one_boot_keeps_counting() {
        let clock = Arc::new(ManualClock::default());
        let before = ClusterTime::new(clock.clone(), None);
        before.observe(Timestamp(5_000));
        let kept = before.offset_ms();
        *clock.0.lock().unwrap() += Duration::from_secs(60);
        assert_eq!(ClusterTime::new(clock, Some(kept)).now(), Timestamp(65_000));
    }
}
