//! Common Alerting Protocol 1.2 as it goes out (OASIS CAP-V1.2), so that sirens, signs and authorities can read an alert.

use std::fmt::Write as _;

use domain::alerts::{AlertRow, Severity, State, Status};
use domain::{Civil, RequestId, Timestamp};

use super::{ENDED, Head, NAMESPACE, OURS};

/// The registered media type of a CAP document.
pub(crate) const MEDIA_TYPE: &str = "application/cap+xml";

/// The longest headline that displays take (CAP 1.2 §3.2.2).
const HEADLINE_LEN_MAX: usize = 160;

/// The document of an alert. What is over is a `Cancel` that refers to the `Alert` of before.
pub(crate) fn write(row: &AlertRow, organisation: &str, civil: &Civil) -> String {
    let sender = sender(organisation);
    let identifier = format!("{OURS}{}", row.id);
    let sent = moment(civil, row.raised_at);
    let mut out = begun();
    let over = row.state != State::Open;
    let ended = row.closed_at.unwrap_or(row.raised_at);
    match over {
        false => element(&mut out, 1, "identifier", &identifier),
        true => element(&mut out, 1, "identifier", &format!("{identifier}{ENDED}")),
    }
    element(&mut out, 1, "sender", &sender);
    match over {
        false => element(&mut out, 1, "sent", &sent),
        true => element(&mut out, 1, "sent", &moment(civil, ended)),
    }
    element(&mut out, 1, "status", status(row.status));
    element(
        &mut out,
        1,
        "msgType",
        if over { "Cancel" } else { "Alert" },
    );
    element(&mut out, 1, "source", &row.source);
    element(&mut out, 1, "scope", "Restricted");
    element(
        &mut out,
        1,
        "restriction",
        "For those whom the sender named",
    );
    element(
        &mut out,
        1,
        "code",
        &format!("holdfast-number-{}", row.label),
    );
    if over {
        let what = match row.state {
            State::Open => "open",
            State::Resolved => "resolved",
            State::CalledOff => "called off",
            State::Joined => "joined into another alert",
        };
        let note = match row.note.is_empty() {
            true => what.to_owned(),
            false => format!("{what}: {}", row.note),
        };
        element(&mut out, 1, "note", &note);
        let references = format!("{sender},{identifier},{sent}");
        element(&mut out, 1, "references", &references);
    }
    for (language, text) in &row.texts {
        info(&mut out, row, organisation, language, text);
    }
    out.push_str("</alert>\n");
    out
}

/// Says to the sender of a document that it was taken, or why it was not. Said again, it says the same.
pub(crate) fn answer(
    head: &Head,
    refused: Option<&str>,
    organisation: &str,
    civil: &Civil,
    now: Timestamp,
) -> String {
    let message = if refused.is_some() { "Error" } else { "Ack" };
    let reference = format!("{},{},{}", head.sender, head.identifier, head.sent);
    let id = RequestId::derive(&[b"cap answer", message.as_bytes(), reference.as_bytes()]);
    let mut out = begun();
    element(&mut out, 1, "identifier", &format!("{OURS}answer-{id}"));
    element(&mut out, 1, "sender", &sender(organisation));
    element(&mut out, 1, "sent", &moment(civil, now));
    element(&mut out, 1, "status", &head.status);
    element(&mut out, 1, "msgType", message);
    element(&mut out, 1, "scope", "Private");
    element(&mut out, 1, "addresses", &head.sender);
    element(&mut out, 1, "note", refused.unwrap_or("taken"));
    element(&mut out, 1, "references", &reference);
    out.push_str("</alert>\n");
    out
}

fn begun() -> String {
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<alert xmlns=\"{NAMESPACE}\">\n")
}

fn info(out: &mut String, row: &AlertRow, organisation: &str, language: &str, text: &str) {
    out.push_str("  <info>\n");
    element(out, 2, "language", language);
    element(out, 2, "category", "Other");
    element(out, 2, "event", &cut(text, HEADLINE_LEN_MAX));
    element(out, 2, "responseType", "Prepare");
    let urgency = match row.severity {
        Severity::Critical | Severity::High => "Immediate",
        Severity::Normal | Severity::Low => "Expected",
    };
    element(out, 2, "urgency", urgency);
    let severity = match row.severity {
        Severity::Critical => "Extreme",
        Severity::High => "Severe",
        Severity::Normal => "Moderate",
        Severity::Low => "Minor",
    };
    element(out, 2, "severity", severity);
    element(out, 2, "certainty", "Observed");
    if !organisation.is_empty() {
        element(out, 2, "senderName", organisation);
    }
    element(out, 2, "headline", &cut(text, HEADLINE_LEN_MAX));
    element(out, 2, "description", text);
    if !row.gather.is_empty() {
        element(out, 2, "instruction", &row.gather);
    }
    out.push_str("  </info>\n");
}

