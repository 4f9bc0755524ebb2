//! Reads calendars that other programs wrote. Foreign bytes: bounded, and whatever is wrong is said of its event.

use std::collections::BTreeMap;

use crate::time::CivilTime;
use crate::zones::{WallTime, Zone};

/// The longest calendar read, in bytes.
pub const TEXT_LEN_MAX: usize = 1 << 20;

const EVENTS_MAX: usize = 2_000;
const ATTENDEES_MAX: usize = 20;
const VALUE_LEN_MAX: usize = 2_000;
const MINUTES_PER_DAY: i64 = 1_440;

/// Text that is no calendar at all.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CalendarError {
    #[error("the calendar has more than {TEXT_LEN_MAX} bytes; send part of it")]
    TooLong,
    #[error("this is not a calendar: it does not begin with BEGIN:VCALENDAR")]
    NoCalendar,
    #[error("the calendar has more than {EVENTS_MAX} events; send part of it")]
    TooManyEvents,
    #[error("the calendar breaks off in the event that begins on line {line}")]
    BreaksOff { line: usize },
}

/// An event as it was written.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Event {
    /// Line of its BEGIN, counted from 1.
    pub line: usize,
    pub uid: String,
    pub summary: String,
    /// Calendar addresses: `mailto:…`, `urn:…`.
    pub attendees: Vec<String>,
    pub start: Option<When>,
    pub end: Option<When>,
    /// The first thing that cannot be taken as it is meant.
    pub problem: Option<String>,
}

/// A time as calendars write it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum When {
    Utc(CivilTime),
    /// On the wall of the zone named; `None`: wherever the calendar is read.
    Wall(Option<String>, WallTime),
    /// A whole day, at its midnight.
    Day(WallTime),
}

impl When {
    /// The moment meant. `here` is the zone of times without one; `None`: the zone is not installed.
    pub(super) fn moment(
        &self,
        here: &Zone,
        zones: &BTreeMap<String, Zone>,
        is_end: bool,
    ) -> Option<CivilTime> {
        let at = |zone: &Zone, wall| {
            if is_end {
                zone.end(wall)
            } else {
                zone.begin(wall)
            }
        };
        match self {
            Self::Utc(at) => Some(*at),
            Self::Day(wall) | Self::Wall(None, wall) => Some(at(here, *wall)),
            Self::Wall(Some(name), wall) => zones.get(name).map(|zone| at(zone, *wall)),
        }
    }
}

/// Reads the events of a calendar, in order.
pub fn read(text: &str) -> Result<Vec<Event>, CalendarError> {
    if text.len() > TEXT_LEN_MAX {
        return Err(CalendarError::TooLong);
    }
    let mut lines = unfolded(text.strip_prefix('\u{feff}').unwrap_or(text)).into_iter();
    let first = lines.next().map(|(_, line)| line.to_ascii_uppercase());
    if first.as_deref().map(str::trim_end) != Some("BEGIN:VCALENDAR") {
        return Err(CalendarError::NoCalendar);
    }
    let mut events = Vec::new();
    let mut event: Option<Event> = None;
    // Parts inside of an event, such as alarms, have times of their own.
    let mut inner = 0_usize;
    for (number, line) in lines {
        let Some(property) = Property::parse(&line) else {
            if let Some(event) = &mut event {
                event.note(format!("line {number} is not NAME:VALUE"));
            }
            continue;
        };
        match (property.name.as_str(), property.value, &mut event) {
            ("BEGIN", "VEVENT", None) => {
                event = Some(Event {
                    line: number,
                    ..Event::default()
                });
            }
            ("BEGIN", _, Some(_)) => inner += 1,
            ("END", _, Some(_)) if inner > 0 => inner -= 1,
            ("END", _, Some(_)) => {
                events.extend(event.take());
                if events.len() > EVENTS_MAX {
                    return Err(CalendarError::TooManyEvents);
                }
            }
            (_, _, Some(event)) if inner == 0 => event.take(&property),
            (_, _, Some(_) | None) => {}
        }
    }
    match event {
        Some(event) => Err(CalendarError::BreaksOff { line: event.line }),
        None => Ok(events),
    }
}

impl Event {
    fn note(&mut self, problem: String) {
        self.problem.get_or_insert(problem);
    }

