//! A running member: opens the files, starts the engine and its tasks, and stops them in order.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use domain::nodes;
use domain::ports::{JournalStatus, Proposal, ProposeError, Replica as _};
use domain::{Command, NodeId, Outcome, RequestId, Timestamp};
use openraft::async_runtime::watch::WatchReceiver as _;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::config::{ClusterConfig, engine_config};
use crate::epoch;
use crate::files::{self, Files};
use crate::fitness;
use crate::founding::{self, Founding};
use crate::identity::{Identity, IdentityError};
use crate::island::{self, CarryError, Ground, IslandReplica};
use crate::join::{Admissions, Admitted, INVITATION_LIFE, Token, kept_membership};
use crate::membership::{self, ChangeError, announce, upkeep};
use crate::network::Network;
use crate::pins::{PinSet, Refusals};
use crate::presence::{self, Presence};
use crate::recover;
use crate::replica::{
    ClusterTime, Core, LocalReplica, Proposer, Raft, ReadBarrier, Standing, observe,
};
use crate::retired::{self, Retired};
use crate::rotation::{RotateError, Rotation};
use crate::service::Peers;
use crate::status::{self, ClusterStatus};
use crate::store::node_db::{NodeDb, NodeDbError};
use crate::store::{self, Store};
use crate::transport::{PathStatus, Transport, TransportError};
use crate::types::Peer;
use crate::upkeep::{keep_anchor, keep_files, kept_offset, retire};
use crate::wire::Change;

/// The engine ends within this time after it was told to.
const ENGINE_STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// The fact that [`Cluster::go_round`] writes.
const ROUND: &str = "last round";

