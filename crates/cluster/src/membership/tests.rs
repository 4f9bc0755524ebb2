use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::Arc;

use domain::Timestamp;
use domain::ports::{Clock, Replica as _};
use openraft::EntryPayload;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;

use super::*;
use crate::pins::Reason;
use crate::types::Membership;
use crate::{Carriers, Cluster, ClusterConfig, Founding, JoinConfig, Profile, Tuning, join};

const PATIENCE: Duration = Duration::from_secs(30);

struct TestClock(std::time::Instant);

impl Clock for TestClock {
    fn boot(&self) -> Duration {
        self.0.elapsed()
    }

    fn wall(&self) -> Timestamp {
        Timestamp(1_800_000_000_000)
    }
}

fn config(data_dir: &Path, listen: SocketAddr) -> ClusterConfig {
    ClusterConfig {
        data_dir: data_dir.to_owned(),
        listen,
        advertise: vec![],
        name: "node".to_owned(),
        profile: Profile::Lan,
        clock: Arc::new(TestClock(std::time::Instant::now())),
        boot_id: "boot".to_owned(),
        tuning: Tuning::default(),
        carriers: Carriers::default(),
    }
}

fn free_address() -> SocketAddr {
    UdpSocket::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
}

/// A founder and a learner.
async fn two_nodes(first: &Path, second: &Path) -> (Cluster, Cluster) {
    let founding = Founding {
        organisation: "Aurora Energy".to_owned(),
        https_names: vec![],
    };
    let one = Cluster::init(config(first, free_address()), &founding)
        .await
        .unwrap();
    let listen = free_address();
    let asked = JoinConfig {
        data_dir: second.to_owned(),
        token: one.invite().await.unwrap().token,
        name: "two".to_owned(),
        advertise: vec![listen.to_string()],
        https_names: vec![],
    };
    join(&asked).await.unwrap();
    let two = Cluster::start(config(second, listen)).await.unwrap();
    (one, two)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_oversize_frame_is_refused_and_counted() {
    let (first, second) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let (one, two) = two_nodes(first.path(), second.path()).await;
    for kind in [Kind::Lease, Kind::AppendStream, Kind::Snapshot] {
        let before = two.refusals().of(Reason::Oversize);
        let opened = one.core().transport.open(two.node(), kind, PATIENCE);
        let mut pipe = opened.await.unwrap();
        // A kind, and the length of a frame nobody may send.
        let mut head = vec![kind as u8];
        head.extend(u32::MAX.to_be_bytes());
        pipe.send.write_all(&head).await.unwrap();
        let counted = async {
            while two.refusals().of(Reason::Oversize) == before {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(PATIENCE, counted).await.unwrap();
    }
    // What is no request at all is answered so, and nothing else happens.
    let unknown = one.core().transport.open(two.node(), Kind::Lease, PATIENCE);
    let mut pipe = unknown.await.unwrap();
    pipe.write(&[200], b"?").await.unwrap();
    assert_eq!(pipe.read_byte().await.unwrap(), Some(2));
    two.kill().await;
    one.kill().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_change_of_membership_is_finished() {
    let (first, second) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let (one, two) = two_nodes(first.path(), second.path()).await;

    // The first half of a promotion, as a leader leaves it that dies between the halves.
    let core = one.core();
    let nodes: std::collections::BTreeMap<u64, Peer> = core.transport.pins().peers();
    let halves = vec![[1].into(), [1, two.node().0].into()];
    let joint = Membership::new(halves, nodes).unwrap();
    core.raft
        .append_membership(joint, EntryPayload::Blank, [])
        .await
        .unwrap();
    assert!(one.status().await.changing);

    let finished = async {
        while one.status().await.changing || two.replica().leadership().voters.len() < 2 {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(Duration::from_secs(30), finished).await.unwrap();
    assert_eq!(two.replica().leadership().voters, [NodeId(1), two.node()]);
    two.kill().await;
    one.kill().await;
}
