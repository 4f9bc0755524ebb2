//! The journal of a node that is cut off (DESIGN D3): facts in `node.db`, each synced before anything is answered or sent
//! because of it, and kept until the cluster has it. Facts are opaque here; each row carries its checksum.

use domain::{NodeId, Timestamp};
use sqlx::{Connection, Row, SqliteConnection, sqlite::SqliteRow};

use super::node_db::{NodeDb, NodeDbError};

/// Tables beside the others of `node.db`.
pub(super) const SCHEMA: &str = "
create table if not exists island_fact ( -- facts journalled while cut off, own and kept for other islands
    origin integer not null, -- node that journalled it
    seq    integer not null, -- counted up for ever by that node
    fact   blob    not null,
    crc    integer not null, -- CRC-32 of origin, seq and fact
    primary key (origin, seq)
) strict, without rowid;
create table if not exists island_seq ( -- the last seq seen of each node; outlives the rows
    origin integer primary key,
    seq    integer not null
) strict;
create table if not exists island_stay ( -- the present stay as an island; empty while a member
    id            integer primary key check (id = 1),
    entered_at_ms integer not null,
    tail_idx      integer not null -- log entries up to here, beyond the applied ones, are in the journal
) strict;
create table if not exists island_refused ( -- rows that can never be handed over, for a person to look at
    origin integer not null,
    seq    integer not null,
    fact   blob    not null,
    reason text    not null,
    primary key (origin, seq)
) strict, without rowid;
create table if not exists island_exported ( -- own facts up to here are in a file somebody has
    id  integer primary key check (id = 1),
    seq integer not null
) strict;
";

/// One fact at its place in a node's journal.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct JournalRow {
    pub origin: NodeId,
    /// Counted up at its origin, never used twice.
    pub seq: u64,
    /// An encoded fact.
    pub fact: Vec<u8>,
}

/// The present stay as an island.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Stay {
    /// Cluster time at which the node gave up on the others.
    pub entered_at: Timestamp,
    /// Log entries up to this index, beyond the applied ones, are in the journal.
    pub tail_index: u64,
}

/// How much the journal holds.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct JournalSize {
    pub own: u64,
    /// Own facts no export file holds.
    pub unexported: u64,
    pub others: u64,
}

impl NodeDb {
    /// Appends facts of this node, all or none; durable when it returns. Answers the last seq given.
    pub async fn journal_own(&self, node: NodeId, facts: &[Vec<u8>]) -> Result<u64, NodeDbError> {
        self.with(async |conn| {
            let mut tx = conn.begin_with("begin immediate").await?;
            let mut seq = last_seq(&mut tx, node).await?;
            for fact in facts {
                seq += 1;
                insert(&mut tx, node, seq, fact).await?;
            }
            set_last_seq(&mut tx, node, seq).await?;
            tx.commit().await?;
            Ok(seq)
        })
        .await
    }

    /// Counts a journal that was never written on from `least`: other islands may remember places of one that was lost with
    /// its file, and would take new facts for known ones.
    pub async fn journal_from(&self, node: NodeId, least: u64) -> Result<(), NodeDbError> {
        self.with(async |conn| {
            if last_seq(conn, node).await? == 0 {
                set_last_seq(conn, node, least).await?;
            }
            Ok(())
        })
        .await
    }

    /// Keeps facts of other islands. Ones already held are left as they are.
    pub async fn journal_others(&self, rows: &[JournalRow]) -> Result<(), NodeDbError> {
        self.with(async |conn| {
            let mut tx = conn.begin_with("begin immediate").await?;
            for row in rows {
                insert(&mut tx, row.origin, row.seq, &row.fact).await?;
                let seen = last_seq(&mut tx, row.origin).await?;
                set_last_seq(&mut tx, row.origin, seen.max(row.seq)).await?;
            }
            tx.commit().await
        })
        .await
    }

