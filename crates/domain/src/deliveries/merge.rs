//! Joins what islands tell of deliveries and attempts, and works out what follows from the joined rows.

use sqlx::{Row, SqliteConnection};

use super::facts::{
    ATTEMPT_STATES, AttemptFact, DeliveryFact, REPORTS, attempt_fact, delivery_fact,
};
use super::rules::RING_AFTER;
use super::{Purpose, State};
use crate::apply::Entry;
use crate::facts::Joined;
use crate::ids::{AlertId, DeliveryId, RecipientId};
use crate::limits::{self, Left};
use crate::nodes::Fork;
use crate::rows;

/// An island leaves what others were about to send to them for this long, milliseconds (DESIGN D5).
pub(crate) const HOLD_CRITICAL_MS: i64 = 60_000;

/// The same for everything that is not critical.
pub(crate) const HOLD_MS: i64 = 5 * 60_000;

/// Joins one delivery. Its alert is known to be here, or it has none.
pub(crate) async fn merge(
    conn: &mut SqliteConnection,
    fact: &DeliveryFact,
) -> Result<Joined, sqlx::Error> {
    let row = sqlx::query("select * from delivery where delivery_id = ?")
        .bind(fact.delivery.as_bytes())
        .fetch_optional(&mut *conn)
        .await?;
    let ours = row.as_ref().map(delivery_fact).transpose()?;
    let joined = match ours.clone() {
        Some(ours) => ours.join(fact.clone()),
        None => fact.clone(),
    };
    let came = Joined::of(ours.as_ref(), &joined);
    if !came.moved() {
        return Ok(came);
    }
    let Some(state) = State::of_reach(joined.standing.reach) else {
        return Ok(Joined::Refused(
            "it comes from a newer version; upgrade this cluster and import it again".to_owned(),
        ));
    };
    write(conn, &joined, state).await?;
    Ok(came)
}

/// Joins one attempt.
pub(crate) async fn merge_attempt(
    conn: &mut SqliteConnection,
    fact: &AttemptFact,
) -> Result<Joined, sqlx::Error> {
    let known: bool =
        sqlx::query_scalar("select exists (select 1 from delivery where delivery_id = ?)")
            .bind(fact.delivery.as_bytes())
            .fetch_one(&mut *conn)
            .await?;
    if !known {
        return Ok(Joined::Waits(fact.delivery.0));
    }
    let row = sqlx::query("select * from attempt where delivery_id = ? and attempt = ?")
        .bind(fact.delivery.as_bytes())
        .bind(i64::from(fact.attempt))
        .fetch_optional(&mut *conn)
        .await?;
    let ours = row.as_ref().map(attempt_fact).transpose()?;
    let joined = match ours.clone() {
        Some(ours) => ours.join(fact.clone()),
        None => fact.clone(),
    };
    let came = Joined::of(ours.as_ref(), &joined);
    if !came.moved() {
        return Ok(came);
    }
    let (Some(state), Some(report)) = (
        ATTEMPT_STATES.get(usize::from(joined.end.state)),
        REPORTS.get(usize::from(joined.end.report)),
    ) else {
        return Ok(Joined::Refused(
            "it comes from a newer version; upgrade this cluster and import it again".to_owned(),
        ));
    };
    write_attempt(conn, &joined, state, report).await?;
    count(conn, ours.as_ref(), &joined).await?;
    // The newest try is the one whose end moves the delivery.
    sqlx::query(
        "update delivery set attempts = (select a.attempt from attempt a where a.delivery_id = ?1 \
         order by a.assigned_at_ms desc, a.attempt desc limit 1) where delivery_id = ?1",
    )
    .bind(fact.delivery.as_bytes())
    .execute(conn)
    .await?;
    Ok(came)
}

