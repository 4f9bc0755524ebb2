//! **The worst first.** Once a critical alert is in the log, no lesser alert begins to call people before it does
//! (DESIGN A4).

use std::collections::BTreeMap;
use std::time::Duration;

use domain::alerts::{self, Severity};
use domain::islands::{self, Fact};
use domain::{AlertId, Command, escalation};

use super::{Invariant, Seen};

/// A plan made before the critical alert came may still be carried out for this long.
const PLAN: Duration = Duration::from_secs(2);

#[derive(Default)]
pub(super) struct SeverityFirst {
    looked: usize,
    /// Critical alerts that have not begun to call, and when they came.
    waiting: BTreeMap<AlertId, Duration>,
    /// All alerts and whether they are critical.
    known: BTreeMap<AlertId, bool>,
}

impl Invariant for SeverityFirst {
    fn name(&self) -> &'static str {
        "severity_first"
    }

    fn check(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        for settled in &seen.settled[self.looked..] {
            let Some(envelope) = &settled.item.envelope else {
                continue;
            };
            match &envelope.command {
                Command::Alerts(alerts::Command::Raise(raise)) => {
                    let id = AlertId::derive(&[envelope.request.as_bytes()]);
                    let critical = raise.severity == Severity::Critical;
                    let new = self.known.insert(id, critical).is_none();
                    if critical && new && seen.picture.alerts.contains_key(&id) {
                        self.waiting.insert(id, settled.at);
                    }
                }
                Command::Islands(islands::Command::Merge { facts, .. }) => {
                    // An island has begun to call already; a client that asks again, before or after, raises nothing anew.
                    for fact in facts {
                        match fact {
                            Fact::Alert(fact) => {
                                let critical = fact.severity == Severity::Critical;
                                self.known.entry(fact.alert).or_insert(critical);
                            }
                            Fact::Call(fact) => {
                                self.waiting.remove(&fact.alert);
                            }
                            _ => {}
                        }
                    }
                }
                Command::Alerts(
                    alerts::Command::Resolve { alert, .. }
                    | alerts::Command::CallOff { alert, .. }
                    | alerts::Command::Join { alert, .. },
                ) => {
                    self.waiting.remove(alert);
                }
                Command::Escalation(escalation::Command::ExpandPage { alert, .. }) => {
                    self.waiting.remove(alert);
                    if self.known.get(alert) == Some(&true) {
                        continue;
                    }
                    let passed = self.waiting.iter().find(|(_, came)| {
                        // A loop held in the middle goes on with the plan it had.
                        settled.at > **came + PLAN && seen.chronicle.last_hindered < **came
                    });
                    if let Some((critical, _)) = passed {
                        return Err(format!("{alert} called people before critical {critical}"));
                    }
                }
                _ => {}
            }
        }
        self.looked = seen.settled.len();
        Ok(())
    }
}
