//! **A dead number strands no answers.** No unanswered open delivery hangs on a number that hears nothing for more than
//! 60 seconds while another number could take over (DESIGN C6). Dark is what is dark by truth, not by what the leader
//! has noticed; but what an island sent can be moved only from when the cluster knows of it.

use std::time::Duration;

use domain::deliveries::AttemptRef;

use super::{Invariant, Known, Seen};

const STRANDED_MAX: Duration = Duration::from_secs(60);

/// Within the minute, how long somebody must have been able to notice and another number to take over.
const ABLE: Duration = Duration::from_secs(35);

#[derive(Default)]
pub(super) struct DarkNumbers {
    known: Known<AttemptRef>,
}

impl Invariant for DarkNumbers {
    fn name(&self) -> &'static str {
        "dark_numbers"
    }

    fn check(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        for attempt in seen.picture.attempts.keys() {
            self.known.for_how_long(*attempt, seen);
        }
        let able = seen
            .chronicle
            .able_since
            .values()
            .any(|since| seen.elapsed.saturating_sub(*since) > ABLE);
        if !able || seen.healthy_for() < ABLE {
            return Ok(());
        }
        for (id, delivery) in &seen.picture.deliveries {
            let waits = ["sent", "delivered", "handed_over"].contains(&&*delivery.state);
            if !delivery.awaiting || delivery.kind != "sms" || !waits {
                continue;
            }
            let last = AttemptRef {
                delivery: *id,
                attempt: delivery.attempts,
            };
            let Some(attempt) = seen.picture.attempts.get(&last) else {
                continue;
            };
            let (Some(dark), Some(ended)) =
                (seen.chronicle.dark_since.get(&attempt.node), attempt.ended)
            else {
                continue;
            };
            let sent_ago = seen.picture.now.since(ended);
            let dark_ago = seen.elapsed.saturating_sub(*dark);
            let known_for = self.known.for_how_long(last, seen);
            let stranded = sent_ago.min(dark_ago).min(known_for);
            if attempt.state == "accepted" && stranded > STRANDED_MAX {
                return Err(format!(
                    "{id} awaits an answer at {}, dark for {dark_ago:?}, sent {sent_ago:?} ago",
                    attempt.node
                ));
            }
        }
        Ok(())
    }
}
