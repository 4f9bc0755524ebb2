//! Whether people can be reached when it matters (PRODUCT W-14, L-17): people, groups, schedules, sites and nodes, each with
//! a score from 0 to 100 and the reasons for it in words, most severe first, and what to do about each.
//!
//! Reads only, by SQL of its own where many rows are looked at. Not here: when it is looked at, and who is told.

mod query;
mod rules;
#[cfg(test)]
mod tests;

use std::fmt;

pub use self::query::look;
pub use self::rules::{AHEAD_MS, SCHEDULES_MAX, STALE_AFTER};

/// What a score is about.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum About {
    Node(String),
    Schedule(String),
    Site(String),
    Group(String),
    Person(String),
}

impl About {
    /// The word in answers and metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Node(_) => "node",
            Self::Schedule(_) => "schedule",
            Self::Site(_) => "site",
            Self::Group(_) => "group",
            Self::Person(_) => "person",
        }
    }

    /// Reads `person:anna`, `group:duty`, `schedule:network`, `site:Turku` or `node:north`.
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, name) = text.split_once(':')?;
        let name = Some(name.to_owned()).filter(|name| !name.is_empty())?;
        match kind {
            "node" => Some(Self::Node(name)),
            "schedule" => Some(Self::Schedule(name)),
            "site" => Some(Self::Site(name)),
            "group" => Some(Self::Group(name)),
            "person" => Some(Self::Person(name)),
            _ => None,
        }
    }
}

impl fmt::Display for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Node(name)
            | Self::Schedule(name)
            | Self::Site(name)
            | Self::Group(name)
            | Self::Person(name) => name,
        };
        write!(f, "{}:{name}", self.kind())
    }
}

/// How bad a reason is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Grade {
    /// It will fail when it matters.
    Red,
    /// It may fail, or nobody knows that it works.
    Amber,
}

impl Grade {
    /// The word in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Red => "red",
            Self::Amber => "amber",
        }
    }
}

/// Why something is not ready, and what to do.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Reason {
    pub grade: Grade,
    pub what: String,
    pub to_do: String,
}

/// How ready something is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Score {
    pub about: About,
    /// As people call it.
    pub name: String,
    /// 0 to 100.
    pub score: u8,
    /// Most severe first.
    pub reasons: Vec<Reason>,
}

/// How ready everything is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Readiness {
    /// 0 to 100: the least of the kinds below.
    pub score: u8,
    /// The mean score of each kind there is any of.
    pub kinds: Vec<(&'static str, u8)>,
    /// Mail addresses under these domains are taken for the organisation's own: they go when its own IT does.
    pub own_domains: Vec<String>,
    /// Schedules that were not looked at, because there are more than are looked at in one go.
    pub left_out: u64,
    /// Everything, worst first.
    pub scores: Vec<Score>,
}
