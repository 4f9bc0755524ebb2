//! **The record tells what happened.** At the end no attempt whose text left is recorded as refused, taken back or still
//! under way: who was told is evidence (DESIGN promise 5, C1).

use super::{Invariant, Seen};

pub(super) struct AttemptsTellTheTruth;

impl Invariant for AttemptsTellTheTruth {
    fn name(&self) -> &'static str {
        "attempts_tell_the_truth"
    }

    fn check(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        if !seen.last {
            return Ok(());
        }
        for left in &seen.chronicle.left {
            let state = seen
                .picture
                .attempts
                .get(&left.attempt)
                .map_or("nowhere", |attempt| attempt.state.as_str());
            if !["accepted", "unknown"].contains(&state) {
                return Err(format!(
                    "attempt {} of {} left {} at {:?} and is recorded as {state}",
                    left.attempt.attempt, left.attempt.delivery, left.node, left.at
                ));
            }
        }
        let stuck = seen
            .picture
            .attempts
            .iter()
            .find(|(_, attempt)| attempt.state == "assigned");
        match stuck {
            Some((attempt, row)) => Err(format!(
                "attempt {} of {} is still under way at {}; the delivery is {}",
                attempt.attempt,
                attempt.delivery,
                row.node,
                seen.picture.deliveries.get(&attempt.delivery).map_or_else(
                    String::new,
                    |delivery| format!(
                        "a {} {} ({}), attempts {}",
                        delivery.purpose, delivery.state, delivery.reason, delivery.attempts
                    )
                )
            )),
            None => Ok(()),
        }
    }
}
