//! When followers are told, and how much. Without SQL.

use std::time::Duration;

use crate::alerts::AlertRow;
use crate::conversations::{Mention, MessageRow};
use crate::ids::RecipientId;
use crate::time::Timestamp;
use crate::vocabulary::Severity;

/// Digests that leave to one person within an hour, over all rooms.
pub const PERSON_HOUR_MAX: u32 = 20;

/// Digests that one room sends within an hour, to all who follow it.
pub const ROOM_HOUR_MAX: u32 = 240;

/// What both are counted over.
pub(super) const WINDOW: Duration = Duration::from_secs(3_600);

/// How long it is kept what left to whom: so long a mail about an everyday room can be answered there, and so far back a
/// room's page counts.
pub(super) const KEPT: Duration = Duration::from_secs(30 * 24 * 3_600);

/// How long the room of an alert is followed after it is over.
const AFTER: Duration = Duration::from_secs(12 * 3_600);

/// Why what was due was not told yet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Held {
    No,
    /// The person had as many digests as one hour allows.
    Person,
    /// The room sent as many.
    Room,
    /// The person has nothing left by which they follow.
    Unreachable,
}

impl Held {
    const ALL: [Self; 4] = [Self::No, Self::Person, Self::Room, Self::Unreachable];

    /// The word in rows and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::No => "",
            Self::Person => "person",
            Self::Room => "room",
            Self::Unreachable => "unreachable",
        }
    }

    /// The meaning of a row; one of a newer version says nothing to this one.
    pub(super) fn parse(name: &str) -> Self {
        let known = Self::ALL.into_iter().find(|held| held.name() == name);
        known.unwrap_or(Self::No)
    }
}

/// How long messages are gathered before they are told together; `None`: an everyday room.
pub fn period(severity: Option<Severity>) -> Duration {
    let minutes = match severity {
        Some(Severity::Critical) => 5,
        Some(Severity::High) => 10,
        Some(Severity::Normal) => 15,
        Some(Severity::Low) | None => 30,
    };
    Duration::from_secs(minutes * 60)
}

/// When the room of an alert stops being followed; `None`: not as things stand.
pub fn ends(alert: Option<&AlertRow>) -> Option<Timestamp> {
    alert?.closed_at.map(|closed| closed + AFTER)
}

/// Alerts closed by then are over for their followers at `now`.
pub(super) fn over_since(now: Timestamp) -> Timestamp {
    now - AFTER
}

/// Whether a message calls somebody at once.
pub(super) fn calls(message: &MessageRow, key: &str, leads: bool) -> bool {
    message.mentions.iter().any(|mention| match mention {
        Mention::All => true,
        Mention::Lead => leads,
        Mention::Person(called) => called == key,
    })
}

/// What is theirs is not told them.
pub(super) fn is_own(message: &MessageRow, person: RecipientId) -> bool {
    message.person == Some(person)
}

/// How a follower stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Standing {
    pub(super) since: Timestamp,
    pub(super) told: u64,
    pub(super) seen: u64,
    pub(super) waiting: u64,
    pub(super) due: Option<Timestamp>,
    pub(super) held: Held,
}

impl Standing {
    /// Of somebody who follows since `since`, when `told` was said already.
    pub(super) fn new(since: Timestamp, told: u64) -> Self {
        Self {
            since,
            told,
            seen: told,
            waiting: 0,
            due: None,
            held: Held::No,
        }
    }

    /// Takes a message in. The first that waits sets the time, one that calls brings it forward; what a budget holds back
    /// waits for that.
    pub(super) fn see(
        &mut self,
        sequence: u64,
        own: bool,
        calls: bool,
        now: Timestamp,
        gathered: Duration,
    ) {
        self.seen = sequence;
        if own {
            return;
        }
        self.waiting += 1;
        let wanted = if calls { now } else { now + gathered };
        self.due = Some(match (self.due, self.held) {
            (None, _) => {
                self.held = Held::No;
                wanted
            }
            (Some(due), Held::No) => due.min(wanted),
            (Some(due), Held::Person | Held::Room | Held::Unreachable) => due,
        });
    }

    /// Everything up to `sequence` was told, or need not be.
    pub(super) fn told_to(&mut self, sequence: u64) {
        *self = Self::new(self.since, sequence);
    }
}

/// Until when a budget is used up: `times` are those of what left within the window, oldest first.
pub(super) fn full_until(times: &[Timestamp], most: u32) -> Option<Timestamp> {
    let most = most as usize;
    let above = times.len().checked_sub(most)?;
    times.get(above).map(|oldest| *oldest + WINDOW)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn the_first_message_sets_the_time_and_a_call_brings_it_forward() {
        let start = Timestamp(1_000_000);
        let mut standing = Standing::new(start, 4);
        standing.see(5, true, false, start, 5 * MINUTE);
        assert_eq!(
            (standing.due, standing.waiting, standing.seen),
            (None, 0, 5)
        );
        standing.see(6, false, false, start, 5 * MINUTE);
        standing.see(7, false, false, start + MINUTE, 5 * MINUTE);
        assert_eq!(standing.due, Some(start + 5 * MINUTE));
        standing.see(8, false, true, start + 2 * MINUTE, 5 * MINUTE);
        assert_eq!(standing.due, Some(start + 2 * MINUTE));
        assert_eq!((standing.told, standing.waiting), (4, 3));
        standing.told_to(8);
        assert_eq!(standing, Standing::new(start, 8));
    }

    #[test]
    fn what_a_budget_holds_back_waits_for_it_whoever_calls() {
        let start = Timestamp(1_000_000);
        let later = start + 30 * MINUTE;
        let mut standing = Standing {
            due: Some(later),
            held: Held::Person,
            ..Standing::new(start, 0)
        };
        standing.see(1, false, true, start, MINUTE);
        assert_eq!(standing.due, Some(later));
    }

    #[test]
    fn a_budget_is_free_when_its_oldest_is_an_hour_old() {
        let at = |n: u32| Timestamp(0) + n * MINUTE;
        assert_eq!(full_until(&[], 2), None);
        assert_eq!(full_until(&[at(1)], 2), None);
        assert_eq!(full_until(&[at(1), at(5)], 2), Some(at(61)));
        assert_eq!(full_until(&[at(1), at(5), at(9)], 2), Some(at(65)));
    }

    #[test]
    fn the_graver_the_alert_the_sooner_followers_are_told() {
        let periods = Severity::ALL.map(|severity| period(Some(severity)));
        assert!(periods.is_sorted_by(|one, other| one > other));
        // Told as often as the period allows, nobody meets the budget.
        let most = WINDOW.as_secs() / period(Some(Severity::Critical)).as_secs();
        assert!(most <= u64::from(PERSON_HOUR_MAX));
    }
}
