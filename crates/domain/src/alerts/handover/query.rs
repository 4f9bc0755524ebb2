//! Reads of `alert_on_call`.

use std::collections::BTreeSet;

use sqlx::{Row as _, SqliteConnection};

use crate::ids::{AlertId, RecipientId};
use crate::oncall::OnDuty;
use crate::rows;

/// A schedule an alert was raised through.
pub(super) struct Watched {
    pub(super) schedule: String,
    /// Who was on call at the raise.
    pub(super) people: BTreeSet<RecipientId>,
    /// Who was on call when it was last looked at.
    pub(super) seen: BTreeSet<RecipientId>,
    /// Whose "coming" lets others go.
    pub(super) awaited: BTreeSet<RecipientId>,
}

/// People as a column holds them: the same people are the same text.
pub(super) fn listed(people: &BTreeSet<RecipientId>) -> String {
    rows::hex_array(people.iter().map(RecipientId::as_bytes))
}

/// Reads such a column.
fn ids(listed: &str) -> Result<BTreeSet<RecipientId>, sqlx::Error> {
    let list: Vec<String> =
        serde_json::from_str(listed).map_err(|e| sqlx::Error::Decode(e.into()))?;
    list.iter()
        .map(|id| {
            let bytes = data_encoding::HEXUPPER.decode(id.as_bytes());
            RecipientId::from_row(&bytes.map_err(|e| sqlx::Error::Decode(e.into()))?)
        })
        .collect()
}

/// The schedules of an alert, in order.
pub(super) async fn watched(
    conn: &mut SqliteConnection,
    alert: AlertId,
) -> Result<Vec<Watched>, sqlx::Error> {
    sqlx::query(
        "select schedule, people, seen, awaited from alert_on_call where alert_id = ? order by schedule",
    )
    .bind(alert.as_bytes())
    .fetch_all(conn)
    .await?
    .iter()
    .map(|row| {
        Ok(Watched {
            schedule: row.try_get("schedule")?,
            people: ids(row.try_get("people")?)?,
            seen: ids(row.try_get("seen")?)?,
            awaited: ids(row.try_get("awaited")?)?,
        })
    })
    .collect()
}

/// Through which schedules an alert was raised, as the raise said.
pub(in crate::alerts) async fn frozen(
    conn: &mut SqliteConnection,
    alert: AlertId,
) -> Result<Vec<OnDuty>, sqlx::Error> {
    let watched = watched(conn, alert).await?;
    Ok(watched
        .into_iter()
        .map(|watched| OnDuty {
            schedule: watched.schedule,
            people: watched.people.into_iter().collect(),
        })
        .collect())
}

/// The schedules through which open alerts were raised, in order.
pub async fn schedules_under_way(conn: &mut SqliteConnection) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar(
        "select distinct w.schedule from alert_on_call w join alert a on a.alert_id = w.alert_id \
         where a.state = 'open' order by w.schedule",
    )
    .fetch_all(conn)
    .await
}

/// Whether open alerts wait for somebody who came on duty to answer.
pub(crate) const DUTY_AWAITED: &str = "exists (select 1 from alert_on_call w join alert a on a.alert_id = w.alert_id \
     where w.awaited <> '[]' and a.state = 'open')";

/// Open alerts that a change of duty concerns: those that last saw others on call in a schedule than `now` says (once the
/// step that called it has begun), and those where somebody came on duty and answered since.
pub async fn unsettled(
    conn: &mut SqliteConnection,
    now: &[OnDuty],
    limit: u32,
) -> Result<Vec<AlertId>, sqlx::Error> {
    let mut found: BTreeSet<AlertId> = BTreeSet::new();
    for duty in now {
        let people: BTreeSet<RecipientId> = duty.people.iter().copied().collect();
        let ids: Vec<Vec<u8>> = sqlx::query_scalar(
            "select w.alert_id from alert_on_call w join alert a on a.alert_id = w.alert_id \
             where w.schedule = ? and w.seen <> ? and a.state = 'open' and a.kind = 'alert' and (w.people = '[]' \
              or exists (select 1 from json_each(w.people) j join called_person c on c.alert_id = w.alert_id \
               and c.recipient_id = unhex(j.value))) order by w.alert_id limit ?",
        )
        .bind(&duty.schedule)
        .bind(listed(&people))
        .bind(i64::from(limit))
        .fetch_all(&mut *conn)
        .await?;
        found.extend(AlertId::from_rows(&ids)?);
    }
    let answered: Vec<Vec<u8>> = sqlx::query_scalar(
        "select distinct w.alert_id from alert_on_call w join alert a on a.alert_id = w.alert_id \
         where w.awaited <> '[]' and a.state = 'open' and exists (select 1 from json_each(w.awaited) j \
          join called_person c on c.alert_id = w.alert_id and c.recipient_id = unhex(j.value) where c.answer = 'coming' and c.answered_at_ms > w.since_ms) \
         order by w.alert_id limit ?",
    )
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    found.extend(AlertId::from_rows(&answered)?);
    Ok(found.into_iter().take(limit as usize).collect())
}