fn status(status: Status) -> &'static str {
    match status {
        Status::Actual => "Actual",
        Status::Exercise => "Exercise",
        Status::Test => "Test",
    }
}

/// `2026-11-21T03:12:05-00:00`: no fraction, and UTC never as `Z` (CAP 1.2 §3.3.2).
fn moment(civil: &Civil, at: Timestamp) -> String {
    let text = civil.rfc3339(at);
    format!("{}-00:00", text.get(..19).unwrap_or(&text))
}

/// Names the organisation without blanks, commas and the characters of mark-up (CAP 1.2 §3.2.1).
fn sender(organisation: &str) -> String {
    let mut name: String = organisation
        .chars()
        .map(|c| if c.is_alphanumeric() { c } else { '-' })
        .take(80)
        .collect();
    if name.is_empty() {
        name.push('-');
    }
    format!("holdfast:{}", name.to_lowercase())
}

fn cut(text: &str, len_max: usize) -> String {
    match text.char_indices().nth(len_max - 3) {
        Some((end, _)) if text.chars().count() > len_max => format!("{}...", &text[..end]),
        Some(_) | None => text.to_owned(),
    }
}

fn element(out: &mut String, depth: usize, name: &str, text: &str) {
    let indent = "  ".repeat(depth);
    // Writing to a string does not fail.
    _ = writeln!(out, "{indent}<{name}>{}</{name}>", escaped(text));
}

/// Text as XML 1.0 takes it; characters that it has no form for become blanks.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use domain::alerts::AlertKind;
    use domain::{AlertId, NodeId};

    use super::*;

    fn row(state: State) -> AlertRow {
        AlertRow {
            id: AlertId([7; 16]),
            label: "118".to_owned(),
            number: 118,
            labels: Vec::new(),
            severity: Severity::High,
            status: Status::Exercise,
            kind: AlertKind::Alert,
            state,
            texts: vec![("en".to_owned(), "Pump <3> & \"valve\"\u{1}".to_owned())],
            gather: "Hall 2".to_owned(),
            source: "scada".to_owned(),
            dedup_key: String::new(),
            raised_by: "key:k1".to_owned(),
            raised_at: Timestamp(1_795_230_000_000),
            issued_by: NodeId(1),
            aware_at: Timestamp(1_795_230_000_000),
            acknowledged_at: None,
            acknowledged_by: String::new(),
            closed_at: Some(Timestamp(1_795_230_060_000)),
            closed_by: String::new(),
            note: "done".to_owned(),
            joined_into: None,
            people: 1,
        }
    }

    #[test]
    fn what_is_written_reads_back_as_cap() {
        let open = write(&row(State::Open), "Aurora Energy, Oy", &Civil::default());
        let document = roxmltree::Document::parse(&open).unwrap();
        let text = |name| {
            let found = document.descendants().find(|n| n.tag_name().name() == name);
            found.and_then(|n| n.text()).unwrap_or_default().to_owned()
        };
        assert_eq!(text("description"), "Pump <3> & \"valve\" ");
        assert_eq!(
            (text("msgType"), text("status")),
            ("Alert".to_owned(), "Exercise".to_owned())
        );
        assert_eq!(text("sender"), "holdfast:aurora-energy--oy");
        assert_eq!(text("sent").len(), 25);
        assert!(text("sent").ends_with("-00:00"));
        let over = write(&row(State::CalledOff), "Aurora", &Civil::default());
        assert!(over.contains("<msgType>Cancel</msgType>"), "{over}");
        assert!(over.contains("<note>called off: done</note>"), "{over}");
        assert!(over.contains(&format!(
            "<references>holdfast:aurora,holdfast-{},",
            AlertId([7; 16])
        )));
    }
}
