//! When to do what about a modem that does not answer: the reset ladder, its pauses and its caps.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

const HOUR: Duration = Duration::from_secs(3600);
/// Soft resets in an hour: a constant reset makes things worse.
const RESETS_PER_HOUR: usize = 3;
/// Reopenings in an hour.
const REOPENINGS_PER_HOUR: usize = 12;
/// A port that has just come back is given this long to answer before anything is done to it.
pub(super) const GRACE: Duration = Duration::from_secs(60);
/// After the last step: how long until the next try.
const DEAD_PAUSE: Duration = Duration::from_secs(600);

/// The next thing to do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Rung {
    /// Close and open the port (step 2).
    Reopen,
    /// `AT+CFUN=1,1`, then reopen (step 3).
    Reset,
    /// Declare the modem dead (step 6; 4 and 5 are hardware and belong to the driver), and wait.
    GiveUp,
    /// Not yet: resync again until then.
    WaitUntil(Instant),
}

#[derive(Debug, Default)]
pub(super) struct Ladder {
    resets: VecDeque<Instant>,
    reopenings: VecDeque<Instant>,
    /// Steps taken since the modem last answered.
    steps: u32,
    not_before: Option<Instant>,
}

impl Ladder {
    /// The modem answered: whatever was wrong is over. The hour's counts stay.
    pub(super) fn answered(&mut self) {
        self.steps = 0;
        self.not_before = None;
    }

    /// The port came (back): leave it in peace for a while.
    pub(super) fn port_opened(&mut self, now: Instant) {
        self.raise_not_before(now + GRACE);
    }

    /// A resync has failed. `is_modem`: whether this port has ever answered; what may not be a modem is never reset.
    pub(super) fn climb(&mut self, now: Instant, is_modem: bool) -> Rung {
        if let Some(until) = self.not_before.filter(|until| now < *until) {
            return Rung::WaitUntil(until);
        }
        for taken in [&mut self.resets, &mut self.reopenings] {
            taken.retain(|at| now.saturating_duration_since(*at) < HOUR);
        }
        self.steps += 1;
        // Pauses double from 10 s; the port's own grace comes on top.
        let pause = Duration::from_secs(10 << self.steps.min(5));
        self.raise_not_before(now + pause);
        if self.steps == 1 && self.reopenings.len() < REOPENINGS_PER_HOUR {
            self.reopenings.push_back(now);
            return Rung::Reopen;
        }
        if is_modem && self.steps <= 3 && self.resets.len() < RESETS_PER_HOUR {
            self.resets.push_back(now);
            return Rung::Reset;
        }
        self.steps = 0;
        self.raise_not_before(now + DEAD_PAUSE);
        Rung::GiveUp
    }

    fn raise_not_before(&mut self, until: Instant) {
        self.not_before = self.not_before.max(Some(until));
    }
}

#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    reason = "the transcript has to begin at some instant"
)]
mod tests {
    use super::*;

    #[test]
    fn steps_go_up_with_pauses_and_end_in_giving_up() {
        let start = Instant::now();
        let mut ladder = Ladder::default();
        let mut now = start;
        let mut rungs = Vec::new();
        while rungs.len() < 4 {
            match ladder.climb(now, true) {
                Rung::WaitUntil(until) => now = until,
                rung @ (Rung::Reopen | Rung::Reset | Rung::GiveUp) => rungs.push(rung),
            }
        }
        assert_eq!(
            rungs,
            [Rung::Reopen, Rung::Reset, Rung::Reset, Rung::GiveUp]
        );
    }

    #[test]
    fn a_port_just_back_is_left_alone() {
        let now = Instant::now();
        let mut ladder = Ladder::default();
        ladder.port_opened(now);
        assert_eq!(
            ladder.climb(now + GRACE / 2, true),
            Rung::WaitUntil(now + GRACE)
        );
        assert_eq!(ladder.climb(now + GRACE, true), Rung::Reopen);
    }

    #[test]
    fn soft_resets_are_capped_by_the_hour_and_never_meet_what_is_no_modem() {
        let mut now = Instant::now();
        let end = now + HOUR;
        let mut ladder = Ladder::default();
        let mut resets = 0;
        while now < end {
            match ladder.climb(now, true) {
                Rung::WaitUntil(until) => now = until,
                Rung::Reset => resets += 1,
                Rung::Reopen | Rung::GiveUp => {}
            }
        }
        assert_eq!(resets, RESETS_PER_HOUR);
        let mut ladder = Ladder::default();
        assert_eq!(ladder.climb(now, false), Rung::Reopen);
        assert_eq!(ladder.climb(now + GRACE, false), Rung::GiveUp);
    }
}
