//! Who may take part: the key pins of the replicated membership (DESIGN B2), and how often somebody was turned away.

use std::collections::BTreeMap;
use std::sync::RwLock;
use std::sync::atomic::{AtomicU64, Ordering};

use domain::NodeId;

use crate::types::{Peer, StoredMembership, WireStoredMembership};

/// Why a connection, a frame or a newcomer was turned away.
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
    /// A frame longer than either side may send.
    Oversize,
    /// An invitation that had let somebody else in already.
    ReplayedJoin,
    /// An invitation nobody made, or one that has ended.
    WrongInvitation,
    /// A node of an epoch after ours answered under a member's address.
    LaterEpoch,
}

impl Reason {
    /// All reasons, in the order they are counted.
    pub const ALL: [Self; 10] = [
        Self::ForeignCertificate,
        Self::WrongNode,
        Self::NotMember,
        Self::WrongKey,
        Self::NoCertificate,
        Self::Crowded,
        Self::Oversize,
        Self::ReplayedJoin,
        Self::WrongInvitation,
        Self::LaterEpoch,
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
            Self::Oversize => "oversize_frame",
            Self::ReplayedJoin => "replayed_join",
            Self::WrongInvitation => "wrong_invitation",
            Self::LaterEpoch => "later_epoch",
        }
    }
}

/// Counts of refusals by reason, since start.
#[derive(Debug, Default)]
pub struct Refusals([AtomicU64; Reason::ALL.len()]);

impl Refusals {
    /// Refusals for `reason`.
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
        let Ok(members) = self.0.read() else {
            return Err(Reason::NotMember);
        };
        match members.peers.get(&node.0) {
            Some(peer) if peer.pins.contains(pin) => Ok(()),
            Some(_) => Err(Reason::WrongKey),
            None => Err(Reason::NotMember),
        }
    }

    /// Takes over a membership unless it is older than the one known. True when it was taken.
    pub(crate) fn adopt(&self, membership: &StoredMembership) -> bool {
        let index = membership.log_id().as_ref().map(|id| id.index);
        let peers: BTreeMap<u64, Peer> = membership
            .membership()
            .nodes()
            .map(|(id, peer)| (*id, peer.clone()))
            .collect();
        if peers.is_empty() {
            return false;
        }
        let Ok(mut members) = self.0.write() else {
            return false;
        };
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
        self.0
            .read()
            .map(|members| members.peers.clone())
            .unwrap_or_default()
    }

    /// Log index of the membership in force here.
    pub(crate) fn index(&self) -> Option<u64> {
        self.0.read().ok()?.index
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{WireLogId, WireMembership};

    fn membership(index: u64, nodes: &[(u64, u8)]) -> WireStoredMembership {
        let peer = |pin| Peer {
            addresses: vec![],
            pins: vec![[pin; 32]],
            name: String::new(),
        };
        WireStoredMembership {
            log_id: Some(WireLogId {
                term: 1,
                node: 1,
                index,
            }),
            membership: WireMembership {
                voters: vec![nodes.iter().map(|(id, _)| *id).collect()],
                nodes: nodes.iter().map(|(id, pin)| (*id, peer(*pin))).collect(),
            },
        }
    }

    #[test]
    fn only_pinned_keys_of_members_pass() {
        let pins = PinSet::default();
        assert_eq!(pins.check(NodeId(1), &[1; 32]), Err(Reason::NotMember));
        assert!(pins.adopt_wire(membership(5, &[(1, 1), (2, 2)])));
        assert_eq!(pins.check(NodeId(1), &[1; 32]), Ok(()));
        assert_eq!(pins.check(NodeId(1), &[2; 32]), Err(Reason::WrongKey));
        assert_eq!(pins.check(NodeId(3), &[1; 32]), Err(Reason::NotMember));
    }

    #[test]
    fn an_older_membership_never_replaces_a_newer_one() {
        let pins = PinSet::default();
        assert!(pins.adopt_wire(membership(9, &[(1, 1)])));
        assert!(!pins.adopt_wire(membership(5, &[(1, 1), (2, 2)])));
        assert!(!pins.adopt_wire(membership(9, &[(1, 1)])));
        assert!(!pins.adopt_wire(WireStoredMembership::default()));
        assert_eq!((pins.index(), pins.peers().len()), (Some(9), 1));
    }

    #[test]
    fn refusals_are_counted_by_reason() {
        let refusals = Refusals::default();
        refusals.count(Reason::WrongKey);
        let counted: Vec<u64> = Reason::ALL
            .into_iter()
            .map(|reason| refusals.of(reason))
            .collect();
        assert_eq!(counted.iter().sum::<u64>(), 1);
        assert_eq!(refusals.of(Reason::WrongKey), 1);
    }
}
