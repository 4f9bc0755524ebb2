//! Writes to the tables of people and groups.

mod imports;

use std::collections::BTreeMap;

use serde_json::json;
use sqlx::SqliteConnection;

use super::rules::nesting_problem;
use super::{
    Barred, Command, Found, Group, Member, Person, Verify, check_barred, check_group, check_person,
    check_prefixes, check_verify, marks, query, write_hours,
};
use crate::apply::Entry;
use crate::ids::{GroupId, RecipientId};
use crate::outcome::{Outcome, Receipt, Refusal};
use crate::rows;
use crate::time::Timestamp;

pub(crate) async fn apply(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    command: &Command,
) -> Result<Outcome, sqlx::Error> {
    match command {
        Command::PutPeople { people } => put_people(conn, entry, people).await,
        Command::RemovePerson { key } => remove_person(conn, entry, key).await,
        Command::PutGroups { groups } => put_groups(conn, groups).await,
        Command::RemoveGroup { key } => remove_group(conn, key).await,
        Command::Verify(verify) => note_found(conn, entry, verify).await,
        Command::Import(import) => imports::import(conn, entry, import).await,
        Command::DecideImport { import, approve } => {
            imports::decide(conn, entry, *import, *approve).await
        }
        Command::FreezeImports { reason } => imports::freeze(conn, entry, reason).await,
        Command::ThawImports => imports::thaw(conn).await,
        Command::AllowPrefixes { prefixes } => allow_prefixes(conn, prefixes).await,
        Command::BarPrefixes { barred } => bar_prefixes(conn, barred).await,
    }
}

async fn put_people(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    people: &[Person],
) -> Result<Outcome, sqlx::Error> {
    for person in people {
        if let Err(problem) = check_person(person) {
            return Ok(Outcome::Refused(Refusal::Invalid(problem)));
        }
    }
    if let Some(unknown) = unknown_waker(conn, people).await? {
        return Ok(Outcome::Refused(Refusal::UnknownRecipient(unknown)));
    }
    write_people(conn, entry, people).await?;
    Ok(Outcome::Applied(Receipt::Count(people.len() as u64)))
}

/// The first key of somebody to wake others who is neither known nor among those put.
async fn unknown_waker(
    conn: &mut SqliteConnection,
    people: &[Person],
) -> Result<Option<String>, sqlx::Error> {
    let put: std::collections::BTreeSet<&str> = people.iter().map(|p| p.key.as_str()).collect();
    let wakers: Vec<&str> = people
        .iter()
        .filter_map(|person| person.details.wishes.wake_by.as_deref())
        .filter(|key| !put.contains(key))
        .collect();
    query::first_unknown_person(conn, &wakers).await
}

