//! **No send without a lease, and none after its work was given away.** A node that was stopped, cut off or slow does not
//! begin what the leader has since taken back (DESIGN C2).

use std::collections::BTreeMap;
use std::time::Duration;

use domain::{Command, deliveries};

use super::{Invariant, Seen};

#[derive(Default)]
pub(super) struct LeasesCoverSends {
    looked: usize,
    started: usize,
    reclaimed: BTreeMap<deliveries::AttemptRef, Duration>,
}

impl Invariant for LeasesCoverSends {
    fn name(&self) -> &'static str {
        "leases_cover_sends"
    }

    fn check(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        for settled in &seen.settled[self.looked..] {
            let command = settled
                .item
                .envelope
                .as_ref()
                .map(|envelope| &envelope.command);
            if let Some(Command::Deliveries(deliveries::Command::Reclaim { attempts })) = command {
                for attempt in attempts {
                    self.reclaimed.entry(*attempt).or_insert(settled.at);
                }
            }
        }
        self.looked = seen.settled.len();
        for start in &seen.chronicle.starts[self.started..] {
            if !start.leased {
                return Err(format!(
                    "{} began a send at {:?} without a lease",
                    start.node, start.at
                ));
            }
            // An island does its own work though the others may have given it away; that is D5's choice.
            if let Some(at) = self.reclaimed.get(&start.attempt)
                && *at < start.at
                && !start.alone
                // Only what was really taken back: a refused command takes nothing.
                && seen.picture.attempts.get(&start.attempt).is_some_and(|attempt| {
                    attempt.state == "reclaimed" || attempt.state == "withdrawn" || attempt.ended.is_some()
                })
            {
                return Err(format!(
                    "{} began attempt {} of {} at {:?}, taken back at {at:?}",
                    start.node, start.attempt.attempt, start.attempt.delivery, start.at
                ));
            }
        }
        self.started = seen.chronicle.starts.len();
        Ok(())
    }
}
