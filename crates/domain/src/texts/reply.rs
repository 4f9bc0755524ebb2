//! Answers to texts people sent us. They say what is now true (DESIGN §4.5).

use super::Language;
use super::clean::{clean, clip};
use super::order::absurd;
use super::page::ORGANISATION_UNITS_MAX;
use crate::time::CivilTime;
use crate::vocabulary::{AlertKind, Answer};

/// Which alert a reply is about, and to whom it speaks.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    pub language: Language,
    pub organisation: &'a str,
    /// The alert's number as people say it.
    pub number: &'a str,
    /// What can be answered to it.
    pub kind: AlertKind,
}

/// How and when an alert ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ended {
    pub how: EndedHow,
    pub at: CivilTime,
}

/// What became of an alert that takes no more answers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum EndedHow {
    Resolved,
    CalledOff,
    /// It became part of the alert with this number.
    Joined {
        into: String,
    },
}

/// An answer that came after the end.
#[derive(Clone, Debug)]
pub struct LateAnswer<'a> {
    /// When it came.
    pub at: CivilTime,
    /// Who answered.
    pub name: &'a str,
    pub answer: Answer,
    pub ended: Ended,
    /// When the same person's first answer came, if there was one.
    pub first_answer_at: Option<CivilTime>,
}

/// A code somebody could answer with.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OpenCode {
    pub code: String,
    pub number: String,
    pub kind: AlertKind,
}

/// One text that went to a number.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Sent {
    pub at: CivilTime,
    pub number: Option<String>,
    /// It called people off rather than in.
    pub called_off: bool,
    /// What it was about.
    pub text: String,
}

/// What somebody said about when they will be there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Arrival<'a> {
    Unsaid,
    In {
        minutes: u16,
        at: CivilTime,
    },
    /// A time that nobody can mean, as it was written. The answer beside it counts.
    Absurd(&'a str),
}

/// `Noted 03:12 UTC, Anna: coming. Alert 118 Aurora Energy.`, with the time of arrival when there is one.
pub fn confirmation(
    about: About<'_>,
    at: CivilTime,
    name: &str,
    answer: Answer,
    arrival: Arrival<'_>,
) -> String {
    let words = about.language.words();
    let said = match arrival {
        Arrival::In { minutes, at } => words.arriving(minutes, &at.to_hh_mm()),
        Arrival::Unsaid | Arrival::Absurd(_) => words.answer(answer).to_owned(),
    };
    let noted = words.noted(&at.to_hh_mm(), &person(name), &said, &alert(about));
    match arrival {
        Arrival::Absurd(said) => format!("{noted} {}", absurd(about.language, said)),
        Arrival::Unsaid | Arrival::In { .. } => noted,
    }
}

/// How the alert ended, when, and that the late answer is on record with its own time.
pub fn late(about: About<'_>, late: &LateAnswer<'_>) -> String {
    let words = about.language.words();
    let recorded = words.recorded_late(
        &late.at.to_hh_mm(),
        &person(late.name),
        words.answer(late.answer),
    );
    let ended = closed(about, &late.ended);
    match late.first_answer_at {
        Some(first) => format!(
            "{ended} {recorded} {}",
            words.first_answer(&first.to_hh_mm())
        ),
        None => format!("{ended} {recorded}"),
    }
}

/// How the alert ended, and when.
pub fn closed(about: About<'_>, ended: &Ended) -> String {
    let words = about.language.words();
    let (alert, time) = (alert(about), ended.at.to_hh_mm());
    match &ended.how {
        EndedHow::Resolved => words.was_resolved(&alert, &time),
        EndedHow::CalledOff => words.was_called_off(&alert, &time),
        EndedHow::Joined { into } => words.was_joined(&alert, into, &time),
    }
}

/// Asks for the code that a critical alert wants: `Send 4711 1`.
pub fn ask_back(about: About<'_>, code: &str, answer: Answer) -> String {
    let words = about.language.words();
    let send = send(about.kind, code, answer);
    words.ask_back(&alert(about), &send, words.answer(answer))
}

/// Lists the codes of open alerts, because the answer did not say which one it meant.
pub fn ambiguous(language: Language, answer: Answer, open: &[OpenCode]) -> String {
    let words = language.words();
    format!("{} {}", words.several_open(), list(language, answer, open))
}

/// The code is not one of this person's; lists those that are.
pub fn unknown_code(language: Language, code: &str, answer: Answer, open: &[OpenCode]) -> String {
    let words = language.words();
    format!(
        "{} {}",
        words.unknown_code(&clip(&clean(code), CODE_UNITS_MAX)),
        list(language, answer, open)
    )
}

/// The code is not known at a site that is cut off; it is kept. Names numbers of other nodes to text as well.
pub fn code_elsewhere(language: Language, site: &str, numbers: &[String]) -> String {
    let numbers: Vec<&str> = numbers
        .iter()
        .take(NUMBERS_MAX)
        .map(String::as_str)
        .collect();
    language
        .words()
        .code_elsewhere(&super::page::site(site), &numbers.join(", "))
}

/// One text for all that waited so long that nobody should get them one by one (PRODUCT L-22).
pub fn backlog(
    language: Language,
    organisation: &str,
    count: u64,
    newest: (&str, &str),
    open: &[String],
) -> String {
    let words = language.words();
    let organisation = clip(&clean(organisation), ORGANISATION_UNITS_MAX);
    let (number, text) = newest;
    let newest = format!("{number} {}", clip(&clean(text), SENT_TEXT_UNITS_MAX));
    let mut named: Vec<&str> = open.iter().take(BACKLOG_MAX).map(String::as_str).collect();
    if open.len() > BACKLOG_MAX {
        named.push("...");
    }
    words.backlog(&organisation, count, newest.trim_end(), &named.join(", "))
}

