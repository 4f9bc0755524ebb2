//! What came in at this node's channels and is not yet in the log.

use std::collections::VecDeque;

use domain::ports::Incoming;

/// Texts taken from channels and not yet stored; beyond this they stay in the modem.
const TEXTS_MAX: usize = 64;

/// A text with the place it came in at.
#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    /// Position of the channel among the worker's.
    pub(crate) channel: usize,
    pub(crate) text: Incoming,
}

/// Texts in order of arrival.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    waiting: VecDeque<Arrival>,
}

impl Inbox {
    pub(crate) fn has_room(&self) -> bool {
        self.waiting.len() < TEXTS_MAX
    }

    /// Adds a text; one that is already waiting is not added again.
    pub(crate) fn add(&mut self, arrival: Arrival) {
        let known = self
            .waiting
            .iter()
            .any(|w| w.text.key == arrival.text.key && w.text.token == arrival.text.token);
        if !known {
            self.waiting.push_back(arrival);
        }
    }

    pub(crate) fn first(&self) -> Option<&Arrival> {
        self.waiting.front()
    }

    /// The first one is stored.
    pub(crate) fn stored(&mut self) {
        self.waiting.pop_front();
    }
}
