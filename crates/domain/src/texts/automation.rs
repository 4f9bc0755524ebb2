//! Automations as sentences, so that whoever prepares an alert reads what will happen; and what whoever asked for an
//! alert is told by them.

use super::Language;
use super::clean::{clean, clip};
use super::news::{AlertNews, News, news};
use crate::vocabulary::{Automation, Effect, When, Word};

/// The longest words of a template's own inside a sentence.
const INNER_UNITS_MAX: usize = 80;

/// One automation: `When nobody has answered 5 min after the raise: call group:managers.`
pub fn automation(language: Language, automation: &Automation) -> String {
    let effects: Vec<String> = automation
        .then
        .iter()
        .map(|then| effect(language, then))
        .collect();
    format!(
        "{}: {}.",
        when(language, &automation.when),
        effects.join("; ")
    )
}

fn when(language: Language, when: &When) -> String {
    match when {
        When::Answered {
            count,
            answer,
            among,
        } => {
            let said = match answer {
                Some(answer) => format!("\"{}\"", language.answer(*answer)),
                None => language.word("automation.anything").to_owned(),
            };
            let values = [
                ("n", &*count.to_string()),
                ("whose", &whose(among)),
                ("said", &said),
            ];
            language.say("automation.answered", &values)
        }
        When::Nobody {
            after_ms,
            answer,
            among,
        } => {
            let said = answer.map_or_else(String::new, |answer| {
                format!(" \"{}\"", language.answer(answer))
            });
            let values = [
                ("whose", &*whose(among)),
                ("said", &said),
                ("after", &span(*after_ms)),
            ];
            language.say("automation.nobody", &values)
        }
        When::Complete => language.word("automation.complete").to_owned(),
        When::Incomplete { after_ms } => {
            language.say("automation.incomplete", &[("after", &span(*after_ms))])
        }
    }
}

fn effect(language: Language, effect: &Effect) -> String {
    match effect {
        Effect::Raise { template, .. } => {
            language.say("automation.raise", &[("template", template)])
        }
        Effect::Add { to } => language.say("automation.add", &[("to", &list(to))]),
        Effect::Post { text } => language.say("automation.post", &[("text", &inner(text))]),
        Effect::Severity { severity } => {
            let severity = language.severity(*severity);
            language.say("automation.severity", &[("severity", severity)])
        }
        Effect::Tell { news } => language
            .word(match news {
                Word::Complete => "automation.tell.complete",
                Word::NotReached => "automation.tell.not_reached",
            })
            .to_owned(),
        Effect::Close { .. } => language.word("automation.close").to_owned(),
    }
}

/// What whoever asked for an alert is told.
pub fn requester(language: Language, about: AlertNews<'_>, word: Word) -> News {
    let text = language.word(match word {
        Word::Complete => "automation.news.complete",
        Word::NotReached => "automation.news.not_reached",
    });
    news(language, about, "", text)
}

/// ` (group:duty, person:anna)`, or nothing for everyone.
fn whose(among: &[String]) -> String {
    match among {
        [] => String::new(),
        among => format!(" ({})", list(among)),
    }
}

fn list(names: &[String]) -> String {
    names.join(", ")
}

fn inner(text: &str) -> String {
    clip(&clean(text), INNER_UNITS_MAX)
}

/// `90 s`, `5 min`, `2 h`: the same in every language here.
fn span(ms: u64) -> String {
    let seconds = ms.div_ceil(1_000);
    match seconds {
        0 => "0 s".to_owned(),
        s if s % 3_600 == 0 => format!("{} h", s / 3_600),
        s if s % 60 == 0 => format!("{} min", s / 60),
        s => format!("{s} s"),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::vocabulary::{Answer, Severity};

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn an_automation_is_a_sentence_in_every_language() {
        let all = [
            Automation {
                when: When::Answered {
                    count: 2,
                    answer: Some(Answer::Cannot),
                    among: names(&["group:duty"]),
                },
                then: vec![
                    Effect::Add {
                        to: names(&["group:managers", "schedule:network"]),
                    },
                    Effect::Severity {
                        severity: Severity::Critical,
                    },
                ],
            },
            Automation {
                when: When::Nobody {
                    after_ms: 300_000,
                    answer: None,
                    among: Vec::new(),
                },
                then: vec![
                    Effect::Raise {
                        template: "managers".to_owned(),
                        values: Default::default(),
                    },
                    Effect::Tell {
                        news: Word::NotReached,
                    },
                ],
            },
            Automation {
                when: When::Complete,
                then: vec![
                    Effect::Post {
                        text: "Begin at Gate 3".to_owned(),
                    },
                    Effect::Close {
                        note: String::new(),
                    },
                ],
            },
        ];
        let mut shown = String::new();
        for language in ["en", "fi", "sv"].map(Language::parse) {
            for one in &all {
                shown.push_str(&automation(language, one));
                shown.push('\n');
            }
        }
        expect![[r#"
            When 2 people (group:duty) have answered "cannot come": call also group:managers, schedule:network; make it critical.
            When nobody has answered 5 min after the raise: raise template managers; tell whoever asked for it that too few were reached.
            When the team is complete: write "Begin at Gate 3" in the room; close the alert.
            Kun 2 henkilöä (group:duty) on vastannut "ei pääse": kutsu lisäksi group:managers, schedule:network; muuta vakavuudeksi kriittinen.
            Kun kukaan ei ole vastannut 5 min hälytyksestä: hälytä pohjalla managers; kerro pyytäjälle, ettei tarpeeksi moni ole tavoitettu.
            Kun ryhmä on koossa: kirjoita huoneeseen "Begin at Gate 3"; päätä hälytys.
            När 2 av de larmade (group:duty) har svarat "kan inte komma": larma också group:managers, schedule:network; ändra allvarsgraden till kritisk.
            När ingen har svarat 5 min efter larmet: larma med mallen managers; meddela beställaren att för få har nåtts.
            När gruppen är fulltalig: skriv "Begin at Gate 3" i rummet; avsluta larmet.
        "#]]
        .assert_eq(&shown);
    }
}
