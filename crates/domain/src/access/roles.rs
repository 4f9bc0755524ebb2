//! What each role may do: one matrix, read by the guard, by `docs/permissions.md` and by tests (SECURITY §2.2).

use std::collections::BTreeSet;
use std::time::Duration;

use super::Scope;

/// What a person is in the organisation, as far as Holdfast is concerned. An account may have several.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Role {
    /// Accounts, keys, nodes and settings; nothing of what people say to each other.
    Admin,
    /// Leads: everything about alerts, people, schedules and templates.
    IncidentManager,
    /// On duty: raises and steers alerts, changes nobody's data.
    DutyOfficer,
    /// Is called, answers, and sees what they were called for.
    Responder,
    /// Reads everything, changes nothing.
    Auditor,
    /// From outside, for some hours: reads and speaks in one alert's room. Given with the room, never by hand.
    Guest,
    /// In by a sealed card when every other way is gone: what an admin may, and reads what was said. Given with the card,
    /// never by hand.
    BreakGlass,
}

/// How far a permission goes.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Reach {
    /// Only what concerns the person: alerts they were called for, answers of their own.
    Own,
    All,
}

/// Whose phone numbers and mail addresses an account sees.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Sight {
    /// Nobody's.
    Nothing,
    /// Everybody's, all but the last two digits hidden.
    Masked,
    All,
}

/// How long a session lives.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Lifetime {
    /// Without a request.
    pub idle: Duration,
    /// Whatever happens; `None`: as long as it is used.
    pub whole: Option<Duration>,
}

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// How long a break-glass card lets in: enough to let an administrator in by a way that stays.
pub const GLASS_TIME: Duration = Duration::from_secs(2 * HOUR);

impl Role {
    pub const ALL: [Self; 7] = [
        Self::Admin,
        Self::IncidentManager,
        Self::DutyOfficer,
        Self::Responder,
        Self::Auditor,
        Self::Guest,
        Self::BreakGlass,
    ];

    /// Those an administrator gives.
    pub const GIVEN: [Self; 5] = [
        Self::Admin,
        Self::IncidentManager,
        Self::DutyOfficer,
        Self::Responder,
        Self::Auditor,
    ];

    /// The name in rows, requests and lists.
    pub fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::IncidentManager => "incident-manager",
            Self::DutyOfficer => "duty-officer",
            Self::Responder => "responder",
            Self::Auditor => "auditor",
            Self::Guest => "guest",
            Self::BreakGlass => "break-glass",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    /// The matrix. A new scope is decided here, role by role, before anybody can use it.
    pub fn reach(self, scope: Scope) -> Option<Reach> {
        match self {
            Self::Admin => of_admin(scope),
            Self::IncidentManager => of_incident_manager(scope),
            Self::DutyOfficer => of_duty_officer(scope),
            Self::Responder => of_responder(scope),
            Self::Auditor => of_auditor(scope),
            Self::Guest => of_guest(scope),
            Self::BreakGlass => of_break_glass(scope),
        }
    }

    /// Whether its sessions do nothing but enrol until a factor stronger than a text is there, and no code by text ever
    /// opens one (SECURITY D-4).
    pub fn needs_strong_factor(self) -> bool {
        matches!(self, Self::Admin | Self::Auditor)
    }

    fn sight(self) -> Sight {
        match self {
            Self::IncidentManager => Sight::All,
            Self::Admin | Self::DutyOfficer | Self::Auditor | Self::BreakGlass => Sight::Masked,
            Self::Responder | Self::Guest => Sight::Nothing,
        }
    }

    /// SECURITY §2.5: nobody who may be called at 03:00 is signed out at 02:59; who can do damage is, soon.
    fn lifetime(self) -> Lifetime {
        let (idle, whole) = match self {
            Self::Admin | Self::Auditor => (15 * MINUTE, Some(8 * HOUR)),
            Self::IncidentManager => (12 * HOUR, None),
            Self::DutyOfficer => (30 * DAY, None),
            Self::Responder => (365 * DAY, None),
            // Counted from the opening alone, so that everybody is told until when.
            Self::BreakGlass => (GLASS_TIME.as_secs(), Some(GLASS_TIME.as_secs())),
            // The guest's own end comes first.
            Self::Guest => (7 * DAY, Some(7 * DAY)),
        };
        Lifetime {
            idle: Duration::from_secs(idle),
            whole: whole.map(Duration::from_secs),
        }
    }
}

