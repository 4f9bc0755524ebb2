//! Reads of limits.

use std::collections::BTreeMap;

use sqlx::{Row, SqliteConnection};

use super::budgets::{self, CLUSTER, Period, Spent, Standing, Unit};
use super::{Amount, Budget, SecondPerson, Weight, rules};
use crate::time::{CivilTime, Timestamp};
use crate::{nodes, rows};

/// A row when anything is limited, for those who ask for more in the same go.
pub(crate) const ANY: &str =
    "select 1 from (select id from second_person union all select 1 from budget) limit 1";

/// Accounts shown besides those with a budget of their own.
const SHOWN_MAX: i64 = 200;

/// When a second person must agree; `None`: never.
pub async fn second_person(
    conn: &mut SqliteConnection,
) -> Result<Option<SecondPerson>, sqlx::Error> {
    let row = sqlx::query(
        "select people_over, parts_over, micros_over, critical_at_once, ask from second_person where id = 1",
    )
    .fetch_optional(conn)
    .await?;
    let small = |value: Option<i64>| value.and_then(|n| u32::try_from(n).ok());
    row.map(|row| {
        Ok(SecondPerson {
            people_over: small(row.try_get("people_over")?),
            parts_over: small(row.try_get("parts_over")?),
            micros_over: row
                .try_get::<Option<i64>, _>("micros_over")?
                .map(i64::cast_unsigned),
            critical_at_once: row.try_get("critical_at_once")?,
            ask: rows::json(&row, "ask")?,
        })
    })
    .transpose()
}

/// All budgets, by account.
pub async fn budgets(conn: &mut SqliteConnection) -> Result<Vec<Budget>, sqlx::Error> {
    let found = sqlx::query(
        "select account, day_parts, day_micros, month_parts, month_micros, reserve_percent from budget order by account",
    )
    .fetch_all(conn)
    .await?;
    found
        .iter()
        .map(|row| {
            let limit = |column: &str| -> Result<Option<u64>, sqlx::Error> {
                let limit: Option<i64> = row.try_get(column)?;
                Ok(limit.map(i64::cast_unsigned))
            };
            Ok(Budget {
                account: row.try_get("account")?,
                day: Amount {
                    parts: limit("day_parts")?,
                    micros: limit("day_micros")?,
                },
                month: Amount {
                    parts: limit("month_parts")?,
                    micros: limit("month_micros")?,
                },
                reserve_percent: rows::unsigned(row, "reserve_percent")?,
            })
        })
        .collect()
}

/// Where the limits stand at a moment: of every account with a budget of its own and of those that have spent something
/// this month.
pub async fn standings(
    conn: &mut SqliteConnection,
    at: Timestamp,
) -> Result<Vec<Standing>, sqlx::Error> {
    let budgets = budgets(conn).await?;
    if budgets.is_empty() {
        return Ok(Vec::new());
    }
    let now = nodes::civil(conn).await?.at(at);
    let mut accounts: Vec<String> = sqlx::query_scalar(
        "select account from budget_spent where period = 'month' and number = ? order by parts desc, account limit ?",
    )
    .bind(now.month())
    .bind(SHOWN_MAX)
    .fetch_all(&mut *conn)
    .await?;
    accounts.extend(budgets.iter().map(|budget| budget.account.clone()));
    accounts.sort();
    accounts.dedup();
    of_accounts(conn, now, &budgets, &accounts).await
}

/// What an account has spent in the day and the month of a moment.
pub async fn spent(
    conn: &mut SqliteConnection,
    at: Timestamp,
    account: &str,
) -> Result<[Spent; 2], sqlx::Error> {
    let now = nodes::civil(conn).await?.at(at);
    let all = all_spent(conn, now, &[account.to_owned()]).await?;
    let of = |period| all.get(&(account.to_owned(), period)).copied();
    Ok(Period::of(now).map(|period| of(period).unwrap_or_default()))
}

