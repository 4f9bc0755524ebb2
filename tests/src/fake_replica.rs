//! A replicated log of one: applies commands to a temporary SQLite file through the domain's own apply, at once and in
//! order. For tests of whatever stands on `domain::ports`, with the answers a real cluster can give on demand.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use domain::ports::{
    AdminError, Clock, ClusterAdmin, ClusterStatus, Committed, Durability, Freshness, Invitation,
    LEASE, Leadership, Lease, MemberStatus, Proposal, ProposeError, ReadError, ReadView, Replica,
};
use domain::topics::Feed;
use domain::{Envelope, LeaderStamp, LogEntry, NodeId, Timestamp};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions};
use sqlx::{ConnectOptions, Connection, SqliteConnection, SqlitePool};
use tempfile::TempDir;
use tokio::sync::watch;

pub use simulation::world::START;

/// The only node.
pub const NODE: NodeId = NodeId(1);

const LEADER: LeaderStamp = LeaderStamp {
    term: 1,
    node: NODE,
};

/// What may go wrong with the next proposal.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Fault {
    /// It is not applied, and the caller is told this.
    Fail(ProposeError),
    /// It is applied, but the answer is lost.
    LoseAnswer,
}

/// See the module's documentation.
pub struct FakeReplica {
    writer: tokio::sync::Mutex<SqliteConnection>,
    readers: SqlitePool,
    applied: AtomicU64,
    now: AtomicI64,
    changes: watch::Sender<u64>,
    feed: Feed,
    leader: Mutex<Option<NodeId>>,
    faults: Mutex<VecDeque<Fault>>,
    /// Every entry as the log of a real cluster holds it.
    log: Mutex<Vec<u8>>,
    /// Removed when the fake is dropped; kept last, so that the connections close first.
    _directory: TempDir,
}

impl FakeReplica {
    /// An empty, migrated state in a temporary directory. Panics when that cannot be made: there is no test without it.
    pub async fn open() -> Arc<Self> {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let options = SqliteConnectOptions::new()
            .filename(directory.path().join("state.db"))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal);
        let mut writer = options
            .connect()
            .await
            .expect("a fresh database can be opened");
        domain::migrate(&mut writer)
            .await
            .expect("a fresh database can be migrated");
        let readers = SqlitePoolOptions::new()
            .max_connections(8)
            .connect_with(options.read_only(true))
            .await
            .expect("a database that exists can be read");
        Arc::new(Self {
            writer: tokio::sync::Mutex::new(writer),
            readers,
            applied: AtomicU64::new(0),
            now: AtomicI64::new(START.0),
            changes: watch::Sender::new(0),
            feed: Feed::default(),
            leader: Mutex::new(Some(NODE)),
            faults: Mutex::default(),
            log: Mutex::default(),
            _directory: directory,
        })
    }

    /// Moves cluster time forward.
    pub fn advance(&self, by: Duration) {
        let ms = i64::try_from(by.as_millis()).expect("tests do not last that long");
        self.now.fetch_add(ms, Ordering::SeqCst);
    }

    /// Lets the next proposal without a fault meet this one.
    pub fn plan(&self, fault: Fault) {
        self.faults
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push_back(fault);
    }

    /// Makes the leader known or unknown.
    pub fn set_leader(&self, leader: Option<NodeId>) {
        *self.leader.lock().unwrap_or_else(PoisonError::into_inner) = leader;
        self.changes.send_modify(|count| *count += 1);
    }

    /// Log index of the last entry applied.
    pub fn applied(&self) -> u64 {
        self.applied.load(Ordering::SeqCst)
    }

    /// Every byte that log and state hold by now.
    pub fn all_bytes(&self) -> Vec<u8> {
        let mut all = self
            .log
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        for name in ["state.db", "state.db-wal"] {
            all.extend(std::fs::read(self._directory.path().join(name)).unwrap_or_default());
        }
        all
    }

    /// An hour has passed since boot when a fake begins.
    fn boot(&self) -> Duration {
        self.now().since(START) + Duration::from_secs(3_600)
    }

    async fn apply(&self, proposal: Proposal) -> Committed {
        let mut writer = self.writer.lock().await;
        let index = self.applied() + 1;
        let mut seed = [0; 16];
        seed[..8].copy_from_slice(&index.to_be_bytes());
        let entry = LogEntry {
            index,
            leader: LEADER,
            envelope: Envelope {
                request: proposal.request,
                issued_at: self.now(),
                issued_by: NODE,
                seed,
                body: proposal.body,
                actor: proposal.actor,
                decided_under: proposal.decided_under,
                command: proposal.command,
            },
        };
        let bytes =
            domain::codec::encode(&entry.envelope).expect("what can be proposed can be encoded");
        self.log
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(bytes);
        let touched = domain::topics::touched(&entry.envelope.command);
        let mut tx = writer
            .begin()
            .await
            .expect("the test's database takes a transaction");
        let outcomes = domain::apply_batch(&mut tx, &[entry])
            .await
            .expect("the test's disk works");
        tx.commit().await.expect("the test's database commits");
        self.applied.store(index, Ordering::SeqCst);
        self.feed.note(touched);
        self.changes.send_modify(|count| *count += 1);
        let outcome = outcomes
            .into_iter()
            .next()
            .expect("one entry has one outcome");
        Committed {
            index,
            outcome,
            durability: Durability::Replicated,
        }
    }
}

