use super::*;
use crate::types::Reply;

#[tokio::test]
async fn a_view_stands_still_while_others_apply() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).await.unwrap();
    apply(&mut store.state, commands(0..=9)).await.unwrap();
    let mut view = store.state.view().await.unwrap();
    apply(&mut store.state, commands(10..=19)).await.unwrap();
    assert_eq!((view.applied, view.as_of), (9, Timestamp(1_009)));
    let seen: i64 = sqlx::query_scalar("select count(*) from request")
        .fetch_one(&mut *view)
        .await
        .unwrap();
    assert_eq!(seen, 10);
    drop(view);
    let view = store.state.view().await.unwrap();
    assert_eq!((view.applied, view.as_of), (19, Timestamp(1_019)));
    drop(view);
    store.close().await.unwrap();
}

#[tokio::test]
async fn an_apply_wakes_those_who_wait_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).await.unwrap();
    let (mut applied, mut changes) = (store.state.watch_applied(), store.state.changes());
    let waiter = tokio::spawn(async move {
        applied
            .wait_for(|index| *index >= Some(700))
            .await
            .map(|_| ())
    });
    apply(&mut store.state, commands(0..=700)).await.unwrap();
    waiter.await.unwrap().unwrap();
    assert!(changes.has_changed().unwrap());
    assert_eq!(
        *changes.borrow_and_update(),
        2,
        "701 entries are two batches"
    );
    store.close().await.unwrap();
}

#[tokio::test]
async fn an_entry_without_a_command_is_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).await.unwrap();
    let garbage = Entry {
        log_id: log_id(1, 1),
        payload: EntryPayload::Normal(Record::from(vec![1, 2, 3])),
    };
    let blank = Entry {
        log_id: log_id(1, 3),
        payload: EntryPayload::Blank,
    };
    apply(
        &mut store.state,
        vec![
            command(1, 0, 1),
            garbage,
            membership(2),
            blank,
            command(1, 4, 1),
        ],
    )
    .await
    .unwrap();
    assert_eq!(store.state.applied(), Some(log_id(1, 4)));
    assert_eq!(store.state.membership().log_id(), &Some(log_id(1, 2)));
    assert_eq!(requests_remembered(&store.state).await, 2);
    assert_eq!(Reply::default(), Reply(None));
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_failed_apply_stops_the_node_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).await.unwrap();
    apply(&mut store.state, commands(0..=9)).await.unwrap();
    meddle(
        &dir.path().join("state/000001.db"),
        "create trigger fails before update on raft_position begin select raise(abort, 'no'); end",
    )
    .await;
    apply(&mut store.state, commands(10..=19))
        .await
        .unwrap_err();
    assert!(store.fatal().reason().unwrap().starts_with("cannot apply"));
    assert_eq!(store.state.applied(), Some(log_id(1, 9)));
    assert_eq!(requests_remembered(&store.state).await, 10);
}

#[tokio::test]
async fn applied_becomes_durable_by_itself_and_on_demand() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).await.unwrap();
    assert_eq!(store.state.durable(), None);
    apply(&mut store.state, commands(0..=9)).await.unwrap();
    store.state.make_durable().await.unwrap();
    assert_eq!(store.state.durable(), Some(9));
    apply(&mut store.state, commands(10..=12)).await.unwrap();
    for _ in 0..500 {
        if store.state.durable() == Some(12) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(
        store.state.durable(),
        Some(12),
        "the checkpoint after a rest"
    );
    store.close().await.unwrap();
}

#[tokio::test]
async fn state_that_stands_further_than_the_log_is_covered_by_a_snapshot() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).await.unwrap();
    append(&mut store.log, commands(0..=40)).await.unwrap();
    apply(&mut store.state, commands(0..=50)).await.unwrap();
    store.close().await.unwrap();

    let mut store = Store::open(dir.path()).await.unwrap();
    assert_eq!(store.log.last_log_id(), Some(log_id(1, 40)));
    let snapshot = store.state.get_current_snapshot().await.unwrap().unwrap();
    assert_eq!(snapshot.meta.last_log_id, Some(log_id(1, 50)));
    store.close().await.unwrap();
}
