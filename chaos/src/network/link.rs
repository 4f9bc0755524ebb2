//! One direction of one line: when, and whether, a packet comes out at the far end. Reads no clock.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde::{Deserialize, Serialize};

/// How a line behaves.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct Shape {
    /// Milliseconds from end to end.
    pub(crate) delay_ms: f64,
    /// Up to so many milliseconds more, drawn for each packet; order is kept.
    pub(crate) jitter_ms: f64,
    /// Loss in bursts.
    pub(crate) loss: Loss,
    /// Part of the packets that come out late, behind those sent after them.
    pub(crate) reorder: f64,
    /// Part of the packets that come out twice.
    pub(crate) duplicate: f64,
    /// Kilobits per second; 0 is without limit.
    pub(crate) rate_kbit: u64,
    /// Longest packet, headers included; longer ones vanish without a word. 0 is without limit.
    pub(crate) mtu: usize,
}

/// Gilbert and Elliott's line: a good state and a bad one, each with its own loss.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct Loss {
    /// Chance per packet of turning bad.
    pub(crate) to_bad: f64,
    /// Chance per packet of turning good again.
    pub(crate) to_good: f64,
    pub(crate) in_good: f64,
    pub(crate) in_bad: f64,
}

/// A sender that is ahead of the line's rate by more than this loses what it sends.
const BUFFER: Duration = Duration::from_millis(400);

/// What a late packet is held for, besides the line's delay.
const REORDER_MS: f64 = 12.0;

impl Shape {
    /// A good line between sites in one country.
    pub(crate) fn fibre() -> Self {
        Self {
            delay_ms: 0.4,
            jitter_ms: 0.2,
            ..Self::default()
        }
    }

    /// A mobile line on an ordinary day.
    pub(crate) fn lte() -> Self {
        Self {
            delay_ms: 25.0,
            jitter_ms: 15.0,
            loss: Loss {
                to_bad: 0.002,
                to_good: 0.3,
                in_good: 0.0,
                in_bad: 0.5,
            },
            rate_kbit: 10_000,
            mtu: 1_400,
            ..Self::default()
        }
    }

    /// A line that works, badly: far, shaky, lossy in bursts, out of order, thin.
    pub(crate) fn bad() -> Self {
        Self {
            delay_ms: 60.0,
            jitter_ms: 50.0,
            loss: Loss {
                to_bad: 0.02,
                to_good: 0.25,
                in_good: 0.01,
                in_bad: 0.6,
            },
            reorder: 0.05,
            duplicate: 0.03,
            rate_kbit: 1_500,
            mtu: 1_300,
        }
    }
}

/// One direction of a line.
#[derive(Debug)]
pub(crate) struct Link {
    shape: Shape,
    in_bad: bool,
    /// When the line is done with what was sent so far.
    free_at: Duration,
    /// When the last packet in order comes out.
    last_out: Duration,
    chance: StdRng,
}

impl Link {
    pub(crate) fn new(shape: Shape, seed: u64) -> Self {
        Self {
            shape,
            in_bad: false,
            free_at: Duration::ZERO,
            last_out: Duration::ZERO,
            chance: StdRng::seed_from_u64(seed),
        }
    }

    pub(crate) fn set(&mut self, shape: Shape) {
        self.shape = shape;
    }

    /// When a packet of `len` bytes that goes in at `now` comes out: never, once, or twice.
    pub(crate) fn pass(&mut self, now: Duration, len: usize) -> Vec<Duration> {
        let shape = self.shape;
        if shape.mtu > 0 && len > shape.mtu || self.is_lost() {
            return Vec::new();
        }
        let start = self.free_at.max(now);
        if start > now + BUFFER {
            return Vec::new();
        }
        if shape.rate_kbit > 0 {
            let seconds = len as f64 * 8.0 / (shape.rate_kbit as f64 * 1_000.0);
            self.free_at = start + Duration::from_secs_f64(seconds);
        } else {
            self.free_at = start;
        }
        let jitter = shape.jitter_ms * self.chance.random::<f64>();
        let mut out = self.free_at + millis(shape.delay_ms + jitter);
        if self.chance.random::<f64>() < shape.reorder {
            out += millis(REORDER_MS * (0.5 + self.chance.random::<f64>()));
        } else {
            out = out.max(self.last_out);
            self.last_out = out;
        }
        if self.chance.random::<f64>() < shape.duplicate {
            return vec![out, out + millis(1.0)];
        }
        vec![out]
    }

    fn is_lost(&mut self) -> bool {
        let loss = self.shape.loss;
        let turn = if self.in_bad {
            loss.to_good
        } else {
            loss.to_bad
        };
        if self.chance.random::<f64>() < turn {
            self.in_bad = !self.in_bad;
        }
        let part = if self.in_bad {
            loss.in_bad
        } else {
            loss.in_good
        };
        self.chance.random::<f64>() < part
    }
}

fn millis(ms: f64) -> Duration {
    Duration::from_secs_f64(ms / 1_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outs(shape: Shape, packets: u64, len: usize, every: Duration) -> Vec<Vec<Duration>> {
        let mut link = Link::new(shape, 7);
        (0..packets)
            .map(|n| link.pass(every * u32::try_from(n).unwrap(), len))
            .collect()
    }

    #[test]
    fn a_good_line_delays_and_keeps_order() {
        let every = Duration::from_millis(1);
        let outs = outs(Shape::fibre(), 1_000, 1_200, every);
        assert!(outs.iter().all(|out| out.len() == 1));
        assert!(outs.windows(2).all(|pair| pair[0][0] <= pair[1][0]));
        assert!(outs[0][0] >= millis(0.4) && outs[0][0] <= millis(0.6));
    }

    #[test]
    fn a_thin_line_takes_its_time_and_drops_what_its_buffer_cannot_hold() {
        let shape = Shape {
            rate_kbit: 1_000,
            ..Shape::default()
        };
        let outs = outs(shape, 100, 1_250, Duration::ZERO);
        let passed = outs.iter().flatten().count();
        assert_eq!(outs[9], [Duration::from_millis(100)]);
        assert_eq!(
            passed, 41,
            "400 ms of 10 ms packets and the one on the line"
        );
    }

    #[test]
    fn a_bad_line_loses_in_bursts_reorders_and_repeats() {
        let outs = outs(Shape::bad(), 20_000, 300, Duration::from_millis(4));
        let lost = outs.iter().filter(|out| out.is_empty()).count();
        let after_loss = outs
            .windows(2)
            .filter(|pair| pair[0].is_empty() && pair[1].is_empty())
            .count();
        assert!((800..3_000).contains(&lost), "{lost}");
        assert!(
            after_loss * 4 > lost,
            "losses come together: {after_loss} of {lost}"
        );
        assert!(outs.iter().any(|out| out.len() == 2));
        let firsts: Vec<_> = outs.iter().filter_map(|out| out.first()).collect();
        assert!(firsts.windows(2).any(|pair| pair[0] > pair[1]));
    }

    #[test]
    fn a_packet_above_the_mtu_vanishes() {
        let outs = outs(Shape::lte(), 10, 1_401, Duration::from_millis(1));
        assert!(outs.iter().all(Vec::is_empty));
    }
}
