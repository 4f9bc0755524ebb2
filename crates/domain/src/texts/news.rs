//! What people are told besides about an alert under way: more words, and that they are not needed any more.

use super::clean::{clean, clip};
use super::page::{cut_to_fit, head};
use super::{CODE_MARK, Language};
use crate::vocabulary::{IncidentRole, Status};

/// How much of an update a mail's subject shows.
const SUBJECT_UNITS_MAX: usize = 70;

/// The alert that the news is about.
#[derive(Clone, Copy, Debug)]
pub struct AlertNews<'a> {
    pub organisation: &'a str,
    pub status: Status,
    /// As people say it.
    pub number: &'a str,
}

/// The same news for each kind of channel.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct News {
    pub sms: String,
    /// Of the mail.
    pub subject: String,
    pub mail: String,
}

/// More words about an alert, with its code in front, so that whoever reads it can answer.
pub fn update(language: Language, about: AlertNews<'_>, text: &str) -> News {
    let word = language.word("news.update");
    news(language, about, word, text)
}

/// Whoever was called and is withdrawn from an alert.
pub fn not_needed(language: Language, about: AlertNews<'_>) -> News {
    let text = language.word("news.not_needed");
    news(language, about, "", text)
}

/// How a running alert stands, for whoever comes on duty.
#[derive(Clone, Copy, Debug)]
pub struct Briefing<'a> {
    /// Names of those on duty before; may be empty.
    pub before: &'a [String],
    /// Since the raise.
    pub minutes: u64,
    /// How many people are coming.
    pub coming: usize,
    /// How many have not answered.
    pub silent: usize,
}

/// Whoever comes on duty while an alert runs: how it stands, and that answering takes it over.
pub fn briefing(language: Language, about: AlertNews<'_>, now: &Briefing<'_>) -> News {
    let before = now.before.join(", ");
    let key = match before.is_empty() {
        false => "news.briefing.after",
        true => "news.briefing.first",
    };
    let values = [("before", &*before), ("running", &running(language, now))];
    let text = language.say(key, &values);
    news(language, about, "", &text)
}

/// Whoever took over a role in an incident: what it is, how the incident stands, and what was decided last.
pub fn role_briefing(
    language: Language,
    about: AlertNews<'_>,
    role: IncidentRole,
    now: &Briefing<'_>,
    decided: Option<&str>,
) -> News {
    let what = language.word(match role {
        IncidentRole::Leader => "news.role.leader",
        IncidentRole::Deputy => "news.role.deputy",
        IncidentRole::Scribe => "news.role.scribe",
        IncidentRole::Communications => "news.role.communications",
        IncidentRole::Liaison => "news.role.liaison",
    });
    let after = match now.before.join(", ") {
        nobody if nobody.is_empty() => nobody,
        before => language.say("news.role.after", &[("before", &before)]),
    };
    let decided = decided.map_or_else(String::new, |decided| {
        let decided = language.say("news.role.decided", &[("decided", decided)]);
        format!(" {decided}")
    });
    let text = format!("{what}{after}. {}{decided}", running(language, now));
    news(language, about, "", &text)
}

/// How long an alert has been running and what came of it so far.
fn running(language: Language, now: &Briefing<'_>) -> String {
    let values = [
        ("minutes", &*now.minutes.to_string()),
        ("coming", &now.coming.to_string()),
        ("silent", &now.silent.to_string()),
    ];
    language.say("news.running", &values)
}

pub(super) fn news(language: Language, about: AlertNews<'_>, word: &str, text: &str) -> News {
    let head = head(language, about.organisation, about.status, about.number);
    let head = match word {
        "" => head,
        word => format!("{head} {word}"),
    };
    let text = clean(text);
    let frozen = |text: &str| format!("{head} {text}");
    News {
        sms: frozen(&cut_to_fit(&text, language, "000000", frozen)),
        subject: frozen(&clip(&text, SUBJECT_UNITS_MAX)).replace(CODE_MARK, ""),
        mail: format!("{}\n", frozen(&text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::texts::{Marks, finish, parts};

    const ABOUT: AlertNews<'static> = AlertNews {
        organisation: "Aurora Energy",
        status: Status::Exercise,
        number: "118",
    };

    #[test]
    fn an_update_keeps_its_code_and_its_head_however_long_it_is() {
        let found = update(
            Language::parse("fi"),
            ABOUT,
            "Kokoontuminen siirtyy portille 5",
        );
        assert_eq!(
            finish(&found.sms, "4711", &Marks::default()),
            "4711 HARJOITUS Aurora Energy 118: lisätieto: Kokoontuminen siirtyy portille 5"
        );
        let long = update(Language::english(), ABOUT, &"ж".repeat(5_000));
        assert!(parts(&finish(&long.sms, "4711", &Marks::default())) <= 6);
        assert!(long.mail.contains(&"ж".repeat(5_000)));
    }
}
