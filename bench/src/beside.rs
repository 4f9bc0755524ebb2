//! Holdfast beside etcd and NATS in one run: the same closed loop at the same levels, one system after the other, and
//! leader kills in turn.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};
use serde_json::json;
use tokio::select;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use crate::closed_loop::{self, Measured};
use crate::fleet::Fleet;
use crate::peers::etcd::{Etcd, Putter, Session};
use crate::peers::nats::{self, Nats, Publisher};
use crate::report::{Report, load, load_text, milliseconds, note, percentile};
use crate::workload::Paging;
use crate::{Commits, PEOPLE, Site, commits, failover};

/// As for Holdfast: see [`failover`].
const ATTEMPT_EVERY: Duration = Duration::from_millis(25);
const ATTEMPT_TIME: Duration = Duration::from_secs(1);
const GIVE_UP: Duration = Duration::from_secs(40);
const REST: Duration = Duration::from_secs(2);

/// Writes at every level with each system, and their ratio.
pub(crate) async fn commits(site: &Site, wanted: &Commits, report: &mut Report) -> Result<()> {
    let etcd = Etcd::start(&site.disk).await?;
    let nats = Nats::start(&site.disk).await?;
    for (name, missing) in [("etcd", etcd.is_none()), ("nats-server", nats.is_none())] {
        if missing {
            note(&format!("{name} is not installed; left out"));
        }
    }
    let fleet = site.fleet(PEOPLE).await?;
    let done = levels(&fleet, etcd.as_ref(), nats.as_ref(), wanted, report).await;
    fleet.explained(done)
}

async fn levels(
    fleet: &Fleet,
    etcd: Option<&Etcd>,
    nats: Option<&Nats>,
    wanted: &Commits,
    report: &mut Report,
) -> Result<()> {
    let length = Duration::from_secs(wanted.seconds);
    for clients in &wanted.clients {
        let clients = *clients;
        let ours = commits::measure(fleet, clients, length, Paging::Later, PEOPLE, report).await?;
        if let Some(etcd) = etcd {
            let before = load()?;
            let open = |number| {
                let port = etcd.port(number);
                async move {
                    let session = Session::connect(port).await?;
                    Ok(Putter { session, number })
                }
            };
            let theirs = closed_loop::run(clients, length, &etcd.pids(), open).await?;
            put("etcd", clients, &theirs, before, report)?;
            compare(clients, &ours, &theirs, report)?;
        }
        if let Some(nats) = nats {
            let before = load()?;
            let open = |number| {
                let port = nats.port(number);
                async move {
                    let session = nats::Session::connect(port, &format!("c{number}")).await?;
                    Ok(Publisher { session, number })
                }
            };
            let theirs = closed_loop::run(clients, length, &nats.pids(), open).await?;
            put("NATS (no fsync)", clients, &theirs, before, report)?;
        }
    }
    Ok(())
}

fn put(
    system: &str,
    clients: u16,
    seen: &Measured,
    before: [f64; 3],
    report: &mut Report,
) -> Result<()> {
    let after = load()?;
    let mut object = seen.json();
    object["measure"] = json!("peer commits");
    object["system"] = json!(system);
    object["clients"] = json!(clients);
    object["load_before"] = json!(before);
    object["load_after"] = json!(after);
    let row = [
        format!("{system}, {clients} clients"),
        seen.words(),
        load_text(before, after),
    ];
    report.put(&object, row)
}

fn compare(clients: u16, ours: &Measured, etcd: &Measured, report: &mut Report) -> Result<()> {
    let ratio = ours.per_s() / etcd.per_s();
    let (p99, theirs) = (ours.latency_ms(99), etcd.latency_ms(99));
    let object = json!({
        "measure": "ratio to etcd", "clients": clients, "per_s": ratio, "p99_ms": p99, "etcd_p99_ms": theirs,
    });
    let figures = format!("{ratio:.2} times etcd's rate, p99 {p99:.1} to {theirs:.1} ms");
    report.put(
        &object,
        [format!("ratio, {clients} clients"), figures, String::new()],
    )
}

/// Kills the leader of both in turn, `kills` times each.
pub(crate) async fn fail_over(site: &Site, kills: u32, report: &mut Report) -> Result<()> {
    let Some(mut etcd) = Etcd::start(&site.disk).await? else {
        return Err(anyhow!(
            "etcd is not installed; `apt install etcd-server` or leave out the comparison"
        ));
    };
    let mut fleet = site.fleet(PEOPLE).await?;
    let mut gaps = Vec::new();
    for number in 1..=kills {
        let done = failover::measure(&mut fleet, 1, PEOPLE, report).await;
        fleet.explained(done)?;
        let gap = etcd_gap(&mut etcd, number).await?;
        gaps.push(gap.as_micros() as u64);
        sleep(REST).await;
    }
    gaps.sort_unstable();
    let [median, worst] = [50, 100].map(|p| milliseconds(percentile(&gaps, p)).unwrap_or_default());
    let now = load()?;
    let object = json!({
        "measure": "etcd failover", "kills": kills, "gap_ms_median": median, "gap_ms_worst": worst,
    });
    let figures = format!("gap {median:.0} / {worst:.0} ms median / worst");
    let row = [
        format!("etcd failover, {kills} kills"),
        figures,
        load_text(now, now),
    ];
    report.put(&object, row)
}

/// From the kill of etcd's leader to the next acknowledged put, asked of the survivors in turn.
async fn etcd_gap(etcd: &mut Etcd, number: u32) -> Result<Duration> {
    etcd.settled().await?;
    let mut session = Session::connect(etcd.port(0)).await?;
    session
        .put(&format!("before/{number}"))
        .await
        .context("a well etcd took no put")?;
    drop(session);
    let (killed, index, ports) = etcd.kill_leader().await?;
    let gap = accepted_again(killed, &ports, number).await?;
    etcd.bring_back(index).await?;
    Ok(gap)
}

async fn accepted_again(since: Instant, ports: &[u16], number: u32) -> Result<Duration> {
    let mut tasks: JoinSet<Result<()>> = JoinSet::new();
    let mut ticks = interval(ATTEMPT_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut attempts = 0;
    loop {
        select! {
            Some(done) = tasks.join_next() => if done?.is_ok() {
                return Ok(since.elapsed());
            },
            _ = ticks.tick() => {
                if since.elapsed() > GIVE_UP {
                    return Err(anyhow!("etcd took no put within {} s", GIVE_UP.as_secs()));
                }
                let port = ports[attempts % ports.len()];
                attempts += 1;
                let key = format!("after/{number}/{attempts}");
                tasks.spawn(async move {
                    let put = async { Session::connect(port).await?.put(&key).await };
                    timeout(ATTEMPT_TIME, put).await.context("no answer in time")?
                });
            }
        }
    }
}
