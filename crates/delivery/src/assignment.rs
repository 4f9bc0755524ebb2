//! Which channel takes which delivery. Rules without rows.

use std::collections::BTreeMap;

use domain::NodeId;
use domain::deliveries::{Assignment, ChannelLoad, Due, RING, carrier};
use domain::nodes::ChannelRow;

/// Parts a modem may hold that it has not reported: what a death can repeat (DESIGN C3).
const SMS_PARTS_MAX: u32 = 4;

/// Mails a set of smarthosts may hold.
const MAILS_MAX: u32 = 50;

/// Gives each delivery, in the order given, to the best channel that has room; those without one wait.
///
/// Best is: not the one that just failed for it, the one it should leave from, another operator than the one that
/// failed, then the one with the shortest queue for its speed.
pub(crate) fn assign(
    due: &[Due],
    channels: &[ChannelRow],
    load: &[ChannelLoad],
) -> Vec<Assignment> {
    // What islands gave out and what the cluster gave out lies on one channel.
    let mut held: BTreeMap<(NodeId, &str), u32> = BTreeMap::new();
    for given in load {
        let size = if is_sms(channels, given) {
            given.parts
        } else {
            capped(given.attempts)
        };
        let held = held
            .entry((given.node, given.channel.as_str()))
            .or_default();
        *held = held.saturating_add(size);
    }
    // A node that runs out of power is spared while another one can send at all.
    let can_send = |kind: &str, draining: bool| {
        channels
            .iter()
            .any(|c| c.usable && c.kind == kind && c.draining == draining)
    };
    let spare: Vec<&str> = ["sms", "email"]
        .into_iter()
        .filter(|kind| can_send(kind, false))
        .collect();
    let mut assignments = Vec::new();
    for delivery in due {
        let kind = carrier(&delivery.kind);
        let size = if kind == "sms" {
            delivery.parts.min(SMS_PARTS_MAX)
        } else {
            1
        };
        let failed_operator = delivery
            .avoid
            .as_ref()
            .and_then(|place| operator_of(channels, place));
        let is_at = |channel: &ChannelRow, place: &(NodeId, String)| {
            (channel.node, &channel.name) == (place.0, &place.1)
        };
        let pin = delivery.pinned.as_ref().filter(|place| {
            channels
                .iter()
                .any(|channel| channel.usable && is_at(channel, place))
        });
        let able = || {
            channels
                .iter()
                .filter(|channel| channel.usable && channel.kind == kind)
                .filter(|channel| !(channel.draining && spare.contains(&channel.kind.as_str())))
                .filter(|channel| pin.is_none_or(|place| is_at(channel, place)))
        };
        let best = able()
            .filter(|channel| {
                let now_held = held
                    .get(&(channel.node, channel.name.as_str()))
                    .copied()
                    .unwrap_or(0);
                // An empty channel takes any text: a long one could never leave otherwise.
                now_held == 0 || now_held + size <= room(kind, delivery.lane.urgent())
            })
            .min_by_key(|channel| {
                let place = Some((channel.node, channel.name.clone()));
                let now_held = held
                    .get(&(channel.node, channel.name.as_str()))
                    .copied()
                    .unwrap_or(0);
                (
                    delivery.avoid == place,
                    delivery.prefer.is_some() && delivery.prefer != place,
                    failed_operator == Some(channel.operator.as_str()),
                    // Minutes of queue, in thousandths, so that a fast channel takes more.
                    u64::from(now_held + size) * 1_000 / u64::from(channel.rate_per_min.max(1)),
                    now_held,
                    channel.node,
                )
            });
        let Some(channel) = best else {
            if delivery.kind == RING {
                keep_for_ring(&mut held, able());
            }
            continue;
        };
        *held
            .entry((channel.node, channel.name.as_str()))
            .or_default() += size;
        assignments.push(Assignment {
            attempt: delivery.attempt,
            node: channel.node,
            channel: channel.name.clone(),
        });
    }
    assignments
}

/// A ring needs a modem that holds nothing. What comes after it in the order given leaves one to it, or texts of no hurry
/// would keep it out for ever.
fn keep_for_ring<'a>(
    held: &mut BTreeMap<(NodeId, &'a str), u32>,
    able: impl Iterator<Item = &'a ChannelRow>,
) {
    let held_by = |channel: &ChannelRow| {
        held.get(&(channel.node, channel.name.as_str()))
            .copied()
            .unwrap_or(0)
    };
    let soonest = able.min_by_key(|channel| (held_by(channel), channel.node));
    if let Some(channel) = soonest {
        held.insert((channel.node, channel.name.as_str()), SMS_PARTS_MAX);
    }
}

/// What may be held; a third is kept for call-offs, answers and people's alerts (DESIGN C5).
fn room(kind: &str, urgent: bool) -> u32 {
    let all = if kind == "sms" {
        SMS_PARTS_MAX
    } else {
        MAILS_MAX
    };
    if urgent { all } else { all - all / 3 }
}

fn is_sms(channels: &[ChannelRow], load: &ChannelLoad) -> bool {
    channels
        .iter()
        .any(|c| c.node == load.node && c.name == load.channel && c.kind == "sms")
}

fn capped(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn operator_of<'a>(channels: &'a [ChannelRow], (node, name): &(NodeId, String)) -> Option<&'a str> {
    let operator = channels
        .iter()
        .find(|c| c.node == *node && c.name == *name)?
        .operator
        .as_str();
    (!operator.is_empty()).then_some(operator)
}

#[cfg(test)]
mod tests {
    use domain::deliveries::{AttemptRef, Lane};
    use domain::{DeliveryId, Timestamp};

    use super::*;

