//! Writes to `schedule` and the tables around it.

use sqlx::SqliteConnection;

use super::{
    Command, CreateFeed, FixedShift, Layer, Override, REDIRECT_PEOPLE_MAX, Redirect, Rotation,
    Schedule, Subject, Target, query, rules, settle,
};
use crate::apply::Entry;
use crate::outcome::{Outcome, Receipt, Refusal};
use crate::recipients::Named;
use crate::time::CivilTime;
use crate::zones::{self, WallTime};
use crate::{nodes, recipients, rows};

/// How long overrides are kept after their end, for who looks back: 400 days in minutes.
const OVERRIDES_KEPT_MIN: i64 = 400 * 1_440;

pub(crate) async fn apply(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    command: &Command,
) -> Result<Outcome, sqlx::Error> {
    match command {
        Command::Put(schedule) => put(conn, entry, schedule).await,
        Command::Remove { schedule } => remove(conn, schedule).await,
        Command::PutFixed { schedule, shifts } => put_fixed(conn, entry, schedule, shifts).await,
        Command::AddOverride { schedule, order } => {
            add_override(conn, entry, schedule, order).await
        }
        Command::RemoveOverride { schedule, number } => {
            remove_override(conn, schedule, *number).await
        }
        Command::Redirect { schedule, redirect } => match redirect {
            Some(redirect) => set_redirect(conn, entry, schedule, redirect).await,
            None => clear_redirect(conn, schedule).await,
        },
        Command::ProposeSwap { schedule, swap } => {
            settle::propose(conn, entry, schedule, swap).await
        }
        Command::SettleSwap {
            schedule,
            number,
            verdict,
        } => settle::settle(conn, entry, schedule, *number, verdict).await,
        Command::CreateFeed(feed) => create_feed(conn, entry, feed).await,
        Command::RevokeFeed { id } => revoke_feed(conn, entry, id).await,
    }
}

async fn put(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    schedule: &Schedule,
) -> Result<Outcome, sqlx::Error> {
    if let Err(problem) = rules::check_schedule(schedule) {
        return Ok(Outcome::Refused(Refusal::Invalid(problem)));
    }
    let named = std::collections::BTreeSet::from([schedule.zone.clone()]);
    if zones::load(conn, &named).await?.is_empty() {
        let problem = zones::unknown_zone(&schedule.zone);
        return Ok(Outcome::Refused(Refusal::Invalid(problem)));
    }
    let turns = schedule.layers.iter().flat_map(|layer| &layer.turns);
    let fixed = schedule.fixed.iter().map(|shift| &shift.person);
    let people: Vec<String> = turns.flatten().chain(fixed).cloned().collect();
    if let Some(unknown) = recipients::first_unknown_person(conn, &people).await? {
        return Ok(Outcome::Refused(Refusal::UnknownRecipient(unknown)));
    }
    let others: u32 = sqlx::query_scalar("select count(*) from schedule where schedule_key <> ?")
        .bind(&schedule.key)
        .fetch_one(&mut *conn)
        .await?;
    if others >= rules::SCHEDULES_MAX {
        return Ok(Outcome::Refused(Refusal::Invalid(format!(
            "there are {others} schedules, the most that are kept; remove one"
        ))));
    }
    let key = &schedule.key;
    sqlx::query(
        "insert into schedule (schedule_key, name, zone, updated_at_ms, updated_by) values (?, ?, ?, ?, ?) \
         on conflict (schedule_key) do update set name = excluded.name, zone = excluded.zone, \
         updated_at_ms = excluded.updated_at_ms, updated_by = excluded.updated_by",
    )
    .bind(key)
    .bind(&schedule.name)
    .bind(&schedule.zone)
    .bind(entry.at.0)
    .bind(entry.envelope.actor.label())
    .execute(&mut *conn)
    .await?;
    for sql in [
        "delete from schedule_layer where schedule_key = ?",
        "delete from fixed_shift where schedule_key = ?",
    ] {
        sqlx::query(sql).bind(key).execute(&mut *conn).await?;
    }
    for (layer, position) in schedule.layers.iter().zip(0_i64..) {
        insert_layer(conn, key, position, layer).await?;
    }
    for (shift, position) in schedule.fixed.iter().zip(0_i64..) {
        insert_fixed(conn, key, position, shift).await?;
    }
    Ok(Outcome::Applied(Receipt::Count(1)))
}

