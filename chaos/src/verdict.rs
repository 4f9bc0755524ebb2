//! The promises, looked at from outside once everything is healed. Each broken one is a sentence.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::cluster::Cluster;
use crate::load::Accepted;

/// How long the nodes may take to tell the same story.
const AGREE_TIME: Duration = Duration::from_secs(30);

/// Open alerts looked at one by one for their next action.
const LOOKED_AT: usize = 20;

/// Everything that does not hold.
pub(crate) fn judge(cluster: &Cluster, accepted: &Accepted) -> Vec<String> {
    let until = Instant::now() + AGREE_TIME;
    loop {
        let broken = look(cluster, accepted);
        if broken.is_empty() || Instant::now() > until {
            return broken;
        }
        std::thread::sleep(Duration::from_millis(500));
    }
}

fn look(cluster: &Cluster, accepted: &Accepted) -> Vec<String> {
    let mut broken = Vec::new();
    let mut stories = Vec::new();
    for node in 0..cluster.len() {
        let Some(list) = cluster.ask(node, &["alert", "list", "--all"]) else {
            broken.push(format!("node {} does not answer", node + 1));
            continue;
        };
        let alerts = by_text(&list);
        for (text, id) in accepted {
            match alerts.get(text).map(Vec::as_slice) {
                None => broken.push(format!(
                    "node {} has lost the accepted alert {text:?}",
                    node + 1
                )),
                Some([(found, _)]) if found == id => {}
                Some(found) => broken.push(format!(
                    "node {}: {text:?} is {found:?}, not one alert {id}",
                    node + 1
                )),
            }
        }
        stories.push(alerts);
    }
    if stories.windows(2).any(|pair| pair[0] != pair[1]) {
        broken.push("the nodes do not tell the same story".to_owned());
    }
    for id in accepted.values().rev().take(LOOKED_AT) {
        let shown = cluster.ask(0, &["alert", "show", id]);
        let next = shown
            .as_ref()
            .and_then(|alert| alert["next_action"].as_str());
        if next.is_none_or(str::is_empty) {
            broken.push(format!("the open alert {id} has no next action"));
        }
    }
    broken
}

/// Text to all alerts with it: id and number.
fn by_text(list: &Value) -> BTreeMap<String, Vec<(String, u64)>> {
    let mut found: BTreeMap<String, Vec<(String, u64)>> = BTreeMap::new();
    for alert in list["alerts"].as_array().map_or(&[][..], Vec::as_slice) {
        let text = alert["text"].as_str().unwrap_or_default().to_owned();
        let id = alert["id"].as_str().unwrap_or_default().to_owned();
        found
            .entry(text)
            .or_default()
            .push((id, alert["number"].as_u64().unwrap_or(0)));
    }
    found
}
