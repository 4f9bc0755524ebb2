//! Orders: texts that begin with a word for something to be done or told.

use super::tokens::Token;
use super::{Beside, beside_code, find_code, skip_courtesies};
use crate::alerts::Name;
use crate::texts::{self, Verb};
use crate::vocabulary::AlertKind;

/// What somebody asks for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Order {
    pub verb: Verb,
    /// What follows the word, as it was written.
    pub args: String,
}

/// Most minutes an order may name, whatever it is for.
const MINUTES_DIGITS_MAX: usize = 4;

/// The order a text begins with. `open` are the sender's own codes: an answer beside one of them is no order, and an order
/// that is about no alert does not hold one ("Alert 4711 1" quotes our words).
pub(super) fn order(text: &str, tokens: &[Token], open: &[String]) -> Option<Order> {
    let start = skip_courtesies(tokens, 0);
    let first = tokens.get(start)?;
    let to_all = first.is_all() && text[..first.start].ends_with('@');
    let (verb, count) = match to_all {
        true => (Verb::Tell, 1),
        false => verb_at(&tokens[start..])?,
    };
    let args = &text[tokens[start + count - 1].end..];
    if let Some(found) = find_code(tokens, open)
        && open.contains(&found.code)
    {
        let beside = beside_code(text, tokens, &found, true);
        let is_answer = matches!(beside.answer, Beside::One(_) | Beside::Contradiction);
        if is_answer || !verb.names_alert() {
            return None;
        }
    }
    let args = args
        .trim_start_matches(|c: char| {
            c.is_whitespace() || matches!(c, ':' | ',' | '.' | '=' | '-' | '!' | '?')
        })
        .trim_end();
    let order = |verb, args: &str| Order {
        verb,
        args: args.to_owned(),
    };
    // "ROOM 118 @all words" tells everybody.
    if verb == Verb::Room
        && let Some((before, after)) = split_at_all(args)
    {
        let words = format!("{} {}", before.trim(), after.trim());
        return Some(order(Verb::Tell, words.trim()));
    }
    Some(order(verb, args))
}

/// The verb that begins here, and how many tokens it takes.
fn verb_at(tokens: &[Token]) -> Option<(Verb, usize)> {
    let begins = |phrase: &[&str]| {
        tokens.len() >= phrase.len()
            && tokens
                .iter()
                .zip(phrase)
                .all(|(token, word)| token.folded == *word)
    };
    texts::verbs()
        .filter(|(_, phrase)| begins(phrase))
        .max_by_key(|(_, phrase)| phrase.len())
        .map(|(verb, phrase)| (verb, phrase.len()))
}

/// What stands before and after `@all`, when at most the number of an alert stands before it.
fn split_at_all(args: &str) -> Option<(&str, &str)> {
    let mark = args.find('@')?;
    let (before, after) = args.split_at(mark);
    let after = &after[1..];
    let word_len = after
        .find(|c: char| !c.is_alphabetic())
        .unwrap_or(after.len());
    let tokens = tokens(&after[..word_len]);
    let is_all = matches!(tokens.as_slice(), [only] if only.is_all());
    let numbered = before.trim().is_empty() || target_and_words(before).1.is_empty();
    (is_all && numbered).then(|| (before, &after[word_len..]))
}

/// The number of an alert (or a code of the sender's) that arguments begin with, and the words behind it. Without one, all
/// of it is words.
pub(in crate::inbound) fn target_and_words(args: &str) -> (Option<String>, String) {
    let (first, rest) = first_word(args);
    let number = first.trim_matches(|c: char| matches!(c, '#' | ':' | ',' | '.' | ';'));
    match Name::parse(number) {
        Some(_) => (Some(number.to_owned()), rest.trim().to_owned()),
        None => (None, args.trim().to_owned()),
    }
}

/// A word, and the minutes behind it if there are any: `zabbix 30`, `zabbix 2 h`.
///
/// # Errors
/// What stands behind the word is no length of time; it is returned as written.
pub(in crate::inbound) fn word_and_minutes(args: &str) -> (&str, Result<Option<u32>, &str>) {
    let (first, rest) = first_word(args);
    let tokens = tokens(rest);
    let minutes = match tokens.as_slice() {
        [] => return (first, Ok(None)),
        [number] => amount(number),
        [number, unit] if is(unit, super::phrases::HOURS) => {
            amount(number).map(|hours| hours.saturating_mul(60))
        }
        [number, unit] if is(unit, super::phrases::MINUTES) => amount(number),
        [_, ..] => None,
    };
    (first, minutes.map(Some).ok_or(rest))
}

fn is(token: &Token, words: &[&str]) -> bool {
    words.contains(&token.folded.as_str())
}

fn amount(token: &Token) -> Option<u32> {
    Some(&token.folded)
        .filter(|digits| digits.len() <= MINUTES_DIGITS_MAX)
        .and_then(|digits| digits.parse().ok())
}

/// Whether a word means everything that is open.
pub(in crate::inbound) fn is_all(word: &str) -> bool {
    matches!(tokens(word).as_slice(), [only] if only.is_all())
}

/// The first word, and what follows it.
pub(in crate::inbound) fn first_word(args: &str) -> (&str, &str) {
    let args = args.trim_start();
    let end = args.find(char::is_whitespace).unwrap_or(args.len());
    let (first, rest) = args.split_at(end);
    (first, rest.trim_start())
}

/// Words of an order; none of them is an answer.
fn tokens(text: &str) -> Vec<Token> {
    super::tokens(text, AlertKind::Alert)
}
