//! "Coming, in 20 minutes": the time that may stand right behind an answer.

use super::phrases;
use super::skip_courtesies;
use super::tokens::{Kind, Token};
use crate::vocabulary::ETA_MIN_MAX;

/// When somebody says they will be there.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Eta {
    /// So many minutes from now, at most [`ETA_MIN_MAX`].
    Minutes(u16),
    /// A time that nobody can mean, as it was written: `5000`, `90 h`.
    Absurd(String),
}

/// Longer runs of digits are no time: a phone number, a code.
const DIGITS_MAX: usize = 4;

/// The time that begins at a token, and how many tokens it takes. A number without a unit is minutes only when nothing but
/// courtesies follows: "20 people" says something else. `ends`: the text ends where the tokens do.
pub(super) fn eta_at(text: &str, tokens: &[Token], at: usize, ends: bool) -> Option<(Eta, usize)> {
    let about = tokens
        .iter()
        .skip(at)
        .take_while(|token| is(token, phrases::ABOUT));
    let number_at = at + about.count();
    let number = tokens.get(number_at)?;
    let is_number = number.kind == Kind::Digits && number.folded.len() <= DIGITS_MAX;
    if !is_number || is_piece(text, tokens, number_at) {
        return None;
    }
    let amount: u32 = number.folded.parse().ok()?;
    let unit = tokens.get(number_at + 1);
    let (minutes, last) = match unit {
        Some(unit) if is(unit, phrases::MINUTES) => (amount, number_at + 1),
        Some(unit) if is(unit, phrases::HOURS) => (amount.saturating_mul(60), number_at + 1),
        Some(unit) if unit.is_unit() => return None,
        Some(_) | None => {
            let is_last = ends && skip_courtesies(tokens, number_at + 1) >= tokens.len();
            let is_all = ends
                && tokens
                    .get(skip_courtesies(tokens, number_at + 1))
                    .is_some_and(Token::is_all);
            if !is_last && !is_all {
                return None;
            }
            (amount, number_at)
        }
    };
    let after = tokens
        .get(last + 1)
        .filter(|token| is(token, phrases::AFTER));
    let count = last + 1 - at + usize::from(after.is_some());
    let eta = match u16::try_from(minutes) {
        Ok(minutes) if minutes <= ETA_MIN_MAX => Eta::Minutes(minutes),
        Ok(_) | Err(_) => Eta::Absurd(text[number.start..tokens[last].end].to_owned()),
    };
    Some((eta, count))
}

/// Whether a number is a piece of something like `14:50`, `1.5` or `20-30`.
pub(super) fn is_piece(text: &str, tokens: &[Token], at: usize) -> bool {
    let glued = |left: usize| match (tokens.get(left), tokens.get(left + 1)) {
        (Some(a), Some(b)) => {
            let both = a.kind == Kind::Digits && b.kind == Kind::Digits;
            both && matches!(&text[a.end..b.start], "." | "," | ":" | "-" | "/")
        }
        (Some(_), None) | (None, _) => false,
    };
    glued(at) || at.checked_sub(1).is_some_and(glued)
}

fn is(token: &Token, words: &[&str]) -> bool {
    words.contains(&token.folded.as_str())
}
