//! Why an order is not carried out, and how to write one.

use super::{listed, name};
use crate::texts::clean::{clean, clip};
use crate::texts::{Language, Verb};

/// Longest other rule in a reply.
const RULE_UNITS_MAX: usize = 200;

/// Why nothing is done.
#[derive(Clone, Copy, Debug)]
pub enum Refused<'a> {
    NotAllowed,
    /// Nobody ever saw that this number reaches its person.
    NotVerified,
    /// Too many orders from this number within an hour.
    TooMany,
    /// The order lacks what it is about; how to write it.
    Usage(Verb),
    UnknownTarget {
        name: &'a str,
        known: &'a [String],
    },
    UnknownAlert(&'a str),
    /// None was named, and none is open.
    NothingOpen,
    Closed(&'a str),
    /// Somebody took it over before.
    TakenOver(&'a str),
    /// Several alerts are open and none was named.
    WhichAlert(&'a [String]),
    TooLong {
        len: usize,
        max: usize,
    },
    /// A template's holes that nothing was said for.
    Missing {
        template: &'a str,
        holes: &'a [String],
    },
    /// Not while this site is cut off.
    Alone(&'a str),
    /// Any other rule, in its own words.
    Rule(&'a str),
}

/// Why nothing is done, and what to do instead.
pub fn order_refused(language: Language, refused: Refused<'_>) -> String {
    match language {
        Language::En => refused_en(refused),
        Language::Fi => refused_fi(refused),
        Language::Sv => refused_sv(refused),
    }
}

fn refused_en(refused: Refused<'_>) -> String {
    match refused {
        Refused::NotAllowed => "Nothing done: this number may not order that.".to_owned(),
        Refused::NotVerified => {
            "Nothing done: this number was never checked. Answer an alert with its code, or have duty check it, then send this again.".to_owned()
        }
        Refused::TooMany => {
            "Nothing done: too many orders from this number in an hour. Call duty.".to_owned()
        }
        Refused::Usage(verb) => format!("Nothing done. Write it so: {}", usage(Language::En, verb)),
        Refused::UnknownTarget { name: n, known } => format!(
            "Nothing done: {} is not known here. Known: {}",
            name(n),
            listed(known)
        ),
        Refused::NothingOpen => "Nothing done: no alert is open.".to_owned(),
        Refused::UnknownAlert(number) => format!(
            "Nothing done: there is no alert {}.",
            name(number)
        ),
        Refused::Closed(number) => format!("Nothing done: alert {number} is over."),
        Refused::TakenOver(number) => format!(
            "Nothing done: alert {number} was taken over already."
        ),
        Refused::WhichAlert(open) => format!(
            "Nothing done: say which alert. Open: {}",
            listed(open)
        ),
        Refused::TooLong { len, max } => format!(
            "Nothing done: {len} characters; at most {max} are taken."
        ),
        Refused::Missing { template, holes } => format!(
            "Nothing done: {} needs {}. Write them in this order, with ; between.",
            name(template),
            listed(holes)
        ),
        Refused::Alone(site) => format!(
            "Nothing done: {} is cut off from the others and may not decide this alone. Send it to another site's number.",
            name(site)
        ),
        Refused::Rule(rule) => format!("Nothing done: {}.", clip(&clean(rule), RULE_UNITS_MAX)),
    }
}

fn refused_fi(refused: Refused<'_>) -> String {
    match refused {
        Refused::NotAllowed => "Ei tehty: tällä numerolla ei ole oikeutta siihen.".to_owned(),
        Refused::NotVerified => {
            "Ei tehty: tätä numeroa ei ole tarkistettu. Vastaa hälytykseen koodilla tai pyydä päivystystä tarkistamaan numero, ja lähetä uudelleen.".to_owned()
        }
        Refused::TooMany => {
            "Ei tehty: tästä numerosta tuli tunnissa liian monta käskyä. Soita päivystykseen.".to_owned()
        }
        Refused::Usage(verb) => format!("Ei tehty. Kirjoita näin: {}", usage(Language::Fi, verb)),
        Refused::UnknownTarget { name: n, known } => format!(
            "Ei tehty: {} ei ole tiedossa. Tunnetut: {}",
            name(n),
            listed(known)
        ),
        Refused::NothingOpen => "Ei tehty: mitään hälytystä ei ole auki.".to_owned(),
        Refused::UnknownAlert(number) => format!("Ei tehty: hälytystä {} ei ole.", name(number)),
        Refused::Closed(number) => format!("Ei tehty: hälytys {number} on päättynyt."),
        Refused::TakenOver(number) => format!("Ei tehty: hälytys {number} on jo otettu."),
        Refused::WhichAlert(open) => format!(
            "Ei tehty: kerro mikä hälytys. Auki: {}",
            listed(open)
        ),
        Refused::TooLong { len, max } => format!("Ei tehty: {len} merkkiä; enintään {max} käy."),
        Refused::Missing { template, holes } => format!(
            "Ei tehty: {} tarvitsee: {}. Kirjoita ne tässä järjestyksessä, väliin ;",
            name(template),
            listed(holes)
        ),
        Refused::Alone(site) => format!(
            "Ei tehty: {} on poissa yhteydestä eikä voi päättää tätä yksin. Lähetä toisen paikan numeroon.",
            name(site)
        ),
        Refused::Rule(rule) => format!("Ei tehty: {}.", clip(&clean(rule), RULE_UNITS_MAX)),
    }
}

fn refused_sv(refused: Refused<'_>) -> String {
    match refused {
        Refused::NotAllowed => "Inget gjort: detta nummer har inte rätt till det.".to_owned(),
        Refused::NotVerified => {
            "Inget gjort: detta nummer har aldrig kontrollerats. Svara på ett larm med koden eller be jouren kontrollera det, och skicka igen.".to_owned()
        }
        Refused::TooMany => {
            "Inget gjort: för många order från detta nummer på en timme. Ring jouren.".to_owned()
        }
        Refused::Usage(verb) => format!("Inget gjort. Skriv så: {}", usage(Language::Sv, verb)),
        Refused::UnknownTarget { name: n, known } => format!(
            "Inget gjort: {} är inte känt här. Kända: {}",
            name(n),
            listed(known)
        ),
        Refused::NothingOpen => "Inget gjort: inget larm är öppet.".to_owned(),
        Refused::UnknownAlert(number) => format!("Inget gjort: larm {} finns inte.", name(number)),
        Refused::Closed(number) => format!("Inget gjort: larm {number} är över."),
        Refused::TakenOver(number) => format!("Inget gjort: larm {number} är redan taget."),
        Refused::WhichAlert(open) => format!(
            "Inget gjort: säg vilket larm. Öppna: {}",
            listed(open)
        ),
        Refused::TooLong { len, max } => format!("Inget gjort: {len} tecken; högst {max} går."),
        Refused::Missing { template, holes } => format!(
            "Inget gjort: {} behöver: {}. Skriv dem i denna ordning, med ; emellan.",
            name(template),
            listed(holes)
        ),
        Refused::Alone(site) => format!(
            "Inget gjort: {} är avskuren och får inte besluta detta ensam. Skicka till en annan plats nummer.",
            name(site)
        ),
        Refused::Rule(rule) => format!("Inget gjort: {}.", clip(&clean(rule), RULE_UNITS_MAX)),
    }
}

/// The orders there are, as short as can be; `all`: also those that change something.
pub fn order_help(language: Language, all: bool) -> String {
    let verbs: &[Verb] = match all {
        true => &[
            Verb::Start,
            Verb::Status,
            Verb::Who,
            Verb::Add,
            Verb::Tell,
            Verb::Room,
            Verb::Follow,
            Verb::Take,
            Verb::CallOff,
            Verb::Mute,
            Verb::Report,
        ],
        false => &[
            Verb::Status,
            Verb::Who,
            Verb::Room,
            Verb::Follow,
            Verb::Take,
            Verb::Report,
        ],
    };
    let lines: Vec<String> = verbs.iter().map(|verb| usage(language, *verb)).collect();
    lines.join("\n")
}

/// How one order is written.
fn usage(language: Language, verb: Verb) -> String {
    let arguments = match (language, verb) {
        (_, Verb::Help) => "",
        (_, Verb::Status) => " 118",
        (Language::En, Verb::Start) => " template what; where / START group words",
        (Language::Fi, Verb::Start) => " pohja mitä; missä / HÄLYTÄ ryhmä sanat",
        (Language::Sv, Verb::Start) => " mall vad; var / LARMA grupp ord",
        (Language::En, Verb::Who) => " 118 or schedule",
        (Language::Fi, Verb::Who) => " 118 tai vuorolista",
        (Language::Sv, Verb::Who) => " 118 eller schema",
        (Language::En, Verb::Add) => " 118 group",
        (Language::Fi, Verb::Add) => " 118 ryhmä",
        (Language::Sv, Verb::Add) => " 118 grupp",
        (Language::En, Verb::Tell | Verb::Room) => " 118 words",
        (Language::Fi, Verb::Tell | Verb::Room) => " 118 sanat",
        (Language::Sv, Verb::Tell | Verb::Room) => " 118 ord",
        (Language::En, Verb::Mute) => " source 30 / MUTE ALL 30",
        (Language::Fi, Verb::Mute) => " lähde 30 / VAIMENNA KAIKKI 30",
        (Language::Sv, Verb::Mute) => " källa 30 / TYSTA ALLA 30",
        (Language::En, Verb::CallOff) => " 118 why",
        (Language::Fi, Verb::CallOff) => " 118 syy",
        (Language::Sv, Verb::CallOff) => " 118 orsak",
        (_, Verb::Take | Verb::Follow | Verb::Unfollow) => " 118",
        (Language::En, Verb::Report) => " what happened",
        (Language::Fi, Verb::Report) => " mitä on tapahtunut",
        (Language::Sv, Verb::Report) => " vad som hänt",
    };
    format!("{}{arguments}", verb.word(language))
}
