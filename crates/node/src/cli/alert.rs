//! `holdfast alert`: raise, look, answer, end.

use std::time::Duration;

use hyper::Method;
use serde_json::{Map, Value, json};

use super::args::{
    AlertCommand, AlertKindWord, AnswerWord, MarkWord, Raise, SeverityWord, StatusWord,
};
use super::template::{checklist, rendered};
use super::{Context, held};
use crate::client::{Client, new_key, segment};
use crate::output::{Done, Exit, Failure, cell, each};

/// Alerts in one answer.
const PAGE_LEN: u32 = 500;

/// People on one list.
const PEOPLE_MAX: u32 = 10_000;

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
                AnswerWord::Safe => "safe",
                AnswerWord::NotOnSite => "not_on_site",
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
        AlertCommand::Mark {
            alert,
            person,
            mark,
            by,
        } => {
            let word = match mark {
                MarkWord::Safe => "safe",
                MarkWord::NeedHelp => "need_help",
                MarkWord::NotOnSite => "not_on_site",
            };
            let body = json!({ "person": person, "mark": word, "by": by });
            act(context, &client, &alert, "mark", &body).await
        }
        AlertCommand::Missing { alert, all, csv } => {
            missing(context, &client, &alert, all, csv).await
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
        AlertCommand::Held { all } => held::held(context, all).await,
        AlertCommand::Approve(act) => held::decide(context, &act, "approve").await,
        AlertCommand::Refuse(act) => held::decide(context, &act, "refuse").await,
        AlertCommand::Release(act) => held::decide(context, &act, "release").await,
        AlertCommand::TakeBack(act) => held::decide(context, &act, "withdraw").await,
        AlertCommand::Act(command) => super::act::change(context, &client, command).await,
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
        if answer["held"].is_null() {
            format!("alert {} raised", cell(&answer["number"]))
        } else {
            held::waits(&answer["held"])
        }
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
    let severity = raise.severity.map(severity_word);
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
    put("requester", json!(raise.requester));
    put("gather", json!(raise.gather));
    put("needed", json!(raise.needed));
    if !raise.fallback.is_empty() {
        put("fallback", Value::Object(whom(&raise.fallback)?));
    }
    let kind = raise.kind.map(|word| match word {
        AlertKindWord::Alert => "alert",
        AlertKindWord::SafetyCheck => "safety_check",
    });
    put("kind", json!(kind));
    if !raise.lead.is_empty() {
        put("lead", Value::Object(whom(&raise.lead)?));
    }
    put("quiet", json!(raise.no_last_call.then_some(true)));
    let mut again = Map::new();
    for (key, said) in [
        ("confirm_within_s", raise.confirm_within.map(seconds)),
        ("remind_every_s", raise.remind_every.map(seconds)),
        ("reminders", raise.reminders.map(u64::from)),
    ] {
        if let Some(said) = said {
            again.insert(key.to_owned(), json!(said));
        }
    }
    if !again.is_empty() {
        put("follow_up", Value::Object(again));
    }
    put("repeat_every_s", json!(raise.repeat_every.map(seconds)));
    put("repeats", json!(raise.repeats));
    put("validity_s", json!(raise.validity.map(seconds)));
    put("aware_at", json!(raise.aware_at));
    put("dedup_key", json!(raise.dedup_key));
    put("source", json!(raise.source));
    Ok(Value::Object(body))
}

pub(super) fn severity_word(word: SeverityWord) -> &'static str {
    match word {
        SeverityWord::Low => "low",
        SeverityWord::Normal => "normal",
        SeverityWord::High => "high",
        SeverityWord::Critical => "critical",
    }
}

