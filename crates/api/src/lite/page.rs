//! The pages as HTML. Whatever people wrote goes through [`piece`]: no markup, nothing that turns the reading direction,
//! and no more than its share, so that a page stays below 10 kB however much somebody wrote.

use std::fmt::Write as _;

use domain::texts;
use serde_json::Value;

use super::visit::Visit;
use super::word;
use super::words::Words;
use crate::time::parse_rfc3339;

/// Shares of a page, in bytes as they are sent.
const NAME_BYTES: usize = 160;
const LINE_BYTES: usize = 400;
const TEXT_BYTES: usize = 2_000;
const MESSAGE_BYTES: usize = 900;
/// All alerts of the list, and all messages of a room.
const LIST_BYTES: usize = 4_000;

const ETAS: [&str; 4] = ["10", "20", "40", "60"];

/// An open alert and what the reader said to it.
#[derive(Clone, Debug)]
pub(super) struct Alert {
    pub(super) id: String,
    pub(super) number: String,
    severity: String,
    status: String,
    safety: bool,
    text: String,
    texts: Value,
    gather: String,
    raised_at: String,
    answer: Option<String>,
    eta: Option<u64>,
    coming: u64,
    needed: u64,
}

impl Alert {
    /// From `OwnAlert` of the API.
    pub(super) fn read(own: &Value) -> Self {
        let (alert, call) = (&own["alert"], &own["call"]);
        Self {
            id: word(&alert["id"]),
            number: word(&alert["number"]),
            severity: word(&alert["severity"]),
            status: word(&alert["status"]),
            safety: alert["kind"] == "safety_check",
            text: word(&alert["text"]),
            texts: alert["texts"].clone(),
            gather: word(&alert["gather"]),
            raised_at: word(&alert["raised_at"]),
            answer: call["answer"].as_str().map(str::to_owned),
            eta: call["eta_minutes"].as_u64(),
            coming: own["coming"].as_u64().unwrap_or_default(),
            needed: own["needed"].as_u64().unwrap_or_default(),
        }
    }

    /// Its words in a language, or those that stand in for it.
    fn said(&self, language: &str) -> &str {
        let of = |language| self.texts.get(language).and_then(Value::as_str);
        of(language)
            .or_else(|| of("und"))
            .or_else(|| of("en"))
            .unwrap_or(&self.text)
    }
}

/// One message of a room.
#[derive(Clone, Debug)]
pub(super) struct Message {
    author: String,
    text: String,
    at: String,
    system: bool,
}

impl Message {
    pub(super) fn read(message: &Value) -> Self {
        Self {
            author: word(&message["author"]),
            text: word(&message["text"]),
            at: word(&message["at"]),
            system: message["via"] == "system",
        }
    }
}

/// How safely a change is kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Said {
    Stored,
    Island,
}

impl Said {
    pub(super) fn of(stored: &Value) -> Self {
        match stored["durability"] == "island" {
            true => Self::Island,
            false => Self::Stored,
        }
    }

    pub(super) fn parse(word: &str) -> Option<Self> {
        [Self::Stored, Self::Island]
            .into_iter()
            .find(|said| said.word() == word)
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::Island => "island",
        }
    }
}

pub(super) fn sign_in(visit: &Visit, note: Option<&str>) -> String {
    let words = visit.words;
    let mut body = format!("<h1>Holdfast</h1><p>{}</p>", own(words, "sign_in.what"));
    add_note(&mut body, note);
    _ = write!(
        body,
        "<form method=post action=/lite/sign-in>{}<label for=account>{}</label>\
         <input id=account name=account autocomplete=username autocapitalize=none>\
         <label for=password>{}</label><input id=password name=password type=password autocomplete=current-password>\
         <button class=go>{}</button></form>",
        visit.hidden("sign-in"),
        own(words, "sign_in.account"),
        own(words, "sign_in.password"),
        own(words, "sign_in.enter"),
    );
    whole(visit, &body, false)
}

