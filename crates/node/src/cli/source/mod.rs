//! `holdfast source`: programs and things that raise alerts by themselves.

pub(super) mod args;

use std::path::Path;

use hyper::Method;
use serde_json::{Value, json};

pub(crate) use self::args::SourceCommand;
use self::args::{PutSource, Silence};
use super::Context;
use super::alert::whom;
use super::schedule::{redirect_target, target_words};
use crate::client::segment;
use crate::output::{Done, Exit, Failure, cell, each};

/// The longest file read for a mapping or a sample.
const FILE_LEN_MAX: u64 = 1 << 20;

pub(super) async fn source(context: &Context, command: SourceCommand) -> Done {
    match command {
        SourceCommand::List => list(context).await,
        SourceCommand::Show { key } => show(context, &key).await,
        SourceCommand::Put(put) => {
            let (path, body) = body_of(context, *put)?;
            change(context, Method::PUT, &path, Some(&body), "done").await
        }
        SourceCommand::Remove { key } => {
            context.confirm(&format!("Remove source {key} and everything it said?"))?;
            change(context, Method::DELETE, &path(&key, ""), None, "removed").await
        }
        SourceCommand::Token { key } => token(context, &key).await,
        SourceCommand::Signals { key } => signals(context, &key).await,
        SourceCommand::Try { key, file } => try_out(context, &key, &file).await,
        SourceCommand::Trigger {
            key,
            text,
            matter,
            resolve,
        } => {
            let body = json!({ "text": text, "key": matter, "resolve": resolve });
            let path = path(&key, "/trigger");
            change(context, Method::POST, &path, Some(&body), "said").await
        }
        SourceCommand::Redirect {
            key,
            to,
            time,
            reason,
            back: _,
        } => {
            let path = path(&key, "/redirect");
            let Some(to) = to else {
                return change(context, Method::DELETE, &path, None, "taken back").await;
            };
            let body = json!({
                "to_target": redirect_target(&to)?,
                "for_s": time.map(|time| time.as_secs()),
                "reason": reason,
            });
            change(context, Method::PUT, &path, Some(&body), "redirected").await
        }
        SourceCommand::Beat { key, token_file } => {
            let token = read(&token_file)?;
            let path = path(&key, &format!("/{}/beat", segment(token.trim())));
            change(context, Method::POST, &path, None, "alive").await
        }
        SourceCommand::Silence(new) => silence(context, new).await,
        SourceCommand::Silences => silences(context).await,
        SourceCommand::EndSilence { id } => {
            let path = format!("/v1/silences/{}", segment(&id));
            change(context, Method::DELETE, &path, None, "ended").await
        }
        SourceCommand::StopAll { reason, time } => {
            let body = json!({ "reason": reason, "for_s": time.as_secs() });
            let said =
                "everything automatic is stopped; it ends by itself, people's own alerts go on";
            change(context, Method::POST, "/v1/source-stop", Some(&body), said).await
        }
        SourceCommand::Resume => {
            let said = "automatic sources run again";
            change(context, Method::DELETE, "/v1/source-stop", None, said).await
        }
        SourceCommand::Settings {
            person_alarms,
            duty,
        } => settings(context, person_alarms, &duty).await,
    }
}

async fn list(context: &Context) -> Done {
    let answer = context.client()?.get("/v1/sources").await?;
    context.output.data(&answer, || {
        let row = |s: &Value| {
            let silent = match s["beat"]["silent_since"].is_string() {
                true => "silent".to_owned(),
                false => cell(&s["enabled"]),
            };
            let mut cells = ["key", "name", "kind"].map(|k| cell(&s[k])).to_vec();
            cells.extend([silent, cell(&s["token"])]);
            cells.extend(["signals", "held", "last_new_at"].map(|k| cell(&s[k])));
            let redirect = &s["redirect"];
            cells.push(match redirect["over"].as_bool() {
                Some(false) => target_words(&redirect["target"]),
                Some(true) | None => String::new(),
            });
            cells
        };
        let rows: Vec<_> = each(&answer["sources"]).map(row).collect();
        let header = [
            "key",
            "name",
            "kind",
            "enabled",
            "token",
            "signals",
            "held",
            "last alarm",
            "redirected to",
        ];
        context.output.table(&header, &rows)
    });
    Ok(())
}

async fn show(context: &Context, key: &str) -> Done {
    let answer = context.client()?.get(&path(key, "")).await?;
    context.output.data(&answer, || {
        serde_json::to_string_pretty(&answer).unwrap_or_default()
    });
    Ok(())
}

async fn token(context: &Context, key: &str) -> Done {
    let answer = context
        .client()?
        .change(Method::POST, &path(key, "/token"), None)
        .await?;
    context.output.data(&answer, || cell(&answer["token"]));
    context.output.note(format!(
        "this is shown once; send it as Authorization: Bearer to {}, or post to {}",
        cell(&answer["path"]),
        cell(&answer["path_with_token"])
    ));
    Ok(())
}

async fn signals(context: &Context, key: &str) -> Done {
    let answer = context.client()?.get(&path(key, "/signals")).await?;
    context.output.data(&answer, || {
        let row = |s: &Value| {
            let text = s["texts"].as_object().and_then(|t| t.values().next());
            let mut cells = [
                "key", "severity", "open", "held", "alert", "count", "last_at",
            ]
            .map(|k| cell(&s[k]))
            .to_vec();
            cells.push(text.map(cell).unwrap_or_default());
            cells
        };
        let rows: Vec<_> = each(&answer["signals"]).map(row).collect();
        let header = [
            "key", "severity", "open", "held", "alert", "count", "last", "text",
        ];
        context.output.table(&header, &rows)
    });
    Ok(())
}

