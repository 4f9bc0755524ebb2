//! Shifts as iCalendar (RFC 5545): written for people's calendar programs, read from theirs as fixed shifts.

mod import;
mod read;
#[cfg(test)]
mod tests;
mod write;

pub use self::import::{Addressees, Asked, Imported, import};
pub use self::read::{CalendarError, Event, TEXT_LEN_MAX, When, read};
pub use self::write::{Entry, write};

/// Begins the address of a person in our calendars; their key follows.
const PERSON_URN: &str = "urn:holdfast:person:";
