//! Where notifications wait for the log: bounded, and of one source never so many that others find no room.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

use super::engine::Notification;

const QUEUE_MAX: usize = 2_000;
const QUEUE_OF_SOURCE_MAX: usize = 500;

/// A notification and whither its answer goes.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) from: SocketAddr,
    pub(super) notification: Notification,
}

#[derive(Debug, Default)]
pub(super) struct Desk {
    waiting: VecDeque<Waiting>,
    of_source: BTreeMap<String, usize>,
}

impl Desk {
    /// Gives it back when there is no room.
    #[expect(
        clippy::result_large_err,
        reason = "what comes back is what was handed over; a box would cost every trap"
    )]
    pub(super) fn push(&mut self, waiting: Waiting) -> Result<(), Waiting> {
        let source = &waiting.notification.source;
        let of_source = self.of_source.entry(source.clone()).or_default();
        if self.waiting.len() >= QUEUE_MAX || *of_source >= QUEUE_OF_SOURCE_MAX {
            return Err(waiting);
        }
        *of_source += 1;
        self.waiting.push_back(waiting);
        Ok(())
    }

    /// Up to `count` from the front.
    pub(super) fn pop(&mut self, count: usize) -> Vec<Waiting> {
        let count = count.min(self.waiting.len());
        let batch: Vec<Waiting> = self.waiting.drain(..count).collect();
        for waiting in &batch {
            if let Some(left) = self.of_source.get_mut(&waiting.notification.source) {
                *left = left.saturating_sub(1); // sources are as many as the settings name
            }
        }
        batch
    }
}
