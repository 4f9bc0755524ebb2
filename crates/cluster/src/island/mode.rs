//! When a node stops relying on the others, and when it relies on them again (DESIGN D1, D6). Pure: what was tried, what
//! came of it and when go in, what to do comes out. All times are readings of the boot clock.

use std::time::Duration;

/// Pause between two tries to hear a majority.
pub(crate) const PROBE_PERIOD: Duration = Duration::from_secs(2);

/// The same while rejoining, where every try counts.
pub(crate) const PROBE_PERIOD_HEALING: Duration = Duration::from_millis(500);

/// A majority that answered without a break for this long has come to stay.
const STABLE: Duration = Duration::from_secs(3);

/// Where a node stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Phase {
    /// One of the cluster: commands go through the common log.
    Member,
    /// By itself: commands go to the fork, and its own loops work on it.
    Island,
    /// A majority answers again. Commands still go to the fork; its scheduler rests.
    Healing,
}

/// What an observation calls for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Step {
    Stay,
    /// Make the fork and work on it.
    Enter,
    /// Rest the fork's scheduler and hand its journal over.
    Heal,
    /// The majority is gone again: the fork's scheduler goes on.
    Relapse,
    /// The majority is there to stay: leave once the journal is handed over.
    MayLeave,
}

/// Judges by the node's own commits and read indices alone: hearing heartbeats is not enough, because some cuts work one
/// way only.
#[derive(Debug)]
pub(crate) struct Watch {
    after: Duration,
    /// Observations further apart mean that this process slept, and sleep is no evidence against the others.
    pause_max: Duration,
    phase: Phase,
    /// Since when nothing succeeded (member), or everything did (healing).
    since: Duration,
    /// Healing only: the majority has answered at least once.
    heard: bool,
    seen: Duration,
    /// Something was tried and failed since the last success.
    tried: bool,
}

impl Watch {
    /// Starts as a member, or as one who has yet to hand over a journal: that one answers from its fork until it has.
    pub(crate) fn new(now: Duration, after: Duration, patience: Duration, journal: bool) -> Self {
        Self {
            after,
            pause_max: (PROBE_PERIOD + patience) * 2,
            phase: if journal {
                Phase::Healing
            } else {
                Phase::Member
            },
            since: now,
            heard: false,
            seen: now,
            tried: false,
        }
    }

    pub(crate) fn phase(&self) -> Phase {
        self.phase
    }

    /// When a member gives up on the others if nothing succeeds before.
    pub(crate) fn gives_up_at(&self) -> Option<Duration> {
        (self.phase == Phase::Member).then(|| self.since + self.after)
    }

    /// A commit or a read index of this node succeeded.
    pub(crate) fn succeeded(&mut self, now: Duration) -> Step {
        let slept = self.slept(now);
        self.tried = false;
        match self.phase {
            Phase::Member => {
                self.since = now;
                Step::Stay
            }
            Phase::Island => {
                self.phase = Phase::Healing;
                self.since = now;
                self.heard = true;
                Step::Heal
            }
            Phase::Healing if slept || !self.heard => {
                self.since = now;
                let first = !std::mem::replace(&mut self.heard, true);
                if first { Step::Heal } else { Step::Stay }
            }
            Phase::Healing if now.saturating_sub(self.since) >= STABLE => Step::MayLeave,
            Phase::Healing => Step::Stay,
        }
    }

    /// A try took all its time and came to nothing.
    pub(crate) fn failed(&mut self, now: Duration) -> Step {
        if self.slept(now) && self.phase == Phase::Member {
            self.since = now;
            return Step::Stay;
        }
        self.tried = true;
        match self.phase {
            Phase::Member => self.tick(now),
            Phase::Island => Step::Stay,
            Phase::Healing => {
                self.phase = Phase::Island;
                self.heard = false;
                Step::Relapse
            }
        }
    }

    /// Time passed without a word.
    pub(crate) fn tick(&mut self, now: Duration) -> Step {
        if self.slept(now) && self.phase == Phase::Member {
            self.since = now;
            self.tried = false;
            return Step::Stay;
        }
        if self.phase == Phase::Member && self.tried && now.saturating_sub(self.since) >= self.after
        {
            self.phase = Phase::Island;
            return Step::Enter;
        }
        Step::Stay
    }

    /// The fork could not be made; a member it stays, and tries again after the next failure.
    pub(crate) fn could_not_enter(&mut self) {
        self.phase = Phase::Member;
    }

    /// The journal is handed over and applied here.
    pub(crate) fn left(&mut self, now: Duration) {
        self.phase = Phase::Member;
        self.since = now;
        self.tried = false;
        self.heard = false;
    }

