//! Trying a running demo by hand: what to type, and the emulated phones and mailboxes.

use std::path::Path;

use emulator::control::Client;
use serde_json::json;

use super::nodes::Fleet;
use super::world::SIMS;
use crate::cli::Context;
use crate::cli::args::{DemoAt, DemoCommand};
use crate::output::Done;

pub(super) async fn hand(context: &Context, command: DemoCommand) -> Done {
    match command {
        DemoCommand::Phones { at, number } => phones(context, &at, number.as_deref()).await,
        DemoCommand::Text { at, from, to, text } => {
            connect(&at)
                .await?
                .send(&from, &to, &text)
                .await
                .map_err(anyhow::Error::from)?;
            context
                .output
                .data(&json!({ "ok": true }), || format!("{from} wrote to {to}"));
            Ok(())
        }
        DemoCommand::Mail { at } => mail(context, &at).await,
    }
}

/// Lines to copy.
pub(super) fn how_to(fleet: &Fleet, world: &Path, codes: &[(&str, &str, String)]) -> String {
    let program = program();
    let first = &fleet.nodes[0];
    let (config, world) = (first.config.display(), world.display());
    let nodes: Vec<_> = fleet
        .nodes
        .iter()
        .map(|n| {
            format!(
                "  node {}  {}  SIM {}  process {}",
                n.id,
                n.url(),
                n.number,
                n.pid().unwrap_or_default()
            )
        })
        .collect();
    let codes: Vec<_> = codes
        .iter()
        .map(|(account, role, code)| format!("  {account:<6} {role:<17} {code}"))
        .collect();
    let victim = fleet.nodes[2].pid().unwrap_or_default();
    let second = fleet.nodes[1].pid().unwrap_or_default();
    format!(
        "\nThree nodes are up:\n{}\n\
         The app        {}  (your browser will warn of the demo's own certificate)\n\
         API key        {}\nCertificate    {}\n\n\
         Accounts for people, and the code that lets one device in (POST /v1/invitations/accept; docs/openapi.json):\n{}\n\
         Another device, or another account:\n\
         \x20 {program} --config {config} account list\n\
         \x20 {program} --config {config} account invite paula\n\n\
         Raise an alert to the people on duty, then look at it:\n\
         \x20 {program} --config {config} alert raise \"Pump 3 has tripped\" --to group:duty --severity critical\n\
         \x20 {program} --config {config} alert show 1\n\n\
         See who is on call, and raise the prepared alert, which calls them; --dry-run first shows whom, how soon and in what words:\n\
         \x20 {program} --config {config} schedule who\n\
         \x20 {program} --config {config} alert raise --template flood --set pump=P-3 --dry-run\n\n\
         The same over HTTPS, from any node that answers:\n\
         \x20 curl --cacert {} -H \"Authorization: Bearer $(cat {})\" {}/v1/alerts\n\n\
         See what is on the phones and in the mailboxes, and answer with the code in Anna's text:\n\
         \x20 {program} demo phones --world {world} +358401110001\n\
         \x20 {program} demo text --world {world} +358401110001 {} \"CODE 1\"\n\
         \x20 {program} demo mail --world {world}\n\n\
         Kill a node, and see that the others go on:\n\
         \x20 kill -9 {victim}\n\
         \x20 {program} --config {config} status\n\n\
         Kill the second as well: after ten seconds node 1 alerts by itself, and says so in its texts. Start them again with \
         `{program} --config … run &`, and all nodes know what happened:\n\
         \x20 kill -9 {second}\n\
         \x20 {program} --config {config} island status --history\n\n\
         Ctrl-C ends it all.\n",
        nodes.join("\n"),
        first.url(),
        fleet.key_file.display(),
        fleet.ca_file.display(),
        codes.join("\n"),
        fleet.ca_file.display(),
        fleet.key_file.display(),
        first.url(),
        SIMS[0].1,
    )
}

/// This program as one would type it.
pub(super) fn program() -> String {
    std::env::current_exe()
        .map_or_else(|_| "holdfast".to_owned(), |path| path.display().to_string())
}

async fn connect(at: &DemoAt) -> Result<Client, anyhow::Error> {
    Ok(Client::connect(&at.world).await?)
}

async fn phones(context: &Context, at: &DemoAt, number: Option<&str>) -> Done {
    let client = connect(at).await?;
    let mut rows = Vec::new();
    let mut list = Vec::new();
    for phone in client.phones().await.map_err(anyhow::Error::from)? {
        if number.is_some_and(|n| n != phone.number) {
            continue;
        }
        let inbox = client
            .inbox(&phone.number, 0)
            .await
            .map_err(anyhow::Error::from)?;
        for message in &inbox {
            rows.push(vec![
                phone.number.clone(),
                message.from.clone(),
                message.text.replace('\n', " / "),
            ]);
        }
        list.push(json!({ "number": phone.number, "inbox": inbox }));
    }
    context.output.data(&json!({ "phones": list }), || {
        context.output.table(&["phone", "from", "text"], &rows)
    });
    Ok(())
}

async fn mail(context: &Context, at: &DemoAt) -> Done {
    let client = connect(at).await?;
    let mut rows = Vec::new();
    let mut list = Vec::new();
    for catcher in client.catchers().await.map_err(anyhow::Error::from)? {
        for mail in client
            .mails(&catcher.name, 0)
            .await
            .map_err(anyhow::Error::from)?
        {
            let subject = mail.header("Subject").unwrap_or_default();
            rows.push(vec![
                catcher.name.clone(),
                mail.to.join(","),
                subject.clone(),
            ]);
            list.push(json!({ "server": catcher.name, "to": mail.to, "subject": subject, "data": mail.data }));
        }
    }
    context.output.data(&json!({ "mails": list }), || {
        context.output.table(&["server", "to", "subject"], &rows)
    });
    Ok(())
}
