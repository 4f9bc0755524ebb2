//! From a document that a program sent to signals: JSON pointers and small templates, nothing that computes.

use serde_json::Value;

use super::call::in_all;
use super::command::{Mapping, Signal};
use super::rules;
use super::{Kind, Source};
use crate::texts::{self, clean};
use crate::vocabulary::{Severity, Status};

/// Most signals in one document.
const SIGNALS_MAX: usize = 1_000;
const TEMPLATE_LEN_MAX: usize = 500;
const TEXTS_MAX: usize = 8;
const WORDS_MAX: usize = 20;
/// What the key of alerts that their sender left out begins with.
const LEFT_OUT: &str = "left out: ";
/// Names of fields shown to whoever wrote a template that matched nothing.
const FIELDS_SHOWN: usize = 12;

/// Why a document gave no signals, in words for the one who wrote the mapping.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum MappingError {
    #[error(
        "the mapping looks for a list at {pointer:?} and the document has none there; it has {has}"
    )]
    NoList { pointer: String, has: String },
    #[error("the list at {0:?} is empty; there is nothing to tell")]
    EmptyList(String),
    #[error("the list has {0} entries; at most {SIGNALS_MAX} are taken at once, send it in parts")]
    TooMany(usize),
    #[error("the text {template:?} comes out empty; what it is made from has {has}")]
    NoText { template: String, has: String },
}

/// The signals in a document.
pub fn signals(source: &Source, document: &Value) -> Result<Vec<Signal>, MappingError> {
    let mapping = &source.mapping;
    let one;
    let list: &[Value] = match document.pointer(&mapping.each).and_then(Value::as_array) {
        Some(list) => list,
        None if mapping.each.is_empty() => {
            one = [document.clone()];
            &one
        }
        None => {
            return Err(MappingError::NoList {
                pointer: mapping.each.clone(),
                has: fields(document),
            });
        }
    };
    if list.is_empty() {
        return Err(MappingError::EmptyList(mapping.each.clone()));
    }
    if list.len() > SIGNALS_MAX {
        return Err(MappingError::TooMany(list.len()));
    }
    let told: Result<Vec<Signal>, MappingError> =
        list.iter().map(|entry| signal(source, entry)).collect();
    Ok(told?
        .into_iter()
        .chain(left_out(source, document))
        .collect())
}

/// Alertmanager and Grafana say how many alerts of a group they left out; nobody may take a part for the whole.
fn left_out(source: &Source, document: &Value) -> Option<Signal> {
    match source.kind {
        Kind::Alertmanager | Kind::Grafana => {}
        Kind::Webhook | Kind::Email | Kind::Heartbeat | Kind::Cap | Kind::Snmp | Kind::Contact => {
            return None;
        }
    }
    let count = document
        .get("truncatedAlerts")?
        .as_u64()
        .filter(|count| *count > 0)?;
    let group = document.get("groupKey").map(text_of).unwrap_or_default();
    Some(rules::bounded(Signal {
        key: clean(&format!("{LEFT_OUT}{group}")),
        texts: in_all(|language| texts::left_out(language, &source.name, count)),
        severity: source.severity,
        status: Status::Actual,
        labels: labels(document.get("groupLabels")),
        resolved: document.get("status").and_then(Value::as_str) == Some("resolved"),
    }))
}

fn signal(source: &Source, entry: &Value) -> Result<Signal, MappingError> {
    let mapping = &source.mapping;
    let said = render(&mapping.resolved, entry);
    let resolved = mapping.resolved_when.iter().any(|word| same(word, &said));
    let texts = texts(mapping, entry);
    if texts.is_empty() && !resolved {
        return Err(MappingError::NoText {
            template: mapping
                .texts
                .first()
                .map_or(String::new(), |(_, t)| t.clone()),
            has: fields(entry),
        });
    }
    let key = clean(&render(&mapping.key, entry));
    let key = match texts.first() {
        Some((_, text)) if key.is_empty() => text.clone(),
        Some(_) | None => key,
    };
    if key.is_empty() {
        return Err(MappingError::NoText {
            template: mapping.key.clone(),
            has: fields(entry),
        });
    }
    Ok(rules::bounded(Signal {
        key,
        texts,
        severity: severity(source, &render(&mapping.severity, entry)),
        status: status(&render(&mapping.status, entry)),
        labels: labels(
            entry
                .pointer(&mapping.labels)
                .filter(|_| !mapping.labels.is_empty()),
        ),
        resolved,
    }))
}

