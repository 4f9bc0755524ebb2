//! Reads of time-zone rules.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::{Row, SqliteConnection};

use super::wall::Zone;
use crate::rows;
use crate::time::Timestamp;

/// The newest release of which everything is installed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Release {
    /// `2026a`; releases compare as their names do.
    pub version: String,
    pub zones: u32,
    pub installed_at: Timestamp,
    pub installed_by: String,
}

/// An installed zone.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ZoneRow {
    pub name: String,
    pub version: String,
}

/// The release in use; `None` before one was installed.
pub async fn release(conn: &mut SqliteConnection) -> Result<Option<Release>, sqlx::Error> {
    let row = sqlx::query(
        "select version, zones, installed_at_ms, installed_by from zone_release where id = 1",
    )
    .fetch_optional(conn)
    .await?;
    row.map(|row| {
        Ok(Release {
            version: row.try_get("version")?,
            zones: rows::unsigned(&row, "zones")?,
            installed_at: rows::time(&row, "installed_at_ms")?,
            installed_by: row.try_get("installed_by")?,
        })
    })
    .transpose()
}

/// Every installed zone, by name.
pub async fn zones(conn: &mut SqliteConnection) -> Result<Vec<ZoneRow>, sqlx::Error> {
    let found = sqlx::query("select name, version from zone order by name")
        .fetch_all(conn)
        .await?;
    found
        .iter()
        .map(|row| {
            Ok(ZoneRow {
                name: row.try_get("name")?,
                version: row.try_get("version")?,
            })
        })
        .collect()
}

/// Names of the zones installed of one release, so that an interrupted installation goes on where it was.
pub async fn names_of(
    conn: &mut SqliteConnection,
    version: &str,
) -> Result<BTreeSet<String>, sqlx::Error> {
    let names: Vec<String> =
        sqlx::query_scalar("select name from zone where version = ? order by name")
            .bind(version)
            .fetch_all(conn)
            .await?;
    Ok(names.into_iter().collect())
}

/// The rules of these zones; those that are not installed are absent.
pub async fn load(
    conn: &mut SqliteConnection,
    names: &BTreeSet<String>,
) -> Result<BTreeMap<String, Zone>, sqlx::Error> {
    let found = sqlx::query(
        "select name, tzif from zone where name in (select value from json_each(?)) order by name",
    )
    .bind(rows::to_json(names)?)
    .fetch_all(conn)
    .await?;
    found
        .iter()
        .map(|row| {
            let name: String = row.try_get("name")?;
            let zone = Zone::read(&name, row.try_get::<&[u8], _>("tzif")?)
                .map_err(|error| sqlx::Error::Decode(error.into()))?;
            Ok((name, zone))
        })
        .collect()
}

/// The newest version of which anything is installed.
pub async fn newest_version(conn: &mut SqliteConnection) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar("select max(version) from zone")
        .fetch_one(conn)
        .await
}
