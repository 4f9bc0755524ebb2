//! **Stand down reaches everyone who was told.** After a call-off everybody whose page left is owed a call-off over the
//! same contact method, and it is owed to them until it left or cannot (DESIGN §4.6).

use std::collections::BTreeSet;

use super::{Invariant, Seen};

pub(super) struct CallOffReaches;

impl Invariant for CallOffReaches {
    fn name(&self) -> &'static str {
        "call_off_reaches"
    }

    fn check(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        if !seen.last {
            return Ok(());
        }
        let picture = seen.picture;
        let owed: BTreeSet<_> = picture
            .deliveries
            .values()
            .filter(|delivery| delivery.purpose == "call_off")
            .map(|delivery| (delivery.alert, delivery.recipient, delivery.method))
            .collect();
        for left in &seen.chronicle.left {
            let Some(page) = picture.deliveries.get(&left.attempt.delivery) else {
                continue;
            };
            let called_off = picture
                .alerts
                .get(&page.alert)
                .is_some_and(|alert| alert.state == "called_off");
            let key = (page.alert, page.recipient, page.method);
            if page.purpose == "page" && called_off && !owed.contains(&key) {
                return Err(format!(
                    "{} was told of {} at {:?} and never that it was called off",
                    page.recipient, page.alert, left.at
                ));
            }
        }
        Ok(())
    }
}
