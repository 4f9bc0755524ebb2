//! How a room is told of acts.

use super::Audience;
use crate::texts;
use crate::time::{Civil, Timestamp};
use crate::vocabulary::{IncidentRole, Severity};

/// Names listed before the rest is only counted.
pub(super) const NAMES_MAX: usize = 10;

/// The longest line about an update.
const UPDATE_UNITS_MAX: usize = 2_200;

/// What was done, with its reason behind it.
pub(super) fn with_reason(said: &str, reason: &str) -> String {
    match reason.trim() {
        "" => said.to_owned(),
        reason => format!("{said} Reason: {reason}"),
    }
}

pub(super) fn added(named: &[String], names: &[String], count: usize) -> String {
    let asked = named.join(", ");
    let mut list = names.join(", ");
    if count > names.len() {
        list = format!("{list} and {} more", count - names.len());
    }
    match asked.is_empty() {
        true => format!("Called in addition: {list}."),
        false => format!("Called in addition ({asked}): {list}."),
    }
}

pub(super) fn paused(at: Timestamp, for_ms: u64, civil: &Civil) -> String {
    let until = at + std::time::Duration::from_millis(for_ms);
    format!(
        "Paused until {} UTC: no further step or round is called before, unless somebody asks for help.",
        civil.at(until).to_hh_mm()
    )
}

pub(super) fn severity(from: Severity, to: Severity) -> String {
    let (from, to_name) = (from.name(), to.name());
    match to {
        Severity::Critical => format!(
            "Severity {to_name} instead of {from}: those who are silent are called on every path at once."
        ),
        Severity::High | Severity::Normal | Severity::Low => {
            format!("Severity {to_name} instead of {from}.")
        }
    }
}

pub(super) fn update(texts: &[(String, String)], to: Audience, count: usize) -> String {
    let whom = match to {
        Audience::Called => "called",
        Audience::Coming => "coming",
        Audience::Silent => "silent",
    };
    let text = texts.first().map_or("", |(_, text)| text.as_str());
    texts::clip(
        &format!("Update to the {count} {whom}: {text}"),
        UPDATE_UNITS_MAX,
    )
}

pub(super) fn withdrawn(names: &[String]) -> String {
    let name = names.first().map_or("somebody", String::as_str);
    format!("{name} is not called any more.")
}

/// A role changed hands: to somebody or to nobody, from somebody or from nobody.
pub(super) fn role(role: IncidentRole, to: Option<&String>, before: Option<&String>) -> String {
    let what = match role {
        IncidentRole::Leader => "leads",
        IncidentRole::Deputy => "is deputy",
        IncidentRole::Scribe => "keeps the diary",
        IncidentRole::Communications => "speaks to those outside",
        IncidentRole::Liaison => "is liaison",
    };
    match (to, before) {
        (Some(to), Some(before)) => format!("{to} {what} now, after {before}."),
        (Some(to), None) => format!("{to} {what} now."),
        (None, Some(before)) => format!("Nobody {what} now; it was {before}."),
        (None, None) => format!("Nobody {what} now."),
    }
}
