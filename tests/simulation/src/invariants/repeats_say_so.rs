//! **A repeat says that it may be one.** When a text of a delivery left and another follows, the later one carries a mark:
//! "possible repeat", or "answer to this number" (DESIGN C1, C6).

use std::collections::BTreeMap;

use super::{Invariant, Seen};

pub(super) struct RepeatsSaySo;

impl Invariant for RepeatsSaySo {
    fn name(&self) -> &'static str {
        "repeats_say_so"
    }

    fn check(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        if !seen.last {
            return Ok(());
        }
        let mut first: BTreeMap<_, (&str, u32)> = BTreeMap::new();
        for left in &seen.chronicle.left {
            let attempt = left.attempt;
            match first.get(&attempt.delivery) {
                None => {
                    first.insert(attempt.delivery, (&left.body, attempt.attempt));
                }
                Some(_) if left.alone || seen.chronicle.islands => {}
                Some((body, before)) => {
                    // Marks are added at the end, so a marked text is longer than one without.
                    let marked = left.body.len() > body.len() || is_marked(body);
                    if *before == attempt.attempt {
                        return Err(format!(
                            "attempt {before} of {} left twice",
                            attempt.delivery
                        ));
                    }
                    if !marked {
                        return Err(format!(
                            "attempts {before} and {} of {} left with the same words: {:?}",
                            attempt.attempt, attempt.delivery, left.body
                        ));
                    }
                }
            }
        }
        Ok(())
    }
}

/// Whether a text carries one of the marks in any language.
fn is_marked(body: &str) -> bool {
    [
        "repeat",
        "THIS number",
        "toisto",
        "TÄHÄN",
        "upprepning",
        "DETTA",
    ]
    .iter()
    .any(|mark| body.contains(mark))
}