/// The texts a mapping makes, or those the document brings along by language where the mapping has no templates.
fn texts(mapping: &Mapping, entry: &Value) -> Vec<(String, String)> {
    let own = entry.pointer("/texts").and_then(Value::as_object);
    let own = own
        .filter(|_| mapping.texts.is_empty())
        .into_iter()
        .flatten();
    let own = own.map(|(language, text)| (language.clone(), text_of(text)));
    let made = mapping.texts.iter();
    made.map(|(language, template)| (language.clone(), render(template, entry)))
        .chain(own)
        .map(|(language, text)| (language, clean(&text)))
        .filter(|(_, text)| !text.is_empty())
        .collect()
}

/// What a source's word for how bad it is means here.
fn severity(source: &Source, word: &str) -> Severity {
    let word = word.trim().to_lowercase();
    let own = source
        .severities
        .iter()
        .find(|(known, _)| known.to_lowercase() == word)
        .map(|(_, severity)| *severity);
    own.or_else(|| Severity::parse(&word))
        .or_else(|| usual(&word))
        .unwrap_or(source.severity)
}

/// What the words mean that many programs use, CAP 1.2 among them.
fn usual(word: &str) -> Option<Severity> {
    Some(match word {
        "extreme" | "emergency" | "disaster" | "fatal" | "page" => Severity::Critical,
        "severe" | "error" | "major" | "alert" => Severity::High,
        "moderate" | "warning" | "warn" | "average" => Severity::Normal,
        "minor" | "info" | "information" | "notice" => Severity::Low,
        _ => return None,
    })
}

/// What is not plainly a drill is real.
fn status(word: &str) -> Status {
    Status::parse(&word.trim().to_lowercase()).unwrap_or(Status::Actual)
}

/// Case is not told apart; a star at either end stands for anything.
fn same(word: &str, said: &str) -> bool {
    let (word, said) = (word.to_lowercase(), said.trim().to_lowercase());
    let inner = word.trim_matches('*');
    match (word.starts_with('*'), word.ends_with('*')) {
        _ if inner.is_empty() => false,
        (false, false) => said == inner,
        (false, true) => said.starts_with(inner),
        (true, false) => said.ends_with(inner),
        (true, true) => said.contains(inner),
    }
}

fn labels(found: Option<&Value>) -> Vec<(String, String)> {
    found
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(label, value)| (clean(label), clean(&text_of(value))))
        .collect()
}

/// A template with its places filled in. `{{` stands for a brace; a brace that is not closed is only a brace.
fn render(template: &str, entry: &Value) -> String {
    let mut out = String::new();
    let mut rest = template;
    while let Some(open) = rest.find('{') {
        out.push_str(&rest[..open]);
        let after = &rest[open + 1..];
        if let Some(literal) = after.strip_prefix('{') {
            out.push('{');
            rest = literal;
            continue;
        }
        let Some(close) = after.find('}') else {
            out.push('{');
            rest = after;
            continue;
        };
        let found = after[..close]
            .split('|')
            .filter_map(|place| look_up(place.trim(), entry))
            .map(text_of)
            .find(|text| !text.trim().is_empty());
        out.push_str(&found.unwrap_or_default());
        rest = &after[close + 1..];
    }
    out.push_str(rest);
    out
}

/// A JSON pointer, or names divided by dots.
fn look_up<'v>(place: &str, entry: &'v Value) -> Option<&'v Value> {
    if place.starts_with('/') {
        return entry.pointer(place);
    }
    place.split('.').try_fold(entry, |value, name| match value {
        Value::Object(fields) => fields.get(name),
        Value::Array(list) => list.get(name.parse::<usize>().ok()?),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    })
}

fn text_of(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(yes) => yes.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(list) => list.iter().map(text_of).collect::<Vec<_>>().join(", "),
        Value::Object(_) => value.to_string(),
    }
}

/// The names in a document, for whoever wrote a template that found nothing.
fn fields(entry: &Value) -> String {
    let Value::Object(found) = entry else {
        return "no fields".to_owned();
    };
    let mut names: Vec<&str> = found
        .keys()
        .take(FIELDS_SHOWN)
        .map(String::as_str)
        .collect();
    if found.len() > FIELDS_SHOWN {
        names.push("...");
    }
    match names.is_empty() {
        true => "no fields".to_owned(),
        false => format!("the fields {}", names.join(", ")),
    }
}

