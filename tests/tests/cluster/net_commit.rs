//! Three nodes over real QUIC and real files: electing, committing, forwarding, reading, losing a leader.

use std::time::Duration;

use domain::ports::{Freshness, LEASE, ProposeError, ReadError, Replica as _};
use domain::{NodeId, Outcome};
use tests::cluster::{Nodes, add_person, eventually, fresh_request, knows, put};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_node_takes_a_command_and_every_node_has_it() {
    let nodes = Nodes::start(3).await;
    for id in nodes.ids() {
        let committed = put(&nodes[id], &format!("p{id}")).await.unwrap();
        assert!(
            matches!(committed.outcome, Outcome::Applied(_)),
            "{committed:?}"
        );
        // The node that answered has applied it.
        assert!(knows(&nodes[id], Freshness::Local, &format!("p{id}")).await);
    }
    for id in nodes.ids() {
        for person in ["p1", "p2", "p3"] {
            assert!(
                knows(&nodes[id], Freshness::Linearizable, person).await,
                "n{id} lacks {person}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_request_id_through_two_nodes_applies_once() {
    let nodes = Nodes::start(3).await;
    let request = fresh_request();
    let first = nodes[1].replica();
    let second = nodes[2].replica();
    let (one, two) = tokio::join!(
        first.propose(add_person(request, "ana")),
        second.propose(add_person(request, "ana"))
    );
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_eq!(one.outcome, two.outcome);
    let other_body = nodes[3]
        .replica()
        .propose(add_person(request, "bela"))
        .await
        .unwrap();
    assert_eq!(other_body.outcome, Outcome::Conflict);
    assert!(!knows(&nodes[3], Freshness::Linearizable, "bela").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_leader_is_replaced_and_loses_nothing() {
    let mut nodes = Nodes::start(3).await;
    let leader = nodes.leader().await;
    for i in 0..20 {
        put(&nodes[leader], &format!("before{i}")).await.unwrap();
    }
    nodes.kill(leader).await;
    let survivor = nodes.ids()[0];
    put(&nodes[survivor], "after").await.unwrap();
    let next = nodes.leader().await;
    assert_ne!(next, leader);
    for i in 0..20 {
        assert!(
            knows(
                &nodes[survivor],
                Freshness::Linearizable,
                &format!("before{i}")
            )
            .await
        );
    }
    nodes.restart(leader).await;
    eventually("the old leader has what it missed", || async {
        knows(&nodes[leader], Freshness::Local, "after")
            .await
            .then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_nodes_down_and_back_keep_everything() {
    let mut nodes = Nodes::start(3).await;
    put(&nodes[1], "kept").await.unwrap();
    for id in nodes.ids() {
        nodes.kill(id).await;
    }
    for id in [1, 2, 3] {
        nodes.restart(id).await;
    }
    nodes.leader().await;
    assert!(knows(&nodes[3], Freshness::Linearizable, "kept").await);
    put(&nodes[2], "more").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_single_survivor_neither_commits_nor_reads_linearizably() {
    let tuning = cluster::Tuning {
        island_after: Some(Duration::from_secs(3_600)), // what it does by itself is another file's subject
        ..cluster::Tuning::default()
    };
    let mut nodes = Nodes::with_tuning(3, tuning).await;
    put(&nodes[1], "before").await.unwrap();
    nodes.kill(2).await;
    nodes.kill(3).await;
    let refused = put(&nodes[1], "alone").await.unwrap_err();
    assert!(
        matches!(refused, ProposeError::Unknown | ProposeError::Refused(_)),
        "{refused:?}"
    );
    let read = nodes[1].replica().read(Freshness::Linearizable).await;
    assert!(matches!(read, Err(ReadError::NoQuorum)), "{read:?}");
    assert!(knows(&nodes[1], Freshness::Local, "before").await);
    assert_eq!(nodes[1].replica().lease().await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_graceful_stop_hands_leadership_over() {
    let mut nodes = Nodes::start(3).await;
    let leader = nodes.leader().await;
    nodes.stop(leader).await;
    // No election time-out passed: the next write goes through at once.
    let started = std::time::Instant::now();
    put(&nodes[nodes.ids()[0]], "after").await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(5));
    assert_ne!(nodes.leader().await, leader);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leases_come_from_the_leader_and_are_counted_there() {
    let nodes = Nodes::start(3).await;
    let (leader, follower) = (nodes.leader().await, nodes.follower().await);
    let lease = eventually("a lease is granted", || async {
        nodes[follower].replica().lease().await
    })
    .await;
    assert!(
        lease.until > Duration::from_secs(3_600)
            && lease.until <= Duration::from_secs(3_600 + 60) + LEASE
    );
    eventually("the leader has a lease of its own", || async {
        nodes[leader].replica().lease().await
    })
    .await;
    let granted = nodes[leader].replica().granted();
    assert_eq!(granted.iter().map(|(node, _)| *node).collect::<Vec<_>>(), {
        let mut both = vec![NodeId(leader), NodeId(follower)];
        both.sort();
        both
    });
    assert!(nodes[follower].replica().granted().is_empty());
    nodes[leader].transfer(NodeId(follower)).await.unwrap();
    eventually("a new leadership starts with an empty table", || async {
        (nodes.leader().await == follower && nodes[leader].replica().granted().is_empty())
            .then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cluster_time_runs_on_every_node_and_through_a_restart() {
    let mut nodes = Nodes::start(3).await;
    put(&nodes[1], "x").await.unwrap();
    let close = |nodes: &Nodes, a: u64, b: u64| {
        let (a, b) = (nodes[a].replica().now(), nodes[b].replica().now());
        a.since(b).max(b.since(a)) < Duration::from_secs(2)
    };
    eventually("all nodes agree on the time", || async {
        (close(&nodes, 1, 2) && close(&nodes, 1, 3)).then_some(())
    })
    .await;
    assert!(nodes[1].replica().now() >= domain::Timestamp(1_800_000_000_000));
    let before = nodes[2].replica().now();
    nodes.stop(2).await;
    nodes.restart(2).await;
    assert!(nodes[2].replica().now() >= before);
    assert!(close(&nodes, 1, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_proposals_at_once_all_commit() {
    let nodes = Nodes::start(3).await;
    let mut tasks = tokio::task::JoinSet::new();
    for i in 0..300_u64 {
        let replica = nodes[1 + i % 3].replica();
        tasks.spawn(async move {
            replica
                .propose(add_person(fresh_request(), &format!("m{i}")))
                .await
        });
    }
    while let Some(ended) = tasks.join_next().await {
        assert!(matches!(
            ended.unwrap().unwrap().outcome,
            Outcome::Applied(_)
        ));
    }
    for i in 0..300 {
        assert!(
            knows(&nodes[2], Freshness::Linearizable, &format!("m{i}")).await,
            "m{i} is missing"
        );
    }
}
