//! Reads of accounts, sessions and sign-ins under way.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::guest::{self, GuestRow};
use super::{ATTEMPT_TIME, TRIES_OF_ATTEMPT, TryLimit};
use crate::access::{Reach, Role, Roles, Scope};
use crate::envelope::Actor;
use crate::ids::RoomId;
use crate::rows;
use crate::time::Timestamp;

/// An account with the hashes and the sealed seed of its factors.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AccountRow {
    pub name: String,
    pub shown: String,
    pub person: Option<String>,
    pub roles: Roles,
    pub disabled_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub created_by: String,
    /// PHC string.
    pub password: Option<String>,
    pub totp_sealed: Option<Vec<u8>>,
    pub totp_confirmed_at: Option<Timestamp>,
    pub totp_step: u64,
    /// How many passkeys let in alone.
    pub passkeys: u32,
    /// Set when it lets somebody from outside into one room.
    pub guest: Option<GuestRow>,
    /// Key of the unit it is limited to; `None`: the whole organisation.
    pub unit: Option<String>,
}

impl AccountRow {
    /// Whether anybody is let in by it now.
    pub fn lets_in(&self, now: Timestamp) -> bool {
        self.disabled_at.is_none() && self.guest.as_ref().is_none_or(|guest| guest.live(now))
    }

    /// How far its roles let it do this; limited to a unit, only what a unit has a part of.
    pub fn reach(&self, scope: Scope) -> Option<Reach> {
        let reach = self.roles.reach(scope)?;
        (self.unit.is_none() || scope.is_for_units()).then_some(reach)
    }

    /// Whether break-glass cards open it, and nothing else does.
    pub fn is_glass(&self) -> bool {
        self.roles.0.contains(&Role::BreakGlass)
    }

    /// Whether one-time codes of an app open a session of it.
    pub fn has_totp(&self) -> bool {
        self.totp_sealed.is_some() && self.totp_confirmed_at.is_some()
    }

    /// Whether its owner can show a factor in a session: a password, a code of an app or a passkey. A texted code shows no
    /// more than that somebody has the phone.
    pub fn can_show(&self) -> bool {
        self.password.is_some() || self.has_totp() || self.passkeys > 0
    }

    /// Whether its sessions may do nothing yet but enrol the factor its roles ask for.
    pub fn must_enrol(&self) -> bool {
        self.roles.needs_strong_factor() && !self.has_totp() && self.passkeys == 0
    }
}

/// A session without its token.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SessionRow {
    pub id: String,
    pub account: String,
    pub device_name: String,
    /// The device's public key, uncompressed point.
    pub device_key: Vec<u8>,
    /// What opened it, such as `password, totp`.
    pub factors: String,
    pub opened_at: Timestamp,
    pub seen_at: Timestamp,
    /// When its owner last showed a factor.
    pub proved_at: Timestamp,
    /// When it last looked at what asks for its owner after a pause.
    pub looked_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub ended_by: String,
    /// The epoch it was opened in, and the one the state is in.
    epochs: (i64, i64),
}

impl SessionRow {
    /// Until when it lives if it is not used; `None` when it is over already, whatever the time.
    pub fn lives_until(&self, roles: &Roles) -> Option<Timestamp> {
        if self.ended_at.is_some() || self.epochs.0 != self.epochs.1 {
            return None;
        }
        let lifetime = roles.lifetime();
        let idle = self.seen_at + lifetime.idle;
        let whole = lifetime.whole.map(|whole| self.opened_at + whole);
        Some(whole.map_or(idle, |whole| whole.min(idle)))
    }
}

/// A sign-in whose password was right.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AttemptRow {
    pub account: String,
    pub device_name: String,
    pub device_key: Vec<u8>,
    pub started_at: Timestamp,
    pub tries: u32,
}

impl AttemptRow {
    /// Whether a code is still looked at.
    pub fn open(&self, now: Timestamp) -> bool {
        now < self.started_at + ATTEMPT_TIME && self.tries <= TRIES_OF_ATTEMPT
    }
}

/// Accounts with what makes one a guest's; which ones, and in which order, follow.
macro_rules! account_select {
    ($tail:literal) => {
        concat!(
            "select a.name, a.shown, a.person, a.unit, a.roles, a.disabled_at_ms, a.created_at_ms, a.created_by, a.password, \
             a.totp_sealed, a.totp_confirmed_at_ms, a.totp_step, g.account, g.room_id, g.number, g.added_at_ms, \
             g.added_by, g.expires_at_ms, g.ended_at_ms, g.ended_by, \
             (select count(*) from passkey p where p.account = a.name) as passkeys \
             from account a left join guest g on g.account = a.name ",
            $tail
        )
    };
}

