//! **Never silent.** Every open alert has a next action and a time for it in its row, at every moment; and while a leader
//! can work, the time does not pass by (DESIGN promise 2). An alert that only an island knew is late from when the cluster
//! knows it: the island's node may have stood still until then.

use std::time::Duration;

use domain::AlertId;

use super::{Invariant, Known, Seen};

/// How late an action may be under a leader that has had this long to notice it.
const LATE_MAX: Duration = Duration::from_secs(20);

#[derive(Default)]
pub(super) struct NextAction {
    known: Known<AlertId>,
}

impl Invariant for NextAction {
    fn name(&self) -> &'static str {
        "next_action"
    }

    fn check(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        for (id, alert) in &seen.picture.alerts {
            if alert.state == "open" && alert.next_action.is_empty() {
                return Err(format!(
                    "alert {} is open and waits for nothing",
                    alert.number
                ));
            }
            let known_for = self.known.for_how_long(*id, seen);
            let late = seen.picture.now.since(alert.next_due).min(known_for);
            if !alert.next_action.is_empty() && late > LATE_MAX && seen.healthy_for() > LATE_MAX {
                return Err(format!(
                    "alert {}: {} is {late:?} late",
                    alert.number, alert.next_action
                ));
            }
        }
        Ok(())
    }
}
