//! Requests that were turned away, gathered for the audit: a flood of them makes a few entries, not one each.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use domain::audit::{Assurance, EVENTS_MAX, Event, What};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::audit::note;
use crate::state::Shared;

/// How often they go into the audit.
const PERIOD: Duration = Duration::from_secs(10);

/// What was asked for, by whom as far as they said, and the answer.
type Denied = (String, String, u16);

/// What was turned away since the last round.
#[derive(Debug, Default)]
pub(crate) struct Denials(Mutex<BTreeMap<Denied, u32>>);

impl Denials {
    /// Notes one. Beyond as many different ones as go into one note, only how many is kept.
    pub(crate) fn add(&self, method: &str, route: &str, claimed: Option<String>, status: u16) {
        let mut denied = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut key = (
            format!("{method} {route}"),
            claimed.unwrap_or_default(),
            status,
        );
        if denied.len() >= EVENTS_MAX - 1 && !denied.contains_key(&key) {
            key = ("others".to_owned(), String::new(), status);
        }
        if denied.len() < EVENTS_MAX || denied.contains_key(&key) {
            let count = denied.entry(key).or_default();
            *count = count.saturating_add(1);
        }
    }

    fn take(&self) -> BTreeMap<Denied, u32> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Brings them into the audit, until `stop`. What cannot be brought is said in the node's own log and left.
pub(crate) async fn run(shared: Shared, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(PERIOD) => {}
        }
        let denied = shared.denials.take();
        if denied.is_empty() {
            continue;
        }
        let (at, kinds) = (shared.replica.now(), denied.len());
        let events = denied
            .into_iter()
            .map(|((object, claimed, status), count)| {
                // A key that lacks a scope was shown to be right; one that was not valid is only what somebody said.
                let (actor, assurance) = match (status, claimed.is_empty()) {
                    (_, true) => (String::new(), Assurance::None),
                    (403, false) => (claimed, Assurance::Key),
                    (_, false) => (claimed, Assurance::Claimed),
                };
                Event {
                    at,
                    actor,
                    assurance: assurance.name().to_owned(),
                    what: What::Denied,
                    object,
                    count,
                    details: vec![("status".to_owned(), status.to_string())],
                }
            });
        if let Err(error) = note(&shared, events.collect()).await {
            let error = &error as &dyn std::error::Error;
            warn!(error, kinds, "requests turned away are not in the audit");
        }
    }
}