/// The account of this name.
pub async fn account(
    conn: &mut SqliteConnection,
    name: &str,
) -> Result<Option<AccountRow>, sqlx::Error> {
    let row = sqlx::query(account_select!("where a.name = ?"))
        .bind(name)
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(account_row).transpose()
}

/// Key of the unit that somebody is limited to who asks by an account; `None` for everybody else.
pub(crate) async fn limit_of(
    conn: &mut SqliteConnection,
    actor: &Actor,
) -> Result<Option<String>, sqlx::Error> {
    let Actor::Account { name } = actor else {
        return Ok(None);
    };
    let found: Option<Option<String>> =
        sqlx::query_scalar("select unit from account where name = ?")
            .bind(name)
            .fetch_optional(conn)
            .await?;
    Ok(found.flatten())
}

/// All accounts, in order of name.
pub async fn accounts(conn: &mut SqliteConnection) -> Result<Vec<AccountRow>, sqlx::Error> {
    let found = sqlx::query(account_select!("order by a.name"))
        .fetch_all(conn)
        .await?;
    found.iter().map(account_row).collect()
}

/// Those from outside who were let into a room, also those who are not any more, by when they were added.
pub async fn guests(
    conn: &mut SqliteConnection,
    room: RoomId,
) -> Result<Vec<AccountRow>, sqlx::Error> {
    let found = sqlx::query(account_select!(
        "where g.room_id = ? order by g.added_at_ms, a.name"
    ))
    .bind(room.as_bytes())
    .fetch_all(conn)
    .await?;
    found.iter().map(account_row).collect()
}

/// The session behind a token, by the token's SHA-256, with its account.
pub async fn session(
    conn: &mut SqliteConnection,
    token_hash: &[u8; 32],
) -> Result<Option<(SessionRow, AccountRow)>, sqlx::Error> {
    let found = sqlx::query(
        "select s.*, coalesce((select c.epoch from cluster c where c.id = 1), 1) as now_epoch from session s \
         where s.token_hash = ?",
    )
    .bind(token_hash.as_slice())
    .fetch_optional(&mut *conn)
    .await?;
    let Some(row) = found else { return Ok(None) };
    let session = session_row(&row)?;
    let account = account(conn, &session.account).await?;
    Ok(account.map(|account| (session, account)))
}

/// Sessions of an account, also those that ended in the last months, newest first.
pub async fn sessions(
    conn: &mut SqliteConnection,
    name: &str,
) -> Result<Vec<SessionRow>, sqlx::Error> {
    let found = sqlx::query(
        "select s.*, coalesce((select c.epoch from cluster c where c.id = 1), 1) as now_epoch from session s \
         where s.account = ? order by s.opened_at_ms desc, s.session_id",
    )
    .bind(name)
    .fetch_all(conn)
    .await?;
    found.iter().map(session_row).collect()
}

/// The accounts a device is or was signed in to, by the device's public key, in order of name.
pub async fn accounts_of_device(
    conn: &mut SqliteConnection,
    device_key: &[u8],
) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar("select distinct account from session where device_key = ? order by account")
        .bind(device_key)
        .fetch_all(conn)
        .await
}

/// Whether somebody, by key of the person, is signed in anywhere, as far as is known.
pub(crate) async fn is_signed_in(
    conn: &mut SqliteConnection,
    person: &str,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "select exists (select 1 from account a join session s on s.account = a.name \
         where a.person = ? and s.ended_at_ms is null)",
    )
    .bind(person)
    .fetch_one(conn)
    .await
}

/// A sign-in under way, by the SHA-256 of its id.
pub async fn attempt(
    conn: &mut SqliteConnection,
    attempt_hash: &[u8; 32],
) -> Result<Option<AttemptRow>, sqlx::Error> {
    let found = sqlx::query(
        "select account, device_name, device_key, started_at_ms, tries from sign_in_attempt where attempt_hash = ?",
    )
    .bind(attempt_hash.as_slice())
    .fetch_optional(conn)
    .await?;
    found
        .map(|row| {
            Ok(AttemptRow {
                account: row.try_get("account")?,
                device_name: row.try_get("device_name")?,
                device_key: row.try_get("device_key")?,
                started_at: rows::time(&row, "started_at_ms")?,
                tries: rows::unsigned(&row, "tries")?,
            })
        })
        .transpose()
}

