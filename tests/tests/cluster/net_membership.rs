//! Joining, being refused, being promoted and removed, over real QUIC.

use std::time::Duration;

use cluster::pins::Reason;
use cluster::{
    Cluster, ClusterError, Founding, Identity, JoinError, Retired, Role, Stopped, Token, Tuning,
    Why,
};
use domain::ports::{Freshness, Replica as _};
use domain::{NodeId, nodes};
use tests::cluster::{Nodes, PATIENCE, eventually, knows, put};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newcomer_learns_first_and_votes_when_promoted() {
    let mut nodes = Nodes::founded(Tuning::default()).await;
    put(&nodes[1], "old").await.unwrap();
    let token = nodes[1].invite().await.unwrap().token;
    let joined = nodes.join_with(&token).await.unwrap();
    assert_eq!(joined.node, NodeId(2));
    // Both screens show the same digits.
    let admitted = nodes[1].admitted();
    assert_eq!(
        admitted.last().map(|seen| (seen.node, seen.digits.clone())),
        Some((joined.node, joined.digits))
    );
    let status = nodes[1].status().await;
    assert_eq!(
        status.members.iter().map(|m| m.role).collect::<Vec<_>>(),
        [Role::Voter, Role::Learner]
    );
    eventually("the learner has the log", || async {
        knows(&nodes[2], Freshness::Local, "old")
            .await
            .then_some(())
    })
    .await;
    assert!(!nodes[2].identity().can_issue());
    // A learner has no say, not even about itself.
    let refused = nodes[2].promote(NodeId(2)).await.unwrap_err();
    assert!(refused.to_string().contains("voting member"), "{refused}");
    nodes[1].promote(NodeId(2)).await.unwrap();
    let status = nodes[2].status().await;
    assert_eq!(
        status.members.iter().map(|m| m.role).collect::<Vec<_>>(),
        [Role::Voter, Role::Voter]
    );
    assert!(status.members.iter().all(|m| m.lag.is_some()), "{status:?}");
    // A voter fetches the issuing key, so that a third node can join through it; who asks at once is kept waiting for it.
    let token = nodes[2].invite().await.unwrap().token;
    assert_eq!(nodes.join_with(&token).await.unwrap().node, NodeId(3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invitation_is_good_once_even_for_many_at_once() {
    let mut nodes = Nodes::founded(Tuning::default()).await;
    let token = nodes[1].invite().await.unwrap().token;
    let places: Vec<_> = (0..8).map(|_| nodes.place()).collect();
    let mut tries = tokio::task::JoinSet::new();
    for (dir, listen) in places {
        let config = Nodes::join_config(&token, dir, listen);
        tries.spawn(async move { cluster::join::join(&config).await });
    }
    let outcomes = tries.join_all().await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert_eq!(nodes[1].refusals().of(Reason::ReplayedJoin), 7);
    for refused in outcomes.into_iter().filter_map(Result::err) {
        assert!(
            matches!(&refused, JoinError::Refused { why, .. } if why.contains("already used")),
            "{refused}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_off_join_can_be_repeated_with_the_same_key() {
    let mut nodes = Nodes::founded(Tuning::default()).await;
    let token = nodes[1].invite().await.unwrap().token;
    let (dir, listen) = nodes.place();
    let first = nodes
        .ask_to_join(&token, dir.clone(), listen)
        .await
        .unwrap();
    // As if the answer had been lost: the key is there, the certificate is not.
    std::fs::remove_file(dir.join("node-cert.pem")).unwrap();
    let again = nodes.ask_to_join(&token, dir, listen).await.unwrap();
    assert_eq!(again.node, first.node);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_invitations_are_refused_with_what_to_do() {
    let mut ours = Nodes::founded(Tuning::default()).await;
    let theirs = Nodes::founded(Tuning::default()).await;
    let (dir, listen) = ours.place();

    let nonsense = ours
        .ask_to_join("please let me in", dir.clone(), listen)
        .await
        .unwrap_err();
    assert!(nonsense.to_string().contains("hfj1."), "{nonsense}");

    // An invitation of another cluster, as if it were ours: the secret is unknown here.
    let foreign = theirs[1].invite().await.unwrap().token;
    let ours_token = Token::parse(&ours[1].invite().await.unwrap().token).unwrap();
    let swapped = Token::parse(&foreign)
        .unwrap()
        .with_cluster_of(&ours_token)
        .to_string();
    let unknown = ours
        .ask_to_join(&swapped, dir.clone(), listen)
        .await
        .unwrap_err();
    assert!(
        matches!(&unknown, JoinError::Refused { why, .. } if why.contains("unknown")),
        "{unknown}"
    );

    // Our addresses, but another cluster's authority: the newcomer does not talk to it.
    let lured = Token::parse(&foreign)
        .unwrap()
        .with_addresses(ours_token.addresses())
        .to_string();
    let wrong = ours
        .ask_to_join(&lured, dir.clone(), listen)
        .await
        .unwrap_err();
    assert!(matches!(wrong, JoinError::WrongCluster { .. }), "{wrong}");

    // Nobody listens there.
    let (_, nowhere) = ours.place();
    let lost = ours_token
        .with_addresses(&[nowhere.to_string()])
        .to_string();
    let silent = ours.ask_to_join(&lost, dir, listen).await.unwrap_err();
    assert!(matches!(silent, JoinError::Unreachable { .. }), "{silent}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_invitation_is_refused() {
    let mut nodes = Nodes::founded(Tuning::default()).await;
    let token = nodes[1].invite().await.unwrap().token;
    nodes.advance(Duration::from_secs(15 * 60));
    let refused = nodes.join_with(&token).await.unwrap_err();
    assert!(
        matches!(&refused, JoinError::Refused { why, .. } if why.contains("expired")),
        "{refused}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removed_node_is_told_and_refused() {
    let mut nodes = Nodes::start(3).await;
    let leader = nodes.leader().await;
    let removed = nodes.follower().await;
    nodes[leader].remove(NodeId(removed)).await.unwrap();
    let stopped = tokio::time::timeout(PATIENCE, nodes[removed].stopped())
        .await
        .unwrap();
    let out = Retired { why: Why::Removed };
    assert_eq!(stopped, Stopped::Retired(out.clone()));
    assert!(put(&nodes[removed], "late").await.is_err());
    // It comes back, remembers, and does not even start.
    nodes.kill(removed).await;
    let again = nodes.try_restart(removed).await.map(drop);
    assert!(
        matches!(&again, Err(ClusterError::Retired(why)) if *why == out),
        "{again:?}"
    );
    // The others go on, and the row says when it went.
    put(&nodes[leader], "still-here").await.unwrap();
    let mut view = nodes[leader]
        .replica()
        .read(Freshness::Linearizable)
        .await
        .unwrap();
    let rows = nodes::nodes(&mut view).await.unwrap();
    assert!(
        rows.iter()
            .any(|row| row.node == NodeId(removed) && row.removed_at.is_some())
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_can_be_removed_and_the_last_voter_cannot() {
    let nodes = Nodes::start(2).await;
    let leader = nodes.leader().await;
    let other = nodes.follower().await;
    nodes[other].remove(NodeId(leader)).await.unwrap();
    put(&nodes[other], "after").await.unwrap();
    let refused = nodes[other].remove(NodeId(other)).await.unwrap_err();
    assert!(matches!(refused, ClusterError::Change(_)), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_with_a_foreign_certificate_is_refused() {
    let mut nodes = Nodes::start(2).await;
    let foreign = Nodes::founded(Tuning::default()).await;
    // A copy of our member's data, but with an identity another cluster's authority signed.
    let (dir, listen) = nodes.place_of(2);
    nodes.stop(2).await;
    let token = foreign[1].invite().await.unwrap().token;
    for file in [
        "node-cert.pem",
        "cluster-ca.pem",
        "node-key.pem",
        "members-at-join.bin",
    ] {
        _ = std::fs::remove_file(dir.join(file));
    }
    foreign
        .ask_to_join(&token, dir.clone(), listen)
        .await
        .unwrap();
    let impostor = Cluster::start(nodes.config(dir, listen, "impostor"))
        .await
        .unwrap();
    eventually("the impostor is refused", || async {
        (nodes[1].refusals().of(Reason::ForeignCertificate) > 0).then_some(())
    })
    .await;
    impostor.kill().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_identity_is_not_made_over_the_first() {
    let nodes = Nodes::founded(Tuning::default()).await;
    let (dir, listen) = nodes.place_of(1);
    let founding = Founding {
        organisation: "Other".to_owned(),
        https_names: vec![],
    };
    let refused = Cluster::init(nodes.config(dir.clone(), listen, "b"), &founding)
        .await
        .unwrap_err();
    assert!(matches!(refused, ClusterError::Identity(_)), "{refused}");
    let token = nodes[1].invite().await.unwrap().token;
    assert!(matches!(
        nodes.ask_to_join(&token, dir.clone(), listen).await,
        Err(JoinError::Identity(_))
    ));
    assert_eq!(Identity::load(&dir).unwrap().unwrap().node(), NodeId(1));
    let empty = nodes.config(dir.join("nothing"), listen, "c");
    assert!(matches!(
        Cluster::start(empty).await,
        Err(ClusterError::NoIdentity(_))
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_slept_through_a_change_finds_its_way_back() {
    let mut nodes = Nodes::start(3).await;
    nodes.kill(3).await;
    let newcomer = nodes.join().await;
    nodes[1].promote(NodeId(newcomer)).await.unwrap();
    // The newcomer leads; the sleeper has never heard of it.
    nodes[1].transfer(NodeId(newcomer)).await.unwrap();
    put(&nodes[1], "meanwhile").await.unwrap();
    nodes.restart(3).await;
    eventually("the sleeper catches up", || async {
        knows(&nodes[3], Freshness::Local, "meanwhile")
            .await
            .then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_moved_is_found_at_its_second_address() {
    let mut nodes = Nodes::start(3).await;
    let moving = nodes.follower().await;
    nodes.stop(moving).await;
    let (_, dead) = nodes.place();
    let (_, live) = nodes.place();
    nodes
        .restart_at(moving, live, vec![dead.to_string(), live.to_string()])
        .await;
    let leader = nodes.leader().await;
    eventually("the others know both addresses", || async {
        let status = nodes[leader].status().await;
        let member = status
            .members
            .into_iter()
            .find(|member| member.node == NodeId(moving))?;
        (member.addresses == [dead.to_string(), live.to_string()]).then_some(())
    })
    .await;
    put(&nodes[leader], "to-the-new-place").await.unwrap();
    eventually("the log reaches the second address", || async {
        knows(&nodes[moving], Freshness::Local, "to-the-new-place")
            .await
            .then_some(())
    })
    .await;
}
