//! What people are told besides about an alert under way: more words, and that they are not needed any more.

use super::clean::{clean, clip};
use super::page::{cut_to_fit, head};
use super::{CODE_MARK, Language};
use crate::vocabulary::Status;

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
