//! How people and programs ask: HTTPS `/v1`, the same router over the local socket, and the admin listener.
//!
//! This crate knows only `domain`: it turns requests into commands and rows into JSON, and decides nothing about
//! alerts. It never opens a database, a modem or a peer connection, and it reads no clock but the one it is given.
//!
//! Reading order: [`serve`] (listeners) → `router` (what every request passes) → one file per domain.

mod access;
mod accounts;
mod alerts;
mod answers;
mod asks;
mod audit;
mod budgets;
mod cap;
mod clocks;
mod cluster;
mod connection;
mod conversations;
mod denials;
mod directory;
mod documents;
mod events;
mod fields;
mod guard;
mod headers;
mod health;
mod held;
mod inbound;
mod input;
mod island;
mod key;
mod limits;
mod lite;
mod metrics;
mod nodes;
mod openapi;
mod origins;
mod outbox;
mod permissions;
mod permits;
mod problem;
mod readiness;
mod reading;
mod recipients;
mod reports;
mod router;
mod schedules;
mod scopes;
mod server;
mod setup;
mod sight;
mod sources;
mod state;
mod submit;
mod templates;
mod text_policy;
mod time;
mod units;
mod waking;
mod watch;
mod web;
mod zones;

pub use accounts::secret::{code_hash, new_code};
pub use accounts::{ResealError, reseal};
pub use connection::Limits;
pub use key::{ApiKey, ApiKeyError};
pub use openapi::openapi;
pub use permissions::permissions;
pub use server::{ApiConfig, BindError, HttpsConfig, ServeError, Server, serve};
pub use state::ApiState;
