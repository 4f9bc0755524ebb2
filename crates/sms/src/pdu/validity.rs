//! Validity period (3GPP TS 23.040 §9.2.3.12): how long the network keeps trying.

use std::time::Duration;

use super::ServiceCentreTimestamp;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const WEEK: u64 = 7 * DAY;

/// TP-VP in one of its three formats.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Validity {
    /// One octet, counted from receipt by the service centre. The form this crate sends.
    Relative(RelativeValidity),
    /// Until a date.
    Absolute(ServiceCentreTimestamp),
    /// The enhanced format (§9.2.3.12.3), kept as it is.
    Enhanced([u8; 7]),
}

/// TP-VP in relative format: 5 minutes to 63 weeks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RelativeValidity(pub u8);

impl RelativeValidity {
    /// The shortest period that is at least as long as asked; at most 63 weeks.
    pub fn at_least(duration: Duration) -> Self {
        let seconds = duration
            .as_secs()
            .saturating_add(u64::from(duration.subsec_nanos() > 0));
        let octet = if seconds <= 12 * HOUR {
            seconds.div_ceil(5 * MINUTE).max(1) - 1
        } else if seconds <= DAY {
            143 + (seconds - 12 * HOUR).div_ceil(30 * MINUTE)
        } else if seconds <= 30 * DAY {
            166 + seconds.div_ceil(DAY)
        } else {
            192 + seconds.div_ceil(WEEK).clamp(5, 63)
        };
        Self(octet as u8)
    }

    /// How long the period is.
    pub fn duration(self) -> Duration {
        let n = u64::from(self.0);
        Duration::from_secs(match self.0 {
            0..=143 => (n + 1) * 5 * MINUTE,
            144..=167 => 12 * HOUR + (n - 143) * 30 * MINUTE,
            168..=196 => (n - 166) * DAY,
            197..=255 => (n - 192) * WEEK,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_octet_means_a_duration_that_leads_back_to_it() {
        for octet in 0..=255 {
            let period = RelativeValidity(octet);
            assert_eq!(RelativeValidity::at_least(period.duration()), period);
        }
    }

    #[test]
    fn periods_are_rounded_up() {
        for (seconds, octet) in [
            (0, 0),
            (300, 0),
            (301, 1),
            (3600, 11),
            (43_201, 144),
            (86_401, 168),
            (30 * 86_400 + 1, 197),
        ] {
            assert_eq!(
                RelativeValidity::at_least(Duration::from_secs(seconds)),
                RelativeValidity(octet),
                "{seconds} s"
            );
        }
        assert_eq!(
            RelativeValidity::at_least(Duration::MAX),
            RelativeValidity(255)
        );
    }
}
