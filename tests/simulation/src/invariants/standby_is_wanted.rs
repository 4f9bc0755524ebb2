//! **Who was reached needs no second way**: once a page was delivered, none of the person's other contact methods still
//! stands by for it, whichever history delivered it (DESIGN C4, D5).

use std::collections::BTreeSet;

use super::{Invariant, Seen};

pub(super) struct StandbyIsWanted;

impl Invariant for StandbyIsWanted {
    fn name(&self) -> &'static str {
        "standby_is_wanted"
    }

    fn check(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        let pages = || {
            seen.picture
                .deliveries
                .iter()
                .filter(|(_, delivery)| delivery.purpose == "page")
        };
        let reached: BTreeSet<_> = pages()
            .filter(|(_, page)| page.state == "delivered")
            .map(|(_, page)| page.place())
            .collect();
        let unwanted =
            pages().find(|(_, page)| page.state == "standby" && reached.contains(&page.place()));
        match unwanted {
            Some((id, page)) => Err(format!(
                "{id} stands by for {}, who was reached over another contact method",
                page.recipient
            )),
            None => Ok(()),
        }
    }
}
