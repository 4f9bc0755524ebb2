//! `holdfast directory`, and the files that `holdfast person` takes in and writes.

use std::path::Path;
use std::time::Duration;

use hyper::Method;
use serde_json::{Value, json};

use super::args::{DirectoryCommand, FormatWord, PersonImport};
use super::{Context, held, import};
use crate::client::{Client, segment};
use crate::output::{Done, Exit, Failure, cell, each};

pub(super) async fn directory(context: &Context, command: DirectoryCommand) -> Done {
    let client = context.client()?;
    match command {
        DirectoryCommand::Show => {
            let answer = client.get("/v1/directory").await?;
            context.output.data(&answer, || shown(&answer));
        }
        DirectoryCommand::Freeze { reason } => {
            let body = json!({ "reason": reason });
            let path = "/v1/directory/freeze";
            let answer = client.change(Method::POST, path, Some(&body)).await?;
            context.output.data(&answer, || {
                "no import is taken until you say thaw".to_owned()
            });
        }
        DirectoryCommand::Thaw => {
            let answer = client
                .change(Method::POST, "/v1/directory/thaw", None)
                .await?;
            context
                .output
                .data(&answer, || "imports are taken again".to_owned());
        }
        DirectoryCommand::Imports => {
            let answer = client.get("/v1/directory/imports").await?;
            context.output.data(&answer, || listed(context, &answer));
        }
        DirectoryCommand::Import { id } => {
            let answer = client.get(&path(&id, "")).await?;
            context.output.data(&answer, || diff(context, &answer));
        }
        DirectoryCommand::Approve { id } => {
            let before = client.get(&path(&id, "")).await?;
            context.output.note(diff(context, &before));
            context.confirm("Do all of this?")?;
            decide(context, &client, &id, "approve").await?;
        }
        DirectoryCommand::Reject { id } => decide(context, &client, &id, "reject").await?,
        DirectoryCommand::Check { to, remind_after } => {
            check(context, &client, &to, remind_after).await?;
        }
        DirectoryCommand::Checked { number } => {
            let path = format!("/v1/directory/checks/{}", segment(&number));
            let answer = client.get(&path).await?;
            context.output.data(&answer, || checked(context, &answer));
        }
        // Without any, --all was said.
        DirectoryCommand::Prefixes { prefix, all: _ } => {
            let body = json!({ "prefixes": prefix });
            let path = "/v1/directory/prefixes";
            let answer = client.change(Method::PUT, path, Some(&body)).await?;
            context.output.data(&answer, || {
                if prefix.is_empty() {
                    "texts may go to every number".to_owned()
                } else {
                    format!(
                        "texts may go to numbers that begin with {}",
                        prefix.join(", ")
                    )
                }
            });
        }
        DirectoryCommand::Barred { add, remove } => barred(context, &client, &add, &remove).await?,
    }
    Ok(())
}

/// Changes which numbers no text goes to, and lists them.
async fn barred(
    context: &Context,
    client: &Client,
    add: &[(String, String)],
    remove: &[String],
) -> Done {
    let directory = client.get("/v1/directory").await?;
    let mut barred: Vec<Value> = each(&directory["barred_prefixes"]).cloned().collect();
    let before = barred.clone();
    barred.retain(|bar| !remove.contains(&cell(&bar["prefix"])));
    for (prefix, what) in add {
        barred.retain(|bar| bar["prefix"] != prefix.as_str());
        barred.push(json!({ "prefix": prefix, "what": what }));
    }
    if barred != before {
        let body = json!({ "barred": barred });
        client
            .change(Method::PUT, "/v1/directory/barred", Some(&body))
            .await?;
    }
    context.output.data(&json!({ "barred": barred }), || {
        let row = |bar: &Value| ["prefix", "what"].map(|field| cell(&bar[field])).to_vec();
        let rows: Vec<_> = barred.iter().map(row).collect();
        context.output.table(&["prefix", "what"], &rows)
    });
    Ok(())
}