    /// Rows after `after` of one origin, in order, about `bytes_max` bytes of them. Damaged ones are set aside and left out.
    pub async fn journal_after(
        &self,
        origin: NodeId,
        after: u64,
        rows_max: u32,
        bytes_max: usize,
    ) -> Result<Vec<JournalRow>, NodeDbError> {
        self.with(async |conn| {
            let found = sqlx::query(
                "select origin, seq, fact, crc from island_fact where origin = ? and seq > ? order by seq limit ?",
            )
            .bind(origin.0.cast_signed())
            .bind(after.cast_signed())
            .bind(i64::from(rows_max))
            .fetch_all(&mut *conn)
            .await?;
            let (mut rows, mut bytes) = (Vec::new(), 0);
            for found in &found {
                let Some(row) = sound(conn, found).await? else {
                    continue;
                };
                bytes += row.fact.len();
                if bytes > bytes_max && !rows.is_empty() {
                    break;
                }
                rows.push(row);
            }
            Ok(rows)
        })
        .await
    }

    /// The nodes whose facts are kept here, in order.
    pub async fn journal_origins(&self) -> Result<Vec<NodeId>, NodeDbError> {
        self.with(async |conn| {
            let found: Vec<i64> =
                sqlx::query_scalar("select distinct origin from island_fact order by origin")
                    .fetch_all(conn)
                    .await?;
            Ok(found
                .into_iter()
                .map(|id| NodeId(id.cast_unsigned()))
                .collect())
        })
        .await
    }

    /// The last seq seen of each node, kept or handed over.
    pub async fn journal_seen(&self) -> Result<Vec<(NodeId, u64)>, NodeDbError> {
        self.with(async |conn| {
            let found: Vec<(i64, i64)> =
                sqlx::query_as("select origin, seq from island_seq order by origin")
                    .fetch_all(conn)
                    .await?;
            Ok(found
                .into_iter()
                .map(|(origin, seq)| (NodeId(origin.cast_unsigned()), seq.cast_unsigned()))
                .collect())
        })
        .await
    }

    /// Forgets rows the cluster has. Only after they are committed and applied.
    pub async fn journal_handed_over(&self, rows: &[JournalRow]) -> Result<(), NodeDbError> {
        self.with(async |conn| {
            let mut tx = conn.begin_with("begin immediate").await?;
            for row in rows {
                delete(&mut tx, row.origin, row.seq).await?;
            }
            tx.commit().await
        })
        .await
    }

    /// Puts a row aside that can never be handed over.
    pub async fn journal_refuse(&self, row: &JournalRow, reason: &str) -> Result<(), NodeDbError> {
        self.with(async |conn| {
            let mut tx = conn.begin_with("begin immediate").await?;
            refuse(&mut tx, row, reason).await?;
            tx.commit().await
        })
        .await
    }

    /// Rows put aside, by origin and seq, with the reason.
    pub async fn journal_refused(&self) -> Result<Vec<(NodeId, u64, String)>, NodeDbError> {
        self.with(async |conn| {
            let found: Vec<(i64, i64, String)> = sqlx::query_as(
                "select origin, seq, reason from island_refused order by origin, seq limit 1000",
            )
            .fetch_all(conn)
            .await?;
            Ok(found
                .into_iter()
                .map(|(origin, seq, reason)| {
                    (NodeId(origin.cast_unsigned()), seq.cast_unsigned(), reason)
                })
                .collect())
        })
        .await
    }

    /// How much is waiting, `node` being this one.
    pub async fn journal_size(&self, node: NodeId) -> Result<JournalSize, NodeDbError> {
        self.with(async |conn| size(conn, node).await).await
    }

    /// Notes that own facts up to `seq` are in a file somebody has.
    pub async fn journal_exported(&self, seq: u64) -> Result<(), NodeDbError> {
        self.with(async |conn| {
            sqlx::query(
                "insert into island_exported (id, seq) values (1, ?)
                 on conflict (id) do update set seq = max(seq, excluded.seq)",
            )
            .bind(seq.cast_signed())
            .execute(conn)
            .await?;
            Ok(())
        })
        .await
    }

