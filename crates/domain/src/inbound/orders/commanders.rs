//! Who may order by text: people, groups, and whoever is on call in a schedule.

use sqlx::SqliteConnection;

use crate::ids::RecipientId;
use crate::oncall::{self, Called};
use crate::outcome::{Outcome, Receipt, Refusal};
use crate::recipients::Named;
use crate::rows;
use crate::time::CivilTime;

/// Most names in the list.
const WHOM_MAX: usize = 32;

/// Reads `person:anna`, `group:duty` and `schedule:net`.
fn parse(name: &str) -> Option<Called> {
    match name.split_once(':') {
        Some(("schedule", key)) if !key.is_empty() => Some(Called::OnCall(key.to_owned())),
        Some(_) | None => Named::parse(name).map(Called::Named),
    }
}

/// The names in the list.
pub async fn commanders(conn: &mut SqliteConnection) -> Result<Vec<String>, sqlx::Error> {
    let row = sqlx::query("select whom from text_commander where id = 1")
        .fetch_optional(conn)
        .await?;
    row.map_or(Ok(Vec::new()), |row| rows::json(&row, "whom"))
}

/// Replaces the list. Every name must mean somebody now.
pub(in crate::inbound) async fn set(
    conn: &mut SqliteConnection,
    whom: &[String],
    now: CivilTime,
) -> Result<Outcome, sqlx::Error> {
    let invalid = |problem: String| Ok(Outcome::Refused(Refusal::Invalid(problem)));
    if whom.len() > WHOM_MAX {
        return invalid(format!("at most {WHOM_MAX} names are taken; make a group"));
    }
    for name in whom {
        let Some(called) = parse(name) else {
            let shown: String = name.chars().take(80).collect();
            return invalid(format!(
                "{shown:?} is no name here; write person:KEY, group:KEY or schedule:KEY"
            ));
        };
        if let Err(refusal) = oncall::resolve(conn, &[called], now).await? {
            return Ok(Outcome::Refused(refusal));
        }
    }
    if commanders(conn).await? == whom {
        return Ok(Outcome::Unchanged);
    }
    sqlx::query(
        "insert into text_commander (id, whom) values (1, ?) on conflict (id) do update set whom = excluded.whom",
    )
    .bind(rows::to_json(&whom)?)
    .execute(conn)
    .await?;
    Ok(Outcome::Applied(Receipt::None))
}

/// Whether a person may order at a moment. A name that means nobody any more does not keep the others from it.
pub(super) async fn may_order(
    conn: &mut SqliteConnection,
    person: RecipientId,
    now: CivilTime,
) -> Result<bool, sqlx::Error> {
    for name in commanders(conn).await? {
        let Some(called) = parse(&name) else {
            continue;
        };
        let found = oncall::resolve(conn, &[called], now).await?;
        if found.is_ok_and(|found| found.people.contains(&person)) {
            return Ok(true);
        }
    }
    Ok(false)
}
