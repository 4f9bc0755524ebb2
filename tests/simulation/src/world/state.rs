//! One node's state database, in memory.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use domain::ports::ReadView;
use domain::{LogEntry, Outcome, Timestamp};
use sqlx::ConnectOptions as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Sqlite, SqlitePool, Transaction};
use tokio::sync::watch;

use super::order::Item;

/// A migrated database and how far the log has been applied to it.
#[derive(Debug)]
pub struct NodeState {
    database: RwLock<Arc<Database>>,
    applied: AtomicU64,
    changes: watch::Sender<u64>,
    /// SQL of a planted bug, and every how manyth entry a planted bug passes over; zero: none.
    planted: Mutex<Option<&'static str>>,
    skips: AtomicU64,
}

/// A database, and the stamp of the last entry in it as far as that is known: most views are of an unchanged one.
#[derive(Debug)]
struct Database {
    pool: SqlitePool,
    stamp: AtomicI64,
}

/// Somebody may have changed the database since it was read.
const UNKNOWN: i64 = i64::MIN;

impl Database {
    fn new(pool: SqlitePool) -> Arc<Self> {
        let stamp = AtomicI64::new(UNKNOWN);
        Arc::new(Self { pool, stamp })
    }
}

impl NodeState {
    /// An empty, migrated state. Panics when there is no memory for it: there is no test without one.
    pub async fn open() -> Arc<Self> {
        let pool = connect(SqliteConnectOptions::new().in_memory(true)).await;
        Arc::new(Self {
            database: RwLock::new(Database::new(pool)),
            applied: AtomicU64::new(0),
            changes: watch::Sender::new(0),
            planted: Mutex::default(),
            skips: AtomicU64::new(0),
        })
    }

    /// Log index of the last item applied.
    pub fn applied(&self) -> u64 {
        self.applied.load(Ordering::SeqCst)
    }

    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    pub(super) fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    /// Applies what follows the last item applied; items that were applied already are passed over. Outcomes by index.
    pub async fn apply(&self, items: &[Arc<Item>]) -> Vec<(u64, Outcome)> {
        let new: Vec<&Arc<Item>> = items
            .iter()
            .filter(|item| item.index > self.applied())
            .collect();
        let Some(last) = new.last() else {
            return Vec::new();
        };
        let skips = self.skips.load(Ordering::SeqCst);
        let entries: Vec<LogEntry> = new
            .iter()
            .filter(|item| skips == 0 || item.index % skips != 0)
            .filter_map(|item| item.entry())
            .collect();
        let outcomes = self.apply_entries(&entries).await;
        self.applied.store(last.index, Ordering::SeqCst);
        self.changed();
        entries
            .iter()
            .map(|entry| entry.index)
            .zip(outcomes)
            .collect()
    }

    /// Applies entries as they are, whatever was applied before.
    pub async fn apply_entries(&self, entries: &[LogEntry]) -> Vec<Outcome> {
        if entries.is_empty() {
            return Vec::new();
        }
        let mut tx = self.begin().await;
        let outcomes = domain::apply_batch(&mut tx, entries)
            .await
            .expect("memory does not fail");
        tx.commit().await.expect("memory does not fail");
        outcomes
    }

    /// A snapshot to read from.
    pub async fn view(&self) -> Result<ReadView, sqlx::Error> {
        let applied = self.applied();
        let database = self.database();
        let mut tx = database.pool.begin().await?;
        let as_of = match database.stamp.load(Ordering::SeqCst) {
            UNKNOWN => domain::stamp_of_last(&mut tx).await?,
            known => Timestamp(known),
        };
        database.stamp.store(as_of.0, Ordering::SeqCst);
        Ok(ReadView::new(tx, applied, as_of))
    }

    /// Stamp of the last entry applied.
    pub async fn stamp(&self) -> Timestamp {
        let mut tx = self.begin().await;
        domain::stamp_of_last(&mut tx)
            .await
            .expect("the stamp's row is always there")
    }

    /// A transaction on the database itself, for tests that plant bugs or look closely.
    pub async fn begin(&self) -> Transaction<'static, Sqlite> {
        let database = self.database();
        let tx = database
            .pool
            .begin()
            .await
            .expect("the only connection comes back");
        // Nobody else reads before it ends: there is one connection.
        database.stamp.store(UNKNOWN, Ordering::SeqCst);
        tx
    }

    /// A copy of the database for this node's own use, as far as the log was applied.
    pub async fn fork(&self) -> Arc<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let place = COUNT.fetch_add(1, Ordering::SeqCst);
        let name = format!("holdfast-fork-{}-{place}.db", std::process::id());
        let path = std::env::temp_dir().join(name);
        let mut conn = self
            .database()
            .pool
            .acquire()
            .await
            .expect("the only connection comes back");
        // Said in full, or the copy would be in memory like the original.
        sqlx::query("vacuum into ?")
            .bind(format!("file:{}?mode=rwc", path.display()))
            .execute(&mut *conn)
            .await
            .expect("a database can be copied");
        drop(conn);
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .journal_mode(SqliteJournalMode::Memory)
            .synchronous(SqliteSynchronous::Off);
        let pool = connect(options).await;
        // Open, it lives on without a name, and goes with its last user.
        _ = std::fs::remove_file(&path);
        Arc::new(Self {
            database: RwLock::new(Database::new(pool)),
            applied: AtomicU64::new(self.applied()),
            changes: watch::Sender::new(0),
            planted: Mutex::default(),
            skips: AtomicU64::new(0),
        })
    }

    /// One more entry of a fork was applied, or facts of another one joined.
    pub(super) fn advance(&self) {
        self.applied.fetch_add(1, Ordering::SeqCst);
        self.changed();
    }

    /// Forgets everything, as a disk does that never synced.
    pub async fn reset(&self) {
        let pool = connect(SqliteConnectOptions::new().in_memory(true)).await;
        self.swap(pool);
        let planted = *self.planted.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sql) = planted {
            self.plant(sql).await;
        }
        self.applied.store(0, Ordering::SeqCst);
        self.changed();
    }

    /// Plants a bug in the database itself; it survives a reset.
    pub async fn plant(&self, sql: &'static str) {
        *self.planted.lock().unwrap_or_else(PoisonError::into_inner) = Some(sql);
        let mut tx = self.begin().await;
        sqlx::raw_sql(sql)
            .execute(&mut *tx)
            .await
            .expect("a planted bug is valid SQL");
        tx.commit().await.expect("memory does not fail");
    }

    /// Plants a bug that passes over every `every`th entry.
    pub fn plant_skips(&self, every: u64) {
        self.skips.store(every, Ordering::SeqCst);
    }

    fn swap(&self, pool: SqlitePool) {
        let mut database = self
            .database
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *database = Database::new(pool);
    }

    fn database(&self) -> Arc<Database> {
        let database = self.database.read();
        Arc::clone(&database.unwrap_or_else(PoisonError::into_inner))
    }
}

/// One connection for reads and writes: steps hold no view while they propose.
async fn connect(options: SqliteConnectOptions) -> SqlitePool {
    // As in production: whatever the domain asks is prepared once, and nobody reads a log of statements.
    let options = options
        .statement_cache_capacity(1024)
        .disable_statement_logging();
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .connect_with(options)
        .await
        .expect("a database in memory can be opened");
    let mut conn = pool.acquire().await.expect("the connection is free");
    domain::migrate(&mut conn)
        .await
        .expect("a fresh database can be migrated");
    drop(conn);
    pool
}
