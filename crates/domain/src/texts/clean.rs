//! Making text from outside safe to put into a text of ours.

/// `text` on one line: control characters (line breaks, Ctrl-Z, ESC, the code mark) and characters that turn the reading
/// direction become spaces, runs of spaces become one, the ends are trimmed. Emoji and every script stay.
pub fn clean(text: &str) -> String {
    let mut cleaned = String::with_capacity(text.len());
    for word in text
        .split(|c: char| c.is_whitespace() || c.is_control() || steers(c))
        .filter(|w| !w.is_empty())
    {
        if !cleaned.is_empty() {
            cleaned.push(' ');
        }
        cleaned.push_str(word);
    }
    cleaned
}

/// `text` with its lines as they were written: other control characters and those that turn the reading direction become
/// spaces, nothing stands at the end of a line, the ends are trimmed.
pub fn neutral(text: &str) -> String {
    let line = |line: &str| {
        let safe = |c: char| match c.is_control() || steers(c) {
            true => ' ',
            false => c,
        };
        let line: String = line.chars().map(safe).collect();
        line.trim_end().to_owned()
    };
    let lines: Vec<String> = text.lines().map(line).collect();
    lines.join("\n").trim().to_owned()
}

/// `text` cut to `units_max` UTF-16 units, `...` included when something was cut off. Units, because an emoji takes the
/// room of two letters in an SMS.
pub fn clip(text: &str, units_max: usize) -> String {
    if text.encode_utf16().count() <= units_max {
        return text.to_owned();
    }
    let mut left = units_max.saturating_sub(ELLIPSIS.len());
    let kept = text.chars().take_while(|c| {
        let fits = c.len_utf16() <= left;
        left = left.saturating_sub(c.len_utf16());
        fits
    });
    let kept: String = kept.collect();
    format!("{}{ELLIPSIS}", kept.trim_end())
}

/// Three dots: the typographic one has no place in GSM 7-bit.
pub(super) const ELLIPSIS: &str = "...";

/// Marks that make a reader see the characters in another order than they were written, and invisible line ends.
pub(crate) fn steers(c: char) -> bool {
    matches!(
        c,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}'
    )
}
