//! The words of the pages, from the catalogue that the app reads too.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::http::HeaderValue;
use holdfast_web::CATALOGUES;
use serde_json::Value;

type Catalogue = BTreeMap<String, Value>;

static ALL: LazyLock<BTreeMap<&'static str, Catalogue>> = LazyLock::new(|| {
    let read = |text| serde_json::from_str(text).expect("a test reads every catalogue");
    CATALOGUES
        .iter()
        .map(|(language, text)| (*language, read(text)))
        .collect()
});

const OTHERWISE: &str = "en";

/// One language.
#[derive(Clone, Copy, Debug)]
pub(super) struct Words {
    pub(super) language: &'static str,
    catalogue: &'static Catalogue,
}

impl Words {
    /// By its tag; English for one we do not have.
    pub(super) fn of(language: &str) -> Self {
        let all: &'static BTreeMap<&'static str, Catalogue> = &ALL;
        let found = all.get_key_value(language);
        let (language, catalogue) = found
            .or_else(|| all.get_key_value(OTHERWISE))
            .expect("English is one of the catalogues");
        Self {
            language,
            catalogue,
        }
    }

    /// The first language of `Accept-Language` that there is. Phones send them in the order they are wanted.
    pub(super) fn of_header(value: Option<&HeaderValue>) -> &'static str {
        let text = value.and_then(|value| value.to_str().ok());
        let tags = text.unwrap_or_default().split(',');
        let mut wanted = tags.filter_map(|tag| tag.trim().get(..2));
        let found = wanted.find_map(|tag| ALL.get_key_value(tag.to_ascii_lowercase().as_str()));
        found.map_or(OTHERWISE, |(language, _)| language)
    }

    /// Each language by the name its speakers give it.
    pub(super) fn names() -> impl Iterator<Item = (&'static str, String)> {
        CATALOGUES.iter().map(|(language, _)| {
            let words = Self::of(language);
            (*language, words.say("language.name"))
        })
    }

    pub(super) fn say(self, key: &str) -> String {
        self.fill(key, &[])
    }

    /// With `{name}` replaced by its value.
    pub(super) fn fill(self, key: &str, values: &[(&str, &str)]) -> String {
        let found = self.catalogue.get(key);
        debug_assert!(found.is_some(), "{key} is not in {}", self.language);
        let text = found.and_then(|entry| entry.as_str().or_else(|| entry["other"].as_str()));
        let mut text = text.unwrap_or(key).to_owned();
        for (name, value) in values {
            text = text.replace(&format!("{{{name}}}"), value);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phone_gets_the_first_of_its_languages_that_there_is() {
        for (sent, expected) in [
            ("fi-FI,fi;q=0.9,en;q=0.8", "fi"),
            ("de, sv;q=0.5", "sv"),
            ("JA", "ja"),
            ("de", "en"),
            ("é", "en"),
            ("", "en"),
        ] {
            let header = HeaderValue::try_from(sent).unwrap();
            assert_eq!(Words::of_header(Some(&header)), expected, "{sent}");
        }
        assert_eq!(Words::of_header(None), "en");
        assert_eq!(Words::of("../en").language, "en");
    }
}
