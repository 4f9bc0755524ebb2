//! **Nobody is paged after answering**, nor after the alert is over. A send that began before the node could know is not
//! held against it: either the node had applied the answer before the step began, or everybody had a lease's time to
//! hear of it (DESIGN promise 2, C2).

use std::collections::BTreeMap;
use std::time::Duration;

use domain::ports::LEASE;
use domain::{Command, alerts, inbound};

use super::{Invariant, Seen};
use crate::world::Settled;

/// After this long no node has the right to go on in ignorance.
const IGNORANCE_MAX: Duration = Duration::from_secs(LEASE.as_secs() + 2);

#[derive(Default)]
pub(super) struct QuietAfterAnswer {
    started: usize,
}

impl Invariant for QuietAfterAnswer {
    fn name(&self) -> &'static str {
        "quiet_after_answer"
    }

    fn check(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        let new = &seen.chronicle.starts[self.started..];
        self.started = seen.chronicle.starts.len();
        if new.is_empty() {
            return Ok(());
        }
        let answers = answers(seen);
        for start in new {
            let Some(delivery) = seen.picture.deliveries.get(&start.attempt.delivery) else {
                continue;
            };
            // An island may not have heard the answer: what it sent is counted apart.
            if delivery.purpose != "page" || start.alone {
                continue;
            }
            let known = [
                answers.get(&(delivery.alert, Some(delivery.recipient))),
                answers.get(&(delivery.alert, None)),
            ];
            for (index, at) in known.into_iter().flatten() {
                let knew = !start.held && start.began >= *index;
                let had_time = start.at > *at + IGNORANCE_MAX;
                if knew || had_time {
                    return Err(format!(
                        "{} paged {} about {} at {:?}; it was over for them at {at:?} (entry {index}, {} applied)",
                        start.node, start.address, delivery.alert, start.at, start.began
                    ));
                }
            }
        }
        Ok(())
    }
}

type Over = BTreeMap<(domain::AlertId, Option<domain::RecipientId>), (u64, Duration)>;

/// First entry after which a person need not be paged about an alert any more, or nobody need.
fn answers(seen: &Seen<'_>) -> Over {
    let mut over = Over::new();
    let mut add = |alert, recipient, settled: &Settled| {
        over.entry((alert, recipient))
            .or_insert((settled.item.index, settled.at));
    };
    for settled in seen.settled {
        let Some(envelope) = &settled.item.envelope else {
            continue;
        };
        match &envelope.command {
            Command::Inbound(inbound::Command::Receive(text)) => {
                let Some(text) = seen.picture.texts.get(text.key.as_slice()) else {
                    continue;
                };
                let answered = ["answer", "answer_in_part"].contains(&&*text.taken);
                if let (true, Some(alert), Some(recipient)) = (answered, text.alert, text.recipient)
                {
                    add(alert, Some(recipient), settled);
                }
            }
            Command::Alerts(alerts::Command::Answer {
                alert, recipient, ..
            }) => {
                let counted = seen.picture.calls.iter().any(|call| {
                    call.alert == *alert
                        && call.recipient == *recipient
                        && call.answered_at.is_some_and(|at| at >= envelope.issued_at)
                });
                let told = seen.chronicle.told.iter().any(|told| {
                    told.request == envelope.request
                        && matches!(told.outcome, domain::Outcome::Applied(_))
                });
                if counted && told {
                    add(*alert, Some(*recipient), settled);
                }
            }
            Command::Alerts(
                alerts::Command::Resolve { alert, .. }
                | alerts::Command::CallOff { alert, .. }
                | alerts::Command::Join { alert, .. },
            ) => {
                let is_over = seen
                    .picture
                    .alerts
                    .get(alert)
                    .is_some_and(|alert| alert.state != "open");
                let told = seen.chronicle.told.iter().any(|told| {
                    told.request == envelope.request
                        && matches!(told.outcome, domain::Outcome::Applied(_))
                });
                if is_over && told {
                    add(*alert, None, settled);
                }
            }
            _ => {}
        }
    }
    over
}
