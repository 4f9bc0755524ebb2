//! Reads of people and groups.

mod imports;
mod labels;
mod members;

use std::collections::BTreeMap;

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

pub use self::imports::{Freeze, ImportRow, ImportState, freeze, import, imports, waiting, weight};
pub(crate) use self::labels::{of_whom, people_by_site};
#[cfg(test)]
pub(super) use self::members::FOUND_BY_RULES;
pub use self::members::{Membership, Named, Occupancy, occupancy, resolve};
pub(super) use self::members::{first_unknown_group, inner_groups};
use super::marks::{self, NumberMark};
use super::{
    Barred, ContactMethod, Criterion, Details, Found, Member, Person, PersonKind, Prefixes, Rule,
    Wishes, parse_hours,
};
use crate::ids::{GroupId, RecipientId};
use crate::rows;
use crate::texts::Language;
use crate::time::Timestamp;

/// A person with contact methods in order.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PersonRow {
    pub id: RecipientId,
    pub key: String,
    pub name: String,
    pub language: String,
    pub methods: Vec<ContactMethod>,
    /// What is known of each of the methods, in their order.
    pub verification: Vec<Verification>,
    pub details: Details,
    /// Keys of the groups that name the person, by key.
    pub groups: Vec<String>,
    /// When the person was last put.
    pub updated_at: Timestamp,
    /// Their number that was changed last with a voucher.
    pub number_mark: Option<NumberMark>,
    /// Key of the unit they belong to.
    pub unit: Option<String>,
}

/// What was last found out about a contact method.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Verification {
    pub found: Found,
    /// By which path; empty when unverified.
    pub how: String,
    /// Absent when unverified.
    pub at: Option<Timestamp>,
}

/// A group with those it names in calling order, and its rule.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct GroupRow {
    pub id: GroupId,
    pub key: String,
    pub name: String,
    pub members: Vec<Member>,
    pub rule: Rule,
}

impl PersonRow {
    /// The person as it would be put.
    pub fn into_person(self) -> Person {
        Person {
            key: self.key,
            name: self.name,
            language: self.language,
            methods: self.methods,
            details: self.details,
        }
    }
}

impl From<&Member> for Named {
    fn from(member: &Member) -> Self {
        match member {
            Member::Person(key) => Self::Person(key.clone()),
            Member::Group(key) => Self::Group(key.clone()),
        }
    }
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

/// People after `after` (a key; empty: from the start) in order of key, at most `limit`; those of some units when these are
/// given.
pub async fn people(
    conn: &mut SqliteConnection,
    units: Option<&[String]>,
    after: &str,
    limit: u32,
) -> Result<Vec<PersonRow>, sqlx::Error> {
    let ids: Vec<Vec<u8>> = sqlx::query_scalar(
        "select recipient_id from person where removed_at_ms is null and key > ?1 \
         and (?3 is null or unit in (select value from json_each(?3))) order by key limit ?2",
    )
    .bind(after)
    .bind(i64::from(limit))
    .bind(units.map(|units| rows::to_json(&units)).transpose()?)
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

/// The people with these keys, in order of key; unknown and removed ones are absent.
pub async fn by_keys(
    conn: &mut SqliteConnection,
    keys: &[&str],
) -> Result<Vec<PersonRow>, sqlx::Error> {
    let ids: Vec<RecipientId> = keys.iter().map(|key| RecipientId::of_key(key)).collect();
    by_ids(conn, &ids).await
}

/// Every person's key, in order.
pub async fn keys(conn: &mut SqliteConnection) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar("select key from person where removed_at_ms is null order by key")
        .fetch_all(conn)
        .await
}

/// The languages that somebody reads, by tag.
pub async fn languages(conn: &mut SqliteConnection) -> Result<Vec<Language>, sqlx::Error> {
    let tags: Vec<String> = sqlx::query_scalar(
        "select distinct language from person where removed_at_ms is null order by language",
    )
    .fetch_all(conn)
    .await?;
    let mut read: Vec<Language> = tags.iter().map(|tag| Language::parse(tag)).collect();
    read.sort_unstable();
    read.dedup();
    Ok(read)
}

/// How many people there are.
pub async fn count(conn: &mut SqliteConnection) -> Result<u64, sqlx::Error> {
    let count: i64 = sqlx::query_scalar("select count(*) from person where removed_at_ms is null")
        .fetch_one(conn)
        .await?;
    Ok(count.cast_unsigned())
}

/// The beginnings of numbers that texts may go to; none: all.
pub async fn allowed_prefixes(conn: &mut SqliteConnection) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar("select prefix from allowed_prefix order by prefix")
        .fetch_all(conn)
        .await
}

