//! All integration tests link into this one binary.

#[path = "peers_mail/mod.rs"]
mod peers_mail;
