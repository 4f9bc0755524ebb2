//! **In order, and not before time.** Pages of people are expanded one after the other without a gap; a step is called when
//! its delay has passed by true time since somebody asked for the alert: neither a jumping wall clock nor a change of leader
//! brings it forward; but for a step without people before it, and for somebody called who cannot come or asks for help
//! (DESIGN A4, A10).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use domain::alerts::{self, Answer, Raise};
use domain::{AlertId, Command, escalation, inbound};

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
    /// Alerts to which somebody has said something else than that they come.
    hurried: BTreeSet<AlertId>,
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
                    let asked = settled.item.appended;
                    self.raised.entry(id).or_insert((asked, delays(raise)));
                }
                Command::Inbound(inbound::Command::Receive(text)) => {
                    let taken = seen.picture.texts.get(text.key.as_slice());
                    if let Some(alert) = taken.and_then(|taken| taken.alert)
                        && is_no_yes(&text.text, alert, seen)
                    {
                        self.hurried.insert(alert);
                    }
                }
                Command::Alerts(alerts::Command::Answer {
                    alert,
                    answer: Answer::Cannot | Answer::NeedHelp,
                    ..
                }) => {
                    self.hurried.insert(*alert);
                }
                Command::Escalation(escalation::Command::Advance { alert, step }) => {
                    if self.hurried.contains(alert) || joined.contains(alert) {
                        continue;
                    }
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

/// Delays of a raise's steps: a step without people of its own is skipped, and those after it come as much earlier.
fn delays(raise: &Raise) -> Vec<u64> {
    let mut steps: Vec<_> = raise.steps.iter().collect();
    steps.sort_by_key(|step| step.delay_ms);
    let mut named = BTreeSet::new();
    let mut delays = Vec::new();
    let mut earlier = 0;
    for (at, step) in steps.iter().enumerate() {
        let before = named.len();
        named.extend(step.recipients.iter().copied());
        if named.len() > before {
            delays.push(step.delay_ms - earlier);
        } else if let Some(next) = steps.get(at + 1) {
            earlier += next.delay_ms - step.delay_ms;
        }
    }
    delays
}

/// Whether a text to this alert may mean "cannot" or "need help".
fn is_no_yes(text: &str, alert: AlertId, seen: &Seen<'_>) -> bool {
    let mut calls = seen.picture.calls.iter().filter(|call| call.alert == alert);
    let rest = calls.find_map(|call| text.split_once(&call.code));
    rest.map_or(text, |(_, rest)| rest).contains(['2', '4'])
}