/// Says which unit people belong to, by its key; those not known do not count. Gives how many it changed.
pub(crate) async fn place(
    conn: &mut SqliteConnection,
    people: &[RecipientId],
    unit: Option<&str>,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query(
        "update person set unit = ?1 where recipient_id in (select unhex(value) from json_each(?2)) \
         and removed_at_ms is null and unit is not ?1",
    )
    .bind(unit)
    .bind(rows::hex_array(people.iter().map(RecipientId::as_bytes)))
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Writes people who were checked, the last of each key, in a fixed number of statements. What was found out about a
/// contact method stays as long as the method does.
async fn write_people(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    people: &[Person],
) -> Result<(), sqlx::Error> {
    let people: BTreeMap<RecipientId, &Person> = people
        .iter()
        .map(|person| (RecipientId::of_key(&person.key), person))
        .collect();
    let ids = rows::hex_array(people.keys().map(RecipientId::as_bytes));
    let hex = |id: &RecipientId| data_encoding::HEXUPPER.encode(id.as_bytes());
    let mut person_rows = Vec::with_capacity(people.len());
    let mut method_rows = Vec::new();
    let mut label_rows = Vec::new();
    for (id, person) in &people {
        let (id, known) = (hex(id), &person.details);
        person_rows.push(json!([
            id,
            person.key,
            person.name,
            person.language,
            known.kind.name(),
            known.duty,
            known.more_languages,
            known.zone,
            known.tags,
            known.skills,
            known.sites,
            write_hours(&known.hours),
            known.wishes.never_voice,
            known.wishes.wake_by.as_deref().unwrap_or_default(),
            known.wishes.answer_minutes,
            known.note,
        ]));
        for (position, method) in person.methods.iter().enumerate() {
            method_rows.push(json!([id, position, method.kind(), method.address()]));
        }
        label_rows.push(json!([id, "kind", known.kind.name()]));
        for (kind, labels) in [
            ("tag", &known.tags),
            ("skill", &known.skills),
            ("site", &known.sites),
        ] {
            label_rows.extend(labels.iter().map(|label| json!([id, kind, label])));
        }
    }
    sqlx::query(
        "insert into person (recipient_id, key, name, language, kind, duty, more_languages, zone, tags, skills, sites, \
         hours, never_voice, wake_by, answer_minutes, note, updated_at_ms, removed_at_ms) \
         select unhex(value ->> 0), value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, \
         value ->> 7, value ->> 8, value ->> 9, value ->> 10, value ->> 11, value ->> 12, value ->> 13, value ->> 14, \
         value ->> 15, ?2, null from json_each(?1) where true order by key \
         on conflict (recipient_id) do update set name = excluded.name, language = excluded.language, \
         kind = excluded.kind, duty = excluded.duty, more_languages = excluded.more_languages, zone = excluded.zone, \
         tags = excluded.tags, skills = excluded.skills, sites = excluded.sites, hours = excluded.hours, \
         never_voice = excluded.never_voice, wake_by = excluded.wake_by, answer_minutes = excluded.answer_minutes, \
         note = excluded.note, updated_at_ms = excluded.updated_at_ms, removed_at_ms = null",
    )
    .bind(rows::to_json(&person_rows)?)
    .bind(entry.at.0)
    .execute(&mut *conn)
    .await?;
    write_methods(conn, &ids, &rows::to_json(&method_rows)?).await?;
    sqlx::query(
        "delete from person_label where recipient_id in (select unhex(value) from json_each(?))",
    )
    .bind(&ids)
    .execute(&mut *conn)
    .await?;
    sqlx::query(
        "insert into person_label (kind, value, recipient_id) \
         select value ->> 1, value ->> 2, unhex(value ->> 0) from json_each(?) order by key",
    )
    .bind(rows::to_json(&label_rows)?)
    .execute(conn)
    .await?;
    Ok(())
}

/// Replaces the contact methods of the people in `ids`. New rows carry over what was found out about the same address;
/// they wait at positions of their own until the old ones are gone.
async fn write_methods(
    conn: &mut SqliteConnection,
    ids: &str,
    methods: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into contact_method (recipient_id, position, kind, address, found, found_how, found_at_ms, \
         delivered_at_ms) \
         select unhex(j.value ->> 0), -1 - (j.value ->> 1), j.value ->> 2, j.value ->> 3, \
         coalesce(o.found, 'unverified'), coalesce(o.found_how, ''), o.found_at_ms, o.delivered_at_ms \
         from json_each(?) j left join contact_method o on o.recipient_id = unhex(j.value ->> 0) \
         and o.kind = j.value ->> 2 and o.address = j.value ->> 3 and o.position >= 0 order by j.key",
    )
    .bind(methods)
    .execute(&mut *conn)
    .await?;
    sqlx::query(
        "delete from contact_method where position >= 0 \
         and recipient_id in (select unhex(value) from json_each(?))",
    )
    .bind(ids)
    .execute(&mut *conn)
    .await?;
    sqlx::query(
        "update contact_method set position = -1 - position where position < 0 \
         and recipient_id in (select unhex(value) from json_each(?))",
    )
    .bind(ids)
    .execute(conn)
    .await?;
    Ok(())
}

async fn remove_person(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    key: &str,
) -> Result<Outcome, sqlx::Error> {
    match erase_people(conn, entry, &[key]).await? {
        0 => Ok(Outcome::Refused(Refusal::UnknownRecipient(key.to_owned()))),
        removed => Ok(Outcome::Applied(Receipt::Count(removed))),
    }
}

/// Removes people from every list; those not known do not count. Gives how many there were.
async fn erase_people(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    keys: &[&str],
) -> Result<u64, sqlx::Error> {
    let ids: Vec<RecipientId> = keys.iter().map(|key| RecipientId::of_key(key)).collect();
    let ids = rows::hex_array(ids.iter().map(RecipientId::as_bytes));
    let done = sqlx::query(
        "update person set removed_at_ms = ?1, wake_by = '' \
         where recipient_id in (select unhex(value) from json_each(?2)) and removed_at_ms is null",
    )
    .bind(entry.at.0)
    .bind(&ids)
    .execute(&mut *conn)
    .await?;
    for statement in [
        "delete from contact_method where recipient_id in (select unhex(value) from json_each(?))",
        "delete from group_member where recipient_id in (select unhex(value) from json_each(?))",
        "delete from person_label where recipient_id in (select unhex(value) from json_each(?))",
    ] {
        sqlx::query(statement)
            .bind(&ids)
            .execute(&mut *conn)
            .await?;
    }
    sqlx::query("update person set wake_by = '' where wake_by in (select value from json_each(?))")
        .bind(rows::to_json(&keys)?)
        .execute(conn)
        .await?;
    Ok(done.rows_affected())
}

