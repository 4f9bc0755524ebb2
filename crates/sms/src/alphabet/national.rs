//! National language tables (3GPP TS 23.038 annex A), for reading only.
//!
//! Nothing is ever sent with them: a phone that lacks the table would show other letters.

use super::default::{BASE, EXTENSION};
use super::indic;

/// National language identifier (3GPP TS 23.038 §6.2.1.2.4), the value of the shift information elements.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum NationalLanguage {
    /// 1: single and locking table.
    Turkish,
    /// 2: single shift table only.
    Spanish,
    /// 3: single and locking table.
    Portuguese,
    /// 4: single and locking table.
    Bengali,
    /// 5: single and locking table.
    Gujarati,
    /// 6: single and locking table.
    Hindi,
    /// 7: single and locking table.
    Kannada,
    /// 8: single and locking table.
    Malayalam,
    /// 9: single and locking table.
    Oriya,
    /// 10: single and locking table.
    Punjabi,
    /// 11: single and locking table.
    Tamil,
    /// 12: single and locking table.
    Telugu,
    /// 13: single and locking table.
    Urdu,
}

impl NationalLanguage {
    /// `None` for identifiers the standard reserves; the default tables then apply.
    pub fn from_identifier(identifier: u8) -> Option<Self> {
        match identifier {
            1 => Some(Self::Turkish),
            2 => Some(Self::Spanish),
            3 => Some(Self::Portuguese),
            4 => Some(Self::Bengali),
            5 => Some(Self::Gujarati),
            6 => Some(Self::Hindi),
            7 => Some(Self::Kannada),
            8 => Some(Self::Malayalam),
            9 => Some(Self::Oriya),
            10 => Some(Self::Punjabi),
            11 => Some(Self::Tamil),
            12 => Some(Self::Telugu),
            13 => Some(Self::Urdu),
            _ => None,
        }
    }

    /// The character at a position of this language's locking shift table, which replaces the base table.
    pub(super) fn locking(self, septet: u8) -> char {
        let septet = septet & 0x7F;
        let base = BASE[usize::from(septet)];
        match self {
            Self::Turkish => find(&TURKISH_LOCKING, septet).unwrap_or(base),
            Self::Spanish => base,
            Self::Portuguese => find(&PORTUGUESE_LOCKING, septet).unwrap_or(base),
            Self::Bengali => indic::BENGALI.locking(septet),
            Self::Gujarati => indic::GUJARATI.locking(septet),
            Self::Hindi => indic::HINDI.locking(septet),
            Self::Kannada => indic::KANNADA.locking(septet),
            Self::Malayalam => indic::MALAYALAM.locking(septet),
            Self::Oriya => indic::ORIYA.locking(septet),
            Self::Punjabi => indic::PUNJABI.locking(septet),
            Self::Tamil => indic::TAMIL.locking(septet),
            Self::Telugu => indic::TELUGU.locking(septet),
            Self::Urdu => indic::URDU_LOCKING[usize::from(septet)],
        }
    }

    /// The character at a position of this language's single shift table, which replaces the extension table.
    pub(super) fn single(self, septet: u8) -> Option<char> {
        let with_default =
            |own: &[(u8, char)]| find(own, septet).or_else(|| find(&EXTENSION, septet));
        match self {
            Self::Turkish => with_default(&TURKISH_SINGLE),
            Self::Spanish => with_default(&SPANISH_SINGLE),
            Self::Portuguese => with_default(&PORTUGUESE_SINGLE),
            Self::Bengali => indic::single(indic::BENGALI_SINGLE, septet),
            Self::Gujarati => indic::single(indic::GUJARATI_SINGLE, septet),
            Self::Hindi => indic::single(indic::HINDI_SINGLE, septet),
            Self::Kannada => indic::single(indic::KANNADA_SINGLE, septet),
            Self::Malayalam => indic::single(indic::MALAYALAM_SINGLE, septet),
            Self::Oriya => indic::single(indic::ORIYA_SINGLE, septet),
            Self::Punjabi => indic::single(indic::PUNJABI_SINGLE, septet),
            Self::Tamil => indic::single(indic::TAMIL_SINGLE, septet),
            Self::Telugu => indic::single(indic::TELUGU_SINGLE, septet),
            Self::Urdu => indic::single(indic::URDU_SINGLE, septet),
        }
    }
}

