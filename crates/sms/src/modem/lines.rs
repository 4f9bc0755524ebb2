//! The modem's bytes as lines and prompts.

/// Longest line kept. A listed PDU takes 352 characters.
const LINE_BYTES_MAX: usize = 2_048;

/// What the modem said.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Heard {
    /// A line without its ends and outer spaces; never empty.
    Line(String),
    /// The prompt of `AT+CMGS`, which has no line end.
    Prompt,
}

/// Cuts bytes into lines, however they were split on their way.
#[derive(Debug, Default)]
pub(super) struct LineReader {
    line: Vec<u8>,
    overlong: bool,
}

impl LineReader {
    /// Takes one byte. A `>` at the start of a line counts as a prompt only while one is expected.
    pub(super) fn push(&mut self, byte: u8, prompt_expected: bool) -> Option<Heard> {
        match byte {
            b'\r' | b'\n' => return self.end_line(),
            b'>' if prompt_expected && self.line.iter().all(u8::is_ascii_whitespace) => {
                self.line.clear();
                return Some(Heard::Prompt);
            }
            _ if self.line.len() >= LINE_BYTES_MAX => self.overlong = true,
            _ => self.line.push(byte),
        }
        None
    }

    /// Forgets a line begun: what precedes a resync is not to be trusted.
    pub(super) fn clear(&mut self) {
        self.line.clear();
        self.overlong = false;
    }

    fn end_line(&mut self) -> Option<Heard> {
        let line = std::mem::take(&mut self.line);
        let overlong = std::mem::take(&mut self.overlong);
        let text: String = String::from_utf8_lossy(&line)
            .chars()
            .filter(|c| !c.is_control())
            .collect();
        // A stale prompt sticks to the line that follows it.
        let text = text.trim().trim_start_matches("> ").trim();
        (!overlong && !text.is_empty() && text != ">").then(|| Heard::Line(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(bytes: &str, prompt_expected: bool) -> Vec<String> {
        let mut reader = LineReader::default();
        let named = |heard| match heard {
            Heard::Line(text) => text,
            Heard::Prompt => "PROMPT".to_owned(),
        };
        bytes
            .bytes()
            .filter_map(|byte| reader.push(byte, prompt_expected))
            .map(named)
            .collect()
    }

    #[test]
    fn lines_and_prompts_are_told_apart() {
        assert_eq!(
            heard("\r\n+CMTI: \"ME\",1\r\n\r\n> ", true),
            ["+CMTI: \"ME\",1", "PROMPT"]
        );
        assert_eq!(heard("AT\r\r\nOK\r\n", false), ["AT", "OK"]);
        assert_eq!(heard("\r\n> \r\nOK\r\n", false), ["OK"]);
        assert_eq!(heard("> +CREG: 1\r\n", false), ["+CREG: 1"]);
    }

    #[test]
    fn an_endless_line_is_dropped_whole() {
        assert_eq!(
            heard(&format!("{}OK\r\nOK\r\n", "x".repeat(5_000)), false),
            ["OK"]
        );
    }
}
