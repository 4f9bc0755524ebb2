//! Which words a person gets.

use super::catalogue::{RoomWords, Words};
use super::{en, fi, fr, ja, sv};

/// A language Holdfast speaks.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub enum Language {
    Fi,
    Sv,
    /// Also serves everyone whose language is not spoken here.
    #[default]
    En,
}

impl Language {
    /// All of them, for texts that are frozen once per language.
    pub const ALL: [Self; 3] = [Self::Fi, Self::Sv, Self::En];

    /// Reads the primary subtag of a BCP 47 tag: `fi`, `FI-fi` and `fi_FI` are Finnish, `nb` is English to us.
    pub fn parse(tag: &str) -> Self {
        match primary(tag).as_str() {
            "fi" => Self::Fi,
            "sv" => Self::Sv,
            _ => Self::En,
        }
    }

    /// The likeliest language of a number that belongs to nobody we know, by its country code.
    pub fn of_number(number: &str) -> Self {
        if number.starts_with("+358") {
            Self::Fi
        } else if number.starts_with("+46") {
            Self::Sv
        } else {
            Self::En
        }
    }

    /// The BCP 47 tag as stored in rows.
    pub fn tag(self) -> &'static str {
        match self {
            Self::Fi => "fi",
            Self::Sv => "sv",
            Self::En => "en",
        }
    }

    pub(super) fn words(self) -> &'static dyn Words {
        match self {
            Self::Fi => &fi::Finnish,
            Self::Sv => &sv::Swedish,
            Self::En => &en::English,
        }
    }
}

/// What is said about rooms to somebody of a language; English to those whose language is not spoken here.
pub(super) fn room_words(tag: &str) -> &'static dyn RoomWords {
    match primary(tag).as_str() {
        "fi" => &fi::Finnish,
        "sv" => &sv::Swedish,
        "fr" => &fr::French,
        "ja" => &ja::Japanese,
        _ => &en::English,
    }
}

/// The language of a tag, without script, region or case.
fn primary(tag: &str) -> String {
    let primary = tag.trim().split(['-', '_']).next().unwrap_or_default();
    primary.to_ascii_lowercase()
}