pub(super) fn find(table: &[(u8, char)], septet: u8) -> Option<char> {
    table
        .iter()
        .find(|(position, _)| *position == septet)
        .map(|(_, character)| *character)
}

/// A.3.1, where it differs from the default alphabet.
#[rustfmt::skip]
const TURKISH_LOCKING: [(u8, char); 8] = [
    (0x04, '€'),
    (0x07, 'ı'),
    (0x0B, 'Ğ'),
    (0x0C, 'ğ'),
    (0x1C, 'Ş'),
    (0x1D, 'ş'),
    (0x40, 'İ'),
    (0x60, 'ç'),
];

/// A.2.1, beyond the default extension table.
const TURKISH_SINGLE: [(u8, char); 7] = [
    (0x47, 'Ğ'),
    (0x49, 'İ'),
    (0x53, 'Ş'),
    (0x63, 'ç'),
    (0x67, 'ğ'),
    (0x69, 'ı'),
    (0x73, 'ş'),
];

/// A.2.2, beyond the default extension table.
#[rustfmt::skip]
const SPANISH_SINGLE: [(u8, char); 9] = [
    (0x09, 'ç'),
    (0x41, 'Á'),
    (0x49, 'Í'),
    (0x4F, 'Ó'),
    (0x55, 'Ú'),
    (0x61, 'á'),
    (0x69, 'í'),
    (0x6F, 'ó'),
    (0x75, 'ú'),
];

/// A.3.3, where it differs from the default alphabet.
#[rustfmt::skip]
const PORTUGUESE_LOCKING: [(u8, char); 34] = [
    (0x04, 'ê'),
    (0x06, 'ú'),
    (0x07, 'í'),
    (0x08, 'ó'),
    (0x09, 'ç'),
    (0x0B, 'Ô'),
    (0x0C, 'ô'),
    (0x0E, 'Á'),
    (0x0F, 'á'),
    (0x12, 'ª'),
    (0x13, 'Ç'),
    (0x14, 'À'),
    (0x15, '∞'),
    (0x16, '^'),
    (0x17, '\\'),
    (0x18, '€'),
    (0x19, 'Ó'),
    (0x1A, '|'),
    (0x1C, 'Â'),
    (0x1D, 'â'),
    (0x1E, 'Ê'),
    (0x1F, 'É'),
    (0x24, 'º'),
    (0x40, 'Í'),
    (0x5B, 'Ã'),
    (0x5C, 'Õ'),
    (0x5D, 'Ú'),
    (0x5E, 'Ü'),
    (0x60, '~'),
    (0x7B, 'ã'),
    (0x7C, 'õ'),
    (0x7D, '`'),
    (0x7E, 'ü'),
    (0x7F, 'à'),
];

/// A.2.3, beyond the default extension table.
#[rustfmt::skip]
const PORTUGUESE_SINGLE: [(u8, char); 27] = [
    (0x05, 'ê'),
    (0x09, 'ç'),
    (0x0B, 'Ô'),
    (0x0C, 'ô'),
    (0x0E, 'Á'),
    (0x0F, 'á'),
    (0x12, 'Φ'),
    (0x13, 'Γ'),
    (0x15, 'Ω'),
    (0x16, 'Π'),
    (0x17, 'Ψ'),
    (0x18, 'Σ'),
    (0x19, 'Θ'),
    (0x1F, 'Ê'),
    (0x41, 'À'),
    (0x49, 'Í'),
    (0x4F, 'Ó'),
    (0x55, 'Ú'),
    (0x5B, 'Ã'),
    (0x5C, 'Õ'),
    (0x61, 'Â'),
    (0x69, 'í'),
    (0x6F, 'ó'),
    (0x75, 'ú'),
    (0x7B, 'ã'),
    (0x7C, 'õ'),
    (0x7F, 'â'),
];
