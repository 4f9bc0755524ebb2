//! What the consensus engine is made of here: its type parameters, and our own forms of everything that is stored or
//! sent. openraft's own structs are never encoded (DESIGN A2): a rename there must not change a stored byte.

mod engine_runtime;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use domain::codec::{self, CodecError};
use domain::{LeaderStamp, NodeId, Outcome};
use openraft::EntryPayload;
use openraft::type_config::alias as raft;
use openraft::vote::{RaftLeaderId as _, RaftVote as _};
use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use self::engine_runtime::{EngineRuntime, seed_engine};

openraft::declare_raft_types!(
    /// Holdfast's parameters of the consensus engine; several leaders may follow each other in one term ("advanced" ids).
    pub TypeConfig:
        D = Record,
        R = Reply,
        NodeId = u64,
        Node = Peer,
        AsyncRuntime = EngineRuntime,
);

/// A term and the node leading in it.
pub type LeaderId = raft::LeaderIdOf<TypeConfig>;
/// A leadership and an index: names one log entry.
pub type LogId = raft::LogIdOf<TypeConfig>;
/// Whom this node voted for, and whether that one won.
pub type Vote = raft::VoteOf<TypeConfig>;
/// One entry of the log.
pub type Entry = raft::EntryOf<TypeConfig>;
/// Voters, learners and how to reach them.
pub type Membership = openraft::Membership<u64, Peer>;
/// A membership and the entry that set it.
pub type StoredMembership = raft::StoredMembershipOf<TypeConfig>;
/// What a snapshot covers.
pub type SnapshotMeta = raft::SnapshotMetaOf<TypeConfig>;

/// An encoded [`domain::Envelope`], as the log holds it. Cheap to clone; the engine never looks inside.
#[derive(Clone, Eq, PartialEq)]
pub struct Record(Arc<[u8]>);

impl Record {
    /// Encodes an envelope.
    pub fn encode(envelope: &domain::Envelope) -> Result<Self, CodecError> {
        codec::encode(envelope).map(Self::from)
    }

    /// The envelope inside. Fails on bytes of a newer version and on garbage.
    pub fn decode(&self) -> Result<domain::Envelope, CodecError> {
        codec::decode(&self.0)
    }

    /// The encoded bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for Record {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

/// Shows the size only: an envelope holds personal data, which must not reach a log.
impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Record({} bytes)", self.0.len())
    }
}

impl Serialize for Record {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Record {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;

        impl<'de> Visitor<'de> for Bytes {
            type Value = Record;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Record, E> {
                Ok(Record(bytes.into()))
            }

            fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Record, E> {
                Ok(Record(bytes.into()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Record, A::Error> {
                let mut bytes = Vec::new();
                while let Some(byte) = seq.next_element()? {
                    if bytes.len() >= codec::DECODE_LIMIT {
                        return Err(A::Error::custom("record too long"));
                    }
                    bytes.push(byte);
                }
                Ok(Record(bytes.into()))
            }
        }

        deserializer.deserialize_byte_buf(Bytes)
    }
}

/// What applying an entry came to; empty for entries that carry no command.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct Reply(pub Option<Outcome>);

/// A member as the replicated membership knows it: how to reach it and by which keys to know it.
///
/// Stored in the log and in snapshots; its fields never change (a new form is a new wire struct).
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct Peer {
    /// `host:port`, tried in this order.
    pub addresses: Vec<String>,
    /// SHA-256 of the SubjectPublicKeyInfo of the keys it may use: the current one and, during a rotation, the next.
    pub pins: Vec<[u8; 32]>,
    /// Name given by people.
    pub name: String,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.name, self.addresses.join(", "))
    }
}

/// The domain's name for the leadership in a log id.
pub fn leader_stamp(id: &LeaderId) -> LeaderStamp {
    LeaderStamp {
        term: id.term,
        node: NodeId(id.node_id),
    }
}

/// Bytes that decode, but to something no engine ever wrote.
#[derive(Debug, thiserror::Error)]
#[error("the membership is impossible: {0}")]
pub struct WireError(String);

/// A log id in stored and sent form.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct WireLogId {
    pub term: u64,
    pub node: u64,
    pub index: u64,
}

impl From<&LogId> for WireLogId {
    fn from(id: &LogId) -> Self {
        Self {
            term: id.leader_id.term,
            node: id.leader_id.node_id,
            index: id.index,
        }
    }
}