#[async_trait]
impl Replica for FakeReplica {
    fn node(&self) -> NodeId {
        NODE
    }

    async fn propose(&self, proposal: Proposal) -> Result<Committed, ProposeError> {
        let fault = self
            .faults
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front();
        match fault {
            None => Ok(self.apply(proposal).await),
            Some(Fault::Fail(error)) => Err(error),
            Some(Fault::LoseAnswer) => {
                self.apply(proposal).await;
                Err(ProposeError::Unknown)
            }
        }
    }

    async fn read(&self, freshness: Freshness) -> Result<ReadView, ReadError> {
        let applied = self.applied();
        match freshness {
            Freshness::Linearizable if self.leadership().leader.is_none() => {
                return Err(ReadError::NoQuorum);
            }
            Freshness::AtLeast(index) if index > applied => return Err(ReadError::Behind(index)),
            Freshness::Local | Freshness::Linearizable | Freshness::AtLeast(_) => {}
        }
        let mut tx = self.readers.begin().await?;
        let as_of = domain::stamp_of_last(&mut tx).await?;
        Ok(ReadView::new(tx, applied, as_of))
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn feed(&self) -> Option<Feed> {
        Some(self.feed.clone())
    }

    fn leadership(&self) -> Leadership {
        let leader = *self.leader.lock().unwrap_or_else(PoisonError::into_inner);
        Leadership {
            leader,
            leading: (leader == Some(NODE)).then_some(LEADER),
            leading_for: Duration::from_secs(60),
            voters: vec![NODE],
            learners: Vec::new(),
        }
    }

    fn now(&self) -> Timestamp {
        Timestamp(self.now.load(Ordering::SeqCst))
    }

    async fn lease(&self) -> Option<Lease> {
        self.leadership().leader.map(|_| Lease {
            until: self.boot() + LEASE,
        })
    }

    fn granted(&self) -> Vec<(NodeId, Duration)> {
        vec![(NODE, Duration::ZERO)]
    }
}

/// A machine whose clocks follow a [`FakeReplica`]'s cluster time.
pub struct ReplicaClock(pub Arc<FakeReplica>);

impl Clock for ReplicaClock {
    fn boot(&self) -> Duration {
        self.0.boot()
    }

    fn wall(&self) -> Timestamp {
        self.0.now()
    }
}

/// A membership of one that takes every change but one: node 404 does not exist.
pub struct FakeAdmin(pub Arc<FakeReplica>);

impl FakeAdmin {
    fn change(node: NodeId) -> Result<(), AdminError> {
        if node == NodeId(404) {
            return Err(AdminError(
                "there is no node n404; see `holdfast cluster status`".to_owned(),
            ));
        }
        Ok(())
    }
}

#[async_trait]
impl ClusterAdmin for FakeAdmin {
    fn sealing_keys(&self) -> Vec<[u8; 32]> {
        vec![[11; 32]]
    }

    fn status(&self) -> ClusterStatus {
        let applied = self.0.applied();
        let member = MemberStatus {
            node: NODE,
            name: "alpha".to_owned(),
            addresses: vec!["127.0.0.1:7400".to_owned()],
            role: "leader",
            lag: Some(0),
            last_heard: None,
        };
        ClusterStatus {
            node: NODE,
            epoch: 1,
            alarms: Vec::new(),
            backup: Default::default(),
            term: LEADER.term,
            leader: self.0.leadership().leader,
            applied,
            last_log: applied,
            snapshot: None,
            purged: None,
            members: vec![member],
        }
    }

    async fn invite(&self, valid_for: Duration) -> Result<Invitation, AdminError> {
        Ok(Invitation {
            token: "hfj_example".to_owned(),
            expires_at: self.0.now() + valid_for,
        })
    }

    fn joins(&self) -> Vec<(NodeId, String, String)> {
        vec![(NodeId(2), "bravo".to_owned(), "123456".to_owned())]
    }

    async fn promote(&self, node: NodeId) -> Result<(), AdminError> {
        Self::change(node)
    }

    async fn remove(&self, node: NodeId) -> Result<(), AdminError> {
        Self::change(node)
    }

    async fn evict(&self, node: NodeId) -> Result<(), AdminError> {
        Self::change(node)
    }

    async fn transfer(&self, to: Option<NodeId>) -> Result<(), AdminError> {
        to.map_or(Ok(()), Self::change)
    }
}
