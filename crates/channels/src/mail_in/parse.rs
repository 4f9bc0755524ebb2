//! From the bytes of a mail to the document that a source's mapping reads, or to a person's report.

use domain::phone::MailAddress;
use domain::reports::Report;
use mail_parser::{Message, MessageParser, MimeHeaders as _};
use serde_json::{Value, json};

/// How much of a body becomes text for people, in characters.
const TEXT_LEN_MAX: usize = 500;
const SUBJECT_LEN_MAX: usize = 300;

/// What a report holds of a mail, in characters.
const REPORT_LEN_MAX: usize = 2_000;
const WHO_LEN_MAX: usize = 100;

/// Words at the front of a subject that say how a matter stands, not what it is.
const STANDINGS: [&str; 18] = [
    "re",
    "fw",
    "fwd",
    "sv",
    "vs",
    "problem",
    "recovery",
    "recovered",
    "resolved",
    "firing",
    "alert",
    "ok",
    "down",
    "up",
    "critical",
    "warning",
    "high",
    "low",
];

/// Words of a subject that say how bad it is.
const SEVERITIES: [&str; 12] = [
    "emergency",
    "disaster",
    "critical",
    "fatal",
    "major",
    "high",
    "error",
    "warning",
    "normal",
    "minor",
    "low",
    "info",
];

/// Why a mail is not taken.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum MailInError {
    #[error("the mail cannot be read")]
    Unreadable,
    /// What a mail server says about a mail is no alarm.
    #[error("reports about other mails are not taken")]
    Report,
}

/// `subject`, `topic` (the subject without what says how it stands), `text` (the body's beginning, of HTML what can be
/// read), `severity` (the first word in the subject that says how bad it is), `from`, `message_id`, `labels`.
pub(super) fn document(bytes: &[u8], sender: &str) -> Result<Value, MailInError> {
    let mail = parse(bytes)?;
    let subject = cut(
        &one_line(mail.subject().unwrap_or_default()),
        SUBJECT_LEN_MAX,
    );
    // Of a mail that is HTML only, the parser gives what a person would read.
    let body = mail.body_text(0).unwrap_or_default();
    let text = cut(&one_line(&body), TEXT_LEN_MAX);
    let from = mail
        .from()
        .and_then(|from| from.first())
        .and_then(|from| from.address())
        .unwrap_or(sender);
    let topic = topic(&subject);
    let topic = match topic.is_empty() {
        true => cut(&text, 100),
        false => topic,
    };
    // A mail that says nothing at all is still a mail that somebody sent to be heard.
    let subject = match subject.is_empty() && text.is_empty() {
        true => format!("mail without words from {from}"),
        false => subject,
    };
    let topic = match topic.is_empty() {
        true => subject.clone(),
        false => topic,
    };
    let severity = words(&subject).find(|word| SEVERITIES.contains(&word.as_str()));
    Ok(json!({
        "subject": subject,
        "topic": topic,
        "text": text,
        "severity": severity,
        "from": from,
        "message_id": mail.message_id(),
        "labels": { "from": from, "envelope_from": sender },
    }))
}

/// What a person reports by mail: the subject and the body. A program that answers mails by itself gets no answer
/// (RFC 3834 §2), so that two of them never talk to each other.
pub(super) fn report(bytes: &[u8], sender: &str) -> Result<Report, MailInError> {
    let mail = parse(bytes)?;
    let from = mail.from().and_then(|from| from.first());
    let address = from.and_then(|from| from.address()).unwrap_or(sender);
    let who = from.and_then(|from| from.name()).map(one_line);
    let who = who.filter(|name| !name.is_empty());
    let subject = one_line(mail.subject().unwrap_or_default());
    let body = one_line(&mail.body_text(0).unwrap_or_default());
    let what = [subject, body].join(" ");
    let what = match what.trim() {
        "" => "mail without words".to_owned(),
        what => cut(what, REPORT_LEN_MAX),
    };
    let answered = !is_automatic(&mail, sender) && MailAddress::parse(address).is_ok();
    let who = cut(&one_line(who.as_deref().unwrap_or(address)), WHO_LEN_MAX);
    Ok(Report {
        who: match who.is_empty() {
            true => "somebody".to_owned(),
            false => who,
        },
        contact: match answered {
            true => address.to_owned(),
            false => String::new(),
        },
        language: String::new(),
        what,
        via: "mail".to_owned(),
    })
}

/// Whether a program sent it by itself: no return path, or a header that says so.
pub(super) fn is_automatic(mail: &Message<'_>, sender: &str) -> bool {
    let says = |name: &str| {
        mail.header_raw(name)
            .map(|value| value.trim().to_lowercase())
    };
    sender.is_empty()
        || says("Auto-Submitted").is_some_and(|value| value != "no")
        || says("Precedence").is_some_and(|value| ["bulk", "junk", "list"].contains(&&*value))
        || says("List-Id").is_some()
}

/// A mail, whatever it is.
pub(super) fn parse_any(bytes: &[u8]) -> Result<Message<'_>, MailInError> {
    MessageParser::default()
        .parse(bytes)
        .ok_or(MailInError::Unreadable)
}

fn parse(bytes: &[u8]) -> Result<Message<'_>, MailInError> {
    let mail = parse_any(bytes)?;
    match is_report(&mail) {
        true => Err(MailInError::Report),
        false => Ok(mail),
    }
}

