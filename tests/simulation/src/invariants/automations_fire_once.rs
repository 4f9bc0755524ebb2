//! **An automation fires at most once.** Whatever answers come in whatever order, whoever leads: what a template says shall
//! follow is done once for an alert (PRODUCT S1.54). Only sites cut off from each other may each have done it.

use super::{Invariant, Seen};

pub(super) struct AutomationsFireOnce;

impl Invariant for AutomationsFireOnce {
    fn name(&self) -> &'static str {
        "automations_fire_once"
    }

    fn check(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        if seen.chronicle.islands {
            return Ok(());
        }
        let twice = seen.picture.automated.iter().find(|(_, count)| **count > 1);
        match twice {
            Some(((alert, text), count)) => Err(format!("{alert}: {text:?} {count} times")),
            None => Ok(()),
        }
    }
}
