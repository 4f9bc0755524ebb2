//! RFC 3339 times in requests.

use domain::CivilTime;

/// Reads `2026-11-21T03:12:05Z`, with an optional fraction and any offset.
pub(crate) fn parse_rfc3339(text: &str) -> Result<CivilTime, String> {
    parse(text).ok_or_else(|| {
        let shown: String = text.chars().take(40).collect();
        format!("{shown:?} is not a time; write it as 2026-11-21T03:12:05Z")
    })
}

fn parse(text: &str) -> Option<CivilTime> {
    let bytes = text.as_bytes();
    if !text.is_ascii() || bytes.len() < 20 || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    if !matches!(bytes[10], b'T' | b't' | b' ') || bytes[13] != b':' || bytes[16] != b':' {
        return None;
    }
    let number = |from: usize, to: usize| digits(&text[from..to]);
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    if !(1..=12).contains(&month)
        || day < 1
        || day > days_in_month(year, month)
        || hour > 23
        || minute > 59
        || second > 60
    {
        return None;
    }
    let (milli, zone) = match text[19..].strip_prefix('.') {
        Some(rest) => {
            let len = rest.bytes().take_while(u8::is_ascii_digit).count();
            let padded: String = rest[..len].chars().chain("00".chars()).take(3).collect();
            (if len == 0 { None } else { digits(&padded) }?, &rest[len..])
        }
        None => (0, &text[19..]),
    };
    let offset_minutes = match zone {
        "Z" | "z" => 0,
        _ => {
            let (sign, rest) = zone.split_at_checked(1)?;
            let (hours, minutes) = rest.split_once(':')?;
            let (hours, minutes) = (two(hours)?, two(minutes)?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            match sign {
                "+" => hours * 60 + minutes,
                "-" => -(hours * 60 + minutes),
                _ => return None,
            }
        }
    };
    let seconds = days_from_civil(year, month, day) * 86_400
        + hour * 3_600
        + (minute - offset_minutes) * 60
        + second;
    Some(CivilTime(seconds * 1_000 + milli))
}

fn digits(text: &str) -> Option<i64> {
    if text.bytes().all(|b| b.is_ascii_digit()) {
        text.parse().ok()
    } else {
        None
    }
}

fn two(text: &str) -> Option<i64> {
    if text.len() == 2 { digits(text) } else { None }
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let whole_years = year - 1;
    let leap_days =
        whole_years.div_euclid(4) - whole_years.div_euclid(100) + whole_years.div_euclid(400);
    let days_before_year = whole_years * 365 + leap_days;
    let days_before_month: i64 = (1..month).map(|earlier| days_in_month(year, earlier)).sum();
    days_before_year + days_before_month + day - 1 - 719_162
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_back_as_they_are_written() {
        for ms in [
            0,
            951_782_400_000,
            1_795_282_325_250,
            4_102_444_799_999,
            -86_400_000,
        ] {
            assert_eq!(
                parse_rfc3339(&CivilTime(ms).to_rfc3339()),
                Ok(CivilTime(ms))
            );
        }
    }

    #[test]
    fn offsets_and_fractions_count() {
        let noon = parse_rfc3339("2026-11-21T12:00:00Z").unwrap();
        assert_eq!(parse_rfc3339("2026-11-21T14:00:00+02:00"), Ok(noon));
        assert_eq!(parse_rfc3339("2026-11-21T08:30:00.000000-03:30"), Ok(noon));
        assert_eq!(
            parse_rfc3339("2026-11-21T12:00:00.5Z").unwrap().0,
            noon.0 + 500
        );
    }

    #[test]
    fn what_is_not_a_time_is_said_to_be_none() {
        for bad in [
            "",
            "yesterday",
            "2026-02-30T00:00:00Z",
            "2026-11-21T24:00:00Z",
            "2026-11-21T12:00:00",
            "2026-11-21T12:00:00+2:00",
            "2026-11-21T12:00:00.Z",
            "２026-11-21T12:00:00Z",
        ] {
            assert!(parse_rfc3339(bad).is_err(), "{bad}");
        }
    }
}
