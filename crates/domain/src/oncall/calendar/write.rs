//! Writes calendars.

use super::PERSON_URN;
use crate::time::CivilTime;

/// RFC 5545 §3.1: a line has at most this many octets, its end aside.
const LINE_LEN_MAX: usize = 75;

/// A shift as a calendar shows it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Entry {
    /// Stays the same while the shift's beginning does, so that a calendar program moves its end instead of adding one.
    pub uid: String,
    pub from: CivilTime,
    pub to: CivilTime,
    /// Key of the person.
    pub person: String,
    pub person_name: String,
    pub summary: String,
    /// Why the person is on call.
    pub description: String,
}

/// A calendar of these shifts under a name, as of a moment. All times are in UTC, so that no program has to know a zone.
pub fn write(name: &str, entries: &[Entry], as_of: CivilTime) -> String {
    let mut out = Lines::default();
    out.line("BEGIN:VCALENDAR");
    out.line("VERSION:2.0");
    out.line("PRODID:-//Holdfast//On call//EN");
    out.line("CALSCALE:GREGORIAN");
    out.line("METHOD:PUBLISH");
    out.line(&format!("X-WR-CALNAME:{}", escaped(name)));
    // How often programs should ask again (RFC 7986 §5.7); older ones know the second form.
    out.line("REFRESH-INTERVAL;VALUE=DURATION:PT15M");
    out.line("X-PUBLISHED-TTL:PT15M");
    for entry in entries {
        out.line("BEGIN:VEVENT");
        out.line(&format!("UID:{}", escaped(&entry.uid)));
        out.line(&format!("DTSTAMP:{}", utc(as_of)));
        out.line(&format!("DTSTART:{}", utc(entry.from)));
        out.line(&format!("DTEND:{}", utc(entry.to)));
        out.line(&format!("SUMMARY:{}", escaped(&entry.summary)));
        if !entry.description.is_empty() {
            out.line(&format!("DESCRIPTION:{}", escaped(&entry.description)));
        }
        // A parameter cannot hold a quotation mark (RFC 5545 §3.1.1).
        let name = clean(&entry.person_name).replace('"', "'");
        out.line(&format!(
            "ATTENDEE;CN=\"{name}\":{PERSON_URN}{}",
            entry.person
        ));
        out.line("TRANSP:TRANSPARENT");
        out.line("END:VEVENT");
    }
    out.line("END:VCALENDAR");
    out.text
}

/// `20261122T060000Z`.
fn utc(at: CivilTime) -> String {
    let whole: String = at
        .to_rfc3339()
        .chars()
        .filter(|c| !matches!(c, '-' | ':'))
        .collect();
    let seconds = whole.split('.').next().unwrap_or(&whole);
    format!("{seconds}Z")
}

/// A value of type TEXT (RFC 5545 §3.3.11).
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | ';' | ',' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

fn clean(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

#[derive(Debug, Default)]
struct Lines {
    text: String,
}

impl Lines {
    /// Adds a line, folded where it is too long; never inside of a character.
    fn line(&mut self, line: &str) {
        let mut len = 0;
        for c in line.chars() {
            if len + c.len_utf8() > LINE_LEN_MAX {
                self.text.push_str("\r\n ");
                len = 1;
            }
            self.text.push(c);
            len += c.len_utf8();
        }
        self.text.push_str("\r\n");
    }
}
