//! Decisions about the next step without SQL.

use std::time::Duration;

use crate::deliveries::RUNG_MAX;
use crate::time::Timestamp;

/// Where an alert's plan stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Phase {
    /// People are being called.
    Calling,
    /// Those told are being told that it is over.
    CallingOff,
    /// Nothing further happens by itself.
    Closed,
}

impl Phase {
    pub fn name(self) -> &'static str {
        match self {
            Self::Calling => "calling",
            Self::CallingOff => "calling_off",
            Self::Closed => "closed",
        }
    }

    pub fn parse(name: &str) -> Self {
        match name {
            "calling" => Self::Calling,
            "calling_off" => Self::CallingOff,
            _ => Self::Closed,
        }
    }
}

/// What an alert does next, by itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Action {
    /// Owe the next page of people their texts.
    ExpandPage(u32),
    /// Call the next step.
    Advance(u16),
    /// Page the silent once more.
    Repeat(u16),
    /// Remind that it is still open.
    Review(u16),
    /// Owe the next page of those told their call-off.
    ExpandCallOff(u32),
}

impl Action {
    /// The word in rows and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::ExpandPage(_) => "expand_page",
            Self::Advance(_) => "advance",
            Self::Repeat(_) => "repeat",
            Self::Review(_) => "review",
            Self::ExpandCallOff(_) => "expand_call_off",
        }
    }
}

/// Pause between reminders that an alert at the end of its plan is still open.
const REVIEW_EVERY: Duration = Duration::from_secs(30 * 60);

/// The part of a plan on which the next action depends.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Plan {
    pub(super) phase: Phase,
    pub(super) started: Timestamp,
    /// Delay of each step from the start.
    pub(super) delays_ms: Vec<u64>,
    /// Number of the last page of each step.
    pub(super) last_pages: Vec<u32>,
    /// The step that was started last.
    pub(super) step: u16,
    pub(super) round: u16,
    pub(super) review: u16,
    pub(super) repeats: u16,
    pub(super) repeat_every_ms: u64,
    /// Enough people are coming, or somebody took it over.
    pub(super) satisfied: bool,
    /// The rest of those called cannot be enough, or somebody on the way asks for help: what comes next comes now.
    pub(super) hurry: bool,
    /// Nobody is called loudly at the end.
    pub(super) quiet: bool,
    /// A safety check: what follows its rounds is word that time is over.
    pub(super) checks: bool,
    /// When it turned out that those coming are not enough after all; steps whose time passed meanwhile are due then.
    pub(super) woken: Timestamp,
    /// Somebody paused it: no step or round is called before, unless it is in a hurry.
    pub(super) paused_until: Timestamp,
    pub(super) next_page: u32,
    /// Pages of the call-off, once it began; they follow the steps' pages.
    pub(super) call_off_end: u32,
}

