//! `holdfast cluster`, `holdfast status` and `holdfast modem`: the nodes and what they can do.

use hyper::Method;
use serde_json::{Value, json};

use super::Context;
use super::args::{ClusterCommand, ModemCommand};
use crate::output::{Done, Exit, Failure, cell};

pub(super) async fn cluster(context: &Context, command: ClusterCommand) -> Done {
    let client = context.client()?;
    match command {
        ClusterCommand::Status => {
            let answer = client.get("/v1/cluster").await?;
            context.output.data(&answer, || members(context, &answer));
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
                let rows: Vec<_> = answer["joins"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .map(row)
                    .collect();
                context.output.table(&["node", "name", "digits"], &rows)
            });
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
    }
    Ok(())
}

/// How the node and its cluster are. Degraded when there is no leader or a node or channel is down.
pub(super) async fn status(context: &Context) -> Done {
    let client = context.client()?;
    let (cluster, nodes) = tokio::join!(client.get("/v1/cluster"), client.get("/v1/nodes"));
    let (cluster, nodes) = (cluster?, nodes?);
    let down: Vec<String> = channels(&nodes, |c| c["up"] == false)
        .into_iter()
        .map(|c| format!("{} on {}: {}", c[1], c[0], c[6]))
        .collect();
    let leader = !cluster["leader"].is_null();
    let ok = leader && down.is_empty();
    context.output.data(
        &json!({ "ok": ok, "cluster": cluster, "nodes": nodes["nodes"], "down": down }),
        || {
            format!(
                "{}\n\n{}",
                members(context, &cluster),
                channel_table(context, &nodes, |_| true)
            )
        },
    );
    if ok {
        return Ok(());
    }
    let text = if leader {
        format!("degraded: {}", down.join("; "))
    } else {
        "degraded: no leader, so nothing new can be accepted".to_owned()
    };
    Err(Failure::new(Exit::Degraded, text).reported(context.output.json))
}

pub(super) async fn modem(context: &Context, command: &ModemCommand) -> Done {
    let ModemCommand::List = command;
    let nodes = context.client()?.get("/v1/nodes").await?;
    let is_modem = |channel: &Value| channel["kind"] == "sms";
    let modems: Vec<Value> = nodes["nodes"]
        .as_array()
        .into_iter()
        .flatten()
        .flat_map(|n| {
            let channels = n["channels"].as_array().cloned().unwrap_or_default();
            channels.into_iter().filter(is_modem).map(|mut channel| {
                channel["node"] = n["node"].clone();
                channel
            })
        })
        .collect();
    context.output.data(&json!({ "modems": modems }), || {
        channel_table(context, &nodes, is_modem)
    });
    Ok(())
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
    let rows: Vec<_> = cluster["members"]
        .as_array()
        .into_iter()
        .flatten()
        .map(row)
        .collect();
    context.output.table(
        &["node", "name", "role", "addresses", "lag", "heard ms ago"],
        &rows,
    )
}

fn channel_table(context: &Context, nodes: &Value, wanted: impl Fn(&Value) -> bool) -> String {
    context.output.table(
        &[
            "node", "channel", "kind", "up", "operator", "number", "reason", "signal",
        ],
        &channels(nodes, wanted),
    )
}

fn channels(nodes: &Value, wanted: impl Fn(&Value) -> bool) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for node in nodes["nodes"].as_array().into_iter().flatten() {
        for channel in node["channels"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|c| wanted(c))
        {
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
