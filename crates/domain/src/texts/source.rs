//! What people are told on behalf of programs: bundles, silence where a sign of life was due, signals that come and go.

use super::Language;
use super::clean::{clean, clip};
use super::page::head;
use crate::vocabulary::Status;

/// The longest text of a program's own inside one of ours.
const INNER_UNITS_MAX: usize = 120;

/// The longest text of a program's own to which words of ours are added.
const WHOLE_UNITS_MAX: usize = 1_500;

/// Names listed before the rest is only counted.
const NAMES_MAX: usize = 6;

/// The first text of an alert that stands for alarms of one source: what they are and that more are counted here.
pub fn bundle(language: Language, source: &str, newest: &str) -> String {
    let values = [("source", &*inner(source)), ("newest", &inner(newest))];
    language.say("source.bundle", &values)
}

/// The first text of an alert that stands for alarms of many sources, held back because a person got so many.
pub fn overflow(language: Language, most: u16, minutes: u64, newest: &str) -> String {
    let values = [
        ("most", &*most.to_string()),
        ("minutes", &minutes.to_string()),
        ("newest", &inner(newest)),
    ];
    language.say("source.overflow", &values)
}

/// The first text of an alert that stands for alarms of one source whose SMS budget is used up.
pub fn over_budget(language: Language, source: &str, newest: &str) -> String {
    let values = [("source", &*inner(source)), ("newest", &inner(newest))];
    language.say("source.over_budget", &values)
}

/// To those on duty: somebody stopped everything automatic.
pub fn all_stopped(language: Language, by: &str, minutes: u64, reason: &str) -> String {
    let values = [
        ("by", &*inner(by)),
        ("minutes", &minutes.to_string()),
        ("reason", &inner(reason)),
    ];
    language.say("source.all_stopped", &values)
}

/// How far a bundle has grown, with its mark for the code that answers it.
pub fn grown(
    language: Language,
    organisation: &str,
    status: Status,
    number: &str,
    count: u64,
    newest: &str,
) -> String {
    let head = head(language, organisation, status, number);
    let values = [("n", &*count.to_string()), ("newest", &inner(newest))];
    format!("{head} {}", language.say("source.grown", &values))
}

/// A program said that it told only a part.
pub fn left_out(language: Language, source: &str, count: u64) -> String {
    let values = [("source", &*inner(source)), ("count", &count.to_string())];
    language.say("source.left_out", &values)
}

/// Somebody who should have given a sign of life did not.
pub fn silent(language: Language, names: &[String]) -> String {
    let mut shown: Vec<String> = names
        .iter()
        .take(NAMES_MAX)
        .map(|name| inner(name))
        .collect();
    if names.len() > NAMES_MAX {
        shown.push("...".to_owned());
    }
    let values = [
        ("n", &*names.len().to_string()),
        ("list", &shown.join(", ")),
    ];
    language.say("source.silent", &values)
}

/// A signal that opens and closes so often that it is told once and then held.
pub fn flapping(language: Language, text: &str, changes: u16, minutes: u64) -> String {
    let values = [
        ("text", &*clip(text, WHOLE_UNITS_MAX)),
        ("changes", &changes.to_string()),
        ("minutes", &minutes.to_string()),
    ];
    language.say("source.flapping", &values)
}

/// A source sent something that nobody here can read.
pub fn unreadable(language: Language, source: &str) -> String {
    language.say("source.unreadable", &[("source", &inner(source))])
}

/// Whoever a source calls is gone, so those on duty are called instead.
pub fn nobody(language: Language, text: &str) -> String {
    let text = clip(text, WHOLE_UNITS_MAX);
    language.say("source.nobody", &[("text", &text)])
}

/// A program's words inside a sentence of ours, which has a full stop of its own.
fn inner(text: &str) -> String {
    clip(clean(text).trim_end_matches(['.', ' ']), INNER_UNITS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_says_ends_in_one_full_stop() {
        assert_eq!(
            bundle(Language::english(), "siren", "Look there."),
            "More alarms from siren: Look there. Further ones are counted here."
        );
    }

    #[test]
    fn a_long_list_of_the_silent_is_counted_and_cut() {
        let names: Vec<String> = (1..=9).map(|n| format!("pump-{n}")).collect();
        assert_eq!(
            silent(Language::english(), &names),
            "No sign of life from 9: pump-1, pump-2, pump-3, pump-4, pump-5, pump-6, ...."
        );
        assert_eq!(
            silent(Language::parse("fi"), &names[..1]),
            "Ei elonmerkkiä: pump-1."
        );
    }

    #[test]
    fn what_a_program_wrote_cannot_push_our_words_out() {
        let text = bundle(Language::parse("sv"), "scada\r\n", &"x".repeat(5_000));
        assert!(text.chars().count() < 220, "{text}");
        assert!(text.ends_with("Ytterligare räknas här."), "{text}");
    }
}
