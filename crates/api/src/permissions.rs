//! Which role may do what, as a page for people: `docs/permissions.md` is written from the tables the guard goes by.

use std::fmt::Write as _;

use axum::http::Method;
use domain::access::{Reach, Role, Scope};

use crate::asks::{Asks, asks};
use crate::scopes::{self, OF_KNOWN, OF_SESSIONS, OF_SOURCES, OF_STRANGERS, TABLE};

const HEAD: &str = "\
# Who may do what

Written from the tables that the guard goes by (`crates/api/src/scopes.rs`, `crates/domain/src/access/roles.rs`); a test
compares them, and another asks every operation as every role. ✓ means all of it, *own* what concerns the person: alerts
they were called for, answers of their own. API keys may what their scopes say; `cluster:admin` includes `outbox:pause`.
The local socket may everything. An account of several roles may what any of them may. A guest is let into one alert's room
until a time, and sees nothing else. Whoever is in by a sealed card (break-glass) may what an admin may, and reads what was
said; everybody who answers for the system was told.

Phone numbers and mail addresses: incident managers see them; admins, auditors, duty officers and whoever is in by a card see
their last two digits, responders nothing. Duty officers and responders see how to reach those who are on call now.

The column *in a unit* says what is left of it to an account that is limited to a unit of the organisation: the same, of what
belongs to the unit and its parts. People and accounts have a unit; groups, schedules and everyday rooms belong to one when
everybody in them does. An alert is seen where somebody was called, and led where everybody was.

The last column says what is asked of whoever is signed in beside their roles. *After a pause*: duty officers and responders, whose
devices stay signed in for long, show a passkey, their password or a code of the app when they read nothing of this for a quarter of
an hour. *Just now*: a factor shown in the last ten minutes. Whoever has none of these, and whoever asks a node that is cut off, is
not asked. Answers, own alerts and raising alerts ask nothing.

";

/// The page.
pub fn permissions() -> String {
    let mut page = HEAD.to_owned();
    let roles = Role::ALL.map(Role::name).join(" | ");
    let line = "|---".repeat(Role::ALL.len() + 4);
    _ = writeln!(
        page,
        "| operation | scope | {roles} | in a unit | factor |\n{line}|"
    );
    for (method, path, scope) in TABLE {
        let factor = asks(method, path).name();
        match scope {
            Some(scope) => {
                let cells = Role::ALL
                    .map(|role| cell(role, *scope, method, path))
                    .join(" | ");
                let unit = match scopes::is_for_units(method, path) {
                    true => "✓",
                    false => "–",
                };
                _ = writeln!(
                    page,
                    "| {method} {path} | {} | {cells} | {unit} | {factor} |",
                    scope.name()
                );
            }
            None => {
                _ = writeln!(
                    page,
                    "| {method} {path} | open |{} {factor} |",
                    " ✓ |".repeat(Role::ALL.len() + 1)
                )
            }
        }
    }
    for (title, table) in [
        (
            "Everybody who is signed in, with what is theirs",
            OF_SESSIONS,
        ),
        ("Every key and everybody who is signed in", OF_KNOWN),
        ("Whoever is not signed in yet", OF_STRANGERS),
        ("Sources, with their own token", OF_SOURCES),
    ] {
        _ = writeln!(page, "\n## {title}\n");
        for (method, path) in table {
            let factor = match asks(method, path) {
                Asks::Nothing => String::new(),
                asked @ (Asks::AfterPause | Asks::Fresh) => format!(" (factor {})", asked.name()),
            };
            _ = writeln!(page, "- {method} {path}{factor}");
        }
    }
    page
}

fn cell(role: Role, scope: Scope, method: &Method, path: &str) -> &'static str {
    match role.reach(scope) {
        Some(Reach::All) => "✓",
        Some(Reach::Own) if role == Role::Guest && !scopes::is_for_guests(method, path) => "–",
        Some(Reach::Own) if scopes::has_own(method, path) => "own",
        Some(Reach::Own) | None => "–",
    }
}
