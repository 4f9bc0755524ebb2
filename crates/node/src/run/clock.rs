//! The machine's clocks. The only place in Holdfast that reads them.

use std::time::{Duration, SystemTime};

use domain::Timestamp;
use domain::ports::Clock;
use rustix::time::{ClockId, clock_gettime};

/// CLOCK_BOOTTIME for time that passes, CLOCK_REALTIME for evidence.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn boot(&self) -> Duration {
        let now = clock_gettime(ClockId::Boottime);
        Duration::new(
            u64::try_from(now.tv_sec).unwrap_or(0),
            u32::try_from(now.tv_nsec).unwrap_or(0),
        )
    }

    fn wall(&self) -> Timestamp {
        // A machine that believes in a year before 1970 has no evidence to give.
        let since = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_since_boot_only_grows() {
        let (before, after) = (SystemClock.boot(), SystemClock.boot());
        assert!(before <= after && before > Duration::ZERO);
    }
}
