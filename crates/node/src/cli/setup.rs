//! `holdfast setup`: what a new cluster still needs.

use clap::Subcommand;
use hyper::Method;
use serde_json::{Value, json};

use super::Context;
use crate::output::{Done, cell, each};

#[derive(Debug, Subcommand)]
pub(crate) enum SetupCommand {
    /// Say that it is finished; refused while something that is needed is missing
    Finish,
}

pub(super) async fn setup(context: &Context, command: Option<SetupCommand>) -> Done {
    let client = context.client()?;
    match command {
        None => {
            let answer = client.get("/v1/setup").await?;
            context.output.data(&answer, || shown(context, &answer));
        }
        Some(SetupCommand::Finish) => {
            let path = "/v1/setup/finish";
            let answer = client.change(Method::POST, path, Some(&json!({}))).await?;
            context
                .output
                .data(&answer, || "setup is finished".to_owned());
        }
    }
    Ok(())
}

fn shown(context: &Context, answer: &Value) -> String {
    let row = |step: &Value| {
        let state = match (step["done"] == true, step["needed"] == true) {
            (true, _) => "done",
            (false, true) => "needed",
            (false, false) => "open",
        };
        let names: Vec<String> = each(&step["missing"]).map(cell).collect();
        let name = step["step"].as_str().unwrap_or_default();
        let to_do = if state == "done" { "" } else { to_do(name) };
        vec![
            cell(&step["step"]),
            state.to_owned(),
            format!("{} of {}", cell(&step["count"]), cell(&step["of"])),
            names.join(", "),
            to_do.to_owned(),
        ]
    };
    let rows: Vec<_> = each(&answer["steps"]).map(row).collect();
    let header = ["step", "", "there", "missing", "what to do"];
    let table = context.output.table(&header, &rows);
    let end = match (&answer["finished_at"], answer["can_finish"] == true) {
        (Value::String(at), _) => {
            let by = cell(&answer["finished_by"]);
            format!("setup was finished at {at} by {by}")
        }
        (_, true) => "all that is needed is there: holdfast setup finish".to_owned(),
        (_, false) => "setup is not finished: what is needed is missing".to_owned(),
    };
    format!("{}\n{table}\n{end}", cell(&answer["organisation"]))
}

/// The command that brings a step on.
fn to_do(step: &str) -> &'static str {
    match step {
        "administrators" => "holdfast account add NAME --role admin, then account invite NAME",
        "managers" => "holdfast account add NAME --role incident-manager, then account invite NAME",
        "nodes" => "holdfast cluster invite, and holdfast join at the new node",
        "channels" => "holdfast doctor at the node",
        "texts" => "holdfast round-trip now",
        "people" => "holdfast person import FILE",
        "templates" => "holdfast template starter",
        "cards" => "holdfast account glass make SITE",
        "exercise" => {
            "holdfast alert raise TEXT --status exercise --to person:KEY, and answer by text"
        }
        "names" => "api.passkey_domain in the settings of every node",
        _ => "",
    }
}
