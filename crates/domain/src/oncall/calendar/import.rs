//! From calendar events to fixed shifts.

use std::collections::{BTreeMap, BTreeSet};

use super::{Event, PERSON_URN, When};
use crate::oncall::FixedShift;
use crate::zones::{Zone, unknown_zone};

/// How a calendar's people are found.
#[derive(Clone, Debug, Default)]
pub struct Addressees {
    /// Keys of people who exist.
    pub keys: BTreeSet<String>,
    /// Their keys by mail address in lower case; an address that several have is absent.
    pub by_mail: BTreeMap<String, String>,
}

/// What has to be looked up before events can be imported.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Asked {
    /// What may be keys of people.
    pub keys: BTreeSet<String>,
    /// Mail addresses as they were written.
    pub mails: BTreeSet<String>,
    /// Names of time zones.
    pub zones: BTreeSet<String>,
}

impl Asked {
    /// Of these events.
    pub fn by(events: &[Event]) -> Self {
        let mut asked = Self::default();
        for event in events {
            if event.attendees.is_empty() {
                asked.keys.insert(event.summary.trim().to_owned());
            }
            for address in &event.attendees {
                match key_of(address) {
                    Some(key) => asked.keys.insert(key.to_owned()),
                    None => asked.mails.insert(mail_of(address).to_owned()),
                };
            }
            for when in event.start.iter().chain(&event.end) {
                if let When::Wall(Some(zone), _) = when {
                    asked.zones.insert(zone.clone());
                }
            }
        }
        asked
    }
}

/// What becomes of an event.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Imported {
    /// Line of the event in the calendar.
    pub line: usize,
    pub summary: String,
    /// One shift for each person in it, or what is wrong.
    pub shifts: Result<Vec<FixedShift>, String>,
}

/// Turns events into fixed shifts of a schedule in a zone. Every event gets its report.
pub fn import(
    events: &[Event],
    here: &Zone,
    zones: &BTreeMap<String, Zone>,
    people: &Addressees,
) -> Vec<Imported> {
    let imported = events.iter().map(|event| Imported {
        line: event.line,
        summary: event.summary.chars().take(120).collect(),
        shifts: shifts(event, here, zones, people),
    });
    imported.collect()
}

fn shifts(
    event: &Event,
    here: &Zone,
    zones: &BTreeMap<String, Zone>,
    people: &Addressees,
) -> Result<Vec<FixedShift>, String> {
    if let Some(problem) = &event.problem {
        return Err(problem.clone());
    }
    let start = event.start.as_ref().ok_or("it has no DTSTART")?;
    let by_itself = start.end_by_itself();
    let end = event.end.as_ref().or(by_itself.as_ref());
    let end = end.ok_or("it has no DTEND")?;
    let wall = |when: &When, is_end| {
        let moment = when.moment(here, zones, is_end);
        moment.map(|at| here.wall(at)).ok_or_else(|| match when {
            When::Wall(Some(name), _) => unknown_zone(name),
            When::Wall(None, _) | When::Utc(_) | When::Day(_) => {
                "its time cannot be read".to_owned()
            }
        })
    };
    let (from, to) = (wall(start, false)?, wall(end, true)?);
    if from >= to {
        return Err(format!("it ends at {to}, not after it begins at {from}"));
    }
    let found = found_people(event, people)?;
    Ok(found
        .into_iter()
        .map(|person| FixedShift {
            from,
            to,
            person,
            uid: event.uid.chars().take(255).collect(),
        })
        .collect())
}

/// Whom an event is about: its attendees, else whoever its summary names by key.
fn found_people(event: &Event, people: &Addressees) -> Result<BTreeSet<String>, String> {
    if event.attendees.is_empty() {
        let key = event.summary.trim();
        return match people.keys.contains(key) {
            true => Ok(BTreeSet::from([key.to_owned()])),
            false => Err(format!(
                "nobody is known as {:?}; write a person's key as SUMMARY, or a known mail address as ATTENDEE",
                key.chars().take(64).collect::<String>()
            )),
        };
    }
    let person = |address: &String| {
        let found = match key_of(address) {
            Some(key) => people.keys.get(key),
            None => people.by_mail.get(&mail_of(address).to_ascii_lowercase()),
        };
        let shown: String = address.chars().take(100).collect();
        found.cloned().ok_or_else(|| {
            format!("the attendee {shown} is nobody we know, or more than one of our people")
        })
    };
    event.attendees.iter().map(person).collect()
}

/// The key in an address of our own making.
fn key_of(address: &str) -> Option<&str> {
    let (urn, key) = address.split_at_checked(PERSON_URN.len())?;
    urn.eq_ignore_ascii_case(PERSON_URN).then_some(key)
}

fn mail_of(address: &str) -> &str {
    match address.split_once(':') {
        Some((scheme, mail)) if scheme.eq_ignore_ascii_case("mailto") => mail,
        Some(_) | None => address,
    }
}
