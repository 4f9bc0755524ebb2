//! What acts on a running alert do to its plan: people beside those of the plan, people left out, pauses, another severity.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::SqliteConnection;

use super::apply::{advance, call_people, content_of, freeze_pages, judge, page_again};
use super::enough::is_hopeless;
use super::plan_row::{load, save};
use super::{Called, PAGE_LEN, Phase, query};
use crate::apply::Entry;
use crate::deliveries::{self, Lane, Purpose};
use crate::ids::{AlertId, RecipientId};
use crate::rows;
use crate::time::Timestamp;
use crate::vocabulary::Severity;

/// The step of those called beside the plan: none of its own.
pub const BESIDE: u16 = 1_000;

/// What holds for a plan because of acts on its alert.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Standing {
    /// Who is not called any more, and since when.
    pub(crate) left_out: BTreeMap<RecipientId, Timestamp>,
    /// No step or round is called before.
    pub(crate) paused_until: Timestamp,
    /// Another severity than the raise's, and whether its texts leave with those of people's alerts.
    pub(crate) severity: Option<(Severity, bool)>,
}

/// Makes a plan stand as its alert's acts say. Again and again it comes to the same.
pub(crate) async fn stand(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    alert: AlertId,
    standing: &Standing,
) -> Result<(), sqlx::Error> {
    leave_out(conn, entry, alert, &standing.left_out).await?;
    if let Some((severity, urgent)) = standing.severity {
        weigh(conn, entry, alert, severity, urgent).await?;
    }
    let Some(mut row) = load(conn, alert).await? else {
        return Ok(());
    };
    if standing.paused_until < row.plan.paused_until {
        // Whatever fell due meanwhile is due from now, not since then.
        row.plan.woken = row.plan.woken.max(entry.at);
    }
    row.plan.paused_until = standing.paused_until;
    row.coming = query::coming(conn, alert).await?;
    judge(conn, entry, &mut row).await?;
    if row.plan.phase == Phase::Calling && !standing.left_out.is_empty() {
        row.plan.hurry |= !row.plan.satisfied && is_hopeless(conn, &row).await?;
    }
    save(conn, &row, entry.at).await
}

/// Writes who is left out: those who answered since are not.
async fn leave_out(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    alert: AlertId,
    left_out: &BTreeMap<RecipientId, Timestamp>,
) -> Result<(), sqlx::Error> {
    sqlx::query("delete from left_out where alert_id = ?")
        .bind(alert.as_bytes())
        .execute(&mut *conn)
        .await?;
    for (recipient, since) in left_out {
        let call = query::call(conn, alert, *recipient).await?;
        if call.is_some_and(|call| call.answered_at.is_some_and(|at| at > *since)) {
            continue;
        }
        sqlx::query("insert into left_out (alert_id, recipient_id, since_ms) values (?, ?, ?)")
            .bind(alert.as_bytes())
            .bind(recipient.as_bytes())
            .bind(since.0)
            .execute(&mut *conn)
            .await?;
        deliveries::leave_out(conn, entry, alert, *recipient).await?;
    }
    Ok(())
}

/// Gives a plan and all its pages another severity.
async fn weigh(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    alert: AlertId,
    severity: Severity,
    urgent: bool,
) -> Result<(), sqlx::Error> {
    let Some(row) = load(conn, alert).await? else {
        return Ok(());
    };
    let critical = severity == Severity::Critical;
    let lane = match urgent {
        true => row.lane.min(Lane::Human),
        false => row.lane,
    };
    let mut content = content_of(&row)?;
    content.severity = severity;
    sqlx::query("update escalation set critical = ?, lane = ?, content = ? where alert_id = ?")
        .bind(critical)
        .bind(lane.rank())
        .bind(rows::to_json(&content)?)
        .bind(alert.as_bytes())
        .execute(&mut *conn)
        .await?;
    let at_once = critical && row.plan.phase == Phase::Calling;
    deliveries::weigh(conn, entry, alert, lane, critical, at_once).await
}

/// Those of `people` an act can still call: not called yet, or left out; each once.
pub(crate) async fn uncalled(
    conn: &mut SqliteConnection,
    alert: AlertId,
    people: &[RecipientId],
) -> Result<Vec<RecipientId>, sqlx::Error> {
    let called: Vec<Vec<u8>> = sqlx::query_scalar(
        "select c.recipient_id from json_each(?1) j join called_person c on c.alert_id = ?2 \
         and c.recipient_id = unhex(j.value) where not exists (select 1 from left_out l where l.alert_id = c.alert_id \
          and l.recipient_id = c.recipient_id) order by c.recipient_id",
    )
    .bind(rows::hex_array(people.iter().map(RecipientId::as_bytes)))
    .bind(alert.as_bytes())
    .fetch_all(conn)
    .await?;
    let mut known: BTreeSet<RecipientId> = RecipientId::from_rows(&called)?.into_iter().collect();
    Ok(people
        .iter()
        .copied()
        .filter(|id| known.insert(*id))
        .collect())
}

