//! Reads of schedules and what changes them.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::{
    FixedShift, Layer, Override, Plan, Planned, Redirect, Rotation, Schedule, ShiftRef, Subject,
    Swap, SwapState, Target, Window,
};
use crate::ids::RecipientId;
use crate::recipients::{self, Named};
use crate::rows;
use crate::time::{CivilTime, Timestamp};
use crate::zones::{self, WallTime};

/// No zone's wall is further from UTC than this, and no change of its clocks is larger: minutes.
const WALL_MARGIN_MIN: i64 = 3 * 1_440;

/// A schedule as it was written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ScheduleRow {
    pub schedule: Schedule,
    pub updated_at: Timestamp,
    pub updated_by: String,
}

/// An override with its number within the schedule.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OverrideRow {
    pub number: u64,
    /// The swap it came from.
    pub swap: Option<u64>,
    pub order: Override,
    pub made_at: Timestamp,
    pub made_by: String,
}

/// A schedule's redirect.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RedirectRow {
    pub redirect: Redirect,
    /// Keys of those it goes to, in calling order; nobody when it goes to a schedule.
    pub people: Vec<String>,
    pub made_at: Timestamp,
    pub made_by: String,
}

/// A swap with its number within the schedule.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SwapRow {
    pub number: u64,
    pub state: SwapState,
    pub swap: Swap,
    pub proposed_at: Timestamp,
    pub proposed_by: String,
    pub settled_at: Option<Timestamp>,
    /// Empty while it is open.
    pub settled_by: String,
}

/// A calendar feed without its secret.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FeedRow {
    pub id: String,
    pub subject: Subject,
    pub secret_hash: [u8; 32],
    pub created_at: Timestamp,
    pub created_by: String,
    pub revoked_at: Option<Timestamp>,
}

/// Most people of a group who are on call by a redirect.
pub const REDIRECT_PEOPLE_MAX: usize = 100;

/// Which schedules are read.
#[derive(Clone, Copy, Debug)]
enum Which<'a> {
    All,
    These(&'a BTreeSet<String>),
}

impl Which<'_> {
    /// A JSON array of keys, or null for all: every statement below begins with the same condition.
    fn keys(self) -> Result<Option<String>, sqlx::Error> {
        match self {
            Self::All => Ok(None),
            Self::These(keys) => rows::to_json(keys).map(Some),
        }
    }
}

/// All schedules after `after` (a key; empty: from the start) in order of key, at most `limit`.
pub async fn schedules(
    conn: &mut SqliteConnection,
    after: &str,
    limit: u32,
) -> Result<Vec<ScheduleRow>, sqlx::Error> {
    let keys: Vec<String> = sqlx::query_scalar(
        "select schedule_key from schedule where schedule_key > ? order by schedule_key limit ?",
    )
    .bind(after)
    .bind(i64::from(limit))
    .fetch_all(&mut *conn)
    .await?;
    let keys = keys.into_iter().collect();
    read_schedules(conn, Which::These(&keys), None).await
}

/// The schedule with this key.
pub async fn schedule(
    conn: &mut SqliteConnection,
    key: &str,
) -> Result<Option<ScheduleRow>, sqlx::Error> {
    let keys = BTreeSet::from([key.to_owned()]);
    let found = read_schedules(conn, Which::These(&keys), None).await?;
    Ok(found.into_iter().next())
}

/// What is known of one schedule and of those its calls may be redirected to, for a range of time. Empty when there is
/// no such schedule.
pub async fn plan_of(
    conn: &mut SqliteConnection,
    key: &str,
    from: CivilTime,
    to: CivilTime,
) -> Result<Plan, sqlx::Error> {
    // Followed in the database: what is reached from a redirect's target is needed, too.
    let keys: Vec<String> = sqlx::query_scalar(
        "with recursive reached (key) as (select ? union select r.target_key from reached \
         join schedule_redirect r on r.schedule_key = reached.key where r.target_kind = 'schedule') \
         select key from reached order by key",
    )
    .bind(key)
    .fetch_all(&mut *conn)
    .await?;
    let keys = keys.into_iter().collect();
    read_plan(conn, Which::These(&keys), (from, to)).await
}

