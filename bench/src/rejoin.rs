//! A node that was away: how long until it answers, and until it has everything it missed.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use hyper::{Method, StatusCode};
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::client::Endpoint;
use crate::fleet::{Fleet, NODES};
use crate::report::{Report, load, load_text, note};
use crate::workload::{Paging, alert, run_id};

/// Clients that raise while the node is away: enough that the entries come fast.
const CLIENTS: u32 = 64;

/// Alerts each client raises before the log is looked at again.
const ROUND: u32 = 50;

const REQUEST_TIME: Duration = Duration::from_secs(30);

/// Kills a follower, writes `entries` log entries without it, starts it again.
pub(crate) async fn measure(
    fleet: &mut Fleet,
    entries: u32,
    people: u32,
    report: &mut Report,
) -> Result<()> {
    let before = load()?;
    let leader = usize::try_from(fleet.settled().await?)? - 1;
    let away = (leader + 1) % NODES;
    fleet.kill(away as u64 + 1).await?;
    let first = fleet.last_log(leader).await?;
    let written = Instant::now();
    let mut missed = 0;
    let run = run_id();
    for round in 0_u32.. {
        if missed >= u64::from(entries) {
            break;
        }
        raise_round(fleet, away, &run, round, people).await?;
        missed = fleet.last_log(leader).await? - first;
    }
    note(&format!(
        "{missed} entries in {:.0} s",
        written.elapsed().as_secs_f64()
    ));
    let back = fleet.bring_back(away as u64 + 1).await?;
    let after = load()?;
    let seconds = |time: Duration| (time.as_secs_f64() * 1_000.0).round() / 1_000.0;
    let object = json!({
        "measure": "rejoin", "missed": missed, "ready_s": seconds(back.ready),
        "caught_up_s": seconds(back.caught_up), "load_before": before, "load_after": after,
    });
    let figures = format!(
        "answers after {:.2} s, caught up after {:.1} s",
        back.ready.as_secs_f64(),
        back.caught_up.as_secs_f64()
    );
    let row = [
        format!("rejoin after {missed} entries"),
        figures,
        load_text(before, after),
    ];
    report.put(&object, row)
}

async fn raise_round(fleet: &Fleet, away: usize, run: &str, round: u32, people: u32) -> Result<()> {
    let living: Vec<Endpoint> = (0..NODES)
        .filter(|index| *index != away)
        .map(|index| fleet.endpoint(index).clone())
        .collect();
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        let endpoint = living[number as usize % living.len()].clone();
        let key = format!("{run}-{round}-{number}");
        clients.spawn(async move {
            let mut connection = endpoint.connect().await?;
            for count in 0..ROUND {
                let body = Some(alert(Paging::Later, (number + count * CLIENTS) % people));
                let key = format!("{key}-{count}");
                let asked = connection.ask(Method::POST, "/v1/alerts", body, Some(&key));
                let answer = timeout(REQUEST_TIME, asked)
                    .await
                    .context("an alert got no answer")??;
                if answer.status != StatusCode::CREATED {
                    bail!("an alert was answered {}", answer.status);
                }
            }
            Ok(())
        });
    }
    while let Some(client) = clients.join_next().await {
        client??;
    }
    Ok(())
}
