//! What is said to whoever orders something by text: what would be done, what was done, and what a code comes to.

mod deeds;
mod lists;
mod refused;

pub use self::deeds::{Deed, Done, deed, order_done};
pub use self::lists::{Standing, standings, who_comes, who_on_call};
pub use self::refused::{Refused, order_help, order_refused};
use super::clean::{clean, clip};
use super::page::{ORGANISATION_UNITS_MAX, cut_to_fit};
use super::{CODE_MARK, Language};
use crate::time::CivilTime;
use crate::vocabulary::{AlertKind, ETA_MIN_MAX, Severity};

/// How much of an alert's own words a reply repeats.
const WORDS_UNITS_MAX: usize = 80;

/// Longest name of a person, template or source in a reply.
const NAME_UNITS_MAX: usize = 40;

/// Known names listed beside one that is not known.
const KNOWN_MAX: usize = 8;

/// Why a code does nothing, or nothing yet.
#[derive(Clone, Copy, Debug)]
pub enum Unready<'a> {
    Expired {
        at: CivilTime,
    },
    AlreadyDone {
        at: CivilTime,
    },
    Dropped,
    /// Wrong codes so far were too many.
    Void,
    Wrong {
        left: u16,
    },
    /// More than the code was sent, and it is no yes and no no.
    Unclear {
        code: &'a str,
    },
}

/// Asks for the code before anything is done.
pub fn echo(
    language: Language,
    organisation: &str,
    deed: &str,
    code: &str,
    until: CivilTime,
) -> String {
    let organisation = clip(&clean(organisation), ORGANISATION_UNITS_MAX);
    let until = until.to_hh_mm();
    match language {
        Language::En => format!(
            "{organisation}: {deed}. Nothing is done yet. To do it send {code} to this number by {until} UTC. Not you? Call duty."
        ),
        Language::Fi => format!(
            "{organisation}: {deed}. Mitään ei ole vielä tehty. Vahvista lähettämällä {code} tähän numeroon viimeistään {until} UTC. Et pyytänyt? Soita päivystykseen."
        ),
        Language::Sv => format!(
            "{organisation}: {deed}. Inget är gjort än. Bekräfta genom att skicka {code} till detta nummer senast {until} UTC. Inte du? Ring jouren."
        ),
    }
}

/// What somebody who leads an alert tells everybody called to it. Behind it stands how to answer.
pub fn message(
    language: Language,
    organisation: &str,
    number: &str,
    from: &str,
    text: &str,
) -> String {
    let words = language.words();
    let organisation = clip(&clean(organisation), ORGANISATION_UNITS_MAX);
    let alert = words.alert(number, &organisation);
    let answer = words.how_to_answer(
        CODE_MARK.encode_utf8(&mut [0; 4]),
        AlertKind::Alert,
        AlertKind::Alert.answers(),
    );
    let frozen = |text: &str| format!("{alert}, {}: {text}\n{answer}", name(from));
    frozen(&cut_to_fit(&clean(text), language, "00000", frozen))
}

/// `4711 ALL` answered these alerts as well, by number; or stood beside the code of an alert that gathers nothing.
pub fn answered_all(language: Language, also: Option<&[String]>) -> String {
    match (language, also) {
        (Language::En, Some([])) => "Nothing else of the bundle is open for you.".to_owned(),
        (Language::Fi, Some([])) => "Muuta samasta nipusta ei ole sinulle auki.".to_owned(),
        (Language::Sv, Some([])) => "Inget annat i bunten är öppet för dig.".to_owned(),
        (Language::En, Some(also)) => format!("Also counted for alerts {}.", listed(also)),
        (Language::Fi, Some(also)) => format!("Laskettu myös hälytyksiin {}.", listed(also)),
        (Language::Sv, Some(also)) => format!("Räknas också för larm {}.", listed(also)),
        (Language::En, None) => {
            "ALL works with the code of a bundle; this alert is none, so only it is answered."
                .to_owned()
        }
        (Language::Fi, None) => {
            "KAIKKI toimii nipun koodilla; tämä ei ole nippu, joten vain siihen vastattiin."
                .to_owned()
        }
        (Language::Sv, None) => {
            "ALLA går med koden för en bunt; detta är ingen, så bara det besvarades.".to_owned()
        }
    }
}

