//! What nodes say of their machines, and civil time: writes to `machine` and `civil_offset`, and their reads.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::apply::is_member;
use super::rules::JUMP_MAX_MS;
use super::{Disk, MachineReport, Place, Power, SetCivilOffset};
use crate::apply::Entry;
use crate::envelope::Actor;
use crate::ids::NodeId;
use crate::outcome::{Outcome, Receipt, Refusal};
use crate::rows;
use crate::time::{Civil, Timestamp};

/// Offsets read to show times by; what is older is shown by the oldest of them.
const OFFSETS_MAX: i64 = 1_000;

/// The longest name of what a site hangs on, in characters.
const PLACE_LEN_MAX: usize = 100;

/// What a node said last of the machine under it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MachineRow {
    pub node: NodeId,
    /// Its wall clock minus cluster time, milliseconds.
    pub civil_offset_ms: i64,
    /// Jumps of its cluster time since the civil offset was set, milliseconds.
    pub moved_ms: i64,
    /// When it went on from the last stamp after its machine had been off, since the civil offset was set.
    pub resumed_at: Option<Timestamp>,
    /// `ntp`, `rtc`, `none` or empty.
    pub clock_source: String,
    pub synchronised: Option<bool>,
    /// Since when the two above are so.
    pub clock_since: Timestamp,
    pub disk: Disk,
    pub disk_free_mb: u64,
    pub power: Power,
    /// What the battery still gives, seconds.
    pub runtime_s: Option<u64>,
    /// Since when it runs on what it runs on.
    pub power_since: Timestamp,
    pub place: Place,
    pub reported_at: Timestamp,
}

/// The civil offset that holds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CivilRow {
    pub since: Timestamp,
    /// Civil time minus cluster time, milliseconds.
    pub offset_ms: i64,
    pub set_at: Timestamp,
    /// `loop` when the members' clocks agreed on it, else who said so.
    pub set_by: String,
    pub agreeing: u16,
    pub members: u16,
    pub spread_ms: u64,
}

/// What each member said last of its machine, by node.
pub async fn machines(conn: &mut SqliteConnection) -> Result<Vec<MachineRow>, sqlx::Error> {
    let found = sqlx::query(
        "select m.* from machine m join node n on n.node_id = m.node_id where n.removed_at_ms is null \
         order by m.node_id",
    )
    .fetch_all(conn)
    .await?;
    found.iter().map(machine_row).collect()
}

/// The civil offset that holds, once one was set.
pub async fn civil_row(conn: &mut SqliteConnection) -> Result<Option<CivilRow>, sqlx::Error> {
    let found =
        sqlx::query("select * from civil_offset order by since_ms desc, log_index desc limit 1")
            .fetch_optional(conn)
            .await?;
    found
        .map(|row| {
            Ok(CivilRow {
                since: rows::time(&row, "since_ms")?,
                offset_ms: row.try_get("offset_ms")?,
                set_at: rows::time(&row, "set_at_ms")?,
                set_by: row.try_get("set_by")?,
                agreeing: rows::unsigned(&row, "agreeing")?,
                members: rows::unsigned(&row, "members")?,
                spread_ms: rows::unsigned(&row, "spread_ms")?,
            })
        })
        .transpose()
}

/// What people's clocks say at every moment of cluster time.
pub async fn civil(conn: &mut SqliteConnection) -> Result<Civil, sqlx::Error> {
    let mut found: Vec<(i64, i64)> = sqlx::query_as(
        "select since_ms, offset_ms from civil_offset order by since_ms desc, log_index desc limit ?",
    )
    .bind(OFFSETS_MAX)
    .fetch_all(conn)
    .await?;
    found.reverse();
    let offsets = found.into_iter();
    Ok(Civil::new(
        offsets.map(|(since, ms)| (Timestamp(since), ms)).collect(),
    ))
}

