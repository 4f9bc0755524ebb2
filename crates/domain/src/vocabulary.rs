//! Words that several slices share: how bad, how real, and what a called person says.

mod automation;

use serde::{Deserialize, Serialize};

pub use self::automation::{
    AUTOMATIONS_MAX, Automation, DEPTH_MAX, EFFECTS_MAX, Effect, When, Word,
};

/// The longest alert text taken, in characters. Six SMS parts carry about 900; mail carries all of it.
pub const TEXT_LEN_MAX: usize = 2_000;

/// Pause between rounds of paging the silent, unless the raise says otherwise: 5 minutes.
pub const DEFAULT_REPEAT_EVERY_MS: u64 = 5 * 60_000;

/// Rounds after the last step, unless the raise says otherwise.
pub const DEFAULT_REPEATS: u16 = 2;

/// How long a text may wait or travel, unless the raise says otherwise: 1 hour. An alarm that arrives tomorrow harms.
pub const DEFAULT_VALIDITY_MS: u64 = 60 * 60_000;

/// The longest place to gather, in characters.
pub(crate) const GATHER_LEN_MAX: usize = 200;

/// How long one text of an alert may wait or travel, milliseconds.
pub(crate) const VALIDITY_MS: std::ops::RangeInclusive<u64> = 60_000..=7 * 24 * 3_600_000;

/// A step starts at most this long after its alert, milliseconds.
pub(crate) const DELAY_MS_MAX: u64 = 7 * 24 * 3_600_000;

/// Within what time somebody coming may be asked to confirm, milliseconds.
const CONFIRM_MS: std::ops::RangeInclusive<u64> = 2 * 60_000..=24 * 3_600_000;

/// How far reminders may lie apart, milliseconds.
const REMIND_EVERY_MS: std::ops::RangeInclusive<u64> = 60_000..=24 * 3_600_000;

/// Reminders to one person.
pub const REMINDERS_MAX: u16 = 10;

/// The longest time until somebody is there that is taken for one, minutes: 12 hours.
pub const ETA_MIN_MAX: u16 = 12 * 60;

/// Steps of one alert.
pub const STEPS_MAX: usize = 16;

/// How bad it is (CAP severity in four words).
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub enum Severity {
    Low,
    Normal,
    High,
    Critical,
}

/// What somebody is to an incident. One person may be several; each has one holder at a time.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub enum IncidentRole {
    Leader,
    Deputy,
    /// Keeps the diary.
    Scribe,
    /// Speaks to those outside.
    Communications,
    /// Keeps in touch with other organisations.
    Liaison,
}

impl IncidentRole {
    pub const ALL: [Self; 5] = [
        Self::Leader,
        Self::Deputy,
        Self::Scribe,
        Self::Communications,
        Self::Liaison,
    ];

    /// The word in requests and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Leader => "leader",
            Self::Deputy => "deputy",
            Self::Scribe => "scribe",
            Self::Communications => "communications",
            Self::Liaison => "liaison",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

/// CAP 1.2 `status`: is this real?
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Status {
    Actual,
    Exercise,
    Test,
}

/// What a called person said (DESIGN §4.5).
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub enum Answer {
    Coming,
    Cannot,
    Received,
    NeedHelp,
    /// To a safety check only, as is the next.
    Safe,
    NotOnSite,
}

impl Answer {
    pub const ALL: [Self; 6] = [
        Self::Coming,
        Self::Cannot,
        Self::Received,
        Self::NeedHelp,
        Self::Safe,
        Self::NotOnSite,
    ];

    /// The word in rows, requests and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Coming => "coming",
            Self::Cannot => "cannot",
            Self::Received => "received",
            Self::NeedHelp => "need_help",
            Self::Safe => "safe",
            Self::NotOnSite => "not_on_site",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|answer| answer.name() == name)
    }
}

/// What kind of alert it is: what can be answered, and when it is answered.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub enum AlertKind {
    /// Calls people until enough of them are coming.
    #[default]
    Alert,
    /// Asks everyone how they are until all have answered or were seen.
    SafetyCheck,
}

impl AlertKind {
    pub const ALL: [Self; 2] = [Self::Alert, Self::SafetyCheck];

    /// The word in rows, requests and answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Alert => "alert",
            Self::SafetyCheck => "safety_check",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// What can be answered; the digits people type count from 1 in this order.
    pub const fn answers(self) -> &'static [Answer] {
        match self {
            Self::Alert => &[
                Answer::Coming,
                Answer::Cannot,
                Answer::Received,
                Answer::NeedHelp,
            ],
            Self::SafetyCheck => &[Answer::Safe, Answer::NeedHelp, Answer::NotOnSite],
        }
    }

    /// What people type behind their code; of an answer this kind does not take, the digit of its last one.
    pub fn digit(self, answer: Answer) -> usize {
        let answers = self.answers();
        let place = answers.iter().position(|known| *known == answer);
        place.map_or(answers.len(), |place| place + 1)
    }

    /// The answer a single digit stands for.
    pub fn of_digit(self, digit: &str) -> Option<Answer> {
        let place = digit.parse::<usize>().ok()?.checked_sub(1)?;
        self.answers().get(place).copied()
    }
}

/// How an alert treats silence and answers, beside its steps and rounds.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct Conduct {
    pub kind: AlertKind,
    /// Nobody is called on every path when all rounds are over: for tests.
    pub quiet: bool,
    /// Whoever is coming is asked again after half of this time and counts no more after all of it, unless they said so
    /// once more; milliseconds, 0: an answer stands.
    pub confirm_ms: u64,
    /// Pause before and between reminders to somebody silent, milliseconds.
    pub remind_every_ms: u64,
    /// How many reminders somebody silent gets at most.
    pub reminders: u16,
}

impl Conduct {
    /// Says what is wrong with it.
    pub fn check(&self) -> Result<(), String> {
        if self.confirm_ms != 0 && !CONFIRM_MS.contains(&self.confirm_ms) {
            return Err("an answer stands for 2 minutes to 24 hours, or for good".to_owned());
        }
        if self.reminders > REMINDERS_MAX {
            return Err(format!(
                "somebody is reminded at most {REMINDERS_MAX} times"
            ));
        }
        if self.reminders > 0 && !REMIND_EVERY_MS.contains(&self.remind_every_ms) {
            return Err("reminders are 1 minute to 24 hours apart".to_owned());
        }
        if self.kind == AlertKind::SafetyCheck && self.confirm_ms != 0 {
            return Err(
                "answers to a safety check do not lapse; leave the confirming out".to_owned(),
            );
        }
        Ok(())
    }
}

impl Severity {
    pub const ALL: [Self; 4] = [Self::Low, Self::Normal, Self::High, Self::Critical];

    /// The word in requests and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|severity| severity.name() == name)
    }

    pub(crate) fn rank(self) -> i64 {
        match self {
            Self::Low => 0,
            Self::Normal => 1,
            Self::High => 2,
            Self::Critical => 3,
        }
    }

    pub(crate) fn of_rank(rank: i64) -> Self {
        Self::ALL
            .into_iter()
            .find(|severity| severity.rank() == rank)
            .unwrap_or(Self::Critical)
    }
}

impl Status {
    pub const ALL: [Self; 3] = [Self::Actual, Self::Exercise, Self::Test];

    /// The word in requests, rows and answers (CAP 1.2 `status`, lower case).
    pub fn name(self) -> &'static str {
        match self {
            Self::Actual => "actual",
            Self::Exercise => "exercise",
            Self::Test => "test",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }
}
