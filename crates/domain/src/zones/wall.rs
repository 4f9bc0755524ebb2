//! Local wall time and what it means in a zone: overlap, never gap (PRODUCT L-25).

use std::fmt;

use jiff::Timestamp as Instant;
use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, TimeZone};
use serde::{Deserialize, Serialize};

use crate::time::CivilTime;

const MINUTES_PER_DAY: i64 = 1_440;
const MS_PER_MINUTE: i64 = 60_000;

/// Wall times and moments outside of the years 1900 to 2200 are read as these ends.
const WALL_MIN: i64 = -25_567 * MINUTES_PER_DAY;
const WALL_MAX: i64 = 84_371 * MINUTES_PER_DAY;

/// What a clock on the wall of some zone shows, to the minute: minutes since 1970-01-01T00:00 on that wall. Days have
/// 1,440 of them whatever the zone does, which makes adding days and weeks plain arithmetic.
#[derive(
    Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize,
)]
pub struct WallTime(pub i64);

/// Text that is not a wall time.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{text:?} is not a local time; write it as 2026-11-23T08:00")]
pub struct WallTimeError {
    text: String,
}

impl WallTime {
    /// The first that is computed with: 1900-01-01T00:00.
    pub const FIRST: Self = Self(WALL_MIN);

    /// The first that is not any more: 2200-01-01T00:00. Nobody is on call from there on.
    pub const LAST: Self = Self(WALL_MAX - 365 * MINUTES_PER_DAY);

    /// Reads `2026-11-23T08:00`, the year between 1900 and 2199. Seconds may follow if they are zero.
    pub fn parse(text: &str) -> Result<Self, WallTimeError> {
        let wrong = || WallTimeError {
            text: text.chars().take(40).collect(),
        };
        if !text.is_ascii() || text.len() < 16 || !matches!(text.as_bytes()[10], b'T' | b't' | b' ')
        {
            return Err(wrong());
        }
        let number = |from: usize, to: usize, after: u8| {
            let digits = &text[from..to];
            let ends = text.as_bytes().get(to).is_none_or(|b| *b == after);
            (ends && digits.bytes().all(|b| b.is_ascii_digit()))
                .then(|| digits.parse::<i16>().ok())
                .flatten()
                .ok_or_else(wrong)
        };
        let (year, month, day) = (
            number(0, 4, b'-')?,
            number(5, 7, b'-')?,
            number(8, 10, text.as_bytes()[10])?,
        );
        let (hour, minute) = (number(11, 13, b':')?, number(14, 16, b':')?);
        if !matches!(&text[16..], "" | ":00") || !(1900..2200).contains(&year) {
            return Err(wrong());
        }
        let small = |value: i16| i8::try_from(value).map_err(|_| wrong());
        let date = Date::new(year, small(month)?, small(day)?).map_err(|_| wrong())?;
        let time = date
            .at(0, 0, 0, 0)
            .with()
            .hour(small(hour)?)
            .minute(small(minute)?)
            .build()
            .map_err(|_| wrong())?;
        Ok(Self::of(time))
    }

    /// Days since 1970-01-01.
    pub fn day(self) -> i64 {
        self.0.div_euclid(MINUTES_PER_DAY)
    }

    /// Monday is 0, Sunday 6.
    pub fn weekday_of(day: i64) -> u8 {
        // 1970-01-01 was a Thursday.
        u8::try_from((day + 3).rem_euclid(7)).unwrap_or(0)
    }

    fn of(time: DateTime) -> Self {
        let utc = TimeZone::UTC.to_ambiguous_timestamp(time);
        let second = utc.compatible().map_or(0, Instant::as_second);
        Self(second.div_euclid(60))
    }

    fn to_date_time(self) -> DateTime {
        let second = self.0.clamp(WALL_MIN, WALL_MAX) * 60;
        TimeZone::UTC.to_datetime(Instant::from_second(second).unwrap_or(Instant::UNIX_EPOCH))
    }
}

impl fmt::Display for WallTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = self.to_date_time();
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}",
            time.year(),
            time.month(),
            time.day(),
            time.hour(),
            time.minute()
        )
    }
}

/// Bytes that are not the rules of a zone.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the rules of {zone} are not a TZif file: {why}")]
pub struct ZoneError {
    zone: String,
    why: String,
}

/// A zone with its rules. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Zone {
    name: String,
    rules: TimeZone,
}

impl Zone {
    /// Reads TZif (RFC 8536).
    pub fn read(name: &str, tzif: &[u8]) -> Result<Self, ZoneError> {
        let rules = TimeZone::tzif(name, tzif).map_err(|error| ZoneError {
            zone: name.chars().take(64).collect(),
            why: error.to_string(),
        })?;
        Ok(Self {
            name: name.to_owned(),
            rules,
        })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the wall shows at a moment.
    pub fn wall(&self, at: CivilTime) -> WallTime {
        WallTime::of(self.rules.to_datetime(instant(at)))
    }

    /// When something begins that begins at a wall time: where the time comes twice, the first; where it does not come
    /// at all, the first moment after it that does.
    pub fn begin(&self, wall: WallTime) -> CivilTime {
        self.moment(wall, false)
    }

    /// When something ends that ends at a wall time: where the time comes twice, the second; where it does not come at
    /// all, the first moment after it that does.
    pub fn end(&self, wall: WallTime) -> CivilTime {
        self.moment(wall, true)
    }

    fn moment(&self, wall: WallTime, second: bool) -> CivilTime {
        let time = wall.to_date_time();
        let ambiguous = self.rules.to_ambiguous_timestamp(time);
        let offset = match ambiguous.offset() {
            AmbiguousOffset::Unambiguous { offset } => offset,
            AmbiguousOffset::Fold { before, after } => {
                if second {
                    after
                } else {
                    before
                }
            }
            AmbiguousOffset::Gap { before, after } => {
                return self.end_of_gap(at_offset(time, after), at_offset(time, before));
            }
        };
        at_offset(time, offset)
    }

    /// The transition between two moments around it.
    fn end_of_gap(&self, before: CivilTime, after: CivilTime) -> CivilTime {
        let next = self.rules.following(instant(before)).next();
        let transition = next.map(|next| CivilTime(next.timestamp().as_millisecond()));
        transition.map_or(after, |at| at.min(after))
    }
}

fn at_offset(time: DateTime, offset: jiff::tz::Offset) -> CivilTime {
    let moment = offset.to_timestamp(time);
    // Wall times are clamped to years that any offset leaves well inside of jiff's range.
    CivilTime(moment.map_or(0, Instant::as_millisecond))
}

fn instant(at: CivilTime) -> Instant {
    let ms =
        at.0.clamp(WALL_MIN * MS_PER_MINUTE, WALL_MAX * MS_PER_MINUTE);
    Instant::from_millisecond(ms).unwrap_or(Instant::UNIX_EPOCH)
}
