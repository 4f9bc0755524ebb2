//! When a step is done. Without SQL.

/// Administrators who can sign in by themselves: one alone cannot be replaced, and lets nothing that takes two.
pub const ADMINS_MIN: u32 = 2;

/// Nodes at separate sites: fewer than three decide nothing once one is gone.
pub const NODES_MIN: u32 = 3;

/// What is to be there, in the order in which it is best done.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Step {
    /// Administrators who can sign in with a factor of their own.
    Administrators,
    /// Incident managers who can sign in: administrators neither raise alerts nor see what is said in them.
    Managers,
    /// Nodes that the others hear.
    Nodes,
    /// Nodes with a modem and a way to mail that are up.
    Channels,
    /// Nodes whose modem another one has heard by text.
    Texts,
    /// People with a mobile number.
    People,
    /// Prepared alerts.
    Templates,
    /// Sealed cards that let an administrator in when nothing else does, one for each site.
    Cards,
    /// Exercises and tests that somebody answered.
    Exercise,
}

impl Step {
    pub const ALL: [Self; 9] = [
        Self::Administrators,
        Self::Managers,
        Self::Nodes,
        Self::Channels,
        Self::Texts,
        Self::People,
        Self::Templates,
        Self::Cards,
        Self::Exercise,
    ];

    /// The word in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Administrators => "administrators",
            Self::Managers => "managers",
            Self::Nodes => "nodes",
            Self::Channels => "channels",
            Self::Texts => "texts",
            Self::People => "people",
            Self::Templates => "templates",
            Self::Cards => "cards",
            Self::Exercise => "exercise",
        }
    }

    /// Whether setup is not finished without it: a cluster that only one can run, that nobody can lead with, whose
    /// modems were never heard and that knows nobody, is not set up.
    pub fn is_needed(self) -> bool {
        matches!(
            self,
            Self::Administrators | Self::Managers | Self::Texts | Self::People
        )
    }
}

/// How far a step is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct State {
    pub step: Step,
    /// How many there are.
    pub count: u32,
    /// How many there should be; at least 1.
    pub of: u32,
    /// Names of those that are not there yet, as people call them; empty when it is about none in particular.
    pub missing: Vec<String>,
}

impl State {
    pub fn is_done(&self) -> bool {
        self.count >= self.of
    }
}

/// What texts have proven: every modem that is up was heard by another node's. A modem that is the only one proves itself by
/// somebody's answer.
pub(super) fn texts(up: &[(String, bool)], answered_by_text: bool) -> State {
    let heard = |(_, heard): &&(String, bool)| *heard || (up.len() == 1 && answered_by_text);
    let missing = up.iter().filter(|node| !heard(node));
    State {
        step: Step::Texts,
        count: up
            .iter()
            .filter(heard)
            .count()
            .try_into()
            .unwrap_or(u32::MAX),
        of: u32::try_from(up.len()).unwrap_or(u32::MAX).max(1),
        missing: missing.map(|(name, _)| name.clone()).collect(),
    }
}