    fn take(&mut self, property: &Property<'_>) {
        let value = property.value;
        if value.len() > VALUE_LEN_MAX && property.name != "DESCRIPTION" {
            return self.note(format!(
                "{} has more than {VALUE_LEN_MAX} bytes",
                property.name
            ));
        }
        match property.name.as_str() {
            "UID" => self.uid = unescaped(value),
            "SUMMARY" => self.summary = unescaped(value),
            "ATTENDEE" if self.attendees.len() == ATTENDEES_MAX => {
                self.note(format!("it has more than {ATTENDEES_MAX} attendees"));
            }
            "ATTENDEE" => self.attendees.push(value.trim().to_owned()),
            "DTSTART" => match property.when() {
                Ok(when) => self.start = Some(when),
                Err(problem) => self.note(problem),
            },
            "DTEND" => match property.when() {
                Ok(when) => self.end = Some(when),
                Err(problem) => self.note(problem),
            },
            "DURATION" => self.note("it has a DURATION; write DTEND instead".to_owned()),
            "RRULE" | "RDATE" | "EXRULE" => self.note(
                "it repeats; write each shift as an event, or the rotation as a layer".to_owned(),
            ),
            "STATUS" if value.eq_ignore_ascii_case("CANCELLED") => {
                self.note("it is cancelled".to_owned());
            }
            _ => {}
        }
    }
}

/// A content line: name, parameters, value (RFC 5545 §3.1).
#[derive(Debug)]
struct Property<'a> {
    name: String,
    params: Vec<(String, String)>,
    value: &'a str,
}

impl<'a> Property<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let mut quoted = false;
        let mut parts = Vec::new();
        let mut begin = 0;
        for (at, c) in line.char_indices() {
            match c {
                '"' => quoted = !quoted,
                ';' | ':' if !quoted => {
                    parts.push(&line[begin..at]);
                    begin = at + 1;
                    if c == ':' {
                        return Self::of(&parts, line[begin..].trim_end());
                    }
                }
                _ => {}
            }
        }
        None
    }

    fn of(parts: &[&str], value: &'a str) -> Option<Self> {
        let (name, params) = parts.split_first()?;
        let params = params.iter().filter_map(|param| {
            let (name, value) = param.split_once('=')?;
            let value = value.trim_matches('"').to_owned();
            Some((name.trim().to_ascii_uppercase(), value))
        });
        Some(Self {
            name: name.trim().to_ascii_uppercase(),
            params: params.collect(),
            value,
        })
    }

    fn param(&self, name: &str) -> Option<&str> {
        let found = self.params.iter().find(|(param, _)| param == name);
        found.map(|(_, value)| value.as_str())
    }

    /// `20261122`, `20261122T080000` or `20261122T060000Z` (RFC 5545 §3.3.4, §3.3.5).
    fn when(&self) -> Result<When, String> {
        let text = self.value.trim();
        let shown: String = text.chars().take(40).collect();
        let wrong = || {
            format!(
                "{} {shown:?} is not a time; write it as 20261122T080000",
                self.name
            )
        };
        let (date, time) = match text.split_once(['T', 't']) {
            Some((date, time)) => (date, Some(time)),
            None => (text, None),
        };
        let plain =
            |digits: &str, len| digits.len() == len && digits.bytes().all(|b| b.is_ascii_digit());
        if !plain(date, 8) {
            return Err(wrong());
        }
        let Some(time) = time else {
            return wall(date, "0000").map(When::Day).ok_or_else(wrong);
        };
        let (time, is_utc) = match time.strip_suffix(['Z', 'z']) {
            Some(time) => (time, true),
            None => (time, false),
        };
        if !plain(time, 6) {
            return Err(wrong());
        }
        let wall = wall(date, time).ok_or_else(wrong)?;
        Ok(match (is_utc, self.param("TZID")) {
            (true, _) => When::Utc(CivilTime(wall.0.saturating_mul(60_000))),
            (false, zone) => When::Wall(zone.map(str::to_owned), wall),
        })
    }
}

/// To the minute; seconds are dropped, as no shift is handed over within one.
fn wall(date: &str, time: &str) -> Option<WallTime> {
    let text = format!(
        "{}-{}-{}T{}:{}",
        &date[..4],
        &date[4..6],
        &date[6..8],
        &time[..2],
        &time[2..4]
    );
    WallTime::parse(&text).ok()
}

impl When {
    /// The end of an event that names none: of a whole day that day's, else nothing.
    pub(super) fn end_by_itself(&self) -> Option<Self> {
        match self {
            Self::Day(wall) => Some(Self::Day(WallTime(wall.0 + MINUTES_PER_DAY))),
            Self::Utc(_) | Self::Wall(..) => None,
        }
    }
}

/// Lines with their numbers, folded ones put together (RFC 5545 §3.1). Empty ones are left out.
fn unfolded(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    for (line, number) in text.split('\n').zip(1..) {
        let line = line.strip_suffix('\r').unwrap_or(line);
        match (line.strip_prefix([' ', '\t']), lines.last_mut()) {
            (Some(more), Some((_, last))) => last.push_str(more),
            _ if line.is_empty() => {}
            _ => lines.push((number, line.to_owned())),
        }
    }
    lines
}

/// A value of type TEXT without its escapes.
fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n' | 'N') => out.push('\n'),
                Some(other) => out.push(other),
                None => {}
            },
            c => out.push(c),
        }
    }
    out
}
