//! Replicas compare their states; one that differs from a majority does not lead (DESIGN A9).

use std::path::Path;

use domain::nodes::{Command as Nodes_, DigestReport};
use domain::ports::{Freshness, Proposal, Replica as _};
use domain::{Command, NodeId, nodes};
use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use tests::cluster::{Nodes, eventually, fresh_request, put};

fn by_loop(command: Nodes_) -> Proposal {
    Proposal::by_loop(fresh_request(), Command::Nodes(command))
}

/// Has every node digest its state while people are added, and tell what it came to. Says how each compares, by node.
async fn compare(cluster: &Nodes, round: u32) -> Vec<&'static str> {
    let leader = &cluster[cluster.leader().await];
    let replica = leader.replica();
    let marked = replica.propose(by_loop(Nodes_::TakeDigest));
    let busy = async {
        for n in 0..20 {
            put(leader, &format!("p{round}-{n}")).await.unwrap();
        }
    };
    let (marked, ()) = tokio::join!(marked, busy);
    let index = marked.unwrap().index;
    for id in cluster.ids() {
        let node = &cluster[id];
        let taken = eventually("the digest is taken", || async {
            let taken = node.replica().digest()?;
            (taken.index == index).then_some(taken)
        })
        .await;
        let report = DigestReport {
            node: NodeId(id),
            index,
            schema: taken.schema,
            digest: taken.digest,
        };
        let replica = node.replica();
        let told = replica.propose(by_loop(Nodes_::ReportDigest(report)));
        told.await.unwrap();
    }
    let mut view = leader.replica().read(Freshness::Local).await.unwrap();
    let rows = nodes::digests(&mut view).await.unwrap();
    rows.into_iter().map(|row| row.standing.name()).collect()
}

/// Changes one value in a node's state behind its back.
async fn tamper(data_dir: &Path) {
    let states = data_dir.join("state");
    let current = std::fs::read_to_string(states.join("CURRENT")).unwrap();
    let number: u64 = current.trim().parse().unwrap();
    let options = SqliteConnectOptions::new().filename(states.join(format!("{number:06}.db")));
    let mut conn = SqliteConnection::connect_with(&options).await.unwrap();
    let changed = sqlx::query("update person set name = 'Eve' where key = 'p1-0'")
        .execute(&mut conn)
        .await
        .unwrap();
    assert_eq!(changed.rows_affected(), 1);
    conn.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_whose_state_differs_is_found_hands_over_and_is_not_elected_again() {
    let mut cluster = Nodes::start(3).await;
    assert_eq!(compare(&cluster, 1).await, ["same"; 3]);
    let wrong = cluster.leader().await;
    tamper(&cluster.place_of(wrong).0).await;
    let mut expected = ["same"; 3];
    expected[usize::try_from(wrong).unwrap() - 1] = "differs";
    assert_eq!(compare(&cluster, 2).await, expected);
    let next = eventually("another node leads", || async {
        let leader = cluster.leader().await;
        (leader != wrong).then_some(leader)
    })
    .await;
    // Nor after that one's end: the third takes over.
    cluster.kill(next).await;
    let third = cluster.leader().await;
    assert_ne!(third, wrong);
    put(&cluster[wrong], "still-works").await.unwrap();
}
