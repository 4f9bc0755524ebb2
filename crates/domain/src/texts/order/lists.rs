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
        return language.say("order.standing.none", &[("organisation", &organisation)]);
    }
    let line = |s: &Standing<'_>| {
        let leads = match s.leader {
            "" => String::new(),
            leader => language.say("order.standing.leads", &[("name", &name(leader))]),
        };
        let text = clip(clean(s.text).trim_end_matches('.'), WORDS_UNITS_MAX / 2);
        let values = [
            ("number", s.number),
            ("time", &s.raised_at.to_hh_mm()),
            ("text", &text),
            ("coming", &s.coming.to_string()),
            ("needed", &s.needed.to_string()),
            ("cannot", &s.cannot.to_string()),
            ("help", &s.help.to_string()),
            ("silent", &s.silent.to_string()),
            ("leads", &leads),
        ];
        language.say("order.standing", &values)
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
    let heading = [("number", number), ("silent", &silent.to_string())];
    let heading = language.say("order.who_comes", &heading);
    let line = |(person, answer, eta): &(String, Answer, Option<CivilTime>)| {
        let said = language.answer(*answer);
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
    match people {
        [] => language.say("order.on_call.nobody", &[("schedule", &schedule)]),
        people => {
            let values = [("schedule", &*schedule), ("people", &listed(people))];
            language.say("order.on_call", &values)
        }
    }
}
