//! `holdfast outbox`: what waits to be sent, and whether it is held back.

use hyper::Method;
use serde_json::{Value, json};

use super::Context;
use super::args::OutboxCommand;
use crate::output::{Done, cell, each};

pub(super) async fn outbox(context: &Context, command: OutboxCommand) -> Done {
    let client = context.client()?;
    match command {
        OutboxCommand::Show => {
            let answer = client.get("/v1/outbox").await?;
            context.output.data(&answer, || shown(context, &answer));
        }
        OutboxCommand::Pause { reason } => {
            let body = json!({ "reason": reason });
            let answer = client
                .change(Method::POST, "/v1/outbox/pause", Some(&body))
                .await?;
            context.output.data(&answer, || {
                "nothing leaves until you say release".to_owned()
            });
        }
        OutboxCommand::Release {
            stale_after,
            stale_after_critical,
        } => {
            let before = client.get("/v1/outbox").await?;
            context.output.note(shown(context, &before));
            context.confirm("Let what is not too old leave?")?;
            let body = json!({
                "stale_after_s": stale_after.as_secs(),
                "stale_after_critical_s": stale_after_critical.as_secs(),
            });
            let answer = client
                .change(Method::POST, "/v1/outbox/release", Some(&body))
                .await?;
            context.output.data(&answer, || "released".to_owned());
        }
    }
    Ok(())
}

fn shown(context: &Context, answer: &Value) -> String {
    let row = |w: &Value| {
        ["count", "kind", "purpose", "critical", "oldest", "newest"]
            .map(|k| cell(&w[k]))
            .to_vec()
    };
    let rows: Vec<_> = each(&answer["waiting"]).map(row).collect();
    let table = context.output.table(
        &["waiting", "kind", "purpose", "critical", "oldest", "newest"],
        &rows,
    );
    if answer["held_back"] == true {
        format!(
            "HELD BACK since {}: {}\n{table}",
            cell(&answer["since"]),
            cell(&answer["reason"])
        )
    } else {
        format!("open\n{table}")
    }
}