pub(super) fn code(visit: &Visit, next: &[String], note: Option<&str>) -> String {
    let words = visit.words;
    let mut body = format!("<h1>{}</h1>", own(words, "lite.code"));
    add_note(&mut body, note);
    let known: Vec<_> = ["totp", "recovery", "text"]
        .into_iter()
        .filter(|factor| next.iter().any(|offered| offered == factor))
        .collect();
    if known.is_empty() {
        let text = words.say("sign_in.no_factor");
        add_note(&mut body, Some(&text));
        return whole(visit, &body, true);
    }
    _ = write!(
        body,
        "<form method=post action=/lite/code>{}",
        visit.hidden("code")
    );
    for (place, factor) in known.iter().enumerate() {
        let checked = if place == 0 { " checked" } else { "" };
        _ = write!(
            body,
            "<label class=inline><input type=radio name=factor value={factor}{checked}> {}</label>",
            own(words, &format!("factor.{factor}"))
        );
    }
    _ = write!(
        body,
        "<label for=code>{}</label><input id=code name=code autocomplete=one-time-code>\
         <button class=go>{}</button></form>",
        own(words, "lite.code"),
        own(words, "sign_in.enter")
    );
    if known.contains(&"text") {
        _ = write!(
            body,
            "<form method=post action=/lite/text>{}<button class=plain>{}</button></form>",
            visit.hidden("text"),
            own(words, "factor.text")
        );
    }
    whole(visit, &body, true)
}

pub(super) fn list(visit: &Visit, name: &str, alerts: &[Alert]) -> String {
    let words = visit.words;
    let open = alerts.iter().filter(|alert| alert.answer.is_none()).count();
    let title = match (open, alerts.len()) {
        (_, 0) => own(words, "now.calm"),
        (0, _) => own(words, "now.answered"),
        (1, _) => own(words, "lite.asked"),
        (_, _) => own(words, "lite.asked_all"),
    };
    let mut body = format!(
        "<h1>{title}</h1><p class=soft dir=auto>{}</p><ul>",
        piece(name, NAME_BYTES)
    );
    let mut left = LIST_BYTES;
    for alert in alerts {
        let item = item(visit, alert);
        if item.len() > left {
            _ = write!(body, "<li>{}</li>", own(words, "lite.more"));
            break;
        }
        left -= item.len();
        body.push_str(&item);
    }
    _ = write!(
        body,
        "</ul><p><a href=/lite>{}</a></p>",
        own(words, "lite.again")
    );
    whole(visit, &body, true)
}

fn item(visit: &Visit, alert: &Alert) -> String {
    let words = visit.words;
    let class = severity(alert);
    format!(
        "<li class={class}><small>{} · {}</small><br><a href=\"/lite/alert/{}\" dir=auto>{}</a><br>{}</li>",
        signs(visit, alert),
        number(visit, alert),
        piece(&alert.number, NAME_BYTES),
        piece(alert.said(words.language), LINE_BYTES),
        answered(visit, alert).unwrap_or_else(|| own(words, "answer.none")),
    )
}

/// What is known of an alert's room.
pub(super) enum Talk {
    Open(Vec<Message>),
    /// Whoever asks shows first who they are.
    Locked,
    /// They may not read it.
    Closed,
}

pub(super) fn alert(
    visit: &Visit,
    alert: &Alert,
    room: &Talk,
    said: Option<Said>,
    why: Option<&str>,
) -> String {
    let words = visit.words;
    let mut body = format!("<p><a href=/lite>{}</a></p>", own(words, "back"));
    if let Some(why) = why {
        let text = words.fill("outbox.refused", &[("why", why)]);
        add_note(&mut body, Some(&text));
    }
    if let Some(said) = said {
        let text = match said {
            Said::Stored => words.say("outbox.stored_one"),
            Said::Island => words.say("lite.island"),
        };
        _ = write!(
            body,
            "<p class=good role=status>{}</p>",
            piece(&text, LINE_BYTES)
        );
    }
    _ = write!(
        body,
        "<div class=\"head {}\"><small>{} · {}</small><h1 dir=auto>{}</h1>",
        severity(alert),
        signs(visit, alert),
        number(visit, alert),
        piece(alert.said(words.language), TEXT_BYTES),
    );
    if !alert.gather.is_empty() {
        _ = write!(body, "<p dir=auto>{}</p>", piece(&alert.gather, LINE_BYTES));
    }
    if !alert.safety {
        let (coming, needed) = (alert.coming.to_string(), alert.needed.to_string());
        let text = words.fill("alert.coming_of", &[("n", &coming), ("needed", &needed)]);
        _ = write!(body, "<p>{}</p>", piece(&text, LINE_BYTES));
    }
    body.push_str("</div>");
    if let Some(answered) = answered(visit, alert) {
        _ = write!(
            body,
            "<p>{}: <b>{answered}</b></p>",
            own(words, "alert.you")
        );
    }
    answers(visit, alert, &mut body);
    match room {
        Talk::Open(messages) => talk(visit, alert, messages, &mut body),
        Talk::Locked => locked(visit, alert, &mut body),
        Talk::Closed => {}
    }
    whole(visit, &body, true)
}

