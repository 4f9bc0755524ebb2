//! What a text means (DESIGN §4.5, CHANNELS §1.9). Pure: a text and the sender's open codes in, a meaning out.
//!
//! Nothing is guessed: an answer counts only when it stands right beside the code or is all there is, because a wrong
//! "coming" stops an escalation. What is not understood goes to people as it is.

mod arrival;
mod orders;
mod phrases;
mod tokens;

pub use self::arrival::Eta;
use self::arrival::{eta_at, is_piece};
pub use self::orders::Order;
pub(super) use self::orders::{first_word, is_all, target_and_words, word_and_minutes};
use self::phrases::Phrase;
use self::tokens::{Kind, Token, tokens};
use crate::vocabulary::{AlertKind, Answer};

/// What a text was taken for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Meaning {
    /// "Was that really you?"
    Question,
    /// Wants something done or told, whether or not the sender may ask for it.
    Order(Order),
    /// Carries a code.
    Code {
        code: String,
        /// `None`: there is more than the code, and it is no answer we know.
        given: Option<Given>,
        /// What else was said; empty when nothing that people need to read.
        rest: String,
    },
    /// An answer without a code, and nothing else.
    BareAnswer(Given),
    /// Words for people.
    Free,
}

/// An answer as somebody gave it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Given {
    pub answer: Answer,
    /// When they will be there; said only beside "coming".
    pub eta: Option<Eta>,
    /// For everything that is open in the bundle, not only for what the code belongs to.
    pub all: bool,
}

impl Given {
    /// Minutes until they are there, when what was said can be meant.
    pub fn eta_min(&self) -> Option<u16> {
        match &self.eta {
            Some(Eta::Minutes(minutes)) => Some(*minutes),
            Some(Eta::Absurd(_)) | None => None,
        }
    }
}

impl From<Answer> for Given {
    fn from(answer: Answer) -> Self {
        Self {
            answer,
            eta: None,
            all: false,
        }
    }
}

/// Reads a whole text. `open` are the codes the sender could answer with; they decide where a run of digits ends.
///
/// A code alone, or with a courtesy, is "coming", but no word of being safe. `4711?` asks and does not answer. Case, spaces,
/// quotes, punctuation, accents and full-width forms do not matter. An order begins with its word; an answer beside one of
/// the sender's own codes is an answer, whatever the text begins with.
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
    if let Some(order) = orders::order(text, &tokens, open) {
        return Meaning::Order(order);
    }
    let Some(found) = find_code(&tokens, open) else {
        return bare_answer(text, &tokens).map_or(Meaning::Free, Meaning::BareAnswer);
    };
    let beside = beside_code(text, &tokens, &found, true);
    let rest: Vec<&Token> = tokens
        .iter()
        .enumerate()
        .filter(|(i, _)| !beside.used.contains(i))
        .map(|(_, token)| token)
        .collect();
    let only_courtesy = rest.iter().all(|token| token.is_courtesy());
    let asks = text.contains(['?', '\u{ff1f}', '\u{61f}']);
    let answer = match beside.answer {
        Beside::One(answer) => Some(answer),
        Beside::Nothing if only_courtesy && asks && !beside.all => return Meaning::Question,
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
        given: answer.map(|answer| Given {
            answer,
            eta: beside.eta,
            all: beside.all,
        }),
        rest,
    }
}

/// Reads one part of a longer text, or a damaged one, for a code with a spelled-out answer. Neither may be what a cut left
/// of something else, so more words must follow.
pub fn parse_part(text: &str, open: &[String], kind: AlertKind) -> Option<(String, Given)> {
    if quotes_a_page(text) {
        return None;
    }
    let tokens = tokens(text, kind);
    // An order that came in parts waits for the rest of its words.
    if orders::order(text, &tokens, open).is_some() {
        return None;
    }
    let found = find_code(&tokens, open)?;
    let beside = beside_code(text, &tokens, &found, false);
    let last_used = beside.used.iter().max().copied().unwrap_or(found.at);
    match beside.answer {
        // The last word may be cut, and the one before may lean on it: "2 min" is no "2".
        Beside::One(answer) if last_used + FOLLOWING_MIN < tokens.len() => Some((
            found.code,
            Given {
                answer,
                eta: beside.eta,
                all: false,
            },
        )),
        Beside::One(_) | Beside::Nothing | Beside::Contradiction => None,
    }
}

