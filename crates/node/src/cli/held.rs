//! `holdfast alert held|approve|refuse|release|withdraw` and `holdfast reviews`: alerts that need a second person.

use clap::{Args, Subcommand};
use hyper::Method;
use serde_json::{Value, json};

use super::Context;
use crate::output::{Done, cell, each};

/// Who does it, and why.
#[derive(Args, Debug)]
pub(crate) struct HeldAct {
    /// The held alert's number, as `holdfast alert held` lists it
    number: u64,
    /// Your name
    #[arg(long)]
    name: String,
    /// Why, as people should read it
    #[arg(long)]
    reason: String,
    /// The code a person who was asked got; needed where the alert was asked for at this same command line
    #[arg(long)]
    code: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ReviewsCommand {
    /// What went without a second person and nobody has looked at
    List,
    /// Note that you looked at one
    Done {
        /// The held alert's number
        number: u64,
        /// Your name
        #[arg(long)]
        name: String,
        /// What you found
        #[arg(long)]
        note: String,
        /// The code a person who was asked got; needed where the alert was sent at this same command line
        #[arg(long)]
        code: Option<String>,
    },
}

/// Lists alerts that wait for a second person, or all that ever needed one.
pub(super) async fn held(context: &Context, all: bool) -> Done {
    list(context, if all { "all" } else { "waiting" }).await
}

/// Says what becomes of an alert that waits: `approve`, `refuse`, `release` or `withdraw`.
pub(super) async fn decide(context: &Context, act: &HeldAct, decision: &str) -> Done {
    let number = act.number;
    let body = json!({
        "decision": decision,
        "name": act.name,
        "reason": act.reason,
        "code": act.code,
    });
    let path = format!("/v1/held-alerts/{number}/decide");
    let answer = context
        .client()?
        .change(Method::POST, &path, Some(&body))
        .await?;
    context
        .output
        .data(&answer, || match answer["alert"].as_str() {
            Some(alert) => format!("held alert {number} is on its way as alert {alert}"),
            None if answer["changed"] == false => format!("held alert {number}: nothing to change"),
            None => format!("held alert {number} is not sent"),
        });
    Ok(())
}

pub(super) async fn reviews(context: &Context, command: Option<ReviewsCommand>) -> Done {
    match command.unwrap_or(ReviewsCommand::List) {
        ReviewsCommand::List => list(context, "to_review").await,
        ReviewsCommand::Done {
            number,
            name,
            note,
            code,
        } => {
            let body = json!({ "name": name, "note": note, "code": code });
            let path = format!("/v1/held-alerts/{number}/review");
            let answer = context
                .client()?
                .change(Method::POST, &path, Some(&body))
                .await?;
            context
                .output
                .data(&answer, || format!("held alert {number}: reviewed"));
            Ok(())
        }
    }
}

/// What whoever raised an alert reads when it waits.
pub(super) fn waits(held: &Value) -> String {
    let number = cell(&held["number"]);
    let why: Vec<String> = each(&held["why"]).map(cell).collect();
    format!(
        "nobody is called yet: held alert {number} waits for a second person ({}); {} people were asked\n\
         another person: holdfast alert approve {number}\n\
         alone, from {}: holdfast alert release {number}",
        why.join("; "),
        cell(&held["asked"]),
        cell(&held["release_from"]),
    )
}

async fn list(context: &Context, show: &str) -> Done {
    let path = format!("/v1/held-alerts?show={show}&limit=500");
    let answer = context.client()?.get(&path).await?;
    context.output.data(&answer, || {
        let fields = [
            "number",
            "state",
            "alert",
            "people",
            "asked_at",
            "source",
            "decided_as",
            "reason",
            "text",
        ];
        let rows: Vec<_> = each(&answer["held"])
            .map(|held| fields.map(|field| cell(&held[field])).to_vec())
            .collect();
        let header = [
            "held",
            "state",
            "alert",
            "people",
            "asked at",
            "by",
            "decided by",
            "reason",
            "text",
        ];
        context.output.table(&header, &rows)
    });
    Ok(())
}
