//! The words of every language, as data: one file of JSON per language in `locales/`, all with the same keys.
//!
//! The app says them, and so do the pages without script; keys that begin with `sms.` leave as texts and mails. An entry is
//! a text with `{values}` to fill in, or one text per plural form of CLDR, chosen by the value `n`.
//!
//! Pure: knows no rows, no clock and no alert. What the texts are about is in `domain::texts`.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use intl_pluralrules::{PluralCategory, PluralRuleType, PluralRules};
use serde_json::Value;
use unic_langid::LanguageIdentifier;

/// One language with all it can say.
pub struct Catalogue {
    tag: String,
    entries: BTreeMap<String, Entry>,
    plurals: PluralRules,
}

/// Why a file is no catalogue.
#[derive(Debug, Eq, PartialEq, thiserror::Error)]
pub enum Fault {
    #[error("it is no JSON object: {0}")]
    Json(String),
    #[error("{0} must be a text, or one text per plural form with one for \"other\"")]
    Entry(String),
    #[error("{TAG} must be a language's tag in lower case, as \"de\"")]
    Tag,
    #[error("{NAME} must be the name its speakers give the language")]
    Name,
    #[error("the plural forms of {0} are not known; leave region and script out of {TAG}")]
    Plurals(String),
}

/// The language's BCP 47 tag.
const TAG: &str = "language.tag";

/// What its speakers call it.
const NAME: &str = "language.name";

enum Entry {
    Text(String),
    Forms {
        forms: Vec<(PluralCategory, String)>,
        other: String,
    },
}

/// The languages that are part of the program, English first.
pub fn built_in() -> &'static [Catalogue] {
    static ALL: LazyLock<Vec<Catalogue>> = LazyLock::new(|| {
        let read = |text| Catalogue::parse(text).expect("a test reads every catalogue");
        FILES.into_iter().map(read).collect()
    });
    &ALL
}

const FILES: [&str; 5] = [
    include_str!("../locales/en.json"),
    include_str!("../locales/fi.json"),
    include_str!("../locales/sv.json"),
    include_str!("../locales/fr.json"),
    include_str!("../locales/ja.json"),
];

impl Catalogue {
    /// Reads a file of `locales/`.
    pub fn parse(json: &str) -> Result<Self, Fault> {
        let rows: BTreeMap<String, Value> =
            serde_json::from_str(json).map_err(|error| Fault::Json(error.to_string()))?;
        let entries = rows
            .into_iter()
            .map(|(key, value)| match Entry::parse(value) {
                Some(entry) => Ok((key, entry)),
                None => Err(Fault::Entry(key)),
            });
        let entries: BTreeMap<String, Entry> = entries.collect::<Result<_, _>>()?;
        let own = |key| match entries.get(key) {
            Some(Entry::Text(text)) if !text.trim().is_empty() => Some(text.clone()),
            _ => None,
        };
        let tag = own(TAG).ok_or(Fault::Tag)?;
        own(NAME).ok_or(Fault::Name)?;
        let language: LanguageIdentifier = tag.parse().map_err(|_| Fault::Tag)?;
        if language.to_string() != tag || tag.contains('-') {
            return Err(Fault::Tag);
        }
        let plurals = PluralRules::create(language, PluralRuleType::CARDINAL)
            .map_err(|_| Fault::Plurals(tag.clone()))?;
        Ok(Self {
            tag,
            entries,
            plurals,
        })
    }

    /// BCP 47, in lower case.
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// What its speakers call it.
    pub fn name(&self) -> &str {
        self.text(NAME).unwrap_or(&self.tag)
    }

    /// What stands at a key, as it is written; of plural forms that for `other`.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.entries.get(key).map(|entry| match entry {
            Entry::Text(text) | Entry::Forms { other: text, .. } => text.as_str(),
        })
    }

    /// What stands at a key, with `{name}` replaced by its value; the value of `n` chooses the plural form. A value is never
    /// read for further names; a name without a value stays.
    pub fn fill(&self, key: &str, values: &[(&str, &str)]) -> Option<String> {
        let text = match self.entries.get(key)? {
            Entry::Text(text) => text,
            Entry::Forms { forms, other } => {
                let n = values.iter().find(|(name, _)| *name == "n");
                let n = n.and_then(|(_, n)| n.parse::<u64>().ok());
                let form = n.and_then(|n| self.plurals.select(n).ok());
                let fitting = forms.iter().find(|(of, _)| Some(of) == form.as_ref());
                fitting.map_or(other, |(_, text)| text)
            }
        };
        Some(fill(text, values))
    }

    /// Every key with its texts, one per plural form.
    pub fn texts(&self) -> impl Iterator<Item = (&str, Vec<&str>)> {
        self.entries
            .iter()
            .map(|(key, entry)| (key.as_str(), entry.texts()))
    }
}

impl fmt::Debug for Catalogue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Catalogue").field(&self.tag).finish()
    }
}

