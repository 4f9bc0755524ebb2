//! Words that several slices share: how bad, how real, and what a called person says.

use serde::{Deserialize, Serialize};

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
