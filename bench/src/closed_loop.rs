//! Clients that each write one thing after another, as fast as they are answered: the same loop for Holdfast and for the
//! peers beside it, so that the figures can be compared.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::report::{milliseconds, percentile};
use crate::usage::processor_ms;

/// Time before the measurement in which the same load already runs.
const WARM_UP: Duration = Duration::from_secs(1);

/// Opening all connections of one client; 256 clients open theirs at once.
const CONNECT_TIME: Duration = Duration::from_secs(30);

/// One write. A write that took this long is an error and its outcome unknown.
const WRITE_TIME: Duration = Duration::from_secs(20);

/// A client that was refused waits this long, so that a broken cluster is not flooded.
const REFUSED_PAUSE: Duration = Duration::from_millis(20);

const WARMING: u8 = 0;
const MEASURING: u8 = 1;
const OVER: u8 = 2;

/// One client with its connections open.
pub(crate) trait Writer: Send + 'static {
    /// Writes its `count`-th thing and returns once it is durable on a majority.
    fn write(&mut self, count: u32) -> impl Future<Output = Result<(), Refused>> + Send;
}

/// A write that was not acknowledged.
#[derive(Debug)]
pub(crate) struct Refused {
    /// Status or kind of error.
    pub(crate) kind: String,
    /// It may have been done all the same.
    pub(crate) unknown: bool,
}

/// What all clients together saw.
#[derive(Debug, Default)]
pub(crate) struct Measured {
    /// Microseconds per measured write, sorted.
    latencies_us: Vec<u64>,
    /// Errors while measuring, by kind.
    errors: BTreeMap<String, u64>,
    /// Writes acknowledged from the first to the last moment, measured or not.
    pub(crate) accepted: u64,
    /// Writes whose outcome is not known, measured or not.
    pub(crate) unknown: u64,
    seconds: f64,
    /// Processor milliseconds used by the servers, and by this process.
    servers_ms: f64,
    clients_ms: f64,
}

struct Shared {
    phase: AtomicU8,
    /// Everyone's connections are open.
    ready: Barrier,
}

/// Runs `clients` clients for `length`. `open` opens one client's connections; `servers` are the processes measured.
pub(crate) async fn run<W, O>(
    clients: u16,
    length: Duration,
    servers: &[u32],
    open: impl Fn(u32) -> O,
) -> Result<Measured>
where
    W: Writer,
    O: Future<Output = Result<W>> + Send + 'static,
{
    let shared = Arc::new(Shared {
        phase: AtomicU8::new(WARMING),
        ready: Barrier::new(usize::from(clients) + 1),
    });
    let mut tasks = JoinSet::new();
    for number in 0..u32::from(clients) {
        tasks.spawn(client(open(number), Arc::clone(&shared)));
    }
    // A client that cannot connect never comes to the barrier.
    timeout(CONNECT_TIME + WRITE_TIME, shared.ready.wait())
        .await
        .context("not every client could connect")?;
    sleep(WARM_UP).await;
    let used = || -> Result<(f64, f64)> {
        let servers = servers.iter().map(|pid| processor_ms(*pid));
        Ok((
            servers.sum::<Result<f64>>()?,
            processor_ms(std::process::id())?,
        ))
    };
    let (servers_before, clients_before) = used()?;
    shared.phase.store(MEASURING, Ordering::Relaxed);
    let started = Instant::now();
    sleep(length).await;
    shared.phase.store(OVER, Ordering::Relaxed);
    let seconds = started.elapsed().as_secs_f64();
    let (servers_after, clients_after) = used()?;
    let mut sum = Measured {
        seconds,
        servers_ms: servers_after - servers_before,
        clients_ms: clients_after - clients_before,
        ..Measured::default()
    };
    while let Some(one) = tasks.join_next().await {
        sum.add(one??);
    }
    sum.latencies_us.sort_unstable();
    Ok(sum)
}

async fn client<W: Writer>(
    open: impl Future<Output = Result<W>>,
    shared: Arc<Shared>,
) -> Result<Measured> {
    let opened = timeout(CONNECT_TIME, open).await;
    let mut writer = opened.context("a server takes no connection")??;
    shared.ready.wait().await;
    let mut seen = Measured::default();
    let mut count: u32 = 0;
    loop {
        let phase = shared.phase.load(Ordering::Relaxed);
        if phase == OVER {
            return Ok(seen);
        }
        let asked = Instant::now();
        let done = timeout(WRITE_TIME, writer.write(count)).await;
        count += 1;
        let measured = phase == MEASURING;
        let refused = match done {
            Ok(Ok(())) => {
                seen.accepted += 1;
                if measured && shared.phase.load(Ordering::Relaxed) == MEASURING {
                    seen.latencies_us.push(asked.elapsed().as_micros() as u64);
                }
                continue;
            }
            Ok(Err(refused)) => refused,
            Err(_) => Refused {
                kind: "timeout".to_owned(),
                unknown: true,
            },
        };
        seen.unknown += u64::from(refused.unknown);
        if measured {
            *seen.errors.entry(refused.kind).or_default() += 1;
        }
        sleep(REFUSED_PAUSE).await;
    }
}

impl Measured {
    /// Acknowledged writes per second.
    pub(crate) fn per_s(&self) -> f64 {
        self.latencies_us.len() as f64 / self.seconds
    }

    /// The latency that `percent` of the writes do not exceed, in milliseconds.
    pub(crate) fn latency_ms(&self, percent: usize) -> f64 {
        milliseconds(percentile(&self.latencies_us, percent)).unwrap_or_default()
    }

    /// The figures for programs.
    pub(crate) fn json(&self) -> Value {
        let per_write = |ms: f64| round(ms / self.latencies_us.len().max(1) as f64);
        json!({
            "seconds": self.seconds, "accepted": self.latencies_us.len(), "per_s": self.per_s().round(),
            "p50_ms": self.latency_ms(50), "p99_ms": self.latency_ms(99), "max_ms": self.latency_ms(100),
            "errors": self.errors, "accepted_in_all": self.accepted, "unknown_in_all": self.unknown,
            "servers_cpu_ms_per_write": per_write(self.servers_ms), "clients_cpu_ms_per_write": per_write(self.clients_ms),
        })
    }

    /// The figures for people.
    pub(crate) fn words(&self) -> String {
        let errors: u64 = self.errors.values().sum();
        let per_write = |ms: f64| ms / self.latencies_us.len().max(1) as f64;
        format!(
            "{:6.0} /s, p50 {:6.2} ms, p99 {:6.2} ms, processor {:.2} + {:.2} ms a write, {errors} errors",
            self.per_s(),
            self.latency_ms(50),
            self.latency_ms(99),
            per_write(self.servers_ms),
            per_write(self.clients_ms),
        )
    }

    fn add(&mut self, other: Self) {
        self.latencies_us.extend(other.latencies_us);
        for (error, count) in other.errors {
            *self.errors.entry(error).or_default() += count;
        }
        self.accepted += other.accepted;
        self.unknown += other.unknown;
    }
}

fn round(ms: f64) -> f64 {
    (ms * 1_000.0).round() / 1_000.0
}
