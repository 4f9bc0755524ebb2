//! Reads of units and of what belongs to them.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};

use crate::access::accounts;
use crate::approvals::ApprovalRow;
use crate::conversations;
use crate::escalation;
use crate::ids::{AlertId, RecipientId, RoomId};
use crate::oncall;
use crate::recipients::{self, Named};
use crate::rows;

/// A unit.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UnitRow {
    pub key: String,
    pub name: String,
    /// Key of the unit it is part of.
    pub above: Option<String>,
    /// Who belong to it, those of its parts not counted.
    pub people: u64,
    /// Accounts limited to it, those of its parts not counted.
    pub accounts: u64,
}

/// A statement about one unit, `?1`, and those that are part of it: `own` holds their keys.
macro_rules! of_unit {
    ($statement:literal) => {
        concat!(
            "with recursive own (key) as (select key from unit where key = ?1 \
             union select u.key from unit u join own o on u.above = o.key) ",
            $statement
        )
    };
}

/// Units in order of key; one and those that are part of it when it is named.
pub async fn list(
    conn: &mut SqliteConnection,
    of: Option<&str>,
) -> Result<Vec<UnitRow>, sqlx::Error> {
    let found = sqlx::query(
        "with recursive own (key) as (select key from unit where ?1 is null or key = ?1 \
         union select u.key from unit u join own o on u.above = o.key) \
         select u.key, u.name, u.above, \
         (select count(*) from person p where p.unit = u.key and p.removed_at_ms is null) as people, \
         (select count(*) from account a where a.unit = u.key) as accounts \
         from own o join unit u on u.key = o.key order by u.key",
    )
    .bind(of)
    .fetch_all(conn)
    .await?;
    found.iter().map(unit).collect()
}

/// The unit with this key.
pub async fn find(conn: &mut SqliteConnection, key: &str) -> Result<Option<UnitRow>, sqlx::Error> {
    let all = list(conn, Some(key)).await?;
    Ok(all.into_iter().find(|unit| unit.key == key))
}

fn unit(row: &SqliteRow) -> Result<UnitRow, sqlx::Error> {
    Ok(UnitRow {
        key: row.try_get("key")?,
        name: row.try_get("name")?,
        above: row.try_get("above")?,
        people: rows::unsigned(row, "people")?,
        accounts: rows::unsigned(row, "accounts")?,
    })
}

