//! One value for a replica's whole state (DESIGN A9): the same on every replica at the same place in the log, whichever
//! version of the program keeps it.

use futures_util::TryStreamExt as _;
use sha2::{Digest as _, Sha256};
use sqlx::sqlite::{SqliteConnectOptions, SqliteRow};
use sqlx::{
    AssertSqlSafe, Column as _, ConnectOptions as _, Connection as _, Row as _, SqliteConnection,
    TypeInfo as _, ValueRef as _,
};

use crate::migrate::{MigrateError, migrate_to, schema_at};
use crate::nodes;

/// A replica's state at one place in the log.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct StateDigest {
    /// Log index after which it was taken.
    pub index: u64,
    /// The schema whose columns are in it; only digests of equal schemas compare.
    pub schema: u32,
    pub digest: [u8; 32],
}

/// Why a state could not be digested.
#[derive(Debug, thiserror::Error)]
pub enum DigestError {
    #[error("cannot read the state database")]
    Read(#[from] sqlx::Error),
    #[error("cannot tell the columns of the cluster's feature level")]
    Columns(#[from] MigrateError),
}

/// The schema that counts, and a digest of every row of its tables. The caller holds a snapshot.
///
/// The columns are those of the cluster's feature level, so that versions side by side can be compared (DESIGN A11):
/// not listed by hand, but read from an empty database brought to that level's schema.
pub async fn digest_of_state(conn: &mut SqliteConnection) -> Result<(u32, [u8; 32]), DigestError> {
    let schema = schema_at(nodes::levels(conn).await?.used);
    let mut hash = Sha256::new();
    for (table, select) in selects(schema).await? {
        hash.update(table.as_bytes());
        let mut count = 0_u64;
        let mut rows = sqlx::query(AssertSqlSafe(select)).fetch(&mut *conn);
        while let Some(row) = rows.try_next().await? {
            add_row(&mut hash, &row)?;
            count += 1;
        }
        hash.update(count.to_be_bytes());
    }
    let schema = u32::try_from(schema).unwrap_or(u32::MAX);
    Ok((schema, hash.finalize().into()))
}

/// Every table of a schema with the select that reads it in an order of its own: by primary key, else by all columns.
async fn selects(schema: i64) -> Result<Vec<(String, String)>, DigestError> {
    let mut empty = SqliteConnectOptions::new()
        .in_memory(true)
        .disable_statement_logging()
        .connect()
        .await?;
    migrate_to(&mut empty, schema).await?;
    let tables: Vec<String> =
        sqlx::query_scalar("select name from sqlite_schema where type = 'table' order by name")
            .fetch_all(&mut empty)
            .await?;
    let mut selects = Vec::with_capacity(tables.len());
    for table in tables {
        let columns: Vec<(String, i64)> =
            sqlx::query_as("select name, pk from pragma_table_info(?) order by name")
                .bind(&table)
                .fetch_all(&mut empty)
                .await?;
        let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
        let mut key: Vec<(i64, &str)> = columns
            .iter()
            .filter(|(_, place)| *place > 0)
            .map(|(name, place)| (*place, name.as_str()))
            .collect();
        key.sort_unstable();
        let order: Vec<&str> = match key.is_empty() {
            true => names.clone(),
            false => key.into_iter().map(|(_, name)| name).collect(),
        };
        let select = format!(
            "select {} from {table} order by {}",
            names.join(", "),
            order.join(", ")
        );
        selects.push((table, select));
    }
    empty.close().await?;
    Ok(selects)
}

/// Adds a row by value, each with its type and length, so that columns cannot run into each other.
pub(crate) fn add_row(hash: &mut Sha256, row: &SqliteRow) -> Result<(), sqlx::Error> {
    for column in row.columns() {
        let place = column.ordinal();
        let value = row.try_get_raw(place)?;
        if value.is_null() {
            hash.update([0]);
            continue;
        }
        let kind = value.type_info();
        match kind.name() {
            "INTEGER" => {
                hash.update([1]);
                add_bytes(hash, &row.try_get::<i64, _>(place)?.to_be_bytes());
            }
            "TEXT" => {
                hash.update([2]);
                add_bytes(hash, row.try_get::<&str, _>(place)?.as_bytes());
            }
            _ => {
                hash.update([3]);
                add_bytes(hash, row.try_get::<&[u8], _>(place)?);
            }
        }
    }
    Ok(())
}

fn add_bytes(hash: &mut Sha256, bytes: &[u8]) {
    hash.update((bytes.len() as u64).to_be_bytes());
    hash.update(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerts::Severity;
    use crate::transcript::World;

    async fn digest(world: &mut World) -> [u8; 32] {
        digest_of_state(&mut world.conn).await.unwrap().1
    }

    #[tokio::test]
    async fn the_same_commands_come_to_the_same_and_one_changed_value_shows() {
        let (mut one, mut other) = (World::new().await, World::new().await);
        assert_eq!(digest(&mut one).await, digest(&mut other).await);
        one.raise(Severity::High, 60, &[&["ana"]]).await;
        assert_ne!(digest(&mut one).await, digest(&mut other).await);
        other.raise(Severity::High, 60, &[&["ana"]]).await;
        assert_eq!(digest(&mut one).await, digest(&mut other).await);
        sqlx::query("update person set name = 'Anna' where key = 'ana'")
            .execute(&mut other.conn)
            .await
            .unwrap();
        assert_ne!(digest(&mut one).await, digest(&mut other).await);
    }

    #[tokio::test]
    async fn what_a_newer_schema_adds_is_not_counted_until_the_level_rises() {
        let (mut one, mut other) = (World::new().await, World::new().await);
        for added in [
            "create table later (id integer primary key) strict",
            "insert into later (id) values (7)",
            "alter table person add column later integer not null default 5",
        ] {
            sqlx::raw_sql(added).execute(&mut other.conn).await.unwrap();
        }
        assert_eq!(digest(&mut one).await, digest(&mut other).await);
    }

    #[tokio::test]
    async fn every_table_is_read_in_an_order_of_its_own() {
        let selects = selects(schema_at(1)).await.unwrap();
        let of = |table: &str| selects.iter().find(|(name, _)| name == table).unwrap();
        assert!(of("alert").1.ends_with("order by alert_id"));
        assert!(selects.len() > 25, "{}", selects.len());
    }
}
