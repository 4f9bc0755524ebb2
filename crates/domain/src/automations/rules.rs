//! Decisions about automations without SQL: the same for alerts that run and for those that are only tried out.

use crate::vocabulary::{Answer, Automation, Effect, Severity, When};

/// Alerts looked at by one command, at most.
pub const FOLLOWED_MAX: usize = 50;

/// What an automation sees of its alert.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Seen {
    /// How many of those it looks at gave the answer it counts.
    pub(super) matching: u32,
    /// As many are coming as the plan wants.
    pub(super) complete: bool,
    /// The time it goes by has come.
    pub(super) time_is_up: bool,
}

/// What is to be done about an automation now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    Waits,
    Fires,
    /// What it waits for cannot happen any more.
    Never,
}

/// Decides about an automation that has not fired.
pub(super) fn verdict(when: &When, seen: Seen) -> Verdict {
    let fires = match when {
        When::Answered { count, .. } => seen.matching >= u32::from(*count),
        When::Complete => seen.complete,
        When::Nobody { .. } | When::Incomplete { .. } if !seen.time_is_up => return Verdict::Waits,
        When::Nobody { .. } => seen.matching == 0,
        When::Incomplete { .. } => !seen.complete,
    };
    match (fires, when) {
        (true, _) => Verdict::Fires,
        (false, When::Answered { .. } | When::Complete) => Verdict::Waits,
        (false, When::Nobody { .. } | When::Incomplete { .. }) => Verdict::Never,
    }
}

/// Why an automation fired, for the room.
pub(super) fn cause(when: &When, seen: Seen) -> String {
    match when {
        When::Answered { answer, .. } => {
            let people = if seen.matching == 1 {
                "person has"
            } else {
                "people have"
            };
            format!("{} {people} answered {}", seen.matching, said(*answer))
        }
        When::Nobody {
            after_ms, answer, ..
        } => {
            let seconds = after_ms.div_ceil(1_000);
            format!("nobody has answered {} within {seconds} s", said(*answer))
        }
        When::Complete => "the team is complete".to_owned(),
        When::Incomplete { after_ms } => {
            let seconds = after_ms.div_ceil(1_000);
            format!("the team is not complete after {seconds} s")
        }
    }
}

fn said(answer: Option<Answer>) -> &'static str {
    answer.map_or("anything", Answer::name)
}

/// Whether an island leaves an automation to the cluster: what stops calling must not be decided by a site that hears
/// only some of the answers.
pub(super) fn waits_on_island(automation: &Automation, severity: Severity) -> bool {
    automation.then.iter().any(|effect| match effect {
        Effect::Close { .. } => true,
        Effect::Severity { severity: to } => *to < severity,
        Effect::Raise { .. } | Effect::Add { .. } | Effect::Post { .. } | Effect::Tell { .. } => {
            false
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(matching: u32, complete: bool, time_is_up: bool) -> Seen {
        Seen {
            matching,
            complete,
            time_is_up,
        }
    }

    #[test]
    fn each_condition_waits_fires_or_is_over() {
        let answered = When::Answered {
            count: 2,
            answer: Some(Answer::Coming),
            among: Vec::new(),
        };
        let nobody = When::Nobody {
            after_ms: 60_000,
            answer: None,
            among: Vec::new(),
        };
        let incomplete = When::Incomplete { after_ms: 60_000 };
        for (when, seen, expected) in [
            (&answered, seen(1, true, true), Verdict::Waits),
            (&answered, seen(2, false, false), Verdict::Fires),
            (&nobody, seen(0, false, false), Verdict::Waits),
            (&nobody, seen(3, false, false), Verdict::Waits),
            (&nobody, seen(0, false, true), Verdict::Fires),
            (&nobody, seen(1, false, true), Verdict::Never),
            (&When::Complete, seen(9, false, true), Verdict::Waits),
            (&When::Complete, seen(0, true, false), Verdict::Fires),
            (&incomplete, seen(0, false, false), Verdict::Waits),
            (&incomplete, seen(0, false, true), Verdict::Fires),
            (&incomplete, seen(0, true, true), Verdict::Never),
        ] {
            assert_eq!(verdict(when, seen), expected, "{when:?} {seen:?}");
        }
    }
}
