//! When a loop wants to be called again.

use std::time::Duration;

use domain::Timestamp;

/// A loop runs on every change and at least this often, so that a lost wake-up costs a second, not an alert.
pub(crate) const PERIOD: Duration = Duration::from_secs(1);

/// The shortest pause between two steps, so that a fault which repeats at once cannot take a core.
pub(crate) const PAUSE_MIN: Duration = Duration::from_millis(5);

/// Rest between two looks at the rows, at least and at most. Under load every commit rings the bell; looking after each
/// would take from the commits the processor they need, and one look sees a whole burst.
const REST: Duration = Duration::from_millis(20);
const REST_MAX: Duration = Duration::from_millis(100);

/// A look takes no more than one part in so many of the time, until it rests for [`REST_MAX`].
const SHARE: u32 = 8;

/// What a step asks of whoever drives it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Wake {
    /// There is more to do now.
    Now,
    /// Nothing to do before this cluster time unless something changes.
    At(Timestamp),
    /// Nothing to do unless something changes.
    Idle,
}

impl Wake {
    /// How long to sleep at `now`.
    pub(crate) fn pause(self, now: Timestamp) -> Duration {
        match self {
            Self::Now => PAUSE_MIN,
            Self::At(due) => due.since(now).clamp(PAUSE_MIN, PERIOD),
            Self::Idle => PERIOD,
        }
    }

    /// How long to be deaf to further bells after a look that took so long.
    pub(crate) fn rest(self, took: Duration) -> Duration {
        match self {
            Self::Now => Duration::ZERO,
            Self::At(_) | Self::Idle => (took * SHARE).clamp(REST, REST_MAX),
        }
    }

    /// The earlier of two wishes.
    pub(crate) fn sooner(self, other: Self) -> Self {
        match (self, other) {
            (Self::Now, _) | (_, Self::Now) => Self::Now,
            (Self::At(a), Self::At(b)) => Self::At(a.min(b)),
            (at @ Self::At(_), Self::Idle) | (Self::Idle, at @ Self::At(_)) => at,
            (Self::Idle, Self::Idle) => Self::Idle,
        }
    }
}
