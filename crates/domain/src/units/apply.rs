//! Writes to `unit`.

use std::collections::BTreeMap;

use sqlx::SqliteConnection;

use super::rules::{self, PLACED_MAX, UNITS_MAX};
use super::{Command, query};
use crate::access::accounts;
use crate::apply::Entry;
use crate::ids::RecipientId;
use crate::outcome::{Outcome, Receipt, Refusal};
use crate::recipients;

pub(crate) async fn apply(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    command: &Command,
) -> Result<Outcome, sqlx::Error> {
    match command {
        Command::Put { key, name, above } => put(conn, entry, (key, name), above.as_deref()).await,
        Command::Remove { key } => remove(conn, key).await,
        Command::Place { people, unit } => place(conn, people, unit.as_deref()).await,
        Command::Limit { account, unit } => {
            if let Some(refusal) = unknown(conn, unit.as_deref()).await? {
                return Ok(Outcome::Refused(refusal));
            }
            accounts::limit(conn, account, unit.as_deref()).await
        }
    }
}

fn invalid(problem: String) -> Outcome {
    Outcome::Refused(Refusal::Invalid(problem))
}

async fn put(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    (key, name): (&str, &str),
    above: Option<&str>,
) -> Result<Outcome, sqlx::Error> {
    let name = match rules::check(key, name) {
        Ok(name) => name,
        Err(problem) => return Ok(invalid(problem)),
    };
    let units = query::list(conn, None).await?;
    let before = units.iter().find(|unit| unit.key == key);
    if before.is_none() && units.len() >= UNITS_MAX {
        let problem = format!("there are {UNITS_MAX} units already; remove one first");
        return Ok(invalid(problem));
    }
    let tree: BTreeMap<&str, Option<&str>> = units
        .iter()
        .map(|unit| (unit.key.as_str(), unit.above.as_deref()))
        .collect();
    if let Some(above) = above
        && let Err(problem) = rules::check_above(&tree, key, above)
    {
        return Ok(invalid(problem));
    }
    if before.is_some_and(|unit| unit.name == name && unit.above.as_deref() == above) {
        return Ok(Outcome::Unchanged);
    }
    sqlx::query(
        "insert into unit (key, name, above, set_at_ms, set_by) values (?1, ?2, ?3, ?4, ?5) \
         on conflict (key) do update set name = ?2, above = ?3, set_at_ms = ?4, set_by = ?5",
    )
    .bind(key)
    .bind(name)
    .bind(above)
    .bind(entry.at.0)
    .bind(entry.envelope.actor.label())
    .execute(conn)
    .await?;
    Ok(Outcome::Applied(Receipt::None))
}

async fn remove(conn: &mut SqliteConnection, key: &str) -> Result<Outcome, sqlx::Error> {
    let own = query::list(conn, Some(key)).await?;
    let Some(unit) = own.iter().find(|unit| unit.key == key) else {
        return Ok(Outcome::Refused(no_such(key)));
    };
    let used = match (unit.people, unit.accounts, own.len()) {
        (0, 0, 1) => None,
        (people @ 1.., _, _) => Some(format!("people who belong to it: {people}")),
        (_, accounts @ 1.., _) => Some(format!("accounts limited to it: {accounts}")),
        (_, _, units) => Some(format!("units that are part of it: {}", units - 1)),
    };
    if let Some(used) = used {
        let text = format!("the unit {key} is not empty: {used}; change that first");
        return Ok(Outcome::Refused(Refusal::NotNow(text)));
    }
    sqlx::query("delete from unit where key = ?")
        .bind(key)
        .execute(conn)
        .await?;
    Ok(Outcome::Applied(Receipt::None))
}

async fn place(
    conn: &mut SqliteConnection,
    people: &[String],
    unit: Option<&str>,
) -> Result<Outcome, sqlx::Error> {
    if people.len() > PLACED_MAX {
        let problem = format!("at most {PLACED_MAX} people are placed at once");
        return Ok(invalid(problem));
    }
    if let Some(refusal) = unknown(conn, unit).await? {
        return Ok(Outcome::Refused(refusal));
    }
    if let Some(nobody) = recipients::first_unknown_person(conn, people).await? {
        return Ok(Outcome::Refused(Refusal::UnknownRecipient(nobody)));
    }
    let ids: Vec<RecipientId> = people.iter().map(|key| RecipientId::of_key(key)).collect();
    Ok(match recipients::place(conn, &ids, unit).await? {
        0 => Outcome::Unchanged,
        changed => Outcome::Applied(Receipt::Count(changed)),
    })
}

async fn unknown(
    conn: &mut SqliteConnection,
    unit: Option<&str>,
) -> Result<Option<Refusal>, sqlx::Error> {
    let Some(key) = unit else { return Ok(None) };
    Ok(match query::find(conn, key).await? {
        Some(_) => None,
        None => Some(no_such(key)),
    })
}

fn no_such(key: &str) -> Refusal {
    Refusal::NoSuch(format!("there is no unit {key}; see `holdfast unit list`"))
}
