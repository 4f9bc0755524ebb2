//! Decisions about rooms without SQL.

use serde::{Deserialize, Serialize};

use super::Speaker;
use crate::texts;

/// The longest message taken, in characters.
pub const TEXT_LEN_MAX: usize = 4_000;

/// The longest name of a room or a speaker, in characters.
const NAME_LEN_MAX: usize = 100;

/// The longest word on what was not known, in characters.
const UNKNOWN_LEN_MAX: usize = 1_000;

/// Wordings of one message after the first.
pub(super) const EDITS_MAX: i64 = 50;

/// Mentions that one message counts.
const MENTIONS_MAX: usize = 50;

/// Everyday rooms, open and closed.
pub(super) const ROOMS_MAX: i64 = 1_000;

/// Whom a message calls by `@`.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mention {
    /// Everyone in the room.
    All,
    /// Whoever leads.
    Lead,
    /// A person, by key.
    Person(String),
}

/// The `@` words of a text, each once, in order of their first place.
pub(super) fn mentions(text: &str) -> Vec<Mention> {
    let mut found = Vec::new();
    let mut before = ' ';
    for (place, c) in text.char_indices() {
        // An address of mail is no mention.
        let begins = c == '@' && !before.is_alphanumeric();
        before = c;
        if !begins {
            continue;
        }
        let word: String = text[place + 1..]
            .chars()
            .take_while(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_'))
            .collect();
        let word = word.trim_end_matches(['.', '-', '_']).to_lowercase();
        let mention = match word.as_str() {
            "" => continue,
            "all" => Mention::All,
            "lead" => Mention::Lead,
            _ => Mention::Person(word),
        };
        if !found.contains(&mention) && found.len() < MENTIONS_MAX {
            found.push(mention);
        }
    }
    found
}

/// A message's text as it is kept: what steers a screen is taken out.
pub(super) fn text(text: &str) -> Result<String, String> {
    let neutral = texts::neutral(text);
    let problem = || format!("a message has 1 to {TEXT_LEN_MAX} characters");
    match neutral.is_empty() || text.chars().count() > TEXT_LEN_MAX {
        true => Err(problem()),
        false => Ok(neutral),
    }
}

/// A speaker's name as it is kept.
pub(crate) fn speaker(by: &Speaker) -> Result<String, String> {
    name(&by.name, "a name")
}

pub(super) fn name(name: &str, what: &str) -> Result<String, String> {
    let clean = texts::clean(name);
    match clean.is_empty() || clean.chars().count() > NAME_LEN_MAX {
        true => Err(format!("{what} has 1 to {NAME_LEN_MAX} characters")),
        false => Ok(clean),
    }
}

pub(super) fn unknown(unknown: &str) -> Result<String, String> {
    match unknown.chars().count() > UNKNOWN_LEN_MAX {
        true => Err(format!(
            "what was not known has at most {UNKNOWN_LEN_MAX} characters"
        )),
        false => Ok(texts::neutral(unknown)),
    }
}

/// Whether a key can name an everyday room; it must not be taken for an alert's number or id.
pub fn check_key(key: &str) -> Result<(), String> {
    let letters = key.chars().take_while(char::is_ascii_lowercase).count();
    let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if letters >= 3 && key.len() <= 30 && key.chars().all(known) && key != "inbox" {
        return Ok(());
    }
    Err(
        "a room's key has 3 to 30 small letters, digits and hyphens, begins with three letters and is not \"inbox\""
            .to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_mentioned_by_key_and_addresses_are_not() {
        let person = |key: &str| Mention::Person(key.to_owned());
        assert_eq!(
            mentions("@anna.k, ask @ALL; mail b@aurora.example or @lead. (@anna.k) @"),
            [person("anna.k"), Mention::All, Mention::Lead]
        );
        assert_eq!(mentions(&"@a @b ".repeat(500)).len(), 2);
    }

    #[test]
    fn keys_of_rooms_are_never_numbers_of_alerts() {
        for good in ["ops", "night-shift-2", "kanava"] {
            assert_eq!(check_key(good), Ok(()), "{good}");
        }
        for bad in ["118", "b-7", "aa-12", "inbox", "", "Ops", "a room", "läge"] {
            assert!(check_key(bad).is_err(), "{bad}");
        }
    }
}