/// A severity's word, in lower case.
pub fn severity(language: Language, severity: Severity) -> &'static str {
    language.words().severity(severity)
}

/// Why a code that was sent back does nothing, or nothing yet.
pub fn order_unready(language: Language, unready: Unready<'_>) -> String {
    match (language, unready) {
        (Language::En, Unready::Expired { at }) => format!(
            "Nothing done: that code was good until {} UTC. Send the order again.",
            at.to_hh_mm()
        ),
        (Language::Fi, Unready::Expired { at }) => format!(
            "Ei tehty: koodi oli voimassa {} UTC asti. Lähetä käsky uudelleen.",
            at.to_hh_mm()
        ),
        (Language::Sv, Unready::Expired { at }) => format!(
            "Inget gjort: koden gällde till {} UTC. Skicka ordern igen.",
            at.to_hh_mm()
        ),
        (Language::En, Unready::AlreadyDone { at }) => format!(
            "That was done {} UTC already, and only once.",
            at.to_hh_mm()
        ),
        (Language::Fi, Unready::AlreadyDone { at }) => {
            format!("Se tehtiin jo {} UTC, ja vain kerran.", at.to_hh_mm())
        }
        (Language::Sv, Unready::AlreadyDone { at }) => {
            format!("Det gjordes redan {} UTC, och bara en gång.", at.to_hh_mm())
        }
        (Language::En, Unready::Dropped) => "Dropped. Nothing was done.".to_owned(),
        (Language::Fi, Unready::Dropped) => "Hylätty. Mitään ei tehty.".to_owned(),
        (Language::Sv, Unready::Dropped) => "Struket. Inget gjordes.".to_owned(),
        (Language::En, Unready::Void) => {
            "Too many wrong codes: nothing is done. Send the order again.".to_owned()
        }
        (Language::Fi, Unready::Void) => {
            "Liian monta väärää koodia: mitään ei tehdä. Lähetä käsky uudelleen.".to_owned()
        }
        (Language::Sv, Unready::Void) => {
            "För många fel koder: inget görs. Skicka ordern igen.".to_owned()
        }
        (Language::En, Unready::Wrong { left }) => {
            format!("That is not the code; nothing is done. Tries left: {left}")
        }
        (Language::Fi, Unready::Wrong { left }) => {
            format!("Koodi ei ole oikea; mitään ei tehdä. Yrityksiä jäljellä: {left}")
        }
        (Language::Sv, Unready::Wrong { left }) => {
            format!("Det är inte koden; inget görs. Försök kvar: {left}")
        }
        (Language::En, Unready::Unclear { code }) => format!(
            "Nothing done yet. Send {code} and nothing else to do it, {code} NO to drop it."
        ),
        (Language::Fi, Unready::Unclear { code }) => {
            format!("Ei vielä tehty. Vahvista lähettämällä pelkkä {code}, hylkää: {code} EI")
        }
        (Language::Sv, Unready::Unclear { code }) => format!(
            "Inte gjort än. Skicka bara {code} för att göra det, {code} NEJ för att stryka."
        ),
    }
}

/// What is said of a time of arrival that nobody can mean; the answer beside it counts.
pub(super) fn absurd(language: Language, said: &str) -> String {
    let said = clip(&clean(said), 12);
    let most = ETA_MIN_MAX / 60;
    match language {
        Language::En => format!(
            "{said} is no time until arrival (minutes, at most {most} h), so none is noted."
        ),
        Language::Fi => format!(
            "{said} ei käy saapumisajaksi (minuutteja, enintään {most} h), joten sitä ei kirjattu."
        ),
        Language::Sv => {
            format!("{said} går inte som ankomsttid (minuter, högst {most} h), så ingen noterades.")
        }
    }
}

/// What somebody wrote, as part of a sentence of ours.
fn words(text: &str) -> String {
    clip(clean(text).trim_end_matches('.'), WORDS_UNITS_MAX)
}

fn name(text: &str) -> String {
    clip(&clean(text), NAME_UNITS_MAX)
}

fn listed(names: &[String]) -> String {
    let mut shown: Vec<String> = names.iter().take(KNOWN_MAX).map(|n| name(n)).collect();
    if names.len() > KNOWN_MAX {
        shown.push("...".to_owned());
    }
    match shown.is_empty() {
        true => "-".to_owned(),
        false => shown.join(", "),
    }
}
