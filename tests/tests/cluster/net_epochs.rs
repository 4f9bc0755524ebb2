//! A majority destroyed for good: one survivor goes on in a new epoch, and nobody of the old one does harm.

use std::path::{Path, PathBuf};
use std::time::Duration;

use cluster::recover::Recovery;
use cluster::{Cluster, ClusterError, RecoverError, Retired, Stopped, Why};
use domain::nodes::{self, Left};
use domain::ports::{Freshness, Replica as _};
use domain::{NodeId, nodes::JournalRight};
use tests::cluster::{Nodes, PATIENCE, eventually, knows, put};

/// Begins a new epoch on a stopped node's files.
async fn recover(nodes: &Nodes, id: u64) -> cluster::recover::Recovered {
    let (dir, listen) = nodes.place_of(id);
    let recovery = Recovery::open(nodes.config(dir, listen, "survivor"))
        .await
        .unwrap();
    recovery.carry_out(&["localhost".to_owned()]).await.unwrap()
}

/// Voters fetch it on their own; a survivor without it could not be recognised by the others.
async fn holds_issuing_key(nodes: &Nodes, id: u64) {
    eventually("the voter holds the issuing key", || async {
        nodes[id].identity().can_issue().then_some(())
    })
    .await;
}

/// Three nodes of which two are lost and the third, stopped, knows `old`.
async fn survivor() -> Nodes {
    let mut nodes = Nodes::start(3).await;
    nodes.leader().await;
    put(&nodes[1], "old").await.unwrap();
    holds_issuing_key(&nodes, 3).await;
    eventually("the survivor has it", || async {
        knows(&nodes[3], Freshness::Local, "old")
            .await
            .then_some(())
    })
    .await;
    nodes.kill(1).await;
    nodes.kill(2).await;
    nodes.stop(3).await;
    nodes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_survivor_goes_on_and_a_node_of_the_old_epoch_is_told_and_stays_stopped() {
    let mut nodes = survivor().await;
    let (dir, listen) = nodes.place_of(3);
    let recovery = Recovery::open(nodes.config(dir.clone(), listen, "survivor"))
        .await
        .unwrap();
    let survey = recovery.survey().unwrap().clone();
    assert_eq!((survey.epoch, survey.next_epoch), (1, 2));
    assert_eq!((survey.node, survey.next_node), (NodeId(3), NodeId(4)));
    let fenced: Vec<_> = survey.fenced.iter().map(|(node, _)| *node).collect();
    assert_eq!(fenced, [NodeId(1), NodeId(2)]);
    assert!(!survey.new_authority);
    // Looking changes nothing: the node could still start as it was.
    recovery.give_up().await.unwrap();
    let recovered = recover(&nodes, 3).await;
    assert_eq!((recovered.node, recovered.epoch), (NodeId(4), 2));
    assert!(recovered.aside.join("raft.db").exists());

    nodes.adopt(4, dir, listen).await;
    nodes.leader().await;
    assert!(knows(&nodes[4], Freshness::Linearizable, "old").await);
    put(&nodes[4], "new").await.unwrap();
    assert_eq!(nodes[4].status().await.epoch, 2);
    let mut view = nodes[4].replica().read(Freshness::Local).await.unwrap();
    let rows = nodes::nodes(&mut view).await.unwrap();
    let left: Vec<_> = rows.iter().map(|row| row.left).collect();
    assert_eq!(
        left,
        [Some(Left::Fenced); 3]
            .into_iter()
            .chain([None])
            .collect::<Vec<_>>()
    );
    // The fenced may still hand in what they recorded alone.
    let right = nodes::journal_right(&mut view, NodeId(1), nodes[4].replica().now()).await;
    assert_eq!(right.unwrap(), JournalRight::Granted);
    drop(view);

    // A newcomer gets all of it: what was kept and what is new.
    let newcomer = nodes.join().await;
    assert_eq!(newcomer, 5);
    eventually("the newcomer has both", || async {
        let old = knows(&nodes[5], Freshness::Local, "old").await;
        (old && knows(&nodes[5], Freshness::Local, "new").await).then_some(())
    })
    .await;
    nodes[4].promote(NodeId(5)).await.unwrap();
    put(&nodes[5], "by-two").await.unwrap();

    // One that was thought lost comes back.
    nodes.restart(1).await;
    let stopped = tokio::time::timeout(PATIENCE, nodes[1].stopped())
        .await
        .unwrap();
    let over = Retired {
        why: Why::EpochOver { epoch: 2 },
    };
    assert_eq!(stopped, Stopped::Retired(over.clone()));
    assert!(nodes[1].replica().lease().await.is_none());
    nodes.stop(1).await;
    let kept = eventually("its socket is free", || async {
        match nodes.try_restart(1).await {
            Err(ClusterError::Transport(_)) => None,
            other => Some(other.map(drop)),
        }
    })
    .await;
    assert!(
        matches!(&kept, Err(ClusterError::Retired(why)) if *why == over),
        "{kept:?}"
    );
    // Nor can it begin an epoch of its own.
    let (dir, listen) = nodes.place_of(1);
    let refused = Recovery::open(nodes.config(dir, listen, "x")).await;
    assert!(matches!(refused.map(drop), Err(RecoverError::Retired(_))));
    put(&nodes[4], "undisturbed").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_majority_that_was_not_lost_at_all_is_fenced_too() {
    let mut nodes = Nodes::start(3).await;
    nodes.leader().await;
    put(&nodes[1], "old").await.unwrap();
    holds_issuing_key(&nodes, 3).await;
    nodes.stop(3).await;
    let (dir, listen) = nodes.place_of(3);
    recover(&nodes, 3).await;
    nodes.adopt(4, dir, listen).await;
    // The others meet it under the address of n3.
    for id in [1, 2] {
        let stopped = tokio::time::timeout(PATIENCE, nodes[id].stopped())
            .await
            .unwrap();
        assert!(
            matches!(
                &stopped,
                Stopped::Retired(Retired {
                    why: Why::EpochOver { epoch: 2 }
                })
            ),
            "{stopped:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recovery_that_broke_off_anywhere_is_finished_by_the_same_command() {
    let nodes = survivor().await;
    let (dir, listen) = nodes.place_of(3);
    let before = dir.with_extension("before");
    copy(&dir, &before);
    recover(&nodes, 3).await;
    // What each step changes, in order; a crash may come after any of them.
    let plan = std::fs::read(dir.join("recovery.bin")).unwrap();
    let steps: [&[&str]; 6] = [
        &[],
        &["epoch-1/raft.db"],
        &["epoch-1/raft.db", "epoch-1/snapshots"],
        &["epoch-1/raft.db", "epoch-1/snapshots", "state"],
        &["epoch-1/raft.db", "epoch-1/snapshots", "state", "raft.db"],
        &[
            "epoch-1/raft.db",
            "epoch-1/snapshots",
            "state",
            "raft.db",
            "cluster-ca.pem",
            "node-cert.pem",
        ],
    ];
    for (crash, done) in steps.into_iter().enumerate() {
        let broken = dir.with_extension(format!("broken-{crash}"));
        copy(&before, &broken);
        for name in done {
            if let Some(moved) = name.strip_prefix("epoch-1/") {
                std::fs::create_dir_all(broken.join("epoch-1")).unwrap();
                std::fs::rename(broken.join(moved), broken.join(name)).unwrap();
            } else if dir.join(name).is_dir() {
                std::fs::remove_dir_all(broken.join(name)).unwrap();
                copy(&dir.join(name), &broken.join(name));
            } else {
                std::fs::copy(dir.join(name), broken.join(name)).unwrap();
            }
        }
        std::fs::write(broken.join("recovery.bin"), unfinished(&plan)).unwrap();
        let config = nodes.config(broken.clone(), listen, "survivor");
        let refused = Cluster::start(config.clone()).await.map(drop).unwrap_err();
        assert!(
            refused.to_string().contains("cluster recover"),
            "step {crash}: {refused}"
        );
        let recovery = Recovery::open(config.clone()).await.unwrap();
        assert!(recovery.survey().is_none());
        let done = recovery.carry_out(&[]).await.unwrap();
        assert_eq!((done.node, done.epoch), (NodeId(4), 2), "step {crash}");
        let node = eventually("the socket is free", || async {
            Cluster::start(config.clone()).await.ok()
        })
        .await;
        eventually("it leads", || async {
            node.replica().leadership().leading.map(|_| ())
        })
        .await;
        assert!(knows(&node, Freshness::Linearizable, "old").await);
        put(&node, "new").await.unwrap();
        node.shutdown().await.unwrap();
        // Once begun, starting again is an ordinary start.
        assert!(!broken.join("recovery.bin").exists());
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    drop(nodes);
}

/// The plan as it was before its last step: its last field, one byte, says that the files are ready.
fn unfinished(plan: &[u8]) -> Vec<u8> {
    let mut body = plan[..plan.len() - 4].to_vec();
    assert_eq!(body.last(), Some(&1));
    *body.last_mut().unwrap() = 0;
    let crc = crc32fast::hash(&body).to_be_bytes();
    body.extend_from_slice(&crc);
    body
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target: PathBuf = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_evicted_node_is_out_for_good_and_must_not_hand_anything_in() {
    let mut nodes = Nodes::start(3).await;
    let leader = nodes.leader().await;
    let bad = nodes.follower().await;
    let itself = nodes[bad].evict(NodeId(bad)).await.unwrap_err();
    assert!(itself.to_string().contains("you trust"), "{itself}");
    let journal = nodes[bad].export_journal().await.unwrap();
    nodes[leader].import_journal(&journal).await.unwrap();
    nodes[leader].evict(NodeId(bad)).await.unwrap();
    let refused = nodes[leader].import_journal(&journal).await.unwrap_err();
    assert!(refused.to_string().contains("was evicted"), "{refused}");
    let stopped = tokio::time::timeout(PATIENCE, nodes[bad].stopped())
        .await
        .unwrap();
    assert!(matches!(stopped, Stopped::Retired(_)), "{stopped:?}");
    nodes.kill(bad).await;
    let mut view = nodes[leader]
        .replica()
        .read(Freshness::Linearizable)
        .await
        .unwrap();
    let right = nodes::journal_right(&mut view, NodeId(bad), nodes[leader].replica().now()).await;
    assert_eq!(right.unwrap(), JournalRight::Evicted);
    drop(view);
    put(&nodes[leader], "without-it").await.unwrap();
}