/// Decides what happens next and when. `None` only once closed.
pub(super) fn next_action(plan: &Plan, now: Timestamp) -> Option<(Action, Timestamp)> {
    match plan.phase {
        Phase::Closed => return None,
        Phase::CallingOff if plan.next_page < plan.call_off_end => {
            return Some((Action::ExpandCallOff(plan.next_page), now));
        }
        Phase::CallingOff => return None,
        Phase::Calling => {}
    }
    let open_pages = plan
        .last_pages
        .get(usize::from(plan.step))
        .map_or(0, |last| last + 1);
    let after = |ms: u64| plan.started + Duration::from_millis(ms);
    // The first step may begin later than the alert; whoever took it over before then spares everybody the call.
    let not_begun = plan.not_begun();
    let begins = match plan.delays_ms.first() {
        Some(delay) if not_begun && !plan.hurry => after(*delay).max(plan.paused_until),
        _ => now,
    };
    let spared = begins > plan.started && not_begun && plan.satisfied;
    if plan.next_page < open_pages && !spared {
        return Some((Action::ExpandPage(plan.next_page), begins.max(now)));
    }
    let next_step = plan.delays_ms.get(usize::from(plan.step) + 1);
    if let Some(delay) = next_step.filter(|_| plan.hurry || !plan.satisfied) {
        let due = if plan.hurry {
            now
        } else {
            after(*delay).max(plan.woken).max(plan.paused_until)
        };
        return Some((Action::Advance(plan.step + 1), due));
    }
    if !plan.satisfied && plan.round < plan.rounds() {
        if plan.hurry && !plan.quiet {
            return Some((Action::Repeat(plan.rounds()), now));
        }
        let last_delay = plan.delays_ms.last().copied().unwrap_or(0);
        let rounds = u64::from(plan.round) + 1;
        let due = after(last_delay.saturating_add(plan.repeat_every_ms.saturating_mul(rounds)));
        let due = due.max(plan.woken).max(plan.paused_until);
        return Some((Action::Repeat(plan.round + 1), due));
    }
    // A safety check ends as long after its last round as that came after the one before.
    if plan.checks && !plan.satisfied && plan.review == 0 {
        let end = now + Duration::from_millis(plan.repeat_every_ms);
        return Some((Action::Review(1), end));
    }
    Some((Action::Review(plan.review + 1), now + REVIEW_EVERY))
}

impl Plan {
    /// Nobody has been called yet.
    pub(super) fn not_begun(&self) -> bool {
        self.step == 0 && self.round == 0 && self.next_page == 0
    }

    /// All rounds of paging the silent, with the loud one if there is one.
    fn rounds(&self) -> u16 {
        self.repeats.saturating_add(u16::from(!self.quiet))
    }

    /// The round after the last repeat is loud: everybody at once, on every path, and those kept for it.
    pub(super) fn is_loud(&self) -> bool {
        self.round > self.repeats
    }

    /// Whether a step is not one of those called in turn, but the people kept for the loud round.
    pub(super) fn is_fallback(&self, step: u16) -> bool {
        usize::from(step) >= self.delays_ms.len()
    }

    /// Whether so many are called together that ringing their phones would keep texts out: `page_len` on one page of a step,
    /// or more than one page of them.
    pub(super) fn is_crowd(&self, step: u16, page_len: usize) -> bool {
        let last = |step: usize| self.last_pages.get(step).copied().unwrap_or(0);
        let step = usize::from(step);
        let before = match step.checked_sub(1) {
            Some(before) => i64::from(last(before)),
            None => -1,
        };
        page_len > RUNG_MAX || i64::from(last(step)) - before > 1
    }
}

