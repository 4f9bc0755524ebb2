//! `node.db`: what belongs to this node alone and never travels in a snapshot. Every commit is synced.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use domain::deliveries::AttemptRef;
use domain::ports::{Journal, JournalError};
use domain::{DeliveryId, Timestamp, codec};
use serde::{Deserialize, Serialize};
use sqlx::{ConnectOptions, Connection, Row, SqliteConnection};
use tokio::sync::Mutex;

use super::fatal::{Fatal, chain};
use super::sqlite;

const SCHEMA: &str = "
create table if not exists attempt ( -- sends begun here whose outcome is not yet in the cluster's log
    delivery_id blob    not null,
    attempt     integer not null,
    primary key (delivery_id, attempt)
) strict, without rowid;
create table if not exists sim_pin ( -- a PIN refused once is never tried again: the third refusal locks the card
    iccid    text not null,
    pin_hash blob not null, -- keyed, so that the file does not give the PIN away
    primary key (iccid, pin_hash)
) strict, without rowid;
create table if not exists fact (
    name  text primary key,
    value blob not null -- what was set, then its CRC-32 in big-endian order
) strict, without rowid;
pragma user_version = 1;
";

/// The fact that is a [`ClockAnchor`].
const CLOCK_ANCHOR: &str = "clock anchor";

/// Rows in one insert or delete.
const ROWS_MAX: usize = 64;

/// This node's own database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenNodeDbError {
    #[error(
        "{} is damaged ({detail}); move it away and start again: sends that were under way may go out a second time, \
         what this node journalled while cut off and did not hand over is only in that file, and the node must be joined \
         again if its keys were in it", path.display()
    )]
    Damaged { path: PathBuf, detail: String },
    #[error("cannot open {}", path.display())]
    Database {
        path: PathBuf,
        #[source]
        source: sqlx::Error,
    },
}

/// This node's own database failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot use this node's own database; check the disk")]
pub struct NodeDbError(#[from] sqlx::Error);

/// Cluster time at a known moment of this boot, from which cluster time goes on after a restart of the program.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct ClockAnchor {
    /// `/proc/sys/kernel/random/boot_id`: the anchor holds only within this boot.
    pub boot_id: String,
    /// CLOCK_BOOTTIME in milliseconds.
    pub boottime_ms: i64,
    /// Cluster time at that moment.
    pub cluster: Timestamp,
}

/// Handle of `node.db`.
pub struct NodeDb {
    conn: Mutex<Option<SqliteConnection>>,
    fatal: Fatal,
}

impl NodeDb {
    /// Opens or creates the database; checks all of it when the last stop was unclean.
    pub async fn open(path: &Path, unclean: bool, fatal: Fatal) -> Result<Self, OpenNodeDbError> {
        let fail = |source: sqlx::Error| match super::state::is_damage(&source) {
            true => OpenNodeDbError::Damaged {
                path: path.to_owned(),
                detail: source.to_string(),
            },
            false => OpenNodeDbError::Database {
                path: path.to_owned(),
                source,
            },
        };
        let options = sqlite::options(path, true)
            .create_if_missing(true)
            .pragma("wal_autocheckpoint", "1000");
        let mut conn = options.connect().await.map_err(fail)?;
        if unclean && let Some(detail) = sqlite::quick_check(&mut conn).await.map_err(fail)? {
            return Err(OpenNodeDbError::Damaged {
                path: path.to_owned(),
                detail,
            });
        }
        for schema in [SCHEMA, super::island_journal::SCHEMA] {
            sqlx::raw_sql(schema)
                .execute(&mut conn)
                .await
                .map_err(fail)?;
        }
        Ok(Self {
            conn: Mutex::new(Some(conn)),
            fatal,
        })
    }

    /// True when this PIN was already tried on this card and not found good.
    pub async fn pin_tried(&self, iccid: &str, pin_hash: &[u8; 32]) -> Result<bool, NodeDbError> {
        self.with(async |conn| {
            let found: Option<i64> =
                sqlx::query_scalar("select 1 from sim_pin where iccid = ? and pin_hash = ?")
                    .bind(iccid)
                    .bind(pin_hash.as_slice())
                    .fetch_optional(conn)
                    .await?;
            Ok(found.is_some())
        })
        .await
    }

    /// Notes that a PIN is about to be tried. Durable before the modem hears it.
    pub async fn note_pin(&self, iccid: &str, pin_hash: &[u8; 32]) -> Result<(), NodeDbError> {
        self.with(async |conn| {
            sqlx::query(
                "insert into sim_pin (iccid, pin_hash) values (?, ?) on conflict do nothing",
            )
            .bind(iccid)
            .bind(pin_hash.as_slice())
            .execute(conn)
            .await?;
            Ok(())
        })
        .await
    }