async fn insert_layer(
    conn: &mut SqliteConnection,
    schedule: &str,
    position: i64,
    layer: &Layer,
) -> Result<(), sqlx::Error> {
    let (rotation, lengths) = match &layer.rotation {
        Rotation::Hourly(every) => ("hourly", vec![u32::from(*every)]),
        Rotation::Daily(every) => ("daily", vec![u32::from(*every)]),
        Rotation::Weekly(every) => ("weekly", vec![u32::from(*every)]),
        Rotation::Custom(lengths) => ("custom", lengths.clone()),
    };
    let windows = layer.windows.iter().map(|w| (&w.days, w.from, w.to));
    sqlx::query(
        "insert into schedule_layer (schedule_key, position, name, rotation, lengths, start_wall, until_wall, turns, windows) \
         values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(schedule)
    .bind(position)
    .bind(&layer.name)
    .bind(rotation)
    .bind(rows::to_json(&lengths)?)
    .bind(layer.start.0)
    .bind(layer.until.map(|until| until.0))
    .bind(rows::to_json(&layer.turns)?)
    .bind(rows::to_json(&windows.collect::<Vec<_>>())?)
    .execute(conn)
    .await?;
    Ok(())
}

async fn insert_fixed(
    conn: &mut SqliteConnection,
    schedule: &str,
    position: i64,
    shift: &FixedShift,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into fixed_shift (schedule_key, position, from_wall, to_wall, person_key, uid) values (?, ?, ?, ?, ?, ?)",
    )
    .bind(schedule)
    .bind(position)
    .bind(shift.from.0)
    .bind(shift.to.0)
    .bind(&shift.person)
    .bind(&shift.uid)
    .execute(conn)
    .await?;
    Ok(())
}

async fn remove(conn: &mut SqliteConnection, schedule: &str) -> Result<Outcome, sqlx::Error> {
    let done = sqlx::query("delete from schedule where schedule_key = ?")
        .bind(schedule)
        .execute(&mut *conn)
        .await?;
    if done.rows_affected() == 0 {
        return Ok(unknown(schedule));
    }
    for sql in [
        "delete from schedule_layer where schedule_key = ?",
        "delete from fixed_shift where schedule_key = ?",
        "delete from schedule_override where schedule_key = ?",
        "delete from schedule_redirect where schedule_key = ?",
        "delete from shift_swap where schedule_key = ?",
        "delete from schedule_redirect where target_kind = 'schedule' and target_key = ?",
    ] {
        sqlx::query(sql).bind(schedule).execute(&mut *conn).await?;
    }
    Ok(Outcome::Applied(Receipt::Count(1)))
}

async fn put_fixed(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    key: &str,
    shifts: &[FixedShift],
) -> Result<Outcome, sqlx::Error> {
    let Some(row) = query::schedule(conn, key).await? else {
        return Ok(unknown(key));
    };
    if let Err(problem) = rules::check_fixed(shifts) {
        return Ok(Outcome::Refused(Refusal::Invalid(problem)));
    }
    let mut schedule = row.schedule;
    let before = schedule.fixed.clone();
    schedule.fixed.retain(|old| {
        let replaced = |new: &FixedShift| !new.uid.is_empty() && new.uid == old.uid;
        !shifts.iter().any(|new| replaced(new) || new == old)
    });
    schedule.fixed.extend_from_slice(shifts);
    schedule.fixed.sort_by(|one, other| {
        (one.from, one.to, &one.person).cmp(&(other.from, other.to, &other.person))
    });
    if schedule.fixed == before {
        return Ok(Outcome::Unchanged);
    }
    match put(conn, entry, &schedule).await? {
        Outcome::Applied(_) => Ok(Outcome::Applied(Receipt::Count(shifts.len() as u64))),
        other @ (Outcome::Unchanged
        | Outcome::Refused(_)
        | Outcome::Conflict
        | Outcome::Defect(_)) => Ok(other),
    }
}

async fn add_override(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    schedule: &str,
    order: &Override,
) -> Result<Outcome, sqlx::Error> {
    if let Err(problem) = rules::check_override(order) {
        return Ok(Outcome::Refused(Refusal::Invalid(problem)));
    }
    if !exists(conn, schedule).await? {
        return Ok(unknown(schedule));
    }
    let named: Vec<String> = order.instead.iter().chain(&order.of).cloned().collect();
    if let Some(unknown) = recipients::first_unknown_person(conn, &named).await? {
        return Ok(Outcome::Refused(Refusal::UnknownRecipient(unknown)));
    }
    match insert_override(conn, entry, schedule, 0, order).await? {
        Some(number) => Ok(Outcome::Applied(Receipt::Number(number))),
        None => Ok(too_many_overrides()),
    }
}

