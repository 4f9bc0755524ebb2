//! A text cut into words and numbers, folded so that case, accents and full-width forms do not matter.

use super::phrases;
use crate::vocabulary::{AlertKind, Answer};

/// A run of digits, or a run of letters, or a thumb up; folded to plain lower-case ASCII where that exists.
#[derive(Debug)]
pub(super) struct Token {
    pub(super) kind: Kind,
    /// What answers it could stand for.
    pub(super) asked: AlertKind,
    pub(super) folded: String,
    /// Byte range in the text.
    pub(super) start: usize,
    pub(super) end: usize,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Digits,
    Word,
}

impl Token {
    pub(super) fn is_courtesy(&self) -> bool {
        phrases::COURTESIES.contains(&self.folded.as_str())
    }

    /// A word for everything that is open.
    pub(super) fn is_all(&self) -> bool {
        phrases::ALL.contains(&self.folded.as_str())
    }

    /// A word that makes the number before it an amount.
    pub(super) fn is_unit(&self) -> bool {
        let unit = self.folded.as_str();
        [phrases::MINUTES, phrases::HOURS, phrases::UNITS]
            .iter()
            .any(|units| units.contains(&unit))
    }

    /// The answer a single digit stands for.
    pub(super) fn as_answer(&self) -> Option<Answer> {
        match self.kind {
            Kind::Digits if self.folded.len() == 1 => self.asked.of_digit(&self.folded),
            Kind::Digits | Kind::Word => None,
        }
    }
}

pub(super) fn tokens(text: &str, asked: AlertKind) -> Vec<Token> {
    let mut tokens: Vec<Token> = Vec::new();
    let mut joins = false;
    for (start, c) in text.char_indices() {
        let end = start + c.len_utf8();
        let c = halfwidth(c);
        let kind = match c {
            // "can't" is one word; a loose accent or a skin tone belongs to what it follows.
            '\'' | '\u{2019}' | '\u{300}'..='\u{36f}' | '\u{1f3fb}'..='\u{1f3ff}' => {
                if let Some(last) = tokens
                    .last_mut()
                    .filter(|last| joins && last.kind == Kind::Word)
                {
                    last.end = end;
                }
                continue;
            }
            '0'..='9' => Kind::Digits,
            phrases::THUMB_UP => Kind::Word,
            _ if c.is_alphabetic() => Kind::Word,
            _ => {
                joins = false;
                continue;
            }
        };
        match tokens.last_mut().filter(|last| joins && last.kind == kind) {
            Some(last) => last.end = end,
            None => tokens.push(Token {
                kind,
                asked,
                folded: String::new(),
                start,
                end,
            }),
        }
        let token = tokens.last_mut().expect("a token was just found or pushed");
        token.folded.extend(c.to_lowercase().map(unaccented));
        joins = true;
    }
    tokens
}

/// Full-width forms (U+FF01 to U+FF5E) as the ASCII they stand for.
fn halfwidth(c: char) -> char {
    match u32::from(c) {
        wide @ 0xff01..=0xff5e => char::from_u32(wide - 0xfee0).unwrap_or(c),
        _ => c,
    }
}

fn unaccented(c: char) -> char {
    match c {
        'å' | 'ä' | 'á' | 'à' | 'â' => 'a',
        'ö' | 'ø' | 'ó' | 'ô' => 'o',
        'é' | 'è' | 'ê' | 'ë' => 'e',
        'î' | 'ï' => 'i',
        'ù' | 'û' | 'ü' => 'u',
        'ç' => 'c',
        _ => c,
    }
}