async fn put_groups(conn: &mut SqliteConnection, groups: &[Group]) -> Result<Outcome, sqlx::Error> {
    if let Err(refusal) = check_groups(conn, groups).await? {
        return Ok(Outcome::Refused(refusal));
    }
    for group in groups {
        put_group(conn, group).await?;
    }
    Ok(Outcome::Applied(Receipt::Count(groups.len() as u64)))
}

/// Whether groups can be put: each by itself, those they name, and how they lie in each other afterwards.
async fn check_groups(
    conn: &mut SqliteConnection,
    groups: &[Group],
) -> Result<Result<(), Refusal>, sqlx::Error> {
    let put: Vec<&str> = groups.iter().map(|group| group.key.as_str()).collect();
    let mut inner = query::inner_groups(conn).await?;
    for group in groups {
        if let Err(problem) = check_group(group) {
            return Ok(Err(Refusal::Invalid(problem)));
        }
        let (people, named) = named_by(group);
        if let Some(unknown) = query::first_unknown_person(conn, &people).await? {
            return Ok(Err(Refusal::UnknownRecipient(unknown)));
        }
        let elsewhere: Vec<&str> = named
            .iter()
            .filter(|key| !put.contains(key))
            .copied()
            .collect();
        if let Some(unknown) = query::first_unknown_group(conn, &elsewhere).await? {
            return Ok(Err(Refusal::UnknownGroup(unknown)));
        }
        let named = named.into_iter().map(str::to_owned).collect();
        inner.insert(group.key.clone(), named);
    }
    Ok(match nesting_problem(&inner) {
        Some(problem) => Err(Refusal::Invalid(problem)),
        None => Ok(()),
    })
}

/// Keys of the people and of the groups a group names.
fn named_by(group: &Group) -> (Vec<&str>, Vec<&str>) {
    let (mut people, mut groups) = (Vec::new(), Vec::new());
    for member in &group.members {
        match member {
            Member::Person(key) => people.push(key.as_str()),
            Member::Group(key) => groups.push(key.as_str()),
        }
    }
    (people, groups)
}

async fn put_group(conn: &mut SqliteConnection, group: &Group) -> Result<(), sqlx::Error> {
    let id = GroupId::of_key(&group.key);
    sqlx::query(
        "insert into person_group (group_id, key, name) values (?, ?, ?) \
         on conflict (group_id) do update set name = excluded.name",
    )
    .bind(id.as_bytes())
    .bind(&group.key)
    .bind(&group.name)
    .execute(&mut *conn)
    .await?;
    empty_group(conn, id).await?;
    let hex = |bytes: &[u8]| data_encoding::HEXUPPER.encode(bytes);
    let (mut people, mut inner) = (Vec::new(), Vec::new());
    for (position, member) in group.members.iter().enumerate() {
        match member {
            Member::Person(key) => {
                people.push((position, hex(RecipientId::of_key(key).as_bytes())));
            }
            Member::Group(key) => inner.push((position, hex(GroupId::of_key(key).as_bytes()))),
        }
    }
    sqlx::query(
        "insert into group_member (group_id, position, recipient_id) \
         select ?, min(value ->> 0), unhex(value ->> 1) from json_each(?) group by value ->> 1 order by min(key)",
    )
    .bind(id.as_bytes())
    .bind(rows::to_json(&people)?)
    .execute(&mut *conn)
    .await?;
    sqlx::query(
        "insert into group_inner (group_id, position, inner_id) \
         select ?, min(value ->> 0), unhex(value ->> 1) from json_each(?) group by value ->> 1 order by min(key)",
    )
    .bind(id.as_bytes())
    .bind(rows::to_json(&inner)?)
    .execute(&mut *conn)
    .await?;
    let all = group.rule.all_of.iter().map(|criterion| ("all", criterion));
    let any = group.rule.any_of.iter().map(|criterion| ("any", criterion));
    let criteria: Vec<_> = all
        .chain(any)
        .map(|(part, criterion)| (part, criterion.kind(), criterion.value()))
        .collect();
    sqlx::query(
        "insert into group_criterion (group_id, part, position, kind, value) \
         select ?, value ->> 0, key, value ->> 1, value ->> 2 from json_each(?) order by key",
    )
    .bind(id.as_bytes())
    .bind(rows::to_json(&criteria)?)
    .execute(conn)
    .await?;
    Ok(())
}

