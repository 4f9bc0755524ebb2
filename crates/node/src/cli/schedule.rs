//! `holdfast schedule`: write schedules, ask who is on call, and change that for a while.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use hyper::Method;
use serde_json::{Map, Value, json};

use super::Context;
use crate::client::segment;
use crate::output::{Done, Exit, Failure, cell, each};

/// The largest schedule or calendar read from a file.
const FILE_LEN_MAX: u64 = 1 << 20;

#[derive(Debug, Subcommand)]
pub(crate) enum ScheduleCommand {
    /// Add a schedule or replace the one with the same key, from a TOML or JSON file as `show --json` writes it
    Put {
        file: PathBuf,
        /// Key of the schedule, if the file does not say
        #[arg(long)]
        key: Option<String>,
    },
    /// List schedules
    List,
    /// A schedule as it was written, and its redirect
    Show { key: String },
    /// Who is on call, and why; without a key in every schedule
    Who {
        key: Option<String>,
        /// At this moment (RFC 3339) instead of now
        #[arg(long, value_name = "TIME")]
        at: Option<String>,
    },
    /// The shifts of a schedule, and when nobody is on call
    Shifts {
        key: String,
        #[command(flatten)]
        range: Range,
    },
    /// What is wrong ahead: gaps, double bookings, removed people, open swaps
    Warnings {
        key: String,
        #[command(flatten)]
        range: Range,
    },
    /// Put somebody else on call for a while
    #[command(subcommand)]
    Override(OverrideCommand),
    /// Exchange two shifts between two people
    #[command(subcommand)]
    Swap(SwapCommand),
    /// Send a schedule's calls elsewhere in one step, or back
    Redirect {
        key: String,
        /// Where to: schedule:power, group:duty or person:anna
        #[arg(
            long,
            value_name = "WHOM",
            required_unless_present = "back",
            conflicts_with = "back"
        )]
        to: Option<String>,
        /// Local time of the schedule [default: now]
        #[arg(long, value_name = "TIME")]
        from: Option<String>,
        /// Local time of the schedule [default: until it is taken back]
        #[arg(long, value_name = "TIME")]
        until: Option<String>,
        #[arg(long, default_value = "")]
        reason: String,
        /// Take the redirect back
        #[arg(long)]
        back: bool,
    },
    /// Take fixed shifts from an iCalendar file, event by event
    Import {
        key: String,
        file: PathBuf,
        /// Say what would happen and change nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Write a schedule's shifts as iCalendar
    Export { key: String },
    /// Addresses from which calendar programs read shifts
    #[command(subcommand)]
    Feed(FeedCommand),
    /// Remove a schedule with everything about it
    Remove { key: String },
}