    fn slept(&mut self, now: Duration) -> bool {
        let slept = now.saturating_sub(self.seen) > self.pause_max;
        self.seen = now;
        slept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    enum Saw {
        Ok(u64),
        Failed(u64),
        Tick(u64),
        Left(u64),
    }
    use Saw::{Failed, Left, Ok, Tick};

    /// Plays observations (in seconds) on a watch of 10 s and tells each step that is not [`Step::Stay`].
    fn play(journal: bool, story: &[Saw]) -> (Vec<(u64, Step)>, Phase) {
        let mut watch = Watch::new(s(100), s(10), s(2), journal);
        let mut steps = Vec::new();
        for saw in story {
            let (at, step) = match *saw {
                Ok(at) => (at, watch.succeeded(s(at))),
                Failed(at) => (at, watch.failed(s(at))),
                Tick(at) => (at, watch.tick(s(at))),
                Left(at) => {
                    watch.left(s(at));
                    (at, Step::Stay)
                }
            };
            if step != Step::Stay {
                steps.push((at, step));
            }
        }
        (steps, watch.phase())
    }

    #[test]
    fn a_member_that_hears_a_majority_stays_one() {
        let story: Vec<Saw> = (0..50).map(|n| Ok(100 + 2 * n)).collect();
        assert_eq!(play(false, &story), (vec![], Phase::Member));
    }

    #[test]
    fn a_member_gives_up_after_the_time_set_and_not_before() {
        let story = [
            Ok(100),
            Failed(104),
            Failed(106),
            Failed(108),
            Tick(109),
            Tick(110),
        ];
        assert_eq!(
            play(false, &story),
            (vec![(110, Step::Enter)], Phase::Island)
        );
    }

    #[test]
    fn one_success_starts_the_count_again() {
        let story = [
            Failed(104),
            Failed(108),
            Ok(109),
            Failed(112),
            Failed(115),
            Failed(118),
            Tick(119),
        ];
        assert_eq!(
            play(false, &story),
            (vec![(119, Step::Enter)], Phase::Island)
        );
    }

    #[test]
    fn a_node_that_never_heard_anyone_since_its_start_gives_up_too() {
        let story = [Failed(102), Failed(106), Failed(110)];
        assert_eq!(
            play(false, &story),
            (vec![(110, Step::Enter)], Phase::Island)
        );
    }

    #[test]
    fn a_process_that_slept_does_not_blame_the_others() {
        let story = [Ok(102), Failed(500), Tick(501), Ok(502)];
        assert_eq!(play(false, &story), (vec![], Phase::Member));
        let story = [
            Ok(102),
            Tick(500),
            Failed(502),
            Failed(506),
            Failed(509),
            Tick(510),
        ];
        assert_eq!(
            play(false, &story),
            (vec![(510, Step::Enter)], Phase::Island)
        );
    }

    #[test]
    fn time_alone_is_no_evidence() {
        let story = [Ok(102), Tick(106), Tick(110), Tick(114), Tick(118)];
        assert_eq!(play(false, &story), (vec![], Phase::Member));
    }

    #[test]
    fn healing_takes_three_unbroken_seconds() {
        let enter = [Failed(104), Failed(108), Failed(110)];
        let heal = [Ok(120), Ok(121), Ok(122), Ok(123), Left(124), Ok(125)];
        let story: Vec<Saw> = enter
            .into_iter()
            .chain([Failed(114), Failed(118)])
            .chain(heal)
            .collect();
        let steps = vec![(110, Step::Enter), (120, Step::Heal), (123, Step::MayLeave)];
        assert_eq!(play(false, &story), (steps, Phase::Member));
    }

    #[test]
    fn a_majority_that_goes_again_sends_the_node_back_to_itself() {
        let story = [
            Failed(104),
            Failed(108),
            Failed(110),
            Ok(114),
            Ok(116),
            Failed(118),
            Ok(120),
            Ok(122),
            Ok(123),
        ];
        let steps = vec![
            (110, Step::Enter),
            (114, Step::Heal),
            (118, Step::Relapse),
            (120, Step::Heal),
            (123, Step::MayLeave),
        ];
        assert_eq!(play(false, &story), (steps, Phase::Healing));
    }

    #[test]
    fn a_node_restarted_with_a_journal_stays_on_its_fork_until_it_is_handed_over() {
        let story = [Ok(101), Ok(103), Ok(104), Left(105)];
        let steps = vec![(101, Step::Heal), (104, Step::MayLeave)];
        assert_eq!(play(true, &story), (steps, Phase::Member));
    }

    #[test]
    fn a_node_restarted_with_a_journal_and_nobody_there_works_by_itself_at_once() {
        assert_eq!(
            play(true, &[Failed(102)]),
            (vec![(102, Step::Relapse)], Phase::Island)
        );
    }

    #[test]
    fn a_fork_that_could_not_be_made_is_tried_again() {
        let mut watch = Watch::new(s(100), s(10), s(2), false);
        _ = watch.failed(s(105));
        assert_eq!(watch.failed(s(110)), Step::Enter);
        watch.could_not_enter();
        assert_eq!(watch.failed(s(112)), Step::Enter);
    }
}
