//! Which words a person gets.

use std::cmp::Ordering;
use std::fmt;
use std::sync::LazyLock;

use words::Catalogue;

use crate::vocabulary::{Answer, Severity};

/// A language Holdfast speaks.
#[derive(Clone, Copy)]
pub struct Language(&'static Catalogue);

impl Language {
    /// All of them, for texts that are frozen once per language; English first.
    pub fn all() -> &'static [Self] {
        static ALL: LazyLock<Vec<Language>> =
            LazyLock::new(|| words::built_in().iter().map(Language).collect());
        &ALL
    }

    /// Also serves everyone whose language is not spoken here.
    pub fn english() -> Self {
        Self::all()[0]
    }

    /// Reads the primary subtag of a BCP 47 tag: `fi`, `FI-fi` and `fi_FI` are Finnish, `nb` is English to us.
    pub fn parse(tag: &str) -> Self {
        let primary = tag.trim().split(['-', '_']).next().unwrap_or_default();
        let mut all = Self::all().iter().copied();
        all.find(|language| language.tag().eq_ignore_ascii_case(primary))
            .unwrap_or_default()
    }

    /// The likeliest language of a number that belongs to nobody we know, by its country code.
    pub fn of_number(number: &str) -> Self {
        let mut known = COUNTRY_CODES.iter();
        let found = known.find(|(code, _)| number.starts_with(code));
        found.map_or_else(Self::english, |(_, tag)| Self::parse(tag))
    }

    /// The BCP 47 tag as stored in rows.
    pub fn tag(self) -> &'static str {
        self.0.tag()
    }

    /// What its speakers call it.
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    pub(crate) fn severity(self, severity: Severity) -> &'static str {
        self.word(match severity {
            Severity::Low => "severity.low",
            Severity::Normal => "severity.normal",
            Severity::High => "severity.high",
            Severity::Critical => "severity.critical",
        })
    }

    /// What is true of a person who gave this answer: "coming".
    pub(crate) fn answer(self, answer: Answer) -> &'static str {
        self.word(match answer {
            Answer::Coming => "answer.coming",
            Answer::Cannot => "answer.cannot",
            Answer::Received => "answer.received",
            Answer::NeedHelp => "answer.need_help",
            Answer::Safe => "answer.safe",
            Answer::NotOnSite => "answer.not_on_site",
        })
    }

    /// What a person types a digit for, as short as can be.
    pub(super) fn hint(self, answer: Answer) -> &'static str {
        self.word(match answer {
            Answer::Coming => "hint.coming",
            Answer::Cannot => "hint.cannot",
            Answer::Received => "hint.received",
            Answer::NeedHelp => "hint.need_help",
            Answer::Safe => "hint.safe",
            Answer::NotOnSite => "hint.not_on_site",
        })
    }

    /// The words of `sms.` and `key`. A test finds every key that is named here in the catalogue.
    pub(crate) fn word(self, key: &str) -> &'static str {
        let key = format!("sms.{key}");
        let english = || Self::english().0.text(&key);
        self.0.text(&key).or_else(english).unwrap_or_default()
    }

    /// The words of `sms.` and `key` with `{name}` replaced by its value; `n` chooses the plural form.
    pub(crate) fn say(self, key: &str, values: &[(&str, &str)]) -> String {
        let key = format!("sms.{key}");
        let english = || Self::english().0.fill(&key, values);
        self.0
            .fill(&key, values)
            .or_else(english)
            .unwrap_or_default()
    }
}

/// Where a language is what most people read.
const COUNTRY_CODES: [(&str, &str); 4] =
    [("+358", "fi"), ("+46", "sv"), ("+33", "fr"), ("+81", "ja")];

impl Default for Language {
    fn default() -> Self {
        Self::english()
    }
}

impl fmt::Debug for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.tag())
    }
}

impl PartialEq for Language {
    fn eq(&self, other: &Self) -> bool {
        self.tag() == other.tag()
    }
}

impl Eq for Language {}

impl PartialOrd for Language {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Language {
    fn cmp(&self, other: &Self) -> Ordering {
        self.tag().cmp(other.tag())
    }
}