/// Counts what two histories together say of a try: as much as either alone would have, once.
async fn count(
    conn: &mut SqliteConnection,
    before: Option<&AttemptFact>,
    after: &AttemptFact,
) -> Result<(), sqlx::Error> {
    let row = sqlx::query("select alert_id from delivery where delivery_id = ? and kind = 'sms'")
        .bind(after.delivery.as_bytes())
        .fetch_optional(&mut *conn)
        .await?;
    let Some(row) = row else { return Ok(()) };
    let alert = AlertId::from_row(row.try_get("alert_id")?)?;
    let counted = |fact: &AttemptFact, sign: i64| {
        let may_have_left = matches!(
            ATTEMPT_STATES.get(usize::from(fact.end.state)),
            Some(&("unknown" | "accepted"))
        );
        may_have_left.then(|| Left {
            alert,
            at: fact.end.ended_at.unwrap_or(fact.assigned_at),
            parts: sign * i64::from(fact.end.parts),
        })
    };
    let before = before.and_then(|fact| counted(fact, -1));
    let left: Vec<Left> = before.into_iter().chain(counted(after, 1)).collect();
    limits::spend(conn, &left, false).await
}

/// What follows for joined deliveries: a try whose network gave up failed, a try nobody waits for is taken back, and work
/// nobody holds waits again.
pub(crate) async fn mend(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    deliveries: &[DeliveryId],
) -> Result<(), sqlx::Error> {
    if deliveries.is_empty() {
        return Ok(());
    }
    let ids = rows::hex_array(deliveries.iter().map(DeliveryId::as_bytes));
    sqlx::query(
        "update delivery set state = 'failed', ended_at_ms = ?1, reason = coalesce((select a.detail from attempt a \
          where a.delivery_id = delivery.delivery_id and a.attempt = delivery.attempts), '') \
         where delivery_id in (select unhex(value) from json_each(?2)) and state = 'sent' \
         and exists (select 1 from attempt a where a.delivery_id = delivery.delivery_id \
          and a.attempt = delivery.attempts and a.report = 'failed')",
    )
    .bind(entry.at.0)
    .bind(&ids)
    .execute(&mut *conn)
    .await?;
    // Another side's try went further: this one is not sent any more, and must not fill its channel for ever. Only states
    // beyond `assigned` count; no later fact leads back from those.
    sqlx::query(
        "update attempt set state = 'withdrawn' where state = 'assigned' \
         and delivery_id in (select d.delivery_id from delivery d join json_each(?) j on d.delivery_id = unhex(j.value) \
          where d.state in ('sent', 'delivered', 'handed_over', 'acknowledged', 'failed'))",
    )
    .bind(&ids)
    .execute(&mut *conn)
    .await?;
    sqlx::query(
        "update delivery set state = 'pending', possible_repeat = 1, due_at_ms = ?1, ended_at_ms = null \
         where delivery_id in (select unhex(value) from json_each(?2)) and state = 'assigned' \
         and not exists (select 1 from attempt a where a.delivery_id = delivery.delivery_id and a.state = 'assigned')",
    )
    .bind(entry.at.0)
    .bind(&ids)
    .execute(&mut *conn)
    .await?;
    mend_standby(conn, entry, &ids).await
}

