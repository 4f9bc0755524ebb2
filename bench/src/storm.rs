//! A storm of webhooks: everything breaks at once and hundreds of programs say so, while a person raises alerts.
//!
//! Three questions: how soon a person's critical alert is accepted meanwhile, how soon it leaves through a modem that the
//! storm keeps busy, and whether the storm itself is recorded to the last webhook.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail};
use hyper::body::Bytes;
use hyper::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::client::{Connection, Endpoint};
use crate::fleet::{Fleet, NODES};
use crate::others::Others;
use crate::outside::{Left, Outside};
use crate::report::{Report, load, load_text, milliseconds, percentile};
use crate::workload::{self, LATER_S, run_id};

/// What is let loose.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Storm {
    pub(crate) sources: u32,
    pub(crate) webhooks: u32,
    /// Within which they are sent; a cluster that is slower takes longer.
    pub(crate) over: Duration,
}

/// Programs that send at the same time.
const SENDERS: u32 = 48;
/// Duty groups of three that the sources call in turn; the first people are theirs.
const DUTY: u32 = 10;
/// People who are called by persons, one after the other; none of them is on duty.
const CALLED_FIRST: u32 = 1_000;
/// Before the storm, for comparison.
const CALM: Duration = Duration::from_secs(3);
/// Between two critical alerts that are to leave at once.
const CALL_EVERY: Duration = Duration::from_secs(5);
const REQUEST_TIME: Duration = Duration::from_secs(30);
/// A webhook that was refused is sent again after this, as senders do.
const AGAIN: Duration = Duration::from_millis(250);
const TRIES_MAX: u32 = 40;
/// For what was called last to leave.
const LEAVE_TIME: Duration = Duration::from_secs(90);
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Lets one storm loose on a fleet whose modems are `outside`'s.
pub(crate) async fn measure(
    fleet: &Fleet,
    outside: &Outside,
    storm: Storm,
    report: &mut Report,
) -> Result<()> {
    let paths = put_sources(fleet, storm.sources).await?;
    fleet.settled().await?;
    let before = load()?;
    let calm = Others::start(fleet, critical_later);
    sleep(CALM).await;
    let calm = calm.end().await?;

    let used_before = fleet.processor_ms()?;
    let entries_before = fleet.last_log(0).await?;
    let others = Others::start(fleet, critical_later);
    let calls = tokio::spawn(call(fleet.endpoint(1).clone(), storm.over));
    let sent = send(fleet, storm, paths).await?;
    let busy = others.end().await?;
    let called = calls.await??;
    let after = load()?;
    let used: f64 = fleet.processor_ms()? - used_before;
    let entries = fleet.last_log(0).await?.saturating_sub(entries_before);

    let recorded = recorded(fleet).await?;
    if recorded != u64::from(storm.webhooks) {
        bail!("{recorded} of {} webhooks are recorded", storm.webhooks);
    }
    let leaving = leaving(outside, &called).await?;
    let p = |sorted: &[u64], percent| milliseconds(percentile(sorted, percent)).unwrap_or_default();
    let object = json!({
        "measure": "storm", "sources": storm.sources, "webhooks": storm.webhooks,
        "took_s": sent.took.as_secs_f64(), "refused": sent.refused,
        "webhooks_p50_ms": p(&sent.latencies, 50), "webhooks_p99_ms": p(&sent.latencies, 99),
        "calm_p50_ms": p(&calm, 50), "calm_p99_ms": p(&calm, 99),
        "critical_p50_ms": p(&busy, 50), "critical_p99_ms": p(&busy, 99), "critical": busy.len(),
        "left_worst_ms": leaving.worst_ms, "left_after_others_worst": leaving.others_worst, "left": called.len(),
        "log_entries": entries, "nodes_cpu_ms_per_webhook": used / f64::from(storm.webhooks),
        "load_before": before, "load_after": after,
    });
    let figures = format!(
        "{:.1} s; a person's critical alert accepted p99 {:.0} ms ({:.0} ms before), left within {:.1} s behind at most {} others",
        sent.took.as_secs_f64(),
        p(&busy, 99),
        p(&calm, 99),
        leaving.worst_ms as f64 / 1_000.0,
        leaving.others_worst,
    );
    let row = [
        format!("{} webhooks from {} sources", storm.webhooks, storm.sources),
        figures,
        load_text(before, after),
    ];
    report.put(&object, row)
}

