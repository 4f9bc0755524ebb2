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
    let number = asked.number.to_string();
    put(language, "second.ask", organisation, asked, &number)
}

/// To those who are asked to look at what went without a second person's word, with the mark for their code.
pub fn to_review(language: Language, organisation: &str, asked: &AskedFor<'_>) -> String {
    let label = clean(asked.label.unwrap_or_default());
    put(language, "second.review", organisation, asked, &label)
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
    let (key, number) = match label {
        Some(label) => ("second.sent", label.to_owned()),
        None => ("second.not_sent", number.to_string()),
    };
    let values = [
        ("organisation", &*organisation),
        ("number", &number),
        ("by", &by),
    ];
    language.say(key, &values)
}

/// To somebody who was asked and answered too late, or may not: why nothing changed.
pub fn second_person_refused(language: Language, organisation: &str, number: u64) -> String {
    about(language, "second.refused", organisation, number)
}

/// To somebody who looked at what went without a second person's word.
pub fn second_person_noted(language: Language, organisation: &str, number: u64) -> String {
    about(language, "second.noted", organisation, number)
}

fn about(language: Language, key: &str, organisation: &str, number: u64) -> String {
    let organisation = clip(&clean(organisation), ORGANISATION_UNITS_MAX);
    let values = [
        ("organisation", &*organisation),
        ("number", &number.to_string()),
    ];
    language.say(key, &values)
}

/// A question about what is asked for, which `number` names.
fn put(
    language: Language,
    key: &str,
    organisation: &str,
    asked: &AskedFor<'_>,
    number: &str,
) -> String {
    let values = [
        (
            "organisation",
            &*clip(&clean(organisation), ORGANISATION_UNITS_MAX),
        ),
        ("source", &clip(&clean(asked.source), SOURCE_UNITS_MAX)),
        ("n", &asked.people.to_string()),
        ("text", &clip(&clean(asked.text), TEXT_UNITS_MAX)),
        ("number", number),
        ("code", &CODE_MARK.to_string()),
    ];
    language.say(key, &values)
}
