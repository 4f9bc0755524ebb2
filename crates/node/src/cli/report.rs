//! `holdfast report`: what anybody reported, and what those on duty make of it.

use std::time::Duration;

use clap::Subcommand;
use hyper::Method;
use serde_json::{Value, json};

use super::Context;
use super::alert::whom;
use super::args::{SeverityWord, duration};
use crate::output::{Done, cell, each};

#[derive(Debug, Subcommand)]
pub(crate) enum ReportCommand {
    /// Type in what somebody reports, as on the phone; "-" reads standard input
    Take {
        what: String,
        /// Who says so
        #[arg(long)]
        who: String,
        /// Phone number with country code or mail address to answer to
        #[arg(long)]
        contact: Option<String>,
        /// en, fi, sv, fr or ja; without it by the number's country
        #[arg(long, default_value = "")]
        language: String,
        /// How it came
        #[arg(long, default_value = "call")]
        via: String,
    },
    /// List reports, newest first
    List {
        /// Also those that are over
        #[arg(long)]
        all: bool,
    },
    /// Everything about one report
    Show { number: u64 },
    /// Look again after a while
    Wait {
        number: u64,
        #[arg(long = "for", value_name = "TIME", value_parser = duration)]
        time: Duration,
        #[arg(long)]
        reason: String,
    },
    /// Call people
    Convene {
        number: u64,
        /// Whom to call: group:duty or person:anna; repeatable
        #[arg(long, value_name = "WHOM", required = true)]
        to: Vec<String>,
        #[arg(long, value_enum, default_value_t = SeverityWord::High)]
        severity: SeverityWord,
        /// What they read; without it the report itself
        #[arg(long)]
        text: Option<String>,
        #[arg(long)]
        reason: String,
    },
    /// It needs nothing
    NoAction {
        number: u64,
        #[arg(long)]
        reason: String,
    },
    /// What was convened is over
    Over {
        number: u64,
        #[arg(long)]
        reason: String,
    },
}

pub(super) async fn report(context: &Context, command: ReportCommand) -> Done {
    match command {
        ReportCommand::Take {
            what,
            who,
            contact,
            language,
            via,
        } => {
            let what = context.argument(&what)?;
            let body = json!({ "what": what, "who": who, "contact": contact, "language": language, "via": via });
            let answer = context
                .client()?
                .change(Method::POST, "/v1/reports", Some(&body))
                .await?;
            context
                .output
                .data(&answer, || format!("report {}", answer["number"]));
            Ok(())
        }
        ReportCommand::List { all } => list(context, all).await,
        ReportCommand::Show { number } => {
            let answer = context
                .client()?
                .get(&format!("/v1/reports/{number}"))
                .await?;
            context.output.data(&answer, || {
                serde_json::to_string_pretty(&answer).unwrap_or_default()
            });
            Ok(())
        }
        ReportCommand::Wait {
            number,
            time,
            reason,
        } => {
            let body = json!({ "decision": "wait", "for_s": time.as_secs(), "reason": reason });
            decide(context, number, body).await
        }
        ReportCommand::Convene {
            number,
            to,
            severity,
            text,
            reason,
        } => {
            let mut body = Value::Object(whom(&to)?);
            body["decision"] = json!("convene");
            body["severity"] = json!(format!("{severity:?}").to_lowercase());
            body["text"] = json!(text);
            body["reason"] = json!(reason);
            decide(context, number, body).await
        }
        ReportCommand::NoAction { number, reason } => {
            decide(
                context,
                number,
                json!({ "decision": "no_action", "reason": reason }),
            )
            .await
        }
        ReportCommand::Over { number, reason } => {
            decide(
                context,
                number,
                json!({ "decision": "over", "reason": reason }),
            )
            .await
        }
    }
}

async fn list(context: &Context, all: bool) -> Done {
    let path = format!("/v1/reports?open={}", !all);
    let answer = context.client()?.get(&path).await?;
    context.output.data(&answer, || {
        let fields = ["number", "state", "at", "who", "what", "due_at", "alert"];
        let rows: Vec<_> = each(&answer["reports"])
            .map(|r: &Value| fields.map(|k| cell(&r[k])).to_vec())
            .collect();
        context.output.table(&fields, &rows)
    });
    Ok(())
}

async fn decide(context: &Context, number: u64, body: Value) -> Done {
    let path = format!("/v1/reports/{number}/decide");
    let answer = context
        .client()?
        .change(Method::POST, &path, Some(&body))
        .await?;
    context
        .output
        .data(&answer, || match answer["alert"].as_str() {
            Some(alert) => format!("report {number}: alert {alert}"),
            None => match answer["held"].as_u64() {
                Some(held) => format!(
                    "report {number}: nobody is called yet; held alert {held} waits for a second person"
                ),
                None => format!("report {number}: noted"),
            },
        });
    Ok(())
}