impl Entry {
    fn parse(value: Value) -> Option<Self> {
        let rows = match value {
            Value::String(text) => return Some(Self::Text(text)),
            Value::Object(rows) => rows,
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => return None,
        };
        let (mut forms, mut other) = (Vec::new(), None);
        for (form, text) in rows {
            let text = text.as_str()?.to_owned();
            let form = match form.as_str() {
                "zero" => PluralCategory::ZERO,
                "one" => PluralCategory::ONE,
                "two" => PluralCategory::TWO,
                "few" => PluralCategory::FEW,
                "many" => PluralCategory::MANY,
                "other" => {
                    other = Some(text);
                    continue;
                }
                _ => return None,
            };
            forms.push((form, text));
        }
        Some(Self::Forms {
            forms,
            other: other?,
        })
    }

    fn texts(&self) -> Vec<&str> {
        match self {
            Self::Text(text) => vec![text],
            Self::Forms { forms, other } => {
                let mut texts: Vec<&str> = forms.iter().map(|(_, text)| text.as_str()).collect();
                texts.push(other);
                texts
            }
        }
    }
}

/// The names a text leaves open, in the order they stand.
pub fn names(text: &str) -> impl Iterator<Item = &str> {
    pieces(text).filter_map(|(_, name)| name)
}

fn fill(text: &str, values: &[(&str, &str)]) -> String {
    let mut filled = String::with_capacity(text.len() + 32);
    for (before, name) in pieces(text) {
        filled.push_str(before);
        let Some(name) = name else { continue };
        match values.iter().find(|(of, _)| *of == name) {
            Some((_, value)) => filled.push_str(value),
            None => filled.extend(["{", name, "}"]),
        }
    }
    filled
}

/// A text in pieces: words, and the name of the value after them.
fn pieces(text: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let open = |(start, _): &(usize, &str)| {
            let (name, _) = text[start + 1..].split_once('}')?;
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
            (!name.is_empty() && name.chars().all(plain)).then_some((*start, name))
        };
        let Some((start, name)) = text.match_indices('{').find_map(|found| open(&found)) else {
            rest = None;
            return Some((text, None));
        };
        rest = Some(&text[start + name.len() + 2..]);
        Some((&text[..start], Some(name)))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn of(entries: &str) -> Result<Catalogue, Fault> {
        let json = format!(r#"{{"language.tag":"pl","language.name":"Polski"{entries}}}"#);
        Catalogue::parse(&json)
    }

    #[test]
    fn a_value_is_filled_in_once_and_never_read_for_names() {
        let words = of(r#","a":"{x} and {y}, {z} {not a name} {""#).unwrap();
        let filled = words.fill("a", &[("x", "{y}"), ("y", "2")]);
        assert_eq!(filled.unwrap(), "{y} and 2, {z} {not a name} {");
        assert_eq!(words.fill("b", &[]), None);
    }

    #[test]
    fn n_chooses_the_plural_form_by_the_rules_of_the_language() {
        let words = of(r#","a":{"one":"1 plik","few":"{n} pliki","other":"{n} plików"}"#).unwrap();
        for (n, expected) in [
            ("1", "1 plik"),
            ("3", "3 pliki"),
            ("22", "22 pliki"),
            ("5", "5 plików"),
        ] {
            assert_eq!(words.fill("a", &[("n", n)]).unwrap(), expected);
        }
        assert_eq!(words.fill("a", &[]).unwrap(), "{n} plików");
        assert_eq!(words.text("a"), Some("{n} plików"));
    }

    #[test]
    fn what_is_no_catalogue_is_said() {
        for (json, expected) in [
            ("[]", "it is no JSON object: "),
            (
                r#"{"a":1}"#,
                "a must be a text, or one text per plural form",
            ),
            (
                r#"{"a":{"one":"x"}}"#,
                "a must be a text, or one text per plural form",
            ),
            (
                r#"{"language.name":"x"}"#,
                "language.tag must be a language's tag",
            ),
            (
                r#"{"language.tag":"DE","language.name":"x"}"#,
                "language.tag must be a language's tag",
            ),
            (
                r#"{"language.tag":"de","language.name":" "}"#,
                "language.name must be the name",
            ),
            (
                r#"{"language.tag":"tlh","language.name":"x"}"#,
                "the plural forms of tlh are not known",
            ),
        ] {
            let Err(fault) = Catalogue::parse(json) else {
                panic!("{json} was read")
            };
            assert!(fault.to_string().starts_with(expected), "{fault}");
        }
    }

    #[test]
    fn every_language_says_everything_and_leaves_nothing_out() {
        let open = |texts: &[&str]| -> BTreeSet<String> {
            texts
                .iter()
                .flat_map(|text| names(text))
                .map(str::to_owned)
                .collect()
        };
        let english: BTreeMap<&str, BTreeSet<String>> = built_in()[0]
            .texts()
            .map(|(key, texts)| (key, open(&texts)))
            .collect();
        for language in built_in() {
            let own: BTreeMap<&str, BTreeSet<String>> = language
                .texts()
                .map(|(key, texts)| (key, open(&texts)))
                .collect();
            for (key, names) in &english {
                assert_eq!(own.get(key), Some(names), "{} {key}", language.tag());
            }
            assert_eq!(own.len(), english.len(), "{}", language.tag());
        }
        let tags: Vec<&str> = built_in().iter().map(Catalogue::tag).collect();
        assert_eq!(tags, ["en", "fi", "sv", "fr", "ja"]);
    }
}
