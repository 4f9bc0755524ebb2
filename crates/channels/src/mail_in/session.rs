//! One SMTP session as a server sees it (RFC 5321). Does no IO and reads no clock: feed it bytes, drain its polls.
//!
//! It takes mail for addresses of one domain and relays nothing. Lines end in CR LF and nothing else: a bare CR or LF ends
//! the session, so that no sender can smuggle a second mail into the first.

use std::collections::VecDeque;

/// The longest command line, CR LF included (RFC 5321 §4.5.3.1.4, with room for parameters).
const LINE_LEN_MAX: usize = 1_024;
/// What a sender may say ahead while it is not its turn.
const AHEAD_MAX: usize = 64 * 1024;
/// Commands that are refused before the session ends.
const MISTAKES_MAX: u32 = 10;
/// Mails in one session.
const MAILS_MAX: u32 = 100;

/// What a session may do.
#[derive(Clone, Debug)]
pub(super) struct SessionRules {
    /// The name in the greeting.
    pub(super) name: String,
    /// The part after the @ of addresses that are taken.
    pub(super) domain: String,
    /// The largest mail, in bytes.
    pub(super) size_max: usize,
    /// Most recipients of one mail.
    pub(super) recipients_max: usize,
    /// STARTTLS is offered.
    pub(super) tls: bool,
}

/// What the shell must do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum SessionEvent {
    /// Say with [`Session::recipient`] whether this local part is an address here.
    Recipient(String),
    /// Take the mail and say with [`Session::mail`] how that ended.
    Mail(IncomingMail),
    /// Begin TLS once everything is written; then call [`Session::secured`].
    StartTls,
    /// Close once everything is written.
    Close,
}

/// A mail with its envelope.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct IncomingMail {
    /// The return path; empty: none.
    pub(super) from: String,
    /// Local parts of its recipients, as they were confirmed.
    pub(super) to: Vec<String>,
    /// Headers and body, dots unstuffed.
    pub(super) bytes: Vec<u8>,
}

