//! Who may ask for what: API keys, hashed and scoped. Secrets never enter the log (SECURITY D-3).

mod apply;
mod command;
mod query;
#[cfg(test)]
mod tests;

pub(crate) use self::apply::apply;
pub use self::command::{Command, CreateKey};
pub use self::query::{KeyRow, key, keys};

/// What an API key may be used for.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Scope {
    AlertCreate,
    AlertRead,
    AlertAnswer,
    PeopleRead,
    PeopleWrite,
    TemplateRead,
    TemplateWrite,
    ClusterRead,
    ClusterAdmin,
    KeysAdmin,
    MetricsRead,
    SourceRead,
    SourceWrite,
    ReportCreate,
    AuditRead,
}

impl Scope {
    pub const ALL: [Self; 15] = [
        Self::AlertCreate,
        Self::AlertRead,
        Self::AlertAnswer,
        Self::PeopleRead,
        Self::PeopleWrite,
        Self::TemplateRead,
        Self::TemplateWrite,
        Self::ClusterRead,
        Self::ClusterAdmin,
        Self::KeysAdmin,
        Self::MetricsRead,
        Self::SourceRead,
        Self::SourceWrite,
        Self::ReportCreate,
        Self::AuditRead,
    ];

    /// The name in rows, requests and lists.
    pub fn name(self) -> &'static str {
        match self {
            Self::AlertCreate => "alert:create",
            Self::AlertRead => "alert:read",
            Self::AlertAnswer => "alert:answer",
            Self::PeopleRead => "people:read",
            Self::PeopleWrite => "people:write",
            Self::TemplateRead => "template:read",
            Self::TemplateWrite => "template:write",
            Self::ClusterRead => "cluster:read",
            Self::ClusterAdmin => "cluster:admin",
            Self::KeysAdmin => "keys:admin",
            Self::MetricsRead => "metrics:read",
            Self::SourceRead => "source:read",
            Self::SourceWrite => "source:write",
            Self::ReportCreate => "report:create",
            Self::AuditRead => "audit:read",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name() == name)
    }
}
