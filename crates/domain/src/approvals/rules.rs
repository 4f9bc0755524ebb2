//! Decisions about second persons without SQL.

use std::time::Duration;

use super::{Decision, Said};
use crate::time::Timestamp;

/// After this whoever asked may let it go alone.
pub const RELEASE_AFTER: Duration = Duration::from_secs(3 * 60);

/// After this nobody can let it go any more: an alarm that comes an hour late is raised anew by somebody who looked.
pub const LAPSES_AFTER: Duration = Duration::from_secs(60 * 60);

/// Alerts of one key or command line that wait at a time.
pub(super) const WAITING_MAX: i64 = 10;

/// Rows kept that need nothing any more.
pub(super) const KEPT: i64 = 1_000;

/// People who are asked to agree to one alert.
pub(super) const ASKED_MAX: usize = 20;

/// Wrong codes after which a row takes none over HTTP any more: six digits are not to be tried out.
pub(super) const WRONG_CODES_MAX: i64 = 5;

/// Digits of the codes of those who are asked: more than those of people called, so that neither is taken for the other.
pub(super) const CODE_DIGITS: usize = 6;

const NAME_LEN_MAX: usize = 100;
const REASON_LEN_MAX: usize = 500;

/// Where something that needs a second person stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum State {
    /// Waits for a second person's word.
    Waiting,
    /// A second person agreed.
    Approved,
    /// A second person said no.
    Refused,
    /// It went on the word of one person.
    Released,
    /// Whoever asked does not want it any more.
    Withdrawn,
    /// Nobody let it go for an hour.
    Lapsed,
    /// It was critical and went at once, as set.
    AtOnce,
    /// It went from a node that was cut off.
    Island,
}

impl State {
    pub const ALL: [Self; 8] = [
        Self::Waiting,
        Self::Approved,
        Self::Refused,
        Self::Released,
        Self::Withdrawn,
        Self::Lapsed,
        Self::AtOnce,
        Self::Island,
    ];

    /// The word in rows and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "awaiting_second_person",
            Self::Approved => "approved",
            Self::Refused => "refused",
            Self::Released => "released_alone",
            Self::Withdrawn => "withdrawn",
            Self::Lapsed => "lapsed",
            Self::AtOnce => "went_at_once",
            Self::Island => "went_from_island",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

impl Decision {
    /// Where it leads.
    pub(super) fn leads_to(self) -> State {
        match self {
            Self::Approve => State::Approved,
            Self::Refuse => State::Refused,
            Self::Release => State::Released,
            Self::Withdraw => State::Withdrawn,
        }
    }
}

/// Who acts, seen from what waits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Who {
    /// The same key, command line or phone as whoever asked.
    pub(super) is_asker: bool,
    /// Gave a code of one of those who were asked.
    pub(super) has_code: bool,
}

/// Says what is wrong with the words of whoever acts.
///
/// # Errors
/// The first thing that is wrong.
pub fn check_said(said: &Said) -> Result<(), String> {
    let line = |what: &str, text: &str, len_max: usize| {
        if text.trim().is_empty() || text.chars().count() > len_max {
            return Err(format!("{what} has 1 to {len_max} characters"));
        }
        Ok(())
    };
    line("the name of whoever does this", &said.name, NAME_LEN_MAX)?;
    line("the reason", &said.reason, REASON_LEN_MAX)
}

/// Whether somebody may decide this now.
///
/// # Errors
/// Why not, and what can be done instead.
pub(super) fn may_decide(
    decision: Decision,
    who: Who,
    release_from: Timestamp,
    now: Timestamp,
) -> Result<(), String> {
    let same = who.is_asker && !who.has_code;
    match decision {
        Decision::Approve if same => Err(
            "whoever asked for an alert cannot be its second person; another key or node approves it, or give the code \
             that one of those who were asked got"
                .to_owned(),
        ),
        Decision::Refuse if same => {
            Err("whoever asked for an alert does not refuse it; withdraw it".to_owned())
        }
        Decision::Withdraw if !who.is_asker => {
            Err("only whoever asked for an alert withdraws it; refuse it".to_owned())
        }
        Decision::Release if now < release_from => Err(format!(
            "it may be released alone in {} s; until then a second person can approve it",
            release_from.since(now).as_millis().div_ceil(1_000)
        )),
        Decision::Approve | Decision::Refuse | Decision::Withdraw | Decision::Release => Ok(()),
    }
}

/// Whether somebody may review what went without a second person's word.
///
/// # Errors
/// Why not, and what can be done instead.
pub(super) fn may_review(who: Who) -> Result<(), String> {
    if who.is_asker && !who.has_code {
        return Err(
            "whoever sent an alert cannot review it; another key or node does, or give the code that one of those who \
             were asked got"
                .to_owned(),
        );
    }
    Ok(())
}
