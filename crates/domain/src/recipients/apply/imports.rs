//! Writes of imports: what goes in at once, what waits, and what becomes of that.

use std::collections::BTreeSet;

use serde_json::json;
use sqlx::SqliteConnection;

use super::{erase_people, unknown_waker, write_people};
use crate::apply::Entry;
use crate::codec;
use crate::ids::{GroupId, ImportId, RecipientId};
use crate::outcome::{Outcome, Receipt, Refusal};
use crate::recipients::query::{self, ImportState};
use crate::recipients::{Import, Join, check_import, check_reason};
use crate::rows;

/// How long an import waits for a person: 7 days.
const WAIT_MS: i64 = 7 * 24 * 3_600_000;
/// Imports that may wait at once.
const WAITING_MAX: i64 = 20;
/// Imports that are remembered, those that wait included.
const KEPT_MAX: i64 = 200;

pub(super) async fn import(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    import: &Import,
) -> Result<Outcome, sqlx::Error> {
    if let Some(refusal) = refusal(conn, import).await? {
        return Ok(Outcome::Refused(refusal));
    }
    expire(conn, entry).await?;
    let weight = query::weight(conn, import).await?;
    let absent = known(conn, &import.absent).await?;
    let mut reasons = weight.waits;
    let people_wait = !reasons.is_empty();
    if !absent.is_empty() {
        reasons.push(format!("it would remove {} people", absent.len()));
    }
    let mut held = Import {
        source: import.source.clone(),
        absent,
        ..Import::default()
    };
    let mut applied = 0;
    if people_wait {
        held.people.clone_from(&import.people);
        held.joins.clone_from(&import.joins);
    } else if !weight.changes.is_empty() {
        put(conn, entry, import).await?;
        applied = weight.changes.len() as u64;
    }
    let waits = !reasons.is_empty();
    if !waits && applied == 0 {
        return Ok(Outcome::Unchanged);
    }
    if waits {
        let others: i64 = sqlx::query_scalar(
            "select count(*) from directory_import where state = 'waiting' and source <> ?",
        )
        .bind(&import.source)
        .fetch_one(&mut *conn)
        .await?;
        if others >= WAITING_MAX {
            return Ok(Outcome::Refused(Refusal::Invalid(format!(
                "{others} imports wait for a person already; approve or reject some first"
            ))));
        }
        replace(conn, entry, &import.source).await?;
    }
    let id = ImportId::derive(&[entry.envelope.request.as_bytes()]);
    remember(
        conn,
        entry,
        id,
        &held,
        &reasons,
        weight.changes.len() as u64,
        applied,
    )
    .await?;
    Ok(Outcome::Applied(Receipt::Import { id, applied, waits }))
}

/// What is wrong with an import as things stand.
async fn refusal(
    conn: &mut SqliteConnection,
    import: &Import,
) -> Result<Option<Refusal>, sqlx::Error> {
    if let Err(problem) = check_import(import) {
        return Ok(Some(Refusal::Invalid(problem)));
    }
    if let Some(freeze) = query::freeze(conn).await? {
        let (by, reason) = (freeze.by, freeze.reason);
        return Ok(Some(Refusal::ImportsFrozen { by, reason }));
    }
    if let Some(unknown) = unknown_waker(conn, &import.people).await? {
        return Ok(Some(Refusal::UnknownRecipient(unknown)));
    }
    let put: BTreeSet<&str> = import.people.iter().map(|p| p.key.as_str()).collect();
    let joined: Vec<&str> = import
        .joins
        .iter()
        .flat_map(|join| &join.people)
        .map(String::as_str)
        .filter(|key| !put.contains(key))
        .collect();
    let unknown = query::first_unknown_person(conn, &joined).await?;
    Ok(unknown.map(Refusal::UnknownRecipient))
}

pub(super) async fn decide(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    id: ImportId,
    approve: bool,
) -> Result<Outcome, sqlx::Error> {
    let Some(row) = query::import(conn, id, entry.at).await? else {
        return Ok(Outcome::Refused(Refusal::UnknownImport));
    };
    if row.state != ImportState::Waiting {
        let state = row.state.name().to_owned();
        return Ok(Outcome::Refused(Refusal::ImportDecided(state)));
    }
    let mut applied = 0;
    if approve {
        if let Some(freeze) = query::freeze(conn).await? {
            let (by, reason) = (freeze.by, freeze.reason);
            return Ok(Outcome::Refused(Refusal::ImportsFrozen { by, reason }));
        }
        let held = query::waiting(conn, id).await?.unwrap_or_default();
        // Whoever was to wake somebody may be gone by now.
        if let Some(unknown) = unknown_waker(conn, &held.people).await? {
            return Ok(Outcome::Refused(Refusal::UnknownRecipient(unknown)));
        }
        applied = query::weight(conn, &held).await?.changes.len() as u64;
        put(conn, entry, &held).await?;
        let absent: Vec<&str> = held.absent.iter().map(String::as_str).collect();
        applied += erase_people(conn, entry, &absent).await?;
    }
    let state = if approve {
        ImportState::Approved
    } else {
        ImportState::Rejected
    };
    sqlx::query(
        "update directory_import set state = ?, applied = applied + ?, decided_by = ?, decided_at_ms = ?, payload = x'' \
         where import_id = ?",
    )
    .bind(state.name())
    .bind(applied.cast_signed())
    .bind(entry.envelope.actor.label())
    .bind(entry.at.0)
    .bind(id.as_bytes())
    .execute(conn)
    .await?;
    let waits = false;
    Ok(Outcome::Applied(Receipt::Import { id, applied, waits }))
}

