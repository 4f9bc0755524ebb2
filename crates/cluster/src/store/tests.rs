//! The store as a whole: what survives, what is refused, and what it says then.

mod damage;
mod log;
mod small_files;
mod snapshot;
mod state;

use std::path::Path;

use domain::ids::RequestId;
use domain::{Actor, Command, Envelope, NodeId, Timestamp, requests};
use openraft::storage::{IOFlushed, RaftLogStorage, RaftStateMachine};
use openraft::type_config::TypeConfigExt;
use openraft::{EntryPayload, RaftLogReader};

use super::*;
use crate::types::{Entry, LeaderId, LogId, Membership, Peer, Record, TypeConfig};

pub(super) fn log_id(term: u64, index: u64) -> LogId {
    LogId::new(LeaderId { term, node_id: 1 }, index)
}

/// An entry whose content follows from its log id, about `size` bytes long. Applying it leaves a row in `request`.
pub(super) fn command(term: u64, index: u64, size: usize) -> Entry {
    let envelope = Envelope {
        request: RequestId::derive(&[&term.to_be_bytes(), &index.to_be_bytes()]),
        issued_at: Timestamp(1_000 + index.cast_signed()),
        issued_by: NodeId(1),
        seed: [0; 16],
        body: [1; 32],
        actor: Actor::ApiKey {
            id: "k".repeat(size),
        },
        decided_under: None,
        command: Command::Requests(requests::Command::Prune {
            before: Timestamp(0),
        }),
    };
    Entry {
        log_id: log_id(term, index),
        payload: EntryPayload::Normal(Record::encode(&envelope).unwrap()),
    }
}

pub(super) fn commands(indexes: std::ops::RangeInclusive<u64>) -> Vec<Entry> {
    indexes.map(|index| command(1, index, 100)).collect()
}

pub(super) fn membership(index: u64) -> Entry {
    let peer = Peer {
        addresses: vec!["a:1".to_owned()],
        ..Peer::default()
    };
    let membership = Membership::new(
        vec![[1].into()],
        std::collections::BTreeMap::from([(1, peer)]),
    )
    .unwrap();
    Entry {
        log_id: log_id(1, index),
        payload: EntryPayload::Membership(membership),
    }
}

pub(super) async fn append(log: &mut LogStore, entries: Vec<Entry>) -> io::Result<()> {
    let (done, flushed) = TypeConfig::oneshot();
    log.append(entries, IOFlushed::signal(done)).await?;
    flushed.await.map_err(io::Error::other)?
}

pub(super) async fn apply(state: &mut StateStore, entries: Vec<Entry>) -> io::Result<()> {
    state
        .apply(futures_util::stream::iter(
            entries.into_iter().map(|entry| Ok((entry, None))),
        ))
        .await
}

/// What [`LogStore`] holds, all of it.
pub(super) async fn everything(log: &mut LogStore) -> io::Result<Vec<Entry>> {
    log.try_get_log_entries(..).await
}

pub(super) async fn requests_remembered(state: &StateStore) -> i64 {
    let mut view = state.view().await.unwrap();
    sqlx::query_scalar("select count(*) from request")
        .fetch_one(&mut *view)
        .await
        .unwrap()
}

/// A connection that meddles with a file from outside.
pub(super) async fn meddle(path: &Path, sql: &'static str) {
    use sqlx::{ConnectOptions, Connection};
    let mut conn = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(path)
        .connect()
        .await
        .unwrap();
    sqlx::raw_sql(sql).execute(&mut conn).await.unwrap();
    conn.close().await.unwrap();
}

#[tokio::test]
async fn a_stopped_node_finds_everything_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).await.unwrap();
    append(&mut store.log, commands(0..=50)).await.unwrap();
    apply(&mut store.state, commands(0..=40)).await.unwrap();
    let vote = crate::types::Vote::new_committed(3, 1);
    store.log.save_vote(&vote).await.unwrap();
    store.log.save_committed(Some(log_id(1, 40))).await.unwrap();
    store.close().await.unwrap();

    let mut store = Store::open(dir.path()).await.unwrap();
    assert_eq!(everything(&mut store.log).await.unwrap(), commands(0..=50));
    assert_eq!(store.log.vote(), Some(vote));
    assert_eq!(
        store.log.read_committed().await.unwrap(),
        Some(log_id(1, 40))
    );
    assert_eq!(store.state.applied(), Some(log_id(1, 40)));
    assert_eq!(requests_remembered(&store.state).await, 41);
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_second_process_on_the_folder_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let error = Store::open(dir.path())
        .await
        .map(drop)
        .unwrap_err()
        .to_string();
    assert!(error.contains("in use by process"), "{error}");
    store.close().await.unwrap();
    Store::open(dir.path())
        .await
        .unwrap()
        .close()
        .await
        .unwrap();
}

#[tokio::test]
async fn a_node_whose_log_is_gone_does_not_start_with_an_empty_one() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).await.unwrap();
    append(&mut store.log, commands(0..=5)).await.unwrap();
    store.close().await.unwrap();
    std::fs::remove_file(dir.path().join("raft.db")).unwrap();
    let error = Store::open(dir.path())
        .await
        .map(drop)
        .unwrap_err()
        .to_string();
    assert!(error.contains("join it again"), "{error}");
}
