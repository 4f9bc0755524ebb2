//! Common Alerting Protocol 1.2 as it comes in (OASIS CAP-V1.2): an XML document becomes what mappings read.
//!
//! No DTD is accepted, so no entity expands; size, nodes and depth are bounded before anything is built.

use domain::AlertId;
use domain::sources::{About, Word};
use roxmltree::{Document, Node, ParsingOptions};
use serde_json::{Map, Value, json};

use super::{ENDED, NAMESPACE, OURS};

/// The largest document; a body may be larger.
const BYTES_MAX: usize = 256 * 1024;
/// Elements, attributes and texts. Bounds the depth as well.
const NODES_MAX: u32 = 2_000;
/// Most info blocks and references looked at.
const INFOS_MAX: usize = 20;
const REFERENCES_MAX: usize = 50;

/// Why a document is not taken.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum CapError {
    #[error("a CAP document has at most {BYTES_MAX} bytes")]
    TooLarge,
    #[error("the document is not text in UTF-8")]
    NotText,
    #[error("the document is not XML that is taken here: {0}")]
    NotXml(String),
    #[error("the root is not an alert of {NAMESPACE}")]
    NotCap,
    #[error("the element {0} is missing")]
    Missing(&'static str),
    #[error("{element} {value:?} is not one of CAP 1.2")]
    Unknown {
        element: &'static str,
        value: String,
    },
}

/// What a document says. Drafts, and what systems say to systems, say nothing.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Received {
    /// For mappings: one entry for what it announces, one for each matter it ends.
    pub(crate) signals: Vec<Value>,
    /// What it says of alerts: that its sender has them, or cannot use them.
    pub(crate) words: Vec<Word>,
}

/// What an answer to a document must name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Head {
    pub(crate) sender: String,
    pub(crate) identifier: String,
    pub(crate) sent: String,
    /// As CAP writes it.
    pub(crate) status: String,
}

/// Whose document this is, where it is one that is answered: answers are not, nor are drafts.
pub(crate) fn head(bytes: &[u8]) -> Option<Head> {
    const ANSWERED: [&str; 3] = ["Alert", "Update", "Cancel"];
    const STATUSES: [&str; 4] = ["Actual", "Exercise", "System", "Test"];
    let text = checked(bytes).ok()?;
    let document = parsed(text).ok()?;
    let alert = document.root_element();
    let message = needed(alert, "msgType").ok()?;
    let head = Head {
        sender: needed(alert, "sender").ok()?,
        identifier: needed(alert, "identifier").ok()?,
        sent: needed(alert, "sent").ok()?,
        status: needed(alert, "status").ok()?,
    };
    let answered = ANSWERED.contains(&message.as_str()) && STATUSES.contains(&head.status.as_str());
    answered.then_some(head)
}

/// Reads a document.
pub(crate) fn read(bytes: &[u8]) -> Result<Received, CapError> {
    let document = parsed(checked(bytes)?)?;
    let alert = document.root_element();
    if !alert.has_tag_name((NAMESPACE, "alert")) {
        return Err(CapError::NotCap);
    }
    let identifier = needed(alert, "identifier")?;
    let sender = needed(alert, "sender")?;
    needed(alert, "sent")?;
    let status = match needed(alert, "status")?.as_str() {
        "Actual" => "actual",
        "Exercise" => "exercise",
        "Test" => "test",
        "System" | "Draft" => return Ok(Received::default()),
        other => return Err(unknown("status", other)),
    };
    let references = references(alert);
    let ends = |matter: &String| json!({ "matter": matter, "over": true, "sender": sender, "status": status });
    let mut received = Received::default();
    let message = needed(alert, "msgType")?;
    match message.as_str() {
        "Alert" => received
            .signals
            .push(announced(alert, &identifier, &sender, status)),
        // An update stands for what it refers to: that is over, and this is new.
        "Update" => {
            let new = announced(alert, &identifier, &sender, status);
            received.signals.push(new);
            received.signals.extend(references.iter().map(ends));
        }
        "Cancel" => received.signals.extend(references.iter().map(ends)),
        "Ack" | "Error" => {
            let drill = if status == "actual" { "" } else { status };
            let words = format!("{message} from {sender} {drill}");
            let words = words.trim_end();
            let said = match text(alert, "note") {
                Some(note) => format!("{words}: {note}"),
                None => words.to_owned(),
            };
            let word = |about| Word::new(about, &said);
            received
                .words
                .extend(references.iter().map(|of| word(about(of))));
        }
        other => return Err(unknown("msgType", other)),
    }
    Ok(received)
}

