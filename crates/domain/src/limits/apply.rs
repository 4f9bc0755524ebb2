//! Writes to `second_person`.

use sqlx::SqliteConnection;

use super::{Command, SecondPerson, check_second_person, query};
use crate::outcome::{Outcome, Receipt, Refusal};
use crate::{recipients, rows};

pub(crate) async fn apply(
    conn: &mut SqliteConnection,
    command: &Command,
) -> Result<Outcome, sqlx::Error> {
    match command {
        Command::SetSecondPerson(setting) => set_second_person(conn, setting.as_ref()).await,
    }
}

async fn set_second_person(
    conn: &mut SqliteConnection,
    setting: Option<&SecondPerson>,
) -> Result<Outcome, sqlx::Error> {
    if query::second_person(conn).await?.as_ref() == setting {
        return Ok(Outcome::Unchanged);
    }
    let Some(setting) = setting else {
        sqlx::query("delete from second_person where id = 1")
            .execute(conn)
            .await?;
        return Ok(Outcome::Applied(Receipt::None));
    };
    if let Err(problem) = check_second_person(setting) {
        return Ok(Outcome::Refused(Refusal::Invalid(problem)));
    }
    if let Err(refusal) = recipients::resolve(conn, &setting.ask).await? {
        return Ok(Outcome::Refused(refusal));
    }
    sqlx::query(
        "insert into second_person (id, people_over, parts_over, micros_over, critical_at_once, ask) \
         values (1, ?, ?, ?, ?, ?) on conflict (id) do update set people_over = excluded.people_over, \
         parts_over = excluded.parts_over, micros_over = excluded.micros_over, \
         critical_at_once = excluded.critical_at_once, ask = excluded.ask",
    )
    .bind(setting.people_over.map(i64::from))
    .bind(setting.parts_over.map(i64::from))
    .bind(setting.micros_over.map(u64::cast_signed))
    .bind(setting.critical_at_once)
    .bind(rows::to_json(&setting.ask)?)
    .execute(conn)
    .await?;
    Ok(Outcome::Applied(Receipt::None))
}
