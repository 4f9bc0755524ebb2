//! Words that several slices share: how bad, how real, and what a called person says.

use serde::{Deserialize, Serialize};

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
}

impl Answer {
    pub const ALL: [Self; 4] = [Self::Coming, Self::Cannot, Self::Received, Self::NeedHelp];

    /// The word in rows, requests and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Coming => "coming",
            Self::Cannot => "cannot",
            Self::Received => "received",
            Self::NeedHelp => "need_help",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|answer| answer.name() == name)
    }

    /// What people type behind their code.
    pub fn digit(self) -> u8 {
        match self {
            Self::Coming => 1,
            Self::Cannot => 2,
            Self::Received => 3,
            Self::NeedHelp => 4,
        }
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
