//! The promises, demanded once everything is healed: of the nodes' own words, and of what phones and mailboxes really
//! received. Each broken one is a sentence.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::sleep;

use crate::book::Pages;
use crate::client::Door;
use crate::cluster::Cluster;
use crate::director::Window;
use crate::history;
use crate::load::{code_in, name_in};
use crate::world::{Text, World, modem_number, phone};

/// How long everything owed may take to be sent, reported and agreed on.
const DRAIN_TIME: Duration = Duration::from_secs(300);

/// A page may leave so long after an answer was confirmed: it was with a modem already (DESIGN C2, C3).
const PAGE_GRACE_MS: u64 = 15_000;

/// After a fault at its site, a modem's late page is explained by what the site could not know for so long.
const FAULT_GRACE_MS: u64 = 30_000;

const ASK_TIME: Duration = Duration::from_secs(10);

/// Sentences of one kind that are written out.
const SHOWN_MAX: usize = 25;

/// Figures of a run.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Figures {
    pub(crate) alerts_accepted: usize,
    pub(crate) accepted_on_islands: usize,
    pub(crate) histories: usize,
    pub(crate) operations: usize,
    pub(crate) unknown: usize,
    pub(crate) island_histories: usize,
    pub(crate) texts: usize,
    pub(crate) mails: usize,
    /// Pages after a confirmed answer, from a site that could not know of it.
    pub(crate) late_pages_excused: usize,
}

/// What holds and what does not.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Verdict {
    pub(crate) broken: Vec<String>,
    pub(crate) figures: Figures,
    /// What each node shows of the alerts something is wrong with.
    #[serde(default)]
    pub(crate) shown: Vec<Value>,
}

/// What a look found.
#[derive(Default)]
struct Found {
    broken: Vec<String>,
    shown: Vec<Value>,
}

/// Judges a healed cluster.
pub(crate) async fn judge(
    cluster: &Cluster,
    world: &World,
    pages: &Pages,
    windows: &[Window],
) -> Verdict {
    let mut verdict = Verdict::default();
    let checked = history::check(&pages.records);
    verdict.figures = Figures {
        alerts_accepted: pages.accepted.len(),
        accepted_on_islands: pages.accepted.values().filter(|a| a.island).count(),
        histories: checked.alerts,
        operations: checked.operations,
        unknown: checked.unknown,
        island_histories: checked.islands,
        ..Figures::default()
    };
    verdict.add(checked.broken);
    verdict.add(pages.odd.clone());
    let mut found = nodes(cluster, world, pages).await;
    found.shown.truncate(SHOWN_MAX);
    verdict.shown = found.shown;
    verdict.add(found.broken);
    let texts = world.texts(0);
    verdict.figures.texts = texts.len();
    verdict.figures.mails = world.mails().len();
    let (late, excused) = late_pages(pages, &texts, windows);
    verdict.figures.late_pages_excused = excused;
    verdict.add(late);
    verdict
}

impl Verdict {
    pub(crate) fn add(&mut self, mut found: Vec<String>) {
        let more = found.len().saturating_sub(SHOWN_MAX);
        found.truncate(SHOWN_MAX);
        self.broken.extend(found);
        if more > 0 {
            self.broken.push(format!("… and {more} more like these"));
        }
    }
}

/// What the nodes say, asked until all is well or time is up.
async fn nodes(cluster: &Cluster, world: &World, pages: &Pages) -> Found {
    let until = Instant::now() + DRAIN_TIME;
    let mut fine = BTreeSet::new();
    loop {
        let found = look(cluster, world, pages, &mut fine).await;
        let found = found.unwrap_or_else(|error| Found {
            broken: vec![format!("{error:#}")],
            shown: Vec::new(),
        });
        if found.broken.is_empty() || Instant::now() > until {
            return found;
        }
        sleep(Duration::from_secs(2)).await;
    }
}

