//! Who among nodes that are cut off together does what (DESIGN D4). There is no leader: each draws the same lot for each
//! piece of work, and the others wait for it to be done.

use domain::NodeId;
use domain::deliveries::{Due, carrier};
use domain::nodes::ChannelRow;
use domain::ports::Island;
use sha2::{Digest, Sha256};

/// The node among `nodes` whom the lot for `work` falls on (rendezvous hashing: when one goes, only its share moves).
pub(crate) fn drawn(work: &[u8], nodes: impl IntoIterator<Item = NodeId>) -> Option<NodeId> {
    nodes.into_iter().max_by_key(|node| {
        let mut hash = Sha256::new();
        hash.update(work);
        hash.update(node.0.to_be_bytes());
        (<[u8; 32]>::from(hash.finalize()), *node)
    })
}

/// Whether this node moves on what `id` names. Always, unless it is one of several cut off together.
pub(crate) fn is_ours(island: Option<&Island>, own: NodeId, id: &[u8]) -> bool {
    island.is_none_or(|island| {
        drawn(id, island.fellows.iter().copied()).is_none_or(|drawn| drawn == own)
    })
}

/// Whether this node sends a delivery: the lot falls among those that can, and a place it should leave from comes first.
pub(crate) fn sends(
    island: Option<&Island>,
    own: NodeId,
    due: &Due,
    channels: &[ChannelRow],
) -> bool {
    let Some(island) = island else { return true };
    let can = |node: NodeId| {
        let mut theirs = channels.iter().filter(|c| c.node == node && c.usable);
        theirs.any(|c| {
            c.kind == carrier(&due.kind) && due.avoid.as_ref() != Some(&(c.node, c.name.clone()))
        })
    };
    let able: Vec<NodeId> = island
        .fellows
        .iter()
        .copied()
        .filter(|node| can(*node))
        .collect();
    let preferred = due
        .pinned
        .as_ref()
        .or(due.prefer.as_ref())
        .map(|(node, _)| *node)
        .filter(|node| able.contains(node));
    // Where nobody else can, the place that failed is tried again by the node that has it.
    preferred
        .or_else(|| drawn(due.attempt.delivery.as_bytes(), able))
        .is_none_or(|drawn| drawn == own)
}

#[cfg(test)]
mod tests {
    use domain::Timestamp;

    use super::*;

    const NODES: [NodeId; 3] = [NodeId(1), NodeId(2), NodeId(3)];

    #[test]
    fn each_piece_of_work_falls_on_one_node_and_moves_only_when_that_one_goes() {
        let mut shares = [0; 3];
        for work in 0..600_u32 {
            let work = work.to_be_bytes();
            let first = drawn(&work, NODES).unwrap();
            shares[usize::try_from(first.0).unwrap() - 1] += 1;
            let without_three = drawn(&work, [NodeId(2), NodeId(1)]).unwrap();
            assert!(first == NodeId(3) || first == without_three);
        }
        assert!(shares.iter().all(|share| *share > 120), "{shares:?}");
    }

    fn island() -> Island {
        Island {
            letter: "A".to_owned(),
            site: "north".to_owned(),
            since: Timestamp(0),
            healing: false,
            fellows: NODES.to_vec(),
            waiting: 0,
        }
    }

    fn modem(node: u64, usable: bool) -> ChannelRow {
        ChannelRow {
            node: NodeId(node),
            name: "m".to_owned(),
            kind: "sms".to_owned(),
            up: usable,
            reason: String::new(),
            operator: String::new(),
            number: String::new(),
            signal_dbm: None,
            rate_per_min: 10,
            changed_at: Timestamp(0),
            reported_at: Timestamp(0),
            usable,
            draining: false,
        }
    }

    fn text(id: u8) -> Due {
        Due {
            attempt: domain::deliveries::AttemptRef {
                delivery: domain::DeliveryId([id; 16]),
                attempt: 1,
            },
            kind: "sms".to_owned(),
            lane: domain::deliveries::Lane::Human,
            critical: false,
            address: "+358401234567".to_owned(),
            parts: 1,
            avoid: None,
            prefer: None,
            pinned: None,
        }
    }

    fn senders(due: &Due, channels: &[ChannelRow]) -> Vec<u64> {
        let island = island();
        NODES
            .into_iter()
            .filter(|node| sends(Some(&island), *node, due, channels))
            .map(|node| node.0)
            .collect()
    }

    #[test]
    fn every_text_has_one_sender_that_has_a_working_modem() {
        let channels = [modem(1, true), modem(2, false), modem(3, true)];
        for id in 0..50 {
            let senders = senders(&text(id), &channels);
            assert!(senders == [1] || senders == [3], "{senders:?}");
        }
    }

    #[test]
    fn a_text_leaves_from_the_number_it_should_and_not_from_the_one_that_failed() {
        let channels = [modem(1, true), modem(2, true)];
        let wanted = |node| Some((NodeId(node), "m".to_owned()));
        for id in 0..20 {
            let reply = Due {
                prefer: wanted(2),
                ..text(id)
            };
            assert_eq!(senders(&reply, &channels), [2]);
            let retry = Due {
                avoid: wanted(1),
                ..text(id)
            };
            assert_eq!(senders(&retry, &channels), [2]);
        }
    }

    #[test]
    fn a_node_with_the_others_shares_nothing() {
        assert!(is_ours(None, NodeId(1), b"x") && sends(None, NodeId(1), &text(1), &[]));
    }
}
