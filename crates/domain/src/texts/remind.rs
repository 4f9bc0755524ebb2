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
    with_answers(page, page.language.words().no_answer_yet())
}

/// To somebody who said "coming": to say so again by a time, or to count no more.
pub fn still_coming(page: PageText<'_>, until: CivilTime) -> String {
    with_answers(page, &page.language.words().still_coming(&until.to_hh_mm()))
}

/// To those who lead: somebody asks for help, or `by` saw that they need it.
pub fn needs_help(about: About<'_>, name: &str, site: &str, by: Option<&str>) -> String {
    let by = by.map(person);
    let site = clip(&clean(site), SITE_UNITS_MAX);
    let words = about.language.words();
    words.needs_help(&alert(about), &person(name), &site, by.as_deref())
}

/// To those who lead a safety check: its rounds are over, and so many of those asked are missing.
pub fn time_is_over(about: About<'_>, missing: u64, asked: u64) -> String {
    let words = about.language.words();
    words.time_is_over(&alert(about), missing, asked)
}

/// To those who lead a safety check: nobody is missing any more.
pub fn all_accounted_for(about: About<'_>, asked: u64) -> String {
    about
        .language
        .words()
        .all_accounted_for(&alert(about), asked)
}

fn with_answers(page: PageText<'_>, words: &str) -> String {
    let head = head(page.language, page.organisation, page.status, page.number);
    let text = clip(&clean(page.text), TEXT_UNITS_MAX);
    format!("{head} {words} {text}\n{}", how_to_answer(page))
}
