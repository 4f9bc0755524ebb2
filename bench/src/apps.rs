//! Apps that are open when an alert is raised: how long until each of them shows it.
//!
//! An app here does what the app in a browser does: it holds one connection with the stream of what changes, and asks for
//! the open alerts on another one as soon as the stream says so, up to 150 ms later so that not all ask at once.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use http_body_util::BodyExt as _;
use hyper::Method;
use hyper::body::Bytes;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::client::{Connection, Endpoint};
use crate::fleet::{Fleet, number_of};
use crate::report::{Report, load, load_text, milliseconds, percentile};
use crate::usage::{processor_ms, status_kib};
use crate::workload;

/// Apps that use one API key: a node lets 64 streams of one caller be.
const APPS_OF_KEY: u32 = 60;
/// Apps behind one address: a node lets 512 connections of one be.
const APPS_OF_ADDRESS: u32 = 100;
/// Apps that connect at the same time.
const CONNECT_AT_ONCE: usize = 32;
const REQUEST_TIME: Duration = Duration::from_secs(60);
/// For all apps to show an alert.
const SHOW_TIME: Duration = Duration::from_secs(60);
/// What an app waits at most before it asks.
const SPREAD_MS: u64 = 150;
/// Between two alerts.
const PAUSE: Duration = Duration::from_secs(3);
const OPEN: &str = "/v1/alerts?state=open&limit=20";

/// The number of the newest alert an app shows, and since when.
type Shown = (usize, u64, Instant);

/// Opens `apps` at one node and raises `alerts` at another, one after the other.
pub(crate) async fn measure(
    fleet: &Fleet,
    apps: u32,
    alerts: u32,
    report: &mut Report,
) -> Result<()> {
    let node = fleet.endpoint(0);
    let before = load()?;
    let (told, mut shown) = mpsc::unbounded_channel();
    let started = Instant::now();
    let mut running = open(node, apps, &told).await?;
    let opened = started.elapsed();
    let (_, pid) = fleet.processes()[0];
    let mut worst = Vec::new();
    let mut all = Vec::new();
    let used_before = processor_ms(pid)?;
    for nth in 0..alerts {
        sleep(PAUSE).await;
        let body = json!({
            "severity": "high", "text": format!("Pump {nth} has tripped at the north site"),
            "to": { "people": [workload::key(nth)] },
        });
        let raise = fleet.endpoint(1).change(Method::POST, "/v1/alerts", &body);
        let raised = timeout(REQUEST_TIME, raise).await??;
        let committed = Instant::now();
        let number = number_of(&raised).context("an alert has a number")?;
        let mut times = shown_by_all(&mut shown, apps, number, committed).await?;
        times.sort_unstable();
        worst.push(times.last().copied().unwrap_or_default());
        all.append(&mut times);
        if let Some(ended) = running.try_join_next() {
            ended??;
            bail!("an app's stream ended");
        }
    }
    let used = processor_ms(pid)? - used_before;
    let resident = status_kib(pid, "VmRSS:")? / 1_024;
    running.shutdown().await;
    let after = load()?;
    all.sort_unstable();
    worst.sort_unstable();
    let p = |sorted: &[u64], percent| milliseconds(percentile(sorted, percent)).unwrap_or_default();
    let last = milliseconds(worst.last().copied()).unwrap_or_default();
    let object = json!({
        "measure": "apps", "apps": apps, "alerts": alerts, "opened_s": opened.as_secs_f64(),
        "shown_p50_ms": p(&all, 50), "shown_p99_ms": p(&all, 99), "shown_by_all_p50_ms": p(&worst, 50),
        "shown_by_all_worst_ms": last, "node_cpu_ms_per_alert": used / f64::from(alerts.max(1)),
        "node_rss_mib": resident, "load_before": before, "load_after": after,
    });
    let figures = format!(
        "an alert is on half of them after {:.0} ms, on all after {:.0} ms, at worst {last:.0} ms; {resident} MiB",
        p(&all, 50),
        p(&worst, 50),
    );
    let row = [
        format!("{apps} apps on one node"),
        figures,
        load_text(before, after),
    ];
    report.put(&object, row)
}

