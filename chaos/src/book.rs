//! What a run remembers: which alerts were accepted, every operation, and how long each commit took.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::history::Record;

/// An alert some node answered for.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Accepted {
    pub(crate) id: String,
    /// Persons called.
    pub(crate) people: Vec<usize>,
    /// Accepted by an island: it need not be anywhere else before healing.
    pub(crate) island: bool,
}

/// How one change went, for the chart.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Commit {
    pub(crate) asked_us: u64,
    pub(crate) took_us: u64,
    pub(crate) fate: Fate,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Fate {
    Replicated,
    Island,
    /// Nothing was done, and the client was told so.
    Refused,
    Unknown,
}

/// A person's answer that was confirmed to them: from here on no page about it.
#[derive(Clone, Debug)]
pub(crate) struct Confirmed {
    /// Milliseconds since 1970.
    pub(crate) at_ms: u64,
    pub(crate) alert: String,
    pub(crate) person: usize,
    /// By an island, of which the others could not know.
    pub(crate) island: bool,
}

/// The notes of a run. Filled by many, read at the end.
pub(crate) struct Book {
    began: Instant,
    pages: Mutex<Pages>,
}

#[derive(Default)]
pub(crate) struct Pages {
    /// By the word in its text that no other alert has.
    pub(crate) accepted: BTreeMap<String, Accepted>,
    pub(crate) records: Vec<Record>,
    pub(crate) commits: Vec<Commit>,
    pub(crate) confirmed: Vec<Confirmed>,
    /// Answers of nodes that should never be given, in words.
    pub(crate) odd: Vec<String>,
}

impl Book {
    pub(crate) fn new(began: Instant) -> Self {
        Self {
            began,
            pages: Mutex::default(),
        }
    }

    pub(crate) fn open(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Microseconds since the run began.
    pub(crate) fn now_us(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}
