//! The small files beside the databases, and the log's journal of a process that died: cut at each length, bits flipped.

use std::fs;

use super::damage::{copy_of, lived_in};
use super::*;

/// Every cut and every flipped bit of a small file.
fn damages(sound: &[u8]) -> Vec<Vec<u8>> {
    let cuts = (0..sound.len()).map(|len| sound[..len].to_vec());
    let flips = (0..sound.len() * 8).map(|bit| {
        let mut bytes = sound.to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        bytes
    });
    cuts.chain(flips).collect()
}

/// Opens a copy of `original` with `file` replaced: the state must be one that was, at 250 or at the snapshot's 200, or,
/// made anew from nothing, refused because the log does not reach back; the log must be whole.
async fn opens_unharmed_or_says_why(original: &Path, file: &str, bytes: &[u8]) {
    let copy = copy_of(original);
    fs::write(copy.path().join(file), bytes).unwrap();
    let what = format!("{file}: {:?}", String::from_utf8_lossy(bytes));
    match Store::open(copy.path()).await {
        Ok(mut store) => {
            let applied = store.state.applied().map(|id| id.index);
            assert!(
                applied == Some(250) || applied == Some(200),
                "{what}: at {applied:?}"
            );
            let entries = everything(&mut store.log).await.unwrap();
            assert_eq!(entries, commands(101..=301), "{what}");
            store.close().await.unwrap();
        }
        Err(error) => {
            let error = fatal::chain(&error);
            assert!(error.contains("evict"), "{what}: {error}");
        }
    }
}

#[tokio::test]
async fn which_state_is_current_is_found_out_again() {
    let original = lived_in().await;
    let file = "state/CURRENT";
    let sound = fs::read(original.path().join(file)).unwrap();
    for bytes in damages(&sound) {
        opens_unharmed_or_says_why(original.path(), file, &bytes).await;
    }
}

#[tokio::test]
async fn a_snapshot_under_a_wrong_digest_is_not_used() {
    let original = lived_in().await;
    let file = "snapshots/snap-1-1-200.db.sha256";
    let sound = fs::read(original.path().join(file)).unwrap();
    for bytes in damages(&sound).into_iter().step_by(11) {
        opens_unharmed_or_says_why(original.path(), file, &bytes).await;
    }
}

#[tokio::test]
async fn a_damaged_mark_of_the_last_stop_only_makes_the_start_look_closer() {
    let original = lived_in().await;
    let sound = fs::read(original.path().join("LOCK")).unwrap();
    for bytes in damages(&sound).into_iter().step_by(5) {
        opens_unharmed_or_says_why(original.path(), "LOCK", &bytes).await;
    }
}

/// SQLite reads its write-ahead log up to the first frame that does not hold, as after a torn write: what was in later
/// frames is gone. That is a shorter history, never another one, and the node's own memo refuses one too short
/// (`presence::behind_memo`).
#[tokio::test]
async fn a_damaged_write_ahead_log_never_makes_another_history() {
    let original = tempfile::tempdir().unwrap();
    let mut store = Store::open(original.path()).await.unwrap();
    for index in 0..60 {
        append(&mut store.log, commands(index..=index))
            .await
            .unwrap();
    }
    let vote = crate::types::Vote::new(7, 1);
    store.log.save_vote(&vote).await.unwrap();
    // As a crash leaves it: copied while it is open.
    let crashed = copy_of(original.path());
    drop(store);
    let file = "raft.db-wal";
    let sound = fs::read(crashed.path().join(file)).unwrap();
    assert!(sound.len() > 50_000, "nothing was left in it");
    for sample in 0..60_usize {
        let at = sample * sound.len() / 60;
        let mut bytes = sound.clone();
        if sample % 2 == 0 {
            bytes[at] ^= 1 << (sample / 2 % 8);
        } else {
            bytes.truncate(at);
        }
        let copy = copy_of(crashed.path());
        fs::write(copy.path().join(file), bytes).unwrap();
        let what = format!("damage {sample} at {at}");
        match Store::open(copy.path()).await {
            Ok(mut store) => {
                let entries = everything(&mut store.log).await.unwrap();
                assert!(entries.len() <= 60, "{what}");
                assert!(
                    entries == commands(0..=59)[..entries.len()],
                    "{what}: another history"
                );
                assert!(
                    store.log.vote().is_none_or(|found| found == vote),
                    "{what}: another vote"
                );
            }
            Err(error) => assert!(error.to_string().contains("evict"), "{what}: {error}"),
        }
    }
}

#[tokio::test]
async fn damage_in_rows_nobody_reads_stops_the_node_and_the_next_start_rebuilds() {
    let dir = lived_in().await;
    let store = Store::open(dir.path()).await.unwrap();
    assert!(!store.state.look_through().await, "sound at first");
    // A page in the middle, as when the medium forgets it: found by looking, not by use.
    let path = dir.path().join("state/000001.db");
    let mut bytes = fs::read(&path).unwrap();
    let page = 4_096;
    let at = bytes.len() / page / 2 * page;
    bytes[at..at + page].fill(0x5a);
    fs::write(&path, bytes).unwrap();
    assert!(store.state.look_through().await);
    let reason = store.fatal().reason().unwrap_or_default().to_owned();
    assert!(reason.contains("builds it anew"), "{reason}");
    store.close().await.unwrap();

    let store = Store::open(dir.path()).await.unwrap();
    assert_eq!(store.state.applied(), Some(log_id(1, 200)), "rebuilt");
    assert!(!store.state.look_through().await);
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_read_that_meets_damage_stops_the_node_at_once() {
    let dir = lived_in().await;
    let store = Store::open(dir.path()).await.unwrap();
    let path = dir.path().join("state/000001.db");
    let mut bytes = fs::read(&path).unwrap();
    bytes[4_096..].fill(0x5a);
    fs::write(&path, bytes).unwrap();
    let read = async {
        let mut view = store.state.view().await?;
        let rows: i64 = sqlx::query_scalar("select sum(length(body)) from request")
            .fetch_one(&mut *view)
            .await?;
        Ok::<_, domain::ports::ReadError>(rows)
    };
    let error = read.await.unwrap_err();
    store.state.suspect(&domain::ports::ReadError::NoQuorum);
    assert_eq!(store.fatal().reason(), None, "no word of the file");
    store.state.suspect(&error);
    let reason = store.fatal().reason().unwrap_or_default();
    assert!(reason.contains("damaged on disk"), "{reason}");
}