    /// Forgets the tries on a card: its PIN was good, or an operator says to try again.
    pub async fn forget_pins(&self, iccid: &str) -> Result<(), NodeDbError> {
        self.with(async |conn| {
            sqlx::query("delete from sim_pin where iccid = ?")
                .bind(iccid)
                .execute(conn)
                .await?;
            Ok(())
        })
        .await
    }

    /// The last anchor stored.
    pub async fn clock_anchor(&self) -> Result<Option<ClockAnchor>, NodeDbError> {
        let stored = self.fact(CLOCK_ANCHOR).await?;
        Ok(stored.and_then(|bytes| codec::decode(&bytes).ok()))
    }

    /// Stores an anchor, replacing the last.
    pub async fn set_clock_anchor(&self, anchor: &ClockAnchor) -> Result<(), NodeDbError> {
        let bytes = codec::encode(anchor).map_err(|e| sqlx::Error::Encode(e.into()))?;
        self.set_facts(&[(CLOCK_ANCHOR, &bytes)]).await
    }

    /// A fact about this node, if it is set and whole. A damaged one is forgotten: a time or a count with a turned bit
    /// in it would be believed, and cluster time never goes back.
    pub async fn fact(&self, name: &str) -> Result<Option<Vec<u8>>, NodeDbError> {
        let stored: Option<Vec<u8>> = self
            .with(async |conn| {
                sqlx::query_scalar("select value from fact where name = ?")
                    .bind(name)
                    .fetch_optional(conn)
                    .await
            })
            .await?;
        let Some(stored) = stored else {
            return Ok(None);
        };
        match stored.split_last_chunk::<4>() {
            Some((value, crc)) if crc32fast::hash(value).to_be_bytes() == *crc => {
                Ok(Some(value.to_vec()))
            }
            Some(_) | None => {
                tracing::warn!(name, "what this node remembered is damaged, forgotten");
                Ok(None)
            }
        }
    }

    /// Sets facts, all or none.
    pub async fn set_facts(&self, facts: &[(&str, &[u8])]) -> Result<(), NodeDbError> {
        self.with(async |conn| {
            let mut tx = conn.begin_with("begin immediate").await?;
            for (name, value) in facts {
                let checked = [*value, &crc32fast::hash(value).to_be_bytes()].concat();
                sqlx::query(
                    "insert into fact (name, value) values (?, ?)
                     on conflict (name) do update set value = excluded.value",
                )
                .bind(*name)
                .bind(checked)
                .execute(&mut *tx)
                .await?;
            }
            tx.commit().await
        })
        .await
    }

    /// Closes the file. Everything fails from here on.
    pub async fn close(&self) -> Result<(), NodeDbError> {
        let conn = self.conn.lock().await.take();
        if let Some(mut conn) = conn {
            sqlite::checkpoint(&mut conn, sqlite::CheckpointMode::Truncate).await?;
            conn.close().await?;
        }
        Ok(())
    }

    pub(super) async fn with<T>(
        &self,
        work: impl AsyncFnOnce(&mut SqliteConnection) -> Result<T, sqlx::Error>,
    ) -> Result<T, NodeDbError> {
        let mut guard = self.conn.lock().await;
        let Some(conn) = guard.as_mut() else {
            return Err(sqlx::Error::PoolClosed.into());
        };
        work(conn).await.map_err(|source| {
            let error = NodeDbError(source);
            self.fatal.raise("node.db failed", &error);
            error
        })
    }
}

#[async_trait]
impl Journal for NodeDb {
    async fn started(&self, attempts: &[AttemptRef]) -> Result<(), JournalError> {
        self.each(
            attempts,
            "insert into attempt (delivery_id, attempt) values ",
            "(?,?)",
            " on conflict do nothing",
        )
        .await
    }

    async fn ended(&self, attempts: &[AttemptRef]) -> Result<(), JournalError> {
        self.each(
            attempts,
            "delete from attempt where (delivery_id, attempt) in (values ",
            "(?,?)",
            ")",
        )
        .await
    }

    async fn unfinished(&self) -> Result<Vec<AttemptRef>, JournalError> {
        self.with(async |conn| {
            let rows = sqlx::query(
                "select delivery_id, attempt from attempt order by delivery_id, attempt",
            )
            .fetch_all(conn)
            .await?;
            rows.iter()
                .map(|row| {
                    let attempt = u32::try_from(row.try_get::<i64, _>(1)?);
                    Ok(AttemptRef {
                        delivery: DeliveryId::from_row(row.try_get(0)?)?,
                        attempt: attempt.map_err(|e| sqlx::Error::Decode(e.into()))?,
                    })
                })
                .collect()
        })
        .await
        .map_err(journal_error)
    }
}

