//! What a text means (DESIGN §4.5, CHANNELS §1.9). Pure: a text and the sender's open codes in, a meaning out.
//!
//! Nothing is guessed: an answer counts only when it stands right beside the code or is all there is, because a wrong
//! "coming" stops an escalation. What is not understood goes to people as it is.

mod phrases;

use self::phrases::Phrase;
use crate::vocabulary::{AlertKind, Answer};

/// What a text was taken for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Meaning {
    /// "Was that really you?"
    Question,
    /// Carries a code.
    Code {
        code: String,
        /// `None`: there is more than the code, and it is no answer we know.
        answer: Option<Answer>,
        /// What else was said; empty when nothing that people need to read.
        rest: String,
    },
    /// An answer without a code, and nothing else.
    BareAnswer(Answer),
    /// Words for people.
    Free,
}

/// Reads a whole text. `open` are the codes the sender could answer with; they decide where a run of digits ends.
///
/// A code alone, or with a courtesy, is "coming", but no word of being safe. `4711?` asks and does not answer. Case, spaces, quotes, punctuation,
/// accents and full-width forms do not matter.
///
/// What digits and words mean depends on the `kind` of the alert the text would answer.
pub fn parse(text: &str, open: &[String], kind: AlertKind) -> Meaning {
    let tokens = tokens(text, kind);
    if is_question(text, &tokens) {
        return Meaning::Question;
    }
    if quotes_a_page(text) {
        return Meaning::Free;
    }
    let Some(found) = find_code(&tokens, open) else {
        return bare_answer(&tokens).map_or(Meaning::Free, Meaning::BareAnswer);
    };
    let beside = beside_code(&tokens, &found);
    let rest: Vec<&Token> = tokens
        .iter()
        .enumerate()
        .filter(|(i, _)| !beside.used.contains(i))
        .map(|(_, token)| token)
        .collect();
    let only_courtesy = rest.iter().all(|token| token.is_courtesy());
    let answer = match beside.answer {
        Beside::One(answer) => Some(answer),
        Beside::Nothing if only_courtesy && text.contains(['?', '\u{ff1f}', '\u{61f}']) => {
            return Meaning::Question;
        }
        // That somebody has the phone says nothing about how they are.
        Beside::Nothing if only_courtesy && kind == AlertKind::Alert => Some(Answer::Coming),
        Beside::Nothing | Beside::Contradiction => None,
    };
    let rest = if only_courtesy && answer.is_some() {
        String::new()
    } else {
        without(text, &tokens, &beside.used)
    };
    Meaning::Code {
        code: found.code,
        answer,
        rest,
    }
}

/// Reads one part of a longer text, or a damaged one, for a code with a spelled-out answer. Neither may be what a cut left
/// of something else, so more words must follow.
pub fn parse_part(text: &str, open: &[String], kind: AlertKind) -> Option<(String, Answer)> {
    if quotes_a_page(text) {
        return None;
    }
    let tokens = tokens(text, kind);
    let found = find_code(&tokens, open)?;
    let beside = beside_code(&tokens, &found);
    let last_used = beside.used.iter().max().copied().unwrap_or(found.at);
    match beside.answer {
        // The last word may be cut, and the one before may lean on it: "2 min" is no "2".
        Beside::One(answer) if last_used + FOLLOWING_MIN < tokens.len() => {
            Some((found.code, answer))
        }
        Beside::One(_) | Beside::Nothing | Beside::Contradiction => None,
    }
}

/// The code a text carries, whatever it says beside it; nothing when it asks or quotes.
pub(super) fn code(text: &str, open: &[String]) -> Option<String> {
    // Codes are found the same way whatever is answered.
    match parse(text, open, AlertKind::Alert) {
        Meaning::Code { code, .. } => Some(code),
        Meaning::Question | Meaning::BareAnswer(_) | Meaning::Free => None,
    }
}

/// How many words must follow an answer in a part.
const FOLLOWING_MIN: usize = 2;

