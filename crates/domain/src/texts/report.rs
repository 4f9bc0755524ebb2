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
    match language {
        Language::En => {
            format!("Report {number}: {what} (from {from}). Decide: holdfast report show {number}")
        }
        Language::Fi => format!(
            "Ilmoitus {number}: {what} (ilmoittaja {from}). Päätä: holdfast report show {number}"
        ),
        Language::Sv => format!(
            "Anmälan {number}: {what} (från {from}). Besluta: holdfast report show {number}"
        ),
    }
}

/// To whoever reported: what became of it.
pub fn report_news(
    language: Language,
    organisation: &str,
    number: u64,
    news: ReportNews,
) -> String {
    let organisation = clip(&clean(organisation), ORGANISATION_UNITS_MAX);
    let said = match (language, news) {
        (Language::En, ReportNews::Taken) => {
            "was passed to those on duty. You will hear what becomes of it."
        }
        (Language::En, ReportNews::Waits) => "is being watched.",
        (Language::En, ReportNews::Convened) => "is being worked on; people are called in.",
        (Language::En, ReportNews::NoAction) => "was looked at; nothing more is done.",
        (Language::En, ReportNews::Over) => "is dealt with. Thank you.",
        (Language::Fi, ReportNews::Taken) => {
            "välitettiin päivystykseen. Kuulet, mitä siitä seuraa."
        }
        (Language::Fi, ReportNews::Waits) => "on seurannassa.",
        (Language::Fi, ReportNews::Convened) => "on työn alla; väkeä kutsutaan koolle.",
        (Language::Fi, ReportNews::NoAction) => "on tutkittu; se ei johda toimiin.",
        (Language::Fi, ReportNews::Over) => "on hoidettu. Kiitos.",
        (Language::Sv, ReportNews::Taken) => "har nått jouren. Du får veta vad det blir av den.",
        (Language::Sv, ReportNews::Waits) => "bevakas.",
        (Language::Sv, ReportNews::Convened) => "åtgärdas; folk kallas in.",
        (Language::Sv, ReportNews::NoAction) => "är granskad; den leder inte till åtgärd.",
        (Language::Sv, ReportNews::Over) => "är avklarad. Tack.",
    };
    match language {
        Language::En => format!("{organisation}: your report {number} {said}"),
        Language::Fi => format!("{organisation}: ilmoituksesi {number} {said}"),
        Language::Sv => format!("{organisation}: din anmälan {number} {said}"),
    }
}
