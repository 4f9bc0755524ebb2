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
    match language {
        Language::En => deed_en(deed),
        Language::Fi => deed_fi(deed),
        Language::Sv => deed_sv(deed),
    }
}

fn deed_en(deed: Deed<'_>) -> String {
    match deed {
        Deed::Raise {
            severity,
            people,
            text,
        } => {
            let severity = Language::En.words().severity(severity);
            format!(
                "raise an alert ({severity}, {}): {}",
                people_en(people),
                words(text)
            )
        }
        Deed::CallOff { number, text } => format!("call off alert {number} ({})", words(text)),
        Deed::Take { number, text } => format!(
            "take over alert {number} ({}), so that no further step is called",
            words(text)
        ),
        Deed::Tell {
            number,
            people,
            text,
        } => {
            format!(
                "text {} of alert {number}: {}",
                people_en(people),
                words(text)
            )
        }
        Deed::Add {
            number,
            people,
            whom,
        } => {
            format!(
                "call {} ({}) to alert {number}",
                name(whom),
                people_en(people)
            )
        }
        Deed::Mute { source, minutes } => {
            let what = source.map_or("everything automatic".to_owned(), name);
            format!("hold back {what} for {minutes} min")
        }
    }
}

fn deed_fi(deed: Deed<'_>) -> String {
    match deed {
        Deed::Raise {
            severity,
            people,
            text,
        } => {
            let severity = Language::Fi.words().severity(severity);
            format!("hälytys ({severity}, {people} hlö): {}", words(text))
        }
        Deed::CallOff { number, text } => {
            format!("hälytyksen {number} peruutus ({})", words(text))
        }
        Deed::Take { number, text } => format!(
            "hälytyksen {number} ottaminen ({}), jolloin seuraavia ei enää kutsuta",
            words(text)
        ),
        Deed::Tell {
            number,
            people,
            text,
        } => {
            format!(
                "viesti hälytyksen {number} väelle ({people} hlö): {}",
                words(text)
            )
        }
        Deed::Add {
            number,
            people,
            whom,
        } => {
            format!("{} ({people} hlö) lisäksi hälytykseen {number}", name(whom))
        }
        Deed::Mute {
            source: Some(source),
            minutes,
        } => {
            format!("lähteen {} vaimennus {minutes} min", name(source))
        }
        Deed::Mute {
            source: None,
            minutes,
        } => {
            format!("kaikkien automaattisten hälytysten vaimennus {minutes} min")
        }
    }
}

fn deed_sv(deed: Deed<'_>) -> String {
    match deed {
        Deed::Raise {
            severity,
            people,
            text,
        } => {
            let severity = Language::Sv.words().severity(severity);
            format!("larma ({severity}, {people} pers): {}", words(text))
        }
        Deed::CallOff { number, text } => format!("avlys larm {number} ({})", words(text)),
        Deed::Take { number, text } => {
            format!(
                "ta över larm {number} ({}), så att inga fler kallas",
                words(text)
            )
        }
        Deed::Tell {
            number,
            people,
            text,
        } => {
            format!("meddela {people} pers i larm {number}: {}", words(text))
        }
        Deed::Add {
            number,
            people,
            whom,
        } => {
            format!("kalla {} ({people} pers) till larm {number}", name(whom))
        }
        Deed::Mute { source, minutes } => {
            let what = source.map_or("allt automatiskt".to_owned(), name);
            format!("tysta {what} i {minutes} min")
        }
    }
}

/// What was done, and when.
pub fn order_done(language: Language, at: CivilTime, done: Done<'_>) -> String {
    let at = at.to_hh_mm();
    match language {
        Language::En => format!("Done {at} UTC: {}", done_en(done)),
        Language::Fi => format!("Tehty {at} UTC: {}", done_fi(done)),
        Language::Sv => format!("Gjort {at} UTC: {}", done_sv(done)),
    }
}

fn done_en(done: Done<'_>) -> String {
    match done {
        Done::Raised { number, people } => {
            format!("alert {number} is raised, {} called.", are_en(people))
        }
        Done::CalledOff { number } => {
            format!("alert {number} is called off, everyone who was told is told so.")
        }
        Done::Taken { number } => {
            format!("alert {number} is yours, no further step is called.")
        }
        Done::Told { number, people } => {
            format!("the text goes to {} of alert {number}.", people_en(people))
        }
        Done::Added { number, people } => {
            format!("{} called to alert {number} as well.", are_en(people))
        }
        Done::Posted { number } => format!("your words are in the room of alert {number}."),
        Done::PostedIn { room } => format!("your words are in the room {}.", name(room)),
        Done::Muted { until } => {
            format!(
                "held back until {} UTC. It is listed and told then.",
                until.to_hh_mm()
            )
        }
    }
}

fn done_fi(done: Done<'_>) -> String {
    match done {
        Done::Raised { number, people } => {
            format!("hälytys {number} annettu, kutsutaan {people} hlö.")
        }
        Done::CalledOff { number } => {
            format!("hälytys {number} peruttu, siitä kerrotaan kaikille tiedon saaneille.")
        }
        Done::Taken { number } => {
            format!("hälytys {number} on sinulla, seuraavia ei enää kutsuta.")
        }
        Done::Told { number, people } => {
            format!("viesti lähtee hälytyksen {number} väelle ({people} hlö).")
        }
        Done::Added { number, people } => {
            format!("hälytykseen {number} kutsutaan lisäksi {people} hlö.")
        }
        Done::Posted { number } => format!("sanasi näkyvät hälytystä {number} hoitaville."),
        Done::PostedIn { room } => format!("sanasi ovat huoneessa {}.", name(room)),
        Done::Muted { until } => {
            format!(
                "vaimennettu {} UTC asti. Sen jälkeen kerrotaan, mitä jäi.",
                until.to_hh_mm()
            )
        }
    }
}

fn done_sv(done: Done<'_>) -> String {
    match done {
        Done::Raised { number, people } => {
            format!("larm {number} är utlöst, {people} pers kallas.")
        }
        Done::CalledOff { number } => {
            format!("larm {number} är avlyst, alla som fick det får veta.")
        }
        Done::Taken { number } => format!("larm {number} är ditt, inga fler kallas."),
        Done::Told { number, people } => format!("{people} pers i larm {number} får texten."),
        Done::Added { number, people } => {
            format!("{people} pers till kallas till larm {number}.")
        }
        Done::Posted { number } => format!("dina ord syns för dem som sköter larm {number}."),
        Done::PostedIn { room } => format!("dina ord står i rummet {}.", name(room)),
        Done::Muted { until } => {
            format!(
                "tystat till {} UTC. Sedan berättas vad som hölls inne.",
                until.to_hh_mm()
            )
        }
    }
}

fn people_en(people: usize) -> String {
    match people {
        1 => "1 person".to_owned(),
        people => format!("{people} people"),
    }
}

fn are_en(people: usize) -> String {
    match people {
        1 => "1 person is".to_owned(),
        people => format!("{people} people are"),
    }
}
