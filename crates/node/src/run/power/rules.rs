//! What follows from the state of an uninterruptible supply. Pure: readings and boot time in, what to do out.

use std::time::Duration;

use domain::nodes::Power;

/// The last texts are sent when so much is left: enough for a slow modem to send them.
const FAREWELL_BELOW: Duration = Duration::from_secs(300);

/// A supply that is not heard for so long is not known any more, unless it was on battery.
const UNHEARD: Duration = Duration::from_secs(60);

/// A supply at one moment, as NUT's `ups.status` and `battery.runtime` tell it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Reading {
    pub(super) on_battery: bool,
    /// The supply says that its battery is nearly empty.
    pub(super) low: bool,
    /// Somebody or something has ordered the load to be switched off.
    pub(super) forced: bool,
    /// What the battery would give now.
    pub(super) runtime: Option<Duration>,
}

impl Reading {
    /// From the words of `ups.status` (`OB LB DISCHRG`) and the seconds of `battery.runtime`.
    pub(super) fn parse(status: &str, runtime: Option<&str>) -> Self {
        let has = |word: &str| status.split_whitespace().any(|found| found == word);
        let seconds = runtime.and_then(|text| text.trim().split('.').next()?.parse().ok());
        Self {
            // Bypassed or asleep, the battery does not carry the load.
            on_battery: has("OB"),
            low: has("LB"),
            forced: has("FSD"),
            runtime: seconds.map(Duration::from_secs),
        }
    }

    /// The supply is about to switch the load off.
    pub(super) fn ends(&self) -> bool {
        self.forced || (self.on_battery && self.low)
    }
}

/// What the node should do, besides showing its state.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Orders {
    /// Tell people, once, that this site goes dark.
    pub(super) farewell: bool,
    /// Stop in order, once.
    pub(super) stop: bool,
}

/// A supply over time.
#[derive(Debug)]
pub(super) struct Supply {
    hand_over_below: Duration,
    power: Power,
    /// The newest reading, on the boot clock.
    heard: Option<(Duration, Reading)>,
    farewell_said: bool,
    stopped: bool,
}

impl Supply {
    pub(super) fn new(hand_over_below: Duration) -> Self {
        Self {
            hand_over_below,
            power: Power::Unknown,
            heard: None,
            farewell_said: false,
            stopped: false,
        }
    }

    /// What the node runs on.
    pub(super) fn power(&self) -> Power {
        self.power
    }

    /// What the battery still gives: the last word on it, less the time since.
    pub(super) fn runtime(&self, boot: Duration) -> Option<Duration> {
        let (at, reading) = self.heard?;
        let left = reading.runtime?;
        let gone = if reading.on_battery {
            boot.saturating_sub(at)
        } else {
            Duration::ZERO
        };
        Some(left.saturating_sub(gone))
    }

    /// Takes a reading, or word that there was none.
    pub(super) fn step(&mut self, boot: Duration, reading: Option<Reading>) -> Orders {
        if let Some(reading) = reading {
            self.heard = Some((boot, reading));
        }
        let Some((at, reading)) = self.heard else {
            return Orders::default();
        };
        if !reading.on_battery && !reading.forced {
            let lost = boot.saturating_sub(at) >= UNHEARD;
            self.power = if lost { Power::Unknown } else { Power::Mains };
            self.farewell_said = false;
            self.stopped = false;
            return Orders::default();
        }
        let left = self.runtime(boot);
        let below = |bound: Duration| left.is_some_and(|left| left < bound);
        let drains = reading.ends() || below(self.hand_over_below);
        // An estimate that recovers a little does not bring work back; mains do.
        self.power = if drains || self.power == Power::Draining {
            Power::Draining
        } else {
            Power::Battery
        };
        let farewell = !self.farewell_said && (reading.ends() || below(FAREWELL_BELOW));
        let stop = !self.stopped && reading.ends();
        self.farewell_said |= farewell;
        self.stopped |= stop;
        Orders { farewell, stop }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Power, then `f` for farewell and `s` for stop, at each minute for one reading a minute.
    fn story(readings: &[&str]) -> Vec<String> {
        let mut supply = Supply::new(Duration::from_secs(20 * 60));
        let mut told = Vec::new();
        for (minute, reading) in (0..).zip(readings) {
            let reading = (*reading != "-").then(|| {
                let (status, runtime) = reading.split_once('/').unwrap_or((reading, ""));
                Reading::parse(status, Some(runtime))
            });
            let orders = supply.step(Duration::from_secs(minute * 60), reading);
            let mut line = supply.power().name().to_owned();
            line.push_str(if orders.farewell { " f" } else { "" });
            line.push_str(if orders.stop { " s" } else { "" });
            told.push(line);
        }
        told
    }

    #[test]
    fn a_battery_hands_over_says_farewell_once_and_stops_once() {
        assert_eq!(
            story(&[
                "OL CHRG/3600",
                "OB DISCHRG/1800",
                "OB DISCHRG/1190",
                "OB/1300",
                "OB/290",
                "OB LB/100",
                "OB LB/60"
            ]),
            [
                "mains",
                "battery",
                "draining",
                "draining",
                "draining f",
                "draining s",
                "draining"
            ]
        );
    }

    #[test]
    fn power_that_returns_brings_the_node_back() {
        assert_eq!(
            story(&["OB/200", "OL/200", "OB/1800", "OB LB/1800"]),
            ["draining f", "mains", "battery", "draining f s"]
        );
    }

    #[test]
    fn a_forced_shutdown_ends_even_on_mains() {
        assert_eq!(
            story(&["OL/900", "OL FSD/900", "OL FSD/900"]),
            ["mains", "draining f s", "draining"]
        );
    }

    #[test]
    fn silence_of_the_supply_counts_the_battery_down_and_is_unknown_on_mains() {
        assert_eq!(
            story(&["OB/1250", "-", "-"]),
            ["battery", "draining", "draining"],
        );
        assert_eq!(story(&["-", "OL/900", "-", "-"]), ["", "mains", "", ""]);
    }

    #[test]
    fn without_an_estimate_only_the_supplys_own_word_ends_it() {
        assert_eq!(
            story(&["OB", "OB", "OB LB"]),
            ["battery", "battery", "draining f s"]
        );
    }
}
