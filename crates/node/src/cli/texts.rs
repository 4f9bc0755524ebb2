//! `holdfast cluster texts`: where texts may link to, and what an SMS part costs.

use clap::Args;
use hyper::Method;
use serde_json::{Value, json};

use super::Context;
use crate::output::{Done, cell, each};

#[derive(Args, Debug)]
pub(crate) struct Texts {
    /// Let templates link to this host; repeatable
    #[arg(long, value_name = "HOST")]
    allow_host: Vec<String>,
    /// No longer let templates link to this host; repeatable
    #[arg(long, value_name = "HOST")]
    forbid_host: Vec<String>,
    /// What one SMS part costs: "0.045 EUR"
    #[arg(long, value_name = "AMOUNT CURRENCY", value_parser = price, conflicts_with = "no_price")]
    price: Option<(String, String)>,
    /// Name no cost in estimates
    #[arg(long)]
    no_price: bool,
}

pub(super) async fn texts(context: &Context, texts: &Texts) -> Done {
    let client = context.client()?;
    let mut policy = client.get("/v1/cluster/texts").await?;
    let before = policy.clone();
    let mut hosts: Vec<String> = each(&policy["link_hosts"]).map(cell).collect();
    for host in &texts.allow_host {
        let host = host.to_ascii_lowercase();
        if !hosts.contains(&host) {
            hosts.push(host);
        }
    }
    hosts.retain(|host| !texts.forbid_host.contains(host));
    policy["link_hosts"] = json!(hosts);
    if let Some((amount, currency)) = &texts.price {
        policy["price_per_part"] = json!({ "amount": amount, "currency": currency });
    }
    if texts.no_price {
        policy["price_per_part"] = Value::Null;
    }
    if policy != before {
        client
            .change(Method::PUT, "/v1/cluster/texts", Some(&policy))
            .await?;
    }
    context.output.data(&policy, || {
        let price = &policy["price_per_part"];
        let price = if price.is_null() {
            "not known".to_owned()
        } else {
            format!("{} {}", cell(&price["amount"]), cell(&price["currency"]))
        };
        let hosts = match hosts.as_slice() {
            [] => "none".to_owned(),
            hosts => hosts.join(", "),
        };
        format!("hosts templates may link to: {hosts}\nprice of an SMS part: {price}")
    });
    Ok(())
}

fn price(text: &str) -> Result<(String, String), String> {
    let (amount, currency) = text
        .trim()
        .split_once(' ')
        .ok_or_else(|| format!("{text:?} is not a price; write \"0.045 EUR\""))?;
    Ok((amount.to_owned(), currency.trim().to_ascii_uppercase()))
}