/// What is known of all schedules, for a range of time.
pub async fn plan_of_all(
    conn: &mut SqliteConnection,
    from: CivilTime,
    to: CivilTime,
) -> Result<Plan, sqlx::Error> {
    read_plan(conn, Which::All, (from, to)).await
}

/// As [`plan_of_all`], with the keys of the schedules in which this person may be on call.
pub async fn plan_of_person(
    conn: &mut SqliteConnection,
    person: &str,
    from: CivilTime,
    to: CivilTime,
) -> Result<(Plan, Vec<String>), sqlx::Error> {
    let plan = plan_of_all(conn, from, to).await?;
    let keys = plan.schedules().map(|schedule| schedule.key.clone());
    let keys = keys.filter(|key| plan.mentions(key, person)).collect();
    Ok((plan, keys))
}

/// A schedule's overrides that end after a wall time, oldest order first.
pub async fn overrides(
    conn: &mut SqliteConnection,
    key: &str,
    after: WallTime,
) -> Result<Vec<OverrideRow>, sqlx::Error> {
    let keys = BTreeSet::from([key.to_owned()]);
    let walls = (after.0 + 1, i64::MAX);
    let mut found = read_overrides(conn, Which::These(&keys), walls).await?;
    Ok(found.remove(key).unwrap_or_default())
}

/// A schedule's redirect, if it has one.
pub async fn redirect(
    conn: &mut SqliteConnection,
    key: &str,
) -> Result<Option<RedirectRow>, sqlx::Error> {
    let keys = BTreeSet::from([key.to_owned()]);
    let mut found = read_redirects(conn, Which::These(&keys)).await?;
    Ok(found.remove(key))
}

/// A schedule's swaps, newest first, at most 200.
pub async fn swaps(conn: &mut SqliteConnection, key: &str) -> Result<Vec<SwapRow>, sqlx::Error> {
    let found = sqlx::query(
        "select number, state, give_person, give_from_ms, give_to_ms, take_person, take_from_ms, take_to_ms, reason, \
         proposed_at_ms, proposed_by, settled_at_ms, settled_by from shift_swap where schedule_key = ? \
         order by number desc limit 200",
    )
    .bind(key)
    .fetch_all(conn)
    .await?;
    found.iter().map(swap_row).collect()
}

/// One swap of a schedule.
pub(super) async fn swap(
    conn: &mut SqliteConnection,
    key: &str,
    number: u64,
) -> Result<Option<SwapRow>, sqlx::Error> {
    let row = sqlx::query(
        "select number, state, give_person, give_from_ms, give_to_ms, take_person, take_from_ms, take_to_ms, reason, \
         proposed_at_ms, proposed_by, settled_at_ms, settled_by from shift_swap where schedule_key = ? and number = ?",
    )
    .bind(key)
    .bind(number.cast_signed())
    .fetch_optional(conn)
    .await?;
    row.as_ref().map(swap_row).transpose()
}

/// The feed with this public id.
pub async fn feed(conn: &mut SqliteConnection, id: &str) -> Result<Option<FeedRow>, sqlx::Error> {
    let row = sqlx::query(
        "select feed_id, subject_kind, subject_key, secret_hash, created_at_ms, created_by, revoked_at_ms \
         from calendar_feed where feed_id = ?",
    )
    .bind(id)
    .fetch_optional(conn)
    .await?;
    row.as_ref().map(feed_row).transpose()
}

/// All feeds, also ended ones, oldest first.
pub async fn feeds(conn: &mut SqliteConnection) -> Result<Vec<FeedRow>, sqlx::Error> {
    let found = sqlx::query(
        "select feed_id, subject_kind, subject_key, secret_hash, created_at_ms, created_by, revoked_at_ms \
         from calendar_feed order by created_at_ms, feed_id",
    )
    .fetch_all(conn)
    .await?;
    found.iter().map(feed_row).collect()
}