async fn empty_group(conn: &mut SqliteConnection, id: GroupId) -> Result<(), sqlx::Error> {
    for statement in [
        "delete from group_member where group_id = ?",
        "delete from group_inner where group_id = ?",
        "delete from group_criterion where group_id = ?",
    ] {
        sqlx::query(statement)
            .bind(id.as_bytes())
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}

async fn remove_group(conn: &mut SqliteConnection, key: &str) -> Result<Outcome, sqlx::Error> {
    let named = query::inner_groups(conn).await?;
    if let Some((outer, _)) = named
        .iter()
        .find(|(_, inner)| inner.iter().any(|k| k == key))
    {
        return Ok(Outcome::Refused(Refusal::Invalid(format!(
            "group {outer} names {key}; take it out there first"
        ))));
    }
    let id = GroupId::of_key(key);
    let done = sqlx::query("delete from person_group where group_id = ?")
        .bind(id.as_bytes())
        .execute(&mut *conn)
        .await?;
    if done.rows_affected() == 0 {
        return Ok(Outcome::Refused(Refusal::UnknownGroup(key.to_owned())));
    }
    empty_group(conn, id).await?;
    Ok(Outcome::Applied(Receipt::Count(1)))
}

async fn note_found(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    verify: &Verify,
) -> Result<Outcome, sqlx::Error> {
    if let Err(problem) = check_verify(verify) {
        return Ok(Outcome::Refused(Refusal::Invalid(problem)));
    }
    let person = RecipientId::of_key(&verify.person);
    if verify.found == Found::Verified
        && marks::is_new(conn, person, verify.method.address(), entry.at).await?
    {
        let text =
            "this number was changed in the last 24 hours and shows nothing yet; note it tomorrow";
        return Ok(Outcome::Refused(Refusal::NotNow(text.to_owned())));
    }
    let (how, at) = match verify.found {
        Found::Unverified => ("", None),
        Found::Verified | Found::Failed => (verify.how.as_str(), Some(entry.at.0)),
    };
    let done = sqlx::query(
        "update contact_method set found = ?, found_how = ?, found_at_ms = ? \
         where recipient_id = ? and kind = ? and address = ?",
    )
    .bind(verify.found.name())
    .bind(how)
    .bind(at)
    .bind(RecipientId::of_key(&verify.person).as_bytes())
    .bind(verify.method.kind())
    .bind(verify.method.address())
    .execute(conn)
    .await?;
    Ok(match done.rows_affected() {
        0 => Outcome::Refused(Refusal::UnknownRecipient(format!(
            "{} with {}",
            verify.person,
            verify.method.address()
        ))),
        changed => Outcome::Applied(Receipt::Count(changed)),
    })
}

/// Notes that the network says a text reached a number of a person.
pub(crate) async fn note_delivered(
    conn: &mut SqliteConnection,
    at: Timestamp,
    person: &[u8],
    number: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update contact_method set delivered_at_ms = ? where recipient_id = ? and kind = 'sms' and address = ?",
    )
    .bind(at.0)
    .bind(person)
    .bind(number)
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes that a number reached its person: they sent back a code that stood in a text to it. One that was changed in the
/// night proves nothing while that is new.
pub(crate) async fn note_answered(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    person: RecipientId,
    number: &str,
    how: &str,
) -> Result<(), sqlx::Error> {
    if marks::is_new(conn, person, number, entry.at).await? {
        return Ok(());
    }
    sqlx::query(
        "update contact_method set found = ?, found_how = ?, found_at_ms = ? \
         where recipient_id = ? and kind = 'sms' and address = ?",
    )
    .bind(Found::Verified.name())
    .bind(how)
    .bind(entry.at.0)
    .bind(person.as_bytes())
    .bind(number)
    .execute(conn)
    .await?;
    Ok(())
}

async fn allow_prefixes(
    conn: &mut SqliteConnection,
    prefixes: &[String],
) -> Result<Outcome, sqlx::Error> {
    if let Err(problem) = check_prefixes(prefixes) {
        return Ok(Outcome::Refused(Refusal::Invalid(problem)));
    }
    sqlx::query("delete from allowed_prefix")
        .execute(&mut *conn)
        .await?;
    let done = sqlx::query(
        "insert into allowed_prefix (prefix) select distinct value from json_each(?) order by value",
    )
    .bind(rows::to_json(&prefixes)?)
    .execute(conn)
    .await?;
    Ok(Outcome::Applied(Receipt::Count(done.rows_affected())))
}

async fn bar_prefixes(
    conn: &mut SqliteConnection,
    barred: &[Barred],
) -> Result<Outcome, sqlx::Error> {
    if let Err(problem) = check_barred(barred) {
        return Ok(Outcome::Refused(Refusal::Invalid(problem)));
    }
    sqlx::query("delete from barred_prefix")
        .execute(&mut *conn)
        .await?;
    let named: Vec<(&str, &str)> = barred
        .iter()
        .map(|bar| (bar.prefix.as_str(), bar.what.as_str()))
        .collect();
    let done = sqlx::query(
        "insert into barred_prefix (prefix, what) select value ->> 0, value ->> 1 from json_each(?) order by key",
    )
    .bind(rows::to_json(&named)?)
    .execute(conn)
    .await?;
    Ok(Outcome::Applied(Receipt::Count(done.rows_affected())))
}
