//! What the chain is made of, byte for byte (SECURITY §2.7). A second program must come to the same hashes: see
//! `tools/verify_audit.py`.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Before an entry when it is hashed.
const ENTRY: &[u8] = b"holdfast-audit-v1";
/// Before details and their salt when these are hashed.
const DETAILS: &[u8] = b"holdfast-audit-details-v1";
/// Before a checkpoint when it is signed.
const CHECKPOINT: &[u8] = b"holdfast-audit-checkpoint-v1";

/// What the first entry follows.
pub const GENESIS: [u8; 32] = [0; 32];

/// One entry. The fields stand in the order of their names, and all are strings or whole numbers below 2^53, so that what
/// serde writes is the canonical form of RFC 8785.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    pub action: String,
    pub actor: String,
    pub assurance: String,
    /// SHA-256 of the salted details in hexadecimal; empty when there are none.
    pub details_commit: String,
    pub epoch: u32,
    /// `n3`, or `island:n3` for what was done on an island.
    pub node: String,
    pub object: String,
    pub outcome: String,
    /// Hash of the entry before.
    pub prev: String,
    pub req_id: String,
    pub seq: u64,
    /// Cluster time in milliseconds.
    pub ts: i64,
}

impl Record {
    /// The hash of this entry.
    pub fn hash(&self) -> [u8; 32] {
        // Strings and numbers always encode.
        let canonical = serde_json::to_vec(self).unwrap_or_default();
        Sha256::new()
            .chain_update(ENTRY)
            .chain_update(canonical)
            .finalize()
            .into()
    }
}

/// One entry in a file, with what it says of people while that is kept. Written as one line in canonical form.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// A JSON object; `None`: there are none, or they were erased.
    pub details: Option<String>,
    pub entry: Record,
    pub hash: String,
    pub salt: Option<String>,
}

/// What a node signs, and its signature.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    pub cluster: String,
    pub epoch: u32,
    pub head: String,
    pub node: String,
    pub seq: u64,
    pub signature: String,
}

#[derive(Serialize)]
struct Signed<'a> {
    cluster: &'a str,
    epoch: u32,
    head: &'a str,
    seq: u64,
}

impl Checkpoint {
    /// The bytes that are signed: everything but who signs and the signature.
    pub fn message(&self) -> Vec<u8> {
        let signed = Signed {
            cluster: &self.cluster,
            epoch: self.epoch,
            head: &self.head,
            seq: self.seq,
        };
        let canonical = serde_json::to_vec(&signed).unwrap_or_default();
        [CHECKPOINT, &canonical].concat()
    }

    /// Whether `key` made the signature (Ed25519, RFC 8032).
    pub fn is_signed_by(&self, key: &[u8]) -> bool {
        let Ok(signature) = data_encoding::HEXLOWER.decode(self.signature.as_bytes()) else {
            return false;
        };
        ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, key)
            .verify(&self.message(), &signature)
            .is_ok()
    }
}

/// The keys that nodes sign with, and whose word counts now.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keys {
    pub cluster: String,
    pub nodes: Vec<NodeKey>,
}

/// A node that ever signed, or is to sign.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeKey {
    /// 32 bytes in hexadecimal; empty until the node has told it.
    pub key: String,
    /// Counts for a majority.
    pub member: bool,
    pub name: String,
    pub node: String,
}

/// What the chain holds of details.
pub fn commitment(salt: &[u8], details: &str) -> [u8; 32] {
    Sha256::new()
        .chain_update(DETAILS)
        .chain_update(salt)
        .chain_update(details)
        .finalize()
        .into()
}

/// As files and answers show it.
pub fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}