async fn open(
    node: &Endpoint,
    apps: u32,
    told: &mpsc::UnboundedSender<Shown>,
) -> Result<JoinSet<Result<()>>> {
    let mut keys = Vec::new();
    for _ in 0..apps.div_ceil(APPS_OF_KEY) {
        let body = json!({ "name": "app", "scopes": ["alert:read"] });
        let made = timeout(REQUEST_TIME, node.change(Method::POST, "/v1/keys", &body)).await??;
        let key = made["key"].as_str().context("a key is shown once")?;
        keys.push(key.to_owned());
    }
    let mut running = JoinSet::new();
    let mut opening: JoinSet<Result<App>> = JoinSet::new();
    for nth in 0..apps {
        if opening.len() >= CONNECT_AT_ONCE
            && let Some(opened) = opening.join_next().await
        {
            running.spawn(opened??.live(told.clone()));
        }
        let key = &keys[(nth / APPS_OF_KEY) as usize];
        let address =
            Ipv4Addr::from_bits(Ipv4Addr::new(127, 0, 1, 1).to_bits() + nth / APPS_OF_ADDRESS);
        let node = node.coming_from(IpAddr::V4(address)).with_key(key)?;
        opening.spawn(App::open(nth as usize, node));
    }
    while let Some(opened) = opening.join_next().await {
        running.spawn(opened??.live(told.clone()));
    }
    Ok(running)
}

/// How long after the commit each app showed an alert, µs.
async fn shown_by_all(
    shown: &mut mpsc::UnboundedReceiver<Shown>,
    apps: u32,
    number: u64,
    committed: Instant,
) -> Result<Vec<u64>> {
    let mut times = vec![None; apps as usize];
    let mut missing = times.len();
    let deadline = committed + SHOW_TIME;
    while missing > 0 {
        let told = timeout_at(deadline, shown.recv()).await;
        let told = told.with_context(|| format!("{missing} apps do not show alert {number}"))?;
        let (app, newest, at) = told.context("all apps have ended")?;
        if newest >= number && times[app].is_none() {
            times[app] = Some(at.saturating_duration_since(committed).as_micros() as u64);
            missing -= 1;
        }
    }
    Ok(times.into_iter().flatten().collect())
}

struct App {
    nth: usize,
    stream: hyper::body::Incoming,
    /// Holds the stream's connection open.
    _listening: Connection,
    asking: Connection,
}

impl App {
    async fn open(nth: usize, node: Endpoint) -> Result<Self> {
        let (mut listening, asking) = (node.connect().await?, node.connect().await?);
        let stream = timeout(REQUEST_TIME, listening.stream("/v1/events")).await??;
        Ok(Self {
            nth,
            stream,
            _listening: listening,
            asking,
        })
    }

    /// Looks at the open alerts whenever the stream names them, and tells of the newest.
    async fn live(mut self, told: mpsc::UnboundedSender<Shown>) -> Result<()> {
        let mut newest = 0;
        let mut text = Vec::new();
        while let Some(frame) = self.stream.frame().await {
            let Ok(data) = frame?.into_data() else {
                continue;
            };
            text.extend_from_slice(&data);
            if !take_events(&mut text) {
                continue;
            }
            let spread = rand::random_range(0..SPREAD_MS);
            sleep(Duration::from_millis(spread)).await;
            let asked = self.asking.ask(Method::GET, OPEN, None::<Bytes>, None);
            let open: Value = timeout(REQUEST_TIME, asked).await??.json()?;
            let alerts = open["alerts"].as_array().into_iter().flatten();
            let seen = alerts.filter_map(number_of).max();
            if let Some(seen) = seen.filter(|seen| *seen > newest) {
                newest = seen;
                _ = told.send((self.nth, seen, Instant::now()));
            }
        }
        bail!("the node ended a stream")
    }
}

/// Takes whole events from what was read; whether one of them names alerts.
fn take_events(text: &mut Vec<u8>) -> bool {
    let Some(end) = text.windows(2).rposition(|pair| pair == b"\n\n") else {
        return false;
    };
    let events: Vec<u8> = text.drain(..end + 2).collect();
    String::from_utf8_lossy(&events).contains("\"alerts\"")
}
