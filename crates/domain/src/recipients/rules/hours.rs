//! Hours of the week as people write them: `Mon-Fri 08:00-16:00, Sat 22:00-06:00`.

use crate::recipients::Window;

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const MINUTES_OF_DAY: u16 = 24 * 60;

/// Reads windows separated by commas, each a day or a range of days and a range of times; `24:00` ends a day. A window
/// that ends no later than it begins ends on the next day.
///
/// # Errors
/// Which part cannot be read and how to write it.
pub fn parse_hours(text: &str) -> Result<Vec<Window>, String> {
    let mut windows = Vec::new();
    for part in text
        .split([',', ';'])
        .map(str::trim)
        .filter(|p| !p.is_empty())
    {
        let bad = || {
            format!(
                "{:?} is not a time of the week; write Mon-Fri 08:00-16:00",
                part.chars().take(40).collect::<String>()
            )
        };
        let (days, times) = part.split_once(char::is_whitespace).ok_or_else(bad)?;
        let (first, last) = match days.split_once('-') {
            Some((first, last)) => (day(first).ok_or_else(bad)?, day(last).ok_or_else(bad)?),
            None => {
                let only = day(days).ok_or_else(bad)?;
                (only, only)
            }
        };
        let (from, until) = times.trim().split_once('-').ok_or_else(bad)?;
        let from = minute(from)
            .filter(|m| *m < MINUTES_OF_DAY)
            .ok_or_else(bad)?;
        let until = minute(until).filter(|m| *m > 0).ok_or_else(bad)?;
        // Sat-Mon goes over the end of the week.
        let count = (last + 7 - first) % 7 + 1;
        windows.extend((0..count).map(|nth| Window {
            day: (first + nth) % 7,
            from,
            until,
        }));
    }
    windows.sort_unstable();
    windows.dedup();
    Ok(windows)
}

/// Writes windows in the form [`parse_hours`] reads, days with equal hours that follow each other together.
pub fn write_hours(windows: &[Window]) -> String {
    let mut rest = windows.to_vec();
    rest.sort_unstable();
    let mut parts = Vec::new();
    while let Some(first) = rest.first().copied() {
        let mut last = first;
        rest.remove(0);
        while let Some(next) = rest
            .iter()
            .position(|w| w.day == last.day + 1 && (w.from, w.until) == (first.from, first.until))
        {
            last = rest.remove(next);
        }
        let name = |day: u8| DAYS.get(usize::from(day)).copied().unwrap_or("?");
        let days = if first.day == last.day {
            name(first.day).to_owned()
        } else {
            format!("{}-{}", name(first.day), name(last.day))
        };
        let time = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
        parts.push(format!("{days} {}-{}", time(first.from), time(first.until)));
    }
    parts.join(", ")
}

/// Whether a window is one that can be written.
pub(super) fn is_window(window: &Window) -> bool {
    window.day < 7 && window.from < MINUTES_OF_DAY && (1..=MINUTES_OF_DAY).contains(&window.until)
}

fn day(text: &str) -> Option<u8> {
    let at = DAYS
        .iter()
        .position(|day| day.eq_ignore_ascii_case(text.trim()))?;
    u8::try_from(at).ok()
}

fn minute(text: &str) -> Option<u16> {
    let (hours, minutes) = text.trim().split_once(':')?;
    let two = |text: &str, max: u16| {
        let digits = (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        digits
            .then(|| text.parse().ok())
            .flatten()
            .filter(|n: &u16| *n <= max)
    };
    let whole = two(hours, 24)? * 60 + two(minutes, 59)?;
    (whole <= MINUTES_OF_DAY).then_some(whole)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn hours_are_read_as_people_write_them() {
        for (text, written) in [
            ("", ""),
            ("mon-fri 8:00-16:00", "Mon-Fri 08:00-16:00"),
            (
                "Sat 22:00-06:00; Sun 00:00-24:00",
                "Sat 22:00-06:00, Sun 00:00-24:00",
            ),
            ("Sun-Mon 10:00-12:00", "Mon 10:00-12:00, Sun 10:00-12:00"),
            (
                "Mon 08:00-12:00, Mon 13:00-16:00, Tue 08:00-12:00",
                "Mon-Tue 08:00-12:00, Mon 13:00-16:00",
            ),
        ] {
            assert_eq!(write_hours(&parse_hours(text).unwrap()), written, "{text}");
        }
        for bad in [
            "always",
            "Mon 08:00",
            "Mon 8-16",
            "Mon 08:00-25:00",
            "Mon 24:00-08:00",
            "Mon 08:00-00:00",
            "Mån 08:00-16:00",
            "Mon 08:60-16:00",
        ] {
            assert!(
                parse_hours(bad)
                    .unwrap_err()
                    .contains("Mon-Fri 08:00-16:00"),
                "{bad}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_hours_come_back_as_written(
            windows in proptest::collection::vec((0..7_u8, 0..1440_u16, 1..=1440_u16), 0..20)
        ) {
            let mut windows: Vec<Window> =
                windows.into_iter().map(|(day, from, until)| Window { day, from, until }).collect();
            windows.sort_unstable();
            windows.dedup();
            prop_assert_eq!(parse_hours(&write_hours(&windows)).unwrap(), windows);
        }

        #[test]
        fn no_text_breaks_the_reader(text in ".{0,80}") {
            _ = parse_hours(&text);
        }
    }
}