pub(super) async fn freeze(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    reason: &str,
) -> Result<Outcome, sqlx::Error> {
    if let Err(problem) = check_reason(reason) {
        return Ok(Outcome::Refused(Refusal::Invalid(problem)));
    }
    let done = sqlx::query(
        "insert into import_freeze (id, reason, frozen_by, since_ms) values (1, ?, ?, ?) on conflict (id) do nothing",
    )
    .bind(reason)
    .bind(entry.envelope.actor.label())
    .bind(entry.at.0)
    .execute(conn)
    .await?;
    Ok(changed(done.rows_affected()))
}

pub(super) async fn thaw(conn: &mut SqliteConnection) -> Result<Outcome, sqlx::Error> {
    let done = sqlx::query("delete from import_freeze where id = 1")
        .execute(conn)
        .await?;
    Ok(changed(done.rows_affected()))
}

fn changed(rows: u64) -> Outcome {
    match rows {
        0 => Outcome::Unchanged,
        _ => Outcome::Applied(Receipt::None),
    }
}

/// Writes the people of an import and adds them to groups.
async fn put(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    import: &Import,
) -> Result<(), sqlx::Error> {
    if !import.people.is_empty() {
        write_people(conn, entry, &import.people).await?;
    }
    for join in &import.joins {
        add_members(conn, join).await?;
    }
    Ok(())
}

/// Adds those who are not in a group yet at its end, in the order named. A group nobody made is made.
async fn add_members(conn: &mut SqliteConnection, join: &Join) -> Result<(), sqlx::Error> {
    let id = GroupId::of_key(&join.group);
    sqlx::query(
        "insert into person_group (group_id, key, name) values (?1, ?2, ?2) on conflict (group_id) do nothing",
    )
    .bind(id.as_bytes())
    .bind(&join.group)
    .execute(&mut *conn)
    .await?;
    let people: Vec<RecipientId> = join
        .people
        .iter()
        .map(|key| RecipientId::of_key(key))
        .collect();
    sqlx::query(
        "insert into group_member (group_id, position, recipient_id) \
         select ?1, (select coalesce(max(position), -1) from (\
         select position from group_member where group_id = ?1 union all \
         select position from group_inner where group_id = ?1)) + 1 + min(j.key), p.recipient_id \
         from json_each(?2) j join person p on p.recipient_id = unhex(j.value) and p.removed_at_ms is null \
         where not exists (select 1 from group_member m where m.group_id = ?1 and m.recipient_id = p.recipient_id) \
         group by p.recipient_id order by min(j.key)",
    )
    .bind(id.as_bytes())
    .bind(rows::hex_array(people.iter().map(RecipientId::as_bytes)))
    .execute(conn)
    .await?;
    Ok(())
}

/// Those of these keys that name somebody.
async fn known(conn: &mut SqliteConnection, keys: &[String]) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar(
        "select key from person where removed_at_ms is null and key in (select value from json_each(?)) order by key",
    )
    .bind(rows::to_json(&keys)?)
    .fetch_all(conn)
    .await
}

/// Ends what waited too long.
async fn expire(conn: &mut SqliteConnection, entry: &Entry<'_>) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update directory_import set state = 'expired', decided_at_ms = expires_at_ms, payload = x'' \
         where state = 'waiting' and expires_at_ms <= ?",
    )
    .bind(entry.at.0)
    .execute(conn)
    .await?;
    Ok(())
}

/// Lets what waits of a source give way to what comes now.
async fn replace(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    source: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update directory_import set state = 'replaced', decided_at_ms = ?, payload = x'' \
         where state = 'waiting' and source = ?",
    )
    .bind(entry.at.0)
    .bind(source)
    .execute(conn)
    .await?;
    Ok(())
}

/// Writes down what an import came to, with what of it waits, and forgets the oldest.
async fn remember(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    id: ImportId,
    held: &Import,
    reasons: &[String],
    people: u64,
    applied: u64,
) -> Result<(), sqlx::Error> {
    let (state, payload) = if reasons.is_empty() {
        (ImportState::Done, Vec::new())
    } else {
        let payload = codec::encode(held).map_err(|e| sqlx::Error::Encode(e.into()))?;
        (ImportState::Waiting, payload)
    };
    sqlx::query(
        "insert into directory_import (import_id, source, asked_by, asked_at_ms, expires_at_ms, state, reasons, people, \
         absent, applied, decided_by, decided_at_ms, payload) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '', null, ?) \
         on conflict (import_id) do nothing",
    )
    .bind(id.as_bytes())
    .bind(&held.source)
    .bind(entry.envelope.actor.label())
    .bind(entry.at.0)
    .bind(entry.at.0.saturating_add(WAIT_MS))
    .bind(state.name())
    .bind(json!(reasons).to_string())
    .bind(people.cast_signed())
    .bind(held.absent.len() as i64)
    .bind(applied.cast_signed())
    .bind(payload)
    .execute(&mut *conn)
    .await?;
    sqlx::query(
        "delete from directory_import where state <> 'waiting' and import_id not in \
         (select import_id from directory_import order by asked_at_ms desc, import_id limit ?)",
    )
    .bind(KEPT_MAX)
    .execute(conn)
    .await?;
    Ok(())
}