async fn try_out(context: &Context, key: &str, file: &Path) -> Done {
    let sample: Value = parse(&read(file)?, file)?;
    let answer = context
        .client()?
        .change(Method::POST, &path(key, "/try"), Some(&sample))
        .await?;
    context.output.data(&answer, || {
        let row = |s: &Value| {
            let text = s["texts"].as_object().and_then(|t| t.values().next());
            let mut cells = ["what", "held", "people", "severity", "resolved", "key"]
                .map(|k| cell(&s[k]))
                .to_vec();
            cells.push(text.map(cell).unwrap_or_default());
            cells
        };
        let rows: Vec<_> = each(&answer["signals"]).map(row).collect();
        let header = ["what", "held", "people", "severity", "over", "key", "text"];
        context.output.table(&header, &rows)
    });
    Ok(())
}

async fn silence(context: &Context, new: Silence) -> Done {
    let matchers: Vec<Value> = new
        .labels
        .iter()
        .map(|(label, value)| match value.strip_suffix('*') {
            Some(beginning) => json!({ "label": label, "test": "begins", "value": beginning }),
            None => json!({ "label": label, "test": "is", "value": value }),
        })
        .collect();
    let body = json!({
        "kind": if new.maintenance { "maintenance" } else { "silence" },
        "source": new.source,
        "matchers": matchers,
        "from": new.from,
        "for_s": new.time.as_secs(),
        "reason": new.reason,
    });
    let answer = context
        .client()?
        .change(Method::POST, "/v1/silences", Some(&body))
        .await?;
    context.output.data(&answer, || cell(&answer["id"]));
    Ok(())
}

async fn silences(context: &Context) -> Done {
    let answer = context.client()?.get("/v1/silences").await?;
    context.output.data(&answer, || {
        let fields = [
            "id",
            "kind",
            "source",
            "from",
            "until",
            "swallowed",
            "over",
            "reason",
        ];
        let rows: Vec<_> = each(&answer["silences"])
            .map(|s| fields.map(|k| cell(&s[k])).to_vec())
            .collect();
        context.output.table(&fields, &rows)
    });
    Ok(())
}

async fn settings(context: &Context, person_alarms: Option<u16>, duty: &[String]) -> Done {
    let client = context.client()?;
    let mut settings = client.get("/v1/source-settings").await?;
    if person_alarms.is_some() || !duty.is_empty() {
        if let Some(most) = person_alarms {
            settings["person_alarms"] = json!(most);
        }
        if !duty.is_empty() {
            settings["duty"] = Value::Object(whom(duty)?);
        }
        client
            .change(Method::PUT, "/v1/source-settings", Some(&settings))
            .await?;
    }
    context.output.data(&settings, || {
        format!(
            "alarms one by one for a person in 10 minutes: {}\nduty: {}",
            cell(&settings["person_alarms"]),
            settings["duty"]
        )
    });
    Ok(())
}

fn body_of(context: &Context, put: PutSource) -> Result<(String, Value), Failure> {
    let word = |word: &dyn std::fmt::Debug| format!("{word:?}").to_lowercase();
    let severities: serde_json::Map<String, Value> = put
        .words
        .into_iter()
        .map(|(word, severity)| (word, Value::String(severity)))
        .collect();
    let mut body = json!({
        "name": put.name.unwrap_or_else(|| put.key.clone()),
        "kind": word(&put.kind),
        "calls": whom(&put.to)?,
        "severity": word(&put.severity),
        "severities": severities,
        "gather": put.gather,
        "on_resolve": if put.only_note_ends { "note" } else { "close" },
        "enabled": !put.disabled,
        "answers": put.answers,
    });
    if let Some(file) = &put.mapping {
        body["mapping"] = parse(&read(file)?, file)?;
    }
    if let Some(window) = put.window {
        body["window_s"] = json!(window.as_secs());
    }
    if let Some(pause) = put.tell_every {
        body["tell_every_s"] = json!(pause.as_secs());
    }
    if let Some(every) = put.every {
        body["beat"] = json!({ "every_s": every.as_secs(), "grace_s": put.grace.as_secs() });
    }
    if put.disabled {
        context.output.note("it is listened to, and calls nobody");
    }
    Ok((path(&put.key, ""), body))
}

async fn change(
    context: &Context,
    method: Method,
    path: &str,
    body: Option<&Value>,
    said: &str,
) -> Done {
    let answer = context.client()?.change(method, path, body).await?;
    context
        .output
        .data(&answer, || match answer["changed"] == false {
            true => "nothing to change".to_owned(),
            false => said.to_owned(),
        });
    Ok(())
}

fn path(key: &str, rest: &str) -> String {
    format!("/v1/sources/{}{rest}", segment(key))
}

fn read(file: &Path) -> Result<String, Failure> {
    use std::io::Read as _;
    let mut text = String::new();
    let result = match file.to_str() {
        Some("-") => std::io::stdin()
            .take(FILE_LEN_MAX)
            .read_to_string(&mut text),
        Some(_) | None => std::fs::File::open(file)
            .and_then(|open| open.take(FILE_LEN_MAX).read_to_string(&mut text)),
    };
    match result {
        Ok(_) => Ok(text),
        Err(error) => Err(Failure::new(
            Exit::Failure,
            format!("cannot read {}: {error}", file.display()),
        )),
    }
}

fn parse(text: &str, file: &Path) -> Result<Value, Failure> {
    serde_json::from_str(text).map_err(|error| {
        Failure::new(
            Exit::Failure,
            format!("{} is not JSON: {error}", file.display()),
        )
    })
}
