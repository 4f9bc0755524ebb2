use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::Arc;

use domain::Timestamp;
use domain::ports::{Clock, Replica as _};
use openraft::EntryPayload;
use tempfile::TempDir;

use super::*;
use crate::types::Membership;
use crate::{Carriers, Cluster, ClusterConfig, Founding, JoinConfig, Profile, Tuning, join};

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_change_of_membership_is_finished() {
    let (first, second) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let founding = Founding {
        organisation: "Aurora Energy".to_owned(),
        https_names: vec![],
    };
    let one = Cluster::init(config(first.path(), free_address()), &founding)
        .await
        .unwrap();
    let listen = free_address();
    let asked = JoinConfig {
        data_dir: second.path().to_owned(),
        token: one.invite().await.unwrap().token,
        name: "two".to_owned(),
        advertise: vec![listen.to_string()],
        https_names: vec![],
    };
    let joined = join(&asked).await.unwrap();
    let two = Cluster::start(config(second.path(), listen)).await.unwrap();

    // The first half of a promotion, as a leader leaves it that dies between the halves.
    let core = one.core();
    let nodes: std::collections::BTreeMap<u64, Peer> = core.transport.pins().peers();
    let halves = vec![[1].into(), [1, joined.node.0].into()];
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
    assert_eq!(two.replica().leadership().voters, [NodeId(1), joined.node]);
    two.kill().await;
    one.kill().await;
}
