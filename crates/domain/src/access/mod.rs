//! Who may ask for what: API keys, hashed and scoped; people's accounts with roles, and the sessions they opened. Secrets
//! never enter the log (SECURITY D-3).

pub mod accounts;
mod apply;
mod command;
mod query;
mod roles;
#[cfg(test)]
mod tests;

pub(crate) use self::apply::apply;
pub use self::command::{Command, CreateKey};
pub use self::query::{KeyRow, key, keys};
pub use self::roles::{GLASS_TIME, Lifetime, Reach, Role, Roles, Sight};

/// What an API key, or a person by their roles, may do.
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
    RoomRead,
    RoomWrite,
    AccountsAdmin,
    OutboxPause,
    AuditRead,
    GuestWrite,
}

impl Scope {
    pub const ALL: [Self; 20] = [
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
        Self::RoomRead,
        Self::RoomWrite,
        Self::AccountsAdmin,
        Self::OutboxPause,
        Self::AuditRead,
        Self::GuestWrite,
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
            Self::RoomRead => "room:read",
            Self::RoomWrite => "room:write",
            Self::AccountsAdmin => "accounts:admin",
            Self::OutboxPause => "outbox:pause",
            Self::AuditRead => "audit:read",
            Self::GuestWrite => "guest:write",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name() == name)
    }

    /// Whether it can be held for one unit of the organisation; what lies under the others has no part that is a unit's.
    pub fn is_for_units(self) -> bool {
        match self {
            Self::AlertCreate
            | Self::AlertRead
            | Self::AlertAnswer
            | Self::PeopleRead
            | Self::PeopleWrite
            | Self::TemplateRead
            | Self::ClusterRead
            | Self::ReportCreate
            | Self::RoomRead
            | Self::RoomWrite
            | Self::AccountsAdmin
            | Self::GuestWrite => true,
            Self::TemplateWrite
            | Self::ClusterAdmin
            | Self::KeysAdmin
            | Self::MetricsRead
            | Self::SourceRead
            | Self::SourceWrite
            | Self::OutboxPause
            | Self::AuditRead => false,
        }
    }
}
