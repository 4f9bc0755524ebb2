//! Reads of alerts.

use std::collections::BTreeMap;

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::acts::roles_of;
use super::{ActRow, FromTemplate, Label, Name, RoleRow, Severity, State, Status};
use crate::ids::{ActId, AlertId, NodeId, RecipientId};
use crate::rows;
use crate::time::Timestamp;
use crate::vocabulary::{AlertKind, IncidentRole};

/// An alert as stored.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AlertRow {
    pub id: AlertId,
    /// The number people say aloud: the cluster's if it has one, else the first island's.
    pub label: String,
    /// The cluster's number; 0 when an island raised it and the cluster gave none.
    pub number: u64,
    /// Numbers given by islands, by node.
    pub labels: Vec<Label>,
    pub severity: Severity,
    pub status: Status,
    pub kind: AlertKind,
    pub state: State,
    /// By language; the first serves languages that are missing.
    pub texts: Vec<(String, String)>,
    pub gather: String,
    pub source: String,
    /// Empty when its source gave none.
    pub dedup_key: String,
    pub raised_by: String,
    pub raised_at: Timestamp,
    pub issued_by: NodeId,
    pub aware_at: Timestamp,
    pub acknowledged_at: Option<Timestamp>,
    pub acknowledged_by: String,
    pub closed_at: Option<Timestamp>,
    pub closed_by: String,
    pub note: String,
    pub joined_into: Option<AlertId>,
    /// People in all steps.
    pub people: u64,
}

impl AlertRow {
    /// Every number it was ever known under, [`Self::label`] first.
    pub fn all_labels(&self) -> Vec<String> {
        let own = (self.number > 0).then(|| self.number.to_string());
        own.into_iter()
            .chain(self.labels.iter().map(Label::to_string))
            .collect()
    }
}

/// The alert with this id.
pub async fn find(
    conn: &mut SqliteConnection,
    alert: AlertId,
) -> Result<Option<AlertRow>, sqlx::Error> {
    let row = sqlx::query(
        "select a.*, (select json_group_array(json_array(l.origin, l.counter)) from alert_label l \
          where l.alert_id = a.alert_id) as labels from alert a where a.alert_id = ?",
    )
    .bind(alert.as_bytes())
    .fetch_optional(conn)
    .await?;
    row.as_ref().map(alert_row).transpose()
}

/// The alert with this spoken number, in either form.
pub async fn find_named(
    conn: &mut SqliteConnection,
    name: &Name,
) -> Result<Option<AlertRow>, sqlx::Error> {
    let id: Option<Vec<u8>> = match name {
        Name::Cluster(number) => {
            sqlx::query_scalar(
                "select alert_id from alert where number = ? order by alert_id limit 1",
            )
            .bind(number.cast_signed())
            .fetch_optional(&mut *conn)
            .await?
        }
        Name::Island(label) => {
            sqlx::query_scalar(
                "select alert_id from alert_label where label = ? order by alert_id limit 1",
            )
            .bind(label)
            .fetch_optional(&mut *conn)
            .await?
        }
    };
    match id {
        Some(id) => find(conn, AlertId::from_row(&id)?).await,
        None => Ok(None),
    }
}

/// Alerts older than `before` (all when `None`), newest first, in one state or any.
pub async fn list(
    conn: &mut SqliteConnection,
    state: Option<State>,
    before: Option<AlertId>,
    limit: u32,
) -> Result<Vec<AlertRow>, sqlx::Error> {
    let before = before.map(|id| id.0.to_vec());
    let found = match state {
        None => {
            sqlx::query(
                "select a.*, (select json_group_array(json_array(l.origin, l.counter)) from alert_label l \
                  where l.alert_id = a.alert_id) as labels from alert a \
                 where ?1 is null or (a.raised_at_ms, a.number, a.alert_id) < \
                  (select raised_at_ms, number, alert_id from alert where alert_id = ?1) \
                 order by a.raised_at_ms desc, a.number desc, a.alert_id desc limit ?2",
            )
            .bind(before)
            .bind(i64::from(limit))
            .fetch_all(conn)
            .await?
        }
        Some(state) => {
            sqlx::query(
                "select a.*, (select json_group_array(json_array(l.origin, l.counter)) from alert_label l \
                  where l.alert_id = a.alert_id) as labels from alert a where a.state = ?3 \
                 and (?1 is null or (a.raised_at_ms, a.number, a.alert_id) < \
                  (select raised_at_ms, number, alert_id from alert where alert_id = ?1)) \
                 order by a.raised_at_ms desc, a.number desc, a.alert_id desc limit ?2",
            )
            .bind(before)
            .bind(i64::from(limit))
            .bind(state.name())
            .fetch_all(conn)
            .await?
        }
    };
    found.iter().map(alert_row).collect()
}