/// How taking something ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    Taken,
    /// Not now; the sender keeps it and tries again.
    Later,
    /// Never.
    Refused,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum State {
    Command,
    /// The shell looks a recipient up.
    Asking(String),
    Data,
    /// The shell takes a mail.
    Taking,
    /// The shell begins TLS.
    Securing,
    Closed,
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Session {
    rules: SessionRules,
    state: State,
    greeted: bool,
    secure: bool,
    from: Option<String>,
    to: Vec<String>,
    input: Vec<u8>,
    data: Vec<u8>,
    too_large: bool,
    mistakes: u32,
    mails: u32,
    output: Vec<u8>,
    events: VecDeque<SessionEvent>,
}

impl Session {
    pub(super) fn new(rules: SessionRules) -> Self {
        let mut session = Self {
            state: State::Command,
            greeted: false,
            secure: false,
            from: None,
            to: Vec::new(),
            input: Vec::new(),
            data: Vec::new(),
            too_large: false,
            mistakes: 0,
            mails: 0,
            output: Vec::new(),
            events: VecDeque::new(),
            rules,
        };
        let greeting = format!("220 {} ESMTP Holdfast", session.rules.name);
        session.say(&greeting);
        session
    }

    /// Bytes from the sender.
    pub(super) fn handle_input(&mut self, bytes: &[u8]) {
        if self.state == State::Closed {
            return;
        }
        self.input.extend_from_slice(bytes);
        self.advance();
    }

    /// Nothing came for too long.
    pub(super) fn handle_timeout(&mut self) {
        self.close("421 4.4.2 timeout");
    }

    /// Bytes for the sender.
    pub(super) fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        (!self.output.is_empty()).then(|| std::mem::take(&mut self.output))
    }

    pub(super) fn poll_event(&mut self) -> Option<SessionEvent> {
        self.events.pop_front()
    }

    /// The answer to [`SessionEvent::Recipient`].
    pub(super) fn recipient(&mut self, verdict: Verdict) {
        let State::Asking(local) = std::mem::replace(&mut self.state, State::Command) else {
            return;
        };
        match verdict {
            Verdict::Taken => {
                self.to.push(local);
                self.say("250 2.1.5 ok");
            }
            Verdict::Later => self.say("451 4.3.0 cannot look this up now; try again"),
            Verdict::Refused => self.mistake("550 5.1.1 no source has this address"),
        }
        self.advance();
    }

    /// The answer to [`SessionEvent::Mail`].
    pub(super) fn mail(&mut self, verdict: Verdict) {
        if self.state != State::Taking {
            return;
        }
        self.state = State::Command;
        self.say(match verdict {
            Verdict::Taken => "250 2.0.0 taken",
            Verdict::Later => "451 4.3.0 cannot be recorded now; try again",
            Verdict::Refused => "554 5.6.0 this mail is not taken",
        });
        self.advance();
    }

    /// TLS stands. What came before it is forgotten, and so is what was sent ahead (RFC 3207 §4.2).
    pub(super) fn secured(&mut self) {
        self.state = State::Command;
        self.secure = true;
        self.greeted = false;
        self.input.clear();
        self.reset();
    }

    fn advance(&mut self) {
        loop {
            match self.state {
                State::Command => {
                    let Some(line) = self.line() else { return };
                    self.command(&line);
                }
                State::Data => {
                    if !self.take_data() {
                        return;
                    }
                }
                State::Asking(_) | State::Taking | State::Securing => {
                    // A sender that goes on talking is heard later, within bounds.
                    if self.input.len() > AHEAD_MAX {
                        self.close("421 4.7.0 too much at once");
                    }
                    return;
                }
                State::Closed => return,
            }
        }
    }

    /// The next whole line without its end.
    fn line(&mut self) -> Option<String> {
        let Some(end) = self.input.iter().position(|b| *b == b'\n') else {
            if self.input.len() > LINE_LEN_MAX {
                self.close("500 5.5.2 the line is too long");
            }
            return None;
        };
        let line: Vec<u8> = self.input.drain(..=end).collect();
        let Some(line) = line.strip_suffix(b"\r\n") else {
            self.close("500 5.5.2 lines end in CR LF");
            return None;
        };
        if line.len() > LINE_LEN_MAX || line.contains(&b'\r') {
            self.close("500 5.5.2 the line is too long, or has a bare CR");
            return None;
        }
        Some(String::from_utf8_lossy(line).into_owned())
    }

    fn command(&mut self, line: &str) {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        match verb.to_ascii_uppercase().as_str() {
            "EHLO" => self.hello(true),
            "HELO" => self.hello(false),
            "MAIL" => self.mail_from(rest),
            "RCPT" => self.rcpt_to(rest),
            "DATA" => self.begin_data(),
            "RSET" => {
                self.reset();
                self.say("250 2.0.0 ok");
            }
            "NOOP" => self.say("250 2.0.0 ok"),
            "VRFY" => self.say("252 2.5.0 send a mail and see"),
            "STARTTLS" if self.rules.tls && !self.secure => {
                self.say("220 2.0.0 go ahead");
                self.state = State::Securing;
                self.input.clear();
                self.events.push_back(SessionEvent::StartTls);
            }
            "QUIT" => self.close("221 2.0.0 bye"),
            _ => self.mistake("502 5.5.1 not known here"),
        }
    }

    fn hello(&mut self, extended: bool) {
        self.greeted = true;
        self.reset();
        let name = self.rules.name.clone();
        if !extended {
            return self.say(&format!("250 {name}"));
        }
        let mut lines = vec![
            name,
            format!("SIZE {}", self.rules.size_max),
            "8BITMIME".to_owned(),
        ];
        if self.rules.tls && !self.secure {
            lines.push("STARTTLS".to_owned());
        }
        let last = lines.len() - 1;
        for (nth, line) in lines.iter().enumerate() {
            let dash = if nth == last { ' ' } else { '-' };
            self.say(&format!("250{dash}{line}"));
        }
    }

    fn mail_from(&mut self, rest: &str) {
        if !self.greeted || self.from.is_some() {
            return self.mistake("503 5.5.1 not now");
        }
        if self.mails >= MAILS_MAX {
            return self.close("421 4.7.0 enough for one session");
        }
        let Some((path, parameters)) = path_of(rest, "FROM:") else {
            return self.mistake("501 5.5.4 write MAIL FROM:<address>");
        };
        let size = parameters
            .split(' ')
            .filter_map(|parameter| parameter.split_once('='))
            .find(|(name, _)| name.eq_ignore_ascii_case("SIZE"))
            .and_then(|(_, size)| size.parse::<usize>().ok());
        if size.is_some_and(|size| size > self.rules.size_max) {
            return self.mistake("552 5.3.4 the mail is too large");
        }
        self.from = Some(path.to_owned());
        self.say("250 2.1.0 ok");
    }

    fn rcpt_to(&mut self, rest: &str) {
        if self.from.is_none() {
            return self.mistake("503 5.5.1 MAIL comes first");
        }
        if self.to.len() >= self.rules.recipients_max {
            return self.mistake("452 4.5.3 too many recipients");
        }
        let Some((path, _)) = path_of(rest, "TO:") else {
            return self.mistake("501 5.5.4 write RCPT TO:<address>");
        };
        let Some((local, domain)) = path.rsplit_once('@') else {
            return self.mistake("501 5.1.3 write RCPT TO:<address>");
        };
        if !domain.eq_ignore_ascii_case(&self.rules.domain) {
            return self.mistake("550 5.7.1 nothing is relayed here");
        }
        let local = local.to_ascii_lowercase();
        self.state = State::Asking(local.clone());
        self.events.push_back(SessionEvent::Recipient(local));
    }

    fn begin_data(&mut self) {
        if self.to.is_empty() {
            return self.mistake("503 5.5.1 no recipient was taken");
        }
        self.state = State::Data;
        self.data.clear();
        self.too_large = false;
        self.say("354 end with a dot on a line of its own");
    }

    /// Takes lines of the mail; says whether there may be more to do.
    fn take_data(&mut self) -> bool {
        let Some(end) = self.input.iter().position(|b| *b == b'\n') else {
            // A line of mail has no bound of its own, the mail has.
            if self.input.len() > self.rules.size_max {
                self.too_large = true;
                self.close("552 5.3.4 the mail is too large");
            }
            return false;
        };
        let line: Vec<u8> = self.input.drain(..=end).collect();
        let Some(content) = line.strip_suffix(b"\r\n").filter(|l| !l.contains(&b'\r')) else {
            self.close("554 5.6.11 lines end in CR LF");
            return false;
        };
        if content == b"." {
            self.end_data();
            return true;
        }
        let content = content.strip_prefix(b".").unwrap_or(content);
        if self.data.len() + content.len() + 2 > self.rules.size_max {
            self.too_large = true;
            self.data.clear();
        }
        if !self.too_large {
            self.data.extend_from_slice(content);
            self.data.extend_from_slice(b"\r\n");
        }
        true
    }

    fn end_data(&mut self) {
        let mail = IncomingMail {
            from: self.from.take().unwrap_or_default(),
            to: std::mem::take(&mut self.to),
            bytes: std::mem::take(&mut self.data),
        };
        if self.too_large {
            self.state = State::Command;
            return self.mistake("552 5.3.4 the mail is too large");
        }
        self.mails += 1;
        self.state = State::Taking;
        self.events.push_back(SessionEvent::Mail(mail));
    }

    fn reset(&mut self) {
        self.from = None;
        self.to.clear();
        self.data.clear();
    }

    fn mistake(&mut self, reply: &str) {
        self.mistakes += 1;
        if self.mistakes > MISTAKES_MAX {
            return self.close("421 4.7.0 too many mistakes");
        }
        self.say(reply);
    }

    fn close(&mut self, reply: &str) {
        if self.state == State::Closed {
            return;
        }
        self.say(reply);
        self.state = State::Closed;
        self.input.clear();
        self.data.clear();
        self.events.push_back(SessionEvent::Close);
    }

    fn say(&mut self, line: &str) {
        self.output.extend_from_slice(line.as_bytes());
        self.output.extend_from_slice(b"\r\n");
    }
}

