//! The templates an organisation starts with, in Finnish, Swedish and English: what the commonest emergencies of a small
//! organisation's IT need to be said and done. Meant to be edited: whom to call is for each organisation to say.
//!
//! Each text fits one SMS part in every language, with names of usual length and as an exercise; a test checks. A scenario
//! that lacks a language does not compile.

mod attack;
mod outage;
mod people;
#[cfg(test)]
mod tests;

use super::{ByLanguage, Item, Placeholder, Template};
use crate::texts::Language;
use crate::vocabulary::{AlertKind, Answer, Conduct, Severity};

/// The starter pack in these languages. The first of them serves all others, unless English is among them.
pub fn pack(languages: &[Language]) -> Vec<Template> {
    let mut scenarios: Vec<&Scenario> = [attack::ALL, outage::ALL, people::ALL].concat();
    scenarios.sort_by_key(|scenario| scenario.key);
    let of = |scenario: &&Scenario| scenario.template(languages);
    scenarios.iter().map(of).collect()
}

/// The languages it is written in.
pub fn languages() -> [Language; 3] {
    ["fi", "sv", "en"].map(Language::parse)
}

/// Words in Finnish, Swedish and English.
type Words = [&'static str; 3];

fn said(words: Words, language: Language) -> &'static str {
    let [fi, sv, en] = words;
    match language.tag() {
        "fi" => fi,
        "sv" => sv,
        _ => en,
    }
}

/// A template in all three languages.
struct Scenario {
    key: &'static str,
    severity: Severity,
    name: Words,
    text: Words,
    holes: &'static [Hole],
    answers: &'static [Answer],
    checklist: &'static [(Role, Words)],
}

/// A placeholder in all three languages.
struct Hole {
    name: &'static str,
    example: Words,
    /// Without one it must be said.
    default: Option<Words>,
}

/// Who has to do something.
#[derive(Clone, Copy)]
enum Role {
    Business,
    Communications,
    DataProtection,
    Facilities,
    Hr,
    ItOnDuty,
    Lead,
    Management,
    Network,
    Procurement,
    Security,
    Warden,
}

impl Role {
    fn words(self) -> Words {
        match self {
            Self::Business => [
                "Toiminnan vastuuhenkilö",
                "Verksamhetsansvarig",
                "Business owner",
            ],
            Self::Communications => ["Viestintä", "Kommunikation", "Communications"],
            Self::DataProtection => [
                "Tietosuojavastaava",
                "Dataskyddsombud",
                "Data protection officer",
            ],
            Self::Facilities => [
                "Kiinteistöpäivystäjä",
                "Fastighetsjour",
                "Facilities on duty",
            ],
            Self::Hr => ["Henkilöstöpäällikkö", "Personalchef", "Head of HR"],
            Self::ItOnDuty => ["IT-päivystäjä", "It-jour", "IT on duty"],
            Self::Lead => ["Tilannejohtaja", "Incidentledare", "Incident lead"],
            Self::Management => ["Johto", "Ledningen", "Management"],
            Self::Network => ["Verkkovastaava", "Nätansvarig", "Network lead"],
            Self::Procurement => ["Hankinta", "Inköp", "Procurement"],
            Self::Security => [
                "Tietoturvavastaava",
                "Informationssäkerhetsansvarig",
                "Security officer",
            ],
            Self::Warden => ["Poistumisvastaava", "Utrymningsledare", "Evacuation warden"],
        }
    }
}

/// People who are to come.
const COME: &[Answer] = &[Answer::Coming, Answer::Cannot];

/// People who are to say how they are.
const SAFE: &[Answer] = AlertKind::SafetyCheck.answers();

impl Scenario {
    fn template(&self, languages: &[Language]) -> Template {
        let by_language = |words: Words| -> ByLanguage {
            let one = |language: &Language| {
                (language.tag().to_owned(), said(words, *language).to_owned())
            };
            languages.iter().map(one).collect()
        };
        let fallback = match languages.contains(&Language::english()) {
            true => Language::english(),
            false => languages.first().copied().unwrap_or_default(),
        };
        Template {
            key: self.key.to_owned(),
            name: said(self.name, fallback).to_owned(),
            fallback: fallback.tag().to_owned(),
            texts: by_language(self.text),
            placeholders: self
                .holes
                .iter()
                .map(|hole| Placeholder {
                    name: hole.name.to_owned(),
                    required: hole.default.is_none(),
                    example: by_language(hole.example),
                    default: hole.default.map(by_language).unwrap_or_default(),
                })
                .collect(),
            severity: self.severity,
            answers: self.answers.to_vec(),
            conduct: Conduct {
                kind: match self.answers.contains(&Answer::Safe) {
                    true => AlertKind::SafetyCheck,
                    false => AlertKind::Alert,
                },
                ..Conduct::default()
            },
            checklist: self
                .checklist
                .iter()
                .map(|(owner, text)| Item {
                    owner: by_language(owner.words()),
                    text: by_language(*text),
                })
                .collect(),
            ..Template::default()
        }
    }
}