/// How many printed codes of an account still open something.
pub async fn recovery_codes_left(
    conn: &mut SqliteConnection,
    name: &str,
) -> Result<u64, sqlx::Error> {
    let left: i64 = sqlx::query_scalar(
        "select count(*) from recovery_code where account = ? and used_at_ms is null \
         and epoch = coalesce((select c.epoch from cluster c where c.id = 1), 1)",
    )
    .bind(name)
    .fetch_one(conn)
    .await?;
    Ok(left.cast_unsigned())
}

/// Whether this is one of somebody's recovery codes, by its SHA-256.
pub async fn is_recovery_code(
    conn: &mut SqliteConnection,
    code_hash: &[u8; 32],
) -> Result<bool, sqlx::Error> {
    let found: Option<i64> = sqlx::query_scalar("select 1 from recovery_code where code_hash = ?")
        .bind(code_hash.as_slice())
        .fetch_optional(conn)
        .await?;
    Ok(found.is_some())
}

/// Until when an unused invitation opens the door, by the SHA-256 of its code.
pub async fn invitation_expires(
    conn: &mut SqliteConnection,
    code_hash: &[u8; 32],
) -> Result<Option<Timestamp>, sqlx::Error> {
    let found: Option<i64> = sqlx::query_scalar(
        "select expires_at_ms from invitation where code_hash = ? and used_at_ms is null",
    )
    .bind(code_hash.as_slice())
    .fetch_optional(conn)
    .await?;
    Ok(found.map(Timestamp))
}

/// Until when the newest unused invitation of an account opens the door.
pub async fn invitation_of(
    conn: &mut SqliteConnection,
    name: &str,
) -> Result<Option<Timestamp>, sqlx::Error> {
    let found: Option<i64> = sqlx::query_scalar(
        "select max(expires_at_ms) from invitation where account = ? and used_at_ms is null",
    )
    .bind(name)
    .fetch_one(conn)
    .await?;
    Ok(found.map(Timestamp))
}

/// When an invitation of an account first let a device in.
pub async fn invitation_used(
    conn: &mut SqliteConnection,
    name: &str,
) -> Result<Option<Timestamp>, sqlx::Error> {
    let found: Option<i64> =
        sqlx::query_scalar("select min(used_at_ms) from invitation where account = ?")
            .bind(name)
            .fetch_one(conn)
            .await?;
    Ok(found.map(Timestamp))
}

/// Until when nothing more is tried under a limit.
pub async fn tries_closed_until(
    conn: &mut SqliteConnection,
    limit: &TryLimit,
    subject: &[u8; 32],
    now: Timestamp,
) -> Result<Option<Timestamp>, sqlx::Error> {
    let until: Option<Option<i64>> =
        sqlx::query_scalar("select closed_until_ms from try_count where kind = ? and subject = ?")
            .bind(limit.kind)
            .bind(subject.as_slice())
            .fetch_optional(conn)
            .await?;
    Ok(until.flatten().map(Timestamp).filter(|until| now < *until))
}

fn account_row(row: &SqliteRow) -> Result<AccountRow, sqlx::Error> {
    let names: Vec<String> = rows::json(row, "roles")?;
    Ok(AccountRow {
        name: row.try_get("name")?,
        shown: row.try_get("shown")?,
        person: row.try_get("person")?,
        roles: Roles::read(&names),
        disabled_at: rows::time_opt(row, "disabled_at_ms")?,
        created_at: rows::time(row, "created_at_ms")?,
        created_by: row.try_get("created_by")?,
        password: row.try_get("password")?,
        totp_sealed: row.try_get("totp_sealed")?,
        totp_confirmed_at: rows::time_opt(row, "totp_confirmed_at_ms")?,
        totp_step: rows::unsigned(row, "totp_step")?,
        passkeys: rows::unsigned(row, "passkeys")?,
        guest: guest::of_row(row)?,
        unit: row.try_get("unit")?,
    })
}

fn session_row(row: &SqliteRow) -> Result<SessionRow, sqlx::Error> {
    Ok(SessionRow {
        id: row.try_get("session_id")?,
        account: row.try_get("account")?,
        device_name: row.try_get("device_name")?,
        device_key: row.try_get("device_key")?,
        factors: row.try_get("factors")?,
        opened_at: rows::time(row, "opened_at_ms")?,
        seen_at: rows::time(row, "seen_at_ms")?,
        proved_at: rows::time(row, "proved_at_ms")?,
        looked_at: rows::time(row, "looked_at_ms")?,
        ended_at: rows::time_opt(row, "ended_at_ms")?,
        ended_by: row.try_get("ended_by")?,
        epochs: (row.try_get("epoch")?, row.try_get("now_epoch")?),
    })
}