/// Makes the sources; gives the path of each with its token.
async fn put_sources(fleet: &Fleet, sources: u32) -> Result<Vec<String>> {
    let mut connection = fleet.endpoint(0).connect().await?;
    let mut paths = Vec::new();
    for nth in 0..sources {
        let path = format!("/v1/sources/s{nth:04}");
        let people: Vec<String> = (0..3)
            .map(|of| workload::key(nth % DUTY * 3 + of))
            .collect();
        let body = json!({ "name": format!("Monitor {nth}"), "kind": "webhook", "calls": { "people": people } });
        ask(&mut connection, Method::PUT, &path, Some(body)).await?;
        let token = ask(
            &mut connection,
            Method::POST,
            &format!("{path}/token"),
            Some(json!({})),
        )
        .await?;
        let path = token["path_with_token"].as_str();
        paths.push(path.context("a token has a path")?.to_owned());
    }
    Ok(paths)
}

async fn list(connection: &mut Connection) -> Result<Vec<Value>> {
    let list = ask(connection, Method::GET, "/v1/sources", None).await?;
    Ok(list["sources"].as_array().cloned().unwrap_or_default())
}

async fn ask(
    connection: &mut Connection,
    method: Method,
    path: &str,
    body: Option<Value>,
) -> Result<Value> {
    let body = body.map(|body| Bytes::from(body.to_string()));
    let asked = timeout(REQUEST_TIME, connection.ask(method, path, body, None)).await;
    asked
        .with_context(|| format!("no answer from {path}"))??
        .json()
}

/// How many signals all sources counted.
async fn recorded(fleet: &Fleet) -> Result<u64> {
    fleet.settled().await?;
    let mut connection = fleet.endpoint(2).connect().await?;
    let rows = list(&mut connection).await?;
    Ok(rows.iter().filter_map(|row| row["signals"].as_u64()).sum())
}

/// A critical alert whose person is told in a week: only its acceptance is measured.
fn critical_later(count: u32) -> Bytes {
    let person = workload::key(CALLED_FIRST + count % 5_000);
    let body = json!({
        "severity": "critical", "text": workload::TEXT, "steps": [{ "after_s": LATER_S, "people": [person] }],
    });
    Bytes::from(body.to_string())
}

/// What became of the webhooks.
struct Sent {
    took: Duration,
    /// Microseconds from the moment a webhook was due to be sent to its good answer, sorted.
    latencies: Vec<u64>,
    /// Answers that asked to come again, by status.
    refused: BTreeMap<String, u64>,
}

async fn send(fleet: &Fleet, storm: Storm, paths: Vec<String>) -> Result<Sent> {
    let shared = Arc::new((AtomicU32::new(0), paths));
    let began = Instant::now();
    let mut senders = JoinSet::new();
    for nth in 0..SENDERS {
        let endpoint = fleet.endpoint(nth as usize % NODES).clone();
        senders.spawn(sender(endpoint, Arc::clone(&shared), storm, began));
    }
    let mut all = Sent {
        took: Duration::ZERO,
        latencies: Vec::new(),
        refused: BTreeMap::new(),
    };
    while let Some(done) = senders.join_next().await {
        let sent = done??;
        all.latencies.extend(sent.latencies);
        for (status, count) in sent.refused {
            *all.refused.entry(status).or_default() += count;
        }
    }
    all.took = began.elapsed();
    all.latencies.sort_unstable();
    Ok(all)
}

