//! The doors: whether the time of an answer tells an account that exists from one that does not, and whether passwords
//! being looked at at all nodes delay the commits of others.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use data_encoding::BASE64URL_NOPAD as BASE64URL;
use hyper::body::Bytes;
use hyper::{Method, StatusCode};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::client::Endpoint;
use crate::fleet::{Fleet, NODES};
use crate::others::Others;
use crate::report::{Report, load, load_text, milliseconds, percentile};
use crate::workload;

const PASSWORD: &str = "tuuli kettu 9 lanka";
const WRONG: &str = "lanka 9 kettu tuuli";
/// One answer: a password waits for its turn at most half of this.
const REQUEST_TIME: Duration = Duration::from_secs(30);
/// Alerts without anybody at the doors, for comparison.
const CALM: Duration = Duration::from_secs(5);
/// Who come to each node's door at once: more than it looks at and lets wait.
const STRANGERS: u32 = 24;

/// Measures both.
pub(crate) async fn measure(
    fleet: &Fleet,
    names: u32,
    crowded: &[u16],
    time: Duration,
    report: &mut Report,
) -> Result<()> {
    let doors = Doors {
        device: described()?,
        next: Arc::default(),
    };
    for nth in 0..names {
        doors.make_account(fleet.endpoint(0), &known(nth)).await?;
    }
    fleet.settled().await?;
    time_tells(fleet, &doors, names, report).await?;
    for nodes in crowded {
        beside_commits(fleet, &doors, usize::from(*nodes), time, report).await?;
    }
    Ok(())
}

/// One wrong password each for names that exist and names that do not, in turn.
async fn time_tells(fleet: &Fleet, doors: &Doors, names: u32, report: &mut Report) -> Result<()> {
    let before = load()?;
    let (mut exist, mut absent) = (Vec::new(), Vec::new());
    for nth in 0..names {
        for (name, times) in [
            (known(nth), &mut exist),
            (format!("absent-{nth}"), &mut absent),
        ] {
            let asked = Instant::now();
            let status = doors.try_wrong(fleet.endpoint(0), &name).await?;
            if status != StatusCode::UNAUTHORIZED {
                bail!("a wrong password was answered {status}");
            }
            times.push(asked.elapsed().as_micros() as u64);
        }
    }
    exist.sort_unstable();
    absent.sort_unstable();
    let median = |times: &[u64]| milliseconds(percentile(times, 50)).unwrap_or_default();
    let (exist, absent) = (median(&exist), median(&absent));
    let ratio = exist / absent;
    let after = load()?;
    let object = json!({
        "measure": "sign-in refused", "names": names, "exist_p50_ms": exist, "absent_p50_ms": absent, "ratio": ratio,
        "load_before": before, "load_after": after,
    });
    let row = [
        format!("{names} names that exist, {names} that do not"),
        format!("refused after {exist:.1} and {absent:.1} ms in the middle: {ratio:.3} to 1"),
        load_text(before, after),
    ];
    report.put(&object, row)
}

/// Strangers at the doors of so many nodes, and others' alerts meanwhile.
async fn beside_commits(
    fleet: &Fleet,
    doors: &Doors,
    nodes: usize,
    time: Duration,
    report: &mut Report,
) -> Result<()> {
    let before = load()?;
    let alert = |count| workload::alert(workload::Paging::Later, count % 5_000);
    let calm = Others::start(fleet, alert);
    sleep(CALM).await;
    let calm = calm.end().await?;
    let term = term(fleet).await?;
    let used = fleet.processor_ms()?;

    let stop = Arc::new(AtomicBool::new(false));
    let mut strangers = JoinSet::new();
    for node in 0..nodes {
        for _ in 0..STRANGERS {
            let (endpoint, doors) = (fleet.endpoint(node).clone(), doors.clone());
            let stop = Arc::clone(&stop);
            strangers.spawn(async move {
                let (mut looked_at, mut turned_away) = (0_u32, 0_u32);
                while !stop.load(Ordering::Relaxed) {
                    let name = format!("stranger-{}", doors.next.load(Ordering::Relaxed));
                    match doors.try_wrong(&endpoint, &name).await? {
                        StatusCode::UNAUTHORIZED => looked_at += 1,
                        _ => {
                            turned_away += 1;
                            sleep(Duration::from_millis(50)).await;
                        }
                    }
                }
                anyhow::Ok((looked_at, turned_away))
            });
        }
    }
    let others = Others::start(fleet, alert);
    sleep(time).await;
    let busy = others.end().await?;
    stop.store(true, Ordering::Relaxed);
    let (mut looked_at, mut turned_away) = (0, 0);
    while let Some(done) = strangers.join_next().await {
        let (one, other) = done??;
        looked_at += one;
        turned_away += other;
    }
    let used = fleet.processor_ms()? - used;
    let elections = self::term(fleet).await? - term;
    let after = load()?;
    let p = |sorted: &[u64], percent| milliseconds(percentile(sorted, percent)).unwrap_or_default();
    let object = json!({
        "measure": "commits beside passwords", "doors": nodes, "strangers": STRANGERS * nodes as u32, "took_s": time.as_secs_f64(),
        "looked_at": looked_at, "turned_away": turned_away, "elections": elections,
        "calm_p50_ms": p(&calm, 50), "calm_p99_ms": p(&calm, 99),
        "commits_p50_ms": p(&busy, 50), "commits_p99_ms": p(&busy, 99), "commits": busy.len(),
        "nodes_cpu_ms": used, "load_before": before, "load_after": after,
    });
    let figures = format!(
        "{looked_at} passwords looked at, {turned_away} turned away; alerts p50 {:.0} ms, p99 {:.0} ms ({:.0} and {:.0} before), {elections} elections",
        p(&busy, 50),
        p(&busy, 99),
        p(&calm, 50),
        p(&calm, 99),
    );
    let row = [
        format!(
            "{} strangers at {nodes} of {NODES} doors",
            STRANGERS * nodes as u32
        ),
        figures,
        load_text(before, after),
    ];
    report.put(&object, row)
}