    /// The stay as an island that is under way, if one is.
    pub async fn stay(&self) -> Result<Option<Stay>, NodeDbError> {
        self.with(async |conn| {
            let found: Option<(i64, i64)> =
                sqlx::query_as("select entered_at_ms, tail_idx from island_stay where id = 1")
                    .fetch_optional(conn)
                    .await?;
            Ok(found.map(|(entered, tail)| Stay {
                entered_at: Timestamp(entered),
                tail_index: tail.cast_unsigned(),
            }))
        })
        .await
    }

    /// Begins a stay, moves its mark, or ends it.
    pub async fn set_stay(&self, stay: Option<Stay>) -> Result<(), NodeDbError> {
        self.with(async |conn| {
            match stay {
                Some(stay) => {
                    sqlx::query(
                        "insert into island_stay (id, entered_at_ms, tail_idx) values (1, ?, ?)
                         on conflict (id) do update set entered_at_ms = excluded.entered_at_ms, tail_idx = excluded.tail_idx",
                    )
                    .bind(stay.entered_at.0)
                    .bind(stay.tail_index.cast_signed())
                    .execute(conn)
                    .await?;
                }
                None => {
                    sqlx::query("delete from island_stay").execute(conn).await?;
                }
            }
            Ok(())
        })
        .await
    }
}

/// Facts in a closed `node.db` that are in no export file; zero when there is no such file or no such table.
pub(crate) async fn unexported(conn: &mut SqliteConnection) -> Result<u64, sqlx::Error> {
    let tables: i64 = sqlx::query_scalar(
        "select count(*) from sqlite_schema where type = 'table' and name in ('island_fact', 'island_exported')",
    )
    .fetch_one(&mut *conn)
    .await?;
    if tables < 2 {
        return Ok(0);
    }
    let count: i64 = sqlx::query_scalar(
        "select count(*) from island_fact where seq > coalesce((select seq from island_exported where id = 1), 0)",
    )
    .fetch_one(conn)
    .await?;
    Ok(count.cast_unsigned())
}

async fn size(conn: &mut SqliteConnection, node: NodeId) -> Result<JournalSize, sqlx::Error> {
    let row = sqlx::query(
        "select count(*) filter (where origin = ?1),
                count(*) filter (where origin = ?1
                    and seq > coalesce((select seq from island_exported where id = 1), 0)),
                count(*) filter (where origin <> ?1) from island_fact",
    )
    .bind(node.0.cast_signed())
    .fetch_one(conn)
    .await?;
    let at = |column: usize| row.try_get::<i64, _>(column).map(i64::cast_unsigned);
    Ok(JournalSize {
        own: at(0)?,
        unexported: at(1)?,
        others: at(2)?,
    })
}

async fn last_seq(conn: &mut SqliteConnection, origin: NodeId) -> Result<u64, sqlx::Error> {
    let seq: Option<i64> = sqlx::query_scalar("select seq from island_seq where origin = ?")
        .bind(origin.0.cast_signed())
        .fetch_optional(conn)
        .await?;
    Ok(seq.unwrap_or(0).cast_unsigned())
}

async fn set_last_seq(
    conn: &mut SqliteConnection,
    origin: NodeId,
    seq: u64,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into island_seq (origin, seq) values (?, ?)
         on conflict (origin) do update set seq = excluded.seq",
    )
    .bind(origin.0.cast_signed())
    .bind(seq.cast_signed())
    .execute(conn)
    .await?;
    Ok(())
}

async fn insert(
    conn: &mut SqliteConnection,
    origin: NodeId,
    seq: u64,
    fact: &[u8],
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into island_fact (origin, seq, fact, crc) values (?, ?, ?, ?) on conflict do nothing",
    )
    .bind(origin.0.cast_signed())
    .bind(seq.cast_signed())
    .bind(fact)
    .bind(i64::from(checksum(origin, seq, fact)))
    .execute(conn)
    .await?;
    Ok(())
}

