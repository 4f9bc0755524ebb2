//! Reads of how a step's conditions are met, and of how those asked by a safety check are.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use crate::escalation::enough::coming_for;
use crate::escalation::plan_row::load;
use crate::escalation::safety::{Mark, MarkFact, OnRoll, RollCount, marks_of};
use crate::escalation::{Among, Answer};
use crate::ids::{AlertId, RecipientId};
use crate::rows;
use crate::time::Timestamp;

/// A condition of the newest step, and how far it is met.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct QuotaRow {
    pub what: String,
    pub wanted: u32,
    pub coming: u32,
    /// How many could answer it; `None`: anyone, or the people of the step.
    pub of: Option<usize>,
}

/// The conditions of an alert's newest step; none: so many "coming" in all.
pub async fn quotas_of(
    conn: &mut SqliteConnection,
    alert: AlertId,
) -> Result<Vec<QuotaRow>, sqlx::Error> {
    let Some(row) = load(conn, alert).await? else {
        return Ok(Vec::new());
    };
    let mut quotas = Vec::new();
    for quota in row.policy.quotas(row.plan.step) {
        quotas.push(QuotaRow {
            what: quota.what.clone(),
            wanted: quota.count,
            coming: coming_for(conn, &row, quota).await?,
            of: match &quota.among {
                Among::Anyone | Among::Step => None,
                Among::Listed(people) => Some(people.len()),
            },
        });
    }
    Ok(quotas)
}

/// Those a safety check asked, by site, then name: all, or those missing or in need of help. Those of no site come last.
pub async fn roll(
    conn: &mut SqliteConnection,
    alert: AlertId,
    all: bool,
    skip: u32,
    limit: u32,
) -> Result<Vec<OnRoll>, sqlx::Error> {
    let found = sqlx::query(
        "select * from (select c.recipient_id, c.answer, c.answered_at_ms, c.answered_from, c.called_at_ms, \
          coalesce(p.key, '') as key, coalesce(p.name, '') as name, coalesce(p.sites, '[]') as sites, \
          coalesce(p.sites ->> 0, '') as site, coalesce(nullif(c.answer, ''), (select m.mark from safety_mark m \
           where m.alert_id = c.alert_id and m.recipient_id = c.recipient_id \
           order by m.at_ms desc, m.marked_by limit 1), '') as status, \
          (select json_group_array(json_array(m.marked_by, m.mark, m.at_ms, m.via)) from safety_mark m \
           where m.alert_id = c.alert_id and m.recipient_id = c.recipient_id) as marks \
          from called_person c left join person p on p.recipient_id = c.recipient_id where c.alert_id = ?1) \
         where ?2 or status in ('', 'need_help') order by site = '', site, name, key, recipient_id limit ?3 offset ?4",
    )
    .bind(alert.as_bytes())
    .bind(all)
    .bind(i64::from(limit))
    .bind(i64::from(skip))
    .fetch_all(conn)
    .await?;
    found.iter().map(on_roll).collect()
}

fn on_roll(row: &SqliteRow) -> Result<OnRoll, sqlx::Error> {
    let answer = Answer::parse(row.try_get("answer")?);
    let answered = answer.zip(rows::time_opt(row, "answered_at_ms")?);
    let from: String = row.try_get("answered_from")?;
    Ok(OnRoll {
        recipient: RecipientId::from_row(row.try_get("recipient_id")?)?,
        key: row.try_get("key")?,
        name: row.try_get("name")?,
        sites: rows::json(row, "sites")?,
        called_at: rows::time(row, "called_at_ms")?,
        status: Answer::parse(row.try_get("status")?),
        own: answered.map(|(answer, at)| (answer, at, from)),
        marks: marks_of(row.try_get("marks")?)?,
    })
}

/// How many of those a safety check asked are how.
pub async fn roll_count(
    conn: &mut SqliteConnection,
    alert: AlertId,
) -> Result<RollCount, sqlx::Error> {
    let row = sqlx::query(
        "select count(*) as asked, coalesce(sum(status = ''), 0) as missing, \
         coalesce(sum(status = 'need_help'), 0) as need_help, coalesce(sum(status = 'safe'), 0) as safe, \
         coalesce(sum(status = 'not_on_site'), 0) as not_on_site from (select coalesce(nullif(c.answer, ''), \
          (select m.mark from safety_mark m where m.alert_id = c.alert_id and m.recipient_id = c.recipient_id \
           order by m.at_ms desc, m.marked_by limit 1), '') as status from called_person c where c.alert_id = ?)",
    )
    .bind(alert.as_bytes())
    .fetch_one(conn)
    .await?;
    Ok(RollCount {
        asked: rows::unsigned(&row, "asked")?,
        missing: rows::unsigned(&row, "missing")?,
        need_help: rows::unsigned(&row, "need_help")?,
        safe: rows::unsigned(&row, "safe")?,
        not_on_site: rows::unsigned(&row, "not_on_site")?,
    })
}

/// How many were asked, and how many of them neither answered nor were seen.
pub(in crate::escalation) async fn asked_and_missing(
    conn: &mut SqliteConnection,
    alert: AlertId,
) -> Result<(u64, u64), sqlx::Error> {
    let count = roll_count(conn, alert).await?;
    Ok((count.asked, count.missing))
}

/// What somebody last said of a person called.
pub(in crate::escalation) async fn mark_of(
    conn: &mut SqliteConnection,
    alert: AlertId,
    recipient: RecipientId,
    by: &str,
) -> Result<Option<Mark>, sqlx::Error> {
    let row = sqlx::query(
        "select * from safety_mark where alert_id = ? and recipient_id = ? and marked_by = ?",
    )
    .bind(alert.as_bytes())
    .bind(recipient.as_bytes())
    .bind(by)
    .fetch_optional(conn)
    .await?;
    Ok(row
        .as_ref()
        .map(mark_fact)
        .transpose()?
        .map(|fact| fact.mark))
}

/// Reads a row of `safety_mark`.
pub(in crate::escalation) fn mark_fact(row: &SqliteRow) -> Result<MarkFact, sqlx::Error> {
    Ok(MarkFact {
        alert: AlertId::from_row(row.try_get("alert_id")?)?,
        recipient: RecipientId::from_row(row.try_get("recipient_id")?)?,
        by: row.try_get("marked_by")?,
        mark: Mark {
            at: Timestamp(row.try_get("at_ms")?),
            // A word of a newer version needs a look all the same.
            answer: Answer::parse(row.try_get("mark")?).unwrap_or(Answer::NeedHelp),
            via: row.try_get("via")?,
        },
    })
}
