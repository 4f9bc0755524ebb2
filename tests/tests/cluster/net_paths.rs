//! Several ways to each peer: found, chosen, left when they go quiet, and another carrier where UDP does not pass.

use cluster::{Carrier, JoinError, PathState, PathStatus, Profile, Token, Tuning};
use domain::NodeId;
use domain::ports::{Freshness, Replica as _};
use tests::cluster::{Nodes, eventually, knows, put};
use tests::relay::{Passes, Relay};

const BOTH: Passes = Passes {
    udp: true,
    tcp: true,
};
const TCP_ONLY: Passes = Passes {
    udp: false,
    tcp: true,
};

/// Three members, each reached only through its own relays.
struct Relayed {
    nodes: Nodes,
    /// By node, then in the order of its addresses.
    relays: Vec<Vec<Relay>>,
}

impl Relayed {
    async fn start(ways: u8, passes: Passes) -> Self {
        let mut nodes = Nodes::start(3).await;
        if !passes.udp {
            // Every hop is a task of this process: on a busy machine that takes longer than lan allows.
            nodes.profile = Profile::Wan;
        }
        let mut relays = Vec::new();
        for id in nodes.ids() {
            let (_, listen) = nodes.place_of(id);
            let mut own = Vec::new();
            for way in 0..ways {
                own.push(Relay::start(listen, 11 + way, passes).await);
            }
            let addresses = own.iter().map(Relay::address).collect();
            nodes.advertise.insert(id, addresses);
            relays.push(own);
        }
        // Announced while the old addresses still work, then the only ones known.
        for id in nodes.ids() {
            nodes.stop(id).await;
            nodes.restart(id).await;
        }
        let wanted = nodes.advertise.clone();
        eventually("everybody knows the relays", || async {
            for id in nodes.ids() {
                let status = nodes[id].status().await;
                if status
                    .members
                    .iter()
                    .any(|m| m.addresses != wanted[&m.node.0])
                {
                    return None;
                }
            }
            Some(())
        })
        .await;
        for id in nodes.ids() {
            nodes.stop(id).await;
        }
        for id in [1, 2, 3] {
            nodes.restart(id).await;
        }
        nodes.leader().await;
        Self { nodes, relays }
    }

    /// What `from` says about its dialled ways to `to`.
    fn paths(&self, from: u64, to: u64) -> Vec<PathStatus> {
        let mut paths = self.nodes[from].paths();
        paths.retain(|path| path.peer == NodeId(to) && !path.reverse);
        paths
    }

