//! `holdfast vcard`, `holdfast wake` and `holdfast round-trip`: what wakes people, and what shows that it does.

use std::time::Duration;

use clap::{Args, Subcommand};
use hyper::Method;
use serde_json::{Value, json};

use super::Context;
use super::args::duration;
use crate::client::segment;
use crate::output::{Done, cell, each};

/// The longest list of people asked for at once.
const PAGE: u32 = 1_000;

#[derive(Debug, Args)]
pub(crate) struct Vcard {
    /// Print how to set phones up instead of the card
    #[arg(long)]
    instructions: bool,
    /// en, fi, sv, fr or ja
    #[arg(long, default_value = "en")]
    language: String,
    /// Spare numbers on the card instead of those before, at most two; "none" for none
    #[arg(long, value_name = "NUMBER", num_args = 1..=2, conflicts_with = "instructions")]
    set_spare: Option<Vec<String>>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum WakeCommand {
    /// Ask people whether a text and two rings wake them
    Test {
        /// Whom to ask: person:anna or group:duty; repeatable
        #[arg(value_name = "WHOM", required = true)]
        whom: Vec<String>,
        /// When: at a time they chose, such as 8h
        #[arg(long = "in", value_name = "TIME", value_parser = duration, default_value = "0s")]
        time: Duration,
        /// For how many days a yes counts
        #[arg(long, default_value_t = 180)]
        valid_days: u64,
    },
    /// List tests
    Tests,
    /// Call a test off that has not begun
    CallOff { number: u64 },
    /// List phones and whether they are proven to wake their owners
    Proofs {
        /// Only those that are not
        #[arg(long)]
        unproven: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum RoundTripCommand {
    /// How each modem's last text to the next node went
    List,
    /// Let modems text each other now
    Now {
        /// Only the modems of this node
        #[arg(long, value_name = "ID")]
        from: Option<u64>,
    },
}

pub(super) async fn vcard(context: &Context, args: Vcard) -> Done {
    if let Some(numbers) = args.set_spare {
        let spares: Vec<String> = numbers.into_iter().filter(|n| n != "none").collect();
        let answer = context
            .client()?
            .change(
                Method::PUT,
                "/v1/number-card",
                Some(&json!({ "spares": spares })),
            )
            .await?;
        context.output.data(&answer, || {
            "the card has a new version; send it to everybody".to_owned()
        });
        return Ok(());
    }
    let language = segment(&args.language);
    if !args.instructions && !context.output.json {
        let file = context
            .client()?
            .download(&format!("/v1/vcard?language={language}"))
            .await?;
        return context.output.bytes(&file);
    }
    let answer = context
        .client()?
        .get(&format!("/v1/number-card?language={language}"))
        .await?;
    context.output.data(&answer, || {
        let mut lines = Vec::new();
        for (system, steps) in answer["instructions"].as_object().into_iter().flatten() {
            lines.push(system.clone());
            for (step, number) in each(steps).zip(1..) {
                lines.push(format!("  {number}. {}", cell(step)));
            }
        }
        lines.join("\n")
    });
    Ok(())
}

pub(super) async fn wake(context: &Context, command: WakeCommand) -> Done {
    match command {
        WakeCommand::Test {
            whom,
            time,
            valid_days,
        } => {
            let mut body = Value::Object(super::alert::whom(&whom)?);
            body["in_s"] = json!(time.as_secs());
            body["valid_days"] = json!(valid_days);
            let answer = context
                .client()?
                .change(Method::POST, "/v1/wake-tests", Some(&body))
                .await?;
            context
                .output
                .data(&answer, || format!("test {}", answer["number"]));
            Ok(())
        }
        WakeCommand::Tests => {
            let answer = context.client()?.get("/v1/wake-tests").await?;
            table(
                context,
                &answer,
                &answer["tests"],
                &["number", "state", "due_at", "people", "started_by"],
            );
            Ok(())
        }
        WakeCommand::CallOff { number } => {
            let path = format!("/v1/wake-tests/{number}");
            let answer = context
                .client()?
                .change(Method::DELETE, &path, None)
                .await?;
            context
                .output
                .data(&answer, || format!("test {number} does not begin"));
            Ok(())
        }
        WakeCommand::Proofs { unproven } => {
            let path = format!("/v1/wake-proofs?unproven={unproven}&limit={PAGE}");
            let answer = context.client()?.get(&path).await?;
            let fields = ["person", "number", "state", "proven_at", "expires_at"];
            table(context, &answer, &answer["phones"], &fields);
            for warning in each(&answer["warnings"]) {
                context.output.note(format!("warning: {}", cell(warning)));
            }
            if let Some(next) = answer["next"].as_str() {
                context
                    .output
                    .note(format!("more after {next}; ask the API with after={next}"));
            }
            Ok(())
        }
    }
}

pub(super) async fn round_trip(context: &Context, command: RoundTripCommand) -> Done {
    match command {
        RoundTripCommand::List => {
            let answer = context.client()?.get("/v1/round-trips").await?;
            let fields = [
                "node",
                "name",
                "state",
                "to",
                "started_at",
                "took_ms",
                "next_at",
            ];
            table(context, &answer, &answer["nodes"], &fields);
            let alone = each(&answer["nodes"]).any(|node| node["state"] == "alone");
            if alone {
                context
                    .output
                    .note("no other node has a modem, so nothing shows that this one is heard");
            }
            Ok(())
        }
        RoundTripCommand::Now { from } => {
            let answer = context
                .client()?
                .change(
                    Method::POST,
                    "/v1/round-trips",
                    Some(&json!({ "node": from })),
                )
                .await?;
            context.output.data(&answer, || {
                "on their way; see `holdfast round-trip list`".to_owned()
            });
            Ok(())
        }
    }
}

fn table(context: &Context, answer: &Value, rows: &Value, fields: &[&str]) {
    context.output.data(answer, || {
        let rows: Vec<Vec<String>> = each(rows)
            .map(|row| fields.iter().map(|field| cell(&row[*field])).collect())
            .collect();
        context.output.table(fields, &rows)
    });
}
