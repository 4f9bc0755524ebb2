//! Splits a command line into commands (ITU-T V.250 §5.3, §5.4).

/// What a command line asks of one command.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Ask {
    /// `AT+X`
    Do,
    /// `AT+X?`
    Read,
    /// `AT+X=?`
    Test,
    /// `AT+X=…`, with what follows the equals sign.
    Set(String),
}

/// One command of a line: `+CMEE` with `Set("1")`, or `E` with `Set("0")`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Command {
    /// In capitals, with its `+`, `^`, `$`, `&` or other prefix.
    pub(super) name: String,
    pub(super) ask: Ask,
}

impl Command {
    /// The command as written, without `AT`: the key of a scripted answer.
    pub(super) fn text(&self) -> String {
        match &self.ask {
            Ask::Do => self.name.clone(),
            Ask::Read => format!("{}?", self.name),
            Ask::Test => format!("{}=?", self.name),
            Ask::Set(value) if self.is_basic() => format!("{}{value}", self.name),
            Ask::Set(value) => format!("{}={value}", self.name),
        }
    }

    fn is_basic(&self) -> bool {
        self.name
            .starts_with(|c: char| c.is_ascii_alphabetic() || c == '&')
    }
}

/// Splits what follows `AT`. Never fails: what it does not understand becomes a command nobody knows.
pub(super) fn split_line(line: &str) -> Vec<Command> {
    let mut commands = Vec::new();
    let mut rest = line.trim();
    while let Some(first) = rest.chars().next() {
        let (command, after) = match first {
            ';' | ' ' => {
                rest = &rest[1..];
                continue;
            }
            'D' | 'd' => take_dial(rest),
            'A'..='Z' | 'a'..='z' | '&' => take_basic(rest),
            _ => take_extended(rest),
        };
        commands.push(command);
        rest = after;
    }
    commands
}

/// Splits the values of a `Set` at commas outside quotes and takes the quotes off.
pub(super) fn values(text: &str) -> Vec<String> {
    let mut values = vec![String::new()];
    let mut quoted = false;
    for c in text.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => values.push(String::new()),
            _ => {
                if let Some(last) = values.last_mut() {
                    last.push(c);
                }
            }
        }
    }
    values.iter().map(|value| value.trim().to_owned()).collect()
}

/// Dialling takes the rest of the line; a semicolon at its end means a voice call.
fn take_dial(rest: &str) -> (Command, &str) {
    let command = Command {
        name: "D".to_owned(),
        ask: Ask::Set(rest[1..].trim().to_owned()),
    };
    (command, "")
}

fn take_basic(rest: &str) -> (Command, &str) {
    let letters = if rest.starts_with('&') {
        rest.chars().take(2).map(char::len_utf8).sum()
    } else {
        1
    };
    let (name, after) = rest.split_at(letters);
    let name = name.to_ascii_uppercase();
    if let Some(after) = after.strip_prefix('?') {
        return (
            Command {
                name,
                ask: Ask::Read,
            },
            after,
        );
    }
    let digits = after.bytes().take_while(u8::is_ascii_digit).count();
    let (value, after) = after.split_at(digits);
    if name == "S" && (after.starts_with('=') || after.starts_with('?')) {
        let end = after.find(';').unwrap_or(after.len());
        let ask = if after.starts_with('?') {
            Ask::Read
        } else {
            Ask::Set(after[1..end].to_owned())
        };
        return (
            Command {
                name: format!("S{value}"),
                ask,
            },
            &after[end..],
        );
    }
    let ask = if value.is_empty() {
        Ask::Do
    } else {
        Ask::Set(value.to_owned())
    };
    (Command { name, ask }, after)
}

fn take_extended(rest: &str) -> (Command, &str) {
    let mut quoted = false;
    let end = rest
        .char_indices()
        .find(|&(_, c)| {
            quoted ^= c == '"';
            c == ';' && !quoted
        })
        .map_or(rest.len(), |(at, _)| at);
    let (text, after) = rest.split_at(end);
    let text = text.trim();
    let (name, ask) = if let Some(name) = text.strip_suffix("=?") {
        (name, Ask::Test)
    } else if let Some((name, value)) = text.split_once('=') {
        (name, Ask::Set(value.trim().to_owned()))
    } else if let Some(name) = text.strip_suffix('?') {
        (name, Ask::Read)
    } else {
        (text, Ask::Do)
    };
    (
        Command {
            name: name.trim().to_ascii_uppercase(),
            ask,
        },
        after,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: &[&str]) {
        let got: Vec<String> = split_line(line).iter().map(Command::text).collect();
        assert_eq!(got, expected, "{line}");
    }

    #[test]
    fn joined_and_basic_commands_are_split() {
        check("+CMEE=1;+CREG=2", &["+CMEE=1", "+CREG=2"]);
        check("E0V1", &["E0", "V1"]);
        check("Z", &["Z"]);
        check("&F&D2 +CMGF=0", &["&F", "&D2", "+CMGF=0"]);
        check(
            "+cpms=\"SM;x\",\"ME\"; +creg?",
            &["+CPMS=\"SM;x\",\"ME\"", "+CREG?"],
        );
        check("S3?;+CGMI", &["S3?", "+CGMI"]);
        check("D+358401;", &["D+358401;"]);
        check("$TSSPCSW=?", &["$TSSPCSW=?"]);
        check("", &[]);
        check("ä&", &["ä&"]);
        check("&", &["&"]);
    }

    #[test]
    fn values_lose_their_quotes_and_keep_their_commas() {
        assert_eq!(values("\"a,b\", 2,,\"\""), ["a,b", "2", "", ""]);
    }
}
