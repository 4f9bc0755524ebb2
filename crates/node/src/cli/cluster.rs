//! `holdfast cluster`, `holdfast status` and `holdfast modem`: the nodes and what they can do.

use hyper::Method;
use serde_json::{Value, json};

use super::Context;
use super::args::ClusterCommand;
use crate::output::{Done, Exit, Failure, cell, each};

/// A member that has said nothing for so long counts as down; heartbeats are far more frequent in every profile.
const SILENT_MS: u64 = 5_000;

pub(super) async fn cluster(context: &Context, command: ClusterCommand) -> Done {
    let client = context.client()?;
    match command {
        ClusterCommand::Status => {
            let answer = client.get("/v1/cluster").await?;
            context.output.data(&answer, || {
                format!(
                    "{}\n\n{}",
                    members(context, &answer),
                    paths(context, &answer)
                )
            });
        }
        ClusterCommand::Invite => {
            let answer = client
                .change(Method::POST, "/v1/cluster/invitations", Some(&json!({})))
                .await?;
            context.output.data(&answer, || cell(&answer["token"]));
            context
                .output
                .note("good for one node and for 15 minutes; on that node run: holdfast join -");
        }
        ClusterCommand::Joins => {
            let answer = client.get("/v1/cluster/joins").await?;
            context.output.data(&answer, || {
                let row = |j: &Value| ["node", "name", "digits"].map(|k| cell(&j[k])).to_vec();
                let rows: Vec<_> = each(&answer["joins"]).map(row).collect();
                context.output.table(&["node", "name", "digits"], &rows)
            });
        }
        ClusterCommand::Time => {
            let answer = client.get("/v1/cluster/time").await?;
            context.output.data(&answer, || time(context, &answer));
        }
        ClusterCommand::SetTime { civil } => {
            let body = json!({ "civil": civil });
            let answer = client
                .change(Method::POST, "/v1/cluster/time", Some(&body))
                .await?;
            context
                .output
                .data(&answer, || format!("civil time is {civil}"));
        }
        ClusterCommand::Promote { node } => {
            let answer = client
                .change(
                    Method::POST,
                    "/v1/cluster/promote",
                    Some(&json!({ "node": node_id(&node)? })),
                )
                .await?;
            context
                .output
                .data(&done(answer), || format!("{node} is a voter"));
        }
        ClusterCommand::Remove { node } => {
            context.confirm(&format!("Take {node} out of the cluster for good?"))?;
            let answer = client
                .change(
                    Method::POST,
                    "/v1/cluster/remove",
                    Some(&json!({ "node": node_id(&node)? })),
                )
                .await?;
            context
                .output
                .data(&done(answer), || format!("{node} is out"));
        }
        ClusterCommand::Evict { node } => {
            context.confirm(&format!(
                "Evict {node}? What it recorded alone is lost; use remove for a node you still trust."
            ))?;
            let answer = client
                .change(
                    Method::POST,
                    "/v1/cluster/evict",
                    Some(&json!({ "node": node_id(&node)? })),
                )
                .await?;
            context.output.data(&done(answer), || {
                format!("{node} is evicted; if it was a voter, it held the issuing key: make a new authority next")
            });
        }
        ClusterCommand::Texts(texts) => super::texts::texts(context, &texts).await?,
        ClusterCommand::Recover => {} // works on files, never through a running node
        ClusterCommand::Transfer { to } => {
            let to = to.as_deref().map(node_id).transpose()?;
            let answer = client
                .change(
                    Method::POST,
                    "/v1/cluster/transfer",
                    Some(&json!({ "to": to })),
                )
                .await?;
            context
                .output
                .data(&done(answer), || "leadership is handed over".to_owned());
        }
        ClusterCommand::RotateKey { node } => {
            let id = node.as_deref().map(node_id).transpose()?;
            let answer = client
                .change(
                    Method::POST,
                    "/v1/cluster/rotate-key",
                    Some(&json!({ "node": id })),
                )
                .await?;
            let whom = node.unwrap_or_else(|| "this node".to_owned());
            context
                .output
                .data(&done(answer), || format!("{whom} uses a new key"));
        }
        ClusterCommand::RotateCa => {
            context.confirm("Give the cluster a new certificate authority?")?;
            let answer = client
                .change(Method::POST, "/v1/cluster/rotate-ca", Some(&json!({})))
                .await?;
            context.output.data(&done(answer), || {
                "the cluster stands on its new authority; invitations made before no longer work"
                    .to_owned()
            });
        }
    }
    Ok(())
}

