//! The cluster's membership as the API asks for it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use cluster::pins::Reason;
use cluster::{Cluster, ClusterError, Role};
use domain::ports::{
    AdminError, BackupStatus, ClusterAdmin, ClusterStatus, Invitation, JournalStatus, MemberStatus,
    PathStatus, Replica as _,
};
use domain::{NodeId, Timestamp};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::backups::Records;
use crate::config::Config;

/// How long an invitation holds; the cluster knows no other (DESIGN B4).
const INVITATION_TIME: Duration = cluster::join::INVITATION_LIFE;

/// How old the leader's knowledge of the others may be when it is shown.
const STATUS_EVERY: Duration = Duration::from_millis(250);

/// How often the memory of backups is read: the command line may have written it.
const RECORDS_EVERY: Duration = Duration::from_secs(5);

/// [`ClusterAdmin`] over the running member.
pub(super) struct Admin {
    cluster: Arc<Cluster>,
    latest: Arc<Mutex<cluster::ClusterStatus>>,
    backups: Arc<Mutex<BackupStatus>>,
}

impl Admin {
    /// The port, and the task that keeps its picture fresh until `stop`.
    pub(super) async fn new(
        cluster: Arc<Cluster>,
        config: &Config,
        stop: CancellationToken,
    ) -> (Self, impl Future<Output = ()> + use<>) {
        let latest = Arc::new(Mutex::new(cluster.status().await));
        let data_dir = config.node.data_dir.clone();
        let scheduled = config.backup.folder.is_some();
        let backups = Arc::new(Mutex::new(Records::read(&data_dir).status(scheduled)));
        let admin = Self {
            backups: Arc::clone(&backups),
            cluster: Arc::clone(&cluster),
            latest: Arc::clone(&latest),
        };
        let refresh = async move {
            let mut looked = Instant::now();
            loop {
                if looked.elapsed() > RECORDS_EVERY {
                    looked = Instant::now();
                    let status = Records::read(&data_dir).status(scheduled);
                    *backups.lock().unwrap_or_else(PoisonError::into_inner) = status;
                }
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = sleep(STATUS_EVERY) => {}
                }
                let status = cluster.status().await;
                *latest.lock().unwrap_or_else(PoisonError::into_inner) = status;
            }
        };
        (admin, refresh)
    }

    fn latest(&self) -> cluster::ClusterStatus {
        self.latest
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

#[async_trait]
impl ClusterAdmin for Admin {
    fn sealing_keys(&self) -> Vec<[u8; 32]> {
        self.cluster.identity().sealing_keys()
    }

    fn status(&self) -> ClusterStatus {
        let status = self.latest();
        // Who leads is known here and now; what the leader knows of the others may be a moment old.
        let leader = self.cluster.replica().leadership().leader;
        let member = |m: cluster::MemberStatus| MemberStatus {
            role: match m.role {
                _ if leader == Some(m.node) => "leader",
                Role::Voter => "voter",
                Role::Learner => "learner",
            },
            node: m.node,
            name: m.name,
            addresses: m.addresses,
            lag: m.lag,
            last_heard: m.heard_ms_ago.map(Duration::from_millis),
        };
        ClusterStatus {
            node: status.node,
            epoch: status.epoch,
            alarms: status.alarms,
            backup: self
                .backups
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
            term: status.term,
            leader,
            applied: status.applied,
            last_log: status.last_log,
            snapshot: status.snapshot,
            purged: None,
            members: status.members.into_iter().map(member).collect(),
        }
    }

    async fn invite(&self, valid_for: Duration) -> Result<Invitation, AdminError> {
        if valid_for != INVITATION_TIME {
            return Err(AdminError(format!(
                "an invitation holds {} s; ask for that, or leave it out",
                INVITATION_TIME.as_secs()
            )));
        }
        let invitation = self.cluster.invite().await.map_err(refused)?;
        let expires_at: Timestamp = invitation.expires_at;
        Ok(Invitation {
            token: invitation.token,
            expires_at,
        })
    }

    fn joins(&self) -> Vec<(NodeId, String, String)> {
        self.cluster
            .admitted()
            .into_iter()
            .map(|a| (a.node, a.name, a.digits))
            .collect()
    }

    async fn promote(&self, node: NodeId) -> Result<(), AdminError> {
        self.cluster.promote(node).await.map_err(refused)
    }

    async fn remove(&self, node: NodeId) -> Result<(), AdminError> {
        self.cluster.remove(node).await.map_err(refused)
    }

    async fn journal(&self) -> Result<JournalStatus, AdminError> {
        self.cluster.journal().await.map_err(in_words)
    }

    async fn export_journal(&self) -> Result<Vec<u8>, AdminError> {
        self.cluster.export_journal().await.map_err(in_words)
    }

    async fn import_journal(&self, file: &[u8]) -> Result<u64, AdminError> {
        self.cluster.import_journal(file).await.map_err(in_words)
    }

    async fn evict(&self, node: NodeId) -> Result<(), AdminError> {
        self.cluster.evict(node).await.map_err(refused)
    }

    async fn transfer(&self, to: Option<NodeId>) -> Result<(), AdminError> {
        let most_current = || {
            let status = self.latest();
            let others = status
                .members
                .iter()
                .filter(|m| m.role == Role::Voter && Some(m.node) != status.leader);
            others
                .min_by_key(|m| (m.lag.unwrap_or(u64::MAX), m.node))
                .map(|m| m.node)
        };
        let to = to
            .or_else(most_current)
            .ok_or_else(|| AdminError("there is no other voter to lead".to_owned()))?;
        self.cluster.transfer(to).await.map_err(refused)
    }

    fn paths(&self) -> Vec<PathStatus> {
        let show = |path: cluster::PathStatus| PathStatus {
            peer: path.peer,
            local: path.local,
            address: path.address,
            reverse: path.reverse,
            carrier: path.carrier.map(cluster::Carrier::name),
            state: path.state.name(),
            rtt: path.rtt,
            rtt_p99: path.rtt_p99,
            loss_permille: path.loss_permille,
            heard: path.heard,
            since: path.since,
        };
        self.cluster.paths().into_iter().map(show).collect()
    }

    fn refusals(&self) -> Vec<(&'static str, u64)> {
        let refusals = self.cluster.refusals();
        Reason::ALL
            .into_iter()
            .map(|reason| (reason.name(), refusals.of(reason)))
            .collect()
    }

    async fn rotate_key(&self, node: Option<NodeId>) -> Result<(), AdminError> {
        let node = node.unwrap_or_else(|| self.cluster.node());
        self.cluster.rotate_key(node).await.map_err(refused)
    }

    async fn rotate_authority(&self) -> Result<(), AdminError> {
        self.cluster.rotate_authority().await.map_err(refused)
    }
}

/// The whole chain in words: whoever asked sees no log.
fn refused(error: ClusterError) -> AdminError {
    in_words(error)
}

fn in_words(error: impl std::error::Error + Send + Sync + 'static) -> AdminError {
    AdminError(format!("{:#}", anyhow::Error::new(error)))
}
