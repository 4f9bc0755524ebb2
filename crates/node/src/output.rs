//! What a command leaves behind: data on standard output, words on standard error, and an exit code scripts can rely on.

use std::fmt;
use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

use serde_json::Value;

/// Exit codes; part of the contract others script against.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Exit {
    Failure = 1,
    Usage = 2,
    /// No majority, or only part of it worked.
    Degraded = 3,
    NotAuthorised = 4,
    NotFound = 5,
    /// It is there already, or something must happen first.
    Conflict = 6,
    VerificationFailed = 7,
    /// No answer in time; it may or may not have happened.
    TimedOut = 8,
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command ended without doing what was asked.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) error: anyhow::Error,
    /// The node understood and said no: asking again would not help.
    pub(crate) refused: bool,
    /// The JSON answer is already written.
    reported: bool,
}

impl Failure {
    pub(crate) fn new(exit: Exit, text: impl fmt::Display) -> Self {
        Self::of(exit, anyhow::anyhow!("{text}"))
    }

    pub(crate) fn of(exit: Exit, error: anyhow::Error) -> Self {
        Self {
            exit,
            error,
            refused: false,
            reported: false,
        }
    }

    /// The node understood and said no.
    pub(crate) fn refused(self) -> Self {
        Self {
            refused: true,
            ..self
        }
    }

    /// Keeps [`fail`] from writing a second JSON object.
    pub(crate) fn reported(self, reported: bool) -> Self {
        Self { reported, ..self }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::of(Exit::Failure, error)
    }
}

/// The result of every command.
pub(crate) type Done = Result<(), Failure>;

/// How this call wants its answers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    pub(crate) json: bool,
    pub(crate) quiet: bool,
    color: bool,
}

impl Output {
    pub(crate) fn new(json: bool, quiet: bool, no_color: bool) -> Self {
        let color = !no_color
            && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
            && std::io::stdout().is_terminal();
        Self { json, quiet, color }
    }

    /// One JSON object on standard output if asked for, else what `human` writes.
    pub(crate) fn data(self, object: &Value, human: impl FnOnce() -> String) {
        let text = if self.json {
            object.to_string()
        } else {
            human()
        };
        self.line(&text);
    }

    /// A line of data.
    pub(crate) fn line(self, text: &str) {
        let text = text.trim_end_matches('\n');
        if !text.is_empty() {
            // A reader that closed its end has seen enough; there is nobody left to tell.
            _ = writeln!(std::io::stdout(), "{text}");
        }
    }

    /// A file on standard output.
    pub(crate) fn bytes(self, bytes: &[u8]) -> Done {
        let written = std::io::stdout().write_all(bytes);
        written.map_err(|e| Failure::new(Exit::Failure, format!("cannot write: {e}")))
    }

    /// A word to the person at the keyboard.
    pub(crate) fn note(self, text: impl fmt::Display) {
        if !self.quiet {
            _ = writeln!(std::io::stderr(), "{text}");
        }
    }

    /// Rows under a header, in columns as wide as their widest cell.
    pub(crate) fn table(self, header: &[&str], rows: &[Vec<String>]) -> String {
        let shown = |cell: &str| cell.chars().count();
        let mut widths: Vec<usize> = header.iter().map(|h| shown(h)).collect();
        for row in rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = shown(cell).max(*width);
            }
        }
        let line = |cells: &mut dyn Iterator<Item = &str>| {
            let padded: Vec<String> = cells
                .zip(&widths)
                .map(|(cell, width)| format!("{cell}{}", " ".repeat(width - shown(cell))))
                .collect();
            padded.join("  ").trim_end().to_owned()
        };
        let mut text = line(&mut header.iter().copied());
        if self.color {
            text = format!("\u{1b}[1m{text}\u{1b}[0m");
        }
        for row in rows {
            text.push('\n');
            text.push_str(&line(&mut row.iter().map(String::as_str)));
        }
        text
    }
}

/// Reports a failure the same way for every command.
pub(crate) fn fail(output: Output, failure: &Failure) {
    if output.json && !failure.reported {
        let object = serde_json::json!({ "ok": false, "exit": failure.exit as u8, "error": format!("{:#}", failure.error) });
        output.line(&object.to_string());
    }
    _ = writeln!(std::io::stderr(), "holdfast: {:#}", failure.error);
}

/// The items of a JSON list; none if it is no list.
pub(crate) fn each(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

/// What a JSON value shows in a table cell: texts bare, nothing for null.
pub(crate) fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join(","),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_under_their_header_without_trailing_space() {
        let output = Output {
            json: false,
            quiet: false,
            color: false,
        };
        let rows = [
            vec!["1".to_owned(), "Väinö".to_owned(), "x".to_owned()],
            vec!["22".to_owned(), "Bo".to_owned(), String::new()],
        ];
        assert_eq!(
            output.table(&["no", "name", "c"], &rows),
            "no  name   c\n1   Väinö  x\n22  Bo"
        );
    }

    #[test]
    fn exit_codes_are_the_documented_ones() {
        let all = [
            (Exit::Failure, 1),
            (Exit::Usage, 2),
            (Exit::Degraded, 3),
            (Exit::NotAuthorised, 4),
            (Exit::NotFound, 5),
            (Exit::Conflict, 6),
            (Exit::VerificationFailed, 7),
            (Exit::TimedOut, 8),
            (Exit::Interrupted, 130),
        ];
        for (exit, code) in all {
            assert_eq!(exit as u8, code);
        }
    }
}