/// Which numbers texts may go to.
pub async fn prefixes(conn: &mut SqliteConnection) -> Result<Prefixes, sqlx::Error> {
    let allowed = allowed_prefixes(conn).await?;
    let barred: Vec<(String, String)> =
        sqlx::query_as("select prefix, what from barred_prefix order by prefix")
            .fetch_all(conn)
            .await?;
    let barred = barred.into_iter();
    Ok(Prefixes {
        allowed,
        barred: barred
            .map(|(prefix, what)| Barred { prefix, what })
            .collect(),
    })
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

/// A group with its members and criteria; where to look and in which order follow.
macro_rules! group_select {
    ($tail:literal) => {
        concat!(
            "select g.group_id, g.key, g.name, \
             (select json_group_array(member) from (select member from (\
              select m.position, p.key as member from group_member m join person p on p.recipient_id = m.recipient_id \
              where m.group_id = g.group_id union all \
              select i.position, 'group:' || n.key from group_inner i join person_group n on n.group_id = i.inner_id \
              where i.group_id = g.group_id) order by position)) as members, \
             (select json_group_array(json_array(part, criterion)) from (\
              select part, kind || ':' || value as criterion from group_criterion c where c.group_id = g.group_id \
              order by part, position)) as rule \
             from person_group g ",
            $tail
        )
    };
}

use group_select;

/// All groups by key.
pub async fn groups(conn: &mut SqliteConnection) -> Result<Vec<GroupRow>, sqlx::Error> {
    let found = sqlx::query(group_select!("order by g.key"))
        .fetch_all(conn)
        .await?;
    found.iter().map(group_row).collect()
}

/// The group with this key.
pub async fn group(
    conn: &mut SqliteConnection,
    key: &str,
) -> Result<Option<GroupRow>, sqlx::Error> {
    let row = sqlx::query(group_select!("where g.group_id = ?"))
        .bind(GroupId::of_key(key).as_bytes())
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(group_row).transpose()
}

/// The first of these keys that names nobody.
pub(crate) async fn first_unknown_person(
    conn: &mut SqliteConnection,
    keys: &[impl AsRef<str>],
) -> Result<Option<String>, sqlx::Error> {
    let ids: Vec<RecipientId> = keys
        .iter()
        .map(|key| RecipientId::of_key(key.as_ref()))
        .collect();
    let position: Option<i64> = sqlx::query_scalar(
        "select j.key from json_each(?) j left join person p on p.recipient_id = unhex(j.value) \
         and p.removed_at_ms is null where p.recipient_id is null order by j.key limit 1",
    )
    .bind(rows::hex_array(ids.iter().map(RecipientId::as_bytes)))
    .fetch_optional(conn)
    .await?;
    Ok(position
        .and_then(|at| usize::try_from(at).ok())
        .and_then(|at| keys.get(at).map(|key| key.as_ref().to_owned())))
}

/// Loads the people whose ids are in a JSON array, with methods and groups, in four statements whatever their number.
async fn load(conn: &mut SqliteConnection, ids: String) -> Result<Vec<PersonRow>, sqlx::Error> {
    let found = sqlx::query(
        "select recipient_id, key, name, language, updated_at_ms, kind, duty, more_languages, zone, tags, skills, sites, \
         hours, never_voice, wake_by, answer_minutes, note, unit from person \
         where recipient_id in (select unhex(value) from json_each(?)) and removed_at_ms is null order by key",
    )
    .bind(&ids)
    .fetch_all(&mut *conn)
    .await?;
    let mut methods: BTreeMap<Vec<u8>, Vec<(ContactMethod, Verification)>> = BTreeMap::new();
    let method_rows = sqlx::query(
        "select recipient_id, kind, address, found, found_how, found_at_ms from contact_method \
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
        let verification = Verification {
            found: Found::parse(row.try_get(3)?).unwrap_or(Found::Unverified),
            how: row.try_get(4)?,
            at: rows::time_opt(row, "found_at_ms")?,
        };
        methods
            .entry(row.try_get(0)?)
            .or_default()
            .push((method, verification));
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
    let mut marks = marks::of(conn, &ids).await?;
    found
        .iter()
        .map(|row| {
            let id: Vec<u8> = row.try_get("recipient_id")?;
            let (methods, verification) =
                methods.remove(&id).unwrap_or_default().into_iter().unzip();
            Ok(PersonRow {
                id: RecipientId::from_row(&id)?,
                key: row.try_get("key")?,
                name: row.try_get("name")?,
                language: row.try_get("language")?,
                methods,
                verification,
                details: details(row)?,
                groups: groups.remove(&id).unwrap_or_default(),
                updated_at: rows::time(row, "updated_at_ms")?,
                number_mark: marks.remove(&id),
                unit: row.try_get("unit")?,
            })
        })
        .collect()
}

fn details(row: &SqliteRow) -> Result<Details, sqlx::Error> {
    let waker: String = row.try_get("wake_by")?;
    let minutes: Option<i64> = row.try_get("answer_minutes")?;
    Ok(Details {
        kind: PersonKind::parse(row.try_get("kind")?).unwrap_or_default(),
        duty: row.try_get("duty")?,
        more_languages: rows::json(row, "more_languages")?,
        zone: row.try_get("zone")?,
        tags: rows::json(row, "tags")?,
        skills: rows::json(row, "skills")?,
        sites: rows::json(row, "sites")?,
        hours: parse_hours(row.try_get("hours")?).map_err(|e| sqlx::Error::Decode(e.into()))?,
        wishes: Wishes {
            never_voice: row.try_get("never_voice")?,
            wake_by: Some(waker).filter(|key| !key.is_empty()),
            answer_minutes: minutes.and_then(|m| u16::try_from(m).ok()),
        },
        note: row.try_get("note")?,
    })
}

fn group_row(row: &SqliteRow) -> Result<GroupRow, sqlx::Error> {
    let members: Vec<String> = rows::json(row, "members")?;
    let criteria: Vec<(String, String)> = rows::json(row, "rule")?;
    let mut rule = Rule::default();
    for (part, text) in criteria {
        let criterion = Criterion::parse(&text).map_err(|e| sqlx::Error::Decode(e.into()))?;
        match part.as_str() {
            "all" => rule.all_of.push(criterion),
            _ => rule.any_of.push(criterion),
        }
    }
    Ok(GroupRow {
        id: GroupId::from_row(row.try_get("group_id")?)?,
        key: row.try_get("key")?,
        name: row.try_get("name")?,
        members: members.iter().map(|text| Member::parse(text)).collect(),
        rule,
    })
}
