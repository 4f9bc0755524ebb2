//! **No word is lost.** Every text that reached one of our modems is in the state once everything is healed; and each that
//! was taken for an answer shows in the call it answers.

use super::{Invariant, Seen};

pub(super) struct TextsAreKept;

impl Invariant for TextsAreKept {
    fn name(&self) -> &'static str {
        "texts_are_kept"
    }

    fn check(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        if !seen.last {
            return Ok(());
        }
        for arrival in &seen.chronicle.arrivals {
            let Some(text) = seen.picture.texts.get(arrival.key.as_slice()) else {
                return Err(format!(
                    "{:?} reached {} at {:?} and is nowhere",
                    arrival.text, arrival.node, arrival.at
                ));
            };
            if text.taken != "answer" {
                continue;
            }
            let mut alert = text.alert;
            while let Some(into) = alert.and_then(|id| seen.picture.alerts.get(&id)?.joined_into) {
                alert = Some(into);
            }
            let counted = seen.picture.calls.iter().any(|call| {
                Some(call.recipient) == text.recipient
                    && (Some(call.alert) == alert || Some(call.alert) == text.alert)
                    && !call.answer.is_empty()
            });
            if !counted {
                return Err(format!(
                    "{:?} was taken for an answer and counts nowhere",
                    arrival.text
                ));
            }
        }
        Ok(())
    }
}