/// Prints the list as the node wrote it: on paper and in a spreadsheet it is the same everywhere.
async fn missing(context: &Context, client: &Client, alert: &str, all: bool, csv: bool) -> Done {
    let path = format!(
        "/v1/alerts/{}/missing?limit={PEOPLE_MAX}&all={all}",
        segment(alert)
    );
    if csv {
        let bytes = client.download(&format!("{path}&format=csv")).await?;
        return context.output.bytes(&bytes);
    }
    if context.output.json {
        context.output.data(&client.get(&path).await?, String::new);
        return Ok(());
    }
    let bytes = client.download(&format!("{path}&format=text")).await?;
    context.output.bytes(&bytes)
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
    if let Some(why) = answer["over_budget"].as_str() {
        context.output.note(format!("it would be refused: {why}"));
    }
    for why in each(&answer["second_person"]) {
        let text = format!("it would wait for a second person: {}", cell(why));
        context.output.note(text);
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
    if let Some(seconds) = preview["rung_after_s"].as_u64() {
        let within = seconds.div_ceil(60);
        let phones = count("phones_rung");
        text.push_str(&format!(
            "\n{phones} phones rung twice within {within} min, while people stay silent"
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
pub(super) fn seconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis().div_ceil(1_000)).unwrap_or(u64::MAX)
}

/// `group:duty,person:anna,schedule:network` as people, groups and schedules.
pub(super) fn whom(list: &[String]) -> Result<Map<String, Value>, Failure> {
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

/// `all`, `2`, `1=group:medics`, `2=skill:first-aid`, `1=site:Turku` or `1=each-site`.
fn quota(text: &str) -> Result<Value, Failure> {
    let wrong = || {
        Failure::new(
            Exit::Usage,
            format!(
                "{text:?}: write all, 2, 1=group:KEY, 2=skill:NAME, 1=site:NAME or 1=each-site"
            ),
        )
    };
    let (count, among) = text
        .split_once('=')
        .map_or((text, None), |(count, who)| (count, Some(who.trim())));
    let mut quota = match among.map(|who| (who, who.split_once(':'))) {
        None => Map::new(),
        Some(("each-site", _)) => Map::from_iter([("each_site".to_owned(), json!(true))]),
        Some((_, Some((kind @ ("skill" | "site"), name)))) if !name.is_empty() => {
            Map::from_iter([(kind.to_owned(), json!(name))])
        }
        Some((who, _)) => whom(&[who.to_owned()]).map_err(|_| wrong())?,
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

pub(super) async fn act(
    context: &Context,
    client: &Client,
    alert: &str,
    verb: &str,
    body: &Value,
) -> Done {
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
        let acts: Vec<_> = each(&answer["acts"]).map(act_row).collect();
        let acts = match acts.as_slice() {
            [] => String::new(),
            acts => format!(
                "\n\n{}",
                context.output.table(&["act", "at", "by", "reason"], acts)
            ),
        };
        let automations = super::automations::standing(&answer);
        let summary = summary(&answer);
        format!("{summary}{to_do}{automations}\n{people}\n\n{sent}{acts}")
    });
    Ok(())
}

fn summary(alert: &Value) -> String {
    let mut text = String::new();
    let fields = [
        "number",
        "severity",
        "status",
        "kind",
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
    for role in each(&alert["roles"]) {
        let since = cell(&role["since"]);
        let name = cell(&role["person"]["name"]);
        text.push_str(&format!("{}: {name}, since {since}\n", cell(&role["role"])));
    }
    let paused = &alert["plan"]["paused_until"];
    if !paused.is_null() {
        text.push_str(&format!("paused until: {}\n", cell(paused)));
    }
    for quota in each(&alert["plan"]["enough"]) {
        let of = match quota["what"].as_str() {
            None | Some("") => String::new(),
            Some(what) => format!(" of {what}"),
        };
        text.push_str(&format!(
            "coming{of}: {} of {} wanted\n",
            cell(&quota["coming"]),
            cell(&quota["wanted"])
        ));
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

fn act_row(act: &Value) -> Vec<String> {
    ["act", "at", "by", "reason"]
        .map(|key| cell(&act[key]))
        .to_vec()
}

fn called_row(called: &Value) -> Vec<String> {
    let mut row = vec![
        cell(&called["person"]["key"]),
        cell(&called["person"]["name"]),
    ];
    // "coming" that counts no more must not look like one that does.
    let answer = match called["stands"].as_str() {
        Some("lapsed") => format!("{} (lapsed)", cell(&called["answer"])),
        Some(_) | None => cell(&called["answer"]),
    };
    row.extend([cell(&called["step"]), answer]);
    row.extend(["answered_at", "expected_at", "answered_from"].map(|k| cell(&called[k])));
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
        assert_eq!(
            quota("2=skill:first-aid").unwrap(),
            json!({ "count": 2, "skill": "first-aid" })
        );
        assert_eq!(
            quota("all=site:Turku").unwrap(),
            json!({ "all": true, "site": "Turku" })
        );
        assert_eq!(
            quota("1=each-site").unwrap(),
            json!({ "count": 1, "each_site": true })
        );
        for bad in ["", "many", "1=medics", "1=skill:", "-1"] {
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