/// How many words a text may have besides an unknown code to still be taken for an answer with a wrong code. Longer ones
/// are sentences with a number in them.
pub(super) const REST_WORDS_MAX: usize = 2;

/// Codes have four digits, five from islands, six for high assurance.
const CODE_DIGITS: std::ops::RangeInclusive<usize> = 4..=6;

/// A run of digits, or a run of letters, or a thumb up; folded to plain lower-case ASCII where that exists.
#[derive(Debug)]
struct Token {
    kind: Kind,
    /// What answers it could stand for.
    asked: AlertKind,
    folded: String,
    /// Byte range in the text.
    start: usize,
    end: usize,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Digits,
    Word,
}

impl Token {
    fn is_courtesy(&self) -> bool {
        phrases::COURTESIES.contains(&self.folded.as_str())
    }

    /// The answer a single digit stands for.
    fn as_answer(&self) -> Option<Answer> {
        match self.kind {
            Kind::Digits if self.folded.len() == 1 => self.asked.of_digit(&self.folded),
            Kind::Digits | Kind::Word => None,
        }
    }
}

fn tokens(text: &str, asked: AlertKind) -> Vec<Token> {
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
        'å' | 'ä' | 'á' | 'à' => 'a',
        'ö' | 'ø' | 'ó' => 'o',
        'é' | 'è' => 'e',
        _ => c,
    }
}

fn is_question(text: &str, tokens: &[Token]) -> bool {
    match tokens {
        [] => text.contains(['?', '\u{ff1f}', '\u{61f}']),
        [only] => phrases::QUESTIONS.contains(&only.folded.as_str()),
        _ => false,
    }
}

/// A page of ours forwarded, quoted by a robot or "liked": its list of answers is no answer.
fn quotes_a_page(text: &str) -> bool {
    ["1=", "2=", "3="]
        .iter()
        .all(|answer| text.contains(answer))
}

struct FoundCode {
    code: String,
    /// Token that holds it.
    at: usize,
    /// The answer written without a gap: `47111`.
    glued: Option<Answer>,
}

/// One of the sender's own codes if there is one, else the first run of digits as long as a code.
fn find_code(tokens: &[Token], open: &[String]) -> Option<FoundCode> {
    let digits = || {
        tokens
            .iter()
            .enumerate()
            .filter(|(_, token)| token.kind == Kind::Digits)
    };
    for (at, token) in digits() {
        if open.contains(&token.folded) {
            return Some(FoundCode {
                code: token.folded.clone(),
                at,
                glued: None,
            });
        }
    }
    for (at, token) in digits() {
        let (code, last) = token.folded.split_at(token.folded.len() - 1);
        if open.iter().any(|open| open == code)
            && let Some(answer) = token.asked.of_digit(last)
        {
            return Some(FoundCode {
                code: code.to_owned(),
                at,
                glued: Some(answer),
            });
        }
    }
    let (at, token) = digits().find(|(_, token)| CODE_DIGITS.contains(&token.folded.len()))?;
    Some(FoundCode {
        code: token.folded.clone(),
        at,
        glued: None,
    })
}

enum Beside {
    Nothing,
    One(Answer),
    /// `4711 1 2`, `1 4711 2`.
    Contradiction,
}

/// How an answer was given.
#[derive(Clone, Copy, Debug)]
enum Said {
    Plainly(Answer),
    /// Says no more than the code alone does: "coming".
    Yes,
}

struct BesideCode {
    answer: Beside,
    /// Tokens that make up the code and its answer.
    used: Vec<usize>,
}

/// The answer right after the code, or right before it, courtesies between them set aside.
fn beside_code(tokens: &[Token], found: &FoundCode) -> BesideCode {
    let mut used = vec![found.at];
    let mut answers: Vec<Said> = found.glued.into_iter().map(Said::Plainly).collect();
    let mut next = skip_courtesies(tokens, found.at + 1);
    while let Some((answer, count)) = answer_at(tokens, next) {
        answers.push(answer);
        used.extend(next..next + count);
        next = skip_courtesies(tokens, next + count);
    }
    if let Some((answer, count)) = answer_before(tokens, found.at) {
        answers.push(answer);
        used.extend(found.at - count..found.at);
    }
    BesideCode {
        answer: agreed(&answers, tokens[found.at].asked),
        used,
    }
}