/// Takes the next webhook when it is due, until all are sent.
async fn sender(
    endpoint: Endpoint,
    shared: Arc<(AtomicU32, Vec<String>)>,
    storm: Storm,
    began: Instant,
) -> Result<Sent> {
    let (next, paths) = &*shared;
    let mut connection = endpoint.connect().await?;
    let mut sent = Sent {
        took: Duration::ZERO,
        latencies: Vec::new(),
        refused: BTreeMap::new(),
    };
    loop {
        let nth = next.fetch_add(1, Ordering::Relaxed);
        if nth >= storm.webhooks {
            return Ok(sent);
        }
        let due = began + storm.over * nth / storm.webhooks;
        sleep_until(due).await;
        let path = &paths[nth as usize % paths.len()];
        let body = json!({ "key": format!("host-{nth}"), "text": format!("Host {nth} does not answer"), "severity": "high" });
        let body = Bytes::from(body.to_string());
        let mut tries = 0;
        loop {
            let asked = connection.ask(Method::POST, path, Some(body.clone()), None);
            let answer = timeout(REQUEST_TIME, asked).await;
            let answer = answer.context("a webhook got no answer")??;
            if answer.status == StatusCode::OK {
                break;
            }
            *sent
                .refused
                .entry(answer.status.as_str().to_owned())
                .or_default() += 1;
            tries += 1;
            if tries > TRIES_MAX {
                bail!("a webhook was answered {} again and again", answer.status);
            }
            sleep(AGAIN).await;
        }
        sent.latencies.push(due.elapsed().as_micros() as u64);
    }
}

/// A critical alert that a person raised to one other: whose number it is for, and when it was accepted.
struct Called {
    number: String,
    accepted_ms: u64,
}

/// Raises critical alerts that are to leave at once, for as long as the storm is to last.
async fn call(endpoint: Endpoint, over: Duration) -> Result<Vec<Called>> {
    let mut connection = endpoint.connect().await?;
    let until = Instant::now() + over;
    let run = run_id();
    let mut called = Vec::new();
    while Instant::now() + CALL_EVERY / 2 < until {
        sleep(CALL_EVERY).await;
        let person = CALLED_FIRST + 5_000 + called.len() as u32;
        let body = json!({
            "severity": "critical", "text": workload::TEXT, "to": { "people": [workload::key(person)] },
        });
        let body = Some(Bytes::from(body.to_string()));
        let key = format!("{run}-{person}");
        let asked = connection.ask(Method::POST, "/v1/alerts", body, Some(&key));
        let answer = timeout(REQUEST_TIME, asked).await;
        answer.context("a critical alert got no answer")??.json()?;
        called.push(Called {
            number: workload::number(person),
            accepted_ms: wall_ms(),
        });
    }
    Ok(called)
}

/// How soon the called alerts left.
struct Leaving {
    worst_ms: u64,
    /// Most parts of other alerts that the same modem sent in between.
    others_worst: usize,
}

async fn leaving(outside: &Outside, called: &[Called]) -> Result<Leaving> {
    let until = Instant::now() + LEAVE_TIME;
    let numbers: Vec<&str> = called.iter().map(|call| call.number.as_str()).collect();
    let mut worst = Leaving {
        worst_ms: 0,
        others_worst: 0,
    };
    for call in called {
        let left = loop {
            let found = outside.left().iter().find(|l| l.to == call.number).cloned();
            match found {
                Some(left) => break left,
                None if Instant::now() < until => sleep(LOOK_EVERY).await,
                None => bail!(
                    "a person's critical alert did not leave within {} s",
                    LEAVE_TIME.as_secs()
                ),
            }
        };
        let between = |other: &&Left| {
            other.modem == left.modem
                && !numbers.contains(&other.to.as_str())
                && (call.accepted_ms..left.at_ms).contains(&other.at_ms)
        };
        let others = outside.left().iter().filter(between).count();
        worst.worst_ms = worst
            .worst_ms
            .max(left.at_ms.saturating_sub(call.accepted_ms));
        worst.others_worst = worst.others_worst.max(others);
    }
    Ok(worst)
}

fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_millis() as u64
}
