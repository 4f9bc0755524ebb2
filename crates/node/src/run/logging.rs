//! Logs on standard error: JSON for machines, lines for people. What modules say about people stays at DEBUG and below.

use std::io::IsTerminal as _;

use anyhow::anyhow;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::{LogConfig, LogFormat, LogLevel};

/// Starts logging for the whole process; once.
pub(crate) fn start(config: &LogConfig) -> Result<(), anyhow::Error> {
    // Libraries at INFO would drown our own words; what they warn of is worth reading. sqlx at DEBUG prints the values it
    // binds, which are people's numbers: never more than WARN from it.
    let ours = config.level.word();
    let filter = match config.level {
        LogLevel::Error => "error".to_owned(),
        LogLevel::Warn | LogLevel::Info | LogLevel::Debug | LogLevel::Trace => format!(
            "warn,holdfast={ours},api={ours},channels={ours},cluster={ours},delivery={ours},domain={ours},emulator=warn,openraft=error,sqlx=warn"
        ),
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_writer(std::io::stderr);
    let started = match config.format {
        LogFormat::Json => builder.json().flatten_event(true).finish().try_init(),
        LogFormat::Human => builder
            .with_ansi(std::io::stderr().is_terminal())
            .with_target(false)
            .finish()
            .try_init(),
    };
    started.map_err(|error| anyhow!("cannot start logging: {error}"))
}

impl LogLevel {
    fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}
