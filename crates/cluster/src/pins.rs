//! Who may take part: the key pins of the replicated membership (DESIGN B2), and how often somebody was turned away.

use std::collections::BTreeMap;
use std::sync::RwLock;
use std::sync::atomic::{AtomicU64, Ordering};

use domain::NodeId;

use crate::types::{Peer, StoredMembership, WireStoredMembership};

/// Why a connection was turned away.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reason {
    /// No chain to our cluster's authority.
    ForeignCertificate,
    /// A member answered under another member's address.
    WrongNode,
    /// A valid leaf of a node that is not a member: removed, or not known here yet.
    NotMember,
    /// A member's leaf with a key that is not pinned.
    WrongKey,
    /// No certificate on the members' protocol.
    NoCertificate,
    /// Too many connections at once.
    Crowded,
}

impl Reason {
    /// All reasons, in the order they are counted.
    pub const ALL: [Self; 6] = [
        Self::ForeignCertificate,
        Self::WrongNode,
        Self::NotMember,
        Self::WrongKey,
        Self::NoCertificate,
        Self::Crowded,
    ];

    /// Short name, for metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::ForeignCertificate => "foreign_certificate",
            Self::WrongNode => "wrong_node",
            Self::NotMember => "not_member",
            Self::WrongKey => "wrong_key",
            Self::NoCertificate => "no_certificate",
            Self::Crowded => "crowded",
        }
    }
}

/// Counts of refused connections by reason, since start.
#[derive(Debug, Default)]
pub struct Refusals([AtomicU64; Reason::ALL.len()]);

impl Refusals {
    /// Connections refused for `reason`.
    pub fn of(&self, reason: Reason) -> u64 {
        self.0[reason as usize].load(Ordering::Relaxed)
    }

    pub(crate) fn count(&self, reason: Reason) {
        self.0[reason as usize].fetch_add(1, Ordering::Relaxed);
    }
}

/// The membership as connections are judged by.
#[derive(Debug, Default)]
pub struct PinSet(RwLock<Members>);

#[derive(Clone, Debug, Default)]
struct Members {
    /// Log index of the membership; `None` before any is known.
    index: Option<u64>,
    peers: BTreeMap<u64, Peer>,
}

impl PinSet {
    /// Whether this key may speak for `node`.
    pub(crate) fn check(&self, node: NodeId, pin: &[u8; 32]) -> Result<(), Reason> {
        let Ok(members) = self.0.read() else { return Err(Reason::NotMember) };
        match members.peers.get(&node.0) {
            Some(peer) if peer.pins.contains(pin) => Ok(()),
            Some(_) => Err(Reason::WrongKey),
            None => Err(Reason::NotMember),
        }
    }

    /// Takes over a membership unless it is older than the one known. True when it was taken.
    pub(crate) fn adopt(&self, membership: &StoredMembership) -> bool {
        let index = membership.log_id().as_ref().map(|id| id.index);
        let peers: BTreeMap<u64, Peer> =
            membership.membership().nodes().map(|(id, peer)| (*id, peer.clone())).collect();
        if peers.is_empty() {
            return false;
        }
        let Ok(mut members) = self.0.write() else { return false };
        if index < members.index || (index == members.index && peers == members.peers) {
            return false;
        }
        *members = Members { index, peers };
        true
    }

    /// Takes over a membership learnt from a peer or kept from joining.
    pub(crate) fn adopt_wire(&self, membership: WireStoredMembership) -> bool {
        StoredMembership::try_from(membership).is_ok_and(|membership| self.adopt(&membership))
    }

    /// Members by id.
    pub(crate) fn peers(&self) -> BTreeMap<u64, Peer> {
        self.0.read().map(|members| members.peers.clone()).unwrap_or_default()
    }

    /// Log index of the membership in force here.
    pub(crate) fn index(&self) -> Option<u64> {
        self.0.read().ok()?.index
    }
}
