//! `holdfast island`: what a node did while it was cut off, and how it gets to the others.

use std::io::Read as _;
use std::path::Path;

use anyhow::Context as _;
use data_encoding::BASE64;
use hyper::Method;
use serde_json::{Value, json};

use super::Context;
use super::args::IslandCommand;
use super::cluster::island_words;
use crate::output::{Done, Exit, Failure, cell, each};
use crate::run::data_dir::DataDir;

/// The largest file read for import.
const FILE_LEN_MAX: u64 = 32 << 20;

pub(super) async fn island(context: &Context, command: IslandCommand) -> Done {
    match command {
        IslandCommand::Status { history } => status(context, history).await,
        IslandCommand::Export { file } => export(context, &file).await,
        IslandCommand::Import { file } => import(context, &file).await,
        IslandCommand::Refused => refused(context).await,
    }
}

async fn status(context: &Context, history: bool) -> Done {
    let path = format!("/v1/island?history={history}");
    let answer = context.client()?.get(&path).await?;
    context.output.data(&answer, || {
        let mut lines = Vec::new();
        lines.push(if answer["island"].is_null() {
            "this node is one of the cluster".to_owned()
        } else {
            island_words(&answer["island"])
        });
        let (waiting, unexported) = (&answer["waiting"], &answer["unexported"]);
        lines.push(format!(
            "facts waiting for the cluster: {waiting} ({unexported} of them in no exported file)"
        ));
        lines.push(format!(
            "facts kept for other nodes that are cut off: {}",
            answer["kept_for_others"]
        ));
        if let Some(history) = answer["history"].as_str() {
            lines.push(format!(
                "history: {history} (the same on every node that knows the same)"
            ));
        }
        match each(&answer["refused"]).count() {
            0 => {}
            count => lines.push(format!(
                "entries that could not be handed over: {count}; see `holdfast island refused`"
            )),
        }
        lines.join("\n")
    });
    Ok(())
}

async fn refused(context: &Context) -> Done {
    let answer = context.client()?.get("/v1/island").await?;
    let list = json!({ "refused": answer["refused"] });
    context.output.data(&list, || {
        let row = |r: &Value| ["origin", "what", "reason"].map(|k| cell(&r[k])).to_vec();
        let rows: Vec<_> = each(&answer["refused"]).map(row).collect();
        if rows.is_empty() {
            return "nothing was refused".to_owned();
        }
        context.output.table(&["node", "what", "why"], &rows)
    });
    Ok(())
}

/// Through the running node, or from its files when it is stopped.
async fn export(context: &Context, target: &Path) -> Done {
    let config = context.config()?;
    let data_dir = &config.node.data_dir;
    // Asking the lock is the only way to know that nobody runs here while the files are read.
    if data_dir.join("node.db").exists()
        && let Ok(_held) = DataDir::take(data_dir)
    {
        let facts = cluster::export_stopped(data_dir, target)
            .await
            .context("the journal was not saved")?;
        return saved(context, target, Some(facts));
    }
    let answer = context
        .client()?
        .change(Method::POST, "/v1/island/export", Some(&json!({})))
        .await?;
    let file = BASE64
        .decode(cell(&answer["file"]).as_bytes())
        .context("the node's answer makes no sense")?;
    cluster::write_new_file(target, &file)
        .with_context(|| format!("cannot write {}; name a new file", target.display()))?;
    saved(context, target, None)
}

fn saved(context: &Context, target: &Path, facts: Option<u64>) -> Done {
    let shown = target.display();
    let answer = json!({ "ok": true, "file": shown.to_string(), "facts": facts });
    context.output.data(&answer, || match facts {
        Some(facts) => format!("{facts} facts saved to {shown}"),
        None => format!("saved to {shown}"),
    });
    context.output.note("It names people and numbers: keep it safe. Bring it in on any member: holdfast island import FILE");
    Ok(())
}

async fn import(context: &Context, file: &Path) -> Done {
    let shown = file.display();
    let opened = std::fs::File::open(file).with_context(|| format!("cannot read {shown}"))?;
    let mut bytes = Vec::new();
    opened
        .take(FILE_LEN_MAX + 1)
        .read_to_end(&mut bytes)
        .with_context(|| format!("cannot read {shown}"))?;
    if bytes.len() as u64 > FILE_LEN_MAX {
        let text = format!("{shown} is longer than any journal");
        return Err(Failure::new(Exit::Failure, text));
    }
    let body = json!({ "file": BASE64.encode(&bytes) });
    let answer = context
        .client()?
        .change(Method::POST, "/v1/island/import", Some(&body))
        .await?;
    context.output.data(&answer, || {
        format!(
            "{} facts brought in; ones that were known changed nothing",
            answer["facts"]
        )
    });
    Ok(())
}
