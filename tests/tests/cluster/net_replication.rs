//! Elections and catching up under awkward circumstances, over real QUIC.

use std::time::Duration;

use cluster::Tuning;
use domain::NodeId;
use domain::ports::{Freshness, Replica as _};
use tests::cluster::{Nodes, eventually, knows, put};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_far_behind_learner_gets_a_snapshot() {
    let tuning = Tuning {
        log_kept: 1,
        ..Tuning::default()
    };
    let mut nodes = Nodes::with_tuning(1, tuning).await;
    for i in 0..600 {
        put(&nodes[1], &format!("s{i}")).await.unwrap();
    }
    nodes[1].snapshot().await.unwrap();
    eventually("the log is purged", || async {
        nodes[1].status().await.snapshot
    })
    .await;
    put(&nodes[1], "tail").await.unwrap();
    let learner = nodes.join().await;
    eventually("the learner has snapshot and tail", || async {
        (knows(&nodes[learner], Freshness::Local, "s0").await
            && knows(&nodes[learner], Freshness::Local, "tail").await)
            .then_some(())
    })
    .await;
    assert!(
        nodes[learner].status().await.snapshot.is_some(),
        "it came entry by entry"
    );
    nodes[1].promote(NodeId(learner)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_comes_and_goes_deposes_nobody() {
    let mut nodes = Nodes::start(3).await;
    let leader = nodes.leader().await;
    let term = nodes[leader].status().await.term;
    let restless = nodes.follower().await;
    for _ in 0..3 {
        nodes.kill(restless).await;
        // Longer than an election time-out: on its return the node has no leader and asks for votes.
        tokio::time::sleep(Duration::from_millis(300)).await;
        nodes.restart(restless).await;
        put(&nodes[leader], "x").await.unwrap();
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(nodes.leader().await, leader);
    assert_eq!(
        nodes[leader].status().await.term,
        term,
        "pre-vote let a term pass"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_isolated_node_does_not_raise_the_term() {
    let mut nodes = Nodes::start(3).await;
    let leader = nodes.leader().await;
    let followers: Vec<u64> = nodes.ids().into_iter().filter(|id| *id != leader).collect();
    let term = nodes[leader].status().await.term;
    nodes.kill(leader).await;
    nodes.kill(followers[0]).await;
    // Alone, it asks nobody's vote in vain for several election time-outs.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(nodes[followers[1]].status().await.term, term);
    nodes.restart(leader).await;
    nodes.restart(followers[0]).await;
    put(&nodes[followers[1]], "together").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_gap_after_a_dead_leader_is_short() {
    let mut nodes = Nodes::start(3).await;
    let mut gaps = Vec::new();
    for _ in 0..3 {
        let leader = nodes.leader().await;
        put(&nodes[leader], "x").await.unwrap();
        nodes.kill(leader).await;
        let survivor = nodes.ids()[0];
        let started = std::time::Instant::now();
        put(&nodes[survivor], "y").await.unwrap();
        gaps.push(started.elapsed());
        nodes.restart(leader).await;
    }
    // The bench holds this to a second; here a busy machine must not fail the build.
    assert!(
        gaps.iter().all(|gap| *gap < Duration::from_secs(5)),
        "{gaps:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn planned_transfers_lose_no_command() {
    let nodes = Nodes::start(3).await;
    let mut gaps = Vec::new();
    for round in 0..6 {
        let (leader, to) = (nodes.leader().await, nodes.follower().await);
        let third = nodes
            .ids()
            .into_iter()
            .find(|id| ![leader, to].contains(id))
            .unwrap();
        put(&nodes[third], &format!("before{round}")).await.unwrap();
        let key = format!("during{round}");
        let began = std::time::Instant::now();
        let (moved, written) =
            tokio::join!(nodes[third].transfer(NodeId(to)), put(&nodes[third], &key));
        moved.unwrap();
        written.unwrap();
        put(&nodes[third], &format!("after{round}")).await.unwrap();
        gaps.push(began.elapsed());
    }
    // The bench holds this to a limit; here a busy machine must not fail the build.
    println!("from the order to the next two commands: {gaps:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leadership_can_be_moved_and_is_announced() {
    let nodes = Nodes::start(3).await;
    let (leader, to) = (nodes.leader().await, nodes.follower().await);
    let mut changes = nodes[to].replica().changes();
    changes.mark_unchanged();
    nodes[to].transfer(NodeId(to)).await.unwrap();
    changes.changed().await.unwrap();
    eventually("the other node leads", || async {
        (nodes.leader().await == to).then_some(())
    })
    .await;
    let leadership = nodes[to].replica().leadership();
    assert_eq!(leadership.leading.map(|stamp| stamp.node), Some(NodeId(to)));
    assert_eq!(leadership.voters, [NodeId(1), NodeId(2), NodeId(3)]);
    assert_eq!(nodes[leader].replica().leadership().leading, None);
}