async fn delete(conn: &mut SqliteConnection, origin: NodeId, seq: u64) -> Result<(), sqlx::Error> {
    sqlx::query("delete from island_fact where origin = ? and seq = ?")
        .bind(origin.0.cast_signed())
        .bind(seq.cast_signed())
        .execute(conn)
        .await?;
    Ok(())
}

async fn refuse(
    conn: &mut SqliteConnection,
    row: &JournalRow,
    reason: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into island_refused (origin, seq, fact, reason) values (?, ?, ?, ?) on conflict do nothing",
    )
    .bind(row.origin.0.cast_signed())
    .bind(row.seq.cast_signed())
    .bind(row.fact.as_slice())
    .bind(reason)
    .execute(&mut *conn)
    .await?;
    delete(conn, row.origin, row.seq).await
}

/// The row if it is what was written; else it is set aside, and everything around it goes on.
async fn sound(
    conn: &mut SqliteConnection,
    found: &SqliteRow,
) -> Result<Option<JournalRow>, sqlx::Error> {
    let row = JournalRow {
        origin: NodeId(found.try_get::<i64, _>(0)?.cast_unsigned()),
        seq: found.try_get::<i64, _>(1)?.cast_unsigned(),
        fact: found.try_get(2)?,
    };
    let written: i64 = found.try_get(3)?;
    if written == i64::from(checksum(row.origin, row.seq, &row.fact)) {
        return Ok(Some(row));
    }
    tracing::error!(origin = %row.origin, seq = row.seq, "a journal entry is damaged on disk, set aside; check the disk");
    refuse(
        conn,
        &row,
        "damaged on this node's disk; its checksum does not match",
    )
    .await?;
    Ok(None)
}

fn checksum(origin: NodeId, seq: u64, fact: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&origin.0.to_be_bytes());
    crc.update(&seq.to_be_bytes());
    crc.update(fact);
    crc.finalize()
}

#[cfg(test)]
mod tests {
    use sqlx::ConnectOptions as _;

    use super::*;
    use crate::store::fatal::Fatal;
    use crate::store::sqlite;

    const OWN: NodeId = NodeId(2);
    const ALL: (u32, usize) = (1_000, usize::MAX);

    async fn open(dir: &tempfile::TempDir) -> NodeDb {
        let path = dir.path().join("node.db");
        NodeDb::open(&path, true, Fatal::new()).await.unwrap()
    }

    fn facts(count: u8) -> Vec<Vec<u8>> {
        (1..=count).map(|n| vec![n; 20]).collect()
    }

    async fn seqs(db: &NodeDb, origin: NodeId) -> Vec<u64> {
        let rows = db.journal_after(origin, 0, ALL.0, ALL.1).await.unwrap();
        rows.into_iter().map(|row| row.seq).collect()
    }

    #[tokio::test]
    async fn facts_outlive_a_crash_in_order_until_they_are_handed_over() {
        let dir = tempfile::tempdir().unwrap();
        let db = open(&dir).await;
        assert_eq!(db.journal_own(OWN, &facts(3)).await.unwrap(), 3);
        drop(db); // as a crash would
        let db = open(&dir).await;
        let rows = db.journal_after(OWN, 0, ALL.0, ALL.1).await.unwrap();
        assert_eq!(
            rows.iter().map(|r| r.fact[0]).collect::<Vec<_>>(),
            [1, 2, 3]
        );
        db.journal_handed_over(&rows[..2]).await.unwrap();
        assert_eq!(seqs(&db, OWN).await, [3]);
        // Counted on for ever: another island may still hold the old numbers.
        db.journal_from(OWN, 1_000).await.unwrap();
        db.journal_handed_over(&rows).await.unwrap();
        assert_eq!(db.journal_own(OWN, &facts(1)).await.unwrap(), 4);
    }

    #[tokio::test]
    async fn reads_are_bounded_but_always_get_on() {
        let dir = tempfile::tempdir().unwrap();
        let db = open(&dir).await;
        db.journal_own(OWN, &facts(10)).await.unwrap();
        let some = db.journal_after(OWN, 2, ALL.0, 50).await.unwrap();
        assert_eq!(some.iter().map(|r| r.seq).collect::<Vec<_>>(), [3, 4]);
        let one = db.journal_after(OWN, 2, ALL.0, 1).await.unwrap();
        assert_eq!(one.len(), 1);
    }