impl NodeDb {
    /// Runs one statement of many rows over `attempts`, in one transaction.
    async fn each(
        &self,
        attempts: &[AttemptRef],
        head: &str,
        row: &str,
        end: &str,
    ) -> Result<(), JournalError> {
        if attempts.is_empty() {
            return Ok(());
        }
        self.with(async |conn| {
            let mut tx = conn.begin_with("begin immediate").await?;
            for some in attempts.chunks(ROWS_MAX) {
                let sql = format!("{}{end}", sqlite::rows_sql(head, row, some.len()).0);
                let mut query = sqlx::query(sqlx::AssertSqlSafe(sql)); // constants only
                for attempt in some {
                    query = query
                        .bind(attempt.delivery.as_bytes())
                        .bind(i64::from(attempt.attempt));
                }
                query.execute(&mut *tx).await?;
            }
            tx.commit().await
        })
        .await
        .map_err(journal_error)
    }
}

fn journal_error(error: NodeDbError) -> JournalError {
    JournalError(chain(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(n: u32) -> AttemptRef {
        AttemptRef {
            delivery: DeliveryId([7; 16]),
            attempt: n,
        }
    }

    #[tokio::test]
    async fn sends_begun_and_not_ended_are_remembered_across_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("node.db");
        let db = NodeDb::open(&path, false, Fatal::new()).await.unwrap();
        let many: Vec<_> = (1..=100).map(attempt).collect();
        db.started(&many).await.unwrap();
        db.started(&many[..2]).await.unwrap();
        db.ended(&many[1..]).await.unwrap();
        drop(db); // as a crash would
        let db = NodeDb::open(&path, true, Fatal::new()).await.unwrap();
        assert_eq!(db.unfinished().await.unwrap(), [attempt(1)]);
    }

    #[tokio::test]
    async fn a_pin_once_tried_is_known_until_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let db = NodeDb::open(&dir.path().join("node.db"), false, Fatal::new())
            .await
            .unwrap();
        db.note_pin("8935", &[1; 32]).await.unwrap();
        db.note_pin("8935", &[1; 32]).await.unwrap();
        assert!(db.pin_tried("8935", &[1; 32]).await.unwrap());
        assert!(!db.pin_tried("8935", &[2; 32]).await.unwrap());
        assert!(!db.pin_tried("8946", &[1; 32]).await.unwrap());
        db.forget_pins("8935").await.unwrap();
        assert!(!db.pin_tried("8935", &[1; 32]).await.unwrap());
    }

    #[tokio::test]
    async fn facts_and_the_clock_anchor_are_replaced_whole() {
        let dir = tempfile::tempdir().unwrap();
        let db = NodeDb::open(&dir.path().join("node.db"), false, Fatal::new())
            .await
            .unwrap();
        assert_eq!(db.fact("id").await.unwrap(), None);
        db.set_facts(&[("id", b"1"), ("cluster", b"x")])
            .await
            .unwrap();
        db.set_facts(&[("id", b"2")]).await.unwrap();
        assert_eq!(
            db.fact("id").await.unwrap().as_deref(),
            Some(b"2".as_slice())
        );
        assert_eq!(db.clock_anchor().await.unwrap(), None);
        for n in [1, 2] {
            let anchor = ClockAnchor {
                boot_id: "b".to_owned(),
                boottime_ms: n,
                cluster: Timestamp(n * 10),
            };
            db.set_clock_anchor(&anchor).await.unwrap();
            assert_eq!(db.clock_anchor().await.unwrap(), Some(anchor));
        }
    }

    #[tokio::test]
    async fn a_fact_with_a_turned_bit_is_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let db = NodeDb::open(&dir.path().join("node.db"), false, Fatal::new())
            .await
            .unwrap();
        let anchor = ClockAnchor {
            boot_id: "b".to_owned(),
            boottime_ms: 5,
            cluster: Timestamp(1_000),
        };
        db.set_clock_anchor(&anchor).await.unwrap();
        let stored: Vec<u8> = db
            .with(async |conn| {
                sqlx::query_scalar("select value from fact")
                    .fetch_one(conn)
                    .await
            })
            .await
            .unwrap();
        let flips = (0..stored.len() * 8).map(|bit| {
            let mut bytes = stored.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            bytes
        });
        let cuts = (0..stored.len()).map(|len| stored[..len].to_vec());
        for bytes in flips.chain(cuts) {
            db.with(async |conn| {
                sqlx::query("update fact set value = ?")
                    .bind(bytes)
                    .execute(conn)
                    .await
            })
            .await
            .unwrap();
            assert_eq!(db.clock_anchor().await.unwrap(), None);
        }
    }

    #[tokio::test]
    async fn a_damaged_file_says_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("node.db");
        std::fs::write(&path, vec![b'x'; 8192]).unwrap();
        let error = NodeDb::open(&path, true, Fatal::new())
            .await
            .map(drop)
            .unwrap_err()
            .to_string();
        assert!(error.contains("move it away"), "{error}");
    }
}
