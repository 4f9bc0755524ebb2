//! What is said about reports: to those on duty, and to whoever reported.

use super::Language;
use super::clean::{clean, clip};
use super::page::ORGANISATION_UNITS_MAX;

const WHO_UNITS_MAX: usize = 60;

/// What became of a report, as its reporter is told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ReportNews {
    Taken,
    Waits,
    Convened,
    NoAction,
    Over,
}

/// To those on duty: somebody reported something, and one of them must decide.
pub fn report(language: Language, number: u64, who: &str, contact: &str, what: &str) -> String {
    let (who, contact) = (clip(&clean(who), WHO_UNITS_MAX), clean(contact));
    let what = clip(&clean(what), 1_500);
    let from = match contact.is_empty() {
        true => who,
        false => format!("{who}, {contact}"),
    };
    let values = [
        ("number", &*number.to_string()),
        ("what", &what),
        ("from", &from),
    ];
    language.say("report", &values)
}

/// To whoever reported: what became of it.
pub fn report_news(
    language: Language,
    organisation: &str,
    number: u64,
    news: ReportNews,
) -> String {
    let organisation = clip(&clean(organisation), ORGANISATION_UNITS_MAX);
    let key = match news {
        ReportNews::Taken => "report.taken",
        ReportNews::Waits => "report.waits",
        ReportNews::Convened => "report.convened",
        ReportNews::NoAction => "report.no_action",
        ReportNews::Over => "report.over",
    };
    let values = [
        ("organisation", &*organisation),
        ("number", &number.to_string()),
    ];
    language.say(key, &values)
}
