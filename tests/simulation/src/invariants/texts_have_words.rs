//! **A text says what it is about.** Every page that left holds the words of its alert, and every call-off the
//! organisation's name, whichever node or island sent it.

use super::{Invariant, Seen};

const ORGANISATION: &str = "Aurora Energy";

#[derive(Default)]
pub(super) struct TextsHaveWords {
    looked_at: usize,
}

impl Invariant for TextsHaveWords {
    fn name(&self) -> &'static str {
        "texts_have_words"
    }

    fn check(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        // What an island owes is in nobody else's state before it is home.
        if !seen.last && seen.chronicle.islands {
            return Ok(());
        }
        for left in &seen.chronicle.left[self.looked_at..] {
            let Some(delivery) = seen.picture.deliveries.get(&left.attempt.delivery) else {
                continue; // no other invariant lets it be missing at the end
            };
            let alert = seen.picture.alerts.get(&delivery.alert);
            let words = match (delivery.purpose.as_str(), alert) {
                ("page", Some(alert)) => &alert.text,
                ("call_off", _) => ORGANISATION,
                _ => continue,
            };
            if !left.body.contains(words) {
                return Err(format!(
                    "{} left {} at {:?} as {:?}, without {words:?}",
                    left.attempt.delivery, left.node, left.at, left.body
                ));
            }
        }
        self.looked_at = seen.chronicle.left.len();
        Ok(())
    }
}
