//! Writes to `person`, `contact_method`, `person_group` and `group_member`.

use sqlx::SqliteConnection;

use super::{Command, Group, Person, check_group, check_person, query};
use crate::apply::Entry;
use crate::ids::{GroupId, RecipientId};
use crate::outcome::{Outcome, Receipt, Refusal};
use crate::rows;

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
    for person in people {
        put_person(conn, entry, person).await?;
    }
    Ok(Outcome::Applied(Receipt::Count(people.len() as u64)))
}

async fn put_person(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    person: &Person,
) -> Result<(), sqlx::Error> {
    let id = RecipientId::of_key(&person.key);
    sqlx::query(
        "insert into person (recipient_id, key, name, language, updated_at_ms, removed_at_ms) values (?, ?, ?, ?, ?, null) \
         on conflict (recipient_id) do update set name = excluded.name, language = excluded.language, \
         updated_at_ms = excluded.updated_at_ms, removed_at_ms = null",
    )
    .bind(id.as_bytes())
    .bind(&person.key)
    .bind(&person.name)
    .bind(&person.language)
    .bind(entry.at.0)
    .execute(&mut *conn)
    .await?;
    sqlx::query("delete from contact_method where recipient_id = ?")
        .bind(id.as_bytes())
        .execute(&mut *conn)
        .await?;
    for (method, position) in person.methods.iter().zip(0_i64..) {
        sqlx::query("insert into contact_method (recipient_id, position, kind, address) values (?, ?, ?, ?)")
            .bind(id.as_bytes())
            .bind(position)
            .bind(method.kind())
            .bind(method.address())
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}

async fn remove_person(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    key: &str,
) -> Result<Outcome, sqlx::Error> {
    let id = RecipientId::of_key(key);
    let done = sqlx::query(
        "update person set removed_at_ms = ? where recipient_id = ? and removed_at_ms is null",
    )
    .bind(entry.at.0)
    .bind(id.as_bytes())
    .execute(&mut *conn)
    .await?;
    if done.rows_affected() == 0 {
        return Ok(Outcome::Refused(Refusal::UnknownRecipient(key.to_owned())));
    }
    sqlx::query("delete from contact_method where recipient_id = ?")
        .bind(id.as_bytes())
        .execute(&mut *conn)
        .await?;
    sqlx::query("delete from group_member where recipient_id = ?")
        .bind(id.as_bytes())
        .execute(conn)
        .await?;
    Ok(Outcome::Applied(Receipt::Count(1)))
}

async fn put_groups(conn: &mut SqliteConnection, groups: &[Group]) -> Result<Outcome, sqlx::Error> {
    for group in groups {
        if let Err(problem) = check_group(group) {
            return Ok(Outcome::Refused(Refusal::Invalid(problem)));
        }
        if let Some(unknown) = query::first_unknown_person(conn, &group.members).await? {
            return Ok(Outcome::Refused(Refusal::UnknownRecipient(unknown)));
        }
    }
    for group in groups {
        put_group(conn, group).await?;
    }
    Ok(Outcome::Applied(Receipt::Count(groups.len() as u64)))
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
    sqlx::query("delete from group_member where group_id = ?")
        .bind(id.as_bytes())
        .execute(&mut *conn)
        .await?;
    let members: Vec<RecipientId> = group
        .members
        .iter()
        .map(|key| RecipientId::of_key(key))
        .collect();
    sqlx::query(
        "insert into group_member (group_id, position, recipient_id) \
         select ?, min(key), unhex(value) from json_each(?) group by value order by min(key)",
    )
    .bind(id.as_bytes())
    .bind(rows::hex_array(members.iter().map(RecipientId::as_bytes)))
    .execute(conn)
    .await?;
    Ok(())
}

async fn remove_group(conn: &mut SqliteConnection, key: &str) -> Result<Outcome, sqlx::Error> {
    let id = GroupId::of_key(key);
    let done = sqlx::query("delete from person_group where group_id = ?")
        .bind(id.as_bytes())
        .execute(&mut *conn)
        .await?;
    if done.rows_affected() == 0 {
        return Ok(Outcome::Refused(Refusal::UnknownGroup(key.to_owned())));
    }
    sqlx::query("delete from group_member where group_id = ?")
        .bind(id.as_bytes())
        .execute(conn)
        .await?;
    Ok(Outcome::Applied(Receipt::Count(1)))
}
