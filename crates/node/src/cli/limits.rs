//! `holdfast limits`: when a second person must agree.

use clap::{Args, Subcommand};
use hyper::Method;
use serde_json::{Value, json};

use super::Context;
use super::source::calls;
use crate::output::{Done, cell, each};

#[derive(Debug, Subcommand)]
pub(crate) enum LimitsCommand {
    /// What is limited
    Show,
    /// Let alerts above a threshold wait until a second person agrees
    SecondPerson(SecondPerson),
}

#[derive(Args, Debug)]
pub(crate) struct SecondPerson {
    /// Alerts that call more people than this
    #[arg(long, value_name = "PEOPLE")]
    people_over: Option<u32>,
    /// Alerts whose first round takes more SMS parts than this
    #[arg(long, value_name = "PARTS")]
    parts_over: Option<u32>,
    /// Alerts whose first round costs more than this, such as 25.00
    #[arg(long, value_name = "AMOUNT")]
    cost_over: Option<String>,
    /// Who is asked, by SMS and mail: person:olga or group:duty-managers; repeatable
    #[arg(long, value_name = "WHOM", required_unless_present = "off")]
    ask: Vec<String>,
    /// Let critical alerts go at once; they are reviewed after
    #[arg(long)]
    critical_at_once: bool,
    /// Let every alert go
    #[arg(long, conflicts_with_all = ["people_over", "parts_over", "cost_over", "ask", "critical_at_once"])]
    off: bool,
}

pub(super) async fn limits(context: &Context, command: LimitsCommand) -> Done {
    match command {
        LimitsCommand::Show => show(context).await,
        LimitsCommand::SecondPerson(setting) => second_person(context, &setting).await,
    }
}

async fn second_person(context: &Context, setting: &SecondPerson) -> Done {
    let path = "/v1/second-person";
    let client = context.client()?;
    if setting.off {
        let answer = client.change(Method::DELETE, path, None).await?;
        context
            .output
            .data(&answer, || "alerts go without a second person".to_owned());
        return Ok(());
    }
    let mut body = calls(&setting.ask)?;
    body["people_over"] = json!(setting.people_over);
    body["parts_over"] = json!(setting.parts_over);
    body["cost_over"] = json!(setting.cost_over);
    body["critical_at_once"] = json!(setting.critical_at_once);
    let answer = client.change(Method::PUT, path, Some(&body)).await?;
    context.output.data(&answer, || sentence(&body));
    Ok(())
}

async fn show(context: &Context) -> Done {
    let answer = context.client()?.get("/v1/second-person").await?;
    context
        .output
        .data(&answer, || sentence(&answer["second_person"]));
    Ok(())
}

/// When a second person must agree, as one sentence.
fn sentence(setting: &Value) -> String {
    if setting.is_null() {
        return "second person: never; alerts go as they are raised".to_owned();
    }
    let over = [
        ("people_over", "people"),
        ("parts_over", "SMS parts"),
        ("cost_over", "in cost"),
    ];
    let over: Vec<String> = over
        .iter()
        .filter(|(field, _)| !setting[*field].is_null())
        .map(|(field, what)| format!("more than {} {what}", cell(&setting[*field])))
        .collect();
    let people = each(&setting["people"]).map(|key| format!("person:{}", cell(key)));
    let groups = each(&setting["groups"]).map(|key| format!("group:{}", cell(key)));
    let ask: Vec<String> = people.chain(groups).collect();
    let critical = match setting["critical_at_once"] == true {
        true => "; critical ones go at once and are reviewed after",
        false => "",
    };
    format!(
        "second person: for alerts of {}; asked are {}{critical}",
        over.join(" or "),
        ask.join(", ")
    )
}
