//! Texts about an alert to everyone it calls: the page and the call-off.

use super::clean::{ELLIPSIS, clean, clip};
use super::{CODE_MARK, Language, SMS_PARTS_MAX};
use crate::vocabulary::{AlertKind, Answer, Severity, Status};

/// What a page says.
#[derive(Clone, Copy, Debug)]
pub struct PageText<'a> {
    pub language: Language,
    pub organisation: &'a str,
    pub status: Status,
    pub severity: Severity,
    /// The alert's number as people say it.
    pub number: &'a str,
    /// What happened, in the recipient's language.
    pub text: &'a str,
    /// Where to gather: place, bridge number and PIN. May be empty.
    pub gather: &'a str,
    /// Decides which digits stand for the answers.
    pub kind: AlertKind,
    /// The answers people are offered, in this order.
    pub answers: &'a [Answer],
    /// Codes have six digits.
    pub high_assurance: bool,
}

/// What a call-off says.
#[derive(Clone, Copy, Debug)]
pub struct CallOffText<'a> {
    pub language: Language,
    pub organisation: &'a str,
    pub status: Status,
    pub number: &'a str,
    /// Why, in the words of whoever called it off. May be empty.
    pub reason: &'a str,
}

/// What the sender adds to a frozen text.
#[derive(Clone, Debug, Default)]
pub struct Marks {
    /// An earlier try may have arrived (DESIGN C1).
    pub possible_repeat: bool,
    /// The number of an earlier try hears no answers any more (DESIGN C6).
    pub renumbered: bool,
    /// The site that sends while it is cut off from the others (DESIGN §4.4).
    pub alone: Option<String>,
    /// The recipient's language.
    pub language: Language,
}

/// The SMS that calls people: code, organisation, what, where to gather, how to answer, `?` (DESIGN §4.5).
///
/// Never more than [`SMS_PARTS_MAX`] parts, whatever [`finish`] adds: the alert's text is cut, the rest is kept.
pub fn page(page: PageText<'_>) -> String {
    let language = page.language;
    let head = head(language, page.organisation, page.status, page.number);
    let gather = match clip(&clean(page.gather), GATHER_UNITS_MAX) {
        empty if empty.is_empty() => empty,
        place => format!("\n{}: {place}", language.word("gather")),
    };
    let answer = how_to_answer(page);
    let check = language.word("how_to_check");
    let frozen = |text: &str| format!("{head} {text}{gather}\n{answer} {check}");
    let longest_code = if page.high_assurance {
        "000000"
    } else {
        "00000"
    };
    frozen(&cut_to_fit(
        &clean(page.text),
        page.language,
        longest_code,
        frozen,
    ))
}

/// What a text says in which the code is left open.
pub(super) fn how_to_answer(page: PageText<'_>) -> String {
    answers(
        page.language,
        &CODE_MARK.to_string(),
        page.kind,
        page.answers,
    )
}

/// The answers offered, behind `code`: `Reply 4711 1=coming …`.
pub(super) fn answers(
    language: Language,
    code: &str,
    kind: AlertKind,
    offered: &[Answer],
) -> String {
    let mut text = format!("{} {code}", language.word("reply"));
    for answer in offered {
        text.push_str(&format!(
            " {}={}",
            kind.digit(*answer),
            language.hint(*answer)
        ));
    }
    text
}

/// Where to gather, in parts. Each may be empty.
#[derive(Clone, Copy, Debug, Default)]
pub struct GatherText<'a> {
    pub place: &'a str,
    /// Where to go when the place cannot be used.
    pub alternate: &'a str,
    /// Number of a telephone conference.
    pub bridge: &'a str,
    pub pin: &'a str,
}

/// Where to gather on one line: `Gate 3, alternate: gate 5, bridge: +358 9 1234 PIN 77`.
pub fn gather(language: Language, gather: GatherText<'_>) -> String {
    let labelled = |label: &str, text: &str| match text {
        "" => String::new(),
        text => format!("{label}: {text}"),
    };
    let bridge = labelled(language.word("gather.bridge"), gather.bridge);
    let pin = match gather.pin {
        "" => String::new(),
        pin => format!("PIN {pin}"),
    };
    let by_phone = [bridge, pin].join(" ");
    let parts = [
        gather.place.to_owned(),
        labelled(language.word("gather.alternate"), gather.alternate),
        by_phone.trim().to_owned(),
    ];
    let said: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    said.join(", ")
}

/// Subject and body of the mail that calls people.
pub fn page_mail(page: PageText<'_>) -> (String, String) {
    let language = page.language;
    let text = clean(page.text);
    let head = head(language, page.organisation, page.status, page.number);
    let subject = format!("{head} {}", clip(&text, SUBJECT_TEXT_UNITS_MAX));
    let mut body = format!("{head} {}\n\n{text}\n", language.severity(page.severity));
    let gather = clean(page.gather);
    if !gather.is_empty() {
        body.push_str(&format!("\n{}: {gather}\n", language.word("gather")));
    }
    let answer = how_to_answer(page);
    body.push_str(&format!(
        "\n{}\n{answer} {}\n",
        language.word("answer_by_sms"),
        language.word("how_to_check")
    ));
    (subject, body)
}