/// The address and the parameters of `FROM:<address> PARAMETER=…`.
fn path_of<'l>(rest: &'l str, word: &str) -> Option<(&'l str, &'l str)> {
    let start = rest.get(..word.len())?;
    if !start.eq_ignore_ascii_case(word) {
        return None;
    }
    let path = rest[word.len()..].trim_start().strip_prefix('<')?;
    let (path, parameters) = path.split_once('>')?;
    // A source route before the address is to be passed over (RFC 5321 §4.1.1.3).
    let path = path.rsplit_once(':').map_or(path, |(_, address)| address);
    Some((path, parameters.trim_start()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn session() -> Session {
        Session::new(SessionRules {
            name: "alpha".to_owned(),
            domain: "alarm.example.org".to_owned(),
            size_max: 200,
            recipients_max: 2,
            tls: true,
        })
    }

    /// Says lines, taking every recipient but `nobody`, and returns the replies and what was taken.
    fn talk(session: &mut Session, said: &str) -> (String, Vec<IncomingMail>) {
        let mut replies = Vec::new();
        let mut mails = Vec::new();
        session.handle_input(said.as_bytes());
        while let Some(event) = session.poll_event() {
            match event {
                SessionEvent::Recipient(local) if local == "nobody" => {
                    session.recipient(Verdict::Refused);
                }
                SessionEvent::Recipient(_) => session.recipient(Verdict::Taken),
                SessionEvent::Mail(mail) => {
                    mails.push(mail);
                    session.mail(Verdict::Taken);
                }
                SessionEvent::StartTls | SessionEvent::Close => {}
            }
        }
        replies.extend(session.poll_transmit().unwrap_or_default());
        (String::from_utf8(replies).unwrap(), mails)
    }

    #[test]
    fn a_mail_for_a_source_is_taken_with_its_dots() {
        let mut session = session();
        let (said, mails) = talk(
            &mut session,
            "EHLO x\r\nMAIL FROM:<a@b> SIZE=50\r\nRCPT TO:<Prom@Alarm.example.org>\r\nDATA\r\nSubject: s\r\n\r\n..dot\r\n.\r\nQUIT\r\n",
        );
        assert_eq!(
            said,
            "220 alpha ESMTP Holdfast\r\n250-alpha\r\n250-SIZE 200\r\n250-8BITMIME\r\n250 STARTTLS\r\n250 2.1.0 ok\r\n\
             250 2.1.5 ok\r\n354 end with a dot on a line of its own\r\n250 2.0.0 taken\r\n221 2.0.0 bye\r\n"
        );
        assert_eq!(
            (mails[0].from.as_str(), &mails[0].to),
            ("a@b", &vec!["prom".to_owned()])
        );
        assert_eq!(mails[0].bytes, b"Subject: s\r\n\r\n.dot\r\n");
    }

    #[test]
    fn nothing_is_relayed_and_unknown_addresses_are_refused_at_once() {
        let mut session = session();
        let (said, mails) = talk(
            &mut session,
            "HELO x\r\nRCPT TO:<prom@alarm.example.org>\r\nMAIL FROM:<>\r\nRCPT TO:<you@elsewhere.org>\r\n\
             RCPT TO:<nobody@alarm.example.org>\r\nDATA\r\n",
        );
        for reply in [
            "503 5.5.1 MAIL",
            "550 5.7.1 nothing is relayed",
            "550 5.1.1 no source",
            "503 5.5.1 no recipient",
        ] {
            assert!(said.contains(reply), "{reply} in {said}");
        }
        assert_eq!(mails, []);
    }

    #[test]
    fn no_second_mail_hides_in_the_first() {
        for smuggled in [
            "a\n.\nMAIL FROM:<x@y>\r\n",
            "a\r\n.\nMAIL\r\n",
            "a\r.\r\r\n",
        ] {
            let mut session = session();
            let begin = "EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<prom@alarm.example.org>\r\nDATA\r\n";
            let (said, mails) = talk(&mut session, &format!("{begin}{smuggled}"));
            assert!(
                said.ends_with("554 5.6.11 lines end in CR LF\r\n"),
                "{said}"
            );
            assert_eq!(mails, []);
        }
    }

    #[test]
    fn size_recipients_lines_and_mistakes_are_bounded() {
        let begin = "EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<prom@alarm.example.org>\r\n";
        let large = format!("{begin}DATA\r\n{}.\r\n", "0123456789\r\n".repeat(40));
        let (said, mails) = talk(&mut session(), &large);
        assert!(said.contains("552 5.3.4") && mails.is_empty(), "{said}");
        let more = "RCPT TO:<b@alarm.example.org>\r\nRCPT TO:<c@alarm.example.org>\r\n";
        assert!(
            talk(&mut session(), &format!("{begin}{more}"))
                .0
                .contains("452 4.5.3")
        );
        assert!(
            talk(&mut session(), "EHLO x\r\nMAIL FROM:<a@b> SIZE=201\r\n")
                .0
                .contains("552")
        );
        assert!(
            talk(&mut session(), &"x".repeat(1_100))
                .0
                .contains("500 5.5.2")
        );
        assert!(
            talk(&mut session(), &"WHAT\r\n".repeat(50))
                .0
                .ends_with("421 4.7.0 too many mistakes\r\n")
        );
    }

    #[test]
    fn what_was_said_ahead_of_tls_is_forgotten() {
        let mut session = session();
        talk(&mut session, "EHLO x\r\nSTARTTLS\r\nMAIL FROM:<evil@x>\r\n");
        session.secured();
        let (said, _) = talk(&mut session, "MAIL FROM:<a@b>\r\nEHLO x\r\n");
        assert!(said.starts_with("503 5.5.1"), "{said}");
        assert!(!said.contains("STARTTLS"), "{said}");
    }

    proptest! {
        #[test]
        fn no_bytes_break_it_and_all_of_it_stays_bounded(pieces in proptest::collection::vec(".{0,60}(\r\n)?", 0..60)) {
            let mut session = session();
            for piece in pieces {
                talk(&mut session, &piece);
                prop_assert!(session.input.len() <= 1_100 && session.data.len() <= 200);
            }
        }
    }
}
