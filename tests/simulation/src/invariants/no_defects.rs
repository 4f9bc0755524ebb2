//! **Nothing people or nodes say is poison.** No command of a client, a phone or a loop ends as a defect: each is applied,
//! refused in words, or changes nothing (DESIGN A6).

use super::{Invariant, Seen};

pub(super) struct NoDefects;

impl Invariant for NoDefects {
    fn name(&self) -> &'static str {
        "no_defects"
    }

    fn check(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        match seen.picture.defects.first() {
            Some((index, code)) => Err(format!("entry {index} ended as defect {code}")),
            None => Ok(()),
        }
    }
}
