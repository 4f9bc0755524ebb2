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
    let (source, newest) = (inner(source), inner(newest));
    match language {
        Language::En => {
            format!("More alarms from {source}: {newest}. Further ones are counted here.")
        }
        Language::Fi => format!("Lisää hälytyksiä, {source}: {newest}. Seuraavat lasketaan tähän."),
        Language::Sv => format!("Fler larm från {source}: {newest}. Ytterligare räknas här."),
    }
}

/// The first text of an alert that stands for alarms of many sources, held back because a person got so many.
pub fn overflow(language: Language, most: u16, minutes: u64, newest: &str) -> String {
    let newest = inner(newest);
    match language {
        Language::En => format!(
            "More than {most} automatic alarms in {minutes} min. The rest is counted here, newest: {newest}. \
             See: holdfast source list"
        ),
        Language::Fi => format!(
            "Yli {most} automaattista hälytystä {minutes} minuutissa. Loput lasketaan tähän, uusin: {newest}. \
             Katso: holdfast source list"
        ),
        Language::Sv => format!(
            "Över {most} automatiska larm på {minutes} min. Resten räknas här, senaste: {newest}. \
             Se: holdfast source list"
        ),
    }
}

/// The first text of an alert that stands for alarms of one source whose SMS budget is used up.
pub fn over_budget(language: Language, source: &str, newest: &str) -> String {
    let (source, newest) = (inner(source), inner(newest));
    match language {
        Language::En => format!(
            "The SMS budget of {source} is used up. Its alarms are counted here unless critical, newest: {newest}. \
             See: holdfast limits show"
        ),
        Language::Fi => format!(
            "Lähteen {source} tekstiviestibudjetti on käytetty. Hälytykset lasketaan tähän, jos eivät ole kriittisiä, uusin: \
             {newest}. Katso: holdfast limits show"
        ),
        Language::Sv => format!(
            "SMS-budgeten för {source} är förbrukad. Larm som inte är kritiska räknas här, senaste: {newest}. \
             Se: holdfast limits show"
        ),
    }
}

/// To those on duty: somebody stopped everything automatic.
pub fn all_stopped(language: Language, by: &str, minutes: u64, reason: &str) -> String {
    let (by, reason) = (inner(by), inner(reason));
    match language {
        Language::En => format!(
            "All automatic alarms are stopped by {by} for {minutes} min: {reason}. People's own alerts go on. End it: \
             holdfast source resume"
        ),
        Language::Fi => format!(
            "{by} pysäytti kaikki automaattiset hälytykset, {minutes} min: {reason}. Ihmisten hälytykset lähtevät. Lopeta: \
             holdfast source resume"
        ),
        Language::Sv => format!(
            "{by} stoppade alla automatiska larm, {minutes} min: {reason}. Människors larm går ut. Avsluta: \
             holdfast source resume"
        ),
    }
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
    let newest = inner(newest);
    match language {
        Language::En => format!("{head} {count} alarms by now, newest: {newest}"),
        Language::Fi => format!("{head} tähän mennessä {count} hälytystä, uusin: {newest}"),
        Language::Sv => format!("{head} {count} larm hittills, senaste: {newest}"),
    }
}

/// A program said that it told only a part.
pub fn left_out(language: Language, source: &str, count: u64) -> String {
    let source = inner(source);
    match language {
        Language::En => format!("{source} left out further alerts: {count}. Look there."),
        Language::Fi => format!("{source} jätti hälytyksiä pois: {count}. Katso sieltä."),
        Language::Sv => format!("{source} utelämnade fler larm: {count}. Se där."),
    }
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
    let (count, list) = (names.len(), shown.join(", "));
    match (language, count) {
        (Language::En, 1) => format!("No sign of life from {list}."),
        (Language::En, _) => format!("No sign of life from {count}: {list}."),
        (Language::Fi, 1) => format!("Ei elonmerkkiä: {list}."),
        (Language::Fi, _) => format!("Ei elonmerkkiä, {count} kpl: {list}."),
        (Language::Sv, 1) => format!("Inget livstecken från {list}."),
        (Language::Sv, _) => format!("Inget livstecken från {count}: {list}."),
    }
}

/// A signal that opens and closes so often that it is told once and then held.
pub fn flapping(language: Language, text: &str, changes: u16, minutes: u64) -> String {
    let text = clip(text, WHOLE_UNITS_MAX);
    match language {
        Language::En => format!(
            "{text} (came {changes} times in {minutes} min; held until it has been quiet as long)"
        ),
        Language::Fi => {
            format!(
                "{text} (tuli {changes} kertaa {minutes} minuutissa; pidätetään kunnes rauhoittuu)"
            )
        }
        Language::Sv => {
            format!("{text} (kom {changes} gånger på {minutes} min; hålls tills det lugnat sig)")
        }
    }
}

/// A source sent something that nobody here can read.
pub fn unreadable(language: Language, source: &str) -> String {
    let source = inner(source);
    match language {
        Language::En => {
            format!("{source}: something came that cannot be read. Look there, and at its mapping.")
        }
        Language::Fi => {
            format!("{source}: tuli jotakin, mitä ei voi lukea. Katso sieltä, ja lähteen määritys.")
        }
        Language::Sv => {
            format!("{source}: något kom som inte kan läsas. Se efter där, och i dess mappning.")
        }
    }
}

/// Whoever a source calls is gone, so those on duty are called instead.
pub fn nobody(language: Language, text: &str) -> String {
    let text = clip(text, WHOLE_UNITS_MAX);
    match language {
        Language::En => format!("{text} (nobody is named for this source any more)"),
        Language::Fi => format!("{text} (tälle lähteelle ei ole enää nimetty ketään)"),
        Language::Sv => format!("{text} (ingen är längre utsedd för denna källa)"),
    }
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
            bundle(Language::En, "siren", "Look there."),
            "More alarms from siren: Look there. Further ones are counted here."
        );
    }

    #[test]
    fn a_long_list_of_the_silent_is_counted_and_cut() {
        let names: Vec<String> = (1..=9).map(|n| format!("pump-{n}")).collect();
        assert_eq!(
            silent(Language::En, &names),
            "No sign of life from 9: pump-1, pump-2, pump-3, pump-4, pump-5, pump-6, ...."
        );
        assert_eq!(silent(Language::Fi, &names[..1]), "Ei elonmerkkiä: pump-1.");
    }

    #[test]
    fn what_a_program_wrote_cannot_push_our_words_out() {
        let text = bundle(Language::Sv, "scada\r\n", &"x".repeat(5_000));
        assert!(text.chars().count() < 220, "{text}");
        assert!(text.ends_with("Ytterligare räknas här."), "{text}");
    }
}
