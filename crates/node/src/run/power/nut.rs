//! A client of NUT's `upsd`: one connection, two questions, plain text (RFC 9271 §4). Loopback only, as the settings
//! demand: the protocol has no protection of its own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::rules::Reading;

/// Everything together; `upsd` answers from memory.
const TALK_TIME: Duration = Duration::from_secs(3);

/// The longest answer taken.
const LINE_LEN_MAX: u64 = 1_024;

/// Why the supply's state is not known.
#[derive(Debug, thiserror::Error)]
pub(super) enum NutError {
    #[error("cannot talk to upsd; is nut-server running?")]
    Io(#[from] std::io::Error),
    #[error("upsd does not answer")]
    Silent,
    #[error("upsd refused: {0}")]
    Refused(String),
    #[error("upsd said something else than it was asked: {0:?}")]
    Garbled(String),
    #[error("cannot read user and password from {}", path.display())]
    Credentials {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
}

/// Where the supply is asked for.
#[derive(Clone, Debug)]
pub(super) struct Nut {
    pub(super) upsd: SocketAddr,
    pub(super) ups: String,
    /// User in the first line, password in the second.
    pub(super) credentials: Option<PathBuf>,
}

impl Nut {
    /// The supply's state now.
    pub(super) async fn read(&self) -> Result<Reading, NutError> {
        let talk = timeout(TALK_TIME, self.talk());
        talk.await.map_err(|_| NutError::Silent)?
    }

    async fn talk(&self) -> Result<Reading, NutError> {
        let mut talk = Talk(BufReader::new(TcpStream::connect(self.upsd).await?));
        if let Some(path) = &self.credentials {
            let (user, password) = credentials(path)?;
            talk.order(&format!("USERNAME {user}")).await?;
            talk.order(&format!("PASSWORD {password}")).await?;
        }
        let status = talk.variable(&self.ups, "ups.status").await?;
        let status = status.ok_or_else(|| NutError::Refused("no ups.status".to_owned()))?;
        let runtime = talk.variable(&self.ups, "battery.runtime").await?;
        _ = talk.0.get_mut().write_all(b"LOGOUT\n").await; // courtesy only
        Ok(Reading::parse(&status, runtime.as_deref()))
    }
}

struct Talk(BufReader<TcpStream>);

impl Talk {
    async fn ask(&mut self, line: &str) -> Result<String, NutError> {
        self.0
            .get_mut()
            .write_all(format!("{line}\n").as_bytes())
            .await?;
        let mut answer = String::new();
        (&mut self.0)
            .take(LINE_LEN_MAX)
            .read_line(&mut answer)
            .await?;
        match answer.strip_suffix('\n') {
            Some(whole) => Ok(whole.trim_end().to_owned()),
            None => Err(NutError::Garbled(answer)),
        }
    }

    async fn order(&mut self, line: &str) -> Result<(), NutError> {
        let answer = self.ask(line).await?;
        if answer.starts_with("OK") {
            Ok(())
        } else {
            Err(NutError::Refused(answer))
        }
    }

    /// A variable's value; `None` when this supply does not have it.
    async fn variable(&mut self, ups: &str, name: &str) -> Result<Option<String>, NutError> {
        let answer = self.ask(&format!("GET VAR {ups} {name}")).await?;
        value_of(&answer, ups, name)
    }
}

fn value_of(answer: &str, ups: &str, name: &str) -> Result<Option<String>, NutError> {
    if let Some(error) = answer.strip_prefix("ERR ") {
        return match error {
            "VAR-NOT-SUPPORTED" => Ok(None),
            other => Err(NutError::Refused(other.to_owned())),
        };
    }
    let quoted = answer
        .strip_prefix(&format!("VAR {ups} {name} \""))
        .and_then(|rest| rest.strip_suffix('"'));
    let quoted = quoted.ok_or_else(|| NutError::Garbled(answer.to_owned()))?;
    // A backslash protects a quote or itself.
    let mut value = String::with_capacity(quoted.len());
    let mut letters = quoted.chars();
    while let Some(letter) = letters.next() {
        value.extend(if letter == '\\' {
            letters.next()
        } else {
            Some(letter)
        });
    }
    Ok(Some(value))
}

fn credentials(path: &Path) -> Result<(String, String), NutError> {
    let text = std::fs::read_to_string(path).map_err(|source| NutError::Credentials {
        path: path.to_owned(),
        source,
    })?;
    let mut lines = text.lines().map(|line| line.trim().to_owned());
    Ok((
        lines.next().unwrap_or_default(),
        lines.next().unwrap_or_default(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_upsd_are_values_refusals_or_noise() {
        let value = |answer| value_of(answer, "ups", "ups.status");
        assert_eq!(
            value("VAR ups ups.status \"OB LB\"").unwrap().unwrap(),
            "OB LB"
        );
        assert_eq!(
            value("VAR ups ups.status \"a\\\"b\\\\\"").unwrap().unwrap(),
            "a\"b\\"
        );
        assert_eq!(value("ERR VAR-NOT-SUPPORTED").unwrap(), None);
        assert!(matches!(value("ERR DATA-STALE"), Err(NutError::Refused(_))));
        for noise in [
            "",
            "VAR ups ups.status",
            "VAR other ups.status \"OL\"",
            "OK",
        ] {
            assert!(matches!(value(noise), Err(NutError::Garbled(_))), "{noise}");
        }
    }
}
