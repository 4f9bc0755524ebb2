//! Programs and things that raise alerts by themselves: monitoring, heartbeats, mail gateways, contacts, authorities.
//!
//! What comes in is a signal under a key of the source's own. [`rules::decide`] says what becomes of it, and everything
//! that is not told to people at once is counted and listed, never dropped: a second firing of an open key, what flaps,
//! what a silence or a stop swallows, and what the storm brakes gather into one alert.
//!
//! Invariants: the first alarm of a quiet source is told alone and at once; an alarm is never held back by less severe
//! ones; per source at most one bundle takes alarms; a silence and a stop always end; rows are bounded whatever comes; a
//! drill never counts with, holds back, or ends what is real.
//!
//! On an island signals work on its own copy: the alerts they raise are joined with the cluster's, the counting stays
//! behind. A signal whose key is unknown here finds its open alert by that alert's key.

mod apply;
mod bundles;
mod call;
mod command;
mod follow_up;
mod mapping;
mod query;
mod redirect;
mod rules;
mod settings;
mod silences;
mod take;
#[cfg(test)]
mod tests;
mod word;

pub(crate) use self::apply::apply;
pub(crate) use self::call::call_duty;
pub use self::command::{
    About, Arrival, Arrived, Beat, Brake, Command, Due, DueWhat, Kind, Mapping, Matcher, OnResolve,
    Redirect, Settings, Signal, Silence, SilenceKind, Source, Test, Word,
};
pub use self::mapping::{MappingError, signals};
pub(crate) use self::query::NEXT_DUE;
pub use self::query::{
    BundleRow, SignalRow, SilenceRow, SourceRow, Stop, due, settings, signals_of, silences, source,
    sources, stop,
};
pub use self::redirect::{RedirectRow, redirect, redirects};
pub use self::rules::{
    ARRIVALS_MAX, Held, KEY_LEN_MAX, STOP_MS_MAX, check_settings, check_silence, check_source,
};
pub use self::take::{Foreseen, foresee, unreadable};
use crate::vocabulary::Status;

/// The key of the signal that stands for a missing sign of life.
pub const HEARTBEAT: &str = "heartbeat";

/// The key under which an alert about a source's signal is found. A drill's is its own, so that it never stands for what
/// is real.
fn alert_key(status: Status, source: &str, key: &str) -> String {
    match status {
        Status::Actual => format!("source:{source}:{key}"),
        Status::Exercise | Status::Test => format!("{}:{source}:{key}", status.name()),
    }
}

/// Names what a bundle gathers: `kind` is `source` or `people`. Drills are gathered by themselves.
fn scope(status: Status, kind: &str, name: &str) -> String {
    match status {
        Status::Actual => format!("{kind}:{name}"),
        Status::Exercise | Status::Test => format!("{kind}:{name}:{}", status.name()),
    }
}

/// Whether an alert with the key `of` belongs to what the alert with the key `bundle` gathers: alarms of the same source, or
/// everything automatic when it gathers what several sources said. `None`: that alert gathers nothing.
pub(crate) fn gathers(bundle: &str, of: &str) -> Option<bool> {
    let (kind, named) = parts_of(bundle)?;
    let (source, rest) = named.split_once(':')?;
    // Drills are gathered by themselves.
    let of = parts_of(of).filter(|(other, _)| *other == kind);
    match (source, rest) {
        (source, "") => Some(
            of.and_then(|(_, named)| named.split_once(':'))
                .is_some_and(|(other, _)| other == source),
        ),
        ("people" | "beats", scope) if scope.ends_with(':') => Some(of.is_some()),
        (_, _) => None,
    }
}

/// The front of a key that [`alert_key`] made, and the rest.
fn parts_of(key: &str) -> Option<(&str, &str)> {
    let fronts = ["source", Status::Exercise.name(), Status::Test.name()];
    key.split_once(':')
        .filter(|(front, _)| fronts.contains(front))
}