/// As [`list`], of those alone that a person was called for.
pub async fn list_called(
    conn: &mut SqliteConnection,
    person: RecipientId,
    state: Option<State>,
    before: Option<AlertId>,
    limit: u32,
) -> Result<Vec<AlertRow>, sqlx::Error> {
    let found = sqlx::query(
        "select a.*, (select json_group_array(json_array(l.origin, l.counter)) from alert_label l \
          where l.alert_id = a.alert_id) as labels from called_person c join alert a on a.alert_id = c.alert_id \
         where c.recipient_id = ?4 and (?3 is null or a.state = ?3) \
         and (?1 is null or (a.raised_at_ms, a.number, a.alert_id) < \
          (select raised_at_ms, number, alert_id from alert where alert_id = ?1)) \
         order by a.raised_at_ms desc, a.number desc, a.alert_id desc limit ?2",
    )
    .bind(before.map(|id| id.0.to_vec()))
    .bind(i64::from(limit))
    .bind(state.map(State::name))
    .bind(person.as_bytes())
    .fetch_all(conn)
    .await?;
    found.iter().map(alert_row).collect()
}

/// As [`list`], of those alone that somebody of these units was called for, or that an account limited to one of them raised.
pub async fn list_of_units(
    conn: &mut SqliteConnection,
    units: &[String],
    state: Option<State>,
    before: Option<AlertId>,
    limit: u32,
) -> Result<Vec<AlertRow>, sqlx::Error> {
    let found = sqlx::query(
        "with own (alert_id) as (select c.alert_id from person p join called_person c on c.recipient_id = p.recipient_id \
          where p.unit in (select value from json_each(?4)) union select a.alert_id from account x \
          join alert a on a.raised_by = 'account:' || x.name where x.unit in (select value from json_each(?4))) \
         select a.*, (select json_group_array(json_array(l.origin, l.counter)) from alert_label l \
          where l.alert_id = a.alert_id) as labels from own o join alert a on a.alert_id = o.alert_id \
         where (?3 is null or a.state = ?3) and (?1 is null or (a.raised_at_ms, a.number, a.alert_id) < \
          (select raised_at_ms, number, alert_id from alert where alert_id = ?1)) \
         order by a.raised_at_ms desc, a.number desc, a.alert_id desc limit ?2",
    )
    .bind(before.map(|id| id.0.to_vec()))
    .bind(i64::from(limit))
    .bind(state.map(State::name))
    .bind(rows::to_json(&units)?)
    .fetch_all(conn)
    .await?;
    found.iter().map(alert_row).collect()
}

/// Whether a person was called for an alert.
pub async fn was_called(
    conn: &mut SqliteConnection,
    alert: AlertId,
    person: RecipientId,
) -> Result<bool, sqlx::Error> {
    let found: Option<i64> =
        sqlx::query_scalar("select 1 from called_person where alert_id = ? and recipient_id = ?")
            .bind(alert.as_bytes())
            .bind(person.as_bytes())
            .fetch_optional(conn)
            .await?;
    Ok(found.is_some())
}

/// What a template gave an alert, if it was raised from one.
pub async fn template_of(
    conn: &mut SqliteConnection,
    alert: AlertId,
) -> Result<Option<FromTemplate>, sqlx::Error> {
    let row = sqlx::query("select frozen from alert_template where alert_id = ?")
        .bind(alert.as_bytes())
        .fetch_optional(conn)
        .await?;
    row.map(|row| rows::json(&row, "frozen")).transpose()
}

/// Who has which role in an incident, in order of the roles.
pub async fn roles(
    conn: &mut SqliteConnection,
    alert: AlertId,
) -> Result<Vec<RoleRow>, sqlx::Error> {
    Ok(roles_of(&acts(conn, alert).await?))
}

/// Who leads each of these incidents; those that nobody leads are left out.
pub async fn leaders(
    conn: &mut SqliteConnection,
    alerts: &[AlertId],
) -> Result<BTreeMap<AlertId, RecipientId>, sqlx::Error> {
    let found = sqlx::query(
        "select a.* from json_each(?) j join alert_act a on a.alert_id = unhex(j.value) order by a.alert_id, a.at_ms, a.act_id",
    )
    .bind(rows::hex_array(alerts.iter().map(AlertId::as_bytes)))
    .fetch_all(conn)
    .await?;
    let acts = found.iter().map(act_row).collect::<Result<Vec<_>, _>>()?;
    let of_alerts = acts.chunk_by(|one, next| one.alert == next.alert);
    let leaders = of_alerts.filter_map(|acts| {
        let held = roles_of(acts);
        let leads = held.iter().find(|held| held.role == IncidentRole::Leader)?;
        Some((acts.first()?.alert, leads.person))
    });
    Ok(leaders.collect())
}