/// Calls people now, beside those of the plan. Whoever answered already is not called again.
pub(crate) async fn call_beside(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    alert: AlertId,
    people: &[RecipientId],
) -> Result<(), sqlx::Error> {
    let Some(mut row) = load(conn, alert).await? else {
        return Ok(());
    };
    let hopeless = is_hopeless(conn, &row).await?;
    if !deliveries::has_texts(conn, alert, Purpose::Page).await? {
        freeze_pages(conn, &row).await?;
    }
    // Behind everyone the plan may call, in the order of the acts.
    let pages = row.plan.last_pages.last().map_or(0, |last| last + 1);
    let first = u64::from(pages) * PAGE_LEN as u64 + query::count_beside(conn, alert).await?;
    call_people(conn, entry, alert, first, BESIDE, people).await?;
    page_again(conn, entry, &row, BESIDE, people).await?;
    if hopeless && !is_hopeless(conn, &row).await? {
        // Whoever said no is replaced: what comes next comes in its time again.
        row.plan.hurry = false;
        save(conn, &row, entry.at).await?;
    }
    Ok(())
}

/// Calls the next step now; before the first has begun, that one.
pub(crate) async fn call_next(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    alert: AlertId,
) -> Result<(), sqlx::Error> {
    let Some(mut row) = load(conn, alert).await? else {
        return Ok(());
    };
    if row.plan.not_begun() {
        row.plan.hurry = true;
    } else if usize::from(row.plan.step) + 1 < row.plan.delays_ms.len() {
        let next = row.plan.step + 1;
        advance(conn, entry, &mut row, next).await?;
    }
    save(conn, &row, entry.at).await
}

/// Whoever looks at answers by itself has looked.
pub(crate) async fn calm(conn: &mut SqliteConnection, alert: AlertId) -> Result<(), sqlx::Error> {
    sqlx::query("update escalation set stirred = 0 where alert_id = ? and stirred = 1")
        .bind(alert.as_bytes())
        .execute(conn)
        .await?;
    Ok(())
}

/// Everyone left out of an alert now.
pub async fn left_out(
    conn: &mut SqliteConnection,
    alert: AlertId,
) -> Result<BTreeSet<RecipientId>, sqlx::Error> {
    let found: Vec<Vec<u8>> = sqlx::query_scalar(
        "select recipient_id from left_out where alert_id = ? order by recipient_id",
    )
    .bind(alert.as_bytes())
    .fetch_all(conn)
    .await?;
    Ok(RecipientId::from_rows(&found)?.into_iter().collect())
}

/// Whether somebody is left out of an alert now.
pub(crate) async fn is_left_out(
    conn: &mut SqliteConnection,
    alert: AlertId,
    recipient: RecipientId,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "select exists (select 1 from left_out where alert_id = ? and recipient_id = ?)",
    )
    .bind(alert.as_bytes())
    .bind(recipient.as_bytes())
    .fetch_one(conn)
    .await
}

/// Somebody who was left out answers after all: they count again. True when they were.
pub(super) async fn back(
    conn: &mut SqliteConnection,
    alert: AlertId,
    recipient: RecipientId,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query("delete from left_out where alert_id = ? and recipient_id = ?")
        .bind(alert.as_bytes())
        .bind(recipient.as_bytes())
        .execute(conn)
        .await?;
    Ok(done.rows_affected() > 0)
}

/// Whether an alert has called somebody, or would in a later step or in the loud round.
pub(crate) async fn calls(
    conn: &mut SqliteConnection,
    alert: AlertId,
    person: RecipientId,
) -> Result<bool, sqlx::Error> {
    if query::call(conn, alert, person).await?.is_some() {
        return Ok(true);
    }
    let pages = pages(conn, alert).await?;
    Ok(pages
        .iter()
        .any(|page| page.as_chunks::<16>().0.contains(&person.0)))
}

/// Everyone an alert has called, or would call in a later step or in the loud round; some twice.
pub(crate) async fn planned(
    conn: &mut SqliteConnection,
    alert: AlertId,
) -> Result<Vec<RecipientId>, sqlx::Error> {
    let called = called_in_order(conn, alert).await?;
    let mut people: Vec<RecipientId> = called.iter().map(|called| called.recipient).collect();
    for page in pages(conn, alert).await? {
        people.extend(page.as_chunks::<16>().0.iter().map(|id| RecipientId(*id)));
    }
    Ok(people)
}

async fn pages(conn: &mut SqliteConnection, alert: AlertId) -> Result<Vec<Vec<u8>>, sqlx::Error> {
    sqlx::query_scalar("select recipients from escalation_page where alert_id = ? order by page")
        .bind(alert.as_bytes())
        .fetch_all(conn)
        .await
}

/// Everyone called to an alert, in calling order.
pub(crate) async fn called_in_order(
    conn: &mut SqliteConnection,
    alert: AlertId,
) -> Result<Vec<Called>, sqlx::Error> {
    query::called(conn, alert, 0, u32::MAX).await
}
