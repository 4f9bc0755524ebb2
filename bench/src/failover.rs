//! How long a dead leader is missed: kill -9, then the next alert at the nodes that are left.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use hyper::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::select;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use crate::client::Endpoint;
use crate::fleet::{Fleet, NODES, stored_everywhere};
use crate::report::{Report, load, load_text, milliseconds, percentile};
use crate::workload::{Paging, alert, run_id};

/// Alerts raised one after another before each kill: the cluster is in use when its leader dies.
const ALERTS_BEFORE: u32 = 30;

/// Between those alerts.
const PAUSE_BEFORE: Duration = Duration::from_millis(20);

/// The client asks again this often, at one survivor and then the other, while earlier attempts may still be answered.
const ATTEMPT_EVERY: Duration = Duration::from_millis(25);

/// One attempt.
const ATTEMPT_TIME: Duration = Duration::from_secs(1);

/// A cluster that takes longer to accept an alert counts as broken.
const GIVE_UP: Duration = Duration::from_secs(40);

/// One request to a cluster that should be well.
const REQUEST_TIME: Duration = Duration::from_secs(10);

/// Between a rejoin and the next trial: long against every timer of the lan profile.
const REST: Duration = Duration::from_secs(2);

/// The rest is lengthened by up to this much, another for each trial, so that kills do not keep step with heartbeats.
const REST_SPREAD_MS: u32 = 400;

/// One kill and what followed.
struct Trial {
    killed: u64,
    /// Who leads once the killed node is back.
    leader: u64,
    gap: Duration,
    attempts: u32,
    rejoin: Duration,
    lost: usize,
    doubled: u64,
}

/// Kills the leader `kills` times.
pub(crate) async fn measure(
    fleet: &mut Fleet,
    kills: u32,
    people: u32,
    report: &mut Report,
) -> Result<()> {
    let run = run_id();
    let (mut gaps, mut rejoins, mut lost, mut doubled) = (Vec::new(), Vec::new(), 0, 0_u64);
    let started = load()?;
    for number in 1..=kills {
        let before = load()?;
        let trial = trial(fleet, &format!("{run}-{number}"), number % people)
            .await
            .with_context(|| format!("trial {number}"))?;
        let after = load()?;
        let object = json!({
            "measure": "failover", "trial": number, "killed": trial.killed, "leader": trial.leader,
            "gap_ms": round_ms(trial.gap), "attempts": trial.attempts, "rejoin_ms": round_ms(trial.rejoin),
            "lost": trial.lost, "doubled": trial.doubled, "load_before": before, "load_after": after,
        });
        let figures = format!(
            "gap {:5.0} ms, {} attempts, back after {:.0} ms",
            round_ms(trial.gap),
            trial.attempts,
            round_ms(trial.rejoin)
        );
        let row = [
            format!("failover {number}, node {} killed", trial.killed),
            figures,
            load_text(before, after),
        ];
        report.put(&object, row)?;
        gaps.push(trial.gap.as_micros() as u64);
        rejoins.push(trial.rejoin.as_micros() as u64);
        lost += trial.lost;
        doubled += trial.doubled;
    }
    summary(gaps, rejoins, (lost, doubled), started, report)?;
    if lost > 0 || doubled > 0 {
        bail!("{lost} accepted alerts were lost and {doubled} were raised twice");
    }
    Ok(())
}

fn summary(
    mut gaps: Vec<u64>,
    mut rejoins: Vec<u64>,
    (lost, doubled): (usize, u64),
    before: [f64; 3],
    report: &mut Report,
) -> Result<()> {
    gaps.sort_unstable();
    rejoins.sort_unstable();
    let after = load()?;
    let [median, worst] = [50, 100].map(|p| milliseconds(percentile(&gaps, p)).unwrap_or_default());
    let best = milliseconds(gaps.first().copied()).unwrap_or_default();
    let back = milliseconds(percentile(&rejoins, 50)).unwrap_or_default();
    let object = json!({
        "measure": "failover summary", "kills": gaps.len(), "gap_ms_best": best, "gap_ms_median": median,
        "gap_ms_worst": worst, "rejoin_ms_median": back, "lost": lost, "doubled": doubled,
        "load_before": before, "load_after": after,
    });
    let figures = format!(
        "gap {best:.0} / {median:.0} / {worst:.0} ms best / median / worst, {lost} lost, {doubled} doubled"
    );
    let row = [
        format!("failover, {} kills", gaps.len()),
        figures,
        load_text(before, after),
    ];
    report.put(&object, row)
}

