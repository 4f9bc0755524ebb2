//! vCards 3.0 (RFC 2426) and 4.0 (RFC 6350), as far as they say how to reach a person.
//!
//! What the standard has no word for stands in properties of our own, `X-HOLDFAST-…`. Pictures, addresses and whatever
//! else a card has are passed over.

use std::collections::BTreeMap;

use domain::recipients::ContactMethod;

use crate::column::Column;
use crate::{Entry, Exported, FileError, LINES_MAX, Line};

/// Octets of a line before it is folded (RFC 6350 §3.2).
const FOLD_LEN: usize = 75;
/// Methods without a place of their own come last (RFC 6350 §5.3: 1 to 100).
const PREF_LAST: u32 = 101;

/// Columns that are properties of our own.
const OURS: [(Column, &str); 10] = [
    (Column::Kind, "X-HOLDFAST-KIND"),
    (Column::Duty, "X-HOLDFAST-DUTY"),
    (Column::Skills, "X-HOLDFAST-SKILLS"),
    (Column::Sites, "X-HOLDFAST-SITES"),
    (Column::Hours, "X-HOLDFAST-HOURS"),
    (Column::NeverVoice, "X-HOLDFAST-NEVER-VOICE"),
    (Column::WakeBy, "X-HOLDFAST-WAKE-BY"),
    (Column::AnswerMinutes, "X-HOLDFAST-ANSWER-MINUTES"),
    (Column::Groups, "X-HOLDFAST-GROUPS"),
    (Column::Key, "X-HOLDFAST-KEY"),
];

/// Whether a text holds vCards.
pub(crate) fn is_vcard(text: &str) -> bool {
    let first = text.trim_start().lines().next().unwrap_or_default();
    first.trim_end().eq_ignore_ascii_case("BEGIN:VCARD")
}

/// One content line (RFC 6350 §3.3).
struct Property {
    /// Upper case, without the group before it.
    name: String,
    /// Upper-case names with values as written, quotes taken off.
    params: Vec<(String, String)>,
    /// Still escaped.
    value: String,
}

/// A card as far as it was read.
#[derive(Default)]
struct Card {
    line: u64,
    version: String,
    uid: Option<String>,
    cells: Vec<(Column, String)>,
    /// By preference, then by place in the card.
    methods: BTreeMap<(u32, usize), String>,
    languages: BTreeMap<(u32, usize), String>,
    problem: Option<String>,
    warnings: Vec<String>,
}

/// What each card says.
pub(crate) fn lines(text: &str) -> Result<Vec<Line>, FileError> {
    let mut first_lines: BTreeMap<String, u64> = BTreeMap::new();
    let mut lines = Vec::new();
    let mut card: Option<Card> = None;
    for (number, line) in unfolded(text) {
        let upper = line.trim().to_ascii_uppercase();
        if upper == "BEGIN:VCARD" {
            if let Some(open) = card.take() {
                let unended = "the card has no END:VCARD".to_owned();
                lines.push(refused(open.line, String::new(), unended));
            }
            card = Some(Card {
                line: number,
                ..Card::default()
            });
        } else if upper == "END:VCARD" {
            if let Some(card) = card.take() {
                lines.push(finish(card, &mut first_lines));
            }
        } else if let (Some(card), Some(property)) = (&mut card, property(&line)) {
            take(card, property);
        }
        if lines.len() > LINES_MAX {
            return Err(FileError::TooLong);
        }
    }
    if let Some(open) = card {
        let unended = "the card has no END:VCARD".to_owned();
        lines.push(refused(open.line, String::new(), unended));
    }
    Ok(lines)
}

fn refused(line: u64, key: String, reason: String) -> Line {
    Line {
        line,
        key,
        entry: Err(reason),
        warnings: Vec::new(),
    }
}

/// Lines as they were before folding, each with the number of its first.
fn unfolded(text: &str) -> Vec<(u64, String)> {
    let mut lines: Vec<(u64, String)> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        match (line.strip_prefix([' ', '\t']), lines.last_mut()) {
            (Some(rest), Some((_, before))) => before.push_str(rest),
            (Some(_), None) | (None, _) => lines.push((number, line.to_owned())),
        }
    }
    lines
}

