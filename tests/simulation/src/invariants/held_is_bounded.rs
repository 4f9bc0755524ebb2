//! **A death repeats little.** What a channel was given and has not reported is bounded: four SMS parts for a modem, or
//! one longer text; fifty mails for a smarthost (DESIGN C3). Each history keeps the bound by itself: what an island had given
//! its channel before it healed, the cluster learns with its journal.

use super::{Invariant, Seen};

const PARTS_MAX: u32 = 4;
const MAILS_MAX: u64 = 50;

pub(super) struct HeldIsBounded;

impl Invariant for HeldIsBounded {
    fn name(&self) -> &'static str {
        "held_is_bounded"
    }

    fn check(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        for ((node, channel, history), (attempts, parts)) in &seen.picture.load {
            let held = match channel.as_str() {
                "modem" => *attempts <= 1 || *parts <= PARTS_MAX,
                _ => *attempts <= MAILS_MAX,
            };
            if !held {
                return Err(format!(
                    "{node}'s {channel} holds {attempts} attempts of {parts} parts from history {history}"
                ));
            }
        }
        Ok(())
    }
}
