//! Service-centre time stamps (3GPP TS 23.040 §9.2.3.11).

use std::fmt;

/// Seven octets of date, time and zone as a network sent them.
///
/// Networks do send dates that do not exist, so the octets are kept and [`civil`](Self::civil) says whether they mean anything.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ServiceCentreTimestamp {
    raw: [u8; 7],
}

/// A local date and time with its distance from UTC.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct CivilTime {
    /// 2000-2099: the wire has two digits.
    pub year: u16,
    /// 1-12.
    pub month: u8,
    /// 1-31.
    pub day: u8,
    /// 0-23.
    pub hour: u8,
    /// 0-59.
    pub minute: u8,
    /// 0-59.
    pub second: u8,
    /// Local time minus UTC in quarters of an hour, -79 to 79.
    pub zone_quarter_hours: i8,
}

impl ServiceCentreTimestamp {
    /// The octets as they stand in a PDU.
    pub fn from_octets(raw: [u8; 7]) -> Self {
        Self { raw }
    }

    /// `None` when the fields do not make a date of this century.
    pub fn from_civil(civil: CivilTime) -> Option<Self> {
        if !civil.exists() {
            return None;
        }
        let zone = civil.zone_quarter_hours.unsigned_abs();
        let sign = if civil.zone_quarter_hours < 0 {
            0x08
        } else {
            0
        };
        let year = (civil.year - 2000) as u8;
        let fields = [
            year,
            civil.month,
            civil.day,
            civil.hour,
            civil.minute,
            civil.second,
            zone,
        ];
        let mut raw = fields.map(|value| ((value % 10) << 4) | (value / 10));
        raw[6] |= sign;
        Some(Self { raw })
    }

    /// The stamp of a Unix time as seen in a zone; `None` outside this century.
    pub fn from_unix(seconds: i64, zone_quarter_hours: i8) -> Option<Self> {
        let local = seconds.checked_add(i64::from(zone_quarter_hours) * 900)?;
        let (year, month, day) = date_of_day(local.div_euclid(86_400));
        let second_of_day = local.rem_euclid(86_400);
        Self::from_civil(CivilTime {
            year: u16::try_from(year).ok()?,
            month,
            day,
            hour: (second_of_day / 3600) as u8,
            minute: (second_of_day / 60 % 60) as u8,
            second: (second_of_day % 60) as u8,
            zone_quarter_hours,
        })
    }

    /// The octets as received.
    pub fn octets(&self) -> [u8; 7] {
        self.raw
    }

    /// The date and time, or `None` when the network sent something that is none: use the time of receipt then.
    pub fn civil(&self) -> Option<CivilTime> {
        let two_digits = |octet: u8| {
            let (tens, units) = (octet & 0xF, octet >> 4);
            (tens < 10 && units < 10).then_some(tens * 10 + units)
        };
        let zone = two_digits(self.raw[6] & !0x08)? as i8;
        let civil = CivilTime {
            year: 2000 + u16::from(two_digits(self.raw[0])?),
            month: two_digits(self.raw[1])?,
            day: two_digits(self.raw[2])?,
            hour: two_digits(self.raw[3])?,
            minute: two_digits(self.raw[4])?,
            second: two_digits(self.raw[5])?,
            zone_quarter_hours: if self.raw[6] & 0x08 != 0 { -zone } else { zone },
        };
        civil.exists().then_some(civil)
    }

    /// Whether the octets are a date that exists.
    pub fn is_valid(&self) -> bool {
        self.civil().is_some()
    }

    /// Seconds since 1970-01-01 UTC, when valid.
    pub fn unix_seconds(&self) -> Option<i64> {
        let civil = self.civil()?;
        let day = day_of_date(i64::from(civil.year), civil.month, civil.day);
        let second_of_day =
            i64::from(civil.hour) * 3600 + i64::from(civil.minute) * 60 + i64::from(civil.second);
        Some(day * 86_400 + second_of_day - i64::from(civil.zone_quarter_hours) * 900)
    }
}

impl fmt::Display for ServiceCentreTimestamp {
    /// RFC 3339, or the raw octets of a date that does not exist.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.civil() {
            Some(c) => {
                let zone = c.zone_quarter_hours.unsigned_abs();
                let sign = if c.zone_quarter_hours < 0 { '-' } else { '+' };
                write!(
                    f,
                    "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}{sign}{:02}:{:02}",
                    c.year,
                    c.month,
                    c.day,
                    c.hour,
                    c.minute,
                    c.second,
                    zone / 4,
                    zone % 4 * 15
                )
            }
            None => write!(f, "invalid {}", crate::hex::encode(&self.raw)),
        }
    }
}

impl CivilTime {
    fn exists(&self) -> bool {
        let leap = self.year.is_multiple_of(4); // 2000 was a leap year and 2100 is out of range
        let days = match self.month {
            1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
            4 | 6 | 9 | 11 => 30,
            2 if leap => 29,
            2 => 28,
            _ => 0,
        };
        (2000..2100).contains(&self.year)
            && (1..=days).contains(&self.day)
            && self.hour < 24
            && self.minute < 60
            && self.second < 60
            && self.zone_quarter_hours.unsigned_abs() < 80
    }
}

/// Days from 1970-01-01 in the Gregorian calendar; years counted from March so that the leap day comes last.
fn day_of_date(year: i64, month: u8, day: u8) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month_from_march = (i64::from(month) + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + i64::from(day) - 1;
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year
        - 719_468
}

/// The inverse of [`day_of_date`].
fn date_of_day(day: i64) -> (i64, u8, u8) {
    let day = day + 719_468;
    let era = day.div_euclid(146_097);
    let day_of_era = day.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day_of_month = (day_of_year - (153 * month_from_march + 2) / 5 + 1) as u8;
    let month = ((month_from_march + 2) % 12 + 1) as u8;
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month, day_of_month)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_reads_swapped_digits_and_a_signed_zone() {
        let stamp = ServiceCentreTimestamp::from_octets([0x62, 0x11, 0x12, 0x22, 0x13, 0x93, 0x80]);
        assert_eq!(stamp.to_string(), "2026-11-21T22:31:39+02:00");
        assert_eq!(stamp.unix_seconds(), Some(1_795_293_099));
        let west = ServiceCentreTimestamp::from_octets([0x62, 0x11, 0x12, 0x22, 0x13, 0x93, 0x4A]);
        assert_eq!(west.to_string(), "2026-11-21T22:31:39-06:00");
    }

    #[test]
    fn a_date_that_does_not_exist_keeps_its_octets() {
        let stamp = ServiceCentreTimestamp::from_octets([0x62, 0x20, 0x03, 0, 0, 0, 0]);
        assert!(!stamp.is_valid());
        assert_eq!(stamp.to_string(), "invalid 62200300000000");
        assert!(!ServiceCentreTimestamp::from_octets([0xFF; 7]).is_valid());
    }

    #[test]
    fn unix_times_of_the_whole_century_go_there_and_back() {
        for seconds in (946_684_800..4_102_444_800_i64).step_by(86_399 * 7) {
            for zone in [-48, 0, 8] {
                if let Some(stamp) = ServiceCentreTimestamp::from_unix(seconds, zone) {
                    assert_eq!(stamp.unix_seconds(), Some(seconds));
                }
            }
        }
    }
}
