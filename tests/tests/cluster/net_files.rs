//! Files between three nodes over real QUIC: everybody gets the bytes, from whoever has them, beside the log.

use std::sync::Arc;
use std::time::Duration;

use cluster::Cluster;
use delivery::FileKeeper;
use domain::conversations::{Command as Rooms, Speaker};
use domain::files::{self, Announce, Command as Files, FileDigest};
use domain::ports::{FileStore as _, Freshness, Proposal, Replica as _};
use domain::{Command, FileId, NodeId, Outcome, RoomId};
use ring::digest::{SHA256, digest};
use tests::cluster::{Nodes, eventually, fresh_request, put};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

fn digest_of(bytes: &[u8]) -> FileDigest {
    FileDigest(digest(&SHA256, bytes).as_ref().try_into().unwrap())
}

fn photo(seed: u8) -> Vec<u8> {
    let byte = |n: u32| n.to_le_bytes()[1] ^ n.to_le_bytes()[0] ^ seed;
    (0..700_000_u32).map(byte).collect()
}

fn keep(node: &Cluster, keepers: &mut JoinSet<()>, stop: &CancellationToken) {
    let keeper = FileKeeper::new(Arc::new(node.replica()), node.files());
    keepers.spawn(keeper.run(stop.clone()));
}

async fn ask(node: &Cluster, command: Command) -> FileId {
    let request = fresh_request();
    let proposal = Proposal::by_operator(node.node(), request, command);
    let committed = node.replica().propose(proposal).await.unwrap();
    assert!(
        matches!(committed.outcome, Outcome::Applied(_)),
        "{committed:?}"
    );
    FileId::of_request(request)
}

/// Puts a file into a room through one node, as its API does.
async fn share(node: &Cluster, bytes: &[u8]) -> FileDigest {
    let by = Speaker {
        name: "Anna".to_owned(),
        person: None,
    };
    let sha256 = digest_of(bytes);
    let announce = Announce {
        room: RoomId::of_key("ops"),
        by,
        name: "gate.jpg".to_owned(),
        sha256,
        size: bytes.len() as u64,
        caption: String::new(),
        restricted: false,
    };
    let file = ask(node, Command::Files(Files::Announce(announce))).await;
    let store = node.files();
    store.receive(file, 0, bytes.to_vec()).await.unwrap();
    store.keep(file, sha256).await.unwrap();
    let node_id = node.node();
    let arrive = Files::Arrive {
        file,
        node: node_id,
    };
    ask(node, Command::Files(arrive)).await;
    store.forget(file).await.unwrap();
    sha256
}

async fn open_room(node: &Cluster) {
    let room = Rooms::PutRoom {
        key: "ops".to_owned(),
        name: "Operations".to_owned(),
        restricted: false,
        closed: false,
        by: Speaker {
            name: "Anna".to_owned(),
            person: None,
        },
    };
    ask(node, Command::Conversations(room)).await;
}

/// Waits until a node's rows say that exactly these hold a file.
async fn held_by(node: &Cluster, digest: FileDigest, holders: &[u64]) {
    let holders: Vec<NodeId> = holders.iter().copied().map(NodeId).collect();
    eventually("the right nodes hold the file", || async {
        let mut view = node.replica().read(Freshness::Local).await.unwrap();
        let copies = files::copies(&mut view, &[digest]).await.unwrap();
        (copies.get(&digest).cloned().unwrap_or_default() == holders).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_node_gets_the_bytes_also_those_that_were_away() {
    let mut nodes = Nodes::start(3).await;
    let (stop, mut keepers) = (CancellationToken::new(), JoinSet::new());
    open_room(&nodes[1]).await;
    for id in [1, 2] {
        keep(&nodes[id], &mut keepers, &stop);
    }
    nodes.stop(3).await;
    let bytes = photo(0);
    let digest = share(&nodes[1], &bytes).await;
    held_by(&nodes[2], digest, &[1, 2]).await;
    assert!(nodes[2].files().open(digest).await.unwrap().is_some());

    // Whoever brought it is gone; the one that was away gets it from the other.
    nodes.restart(3).await;
    stop.cancel();
    while keepers.join_next().await.is_some() {}
    nodes.stop(1).await;
    let (stop, mut keepers) = (CancellationToken::new(), JoinSet::new());
    for id in [2, 3] {
        keep(&nodes[id], &mut keepers, &stop);
    }
    held_by(&nodes[3], digest, &[1, 2, 3]).await;
    let mut file = nodes[3].files().open(digest).await.unwrap().unwrap();
    let mut got = Vec::new();
    std::io::Read::read_to_end(&mut file, &mut got).unwrap();
    assert_eq!(got, bytes);

    // One that lost it says so and fetches it anew.
    let (dir, _) = nodes.place_of(3);
    stop.cancel();
    while keepers.join_next().await.is_some() {}
    std::fs::remove_file(dir.join("files").join(digest.to_string())).unwrap();
    let (stop, mut keepers) = (CancellationToken::new(), JoinSet::new());
    keep(&nodes[3], &mut keepers, &stop);
    eventually("the lost file is back", || async {
        let back = nodes[3].files().has(digest, bytes.len() as u64).await;
        back.unwrap().then_some(())
    })
    .await;
    held_by(&nodes[2], digest, &[1, 2, 3]).await;
    stop.cancel();
    while keepers.join_next().await.is_some() {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_files_on_their_way_change_no_leader_and_hold_up_no_command() {
    let nodes = Nodes::start(3).await;
    let (stop, mut keepers) = (CancellationToken::new(), JoinSet::new());
    open_room(&nodes[1]).await;
    let leader = nodes.leader().await;
    let term = nodes[leader].status().await.term;
    let mut digests = Vec::new();
    for seed in 0..8 {
        digests.push(share(&nodes[leader], &photo(seed)).await);
    }
    for id in nodes.ids() {
        keep(&nodes[id], &mut keepers, &stop);
    }
    for round in 0..10 {
        put(&nodes[leader], &format!("p{round}")).await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for digest in digests {
        held_by(&nodes[leader], digest, &[1, 2, 3]).await;
    }
    assert_eq!(nodes[leader].status().await.term, term);
    stop.cancel();
    while keepers.join_next().await.is_some() {}
}
