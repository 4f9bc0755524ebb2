//! `group import`: what is known is fetched, what is new is sent, and every line is reported.

use std::collections::BTreeSet;
use std::path::Path;

use hyper::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::Context;
use super::args::Import;
use crate::client::{Client, segment};
use crate::import::{self, Group, Line, Plan, Row, Verdict};
use crate::output::{Done, Exit, Failure};

/// People or groups in one request.
const BATCH_LEN: usize = 200;

/// People in one answer.
const PAGE_LEN: usize = 1_000;

pub(super) async fn groups(context: &Context, import: &Import) -> Done {
    let client = context.client()?;
    let csv = read(&import.file)?;
    let plan = import_groups(&client, &csv, Mode::of(import)).await?;
    report(context, import, &plan.report)
}

/// How far an import goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Mode {
    /// Good lines go in even if others are refused.
    Lines,
    AllOrNothing,
    DryRun,
}

impl Mode {
    fn of(import: &Import) -> Self {
        match (import.dry_run, import.strict) {
            (true, _) => Self::DryRun,
            (false, true) => Self::AllOrNothing,
            (false, false) => Self::Lines,
        }
    }

    fn sends<T>(self, plan: &Plan<T>) -> bool {
        match self {
            Self::Lines => true,
            Self::AllOrNothing => plan.count(Verdict::Refused) == 0,
            Self::DryRun => false,
        }
    }
}

/// As much of a person as a group asks for.
#[derive(Debug, Deserialize)]
struct Keyed {
    key: String,
}

/// Brings groups in from CSV.
async fn import_groups(client: &Client, csv: &[u8], mode: Mode) -> Result<Plan<Group>, Failure> {
    let people: Vec<Keyed> = fetch(client, "people").await?;
    let people = people.into_iter().map(|person| person.key).collect();
    let known: Vec<Group> = fetch(client, "groups").await?;
    let mut plan = import::plan_groups(csv, &known, &people)?;
    if mode.sends(&plan) {
        let rows: Vec<Row<Value>> = plan
            .send
            .iter()
            .map(|r| Row {
                at: r.at,
                item: json!(r.item),
            })
            .collect();
        send(client, "groups", &rows, &mut plan, mode).await?;
    }
    Ok(plan)
}

/// Sends rows in batches. A batch that is refused goes again one by one, so that the reason finds its line. Gives the
/// places of refused lines.
async fn send<T>(
    client: &Client,
    what: &str,
    rows: &[Row<Value>],
    plan: &mut Plan<T>,
    mode: Mode,
) -> Result<BTreeSet<usize>, Failure> {
    let path = format!("/v1/{what}");
    let mut refused = BTreeSet::new();
    let batch_len = if mode == Mode::AllOrNothing {
        rows.len().max(1)
    } else {
        BATCH_LEN
    };
    for batch in rows.chunks(batch_len) {
        let items: Vec<&Value> = batch.iter().map(|r| &r.item).collect();
        match client
            .change(Method::PUT, &path, Some(&json!({ what: items })))
            .await
        {
            Ok(_) => {}
            Err(failure) if !is_about_content(&failure) => return Err(failure),
            Err(failure) if mode == Mode::AllOrNothing || batch.len() == 1 => {
                for row in batch {
                    plan.refuse(row.at, format!("{:#}", failure.error));
                    refused.insert(row.at);
                }
            }
            Err(_) => {
                for row in batch {
                    match client
                        .change(Method::PUT, &path, Some(&json!({ what: [&row.item] })))
                        .await
                    {
                        Ok(_) => {}
                        Err(failure) if is_about_content(&failure) => {
                            plan.refuse(row.at, format!("{:#}", failure.error));
                            refused.insert(row.at);
                        }
                        Err(failure) => return Err(failure),
                    }
                }
            }
        }
    }
    Ok(refused)
}

/// Whether the node understood and said no; anything else will not get better line by line.
fn is_about_content(failure: &Failure) -> bool {
    failure.refused
}

/// All people or all groups, page by page.
async fn fetch<T: DeserializeOwned>(client: &Client, what: &str) -> Result<Vec<T>, Failure> {
    let mut all = Vec::new();
    let mut path = format!("/v1/{what}?limit={PAGE_LEN}");
    loop {
        let mut page = client.get(&path).await?;
        let list: Vec<T> = serde_json::from_value(page[what].take()).map_err(|e| {
            Failure::new(
                Exit::Failure,
                format!("the node's list of {what} is not understood: {e}"),
            )
        })?;
        all.extend(list);
        match page["next"].as_str() {
            Some(next) => path = format!("/v1/{what}?limit={PAGE_LEN}&after={}", segment(next)),
            None => return Ok(all),
        }
    }
}

pub(super) fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(file).map_err(|e| {
        Failure::new(
            Exit::Failure,
            format!("cannot read {}: {e}", file.display()),
        )
    })
}

fn report(context: &Context, import: &Import, lines: &[Line]) -> Done {
    let count = |verdict| lines.iter().filter(|l| l.verdict == verdict).count();
    let (added, changed) = (count(Verdict::Added), count(Verdict::Changed));
    let (unchanged, refused) = (count(Verdict::Unchanged), count(Verdict::Refused));
    let nothing = import.dry_run || (import.strict && refused > 0);
    let object = json!({
        "ok": refused == 0, "applied": !nothing, "added": added, "changed": changed, "unchanged": unchanged,
        "refused": refused, "lines": lines,
    });
    context.output.data(&object, || {
        let row = |l: &Line| {
            let verdict = match l.verdict {
                Verdict::Added => "added",
                Verdict::Changed => "changed",
                Verdict::Unchanged => "unchanged",
                Verdict::Refused => "refused",
            };
            vec![
                l.line.to_string(),
                l.key.clone(),
                verdict.to_owned(),
                l.reason.clone(),
            ]
        };
        context.output.table(
            &["line", "key", "result", "reason"],
            &lines.iter().map(row).collect::<Vec<_>>(),
        )
    });
    let done = match (import.dry_run, nothing) {
        (true, _) => "dry run, nothing was changed; it would be: ",
        (false, true) => "nothing was changed; it would have been: ",
        (false, false) => "",
    };
    context.output.note(format!(
        "{done}{added} added, {changed} changed, {unchanged} unchanged, {refused} refused"
    ));
    if refused > 0 {
        let text = if refused == 1 {
            "one line was refused".to_owned()
        } else {
            format!("{refused} lines were refused")
        };
        return Err(Failure::new(Exit::Failure, text).reported(context.output.json));
    }
    Ok(())
}
