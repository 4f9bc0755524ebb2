//! Writes to `second_person` and `budget`.

use sqlx::SqliteConnection;

use super::budgets::BUDGETS_MAX;
use super::{Budget, Command, SecondPerson, check_budget, check_second_person, query};
use crate::apply::Entry;
use crate::outcome::{Outcome, Receipt, Refusal};
use crate::{nodes, oncall, rows};

pub(crate) async fn apply(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    command: &Command,
) -> Result<Outcome, sqlx::Error> {
    match command {
        Command::SetSecondPerson(setting) => set_second_person(conn, entry, setting.as_ref()).await,
        Command::SetBudget(budget) => set_budget(conn, budget).await,
        Command::RemoveBudget { account } => remove_budget(conn, account).await,
    }
}

async fn set_second_person(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
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
    let now = nodes::civil(conn).await?.at(entry.at);
    if let Err(refusal) = oncall::resolve(conn, &setting.ask, now).await? {
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

async fn set_budget(conn: &mut SqliteConnection, budget: &Budget) -> Result<Outcome, sqlx::Error> {
    if let Err(problem) = check_budget(budget) {
        return Ok(Outcome::Refused(Refusal::Invalid(problem)));
    }
    let known = query::budgets(conn).await?;
    if known.contains(budget) {
        return Ok(Outcome::Unchanged);
    }
    let is_new = known.iter().all(|held| held.account != budget.account);
    if is_new && i64::try_from(known.len()).is_ok_and(|count| count >= BUDGETS_MAX) {
        let problem = format!("at most {BUDGETS_MAX} budgets are kept; remove one first");
        return Ok(Outcome::Refused(Refusal::Invalid(problem)));
    }
    sqlx::query(
        "insert into budget (account, day_parts, day_micros, month_parts, month_micros, reserve_percent) \
         values (?, ?, ?, ?, ?, ?) on conflict (account) do update set day_parts = excluded.day_parts, \
         day_micros = excluded.day_micros, month_parts = excluded.month_parts, \
         month_micros = excluded.month_micros, reserve_percent = excluded.reserve_percent",
    )
    .bind(&budget.account)
    .bind(budget.day.parts.map(u64::cast_signed))
    .bind(budget.day.micros.map(u64::cast_signed))
    .bind(budget.month.parts.map(u64::cast_signed))
    .bind(budget.month.micros.map(u64::cast_signed))
    .bind(i64::from(budget.reserve_percent))
    .execute(conn)
    .await?;
    Ok(Outcome::Applied(Receipt::None))
}

async fn remove_budget(conn: &mut SqliteConnection, account: &str) -> Result<Outcome, sqlx::Error> {
    let done = sqlx::query("delete from budget where account = ?")
        .bind(account)
        .execute(conn)
        .await?;
    Ok(match done.rows_affected() {
        0 => Outcome::Unchanged,
        _ => Outcome::Applied(Receipt::None),
    })
}
