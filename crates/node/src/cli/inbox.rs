//! `holdfast inbox`: texts that came in, orders by text, and who may give them.

use clap::Subcommand;
use hyper::Method;
use serde_json::json;

use super::Context;
use crate::client::segment;
use crate::output::{Done, cell, each};

#[derive(Debug, Subcommand)]
pub(crate) enum InboxCommand {
    /// List texts that came in and what each was taken for, newest first
    List {
        /// Only those of this number
        #[arg(long, value_name = "NUMBER")]
        from: Option<String>,
        /// At most this many
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// List orders by text of the last two days; those that wait for their code are counted, the code is not shown
    Orders,
    /// Show who may order by text, or say it anew: person:anna, group:duty, schedule:net
    Commanders {
        /// Everybody who may; without names nothing is changed
        #[arg(value_name = "WHOM")]
        whom: Vec<String>,
        /// Nobody may
        #[arg(long, conflicts_with = "whom")]
        none: bool,
    },
}

pub(super) async fn inbox(context: &Context, command: InboxCommand) -> Done {
    match command {
        InboxCommand::List { from, limit } => list(context, from, limit).await,
        InboxCommand::Orders => orders(context).await,
        InboxCommand::Commanders { whom, none } => commanders(context, whom, none).await,
    }
}

async fn list(context: &Context, from: Option<String>, limit: u32) -> Done {
    let from = from.map_or_else(String::new, |from| format!("&from={}", segment(&from)));
    let path = format!("/v1/inbound?limit={limit}{from}");
    let answer = context.client()?.get(&path).await?;
    context.output.data(&answer, || {
        let fields = ["received_at", "node", "sender", "taken", "replied", "text"];
        let rows: Vec<_> = each(&answer["texts"])
            .map(|text| fields.map(|field| cell(&text[field])).to_vec())
            .collect();
        context.output.table(&fields, &rows)
    });
    Ok(())
}

async fn orders(context: &Context) -> Done {
    let answer = context.client()?.get("/v1/inbound/orders").await?;
    context.output.data(&answer, || {
        let fields = ["asked_at", "person", "verb", "state", "ended_at", "text"];
        let rows: Vec<_> = each(&answer["orders"])
            .map(|order| fields.map(|field| cell(&order[field])).to_vec())
            .collect();
        let table = context.output.table(&fields, &rows);
        format!("{table}\n{} wait for their code", answer["waiting"])
    });
    Ok(())
}

async fn commanders(context: &Context, whom: Vec<String>, none: bool) -> Done {
    let client = context.client()?;
    if none || !whom.is_empty() {
        let body = json!({ "commanders": whom });
        client
            .change(Method::PUT, "/v1/inbound/commanders", Some(&body))
            .await?;
    }
    let answer = client.get("/v1/inbound/orders?limit=1").await?;
    let shown = json!({ "commanders": answer["commanders"] });
    context.output.data(&shown, || {
        let names: Vec<String> = each(&answer["commanders"]).map(cell).collect();
        match names.as_slice() {
            [] => "nobody may order by text".to_owned(),
            names => format!("may order by text: {}", names.join(", ")),
        }
    });
    Ok(())
}
