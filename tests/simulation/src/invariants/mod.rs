//! What must hold whatever happens: one file for each promise, with what it checks and why.

mod accepted_stays;
mod attempts_tell_the_truth;
mod automations_fire_once;
mod call_off_reaches;
mod codes_are_unique;
mod dark_numbers;
mod deliveries_end;
mod held_is_bounded;
mod islands_come_home;
mod leases_cover_sends;
mod next_action;
mod no_defects;
mod one_effect;
mod page_order;
mod quiet_after_answer;
mod repeats_say_so;
mod same_history;
mod severity_first;
mod standby_is_wanted;
mod texts_are_kept;
mod texts_have_words;

use std::collections::BTreeMap;
use std::time::Duration;

use domain::NodeId;

use crate::chronicle::Chronicle;
use crate::picture::Picture;
use crate::world::Settled;

/// What an invariant may look at.
pub(crate) struct Seen<'a> {
    /// The rows of the node that has applied most.
    pub picture: &'a Picture,
    pub chronicle: &'a Chronicle,
    /// Everything agreed so far, with true times.
    pub settled: &'a [Settled],
    pub elapsed: Duration,
    /// Everything is healed and at rest: nothing more will happen.
    pub last: bool,
    /// Hash of each table of each node's state, at the end only.
    pub digests: &'a BTreeMap<NodeId, BTreeMap<String, String>>,
}

impl Seen<'_> {
    /// How long one unhindered leader has led.
    pub(crate) fn healthy_for(&self) -> Duration {
        self.chronicle
            .healthy_since
            .map_or(Duration::ZERO, |since| self.elapsed.saturating_sub(since))
    }
}

/// Since when the most advanced node is seen to know of each of something. What an island alone knew, nobody else could act
/// upon, and comes to the others as it stood there.
#[derive(Debug)]
pub(crate) struct Known<K>(BTreeMap<K, Duration>);

impl<K> Default for Known<K> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord> Known<K> {
    /// How long it is known; the first time it is asked for counts as the beginning.
    pub(crate) fn for_how_long(&mut self, what: K, seen: &Seen<'_>) -> Duration {
        let since = self.0.entry(what).or_insert(seen.elapsed);
        seen.elapsed.saturating_sub(*since)
    }
}

/// One promise.
pub(crate) trait Invariant: Send {
    /// Its name in reports: what is promised.
    fn name(&self) -> &'static str;

    /// What is wrong, in words, if something is.
    fn check(&mut self, seen: &Seen<'_>) -> Result<(), String>;
}

/// All of them, without memory of any run.
pub(crate) fn all() -> Vec<Box<dyn Invariant>> {
    vec![
        Box::new(accepted_stays::AcceptedStays),
        Box::new(one_effect::OneEffect),
        Box::new(automations_fire_once::AutomationsFireOnce),
        Box::new(same_history::SameHistory),
        Box::new(islands_come_home::IslandsComeHome),
        Box::new(no_defects::NoDefects),
        Box::new(next_action::NextAction::default()),
        Box::new(page_order::PageOrder::default()),
        Box::new(severity_first::SeverityFirst::default()),
        Box::new(codes_are_unique::CodesAreUnique),
        Box::new(leases_cover_sends::LeasesCoverSends::default()),
        Box::new(held_is_bounded::HeldIsBounded),
        Box::new(quiet_after_answer::QuietAfterAnswer::default()),
        Box::new(repeats_say_so::RepeatsSaySo),
        Box::new(attempts_tell_the_truth::AttemptsTellTheTruth),
        Box::new(deliveries_end::DeliveriesEnd::default()),
        Box::new(standby_is_wanted::StandbyIsWanted),
        Box::new(dark_numbers::DarkNumbers::default()),
        Box::new(call_off_reaches::CallOffReaches),
        Box::new(texts_are_kept::TextsAreKept),
        Box::new(texts_have_words::TextsHaveWords::default()),
    ]
}