/// A person's other contact methods, by what is known now of all of them: one reached drops those standing by, all
/// failed starts the next.
async fn mend_standby(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    ids: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update delivery set state = 'cancelled', reason = 'reached over another contact method', ended_at_ms = ?1 \
         where delivery_id in (select s.delivery_id from json_each(?2) j join delivery d on d.delivery_id = unhex(j.value) \
          join delivery s on s.alert_id = d.alert_id and s.recipient_id = d.recipient_id and s.purpose = 'page' \
           and s.step = d.step and s.round = d.round where d.purpose = 'page' and s.state = 'standby' \
          and exists (select 1 from delivery r where r.alert_id = s.alert_id and r.recipient_id = s.recipient_id \
           and r.purpose = 'page' and r.step = s.step and r.round = s.round \
           and r.state in ('delivered', 'handed_over')))",
    )
    .bind(entry.at.0)
    .bind(ids)
    .execute(&mut *conn)
    .await?;
    sqlx::query(
        "update delivery set state = 'pending', wanted_since_ms = ?1, due_at_ms = ?1 \
         where delivery_id in (select s.delivery_id from json_each(?2) j join delivery d on d.delivery_id = unhex(j.value) \
          join delivery s on s.alert_id = d.alert_id and s.recipient_id = d.recipient_id and s.purpose = 'page' \
           and s.step = d.step and s.round = d.round where d.purpose = 'page' and d.state = 'failed' \
          and s.state = 'standby' and not exists (select 1 from delivery r where r.alert_id = s.alert_id \
           and r.recipient_id = s.recipient_id and r.purpose = 'page' and r.step = s.step and r.round = s.round \
           and (r.state in ('pending', 'assigned', 'sent', 'delivered', 'handed_over', 'acknowledged') \
            or (r.state = 'standby' and r.method < s.method))))",
    )
    .bind(entry.at.0)
    .bind(ids)
    .execute(&mut *conn)
    .await?;
    // Phones ring after a text that left, whoever sent it.
    sqlx::query(
        "update delivery set state = 'pending', wanted_since_ms = ?1, due_at_ms = ?1 \
         where delivery_id in (select s.delivery_id from json_each(?2) j join delivery d on d.delivery_id = unhex(j.value) \
          join delivery s on s.alert_id = d.alert_id and s.recipient_id = d.recipient_id and s.purpose = 'wake' \
           and s.step = d.step and s.round = d.round and s.state = 'standby' where d.purpose in ('page', 'wake') \
          and exists (select 1 from delivery p where p.alert_id = s.alert_id and p.recipient_id = s.recipient_id \
           and p.purpose = 'page' and p.kind = 'sms' and p.step = s.step and p.round = s.round \
           and p.state in ('sent', 'delivered', 'handed_over')))",
    )
    .bind((entry.at + RING_AFTER).0)
    .bind(ids)
    .execute(conn)
    .await?;
    Ok(())
}

/// The alert of each of these deliveries, each once.
pub(crate) async fn alerts_of(
    conn: &mut SqliteConnection,
    deliveries: &[DeliveryId],
) -> Result<Vec<AlertId>, sqlx::Error> {
    let found: Vec<Vec<u8>> = sqlx::query_scalar(
        "select distinct alert_id from delivery where delivery_id in (select unhex(value) from json_each(?)) \
         and alert_id <> zeroblob(16) order by alert_id",
    )
    .bind(rows::hex_array(deliveries.iter().map(DeliveryId::as_bytes)))
    .fetch_all(conn)
    .await?;
    AlertId::from_rows(&found)
}

/// Who was or may have been told by a method over which no call-off is owed.
pub(crate) async fn not_called_off(
    conn: &mut SqliteConnection,
    alert: AlertId,
) -> Result<Vec<RecipientId>, sqlx::Error> {
    let found: Vec<Vec<u8>> = sqlx::query_scalar(
        "select distinct d.recipient_id from delivery d where d.alert_id = ?1 and d.purpose = 'page' \
         and (d.reason = 'told in a summary' \
          or exists (select 1 from attempt a where a.delivery_id = d.delivery_id and a.state <> 'refused')) \
         and not exists (select 1 from delivery c where c.alert_id = ?1 and c.recipient_id = d.recipient_id \
          and c.method = d.method and c.purpose = 'call_off') order by d.recipient_id",
    )
    .bind(alert.as_bytes())
    .fetch_all(conn)
    .await?;
    RecipientId::from_rows(&found)
}

/// On entering an island: what other nodes hold or were about to be given waits, and says that it may be a repeat. This
/// node's own assigned work, and replies from its own number, stay due.
pub(crate) async fn hold_others(
    conn: &mut SqliteConnection,
    fork: &Fork,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update attempt set state = 'reclaimed', detail = 'its node cannot be heard' \
         where state = 'assigned' and node_id <> ?",
    )
    .bind(fork.node.0.cast_signed())
    .execute(&mut *conn)
    .await?;
    sqlx::query(
        "update delivery set state = 'pending', possible_repeat = 1, \
         due_at_ms = max(due_at_ms, ?1 + case when critical then ?2 else ?3 end), \
         wanted_since_ms = max(wanted_since_ms, ?1 + case when critical then ?2 else ?3 end) \
         where ended_at_ms is null and state in ('pending', 'assigned') and prefer_node <> ?4 \
         and not exists (select 1 from attempt a where a.delivery_id = delivery.delivery_id \
          and a.state = 'assigned' and a.node_id = ?4)",
    )
    .bind(fork.entered_at.0)
    .bind(HOLD_CRITICAL_MS)
    .bind(HOLD_MS)
    .bind(fork.node.0.cast_signed())
    .execute(conn)
    .await?;
    Ok(())
}