/// Starts a contact check.
async fn check(context: &Context, client: &Client, to: &[String], remind_after: Duration) -> Done {
    let (mut people, mut groups) = (Vec::new(), Vec::new());
    for whom in to {
        match whom.split_once(':') {
            Some(("group", key)) => groups.push(key),
            Some(("person", key)) => people.push(key),
            Some(_) | None => {
                let problem = format!("{whom:?} is nobody; write group:duty or person:anna");
                return Err(Failure::new(Exit::Usage, problem));
            }
        }
    }
    let body =
        json!({ "people": people, "groups": groups, "remind_after_s": remind_after.as_secs() });
    let path = "/v1/directory/checks";
    let answer = client.change(Method::POST, path, Some(&body)).await?;
    context.output.data(&answer, || {
        if !answer["held"].is_null() {
            return held::waits(&answer["held"]);
        }
        let number = cell(&answer["number"]);
        format!(
            "{} people are asked; see `holdfast directory checked {number}`, end it with `holdfast alert resolve {number}`",
            answer["asked"]
        )
    });
    let left_out: Vec<String> = each(&answer["left_out"]).map(cell).collect();
    if !left_out.is_empty() {
        context.output.note(format!(
            "left out, because another check is asking them: {}",
            left_out.join(" ")
        ));
    }
    Ok(())
}

/// Everyone a check asked, those nothing reached first.
fn checked(context: &Context, answer: &Value) -> String {
    let mut rows = Vec::new();
    for result in ["unreachable", "silent", "answered"] {
        rows.extend(each(&answer[result]).map(|one| {
            let [key, name, at, detail] =
                ["key", "name", "at", "detail"].map(|field| cell(&one[field]));
            vec![key, name, result.to_owned(), at, detail]
        }));
    }
    context
        .output
        .table(&["key", "name", "result", "at", "from or why"], &rows)
}

/// `person import`.
pub(super) async fn import_people(context: &Context, command: &PersonImport) -> Done {
    let wanted = &command.import;
    let file = import::read(&wanted.file)?;
    let name = wanted.file.file_name().unwrap_or_default();
    let source = command
        .source
        .clone()
        .unwrap_or_else(|| name.to_string_lossy().into_owned());
    let query = format!(
        "?dry_run={}&strict={}&complete={}&source={}",
        wanted.dry_run,
        wanted.strict,
        command.complete,
        segment(&source)
    );
    let report = upload(&context.client()?, &query, file).await?;
    context.output.data(&report, || lines(context, &report));
    for warning in each(&report["warnings"]) {
        context.output.note(format!("warning: {}", cell(warning)));
    }
    conclude(context, &report, wanted.dry_run)
}

/// Sends a file of people to be imported; `query` says how.
pub(crate) async fn upload(client: &Client, query: &str, file: Vec<u8>) -> Result<Value, Failure> {
    client
        .upload(&format!("/v1/directory/imports{query}"), file)
        .await
}

/// `person export`.
pub(super) async fn export(context: &Context, file: &Path, format: Option<FormatWord>) -> Done {
    let extension = file.extension().and_then(|e| e.to_str()).unwrap_or("csv");
    let format = match (format, extension) {
        (Some(FormatWord::Csv), _) | (None, "csv") => "csv",
        (Some(FormatWord::Xlsx), _) | (None, "xlsx") => "xlsx",
        (Some(FormatWord::Vcard), _) | (None, "vcf" | "vcard") => "vcard",
        (None, other) => {
            return Err(Failure::new(
                Exit::Usage,
                format!("{other:?} says no format; say --format csv, xlsx or vcard"),
            ));
        }
    };
    let path = format!("/v1/directory/export?format={format}");
    let bytes = context.client()?.download(&path).await?;
    if file == Path::new("-") {
        return context.output.bytes(&bytes);
    }
    std::fs::write(file, &bytes).map_err(|e| {
        Failure::new(
            Exit::Failure,
            format!("cannot write {}: {e}", file.display()),
        )
    })?;
    let object = json!({ "ok": true, "file": file.display().to_string(), "bytes": bytes.len() });
    context
        .output
        .data(&object, || format!("{} written", file.display()));
    Ok(())
}

/// What an import came to, in a sentence and an exit code.
fn conclude(context: &Context, report: &Value, dry_run: bool) -> Done {
    let (applied, refused) = (report["applied"] == true, report["refused"].as_u64());
    let waits: Vec<String> = each(&report["waits"]).map(cell).collect();
    let done = match (dry_run, applied || report["import"].is_string()) {
        (true, _) => "dry run, nothing was changed; it would be: ",
        (false, true) => "",
        (false, false) => "nothing was changed: ",
    };
    context.output.note(format!(
        "{done}{} added, {} changed, {} unchanged, {} refused",
        report["added"], report["changed"], report["unchanged"], report["refused"]
    ));
    if !waits.is_empty() {
        let what = if dry_run { "would wait" } else { "waits" };
        let how = match report["import"].as_str() {
            Some(id) => format!(
                "; look at it with `holdfast directory import {id}`, then approve or reject it"
            ),
            None => String::new(),
        };
        context
            .output
            .note(format!("it {what} for a person: {}{how}", waits.join("; ")));
    }
    match refused {
        None | Some(0) => Ok(()),
        Some(count) => {
            let text = if count == 1 {
                "one line was refused".to_owned()
            } else {
                format!("{count} lines were refused")
            };
            Err(Failure::new(Exit::Failure, text).reported(context.output.json))
        }
    }
}

