//! The card with our numbers, as phones take it (vCard 3.0, RFC 2426: what both phone systems read).

use crate::time::Timestamp;

/// Octets of a line before it is folded (RFC 2426 §2.6).
const LINE_OCTETS: usize = 75;

/// Numbers people should keep as one contact, so that any of them may wake them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Card {
    pub organisation: String,
    /// Rises with each change of a number.
    pub version: u64,
    pub changed_at: Timestamp,
    /// Each modem's number and the name of its node.
    pub numbers: Vec<(String, String)>,
    /// Numbers kept for modems to come.
    pub spares: Vec<String>,
}

/// The card as a file. A number that stands twice is written once.
pub fn vcard(card: &Card, note: &str) -> String {
    let name = format!("{} alerts", card.organisation);
    let mut lines = vec![
        "BEGIN:VCARD".to_owned(),
        "VERSION:3.0".to_owned(),
        format!("N:{};;;;", escaped(&name)),
        format!("FN:{}", escaped(&name)),
        format!("ORG:{}", escaped(&card.organisation)),
    ];
    let mut numbers: Vec<&str> = Vec::new();
    let all = card.numbers.iter().map(|(number, _)| number);
    for number in all.chain(&card.spares) {
        if !numbers.contains(&number.as_str()) {
            numbers.push(number);
            lines.push(format!("TEL;TYPE=CELL,VOICE:{}", escaped(number)));
        }
    }
    lines.push(format!("NOTE:{}", escaped(note)));
    lines.push("END:VCARD".to_owned());
    let folded: Vec<String> = lines.iter().map(|line| fold(line)).collect();
    folded.join("\r\n") + "\r\n"
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | ',' | ';' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

/// Breaks a long line between characters; the next one begins with a space.
fn fold(line: &str) -> String {
    let mut out = String::with_capacity(line.len() + 8);
    let mut octets = 0;
    for c in line.chars() {
        if octets + c.len_utf8() > LINE_OCTETS {
            out.push_str("\r\n ");
            octets = 1;
        }
        out.push(c);
        octets += c.len_utf8();
    }
    out
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn the_card_holds_each_number_once_and_escapes_words() {
        let card = Card {
            organisation: "Aurora; Energy, Oy".to_owned(),
            version: 3,
            changed_at: Timestamp(0),
            numbers: vec![
                ("+358500000001".to_owned(), "alpha".to_owned()),
                ("+358500000001".to_owned(), "beta".to_owned()),
            ],
            spares: vec!["+358500000009".to_owned()],
        };
        assert_eq!(
            vcard(&card, "Card 3"),
            "BEGIN:VCARD\r\nVERSION:3.0\r\nN:Aurora\\; Energy\\, Oy alerts;;;;\r\nFN:Aurora\\; Energy\\, Oy alerts\r\n\
             ORG:Aurora\\; Energy\\, Oy\r\nTEL;TYPE=CELL,VOICE:+358500000001\r\nTEL;TYPE=CELL,VOICE:+358500000009\r\n\
             NOTE:Card 3\r\nEND:VCARD\r\n"
        );
    }

    #[test]
    fn long_lines_are_folded_between_characters() {
        let folded = fold(&"ä".repeat(60));
        assert!(folded.split("\r\n").all(|line| line.len() <= LINE_OCTETS));
        assert_eq!(folded.replace("\r\n ", ""), "ä".repeat(60));
    }
}
