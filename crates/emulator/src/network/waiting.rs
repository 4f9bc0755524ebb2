//! What recipients cannot take yet waits in order, for as long as it takes: TP-VP is not honoured, no test lasts longer.

use std::time::{Duration, Instant};

use super::{Flight, Network, Waiting};

/// How often the first in each queue is tried again.
const RETRY_EVERY: Duration = Duration::from_millis(100);

impl Network {
    /// Hands over, or queues behind what waits already.
    pub(super) fn offer(&mut self, now: Instant, recipient: String, item: Waiting) {
        if let Some(queue) = self.waiting.get_mut(&recipient) {
            queue.push_back(item);
            self.waiting_len += 1;
        } else if let Err(item) = self.hand_over(now, item) {
            self.waiting.insert(recipient.clone(), [item].into());
            self.waiting_len += 1;
            self.fly(now + RETRY_EVERY, Flight::Retry(recipient));
        }
    }

    /// Hands over as many as the recipient takes.
    pub(super) fn retry(&mut self, now: Instant, recipient: &str) {
        // The queue stays in its place meanwhile, so that what comes new stays behind it.
        while let Some(item) = self
            .waiting
            .get_mut(recipient)
            .and_then(|queue| queue.pop_front())
        {
            if let Err(item) = self.hand_over(now, item) {
                if let Some(queue) = self.waiting.get_mut(recipient) {
                    queue.push_front(item);
                }
                return self.fly(now + RETRY_EVERY, Flight::Retry(recipient.to_owned()));
            }
            self.waiting_len -= 1;
        }
        self.waiting.remove(recipient);
    }

    fn hand_over(&mut self, now: Instant, item: Waiting) -> Result<(), Waiting> {
        match item {
            Waiting::Parcel(parcel) => self.hand_over_parcel(now, parcel).map_err(Waiting::Parcel),
            Waiting::Report(report) => self.hand_over_report(now, report).map_err(Waiting::Report),
        }
    }
}