/// One look. Alerts found `fine` are not looked at again: everything about them has ended.
async fn look(
    cluster: &Cluster,
    world: &World,
    pages: &Pages,
    fine: &mut BTreeSet<String>,
) -> Result<Found> {
    let mut all = Found::default();
    let mut doors: Vec<Door> = cluster.nodes.iter().map(|node| node.local()).collect();
    let mut ids = BTreeSet::new();
    for (door, node) in doors.iter_mut().zip(&cluster.nodes) {
        let at = || format!("site {}", node.site);
        let alerts = list(door).await.with_context(at)?;
        all.broken.extend(presence(&alerts, pages, node.site));
        ids.extend(alerts.into_iter().map(|(_, id)| id));
    }
    let mut received: BTreeSet<(String, String)> = BTreeSet::new();
    for text in world.texts(0) {
        if let Some(name) = name_in(&text.text) {
            received.insert((text.phone, name.to_owned()));
        }
    }
    for id in ids.difference(&fine.clone()) {
        let mut shown = Vec::new();
        for (door, node) in doors.iter_mut().zip(&cluster.nodes) {
            let path = format!("/v1/alerts/{id}");
            let alert = door.get(&path, ASK_TIME).await;
            shown.push(alert.with_context(|| format!("site {}: alert {id}", node.site))?);
        }
        let mut found = one(&shown, &received);
        if found.is_empty() {
            if shown[0]["state"] != "open" {
                fine.insert(id.clone());
            }
        } else {
            all.broken.append(&mut found);
            all.shown.append(&mut shown);
        }
    }
    Ok(all)
}

/// Every accepted alert is there, once, under the id it was accepted with.
fn presence(alerts: &[(String, String)], pages: &Pages, site: u8) -> Vec<String> {
    let mut by_name: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, id) in alerts {
        by_name.entry(name).or_default().push(id);
    }
    let mut broken = Vec::new();
    for (name, accepted) in &pages.accepted {
        match by_name.get(name.as_str()).map(Vec::as_slice) {
            None => broken.push(format!("site {site} has lost the accepted alert {name}")),
            Some([id]) if *id == accepted.id => {}
            Some(found) => broken.push(format!(
                "site {site}: {name} was accepted as {} and is {found:?}",
                accepted.id
            )),
        }
    }
    for (name, found) in by_name {
        if found.len() > 1 && !pages.accepted.contains_key(name) {
            broken.push(format!(
                "site {site}: one request made several alerts {name}: {found:?}"
            ));
        }
    }
    broken
}

/// One alert as every node shows it.
fn one(shown: &[Value], received: &BTreeSet<(String, String)>) -> Vec<String> {
    let alert = &shown[0];
    let text = alert["text"].as_str().unwrap_or_default();
    let name = name_in(text).unwrap_or(text);
    let mut broken = Vec::new();
    for (site, other) in shown.iter().enumerate().skip(1) {
        if other != alert {
            let field = difference(alert, other, "");
            broken.push(format!(
                "sites 1 and {} differ about {name}: {field}",
                site + 1
            ));
        }
    }
    if alert["state"] == "open" && alert["next_action"].as_str().is_none_or(str::is_empty) {
        broken.push(format!("the open alert {name} has no next action"));
    }
    for delivery in alert["deliveries"]
        .as_array()
        .map_or(&[][..], Vec::as_slice)
    {
        let (kind, to) = (&delivery["kind"], &delivery["address"]);
        let state = delivery["state"].as_str().unwrap_or_default();
        if is_without_receipt(delivery) {
            continue;
        }
        if !delivery["next_action"].is_null() {
            broken.push(format!(
                "{name}: what is owed to {to} by {kind} has not ended: {state}, {} ({})",
                delivery["next_action"], delivery["reason"]
            ));
        } else if delivery["ended_at"].is_null() {
            broken.push(format!(
                "{name}: what is owed to {to} is {state}, without an end or a next action"
            ));
        }
        let to = to.as_str().unwrap_or_default().to_owned();
        let told = delivery["purpose"] == "page" && kind == "sms" && state == "delivered";
        if told && !received.contains(&(to.clone(), name.to_owned())) {
            broken.push(format!(
                "{name} is said to be delivered to {to}, whose phone never got it"
            ));
        }
    }
    broken
}

/// A reply or summary that left, whose receipt went down with a node: it counts as handed over when its hour is over,
/// longer than a judge waits. Pages and call-offs live for minutes here and have to end.
fn is_without_receipt(delivery: &Value) -> bool {
    matches!(delivery["purpose"].as_str(), Some("reply" | "summary"))
        && delivery["next_action"] == "await_receipt"
        && delivery["next_due"] == delivery["expires_at"]
        && !delivery["expires_at"].is_null()
}