/// The names of these people by key; unknown and removed ones are absent.
pub async fn names_of_people(
    conn: &mut SqliteConnection,
    keys: &BTreeSet<&str>,
) -> Result<BTreeMap<String, String>, sqlx::Error> {
    let found = sqlx::query(
        "select key, name from person where removed_at_ms is null \
         and key in (select value from json_each(?)) order by key",
    )
    .bind(rows::to_json(keys)?)
    .fetch_all(conn)
    .await?;
    found
        .iter()
        .map(|row| Ok((row.try_get("key")?, row.try_get("name")?)))
        .collect()
}

async fn read_plan(
    conn: &mut SqliteConnection,
    which: Which<'_>,
    (from, to): (CivilTime, CivilTime),
) -> Result<Plan, sqlx::Error> {
    let walls = (
        from.0.div_euclid(60_000) - WALL_MARGIN_MIN,
        to.0.div_euclid(60_000) + WALL_MARGIN_MIN,
    );
    let schedules = read_schedules(conn, which, Some(walls)).await?;
    let mut overrides = read_overrides(conn, which, walls).await?;
    let mut redirects = read_redirects(conn, which).await?;
    let names = schedules.iter().map(|row| row.schedule.zone.clone());
    let zones = zones::load(conn, &names.collect()).await?;
    let planned = schedules.into_iter().map(|row| {
        let schedule = row.schedule;
        // Apply takes no schedule without its zone, and zones never go away.
        let zone = zones.get(&schedule.zone).cloned();
        let zone = zone.ok_or_else(|| sqlx::Error::Decode("a schedule lacks its zone".into()))?;
        Ok(Planned {
            zone,
            overrides: overrides.remove(&schedule.key).unwrap_or_default(),
            redirect: redirects.remove(&schedule.key),
            schedule,
        })
    });
    let planned: Vec<Planned> = planned.collect::<Result<_, sqlx::Error>>()?;
    Ok(Plan::new(planned))
}

/// Schedules in order of key, with the fixed shifts that touch `walls`, or all of them.
async fn read_schedules(
    conn: &mut SqliteConnection,
    which: Which<'_>,
    walls: Option<(i64, i64)>,
) -> Result<Vec<ScheduleRow>, sqlx::Error> {
    let found = sqlx::query(
        "select schedule_key, name, zone, updated_at_ms, updated_by from schedule \
         where (?1 is null or schedule_key in (select value from json_each(?1))) order by schedule_key",
    )
    .bind(which.keys()?)
    .fetch_all(&mut *conn)
    .await?;
    let mut layers = read_layers(conn, which).await?;
    let mut fixed = read_fixed(conn, which, walls).await?;
    found
        .iter()
        .map(|row| {
            let key: String = row.try_get("schedule_key")?;
            Ok(ScheduleRow {
                schedule: Schedule {
                    name: row.try_get("name")?,
                    zone: row.try_get("zone")?,
                    layers: layers.remove(&key).unwrap_or_default(),
                    fixed: fixed.remove(&key).unwrap_or_default(),
                    key,
                },
                updated_at: rows::time(row, "updated_at_ms")?,
                updated_by: row.try_get("updated_by")?,
            })
        })
        .collect()
}

async fn read_layers(
    conn: &mut SqliteConnection,
    which: Which<'_>,
) -> Result<BTreeMap<String, Vec<Layer>>, sqlx::Error> {
    let found = sqlx::query(
        "select schedule_key, name, rotation, lengths, start_wall, until_wall, turns, windows from schedule_layer \
         where (?1 is null or schedule_key in (select value from json_each(?1))) order by schedule_key, position",
    )
    .bind(which.keys()?)
    .fetch_all(conn)
    .await?;
    let mut layers: BTreeMap<String, Vec<Layer>> = BTreeMap::new();
    for row in &found {
        let windows: Vec<(Vec<u8>, u16, u16)> = rows::json(row, "windows")?;
        let layer = Layer {
            name: row.try_get("name")?,
            rotation: rotation(row)?,
            start: wall(row, "start_wall")?,
            until: row.try_get::<Option<i64>, _>("until_wall")?.map(WallTime),
            turns: rows::json(row, "turns")?,
            windows: windows
                .into_iter()
                .map(|(days, from, to)| Window { days, from, to })
                .collect(),
        };
        layers
            .entry(row.try_get("schedule_key")?)
            .or_default()
            .push(layer);
    }
    Ok(layers)
}

