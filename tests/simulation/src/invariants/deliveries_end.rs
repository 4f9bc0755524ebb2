//! **Every delivery ends**, delivered, acknowledged, failed with a reason, or expired, and not long after its time
//! (DESIGN promise 2). Only the network's last word may still be awaited, for as long as the text is valid.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::DeliveryId;

use super::{Invariant, Seen};

/// How long after its time a delivery may still stand open under a leader that can work and knows of it: what an island
/// owed comes to the others as it stood there.
const LATE_MAX: Duration = Duration::from_secs(30);

#[derive(Default)]
pub(super) struct DeliveriesEnd {
    /// When the most advanced node was first seen to know of each.
    known: BTreeMap<DeliveryId, Duration>,
}

impl Invariant for DeliveriesEnd {
    fn name(&self) -> &'static str {
        "deliveries_end"
    }

    fn check(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        for (id, delivery) in &seen.picture.deliveries {
            if delivery.ended {
                let wants_reason = ["failed", "expired", "cancelled"].contains(&&*delivery.state);
                if wants_reason && delivery.reason.is_empty() {
                    return Err(format!("{id} is {} for no reason", delivery.state));
                }
                continue;
            }
            let known = *self.known.entry(*id).or_insert(seen.elapsed);
            let late = seen.picture.now.since(delivery.expires);
            let known_for = seen.elapsed.saturating_sub(known);
            if late.min(known_for) > LATE_MAX && seen.healthy_for() > LATE_MAX {
                return Err(format!(
                    "{id} is {} {late:?} after its time",
                    delivery.state
                ));
            }
            if seen.last && delivery.state != "sent" {
                return Err(format!(
                    "{id} ({} to {}) is left {}",
                    delivery.purpose, delivery.recipient, delivery.state
                ));
            }
        }
        Ok(())
    }
}