/// What comes to the doors: a device, and an address for each try, so that the limits by address are not what is measured.
#[derive(Clone)]
struct Doors {
    device: Value,
    next: Arc<AtomicU32>,
}

impl Doors {
    fn elsewhere(&self, endpoint: &Endpoint) -> Endpoint {
        let nth = self.next.fetch_add(1, Ordering::Relaxed);
        let [_, high, middle, low] = (nth + 2).to_be_bytes();
        // All of 127.0.0.0/8 is this machine.
        endpoint.coming_from(IpAddr::V4(Ipv4Addr::new(127, high + 1, middle, low)))
    }

    /// Tries a password that is not right; how it was answered.
    async fn try_wrong(&self, endpoint: &Endpoint, name: &str) -> Result<StatusCode> {
        let body = json!({ "account": name, "password": WRONG, "device": self.device });
        let body = Some(Bytes::from(body.to_string()));
        let endpoint = self.elsewhere(endpoint);
        let asked = endpoint.ask(Method::POST, "/v1/sign-in", body, None);
        let answer = timeout(REQUEST_TIME, asked).await;
        Ok(answer.context("a door did not answer")??.status)
    }

    /// An account with a password.
    async fn make_account(&self, endpoint: &Endpoint, name: &str) -> Result<()> {
        let at = format!("/v1/accounts/{name}");
        let roles = json!({ "roles": ["responder"] });
        endpoint.change(Method::PUT, &at, &json!({})).await?;
        endpoint
            .change(Method::PUT, &format!("{at}/roles"), &roles)
            .await?;
        let invited = endpoint
            .change(Method::POST, &format!("{at}/invitation"), &json!({}))
            .await?;
        let body = json!({ "code": invited["code"], "password": PASSWORD, "device": self.device });
        let endpoint = self.elsewhere(endpoint);
        let accepted = endpoint.change(Method::POST, "/v1/invitations/accept", &body);
        let accepted = timeout(REQUEST_TIME, accepted).await;
        accepted.context("an invitation was not answered")??;
        Ok(())
    }
}

fn known(nth: u32) -> String {
    format!("known-{nth}")
}

/// A device as the nodes want it described: its name and its public key (RFC 7517).
fn described() -> Result<Value> {
    let random = SystemRandom::new();
    let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let made = EcdsaKeyPair::generate_pkcs8(algorithm, &random)
        .map_err(|_| anyhow!("cannot make a key"))?;
    let key = EcdsaKeyPair::from_pkcs8(algorithm, made.as_ref(), &random)
        .map_err(|_| anyhow!("cannot read a key just made"))?;
    let point = key.public_key().as_ref();
    let part = |range| BASE64URL.encode(&point[range]);
    let jwk = json!({ "kty": "EC", "crv": "P-256", "x": part(1..33), "y": part(33..65) });
    Ok(json!({ "name": "bench", "key": jwk }))
}

/// The term of the first node; another one later: there was an election.
async fn term(fleet: &Fleet) -> Result<u64> {
    let status = fleet.endpoint(0).get("/v1/cluster").await?;
    status["term"].as_u64().context("a node tells its term")
}
