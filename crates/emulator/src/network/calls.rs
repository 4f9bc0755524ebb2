//! Voice calls between modems and phones.

use std::time::{Duration, Instant};

use super::{CallStep, Flight, Network};
use crate::{event::Event, modem::CallState, phone::Pickup};

const RING_AFTER: Duration = Duration::from_millis(500);
const RING_FOR: Duration = Duration::from_secs(40);
const ANSWER_AFTER: Duration = Duration::from_secs(2);

impl Network {
    pub(super) fn dial(&mut self, now: Instant, modem: &str, number: &str) {
        let to = self.canonical_text(number);
        self.flights += 1;
        let call = self.flights;
        self.calls.insert(modem.to_owned(), call);
        let from = self
            .modems
            .get(modem)
            .map(|modem| modem.config().number.clone())
            .unwrap_or_default();
        let mut heard = false;
        let pickup = match self.phones.get_mut(&to) {
            Some(phone) if phone.knobs.reachable => match phone.knobs.pickup {
                pickup @ (Pickup::NoAnswer | Pickup::Answer) => {
                    heard = phone.called(now, &from);
                    if heard { pickup } else { Pickup::NoAnswer }
                }
                pickup @ (Pickup::Busy | Pickup::Off) => pickup,
            },
            _ => Pickup::Off,
        };
        let mut plan = |after: Duration, step: CallStep| {
            self.flights += 1;
            self.air.insert(
                (now + after, self.flights),
                Flight::Call {
                    modem: modem.to_owned(),
                    call,
                    step,
                },
            );
        };
        match pickup {
            Pickup::Off => plan(RING_AFTER, CallStep::End("NO CARRIER")),
            Pickup::Busy => plan(RING_AFTER, CallStep::End("BUSY")),
            Pickup::NoAnswer => {
                plan(RING_AFTER, CallStep::Alert);
                plan(RING_FOR, CallStep::End("NO ANSWER"));
            }
            Pickup::Answer => {
                plan(RING_AFTER, CallStep::Alert);
                plan(ANSWER_AFTER, CallStep::Answer);
            }
        }
        self.tell(Event::Called { from, to, heard });
    }

    pub(super) fn advance_call(&mut self, now: Instant, modem: &str, call: u64, step: CallStep) {
        if self.calls.get(modem) != Some(&call) {
            return; // that call is over
        }
        if matches!(step, CallStep::End(_)) {
            self.calls.remove(modem);
            self.tell(Event::CallEnded {
                modem: modem.to_owned(),
            });
        }
        let _ = self.with_modem(now, modem, |modem| match step {
            CallStep::Alert => modem.call_reached(CallState::Alerting),
            CallStep::Answer => modem.call_reached(CallState::Active),
            CallStep::End(how) => modem.call_ended(now, how),
        });
    }
}