/// What the identifier of a document stands for: an alert of ours, or the sender's own matter.
fn about(identifier: &str) -> About {
    let ours = identifier.strip_prefix(OURS);
    let id = ours.map(|id| id.strip_suffix(ENDED).unwrap_or(id));
    match id.and_then(|id| AlertId::parse(id).ok()) {
        Some(alert) => About::Alert(alert),
        None => About::Key(identifier.to_owned()),
    }
}

fn checked(bytes: &[u8]) -> Result<&str, CapError> {
    if bytes.len() > BYTES_MAX {
        return Err(CapError::TooLarge);
    }
    std::str::from_utf8(bytes).map_err(|_| CapError::NotText)
}

fn parsed(text: &str) -> Result<Document<'_>, CapError> {
    let options = ParsingOptions {
        allow_dtd: false,
        nodes_limit: NODES_MAX,
        ..ParsingOptions::default()
    };
    Document::parse_with_options(text.trim_start_matches('\u{feff}'), options)
        .map_err(|error| CapError::NotXml(error.to_string()))
}

fn unknown(element: &'static str, value: &str) -> CapError {
    CapError::Unknown {
        element,
        value: value.chars().take(40).collect(),
    }
}

fn announced(alert: Node<'_, '_>, identifier: &str, sender: &str, status: &str) -> Value {
    let infos: Vec<Node<'_, '_>> = children(alert, "info").take(INFOS_MAX).collect();
    let mut texts = Map::new();
    for info in &infos {
        let language = text(*info, "language").unwrap_or_else(|| "en-US".to_owned());
        let primary = language.split(['-', '_']).next().unwrap_or_default();
        let said = text_of(*info);
        texts
            .entry(primary.to_ascii_lowercase())
            .and_modify(|known| {
                let both = format!("{} {said}", known.as_str().unwrap_or_default());
                *known = Value::String(both);
            })
            .or_insert(Value::String(said));
    }
    if texts.is_empty() {
        // An alert needs no info block; then its note says what it is.
        let note = text(alert, "note").unwrap_or_else(|| format!("{sender}: {identifier}"));
        texts.insert("und".to_owned(), Value::String(note));
    }
    let worst = infos
        .iter()
        .filter_map(|info| text(*info, "severity"))
        .min_by_key(|word| rank(word));
    let first = |name| infos.first().and_then(|info| text(*info, name));
    let areas = || infos.iter().flat_map(|info| children(*info, "area"));
    let listed = |name| {
        let found: Vec<String> = areas().filter_map(|area| text(area, name)).collect();
        (!found.is_empty()).then(|| found.join("; "))
    };
    let labels = json!({
        "sender": sender,
        "event": first("event"),
        "urgency": first("urgency"),
        "certainty": first("certainty"),
        "area": listed("areaDesc"),
        // Nothing is worked out from shapes; they are kept for people.
        "polygon": listed("polygon"),
        "web": first("web"),
    });
    json!({
        "matter": identifier,
        "over": false,
        "status": status,
        "severity": worst,
        "texts": texts,
        "labels": labels,
    })
}

/// What an info block says to people: headline or event, what it is, what to do, where.
fn text_of(info: Node<'_, '_>) -> String {
    let headline = text(info, "headline").or_else(|| text(info, "event"));
    let area = children(info, "area").filter_map(|area| text(area, "areaDesc"));
    let area = area.collect::<Vec<_>>().join("; ");
    [
        headline,
        text(info, "description"),
        text(info, "instruction"),
        (!area.is_empty()).then(|| format!("({area})")),
    ]
    .into_iter()
    .flatten()
    .collect::<Vec<_>>()
    .join(". ")
}

