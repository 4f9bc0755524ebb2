//! Identities that come back wrong: cloned, on an old copy of their disk, on a wiped one. Each is stopped and told why.

use std::path::Path;
use std::time::Duration;

use cluster::{Cluster, Stopped, Why};
use domain::ports::{Freshness, Replica as _};
use tests::cluster::{Nodes, PATIENCE, eventually, knows, put};

/// Files of a node as they are now, elsewhere.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

async fn why(node: &Cluster) -> Why {
    let stopped = tokio::time::timeout(PATIENCE, node.stopped()).await;
    match stopped.expect("it stops") {
        Stopped::Retired(retired) => retired.why,
        other @ (Stopped::Storage(_) | Stopped::Engine(_)) => {
            panic!("it stopped otherwise: {other:?}")
        }
    }
}

/// Three nodes of which n3 knows everything and the others know that it does.
async fn settled() -> Nodes {
    let nodes = Nodes::start(3).await;
    let leader = nodes.leader().await;
    put(&nodes[leader], "early").await.unwrap();
    nodes
}

/// Writes more, until n3 has it and has confirmed it in a round of presence.
async fn go_on(nodes: &Nodes) {
    let leader = nodes.leader().await;
    for n in 0..5 {
        put(&nodes[leader], &format!("later-{n}")).await.unwrap();
    }
    eventually("n3 has it", || async {
        knows(&nodes[3], Freshness::Local, "later-4")
            .await
            .then_some(())
    })
    .await;
    tokio::time::sleep(Duration::from_secs(4)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_live_copies_of_a_node_are_both_stopped_and_the_others_raise_an_alarm() {
    let mut nodes = settled().await;
    nodes.leader().await;
    nodes.stop(3).await;
    let (dir, _) = nodes.place_of(3);
    let (clone_dir, clone_listen) = nodes.place();
    copy(&dir, &clone_dir);
    nodes.restart(3).await;
    let leader = nodes.leader().await;
    put(&nodes[leader], "one-n3").await.unwrap();
    let clone = Cluster::start(nodes.config(clone_dir, clone_listen, "clone"))
        .await
        .unwrap();
    assert_eq!(why(&clone).await, Why::Twin);
    assert_eq!(why(&nodes[3]).await, Why::Twin);
    assert!(clone.replica().lease().await.is_none());
    assert!(nodes[3].replica().lease().await.is_none());
    clone.kill().await;
    nodes.kill(3).await;
    eventually("the others raise an alarm", || async {
        let leader = nodes.leader().await;
        let alarms = nodes[leader].status().await.alarms;
        let said = |alarm: &String| alarm.contains("two places");
        alarms.iter().any(said).then_some(())
    })
    .await;
    let leader = nodes.leader().await;
    put(&nodes[leader], "without-n3").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_on_an_old_copy_of_its_disk_is_refused_before_it_votes() {
    let mut nodes = settled().await;
    nodes.leader().await;
    nodes.stop(3).await;
    let (dir, _) = nodes.place_of(3);
    let old = dir.with_extension("old");
    copy(&dir, &old);
    nodes.restart(3).await;
    go_on(&nodes).await;
    nodes.stop(3).await;
    std::fs::remove_dir_all(&dir).unwrap();
    copy(&old, &dir);
    nodes.restart(3).await;
    let why = why(&nodes[3]).await;
    assert!(
        matches!(why, Why::OldCopy { confirmed, has } if has < confirmed),
        "{why:?}"
    );
    nodes.kill(3).await;
    let leader = nodes.leader().await;
    put(&nodes[leader], "undisturbed").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wiped_disk_does_not_come_back_under_its_old_id() {
    let mut nodes = settled().await;
    go_on(&nodes).await;
    nodes.stop(3).await;
    let (dir, _) = nodes.place_of(3);
    for name in ["raft.db", "node.db", "LOCK", "island.db"] {
        _ = std::fs::remove_file(dir.join(name));
    }
    for name in ["state", "snapshots"] {
        std::fs::remove_dir_all(dir.join(name)).unwrap();
    }
    nodes.restart(3).await;
    let why = why(&nodes[3]).await;
    assert!(matches!(why, Why::OldCopy { has: 0, .. }), "{why:?}");
    nodes.kill(3).await;
    let leader = nodes.leader().await;
    put(&nodes[leader], "undisturbed").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_log_beside_a_newer_memory_says_so_at_the_start() {
    let mut nodes = settled().await;
    nodes.leader().await;
    nodes.stop(3).await;
    let (dir, _) = nodes.place_of(3);
    let old = dir.with_extension("old");
    copy(&dir, &old);
    nodes.restart(3).await;
    go_on(&nodes).await;
    tokio::time::sleep(Duration::from_secs(3)).await; // it notes down how far it came
    nodes.stop(3).await;
    let kept = std::fs::read(dir.join("node.db")).unwrap();
    std::fs::remove_dir_all(&dir).unwrap();
    copy(&old, &dir);
    std::fs::write(dir.join("node.db"), kept).unwrap();
    let refused = nodes.try_restart(3).await.map(drop).unwrap_err();
    assert!(refused.to_string().contains("old copy"), "{refused}");
}
