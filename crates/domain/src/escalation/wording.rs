//! From an alert's frozen content to the texts its deliveries carry.

use serde::{Deserialize, Serialize};

use crate::deliveries::FrozenText;
use crate::texts::{self, Language};
use crate::time::CivilTime;
use crate::vocabulary::{AlertKind, Answer, Severity, Status};

/// What an alert's texts are made from, frozen at the raise.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Content {
    /// The number people say aloud: `118` or `B-7`. Rows of the first release hold a bare count.
    #[serde(deserialize_with = "label")]
    pub(crate) number: String,
    pub(crate) severity: Severity,
    pub(crate) status: Status,
    /// By language; the first serves languages that are missing.
    pub(crate) texts: Vec<(String, String)>,
    pub(crate) gather: String,
    /// Where to gather in languages that have words of their own for it.
    #[serde(default)]
    pub(crate) gather_in: Vec<(String, String)>,
    #[serde(default)]
    pub(crate) kind: AlertKind,
    /// The answers people are offered; empty: all.
    #[serde(default)]
    pub(crate) answers: Vec<Answer>,
    /// Kinds of contact method people should be called by; empty: each person's own order.
    #[serde(default)]
    pub(crate) channels: Vec<String>,
}

impl Content {
    pub(crate) fn text_in(&self, language: Language) -> &str {
        let own = self.texts.iter().find(|(tag, _)| tag == language.tag());
        own.or(self.texts.first()).map_or("", |(_, text)| text)
    }

    fn gather_for(&self, language: Language) -> &str {
        let own = self.gather_in.iter().find(|(tag, _)| tag == language.tag());
        own.map_or(&self.gather, |(_, words)| words)
    }

    fn page_text<'a>(&'a self, language: Language, organisation: &'a str) -> texts::PageText<'a> {
        texts::PageText {
            language,
            organisation,
            status: self.status,
            severity: self.severity,
            high_assurance: false,
            number: &self.number,
            text: self.text_in(language),
            gather: self.gather_for(language),
            kind: self.kind,
            answers: match self.answers.as_slice() {
                [] => self.kind.answers(),
                offered => offered,
            },
        }
    }

    /// The calls, in every language, for SMS and mail.
    pub(crate) fn pages(&self, organisation: &str) -> Vec<FrozenText> {
        let both = |language| {
            let page = self.page_text(language, organisation);
            both_kinds(language, texts::page(page), texts::page_mail(page))
        };
        Language::all().iter().copied().flat_map(both).collect()
    }

    /// Subject and body of what a silent person is told once more.
    pub(super) fn reminder(&self, organisation: &str, language: Language) -> (String, String) {
        let page = self.page_text(language, organisation);
        (texts::page_mail(page).0, texts::reminder(page))
    }

    /// Subject and body of what somebody coming is asked.
    pub(super) fn still_coming(
        &self,
        organisation: &str,
        language: Language,
        until: CivilTime,
    ) -> (String, String) {
        let page = self.page_text(language, organisation);
        let body = texts::still_coming(page, until);
        (texts::page_mail(page).0, body)
    }

    /// The call-offs, in every language, for SMS and mail.
    pub(super) fn call_offs(&self, organisation: &str, reason: &str) -> Vec<FrozenText> {
        let both = |language| {
            let text = texts::CallOffText {
                language,
                organisation,
                status: self.status,
                number: &self.number,
                reason,
            };
            both_kinds(language, texts::call_off(text), texts::call_off_mail(text))
        };
        Language::all().iter().copied().flat_map(both).collect()
    }
}

fn label<'de, D: serde::Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let value = serde_json::Value::deserialize(from)?;
    Ok(value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned))
}

fn both_kinds(
    language: Language,
    sms: String,
    (subject, body): (String, String),
) -> [FrozenText; 2] {
    let language = language.tag();
    [
        FrozenText {
            language,
            kind: "sms",
            subject: String::new(),
            body: sms,
        },
        FrozenText {
            language,
            kind: "email",
            subject,
            body,
        },
    ]
}