/// What is said in the room is shown to whoever shows who they are: these pages let in with a password.
fn locked(visit: &Visit, alert: &Alert, body: &mut String) {
    let words = visit.words;
    _ = write!(
        body,
        "<h2>{}</h2><p>{}. {}</p><form method=post action=\"/lite/alert/{}/proof\">{}<label for=password>{}</label>\
         <input id=password name=password type=password autocomplete=current-password><button>{}</button></form>",
        own(words, "room.title"),
        own(words, "prove.title"),
        own(words, "prove.why"),
        piece(&alert.number, NAME_BYTES),
        visit.hidden("proof"),
        own(words, "sign_in.password"),
        own(words, "enrol.confirm"),
    );
}

/// The answers this alert takes, each a button.
fn answers(visit: &Visit, alert: &Alert, body: &mut String) {
    let words = visit.words;
    _ = write!(
        body,
        "<form method=post action=\"/lite/alert/{}/answer\">{}",
        piece(&alert.number, NAME_BYTES),
        visit.hidden("answer")
    );
    if !alert.safety {
        _ = write!(
            body,
            "<label for=eta>{}</label><select id=eta name=eta><option value=\"\">–",
            own(words, "eta.label")
        );
        for minutes in ETAS {
            let text = words.fill("eta.minutes", &[("n", minutes)]);
            _ = write!(body, "<option value={minutes}>{}", piece(&text, NAME_BYTES));
        }
        body.push_str("</select>");
    }
    let offered = match alert.safety {
        true => [
            ("safe", "yes"),
            ("not_on_site", "no"),
            ("need_help", "help"),
        ],
        false => [("coming", "yes"), ("cannot", "no"), ("need_help", "help")],
    };
    for (answer, class) in offered {
        _ = write!(
            body,
            "<button class={class} name=answer value={answer}>{}</button>",
            own(words, &format!("answer.{answer}"))
        );
    }
    body.push_str("</form>");
}

/// The room: newest words first, as far as they fit, below the field to write.
fn talk(visit: &Visit, alert: &Alert, messages: &[Message], body: &mut String) {
    let words = visit.words;
    _ = write!(
        body,
        "<h2>{}</h2><form method=post action=\"/lite/alert/{}/say\">{}\
         <label for=text>{}</label><textarea id=text name=text rows=2></textarea>\
         <button class=go>{}</button></form><p><a href=\"/lite/alert/{}\">{}</a></p><ul>",
        own(words, "room.title"),
        piece(&alert.number, NAME_BYTES),
        visit.hidden("say"),
        own(words, "room.say"),
        own(words, "room.send"),
        piece(&alert.number, NAME_BYTES),
        own(words, "lite.again"),
    );
    let mut left = LIST_BYTES;
    for message in messages.iter().rev() {
        let who = match message.system {
            true => String::new(),
            false => format!("<b dir=auto>{}</b> ", piece(&message.author, NAME_BYTES)),
        };
        let item = format!(
            "<li>{who}<small>{}</small><br><span dir=auto>{}</span></li>",
            age(visit, &message.at),
            piece(&message.text, MESSAGE_BYTES)
        );
        if item.len() > left {
            break;
        }
        left -= item.len();
        body.push_str(&item);
    }
    if messages.is_empty() {
        _ = write!(body, "<li>{}</li>", own(words, "room.empty"));
    }
    body.push_str("</ul>");
}

/// Something was not done.
pub(super) fn refused(visit: &Visit, why: &str) -> String {
    let mut body = format!("<h1>{}</h1>", own(visit.words, "lite.not_done"));
    add_note(&mut body, Some(why));
    _ = write!(
        body,
        "<p><a href=/lite>{}</a></p>",
        own(visit.words, "back")
    );
    whole(visit, &body, true)
}

/// The alert is over, or never was one of the reader's.
pub(super) fn gone(visit: &Visit) -> String {
    let body = format!(
        "<h1>{}</h1><p><a href=/lite>{}</a></p>",
        own(visit.words, "lite.gone"),
        own(visit.words, "back")
    );
    whole(visit, &body, true)
}

