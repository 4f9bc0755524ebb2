//! **A code means one alert.** Among a person's codes that are open or were closed within 48 hours no two are the same,
//! except where one alert was joined into the other (DESIGN §4.5).

use std::collections::BTreeMap;

use domain::AlertId;

use super::{Invariant, Seen};

const REST_MS: i64 = 48 * 3_600_000;

pub(super) struct CodesAreUnique;

impl Invariant for CodesAreUnique {
    fn name(&self) -> &'static str {
        "codes_are_unique"
    }

    fn check(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        let mut held: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for call in &seen.picture.calls {
            let resting = call
                .closed_at
                .is_some_and(|at| at.0 < seen.picture.now.0 - REST_MS);
            if resting {
                continue;
            }
            let same = held.entry((call.recipient, &call.code)).or_default();
            // An alert joined into one that was itself joined answers for the last of them.
            let last = |alert: &AlertId| {
                let mut last = *alert;
                for _ in 0..seen.picture.alerts.len() {
                    let next = seen.picture.alerts.get(&last);
                    match next.and_then(|alert| alert.joined_into) {
                        Some(into) => last = into,
                        None => break,
                    }
                }
                last
            };
            for other in same.iter() {
                if last(other) != last(&call.alert) {
                    return Err(format!(
                        "code {} means {other} and {}",
                        call.code, call.alert
                    ));
                }
            }
            same.push(call.alert);
        }
        Ok(())
    }
}
