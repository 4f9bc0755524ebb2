//! Keys and the authority replaced under load: nobody notices.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use cluster::{Cluster, ClusterError, RotateError};
use domain::ports::{Freshness, Replica as _};
use domain::{NodeId, nodes};
use tests::cluster::{Nodes, add_person, eventually, fresh_request, knows, put};
use tokio::task::JoinSet;

/// Somebody who commits through one node all the time.
struct Writer {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
    tasks: JoinSet<Duration>,
}

impl Writer {
    fn start(node: &Cluster) -> Self {
        let (stop, done) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU64::new(0)),
        );
        let (stopped, counted, replica) = (stop.clone(), done.clone(), node.replica());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut slowest = Duration::ZERO;
            while !stopped.load(Ordering::Relaxed) {
                let began = std::time::Instant::now();
                replica
                    .propose(add_person(fresh_request(), "writer"))
                    .await
                    .unwrap();
                slowest = slowest.max(began.elapsed());
                counted.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            slowest
        });
        Self { stop, done, tasks }
    }

    /// Waits for some more commits.
    async fn goes_on(&self) {
        let before = self.done.load(Ordering::Relaxed);
        eventually("commits go on", || async {
            (self.done.load(Ordering::Relaxed) > before + 5).then_some(())
        })
        .await;
    }

    /// Every commit succeeded; the slowest took so long.
    async fn end(mut self) -> Duration {
        self.stop.store(true, Ordering::Relaxed);
        self.tasks.join_next().await.unwrap().unwrap()
    }
}

async fn pins_of(node: &Cluster, of: u64) -> Vec<[u8; 32]> {
    let mut view = node.replica().read(Freshness::Linearizable).await.unwrap();
    let rows = nodes::nodes(&mut view).await.unwrap();
    rows.into_iter().find(|row| row.node.0 == of).unwrap().pins
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_key_is_replaced_while_commands_commit() {
    let mut nodes = Nodes::start(3).await;
    let leader = nodes.leader().await;
    let follower = nodes.follower().await;
    let term = nodes[leader].status().await.term;
    let writers = [
        Writer::start(&nodes[leader]),
        Writer::start(&nodes[follower]),
    ];
    for id in nodes.ids() {
        let old = nodes[id].identity().pin();
        // Asked of one node for all: it passes the wish on.
        nodes[follower].rotate_key(NodeId(id)).await.unwrap();
        let new = nodes[id].identity().pin();
        assert_ne!(old, new);
        assert_eq!(
            pins_of(&nodes[leader], id).await,
            [new],
            "the old pin is still there"
        );
        for writer in &writers {
            writer.goes_on().await;
        }
    }
    for writer in writers {
        let slowest = writer.end().await;
        println!("slowest commit during the rotations: {slowest:?}");
    }
    assert_eq!(
        nodes[leader].status().await.term,
        term,
        "a rotation cost an election"
    );
    // The new keys are those of the files.
    for id in nodes.ids() {
        let pin = nodes[id].identity().pin();
        nodes.stop(id).await;
        nodes.restart(id).await;
        assert_eq!(nodes[id].identity().pin(), pin);
    }
    put(&nodes[follower], "after").await.unwrap();
    // And connections show them: nobody was turned away at the end.
    eventually("all nodes have it", || async {
        for id in nodes.ids() {
            if !knows(&nodes[id], Freshness::Local, "after").await {
                return None;
            }
        }
        Some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_authority_is_replaced_in_steps_while_commands_commit() {
    let mut nodes = Nodes::start(3).await;
    let leader = nodes.leader().await;
    let old = nodes[leader].identity().authority();
    let asleep = nodes.follower().await;
    eventually("every voter holds the issuing key", || async {
        let held = |id: &u64| nodes[*id].identity().can_issue();
        nodes.ids().iter().all(held).then_some(())
    })
    .await;
    // Nobody is left behind: with a member down the change stops at a safe step, and says who is missing.
    nodes.kill(asleep).await;
    let asked = nodes.ids().into_iter().find(|id| *id != leader).unwrap();
    let behind = nodes[asked].rotate_authority().await.unwrap_err();
    assert!(
        matches!(&behind, ClusterError::Rotate(RotateError::Behind(who)) if *who == NodeId(asleep).to_string()),
        "{behind}"
    );
    put(&nodes[asked], "meanwhile").await.unwrap();
    nodes.restart(asleep).await;

    let writer = Writer::start(&nodes[asked]);
    nodes[asked].rotate_authority().await.unwrap();
    writer.goes_on().await;
    println!("slowest commit during the change: {:?}", writer.end().await);
    let new = nodes[asked].identity().authority();
    assert_ne!(old, new);
    for id in nodes.ids() {
        eventually("every member stands on the new authority alone", || async {
            let identity = nodes[id].identity();
            let alone = identity.trusted() == [new.clone()];
            (alone && identity.chain()[1] == new && identity.can_issue()).then_some(())
        })
        .await;
    }
    // Newcomers are signed by it, and everybody starts again on it.
    let newcomer = nodes.join().await;
    assert_eq!(nodes[newcomer].identity().authority(), new);
    for id in nodes.ids() {
        nodes.kill(id).await;
    }
    for id in [1, 2, 3, newcomer] {
        nodes.restart(id).await;
    }
    put(&nodes[newcomer], "on-the-new-one").await.unwrap();
}