/// Says of `multipart/report` (RFC 6522) that it is one.
pub(super) fn is_report(mail: &Message<'_>) -> bool {
    mail.content_type().is_some_and(|kind| {
        kind.ctype().eq_ignore_ascii_case("multipart")
            && kind
                .subtype()
                .is_some_and(|sub| sub.eq_ignore_ascii_case("report"))
    })
}

/// The subject from the first word on that says what it is about.
fn topic(subject: &str) -> String {
    let mut rest = subject.trim();
    loop {
        let trimmed = rest.trim_start_matches(|c: char| !c.is_alphanumeric());
        let end = trimmed
            .find(|c: char| !c.is_alphanumeric())
            .unwrap_or(trimmed.len());
        let (word, after) = trimmed.split_at(end);
        if word.is_empty() || !STANDINGS.contains(&word.to_lowercase().as_str()) {
            return trimmed.to_lowercase();
        }
        rest = after;
    }
}

fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_alphanumeric())
        .map(str::to_lowercase)
}

pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn cut(text: &str, len_max: usize) -> String {
    text.chars().take(len_max).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(mail: &str) -> Value {
        document(mail.replace('\n', "\r\n").as_bytes(), "env@x").unwrap()
    }

    #[test]
    fn beginning_and_end_of_a_matter_have_one_topic() {
        let down = read("Subject: [PROBLEM] CRITICAL: Pump 3 tripped\n\nWater rises\n");
        let up = read("Subject: Re: [RECOVERY] Pump 3 tripped\n\n");
        assert_eq!(down["topic"], "pump 3 tripped");
        assert_eq!(up["topic"], down["topic"]);
        assert_eq!(
            (&down["severity"], &down["text"]),
            (&json!("critical"), &json!("Water rises"))
        );
    }

    #[test]
    fn a_mail_without_body_subject_or_both_still_says_something() {
        assert_eq!(read("Subject: Fire\n\n")["text"], "");
        let bare = read("Subject:\n\nThe pump is hot\n");
        assert_eq!(bare["topic"], "The pump is hot");
        let nothing = read("From: a@example.org\n\n");
        assert_eq!(nothing["subject"], "mail without words from a@example.org");
    }

    #[test]
    fn html_alone_is_read_as_a_person_would() {
        let html = read(
            "Subject: s\nContent-Type: text/html; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\n\
            <html><style>p{x:y}</style><p>H=E4lytys</p><script>bad()</script></html>\n",
        );
        let text = html["text"].as_str().unwrap();
        assert!(text.contains("Hälytys") && !text.contains('<'), "{text}");
    }

    #[test]
    fn what_a_mail_server_says_of_another_mail_is_no_alarm() {
        let bounce = "Subject: x\r\nContent-Type: multipart/report; boundary=b\r\n\r\n--b\r\n\r\nfailed\r\n--b--\r\n";
        assert_eq!(document(bounce.as_bytes(), ""), Err(MailInError::Report));
    }

    fn reported(mail: &str, sender: &str) -> Report {
        report(mail.replace('\n', "\r\n").as_bytes(), sender).unwrap()
    }

    #[test]
    fn a_person_reports_and_is_answered_and_a_machine_is_not() {
        let mail = "From: Matti Meik\u{e4}l\u{e4}inen <matti@example.org>\nSubject: Smoke\n\nAt gate 2,\nblack.\n";
        let report = reported(mail, "bounce@example.org");
        assert_eq!(report.what, "Smoke At gate 2, black.");
        assert!(report.who.starts_with("Matti"), "{}", report.who);
        assert_eq!(
            (&*report.contact, &*report.via),
            ("matti@example.org", "mail")
        );
        for automatic in [
            "Auto-Submitted: auto-replied\n",
            "Precedence: bulk\n",
            "List-Id: <l.example.org>\n",
        ] {
            let report = reported(&format!("{automatic}{mail}"), "matti@example.org");
            assert_eq!(
                (&*report.contact, &*report.what),
                ("", "Smoke At gate 2, black.")
            );
        }
        assert_eq!(reported(mail, "").contact, "");
        let plain = reported("Auto-Submitted: no\nFrom: matti@example.org\n\n", "x@y");
        assert_eq!(
            (&*plain.who, &*plain.contact, &*plain.what),
            (
                "matti@example.org",
                "matti@example.org",
                "mail without words"
            )
        );
        for nobody in ["", "\t"] {
            assert_eq!(reported("Subject: x\n\n", nobody).who, "somebody");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_a_report_that_is_not_taken(bytes in proptest::collection::vec(any::<u8>(), 0..3_000), head in "(From|Subject): .{0,80}\r\n", sender in ".{0,20}") {
            let mut mail = head.into_bytes();
            mail.extend(bytes);
            if let Ok(report) = report(&mail, &sender) {
                prop_assert_eq!(domain::reports::check_report(&report), Ok(()));
            }
        }

        #[test]
        fn no_bytes_break_it(bytes in proptest::collection::vec(any::<u8>(), 0..2_000), head in "[A-Za-z-]{1,12}: .{0,60}\r\n") {
            let mut mail = head.into_bytes();
            mail.extend(bytes);
            if let Ok(found) = document(&mail, "a@b") {
                prop_assert!(found["text"].as_str().unwrap().chars().count() <= TEXT_LEN_MAX);
            }
        }
    }
}
