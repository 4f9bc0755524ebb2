//! `holdfast alert`: raise, look, answer, end.

use std::time::Duration;

use hyper::Method;
use serde_json::{Map, Value, json};

use super::Context;
use super::args::{AlertCommand, AnswerWord, Raise, SeverityWord, StatusWord};
use super::template::{checklist, rendered};
use crate::client::{Client, new_key, segment};
use crate::output::{Done, Exit, Failure, cell, each};

/// Alerts in one answer.
const PAGE_LEN: u32 = 500;

pub(super) async fn alert(context: &Context, command: AlertCommand) -> Done {
    let client = context.client()?;
    match command {
        AlertCommand::Raise(raise) => self::raise(context, &client, &raise).await,
        AlertCommand::List { all } => list(context, &client, all).await,
        AlertCommand::Show { alert } => show(context, &client, &alert).await,
        AlertCommand::Ack { alert, note } => {
            act(
                context,
                &client,
                &alert,
                "acknowledge",
                &json!({ "note": note }),
            )
            .await
        }
        AlertCommand::Answer {
            alert,
            person,
            answer,
            eta,
        } => {
            let word = match answer {
                AnswerWord::Coming => "coming",
                AnswerWord::Cannot => "cannot",
                AnswerWord::Received => "received",
                AnswerWord::NeedHelp => "need_help",
            };
            act(
                context,
                &client,
                &alert,
                "answer",
                &json!({ "person": person, "answer": word, "eta_minutes": eta }),
            )
            .await
        }
        AlertCommand::Resolve { alert, note } => {
            act(
                context,
                &client,
                &alert,
                "resolve",
                &json!({ "note": note }),
            )
            .await
        }
        AlertCommand::CallOff { alert, reason } => {
            context.confirm(&format!(
                "Call off alert {alert} and tell everyone who was told?"
            ))?;
            act(
                context,
                &client,
                &alert,
                "call-off",
                &json!({ "reason": reason }),
            )
            .await
        }
        AlertCommand::Join { alert, into } => {
            act(context, &client, &alert, "join", &json!({ "into": into })).await
        }
    }
}

async fn raise(context: &Context, client: &Client, raise: &Raise) -> Done {
    let text = raise.text.as_deref().map(|text| context.argument(text));
    let body = raise_body(text.transpose()?.as_deref(), raise)?;
    if raise.dry_run {
        return preview(context, client, &body).await;
    }
    let key = raise.idempotency_key.clone().unwrap_or_else(new_key);
    let answer = match client
        .change_as(&key, Method::POST, "/v1/alerts", Some(&body))
        .await
    {
        Ok(answer) => answer,
        Err(failure) if failure.exit == Exit::TimedOut => {
            context.output.note(format!(
                "to be sure it is raised once, repeat with --idempotency-key {key}"
            ));
            return Err(failure);
        }
        Err(failure) => return Err(failure),
    };
    context.output.data(&answer, || {
        format!("alert {} raised", cell(&answer["number"]))
    });
    Ok(())
}

/// The body of `POST /v1/alerts`.
fn raise_body(text: Option<&str>, raise: &Raise) -> Result<Value, Failure> {
    let mut texts = Map::new();
    for (language, text) in &raise.text_in {
        texts.insert(language.clone(), json!(text));
    }
    let mut steps = match raise.to.as_slice() {
        [] => Vec::new(),
        to => vec![whom(to)?],
    };
    for (after, to) in &raise.steps {
        let mut step = whom(std::slice::from_ref(to))?;
        step.insert("after_s".to_owned(), json!(seconds(*after)));
        steps.push(step);
    }
    let enough: Vec<Value> = raise
        .enough
        .iter()
        .map(|text| quota(text))
        .collect::<Result<_, _>>()?;
    if !enough.is_empty() {
        for step in &mut steps {
            step.insert("enough".to_owned(), json!(enough));
        }
    }
    let severity = raise.severity.map(|word| match word {
        SeverityWord::Low => "low",
        SeverityWord::Normal => "normal",
        SeverityWord::High => "high",
        SeverityWord::Critical => "critical",
    });
    let severity = match raise.template {
        Some(_) => severity,
        None => severity.or(Some("high")),
    };
    let status = raise.status.map(|word| match word {
        StatusWord::Actual => "actual",
        StatusWord::Exercise => "exercise",
        StatusWord::Test => "test",
    });
    let values: Map<String, Value> = raise
        .values
        .iter()
        .map(|(name, words)| (name.clone(), json!(words)))
        .collect();
    let mut body = Map::new();
    let mut put = |key: &str, value: Value| {
        if !value.is_null() && value != "" {
            body.insert(key.to_owned(), value);
        }
    };
    put("severity", json!(severity));
    put("status", json!(status));
    put("text", json!(text));
    put("texts", Value::Object(texts));
    if !steps.is_empty() {
        put("steps", json!(steps));
    }
    put("template", json!(raise.template));
    put("placeholders", Value::Object(values));
    put("extra", json!(raise.extra));
    put("only", json!(raise.only));
    put("gather", json!(raise.gather));
    put("needed", json!(raise.needed));
    if !raise.fallback.is_empty() {
        put("fallback", Value::Object(whom(&raise.fallback)?));
    }
    put("repeat_every_s", json!(raise.repeat_every.map(seconds)));
    put("repeats", json!(raise.repeats));
    put("validity_s", json!(raise.validity.map(seconds)));
    put("aware_at", json!(raise.aware_at));
    put("dedup_key", json!(raise.dedup_key));
    put("source", json!(raise.source));
    Ok(Value::Object(body))
}

