//! Which commands take two, and whether somebody let this one.

use sqlx::SqliteConnection;

use super::apply::{mark_used, ready};
use crate::Command;
use crate::access::accounts::{self, Command as Accounts};
use crate::access::{self, Role};
use crate::apply::Entry;
use crate::envelope::Actor;
use crate::limits::{self, Command as Limits};
use crate::outcome::Refusal;
use crate::setup;
use crate::units::Command as Units;

/// Whether an actor needs nobody else: whoever stands at a node or holds a key, the cluster's own loops, and whoever broke
/// the glass.
pub(super) async fn needs_none(
    conn: &mut SqliteConnection,
    actor: &Actor,
) -> Result<bool, sqlx::Error> {
    let Actor::Account { name } = actor else {
        return Ok(true);
    };
    let account = accounts::account(conn, name).await?;
    Ok(account.is_some_and(|account| account.is_glass()))
}

/// Whether this is not done by whoever asks alone. Asked before it is done: what it changes is what it is judged by.
pub(crate) async fn takes_two(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
) -> Result<bool, sqlx::Error> {
    let envelope = entry.envelope;
    Ok(!needs_none(conn, &envelope.actor).await?
        && is_grave(conn, &envelope.command).await?
        && !makes_the_second(conn, &envelope.actor, &envelope.command).await?)
}

/// Whether the only administrator there ever was makes the second one, in a cluster that is not set up yet: there is nobody
/// who could let it.
async fn makes_the_second(
    conn: &mut SqliteConnection,
    actor: &Actor,
    command: &Command,
) -> Result<bool, sqlx::Error> {
    let (Actor::Account { name: own }, Command::Access(access::Command::Accounts(command))) =
        (actor, command)
    else {
        return Ok(false);
    };
    // Whose account it is may be said of the first one, too.
    let is_put = matches!(command, Accounts::Put { .. });
    let is_of_other = matches!(command, Accounts::SetRoles { name, .. } | Accounts::Invite { name, .. } if name != own);
    Ok((is_put || is_of_other)
        && setup::finished(conn).await?.is_none()
        && !setup::has_another_admin(conn, own).await?)
}

/// Why it is not done now; `None` when it takes one only, or somebody let it.
pub(crate) async fn check(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
) -> Result<Option<Refusal>, sqlx::Error> {
    if !takes_two(conn, entry).await? {
        return Ok(None);
    }
    Ok(match ready(conn, entry, &entry.envelope.body).await? {
        Some(_) => None,
        None => Some(Refusal::TakesTwo),
    })
}

/// Uses up what somebody let, now that it is done.
pub(crate) async fn settle(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
) -> Result<(), sqlx::Error> {
    match ready(conn, entry, &entry.envelope.body).await? {
        Some(number) => mark_used(conn, entry, number).await,
        None => Ok(()),
    }
}

/// Whether a command makes, changes or lets in an administrator, or loosens what limits all of them.
async fn is_grave(conn: &mut SqliteConnection, command: &Command) -> Result<bool, sqlx::Error> {
    if let Command::Access(access::Command::Accounts(command)) = command {
        return is_grave_for_admins(conn, command).await;
    }
    if let Command::Units(Units::Limit { account, .. }) = command {
        return is_admin(conn, account).await;
    }
    let Command::Limits(command) = command else {
        return Ok(false);
    };
    match command {
        Limits::SetBudget(budget) => limits::loosens(conn, budget).await,
        Limits::RemoveBudget { account } => {
            let budgets = limits::budgets(conn).await?;
            Ok(budgets.iter().any(|budget| budget.account == *account))
        }
        Limits::SetSecondPerson(_) => Ok(limits::second_person(conn).await?.is_some()),
    }
}

async fn is_grave_for_admins(
    conn: &mut SqliteConnection,
    command: &Accounts,
) -> Result<bool, sqlx::Error> {
    if let Accounts::SetRoles { name, roles } = command {
        let makes = roles.iter().any(|role| role == Role::Admin.name());
        return Ok(makes || is_admin(conn, name).await?);
    }
    let (Accounts::Put { name, .. }
    | Accounts::SetDisabled {
        name,
        disabled: false,
    }
    | Accounts::Invite { name, .. }) = command
    else {
        return Ok(false);
    };
    is_admin(conn, name).await
}

async fn is_admin(conn: &mut SqliteConnection, name: &str) -> Result<bool, sqlx::Error> {
    let account = accounts::account(conn, name).await?;
    Ok(account.is_some_and(|account| account.roles.0.contains(&Role::Admin)))
}
