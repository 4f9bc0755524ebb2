//! What is said to whoever orders something by text: what would be done, what was done, and what a code comes to.

mod deeds;
mod lists;
mod refused;

pub use self::deeds::{Deed, Done, deed, order_done};
pub use self::lists::{Standing, standings, who_comes, who_on_call};
pub use self::refused::{Refused, order_help, order_refused};
use super::clean::{clean, clip};
use super::page::{ORGANISATION_UNITS_MAX, answers, cut_to_fit};
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
    let values = [
        ("organisation", &*organisation),
        ("deed", deed),
        ("code", code),
        ("time", &until.to_hh_mm()),
    ];
    language.say("order.echo", &values)
}

/// What somebody who leads an alert tells everybody called to it. Behind it stands how to answer.
pub fn message(
    language: Language,
    organisation: &str,
    number: &str,
    from: &str,
    text: &str,
) -> String {
    let organisation = clip(&clean(organisation), ORGANISATION_UNITS_MAX);
    let values = [("number", number), ("organisation", &organisation)];
    let alert = language.say("alert", &values);
    let kind = AlertKind::Alert;
    let answer = answers(language, &CODE_MARK.to_string(), kind, kind.answers());
    let frozen = |text: &str| format!("{alert}, {}: {text}\n{answer}", name(from));
    frozen(&cut_to_fit(&clean(text), language, "00000", frozen))
}

/// `4711 ALL` answered these alerts as well, by number; or stood beside the code of an alert that gathers nothing.
pub fn answered_all(language: Language, also: Option<&[String]>) -> String {
    match also {
        Some([]) => language.word("order.all.nothing").to_owned(),
        Some(also) => language.say("order.all", &[("numbers", &listed(also))]),
        None => language.word("order.all.no_bundle").to_owned(),
    }
}

/// A severity's word, in lower case.
pub fn severity(language: Language, severity: Severity) -> &'static str {
    language.severity(severity)
}

/// Why a code that was sent back does nothing, or nothing yet.
pub fn order_unready(language: Language, unready: Unready<'_>) -> String {
    match unready {
        Unready::Expired { at } => {
            language.say("order.unready.expired", &[("time", &at.to_hh_mm())])
        }
        Unready::AlreadyDone { at } => {
            language.say("order.unready.already_done", &[("time", &at.to_hh_mm())])
        }
        Unready::Dropped => language.word("order.unready.dropped").to_owned(),
        Unready::Void => language.word("order.unready.void").to_owned(),
        Unready::Wrong { left } => {
            language.say("order.unready.wrong", &[("left", &left.to_string())])
        }
        Unready::Unclear { code } => language.say("order.unready.unclear", &[("code", code)]),
    }
}

/// What is said of a time of arrival that nobody can mean; the answer beside it counts.
pub(super) fn absurd(language: Language, said: &str) -> String {
    let said = clip(&clean(said), 12);
    let most = (ETA_MIN_MAX / 60).to_string();
    language.say("order.absurd_eta", &[("said", &said), ("hours", &most)])
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
