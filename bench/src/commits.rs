//! Accepted alerts per second: clients that each raise one alert after another, as fast as they are answered.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};
use hyper::{Method, StatusCode};
use serde_json::json;
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::client::{Connection, Endpoint};
use crate::fleet::{Fleet, NODES, stored_everywhere};
use crate::report::{Report, load, load_text, milliseconds, percentile};
use crate::workload::{Paging, alert, run_id};

/// Time before the measurement in which the same load already runs.
const WARM_UP: Duration = Duration::from_secs(1);

/// Opening all connections of one client; 256 clients open theirs at once.
const CONNECT_TIME: Duration = Duration::from_secs(30);

/// One request. A request that took this long is an error and its outcome unknown.
const REQUEST_TIME: Duration = Duration::from_secs(20);

/// A client that was refused waits this long, so that a broken cluster is not flooded.
const REFUSED_PAUSE: Duration = Duration::from_millis(20);

const WARMING: u8 = 0;
const MEASURING: u8 = 1;
const OVER: u8 = 2;

/// What the clients of one measurement share.
struct Load {
    phase: AtomicU8,
    /// Everyone's connections are open.
    ready: Barrier,
    run: String,
    paging: Paging,
    people: u32,
    clients: u32,
}

/// What one client saw.
#[derive(Debug, Default)]
struct Tally {
    /// Microseconds from the first byte of the request to the last of the answer, of measured requests.
    latencies_us: Vec<u64>,
    /// Errors while measuring, by status or kind.
    errors: BTreeMap<String, u64>,
    /// Alerts accepted from the first to the last moment, measured or not.
    accepted: u64,
    /// Requests whose outcome is not known, measured or not.
    unknown: u64,
}

/// Measures with one number of clients.
pub(crate) async fn measure(
    fleet: &Fleet,
    clients: u16,
    seconds: Duration,
    paging: Paging,
    people: u32,
    report: &mut Report,
) -> Result<()> {
    fleet.settled().await?;
    let stored_before = stored_everywhere(fleet).await?;
    let shared = Arc::new(Load {
        phase: AtomicU8::new(WARMING),
        ready: Barrier::new(usize::from(clients) + 1),
        run: run_id(),
        paging,
        people,
        clients: u32::from(clients),
    });
    let load_before = load()?;
    let mut tasks = JoinSet::new();
    for number in 0..u32::from(clients) {
        let endpoints = [0, 1, 2].map(|index| fleet.endpoint(index).clone());
        tasks.spawn(client(number, endpoints, Arc::clone(&shared)));
    }
    // A client that cannot connect never comes to the barrier.
    timeout(CONNECT_TIME + REQUEST_TIME, shared.ready.wait())
        .await
        .context("not every client could connect")?;
    sleep(WARM_UP).await;
    shared.phase.store(MEASURING, Ordering::Relaxed);
    let started = Instant::now();
    sleep(seconds).await;
    shared.phase.store(OVER, Ordering::Relaxed);
    let measured = started.elapsed();
    let mut sum = Tally::default();
    while let Some(tally) = tasks.join_next().await {
        sum.add(tally??);
    }
    let load_after = load()?;
    sum.latencies_us.sort_unstable();

    fleet.settled().await?;
    let stored = stored_everywhere(fleet)
        .await?
        .saturating_sub(stored_before);
    let lost = sum.accepted.saturating_sub(stored);

    let accepted = sum.latencies_us.len();
    let per_s = accepted as f64 / measured.as_secs_f64();
    let [p50, p99, max] = [50, 99, 100].map(|p| milliseconds(percentile(&sum.latencies_us, p)));
    let object = json!({
        "measure": "commits", "paging": paging.name(), "clients": clients, "seconds": measured.as_secs_f64(),
        "accepted": accepted, "per_s": per_s.round(), "p50_ms": p50, "p99_ms": p99, "max_ms": max, "errors": sum.errors,
        "accepted_in_all": sum.accepted, "unknown_in_all": sum.unknown, "stored_on_every_node": stored, "lost": lost,
        "load_before": load_before, "load_after": load_after,
    });
    let [p50, p99] = [p50, p99].map(Option::unwrap_or_default);
    let errors: u64 = sum.errors.values().sum();
    let figures = format!(
        "{per_s:6.0} alerts/s, p50 {p50:6.2} ms, p99 {p99:6.2} ms, {errors} errors, {lost} lost"
    );
    let row = [
        format!("commits, told {}, {clients} clients", paging.name()),
        figures,
        load_text(load_before, load_after),
    ];
    report.put(&object, row)?;
    if lost > 0 {
        return Err(anyhow!("{lost} accepted alerts are not on every node"));
    }
    Ok(())
}

/// Raises alerts one after another, at one node after another, until the load is over.
async fn client(number: u32, endpoints: [Endpoint; NODES], load: Arc<Load>) -> Result<Tally> {
    let mut connections: [Option<Connection>; NODES] = [None, None, None];
    for (connection, endpoint) in connections.iter_mut().zip(&endpoints) {
        let opened = timeout(CONNECT_TIME, endpoint.connect()).await;
        *connection = Some(opened.context("a node takes no connection")??);
    }
    load.ready.wait().await;
    let mut tally = Tally::default();
    let mut count: u32 = 0;
    while load.phase.load(Ordering::Relaxed) != OVER {
        let node = (number as usize + count as usize) % NODES;
        let person = (number + count.wrapping_mul(load.clients)) % load.people;
        let body = alert(load.paging, person);
        let key = format!("{}-{number}-{count}", load.run);
        count += 1;
        let measured = load.phase.load(Ordering::Relaxed) == MEASURING;
        let asked = Instant::now();
        let done = timeout(REQUEST_TIME, async {
            let slot = &mut connections[node];
            let mut connection = match slot.take() {
                Some(connection) => connection,
                None => endpoints[node].connect().await?,
            };
            let answer = connection
                .ask(Method::POST, "/v1/alerts", Some(body), Some(&key))
                .await?;
            *slot = Some(connection); // not put back after an error or a timeout: the dialogue is out of step
            anyhow::Ok(answer.status)
        });
        let error = match done.await {
            Ok(Ok(StatusCode::CREATED)) => {
                tally.accepted += 1;
                if measured && load.phase.load(Ordering::Relaxed) == MEASURING {
                    tally.latencies_us.push(asked.elapsed().as_micros() as u64);
                }
                continue;
            }
            Ok(Ok(status)) => {
                tally.unknown += u64::from(status == StatusCode::GATEWAY_TIMEOUT);
                status.as_u16().to_string()
            }
            Ok(Err(_)) => {
                tally.unknown += 1;
                "connection".to_owned()
            }
            Err(_) => {
                tally.unknown += 1;
                "timeout".to_owned()
            }
        };
        if measured {
            *tally.errors.entry(error).or_default() += 1;
        }
        sleep(REFUSED_PAUSE).await;
    }
    Ok(tally)
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.latencies_us.extend(other.latencies_us);
        for (error, count) in other.errors {
            *self.errors.entry(error).or_default() += count;
        }
        self.accepted += other.accepted;
        self.unknown += other.unknown;
    }
}
