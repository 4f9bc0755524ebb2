//! Places where a loop can be held in the middle of a step: before or after it asks the log, the leader or the disk.
//! A held loop is a process that was stopped, or a disk that takes its time; one dropped while held is a crash there.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

/// Where a step can be held.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Point {
    /// Before a command is handed in.
    Propose,
    /// After it is in the log, before the loop hears of it.
    Proposed,
    /// Before a send lease is asked for.
    Lease,
    /// After it was granted, before the loop hears of it.
    Granted,
    /// Before the journal writes that sends begin.
    Journal,
    /// After it wrote that.
    Journalled,
    /// Before the journal forgets what ended.
    Forget,
}

impl Point {
    pub const ALL: [Self; 7] = [
        Self::Propose,
        Self::Proposed,
        Self::Lease,
        Self::Granted,
        Self::Journal,
        Self::Journalled,
        Self::Forget,
    ];
}

/// One node's gate.
#[derive(Debug, Default)]
pub struct Gate {
    armed: Mutex<Option<Point>>,
    holding: AtomicBool,
    reached: Notify,
    released: Notify,
}

impl Gate {
    /// Holds the next loop that comes to this point.
    pub fn arm(&self, point: Option<Point>) {
        *self.armed.lock().unwrap_or_else(PoisonError::into_inner) = point;
    }

    /// Lets whoever is held go on.
    pub fn release(&self) {
        self.arm(None);
        self.holding.store(false, Ordering::SeqCst);
        self.released.notify_waiters();
    }

    /// Whoever was held still is.
    pub(super) fn is_holding(&self) -> bool {
        self.holding.load(Ordering::SeqCst)
    }

    /// Waits until somebody is held.
    pub(super) async fn reached(&self) {
        self.reached.notified().await;
    }

    pub(super) async fn pass(&self, point: Point) {
        let held = {
            let mut armed = self.armed.lock().unwrap_or_else(PoisonError::into_inner);
            if *armed == Some(point) {
                *armed = None;
                true
            } else {
                false
            }
        };
        if held {
            // Registered before anybody can release it.
            let released = self.released.notified();
            self.holding.store(true, Ordering::SeqCst);
            self.reached.notify_one();
            released.await;
        }
    }
}
