//! Reads of people and groups.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::ContactMethod;
use crate::ids::{GroupId, RecipientId};
use crate::outcome::Refusal;
use crate::rows;

/// A person with contact methods in order.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PersonRow {
    pub id: RecipientId,
    pub key: String,
    pub name: String,
    pub language: String,
    pub methods: Vec<ContactMethod>,
    /// Keys of the groups the person is in, by key.
    pub groups: Vec<String>,
}

/// A group with its members' keys in calling order.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct GroupRow {
    pub id: GroupId,
    pub key: String,
    pub name: String,
    pub members: Vec<String>,
}

/// Somebody or some group named by key, as an alert names whom it calls.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub enum Named {
    Person(String),
    Group(String),
}

impl Named {
    /// Reads `person:anna` and `group:duty`.
    pub fn parse(text: &str) -> Option<Self> {
        match text.trim().split_once(':') {
            Some((_, "")) | None => None,
            Some(("person", key)) => Some(Self::Person(key.to_owned())),
            Some(("group", key)) => Some(Self::Group(key.to_owned())),
            Some(_) => None,
        }
    }
}

/// People after `after` (a key; empty: from the start) in order of key, at most `limit`.
pub async fn people(
    conn: &mut SqliteConnection,
    after: &str,
    limit: u32,
) -> Result<Vec<PersonRow>, sqlx::Error> {
    let ids: Vec<Vec<u8>> = sqlx::query_scalar(
        "select recipient_id from person where removed_at_ms is null and key > ? order by key limit ?",
    )
    .bind(after)
    .bind(i64::from(limit))
    .fetch_all(&mut *conn)
    .await?;
    load(conn, rows::hex_array(ids.iter().map(Vec::as_slice))).await
}

/// The person with this key.
pub async fn person(
    conn: &mut SqliteConnection,
    key: &str,
) -> Result<Option<PersonRow>, sqlx::Error> {
    by_ids(conn, &[RecipientId::of_key(key)])
        .await
        .map(|found| found.into_iter().next())
}

/// People by id, in order of key; unknown and removed ones are absent.
pub async fn by_ids(
    conn: &mut SqliteConnection,
    ids: &[RecipientId],
) -> Result<Vec<PersonRow>, sqlx::Error> {
    load(conn, rows::hex_array(ids.iter().map(RecipientId::as_bytes))).await
}

/// Everyone who has this address among their contact methods, in order of key.
pub async fn by_address(
    conn: &mut SqliteConnection,
    kind: &str,
    address: &str,
) -> Result<Vec<PersonRow>, sqlx::Error> {
    let ids: Vec<Vec<u8>> = sqlx::query_scalar(
        "select distinct recipient_id from contact_method where address = ? and kind = ? order by recipient_id",
    )
    .bind(address)
    .bind(kind)
    .fetch_all(&mut *conn)
    .await?;
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    load(conn, rows::hex_array(ids.iter().map(Vec::as_slice))).await
}

/// All groups by key.
pub async fn groups(conn: &mut SqliteConnection) -> Result<Vec<GroupRow>, sqlx::Error> {
    let found = sqlx::query(
        "select g.group_id, g.key, g.name, \
         (select json_group_array(key) from (select p.key as key from group_member m \
          join person p on p.recipient_id = m.recipient_id where m.group_id = g.group_id order by m.position)) as members \
         from person_group g order by g.key",
    )
    .fetch_all(conn)
    .await?;
    found.iter().map(group_row).collect()
}

/// The group with this key.
pub async fn group(
    conn: &mut SqliteConnection,
    key: &str,
) -> Result<Option<GroupRow>, sqlx::Error> {
    let row = sqlx::query(
        "select g.group_id, g.key, g.name, \
         (select json_group_array(key) from (select p.key as key from group_member m \
          join person p on p.recipient_id = m.recipient_id where m.group_id = g.group_id order by m.position)) as members \
         from person_group g where g.group_id = ?",
    )
    .bind(GroupId::of_key(key).as_bytes())
    .fetch_optional(conn)
    .await?;
    row.as_ref().map(group_row).transpose()
}

/// Whom a list of names means: each person once, in the order named, groups in calling order.
///
/// The first unknown name is returned as the refusal to give.
pub async fn resolve(
    conn: &mut SqliteConnection,
    names: &[Named],
) -> Result<Result<Vec<RecipientId>, Refusal>, sqlx::Error> {
    let mut seen = std::collections::BTreeSet::new();
    let mut order = Vec::new();
    for name in names {
        let ids: Vec<RecipientId> = match name {
            Named::Person(key) => {
                let id = RecipientId::of_key(key);
                if !known(conn, id).await? {
                    return Ok(Err(Refusal::UnknownRecipient(key.clone())));
                }
                vec![id]
            }
            Named::Group(key) => match members(conn, key).await? {
                Some(ids) => ids,
                None => return Ok(Err(Refusal::UnknownGroup(key.clone()))),
            },
        };
        order.extend(ids.into_iter().filter(|id| seen.insert(*id)));
    }
    Ok(Ok(order))
}

