//! How nodes agree: a Raft log over QUIC, kept in SQLite, and everything about being a member.
//!
//! The only crate that names openraft and quinn. Others see [`domain::ports::Replica`] (here [`LocalReplica`]) and, for
//! operators, [`Cluster`]. Deliberately absent: HTTP, clocks of the machine (they are given), decisions about alerts.

mod cluster;
mod config;
pub mod crypto;
mod founding;
pub mod identity;
mod island;
pub mod join;
mod membership;
mod network;
pub mod pins;
pub mod profile;
mod replica;
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
pub use config::{Carriers, ClusterConfig, LocalPath, Tuning};
pub use founding::Founding;
pub use identity::Identity;
pub use island::{CarryError, ExportError, ImportError, IslandReplica, export_stopped};
pub use join::{Admitted, JoinConfig, JoinError, Joined, Token, join};
pub use membership::ChangeError;
pub use network::{Network, PeerClient};
pub use profile::Profile;
pub use replica::LocalReplica;
pub use rotation::RotateError;
pub use service::RaftPeer;
pub use status::{ClusterStatus, MemberStatus, Role};
pub use store::write_new_file;
pub use transport::{Carrier, PathState, PathStatus};
