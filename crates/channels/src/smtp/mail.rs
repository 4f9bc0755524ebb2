//! One outgoing message as the bytes of a mail (RFC 5322).

use std::time::{Duration, SystemTime};

use domain::deliveries::AttemptRef;
use domain::ports::Outgoing;
use domain::time::Timestamp;
use lettre::Address;
use lettre::address::Envelope;
use lettre::message::header::{ContentType, HeaderName, HeaderValue, MIME_VERSION_1_0};
use lettre::message::{Mailbox, Message};

/// A subject longer than this is cut: it is a notice, and every byte of it is repeated by mail servers in logs.
const SUBJECT_CHARS_MAX: usize = 200;

/// A mail ready to be handed to any smarthost.
pub(super) struct Mail {
    pub(super) envelope: Envelope,
    pub(super) bytes: Vec<u8>,
}

/// Why no mail can be made of a message. Permanent for its address.
#[derive(Debug, thiserror::Error)]
pub(super) enum MailError {
    #[error("not a mail address")]
    Address(#[from] lettre::address::AddressError),
    #[error("the address holds control characters")]
    ControlInAddress,
    #[error("cannot put the mail together: {0}")]
    Build(#[from] lettre::error::Error),
}

/// Puts the mail together. The same message gives the same `Message-ID` on every path, so that a receiver who gets it
/// twice can tell.
pub(super) fn compose(
    from: &Mailbox,
    answers_at: Option<&str>,
    message: &Outgoing,
    now: Timestamp,
) -> Result<Mail, MailError> {
    if message.address.chars().any(char::is_control) {
        return Err(MailError::ControlInAddress);
    }
    let to: Address = message.address.trim().parse()?;
    let date = SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(now.0).unwrap_or(0));
    let mut builder = Message::builder()
        .from(from.clone())
        .to(Mailbox::new(None, to.clone()))
        .subject(one_line(&message.subject))
        .date(date)
        .message_id(Some(message_id(message.attempt, from.email.domain())))
        .header(MIME_VERSION_1_0)
        .header(ContentType::TEXT_PLAIN)
        // RFC 3834 §5: keeps vacation programs from answering.
        .raw_header(raw("Auto-Submitted", "auto-generated"))
        // Not `All`, `DR` or `NDR`: those would also silence the non-delivery notices we want (MS-OXCMAIL §2.1.3.2.20).
        .raw_header(raw("X-Auto-Response-Suppress", "OOF, AutoReply, RN, NRN"));
    if message.urgent {
        builder = builder.raw_header(raw("Importance", "high"));
    }
    let mut body = plain_text(&message.body);
    if let (Some(domain), Some(reply)) = (answers_at, &message.reply) {
        let address = Address::new(reply.local.as_str(), domain)?;
        builder = builder.reply_to(Mailbox::new(None, address));
        body = format!("{}\n\n{}\n", body.trim_end(), plain_text(&reply.words));
    }
    let mail = builder.body(body)?;
    Ok(Mail {
        envelope: Envelope::new(Some(from.email.clone()), vec![to])?,
        bytes: mail.formatted(),
    })
}

/// `<delivery.attempt@domain>`.
fn message_id(attempt: AttemptRef, domain: &str) -> String {
    format!("<{}.{}@{domain}>", attempt.delivery, attempt.attempt)
}

fn raw(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}

/// Everything that could end a header line becomes a space.
fn one_line(text: &str) -> String {
    let cleaned: String = text
        .chars()
        .take(SUBJECT_CHARS_MAX)
        .map(|c| if breaks_lines(c) { ' ' } else { c })
        .collect();
    cleaned.trim().to_owned()
}

/// Line ends and tabs stay; other control characters have no business in a text for people.
fn plain_text(text: &str) -> String {
    text.chars()
        .filter(|c| matches!(c, '\n' | '\r' | '\t') || !c.is_control())
        .collect()
}

fn breaks_lines(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use domain::ids::DeliveryId;
    use domain::ports::{Permit, ReplyPath};

    use super::*;

    fn message(address: &str, subject: &str, body: &str) -> Outgoing {
        Outgoing {
            permit: Permit::always(),
            attempt: AttemptRef {
                delivery: DeliveryId([0xab; 16]),
                attempt: 3,
            },
            address: address.to_owned(),
            ring: false,
            subject: subject.to_owned(),
            body: body.to_owned(),
            validity: Duration::from_secs(3600),
            urgent: true,
            reply: None,
        }
    }

    fn composed(subject: &str, body: &str) -> String {
        let from = "Aurora alerts <alerts@aurora.example>".parse().unwrap();
        let mail = compose(
            &from,
            None,
            &message("anna@home.example", subject, body),
            Timestamp(1_795_282_325_250),
        )
        .unwrap();
        String::from_utf8(mail.bytes).unwrap()
    }

    #[test]
    fn a_mail_says_where_it_is_answered_only_where_answers_are_taken() {
        let from: Mailbox = "alerts@aurora.example".parse().unwrap();
        let mut asked = message("anna@home.example", "4711 Water", "Come.\n");
        asked.reply = Some(ReplyPath {
            local: "reply+abc".to_owned(),
            words: "Or reply: 1".to_owned(),
        });
        let text = |answers_at| {
            let mail = compose(&from, answers_at, &asked, Timestamp(0)).unwrap();
            String::from_utf8(mail.bytes).unwrap()
        };
        let answered = text(Some("alarm.example.org"));
        assert!(
            answered.contains("Reply-To: reply+abc@alarm.example.org\r\n"),
            "{answered}"
        );
        assert!(
            answered.contains("Come.\r\n\r\nOr reply: 1\r\n"),
            "{answered}"
        );
        let silent = text(None);
        assert!(!silent.contains("Reply-To") && !silent.contains("Or reply"));
    }

    #[test]
    fn headers_say_who_when_which_and_that_a_machine_wrote_it() {
        let text = composed("4711 Water in hall 2", "Gather at gate B.\n");
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        for line in [
            "From: \"Aurora alerts\" <alerts@aurora.example>",
            "To: anna@home.example",
            "Subject: 4711 Water in hall 2",
            "Date: Sat, 21 Nov 2026 17:32:05 +0000",
            "Message-ID: <abababababababababababababababab.3@aurora.example>",
            "Auto-Submitted: auto-generated",
            "X-Auto-Response-Suppress: OOF, AutoReply, RN, NRN",
            "Importance: high",
            "MIME-Version: 1.0",
            "Content-Type: text/plain; charset=utf-8",
        ] {
            assert!(
                head.lines().any(|l| l == line),
                "no line {line:?} in\n{head}"
            );
        }
        assert_eq!(body, "Gather at gate B.\r\n");
    }

    #[test]
    fn the_same_message_is_the_same_mail_on_every_path() {
        assert_eq!(composed("a", "b"), composed("a", "b"));
    }

    #[test]
    fn line_ends_in_a_subject_add_no_header() {
        for nasty in [
            "x\r\nBcc: all@aurora.example",
            "x\nBcc: y",
            "x\rBcc: y",
            "x\u{85}Bcc: y",
            "x\0\u{1a}\u{2028}Bcc: y",
        ] {
            let text = composed(nasty, "b");
            let head = text.split_once("\r\n\r\n").unwrap().0;
            assert!(!head.lines().any(|l| l.starts_with("Bcc")), "{head}");
            assert_eq!(
                head.lines().filter(|l| l.starts_with("Subject:")).count(),
                1
            );
        }
    }

    #[test]
    fn an_address_that_is_not_one_is_refused() {
        let from = "alerts@aurora.example".parse().unwrap();
        for bad in [
            "",
            "anna",
            "a@b\r\nRCPT TO:<all@x>",
            "<a@b.example>",
            "a b@c.example",
            "a@b.example, c@d.example",
            "a@",
        ] {
            assert!(
                compose(&from, None, &message(bad, "s", "b"), Timestamp(0)).is_err(),
                "{bad:?} was accepted"
            );
        }
    }

    #[test]
    fn letters_of_every_language_arrive_and_every_line_stays_short() {
        let text = composed(
            "Hälytys 🚨 停電",
            &format!("Kokoontuminen pääportilla. {}", "å".repeat(5000)),
        );
        assert!(text.is_ascii());
        assert!(text.lines().all(|l| l.len() <= 998));
        assert!(text.contains("=?utf-8?b?"));
    }

    #[test]
    fn control_characters_leave_the_body_but_its_lines_stay() {
        let text = composed("s", "one\r\nAT+CMGD=1\u{1a}\u{1b}\n.\ntwo");
        assert!(
            text.ends_with("\r\n\r\none\r\nAT+CMGD=1\r\n.\r\ntwo"),
            "{text:?}"
        );
    }
}