/// Something that may be a unit's.
#[derive(Clone, Copy, Debug)]
pub enum Thing<'a> {
    /// Somebody, by key.
    Person(&'a str),
    /// An alert that the unit sees.
    Alert(AlertId),
    /// That of an alert which the unit sees, or an everyday one in which there is nobody else.
    Room(RoomId),
    /// By key; everybody in it is of the unit.
    Group(&'a str),
    /// By key; everybody who takes turns in it is of the unit.
    Schedule(&'a str),
    /// By name; it is limited to the unit, or to a part of it.
    Account(&'a str),
    /// What waits for a second person, asked for by such an account.
    Approval(&'a ApprovalRow),
    /// A unit, by key: this one, or a part of it.
    Unit(&'a str),
}

/// Whether something is a unit's.
pub async fn has(
    conn: &mut SqliteConnection,
    unit: &str,
    thing: Thing<'_>,
) -> Result<bool, sqlx::Error> {
    match thing {
        Thing::Person(key) => has_all(conn, unit, &[RecipientId::of_key(key)]).await,
        Thing::Alert(alert) => sees_alert(conn, unit, alert).await,
        Thing::Room(room) => sees_room(conn, unit, room).await,
        Thing::Group(key) => has_group(conn, unit, key).await,
        Thing::Schedule(key) => has_schedule(conn, unit, key).await,
        Thing::Account(name) => has_account(conn, unit, name).await,
        Thing::Approval(row) => has_approval(conn, unit, row).await,
        Thing::Unit(key) => {
            let own = list(conn, Some(unit)).await?;
            Ok(own.iter().any(|row| row.key == key))
        }
    }
}

/// The first of these people who does not belong to a unit.
pub(super) async fn first_outside(
    conn: &mut SqliteConnection,
    unit: &str,
    people: &[RecipientId],
) -> Result<Option<RecipientId>, sqlx::Error> {
    let place: Option<i64> = sqlx::query_scalar(of_unit!(
        "select j.key from json_each(?2) j left join person p on p.recipient_id = unhex(j.value) \
         and p.unit in (select key from own) where p.recipient_id is null order by j.key limit 1"
    ))
    .bind(unit)
    .bind(rows::hex_array(people.iter().map(RecipientId::as_bytes)))
    .fetch_optional(conn)
    .await?;
    Ok(place
        .and_then(|at| usize::try_from(at).ok())
        .and_then(|at| people.get(at).copied()))
}

/// Whether there are people here, and all of them belong to a unit.
async fn has_all(
    conn: &mut SqliteConnection,
    unit: &str,
    people: &[RecipientId],
) -> Result<bool, sqlx::Error> {
    Ok(!people.is_empty() && first_outside(conn, unit, people).await?.is_none())
}

/// Whether an account is limited to a unit, or to one that is part of it.
pub(super) async fn has_account(
    conn: &mut SqliteConnection,
    unit: &str,
    name: &str,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(of_unit!(
        "select exists (select 1 from account a where a.name = ?2 and a.unit in (select key from own))"
    ))
    .bind(unit)
    .bind(name)
    .fetch_one(conn)
    .await
}

/// Whether somebody called to an alert belongs to a unit, or an account limited to it raised the alert.
pub(super) async fn sees_alert(
    conn: &mut SqliteConnection,
    unit: &str,
    alert: AlertId,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(of_unit!(
        "select exists (select 1 from called_person c join person p on p.recipient_id = c.recipient_id \
         where c.alert_id = ?2 and p.unit in (select key from own)) or exists (select 1 from alert a \
         join account x on a.raised_by = 'account:' || x.name \
         where a.alert_id = ?2 and x.unit in (select key from own))"
    ))
    .bind(unit)
    .bind(alert.as_bytes())
    .fetch_one(conn)
    .await
}

/// Whether everybody whom an alert has called, or would call in a later step, belongs to a unit.
pub(super) async fn leads_alert(
    conn: &mut SqliteConnection,
    unit: &str,
    alert: AlertId,
) -> Result<bool, sqlx::Error> {
    let people = escalation::planned(conn, alert).await?;
    has_all(conn, unit, &people).await
}

/// Whether everybody in a group now belongs to a unit.
pub(super) async fn has_group(
    conn: &mut SqliteConnection,
    unit: &str,
    key: &str,
) -> Result<bool, sqlx::Error> {
    let named = [Named::Group(key.to_owned())];
    match recipients::resolve(conn, &named).await? {
        Ok(people) => has_all(conn, unit, &people).await,
        Err(_) => Ok(false),
    }
}

/// Whether everybody who takes turns in a schedule belongs to a unit.
pub(super) async fn has_schedule(
    conn: &mut SqliteConnection,
    unit: &str,
    key: &str,
) -> Result<bool, sqlx::Error> {
    match oncall::schedule(conn, key).await? {
        Some(row) => has_all(conn, unit, &row.schedule.people()).await,
        None => Ok(false),
    }
}

/// Whether a unit sees a room: that of an alert it sees, or an everyday one in which there is nobody else.
pub(super) async fn sees_room(
    conn: &mut SqliteConnection,
    unit: &str,
    room: RoomId,
) -> Result<bool, sqlx::Error> {
    if room == RoomId::DUTY_INBOX {
        return Ok(false);
    }
    if sees_alert(conn, unit, AlertId(room.0)).await? {
        return Ok(true);
    }
    if conversations::room(conn, room).await?.is_none() {
        return Ok(false);
    }
    let members = conversations::members(conn, room).await?;
    let people: Vec<RecipientId> = members.iter().map(|member| member.person).collect();
    has_all(conn, unit, &people).await
}

/// Whether a guest was let into a room that a unit sees.
pub(super) async fn has_guest(
    conn: &mut SqliteConnection,
    unit: &str,
    account: &str,
) -> Result<bool, sqlx::Error> {
    let account = accounts::account(conn, account).await?;
    match account.and_then(|account| account.guest) {
        Some(guest) => sees_room(conn, unit, guest.room).await,
        None => Ok(false),
    }
}

/// Whether an account limited to a unit asked for what waits for a second person.
pub(super) async fn has_approval(
    conn: &mut SqliteConnection,
    unit: &str,
    row: &ApprovalRow,
) -> Result<bool, sqlx::Error> {
    match row.asked_by.strip_prefix("account:") {
        Some(name) => has_account(conn, unit, name).await,
        None => Ok(false),
    }
}
