//! Counting what leaves: writes to `budget_spent` and `budget_payer`.

use std::collections::BTreeMap;

use serde_json::json;
use sqlx::SqliteConnection;

use super::budgets::{CLUSTER, Period};
use crate::ids::AlertId;
use crate::time::Timestamp;
use crate::{nodes, rows, templates};

/// Days and months counted that are kept.
const DAYS_KEPT: i64 = 62;
const MONTHS_KEPT: i64 = 24;

/// SMS parts that left, about an alert or about none.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Left {
    pub(crate) alert: AlertId,
    pub(crate) at: Timestamp,
    /// Negative where two histories turn out to tell of the same try.
    pub(crate) parts: i64,
}

/// Notes who pays for an alert. The first one stays.
pub(crate) async fn pays(
    conn: &mut SqliteConnection,
    alert: AlertId,
    account: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into budget_payer (alert_id, account) values (?, ?) on conflict (alert_id) do nothing",
    )
    .bind(alert.as_bytes())
    .bind(account)
    .execute(conn)
    .await?;
    Ok(())
}

/// Counts parts that left, for the cluster and for whoever pays for their alerts.
///
/// Law: every try counts once, in the day and month in which it ended, so that the counters are sums over the tries,
/// whatever the order in which histories hear of them. `alone`: an island's own, which its share is measured by.
pub(crate) async fn spend(
    conn: &mut SqliteConnection,
    left: &[Left],
    alone: bool,
) -> Result<(), sqlx::Error> {
    if left.iter().all(|left| left.parts == 0) {
        return Ok(());
    }
    let civil = nodes::civil(conn).await?;
    let price = templates::policy(conn).await?.price;
    let price = price.map_or(0, |price| i64::try_from(price.micros).unwrap_or(i64::MAX));
    let payers: BTreeMap<Vec<u8>, String> = sqlx::query_as(
        "select alert_id, account from budget_payer where alert_id in (select unhex(value) from json_each(?)) \
         order by alert_id",
    )
    .bind(rows::hex_array(left.iter().map(|left| left.alert.as_bytes())))
    .fetch_all(&mut *conn)
    .await?
    .into_iter()
    .collect();
    let mut sums: BTreeMap<(&str, Period), i64> = BTreeMap::new();
    for left in left {
        let payer = payers.get(left.alert.as_bytes()).map(String::as_str);
        for period in Period::of(civil.at(left.at)) {
            for account in [Some(CLUSTER), payer].into_iter().flatten() {
                *sums.entry((account, period)).or_default() += left.parts;
            }
        }
    }
    let newest = sums.keys().map(|(_, period)| match period {
        Period::Day(day) => *day,
        Period::Month(_) => i64::MIN,
    });
    let new_day: bool = sqlx::query_scalar(
        "select not exists (select 1 from budget_spent where account = 'cluster' and period = 'day' and number >= ?)",
    )
    .bind(newest.max())
    .fetch_one(&mut *conn)
    .await?;
    let all: Vec<_> = sums
        .iter()
        .map(|((account, period), parts)| {
            let micros = parts.saturating_mul(price);
            json!([account, period.name(), period.number(), parts, micros])
        })
        .collect();
    sqlx::query(
        "insert into budget_spent (account, period, number, parts, micros, alone_parts, alone_micros) \
         select value ->> 0, value ->> 1, value ->> 2, max(0, value ->> 3), max(0, value ->> 4), \
         iif(?2, value ->> 3, 0), iif(?2, value ->> 4, 0) from json_each(?1) where true order by key \
         on conflict (account, period, number) do update set parts = max(0, parts + excluded.parts), \
         micros = max(0, micros + excluded.micros), alone_parts = alone_parts + excluded.alone_parts, \
         alone_micros = alone_micros + excluded.alone_micros",
    )
    .bind(rows::to_json(&all)?)
    .bind(alone)
    .execute(&mut *conn)
    .await?;
    match new_day {
        true => prune(conn).await,
        false => Ok(()),
    }
}

/// Forgets days and months long past. Once a day, because it looks at all of them.
async fn prune(conn: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    sqlx::query(
        "delete from budget_spent where (period = 'day' and number < (select max(number) from budget_spent \
         where period = 'day') - ?) or (period = 'month' and number < (select max(number) from budget_spent \
         where period = 'month') - ?)",
    )
    .bind(DAYS_KEPT)
    .bind(MONTHS_KEPT)
    .execute(conn)
    .await?;
    Ok(())
}
