//! Alphabets of short messages (3GPP TS 23.038): GSM 7-bit with its extension and national tables, and UCS2.

mod default;
mod indic;
mod national;
mod septets;
mod transliterate;

#[cfg(test)]
mod tests;

pub use default::ESCAPE;
pub use national::NationalLanguage;
pub use septets::{fill_bits, pack_septets, unpack_septets};
pub use transliterate::transliterate_typographic;

use default::{BASE, EXTENSION};

/// How the user data of a message is coded.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Alphabet {
    /// GSM 7-bit default alphabet: 160 septets in one message.
    Gsm7,
    /// 8-bit data: 140 octets without meaning as text.
    Octets,
    /// UCS2, in practice UTF-16 big endian: 70 code units.
    Ucs2,
}

/// The national tables a message asks for in its user data header (3GPP TS 23.040 §9.2.3.24.15, .16).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct NationalShift {
    /// Replaces the base table.
    pub locking: Option<NationalLanguage>,
    /// Replaces the extension table.
    pub single: Option<NationalLanguage>,
}

/// How many septets a text takes, extension characters counting two; `None` when a character has no place in GSM 7-bit.
pub fn gsm7_septets(text: &str) -> Option<usize> {
    text.chars().map(|c| gsm7_char(c).map(Gsm7Char::len)).sum()
}

/// The septets of a text; `None` when a character has no place in GSM 7-bit.
pub fn encode_gsm7(text: &str) -> Option<Vec<u8>> {
    let mut septets = Vec::with_capacity(text.len());
    for c in text.chars() {
        gsm7_char(c)?.push_to(&mut septets);
    }
    Some(septets)
}

/// The septets of a text, `?` in place of what has none.
pub fn encode_gsm7_lossy(text: &str) -> Vec<u8> {
    let mut septets = Vec::with_capacity(text.len());
    for c in text.chars() {
        gsm7_char(c)
            .unwrap_or(Gsm7Char::Base(b'?'))
            .push_to(&mut septets);
    }
    septets
}

/// Reads septets (values above 0x7F lose their top bit) by the default tables.
pub fn decode_gsm7(septets: &[u8]) -> String {
    decode_gsm7_with(septets, NationalShift::default())
}

/// Reads septets by the tables a message asked for.
///
/// An escape before a position its table leaves empty shows the base character; two escapes make a space
/// (3GPP TS 23.038 §6.2.1.1 notes 1 and 3). An escape at the very end shows nothing.
pub fn decode_gsm7_with(septets: &[u8], shift: NationalShift) -> String {
    let base = |septet: u8| match shift.locking {
        Some(language) => language.locking(septet),
        None => BASE[usize::from(septet)],
    };
    let extended = |septet: u8| match shift.single {
        Some(language) => language.single(septet),
        None => national::find(&EXTENSION, septet),
    };
    let mut text = String::with_capacity(septets.len());
    let mut rest = septets.iter().map(|septet| septet & 0x7F);
    while let Some(septet) = rest.next() {
        if septet != ESCAPE {
            text.push(base(septet));
            continue;
        }
        match rest.next() {
            Some(ESCAPE) => text.push(' '),
            Some(shifted) => text.push(extended(shifted).unwrap_or_else(|| base(shifted))),
            None => {}
        }
    }
    text
}

/// UTF-16 code units, as UCS2 carries them.
pub fn encode_ucs2(text: &str) -> Vec<u16> {
    text.encode_utf16().collect()
}

/// Reads UTF-16 code units; a surrogate without its partner shows as U+FFFD.
pub fn decode_ucs2(units: &[u16]) -> String {
    String::from_utf16_lossy(units)
}

#[derive(Clone, Copy)]
enum Gsm7Char {
    Base(u8),
    Extended(u8),
}

impl Gsm7Char {
    fn len(self) -> usize {
        match self {
            Self::Base(_) => 1,
            Self::Extended(_) => 2,
        }
    }

    fn push_to(self, septets: &mut Vec<u8>) {
        match self {
            Self::Base(septet) => septets.push(septet),
            Self::Extended(septet) => septets.extend([ESCAPE, septet]),
        }
    }
}

fn gsm7_char(c: char) -> Option<Gsm7Char> {
    if c.is_ascii_alphanumeric() || c == ' ' {
        return Some(Gsm7Char::Base(c as u8)); // the tables agree with ASCII there
    }
    let in_base = BASE
        .iter()
        .position(|b| *b == c)
        .filter(|position| *position != usize::from(ESCAPE));
    match in_base {
        Some(position) => Some(Gsm7Char::Base(position as u8)),
        None => EXTENSION
            .iter()
            .find(|(_, e)| *e == c)
            .map(|(septet, _)| Gsm7Char::Extended(*septet)),
    }
}