async fn trial(fleet: &mut Fleet, run: &str, number: u32) -> Result<Trial> {
    let stored_before = stored_everywhere(fleet).await?;
    let mut accepted = Vec::new();
    for count in 0..ALERTS_BEFORE {
        let endpoint = fleet.endpoint(count as usize % NODES);
        let key = format!("{run}-before-{count}");
        let raised = timeout(REQUEST_TIME, raise(endpoint, &key, number)).await;
        accepted.push(raised.context("a well cluster took no alert in time")??.id);
        sleep(PAUSE_BEFORE).await;
    }
    let killed = fleet.settled().await?;
    let survivors: Vec<Endpoint> = (1..)
        .zip(0..NODES)
        .filter(|(id, _)| *id != killed)
        .map(|(_, index)| fleet.endpoint(index).clone())
        .collect();
    let since = fleet.kill(killed).await?;
    let key = format!("{run}-after");
    let (gap, attempts, raised) = accepted_again(&survivors, &key, number, since).await?;
    accepted.push(raised.id);

    let rejoin = fleet.bring_back(killed).await?.caught_up;
    let leader = fleet.settled().await?;
    let index = usize::try_from(killed)? - 1;
    let lost = missing(fleet.endpoint(index), &accepted).await?;
    // Both survivors were asked for the same alert many times over.
    let stored = stored_everywhere(fleet).await? - stored_before;
    let doubled = stored.saturating_sub(accepted.len() as u64);
    let spread = u64::from(number * 137 % REST_SPREAD_MS);
    sleep(REST + Duration::from_millis(spread)).await;
    Ok(Trial {
        killed,
        leader,
        gap,
        attempts,
        rejoin,
        lost,
        doubled,
    })
}

/// Asks the survivors in turn until one accepts. Gives the time since the kill.
async fn accepted_again(
    survivors: &[Endpoint],
    key: &str,
    person: u32,
    since: Instant,
) -> Result<(Duration, u32, Raised)> {
    let mut tasks = JoinSet::new();
    let mut ticks = interval(ATTEMPT_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut attempts: u32 = 0;
    let mut last = anyhow!("no attempt was answered");
    loop {
        select! {
            Some(done) = tasks.join_next() => match done? {
                Ok(Ok(raised)) => return Ok((since.elapsed(), attempts, raised)),
                Ok(Err(error)) => last = error,
                Err(_) => last = anyhow!("an attempt got no answer in time"),
            },
            _ = ticks.tick() => {
                if since.elapsed() > GIVE_UP {
                    return Err(last.context(format!("no alert was accepted within {} s", GIVE_UP.as_secs())));
                }
                let (endpoint, key) = (survivors[attempts as usize % survivors.len()].clone(), key.to_owned());
                attempts += 1;
                tasks.spawn(timeout(ATTEMPT_TIME, async move { raise(&endpoint, &key, person).await }));
            }
        }
    }
}

/// An accepted alert.
struct Raised {
    id: String,
}

async fn raise(endpoint: &Endpoint, key: &str, person: u32) -> Result<Raised> {
    let body = Some(alert(Paging::Later, person));
    let answer = endpoint
        .ask(Method::POST, "/v1/alerts", body, Some(key))
        .await?;
    let body: Value = answer.json()?;
    match body["id"].as_str() {
        Some(id) if answer.status == StatusCode::CREATED => Ok(Raised { id: id.to_owned() }),
        Some(_) | None => Err(anyhow!(
            "the answer to a raise is {}: {body}",
            answer.status
        )),
    }
}

/// How many of these alerts a node does not have.
async fn missing(endpoint: &Endpoint, ids: &[String]) -> Result<usize> {
    let mut missing = 0;
    for id in ids {
        let path = format!("/v1/alerts/{id}");
        let answer = timeout(REQUEST_TIME, endpoint.ask(Method::GET, &path, None, None)).await;
        let answer = answer.context("no answer to a question for an alert")??;
        match answer.status {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => missing += 1,
            other => bail!("asked for an alert, the node answered {other}"),
        }
    }
    Ok(missing)
}

fn round_ms(time: Duration) -> f64 {
    (time.as_secs_f64() * 10_000.0).round() / 10.0
}