/// The SMS that tells everyone who was or may have been told to stand down.
pub fn call_off(text: CallOffText<'_>) -> String {
    let language = text.language;
    let head = head(language, text.organisation, text.status, text.number);
    let frozen = |reason: &str| {
        let gap = if reason.is_empty() { "" } else { " " };
        format!(
            "{head} {}{gap}{reason}\n{}",
            language.word("called_off"),
            language.word("stand_down")
        )
    };
    frozen(&cut_to_fit(
        &clean(text.reason),
        text.language,
        "000000",
        frozen,
    ))
}

/// Subject and body of the mail that tells people to stand down.
pub fn call_off_mail(text: CallOffText<'_>) -> (String, String) {
    let language = text.language;
    let head = head(language, text.organisation, text.status, text.number);
    let reason = clean(text.reason);
    let subject = format!("{head} {}", language.word("called_off"));
    let mut body = format!("{head} {}\n", language.word("called_off"));
    if !reason.is_empty() {
        body.push_str(&format!("\n{reason}\n"));
    }
    body.push_str(&format!("\n{}\n", language.word("stand_down")));
    (subject, body)
}

/// Completes a frozen text for one recipient: puts `code` where it was left open and adds the marks' words at the end.
/// An empty code leaves none.
pub fn finish(body: &str, code: &str, marks: &Marks) -> String {
    let mut text = if code.is_empty() {
        body.replace("\u{1} ", "").replace(CODE_MARK, "")
    } else {
        body.replace(CODE_MARK, code)
    };
    let word = |key| marks.language.word(key).to_owned();
    let possible_repeat = marks.possible_repeat.then(|| word("possible_repeat"));
    let renumbered = marks.renumbered.then(|| word("answer_to_this_number"));
    let alone = |name: &String| marks.language.say("alone", &[("site", &site(name))]);
    let alone = marks.alone.as_ref().map(alone);
    for mark in [possible_repeat, renumbered, alone].into_iter().flatten() {
        if !text.ends_with('\n') {
            text.push(' ');
        }
        text.push_str(&mark);
    }
    text
}

/// Longest place to gather in an SMS: with it, an alert's own words still have room when all is sent as UCS-2.
const GATHER_UNITS_MAX: usize = 140;

/// Longest organisation name in a text, in UTF-16 units like the other limits.
pub(super) const ORGANISATION_UNITS_MAX: usize = 40;

/// Longest name of a site in a text, in UTF-16 units.
const SITE_UNITS_MAX: usize = 20;

/// A site's name as texts show it.
pub(super) fn site(name: &str) -> String {
    clip(&clean(name), SITE_UNITS_MAX)
}

/// How much of the alert's text a mail's subject shows.
const SUBJECT_TEXT_UNITS_MAX: usize = 70;

/// More than any [`SMS_PARTS_MAX`] parts hold.
const SMS_UNITS_MAX: usize = SMS_PARTS_MAX * 160;

/// Code, drill or test prefix, organisation and number, so that these are read first whatever follows.
pub(super) fn head(language: Language, organisation: &str, status: Status, number: &str) -> String {
    let organisation = clip(&clean(organisation), ORGANISATION_UNITS_MAX);
    match status {
        Status::Actual => format!("{CODE_MARK} {organisation} {number}:"),
        Status::Exercise => format!(
            "{CODE_MARK} {} {organisation} {number}:",
            language.word("exercise")
        ),
        Status::Test => format!(
            "{CODE_MARK} {} {organisation} {number}:",
            language.word("test")
        ),
    }
}

/// The longest beginning of `text` with which the finished text stays within [`SMS_PARTS_MAX`] parts.
pub(super) fn cut_to_fit(
    text: &str,
    language: Language,
    code: &str,
    frozen: impl Fn(&str) -> String,
) -> String {
    let marks = Marks {
        possible_repeat: true,
        renumbered: true,
        alone: Some("\u{c5}".repeat(SITE_UNITS_MAX)),
        language,
    };
    let fits = |text: &str| {
        sms::segment::count_parts(&finish(&frozen(text), code, &marks), true) <= SMS_PARTS_MAX
    };
    let text = clip(text, SMS_UNITS_MAX);
    if fits(&text) {
        return text;
    }
    let ends: Vec<usize> = text.char_indices().map(|(end, _)| end).collect();
    let cut = |end: usize| format!("{}{ELLIPSIS}", text[..end].trim_end());
    // A longer beginning never takes fewer parts, so the cuts that fit come first.
    let fitting = ends.partition_point(|end| fits(&cut(*end)));
    cut(ends[fitting.saturating_sub(1)])
}
