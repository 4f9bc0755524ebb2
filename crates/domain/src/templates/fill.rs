//! From words with holes to words: `{what} is down` and what `what` stands for.

use std::collections::BTreeMap;

use super::{ByLanguage, Template};

/// A stretch of a text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Piece<'a> {
    Words(&'a str),
    /// `{name}`, by its name.
    Hole(&'a str),
}

/// Cuts a text at its holes. `{{` and `}}` are braces of the text itself. The error says what is wrong with the first
/// brace that is neither.
pub(super) fn pieces(text: &str) -> Result<Vec<Piece<'_>>, String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        let (words, from) = rest.split_at(at);
        let doubled = from.starts_with("{{") || from.starts_with("}}");
        if doubled {
            found.push(Piece::Words(words));
            found.push(Piece::Words(&from[..1]));
            rest = &from[2..];
            continue;
        }
        let Some(inside) = from.strip_prefix('{') else {
            return Err("has a } without its {; write }} for the character itself".to_owned());
        };
        let Some((name, after)) = inside.split_once('}') else {
            return Err("has a { without its }; write {{ for the character itself".to_owned());
        };
        if !is_name(name) {
            let shown: String = name.chars().take(NAME_LEN_MAX).collect();
            return Err(format!(
                "has {{{shown}}}, which is no placeholder's name; write a to z, digits and underscores, or {{{{ for the \
                 character itself"
            ));
        }
        found.push(Piece::Words(words));
        found.push(Piece::Hole(name));
        rest = after;
    }
    found.push(Piece::Words(rest));
    Ok(found)
}

/// The longest name of a placeholder.
pub(super) const NAME_LEN_MAX: usize = 32;

/// Whether a text is the name of a placeholder.
pub(super) fn is_name(text: &str) -> bool {
    (1..=NAME_LEN_MAX).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// The words for a reader of `language`: their own, else the fallback's.
pub(crate) fn words_in<'a, T>(
    by_language: &'a BTreeMap<String, T>,
    language: &str,
    fallback: &str,
) -> Option<&'a T> {
    by_language
        .get(language)
        .or_else(|| by_language.get(fallback))
}

/// What the holes of a template are filled with.
pub(crate) struct Fill<'a> {
    template: &'a Template,
    values: &'a ByLanguage,
    examples: bool,
}

impl<'a> Fill<'a> {
    /// With what a raise says, by name of placeholder, and defaults for the rest.
    pub(crate) fn said(template: &'a Template, values: &'a ByLanguage) -> Self {
        Self {
            template,
            values,
            examples: false,
        }
    }

    /// With what a raise says, and examples for the rest.
    pub(crate) fn examples(template: &'a Template, values: &'a ByLanguage) -> Self {
        Self {
            examples: true,
            ..Self::said(template, values)
        }
    }

    /// The filled text for a reader of `language`. What cannot be read as a text with holes stays as it is.
    pub(crate) fn text(&self, text: &str, language: &str) -> String {
        let Ok(pieces) = pieces(text) else {
            return text.to_owned();
        };
        pieces
            .into_iter()
            .map(|piece| match piece {
                Piece::Words(words) => words,
                Piece::Hole(name) => self.value(name, language),
            })
            .collect()
    }

    /// Every text of a map, filled for its language.
    pub(crate) fn all(&self, texts: &ByLanguage) -> ByLanguage {
        let filled =
            |(language, text): (&String, &String)| (language.clone(), self.text(text, language));
        texts.iter().map(filled).collect()
    }

    fn value(&self, name: &str, language: &str) -> &str {
        if let Some(said) = self.values.get(name) {
            return said;
        }
        let declared = self.template.placeholders.iter().find(|p| p.name == name);
        let Some(declared) = declared else {
            return "";
        };
        let words = match self.examples {
            true => &declared.example,
            false => &declared.default,
        };
        words_in(words, language, &self.template.fallback).map_or("", String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Placeholder;
    use super::*;

    fn of(words: &[(&str, &str)]) -> ByLanguage {
        let owned = |(key, text): &(&str, &str)| ((*key).to_owned(), (*text).to_owned());
        words.iter().map(owned).collect()
    }

    fn template() -> Template {
        let placeholder = |name: &str, default: &[(&str, &str)]| Placeholder {
            name: name.to_owned(),
            required: default.is_empty(),
            example: of(&[("en", "the mail server"), ("fi", "postipalvelin")]),
            default: of(default),
        };
        Template {
            placeholders: vec![
                placeholder("what", &[]),
                placeholder("where", &[("en", "all sites")]),
            ],
            ..Template::default()
        }
    }

    #[test]
    fn holes_take_what_was_said_then_the_default_in_the_readers_language_or_the_fallback() {
        let template = template();
        let said = of(&[("what", "Mail {x}")]);
        let fill = Fill::said(&template, &said);
        assert_eq!(
            fill.text("{what} is down: {where}", "en"),
            "Mail {x} is down: all sites"
        );
        assert_eq!(
            fill.text("{{{what}}} {where}", "fi"),
            "{Mail {x}} all sites"
        );
        let nothing = ByLanguage::new();
        let examples = Fill::examples(&template, &nothing);
        assert_eq!(examples.text("{what}", "fi"), "postipalvelin");
        assert_eq!(examples.text("{what}", "sv"), "the mail server");
    }

    #[test]
    fn a_brace_that_is_neither_is_named() {
        for (text, word) in [
            ("{what", "without its }"),
            ("what}", "without its {"),
            ("{What}", "{What}"),
            ("{}", "{}"),
            ("{a b}", "{a b}"),
            ("{1st}", "{1st}"),
        ] {
            let problem = pieces(text).unwrap_err();
            assert!(problem.contains(word), "{text}: {problem}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_cut_or_refused(text in ".{0,80}") {
            drop(pieces(&text));
        }

        #[test]
        fn a_text_with_its_braces_doubled_comes_out_as_it_was(text in ".{0,80}") {
            let (template, values) = (template(), ByLanguage::new());
            let doubled = text.replace('{', "{{").replace('}', "}}");
            prop_assert_eq!(Fill::said(&template, &values).text(&doubled, "en"), text);
        }

        #[test]
        fn what_is_said_is_never_read_as_a_placeholder(value in ".{0,40}") {
            let template = template();
            let values = of(&[("what", &value)]);
            prop_assert_eq!(Fill::said(&template, &values).text("<{what}>", "en"), format!("<{value}>"));
        }
    }
}