async fn read_fixed(
    conn: &mut SqliteConnection,
    which: Which<'_>,
    walls: Option<(i64, i64)>,
) -> Result<BTreeMap<String, Vec<FixedShift>>, sqlx::Error> {
    let (from, to) = walls.unwrap_or((i64::MIN, i64::MAX));
    let found = sqlx::query(
        "select schedule_key, from_wall, to_wall, person_key, uid from fixed_shift \
         where to_wall >= ?2 and from_wall <= ?3 \
         and (?1 is null or schedule_key in (select value from json_each(?1))) order by schedule_key, position",
    )
    .bind(which.keys()?)
    .bind(from)
    .bind(to)
    .fetch_all(conn)
    .await?;
    let mut shifts: BTreeMap<String, Vec<FixedShift>> = BTreeMap::new();
    for row in &found {
        let shift = FixedShift {
            from: wall(row, "from_wall")?,
            to: wall(row, "to_wall")?,
            person: row.try_get("person_key")?,
            uid: row.try_get("uid")?,
        };
        shifts
            .entry(row.try_get("schedule_key")?)
            .or_default()
            .push(shift);
    }
    Ok(shifts)
}

async fn read_overrides(
    conn: &mut SqliteConnection,
    which: Which<'_>,
    (from, to): (i64, i64),
) -> Result<BTreeMap<String, Vec<OverrideRow>>, sqlx::Error> {
    let found = sqlx::query(
        "select schedule_key, number, swap, from_wall, to_wall, instead, of_person, reason, made_at_ms, made_by \
         from schedule_override where to_wall >= ?2 and from_wall <= ?3 \
         and (?1 is null or schedule_key in (select value from json_each(?1))) order by schedule_key, number",
    )
    .bind(which.keys()?)
    .bind(from)
    .bind(to)
    .fetch_all(conn)
    .await?;
    let mut overrides: BTreeMap<String, Vec<OverrideRow>> = BTreeMap::new();
    for row in &found {
        let swap: u64 = rows::unsigned(row, "swap")?;
        let made = OverrideRow {
            number: rows::unsigned(row, "number")?,
            swap: (swap != 0).then_some(swap),
            order: Override {
                from: wall(row, "from_wall")?,
                to: wall(row, "to_wall")?,
                instead: rows::json(row, "instead")?,
                of: row.try_get("of_person")?,
                reason: row.try_get("reason")?,
            },
            made_at: rows::time(row, "made_at_ms")?,
            made_by: row.try_get("made_by")?,
        };
        overrides
            .entry(row.try_get("schedule_key")?)
            .or_default()
            .push(made);
    }
    Ok(overrides)
}

async fn read_redirects(
    conn: &mut SqliteConnection,
    which: Which<'_>,
) -> Result<BTreeMap<String, RedirectRow>, sqlx::Error> {
    let found = sqlx::query(
        "select schedule_key, from_wall, to_wall, target_kind, target_key, reason, made_at_ms, made_by \
         from schedule_redirect where (?1 is null or schedule_key in (select value from json_each(?1))) \
         order by schedule_key",
    )
    .bind(which.keys()?)
    .fetch_all(&mut *conn)
    .await?;
    let mut redirects = BTreeMap::new();
    for row in &found {
        let key: String = row.try_get("target_key")?;
        let (target, people) = match row.try_get("target_kind")? {
            "schedule" => (Target::Schedule(key), Vec::new()),
            "group" => {
                let people = people_of_group(conn, &key).await?;
                (Target::Group(key), people)
            }
            _ => (Target::Person(key.clone()), vec![key]),
        };
        let made = RedirectRow {
            redirect: Redirect {
                from: wall(row, "from_wall")?,
                to: row.try_get::<Option<i64>, _>("to_wall")?.map(WallTime),
                target,
                reason: row.try_get("reason")?,
            },
            people,
            made_at: rows::time(row, "made_at_ms")?,
            made_by: row.try_get("made_by")?,
        };
        redirects.insert(row.try_get("schedule_key")?, made);
    }
    Ok(redirects)
}

