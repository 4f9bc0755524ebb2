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
    let word = match language {
        Language::En => "update:",
        Language::Fi => "lisätieto:",
        Language::Sv => "mer information:",
    };
    news(language, about, word, text)
}

/// Whoever was called and is withdrawn from an alert.
pub fn not_needed(language: Language, about: AlertNews<'_>) -> News {
    let text = match language {
        Language::En => {
            "You are not needed for this any more. The alert goes on without you; no need to answer."
        }
        Language::Fi => {
            "Sinua ei enää tarvita tässä. Hälytys jatkuu ilman sinua, vastata ei tarvitse."
        }
        Language::Sv => {
            "Du behövs inte längre för detta. Larmet fortsätter utan dig, du behöver inte svara."
        }
    };
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
    let running = running(language, now);
    let before = now.before.join(", ");
    let text = match (language, before.is_empty()) {
        (Language::En, false) => format!(
            "You are on duty now, after {before}. {running} Answer 1 to take over; until then those before you stay called."
        ),
        (Language::En, true) => {
            format!("You are on duty now, nobody was before you. {running} Answer 1 to take over.")
        }
        (Language::Fi, false) => format!(
            "Olet nyt vuorossa, ennen sinua {before}. {running} Vastaa 1, niin otat vastuun; siihen asti aiemmat pysyvät kutsuttuina."
        ),
        (Language::Fi, true) => {
            format!(
                "Olet nyt vuorossa, ennen sinua ei ketään. {running} Vastaa 1, niin otat vastuun."
            )
        }
        (Language::Sv, false) => format!(
            "Du har jour nu, efter {before}. {running} Svara 1 för att ta över; till dess är de före dig kallade."
        ),
        (Language::Sv, true) => {
            format!("Du har jour nu, ingen hade jour före dig. {running} Svara 1 för att ta över.")
        }
    };
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
    use IncidentRole::{Communications, Deputy, Leader, Liaison, Scribe};
    let what = match (language, role) {
        (Language::En, Leader) => "You lead this incident now",
        (Language::En, Deputy) => "You are deputy leader of this incident now",
        (Language::En, Scribe) => "You keep the diary of this incident now",
        (Language::En, Communications) => "You speak for this incident to those outside now",
        (Language::En, Liaison) => "You are liaison of this incident now",
        (Language::Fi, Leader) => "Johdat nyt tätä tilannetta",
        (Language::Fi, Deputy) => "Olet nyt tilanteen varajohtaja",
        (Language::Fi, Scribe) => "Pidät nyt tilannepäiväkirjaa",
        (Language::Fi, Communications) => "Vastaat nyt tilanteen viestinnästä",
        (Language::Fi, Liaison) => "Olet nyt tilanteen yhteyshenkilö",
        (Language::Sv, Leader) => "Du leder nu insatsen",
        (Language::Sv, Deputy) => "Du är nu ställföreträdande ledare",
        (Language::Sv, Scribe) => "Du för nu loggboken",
        (Language::Sv, Communications) => "Du sköter nu kommunikationen utåt",
        (Language::Sv, Liaison) => "Du är nu samverkansperson",
    };
    let before = now.before.join(", ");
    let after = match (language, before.is_empty()) {
        (Language::En | Language::Fi | Language::Sv, true) => String::new(),
        (Language::En, false) => format!(", after {before}"),
        (Language::Fi, false) => format!(", ennen sinua {before}"),
        (Language::Sv, false) => format!(", efter {before}"),
    };
    let decided = decided.map_or_else(String::new, |decided| {
        let word = match language {
            Language::En => "Last decision:",
            Language::Fi => "Viimeisin päätös:",
            Language::Sv => "Senaste beslut:",
        };
        format!(" {word} {decided}")
    });
    let text = format!("{what}{after}. {}{decided}", running(language, now));
    news(language, about, "", &text)
}

/// How long an alert has been running and what came of it so far.
fn running(language: Language, now: &Briefing<'_>) -> String {
    let Briefing {
        minutes,
        coming,
        silent,
        ..
    } = now;
    match language {
        Language::En => format!("Running for {minutes} min: {coming} coming, {silent} silent."),
        Language::Fi => format!("Kestänyt {minutes} min: tulossa {coming}, vastaamatta {silent}."),
        Language::Sv => {
            format!("Pågått {minutes} min: {coming} kommer, {silent} har inte svarat.")
        }
    }
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
        let found = update(Language::Fi, ABOUT, "Kokoontuminen siirtyy portille 5");
        assert_eq!(
            finish(&found.sms, "4711", &Marks::default()),
            "4711 HARJOITUS Aurora Energy 118: lisätieto: Kokoontuminen siirtyy portille 5"
        );
        let long = update(Language::En, ABOUT, &"ж".repeat(5_000));
        assert!(parts(&finish(&long.sms, "4711", &Marks::default())) <= 6);
        assert!(long.mail.contains(&"ж".repeat(5_000)));
    }
}
