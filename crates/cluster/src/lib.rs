//! How nodes agree: a Raft log over QUIC, kept in SQLite, and everything about being a member.
//!
//! The only crate that names openraft and quinn. Others see [`domain::ports::Replica`] (here [`LocalReplica`]) and, for
//! operators, [`Cluster`]. Deliberately absent: HTTP, clocks of the machine (they are given), decisions about alerts.

pub mod backup;
mod cluster;
mod config;
pub mod crypto;
mod epoch;
mod files;
mod fitness;
mod founding;
pub mod identity;
mod island;
pub mod join;
mod membership;
mod network;
pub mod pins;
mod presence;
pub mod profile;
pub mod recover;
mod replica;
mod retired;
mod rotation;
pub mod rpc;
mod service;
pub mod snapshot_stream;
mod status;
pub mod store;
mod transport;
pub mod types;
mod upkeep;
mod wire;

pub use cluster::{Cluster, ClusterError, Invitation, Stopped};
pub use config::{Carriers, ClusterConfig, LocalPath, Tuning, engine_settings};
pub use files::Files;
pub use founding::Founding;
pub use identity::{AuditKey, Identity};
pub use island::{CarryError, ExportError, ImportError, IslandReplica, export_stopped};
pub use join::{Admitted, JoinConfig, JoinError, Joined, Token, join};
pub use membership::ChangeError;
pub use network::{Network, PeerClient};
pub use profile::Profile;
pub use recover::{RecoverError, Recovery};
pub use replica::LocalReplica;
pub use retired::{Retired, Why};
pub use rotation::RotateError;
pub use service::RaftPeer;
pub use status::{ClusterStatus, MemberStatus, Role};
pub use store::write_new_file;
pub use transport::{Carrier, PathState, PathStatus};
