//! From the bytes of a mail to what somebody answers by it: the words above the mail it quotes, and whether a program sent
//! it by itself (CHANNELS §5.2).

use domain::RequestId;

use super::parse::{MailInError, is_automatic, is_report, one_line, parse_any};

/// How much of an answer is kept, in characters.
const TEXT_LEN_MAX: usize = 4_000;
const SUBJECT_LEN_MAX: usize = 300;
const FROM_LEN_MAX: usize = 254;

/// Lines looked at for the beginning of a quoted mail.
const LINES_MAX: usize = 500;

/// Ends of the line that introduces a quoted mail, in the languages of mailers people here use.
const WROTE: [&str; 8] = [
    "wrote:",
    "writes:",
    "kirjoitti:",
    "skrev:",
    "skriver:",
    "schrieb:",
    "a écrit :",
    "a écrit:",
];

/// Beginnings of such a line or of the block some mailers put above what they quote.
const QUOTES: [&str; 9] = [
    ">",
    "-----original",
    "-----alkuper",
    "-----ursprung",
    "________",
    "from:",
    "lähettäjä:",
    "från:",
    "von:",
];

/// Subjects of programs that answer for people who are away.
const AWAY: [&str; 8] = [
    "automatic reply",
    "auto:",
    "autoreply",
    "out of office",
    "automaattinen vastaus",
    "poissa",
    "autosvar",
    "abwesenheit",
];

/// An answer by mail.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Answer {
    /// The same for the same mail at every node and every try.
    pub(super) key: [u8; 16],
    pub(super) from: String,
    pub(super) subject: String,
    /// Without what it quotes and without a signature.
    pub(super) text: String,
    pub(super) automatic: bool,
}

/// Reads an answer that came to `local`. What a mail server says about another mail is none.
pub(super) fn answer(bytes: &[u8], sender: &str, local: &str) -> Result<Answer, MailInError> {
    let mail = parse_any(bytes)?;
    if is_report(&mail) {
        return Err(MailInError::Report);
    }
    let cut = |text: &str, max: usize| -> String { text.chars().take(max).collect() };
    let subject = cut(
        &one_line(mail.subject().unwrap_or_default()),
        SUBJECT_LEN_MAX,
    );
    let from = mail.from().and_then(|from| from.first());
    let from = from.and_then(|from| from.address()).unwrap_or(sender);
    let body = mail.body_text(0).unwrap_or_default();
    let text = cut(above_quote(&body).trim(), TEXT_LEN_MAX);
    let lower = subject.to_lowercase();
    let responder = ["X-Autoreply", "X-Autorespond", "X-Autoresponse"]
        .iter()
        .any(|name| mail.header_raw(*name).is_some());
    let id = mail.message_id().unwrap_or_default();
    let name: [&[u8]; 5] = [
        b"mail answer",
        local.as_bytes(),
        id.as_bytes(),
        from.as_bytes(),
        text.as_bytes(),
    ];
    Ok(Answer {
        key: RequestId::derive(&name).0,
        from: cut(&one_line(from).to_lowercase(), FROM_LEN_MAX),
        automatic: responder
            || is_automatic(&mail, sender)
            || AWAY.iter().any(|away| lower.starts_with(away)),
        subject,
        text,
    })
}

/// The lines before the first that belongs to a quoted mail or a signature.
fn above_quote(body: &str) -> String {
    let lines: Vec<&str> = body.lines().take(LINES_MAX).collect();
    let mut kept = Vec::new();
    for (place, line) in lines.iter().enumerate() {
        let lower = line.trim().to_lowercase();
        // "On Monday, Aurora <a@b>" may stand on the line before "wrote:".
        let next = lines.get(place + 1).map(|next| next.trim().to_lowercase());
        let introduces = |line: &str| WROTE.iter().any(|wrote| line.ends_with(wrote));
        let split = next.is_some_and(|next| introduces(&next)) && lower.contains('@');
        let quotes = QUOTES.iter().any(|quote| lower.starts_with(quote));
        if quotes || introduces(&lower) || split || line.trim_end() == "--" {
            break;
        }
        kept.push(*line);
    }
    kept.join("\n")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(mail: &str) -> Answer {
        answer(mail.replace('\n', "\r\n").as_bytes(), "env@x", "reply+abc").unwrap()
    }

    #[test]
    fn only_what_stands_above_the_quoted_mail_is_the_answer() {
        for quoted in [
            "1 coming\n\nOn Mon, 23 Nov 2026 at 03:12, Aurora <a@b.example> wrote:\n> 4711 2=cannot\n",
            "1 coming\n> 4711 AURORA\n",
            "1 coming\n\nOn Mon, 23 Nov 2026, Aurora alerts <alerts@aurora.example>\nwrote:\n\n2=cannot\n",
            "1 coming\n________________________________\nFrom: Aurora\nSent: now\n2\n",
            "1 coming\n\nma 23.11.2026 klo 3.12 Aurora kirjoitti:\n2\n",
            "1 coming\n-- \nAnna, +358 40 1234567\n",
            "1 coming\n-----Original Message-----\n2\n",
        ] {
            let found = read(&format!(
                "From: Anna <Anna@Home.example>\nSubject: Re: 4711 Aurora 118\n\n{quoted}"
            ));
            assert_eq!(found.text, "1 coming", "{quoted}");
            assert_eq!(
                (&*found.from, found.automatic),
                ("anna@home.example", false)
            );
        }
        assert_eq!(read("Subject: Re: x\n\n> all quoted\n").text, "");
    }

    #[test]
    fn programs_that_answer_by_themselves_are_told_apart() {
        for head in [
            "Auto-Submitted: auto-replied\nSubject: Re: 4711\n",
            "Precedence: bulk\nSubject: Re: 4711\n",
            "X-Autoreply: yes\nSubject: Re: 4711\n",
            "Subject: Automatic reply: 4711\n",
            "Subject: Automaattinen vastaus: 4711\n",
        ] {
            assert!(read(&format!("{head}\n1\n")).automatic, "{head}");
        }
        // Ours asks programs to be silent; that a mailer repeats it says nothing.
        let person = "X-Auto-Response-Suppress: OOF\nSubject: Re: 4711\n\n1\n";
        assert!(!read(person).automatic);
        let bounce = "Subject: x\r\nContent-Type: multipart/report; boundary=b\r\n\r\n--b\r\n\r\nfailed\r\n--b--\r\n";
        assert_eq!(
            answer(bounce.as_bytes(), "", "reply+abc"),
            Err(MailInError::Report)
        );
    }

    #[test]
    fn one_mail_has_one_key_and_another_has_another() {
        let first = read("Message-ID: <1@x>\nSubject: Re\n\n1\n");
        let relayed = read("Received: by y\nMessage-ID: <1@x>\nSubject: Re\n\n1\n");
        let altered = read("Message-ID: <1@x>\nSubject: Re\n\n2\n");
        assert_eq!(first.key, relayed.key);
        assert_ne!(first.key, altered.key);
    }

    proptest! {
        #[test]
        fn no_bytes_break_it(bytes in proptest::collection::vec(any::<u8>(), 0..2_000), head in "[A-Za-z-]{1,12}: .{0,60}\r\n") {
            let mut mail = head.into_bytes();
            mail.extend(bytes);
            if let Ok(found) = answer(&mail, "a@b", "reply") {
                prop_assert!(found.text.chars().count() <= TEXT_LEN_MAX);
            }
        }
    }
}