    fn way(&self, to: u64, way: usize) -> &Relay {
        &self.relays[usize::try_from(to).unwrap() - 1][way]
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_path_is_left_without_an_election_and_shown() {
    let relayed = Relayed::start(2, BOTH).await;
    let nodes = &relayed.nodes;
    let leader = nodes.leader().await;
    let others: Vec<u64> = nodes.ids().into_iter().filter(|id| *id != leader).collect();
    eventually("both ways to each follower are warm", || async {
        let warm = |to: &u64| {
            let paths = relayed.paths(leader, *to);
            paths.len() == 2 && paths.iter().all(|path| path.carrier.is_some())
        };
        others.iter().all(warm).then_some(())
    })
    .await;
    put(&nodes[leader], "before").await.unwrap();

    // The way in use to every follower goes dark, in the middle of the traffic.
    for to in &others {
        let best = relayed
            .paths(leader, *to)
            .into_iter()
            .find(|path| path.state == PathState::Best)
            .unwrap();
        let cut = (0..2)
            .find(|way| relayed.way(*to, *way).address() == best.address)
            .unwrap();
        relayed.way(*to, cut).cut();
    }
    put(&nodes[leader], "after").await.unwrap();
    for to in &others {
        eventually("the follower has it", || async {
            knows(&nodes[*to], Freshness::Local, "after")
                .await
                .then_some(())
        })
        .await;
        eventually("the table shows one dead and one best way", || async {
            let paths = relayed.paths(leader, *to);
            let best = paths.iter().filter(|p| p.state == PathState::Best).count();
            let dead = paths
                .iter()
                .filter(|p| matches!(p.state, PathState::Down | PathState::Silent))
                .count();
            (best == 1 && dead == 1).then_some(())
        })
        .await;
    }

    // Healed, it is warm again, but the traffic stays where it is for half a minute.
    for to in &others {
        for way in 0..2 {
            relayed.way(*to, way).heal();
        }
        eventually("the healed way is warm", || async {
            let paths = relayed.paths(leader, *to);
            paths
                .iter()
                .all(|p| matches!(p.state, PathState::Best | PathState::Warm))
                .then_some(())
        })
        .await;
    }
    put(&nodes[leader], "healed").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_path_cut_in_one_direction_only_is_left_too() {
    let relayed = Relayed::start(2, BOTH).await;
    let nodes = &relayed.nodes;
    let leader = nodes.leader().await;
    for to in nodes.ids().into_iter().filter(|id| *id != leader) {
        eventually("both ways are warm", || async {
            let paths = relayed.paths(leader, to);
            (paths.len() == 2 && paths.iter().all(|p| p.carrier.is_some())).then_some(())
        })
        .await;
        relayed.way(to, 0).one_way(true);
    }
    for i in 0..5 {
        put(&nodes[leader], &format!("p{i}")).await.unwrap();
    }
    for to in nodes.ids().into_iter().filter(|id| *id != leader) {
        eventually("the other way is used", || async {
            let paths = relayed.paths(leader, to);
            let best = paths.iter().find(|p| p.state == PathState::Best)?;
            (best.address == relayed.way(to, 1).address()).then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_udp_does_not_pass_the_cluster_elects_and_commits_over_tcp() {
    let mut relayed = Relayed::start(1, TCP_ONLY).await;
    let leader = relayed.nodes.leader().await;
    for id in relayed.nodes.ids() {
        put(&relayed.nodes[id], &format!("by{id}")).await.unwrap();
        assert!(knows(&relayed.nodes[id], Freshness::Linearizable, "by1").await);
        let carriers: Vec<_> = relayed.nodes[id]
            .paths()
            .into_iter()
            .filter_map(|path| path.carrier)
            .collect();
        assert!(
            !carriers.is_empty() && carriers.iter().all(|c| *c == Carrier::Tcp),
            "{carriers:?}"
        );
    }
    // And it survives the loss of its leader that way.
    relayed.nodes.kill(leader).await;
    let survivor = relayed.nodes.ids()[0];
    put(&relayed.nodes[survivor], "after").await.unwrap();
    relayed.nodes.restart(leader).await;
    eventually("the old leader has what it missed", || async {
        knows(&relayed.nodes[leader], Freshness::Local, "after")
            .await
            .then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_udp_does_not_pass_a_newcomer_joins_over_tcp_with_the_same_digits_on_both_screens() {
    let mut nodes = Nodes::founded(Tuning::default()).await;
    let (_, listen) = nodes.place_of(1);
    let relay = Relay::start(listen, 11, TCP_ONLY).await;
    let token = Token::parse(&nodes[1].invite().await.unwrap().token).unwrap();
    let token = token.with_addresses(&[relay.address()]).to_string();
    let (dir, listen) = nodes.place();
    let joined = nodes
        .ask_to_join(&token, dir.clone(), listen)
        .await
        .unwrap();
    let admitted = nodes[1].admitted();
    assert_eq!(
        admitted.last().map(|seen| (seen.node, seen.digits.clone())),
        Some((joined.node, joined.digits))
    );
    // Who does not have the secret is told so that way, too, and a member of another cluster is not talked to.
    let (other, listen) = nodes.place();
    let again = nodes.ask_to_join(&token, other.clone(), listen).await;
    assert!(
        matches!(&again, Err(JoinError::Refused { why, .. }) if why.contains("already used")),
        "{again:?}"
    );
    let theirs = Nodes::founded(Tuning::default()).await;
    let lured = Token::parse(&theirs[1].invite().await.unwrap().token).unwrap();
    let lured = lured.with_addresses(&[relay.address()]).to_string();
    let wrong = nodes.ask_to_join(&lured, other, listen).await;
    assert!(
        matches!(wrong, Err(JoinError::WrongCluster { .. })),
        "{wrong:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_cannot_be_dialled_takes_part_over_the_connections_it_makes() {
    let mut nodes = Nodes::start(3).await;
    let hidden = nodes.follower().await;
    // As behind a translating router: the address it has leads nowhere.
    let (_, nowhere) = nodes.place();
    nodes.advertise.insert(hidden, vec![nowhere.to_string()]);
    nodes.stop(hidden).await;
    nodes.restart(hidden).await;
    let leader = nodes.leader().await;
    eventually("the others know the useless address", || async {
        let status = nodes[leader].status().await;
        let member = status.members.into_iter().find(|m| m.node.0 == hidden)?;
        (member.addresses == [nowhere.to_string()]).then_some(())
    })
    .await;
    nodes.stop(hidden).await;
    nodes.restart(hidden).await;
    put(&nodes[leader], "reached").await.unwrap();
    eventually("the log reaches it all the same", || async {
        knows(&nodes[hidden], Freshness::Local, "reached")
            .await
            .then_some(())
    })
    .await;
    // It may even lead.
    nodes[leader].transfer(NodeId(hidden)).await.unwrap();
    put(&nodes[leader], "led").await.unwrap();
    assert_eq!(
        nodes[hidden].replica().leadership().leader,
        Some(NodeId(hidden))
    );
}