/// How the node and its cluster are. Degraded when there is no leader, or a node or channel is down.
pub(super) async fn status(context: &Context) -> Done {
    let client = context.client()?;
    let (cluster, nodes, clocks, watch, alerts) = tokio::join!(
        client.get("/v1/cluster"),
        client.get("/v1/nodes"),
        client.get("/v1/cluster/time"),
        client.get("/v1/watch"),
        client.get("/v1/alerts?state=open&limit=5")
    );
    let (cluster, nodes, clocks, watch) = (cluster?, nodes?, clocks?, watch?);
    // A key that may look at the cluster need not see its alerts.
    let alerts = alerts.map_or(Value::Null, |answer| answer["alerts"].clone());
    let mut down = what_is_down(&cluster, &nodes, &clocks);
    down.extend(each(&watch["findings"]).map(|finding| {
        let told = match finding["alert"].as_str() {
            Some(number) => format!(" (alert {number})"),
            None => String::new(),
        };
        format!("{}{told}", cell(&finding["text"]))
    }));
    let object = json!({ "ok": down.is_empty(), "cluster": cluster, "nodes": nodes["nodes"], "time": clocks, "watch": watch["findings"], "alerts": alerts, "down": down });
    context.output.data(&object, || {
        format!(
            "{}{}\n\n{}\n\n{}\n\n{}",
            open_alerts(&alerts),
            time_line(&clocks),
            members(context, &cluster),
            machines(context, &nodes),
            channel_table(context, &nodes, |_| true)
        )
    });
    if down.is_empty() {
        return Ok(());
    }
    let text = format!("degraded: {}", down.join("; "));
    Err(Failure::new(Exit::Degraded, text).reported(context.output.json))
}

/// The newest open alerts and who leads each, above the rest.
fn open_alerts(alerts: &Value) -> String {
    let line = |alert: &Value| {
        let leader = match alert["leader"].as_str() {
            Some(leader) => format!("led by {leader}"),
            None => "nobody leads".to_owned(),
        };
        let (number, text) = (cell(&alert["number"]), cell(&alert["text"]));
        format!("alert {number} is open, {leader}: {text}\n")
    };
    let lines: String = each(alerts).map(line).collect();
    match lines.is_empty() {
        true => lines,
        false => format!("{lines}\n"),
    }
}

