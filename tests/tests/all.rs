//! All integration tests link into this one binary.

#[path = "peers_mail/mod.rs"]
mod peers_mail;

#[path = "peers/mod.rs"]
mod peers;

#[path = "cluster/store_crash.rs"]
mod store_crash;

#[path = "cluster/store_suite.rs"]
mod store_suite;

#[path = "api/mod.rs"]
mod http_api;
