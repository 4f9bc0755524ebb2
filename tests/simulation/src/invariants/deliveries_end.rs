//! **Every delivery ends**, delivered, acknowledged, failed with a reason, or expired, and not long after its time
//! (DESIGN promise 2). Only the network's last word may still be awaited, for as long as the text is valid.

use std::time::Duration;

use domain::DeliveryId;

use super::{Invariant, Known, Seen};

/// How long after its time a delivery may still stand open under a leader that can work and knows of it.
const LATE_MAX: Duration = Duration::from_secs(30);

#[derive(Default)]
pub(super) struct DeliveriesEnd {
    known: Known<DeliveryId>,
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
            let known_for = self.known.for_how_long(*id, seen);
            let late = seen.picture.now.since(delivery.expires);
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