/// Keys of the people of a group, in calling order; nobody when the group was removed.
pub(super) async fn people_of_group(
    conn: &mut SqliteConnection,
    key: &str,
) -> Result<Vec<String>, sqlx::Error> {
    let named = Named::Group(key.to_owned());
    let found = recipients::resolve(conn, &[named]).await?;
    let mut ids = found.unwrap_or_default();
    ids.truncate(REDIRECT_PEOPLE_MAX);
    let people = recipients::by_ids(conn, &ids).await?;
    let key_of = |id: &RecipientId| {
        let found = people.iter().find(|person| person.id == *id);
        found.map(|person| person.key.clone())
    };
    Ok(ids.iter().filter_map(key_of).collect())
}

fn rotation(row: &SqliteRow) -> Result<Rotation, sqlx::Error> {
    let lengths: Vec<u32> = rows::json(row, "lengths")?;
    let every = || {
        let every = lengths.first().copied().unwrap_or_default();
        u16::try_from(every).map_err(|error| sqlx::Error::Decode(error.into()))
    };
    Ok(match row.try_get("rotation")? {
        "hourly" => Rotation::Hourly(every()?),
        "daily" => Rotation::Daily(every()?),
        "weekly" => Rotation::Weekly(every()?),
        _ => Rotation::Custom(lengths),
    })
}

fn swap_row(row: &SqliteRow) -> Result<SwapRow, sqlx::Error> {
    let civil = |column| row.try_get::<i64, _>(column).map(CivilTime);
    let state = SwapState::parse(row.try_get("state")?);
    Ok(SwapRow {
        number: rows::unsigned(row, "number")?,
        state: state.ok_or_else(|| sqlx::Error::Decode("a swap's state is not known".into()))?,
        swap: Swap {
            give: ShiftRef {
                person: row.try_get("give_person")?,
                from: civil("give_from_ms")?,
                to: civil("give_to_ms")?,
            },
            take: ShiftRef {
                person: row.try_get("take_person")?,
                from: civil("take_from_ms")?,
                to: civil("take_to_ms")?,
            },
            reason: row.try_get("reason")?,
        },
        proposed_at: rows::time(row, "proposed_at_ms")?,
        proposed_by: row.try_get("proposed_by")?,
        settled_at: rows::time_opt(row, "settled_at_ms")?,
        settled_by: row.try_get("settled_by")?,
    })
}

fn feed_row(row: &SqliteRow) -> Result<FeedRow, sqlx::Error> {
    let hash: &[u8] = row.try_get("secret_hash")?;
    let key: String = row.try_get("subject_key")?;
    Ok(FeedRow {
        id: row.try_get("feed_id")?,
        subject: match row.try_get("subject_kind")? {
            "schedule" => Subject::Schedule(key),
            _ => Subject::Person(key),
        },
        secret_hash: hash
            .try_into()
            .map_err(|e: std::array::TryFromSliceError| sqlx::Error::Decode(e.into()))?,
        created_at: rows::time(row, "created_at_ms")?,
        created_by: row.try_get("created_by")?,
        revoked_at: rows::time_opt(row, "revoked_at_ms")?,
    })
}

fn wall(row: &SqliteRow, column: &str) -> Result<WallTime, sqlx::Error> {
    row.try_get::<i64, _>(column).map(WallTime)
}