/// Where two documents differ first.
fn difference(one: &Value, other: &Value, path: &str) -> String {
    if let (Some(a), Some(b)) = (one.as_object(), other.as_object()) {
        for (key, value) in a {
            let missing = Value::Null;
            let found = b.get(key).unwrap_or(&missing);
            if value != found {
                return difference(value, found, &format!("{path}/{key}"));
            }
        }
    }
    if let (Some(a), Some(b)) = (one.as_array(), other.as_array())
        && a.len() == b.len()
        && let Some(at) = (0..a.len()).find(|at| a[*at] != b[*at])
    {
        return difference(&a[at], &b[at], &format!("{path}/{at}"));
    }
    format!("{path} is {one} and {other}")
}

/// Names and ids of all alerts a node knows.
async fn list(door: &mut Door) -> Result<Vec<(String, String)>> {
    let mut all = Vec::new();
    let mut path = "/v1/alerts?limit=500".to_owned();
    loop {
        let page = door.get(&path, ASK_TIME).await?;
        for alert in page["alerts"].as_array().map_or(&[][..], Vec::as_slice) {
            let text = alert["text"].as_str().unwrap_or_default();
            let name = name_in(text).unwrap_or(text).to_owned();
            all.push((name, alert["id"].as_str().unwrap_or_default().to_owned()));
        }
        match page["next"].as_str() {
            Some(next) => path = format!("/v1/alerts?limit=500&before={next}"),
            None => return Ok(all),
        }
    }
}

/// Pages to people whose answer had been confirmed, and how many a fault at the sending site excuses.
fn late_pages(pages: &Pages, texts: &[Text], windows: &[Window]) -> (Vec<String>, usize) {
    let mut confirmed: BTreeMap<(String, &str), u64> = BTreeMap::new();
    for answer in pages.confirmed.iter().filter(|answer| !answer.island) {
        let key = (phone(answer.person), answer.alert.as_str());
        let first = confirmed.entry(key).or_insert(answer.at_ms);
        *first = answer.at_ms.min(*first);
    }
    let (mut broken, mut excused) = (Vec::new(), 0);
    for text in texts {
        let (Some(name), Some(_)) = (name_in(&text.text), code_in(&text.text)) else {
            continue;
        };
        let Some(answered) = confirmed.get(&(text.phone.clone(), name)) else {
            continue;
        };
        if text.at_ms <= answered + PAGE_GRACE_MS {
            continue;
        }
        let at_fault = windows.iter().any(|window| {
            let here = window
                .fault
                .sites
                .iter()
                .any(|site| modem_number(*site) == text.from);
            here && window.from_ms <= text.at_ms && text.at_ms <= window.to_ms + FAULT_GRACE_MS
        });
        if at_fault {
            excused += 1;
        } else {
            broken.push(format!(
                "{} was paged about {name} {} s after an answer was confirmed",
                text.phone,
                (text.at_ms - answered) / 1_000
            ));
        }
    }
    (broken, excused)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_difference_is_named_by_its_place() {
        let one = json!({ "a": [1, { "b": 2 }], "c": 3 });
        let other = json!({ "a": [1, { "b": 5 }], "c": 3 });
        assert_eq!(difference(&one, &other, ""), "/a/1/b is 2 and 5");
    }

    #[test]
    fn an_open_alert_without_a_next_action_and_a_delivery_without_an_end_are_broken_promises() {
        let alert = json!({
            "text": "Pump z1q has tripped", "state": "open", "next_action": null,
            "deliveries": [
                { "kind": "sms", "address": "+358401", "state": "pending", "next_action": "send", "reason": "" },
                { "kind": "sms", "purpose": "page", "address": "+358402", "state": "delivered", "next_action": null, "ended_at": "now" },
                { "kind": "sms", "purpose": "page", "address": "+358403", "state": "sent", "next_action": "await_receipt",
                  "next_due": "soon", "expires_at": "soon" },
                { "kind": "sms", "purpose": "reply", "address": "+358403", "state": "sent", "next_action": "await_receipt",
                  "next_due": "soon", "expires_at": "soon" },
            ],
        });
        let found = one(&[alert.clone(), alert], &BTreeSet::new());
        assert_eq!(found.len(), 4, "{found:?}");
    }
}
