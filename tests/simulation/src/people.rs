//! The people who are called: what they have, how they answer, and how they get it wrong.

use std::time::Duration;

use domain::recipients::{ContactMethod, Details, Person};
use rand::RngExt as _;
use rand::rngs::StdRng;

/// The organisation's people, in order of key. Their temper is drawn from the seed.
pub(crate) const PEOPLE: &[(&str, &str, &[&str])] = &[
    ("ana", "fi", &["+358401000001"]),
    ("bela", "sv", &["+46701000002", "bela@example.org"]),
    ("cleo", "en", &["+441000000003", "+441000000033"]),
    ("dora", "en", &["+441000000004"]),
    ("emil", "fi", &["emil@example.org", "+358401000005"]),
    ("fia", "sv", &["fia@example.org"]),
    ("gus", "fi", &["+358401000007"]),
];

/// As the command wants them.
pub(crate) fn persons() -> Vec<Person> {
    let method = |address: &&str| {
        if address.starts_with('+') {
            ContactMethod::Sms((*address).to_owned())
        } else {
            ContactMethod::Email((*address).to_owned())
        }
    };
    PEOPLE
        .iter()
        .map(|(key, language, addresses)| Person {
            key: (*key).to_owned(),
            name: key.to_uppercase(),
            language: (*language).to_owned(),
            methods: addresses.iter().map(method).collect(),
            details: Details::default(),
        })
        .collect()
}

/// How somebody is today.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Temper {
    Prompt,
    Slow,
    Silent,
    Chaotic,
}

impl Temper {
    pub(crate) fn draw(chance: &mut StdRng) -> Self {
        match chance.random_range(0..10) {
            0..=4 => Self::Prompt,
            5 | 6 => Self::Slow,
            7 => Self::Silent,
            _ => Self::Chaotic,
        }
    }

    /// What this person texts back on reading `body`, and after how long each.
    pub(crate) fn react(self, chance: &mut StdRng, body: &str) -> Vec<(Duration, String)> {
        let code: String = body.chars().take_while(char::is_ascii_digit).collect();
        if code.len() < 4 {
            // Confirmations and the like: hardly anyone answers those.
            return match (self, chance.random_range(0..12)) {
                (Self::Chaotic, 0) => vec![(seconds(chance, 5, 60), "ok thanks".to_owned())],
                _ => Vec::new(),
            };
        }
        let (from, to, answers) = match self {
            Self::Prompt => (4, 60, chance.random_range(0..20) > 0),
            Self::Slow => (60, 300, chance.random_range(0..5) > 0),
            Self::Silent => return Vec::new(),
            Self::Chaotic => (2, 240, chance.random_range(0..5) > 0),
        };
        if !answers {
            return Vec::new();
        }
        let mut texts = vec![(seconds(chance, from, to), say(self, chance, &code))];
        let again = if self == Self::Chaotic { 3 } else { 12 };
        if chance.random_range(0..again) == 0 {
            let later = texts[0].0 + seconds(chance, 1, 120);
            // The same once more, or a change of mind.
            let text = match chance.random_range(0..2) {
                0 => texts[0].1.clone(),
                _ => say(self, chance, &code),
            };
            texts.push((later, text));
        }
        texts
    }
}

fn say(temper: Temper, chance: &mut StdRng, code: &str) -> String {
    let kinds = if temper == Temper::Chaotic { 14 } else { 8 };
    match chance.random_range(0..kinds) {
        0..=4 => format!("{code} 1"),
        5 => format!("{code} 2"),
        6 => code.to_owned(),
        7 => format!("{code} ok"),
        8 => "1".to_owned(),
        9 => format!(" \"{code}\"   3 !"),
        10 => format!("{code}4"),
        11 => "?".to_owned(),
        12 => format!("{}7 1", &code[..3]),
        _ => "what is going on there".to_owned(),
    }
}

fn seconds(chance: &mut StdRng, from: u64, to: u64) -> Duration {
    Duration::from_millis(chance.random_range(from * 1_000..to * 1_000))
}