async fn write(
    conn: &mut SqliteConnection,
    fact: &DeliveryFact,
    state: State,
) -> Result<(), sqlx::Error> {
    let (owed, standing) = (&fact.owed, &fact.standing);
    sqlx::query(
        "insert into delivery (delivery_id, alert_id, recipient_id, purpose, step, round, method, kind, address, \
         language, lane, critical, state, reason, code, subject, body, possible_repeat, renumbered, awaiting, attempts, \
         avoid_node, avoid_channel, prefer_node, prefer_channel, created_at_ms, wanted_since_ms, due_at_ms, \
         expires_at_ms, ended_at_ms, validity_ms) \
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, 0, 0, '', \
         ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28) \
         on conflict (delivery_id) do update set kind = ?8, address = ?9, language = ?10, lane = ?11, critical = ?12, \
         state = ?13, reason = ?14, code = ?15, subject = ?16, body = ?17, possible_repeat = ?18, renumbered = ?19, \
         prefer_node = ?21, prefer_channel = ?22, created_at_ms = ?23, wanted_since_ms = ?24, due_at_ms = ?25, \
         expires_at_ms = ?26, ended_at_ms = ?27, validity_ms = ?28",
    )
    .bind(fact.delivery.as_bytes())
    .bind(fact.alert.as_bytes())
    .bind(fact.recipient.as_bytes())
    .bind(&fact.purpose)
    .bind(i64::from(fact.step))
    .bind(i64::from(fact.round))
    .bind(i64::from(fact.method))
    .bind(&owed.kind)
    .bind(&owed.address)
    .bind(&owed.language)
    .bind(owed.lane)
    .bind(owed.critical)
    .bind(state.name())
    .bind(&standing.reason)
    .bind(&owed.code)
    .bind(&owed.subject)
    .bind(&owed.body)
    .bind(fact.possible_repeat)
    .bind(fact.renumbered)
    .bind(fact.purpose == Purpose::Page.name())
    .bind(owed.prefer.0.0.cast_signed())
    .bind(&owed.prefer.1)
    .bind(owed.created_at.0)
    .bind(standing.wanted_since.0)
    .bind(standing.due_at.0)
    .bind(fact.expires_at.0)
    .bind(standing.ended_at.map(|at| at.0))
    .bind(owed.validity_ms)
    .execute(conn)
    .await?;
    Ok(())
}

async fn write_attempt(
    conn: &mut SqliteConnection,
    fact: &AttemptFact,
    state: &str,
    report: &str,
) -> Result<(), sqlx::Error> {
    let end = &fact.end;
    sqlx::query(
        "insert into attempt (delivery_id, attempt, node_id, channel, number, state, detail, parts, text_hash, wall_ms, \
         assigned_at_ms, ended_at_ms, report, reported_at_ms) \
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14) \
         on conflict (delivery_id, attempt) do update set node_id = ?3, channel = ?4, number = ?5, state = ?6, \
         detail = ?7, parts = ?8, text_hash = ?9, wall_ms = ?10, assigned_at_ms = ?11, ended_at_ms = ?12, \
         report = ?13, reported_at_ms = ?14",
    )
    .bind(fact.delivery.as_bytes())
    .bind(i64::from(fact.attempt))
    .bind(fact.node.0.cast_signed())
    .bind(&fact.channel)
    .bind(&fact.number)
    .bind(state)
    .bind(&end.detail)
    .bind(i64::from(end.parts))
    .bind(&end.text_hash)
    .bind(end.wall_ms)
    .bind(fact.assigned_at.0)
    .bind(end.ended_at.map(|at| at.0))
    .bind(report)
    .bind(end.reported_at.map(|at| at.0))
    .execute(conn)
    .await?;
    Ok(())
}
