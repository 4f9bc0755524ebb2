//! What is said when an alert needs a second person.

use super::clean::{clean, clip};
use super::page::ORGANISATION_UNITS_MAX;
use super::{CODE_MARK, Language};

const SOURCE_UNITS_MAX: usize = 30;
const TEXT_UNITS_MAX: usize = 70;

/// What somebody wants to send, or sent.
#[derive(Clone, Copy, Debug)]
pub struct AskedFor<'a> {
    /// By which it waits.
    pub number: u64,
    /// The alert's number, once there is one.
    pub label: Option<&'a str>,
    /// Whoever asked for it.
    pub source: &'a str,
    pub people: u64,
    pub text: &'a str,
}

/// To those who are asked to agree, with the mark for the code they answer with.
pub fn second_person(language: Language, organisation: &str, asked: &AskedFor<'_>) -> String {
    let (organisation, source, text) = cleaned(organisation, asked);
    let (people, number) = (asked.people, asked.number);
    match language {
        Language::En => format!(
            "{organisation}: {source} wants to alert {people} people: {text}. Agree? Reply {CODE_MARK} 1=send \
             {CODE_MARK} 2=do not send. (held {number})"
        ),
        Language::Fi => format!(
            "{organisation}: {source} haluaa hälyttää {people} henkilöä: {text}. Hyväksytkö? Vastaa {CODE_MARK} 1=lähetä \
             {CODE_MARK} 2=älä lähetä. (odottaa {number})"
        ),
        Language::Sv => format!(
            "{organisation}: {source} vill larma {people} personer: {text}. Går du med på det? Svara {CODE_MARK} 1=sänd \
             {CODE_MARK} 2=sänd inte. (väntar {number})"
        ),
    }
}

/// To those who are asked to look at what went without a second person's word, with the mark for their code.
pub fn to_review(language: Language, organisation: &str, asked: &AskedFor<'_>) -> String {
    let (organisation, source, text) = cleaned(organisation, asked);
    let (people, label) = (asked.people, clean(asked.label.unwrap_or_default()));
    match language {
        Language::En => format!(
            "{organisation}: {source} alerted {people} people without a second person (alert {label}): {text}. Review: \
             reply {CODE_MARK} 1=in order {CODE_MARK} 2=not"
        ),
        Language::Fi => format!(
            "{organisation}: {source} hälytti {people} henkilöä ilman toista henkilöä (hälytys {label}): {text}. Tarkasta: \
             vastaa {CODE_MARK} 1=kunnossa {CODE_MARK} 2=ei"
        ),
        Language::Sv => format!(
            "{organisation}: {source} larmade {people} personer utan en andra person (larm {label}): {text}. Granska: svara \
             {CODE_MARK} 1=i sin ordning {CODE_MARK} 2=inte"
        ),
    }
}

/// To whoever asked: what became of it. `label` is the alert's number if it went; `by` may be empty.
pub fn second_person_said(
    language: Language,
    organisation: &str,
    number: u64,
    label: Option<&str>,
    by: &str,
) -> String {
    let organisation = clip(&clean(organisation), ORGANISATION_UNITS_MAX);
    let by = match clip(&clean(by), SOURCE_UNITS_MAX) {
        by if by.is_empty() => String::new(),
        by => format!(" ({by})"),
    };
    match (language, label) {
        (Language::En, Some(label)) => {
            format!("{organisation}: your alert is on its way as alert {label}{by}.")
        }
        (Language::Fi, Some(label)) => {
            format!("{organisation}: hälytyksesi lähtee, numero {label}{by}.")
        }
        (Language::Sv, Some(label)) => {
            format!("{organisation}: ditt larm går ut som larm {label}{by}.")
        }
        (Language::En, None) => format!("{organisation}: held alert {number} was NOT sent{by}."),
        (Language::Fi, None) => {
            format!("{organisation}: odottavaa hälytystä {number} EI lähetetty{by}.")
        }
        (Language::Sv, None) => {
            format!("{organisation}: väntande larm {number} sändes INTE{by}.")
        }
    }
}

/// To somebody who was asked and answered too late, or may not: why nothing changed.
pub fn second_person_refused(language: Language, organisation: &str, number: u64) -> String {
    let organisation = clip(&clean(organisation), ORGANISATION_UNITS_MAX);
    match language {
        Language::En => format!(
            "{organisation}: your answer about held alert {number} changed nothing; it was decided before, or cannot be by \
             this phone."
        ),
        Language::Fi => format!(
            "{organisation}: vastauksesi odottavaan hälytykseen {number} ei muuttanut mitään; siitä on jo päätetty, tai tästä \
             puhelimesta ei voi päättää."
        ),
        Language::Sv => format!(
            "{organisation}: ditt svar om väntande larm {number} ändrade inget; det är redan avgjort, eller kan inte avgöras \
             från denna telefon."
        ),
    }
}

/// To somebody who looked at what went without a second person's word.
pub fn second_person_noted(language: Language, organisation: &str, number: u64) -> String {
    let organisation = clip(&clean(organisation), ORGANISATION_UNITS_MAX);
    match language {
        Language::En => {
            format!("{organisation}: noted; your review of held alert {number} is on record.")
        }
        Language::Fi => format!("{organisation}: kirjattu; tarkastuksesi {number} on tallessa."),
        Language::Sv => format!("{organisation}: noterat; din granskning {number} är sparad."),
    }
}

fn cleaned(organisation: &str, asked: &AskedFor<'_>) -> (String, String, String) {
    (
        clip(&clean(organisation), ORGANISATION_UNITS_MAX),
        clip(&clean(asked.source), SOURCE_UNITS_MAX),
        clip(&clean(asked.text), TEXT_UNITS_MAX),
    )
}
