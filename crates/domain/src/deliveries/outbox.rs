//! What waits in an outbox that was held back: shown by age and class, and thinned out when it is released, so that an
//! old queue is never played back in order (PRODUCT L-22).

use sqlx::{Row, SqliteConnection};

use super::RING;
use super::query::text_of;
use super::secret_codes::at_its_longest;
use crate::apply::Entry;
use crate::time::Timestamp;
use crate::{rows, texts};

/// Deliveries of one class that have not ended and have not left.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Waiting {
    /// `sms` or `email`.
    pub kind: String,
    /// `page`, `reply`, ….
    pub purpose: String,
    pub critical: bool,
    pub count: u64,
    pub oldest: Timestamp,
    pub newest: Timestamp,
}

/// What would leave if nothing held it back, by class.
pub async fn waiting(conn: &mut SqliteConnection) -> Result<Vec<Waiting>, sqlx::Error> {
    let found = sqlx::query(
        "select kind, purpose, critical, count(*) as count, min(created_at_ms) as oldest, max(created_at_ms) as newest \
         from delivery where ended_at_ms is null and state in ('standby', 'pending', 'assigned') \
         group by kind, purpose, critical order by critical desc, purpose, kind",
    )
    .fetch_all(conn)
    .await?;
    found
        .iter()
        .map(|row| {
            Ok(Waiting {
                kind: row.try_get("kind")?,
                purpose: row.try_get("purpose")?,
                critical: row.try_get("critical")?,
                count: rows::unsigned(row, "count")?,
                oldest: rows::time(row, "oldest")?,
                newest: rows::time(row, "newest")?,
            })
        })
        .collect()
}

/// What waits for a channel or is given to one, and has not left.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Queued {
    /// Parts of all SMS.
    pub sms_parts: u64,
    pub mails: u64,
}

/// How much waits to leave now. What stands by for another contact method to fail is not in it.
pub async fn queued(conn: &mut SqliteConnection) -> Result<Queued, sqlx::Error> {
    // The texts of one alert in one language differ in their codes only, which are of one length.
    let found = sqlx::query(
        "select d.kind, d.language, max(d.code) as code, d.possible_repeat, d.renumbered, count(*) as count, \
         (select f.site from fork f) as site, \
         case when d.body = '' then coalesce(t.body, '') else d.body end as body \
         from delivery d left join delivery_text t on t.alert_id = d.alert_id and t.purpose = d.purpose \
          and t.kind = d.kind and t.language = d.language \
         where d.ended_at_ms is null and d.state in ('pending', 'assigned') \
         group by d.kind, d.alert_id, d.purpose, d.language, d.body, d.possible_repeat, d.renumbered \
         order by d.kind, d.alert_id, d.purpose, d.language, d.body, d.possible_repeat, d.renumbered",
    )
    .fetch_all(conn)
    .await?;
    let mut queued = Queued::default();
    for row in &found {
        let count: u64 = rows::unsigned(row, "count")?;
        match row.try_get("kind")? {
            "sms" => {
                queued.sms_parts +=
                    count * u64::from(texts::parts(&at_its_longest(&text_of(row)?)));
            }
            // Rings wait for texts, not texts for them.
            RING => {}
            _ => queued.mails += count,
        }
    }
    Ok(queued)
}

/// Ends what is too old to send; what stays is marked, because it may have left before the history was cut.
pub(super) async fn end_stale(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    after_ms: u64,
    after_critical_ms: u64,
) -> Result<u64, sqlx::Error> {
    let before = |ms: u64| {
        entry
            .at
            .0
            .saturating_sub(i64::try_from(ms).unwrap_or(i64::MAX))
    };
    // Replies answer a conversation that is over: the person asked long ago, or asks again.
    sqlx::query(
        "update attempt set state = 'withdrawn' where state = 'assigned' and delivery_id in \
         (select delivery_id from delivery where ended_at_ms is null and state in ('standby', 'pending', 'assigned') \
          and created_at_ms < case when critical and purpose <> 'reply' then ?1 else ?2 end)",
    )
    .bind(before(after_critical_ms))
    .bind(before(after_ms))
    .execute(&mut *conn)
    .await?;
    let ended = sqlx::query(
        "update delivery set state = 'expired', reason = 'held back too long to be sent', ended_at_ms = ?3, awaiting = 0 \
         where ended_at_ms is null and state in ('standby', 'pending', 'assigned') \
         and created_at_ms < case when critical and purpose <> 'reply' then ?1 else ?2 end",
    )
    .bind(before(after_critical_ms))
    .bind(before(after_ms))
    .bind(entry.at.0)
    .execute(&mut *conn)
    .await?;
    sqlx::query(
        "update delivery set possible_repeat = 1 \
         where ended_at_ms is null and state in ('pending', 'assigned') and attempts > 0",
    )
    .execute(conn)
    .await?;
    Ok(ended.rows_affected())
}
