//! National language tables (3GPP TS 23.038 annex A), for reading only.
//!
//! Nothing is ever sent with them: a phone that lacks the table would show other letters.

use super::default::BASE;

/// National language identifier (3GPP TS 23.038 §6.2.1.2.4), the value of the shift information elements.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum NationalLanguage {
    /// 1: single and locking table.
    Turkish,
    /// 2: single shift table only.
    Spanish,
    /// 3: single and locking table.
    Portuguese,
}

impl NationalLanguage {
    /// `None` for identifiers the standard reserves; the default tables then apply.
    pub fn from_identifier(identifier: u8) -> Option<Self> {
        match identifier {
            1 => Some(Self::Turkish),
            2 => Some(Self::Spanish),
            3 => Some(Self::Portuguese),
            _ => None,
        }
    }

    /// The character at a position of this language's locking shift table, which replaces the base table.
    pub(super) fn locking(self, septet: u8) -> char {
        let changed = match self {
            Self::Turkish => find(&TURKISH_LOCKING, septet),
            Self::Portuguese => find(&PORTUGUESE_LOCKING, septet),
            Self::Spanish => None,
        };
        changed.unwrap_or(BASE[usize::from(septet & 0x7F)])
    }

    /// The character at a position of this language's single shift table, which replaces the extension table.
    pub(super) fn single(self, septet: u8) -> Option<char> {
        let own = match self {
            Self::Turkish => find(&TURKISH_SINGLE, septet),
            Self::Spanish => find(&SPANISH_SINGLE, septet),
            Self::Portuguese => find(&PORTUGUESE_SINGLE, septet),
        };
        own.or_else(|| find(&super::default::EXTENSION, septet))
    }
}

pub(super) fn find(table: &[(u8, char)], septet: u8) -> Option<char> {
    table
        .iter()
        .find(|(position, _)| *position == septet)
        .map(|(_, character)| *character)
}

/// A.3.1, where it differs from the default alphabet.
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
