//! One value for everything islands join: equal in two histories that know the same facts.

use sha2::{Digest, Sha256};
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

use crate::digest::add_row;

/// A digest of alerts, acts on them, automations that fired, people called, marks, deliveries, attempts, rooms with
/// all that is said in them, and texts received, each by its own time and id.
///
/// Left out is what each history has of its own: numbers and places given by the order of a log, when things are due,
/// where deliveries stand (that follows from their attempts, answers and ends), replies, requests, the audit.
pub async fn merge_digest(conn: &mut SqliteConnection) -> Result<[u8; 32], sqlx::Error> {
    let mut hash = Sha256::new();
    let alerts = sqlx::query(
        "select alert_id, severity, status, kind, texts, gather, source, dedup_key, raised_by, raised_at_ms, issued_by, \
         aware_at_ms, people, acknowledged_at_ms, acknowledged_by, \
         case when state in ('called_off', 'resolved') then state end as ending, \
         case when state in ('called_off', 'resolved') then closed_at_ms end as ended_at_ms, \
         case when state in ('called_off', 'resolved') then closed_by end as ended_by, note, joined_into, \
         joined_at_ms, joined_by, (select group_concat(label) from (select label from alert_label l \
          where l.alert_id = alert.alert_id order by origin, counter)) as labels \
         from alert order by raised_at_ms, alert_id",
    )
    .fetch_all(&mut *conn)
    .await?;
    add(&mut hash, "alert", &alerts)?;
    let calls = sqlx::query(
        "select c.alert_id, c.recipient_id, c.position, c.step, c.called_at_ms, c.answer, c.answered_at_ms, \
         c.answered_from, c.word, c.reminded, c.eta_min, \
          (select group_concat(code) from (select c.code as code union select x.code from call_code x \
          where x.alert_id = c.alert_id and x.recipient_id = c.recipient_id order by code)) as codes \
         from called_person c order by c.called_at_ms, c.alert_id, c.recipient_id",
    )
    .fetch_all(&mut *conn)
    .await?;
    add(&mut hash, "call", &calls)?;
    let acts = sqlx::query(
        "select act_id, alert_id, at_ms, by_whom, content, reason from alert_act order by at_ms, act_id",
    )
    .fetch_all(&mut *conn)
    .await?;
    add(&mut hash, "act", &acts)?;
    let fired = sqlx::query(
        "select alert_id, number, at_ms, cause, did from automation_fired order by at_ms, alert_id, number",
    )
    .fetch_all(&mut *conn)
    .await?;
    add(&mut hash, "automation", &fired)?;
    let marks =
        sqlx::query("select * from safety_mark order by at_ms, alert_id, recipient_id, marked_by")
            .fetch_all(&mut *conn)
            .await?;
    add(&mut hash, "mark", &marks)?;
    let deliveries = sqlx::query(
        "select delivery_id, alert_id, recipient_id, purpose, step, round, method, kind, address, language, lane, \
         critical, code, created_at_ms from delivery where purpose = 'page' order by created_at_ms, delivery_id",
    )
    .fetch_all(&mut *conn)
    .await?;
    add(&mut hash, "delivery", &deliveries)?;
    let attempts = sqlx::query(
        "select a.* from attempt a join delivery d on d.delivery_id = a.delivery_id where d.purpose = 'page' \
         order by a.assigned_at_ms, a.delivery_id, a.attempt",
    )
    .fetch_all(&mut *conn)
    .await?;
    add(&mut hash, "attempt", &attempts)?;
    let messages = sqlx::query(
        "select message_id, room_id, author, via, text, at_ms from message order by at_ms, message_id",
    )
    .fetch_all(&mut *conn)
    .await?;
    add(&mut hash, "message", &messages)?;
    add_talk(&mut *conn, &mut hash).await?;
    let texts = sqlx::query(
        "select inbound_key, node_id, channel, sender, text, sent_at_ms, received_at_ms, wall_ms, damaged \
         from inbound_text order by received_at_ms, inbound_key",
    )
    .fetch_all(conn)
    .await?;
    add(&mut hash, "inbound", &texts)?;
    Ok(hash.finalize().into())
}

/// Rows of rooms beside their messages. Chains are each history's own.
async fn add_talk(conn: &mut SqliteConnection, hash: &mut Sha256) -> Result<(), sqlx::Error> {
    let rows = sqlx::query("select * from room order by room_id")
        .fetch_all(&mut *conn)
        .await?;
    add(hash, "room", &rows)?;
    let rows = sqlx::query("select * from room_member order by room_id, recipient_id")
        .fetch_all(&mut *conn)
        .await?;
    add(hash, "room_member", &rows)?;
    let rows = sqlx::query("select * from message_more order by message_id")
        .fetch_all(&mut *conn)
        .await?;
    add(hash, "message_more", &rows)?;
    let rows = sqlx::query("select * from message_edit order by edit_id")
        .fetch_all(&mut *conn)
        .await?;
    add(hash, "message_edit", &rows)?;
    let rows = sqlx::query("select * from message_mark order by mark_id")
        .fetch_all(&mut *conn)
        .await?;
    add(hash, "message_mark", &rows)?;
    let rows = sqlx::query("select * from message_pin order by message_id")
        .fetch_all(&mut *conn)
        .await?;
    add(hash, "message_pin", &rows)?;
    let rows = sqlx::query("select * from room_read order by room_id, recipient_id")
        .fetch_all(&mut *conn)
        .await?;
    add(hash, "room_read", &rows)?;
    Ok(())
}

/// Adds rows by value.
fn add(hash: &mut Sha256, table: &str, rows: &[SqliteRow]) -> Result<(), sqlx::Error> {
    hash.update(table.as_bytes());
    hash.update((rows.len() as u64).to_be_bytes());
    for row in rows {
        add_row(hash, row)?;
    }
    Ok(())
}