fn property(line: &str) -> Option<Property> {
    let mut quoted = false;
    let colon = line.find(|c| {
        quoted ^= c == '"';
        c == ':' && !quoted
    })?;
    let (head, value) = (&line[..colon], &line[colon + 1..]);
    let mut quoted = false;
    let mut parts = head.split(|c| {
        quoted ^= c == '"';
        c == ';' && !quoted
    });
    let name = parts.next().unwrap_or_default();
    let name = name.rsplit('.').next().unwrap_or(name);
    let params = parts.map(|part| {
        // vCard 3.0 allows bare types: TEL;CELL:
        let (name, value) = part.split_once('=').unwrap_or(("TYPE", part));
        (name.trim().to_ascii_uppercase(), value.replace('"', ""))
    });
    Some(Property {
        name: name.trim().to_ascii_uppercase(),
        params: params.collect(),
        value: value.trim().to_owned(),
    })
}

impl Property {
    fn has_type(&self, wanted: &str) -> bool {
        self.params.iter().any(|(name, value)| {
            name == "TYPE"
                && value
                    .split(',')
                    .any(|t| t.trim().eq_ignore_ascii_case(wanted))
        })
    }

    /// Its place among others: `PREF=1` comes first, in vCard 3.0 `TYPE=pref` does.
    fn pref(&self) -> u32 {
        if self.has_type("pref") {
            return 1;
        }
        let pref = self.params.iter().find(|(name, _)| name == "PREF");
        pref.and_then(|(_, value)| value.trim().parse().ok())
            .unwrap_or(PREF_LAST)
    }
}

fn take(card: &mut Card, property: Property) {
    let text = unescaped(&property.value);
    let place = (property.pref(), card.methods.len() + card.languages.len());
    match property.name.as_str() {
        "VERSION" => card.version = text,
        "UID" => card.uid = Some(text),
        "FN" => card.cells.push((Column::Name, text)),
        "TEL" => {
            if property.has_type("fax") || property.has_type("pager") {
                card.warnings
                    .push("a fax or pager number was passed over".to_owned());
                return;
            }
            let number = text.strip_prefix("tel:").unwrap_or(&text);
            // An extension (RFC 3966 §3) is nothing a text can be sent to.
            let number = number.split(';').next().unwrap_or_default();
            card.methods.insert(place, format!("sms:{number}"));
        }
        "EMAIL" => {
            let address = text.strip_prefix("mailto:").unwrap_or(&text);
            card.methods
                .insert(place, format!("email:{}", address.replace(';', ",")));
        }
        "LANG" => {
            card.languages.insert(place, text);
        }
        "TZ" => card.cells.push((Column::Zone, text)),
        "NOTE" => card.cells.push((Column::Note, text)),
        "CATEGORIES" => {
            let tags: Vec<String> = split_list(&property.value);
            card.cells.push((Column::Tags, tags.join(";")));
        }
        other => {
            let ours = OURS.iter().find(|(_, name)| *name == other);
            if let Some((column, _)) = ours {
                card.cells.push((*column, text));
            }
        }
    }
    if card.cells.len() > Column::EXPORTED.len() * 2 {
        card.problem = Some("the card says the same thing too often".to_owned());
        card.cells.truncate(Column::EXPORTED.len());
    }
}

