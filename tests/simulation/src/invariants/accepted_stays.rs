//! **No accepted command is lost.** What a client was told is durable is in the state for ever: an alert under its
//! number, an acknowledgement, an end, a post (DESIGN promise 1). A system that loses an accepted alert is worse than
//! none, because nobody picks up the telephone.

use domain::{Outcome, Receipt};

use super::{Invariant, Seen};
use crate::chronicle::Asked;

pub(super) struct AcceptedStays;

impl Invariant for AcceptedStays {
    fn name(&self) -> &'static str {
        "accepted_stays"
    }

    fn check(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        for told in &seen.chronicle.told {
            // What an island accepted reaches the cluster when that can; its place there is its own.
            if told.index > seen.picture.applied || (told.alone && !seen.last) {
                continue;
            }
            let accepted = matches!(told.outcome, Outcome::Applied(_) | Outcome::Unchanged);
            if !accepted {
                continue;
            }
            let alert = |id| seen.picture.alerts.get(id);
            let lost = match (&told.asked, &told.outcome) {
                (Asked::Raise, Outcome::Applied(Receipt::Alert { id, number })) => {
                    alert(id).is_none_or(|alert| alert.number != *number && !told.alone)
                }
                (Asked::Raise, _) => !seen
                    .picture
                    .alerts
                    .values()
                    .any(|alert| alert.text == told.words),
                (Asked::Acknowledge(id), _) => alert(id).is_none_or(|alert| !alert.acknowledged),
                (Asked::Resolve(id), _) => alert(id)
                    .is_none_or(|alert| !["resolved", "called_off"].contains(&&*alert.state)),
                (Asked::CallOff(id), _) => {
                    alert(id).is_none_or(|alert| alert.state != "called_off")
                }
                // Others may have ended it meanwhile, or joined it the other way round: then the join is only on record.
                (Asked::Join(id), _) => alert(id).is_none_or(|alert| {
                    let islands = told.alone || seen.chronicle.islands;
                    alert.state != "joined" && !(islands && alert.joined_into.is_some())
                }),
                (Asked::Post, _) => !seen.picture.posts.contains_key(&told.words),
                (Asked::Answer(_), _) => false, // its effect is looked at by texts_are_kept
            };
            if lost {
                return Err(format!(
                    "{:?} was accepted at {} as {:?} and is gone",
                    told.asked, told.node, told.outcome
                ));
            }
        }
        Ok(())
    }
}
