//! Files changed behind the store's back: a clear error or the same content, never a panic, never another history.

use openraft::RaftSnapshotBuilder;

use super::*;

/// Damages to try per file. Spread over the whole file, the same in every run.
const SAMPLES: u64 = 40;

/// A folder with a log of 300 entries, state at 250, a snapshot at 200 and the log purged to 100.
pub(super) async fn lived_in() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).await.unwrap();
    append(&mut store.log, commands(0..=300)).await.unwrap();
    apply(&mut store.state, commands(0..=200)).await.unwrap();
    store.state.build_snapshot().await.unwrap();
    apply(&mut store.state, commands(201..=250)).await.unwrap();
    store
        .log
        .save_vote(&crate::types::Vote::new(7, 1))
        .await
        .unwrap();
    store.log.purge(log_id(1, 100)).await.unwrap();
    append(&mut store.log, commands(301..=301)).await.unwrap();
    store.close().await.unwrap();
    dir
}

pub(super) fn copy_of(original: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for folder in ["state", "snapshots", "snapshots/incoming"] {
        std::fs::create_dir_all(copy.path().join(folder)).unwrap();
    }
    for folder in ["", "state", "snapshots"] {
        for entry in std::fs::read_dir(original.join(folder)).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_file() {
                std::fs::copy(
                    entry.path(),
                    copy.path().join(folder).join(entry.file_name()),
                )
                .unwrap();
            }
        }
    }
    copy
}

/// Damages a copy of `file` in many ways, opens it each time and lets `judge` look at what came of it.
async fn try_damages(file: &str, judge: impl AsyncFn(Result<Store, OpenError>, &str)) {
    let original = lived_in().await;
    let sound = std::fs::read(original.path().join(file)).unwrap();
    let len = sound.len() as u64;
    for sample in 0..2 * SAMPLES {
        let copy = copy_of(original.path());
        let mut bytes = sound.clone();
        // A multiplicative step visits the file evenly, and different bits of it.
        let at = usize::try_from(sample * 2_654_435_761 % len).unwrap();
        let what = if sample % 2 == 0 {
            bytes[at] ^= 1 << (sample / 2 % 8);
            format!("{file}: bit {} of byte {at} flipped", sample / 2 % 8)
        } else {
            bytes.truncate(at);
            format!("{file}: cut to {at} of {len} bytes")
        };
        std::fs::write(copy.path().join(file), bytes).unwrap();
        if sample % 4 < 2 {
            std::fs::write(copy.path().join("LOCK"), "running 1\n").unwrap(); // half of them after a crash
        }
        judge(Store::open(copy.path()).await, &what).await;
    }
}

#[tokio::test]
async fn a_damaged_log_is_refused_or_unharmed() {
    try_damages("raft.db", async |opened, what| match opened {
        Ok(mut store) => {
            // Reading may still find it; what is read must be what was written.
            if let Ok(entries) = everything(&mut store.log).await {
                assert_eq!(entries, commands(101..=301), "{what}");
                assert_eq!(
                    store.log.vote(),
                    Some(crate::types::Vote::new(7, 1)),
                    "{what}"
                );
            } else {
                assert!(store.fatal().reason().is_some(), "{what}");
            }
        }
        Err(error) => assert!(error.to_string().contains("evict"), "{what}: {error}"),
    })
    .await;
}

#[tokio::test]
async fn damaged_state_is_rebuilt_or_unharmed() {
    try_damages("state/000001.db", async |opened, what| {
        let store = opened.unwrap_or_else(|error| panic!("{what}: {}", fatal::chain(&error)));
        let applied = store.state.applied().map(|id| id.index);
        // SQLite has no checksum of its own: a flip inside a row's content is not seen here, the digests between
        // replicas see it. But the position is never in doubt.
        assert!(
            applied == Some(250) || applied == Some(200),
            "{what}: at {applied:?}"
        );
        store.close().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_damaged_snapshot_is_never_handed_out() {
    try_damages("snapshots/snap-1-1-200.db", async |opened, what| {
        let mut store = opened.unwrap_or_else(|error| panic!("{what}: {}", fatal::chain(&error)));
        if let Some(current) = store.state.get_current_snapshot().await.unwrap() {
            assert_eq!(
                files::digest(&current.snapshot.path).unwrap(),
                (current.snapshot.len, current.snapshot.sha256),
                "{what}"
            );
            assert_eq!(
                current.meta.last_log_id,
                Some(log_id(1, 250)),
                "{what}: built anew"
            );
        }
        store.close().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn state_older_than_the_log_is_rebuilt_or_the_node_says_it_is_lost() {
    let dir = lived_in().await;
    let old = tempfile::tempdir().unwrap();
    let mut store = Store::open(old.path()).await.unwrap();
    apply(&mut store.state, commands(0..=50)).await.unwrap();
    store.close().await.unwrap();
    std::fs::copy(
        old.path().join("state/000001.db"),
        dir.path().join("state/000001.db"),
    )
    .unwrap();

    let store = Store::open(dir.path()).await.unwrap();
    assert_eq!(
        store.state.applied(),
        Some(log_id(1, 200)),
        "rebuilt from the snapshot"
    );
    store.close().await.unwrap();

    for entry in std::fs::read_dir(dir.path().join("snapshots")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            std::fs::remove_file(path).unwrap();
        }
    }
    std::fs::copy(
        old.path().join("state/000001.db"),
        dir.path().join("state/000002.db"),
    )
    .unwrap();
    let error = Store::open(dir.path())
        .await
        .map(drop)
        .unwrap_err()
        .to_string();
    assert!(error.contains("evict this node"), "{error}");
}
