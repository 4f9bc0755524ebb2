//! **One request, one effect.** A client that hears nothing asks again, at another node, under the same key. However often
//! and wherever it asks, one alert is raised, one message posted, and every answer it gets is the same (DESIGN A7).

use std::collections::BTreeMap;

use domain::Outcome;

use super::{Invariant, Seen};

pub(super) struct OneEffect;

impl Invariant for OneEffect {
    fn name(&self) -> &'static str {
        "one_effect"
    }

    fn check(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        let mut first: BTreeMap<_, &Outcome> = BTreeMap::new();
        for told in &seen.chronicle.told {
            // Until it is home, an island knows an alert under a number of its own, and what it is told later is news.
            if seen.chronicle.islands {
                continue;
            }
            let before = first.entry(told.request).or_insert(&told.outcome);
            if **before != told.outcome {
                return Err(format!(
                    "{:?} was answered {before:?} and later {:?}",
                    told.asked, told.outcome
                ));
            }
        }
        let mut texts = BTreeMap::new();
        let mut numbers = BTreeMap::new();
        for (id, alert) in &seen.picture.alerts {
            if let Some(other) = texts.insert(&alert.text, id) {
                return Err(format!("{:?} was raised as {other} and {id}", alert.text));
            }
            // An alert of an island has a label instead.
            if alert.number > 0
                && let Some(other) = numbers.insert(alert.number, id)
            {
                return Err(format!("number {} names {other} and {id}", alert.number));
            }
        }
        match seen.picture.posts.iter().find(|(_, count)| **count > 1) {
            Some((text, count)) => Err(format!("{text:?} was posted {count} times")),
            None => Ok(()),
        }
    }
}