/// Why a member could not start or do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    #[error("{} holds no identity; found a cluster with `holdfast init` or enter one with `holdfast join`", .0.display())]
    NoIdentity(PathBuf),
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error(transparent)]
    Transport(#[from] TransportError),
    #[error(transparent)]
    Open(#[from] store::OpenError),
    #[error(transparent)]
    Close(#[from] store::CloseError),
    #[error(transparent)]
    NodeDb(#[from] NodeDbError),
    #[error(transparent)]
    Change(#[from] ChangeError),
    #[error(transparent)]
    Rotate(#[from] RotateError),
    #[error(transparent)]
    Propose(#[from] ProposeError),
    #[error("refused: {0}")]
    Refused(domain::Refusal),
    #[error("{0}")]
    Retired(Retired),
    #[error("these files are half-way into a new epoch, left by an unfinished {what}")]
    Unfinished { what: &'static str },
    #[error("the timing profile is impossible")]
    Profile(#[source] openraft::ConfigError),
    #[error("cannot use the folder for files in the data directory")]
    Files(#[source] std::io::Error),
    #[error("this should not happen, please report it: {0}")]
    Internal(String),
}

/// An invitation for one node.
#[derive(Clone, Debug)]
pub struct Invitation {
    /// The line to give to `holdfast join`. A secret until it is used.
    pub token: String,
    /// Cluster time at which it ends.
    pub expires_at: Timestamp,
}

/// Why a member stopped taking part by itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Stopped {
    /// Its membership ended for good; its identity is of no more use.
    Retired(Retired),
    /// Its disk failed, with the reason.
    Storage(String),
    /// The engine ended.
    Engine(String),
}

/// A running member.
pub struct Cluster {
    core: Arc<Core>,
    replica: LocalReplica,
    ground: Arc<Ground>,
    admissions: Admissions,
    rotation: Rotation,
    files: Arc<Files>,
    log: store::log::LogStore,
    store: Option<Store>,
    node_db: Arc<NodeDb>,
    own: Peer,
    boot_id: String,
    tasks: JoinSet<()>,
    stop: CancellationToken,
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster")
            .field("node", &self.core.node)
            .finish_non_exhaustive()
    }
}

impl Cluster {
    /// Founds a cluster of one and starts it. Once per data directory.
    pub async fn init(config: ClusterConfig, founding: &Founding) -> Result<Self, ClusterError> {
        founding::prepare(&config.data_dir, founding)?;
        Self::start(config).await
    }

    /// Starts a member whose identity is in the data directory.
    pub async fn start(config: ClusterConfig) -> Result<Self, ClusterError> {
        let identity = Identity::load(&config.data_dir)?
            .ok_or(ClusterError::NoIdentity(config.data_dir.clone()))?;
        let identity = Arc::new(identity);
        let node = identity.node();
        recover::refuse_unfinished(&config.data_dir)?;
        let timing = config.profile.timing();
        let pins = Arc::new(PinSet::default());
        if let Some(membership) = kept_membership(&config.data_dir)? {
            pins.adopt_wire(membership);
        }
        let store = Store::open(&config.data_dir).await?;
        if let Some(why) = retired::kept(&store.node_db).await? {
            store.close().await?;
            return Err(ClusterError::Retired(why));
        }
        let last = store.log.last_log_id().map_or(0, |id| id.index);
        let term = store.log.vote().map_or(0, |vote| vote.leader_id.term);
        if let Some(why) = presence::behind_memo(&store.node_db, &identity, last, term).await? {
            // Not stored: whoever put an old log here may still put the right one back.
            store.close().await?;
            return Err(ClusterError::Retired(why));
        }
        let presence = Presence::begin(&store.node_db).await?;
        let transport = Arc::new(Transport::bind(
            &config.local_paths(),
            &config.carriers,
            identity.clone(),
            pins,
            timing,
        )?);
        let advertise = if config.advertise.is_empty() {
            transport.local_addrs()
        } else {
            config.advertise.clone()
        };
        let own = Peer {
            addresses: advertise,
            pins: vec![identity.pin()],
            name: config.name.clone(),
        };

        let offset = kept_offset(&store, &config).await?;
        let network = Network::new(node, transport.clone(), timing);
        let engine = Arc::new(engine_config(&config, &identity)?);
        let raft = Raft::new(
            node.0,
            engine,
            network,
            store.log.clone(),
            store.state.clone(),
        )
        .await
        .map_err(|e| ClusterError::Internal(e.to_string()))?;
        raft.runtime_config().elect(false); // until the others have looked at this node
        let core = Arc::new(Core {
            node,
            identity,
            raft,
            state: store.state.clone(),
            transport: transport.clone(),
            clock: config.clock.clone(),
            timing,
            time: ClusterTime::new(config.clock.clone(), offset),
            grants: Default::default(),
            standing: Mutex::new(Standing::default()),
            changes: watch::Sender::new(0),
            leader: watch::Sender::new(None),
            presence,
            retired: watch::Sender::new(None),
            stopped: watch::Sender::new(false),
        });
        if let Ok(view) = core.state.view().await {
            core.time.observe(view.as_of);
        }
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let (proposer, proposing) = Proposer::new(core.clone(), stop.clone());
        let (barrier, reading) = ReadBarrier::new(core.clone(), stop.clone());
        let replica = LocalReplica::new(core.clone(), proposer, barrier);
        let admissions = Admissions::new(core.clone(), replica.clone());
        let rotation = Rotation::new(core.clone(), replica.clone());
        transport.follow_pins();
        let ground = Arc::new(Ground::new(
            core.clone(),
            store.node_db.clone(),
            store.log.clone(),
            replica.clone(),
            island::folder(&config.data_dir),
            config
                .tuning
                .island_after
                .unwrap_or_else(|| config.profile.island_after()),
        ));
        let files = Files::of_member(
            config.data_dir.join(files::FOLDER),
            config.tuning.files,
            node,
            transport.clone(),
            timing.snapshot_rate,
        );
        let files = Arc::new(files.map_err(ClusterError::Files)?);
        let peers = Peers::new(
            core.clone(),
            admissions.clone(),
            ground.clone(),
            rotation.clone(),
            files.clone(),
        );
        transport.serve(Arc::new(peers));
        tasks.spawn(proposing);
        tasks.spawn(reading);
        tasks.spawn(observe(core.clone(), stop.clone()));
        tasks.spawn(upkeep(core.clone(), stop.clone()));
        tasks.spawn(rotation.clone().follow(stop.clone()));
        tasks.spawn(announce(core.clone(), own.clone(), stop.clone()));
        tasks.spawn(keep_files(
            core.clone(),
            store.log.clone(),
            store.node_db.clone(),
            config.clone(),
            stop.clone(),
        ));
        tasks.spawn(island::keep(ground.clone(), stop.clone()));
        tasks.spawn(island::exchange(ground.clone(), stop.clone()));
        tasks.spawn(retire(core.clone(), store.node_db.clone(), stop.clone()));
        tasks.spawn(fitness::follow(core.clone(), stop.clone()));
        tasks.spawn(epoch::follow(core.clone(), stop.clone()));
        tasks.spawn(presence::keep(
            core.clone(),
            store.node_db.clone(),
            stop.clone(),
        ));
        let cluster = Self {
            core,
            replica,
            ground,
            admissions,
            rotation,
            files,
            log: store.log.clone(),
            node_db: store.node_db.clone(),
            store: Some(store),
            own,
            boot_id: config.boot_id.clone(),
            tasks,
            stop,
        };
        founding::complete(
            &config.data_dir,
            &cluster.core,
            &cluster.replica,
            cluster.own.clone(),
        )
        .await?;
        recover::complete(&config.data_dir, &cluster.core, &cluster.replica).await?;
        Ok(cluster)
    }

    /// The replicated log, for everything else: the common one, or this node's own fork while it is cut off.
    pub fn replica(&self) -> IslandReplica {
        IslandReplica::new(self.ground.clone())
    }

    /// This node.
    pub fn node(&self) -> NodeId {
        self.core.node
    }

    /// This node's identity; its chain and key also serve HTTPS.
    pub fn identity(&self) -> &Arc<Identity> {
        &self.core.identity
    }

    /// Bytes of files, here and at the other members.
    pub fn files(&self) -> Arc<Files> {
        self.files.clone()
    }

    /// This node's own small database (journals, SIM PIN memory).
    pub fn node_db(&self) -> &Arc<NodeDb> {
        &self.node_db
    }

    /// Where the cluster's socket is bound.
    pub fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.core.transport.local_addr()
    }

    /// Connections refused, by reason.
    pub fn refusals(&self) -> Arc<Refusals> {
        self.core.transport.refusals().clone()
    }

    /// Round-trip times to the members this node is connected to.
    pub fn round_trips(&self) -> Vec<(NodeId, Duration)> {
        self.core
            .transport
            .rtts()
            .into_iter()
            .map(|(id, rtt)| (NodeId(id), rtt))
            .collect()
    }

    /// Every way to every other member, and how it stands.
    pub fn paths(&self) -> Vec<PathStatus> {
        self.core.transport.paths()
    }

    /// Bytes of log since the last snapshot, about.
    pub fn log_bytes(&self) -> u64 {
        self.log.bytes_since_snapshot()
    }

    /// What island mode stands on, for a test that drives it by hand beside this member's own.
    #[cfg(test)]
    pub(crate) fn another_ground(&self, dir: PathBuf) -> Arc<Ground> {
        Arc::new(Ground::new(
            self.core.clone(),
            self.node_db.clone(),
            self.log.clone(),
            self.replica.clone(),
            dir,
            Duration::from_secs(10),
        ))
    }

    #[cfg(test)]
    pub(crate) fn core(&self) -> &Core {
        &self.core
    }

    /// How the journal of this node's time as an island stands.
    pub async fn journal(&self) -> Result<JournalStatus, CarryError> {
        island::journal(&self.ground).await
    }

    /// Everything journalled here that the cluster does not have yet, as a signed file.
    pub async fn export_journal(&self) -> Result<Vec<u8>, CarryError> {
        island::export(&self.ground).await
    }

    /// Brings a journal another node exported into the cluster. Repeating it changes nothing. Says how many facts it held.
    pub async fn import_journal(&self, file: &[u8]) -> Result<u64, CarryError> {
        island::import(&self.ground, &self.replica(), file).await
    }

    /// How the cluster stands, by the leader's knowledge where it answers.
    pub async fn status(&self) -> ClusterStatus {
        status::status(&self.core).await
    }

    /// Makes an invitation for one node; it holds 15 minutes and lets in once.
    pub async fn invite(&self) -> Result<Invitation, ClusterError> {
        let secret: [u8; 32] = rand::random();
        let mut addresses = self.own.addresses.clone();
        for (id, peer) in self.core.transport.pins().peers() {
            if id != self.core.node.0 {
                addresses.extend(peer.addresses);
            }
        }
        let token = Token {
            cluster: self.core.identity.cluster(),
            authority: crate::crypto::sha256(&self.core.identity.authority()),
            addresses,
            secret,
        };
        let life_ms = u64::try_from(INVITATION_LIFE.as_millis()).unwrap_or(u64::MAX);
        let command = nodes::Command::IssueInvite {
            token_hash: token.hash(),
            expires_in_ms: life_ms,
        };
        self.order(RequestId::derive(&[b"invite", &token.hash()]), command)
            .await?;
        Ok(Invitation {
            token: token.to_string(),
            expires_at: self.replica.now() + INVITATION_LIFE,
        })
    }

    /// Nodes that joined through this member since it started.
    pub fn admitted(&self) -> Vec<Admitted> {
        self.admissions.recent()
    }

    /// Makes a learner a voter once it has caught up.
    pub async fn promote(&self, node: NodeId) -> Result<(), ClusterError> {
        membership::change(&self.core, Change::Promote { node: node.0 }).await?;
        Ok(())
    }

    /// Removes a member: its vote, its pin and its connections. It cannot come back under this id.
    pub async fn remove(&self, node: NodeId) -> Result<(), ClusterError> {
        if node == self.core.node && self.core.standing().voters.len() <= 1 {
            return Err(ChangeError::Refused(format!(
                "{node} is the only voter; promote another member first"
            ))
            .into());
        }
        let row = self.order(
            membership::removal_id(node, self.replica.now()),
            nodes::Command::Remove { node },
        );
        let change = membership::change(&self.core, Change::Remove { node: node.0 });
        if node != self.core.node {
            change.await?;
            return row.await;
        }
        // A node that removes itself cannot write afterwards, and may lose its connections before it hears the answer.
        row.await?;
        let mut removed = self.core.transport.removed();
        tokio::select! {
            changed = change => changed.map(|_| ())?,
            _ = removed.wait_for(|removed| *removed) => {}
        }
        Ok(())
    }

    /// Evicts a node that fell into wrong hands: as [`Self::remove`], and it may never hand in what it still holds.
    pub async fn evict(&self, node: NodeId) -> Result<(), ClusterError> {
        if node == self.core.node {
            return Err(ChangeError::Refused(format!(
                "{node} cannot evict itself; run this on a node you trust"
            ))
            .into());
        }
        membership::change(&self.core, Change::Remove { node: node.0 }).await?;
        self.order(
            membership::eviction_id(node, self.replica.now()),
            nodes::Command::Evict { node },
        )
        .await
    }

    /// Moves leadership to a voter.
    pub async fn transfer(&self, to: NodeId) -> Result<(), ClusterError> {
        membership::change(&self.core, Change::Transfer { to: to.0 }).await?;
        Ok(())
    }

    /// Gives a member a new key, without a gap: pinned before it is used, the old one dropped after.
    pub async fn rotate_key(&self, node: NodeId) -> Result<(), ClusterError> {
        Ok(self.rotation.rotate_key(node).await?)
    }

    /// Gives the cluster a new certificate authority, in three steps that every member follows. Repeat it after a break.
    pub async fn rotate_authority(&self) -> Result<(), ClusterError> {
        Ok(self.rotation.rotate_authority().await?)
    }

    /// Builds a snapshot now.
    pub async fn snapshot(&self) -> Result<(), ClusterError> {
        let triggered = self.core.raft.trigger().snapshot().await;
        triggered.map_err(|e| ClusterError::Internal(e.to_string()))
    }

    /// Comes back once the engine has answered and this node's own database has taken a write, or they said why not: what
    /// fails is dealt with elsewhere, what hangs is not.
    pub async fn go_round(&self) {
        _ = self.core.raft.with_raft_state(|_| ()).await;
        let boot_ms = u64::try_from(self.core.clock.boot().as_millis()).unwrap_or(0);
        let facts: [(&str, &[u8]); 1] = [(ROUND, &boot_ms.to_be_bytes())];
        _ = self.node_db.set_facts(&facts).await;
    }

    /// Waits until this member stops taking part by itself, and says why.
    pub async fn stopped(&self) -> Stopped {
        let fatal = self.store.as_ref().map(|store| store.fatal().clone());
        let storage = async {
            match fatal {
                Some(fatal) => fatal.raised().await,
                None => std::future::pending().await,
            }
        };
        let mut stopped = self.core.stopped.subscribe();
        let mut metrics = self.core.raft.metrics();
        let engine = async {
            loop {
                if let Err(e) = &metrics.borrow_watched().running_state {
                    return e.to_string();
                }
                if metrics.changed().await.is_err() {
                    return "it was stopped".to_owned();
                }
            }
        };
        tokio::select! {
            biased;
            why = storage => Stopped::Storage(why),
            _ = stopped.wait_for(|stopped| *stopped) => {
                let why = self.core.retired.borrow().clone();
                Stopped::Retired(why.unwrap_or(Retired { why: retired::Why::Removed }))
            }
            why = engine => Stopped::Engine(why),
        }
    }

    /// Stops in order: leadership is handed over first, then the engine, the connections and the files.
    pub async fn shutdown(mut self) -> Result<(), ClusterError> {
        if self.core.leader() == Some(self.core.node) && self.core.standing().voters.len() > 1 {
            match membership::hand_over_leadership(&self.core).await {
                Some(to) => tracing::info!(to = %NodeId(to), "leadership handed over"),
                None => tracing::warn!("leadership could not be handed over"),
            }
        }
        keep_anchor(&self.core, &self.node_db, &self.boot_id).await;
        self.end().await;
        if let Some(store) = self.store.take() {
            store.close().await?;
        }
        Ok(())
    }

    /// Stops at once, as a crash would as far as the other members and the files can tell.
    pub async fn kill(mut self) {
        self.end().await;
        self.store.take();
    }

    async fn end(&mut self) {
        self.stop.cancel();
        if timeout(ENGINE_STOP_TIMEOUT, self.core.raft.shutdown())
            .await
            .is_err()
        {
            tracing::warn!("the engine did not end in time");
        }
        self.core.transport.close().await;
        while self.tasks.join_next().await.is_some() {}
    }

    async fn order(&self, request: RequestId, command: nodes::Command) -> Result<(), ClusterError> {
        let committed = self.replica.propose(Proposal::by_operator(
            self.core.node,
            request,
            Command::Nodes(command),
        ));
        match committed.await?.outcome {
            Outcome::Applied(_) | Outcome::Unchanged => Ok(()),
            Outcome::Refused(refusal) => Err(ClusterError::Refused(refusal)),
            other @ (Outcome::Conflict | Outcome::Defect(_)) => {
                Err(ClusterError::Internal(format!("{other:?}")))
            }
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.stop.cancel();
        self.core.transport.stop();
    }
}
