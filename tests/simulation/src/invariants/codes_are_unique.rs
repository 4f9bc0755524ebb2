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
            let joined = |a: &AlertId, b: &AlertId| {
                seen.picture
                    .alerts
                    .get(a)
                    .is_some_and(|alert| alert.joined_into == Some(*b))
            };
            for other in same.iter() {
                if !joined(other, &call.alert) && !joined(&call.alert, other) {
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
