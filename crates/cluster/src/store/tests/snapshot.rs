use openraft::RaftSnapshotBuilder;

use super::*;
use crate::store::snapshot::SnapshotFile;

async fn send(from: &SnapshotFile, to: &Store, chunk: usize) -> Incoming {
    let mut incoming = to.begin_receiving(from.len, from.sha256).await.unwrap();
    let bytes = std::fs::read(&from.path).unwrap();
    let offset = usize::try_from(incoming.offset()).unwrap();
    for piece in bytes[offset..].chunks(chunk) {
        incoming.write(piece).await.unwrap();
    }
    incoming
}

#[tokio::test]
async fn a_snapshot_built_while_others_write_holds_what_it_says() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).await.unwrap();
    apply(&mut store.state, commands(0..=999)).await.unwrap();
    let mut state = store.state.clone();
    let writer = tokio::spawn(async move {
        for index in 1_000..1_400 {
            apply(&mut state, commands(index..=index)).await.unwrap();
        }
    });
    let mut indexes = Vec::new();
    for _ in 0..3 {
        let built = store.state.build_snapshot().await.unwrap();
        let index = built.meta.last_log_id.unwrap().index;
        assert!(store.state.durable() >= Some(index));
        let mut copy = sqlite::open_copy(&built.snapshot.path).await.unwrap();
        let rows: i64 = sqlx::query_scalar("select count(*) from request")
            .fetch_one(&mut copy)
            .await
            .unwrap();
        assert_eq!(rows.cast_unsigned(), index + 1);
        indexes.push(index);
    }
    writer.await.unwrap();
    indexes.dedup();
    let kept: Vec<u64> = store
        .state
        .snapshots()
        .all()
        .iter()
        .map(|s| s.meta.last_log_id.unwrap().index)
        .collect();
    let newest: Vec<u64> = indexes.into_iter().rev().take(2).collect();
    assert_eq!(kept, newest, "the newest two are kept");
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_snapshot_travels_resumes_and_replaces_the_state() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut sender = Store::open(here.path()).await.unwrap();
    apply(&mut sender.state, vec![membership(0)]).await.unwrap();
    apply(&mut sender.state, commands(1..=500)).await.unwrap();
    let built = sender.state.build_snapshot().await.unwrap();

    let mut receiver = Store::open(there.path()).await.unwrap();
    append(&mut receiver.log, commands(0..=3)).await.unwrap();
    apply(&mut receiver.state, commands(0..=3)).await.unwrap();
    let mut old_view = receiver.state.view().await.unwrap();
    let mut broken = receiver
        .begin_receiving(built.snapshot.len, built.snapshot.sha256)
        .await
        .unwrap();
    let bytes = std::fs::read(&built.snapshot.path).unwrap();
    broken.write(&bytes[..10_000]).await.unwrap();
    assert!(matches!(
        receiver
            .begin_receiving(built.snapshot.len, built.snapshot.sha256)
            .await,
        Err(ReceiveError::Busy)
    ));
    drop(broken);
    let resumed = send(&built.snapshot, &receiver, 4096).await;
    let file = resumed.finish(&built.meta).await.unwrap();
    receiver
        .state
        .install_snapshot(&built.meta, file)
        .await
        .unwrap();
    receiver.log.purge(log_id(1, 500)).await.unwrap();

    assert_eq!(receiver.state.position(), sender.state.position());
    assert_eq!(requests_remembered(&receiver.state).await, 500);
    let seen: i64 = sqlx::query_scalar("select count(*) from request")
        .fetch_one(&mut *old_view)
        .await
        .unwrap();
    assert_eq!(seen, 4, "a reader keeps the state it began with");
    drop(old_view);
    append(&mut receiver.log, commands(501..=502))
        .await
        .unwrap();
    apply(&mut receiver.state, commands(501..=502))
        .await
        .unwrap();
    receiver.close().await.unwrap();

    let mut receiver = Store::open(there.path()).await.unwrap();
    assert_eq!(receiver.state.applied(), Some(log_id(1, 502)));
    assert_eq!(
        everything(&mut receiver.log).await.unwrap(),
        commands(501..=502)
    );
    assert_eq!(
        receiver
            .state
            .get_current_snapshot()
            .await
            .unwrap()
            .unwrap()
            .meta,
        built.meta
    );
    receiver.close().await.unwrap();
    sender.close().await.unwrap();
}

#[tokio::test]
async fn what_is_not_the_announced_snapshot_is_not_installed() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut sender = Store::open(here.path()).await.unwrap();
    apply(&mut sender.state, commands(0..=50)).await.unwrap();
    let built = sender.state.build_snapshot().await.unwrap();
    let receiver = Store::open(there.path()).await.unwrap();
    let bytes = std::fs::read(&built.snapshot.path).unwrap();
    let flipped: Vec<u8> = bytes
        .iter()
        .enumerate()
        .map(|(i, b)| if i == 5_000 { b ^ 4 } else { *b })
        .collect();
    for (content, why) in [
        (&bytes[..bytes.len() - 1], "bytes"),
        (&flipped, "digest differs"),
    ] {
        let mut incoming = receiver
            .begin_receiving(built.snapshot.len, built.snapshot.sha256)
            .await
            .unwrap();
        incoming.write(content).await.unwrap();
        let error = incoming.finish(&built.meta).await.unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
    let mut incoming = receiver
        .begin_receiving(built.snapshot.len, built.snapshot.sha256)
        .await
        .unwrap();
    incoming.write(&bytes).await.unwrap();
    assert!(matches!(
        incoming.write(b"x").await,
        Err(ReceiveError::Overrun { .. })
    ));
    let other = crate::types::SnapshotMeta {
        last_log_id: Some(log_id(9, 9)),
        ..built.meta.clone()
    };
    let error = incoming.finish(&other).await.unwrap_err().to_string();
    assert!(error.contains("it stands at"), "{error}");
    let whole = send(&built.snapshot, &receiver, 1 << 20).await;
    whole.finish(&built.meta).await.unwrap();
    receiver.close().await.unwrap();
    sender.close().await.unwrap();
}

#[tokio::test]
async fn a_snapshot_damaged_on_disk_is_replaced_by_a_new_one() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).await.unwrap();
    apply(&mut store.state, commands(0..=50)).await.unwrap();
    let built = store.state.build_snapshot().await.unwrap();
    store.close().await.unwrap();
    let mut bytes = std::fs::read(&built.snapshot.path).unwrap();
    bytes[6_000] ^= 1;
    std::fs::write(&built.snapshot.path, bytes).unwrap();
    let mut store = Store::open(dir.path()).await.unwrap();
    let current = store.state.get_current_snapshot().await.unwrap().unwrap();
    assert_eq!(current.meta, built.meta);
    assert_eq!(
        files::digest(&current.snapshot.path).unwrap(),
        (current.snapshot.len, current.snapshot.sha256)
    );
    store.close().await.unwrap();
}