fn what_is_down(cluster: &Value, nodes: &Value, time: &Value) -> Vec<String> {
    let mut down: Vec<String> = each(&cluster["alarms"]).map(cell).collect();
    let problem = cell(&cluster["backup"]["problem"]);
    if !problem.is_empty() {
        down.push(format!("the last backup failed: {problem}"));
    }
    if nodes["outbox_held_back"] == true {
        down.push(
            "the outbox is held back, nothing is sent: see `holdfast outbox show`".to_owned(),
        );
    }
    if let Some(advice) = time["advice"].as_str().filter(|a| !a.is_empty()) {
        down.push(format!(
            "the time is {}: {advice}",
            cell(&time["confidence"])
        ));
    }
    if let Some(words) = cluster["alone"].as_str() {
        down.push(words.to_owned());
    }
    let island = &cluster["island"];
    if !island.is_null() {
        down.push(island_words(island));
    } else if cluster["leader"].is_null() {
        down.push(
            "no leader: this node has not heard a majority for a moment; an alert raised now waits until it does, or until \
             this node works by itself"
                .to_owned(),
        );
    }
    for member in each(&cluster["members"]) {
        if let Some(ms) = member["last_heard_ms"]
            .as_u64()
            .filter(|ms| *ms > SILENT_MS)
        {
            down.push(format!(
                "node {} was last heard {} s ago",
                member["node"],
                ms / 1000
            ));
        }
    }
    for node in each(&nodes["nodes"]) {
        let machine = &node["machine"];
        if matches!(
            machine["disk"].as_str(),
            Some("critical_only" | "results_only")
        ) {
            down.push(format!(
                "node {} has {} MB of disk left: {}",
                node["node"],
                machine["disk_free_mb"],
                cell(&machine["disk"])
            ));
        }
        if matches!(machine["power"].as_str(), Some("battery" | "draining")) {
            let left = machine["runtime_s"].as_u64().map_or_else(
                || "for an unknown time".to_owned(),
                |seconds| format!("for {} min more", seconds / 60),
            );
            down.push(format!("node {} runs on its battery, {left}", node["node"]));
        }
        if node["reachable"] == false {
            down.push(format!("node {} is given no work", node["node"]));
        }
        for channel in each(&node["channels"]).filter(|c| c["up"] == false) {
            down.push(format!(
                "{} on node {}: {}",
                cell(&channel["name"]),
                node["node"],
                cell(&channel["reason"])
            ));
        }
    }
    down
}

/// What it means that a node is cut off.
pub(super) fn island_words(island: &Value) -> String {
    let others: Vec<String> = each(&island["fellows"])
        .map(|node| format!("n{node}"))
        .collect();
    let with = if others.len() > 1 {
        format!(
            ", sharing the work with the others that are ({})",
            others.join(", ")
        )
    } else {
        String::new()
    };
    let (site, since) = (cell(&island["site"]), cell(&island["since"]));
    let waiting = &island["waiting"];
    if island["healing"] == true {
        format!(
            "{site} was cut off since {since}; a majority answers again and is being told what happened here ({waiting} facts to go)"
        )
    } else {
        format!(
            "{site} is cut off from the cluster since {since} and alerts by itself{with}; its alerts are numbered {}-1 and on, \
             and {waiting} facts wait to reach the cluster",
            cell(&island["letter"])
        )
    }
}

/// The time in one line.
fn time_line(time: &Value) -> String {
    let confidence = match time["confidence"].as_str() {
        Some("majority") => "by a majority",
        Some("operator") => "as a person set it",
        Some("disputed") => "DISPUTED",
        _ => "not yet agreed on",
    };
    format!(
        "{}, {confidence} ({} of {} clocks agree, {} ms apart)",
        cell(&time["civil"]),
        cell(&time["agreeing"]),
        cell(&time["members"]),
        cell(&time["spread_ms"])
    )
}

fn time(context: &Context, time: &Value) -> String {
    let row = |c: &Value| {
        ["node", "off_by_ms", "source", "synchronised", "since"]
            .map(|k| cell(&c[k]))
            .to_vec()
    };
    let rows: Vec<_> = each(&time["clocks"]).map(row).collect();
    let heads = ["node", "off by ms", "source", "synchronised", "since"];
    let advice = time["advice"].as_str().unwrap_or_default();
    format!(
        "{}\n\n{}{}{advice}",
        time_line(time),
        context.output.table(&heads, &rows),
        if advice.is_empty() { "" } else { "\n\n" }
    )
}

/// An answer without a body is a plain yes.
fn done(answer: Value) -> Value {
    if answer.is_null() {
        json!({ "ok": true })
    } else {
        answer
    }
}

/// `n2` or `2`.
fn node_id(text: &str) -> Result<u64, Failure> {
    let bad = || {
        Failure::new(
            Exit::Usage,
            format!("{text:?} is not a node; write its id, such as n2"),
        )
    };
    text.strip_prefix('n')
        .unwrap_or(text)
        .parse()
        .map_err(|_| bad())
}

