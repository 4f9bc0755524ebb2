//! What a member is told when it starts, and what the engine is told in turn.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use domain::ports::{Clock, FileLimits};
use openraft::SnapshotPolicy;

use crate::cluster::ClusterError;
use crate::identity::Identity;
use crate::profile::Profile;
use crate::store::trigger::{SNAPSHOT_BYTES, SNAPSHOT_PERIOD};

/// What a member needs to run.
#[derive(Clone)]
pub struct ClusterConfig {
    /// Identity, log, state and snapshots.
    pub data_dir: PathBuf,
    /// UDP address of the cluster's socket.
    pub listen: SocketAddr,
    /// `host:port` under which the other members reach that socket, best first. Empty: the bound address.
    pub advertise: Vec<String>,
    /// What people call this node.
    pub name: String,
    /// The cluster's timing; the same on all members.
    pub profile: Profile,
    /// The machine's clocks.
    pub clock: Arc<dyn Clock>,
    /// Names this boot of the machine (`/proc/sys/kernel/random/boot_id`): cluster time goes on within it.
    pub boot_id: String,
    pub tuning: Tuning,
    pub carriers: Carriers,
}

/// One of this node's uplinks.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LocalPath {
    /// What people call it: `fibre`, `lte`.
    pub name: String,
    /// Address of its socket, UDP and TCP.
    pub listen: SocketAddr,
    /// Network device its packets must leave by, whatever the routing table says.
    pub device: Option<String>,
}

/// How bytes reach the other members.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Carriers {
    /// Name and device of the uplink at `listen`.
    pub name: String,
    pub device: Option<String>,
    /// Further uplinks, each with a socket of its own.
    pub uplinks: Vec<LocalPath>,
    /// Also listen on TCP, and use it where no QUIC handshake gets through.
    pub tcp: bool,
    /// Let the kernel cut large sends into datagrams. Some drivers and tunnels lose those; off costs a little speed.
    pub udp_offload: bool,
    /// Largest datagram to try, 1200 to 1452 bytes. 1200 turns discovery off.
    pub mtu_max: u16,
}

impl Default for Carriers {
    fn default() -> Self {
        Self {
            name: "main".to_owned(),
            device: None,
            uplinks: Vec::new(),
            tcp: true,
            udp_offload: true,
            mtu_max: 1_452,
        }
    }
}

impl ClusterConfig {
    /// All uplinks, the one at `listen` first.
    pub(crate) fn local_paths(&self) -> Vec<LocalPath> {
        let first = LocalPath {
            name: self.carriers.name.clone(),
            listen: self.listen,
            device: self.carriers.device.clone(),
        };
        std::iter::once(first)
            .chain(self.carriers.uplinks.iter().cloned())
            .collect()
    }
}

/// Limits that only tests and very small or slow systems change.
#[derive(Clone, Copy, Debug)]
pub struct Tuning {
    /// Log bytes after which a snapshot is built.
    pub snapshot_bytes: u64,
    /// Time after which one is built if anything changed.
    pub snapshot_period: Duration,
    /// Entries kept behind a snapshot: more than are written while the slowest peer receives one.
    pub log_kept: u64,
    /// A follower this far behind gets a snapshot even if the log still holds what it lacks.
    pub lag_max: u64,
    /// A node that has heard no majority for this long works by itself; the profile's own time if not set. A cluster may
    /// choose longer; only tests choose shorter.
    pub island_after: Option<Duration>,
    /// What this node takes of files.
    pub files: FileLimits,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            snapshot_bytes: SNAPSHOT_BYTES,
            snapshot_period: SNAPSHOT_PERIOD,
            log_kept: 50_000,
            lag_max: 200_000,
            island_after: None,
            files: FileLimits::default(),
        }
    }
}

/// The engine's settings: our own snapshot trigger, pre-vote on, no leadership without an election
/// after a restart.
pub(crate) fn engine_config(
    config: &ClusterConfig,
    identity: &Identity,
) -> Result<openraft::Config, ClusterError> {
    engine_settings(&identity.cluster_hex(), config.profile, &config.tuning)
        .map_err(ClusterError::Profile)
}

/// As every member runs it, so that a simulation tries the same.
pub fn engine_settings(
    cluster: &str,
    profile: Profile,
    tuning: &Tuning,
) -> Result<openraft::Config, openraft::ConfigError> {
    let timing = profile.timing();
    let ms = |d: Duration| u64::try_from(d.as_millis()).unwrap_or(u64::MAX);
    let settings = openraft::Config {
        cluster_name: cluster.to_owned(),
        heartbeat_interval: ms(timing.heartbeat),
        election_timeout_min: ms(timing.election_min),
        election_timeout_max: ms(timing.election_max),
        max_payload_entries: 512,
        install_snapshot_timeout: ms(Duration::from_secs(15 * 60)),
        snapshot_policy: SnapshotPolicy::Never,
        max_in_snapshot_log_to_keep: tuning.log_kept,
        purge_batch_size: 256,
        replication_lag_threshold: tuning.lag_max,
        backoff: "50ms 100ms 200ms ...500ms".to_owned(),
        enable_pre_vote: Some(true),
        enable_leader_restore: Some(false),
        ..openraft::Config::default()
    };
    settings.validate()
}