/// The least is the worst. What is unknown is worse than what is known to be little.
fn rank(severity: &str) -> u8 {
    match severity {
        "Extreme" => 0,
        "Severe" => 1,
        "Unknown" => 2,
        "Moderate" => 3,
        _ => 4,
    }
}

/// Identifiers of the messages it refers to: `sender,identifier,sent`, divided by spaces (CAP 1.2 §3.2.1).
fn references(alert: Node<'_, '_>) -> Vec<String> {
    let all = text(alert, "references").unwrap_or_default();
    all.split_whitespace()
        .filter_map(|triple| triple.split(',').nth(1))
        .filter(|identifier| !identifier.is_empty())
        .take(REFERENCES_MAX)
        .map(str::to_owned)
        .collect()
}

fn children<'a, 'input>(
    node: Node<'a, 'input>,
    name: &'static str,
) -> impl Iterator<Item = Node<'a, 'input>> {
    node.children()
        .filter(move |child| child.has_tag_name((NAMESPACE, name)))
}

fn text(node: Node<'_, '_>, name: &'static str) -> Option<String> {
    let found = children(node, name).next()?;
    let text = found.text().unwrap_or_default().trim();
    (!text.is_empty()).then(|| text.to_owned())
}

fn needed(node: Node<'_, '_>, name: &'static str) -> Result<String, CapError> {
    text(node, name).ok_or(CapError::Missing(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cap(message: &str, rest: &str) -> String {
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><alert xmlns=\"{NAMESPACE}\"><identifier>A2</identifier>\
             <sender>smhi@example.org</sender><sent>2026-11-22T03:00:00-00:00</sent><status>Actual</status>\
             <msgType>{message}</msgType><scope>Public</scope>{rest}</alert>"
        )
    }

    const INFO: &str = "<info><language>sv-SE</language><category>Met</category><event>Storm</event>\
        <urgency>Expected</urgency><severity>Severe</severity><certainty>Likely</certainty>\
        <headline>Storm i natt</headline><area><areaDesc>Norrland</areaDesc><polygon>1,2 3,4 5,6 1,2</polygon></area></info>\
        <info><language>en</language><category>Met</category><event>Storm</event><urgency>Expected</urgency>\
        <severity>Extreme</severity><certainty>Likely</certainty></info>";

    #[test]
    fn an_alert_speaks_in_the_languages_of_its_infos_and_is_as_bad_as_the_worst() {
        let found = read(cap("Alert", INFO).as_bytes()).unwrap().signals;
        assert_eq!(found.len(), 1);
        assert_eq!(
            found[0]["texts"],
            json!({"sv": "Storm i natt. (Norrland)", "en": "Storm"})
        );
        assert_eq!(found[0]["severity"], "Extreme");
        assert_eq!(found[0]["labels"]["polygon"], "1,2 3,4 5,6 1,2");
    }

    #[test]
    fn an_update_ends_what_it_refers_to_and_a_cancel_only_ends() {
        let refers = "<references>a@b,A0,2026-11-21T00:00:00-00:00 a@b,A1,2026-11-22T00:00:00-00:00</references>";
        let update = read(cap("Update", &format!("{refers}{INFO}")).as_bytes()).unwrap();
        let update = update.signals;
        let matters: Vec<_> = update.iter().map(|v| (&v["matter"], &v["over"])).collect();
        let (yes, no) = (json!(true), json!(false));
        assert_eq!(matters[0], (&json!("A2"), &no));
        assert_eq!(matters[1..], [(&json!("A0"), &yes), (&json!("A1"), &yes)]);
        let cancel = read(cap("Cancel", refers).as_bytes()).unwrap();
        assert_eq!(cancel.signals.len(), 2);
        assert!(matches!(
            read(cap("Shout", refers).as_bytes()),
            Err(CapError::Unknown {
                element: "msgType",
                ..
            })
        ));
    }

    #[test]
    fn drills_are_marked_and_drafts_are_not_told() {
        let exercise = cap("Alert", INFO).replace(">Actual<", ">Exercise<");
        let found = read(exercise.as_bytes()).unwrap().signals;
        assert_eq!(found[0]["status"], "exercise");
        let end = cap(
            "Cancel",
            "<references>a@b,A0,2026-11-21T00:00:00-00:00</references>",
        );
        let end = end.replace(">Actual<", ">Exercise<");
        let found = read(end.as_bytes()).unwrap().signals;
        assert_eq!(found[0]["status"], "exercise");
        let draft = cap("Alert", INFO).replace(">Actual<", ">Draft<");
        assert_eq!(read(draft.as_bytes()), Ok(Received::default()));
        assert_eq!(head(draft.as_bytes()), None);
    }

    #[test]
    fn acknowledgements_and_errors_are_words_about_what_they_refer_to() {
        let id = AlertId([7; 16]);
        let refers = format!(
            "<note>wired</note><references>holdfast:x,holdfast-{id},2026-11-21T00:00:00-00:00 \
             holdfast:x,holdfast-{id}-end,2026-11-21T00:01:00-00:00 a@b,A1,2026-11-22T00:00:00-00:00</references>"
        );
        let found = read(cap("Ack", &refers).as_bytes()).unwrap();
        assert_eq!(found.signals, Vec::<Value>::new());
        let told: Vec<_> = found.words.iter().map(|word| &word.about).collect();
        let ours = About::Alert(id);
        assert_eq!(told, [&ours, &ours, &About::Key("A1".to_owned())]);
        assert_eq!(found.words[0].text, "Ack from smhi@example.org: wired");
        let drill = cap(
            "Error",
            "<references>a@b,A1,2026-11-22T00:00:00-00:00</references>",
        );
        let drill = drill.replace(">Actual<", ">Exercise<");
        let found = read(drill.as_bytes()).unwrap();
        assert_eq!(found.words[0].text, "Error from smhi@example.org exercise");
        // Two machines must not thank each other for ever.
        assert_eq!(head(cap("Ack", &refers).as_bytes()), None);
        assert_eq!(
            head(cap("Cancel", &refers).as_bytes()).unwrap().identifier,
            "A2"
        );
    }

    #[test]
    fn bombs_are_refused_before_they_grow() {
        let laughs = format!(
            "<?xml version=\"1.0\"?><!DOCTYPE alert [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;\">]>{}",
            cap("Alert", "<note>&b;</note>").split_once("?>").unwrap().1
        );
        let outside =
            "<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><a>&x;</a>".to_owned();
        let deep = cap(
            "Alert",
            &format!("{}{}", "<x>".repeat(50_000), "</x>".repeat(50_000)),
        );
        let deep = deep.chars().take(BYTES_MAX).collect::<String>();
        let wide = cap("Alert", &"<x/>".repeat(10_000));
        for bomb in [laughs, outside, deep, wide] {
            assert!(matches!(read(bomb.as_bytes()), Err(CapError::NotXml(_))));
        }
        assert_eq!(read(&vec![b' '; BYTES_MAX + 1]), Err(CapError::TooLarge));
        assert_eq!(read(&[0xff, 0xfe]), Err(CapError::NotText));
        assert_eq!(read(b"<alert/>"), Err(CapError::NotCap));
        let bare = cap("Alert", "").replace("<sender>smhi@example.org</sender>", "");
        assert_eq!(read(bare.as_bytes()), Err(CapError::Missing("sender")));
    }

    #[test]
    fn no_bytes_break_it() {
        let whole = cap("Update", INFO);
        for end in 0..whole.len() {
            drop(read(&whole.as_bytes()[..end]));
            drop(head(&whole.as_bytes()[..end]));
        }
        for place in 0..whole.len() {
            let mut damaged = whole.clone().into_bytes();
            damaged[place] ^= 0x55;
            drop(read(&damaged));
        }
    }
}
