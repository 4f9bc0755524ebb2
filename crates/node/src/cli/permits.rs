//! `holdfast account permit`: what one administrator alone does not do.

use hyper::Method;
use serde_json::{Value, json};

use super::Context;
use super::args::PermitCommand;
use crate::output::{Done, Exit, Failure, cell, each};

pub(super) async fn permit(context: &Context, command: PermitCommand) -> Done {
    let client = context.client()?;
    match command {
        PermitCommand::List => {
            let answer = client.get("/v1/permits").await?;
            context.output.data(&answer, || table(context, &answer));
        }
        PermitCommand::Show { number } => {
            let answer = client.get("/v1/permits").await?;
            let Some(found) = each(&answer["permits"]).find(|permit| permit["number"] == number)
            else {
                let text = format!(
                    "nothing was asked for under {number}; see: holdfast account permit list"
                );
                return Err(Failure::new(Exit::NotFound, text));
            };
            context.output.data(found, || shown(found));
        }
        PermitCommand::Let { number } => {
            let path = format!("/v1/permits/{number}/let");
            let answer = client.change(Method::POST, &path, Some(&json!({}))).await?;
            context.output.data(&answer, || {
                format!("whoever asked for {number} can do it now, once, within an hour")
            });
        }
        PermitCommand::Drop { number } => {
            let path = format!("/v1/permits/{number}");
            let answer = client.change(Method::DELETE, &path, None).await?;
            context
                .output
                .data(&answer, || format!("{number} is not to be done"));
        }
    }
    Ok(())
}

fn shown(permit: &Value) -> String {
    let field = |name: &str| cell(&permit[name]);
    let mut lines = vec![
        format!("{} {}", field("method"), field("path")),
        format!("sends      {}", field("body")),
        format!("why        {}", field("reason")),
        format!(
            "asked by   {} ({}) at {}",
            field("asked_name"),
            field("asked_by"),
            field("asked_at")
        ),
        format!("state      {} until {}", field("state"), field("until")),
    ];
    if !permit["let_by"].is_null() {
        lines.push(format!(
            "let by     {} at {}",
            field("let_by"),
            field("let_at")
        ));
    }
    lines.join("\n")
}

fn table(context: &Context, answer: &Value) -> String {
    let fields = [
        "number",
        "state",
        "what",
        "about",
        "asked_name",
        "reason",
        "asked_at",
        "let_by",
        "until",
    ];
    let rows: Vec<_> = each(&answer["permits"])
        .map(|permit| fields.map(|field| cell(&permit[field])).to_vec())
        .collect();
    let header = [
        "number", "state", "what", "about", "asked by", "why", "asked", "let by", "until",
    ];
    context.output.table(&header, &rows)
}