async fn decide(context: &Context, client: &Client, id: &str, verb: &str) -> Done {
    let path = path(id, &format!("/{verb}"));
    let answer = client.change(Method::POST, &path, None).await?;
    context.output.data(&answer, || match verb {
        "approve" => format!(
            "done; {} people were added, changed or removed",
            answer["applied"]
        ),
        _ => "rejected; nothing of what waited happens".to_owned(),
    });
    Ok(())
}

fn path(id: &str, rest: &str) -> String {
    format!("/v1/directory/imports/{}{rest}", segment(id))
}

fn shown(answer: &Value) -> String {
    let frozen = &answer["frozen"];
    let imports = if frozen.is_null() {
        "imports are taken".to_owned()
    } else {
        format!(
            "IMPORTS FROZEN since {} by {}: {}",
            cell(&frozen["since"]),
            cell(&frozen["by"]),
            cell(&frozen["reason"])
        )
    };
    let prefixes: Vec<String> = each(&answer["allowed_prefixes"]).map(cell).collect();
    let texts = if prefixes.is_empty() {
        "texts may go to every number".to_owned()
    } else {
        format!(
            "texts may go to numbers that begin with {}",
            prefixes.join(", ")
        )
    };
    format!(
        "{} people\n{imports}\n{} imports wait for a person\n{texts}",
        answer["people"], answer["waiting"]
    )
}

fn listed(context: &Context, answer: &Value) -> String {
    let columns = [
        "id", "source", "state", "asked_at", "asked_by", "people", "absent", "applied",
    ];
    let rows: Vec<Vec<String>> = each(&answer["imports"])
        .map(|import| {
            columns
                .iter()
                .map(|column| cell(&import[*column]))
                .collect()
        })
        .collect();
    context.output.table(
        &[
            "import", "source", "state", "asked at", "by", "changes", "removes", "applied",
        ],
        &rows,
    )
}

/// An import as somebody reads it who is to decide.
fn diff(context: &Context, import: &Value) -> String {
    let mut rows = Vec::new();
    for change in each(&import["changes"]) {
        let row = |what: String, before: String, after: String| {
            vec![
                cell(&change["key"]),
                cell(&change["name"]),
                what,
                before,
                after,
            ]
        };
        if change["added"] == true {
            rows.push(row("added".to_owned(), String::new(), String::new()));
        }
        for field in each(&change["fields"]) {
            rows.push(row(
                cell(&field["field"]),
                cell(&field["before"]),
                cell(&field["after"]),
            ));
        }
        for group in each(&change["groups"]) {
            rows.push(row("groups".to_owned(), String::new(), cell(group)));
        }
    }
    for key in each(&import["removes"]) {
        let gone = "REMOVED".to_owned();
        rows.push(vec![
            cell(key),
            String::new(),
            gone,
            String::new(),
            String::new(),
        ]);
    }
    let reasons: Vec<String> = each(&import["reasons"]).map(cell).collect();
    format!(
        "{}: {} of {} by {}; {}\n{}",
        cell(&import["state"]),
        cell(&import["source"]),
        cell(&import["asked_at"]),
        cell(&import["asked_by"]),
        reasons.join("; "),
        context
            .output
            .table(&["key", "name", "what", "before", "after"], &rows)
    )
}

fn lines(context: &Context, report: &Value) -> String {
    let row = |line: &Value| {
        let mut said: Vec<String> = each(&line["fields"]).map(cell).collect();
        said.extend(Some(cell(&line["reason"])).filter(|reason| !reason.is_empty()));
        said.extend(each(&line["warnings"]).map(|w| format!("warning: {}", cell(w))));
        vec![
            cell(&line["line"]),
            cell(&line["key"]),
            cell(&line["verdict"]),
            said.join("; "),
        ]
    };
    let rows: Vec<_> = each(&report["lines"]).map(row).collect();
    context
        .output
        .table(&["line", "key", "result", "what"], &rows)
}
