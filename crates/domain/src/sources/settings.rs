//! The form in which a source's settings stand in its row. Apart from the command's, so that either may change alone;
//! fields that a later version adds have a value for rows of this one.

use serde::{Deserialize, Serialize};

use super::command::{Brake, Mapping, OnResolve, Source};
use crate::oncall::Called;
use crate::recipients::Named;
use crate::vocabulary::Severity;

#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Stored {
    people_and_groups: Vec<(String, String)>,
    severity: String,
    severities: Vec<(String, String)>,
    gather: String,
    on_resolve: String,
    brake: StoredBrake,
    mapping: StoredMapping,
    answers: bool,
}

#[derive(Debug, Deserialize, Serialize)]
struct StoredBrake {
    window_ms: u64,
    tell_every_ms: u64,
    changes_max: u16,
    changes_within_ms: u64,
}

#[derive(Debug, Deserialize, Serialize)]
struct StoredMapping {
    each: String,
    key: String,
    texts: Vec<(String, String)>,
    severity: String,
    resolved: String,
    resolved_when: Vec<String>,
    labels: String,
    status: String,
}

impl Stored {
    pub(super) fn of(source: &Source) -> Self {
        let mapping = source.mapping.clone();
        Self {
            people_and_groups: stored_names(&source.calls),
            severity: source.severity.name().to_owned(),
            severities: source
                .severities
                .iter()
                .map(|(word, severity)| (word.clone(), severity.name().to_owned()))
                .collect(),
            gather: source.gather.clone(),
            on_resolve: source.on_resolve.name().to_owned(),
            brake: StoredBrake {
                window_ms: source.brake.window_ms,
                tell_every_ms: source.brake.tell_every_ms,
                changes_max: source.brake.changes_max,
                changes_within_ms: source.brake.changes_within_ms,
            },
            mapping: StoredMapping {
                each: mapping.each,
                key: mapping.key,
                texts: mapping.texts,
                severity: mapping.severity,
                resolved: mapping.resolved,
                resolved_when: mapping.resolved_when,
                labels: mapping.labels,
                status: mapping.status,
            },
            answers: source.answers,
        }
    }

    /// Fills in what stands in it. A word of a newer version becomes what is loudest here.
    pub(super) fn fill(self, source: &mut Source) {
        let severity = |word: &str| Severity::parse(word).unwrap_or(Severity::Critical);
        source.calls = names(self.people_and_groups);
        source.severity = severity(&self.severity);
        source.severities = self
            .severities
            .into_iter()
            .map(|(word, name)| {
                let meant = severity(&name);
                (word, meant)
            })
            .collect();
        source.gather = self.gather;
        source.on_resolve = OnResolve::parse(&self.on_resolve).unwrap_or(OnResolve::Note);
        source.brake = Brake {
            window_ms: self.brake.window_ms,
            tell_every_ms: self.brake.tell_every_ms,
            changes_max: self.brake.changes_max,
            changes_within_ms: self.brake.changes_within_ms,
        };
        source.mapping = Mapping {
            each: self.mapping.each,
            key: self.mapping.key,
            texts: self.mapping.texts,
            severity: self.mapping.severity,
            resolved: self.mapping.resolved,
            resolved_when: self.mapping.resolved_when,
            labels: self.mapping.labels,
            status: self.mapping.status,
        };
        source.answers = self.answers;
    }
}

/// Names as they stand in rows: what it is, and its key.
pub(super) fn stored_names(names: &[Called]) -> Vec<(String, String)> {
    names
        .iter()
        .map(|name| {
            let (what, key) = name.words();
            (what.to_owned(), key.to_owned())
        })
        .collect()
}

/// Reads those.
pub(super) fn names(stored: Vec<(String, String)>) -> Vec<Called> {
    stored
        .into_iter()
        .map(|(what, key)| name(&what, key))
        .collect()
}

/// Reads one of them.
pub(super) fn name(what: &str, key: String) -> Called {
    match what {
        "person" => Called::Named(Named::Person(key)),
        "schedule" => Called::OnCall(key),
        _ => Called::Named(Named::Group(key)),
    }
}
