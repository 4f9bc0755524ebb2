//! A real cluster in one process: QUIC on loopback, files in a temporary folder, one [`Cluster`] per node.
#![expect(
    clippy::unwrap_used,
    reason = "a harness: a panic is how it reports a broken assumption"
)]

use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cluster::{
    Carriers, Cluster, ClusterConfig, ClusterError, Founding, JoinConfig, JoinError, Joined,
    Profile, Tuning, join,
};
use domain::ports::{Clock, Committed, Freshness, Proposal, ProposeError, Replica as _};
use domain::recipients::{self, ContactMethod, Details, Person};
use domain::{Actor, Command, NodeId, Outcome, RequestId, Timestamp};
use tempfile::TempDir;

/// Nothing on loopback takes longer, however busy the machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The machine's monotonic clock as boot clock, which a test may push ahead; a wall clock that stands still.
#[derive(Debug)]
pub struct TestClock {
    started: Instant,
    ahead_ms: AtomicU64,
}

impl Default for TestClock {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            ahead_ms: AtomicU64::new(0),
        }
    }
}

impl Clock for TestClock {
    fn boot(&self) -> Duration {
        // A machine that booted an hour before the test.
        let ahead = Duration::from_millis(self.ahead_ms.load(Ordering::Relaxed));
        Duration::from_secs(3_600) + self.started.elapsed() + ahead
    }

    fn wall(&self) -> Timestamp {
        Timestamp(1_800_000_000_000)
    }
}

/// Members by id, with what is needed to start them again.
pub struct Nodes {
    root: TempDir,
    clock: Arc<TestClock>,
    pub tuning: Tuning,
    pub profile: Profile,
    pub carriers: Carriers,
    /// Where members say they are reached, if not where they listen.
    pub advertise: BTreeMap<u64, Vec<String>>,
    running: BTreeMap<u64, Cluster>,
    places: BTreeMap<u64, (PathBuf, SocketAddr)>,
    next: u64,
}

impl Nodes {
    /// A cluster of `count` voters.
    pub async fn start(count: u64) -> Self {
        Self::with_tuning(count, Tuning::default()).await
    }

    /// As [`Self::start`] with other limits.
    pub async fn with_tuning(count: u64, tuning: Tuning) -> Self {
        let mut nodes = Self::founded(tuning).await;
        for _ in 1..count {
            nodes.join().await;
        }
        for id in 2..=count {
            nodes[1].promote(NodeId(id)).await.unwrap();
        }
        nodes
    }

    /// A cluster of one.
    pub async fn founded(tuning: Tuning) -> Self {
        let root = TempDir::new().unwrap();
        let mut nodes = Self {
            root,
            clock: Arc::default(),
            tuning,
            profile: Profile::Lan,
            carriers: Carriers::default(),
            advertise: BTreeMap::new(),
            running: BTreeMap::new(),
            places: BTreeMap::new(),
            next: 1,
        };
        let (dir, listen) = nodes.place();
        let founding = Founding {
            organisation: "Aurora Energy".to_owned(),
            https_names: vec!["localhost".to_owned()],
        };
        let config = nodes.config(dir.clone(), listen, "a");
        let cluster = Cluster::init(config, &founding).await.unwrap();
        let listen = cluster.local_addr().unwrap();
        nodes.places.insert(1, (dir, listen));
        nodes.running.insert(1, cluster);
        nodes
    }

    /// Lets one more node in, as a learner; says its id.
    pub async fn join(&mut self) -> u64 {
        let inviter = self.running.values().next().unwrap();
        let token = inviter.invite().await.unwrap().token;
        self.join_with(&token).await.unwrap().node.0
    }

    /// Joins with a given invitation and starts the node.
    pub async fn join_with(&mut self, token: &str) -> Result<Joined, JoinError> {
        let (dir, listen) = self.place();
        self.join_at(token, dir, listen, vec![]).await
    }

    /// Joins from a place, and says to be reached at `advertise`, or there.
    pub async fn join_at(
        &mut self,
        token: &str,
        dir: PathBuf,
        listen: SocketAddr,
        advertise: Vec<String>,
    ) -> Result<Joined, JoinError> {
        let mut asked = Self::join_config(token, dir.clone(), listen);
        if !advertise.is_empty() {
            asked.advertise = advertise.clone();
        }
        let joined = join(&asked).await?;
        let name = format!("node-{}", joined.node.0);
        let config = ClusterConfig {
            advertise: advertise.clone(),
            ..self.config(dir.clone(), listen, &name)
        };
        let cluster = Cluster::start(config).await.unwrap();
        self.advertise.insert(joined.node.0, advertise);
        self.places.insert(joined.node.0, (dir, listen));
        self.running.insert(joined.node.0, cluster);
        Ok(joined)
    }

    /// Only the newcomer's side of joining, without starting it.
    pub async fn ask_to_join(
        &self,
        token: &str,
        dir: PathBuf,
        listen: SocketAddr,
    ) -> Result<Joined, JoinError> {
        join(&Self::join_config(token, dir, listen)).await
    }

    /// What a newcomer is told on its command line.
    pub fn join_config(token: &str, data_dir: PathBuf, listen: SocketAddr) -> JoinConfig {
        JoinConfig {
            data_dir,
            token: token.to_owned(),
            name: "newcomer".to_owned(),
            advertise: vec![listen.to_string()],
            https_names: vec![],
        }
    }

    /// A folder and an address for one more node.
    pub fn place(&mut self) -> (PathBuf, SocketAddr) {
        let dir = self.root.path().join(format!("node-{}", self.next));
        self.next += 1;
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        (dir, socket.local_addr().unwrap())
    }