/// Says what a raise would come to.
async fn preview(context: &Context, client: &Client, body: &Value) -> Done {
    let answer = client
        .change(Method::POST, "/v1/alerts/preview", Some(body))
        .await?;
    context.output.data(&answer, || {
        let fields = [
            "step",
            "after_s",
            "people",
            "unreachable",
            "sms",
            "sms_parts",
            "mails",
            "reached_after_s",
        ];
        let row = |step: &Value| fields.map(|field| cell(&step[field])).to_vec();
        let rows: Vec<_> = each(&answer["steps"]).map(row).collect();
        let header = [
            "step",
            "after s",
            "people",
            "unreachable",
            "sms",
            "parts",
            "mails",
            "reached after s",
        ];
        let table = context.output.table(&header, &rows);
        format!("{}\n{table}\n\n{}", estimate(&answer), rendered(&answer))
    });
    for warning in each(&answer["warnings"]) {
        context.output.note(format!("warning: {}", cell(warning)));
    }
    Ok(())
}

/// `all 240 people sent a text within 31 min`, what that takes and costs.
fn estimate(preview: &Value) -> String {
    let count = |field: &str| cell(&preview[field]);
    let reached = match preview["reached_after_s"].as_u64() {
        Some(seconds) => format!("sent a text within {} min", seconds.div_ceil(60)),
        None => "not all of them can be sent a text now".to_owned(),
    };
    let mut text = format!(
        "nothing was raised; {} people, {reached}\n{} SMS in {} parts ({} if nobody answers), {} mails",
        count("people"),
        count("sms"),
        count("sms_parts"),
        count("sms_parts_max"),
        count("mails"),
    );
    let cost = &preview["cost"];
    if !cost.is_null() {
        let of = |field: &str| cell(&cost[field]);
        text.push_str(&format!(
            ", {} {} (at most {})",
            of("amount"),
            of("currency"),
            of("amount_max")
        ));
    }
    let queued = &preview["queued"];
    text.push_str(&format!(
        "\nwaiting before it: {} parts, {} mails\n",
        cell(&queued["sms_parts"]),
        cell(&queued["mails"])
    ));
    text
}

/// The API counts in whole seconds; a part of one is never cut to nothing.
fn seconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis().div_ceil(1_000)).unwrap_or(u64::MAX)
}

/// `group:duty,person:anna,schedule:network` as people, groups and schedules.
fn whom(list: &[String]) -> Result<Map<String, Value>, Failure> {
    let (mut people, mut groups, mut schedules) = (Vec::new(), Vec::new(), Vec::new());
    for item in list.iter().flat_map(|text| text.split(',')) {
        match item.trim().split_once(':') {
            Some(("person", key)) if !key.is_empty() => people.push(key.to_owned()),
            Some(("group", key)) if !key.is_empty() => groups.push(key.to_owned()),
            Some(("schedule", key)) if !key.is_empty() => schedules.push(key.to_owned()),
            Some(_) | None => {
                return Err(Failure::new(
                    Exit::Usage,
                    format!("{item:?}: write group:KEY, schedule:KEY or person:KEY"),
                ));
            }
        }
    }
    let mut step = Map::new();
    for (key, list) in [
        ("people", people),
        ("groups", groups),
        ("schedules", schedules),
    ] {
        if !list.is_empty() {
            step.insert(key.to_owned(), json!(list));
        }
    }
    Ok(step)
}

/// `all`, `2` or `1=group:medics`.
fn quota(text: &str) -> Result<Value, Failure> {
    let (count, among) = text
        .split_once('=')
        .map_or((text, None), |(count, who)| (count, Some(who)));
    let mut quota = match among {
        Some(who) => whom(&[who.to_owned()])?,
        None => Map::new(),
    };
    let wrong = || {
        Failure::new(
            Exit::Usage,
            format!("{text:?}: write all, 2 or 1=group:KEY"),
        )
    };
    match count.trim() {
        "all" => quota.insert("all".to_owned(), json!(true)),
        count => {
            let count: u32 = count.parse().map_err(|_| wrong())?;
            quota.insert("count".to_owned(), json!(count))
        }
    };
    Ok(Value::Object(quota))
}

async fn act(context: &Context, client: &Client, alert: &str, verb: &str, body: &Value) -> Done {
    let path = format!("/v1/alerts/{}/{verb}", segment(alert));
    let answer = client.change(Method::POST, &path, Some(body)).await?;
    context.output.data(&answer, || {
        let did = if answer["changed"] == false {
            "nothing to change"
        } else {
            "done"
        };
        format!("alert {alert}: {did}")
    });
    Ok(())
}

