//! Writes to accounts, their factors and invitations.

use sqlx::SqliteConnection;

use super::query::{self, AccountRow};
use super::{Command, INVITATION_TIME, RECOVERY_CODES, glass, is_name, passkeys, prove, sign_in};
use crate::access::{Role, Roles};
use crate::apply::Entry;
use crate::outcome::{Outcome, Receipt, Refusal};
use crate::rows;

pub(in crate::access) async fn apply(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    command: &Command,
) -> Result<Outcome, sqlx::Error> {
    if let Some(refusal) = glass::refusal(conn, command).await? {
        return Ok(Outcome::Refused(refusal));
    }
    match command {
        Command::Put {
            name,
            shown,
            person,
        } => put(conn, entry, name, shown, person.as_deref()).await,
        Command::SetRoles { name, roles } => set_roles(conn, name, roles).await,
        Command::SetDisabled { name, disabled } => set_disabled(conn, entry, name, *disabled).await,
        Command::Invite { name, code_hash } => match guest_refusal(conn, name).await? {
            Some(refusal) => Ok(Outcome::Refused(refusal)),
            None => invite(conn, entry, name, code_hash).await,
        },
        Command::Accept(accept) => sign_in::accept(conn, entry, accept).await,
        Command::TryPassword { subject } => sign_in::try_password(conn, entry, subject).await,
        Command::BeginAttempt {
            attempt,
            name,
            device,
            rehashed,
        } => {
            sign_in::begin(
                conn,
                entry,
                attempt,
                (name.as_str(), rehashed.as_deref()),
                device,
            )
            .await
        }
        Command::TryCode { attempt } => sign_in::try_code(conn, entry, attempt).await,
        Command::Open {
            attempt,
            proof,
            session,
        } => sign_in::open(conn, entry, attempt, proof, session).await,
        Command::Touch { session } => sign_in::touch(conn, entry, session).await,
        Command::End { session } => sign_in::end(conn, entry, session).await,
        Command::EndAll { name, but } => {
            let ended = sign_in::end_all(conn, entry, name, but.as_deref()).await?;
            Ok(Outcome::Applied(Receipt::Count(ended)))
        }
        Command::SetPassword { name, phc, but } => {
            set_password(conn, entry, name, phc, but.as_deref()).await
        }
        Command::SetTotp { name, sealed } => set_totp(conn, name, sealed).await,
        Command::ConfirmTotp { name, step } => confirm_totp(conn, entry, name, *step).await,
        Command::ResealTotp { name, sealed } => reseal_totp(conn, name, sealed).await,
        Command::SetRecoveryCodes { name, code_hashes } => {
            set_recovery_codes(conn, entry, name, code_hashes).await
        }
        Command::AddPasskey { name, passkey } => passkeys::add(conn, entry, name, passkey).await,
        Command::RemovePasskey { name, id } => passkeys::remove(conn, name, id).await,
        Command::OpenByPasskey(by) => passkeys::open(conn, entry, by).await,
        Command::TryProof { name } => sign_in::try_proof(conn, entry, name).await,
        Command::Prove { session, by } => prove::prove(conn, entry, session, by).await,
        Command::Look { session } => prove::look(conn, entry, session).await,
    }
}

async fn put(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    name: &str,
    shown: &str,
    person: Option<&str>,
) -> Result<Outcome, sqlx::Error> {
    if !is_name(name) {
        let rule = "an account's name has 1 to 64 lower-case letters, digits, dots, dashes and underscores";
        return Ok(Outcome::Refused(Refusal::Invalid(rule.to_owned())));
    }
    if let Some(refusal) = guest_refusal(conn, name).await? {
        return Ok(Outcome::Refused(refusal));
    }
    // Whoever is limited to a unit adds accounts of that unit.
    let unit = query::limit_of(conn, &entry.envelope.actor).await?;
    let done = sqlx::query(
        "insert into account (name, shown, person, unit, roles, created_at_ms, created_by, totp_step) \
         values (?1, ?2, ?3, ?6, '[]', ?4, ?5, 0) on conflict (name) do update set shown = ?2, person = ?3 \
         where shown is not ?2 or person is not ?3",
    )
    .bind(name)
    .bind(shown)
    .bind(person)
    .bind(entry.at.0)
    .bind(entry.envelope.actor.label())
    .bind(unit)
    .execute(conn)
    .await?;
    Ok(match done.rows_affected() {
        0 => Outcome::Unchanged,
        _ => Outcome::Applied(Receipt::None),
    })
}