fn members(context: &Context, cluster: &Value) -> String {
    let row = |m: &Value| {
        ["node", "name", "role", "addresses", "lag", "last_heard_ms"]
            .map(|k| cell(&m[k]))
            .to_vec()
    };
    let rows: Vec<_> = each(&cluster["members"]).map(row).collect();
    context.output.table(
        &["node", "name", "role", "addresses", "lag", "heard ms ago"],
        &rows,
    )
}

/// What the nodes run on.
fn machines(context: &Context, nodes: &Value) -> String {
    let row = |node: &Value| {
        let machine = &node["machine"];
        let left = machine["runtime_s"].as_u64();
        vec![
            cell(&node["node"]),
            cell(&machine["clock_source"]),
            cell(&machine["disk_free_mb"]),
            cell(&machine["power"]),
            left.map_or_else(String::new, |seconds| (seconds / 60).to_string()),
            cell(&node["data"]["standing"]),
        ]
    };
    let rows: Vec<_> = each(&nodes["nodes"]).map(row).collect();
    let heads = [
        "node",
        "clock from",
        "disk free MB",
        "power",
        "battery min",
        "data",
    ];
    context.output.table(&heads, &rows)
}

/// Every way from this node to the others.
fn paths(context: &Context, cluster: &Value) -> String {
    let ms = |us: &Value| {
        let us = us.as_u64();
        us.map_or_else(String::new, |us| {
            format!("{}.{}", us / 1_000, us % 1_000 / 100)
        })
    };
    let row = |p: &Value| {
        let from = if p["reverse"] == true { "from" } else { "to" };
        vec![
            cell(&p["peer"]),
            cell(&p["local"]),
            format!("{from} {}", cell(&p["address"])),
            cell(&p["carrier"]),
            cell(&p["state"]),
            ms(&p["rtt_us"]),
            ms(&p["rtt_p99_us"]),
            cell(&p["loss_permille"]),
            cell(&p["last_heard_ms"]),
        ]
    };
    let rows: Vec<_> = each(&cluster["paths"]).map(row).collect();
    context.output.table(
        &[
            "peer",
            "uplink",
            "address",
            "by",
            "state",
            "rtt ms",
            "p99 ms",
            "loss ‰",
            "heard ms ago",
        ],
        &rows,
    )
}

pub(super) fn channel_table(
    context: &Context,
    nodes: &Value,
    wanted: impl Fn(&Value) -> bool,
) -> String {
    context.output.table(
        &[
            "node", "channel", "kind", "up", "operator", "number", "reason", "signal",
        ],
        &channels(nodes, wanted),
    )
}

fn channels(nodes: &Value, wanted: impl Fn(&Value) -> bool) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for node in each(&nodes["nodes"]) {
        for channel in each(&node["channels"]).filter(|c| wanted(c)) {
            let mut row = vec![cell(&node["node"])];
            row.extend(
                [
                    "name",
                    "kind",
                    "up",
                    "operator",
                    "number",
                    "reason",
                    "signal_dbm",
                ]
                .map(|k| cell(&channel[k])),
            );
            rows.push(row);
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_says_in_words_that_this_node_reaches_nobody() {
        let words = "this node reaches nobody: no other node answers";
        let sound =
            json!({ "alarms": [], "backup": { "problem": "" }, "leader": 1, "alone": null });
        let mut lone = sound.clone();
        (lone["alone"], lone["leader"]) = (words.into(), Value::Null);
        let down = |cluster: &Value| what_is_down(cluster, &json!({ "nodes": [] }), &json!({}));
        assert_eq!(down(&sound), Vec::<String>::new());
        assert_eq!(
            down(&lone)[0],
            words,
            "said first, before what follows from it"
        );
    }
}
