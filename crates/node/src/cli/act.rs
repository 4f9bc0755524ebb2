//! `holdfast alert add|hurry|pause|resume|severity|update|role|withdraw`: changes to a running alert.

use serde_json::{Map, Value, json};

use super::Context;
use super::alert::{act, seconds, severity_word, whom};
use super::args::{ActCommand, AudienceWord, RoleWord, Update};
use crate::client::Client;
use crate::output::{Done, Failure};

pub(super) async fn change(context: &Context, client: &Client, command: ActCommand) -> Done {
    let (alert, body) = match command {
        ActCommand::Add { alert, to, why } => {
            let to = Value::Object(whom(&to)?);
            let body = json!({ "act": "add", "to": to, "reason": why.reason });
            (alert, body)
        }
        ActCommand::Hurry { alert, why } => {
            (alert, json!({ "act": "next_step", "reason": why.reason }))
        }
        ActCommand::Pause { alert, time, why } => (
            alert,
            json!({ "act": "pause", "for_s": seconds(time), "reason": why.reason }),
        ),
        ActCommand::Resume { alert, why } => {
            (alert, json!({ "act": "resume", "reason": why.reason }))
        }
        ActCommand::Severity {
            alert,
            severity,
            why,
        } => {
            let severity = severity_word(severity);
            let body = json!({ "act": "severity", "severity": severity, "reason": why.reason });
            (alert, body)
        }
        ActCommand::Update(update) => {
            let body = update_body(context, &update)?;
            (update.alert, body)
        }
        ActCommand::Role {
            alert,
            role,
            person,
            resign: _,
            why,
        } => {
            let role = match role {
                RoleWord::Leader => "leader",
                RoleWord::Deputy => "deputy",
                RoleWord::Scribe => "scribe",
                RoleWord::Communications => "communications",
                RoleWord::Liaison => "liaison",
            };
            let body =
                json!({ "act": "role", "role": role, "person": person, "reason": why.reason });
            (alert, body)
        }
        ActCommand::Withdraw { alert, person, why } => (
            alert,
            json!({ "act": "withdraw", "person": person, "reason": why.reason }),
        ),
    };
    act(context, client, &alert, "acts", &body).await
}

fn update_body(context: &Context, update: &Update) -> Result<Value, Failure> {
    let texts: Map<String, Value> = update
        .text_in
        .iter()
        .map(|(language, text)| (language.clone(), json!(text)))
        .collect();
    let who = match update.who {
        AudienceWord::Called => "called",
        AudienceWord::Coming => "coming",
        AudienceWord::Silent => "silent",
    };
    Ok(json!({
        "act": "update",
        "text": context.argument(&update.text)?,
        "texts": texts,
        "who": who,
        "reason": update.why.reason,
    }))
}