#[derive(Args, Debug)]
pub(crate) struct Range {
    /// Beginning (RFC 3339) [default: now]
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// End (RFC 3339) [default: 14 days later]
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum OverrideCommand {
    /// Add one
    Add {
        key: String,
        /// Local time of the schedule, such as 2026-11-23T18:00
        #[arg(long, value_name = "TIME")]
        from: String,
        #[arg(long, value_name = "TIME")]
        to: String,
        /// Key of who is on call instead; repeatable, in calling order
        #[arg(long, required = true, value_name = "PERSON")]
        instead: Vec<String>,
        /// Only for this person, instead of for everyone
        #[arg(long, value_name = "PERSON")]
        of: Option<String>,
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Those that are not over
    List { key: String },
    /// Take one back; the two of a swap go together
    Remove { key: String, number: u64 },
}

#[derive(Debug, Subcommand)]
pub(crate) enum SwapCommand {
    /// Propose one
    Propose {
        key: String,
        /// Shift of who asks, as `shifts` shows it: bela=2026-11-28T00:00:00Z/2026-11-30T06:00:00Z
        #[arg(long, value_name = "SHIFT", value_parser = shift)]
        give: Value,
        /// Shift of who is asked
        #[arg(long, value_name = "SHIFT", value_parser = shift)]
        take: Value,
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Newest first
    List { key: String },
    /// Agree to one, as the person who is asked, or for both with a reason
    Consent {
        key: String,
        number: u64,
        #[arg(long, required_unless_present = "reason", conflicts_with = "reason")]
        person: Option<String>,
        #[arg(long)]
        reason: Option<String>,
    },
    /// Say no to one
    Decline {
        key: String,
        number: u64,
        #[arg(long)]
        person: String,
        #[arg(long, default_value = "")]
        reason: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum FeedCommand {
    /// Make one; its address is shown once
    Create {
        /// Of what: schedule:network or person:anna
        of: String,
    },
    /// List feeds
    List,
    /// End one at once
    Revoke { id: String },
}

pub(super) async fn schedule(context: &Context, command: ScheduleCommand) -> Done {
    match command {
        ScheduleCommand::Put { file, key } => put(context, &file, key).await,
        ScheduleCommand::List => list(context).await,
        ScheduleCommand::Show { key } => show(context, &key).await,
        ScheduleCommand::Who { key, at } => who(context, key.as_deref(), at.as_deref()).await,
        ScheduleCommand::Shifts { key, range } => shifts(context, &key, &range).await,
        ScheduleCommand::Warnings { key, range } => warnings(context, &key, &range).await,
        ScheduleCommand::Override(command) => override_(context, command).await,
        ScheduleCommand::Swap(command) => swap(context, command).await,
        ScheduleCommand::Redirect {
            key,
            to,
            from,
            until,
            reason,
            back: _,
        } => {
            let path = format!("{}/redirect", path(&key));
            let Some(to) = to else {
                return change(context, Method::DELETE, &path, None).await;
            };
            let mut body = Map::from_iter([
                ("to_target".to_owned(), redirect_target(&to)?),
                ("reason".to_owned(), json!(reason)),
            ]);
            body.extend(from.map(|from| ("from".to_owned(), json!(from))));
            body.extend(until.map(|until| ("to".to_owned(), json!(until))));
            change(context, Method::PUT, &path, Some(&Value::Object(body))).await
        }
        ScheduleCommand::Import { key, file, dry_run } => {
            import(context, &key, &file, dry_run).await
        }
        ScheduleCommand::Export { key } => {
            let answer = context
                .client()?
                .get(&format!("{}/calendar", path(&key)))
                .await?;
            let object = json!({ "calendar": answer });
            context.output.data(&object, || cell(&answer));
            Ok(())
        }
        ScheduleCommand::Feed(command) => feed(context, command).await,
        ScheduleCommand::Remove { key } => {
            context.confirm(&format!(
                "Remove schedule {key} with its overrides and swaps?"
            ))?;
            change(context, Method::DELETE, &path(&key), None).await
        }
    }
}

async fn put(context: &Context, file: &Path, key: Option<String>) -> Done {
    let text = read(file)?;
    let wrong = |error: &dyn std::fmt::Display| {
        Failure::new(Exit::Usage, format!("{}: {error}", file.display()))
    };
    let mut body: Map<String, Value> = match file.extension().is_some_and(|e| e == "toml") {
        true => toml::from_str(&text).map_err(|error| wrong(&error))?,
        false => serde_json::from_str(&text).map_err(|error| wrong(&error))?,
    };
    let written = body.remove("key");
    let key = key.or_else(|| written.as_ref().and_then(Value::as_str).map(str::to_owned));
    let key = key.ok_or_else(|| wrong(&"no key; write one into the file, or say --key"))?;
    // What `show` adds to what was written.
    for shown in ["redirect", "updated_at", "updated_by"] {
        body.remove(shown);
    }
    change(
        context,
        Method::PUT,
        &path(&key),
        Some(&Value::Object(body)),
    )
    .await
}

async fn list(context: &Context) -> Done {
    let answer = context.client()?.get("/v1/schedules?limit=1000").await?;
    let row = |s: &Value| {
        vec![
            cell(&s["key"]),
            cell(&s["name"]),
            cell(&s["zone"]),
            cell(&s["layers"]),
        ]
    };
    table(
        context,
        &answer,
        "schedules",
        &["key", "name", "zone", "layers"],
        row,
    );
    Ok(())
}

async fn show(context: &Context, key: &str) -> Done {
    let answer = context.client()?.get(&path(key)).await?;
    context.output.data(&answer, || {
        let mut lines = vec![format!(
            "{} ({}), times of {}",
            cell(&answer["name"]),
            cell(&answer["key"]),
            cell(&answer["zone"])
        )];
        for layer in each(&answer["layers"]) {
            let turns: Vec<String> = each(&layer["turns"])
                .map(|turn| each(turn).map(cell).collect::<Vec<_>>().join("+"))
                .collect();
            lines.push(format!(
                "layer {}: {} {}, from {}: {}",
                cell(&layer["name"]),
                cell(&layer["rotation"]),
                cell(&layer["every"]),
                cell(&layer["start"]),
                turns.join(", ")
            ));
        }
        lines.push(format!("{} fixed shifts", each(&answer["fixed"]).count()));
        let redirect = &answer["redirect"];
        if !redirect.is_null() {
            lines.push(format!(
                "redirected to {} from {} by {}",
                target_words(&redirect["target"]),
                cell(&redirect["from"]),
                cell(&redirect["made_by"])
            ));
        }
        lines.join("\n")
    });
    Ok(())
}

async fn who(context: &Context, key: Option<&str>, at: Option<&str>) -> Done {
    let question = at.map_or_else(String::new, |at| format!("?at={}", segment(at)));
    let place = key.map_or_else(
        || "/v1/on-call".to_owned(),
        |key| format!("{}/on-call", path(key)),
    );
    let answer = context.client()?.get(&format!("{place}{question}")).await?;
    context.output.data(&answer, || {
        let one = std::slice::from_ref(&answer);
        let found = answer["schedules"].as_array().map_or(one, Vec::as_slice);
        let mut rows = Vec::new();
        for schedule in found {
            let key = cell(&schedule["schedule"]);
            for duty in each(&schedule["on_call"]) {
                rows.push(vec![
                    key.clone(),
                    cell(&duty["person"]),
                    cell(&duty["name"]),
                    cell(&duty["why"]),
                ]);
            }
            if each(&schedule["on_call"]).next().is_none() {
                rows.push(vec![
                    key,
                    "nobody".to_owned(),
                    String::new(),
                    cell(&schedule["words"]),
                ]);
            }
        }
        context
            .output
            .table(&["schedule", "on call", "name", "why"], &rows)
    });
    Ok(())
}

async fn shifts(context: &Context, key: &str, range: &Range) -> Done {
    let answer = ask_range(context, key, "shifts", range).await?;
    context.output.data(&answer, || {
        let shift = |s: &Value| {
            vec![
                cell(&s["local_from"]),
                cell(&s["local_to"]),
                cell(&s["person"]),
                cell(&s["why"]),
            ]
        };
        let rows: Vec<_> = each(&answer["shifts"]).map(shift).collect();
        let mut text = context
            .output
            .table(&["from", "to", "on call", "why"], &rows);
        for gap in each(&answer["gaps"]) {
            text.push_str(&format!(
                "\nnobody is on call from {} to {}",
                cell(&gap["from"]),
                cell(&gap["to"])
            ));
        }
        text
    });
    Ok(())
}

async fn warnings(context: &Context, key: &str, range: &Range) -> Done {
    let answer = ask_range(context, key, "warnings", range).await?;
    context.output.data(&answer, || {
        let row = |w: &Value| vec![cell(&w["from"]), cell(&w["to"]), cell(&w["words"])];
        let rows: Vec<_> = each(&answer["warnings"]).map(row).collect();
        match rows.is_empty() {
            true => "nothing is wrong in that time".to_owned(),
            false => context.output.table(&["from", "to", "what"], &rows),
        }
    });
    Ok(())
}

async fn override_(context: &Context, command: OverrideCommand) -> Done {
    match command {
        OverrideCommand::Add {
            key,
            from,
            to,
            instead,
            of,
            reason,
        } => {
            let mut body = json!({ "from": from, "to": to, "instead": instead, "reason": reason });
            if let Some(of) = of {
                body["of"] = json!(of);
            }
            let path = format!("{}/overrides", path(&key));
            change(context, Method::POST, &path, Some(&body)).await
        }
        OverrideCommand::List { key } => {
            let answer = context
                .client()?
                .get(&format!("{}/overrides", path(&key)))
                .await?;
            let row = |o: &Value| {
                let of = if o["of"].is_null() {
                    "everyone".to_owned()
                } else {
                    cell(&o["of"])
                };
                vec![
                    cell(&o["number"]),
                    cell(&o["from"]),
                    cell(&o["to"]),
                    cell(&o["instead"]),
                    of,
                    cell(&o["reason"]),
                ]
            };
            let header = ["number", "from", "to", "on call", "instead of", "reason"];
            table(context, &answer, "overrides", &header, row);
            Ok(())
        }
        OverrideCommand::Remove { key, number } => {
            let path = format!("{}/overrides/{number}", path(&key));
            change(context, Method::DELETE, &path, None).await
        }
    }
}

async fn swap(context: &Context, command: SwapCommand) -> Done {
    let (key, rest, body) = match command {
        SwapCommand::List { key } => {
            let answer = context
                .client()?
                .get(&format!("{}/swaps", path(&key)))
                .await?;
            let shift = |s: &Value| {
                format!(
                    "{} {}/{}",
                    cell(&s["person"]),
                    cell(&s["from"]),
                    cell(&s["to"])
                )
            };
            let row = |s: &Value| {
                vec![
                    cell(&s["number"]),
                    cell(&s["state"]),
                    shift(&s["give"]),
                    shift(&s["take"]),
                ]
            };
            table(
                context,
                &answer,
                "swaps",
                &["number", "state", "gives", "takes"],
                row,
            );
            return Ok(());
        }
        SwapCommand::Propose {
            key,
            give,
            take,
            reason,
        } => {
            let body = json!({ "give": give, "take": take, "reason": reason });
            (key, "swaps".to_owned(), body)
        }
        SwapCommand::Consent {
            key,
            number,
            person,
            reason,
        } => {
            let body = match person {
                Some(person) => json!({ "person": person }),
                None => json!({ "reason": reason }),
            };
            (key, format!("swaps/{number}/consent"), body)
        }
        SwapCommand::Decline {
            key,
            number,
            person,
            reason,
        } => {
            let body = json!({ "person": person, "reason": reason });
            (key, format!("swaps/{number}/decline"), body)
        }
    };
    change(
        context,
        Method::POST,
        &format!("{}/{rest}", path(&key)),
        Some(&body),
    )
    .await
}

async fn import(context: &Context, key: &str, file: &Path, dry_run: bool) -> Done {
    let body = json!({ "calendar": read(file)?, "dry_run": dry_run });
    let path = format!("{}/import", path(key));
    let answer = context
        .client()?
        .change(Method::POST, &path, Some(&body))
        .await?;
    context.output.data(&answer, || {
        let row = |event: &Value| {
            let shift = |s: &Value| {
                format!(
                    "{} {} to {}",
                    cell(&s["person"]),
                    cell(&s["from"]),
                    cell(&s["to"])
                )
            };
            let shifts: Vec<String> = each(&event["shifts"]).map(shift).collect();
            let verdict = match event["problem"].as_str() {
                Some(problem) => format!("refused: {problem}"),
                None => shifts.join("; "),
            };
            vec![cell(&event["line"]), cell(&event["summary"]), verdict]
        };
        let rows: Vec<_> = each(&answer["events"]).map(row).collect();
        format!(
            "{}\n{} taken, {} refused{}",
            context.output.table(&["line", "event", "becomes"], &rows),
            cell(&answer["taken"]),
            cell(&answer["refused"]),
            if dry_run { "; nothing was changed" } else { "" }
        )
    });
    match answer["refused"].as_u64() {
        Some(0) | None => Ok(()),
        Some(refused) => {
            let failure = Failure::new(Exit::Failure, format!("{refused} events were refused"));
            Err(failure.reported(context.output.json))
        }
    }
}

async fn feed(context: &Context, command: FeedCommand) -> Done {
    match command {
        FeedCommand::Create { of } => {
            let body = json!({ "of": target(&of)? });
            let answer = context
                .client()?
                .change(Method::POST, "/v1/feeds", Some(&body))
                .await?;
            context.output.data(&answer, || cell(&answer["path"]));
            context.output.note(
                "add this path to a node's address, https://NODE:PORT; whoever has it can read the calendar. It is not \
                 shown again",
            );
            Ok(())
        }
        FeedCommand::List => {
            let answer = context.client()?.get("/v1/feeds").await?;
            let row = |f: &Value| {
                let state = if f["revoked_at"].is_null() {
                    "live"
                } else {
                    "ended"
                };
                vec![
                    cell(&f["id"]),
                    target_words(&f["of"]),
                    cell(&f["created_at"]),
                    state.to_owned(),
                ]
            };
            table(
                context,
                &answer,
                "feeds",
                &["id", "of", "created", "state"],
                row,
            );
            Ok(())
        }
        FeedCommand::Revoke { id } => {
            let path = format!("/v1/feeds/{}", segment(&id));
            change(context, Method::DELETE, &path, None).await
        }
    }
}

async fn ask_range(
    context: &Context,
    key: &str,
    what: &str,
    range: &Range,
) -> Result<Value, Failure> {
    let given = [("from", &range.from), ("to", &range.to)];
    let params = given.into_iter().filter_map(|(name, time)| {
        let time = time.as_ref()?;
        Some(format!("{name}={}", segment(time)))
    });
    let params: Vec<String> = params.collect();
    let path = format!("{}/{what}?{}", path(key), params.join("&"));
    context.client()?.get(&path).await
}

async fn change(context: &Context, method: Method, path: &str, body: Option<&Value>) -> Done {
    let answer = context.client()?.change(method, path, body).await?;
    context.output.data(&answer, || {
        match (answer["changed"] == false, answer["number"].as_u64()) {
            (true, _) => "nothing to change".to_owned(),
            (false, Some(number)) => format!("done, number {number}"),
            (false, None) => "done".to_owned(),
        }
    });
    Ok(())
}

fn table(
    context: &Context,
    answer: &Value,
    what: &str,
    header: &[&str],
    row: impl Fn(&Value) -> Vec<String>,
) {
    context.output.data(answer, || {
        let rows: Vec<_> = each(&answer[what]).map(row).collect();
        context.output.table(header, &rows)
    });
}

fn path(key: &str) -> String {
    format!("/v1/schedules/{}", segment(key))
}

/// `schedule:power`, `group:duty` or `person:anna` as the API writes it.
pub(super) fn redirect_target(text: &str) -> Result<Value, Failure> {
    match text.split_once(':') {
        Some((kind @ ("schedule" | "group" | "person"), key)) if !key.is_empty() => {
            Ok(json!({ kind: key }))
        }
        Some(_) | None => Err(Failure::new(
            Exit::Usage,
            format!("{text:?}: write schedule:KEY, group:KEY or person:KEY"),
        )),
    }
}

fn target(text: &str) -> Result<Value, Failure> {
    match text.split_once(':') {
        Some((kind @ ("schedule" | "person"), key)) if !key.is_empty() => Ok(json!({ kind: key })),
        Some(_) | None => Err(Failure::new(
            Exit::Usage,
            format!("{text:?}: write schedule:KEY or person:KEY"),
        )),
    }
}

pub(super) fn target_words(target: &Value) -> String {
    let known = ["schedule", "group", "person"];
    let named = known.iter().find(|kind| target[**kind].is_string());
    named.map_or_else(String::new, |kind| {
        format!("{kind}:{}", cell(&target[*kind]))
    })
}

/// `bela=FROM/TO` as the API writes it.
fn shift(text: &str) -> Result<Value, String> {
    let parts = text
        .split_once('=')
        .and_then(|(person, range)| Some((person, range.split_once('/')?)));
    let (person, (from, to)) = parts
        .ok_or("write PERSON=FROM/TO, such as bela=2026-11-28T00:00:00Z/2026-11-30T06:00:00Z")?;
    Ok(json!({ "person": person, "from": from, "to": to }))
}

fn read(file: &Path) -> Result<String, Failure> {
    let shown = file.display();
    let len = std::fs::metadata(file)
        .with_context(|| format!("cannot read {shown}"))?
        .len();
    if len > FILE_LEN_MAX {
        return Err(Failure::new(
            Exit::Usage,
            format!("{shown} has more than {FILE_LEN_MAX} bytes; send part of it"),
        ));
    }
    Ok(std::fs::read_to_string(file).with_context(|| format!("cannot read {shown} as text"))?)
}