/// One answer if all say the same. A yes beside another answer adds nothing: `ok 2` is 2.
fn agreed(answers: &[Said], asked: AlertKind) -> Beside {
    let mut plain = answers.iter().filter_map(|said| match said {
        Said::Plainly(answer) => Some(*answer),
        Said::Yes => None,
    });
    match plain.next() {
        None if answers.is_empty() => Beside::Nothing,
        None => Beside::One(yes(asked)),
        Some(first) if plain.all(|other| other == first) => Beside::One(first),
        Some(_) => Beside::Contradiction,
    }
}

/// What "yes" says.
fn yes(asked: AlertKind) -> Answer {
    match asked {
        AlertKind::Alert => Answer::Coming,
        AlertKind::SafetyCheck => Answer::Safe,
    }
}

fn skip_courtesies(tokens: &[Token], from: usize) -> usize {
    from + tokens
        .iter()
        .skip(from)
        .take_while(|token| token.is_courtesy())
        .count()
}

/// The answer that begins at a token, and how many tokens it takes.
fn answer_at(tokens: &[Token], at: usize) -> Option<(Said, usize)> {
    let token = tokens.get(at)?;
    if let Some(answer) = token.as_answer() {
        // "4711 2 min" says when, not whether.
        let is_time = tokens
            .get(at + 1)
            .is_some_and(|unit| phrases::UNITS.contains(&unit.folded.as_str()));
        return (!is_time).then_some((Said::Plainly(answer), 1));
    }
    let longest = phrases::all(token.asked)
        .filter(|phrase| starts_with(&tokens[at..], phrase))
        .max_by_key(|p| p.words.len())?;
    Some((longest.says, longest.words.len()))
}

/// The answer that ends right before a token. It must start the text, or it is the end of some sentence.
fn answer_before(tokens: &[Token], before: usize) -> Option<(Said, usize)> {
    let start = skip_courtesies(tokens, 0);
    let (answer, count) = answer_at(tokens, start)?;
    (start + count == before).then_some((answer, count))
}

fn starts_with(tokens: &[Token], phrase: &Phrase) -> bool {
    tokens.len() >= phrase.words.len()
        && tokens
            .iter()
            .zip(phrase.words)
            .all(|(token, word)| token.folded == *word)
}

/// The answer a text consists of: digits and phrases that all say the same, courtesies aside.
fn bare_answer(tokens: &[Token]) -> Option<Answer> {
    let mut answers = Vec::new();
    let mut next = skip_courtesies(tokens, 0);
    while next < tokens.len() {
        let (answer, count) = answer_at(tokens, next)?;
        answers.push(answer);
        next = skip_courtesies(tokens, next + count);
    }
    let asked = tokens.first().map_or(AlertKind::Alert, |token| token.asked);
    match agreed(&answers, asked) {
        Beside::One(answer) => Some(answer),
        Beside::Nothing | Beside::Contradiction => None,
    }
}

/// The text without some of its tokens, and without the punctuation that is left at its ends.
fn without(text: &str, tokens: &[Token], used: &[usize]) -> String {
    let mut rest = String::with_capacity(text.len());
    let mut from = 0;
    for (_, token) in tokens
        .iter()
        .enumerate()
        .filter(|(at, _)| used.contains(at))
    {
        rest.push_str(&text[from..token.start]);
        from = token.end;
    }
    rest.push_str(&text[from..]);
    let edge = |c: char| matches!(c, ',' | '.' | ';' | ':' | '-' | '/' | '"' | '=' | '#');
    let says_something = |word: &&str| !word.chars().all(|c| c == '+' || edge(c));
    let words: Vec<&str> = rest.split_whitespace().filter(says_something).collect();
    words.join(" ").trim_matches(edge).to_owned()
}

#[cfg(test)]
mod tests;
