//! **Never silent.** Every open alert has a next action and a time for it in its row, at every moment; and while a leader
//! can work, the time does not pass by (DESIGN promise 2).

use std::time::Duration;

use super::{Invariant, Seen};

/// How late an action may be under a leader that has had this long to notice it.
const LATE_MAX: Duration = Duration::from_secs(20);

pub(super) struct NextAction;

impl Invariant for NextAction {
    fn name(&self) -> &'static str {
        "next_action"
    }

    fn check(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        for alert in seen.picture.alerts.values() {
            if alert.state == "open" && alert.next_action.is_empty() {
                return Err(format!(
                    "alert {} is open and waits for nothing",
                    alert.number
                ));
            }
            let late = seen.picture.now.since(alert.next_due);
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