fn of_admin(scope: Scope) -> Option<Reach> {
    match scope {
        Scope::AccountsAdmin
        | Scope::KeysAdmin
        | Scope::ClusterRead
        | Scope::ClusterAdmin
        | Scope::OutboxPause
        | Scope::MetricsRead
        | Scope::PeopleRead
        | Scope::SourceRead
        | Scope::TemplateRead => Some(Reach::All),
        Scope::AlertCreate
        | Scope::AlertRead
        | Scope::AlertAnswer
        | Scope::PeopleWrite
        | Scope::TemplateWrite
        | Scope::SourceWrite
        | Scope::ReportCreate
        | Scope::RoomRead
        | Scope::RoomWrite
        | Scope::GuestWrite
        | Scope::AuditRead => None,
    }
}

fn of_incident_manager(scope: Scope) -> Option<Reach> {
    match scope {
        Scope::AlertCreate
        | Scope::AlertRead
        | Scope::AlertAnswer
        | Scope::PeopleRead
        | Scope::PeopleWrite
        | Scope::TemplateRead
        | Scope::TemplateWrite
        | Scope::ClusterRead
        | Scope::OutboxPause
        | Scope::SourceRead
        | Scope::SourceWrite
        | Scope::ReportCreate
        | Scope::RoomRead
        | Scope::RoomWrite
        | Scope::GuestWrite => Some(Reach::All),
        Scope::AccountsAdmin
        | Scope::KeysAdmin
        | Scope::ClusterAdmin
        | Scope::MetricsRead
        | Scope::AuditRead => None,
    }
}

fn of_duty_officer(scope: Scope) -> Option<Reach> {
    match scope {
        Scope::AlertCreate
        | Scope::AlertRead
        | Scope::AlertAnswer
        | Scope::PeopleRead
        | Scope::TemplateRead
        | Scope::ClusterRead
        | Scope::OutboxPause
        | Scope::SourceRead
        | Scope::ReportCreate
        | Scope::RoomRead
        | Scope::RoomWrite => Some(Reach::All),
        Scope::AccountsAdmin
        | Scope::KeysAdmin
        | Scope::ClusterAdmin
        | Scope::MetricsRead
        | Scope::PeopleWrite
        | Scope::TemplateWrite
        | Scope::SourceWrite
        | Scope::GuestWrite
        | Scope::AuditRead => None,
    }
}

fn of_responder(scope: Scope) -> Option<Reach> {
    match scope {
        Scope::AlertRead
        | Scope::AlertAnswer
        | Scope::PeopleRead
        | Scope::RoomRead
        | Scope::RoomWrite => Some(Reach::Own),
        Scope::ReportCreate => Some(Reach::All),
        Scope::AlertCreate
        | Scope::PeopleWrite
        | Scope::TemplateRead
        | Scope::TemplateWrite
        | Scope::ClusterRead
        | Scope::ClusterAdmin
        | Scope::OutboxPause
        | Scope::KeysAdmin
        | Scope::AccountsAdmin
        | Scope::MetricsRead
        | Scope::SourceRead
        | Scope::SourceWrite
        | Scope::GuestWrite
        | Scope::AuditRead => None,
    }
}

fn of_auditor(scope: Scope) -> Option<Reach> {
    match scope {
        Scope::AlertRead
        | Scope::PeopleRead
        | Scope::TemplateRead
        | Scope::ClusterRead
        | Scope::SourceRead
        | Scope::RoomRead
        | Scope::AuditRead => Some(Reach::All),
        Scope::AlertCreate
        | Scope::AlertAnswer
        | Scope::PeopleWrite
        | Scope::TemplateWrite
        | Scope::ClusterAdmin
        | Scope::OutboxPause
        | Scope::KeysAdmin
        | Scope::AccountsAdmin
        | Scope::MetricsRead
        | Scope::SourceWrite
        | Scope::ReportCreate
        | Scope::GuestWrite
        | Scope::RoomWrite => None,
    }
}

fn of_guest(scope: Scope) -> Option<Reach> {
    match scope {
        Scope::RoomRead | Scope::RoomWrite => Some(Reach::Own),
        Scope::AlertCreate
        | Scope::AlertRead
        | Scope::AlertAnswer
        | Scope::PeopleRead
        | Scope::PeopleWrite
        | Scope::TemplateRead
        | Scope::TemplateWrite
        | Scope::ClusterRead
        | Scope::ClusterAdmin
        | Scope::OutboxPause
        | Scope::KeysAdmin
        | Scope::AccountsAdmin
        | Scope::MetricsRead
        | Scope::SourceRead
        | Scope::SourceWrite
        | Scope::ReportCreate
        | Scope::GuestWrite
        | Scope::AuditRead => None,
    }
}

/// An admin, who also reads alerts, rooms and the audit (SECURITY §2.2): whoever broke the glass must see what is going on.
fn of_break_glass(scope: Scope) -> Option<Reach> {
    let reads = matches!(scope, Scope::AlertRead | Scope::RoomRead | Scope::AuditRead);
    match reads {
        true => Some(Reach::All),
        false => of_admin(scope),
    }
}