async fn list(context: &Context, client: &Client, all: bool) -> Done {
    let mut alerts: Vec<Value> = Vec::new();
    let state = if all { "" } else { "&state=open" };
    let mut path = format!("/v1/alerts?limit={PAGE_LEN}{state}");
    loop {
        let page = client.get(&path).await?;
        alerts.extend(each(&page["alerts"]).cloned());
        match page["next"].as_str() {
            Some(next) => {
                path = format!(
                    "/v1/alerts?limit={PAGE_LEN}{state}&before={}",
                    segment(next)
                )
            }
            None => break,
        }
    }
    context.output.data(&json!({ "alerts": alerts }), || {
        let fields = ["number", "severity", "status", "state", "raised_at", "text"];
        let rows: Vec<_> = alerts
            .iter()
            .map(|a| fields.map(|k| cell(&a[k])).to_vec())
            .collect();
        context.output.table(
            &["alert", "severity", "status", "state", "raised", "text"],
            &rows,
        )
    });
    Ok(())
}

async fn show(context: &Context, client: &Client, alert: &str) -> Done {
    let answer = client
        .get(&format!("/v1/alerts/{}", segment(alert)))
        .await?;
    context.output.data(&answer, || {
        let called: Vec<_> = each(&answer["called"]).map(called_row).collect();
        let deliveries: Vec<_> = each(&answer["deliveries"]).map(delivery_row).collect();
        let people = ["person", "name", "step", "answer", "at", "there", "from"];
        let sent = [
            "person", "purpose", "by", "state", "reason", "next", "tried",
        ];
        let (people, sent) = (
            context.output.table(&people, &called),
            context.output.table(&sent, &deliveries),
        );
        let to_do = to_do(&answer["template"]);
        format!("{}{to_do}\n{people}\n\n{sent}", summary(&answer))
    });
    Ok(())
}

fn summary(alert: &Value) -> String {
    let mut text = String::new();
    let fields = [
        "number",
        "severity",
        "status",
        "state",
        "text",
        "gather",
        "raised_at",
        "raised_by",
        "acknowledged_at",
        "note",
    ];
    for key in fields {
        let value = cell(&alert[key]);
        if !value.is_empty() {
            text.push_str(&format!("{key}: {value}\n"));
        }
    }
    let also: Vec<String> = each(&alert["numbers"]).skip(1).map(cell).collect();
    if !also.is_empty() {
        text.push_str(&format!("also known as: {}\n", also.join(", ")));
    }
    if !alert["next_action"].is_null() {
        text.push_str(&format!(
            "next: {} at {}\n",
            cell(&alert["next_action"]),
            cell(&alert["next_due"])
        ));
    }
    text
}

/// What the alert's template says has to be done, and where to read more.
fn to_do(template: &Value) -> String {
    if template.is_null() {
        return String::new();
    }
    let mut text = format!(
        "template: {} version {}\n",
        cell(&template["key"]),
        cell(&template["version"])
    );
    let first = &template["checklist"][0]["text"];
    let language = match first.get("en") {
        Some(_) => Some("en"),
        None => first
            .as_object()
            .and_then(|words| words.keys().next())
            .map(String::as_str),
    };
    text.push_str(&checklist(template, language.unwrap_or("en")));
    for document in each(&template["documents"]) {
        text.push_str(&format!("see: {}\n", cell(&document["url"])));
    }
    text
}

fn called_row(called: &Value) -> Vec<String> {
    let mut row = vec![
        cell(&called["person"]["key"]),
        cell(&called["person"]["name"]),
    ];
    row.extend(
        [
            "step",
            "answer",
            "answered_at",
            "expected_at",
            "answered_from",
        ]
        .map(|k| cell(&called[k])),
    );
    row
}

fn delivery_row(delivery: &Value) -> Vec<String> {
    let tried =
        each(&delivery["attempts"]).map(|a| format!("n{}/{}", a["node"], cell(&a["channel"])));
    let mut row = vec![cell(&delivery["person"]["key"])];
    row.extend(["purpose", "kind", "state", "reason", "next_action"].map(|k| cell(&delivery[k])));
    row.push(tried.collect::<Vec<_>>().join(" "));
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_enough_is_a_number_or_all_and_of_whom() {
        assert_eq!(quota("all").unwrap(), json!({ "all": true }));
        assert_eq!(quota("2").unwrap(), json!({ "count": 2 }));
        assert_eq!(
            quota("1=group:medics").unwrap(),
            json!({ "count": 1, "groups": ["medics"] })
        );
        for bad in ["", "many", "1=medics", "-1"] {
            assert_eq!(quota(bad).unwrap_err().exit, Exit::Usage, "{bad}");
        }
    }

    #[test]
    fn whom_to_call_is_said_by_kind() {
        let step = whom(&["group:duty,person:anna".to_owned(), "person:bo".to_owned()]).unwrap();
        assert_eq!(
            Value::Object(step),
            json!({ "groups": ["duty"], "people": ["anna", "bo"] })
        );
        for bad in ["anna", "team:x", "group:", ""] {
            assert_eq!(
                whom(&[bad.to_owned()]).unwrap_err().exit,
                Exit::Usage,
                "{bad}"
            );
        }
    }
}