impl From<WireLogId> for LogId {
    fn from(id: WireLogId) -> Self {
        Self::new(LeaderId::new(id.term, id.node), id.index)
    }
}

/// A vote in stored and sent form.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct WireVote {
    pub term: u64,
    pub node: u64,
    /// Granted by a majority: the node leads.
    pub committed: bool,
}

impl From<&Vote> for WireVote {
    fn from(vote: &Vote) -> Self {
        Self {
            term: vote.leader_id.term,
            node: vote.leader_id.node_id,
            committed: vote.committed,
        }
    }
}

impl From<WireVote> for Vote {
    fn from(vote: WireVote) -> Self {
        Self::from_leader_id(LeaderId::new(vote.term, vote.node), vote.committed)
    }
}

/// A membership in stored and sent form.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct WireMembership {
    /// One set of voters, or two while a change is under way.
    pub voters: Vec<BTreeSet<u64>>,
    /// Voters and learners.
    pub nodes: BTreeMap<u64, Peer>,
}

impl From<&Membership> for WireMembership {
    fn from(membership: &Membership) -> Self {
        Self {
            voters: membership.get_joint_config().clone(),
            nodes: membership
                .nodes()
                .map(|(id, peer)| (*id, peer.clone()))
                .collect(),
        }
    }
}

impl TryFrom<WireMembership> for Membership {
    type Error = WireError;

    fn try_from(wire: WireMembership) -> Result<Self, WireError> {
        Self::new(wire.voters, wire.nodes).map_err(|e| WireError(e.to_string()))
    }
}

/// A membership with the entry that set it, in stored and sent form.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct WireStoredMembership {
    pub log_id: Option<WireLogId>,
    pub membership: WireMembership,
}

impl From<&StoredMembership> for WireStoredMembership {
    fn from(stored: &StoredMembership) -> Self {
        Self {
            log_id: stored.log_id().as_ref().map(WireLogId::from),
            membership: stored.membership().into(),
        }
    }
}

impl TryFrom<WireStoredMembership> for StoredMembership {
    type Error = WireError;

    fn try_from(wire: WireStoredMembership) -> Result<Self, WireError> {
        Ok(Self::new(
            wire.log_id.map(LogId::from),
            wire.membership.try_into()?,
        ))
    }
}

/// What a snapshot covers, in sent form.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct WireSnapshotMeta {
    pub last_log_id: Option<WireLogId>,
    pub membership: WireStoredMembership,
}

impl From<&SnapshotMeta> for WireSnapshotMeta {
    fn from(meta: &SnapshotMeta) -> Self {
        Self {
            last_log_id: meta.last_log_id.as_ref().map(WireLogId::from),
            membership: (&meta.last_membership).into(),
        }
    }
}

impl TryFrom<WireSnapshotMeta> for SnapshotMeta {
    type Error = WireError;

    fn try_from(wire: WireSnapshotMeta) -> Result<Self, WireError> {
        Ok(Self {
            last_log_id: wire.last_log_id.map(LogId::from),
            last_membership: wire.membership.try_into()?,
        })
    }
}

/// An entry's content in sent form.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum WirePayload {
    /// The first entry of a leadership.
    Blank,
    Command(Record),
    Membership(WireMembership),
}

/// An entry in sent form.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct WireEntry {
    pub log_id: WireLogId,
    pub payload: WirePayload,
}

impl From<&Entry> for WireEntry {
    fn from(entry: &Entry) -> Self {
        let payload = match &entry.payload {
            EntryPayload::Blank => WirePayload::Blank,
            EntryPayload::Normal(record) => WirePayload::Command(record.clone()),
            EntryPayload::Membership(membership) => WirePayload::Membership(membership.into()),
        };
        Self {
            log_id: (&entry.log_id).into(),
            payload,
        }
    }
}

impl WireEntry {
    /// The engine's form; fails on a membership no engine ever wrote.
    pub fn into_entry(self) -> Result<Entry, WireError> {
        let payload = match self.payload {
            WirePayload::Blank => EntryPayload::Blank,
            WirePayload::Command(record) => EntryPayload::Normal(record),
            WirePayload::Membership(membership) => EntryPayload::Membership(membership.try_into()?),
        };
        Ok(Entry {
            log_id: self.log_id.into(),
            payload,
        })
    }
}

#[cfg(test)]
mod tests;