/// Why something of this weight, which is not critical, may not leave on this account; `None`: it may.
pub async fn refusal(
    conn: &mut SqliteConnection,
    at: Timestamp,
    account: &str,
    weight: &Weight,
) -> Result<Option<String>, sqlx::Error> {
    let more = |standing: &Standing| match standing.unit {
        Unit::Parts => weight.sms_parts,
        Unit::Micros => weight.micros.unwrap_or(0),
    };
    let standings = of_account(conn, at, account).await?;
    let full = standings
        .iter()
        .find(|standing| more(standing) > 0 && !standing.has_room_for(more(standing)));
    Ok(full.map(|full| {
        format!(
            "the SMS budget does not allow it: {full}, and this takes {} SMS parts. Critical alerts still go. Call fewer \
             people, call them by mail, or have the budget raised (`holdfast limits budget`)",
            weight.sms_parts
        )
    }))
}

/// Why nothing but what is critical leaves on this account; `None`: there is room.
pub(crate) async fn used_up(
    conn: &mut SqliteConnection,
    at: Timestamp,
    account: &str,
) -> Result<Option<String>, sqlx::Error> {
    let standings = of_account(conn, at, account).await?;
    let full = standings.iter().find(|standing| standing.is_used_up());
    Ok(full.map(|full| format!("the SMS budget is used up: {full}")))
}

/// The limits that hold for what an account pays for: the cluster's and its own.
async fn of_account(
    conn: &mut SqliteConnection,
    at: Timestamp,
    account: &str,
) -> Result<Vec<Standing>, sqlx::Error> {
    let budgets = budgets(conn).await?;
    if budgets.is_empty() {
        return Ok(Vec::new());
    }
    let now = nodes::civil(conn).await?.at(at);
    let mut accounts = vec![CLUSTER.to_owned()];
    if account != CLUSTER && !account.is_empty() {
        accounts.push(account.to_owned());
    }
    of_accounts(conn, now, &budgets, &accounts).await
}

async fn of_accounts(
    conn: &mut SqliteConnection,
    now: CivilTime,
    budgets: &[Budget],
    accounts: &[String],
) -> Result<Vec<Standing>, sqlx::Error> {
    let all = all_spent(conn, now, accounts).await?;
    let members = match nodes::fork(conn).await? {
        None => None,
        Some(_) => {
            let members: i64 =
                sqlx::query_scalar("select count(*) from node where removed_at_ms is null")
                    .fetch_one(&mut *conn)
                    .await?;
            Some(members.cast_unsigned())
        }
    };
    let mut standings = Vec::new();
    for account in accounts {
        let Some(budget) = budgets::budget_for(budgets, account) else {
            continue;
        };
        for period in Period::of(now) {
            let spent = all.get(&(account.clone(), period)).copied();
            let spent = spent.unwrap_or_default();
            standings.extend(budgets::standings(budget, account, period, spent, members));
        }
    }
    Ok(standings)
}

async fn all_spent(
    conn: &mut SqliteConnection,
    now: CivilTime,
    accounts: &[String],
) -> Result<BTreeMap<(String, Period), Spent>, sqlx::Error> {
    let [day, month] = Period::of(now);
    let found = sqlx::query(
        "select s.account, s.period, s.parts, s.micros, s.alone_parts, s.alone_micros from json_each(?) j \
         join budget_spent s on s.account = j.value where (s.period = 'day' and s.number = ?) \
         or (s.period = 'month' and s.number = ?) order by s.account, s.period",
    )
    .bind(rows::to_json(&accounts)?)
    .bind(now.day())
    .bind(now.month())
    .fetch_all(conn)
    .await?;
    found
        .iter()
        .map(|row| {
            let period = match row.try_get::<&str, _>("period")? {
                "day" => day,
                _ => month,
            };
            let alone = |column: &str| -> Result<u64, sqlx::Error> {
                Ok(u64::try_from(row.try_get::<i64, _>(column)?).unwrap_or(0))
            };
            let spent = Spent {
                parts: rows::unsigned(row, "parts")?,
                micros: rows::unsigned(row, "micros")?,
                alone: [alone("alone_parts")?, alone("alone_micros")?],
            };
            Ok(((row.try_get("account")?, period), spent))
        })
        .collect()
}

/// Whether a budget would let more leave than what holds for the account now; nothing of its own holds: it would not.
pub(crate) async fn loosens(
    conn: &mut SqliteConnection,
    budget: &Budget,
) -> Result<bool, sqlx::Error> {
    let all = budgets(conn).await?;
    let before = all.iter().find(|before| before.account == budget.account);
    Ok(before.is_some_and(|before| rules::is_looser(before, budget)))
}
