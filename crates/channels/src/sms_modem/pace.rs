//! How fast parts may leave one SIM (CHANNELS §1.11), with a third of the rate kept for urgent messages (DESIGN C5).

use std::time::{Duration, Instant};

/// Two token buckets: every part takes from the first, ordinary parts also from the second, which is two thirds its size.
#[derive(Debug)]
pub(super) struct Pace {
    all: Bucket,
    ordinary: Bucket,
}

#[derive(Debug)]
struct Bucket {
    /// Tokens added per second.
    rate: f64,
    burst: f64,
    level: f64,
    as_of: Instant,
}

impl Pace {
    /// Starts full. The burst is raised to `parts_max`, so that the longest message can pass at all.
    pub(super) fn new(now: Instant, parts_per_min: u32, burst: u32, parts_max: u8) -> Self {
        let rate = f64::from(parts_per_min.max(1)) / 60.0;
        let least = f64::from(parts_max);
        let share = 2.0 / 3.0;
        Self {
            all: Bucket::full(now, rate, f64::from(burst).max(least)),
            ordinary: Bucket::full(now, rate * share, (f64::from(burst) * share).max(least)),
        }
    }

    /// Takes tokens for all parts of a message at once, for they go back to back; or says when to come again.
    pub(super) fn take(&mut self, now: Instant, parts: usize, urgent: bool) -> Result<(), Instant> {
        let ready_at = self.ready_at(now, parts, urgent);
        if ready_at > now {
            return Err(ready_at);
        }
        let need = parts as f64;
        self.all.level -= need;
        if !urgent {
            self.ordinary.level -= need;
        }
        Ok(())
    }

    /// `now`, or when [`take`](Self::take) will succeed.
    pub(super) fn ready_at(&mut self, now: Instant, parts: usize, urgent: bool) -> Instant {
        let need = parts as f64;
        let all = self.all.ready_at(now, need);
        if urgent {
            all
        } else {
            all.max(self.ordinary.ready_at(now, need))
        }
    }
}

impl Bucket {
    fn full(now: Instant, rate: f64, burst: f64) -> Self {
        Self {
            rate,
            burst,
            level: burst,
            as_of: now,
        }
    }

    /// `now` when `need` tokens are there, else when they will be.
    fn ready_at(&mut self, now: Instant, need: f64) -> Instant {
        let passed = now.saturating_duration_since(self.as_of).as_secs_f64();
        self.level = (self.level + passed * self.rate).min(self.burst);
        self.as_of = self.as_of.max(now);
        // Sums of fractions may miss a whole token by a hair.
        const HAIR: f64 = 1e-6;
        if self.level + HAIR >= need {
            now
        } else {
            now + Duration::from_secs_f64((need - self.level) / self.rate)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parts that pass in `minutes` when one-part messages are pressed in without pause.
    fn passed(pace: &mut Pace, start: Instant, minutes: u64, urgent: bool) -> u32 {
        let mut count = 0;
        let mut now = start;
        while now < start + Duration::from_secs(60 * minutes) {
            match pace.take(now, 1, urgent) {
                Ok(()) => count += 1,
                Err(later) => now = later,
            }
        }
        count
    }

    #[test]
    fn a_burst_passes_at_once_and_then_the_rate_holds() {
        let start = Instant::now();
        let mut pace = Pace::new(start, 10, 20, 6);
        let count = passed(&mut pace, start, 6, true);
        assert!(
            (79..=80).contains(&count),
            "20 at once and 10 a minute, but {count} passed"
        );
    }

    #[test]
    fn ordinary_messages_leave_a_third_to_urgent_ones() {
        let start = Instant::now();
        let mut pace = Pace::new(start, 12, 18, 6);
        let ordinary = passed(&mut pace, start, 10, false);
        assert!(
            (91..=92).contains(&ordinary),
            "12 at once and 8 a minute, but {ordinary} passed"
        );
        // However hard the ordinary ones press, an urgent one passes at once.
        assert_eq!(pace.take(start + Duration::from_secs(600), 6, true), Ok(()));
    }

    #[test]
    fn a_long_message_waits_for_all_its_parts() {
        let start = Instant::now();
        let mut pace = Pace::new(start, 60, 1, 6);
        assert_eq!(pace.take(start, 6, false), Ok(()));
        let later = pace.take(start, 6, true).unwrap_err();
        assert_eq!(later.duration_since(start).as_secs(), 6);
        assert_eq!(pace.take(later, 6, true), Ok(()));
    }
}
