//! Automations as sentences, so that whoever prepares an alert reads what will happen; and what whoever asked for an
//! alert is told by them.

use super::Language;
use super::clean::{clean, clip};
use super::news::{AlertNews, News, news};
use crate::vocabulary::{Answer, Automation, Effect, When, Word};

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
        } => answered(language, *count, *answer, &whose(among)),
        When::Nobody {
            after_ms,
            answer,
            among,
        } => nobody(language, &span(*after_ms), *answer, &whose(among)),
        When::Complete => match language {
            Language::En => "When the team is complete".to_owned(),
            Language::Fi => "Kun ryhmä on koossa".to_owned(),
            Language::Sv => "När gruppen är fulltalig".to_owned(),
        },
        When::Incomplete { after_ms } => {
            let after = span(*after_ms);
            match language {
                Language::En => format!("When the team is not complete {after} after the raise"),
                Language::Fi => format!("Kun ryhmä ei ole koossa {after} hälytyksestä"),
                Language::Sv => format!("När gruppen inte är fulltalig {after} efter larmet"),
            }
        }
    }
}

fn answered(language: Language, count: u16, answer: Option<Answer>, whose: &str) -> String {
    let said = answer.map(|answer| format!("\"{}\"", language.words().answer(answer)));
    let said = |anything: &str| said.unwrap_or_else(|| anything.to_owned());
    match (language, count) {
        (Language::En, 1) => format!("When 1 person{whose} has answered {}", said("anything")),
        (Language::En, _) => {
            let said = said("anything");
            format!("When {count} people{whose} have answered {said}")
        }
        (Language::Fi, 1) => format!("Kun 1 henkilö{whose} on vastannut {}", said("jotakin")),
        (Language::Fi, _) => {
            let said = said("jotakin");
            format!("Kun {count} henkilöä{whose} on vastannut {said}")
        }
        (Language::Sv, _) => {
            let said = said("något");
            format!("När {count} av de larmade{whose} har svarat {said}")
        }
    }
}

fn nobody(language: Language, after: &str, answer: Option<Answer>, whose: &str) -> String {
    let said = answer.map_or_else(String::new, |answer| {
        format!(" \"{}\"", language.words().answer(answer))
    });
    match language {
        Language::En => format!("When nobody{whose} has answered{said} {after} after the raise"),
        Language::Fi => format!("Kun kukaan{whose} ei ole vastannut{said} {after} hälytyksestä"),
        Language::Sv => format!("När ingen{whose} har svarat{said} {after} efter larmet"),
    }
}

fn effect(language: Language, effect: &Effect) -> String {
    match (effect, language) {
        (Effect::Raise { template, .. }, Language::En) => format!("raise template {template}"),
        (Effect::Raise { template, .. }, Language::Fi) => format!("hälytä pohjalla {template}"),
        (Effect::Raise { template, .. }, Language::Sv) => format!("larma med mallen {template}"),
        (Effect::Add { to }, Language::En) => format!("call also {}", list(to)),
        (Effect::Add { to }, Language::Fi) => format!("kutsu lisäksi {}", list(to)),
        (Effect::Add { to }, Language::Sv) => format!("larma också {}", list(to)),
        (Effect::Post { text }, Language::En) => format!("write \"{}\" in the room", inner(text)),
        (Effect::Post { text }, Language::Fi) => {
            format!("kirjoita huoneeseen \"{}\"", inner(text))
        }
        (Effect::Post { text }, Language::Sv) => format!("skriv \"{}\" i rummet", inner(text)),
        (Effect::Severity { severity }, language) => {
            let word = language.words().severity(*severity);
            match language {
                Language::En => format!("make it {word}"),
                Language::Fi => format!("muuta vakavuudeksi {word}"),
                Language::Sv => format!("ändra allvarsgraden till {word}"),
            }
        }
        (Effect::Tell { news }, language) => tell(language, *news).to_owned(),
        (Effect::Close { .. }, Language::En) => "close the alert".to_owned(),
        (Effect::Close { .. }, Language::Fi) => "päätä hälytys".to_owned(),
        (Effect::Close { .. }, Language::Sv) => "avsluta larmet".to_owned(),
    }
}

fn tell(language: Language, news: Word) -> &'static str {
    match (language, news) {
        (Language::En, Word::Complete) => "tell whoever asked for it that the team is complete",
        (Language::En, Word::NotReached) => "tell whoever asked for it that too few were reached",
        (Language::Fi, Word::Complete) => "kerro pyytäjälle, että ryhmä on koossa",
        (Language::Fi, Word::NotReached) => "kerro pyytäjälle, ettei tarpeeksi moni ole tavoitettu",
        (Language::Sv, Word::Complete) => "meddela beställaren att gruppen är fulltalig",
        (Language::Sv, Word::NotReached) => "meddela beställaren att för få har nåtts",
    }
}

/// What whoever asked for an alert is told.
pub fn requester(language: Language, about: AlertNews<'_>, word: Word) -> News {
    let text = match (language, word) {
        (Language::En, Word::Complete) => "The team is complete.",
        (Language::En, Word::NotReached) => {
            "Too few have been reached so far; calling goes on. Decide what to do meanwhile."
        }
        (Language::Fi, Word::Complete) => "Ryhmä on koossa.",
        (Language::Fi, Word::NotReached) => {
            "Tarpeeksi monta ei ole vielä tavoitettu; kutsuminen jatkuu. Päätä, mitä sillä välin tehdään."
        }
        (Language::Sv, Word::Complete) => "Gruppen är fulltalig.",
        (Language::Sv, Word::NotReached) => {
            "För få har nåtts hittills; larmandet fortsätter. Besluta vad som görs under tiden."
        }
    };
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
    use crate::vocabulary::Severity;

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
        for language in [Language::En, Language::Fi, Language::Sv] {
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