/// Limits an account to a unit, by its key; `None`: to none.
pub(crate) async fn limit(
    conn: &mut SqliteConnection,
    name: &str,
    unit: Option<&str>,
) -> Result<Outcome, sqlx::Error> {
    let known = match find(conn, name).await? {
        Ok(known) => known,
        Err(refusal) => return Ok(Outcome::Refused(refusal)),
    };
    if known.guest.is_some() {
        return Ok(Outcome::Refused(of_guests()));
    }
    if known.is_glass() {
        return Ok(Outcome::Refused(glass::of_cards()));
    }
    if known.unit.as_deref() == unit {
        return Ok(Outcome::Unchanged);
    }
    sqlx::query("update account set unit = ? where name = ?")
        .bind(unit)
        .bind(name)
        .execute(conn)
        .await?;
    Ok(Outcome::Applied(Receipt::None))
}

async fn set_roles(
    conn: &mut SqliteConnection,
    name: &str,
    roles: &[String],
) -> Result<Outcome, sqlx::Error> {
    if let Some(unknown) = roles.iter().find(|role| Role::parse(role).is_none()) {
        let text = format!("unknown role {unknown}");
        return Ok(Outcome::Refused(Refusal::Invalid(text)));
    }
    let known = match find(conn, name).await? {
        Ok(known) => known,
        Err(refusal) => return Ok(Outcome::Refused(refusal)),
    };
    let wanted = Roles::read(roles);
    if known.guest.is_some() || wanted.0.contains(&Role::Guest) {
        return Ok(Outcome::Refused(of_guests()));
    }
    if wanted == known.roles {
        return Ok(Outcome::Unchanged);
    }
    sqlx::query("update account set roles = ? where name = ?")
        .bind(rows::to_json(&wanted.names())?)
        .bind(name)
        .execute(conn)
        .await?;
    Ok(Outcome::Applied(Receipt::None))
}

async fn set_disabled(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    name: &str,
    disabled: bool,
) -> Result<Outcome, sqlx::Error> {
    let known = match find(conn, name).await? {
        Ok(known) => known,
        Err(refusal) => return Ok(Outcome::Refused(refusal)),
    };
    if known.disabled_at.is_some() == disabled {
        return Ok(Outcome::Unchanged);
    }
    sqlx::query("update account set disabled_at_ms = ? where name = ?")
        .bind(disabled.then_some(entry.at.0))
        .bind(name)
        .execute(&mut *conn)
        .await?;
    if disabled {
        sign_in::end_all(conn, entry, name, None).await?;
        forget_invitations(conn, name).await?;
    }
    Ok(Outcome::Applied(Receipt::None))
}

/// Makes an invitation in place of earlier ones.
pub(crate) async fn invite(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    name: &str,
    code_hash: &[u8; 32],
) -> Result<Outcome, sqlx::Error> {
    let known = match find(conn, name).await? {
        Ok(known) => known,
        Err(refusal) => return Ok(Outcome::Refused(refusal)),
    };
    if known.disabled_at.is_some() {
        let text = "the account is disabled; enable it first";
        return Ok(Outcome::Refused(Refusal::NotNow(text.to_owned())));
    }
    forget_invitations(conn, name).await?;
    sqlx::query(
        "insert into invitation (code_hash, account, created_at_ms, created_by, expires_at_ms, epoch) \
         values (?, ?, ?, ?, ?, coalesce((select c.epoch from cluster c where c.id = 1), 1)) \
         on conflict (code_hash) do nothing",
    )
    .bind(code_hash.as_slice())
    .bind(name)
    .bind(entry.at.0)
    .bind(entry.envelope.actor.label())
    .bind((entry.at + INVITATION_TIME).0)
    .execute(conn)
    .await?;
    Ok(Outcome::Applied(Receipt::None))
}

async fn forget_invitations(conn: &mut SqliteConnection, name: &str) -> Result<(), sqlx::Error> {
    sqlx::query("delete from invitation where account = ? and used_at_ms is null")
        .bind(name)
        .execute(conn)
        .await?;
    Ok(())
}

