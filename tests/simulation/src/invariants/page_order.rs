//! **In order, and not before time.** Pages of people are expanded one after the other without a gap; a step is called when
//! its delay has passed by true time, neither a jumping wall clock nor a change of leader brings it forward
//! (DESIGN A4, A10).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use domain::alerts;
use domain::{AlertId, Command, escalation};

use super::{Invariant, Seen};

/// What clocks may differ by.
const EARLY_MAX: Duration = Duration::from_secs(2);

/// Positions from here on were carried over from a joined alert.
const CARRIED: u64 = 1_000_000;

/// People per page in the calling order.
const PAGE: u64 = 2_000;

#[derive(Default)]
pub(super) struct PageOrder {
    looked: usize,
    raised: BTreeMap<AlertId, (Duration, Vec<u64>)>,
}

impl Invariant for PageOrder {
    fn name(&self) -> &'static str {
        "page_order"
    }

    fn check(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        // Somebody carried over from a joined alert keeps that place when their own page comes.
        let joined: BTreeSet<AlertId> = seen
            .picture
            .alerts
            .values()
            .filter_map(|alert| alert.joined_into)
            .collect();
        let mut last = None;
        let islands = seen.chronicle.islands;
        for call in seen
            .picture
            .calls
            .iter()
            .filter(|call| !islands && call.position < CARRIED && !joined.contains(&call.alert))
        {
            let next = match last {
                Some((alert, position)) if alert == call.alert => {
                    let within = position + 1;
                    let page = (position / PAGE + 1) * PAGE;
                    call.position == within || call.position == page
                }
                Some(_) | None => call.position == 0,
            };
            if !next {
                return Err(format!(
                    "{} called place {} out of order",
                    call.alert, call.position
                ));
            }
            last = Some((call.alert, call.position));
        }
        for settled in &seen.settled[self.looked..] {
            let Some(envelope) = &settled.item.envelope else {
                continue;
            };
            match &envelope.command {
                Command::Alerts(alerts::Command::Raise(raise)) => {
                    let id = AlertId::derive(&[envelope.request.as_bytes()]);
                    let mut delays: Vec<u64> = raise.steps.iter().map(|s| s.delay_ms).collect();
                    delays.sort_unstable();
                    self.raised.entry(id).or_insert((settled.at, delays));
                }
                Command::Escalation(escalation::Command::Advance { alert, step }) => {
                    let Some((raised, delays)) = self.raised.get(alert) else {
                        continue;
                    };
                    let delay = delays.get(usize::from(*step)).copied().unwrap_or(0);
                    let due = *raised + Duration::from_millis(delay);
                    // An island may have raised it earlier than the log knows.
                    if settled.at + EARLY_MAX < due && !seen.chronicle.islands {
                        return Err(format!(
                            "step {step} of {alert} was called {:?} early",
                            due.saturating_sub(settled.at)
                        ));
                    }
                }
                _ => {}
            }
        }
        self.looked = seen.settled.len();
        Ok(())
    }
}
