//! `holdfast limits`: what may be spent on SMS, when a second person must agree, and how often people may try to sign in.

use clap::{Args, Subcommand};
use hyper::Method;
use serde_json::{Value, json};

use super::Context;
use super::alert::whom;
use crate::client::segment;
use crate::output::{Done, cell, each};

#[derive(Debug, Subcommand)]
pub(crate) enum LimitsCommand {
    /// What is limited
    Show,
    /// Let alerts above a threshold wait until a second person agrees
    SecondPerson(SecondPerson),
    /// Say what an account may spend on SMS a day and a month (UTC)
    Budget(Budget),
}

#[derive(Args, Debug)]
pub(crate) struct Budget {
    /// cluster, keys (each key), sources (each source), key:ID, operator:NODE, phone:NUMBER or source:KEY
    account: String,
    /// SMS parts a day
    #[arg(long, value_name = "PARTS", required_unless_present_any = ["month", "day_cost", "month_cost", "remove"])]
    day: Option<u64>,
    /// SMS parts a month
    #[arg(long, value_name = "PARTS")]
    month: Option<u64>,
    /// What they may cost a day, such as 25.00
    #[arg(long, value_name = "AMOUNT")]
    day_cost: Option<String>,
    /// What they may cost a month
    #[arg(long, value_name = "AMOUNT")]
    month_cost: Option<String>,
    /// Percent of all of it that only critical alerts may use
    #[arg(long, value_name = "PERCENT", default_value_t = 0)]
    reserve: u8,
    /// Remove the account's own budget
    #[arg(long, conflicts_with_all = ["day", "month", "day_cost", "month_cost"])]
    remove: bool,
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
    /// Who is asked, by SMS and mail: person:olga, group:duty-managers or schedule:managers; repeatable
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
        LimitsCommand::Budget(budget) => set_budget(context, &budget).await,
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
    let mut body = Value::Object(whom(&setting.ask)?);
    body["people_over"] = json!(setting.people_over);
    body["parts_over"] = json!(setting.parts_over);
    body["cost_over"] = json!(setting.cost_over);
    body["critical_at_once"] = json!(setting.critical_at_once);
    let answer = client.change(Method::PUT, path, Some(&body)).await?;
    context.output.data(&answer, || sentence(&body));
    Ok(())
}

async fn set_budget(context: &Context, budget: &Budget) -> Done {
    let path = format!("/v1/budgets/{}", segment(&budget.account));
    let client = context.client()?;
    let account = &budget.account;
    if budget.remove {
        let answer = client.change(Method::DELETE, &path, None).await?;
        context
            .output
            .data(&answer, || format!("{account}: no budget of its own"));
        return Ok(());
    }
    let body = json!({
        "day_parts": budget.day,
        "month_parts": budget.month,
        "day_cost": budget.day_cost,
        "month_cost": budget.month_cost,
        "reserve_percent": budget.reserve,
    });
    let answer = client.change(Method::PUT, &path, Some(&body)).await?;
    context
        .output
        .data(&answer, || format!("{account}: budget set"));
    Ok(())
}

async fn show(context: &Context) -> Done {
    let client = context.client()?;
    let mut answer = client.get("/v1/budgets").await?;
    let setting = client.get("/v1/second-person").await?;
    answer["second_person"] = setting["second_person"].clone();
    answer["limits"] = client.get("/v1/limits").await?["limits"].clone();
    context.output.data(&answer, || {
        let fields = ["account", "period", "unit", "used", "open", "limit"];
        let row = |standing: &Value| fields.map(|field| cell(&standing[field])).to_vec();
        let rows: Vec<_> = each(&answer["standings"]).map(row).collect();
        let header = ["account", "per", "in", "used", "open", "with the reserve"];
        let standings = match rows.is_empty() {
            true => "no budgets: nothing limits what is spent on SMS".to_owned(),
            false => context.output.table(&header, &rows),
        };
        let spent = |period: &str| cell(&answer[period]["parts"]);
        let fields = ["name", "what", "allows", "counted_by", "turned_away"];
        let row = |limit: &Value| fields.map(|field| cell(&limit[field])).to_vec();
        let rows: Vec<_> = each(&answer["limits"]).map(row).collect();
        let header = ["limit", "of", "allows", "counted by", "turned away here"];
        format!(
            "{}\nspent: {} SMS parts today, {} this month\n{standings}\n\n{}",
            sentence(&answer["second_person"]),
            spent("today"),
            spent("this_month"),
            context.output.table(&header, &rows),
        )
    });
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
    let schedules = each(&setting["schedules"]).map(|key| format!("schedule:{}", cell(key)));
    let ask: Vec<String> = people.chain(groups).chain(schedules).collect();
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
