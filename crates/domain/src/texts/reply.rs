//! Answers to texts people sent us. They say what is now true (DESIGN §4.5).

use super::Language;
use super::clean::{clean, clip};
use super::order::absurd;
use super::page::{ORGANISATION_UNITS_MAX, answers};
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
    let language = about.language;
    let said = match arrival {
        Arrival::In { minutes, at } => language.say(
            "arriving",
            &[("minutes", &minutes.to_string()), ("time", &at.to_hh_mm())],
        ),
        Arrival::Unsaid | Arrival::Absurd(_) => language.answer(answer).to_owned(),
    };
    let values = [
        ("time", &*at.to_hh_mm()),
        ("name", &person(name)),
        ("answer", &said),
        ("alert", &alert(about)),
    ];
    let noted = language.say("noted", &values);
    match arrival {
        Arrival::Absurd(said) => format!("{noted} {}", absurd(language, said)),
        Arrival::Unsaid | Arrival::In { .. } => noted,
    }
}

/// How the alert ended, when, and that the late answer is on record with its own time.
pub fn late(about: About<'_>, late: &LateAnswer<'_>) -> String {
    let language = about.language;
    let values = [
        ("time", &*late.at.to_hh_mm()),
        ("name", &person(late.name)),
        ("answer", language.answer(late.answer)),
    ];
    let recorded = language.say("recorded_late", &values);
    let ended = closed(about, &late.ended);
    match late.first_answer_at {
        Some(first) => format!(
            "{ended} {recorded} {}",
            language.say("first_answer", &[("time", &first.to_hh_mm())])
        ),
        None => format!("{ended} {recorded}"),
    }
}

/// How the alert ended, and when.
pub fn closed(about: About<'_>, ended: &Ended) -> String {
    let (key, into) = match &ended.how {
        EndedHow::Resolved => ("was_resolved", ""),
        EndedHow::CalledOff => ("was_called_off", ""),
        EndedHow::Joined { into } => ("was_joined", into.as_str()),
    };
    let (alert, time) = (alert(about), ended.at.to_hh_mm());
    let values = [("alert", &*alert), ("time", &time), ("into", into)];
    about.language.say(key, &values)
}

/// Asks for the code that a critical alert wants: `Send 4711 1`.
pub fn ask_back(about: About<'_>, code: &str, answer: Answer) -> String {
    let values = [
        ("alert", &*alert(about)),
        ("send", &send(about.kind, code, answer)),
        ("answer", about.language.answer(answer)),
    ];
    about.language.say("ask_back", &values)
}

/// Lists the codes of open alerts, because the answer did not say which one it meant.
pub fn ambiguous(language: Language, answer: Answer, open: &[OpenCode]) -> String {
    let several = language.word("several_open");
    format!("{several} {}", list(language, answer, open))
}

/// The code is not one of this person's; lists those that are.
pub fn unknown_code(language: Language, code: &str, answer: Answer, open: &[OpenCode]) -> String {
    let code = clip(&clean(code), CODE_UNITS_MAX);
    let unknown = language.say("unknown_code", &[("code", &code)]);
    format!("{unknown} {}", list(language, answer, open))
}

/// The code is not known at a site that is cut off; it is kept. Names numbers of other nodes to text as well.
pub fn code_elsewhere(language: Language, site: &str, numbers: &[String]) -> String {
    let numbers: Vec<&str> = numbers
        .iter()
        .take(NUMBERS_MAX)
        .map(String::as_str)
        .collect();
    let noted = language.say("code_elsewhere", &[("site", &super::page::site(site))]);
    if numbers.is_empty() {
        return noted;
    }
    let values = [("numbers", &*numbers.join(", "))];
    format!("{noted} {}", language.say("code_elsewhere.also", &values))
}

/// One text for all that waited so long that nobody should get them one by one (PRODUCT L-22).
pub fn backlog(
    language: Language,
    organisation: &str,
    count: u64,
    newest: (&str, &str),
    open: &[String],
) -> String {
    let organisation = clip(&clean(organisation), ORGANISATION_UNITS_MAX);
    let (number, text) = newest;
    let newest = format!("{number} {}", clip(&clean(text), SENT_TEXT_UNITS_MAX));
    let mut named: Vec<&str> = open.iter().take(BACKLOG_MAX).map(String::as_str).collect();
    if open.len() > BACKLOG_MAX {
        named.push("...");
    }
    let open = match named.join(", ") {
        none if none.is_empty() => language.word("backlog.none").to_owned(),
        named => language.say("backlog.open", &[("open", &named)]),
    };
    let values = [
        ("organisation", &*organisation),
        ("n", &count.to_string()),
        ("newest", newest.trim_end()),
        ("open", &open),
    ];
    language.say("backlog", &values)
}

/// The code was right, but too many wrong ones came from this number (SECURITY T-9).
pub fn not_counted(about: About<'_>) -> String {
    let alert = alert(about);
    about.language.say("not_counted", &[("alert", &alert)])
}

