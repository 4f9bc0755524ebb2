//! What the story came to.

use serde::Serialize;
use serde_json::Value;

use crate::output::Output;

/// The figures of one `demo --once`. Part of the contract others script against.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Report {
    /// Every promise held.
    pub(super) ok: bool,
    pub(super) nodes: usize,
    pub(super) people: usize,
    pub(super) alerts_accepted: usize,
    /// Accepted, and not known to a living node at the end.
    pub(super) alerts_lost: usize,
    pub(super) deliveries_total: usize,
    pub(super) deliveries_ended: usize,
    /// Deliveries that may have arrived twice, and say so.
    pub(super) duplicates_possible: usize,
    /// People asked again from another number, because theirs went dark.
    pub(super) answers_asked_again: usize,
    pub(super) acks_by_sms: usize,
    pub(super) texts_sent: usize,
    pub(super) mails_sent: usize,
    /// From the leader's death to the next alert accepted.
    pub(super) failover_ms: u64,
    /// From the dead node's start until it knew everything.
    pub(super) rejoin_ms: u64,
    pub(super) wall_s: f64,
    /// Promises that did not hold, in words.
    pub(super) broken: Vec<String>,
}

impl Report {
    /// Notes a promise that did not hold.
    pub(super) fn check(&mut self, held: bool, promise: impl FnOnce() -> String) {
        if !held {
            self.broken.push(promise());
        }
    }

    /// The figures for people.
    pub(super) fn table(&self, output: Output) -> String {
        let mut rows = Vec::new();
        if let Ok(Value::Object(fields)) = serde_json::to_value(self) {
            for (name, value) in fields {
                if !value.is_array() && name != "ok" {
                    rows.push(vec![name.replace('_', " "), value.to_string()]);
                }
            }
        }
        let mut text = output.table(&["what", "figure"], &rows);
        for promise in &self.broken {
            text.push_str(&format!("\nBROKEN: {promise}"));
        }
        if self.ok {
            text.push_str("\nEvery promise held.");
        }
        text
    }
}