fn finish(mut card: Card, first_lines: &mut BTreeMap<String, u64>) -> Line {
    let own = card.cells.iter().find(|(column, _)| *column == Column::Key);
    let own = own.map(|(_, key)| key.clone());
    let uid = card
        .uid
        .as_deref()
        .map(|uid| uid.strip_prefix("urn:uuid:").unwrap_or(uid).to_owned());
    let Some(key) = own.or(uid) else {
        let reason = "the card has no UID; add one, it becomes the person's key".to_owned();
        return refused(card.line, String::new(), reason);
    };
    card.cells.retain(|(column, _)| *column != Column::Key);
    let twice = (1..card.cells.len()).find(|place| {
        let column = card.cells[*place].0;
        card.cells[..*place]
            .iter()
            .any(|(other, _)| *other == column)
    });
    let problem = if !matches!(card.version.as_str(), "3.0" | "4.0") {
        let version: String = card.version.chars().take(10).collect();
        Some(format!(
            "vCard version {version:?} is not read; export it as 3.0 or 4.0"
        ))
    } else if let Some(first) = first_lines.get(&key) {
        Some(format!("the key is already on line {first}"))
    } else if let Some(place) = twice {
        Some(format!("{} stands twice", card.cells[place].0.name()))
    } else {
        card.problem
    };
    if let Some(reason) = problem {
        return refused(card.line, key, reason);
    }
    first_lines.insert(key.clone(), card.line);
    let methods: Vec<String> = card.methods.into_values().collect();
    if !methods.is_empty() {
        card.cells.push((Column::Methods, methods.join(";")));
    }
    let languages: Vec<String> = card.languages.into_values().collect();
    if !languages.is_empty() {
        card.cells.push((Column::Languages, languages.join(";")));
    }
    Line {
        line: card.line,
        entry: Ok(Entry::new(key.clone(), card.cells)),
        key,
        warnings: card.warnings,
    }
}

/// A text value without its escapes (RFC 6350 §3.4); line breaks become blanks.
fn unescaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let mut letters = value.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => match letters.next() {
                Some('n' | 'N') => text.push(' '),
                Some(other) => text.push(other),
                None => {}
            },
            other => text.push(other),
        }
    }
    text.trim().to_owned()
}

/// The tags in a list, between commas that are not escaped.
fn split_list(value: &str) -> Vec<String> {
    let mut escaped = false;
    let parts = value.split(|c| {
        let ends = c == ',' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    });
    // What separates tags elsewhere cannot be part of one.
    let tag = |part| unescaped(part).replace([',', ';', ':'], "");
    parts.map(tag).collect()
}

/// Writes people as vCards 4.0.
pub(crate) fn write(people: &[Exported]) -> String {
    let mut out = String::new();
    for exported in people {
        let (person, known) = (&exported.person, &exported.person.details);
        for line in ["BEGIN:VCARD", "VERSION:4.0"] {
            add(&mut out, line);
        }
        add(&mut out, &format!("UID;VALUE=text:{}", person.key));
        add(&mut out, &format!("FN:{}", escaped(&person.name)));
        let languages = std::iter::once(&person.language).chain(&known.more_languages);
        for (pref, language) in (1..).zip(languages) {
            add(&mut out, &format!("LANG;PREF={pref}:{language}"));
        }
        for (pref, method) in (1..).zip(&person.methods) {
            add(
                &mut out,
                &match method {
                    ContactMethod::Sms(number) => {
                        format!("TEL;VALUE=uri;PREF={pref};TYPE=cell:tel:{number}")
                    }
                    ContactMethod::Email(address) => format!("EMAIL;PREF={pref}:{address}"),
                },
            );
        }
        if !known.zone.is_empty() {
            add(&mut out, &format!("TZ:{}", known.zone));
        }
        if !known.tags.is_empty() {
            let tags: Vec<String> = known.tags.iter().map(|tag| escaped(tag)).collect();
            add(&mut out, &format!("CATEGORIES:{}", tags.join(",")));
        }
        if !known.note.is_empty() {
            add(&mut out, &format!("NOTE:{}", escaped(&known.note)));
        }
        for (column, name) in OURS {
            let cell = column.cell(exported);
            if column != Column::Key && !cell.is_empty() {
                add(&mut out, &format!("{name}:{}", escaped(&cell)));
            }
        }
        add(&mut out, "END:VCARD");
    }
    out
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        if matches!(letter, '\\' | ',' | ';') {
            out.push('\\');
        }
        out.push(letter);
    }
    out
}

/// Adds a line, folded between characters.
fn add(out: &mut String, line: &str) {
    let mut len = 0;
    for letter in line.chars() {
        if len + letter.len_utf8() > FOLD_LEN {
            out.push_str("\r\n ");
            len = 1;
        }
        out.push(letter);
        len += letter.len_utf8();
    }
    out.push_str("\r\n");
}