impl Mapping {
    /// The mapping that reads what programs of this kind send.
    pub fn of(kind: Kind) -> Self {
        let one = |text: &str| vec![("und".to_owned(), text.to_owned())];
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        match kind {
            Kind::Webhook | Kind::Heartbeat | Kind::Contact | Kind::Snmp => Self {
                each: String::new(),
                key: "{key|dedup_key|id}".to_owned(),
                texts: one("{text|message|summary|title}"),
                severity: "{severity|level|priority}".to_owned(),
                resolved: "{status|state}".to_owned(),
                resolved_when: words(&["resolved", "ok", "closed", "recovered", "up"]),
                labels: "/labels".to_owned(),
                status: String::new(),
            },
            Kind::Alertmanager | Kind::Grafana => Self {
                each: "/alerts".to_owned(),
                key: "{fingerprint}".to_owned(),
                texts: one(
                    "{labels.alertname}: {annotations.summary|annotations.description|labels.instance}",
                ),
                severity: "{labels.severity}".to_owned(),
                resolved: "{status}".to_owned(),
                resolved_when: words(&["resolved"]),
                labels: "/labels".to_owned(),
                status: String::new(),
            },
            Kind::Email => Self {
                each: String::new(),
                key: "{topic}".to_owned(),
                texts: one("{subject} {text}"),
                severity: "{severity}".to_owned(),
                resolved: "{subject}".to_owned(),
                resolved_when: words(&["*resolved*", "*recovery*", "*[ok]*", "ok:*"]),
                labels: "/labels".to_owned(),
                status: String::new(),
            },
            Kind::Cap => Self {
                each: String::new(),
                key: "{matter}".to_owned(),
                texts: Vec::new(), // by the languages of its info blocks
                severity: "{severity}".to_owned(),
                resolved: "{over}".to_owned(),
                resolved_when: words(&["true"]),
                labels: "/labels".to_owned(),
                status: "{status}".to_owned(),
            },
        }
    }
}