/// Keeps a node's word on its machine. Applying it again changes nothing but the time.
pub(super) async fn report(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    report: &MachineReport,
) -> Result<Outcome, sqlx::Error> {
    if !is_member(conn, report.node).await? {
        return Ok(Outcome::Refused(Refusal::UnknownNode));
    }
    sqlx::query(
        "insert into machine (node_id, civil_offset_ms, moved_ms, resumed_at_ms, clock_source, synchronised, \
         clock_since_ms, disk, disk_free_mb, power, runtime_s, power_since_ms, reported_at_ms, provider, operator, feed, \
         hypervisor) values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?7, ?7, ?12, ?13, ?14, ?15) \
         on conflict (node_id) do update set civil_offset_ms = excluded.civil_offset_ms, \
         moved_ms = moved_ms + excluded.moved_ms, resumed_at_ms = coalesce(resumed_at_ms, excluded.resumed_at_ms), \
         clock_since_ms = case when clock_source = excluded.clock_source \
          and synchronised is excluded.synchronised then clock_since_ms else excluded.clock_since_ms end, \
         clock_source = excluded.clock_source, synchronised = excluded.synchronised, disk = excluded.disk, \
         disk_free_mb = excluded.disk_free_mb, \
         power_since_ms = case when power = excluded.power then power_since_ms else excluded.power_since_ms end, \
         power = excluded.power, runtime_s = excluded.runtime_s, reported_at_ms = excluded.reported_at_ms, \
         provider = excluded.provider, operator = excluded.operator, feed = excluded.feed, \
         hypervisor = excluded.hypervisor",
    )
    .bind(report.node.0.cast_signed())
    .bind(report.civil_offset_ms)
    .bind(report.moved_ms)
    .bind(report.resumed.then_some(entry.at.0))
    .bind(&report.clock_source)
    .bind(report.synchronised)
    .bind(entry.at.0)
    .bind(&report.disk)
    .bind(report.disk_free_mb.cast_signed())
    .bind(&report.power)
    .bind(report.runtime_s.map(u64::cast_signed))
    .bind(clipped(&report.place.provider))
    .bind(clipped(&report.place.operator))
    .bind(clipped(&report.place.feed))
    .bind(clipped(&report.place.hypervisor))
    .execute(conn)
    .await?;
    Ok(Outcome::Applied(Receipt::None))
}

/// Sets civil time. Nothing that is due moves: only what people read does.
pub(super) async fn set_civil_offset(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    set: &SetCivilOffset,
) -> Result<Outcome, sqlx::Error> {
    let by_loop = entry.envelope.actor == Actor::Loop;
    let held = civil_row(conn).await?;
    let held_ms = held.as_ref().map_or(0, |row| row.offset_ms);
    if by_loop && !set.explained && set.offset_ms.abs_diff(held_ms) > JUMP_MAX_MS {
        let text = "civil time jumps by more than five minutes only when a person says so";
        return Ok(Outcome::Refused(Refusal::Invalid(text.to_owned())));
    }
    // Whatever moved or was off until now is accounted for.
    sqlx::query("update machine set moved_ms = 0, resumed_at_ms = null")
        .execute(&mut *conn)
        .await?;
    // An offset earlier than the one that holds would hide it.
    let earliest = held.as_ref().map_or(Timestamp(0), |row| row.since);
    let since = set
        .since
        .unwrap_or(entry.at)
        .clamp(earliest.min(entry.at), entry.at);
    sqlx::query(
        "insert into civil_offset (log_index, since_ms, offset_ms, set_at_ms, set_by, agreeing, members, spread_ms) \
         values (?, ?, ?, ?, ?, ?, ?, ?) on conflict (log_index) do nothing",
    )
    .bind(entry.index.cast_signed())
    .bind(since.0)
    .bind(set.offset_ms)
    .bind(entry.at.0)
    .bind(entry.envelope.actor.label())
    .bind(i64::from(set.agreeing))
    .bind(i64::from(set.members))
    .bind(set.spread_ms.cast_signed())
    .execute(conn)
    .await?;
    Ok(Outcome::Applied(Receipt::None))
}

/// A name of a place, no longer than one may be.
fn clipped(name: &str) -> String {
    name.chars().take(PLACE_LEN_MAX).collect()
}

fn machine_row(row: &SqliteRow) -> Result<MachineRow, sqlx::Error> {
    let runtime_s: Option<i64> = row.try_get("runtime_s")?;
    Ok(MachineRow {
        node: NodeId(rows::unsigned(row, "node_id")?),
        civil_offset_ms: row.try_get("civil_offset_ms")?,
        moved_ms: row.try_get("moved_ms")?,
        resumed_at: rows::time_opt(row, "resumed_at_ms")?,
        clock_source: row.try_get("clock_source")?,
        synchronised: row.try_get("synchronised")?,
        clock_since: rows::time(row, "clock_since_ms")?,
        disk: Disk::parse(row.try_get("disk")?),
        disk_free_mb: rows::unsigned(row, "disk_free_mb")?,
        power: Power::parse(row.try_get("power")?),
        runtime_s: runtime_s.map(i64::cast_unsigned),
        power_since: rows::time(row, "power_since_ms")?,
        place: Place {
            provider: row.try_get("provider")?,
            operator: row.try_get("operator")?,
            feed: row.try_get("feed")?,
            hypervisor: row.try_get("hypervisor")?,
        },
        reported_at: rows::time(row, "reported_at_ms")?,
    })
}
