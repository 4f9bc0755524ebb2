//! Cluster time: what stamps, due times and timers are counted in.

use std::ops::{Add, Sub};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01T00:00:00Z in cluster time (DESIGN A10), which moves with the log and with each node's
/// boot clock, never with a wall clock that jumps. It has no form for people: they read [`CivilTime`].
#[derive(
    Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize,
)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Time passed since `earlier`; zero when `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, by: Duration) -> Self {
        Self(
            self.0
                .saturating_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)),
        )
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, by: Duration) -> Self {
        Self(
            self.0
                .saturating_sub(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)),
        )
    }
}

/// What a right clock on the wall says: milliseconds since 1970-01-01T00:00:00Z in UTC. For people; nothing is ever due
/// by it.
#[derive(
    Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize,
)]
pub struct CivilTime(pub i64);

impl CivilTime {
    /// `2026-11-21T03:12:05.250Z` (RFC 3339, UTC).
    pub fn to_rfc3339(self) -> String {
        let (days, ms) = (self.0.div_euclid(86_400_000), self.0.rem_euclid(86_400_000));
        let (year, month, day) = civil_from_days(days);
        let (h, m, s, milli) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60, ms % 1000);
        format!("{year:04}-{month:02}-{day:02}T{h:02}:{m:02}:{s:02}.{milli:03}Z")
    }

    /// Days since 1970-01-01, in UTC.
    pub fn day(self) -> i64 {
        self.0.div_euclid(86_400_000)
    }

    /// Months since January of the year 0, in UTC.
    pub fn month(self) -> i64 {
        let (year, month, _) = civil_from_days(self.day());
        year * 12 + month - 1
    }

    /// `03:12`, the UTC wall time of day.
    pub fn to_hh_mm(self) -> String {
        let ms = self.0.rem_euclid(86_400_000);
        format!("{:02}:{:02}", ms / 3_600_000, ms / 60_000 % 60)
    }
}

/// What civil time was at every moment of cluster time: the offsets agreed on, in the order in which they came to hold.
/// A moment before the first is read by the first, so that a wrong start is put right in hindsight.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Civil(Vec<(Timestamp, i64)>);

impl Civil {
    /// From offsets in milliseconds and since when each holds, earliest first.
    pub fn new(offsets: Vec<(Timestamp, i64)>) -> Self {
        Self(offsets)
    }

    /// The civil time of a moment.
    pub fn at(&self, moment: Timestamp) -> CivilTime {
        let later = self.0.partition_point(|(since, _)| *since <= moment);
        let held = self.0.get(later.saturating_sub(1));
        CivilTime(
            moment
                .0
                .saturating_add(held.map_or(0, |(_, offset)| *offset)),
        )
    }

    /// The moment a person means by a civil time. By the newest offset under which the clocks had come that far.
    pub fn moment(&self, civil: CivilTime) -> Timestamp {
        let newest_first = self.0.iter().rev();
        let held = newest_first
            .clone()
            .find(|(since, offset)| since.0.saturating_add(*offset) <= civil.0)
            .or(self.0.first());
        Timestamp(
            civil
                .0
                .saturating_sub(held.map_or(0, |(_, offset)| *offset)),
        )
    }

    /// The offset that holds now, in milliseconds.
    pub fn offset_ms(&self) -> i64 {
        self.0.last().map_or(0, |(_, offset)| *offset)
    }

    /// A moment as people write it, RFC 3339 in UTC.
    pub fn rfc3339(&self, moment: Timestamp) -> String {
        self.at(moment).to_rfc3339()
    }
}

/// Year, month and day of a day number counted from 1970-01-01 in the proleptic Gregorian calendar.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    // Count in 400-year cycles of 146,097 days from 0000-03-01, so that the leap day is the last day of a year.
    let shifted = days + 719_468;
    let (cycle, day_of_cycle) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_cycle = (day_of_cycle - day_of_cycle / 1_460 + day_of_cycle / 36_524
        - day_of_cycle / 146_096)
        / 365;
    let day_of_year =
        day_of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    (
        cycle * 400 + year_of_cycle + i64::from(month <= 2),
        month,
        day,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn well_known_instants_read_as_people_write_them() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_795_282_325_250, "2026-11-21T17:32:05.250Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(CivilTime(ms).to_rfc3339(), text);
        }
    }

    #[test]
    fn each_moment_keeps_the_offset_that_held_then() {
        let civil = Civil::new(vec![(Timestamp(1_000), 50), (Timestamp(5_000), -2_000)]);
        let at = |ms| civil.at(Timestamp(ms)).0;
        assert_eq!(
            [at(0), at(1_000), at(4_999), at(5_000)],
            [50, 1_050, 5_049, 3_000]
        );
        assert_eq!(Civil::default().at(Timestamp(7)), CivilTime(7));
    }

    #[test]
    fn a_time_that_people_name_is_the_moment_it_stands_for() {
        let civil = Civil::new(vec![(Timestamp(0), 0), (Timestamp(5_000), 60_000)]);
        for ms in [0, 4_999, 5_000, 9_000] {
            assert_eq!(civil.moment(civil.at(Timestamp(ms))), Timestamp(ms));
        }
    }
}