/// Says what is wrong with a mapping.
pub(super) fn check(mapping: &Mapping) -> Result<(), String> {
    let templates = [
        &mapping.key,
        &mapping.severity,
        &mapping.resolved,
        &mapping.labels,
        &mapping.each,
        &mapping.status,
    ];
    let texts = mapping.texts.iter().map(|(_, template)| template);
    for template in templates.into_iter().chain(texts) {
        if template.chars().count() > TEMPLATE_LEN_MAX {
            return Err(format!(
                "a template has at most {TEMPLATE_LEN_MAX} characters"
            ));
        }
    }
    for pointer in [&mapping.each, &mapping.labels] {
        if !pointer.is_empty() && !pointer.starts_with('/') {
            return Err(format!(
                "{pointer:?} is not a JSON pointer; it begins with a slash, as in /alerts"
            ));
        }
    }
    if mapping.texts.len() > TEXTS_MAX {
        return Err(format!("texts are taken in at most {TEXTS_MAX} languages"));
    }
    for (language, template) in &mapping.texts {
        if !(2..=3).contains(&language.len()) || !language.bytes().all(|b| b.is_ascii_lowercase()) {
            return Err(format!(
                "{language:?} is not a language code; write en, fi, sv, fr or ja"
            ));
        }
        if template.trim().is_empty() {
            return Err(
                "a text's template is empty; say which field holds what happened".to_owned(),
            );
        }
    }
    if mapping.resolved_when.len() > WORDS_MAX {
        return Err(format!("at most {WORDS_MAX} words for the end are taken"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::tests::webhook;
    use super::*;

    fn source(kind: Kind) -> Source {
        Source {
            kind,
            mapping: Mapping::of(kind),
            severities: vec![("page".to_owned(), Severity::Critical)],
            ..webhook("prom")
        }
    }

    #[test]
    fn alertmanager_is_read_without_a_word_of_configuration() {
        let document = json!({"version": "4", "status": "firing", "alerts": [
            {"status": "firing", "fingerprint": "f1", "labels": {"alertname": "DiskFull", "instance": "db1", "severity": "page"},
             "annotations": {"summary": "92 % on /var"}},
            {"status": "resolved", "fingerprint": "f2", "labels": {"alertname": "Down", "instance": "db2"}, "annotations": {}},
        ]});
        let signals = signals(&source(Kind::Alertmanager), &document).unwrap();
        assert_eq!(signals[0].texts[0].1, "DiskFull: 92 % on /var");
        assert_eq!(
            (signals[0].severity, signals[0].resolved),
            (Severity::Critical, false)
        );
        assert_eq!(
            signals[0].labels[1],
            ("instance".to_owned(), "db1".to_owned())
        );
        assert_eq!(signals[1].texts[0].1, "Down: db2");
        assert_eq!(
            (signals[1].severity, signals[1].resolved),
            (Severity::High, true)
        );
    }

    /// As Grafana's documentation shows its webhook, with a second alert and what it left out.
    fn grafana() -> Value {
        json!({
            "receiver": "My Super Webhook",
            "status": "firing",
            "orgId": 1,
            "alerts": [
                {
                    "status": "firing",
                    "labels": {"alertname": "High memory usage", "team": "blue", "zone": "us-1", "severity": "critical"},
                    "annotations": {
                        "description": "The system has high memory usage",
                        "runbook_url": "https://myrunbook.com/runbook/1234",
                        "summary": "This alert was triggered for zone us-1"
                    },
                    "startsAt": "2021-10-12T09:51:03.157076+02:00",
                    "endsAt": "0001-01-01T00:00:00Z",
                    "generatorURL": "https://play.grafana.org/alerting/1afz29v7z/edit",
                    "fingerprint": "c6eadffa33fcdf37",
                    "silenceURL": "https://play.grafana.org/alerting/silence/new?alertmanager=grafana",
                    "dashboardURL": "",
                    "panelURL": "",
                    "imageURL": "",
                    "values": {"B": 44.23943737541908, "C": 1}
                },
                {
                    "status": "resolved",
                    "labels": {"alertname": "High CPU usage", "team": "blue", "zone": "eu-1"},
                    "annotations": {"description": "The system has high CPU usage"},
                    "startsAt": "2021-10-12T09:56:03.157076+02:00",
                    "endsAt": "2021-10-12T09:57:03.157076+02:00",
                    "generatorURL": "https://play.grafana.org/alerting/d1rdpdv7k/edit",
                    "fingerprint": "bc97ff14869b13e3",
                    "values": null
                }
            ],
            "groupLabels": {"team": "blue"},
            "commonLabels": {"team": "blue"},
            "commonAnnotations": {},
            "externalURL": "https://play.grafana.org/",
            "version": "1",
            "groupKey": "{}:{team=\"blue\"}",
            "truncatedAlerts": 3,
            "title": "[FIRING:2] | (team=blue)",
            "state": "alerting",
            "message": "**Firing** ..."
        })
    }

    #[test]
    fn grafana_is_read_without_a_word_of_configuration_and_what_it_left_out_is_told() {
        let found = signals(&source(Kind::Grafana), &grafana()).unwrap();
        let shown: Vec<_> = found
            .iter()
            .map(|s| {
                (
                    s.key.as_str(),
                    s.texts[0].1.as_str(),
                    s.severity,
                    s.resolved,
                )
            })
            .collect();
        assert_eq!(
            shown,
            [
                (
                    "c6eadffa33fcdf37",
                    "High memory usage: This alert was triggered for zone us-1",
                    Severity::Critical,
                    false
                ),
                (
                    "bc97ff14869b13e3",
                    "High CPU usage: The system has high CPU usage",
                    Severity::High,
                    true
                ),
                (
                    "left out: {}:{team=\"blue\"}",
                    "Monitor prom left out further alerts: 3. Look there.",
                    Severity::High,
                    false
                ),
            ]
        );
        assert_eq!(found[0].labels.len(), 4);
        let mut over = grafana();
        over["status"] = "resolved".into();
        assert!(signals(&source(Kind::Grafana), &over).unwrap()[2].resolved);
        over["truncatedAlerts"] = 0.into();
        assert_eq!(signals(&source(Kind::Grafana), &over).unwrap().len(), 2);
    }

    #[test]
    fn a_mapping_of_ones_own_uses_pointers_paths_and_choices() {
        let mut source = source(Kind::Webhook);
        source.mapping = Mapping {
            key: "{/device/id}/{point}".to_owned(),
            texts: vec![
                (
                    "fi".to_owned(),
                    "{device.name}: {viesti|message} {{{value} %}".to_owned(),
                ),
                ("en".to_owned(), "{device.name}: {message}".to_owned()),
            ],
            severity: "{device.level}".to_owned(),
            ..Mapping::of(Kind::Webhook)
        };
        let document = json!({"device": {"id": 7, "name": "Pump", "level": "LOW"}, "point": "p", "message": "hot", "value": 91.5});
        let signal = signals(&source, &document).unwrap().remove(0);
        assert_eq!(signal.key, "7/p");
        assert_eq!(
            signal.texts[0],
            ("fi".to_owned(), "Pump: hot {91.5 %}".to_owned())
        );
        assert_eq!(signal.severity, Severity::Low);
    }

    #[test]
    fn what_matches_nothing_says_what_there_is() {
        let error = signals(&source(Kind::Webhook), &json!({"msg": "x", "host": "y"})).unwrap_err();
        assert!(
            error.to_string().ends_with("the fields host, msg"),
            "{error}"
        );
        let error = signals(&source(Kind::Grafana), &json!({"alert": []})).unwrap_err();
        assert!(error.to_string().contains("\"/alerts\""), "{error}");
    }

    proptest! {
        #[test]
        fn no_template_and_no_document_breaks_it(template in ".{0,40}", key in ".{0,10}", value in ".{0,300}", star in "[*a-z]{0,4}") {
            let mut source = source(Kind::Webhook);
            source.mapping.texts = vec![("und".to_owned(), template.clone())];
            source.mapping.key = template;
            source.mapping.resolved_when = vec![star];
            let document = json!({key: value.clone(), "list": [value, {"a": null}]});
            if let Ok(signals) = signals(&source, &document) {
                prop_assert!(signals.iter().all(|signal| rules::check_signal(signal).is_ok()));
            }
        }
    }
}
