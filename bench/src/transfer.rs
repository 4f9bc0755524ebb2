//! Planned hand-over of leadership: the longest time in which nobody's alert was accepted.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use hyper::{Method, StatusCode};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::client::Endpoint;
use crate::fleet::{Fleet, NODES};
use crate::report::{Report, load, load_text, milliseconds, percentile};
use crate::workload::{Paging, alert, run_id};

/// Clients that raise all the time; enough that the gap shows and not so many that they make one.
const CLIENTS: u32 = 4;
const REQUEST_TIME: Duration = Duration::from_secs(10);
const SETTLE: Duration = Duration::from_millis(500);
const AROUND: Duration = Duration::from_secs(1);

/// Hands leadership over `times` times.
pub(crate) async fn measure(
    fleet: &Fleet,
    times: u32,
    people: u32,
    report: &mut Report,
) -> Result<()> {
    let before = load()?;
    let mut gaps = Vec::new();
    for _ in 0..times {
        gaps.push(gap(fleet, people).await?.as_micros() as u64);
    }
    gaps.sort_unstable();
    let after = load()?;
    let [median, worst] = [50, 100].map(|p| milliseconds(percentile(&gaps, p)).unwrap_or_default());
    let object = json!({
        "measure": "transfer", "times": times, "gap_ms_median": median, "gap_ms_worst": worst,
        "load_before": before, "load_after": after,
    });
    let figures = format!("gap {median:.0} / {worst:.0} ms median / worst");
    let row = [
        format!("planned hand-over, {times} times"),
        figures,
        load_text(before, after),
    ];
    report.put(&object, row)
}

/// The longest pause between two accepted alerts around one hand-over.
async fn gap(fleet: &Fleet, people: u32) -> Result<Duration> {
    fleet.settled().await?;
    let (accepted, mut times) = mpsc::channel(4_096);
    let mut clients = JoinSet::new();
    let run = run_id();
    for number in 0..CLIENTS {
        let endpoints: Vec<Endpoint> = (0..NODES).map(|i| fleet.endpoint(i).clone()).collect();
        let (accepted, run) = (accepted.clone(), run.clone());
        clients.spawn(async move {
            let mut connections = Vec::new();
            for endpoint in &endpoints {
                connections.push(endpoint.connect().await?);
            }
            for count in 0_u32.. {
                let body = Some(alert(Paging::Later, (number + count * CLIENTS) % people));
                let key = format!("{run}-{number}-{count}");
                let connection = &mut connections[(number + count) as usize % NODES];
                let asked = connection.ask(Method::POST, "/v1/alerts", body, Some(&key));
                let answer = timeout(REQUEST_TIME, asked)
                    .await
                    .context("an alert got no answer")??;
                if answer.status != StatusCode::CREATED {
                    bail!("an alert was answered {} during a hand-over", answer.status);
                }
                if accepted.send(Instant::now()).await.is_err() {
                    break;
                }
            }
            Ok(())
        });
    }
    drop(accepted);
    sleep(SETTLE).await;
    let handed = Instant::now();
    let anyone = json!({});
    let order = fleet
        .endpoint(0)
        .change(Method::POST, "/v1/cluster/transfer", &anyone);
    timeout(REQUEST_TIME, order)
        .await
        .context("no answer to a hand-over")??;
    let mut seen = vec![handed];
    while let Some(at) = times.recv().await {
        if at > handed {
            seen.push(at);
        }
        if at > handed + AROUND {
            break;
        }
    }
    drop(times);
    while let Some(client) = clients.join_next().await {
        client??;
    }
    seen.sort_unstable();
    let pauses = seen.windows(2).map(|pair| pair[1] - pair[0]);
    pauses.max().context("nobody's alert was accepted")
}