/// A page around its body. `leave`: there is something to sign out of.
fn whole(visit: &Visit, body: &str, leave: bool) -> String {
    let words = visit.words;
    let mut page = format!(
        "<!doctype html>\n<html lang={}><head><meta charset=utf-8>\
         <meta name=viewport content=\"width=device-width, initial-scale=1\"><title>Holdfast</title>\
         <link rel=stylesheet href=/lite/style.css></head><body>{body}<div class=foot>",
        words.language
    );
    if let Some((site, until)) = visit.glass() {
        let time = format!("{until} UTC");
        let text = words.fill("glass.open", &[("site", site), ("time", &time)]);
        add_note(&mut page, Some(&text));
    }
    if leave {
        _ = write!(
            page,
            "<form method=post action=/lite/out>{}<button class=plain>{}</button></form>",
            visit.hidden("out"),
            own(words, "devices.sign_out")
        );
    }
    for (language, name) in Words::names() {
        _ = write!(
            page,
            "<a href=\"/lite?lang={language}\" lang={language}>{}</a> ",
            piece(name, NAME_BYTES)
        );
    }
    page.push_str("</div></body></html>\n");
    page
}

fn add_note(body: &mut String, note: Option<&str>) {
    if let Some(note) = note {
        _ = write!(
            body,
            "<p class=note role=alert>{}</p>",
            piece(note, LINE_BYTES)
        );
    }
}

/// Words of ours, which may hold an apostrophe.
fn own(words: Words, key: &str) -> String {
    piece(&words.say(key), LINE_BYTES)
}

fn severity(alert: &Alert) -> &'static str {
    let known = ["critical", "high", "normal", "low"];
    let found = known.into_iter().find(|name| alert.severity == *name);
    found.unwrap_or("low")
}

/// How grave, and whether it is an exercise: words, never colour alone.
fn signs(visit: &Visit, alert: &Alert) -> String {
    let word = own(visit.words, &format!("severity.{}", severity(alert)));
    match alert.status.as_str() {
        "exercise" => format!("<b>{}</b> · {word}", own(visit.words, "status.exercise")),
        "test" => format!("<b>{}</b> · {word}", own(visit.words, "status.test")),
        _ => format!("<b>{word}</b>"),
    }
}

fn number(visit: &Visit, alert: &Alert) -> String {
    let text = visit
        .words
        .fill("alert.number", &[("number", &alert.number)]);
    format!(
        "{} · {}",
        piece(&text, NAME_BYTES),
        age(visit, &alert.raised_at)
    )
}

fn answered(visit: &Visit, alert: &Alert) -> Option<String> {
    let answer = alert.answer.as_deref()?;
    let known = [
        "coming",
        "cannot",
        "received",
        "need_help",
        "safe",
        "not_on_site",
    ];
    let answer = known.into_iter().find(|word| *word == answer)?;
    let mut text = own(visit.words, &format!("answer.{answer}"));
    if let Some(minutes) = alert.eta {
        let minutes = minutes.to_string();
        let eta = visit.words.fill("eta.minutes", &[("n", &minutes)]);
        _ = write!(text, " ({})", piece(&eta, NAME_BYTES));
    }
    Some(text)
}

/// How long ago something was: the node does not know the wall clock beside the phone.
fn age(visit: &Visit, at: &str) -> String {
    let Ok(at) = parse_rfc3339(at) else {
        return String::new();
    };
    let minutes = (visit.civil.0 - at.0).max(0) / 60_000;
    let (key, n) = match minutes {
        0..120 => ("eta.minutes", minutes),
        _ => ("lite.hours", minutes / 60),
    };
    piece(&visit.words.fill(key, &[("n", &n.to_string())]), NAME_BYTES)
}

/// Text as HTML, at most `bytes` long: no markup, no steering of the reading direction, line breaks kept.
fn piece(text: &str, bytes: usize) -> String {
    let mut html = String::new();
    for letter in texts::neutral(text).chars() {
        let mut plain = [0; 4];
        let escaped = match letter {
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            '"' => "&quot;",
            '\'' => "&#39;",
            '\n' => "<br>",
            other => other.encode_utf8(&mut plain),
        };
        if html.len() + escaped.len() > bytes.saturating_sub('…'.len_utf8()) {
            html.push('…');
            break;
        }
        html.push_str(escaped);
    }
    html
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_people_wrote_is_neither_markup_nor_turned_nor_longer_than_its_share() {
        let piece = |text: &str| super::piece(text, 40);
        assert_eq!(
            piece("<b onclick='x'>&\"</b>"),
            "&lt;b onclick=&#39;x&#39;&gt;&amp;…"
        );
        assert_eq!(piece("Anna\u{202e}annA\u{2066}!"), "Anna annA !");
        assert_eq!(piece("one\r\ntwo\u{1b}"), "one<br>two");
        for letter in ["<", "ä", "漢", "😀", "\n"] {
            let long = piece(&letter.repeat(100));
            assert!(long.len() <= 40, "{letter:?}: {long}");
        }
        assert_eq!(super::piece("漢漢漢漢漢漢漢漢漢漢", 12), "漢漢漢…");
    }
}
