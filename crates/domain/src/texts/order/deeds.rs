//! What an order would do, and what it did: one sentence each.

use super::{name, words};
use crate::texts::Language;
use crate::time::CivilTime;
use crate::vocabulary::Severity;

/// Something that waits for the code to be sent back.
#[derive(Clone, Copy, Debug)]
pub enum Deed<'a> {
    Raise {
        severity: Severity,
        /// Everybody in all its steps.
        people: usize,
        text: &'a str,
    },
    CallOff {
        number: &'a str,
        text: &'a str,
    },
    Take {
        number: &'a str,
        text: &'a str,
    },
    Tell {
        number: &'a str,
        people: usize,
        text: &'a str,
    },
    Add {
        number: &'a str,
        people: usize,
        whom: &'a str,
    },
    /// Without a source: everything automatic.
    Mute {
        source: Option<&'a str>,
        minutes: u64,
    },
}

/// What came of it.
#[derive(Clone, Copy, Debug)]
pub enum Done<'a> {
    Raised {
        number: &'a str,
        people: usize,
    },
    CalledOff {
        number: &'a str,
    },
    Taken {
        number: &'a str,
    },
    Told {
        number: &'a str,
        people: usize,
    },
    Added {
        number: &'a str,
        people: usize,
    },
    Muted {
        until: CivilTime,
    },
    Posted {
        number: &'a str,
    },
    /// Into an everyday room.
    PostedIn {
        room: &'a str,
    },
}

/// What would be done, without a full stop.
pub fn deed(language: Language, deed: Deed<'_>) -> String {
    match deed {
        Deed::Raise {
            severity,
            people,
            text,
        } => {
            let values = [
                ("severity", language.severity(severity)),
                ("n", &people.to_string()),
                ("text", &words(text)),
            ];
            language.say("order.raise", &values)
        }
        Deed::CallOff { number, text } => {
            let values = [("number", number), ("text", &words(text))];
            language.say("order.call_off", &values)
        }
        Deed::Take { number, text } => {
            let values = [("number", number), ("text", &words(text))];
            language.say("order.take", &values)
        }
        Deed::Tell {
            number,
            people,
            text,
        } => {
            let values = [
                ("number", number),
                ("n", &people.to_string()),
                ("text", &words(text)),
            ];
            language.say("order.tell", &values)
        }
        Deed::Add {
            number,
            people,
            whom,
        } => {
            let values = [
                ("number", number),
                ("n", &people.to_string()),
                ("whom", &name(whom)),
            ];
            language.say("order.add", &values)
        }
        Deed::Mute {
            source: Some(source),
            minutes,
        } => {
            let values = [
                ("source", &*name(source)),
                ("minutes", &minutes.to_string()),
            ];
            language.say("order.mute", &values)
        }
        Deed::Mute {
            source: None,
            minutes,
        } => language.say("order.mute_all", &[("minutes", &minutes.to_string())]),
    }
}

/// What was done, and when.
pub fn order_done(language: Language, at: CivilTime, done: Done<'_>) -> String {
    let done = match done {
        Done::Raised { number, people } => {
            let values = [("number", number), ("n", &people.to_string())];
            language.say("order.done.raised", &values)
        }
        Done::CalledOff { number } => language.say("order.done.called_off", &[("number", number)]),
        Done::Taken { number } => language.say("order.done.taken", &[("number", number)]),
        Done::Told { number, people } => {
            let values = [("number", number), ("n", &people.to_string())];
            language.say("order.done.told", &values)
        }
        Done::Added { number, people } => {
            let values = [("number", number), ("n", &people.to_string())];
            language.say("order.done.added", &values)
        }
        Done::Muted { until } => language.say("order.done.muted", &[("time", &until.to_hh_mm())]),
        Done::Posted { number } => language.say("order.done.posted", &[("number", number)]),
        Done::PostedIn { room } => language.say("order.done.posted_in", &[("room", &name(room))]),
    };
    language.say("order.done", &[("time", &at.to_hh_mm()), ("done", &done)])
}