/// The code a text carries, whatever it says beside it; nothing when it asks or quotes.
pub(super) fn code(text: &str, open: &[String]) -> Option<String> {
    // Codes are found the same way whatever is answered.
    match parse(text, open, AlertKind::Alert) {
        Meaning::Code { code, .. } => Some(code),
        Meaning::Question | Meaning::Order(_) | Meaning::BareAnswer(_) | Meaning::Free => None,
    }
}

/// How many words must follow an answer in a part.
const FOLLOWING_MIN: usize = 2;

/// How many words a text may have besides an unknown code to still be taken for an answer with a wrong code. Longer ones
/// are sentences with a number in them.
pub(super) const REST_WORDS_MAX: usize = 2;

/// Codes have four digits, five from islands, six for high assurance.
const CODE_DIGITS: std::ops::RangeInclusive<usize> = 4..=6;

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
    /// When somebody who is coming will be there.
    eta: Option<Eta>,
    /// `4711 ALL`
    all: bool,
    /// Tokens that make up the code and its answer.
    used: Vec<usize>,
}

/// The answer right after the code, or right before it, courtesies between them set aside; what belongs to it follows.
/// `ends`: the text ends where the tokens do.
fn beside_code(text: &str, tokens: &[Token], found: &FoundCode, ends: bool) -> BesideCode {
    let mut used = vec![found.at];
    let mut answers: Vec<Said> = found.glued.into_iter().map(Said::Plainly).collect();
    let mut next = skip_courtesies(tokens, found.at + 1);
    while let Some((answer, count)) = answer_at(tokens, next) {
        if !answers.is_empty() && is_piece(text, tokens, next) {
            break; // "4711 1 1.5 h"
        }
        answers.push(answer);
        used.extend(next..next + count);
        next = skip_courtesies(tokens, next + count);
    }
    if let Some((answer, count)) = answer_before(tokens, found.at) {
        answers.push(answer);
        used.extend(found.at - count..found.at);
    }
    let answer = agreed(&answers, tokens[found.at].asked);
    let arrival = eta_at(text, tokens, next, ends);
    let eta = match (&answer, arrival) {
        (Beside::One(Answer::Coming), Some((eta, count))) => {
            used.extend(next..next + count);
            next = skip_courtesies(tokens, next + count);
            Some(eta)
        }
        (Beside::Nothing | Beside::One(_) | Beside::Contradiction, _) => None,
    };
    let all = all_at(tokens, found, next).filter(|_| ends);
    used.extend(all);
    BesideCode {
        answer,
        eta,
        all: all.is_some(),
        used,
    }
}

/// The word "all" that ends a text behind a code and its answer, or stands alone before the code.
fn all_at(tokens: &[Token], found: &FoundCode, next: usize) -> Option<usize> {
    let is_all = |at: usize| tokens.get(at).is_some_and(Token::is_all);
    if is_all(next) && skip_courtesies(tokens, next + 1) == tokens.len() {
        return Some(next);
    }
    let first = skip_courtesies(tokens, 0);
    (is_all(first) && skip_courtesies(tokens, first + 1) == found.at && next == tokens.len())
        .then_some(first)
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
        let is_time = tokens.get(at + 1).is_some_and(Token::is_unit);
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

/// The answer a text consists of: digits and phrases that all say the same, courtesies aside, then when and for what.
fn bare_answer(text: &str, tokens: &[Token]) -> Option<Given> {
    let mut answers = Vec::new();
    let mut next = skip_courtesies(tokens, 0);
    while let Some((answer, count)) = answer_at(tokens, next) {
        answers.push(answer);
        next = skip_courtesies(tokens, next + count);
    }
    let asked = tokens.first().map_or(AlertKind::Alert, |token| token.asked);
    let Beside::One(answer) = agreed(&answers, asked) else {
        return None;
    };
    let mut given = Given::from(answer);
    if answer == Answer::Coming
        && let Some((eta, count)) = eta_at(text, tokens, next, true)
    {
        given.eta = Some(eta);
        next = skip_courtesies(tokens, next + count);
    }
    if tokens.get(next).is_some_and(Token::is_all) {
        given.all = true;
        next = skip_courtesies(tokens, next + 1);
    }
    (next == tokens.len()).then_some(given)
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
