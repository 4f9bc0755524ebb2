//! What the clients ask for: alerts to one person each, spread over many people.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use hyper::Method;
use hyper::body::Bytes;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::fleet::Fleet;

/// People in one request; a node takes bodies of 1 MiB.
const PEOPLE_PER_REQUEST: u32 = 2_000;

/// One such request.
const IMPORT_TIME: Duration = Duration::from_secs(30);

/// Longer than any measurement, and the longest delay a step may have.
pub(crate) const LATER_S: u32 = 7 * 24 * 3_600;

/// An alert as a control room would write it.
pub(crate) const TEXT: &str = "Pump 3 has tripped, water is rising in the turbine hall. Leave level -2 now and gather at gate B.";

/// When the person of an alert is to be told.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Paging {
    /// In a week: an accepted alert is one log entry and nothing more happens.
    Later,
    /// At once: for every alert the leader also commits who is to be told, and then waits for a modem that is not there.
    Now,
}

impl Paging {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Later => "later",
            Self::Now => "now",
        }
    }
}

/// Makes `people` people known to the cluster, each with one phone number.
pub(crate) async fn import(fleet: &Fleet, people: u32) -> Result<()> {
    let mut first = 0;
    while first < people {
        let end = people.min(first + PEOPLE_PER_REQUEST);
        let batch: Vec<Value> = (first..end).map(person).collect();
        let body = json!({ "people": batch });
        let request = fleet.endpoint(0).change(Method::PUT, "/v1/people", &body);
        timeout(IMPORT_TIME, request)
            .await
            .context("no answer to an import of people")?
            .context("people were not imported")?;
        first = end;
    }
    Ok(())
}

/// The body of a raise to one person.
pub(crate) fn alert(paging: Paging, person: u32) -> Bytes {
    let person = key(person);
    let body = match paging {
        Paging::Later => {
            json!({ "severity": "high", "text": TEXT, "steps": [{ "after_s": LATER_S, "people": [person] }] })
        }
        Paging::Now => json!({ "severity": "high", "text": TEXT, "to": { "people": [person] } }),
    };
    Bytes::from(body.to_string())
}

/// Tells the idempotency keys of one run from those of any other.
pub(crate) fn run_id() -> String {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let mark = now.as_nanos().to_be_bytes();
    data_encoding::HEXLOWER.encode(&mark[8..])
}

fn person(index: u32) -> Value {
    json!({
        "key": key(index),
        "name": format!("Person {index}"),
        "language": "en",
        "methods": [{ "kind": "sms", "address": number(index) }],
    })
}

/// A person's phone.
pub(crate) fn number(index: u32) -> String {
    format!("+35840{index:07}")
}

/// A person's key.
pub(crate) fn key(index: u32) -> String {
    format!("p{index:06}")
}