async fn set_password(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    name: &str,
    phc: &str,
    but: Option<&str>,
) -> Result<Outcome, sqlx::Error> {
    let done = sqlx::query("update account set password = ?, password_at_ms = ? where name = ?")
        .bind(phc)
        .bind(entry.at.0)
        .bind(name)
        .execute(&mut *conn)
        .await?;
    if done.rows_affected() == 0 {
        return Ok(Outcome::Refused(unknown()));
    }
    sign_in::end_all(conn, entry, name, but).await?;
    Ok(Outcome::Applied(Receipt::None))
}

/// A seed that is not confirmed never takes the place of one that is: the old app goes on until the new one is proven.
async fn set_totp(
    conn: &mut SqliteConnection,
    name: &str,
    sealed: &[u8],
) -> Result<Outcome, sqlx::Error> {
    let known = match find(conn, name).await? {
        Ok(known) => known,
        Err(refusal) => return Ok(Outcome::Refused(refusal)),
    };
    if known.has_totp() {
        let text =
            "one-time codes of an app are set up already; ask for an invitation to begin anew";
        return Ok(Outcome::Refused(Refusal::NotNow(text.to_owned())));
    }
    sqlx::query("update account set totp_sealed = ?, totp_confirmed_at_ms = null, totp_step = 0 where name = ?")
        .bind(sealed)
        .bind(name)
        .execute(conn)
        .await?;
    Ok(Outcome::Applied(Receipt::None))
}

async fn confirm_totp(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    name: &str,
    step: u64,
) -> Result<Outcome, sqlx::Error> {
    let done = sqlx::query(
        "update account set totp_confirmed_at_ms = ?, totp_step = ? \
         where name = ? and totp_sealed is not null and totp_confirmed_at_ms is null",
    )
    .bind(entry.at.0)
    .bind(step.cast_signed())
    .bind(name)
    .execute(conn)
    .await?;
    Ok(match done.rows_affected() {
        0 => Outcome::Unchanged,
        _ => Outcome::Applied(Receipt::None),
    })
}

async fn reseal_totp(
    conn: &mut SqliteConnection,
    name: &str,
    sealed: &[u8],
) -> Result<Outcome, sqlx::Error> {
    let done = sqlx::query(
        "update account set totp_sealed = ? where name = ? and totp_sealed is not null",
    )
    .bind(sealed)
    .bind(name)
    .execute(conn)
    .await?;
    Ok(match done.rows_affected() {
        0 => Outcome::Unchanged,
        _ => Outcome::Applied(Receipt::None),
    })
}

async fn set_recovery_codes(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    name: &str,
    code_hashes: &[[u8; 32]],
) -> Result<Outcome, sqlx::Error> {
    if code_hashes.len() > RECOVERY_CODES {
        let text = format!("at most {RECOVERY_CODES} recovery codes");
        return Ok(Outcome::Refused(Refusal::Invalid(text)));
    }
    if let Err(refusal) = find(conn, name).await? {
        return Ok(Outcome::Refused(refusal));
    }
    sqlx::query("delete from recovery_code where account = ?")
        .bind(name)
        .execute(&mut *conn)
        .await?;
    for hash in code_hashes {
        sqlx::query(
            "insert into recovery_code (code_hash, account, made_at_ms, epoch) \
             values (?, ?, ?, coalesce((select c.epoch from cluster c where c.id = 1), 1)) \
             on conflict (code_hash) do nothing",
        )
        .bind(hash.as_slice())
        .bind(name)
        .bind(entry.at.0)
        .execute(&mut *conn)
        .await?;
    }
    Ok(Outcome::Applied(Receipt::None))
}

async fn find(
    conn: &mut SqliteConnection,
    name: &str,
) -> Result<Result<AccountRow, Refusal>, sqlx::Error> {
    Ok(query::account(conn, name).await?.ok_or_else(unknown))
}

pub(crate) fn unknown() -> Refusal {
    Refusal::NoSuch("there is no such account; see `holdfast account list`".to_owned())
}

/// What is known of a guest came with the room, and the code goes to the guest's number alone.
async fn guest_refusal(
    conn: &mut SqliteConnection,
    name: &str,
) -> Result<Option<Refusal>, sqlx::Error> {
    let known = query::account(conn, name).await?;
    Ok(known.and_then(|known| known.guest).map(|_| of_guests()))
}

fn of_guests() -> Refusal {
    let text = "guests are added to a room and end there; see `holdfast account guest`";
    Refusal::NotNow(text.to_owned())
}