    fn modem(node: u64, operator: &str) -> ChannelRow {
        ChannelRow {
            node: NodeId(node),
            name: "modem".to_owned(),
            kind: "sms".to_owned(),
            up: true,
            reason: String::new(),
            operator: operator.to_owned(),
            number: String::new(),
            signal_dbm: None,
            rate_per_min: 10,
            changed_at: Timestamp(0),
            reported_at: Timestamp(0),
            usable: true,
            draining: false,
        }
    }

    fn text(id: u8, lane: Lane) -> Due {
        Due {
            attempt: AttemptRef {
                delivery: DeliveryId([id; 16]),
                attempt: 1,
            },
            kind: "sms".to_owned(),
            lane,
            critical: false,
            address: "+358401234567".to_owned(),
            parts: 1,
            avoid: None,
            prefer: None,
            pinned: None,
        }
    }

    fn nodes_of(assignments: &[Assignment]) -> Vec<u64> {
        assignments.iter().map(|a| a.node.0).collect()
    }

    #[test]
    fn work_spreads_over_all_modems_and_stops_at_the_bound() {
        let due: Vec<Due> = (0..20).map(|id| text(id, Lane::Human)).collect();
        let assigned = assign(&due, &[modem(1, "A"), modem(2, "B"), modem(3, "C")], &[]);
        assert_eq!(nodes_of(&assigned), [1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3]);
    }

    #[test]
    fn a_third_stays_free_for_urgent_lanes() {
        let due: Vec<Due> = (0..20).map(|id| text(id, Lane::Rest)).collect();
        assert_eq!(assign(&due, &[modem(1, "A")], &[]).len(), 3);
        let held = [ChannelLoad {
            node: NodeId(1),
            channel: "modem".to_owned(),
            history: 0,
            attempts: 3,
            parts: 3,
        }];
        assert_eq!(
            assign(&[text(1, Lane::Rest)], &[modem(1, "A")], &held).len(),
            0
        );
        assert_eq!(
            assign(&[text(1, Lane::CallOff)], &[modem(1, "A")], &held).len(),
            1
        );
    }

    #[test]
    fn a_retry_goes_to_another_operator_and_a_lone_modem_is_used_again() {
        let mut retry = text(1, Lane::Human);
        retry.avoid = Some((NodeId(1), "modem".to_owned()));
        let channels = [modem(1, "A"), modem(2, "A"), modem(3, "B")];
        assert_eq!(nodes_of(&assign(&[retry.clone()], &channels, &[])), [3]);
        assert_eq!(nodes_of(&assign(&[retry], &channels[..1], &[])), [1]);
    }

    #[test]
    fn a_reply_leaves_from_the_number_that_was_written_to() {
        let mut reply = text(1, Lane::Reply);
        reply.prefer = Some((NodeId(2), "modem".to_owned()));
        let mut channels = [modem(1, "A"), modem(2, "B")];
        assert_eq!(nodes_of(&assign(&[reply.clone()], &channels, &[])), [2]);
        channels[1].usable = false;
        assert_eq!(nodes_of(&assign(&[reply], &channels, &[])), [1]);
    }

    #[test]
    fn a_node_that_runs_out_of_power_gets_work_only_when_no_other_can_do_it() {
        let mut channels = [modem(1, "A"), modem(2, "B")];
        channels[0].draining = true;
        let due = [text(1, Lane::Human), text(2, Lane::Human)];
        assert_eq!(nodes_of(&assign(&due, &channels, &[])), [2, 2]);
        channels[1].usable = false;
        assert_eq!(nodes_of(&assign(&due, &channels, &[])), [1, 1]);
    }

    fn ring(id: u8) -> Due {
        Due {
            kind: RING.to_owned(),
            parts: 4,
            ..text(id, Lane::FirstOfSource)
        }
    }

    #[test]
    fn a_ring_has_a_modem_to_itself() {
        let due = [ring(1), ring(2), ring(3), text(4, Lane::Rest)];
        let channels = [modem(1, "A"), modem(2, "B")];
        assert_eq!(nodes_of(&assign(&due, &channels, &[])), [1, 2]);
        // What is less urgent leaves a busy modem to the ring that waits; what is more urgent does not.
        let held = [ChannelLoad {
            node: NodeId(1),
            channel: "modem".to_owned(),
            history: 0,
            attempts: 1,
            parts: 1,
        }];
        let due = [text(9, Lane::Reply), ring(1), text(4, Lane::Rest)];
        let assigned = assign(&due, &channels[..1], &held);
        assert_eq!(assigned.len(), 1);
        assert_eq!(assigned[0].attempt.delivery, DeliveryId([9; 16]));
    }

    #[test]
    fn the_second_ring_leaves_from_the_number_of_the_first() {
        let mut second = ring(1);
        second.pinned = Some((NodeId(2), "modem".to_owned()));
        let mut channels = [modem(1, "A"), modem(2, "B")];
        let busy = [ChannelLoad {
            node: NodeId(2),
            channel: "modem".to_owned(),
            history: 0,
            attempts: 1,
            parts: 1,
        }];
        assert_eq!(nodes_of(&assign(&[second.clone()], &channels, &[])), [2]);
        assert_eq!(assign(&[second.clone()], &channels, &busy).len(), 0);
        channels[1].usable = false;
        assert_eq!(nodes_of(&assign(&[second], &channels, &busy)), [1]);
    }

    #[test]
    fn a_long_text_leaves_when_the_modem_is_empty() {
        let mut long = text(1, Lane::Rest);
        long.parts = 6;
        assert_eq!(assign(&[long], &[modem(1, "A")], &[]).len(), 1);
    }
}