pub(super) fn too_many_overrides() -> Outcome {
    Outcome::Refused(Refusal::Invalid(format!(
        "the schedule has {} overrides ahead; remove some, or change its layers",
        rules::OVERRIDES_MAX
    )))
}

/// Adds an override and forgets those that ended long ago. Gives its number, or nothing when there are too many.
pub(super) async fn insert_override(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    schedule: &str,
    swap: u64,
    order: &Override,
) -> Result<Option<u64>, sqlx::Error> {
    let today = wall_now(conn, entry).await?;
    sqlx::query("delete from schedule_override where schedule_key = ? and to_wall < ?")
        .bind(schedule)
        .bind(today.0 - OVERRIDES_KEPT_MIN)
        .execute(&mut *conn)
        .await?;
    let (ahead, last): (i64, i64) = sqlx::query_as(
        "select count(*) filter (where to_wall >= ?2), coalesce(max(number), 0) from schedule_override \
         where schedule_key = ?1",
    )
    .bind(schedule)
    .bind(today.0)
    .fetch_one(&mut *conn)
    .await?;
    if usize::try_from(ahead).unwrap_or(usize::MAX) >= rules::OVERRIDES_MAX {
        return Ok(None);
    }
    sqlx::query(
        "insert into schedule_override (schedule_key, number, swap, from_wall, to_wall, instead, of_person, reason, \
         made_at_ms, made_by) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(schedule)
    .bind(last + 1)
    .bind(swap.cast_signed())
    .bind(order.from.0)
    .bind(order.to.0)
    .bind(rows::to_json(&order.instead)?)
    .bind(&order.of)
    .bind(&order.reason)
    .bind(entry.at.0)
    .bind(entry.envelope.actor.label())
    .execute(conn)
    .await?;
    Ok(Some((last + 1).cast_unsigned()))
}

async fn remove_override(
    conn: &mut SqliteConnection,
    schedule: &str,
    number: u64,
) -> Result<Outcome, sqlx::Error> {
    // The two of a swap go together: half a swap would leave one person with both shifts.
    let done = sqlx::query(
        "delete from schedule_override where schedule_key = ?1 and (number = ?2 or swap <> 0 and swap = \
         (select swap from schedule_override where schedule_key = ?1 and number = ?2))",
    )
    .bind(schedule)
    .bind(number.cast_signed())
    .execute(conn)
    .await?;
    Ok(match done.rows_affected() {
        0 => Outcome::Refused(Refusal::NoSuch(format!(
            "there is no override {number} in schedule {schedule}"
        ))),
        removed => Outcome::Applied(Receipt::Count(removed)),
    })
}

async fn set_redirect(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    schedule: &str,
    redirect: &Redirect,
) -> Result<Outcome, sqlx::Error> {
    if let Err(problem) = rules::check_redirect(schedule, redirect) {
        return Ok(Outcome::Refused(Refusal::Invalid(problem)));
    }
    if !exists(conn, schedule).await? {
        return Ok(unknown(schedule));
    }
    let (kind, key) = match &redirect.target {
        Target::Schedule(key) if !exists(conn, key).await? => return Ok(unknown(key)),
        Target::Schedule(key) => ("schedule", key),
        Target::Person(key) => {
            let named = std::slice::from_ref(key);
            if let Some(unknown) = recipients::first_unknown_person(conn, named).await? {
                return Ok(Outcome::Refused(Refusal::UnknownRecipient(unknown)));
            }
            ("person", key)
        }
        Target::Group(key) => {
            let named = Named::Group(key.clone());
            match recipients::resolve(conn, &[named]).await? {
                Err(refusal) => return Ok(Outcome::Refused(refusal)),
                Ok(people) if people.is_empty() || people.len() > REDIRECT_PEOPLE_MAX => {
                    let problem = format!(
                        "group {key} has {} people; a schedule is redirected to a group of 1 to {REDIRECT_PEOPLE_MAX}",
                        people.len()
                    );
                    return Ok(Outcome::Refused(Refusal::Invalid(problem)));
                }
                Ok(_) => ("group", key),
            }
        }
    };
    sqlx::query(
        "insert into schedule_redirect (schedule_key, from_wall, to_wall, target_kind, target_key, reason, made_at_ms, \
         made_by) values (?, ?, ?, ?, ?, ?, ?, ?) on conflict (schedule_key) do update set \
         from_wall = excluded.from_wall, to_wall = excluded.to_wall, target_kind = excluded.target_kind, \
         target_key = excluded.target_key, reason = excluded.reason, made_at_ms = excluded.made_at_ms, \
         made_by = excluded.made_by",
    )
    .bind(schedule)
    .bind(redirect.from.0)
    .bind(redirect.to.map(|to| to.0))
    .bind(kind)
    .bind(key)
    .bind(&redirect.reason)
    .bind(entry.at.0)
    .bind(entry.envelope.actor.label())
    .execute(conn)
    .await?;
    Ok(Outcome::Applied(Receipt::None))
}

async fn clear_redirect(
    conn: &mut SqliteConnection,
    schedule: &str,
) -> Result<Outcome, sqlx::Error> {
    if !exists(conn, schedule).await? {
        return Ok(unknown(schedule));
    }
    let done = sqlx::query("delete from schedule_redirect where schedule_key = ?")
        .bind(schedule)
        .execute(conn)
        .await?;
    Ok(match done.rows_affected() {
        0 => Outcome::Unchanged,
        _ => Outcome::Applied(Receipt::None),
    })
}

async fn create_feed(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    feed: &CreateFeed,
) -> Result<Outcome, sqlx::Error> {
    let live: u32 =
        sqlx::query_scalar("select count(*) from calendar_feed where revoked_at_ms is null")
            .fetch_one(&mut *conn)
            .await?;
    if live >= rules::FEEDS_MAX {
        return Ok(Outcome::Refused(Refusal::Invalid(format!(
            "there are {live} calendar feeds, the most that are kept; revoke one"
        ))));
    }
    let (kind, key) = match &feed.subject {
        Subject::Schedule(key) if !exists(conn, key).await? => return Ok(unknown(key)),
        Subject::Schedule(key) => ("schedule", key),
        Subject::Person(key) => {
            let named = std::slice::from_ref(key);
            if let Some(unknown) = recipients::first_unknown_person(conn, named).await? {
                return Ok(Outcome::Refused(Refusal::UnknownRecipient(unknown)));
            }
            ("person", key)
        }
    };
    let made = sqlx::query(
        "insert into calendar_feed (feed_id, subject_kind, subject_key, secret_hash, created_at_ms, created_by, \
         revoked_at_ms) values (?, ?, ?, ?, ?, ?, null) on conflict (feed_id) do nothing",
    )
    .bind(&feed.id)
    .bind(kind)
    .bind(key)
    .bind(feed.secret_hash.as_slice())
    .bind(entry.at.0)
    .bind(entry.envelope.actor.label())
    .execute(conn)
    .await?;
    Ok(match made.rows_affected() {
        0 => Outcome::Unchanged,
        _ => Outcome::Applied(Receipt::None),
    })
}

async fn revoke_feed(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    id: &str,
) -> Result<Outcome, sqlx::Error> {
    let done = sqlx::query(
        "update calendar_feed set revoked_at_ms = coalesce(revoked_at_ms, ?) where feed_id = ?",
    )
    .bind(entry.at.0)
    .bind(id)
    .execute(conn)
    .await?;
    Ok(match done.rows_affected() {
        0 => Outcome::Refused(Refusal::NoSuch("there is no such calendar feed".to_owned())),
        _ => Outcome::Applied(Receipt::None),
    })
}

pub(super) async fn exists(
    conn: &mut SqliteConnection,
    schedule: &str,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select exists (select 1 from schedule where schedule_key = ?)")
        .bind(schedule)
        .fetch_one(conn)
        .await
}

pub(super) fn unknown(schedule: &str) -> Outcome {
    Outcome::Refused(Refusal::UnknownSchedule(schedule.to_owned()))
}

/// Civil time of an entry.
pub(super) async fn civil_now(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
) -> Result<CivilTime, sqlx::Error> {
    Ok(nodes::civil(conn).await?.at(entry.at))
}

/// About what walls show at an entry, whatever the zone.
async fn wall_now(conn: &mut SqliteConnection, entry: &Entry<'_>) -> Result<WallTime, sqlx::Error> {
    let civil = civil_now(conn, entry).await?;
    Ok(WallTime(civil.0.div_euclid(60_000)))
}