    #[tokio::test]
    async fn facts_of_others_are_kept_once_and_counted_apart() {
        let dir = tempfile::tempdir().unwrap();
        let db = open(&dir).await;
        let row = |seq| JournalRow {
            origin: NodeId(3),
            seq,
            fact: vec![9],
        };
        db.journal_others(&[row(5), row(6)]).await.unwrap();
        db.journal_others(&[row(6)]).await.unwrap();
        db.journal_own(OWN, &facts(1)).await.unwrap();
        let size = db.journal_size(OWN).await.unwrap();
        assert_eq!((size.own, size.unexported, size.others), (1, 1, 2));
        db.journal_from(NodeId(4), 1_000).await.unwrap();
        let seen = db.journal_seen().await.unwrap();
        assert_eq!(seen, [(OWN, 1), (NodeId(3), 6), (NodeId(4), 1_000)]);
        assert_eq!(db.journal_origins().await.unwrap(), [OWN, NodeId(3)]);
        db.journal_exported(1).await.unwrap();
        assert_eq!(db.journal_size(OWN).await.unwrap().unexported, 0);
    }

    #[tokio::test]
    async fn a_damaged_entry_is_set_aside_and_the_rest_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let db = open(&dir).await;
        db.journal_own(OWN, &facts(3)).await.unwrap();
        db.close().await.unwrap();
        let path = dir.path().join("node.db");
        let mut conn = sqlite::options(&path, true).connect().await.unwrap();
        sqlx::query("update island_fact set fact = x'00' where seq = 2")
            .execute(&mut conn)
            .await
            .unwrap();
        conn.close().await.unwrap();
        let db = open(&dir).await;
        assert_eq!(seqs(&db, OWN).await, [1, 3]);
        let refused = db.journal_refused().await.unwrap();
        assert_eq!((refused.len(), refused[0].0, refused[0].1), (1, OWN, 2));
        assert!(refused[0].2.contains("damaged"), "{}", refused[0].2);
    }

    #[tokio::test]
    async fn a_file_cut_short_or_with_flipped_bits_stops_clearly_or_goes_on_without_the_damage() {
        let dir = tempfile::tempdir().unwrap();
        let db = open(&dir).await;
        db.journal_own(OWN, &facts(40)).await.unwrap();
        db.close().await.unwrap();
        let whole = std::fs::read(dir.path().join("node.db")).unwrap();
        let cut = (0..whole.len())
            .step_by(1_531)
            .map(|len| whole[..len].to_vec());
        let flipped = (0..whole.len()).step_by(307).map(|at| {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x20;
            bytes
        });
        for bytes in cut.chain(flipped) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("node.db");
            std::fs::write(&path, bytes).unwrap();
            let Ok(db) = NodeDb::open(&path, true, Fatal::new()).await else {
                continue; // says what to do, as another test checks
            };
            let Ok(rows) = db.journal_after(OWN, 0, ALL.0, ALL.1).await else {
                continue; // stops the node
            };
            for row in rows {
                let byte = u8::try_from(row.seq).unwrap();
                assert_eq!(row.fact, vec![byte; 20], "a fact nobody journalled");
            }
        }
    }

    #[tokio::test]
    async fn a_stay_is_remembered_until_it_ends() {
        let dir = tempfile::tempdir().unwrap();
        let db = open(&dir).await;
        assert_eq!(db.stay().await.unwrap(), None);
        let stay = Stay {
            entered_at: Timestamp(7),
            tail_index: 12,
        };
        db.set_stay(Some(stay)).await.unwrap();
        drop(db);
        let db = open(&dir).await;
        assert_eq!(db.stay().await.unwrap(), Some(stay));
        db.set_stay(None).await.unwrap();
        assert_eq!(db.stay().await.unwrap(), None);
    }
}
