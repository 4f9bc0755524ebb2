//! More people for an alert under way: they join the step that was started last.

use sqlx::SqliteConnection;

use super::apply::call_people;
use super::plan_row::{load, save};
use super::rules::Phase;
use super::{PAGE_LEN, query};
use crate::apply::Entry;
use crate::ids::{AlertId, RecipientId};
use crate::outcome::Refusal;
use crate::rows;

/// Calls people beside those of the newest step, now and in every later round. Who is called already stays so. Returns how
/// many are new.
///
/// Not on an island: the pages of a plan have no law to be joined by.
pub(crate) async fn call_more(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    alert: AlertId,
    people: &[RecipientId],
) -> Result<Result<usize, Refusal>, sqlx::Error> {
    let Some(mut row) = load(conn, alert).await? else {
        return Ok(Err(Refusal::UnknownAlert));
    };
    let step = usize::from(row.plan.step);
    let last = row.plan.last_pages.get(step).copied();
    let Some(last) = last.filter(|_| row.plan.phase == Phase::Calling) else {
        return Ok(Err(Refusal::AlertClosed));
    };
    let mut new = Vec::with_capacity(people.len());
    for person in people {
        if !new.contains(person) && query::call(conn, alert, *person).await?.is_none() {
            new.push(*person);
        }
    }
    let pages: Vec<&[RecipientId]> = new.chunks(PAGE_LEN).collect();
    if pages.is_empty() {
        return Ok(Err(Refusal::NoRecipients));
    }
    let count = u32::try_from(pages.len()).unwrap_or(u32::MAX);
    make_room(conn, alert, last, count).await?;
    for (page, people) in (last + 1..).zip(&pages) {
        let ids: Vec<u8> = people.iter().flat_map(|id| id.0).collect();
        sqlx::query(
            "insert into escalation_page (alert_id, page, step, recipients) values (?, ?, ?, ?)",
        )
        .bind(alert.as_bytes())
        .bind(i64::from(page))
        .bind(i64::from(row.plan.step))
        .bind(ids)
        .execute(&mut *conn)
        .await?;
        // Their codes are drawn here: later rounds page only those who have one.
        call_people(conn, entry, alert, page, row.plan.step, people).await?;
    }
    for last in row.plan.last_pages.iter_mut().skip(step) {
        *last += count;
    }
    sqlx::query("update escalation set last_pages = ? where alert_id = ?")
        .bind(rows::to_json(&row.plan.last_pages)?)
        .bind(alert.as_bytes())
        .execute(&mut *conn)
        .await?;
    save(conn, &row, entry.at).await?;
    Ok(Ok(new.len()))
}

/// Moves the pages behind `last` by `count`. By way of negative numbers, because a page's number is unique at every moment.
async fn make_room(
    conn: &mut SqliteConnection,
    alert: AlertId,
    last: u32,
    count: u32,
) -> Result<(), sqlx::Error> {
    sqlx::query("update escalation_page set page = -(page + ?) where alert_id = ? and page > ?")
        .bind(i64::from(count))
        .bind(alert.as_bytes())
        .bind(i64::from(last))
        .execute(&mut *conn)
        .await?;
    sqlx::query("update escalation_page set page = -page where alert_id = ? and page < 0")
        .bind(alert.as_bytes())
        .execute(conn)
        .await?;
    Ok(())
}