/// The first of these keys that names nobody.
pub(crate) async fn first_unknown_person(
    conn: &mut SqliteConnection,
    keys: &[String],
) -> Result<Option<String>, sqlx::Error> {
    let ids: Vec<RecipientId> = keys.iter().map(|key| RecipientId::of_key(key)).collect();
    let position: Option<i64> = sqlx::query_scalar(
        "select j.key from json_each(?) j left join person p on p.recipient_id = unhex(j.value) \
         and p.removed_at_ms is null where p.recipient_id is null order by j.key limit 1",
    )
    .bind(rows::hex_array(ids.iter().map(RecipientId::as_bytes)))
    .fetch_optional(conn)
    .await?;
    Ok(position
        .and_then(|at| usize::try_from(at).ok())
        .and_then(|at| keys.get(at).cloned()))
}

async fn known(conn: &mut SqliteConnection, id: RecipientId) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "select exists (select 1 from person where recipient_id = ? and removed_at_ms is null)",
    )
    .bind(id.as_bytes())
    .fetch_one(conn)
    .await
}

async fn members(
    conn: &mut SqliteConnection,
    key: &str,
) -> Result<Option<Vec<RecipientId>>, sqlx::Error> {
    let id = GroupId::of_key(key);
    let exists: bool =
        sqlx::query_scalar("select exists (select 1 from person_group where group_id = ?)")
            .bind(id.as_bytes())
            .fetch_one(&mut *conn)
            .await?;
    if !exists {
        return Ok(None);
    }
    let found: Vec<Vec<u8>> = sqlx::query_scalar(
        "select recipient_id from group_member where group_id = ? order by position",
    )
    .bind(id.as_bytes())
    .fetch_all(conn)
    .await?;
    found
        .iter()
        .map(|bytes| RecipientId::from_row(bytes))
        .collect::<Result<_, _>>()
        .map(Some)
}

/// Loads the people whose ids are in a JSON array, with methods and groups, in three statements whatever their number.
async fn load(conn: &mut SqliteConnection, ids: String) -> Result<Vec<PersonRow>, sqlx::Error> {
    let found = sqlx::query(
        "select recipient_id, key, name, language from person \
         where recipient_id in (select unhex(value) from json_each(?)) and removed_at_ms is null order by key",
    )
    .bind(&ids)
    .fetch_all(&mut *conn)
    .await?;
    let mut methods: BTreeMap<Vec<u8>, Vec<ContactMethod>> = BTreeMap::new();
    let method_rows = sqlx::query(
        "select recipient_id, kind, address from contact_method \
         where recipient_id in (select unhex(value) from json_each(?)) order by recipient_id, position",
    )
    .bind(&ids)
    .fetch_all(&mut *conn)
    .await?;
    for row in &method_rows {
        let address: String = row.try_get(2)?;
        let method = match row.try_get::<&str, _>(1)? {
            "email" => ContactMethod::Email(address),
            _ => ContactMethod::Sms(address),
        };
        methods.entry(row.try_get(0)?).or_default().push(method);
    }
    let mut groups: BTreeMap<Vec<u8>, Vec<String>> = BTreeMap::new();
    let group_rows = sqlx::query(
        "select m.recipient_id, g.key from group_member m join person_group g on g.group_id = m.group_id \
         where m.recipient_id in (select unhex(value) from json_each(?)) order by g.key, m.position",
    )
    .bind(&ids)
    .fetch_all(&mut *conn)
    .await?;
    for row in &group_rows {
        groups
            .entry(row.try_get(0)?)
            .or_default()
            .push(row.try_get(1)?);
    }
    found
        .iter()
        .map(|row| {
            let id: Vec<u8> = row.try_get("recipient_id")?;
            Ok(PersonRow {
                id: RecipientId::from_row(&id)?,
                key: row.try_get("key")?,
                name: row.try_get("name")?,
                language: row.try_get("language")?,
                methods: methods.remove(&id).unwrap_or_default(),
                groups: groups.remove(&id).unwrap_or_default(),
            })
        })
        .collect()
}

fn group_row(row: &SqliteRow) -> Result<GroupRow, sqlx::Error> {
    Ok(GroupRow {
        id: GroupId::from_row(row.try_get("group_id")?)?,
        key: row.try_get("key")?,
        name: row.try_get("name")?,
        members: rows::json(row, "members")?,
    })
}
