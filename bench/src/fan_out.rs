//! One alert to very many people: how long until every one of them is owed a durable delivery, and what that does to other
//! people's alerts meanwhile.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use hyper::Method;
use hyper::body::Bytes;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::client::Endpoint;
use crate::fleet::{Fleet, NODES};
use crate::others::Others;
use crate::report::{Report, load, load_text, milliseconds, percentile};
use crate::workload::{self, Paging, alert, run_id};

/// People of one group; the alert names as many groups as it takes.
const GROUP: u32 = 2_000;

const REQUEST_TIME: Duration = Duration::from_secs(30);
const GIVE_UP: Duration = Duration::from_secs(300);
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Before the large alert, for comparison.
const CALM: Duration = Duration::from_secs(3);

/// Raises one alert to `people` people; the fleet knows them.
pub(crate) async fn measure(fleet: &Fleet, people: u32, report: &mut Report) -> Result<()> {
    let groups = put_groups(fleet, people).await?;
    fleet.settled().await?;
    let before = load()?;
    let calm = others(fleet, people);
    sleep(CALM).await;
    let calm = calm.end().await?;

    let others = others(fleet, people);
    let body = json!({ "severity": "high", "text": "Everyone: the site is closed until further notice.", "to": { "groups": groups } });
    let started = Instant::now();
    let raised = raise(fleet.endpoint(0), body).await?;
    let accepted = started.elapsed();
    let id = raised["id"]
        .as_str()
        .context("a raise answers with an id")?;
    for index in 0..NODES {
        all_owed(fleet.endpoint(index), id, people, started).await?;
    }
    let durable = started.elapsed();
    let busy = others.end().await?;
    let after = load()?;
    let ms = |time: Duration| time.as_secs_f64() * 1_000.0;
    let p = |sorted: &[u64], percent| milliseconds(percentile(sorted, percent)).unwrap_or_default();
    let object = json!({
        "measure": "fan-out", "people": people, "accepted_ms": ms(accepted), "all_durable_on_every_node_ms": ms(durable),
        "others_calm_p50_ms": p(&calm, 50), "others_calm_p99_ms": p(&calm, 99), "others_p50_ms": p(&busy, 50),
        "others_p99_ms": p(&busy, 99), "others": busy.len(), "load_before": before, "load_after": after,
    });
    let figures = format!(
        "all owed after {:.1} s; others' p99 {:.0} ms meanwhile, {:.0} ms before",
        durable.as_secs_f64(),
        p(&busy, 99),
        p(&calm, 99)
    );
    let row = [
        format!("one alert to {people} people"),
        figures,
        load_text(before, after),
    ];
    report.put(&object, row)
}

fn others(fleet: &Fleet, people: u32) -> Others {
    Others::start(fleet, move |count| alert(Paging::Later, count % people))
}

async fn put_groups(fleet: &Fleet, people: u32) -> Result<Vec<String>> {
    let mut keys = Vec::new();
    for first in (0..people).step_by(GROUP as usize) {
        let key = format!("g{first:06}");
        let members: Vec<String> = (first..people.min(first + GROUP))
            .map(workload::key)
            .collect();
        let body = json!({ "groups": [{ "key": key, "name": key, "members": members }] });
        let asked = fleet.endpoint(0).change(Method::PUT, "/v1/groups", &body);
        timeout(REQUEST_TIME, asked)
            .await
            .context("no answer to a change of groups")??;
        keys.push(key);
    }
    Ok(keys)
}

async fn raise(endpoint: &Endpoint, body: Value) -> Result<Value> {
    let body = Bytes::from(body.to_string());
    let key = run_id();
    let asked = endpoint.ask(Method::POST, "/v1/alerts", Some(body), Some(&key));
    let answer = timeout(REQUEST_TIME, asked)
        .await
        .context("no answer to the large alert")??;
    answer.json()
}

/// Waits until a node has a delivery for everyone.
async fn all_owed(endpoint: &Endpoint, id: &str, people: u32, since: Instant) -> Result<()> {
    let path = format!("/v1/alerts/{id}?limit=1");
    loop {
        let alert = timeout(REQUEST_TIME, endpoint.get(&path))
            .await
            .context("no answer to a question for an alert")??;
        let states = alert["deliveries_by_state"].as_object();
        let owed: u64 = states
            .map(|states| states.values().filter_map(Value::as_u64).sum())
            .unwrap_or_default();
        if owed >= u64::from(people) {
            return Ok(());
        }
        if since.elapsed() > GIVE_UP {
            bail!("{owed} of {people} were owed after {} s", GIVE_UP.as_secs());
        }
        sleep(LOOK_EVERY).await;
    }
}
