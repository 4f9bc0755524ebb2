//! The words of the pages, from the catalogue that the app reads too.

use ::words::{Catalogue, built_in};
use axum::http::HeaderValue;

/// One language.
#[derive(Clone, Copy)]
pub(super) struct Words {
    pub(super) language: &'static str,
    catalogue: &'static Catalogue,
}

impl Words {
    /// By its tag; English for one we do not have.
    pub(super) fn of(language: &str) -> Self {
        let all = built_in();
        let found = all.iter().find(|catalogue| catalogue.tag() == language);
        let catalogue = found.unwrap_or(&all[0]);
        Self {
            language: catalogue.tag(),
            catalogue,
        }
    }

    /// The first language of `Accept-Language` that there is. Phones send them in the order they are wanted.
    pub(super) fn of_header(value: Option<&HeaderValue>) -> &'static str {
        let text = value.and_then(|value| value.to_str().ok());
        let tags = text.unwrap_or_default().split(',');
        let mut wanted = tags.filter_map(|tag| tag.trim().get(..2));
        let has = |tag: &str| {
            let mut all = built_in().iter().map(Catalogue::tag);
            all.find(|own| own.eq_ignore_ascii_case(tag))
        };
        wanted.find_map(has).unwrap_or(built_in()[0].tag())
    }

    /// Each language by the name its speakers give it.
    pub(super) fn names() -> impl Iterator<Item = (&'static str, &'static str)> {
        built_in()
            .iter()
            .map(|catalogue| (catalogue.tag(), catalogue.name()))
    }

    pub(super) fn say(self, key: &str) -> String {
        self.fill(key, &[])
    }

    /// With `{name}` replaced by its value.
    pub(super) fn fill(self, key: &str, values: &[(&str, &str)]) -> String {
        let found = self.catalogue.fill(key, values);
        debug_assert!(found.is_some(), "{key} is not in {}", self.language);
        found.unwrap_or_else(|| key.to_owned())
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
