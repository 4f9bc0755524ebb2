//! The accounts that break-glass cards open: one for each place an envelope lies. Nobody signs in to one but by a card, and
//! it never gets a factor of its own: what is used once must not leave a way in behind.

use sqlx::SqliteConnection;

use super::{Command, Device, NewSession, query, sign_in};
use crate::access::Role;
use crate::apply::Entry;
use crate::outcome::Refusal;
use crate::rows;

/// Adds the account of a place if it is not there yet; false when an account of this name is somebody's.
pub(crate) async fn add_glass_account(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    (name, shown): (&str, &str),
) -> Result<bool, sqlx::Error> {
    if let Some(known) = query::account(conn, name).await? {
        return Ok(known.is_glass());
    }
    sqlx::query(
        "insert into account (name, shown, person, roles, created_at_ms, created_by, totp_step) \
         values (?, ?, null, ?, ?, ?, 0) on conflict (name) do nothing",
    )
    .bind(name)
    .bind(shown)
    .bind(rows::to_json(&[Role::BreakGlass.name()])?)
    .bind(entry.at.0)
    .bind(entry.envelope.actor.label())
    .execute(conn)
    .await?;
    Ok(true)
}

/// Opens a session of a place's account.
pub(crate) async fn open_glass(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    name: &str,
    session: &NewSession,
    device: &Device,
) -> Result<(), sqlx::Error> {
    sign_in::add_session(conn, entry, name, session, device, "break-glass card").await?;
    Ok(())
}

/// Ends what a card opened, if that is not over yet.
pub(crate) async fn end_glass(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    session: &str,
) -> Result<(), sqlx::Error> {
    sign_in::end(conn, entry, session).await?;
    Ok(())
}

/// Why a command is not done to an account: it would change what a card's account is, or add a way into it.
pub(super) async fn refusal(
    conn: &mut SqliteConnection,
    command: &Command,
) -> Result<Option<Refusal>, sqlx::Error> {
    let (Command::Put { name, .. }
    | Command::SetRoles { name, .. }
    | Command::SetDisabled { name, .. }
    | Command::Invite { name, .. }
    | Command::SetPassword { name, .. }
    | Command::SetTotp { name, .. }
    | Command::SetRecoveryCodes { name, .. }
    | Command::AddPasskey { name, .. }) = command
    else {
        return Ok(None);
    };
    let known = query::account(conn, name).await?;
    let of_card = known.is_some_and(|known| known.is_glass());
    let grants = matches!(command, Command::SetRoles { roles, .. }
        if roles.iter().any(|role| role == Role::BreakGlass.name()));
    Ok((of_card || grants).then(of_cards))
}

pub(super) fn of_cards() -> Refusal {
    let text = "this is a break-glass card's: it opens by the card alone and is changed with it; see `holdfast account \
                glass`";
    Refusal::NotNow(text.to_owned())
}