/// The code was right, but too many wrong ones came from this number (SECURITY T-9).
pub fn not_counted(about: About<'_>) -> String {
    about.language.words().not_counted(&alert(about))
}

/// What a mail says about answering it by mail.
pub fn reply_by_mail(language: Language) -> &'static str {
    match language {
        Language::En => {
            "Or reply to this mail, with the number of your answer in the first line: 1"
        }
        Language::Fi => {
            "Tai vastaa tähän viestiin ja kirjoita vastauksesi numero ensimmäiselle riville: 1"
        }
        Language::Sv => "Eller svara på detta mejl med numret på ditt svar på första raden: 1",
    }
}

/// This mail was answered before: what was written is shown, and how to say something else.
pub fn mail_used(about: About<'_>, code: &str) -> String {
    let words = about.language.words();
    let newest = match about.language {
        Language::En => {
            "Each of our mails is answered once. To change your answer, reply to our newest mail, or text us:"
        }
        Language::Fi => {
            "Kuhunkin viestiimme vastataan kerran. Muuta vastaustasi vastaamalla uusimpaan viestiimme tai tekstiviestillä:"
        }
        Language::Sv => {
            "Varje mejl från oss besvaras en gång. Ändra ditt svar genom att svara på vårt senaste mejl eller per sms:"
        }
    };
    format!(
        "{} {newest} {}",
        words.shown_in_room(&alert(about)),
        words.how_to_answer(code, about.kind, about.kind.answers())
    )
}

/// What went to this number, newest first, or that nothing did in `hours`.
pub fn genuine(language: Language, organisation: &str, sent: &[Sent], hours: u64) -> String {
    let words = language.words();
    let organisation = clip(&clean(organisation), ORGANISATION_UNITS_MAX);
    if sent.is_empty() {
        return words.told_nothing(&organisation, hours);
    }
    let line = |sent: &Sent| {
        let time = sent.at.to_rfc3339();
        // "2026-11-21T03:12:05.250Z": the day matters, the seconds do not.
        let text = clip(&clean(&sent.text), SENT_TEXT_UNITS_MAX);
        let text = if sent.called_off {
            format!("{} {text}", words.called_off())
        } else {
            text
        };
        words.told_line(&time[..16].replace('T', " "), sent.number.as_deref(), &text)
    };
    let lines: Vec<String> = sent.iter().take(SENT_MAX).map(line).collect();
    format!("{}\n{}", words.told(&organisation), lines.join("\n"))
}

/// To a number without an open alert: the message is kept, and what it is not.
pub fn duty_inbox_reply(language: Language, organisation: &str) -> String {
    language
        .words()
        .duty_inbox(&clip(&clean(organisation), ORGANISATION_UNITS_MAX))
}

/// To somebody who called a modem: that this is no answer, and how to answer what is open.
pub fn no_calls(language: Language, organisation: &str, open: &[OpenCode]) -> String {
    let words = language.words();
    let said = words.no_calls(&clip(&clean(organisation), ORGANISATION_UNITS_MAX));
    if open.is_empty() {
        return said;
    }
    let codes = list(language, Answer::Coming, open);
    format!("{said} {} {codes}", words.reply())
}

/// Asks whether a test woke somebody.
pub fn wake_question(language: Language, organisation: &str, code: &str) -> String {
    let organisation = clip(&clean(organisation), ORGANISATION_UNITS_MAX);
    language.words().wake_question(&organisation, code)
}

/// What was noted of a test.
pub fn wake_noted(language: Language, organisation: &str, woke: bool) -> String {
    let organisation = clip(&clean(organisation), ORGANISATION_UNITS_MAX);
    language.words().wake_noted(&organisation, woke)
}

/// Asks somebody to wake another person, who is called to an alert and asked for it.
pub fn wake(language: Language, organisation: &str, number: &str, sleeper: &str) -> String {
    let about = About {
        language,
        organisation,
        number,
        kind: AlertKind::Alert,
    };
    language.words().wake(&alert(about), &person(sleeper))
}

/// The message is in the alert's room, and how to answer for real.
pub fn room_posted(about: About<'_>, code: &str) -> String {
    let words = about.language.words();
    format!(
        "{} {}",
        words.shown_in_room(&alert(about)),
        words.how_to_answer(code, about.kind, about.kind.answers())
    )
}

/// Longest name of a person in a text.
const PERSON_UNITS_MAX: usize = 40;

/// Longest code shown back to whoever sent it.
const CODE_UNITS_MAX: usize = 8;

/// How many numbers of other nodes a text names.
const NUMBERS_MAX: usize = 4;

/// How many open alerts a summary names.
const BACKLOG_MAX: usize = 12;

/// How many open alerts a list names.
const OPEN_MAX: usize = 6;

/// How many texts an answer to `?` names, and how much of each.
const SENT_MAX: usize = 3;
const SENT_TEXT_UNITS_MAX: usize = 60;

pub(super) fn alert(about: About<'_>) -> String {
    let organisation = clip(&clean(about.organisation), ORGANISATION_UNITS_MAX);
    about.language.words().alert(about.number, &organisation)
}

pub(super) fn person(name: &str) -> String {
    clip(&clean(name), PERSON_UNITS_MAX)
}

fn list(language: Language, answer: Answer, open: &[OpenCode]) -> String {
    let words = language.words();
    let lines: Vec<String> = open
        .iter()
        .take(OPEN_MAX)
        .map(|o| words.open_code(&send(o.kind, &o.code, answer), &o.number))
        .collect();
    lines.join(", ")
}

/// What to type: `4711 1`.
fn send(kind: AlertKind, code: &str, answer: Answer) -> String {
    format!("{code} {}", kind.digit(answer))
}