    pub fn config(&self, data_dir: PathBuf, listen: SocketAddr, name: &str) -> ClusterConfig {
        ClusterConfig {
            data_dir,
            listen,
            advertise: vec![],
            name: name.to_owned(),
            profile: self.profile,
            clock: self.clock.clone(),
            boot_id: "boot-1".to_owned(),
            tuning: self.tuning,
            carriers: self.carriers.clone(),
        }
    }

    /// Where a node keeps its files and listens.
    pub fn place_of(&self, id: u64) -> (PathBuf, SocketAddr) {
        self.places[&id].clone()
    }

    /// Stops a node as a crash would.
    pub async fn kill(&mut self, id: u64) {
        self.running.remove(&id).unwrap().kill().await;
    }

    /// Stops a node in order.
    pub async fn stop(&mut self, id: u64) {
        self.running.remove(&id).unwrap().shutdown().await.unwrap();
    }

    /// Starts a stopped node again.
    pub async fn restart(&mut self, id: u64) {
        // The kernel frees the old socket once its last connection has drained.
        let cluster = eventually("the node starts again", || async {
            match self.try_restart(id).await {
                Err(ClusterError::Transport(_)) => None,
                started => Some(started.unwrap()),
            }
        })
        .await;
        self.running.insert(id, cluster);
    }

    /// Starts a node on files made ready outside.
    pub async fn adopt(&mut self, id: u64, dir: PathBuf, listen: SocketAddr) {
        let cluster = eventually("the node starts", || async {
            match Cluster::start(self.config(dir.clone(), listen, &format!("node-{id}"))).await {
                Err(ClusterError::Transport(_)) => None,
                started => Some(started.unwrap()),
            }
        })
        .await;
        self.running.insert(id, cluster);
        self.places.insert(id, (dir, listen));
    }

    /// Starts a stopped node again at another address, said to be reachable at `advertise`.
    pub async fn restart_at(&mut self, id: u64, listen: SocketAddr, advertise: Vec<String>) {
        let dir = self.places[&id].0.clone();
        let config = ClusterConfig {
            advertise,
            ..self.config(dir.clone(), listen, "moved")
        };
        self.running
            .insert(id, Cluster::start(config).await.unwrap());
        self.places.insert(id, (dir, listen));
    }

    pub async fn try_restart(&self, id: u64) -> Result<Cluster, ClusterError> {
        let (dir, listen) = self.places[&id].clone();
        let config = ClusterConfig {
            advertise: self.advertise.get(&id).cloned().unwrap_or_default(),
            ..self.config(dir, listen, &format!("node-{id}"))
        };
        Cluster::start(config).await
    }

    /// Pushes every node's boot clock, and with it cluster time, ahead.
    pub fn advance(&self, by: Duration) {
        let ms = u64::try_from(by.as_millis()).unwrap();
        self.clock.ahead_ms.fetch_add(ms, Ordering::Relaxed);
    }

    /// Ids of running nodes.
    pub fn ids(&self) -> Vec<u64> {
        self.running.keys().copied().collect()
    }

    /// The leader all running nodes agree on and that is ready to work.
    pub async fn leader(&self) -> u64 {
        eventually("all nodes follow one leader", || async {
            let views: Vec<_> = self
                .running
                .values()
                .map(|node| node.replica().leadership())
                .collect();
            let leader = views.first()?.leader?;
            let agreed = views.iter().all(|view| view.leader == Some(leader));
            let ready = self
                .running
                .get(&leader.0)?
                .replica()
                .leadership()
                .leading
                .is_some();
            (agreed && ready).then_some(leader.0)
        })
        .await
    }

    /// A running node that does not lead.
    pub async fn follower(&self) -> u64 {
        let leader = self.leader().await;
        self.ids().into_iter().find(|id| *id != leader).unwrap()
    }
}

impl std::ops::Index<u64> for Nodes {
    type Output = Cluster;

    fn index(&self, id: u64) -> &Cluster {
        &self.running[&id]
    }
}

/// Polls until `probe` gives a value.
pub async fn eventually<T, F: Future<Output = Option<T>>>(
    what: &str,
    mut probe: impl FnMut() -> F,
) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = probe().await {
            return value;
        }
        assert!(
            Instant::now() < deadline,
            "did not happen in {PATIENCE:?}: {what}"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A request id nobody used before.
pub fn fresh_request() -> RequestId {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    RequestId::derive(&[&std::process::id().to_be_bytes(), &count.to_be_bytes()])
}

/// A proposal that adds one person.
pub fn add_person(request: RequestId, key: &str) -> Proposal {
    let methods = vec![ContactMethod::Email(format!("{key}@example.org"))];
    let person = Person {
        key: key.to_owned(),
        name: key.to_owned(),
        language: "en".to_owned(),
        methods,
        details: Details::default(),
    };
    let mut body = [0; 32];
    for (slot, byte) in body.iter_mut().zip(key.bytes()) {
        *slot = byte;
    }
    Proposal {
        request,
        body,
        actor: Actor::ApiKey {
            id: "test".to_owned(),
        },
        decided_under: None,
        command: Command::Recipients(recipients::Command::PutPeople {
            people: vec![person],
        }),
    }
}

/// Adds a person through one node.
pub async fn put(node: &Cluster, key: &str) -> Result<Committed, ProposeError> {
    let committed = node
        .replica()
        .propose(add_person(fresh_request(), key))
        .await?;
    assert!(
        matches!(committed.outcome, Outcome::Applied(_)),
        "{committed:?}"
    );
    Ok(committed)
}

/// Whether a node knows a person.
pub async fn knows(node: &Cluster, freshness: Freshness, key: &str) -> bool {
    let mut view = node.replica().read(freshness).await.unwrap();
    recipients::person(&mut view, key).await.unwrap().is_some()
}