/// A code of `digits` digits from 64 bits of chance.
pub(super) fn code(chance: u64, digits: usize) -> String {
    let space = 10_u64.pow(u32::try_from(digits).unwrap_or(4));
    format!("{:0digits$}", chance % space)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        Plan {
            phase: Phase::Calling,
            started: Timestamp(1_000),
            delays_ms: vec![0, 60_000],
            last_pages: vec![0, 2],
            step: 0,
            round: 0,
            review: 0,
            repeats: 1,
            repeat_every_ms: 30_000,
            satisfied: false,
            hurry: false,
            quiet: false,
            checks: false,
            woken: Timestamp(0),
            paused_until: Timestamp(0),
            next_page: 0,
            call_off_end: 0,
        }
    }

    #[test]
    fn an_open_alert_always_has_a_next_action() {
        let now = Timestamp(5_000);
        let table = [
            (plan(), (Action::ExpandPage(0), now)),
            (
                Plan {
                    delays_ms: vec![20_000, 60_000],
                    ..plan()
                },
                (Action::ExpandPage(0), Timestamp(21_000)),
            ),
            (
                Plan {
                    delays_ms: vec![20_000, 60_000],
                    satisfied: true,
                    ..plan()
                },
                (Action::Review(1), Timestamp(1_805_000)),
            ),
            (
                Plan {
                    next_page: 1,
                    ..plan()
                },
                (Action::Advance(1), Timestamp(61_000)),
            ),
            (
                Plan {
                    step: 1,
                    next_page: 1,
                    ..plan()
                },
                (Action::ExpandPage(1), now),
            ),
            (
                Plan {
                    step: 1,
                    next_page: 3,
                    ..plan()
                },
                (Action::Repeat(1), Timestamp(91_000)),
            ),
            (
                Plan {
                    step: 1,
                    round: 1,
                    next_page: 3,
                    ..plan()
                },
                (Action::Repeat(2), Timestamp(121_000)),
            ),
            (
                Plan {
                    step: 1,
                    round: 2,
                    next_page: 3,
                    ..plan()
                },
                (Action::Review(1), Timestamp(1_805_000)),
            ),
            (
                Plan {
                    next_page: 1,
                    woken: Timestamp(70_000),
                    ..plan()
                },
                (Action::Advance(1), Timestamp(70_000)),
            ),
            (
                Plan {
                    next_page: 1,
                    hurry: true,
                    ..plan()
                },
                (Action::Advance(1), now),
            ),
            (
                Plan {
                    next_page: 1,
                    hurry: true,
                    satisfied: true,
                    ..plan()
                },
                (Action::Advance(1), now),
            ),
            (
                Plan {
                    step: 1,
                    next_page: 3,
                    hurry: true,
                    ..plan()
                },
                (Action::Repeat(2), now),
            ),
            (
                Plan {
                    step: 1,
                    next_page: 3,
                    hurry: true,
                    satisfied: true,
                    ..plan()
                },
                (Action::Review(1), Timestamp(1_805_000)),
            ),
            (
                Plan {
                    next_page: 1,
                    satisfied: true,
                    ..plan()
                },
                (Action::Review(1), Timestamp(1_805_000)),
            ),
            (
                Plan {
                    next_page: 1,
                    paused_until: Timestamp(99_000),
                    ..plan()
                },
                (Action::Advance(1), Timestamp(99_000)),
            ),
            (
                Plan {
                    step: 1,
                    next_page: 3,
                    paused_until: Timestamp(99_000),
                    ..plan()
                },
                (Action::Repeat(1), Timestamp(99_000)),
            ),
            (
                Plan {
                    next_page: 1,
                    paused_until: Timestamp(99_000),
                    hurry: true,
                    ..plan()
                },
                (Action::Advance(1), now),
            ),
        ];
        for (plan, expected) in table {
            assert_eq!(next_action(&plan, now), Some(expected), "{plan:?}");
        }
        assert_eq!(
            next_action(
                &Plan {
                    phase: Phase::Closed,
                    ..plan()
                },
                now
            ),
            None
        );
    }

    #[test]
    fn a_quiet_plan_ends_without_a_loud_round() {
        let now = Timestamp(5_000);
        let quiet = Plan {
            step: 1,
            next_page: 3,
            quiet: true,
            ..plan()
        };
        let next = next_action(&quiet, now).unwrap();
        assert_eq!(next, (Action::Repeat(1), Timestamp(91_000)));
        let hurried = Plan {
            hurry: true,
            ..quiet.clone()
        };
        assert_eq!(next_action(&hurried, now), Some(next));
        let over = Plan { round: 1, ..quiet };
        let (action, _) = next_action(&over, now).unwrap();
        assert_eq!(action, Action::Review(1));
    }

    #[test]
    fn a_safety_check_says_that_time_is_over_one_pause_after_its_last_round() {
        let now = Timestamp(200_000);
        let missing = Plan {
            step: 1,
            round: 2,
            next_page: 3,
            checks: true,
            ..plan()
        };
        let end = Timestamp(230_000);
        assert_eq!(next_action(&missing, now), Some((Action::Review(1), end)));
        let complete = Plan {
            satisfied: true,
            ..missing
        };
        let later = Timestamp(2_000_000);
        assert_eq!(
            next_action(&complete, now),
            Some((Action::Review(1), later))
        );
    }

    #[test]
    fn codes_keep_their_leading_zeros() {
        assert_eq!(code(10_042, 4), "0042");
    }
}