/// What a mail says about answering it by mail.
pub fn reply_by_mail(language: Language) -> &'static str {
    language.word("reply_by_mail")
}

/// This mail was answered before: what was written is shown, and how to say something else.
pub fn mail_used(about: About<'_>, code: &str) -> String {
    let newest = about.language.word("mail_used");
    format!(
        "{} {newest} {}",
        shown_in_room(about),
        all_answers(about, code)
    )
}

/// What went to this number, newest first, or that nothing did in `hours`.
pub fn genuine(language: Language, organisation: &str, sent: &[Sent], hours: u64) -> String {
    let organisation = clip(&clean(organisation), ORGANISATION_UNITS_MAX);
    if sent.is_empty() {
        let values = [
            ("organisation", &*organisation),
            ("hours", &hours.to_string()),
        ];
        return language.say("told.nothing", &values);
    }
    let line = |sent: &Sent| {
        let time = sent.at.to_rfc3339();
        // "2026-11-21T03:12:05.250Z": the day matters, the seconds do not.
        let text = clip(&clean(&sent.text), SENT_TEXT_UNITS_MAX);
        let text = if sent.called_off {
            format!("{} {text}", language.word("called_off"))
        } else {
            text
        };
        let time = time[..16].replace('T', " ");
        let number = sent.number.as_deref();
        let key = match number {
            Some(_) => "told.alert",
            None => "told.other",
        };
        let values = [
            ("time", &*time),
            ("number", number.unwrap_or_default()),
            ("text", &text),
        ];
        language.say(key, &values)
    };
    let lines: Vec<String> = sent.iter().take(SENT_MAX).map(line).collect();
    let told = language.say("told", &[("organisation", &organisation)]);
    format!("{told}\n{}", lines.join("\n"))
}

/// To a number without an open alert: the message is kept, and what it is not.
pub fn duty_inbox_reply(language: Language, organisation: &str) -> String {
    let organisation = clip(&clean(organisation), ORGANISATION_UNITS_MAX);
    language.say("duty_inbox", &[("organisation", &organisation)])
}

/// To somebody who called a modem: that this is no answer, and how to answer what is open.
pub fn no_calls(language: Language, organisation: &str, open: &[OpenCode]) -> String {
    let organisation = clip(&clean(organisation), ORGANISATION_UNITS_MAX);
    let said = language.say("no_calls", &[("organisation", &organisation)]);
    if open.is_empty() {
        return said;
    }
    let codes = list(language, Answer::Coming, open);
    format!("{said} {} {codes}", language.word("reply"))
}

/// Asks whether a test woke somebody.
pub fn wake_question(language: Language, organisation: &str, code: &str) -> String {
    let organisation = clip(&clean(organisation), ORGANISATION_UNITS_MAX);
    let values = [("organisation", &*organisation), ("code", code)];
    language.say("wake_question", &values)
}

/// What was noted of a test.
pub fn wake_noted(language: Language, organisation: &str, woke: bool) -> String {
    let organisation = clip(&clean(organisation), ORGANISATION_UNITS_MAX);
    let key = match woke {
        true => "wake_noted.woke",
        false => "wake_noted.slept",
    };
    language.say(key, &[("organisation", &organisation)])
}

/// Asks somebody to wake another person, who is called to an alert and asked for it.
pub fn wake(language: Language, organisation: &str, number: &str, sleeper: &str) -> String {
    let about = About {
        language,
        organisation,
        number,
        kind: AlertKind::Alert,
    };
    let values = [("alert", &*alert(about)), ("name", &person(sleeper))];
    language.say("wake", &values)
}

/// The message is in the alert's room, and how to answer for real.
pub fn room_posted(about: About<'_>, code: &str) -> String {
    format!("{} {}", shown_in_room(about), all_answers(about, code))
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
    let values = [("number", about.number), ("organisation", &organisation)];
    about.language.say("alert", &values)
}

fn shown_in_room(about: About<'_>) -> String {
    let alert = alert(about);
    about.language.say("shown_in_room", &[("alert", &alert)])
}

fn all_answers(about: About<'_>, code: &str) -> String {
    answers(about.language, code, about.kind, about.kind.answers())
}

pub(super) fn person(name: &str) -> String {
    clip(&clean(name), PERSON_UNITS_MAX)
}

fn list(language: Language, answer: Answer, open: &[OpenCode]) -> String {
    let line = |open: &OpenCode| {
        let send = send(open.kind, &open.code, answer);
        language.say("open_code", &[("send", &send), ("number", &open.number)])
    };
    let lines: Vec<String> = open.iter().take(OPEN_MAX).map(line).collect();
    lines.join(", ")
}

/// What to type: `4711 1`.
fn send(kind: AlertKind, code: &str, answer: Answer) -> String {
    format!("{code} {}", kind.digit(answer))
}