/// Every act on an alert, in order.
pub async fn acts(conn: &mut SqliteConnection, alert: AlertId) -> Result<Vec<ActRow>, sqlx::Error> {
    let found = sqlx::query("select * from alert_act where alert_id = ? order by at_ms, act_id")
        .bind(alert.as_bytes())
        .fetch_all(conn)
        .await?;
    found.iter().map(act_row).collect()
}

/// Reads a row of `alert_act`.
pub(super) fn act_row(row: &SqliteRow) -> Result<ActRow, sqlx::Error> {
    Ok(ActRow {
        id: ActId::from_row(row.try_get("act_id")?)?,
        alert: AlertId::from_row(row.try_get("alert_id")?)?,
        at: rows::time(row, "at_ms")?,
        by: row.try_get("by_whom")?,
        act: rows::json(row, "content")?,
        reason: row.try_get("reason")?,
    })
}

/// The number the next alert would get here.
pub async fn next_number(conn: &mut SqliteConnection) -> Result<u64, sqlx::Error> {
    let number: i64 = sqlx::query_scalar("select coalesce(max(number), 0) + 1 from alert")
        .fetch_one(conn)
        .await?;
    Ok(number.cast_unsigned())
}

/// How many alerts a source has raised under this key.
pub async fn count_with_key(
    conn: &mut SqliteConnection,
    dedup_key: &str,
) -> Result<u64, sqlx::Error> {
    let count: i64 = sqlx::query_scalar("select count(*) from alert where dedup_key = ?")
        .bind(dedup_key)
        .fetch_one(conn)
        .await?;
    Ok(count.cast_unsigned())
}

/// Whether an alert is still open.
pub(crate) async fn is_open(
    conn: &mut SqliteConnection,
    alert: AlertId,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select exists (select 1 from alert where alert_id = ? and state = 'open')")
        .bind(alert.as_bytes())
        .fetch_one(conn)
        .await
}

/// The newest open alert that its source raised under this key.
pub(crate) async fn open_with_key(
    conn: &mut SqliteConnection,
    dedup_key: &str,
) -> Result<Option<AlertId>, sqlx::Error> {
    // Named, or all open alerts would be looked through for the sake of the order.
    let id: Option<Vec<u8>> = sqlx::query_scalar(
        "select alert_id from alert indexed by alert_by_open_key where dedup_key = ? and state = 'open' \
         order by raised_at_ms desc, alert_id limit 1",
    )
    .bind(dedup_key)
    .fetch_optional(conn)
    .await?;
    id.map(|id| AlertId::from_row(&id)).transpose()
}

fn alert_row(row: &SqliteRow) -> Result<AlertRow, sqlx::Error> {
    let joined: Option<&[u8]> = row.try_get("joined_into")?;
    let number: u64 = rows::unsigned(row, "number")?;
    let labels = labels(row)?;
    Ok(AlertRow {
        label: match labels.first() {
            Some(label) if number == 0 => label.to_string(),
            Some(_) | None => number.to_string(),
        },
        id: AlertId::from_row(row.try_get("alert_id")?)?,
        number,
        labels,
        severity: Severity::of_rank(row.try_get("severity")?),
        status: Status::parse(row.try_get("status")?).unwrap_or(Status::Actual),
        // A kind of a newer version is shown like any alert.
        kind: AlertKind::parse(row.try_get("kind")?).unwrap_or_default(),
        // A state of a newer version is one in which nothing more happens here.
        state: State::parse(row.try_get("state")?).unwrap_or(State::Resolved),
        texts: rows::json(row, "texts")?,
        gather: row.try_get("gather")?,
        source: row.try_get("source")?,
        dedup_key: row.try_get("dedup_key")?,
        raised_by: row.try_get("raised_by")?,
        raised_at: rows::time(row, "raised_at_ms")?,
        issued_by: NodeId(rows::unsigned(row, "issued_by")?),
        aware_at: rows::time(row, "aware_at_ms")?,
        acknowledged_at: rows::time_opt(row, "acknowledged_at_ms")?,
        acknowledged_by: row.try_get("acknowledged_by")?,
        closed_at: rows::time_opt(row, "closed_at_ms")?,
        closed_by: row.try_get("closed_by")?,
        note: row.try_get("note")?,
        joined_into: joined.map(AlertId::from_row).transpose()?,
        people: rows::unsigned(row, "people")?,
    })
}

fn labels(row: &SqliteRow) -> Result<Vec<Label>, sqlx::Error> {
    let found: Vec<(u64, u64)> = rows::json(row, "labels")?;
    let mut labels: Vec<Label> = found
        .into_iter()
        .map(|(origin, counter)| Label {
            origin: NodeId(origin),
            counter,
        })
        .collect();
    labels.sort();
    Ok(labels)
}
