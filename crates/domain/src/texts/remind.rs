//! Texts to people called who are to say something again, and to those who lead about how it goes.

use super::clean::{clean, clip};
use super::page::{head, how_to_answer};
use super::reply::{alert, person};
use super::{About, PageText};
use crate::time::CivilTime;

/// How much of what happened a reminder repeats, in UTF-16 units.
const TEXT_UNITS_MAX: usize = 60;

/// Longest name of a site, in UTF-16 units.
const SITE_UNITS_MAX: usize = 40;

/// To somebody silent: that no answer came, what it is about, how to answer.
pub fn reminder(page: PageText<'_>) -> String {
    with_answers(page, page.language.word("no_answer_yet"))
}

/// To somebody who said "coming": to say so again by a time, or to count no more.
pub fn still_coming(page: PageText<'_>, until: CivilTime) -> String {
    let until = until.to_hh_mm();
    with_answers(
        page,
        &page.language.say("still_coming", &[("time", &until)]),
    )
}

/// To those who lead: somebody asks for help, or `by` saw that they need it.
pub fn needs_help(about: About<'_>, name: &str, site: &str, by: Option<&str>) -> String {
    let at = match clip(&clean(site), SITE_UNITS_MAX) {
        site if site.is_empty() => site,
        site => format!(" ({site})"),
    };
    let (alert, name) = (alert(about), person(name));
    let values = [("alert", alert.as_str()), ("name", &name), ("at", &at)];
    match by.map(person) {
        None => about.language.say("needs_help", &values),
        Some(by) => {
            let values = [&values[..], &[("by", &by)]].concat();
            about.language.say("needs_help.by", &values)
        }
    }
}

/// To those who lead a safety check: its rounds are over, and so many of those asked are missing.
pub fn time_is_over(about: About<'_>, missing: u64, asked: u64) -> String {
    let values = [
        ("alert", &*alert(about)),
        ("missing", &missing.to_string()),
        ("asked", &asked.to_string()),
    ];
    about.language.say("time_is_over", &values)
}

/// To those who lead a safety check: nobody is missing any more.
pub fn all_accounted_for(about: About<'_>, asked: u64) -> String {
    let values = [("alert", &*alert(about)), ("asked", &asked.to_string())];
    about.language.say("all_accounted_for", &values)
}

fn with_answers(page: PageText<'_>, words: &str) -> String {
    let head = head(page.language, page.organisation, page.status, page.number);
    let text = clip(&clean(page.text), TEXT_UNITS_MAX);
    format!("{head} {words} {text}\n{}", how_to_answer(page))
}
