//! How things stand, in lists short enough for a text.

use super::{WORDS_UNITS_MAX, listed, name};
use crate::texts::Language;
use crate::texts::clean::{clean, clip};
use crate::texts::page::ORGANISATION_UNITS_MAX;
use crate::time::CivilTime;
use crate::vocabulary::Answer;

/// Lines of a list.
const LINES_MAX: usize = 8;

/// How one alert stands.
#[derive(Clone, Copy, Debug)]
pub struct Standing<'a> {
    pub number: &'a str,
    pub text: &'a str,
    pub raised_at: CivilTime,
    pub coming: u64,
    pub needed: u64,
    pub cannot: u64,
    pub help: u64,
    pub silent: u64,
    /// Who leads; empty: nobody.
    pub leader: &'a str,
}

/// How alerts stand, newest first, or that none is open.
pub fn standings(language: Language, organisation: &str, standings: &[Standing<'_>]) -> String {
    let organisation = clip(&clean(organisation), ORGANISATION_UNITS_MAX);
    if standings.is_empty() {
        return match language {
            Language::En => format!("{organisation}: no alert is open."),
            Language::Fi => format!("{organisation}: mitään hälytystä ei ole auki."),
            Language::Sv => format!("{organisation}: inget larm är öppet."),
        };
    }
    let line = |s: &Standing<'_>| {
        let (at, text) = (
            s.raised_at.to_hh_mm(),
            clip(clean(s.text).trim_end_matches('.'), WORDS_UNITS_MAX / 2),
        );
        let Standing {
            number,
            coming,
            needed,
            cannot,
            help,
            silent,
            ..
        } = s;
        let leads = match (language, s.leader) {
            (Language::En | Language::Fi | Language::Sv, "") => String::new(),
            (Language::En, leader) => format!(", {} leads", name(leader)),
            (Language::Fi, leader) => format!(", johtaa {}", name(leader)),
            (Language::Sv, leader) => format!(", {} leder", name(leader)),
        };
        match language {
            Language::En => format!(
                "{number} {at} UTC {text}: coming {coming}/{needed}, cannot {cannot}, help {help}, silent {silent}{leads}"
            ),
            Language::Fi => format!(
                "{number} {at} UTC {text}: tulossa {coming}/{needed}, ei pääse {cannot}, apua {help}, hiljaa {silent}{leads}"
            ),
            Language::Sv => format!(
                "{number} {at} UTC {text}: kommer {coming}/{needed}, kan inte {cannot}, hjälp {help}, tysta {silent}{leads}"
            ),
        }
    };
    let mut lines: Vec<String> = standings.iter().take(LINES_MAX).map(line).collect();
    if standings.len() > LINES_MAX {
        lines.push(format!("+{}", standings.len() - LINES_MAX));
    }
    format!("{organisation}:\n{}", lines.join("\n"))
}

/// Who comes to an alert and when, then who said something else. Everybody by name and answer; `silent` said nothing.
pub fn who_comes(
    language: Language,
    number: &str,
    people: &[(String, Answer, Option<CivilTime>)],
    silent: u64,
) -> String {
    let heading = match language {
        Language::En => format!("Alert {number}, silent {silent}."),
        Language::Fi => format!("Hälytys {number}, hiljaa {silent}."),
        Language::Sv => format!("Larm {number}, tysta {silent}."),
    };
    let line = |(person, answer, eta): &(String, Answer, Option<CivilTime>)| {
        let said = language.words().answer(*answer);
        let when = eta.map_or_else(String::new, |at| format!(" {} UTC", at.to_hh_mm()));
        format!("{}: {said}{when}", name(person))
    };
    let mut lines: Vec<String> = people.iter().take(LINES_MAX).map(line).collect();
    if people.len() > LINES_MAX {
        lines.push(format!("+{}", people.len() - LINES_MAX));
    }
    lines.insert(0, heading);
    lines.join("\n")
}

/// Who is on call in a schedule now.
pub fn who_on_call(language: Language, schedule: &str, people: &[String]) -> String {
    let schedule = name(schedule);
    let named = listed(people);
    match (language, people.is_empty()) {
        (Language::En, false) => format!("On call in {schedule} now: {named}"),
        (Language::Fi, false) => format!("Päivystysvuorossa ({schedule}) nyt: {named}"),
        (Language::Sv, false) => format!("Jour i {schedule} nu: {named}"),
        (Language::En, true) => format!("Nobody is on call in {schedule} now."),
        (Language::Fi, true) => format!("Kukaan ei ole nyt vuorossa ({schedule})."),
        (Language::Sv, true) => format!("Ingen har jour i {schedule} nu."),
    }
}
