//! One SMTP session.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::{sleep, timeout},
};

use super::{MailAction, MailStage, Mailbox};

/// How long a client may be silent.
const READ_TIMEOUT: Duration = Duration::from_secs(300);
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest line, command or text (RFC 5321 §4.5.3.1 asks for 1000 at least).
const LINE_LEN_MAX: u64 = 64 * 1024;
/// The largest mail, as SIZE announces it (RFC 1870).
const MAIL_LEN_MAX: usize = 10 * 1024 * 1024;
const RECIPIENTS_MAX: usize = 1000;

/// Serves one client until it leaves, is silent for too long, or a rule ends it.
pub(super) async fn run(stream: TcpStream, mailbox: Mailbox, full: bool) {
    let mut session = Session {
        stream: BufReader::new(stream),
        mailbox,
        from: None,
        to: Vec::new(),
    };
    let ended = if full {
        session.reply("421 4.3.2 too many sessions").await
    } else {
        session.serve().await
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "smtp session ended");
    }
}

struct Session {
    stream: BufReader<TcpStream>,
    mailbox: Mailbox,
    from: Option<String>,
    to: Vec<String>,
}

/// Whether the session goes on.
enum Next {
    Usual,
    Handled,
    Close,
}

impl Session {
    async fn serve(&mut self) -> io::Result<()> {
        match self.rule(MailStage::Connect, "").await? {
            Next::Usual => self.reply("220 catcher.test ESMTP").await?,
            Next::Handled => {}
            Next::Close => return Ok(()),
        }
        while let Some(line) = self.read_line().await? {
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            if !self.command(&line).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// False ends the session.
    async fn command(&mut self, line: &str) -> io::Result<bool> {
        let verb = line
            .split([' ', ':'])
            .next()
            .unwrap_or_default()
            .to_ascii_uppercase();
        let stage = match verb.as_str() {
            "EHLO" | "HELO" => Some(MailStage::Ehlo),
            "AUTH" => Some(MailStage::Auth),
            "MAIL" => Some(MailStage::Mail),
            "RCPT" => Some(MailStage::Rcpt),
            "DATA" => Some(MailStage::Data),
            "QUIT" => Some(MailStage::Quit),
            _ => None,
        };
        if let Some(stage) = stage {
            match self.rule(stage, line).await? {
                Next::Usual => {}
                Next::Handled => return Ok(true),
                Next::Close => return Ok(false),
            }
        }
        match verb.as_str() {
            "EHLO" => {
                let auth = if self.mailbox.offers_auth() {
                    "250-AUTH PLAIN LOGIN\r\n"
                } else {
                    ""
                };
                self.reset();
                self.reply(&format!(
                    "250-catcher.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n{auth}250 SIZE {MAIL_LEN_MAX}"
                ))
                .await?;
            }
            "HELO" => {
                self.reset();
                self.reply("250 catcher.test").await?;
            }
            "AUTH" => return self.auth(line).await,
            "MAIL" => self.mail(line).await?,
            "RCPT" => self.rcpt(line).await?,
            "DATA" => return self.data().await,
            "RSET" => {
                self.reset();
                self.reply("250 2.0.0 forgotten").await?;
            }
            "NOOP" => self.reply("250 2.0.0 nothing done").await?,
            "VRFY" => self.reply("252 2.5.0 send and see").await?,
            "QUIT" => {
                self.reply("221 2.0.0 bye").await?;
                return Ok(false);
            }
            _ => self.reply("500 5.5.2 unknown command").await?,
        }
        Ok(true)
    }

    async fn auth(&mut self, line: &str) -> io::Result<bool> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let prompts = match (
            words
                .get(1)
                .map(|word| word.to_ascii_uppercase())
                .as_deref(),
            words.len(),
        ) {
            (Some("PLAIN"), 3) => 0,
            (Some("PLAIN"), _) | (Some("LOGIN"), 3) => 1,
            (Some("LOGIN"), _) => 2,
            _ => {
                self.reply("504 5.5.4 PLAIN or LOGIN").await?;
                return Ok(true);
            }
        };
        for left in (1..=prompts).rev() {
            // "Username:" and "Password:" in base64, as LOGIN clients expect.
            self.reply(if left == 2 {
                "334 VXNlcm5hbWU6"
            } else {
                "334 UGFzc3dvcmQ6"
            })
            .await?;
            if self.read_line().await?.is_none() {
                return Ok(false);
            }
        }
        self.reply("235 2.7.0 welcome").await?;
        Ok(true)
    }

    async fn mail(&mut self, line: &str) -> io::Result<()> {
        let declared = line.split_whitespace().find_map(|word| {
            word.to_ascii_uppercase()
                .strip_prefix("SIZE=")?
                .parse::<usize>()
                .ok()
        });
        if declared.is_some_and(|size| size > MAIL_LEN_MAX) {
            return self.reply("552 5.3.4 too large").await;
        }
        match (path(line), &self.from) {
            (Some(_), Some(_)) => self.reply("503 5.5.1 one sender at a time").await,
            (Some(from), None) => {
                self.from = Some(from);
                self.reply("250 2.1.0 sender noted").await
            }
            (None, _) => self.reply("501 5.5.4 MAIL FROM:<address>").await,
        }
    }

    async fn rcpt(&mut self, line: &str) -> io::Result<()> {
        match path(line).filter(|to| !to.is_empty()) {
            _ if self.from.is_none() => self.reply("503 5.5.1 MAIL first").await,
            Some(_) if self.to.len() >= RECIPIENTS_MAX => {
                self.reply("452 4.5.3 too many recipients").await
            }
            Some(to) => {
                self.to.push(to);
                self.reply("250 2.1.5 recipient noted").await
            }
            None => self.reply("501 5.5.4 RCPT TO:<address>").await,
        }
    }

    async fn data(&mut self) -> io::Result<bool> {
        if self.to.is_empty() {
            self.reply("503 5.5.1 RCPT first").await?;
            return Ok(true);
        }
        self.reply("354 end with a dot").await?;
        let mut data = Vec::new();
        loop {
            let Some(line) = self.read_line().await? else {
                return Ok(false);
            };
            if line == b".\r\n" {
                break;
            }
            // RFC 5321 §4.5.2: a leading dot was doubled by the sender.
            let text = line.strip_prefix(b".").unwrap_or(&line);
            if data.len() + text.len() <= MAIL_LEN_MAX {
                data.extend_from_slice(text);
            } else {
                data.resize(MAIL_LEN_MAX + 1, 0);
            }
        }
        let (from, to) = (
            self.from.take().unwrap_or_default(),
            std::mem::take(&mut self.to),
        );
        if data.len() > MAIL_LEN_MAX {
            self.reply("552 5.3.4 too large").await?;
            return Ok(true);
        }
        let head = to.join(" ");
        match self.mailbox.action(MailStage::Body, &head) {
            None => {}
            Some(MailAction::Delay(millis)) => sleep(Duration::from_millis(millis)).await,
            Some(MailAction::AcceptThenClose) => {
                self.mailbox.store(from, to, &data).await?;
                return Ok(false);
            }
            Some(MailAction::Reply { code, text }) => {
                if (200..300).contains(&code) {
                    self.mailbox.store(from, to, &data).await?;
                }
                self.reply(&format!("{code} {text}")).await?;
                return Ok(true);
            }
            Some(MailAction::Silence) => return self.ignore().await.map(|()| false),
            Some(MailAction::Close) => return Ok(false),
        }
        match self.mailbox.store(from, to, &data).await {
            Ok(()) => self.reply("250 2.0.0 kept").await?,
            Err(_) => self.reply("452 4.3.1 cannot write").await?,
        }
        Ok(true)
    }

    async fn rule(&mut self, stage: MailStage, line: &str) -> io::Result<Next> {
        Ok(match self.mailbox.action(stage, line) {
            None => Next::Usual,
            Some(MailAction::Delay(millis)) => {
                sleep(Duration::from_millis(millis)).await;
                Next::Usual
            }
            Some(MailAction::Reply { code, text }) => {
                self.reply(&format!("{code} {text}")).await?;
                // RFC 5321 §3.8: 421 announces that the server closes.
                if code == 421 {
                    Next::Close
                } else {
                    Next::Handled
                }
            }
            Some(MailAction::Silence) => {
                self.ignore().await?;
                Next::Close
            }
            Some(MailAction::Close | MailAction::AcceptThenClose) => Next::Close,
        })
    }

    /// Reads and says nothing, until the client leaves.
    async fn ignore(&mut self) -> io::Result<()> {
        let mut buffer = [0; 4096];
        while timeout(READ_TIMEOUT, self.stream.read(&mut buffer)).await?? > 0 {}
        Ok(())
    }

    fn reset(&mut self) {
        self.from = None;
        self.to.clear();
    }

    async fn reply(&mut self, text: &str) -> io::Result<()> {
        let line = format!("{text}\r\n");
        timeout(
            WRITE_TIMEOUT,
            self.stream.get_mut().write_all(line.as_bytes()),
        )
        .await?
    }

    /// A line with its end; `None` at the end of the stream or when the line is too long.
    async fn read_line(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        let mut limited = (&mut self.stream).take(LINE_LEN_MAX);
        timeout(READ_TIMEOUT, limited.read_until(b'\n', &mut line)).await??;
        Ok(line.ends_with(b"\n").then_some(line))
    }
}

/// The address between the angle brackets; empty for the null path.
fn path(line: &str) -> Option<String> {
    let (_, rest) = line.split_once('<')?;
    let (path, _) = rest.split_once('>')?;
    Some(path.trim().to_owned())
}
