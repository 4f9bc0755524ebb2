//! Commands about who may ask for what.

use serde::{Deserialize, Serialize};

use super::accounts;
use crate::time::Timestamp;

#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// Adds an API key. Only the hash of its secret is ever proposed (SECURITY D-3).
    CreateKey(CreateKey),
    /// Ends a key at once.
    RevokeKey { id: String },
    /// Accounts of people, their factors and sessions.
    Accounts(accounts::Command),
}

#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct CreateKey {
    /// Public part, shown in lists and logs.
    pub id: String,
    pub name: String,
    /// SHA-256 of the secret part.
    pub secret_hash: [u8; 32],
    /// Names of [`super::Scope`].
    pub scopes: Vec<String>,
    pub expires_at: Option<Timestamp>,
}