/// The roles of one account.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Roles(pub BTreeSet<Role>);

impl Roles {
    /// From names; one this version does not know grants nothing.
    pub fn read(names: &[String]) -> Self {
        Self(names.iter().filter_map(|name| Role::parse(name)).collect())
    }

    pub fn names(&self) -> Vec<&'static str> {
        self.0.iter().map(|role| role.name()).collect()
    }

    /// The furthest any of them reaches.
    pub fn reach(&self, scope: Scope) -> Option<Reach> {
        self.0.iter().filter_map(|role| role.reach(scope)).max()
    }

    /// What any of them sees.
    pub fn sight(&self) -> Sight {
        let most = self.0.iter().map(|role| role.sight()).max();
        most.unwrap_or(Sight::Nothing)
    }

    /// Whether it sees how to reach those who are on call now, whatever else is hidden from it.
    pub fn sees_on_duty(&self) -> bool {
        let book = [Role::DutyOfficer, Role::Responder];
        book.iter().any(|role| self.0.contains(role))
    }

    /// Whether their sessions live so long that whoever has the device after a pause is asked who they are before they read
    /// what others said (SECURITY §2.5). Guests have nothing to show.
    pub fn asked_after_pause(&self) -> bool {
        let guest = self.0.contains(&Role::Guest);
        !guest && self.lifetime().idle > Duration::from_secs(12 * HOUR)
    }

    pub fn needs_strong_factor(&self) -> bool {
        self.0.iter().any(|role| role.needs_strong_factor())
    }

    /// The shortest of them: an admin who is also a responder is an admin.
    pub fn lifetime(&self) -> Lifetime {
        let each = self.0.iter().map(|role| role.lifetime());
        let shortest = each.reduce(|a, b| Lifetime {
            idle: a.idle.min(b.idle),
            whole: a.whole.into_iter().chain(b.whole).min(),
        });
        shortest.unwrap_or(Role::Responder.lifetime())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roles(roles: &[Role]) -> Roles {
        Roles(roles.iter().copied().collect())
    }

    #[test]
    fn names_read_back() {
        for role in Role::ALL {
            assert_eq!(Role::parse(role.name()), Some(role));
        }
    }

    #[test]
    fn who_holds_several_roles_may_what_any_may_and_lives_as_short_as_the_shortest() {
        let both = roles(&[Role::Admin, Role::Responder]);
        assert_eq!(both.reach(Scope::KeysAdmin), Some(Reach::All));
        assert_eq!(both.reach(Scope::AlertRead), Some(Reach::Own));
        assert_eq!(both.reach(Scope::AlertCreate), None);
        assert_eq!(both.sight(), Sight::Masked);
        assert_eq!(both.lifetime(), Role::Admin.lifetime());
        let led = roles(&[Role::IncidentManager, Role::Responder]);
        assert_eq!(led.reach(Scope::AlertRead), Some(Reach::All));
        assert_eq!(led.lifetime().idle, Duration::from_secs(12 * HOUR));
    }

    #[test]
    fn a_broken_glass_lets_an_admin_read_and_raises_nothing() {
        let glass = roles(&[Role::BreakGlass]);
        assert_eq!(glass.reach(Scope::AccountsAdmin), Some(Reach::All));
        assert_eq!(glass.reach(Scope::RoomRead), Some(Reach::All));
        assert_eq!(glass.reach(Scope::AlertCreate), None);
        assert_eq!(glass.reach(Scope::RoomWrite), None);
        assert!(!glass.needs_strong_factor(), "there is none to enrol");
        assert_eq!(glass.lifetime().whole, Some(GLASS_TIME));
        assert!(!Role::GIVEN.contains(&Role::BreakGlass));
    }

    #[test]
    fn who_stays_signed_in_for_long_is_asked_after_a_pause() {
        for role in Role::ALL {
            let asked = matches!(role, Role::DutyOfficer | Role::Responder);
            assert_eq!(roles(&[role]).asked_after_pause(), asked, "{role:?}");
        }
    }

    #[test]
    fn nobody_without_a_role_may_anything() {
        for scope in Scope::ALL {
            assert_eq!(Roles::default().reach(scope), None);
        }
    }

    #[test]
    fn those_who_run_the_system_do_not_read_or_raise_alerts() {
        for scope in [Scope::AlertRead, Scope::AlertCreate, Scope::AlertAnswer] {
            assert_eq!(Role::Admin.reach(scope), None);
        }
        for scope in Scope::ALL {
            let writes = !scope.name().ends_with(":read");
            assert!(
                !writes || Role::Auditor.reach(scope).is_none(),
                "an auditor changes by {}",
                scope.name()
            );
        }
    }
}
