use super::*;
use crate::types::Vote;

#[tokio::test]
async fn entries_that_left_memory_are_read_from_disk() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).await.unwrap();
    for chunk in 0..30 {
        append(&mut store.log, commands(chunk * 400..=chunk * 400 + 399))
            .await
            .unwrap();
    }
    let read = store.log.try_get_log_entries(0..12_000).await.unwrap();
    assert_eq!(read, commands(0..=11_999));
    assert_eq!(
        store.log.try_get_log_entries(10..12).await.unwrap(),
        commands(10..=11)
    );
    let streamed: Vec<Entry> = {
        use futures_util::TryStreamExt;
        store
            .log
            .entries_stream(5..11_000)
            .await
            .try_collect()
            .await
            .unwrap()
    };
    assert_eq!(streamed, commands(5..=10_999));
    store.close().await.unwrap();
}

#[tokio::test]
async fn one_rpc_takes_what_fits_and_at_least_one_entry() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).await.unwrap();
    let entries: Vec<Entry> = (0..10).map(|i| command(1, i, 1024 * 1024)).collect();
    append(&mut store.log, entries).await.unwrap();
    append(&mut store.log, vec![command(1, 10, 6 * 1024 * 1024)])
        .await
        .unwrap();
    assert_eq!(
        store
            .log
            .limited_get_log_entries(0, 11)
            .await
            .unwrap()
            .len(),
        3
    );
    assert_eq!(
        store
            .log
            .limited_get_log_entries(10, 11)
            .await
            .unwrap()
            .len(),
        1
    );
    store.close().await.unwrap();
}

#[tokio::test]
async fn an_entry_out_of_place_is_refused_and_nothing_is_stored() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).await.unwrap();
    append(&mut store.log, commands(0..=5)).await.unwrap();
    append(&mut store.log, commands(7..=8)).await.unwrap_err();
    append(&mut store.log, commands(5..=6)).await.unwrap_err();
    assert_eq!(everything(&mut store.log).await.unwrap(), commands(0..=5));
    store.close().await.unwrap();
}

#[tokio::test]
async fn truncation_and_new_entries_replace_the_old_tail() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).await.unwrap();
    append(&mut store.log, commands(0..=20)).await.unwrap();
    store.log.truncate_after(Some(log_id(1, 10))).await.unwrap();
    append(&mut store.log, vec![command(2, 11, 10)])
        .await
        .unwrap();
    let mut expected = commands(0..=10);
    expected.push(command(2, 11, 10));
    assert_eq!(everything(&mut store.log).await.unwrap(), expected);
    store.close().await.unwrap();
    let mut store = Store::open(dir.path()).await.unwrap();
    assert_eq!(everything(&mut store.log).await.unwrap(), expected);
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_purge_waits_for_state_to_be_durable() {
    let dir = tempfile::tempdir().unwrap();
    let durable = watch::Sender::new(Some(3));
    let options = LogOptions {
        state_durable: durable.subscribe(),
        fatal: Fatal::new(),
        unclean: false,
        snapshot: None,
    };
    let mut tasks = JoinSet::new();
    let path = dir.path().join("raft.db");
    let mut log = LogStore::open(&path, options, &mut tasks).await.unwrap();
    append(&mut log, commands(0..=20)).await.unwrap();
    log.purge(log_id(1, 10)).await.unwrap();
    assert_eq!(log.purged(), Some(log_id(1, 10)), "readers see it at once");

    let oldest_on_disk = async || {
        use sqlx::{ConnectOptions, Connection};
        let mut conn = sqlite::read_options(&path).connect().await.unwrap();
        let oldest: i64 = sqlx::query_scalar("select min(idx) from log")
            .fetch_one(&mut conn)
            .await
            .unwrap();
        conn.close().await.unwrap();
        oldest
    };
    let settles_at = async |wanted: i64| {
        for _ in 0..200 {
            if oldest_on_disk().await == wanted {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        false
    };
    assert!(settles_at(4).await);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(
        oldest_on_disk().await,
        4,
        "the rest is still needed to rebuild state"
    );
    durable.send_replace(Some(15));
    assert!(settles_at(11).await);
    log.close().await.unwrap();
}

#[tokio::test]
async fn a_purge_past_the_end_of_unsaved_state_stops_the_node() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).await.unwrap();
    append(&mut store.log, commands(0..=5)).await.unwrap();
    store.log.purge(log_id(1, 20)).await.unwrap_err();
    assert!(store.fatal().reason().unwrap().contains("past the end"));
}

#[tokio::test]
async fn a_failed_write_stops_the_node_and_is_never_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).await.unwrap();
    append(&mut store.log, commands(0..=5)).await.unwrap();
    meddle(
        &dir.path().join("raft.db"),
        "create trigger fails before insert on log when new.idx = 7 begin select raise(abort, 'no'); end",
    )
    .await;
    append(&mut store.log, commands(6..=6)).await.unwrap();
    append(&mut store.log, commands(7..=8)).await.unwrap_err();
    let reason = store.fatal().raised().await;
    assert!(reason.starts_with("cannot write the log"), "{reason}");
    append(&mut store.log, commands(9..=9)).await.unwrap_err();
    store.log.save_vote(&Vote::new(9, 1)).await.unwrap_err();
    drop(store);

    meddle(&dir.path().join("raft.db"), "drop trigger fails").await;
    let mut store = Store::open(dir.path()).await.unwrap();
    assert_eq!(everything(&mut store.log).await.unwrap(), commands(0..=6));
    assert_eq!(store.log.vote(), None);
    store.close().await.unwrap();
}

#[tokio::test]
async fn the_committed_mark_never_passes_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).await.unwrap();
    append(&mut store.log, commands(0..=5)).await.unwrap();
    store.log.save_committed(Some(log_id(1, 9))).await.unwrap();
    store.close().await.unwrap();
    let mut store = Store::open(dir.path()).await.unwrap();
    assert_eq!(store.log.read_committed().await.unwrap(), None);
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_log_of_a_newer_version_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    Store::open(dir.path())
        .await
        .unwrap()
        .close()
        .await
        .unwrap();
    meddle(&dir.path().join("raft.db"), "pragma user_version = 2").await;
    let error = Store::open(dir.path())
        .await
        .map(drop)
        .unwrap_err()
        .to_string();
    assert!(error.contains("upgrade this node"), "{error}");
}
