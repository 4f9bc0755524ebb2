//! All integration tests link into this one binary.

#![allow(clippy::unwrap_used, reason = "what cannot be set up fails the test")]

#[path = "peers_mail/mod.rs"]
mod peers_mail;

#[path = "peers/mod.rs"]
mod peers;

#[path = "peers_snmp/mod.rs"]
mod peers_snmp;

#[path = "api/mod.rs"]
mod http_api;
#[path = "cluster/net_commit.rs"]
mod net_commit;
#[path = "cluster/net_digests.rs"]
mod net_digests;
#[path = "cluster/net_epochs.rs"]
mod net_epochs;
#[path = "cluster/net_files.rs"]
mod net_files;
#[path = "cluster/net_islands.rs"]
mod net_islands;
#[path = "cluster/net_membership.rs"]
mod net_membership;
#[path = "cluster/net_paths.rs"]
mod net_paths;
#[path = "cluster/net_replication.rs"]
mod net_replication;
#[path = "cluster/net_rotation.rs"]
mod net_rotation;
#[path = "cluster/net_snapshot.rs"]
mod net_snapshot;
#[path = "cluster/net_twins.rs"]
mod net_twins;

#[path = "cluster/store_crash.rs"]
mod store_crash;

#[path = "cluster/store_suite.rs"]
mod store_suite;

#[path = "audit/mod.rs"]
mod audit;

#[path = "tidy/mod.rs"]
mod tidy;

#[path = "cli/mod.rs"]
mod cli;
