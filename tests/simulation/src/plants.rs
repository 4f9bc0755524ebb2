//! Bugs planted on purpose, to prove that the invariants would catch them. None touches production code: they sit in the
//! fakes around it, or in triggers of the simulated database.

use crate::world::{Bugs, ChannelBugs};

/// One bug.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Plant {
    pub name: &'static str,
    /// The invariants that may notice it first.
    pub caught_by: &'static [&'static str],
    /// The first seed that shows it. Where a change of the domain moves it, so does the table in README.md.
    pub shown_by: u64,
    how: How,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum How {
    Replica(ReplicaBug),
    Channel(ChannelBug),
    /// On every node's database.
    Trigger(&'static str),
    /// A node passes over one entry in so many.
    SkipsEntries(u64),
    /// An island journals no answers.
    IslandLosesAnswers,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum ReplicaBug {
    AcknowledgesEarly,
    GrantsItself,
    ForgetsRequests,
    TrustsWallClock,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum ChannelBug {
    DropsEnds,
    DropsTexts,
    ForgetsEarly,
    IgnoresRights,
}

impl Plant {
    pub fn named(name: &str) -> Option<Self> {
        ALL.iter().copied().find(|plant| plant.name == name)
    }

    pub(crate) fn replica(&self) -> Bugs {
        let bug = match self.how {
            How::Replica(bug) => bug,
            _ => return Bugs::default(),
        };
        Bugs {
            acknowledges_early: bug == ReplicaBug::AcknowledgesEarly,
            grants_itself: bug == ReplicaBug::GrantsItself,
            forgets_requests: bug == ReplicaBug::ForgetsRequests,
            trusts_wall_clock: bug == ReplicaBug::TrustsWallClock,
        }
    }

    pub(crate) fn channel(&self) -> ChannelBugs {
        let bug = match self.how {
            How::Channel(bug) => bug,
            _ => return ChannelBugs::default(),
        };
        ChannelBugs {
            drops_ends: bug == ChannelBug::DropsEnds,
            drops_texts: bug == ChannelBug::DropsTexts,
            forgets_early: bug == ChannelBug::ForgetsEarly,
            ignores_rights: bug == ChannelBug::IgnoresRights,
        }
    }

    pub(crate) fn trigger(&self) -> Option<&'static str> {
        match self.how {
            How::Trigger(sql) => Some(sql),
            _ => None,
        }
    }

    pub(crate) fn skips_entries(&self) -> Option<u64> {
        match self.how {
            How::SkipsEntries(every) => Some(every),
            _ => None,
        }
    }

    pub(crate) fn island_loses_answers(&self) -> bool {
        self.how == How::IslandLosesAnswers
    }
}

/// All of them.
pub const ALL: &[Plant] = &[
    Plant {
        name: "ack-before-durable",
        caught_by: &["accepted_stays", "one_effect"],
        shown_by: 0,
        how: How::Replica(ReplicaBug::AcknowledgesEarly),
    },
    Plant {
        name: "retry-is-a-new-request",
        caught_by: &["one_effect", "accepted_stays"],
        shown_by: 4,
        how: How::Replica(ReplicaBug::ForgetsRequests),
    },
    Plant {
        name: "entry-skipped",
        caught_by: &[
            "next_action",
            "same_history",
            "accepted_stays",
            "one_effect",
        ],
        shown_by: 0,
        how: How::SkipsEntries(7),
    },
    Plant {
        name: "lease-always-granted",
        caught_by: &["leases_cover_sends", "attempts_tell_the_truth"],
        shown_by: 28,
        how: How::Replica(ReplicaBug::GrantsItself),
    },
    Plant {
        name: "time-from-the-wall-clock",
        caught_by: &[
            "page_order",
            "next_action",
            "deliveries_end",
            "attempts_tell_the_truth",
        ],
        shown_by: 14,
        how: How::Replica(ReplicaBug::TrustsWallClock),
    },
    Plant {
        name: "outcome-dropped",
        caught_by: &["attempts_tell_the_truth", "deliveries_end"],
        shown_by: 0,
        how: How::Channel(ChannelBug::DropsEnds),
    },
    Plant {
        name: "answer-dropped",
        caught_by: &["texts_are_kept"],
        shown_by: 0,
        how: How::Channel(ChannelBug::DropsTexts),
    },
    Plant {
        name: "text-forgotten-before-stored",
        caught_by: &["texts_are_kept"],
        shown_by: 10,
        how: How::Channel(ChannelBug::ForgetsEarly),
    },
    Plant {
        name: "line-ignores-rights",
        caught_by: &["quiet_after_answer", "leases_cover_sends"],
        shown_by: 21,
        how: How::Channel(ChannelBug::IgnoresRights),
    },
    Plant {
        name: "island-journals-no-answers",
        caught_by: &["islands_come_home", "texts_are_kept"],
        shown_by: 3,
        how: How::IslandLosesAnswers,
    },
    Plant {
        name: "next-action-lost",
        caught_by: &["next_action"],
        shown_by: 0,
        how: How::Trigger(
            "create trigger planted after update on escalation when new.next_action = 'advance' \
             begin update escalation set next_action = '' where alert_id = new.alert_id; end",
        ),
    },
    Plant {
        name: "answer-cancels-nothing",
        caught_by: &["quiet_after_answer"],
        shown_by: 0,
        how: How::Trigger(
            "create trigger planted after update of state on delivery \
             when new.state in ('acknowledged', 'cancelled') and new.purpose = 'page' and new.reason <> 'not needed' \
             begin update delivery set state = 'pending', ended_at_ms = null where delivery_id = new.delivery_id; end",
        ),
    },
    Plant {
        name: "code-drawn-twice",
        caught_by: &["codes_are_unique"],
        shown_by: 0,
        how: How::Trigger(
            "create trigger planted after insert on called_person begin update called_person set code = '4711' \
             where alert_id = new.alert_id and recipient_id = new.recipient_id; end",
        ),
    },
    Plant {
        name: "repeat-mark-lost",
        caught_by: &["repeats_say_so"],
        shown_by: 5,
        how: How::Trigger(
            "create trigger planted after update on delivery when new.possible_repeat = 1 or new.renumbered = 1 \
             begin update delivery set possible_repeat = 0, renumbered = 0 where delivery_id = new.delivery_id; end",
        ),
    },
    Plant {
        name: "call-off-forgets-someone",
        caught_by: &["call_off_reaches"],
        shown_by: 0,
        how: How::Trigger(
            "create trigger planted after insert on delivery when new.purpose = 'call_off' \
             begin delete from delivery where delivery_id = new.delivery_id; end",
        ),
    },
    Plant {
        name: "nothing-expires",
        caught_by: &["deliveries_end", "attempts_tell_the_truth"],
        shown_by: 0,
        how: How::Trigger(
            "create trigger planted before update of state on delivery when old.ended_at_ms is null \
             and new.ended_at_ms >= old.expires_at_ms begin select raise(ignore); end",
        ),
    },
    Plant {
        name: "severity-forgotten",
        caught_by: &["severity_first"],
        shown_by: 0,
        how: How::Trigger(
            "create trigger planted after insert on escalation when new.critical = 1 \
             begin update escalation set critical = 0, lane = 9, next_due_ms = next_due_ms + 15000 \
             where alert_id = new.alert_id; end",
        ),
    },
    Plant {
        name: "step-called-early",
        caught_by: &["page_order"],
        shown_by: 0,
        how: How::Trigger(
            "create trigger planted after update on escalation when new.next_action = 'advance' \
             begin update escalation set next_due_ms = started_at_ms where alert_id = new.alert_id; end",
        ),
    },
    Plant {
        name: "texts-frozen-too-late",
        caught_by: &["texts_have_words"],
        shown_by: 0,
        how: How::Trigger(
            "create trigger planted after insert on delivery_text when hex(substr(new.alert_id, 1, 1)) < '60' \
             begin delete from delivery_text where alert_id = new.alert_id; end",
        ),
    },
];
