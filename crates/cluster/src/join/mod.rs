//! How a node becomes a member (DESIGN B4): an invitation, a request signed by the newcomer's key, one entry in the log
//! that spends the invitation and gives out the id, and six digits on both screens.

mod admit;
mod enter;
mod talk;
mod token;

use domain::NodeId;
use serde::{Deserialize, Serialize};

pub(crate) use admit::Admissions;
pub use admit::Admitted;
pub use enter::{JoinConfig, JoinError, Joined, join};
pub(crate) use enter::{MEMBERS, kept_membership};
pub(crate) use talk::{Newcomer, ask_at};
pub use token::{Token, TokenError};

use crate::crypto::sha256;
use crate::types::WireStoredMembership;

/// An invitation holds this long.
pub const INVITATION_LIFE: std::time::Duration = std::time::Duration::from_secs(15 * 60);

/// The longest request and answer.
const FRAME_MAX: usize = 64 * 1024;
/// Label under which both ends derive bytes only this TLS session has (RFC 8446 §7.5).
pub(crate) const EXPORTER_LABEL: &[u8] = b"EXPORTER-holdfast-join";

/// What a newcomer says.
#[derive(Serialize, Deserialize)]
struct Request {
    secret: [u8; 32],
    /// PKCS #10, signed by the newcomer's key.
    csr: Vec<u8>,
    name: String,
    addresses: Vec<String>,
}

/// What it is told.
#[derive(Serialize, Deserialize)]
enum Answer {
    Admitted {
        node: u64,
        leaf: Vec<u8>,
        authority: Vec<u8>,
        membership: WireStoredMembership,
    },
    /// Words for the person at the newcomer's keyboard.
    Refused(String),
}

/// Six digits both ends derive from the session and from what was asked. Different digits on the two screens mean that
/// somebody sits in between, or that another node was admitted than the one in front of you.
fn digits(exported: &[u8; 32], csr: &[u8], authority_hash: &[u8; 32], node: NodeId) -> String {
    let parts = [
        b"holdfast join digits".as_slice(),
        exported,
        authority_hash,
        &node.0.to_be_bytes(),
        csr,
    ];
    let hash = sha256(&parts.concat());
    let number = u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]) % 1_000_000;
    format!("{:03} {:03}", number / 1000, number % 1000)
}

/// Bytes that only both ends of this connection have.
pub(crate) fn exported(connection: &quinn::Connection) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    connection
        .export_keying_material(&mut bytes, EXPORTER_LABEL, b"")
        .ok()?;
    Some(bytes)
}
