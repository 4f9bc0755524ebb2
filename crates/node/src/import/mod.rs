//! Groups from CSV files: every line gets a verdict, none is passed over in silence.
//!
//! The reading and the verdicts are here and know nothing of a network; [`crate::cli`] fetches what is known and sends
//! what is new. People come in through the API, which reads files itself.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, anyhow};
use domain::recipients::{self, Member};
use serde::{Deserialize, Serialize};

/// A group as files and the API know one.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Group {
    pub(crate) key: String,
    pub(crate) name: String,
    /// Keys of people, or `group:` and the key of a group, in calling order.
    pub(crate) members: Vec<String>,
}

/// What became of a line.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    Added,
    Changed,
    Unchanged,
    Refused,
}

/// One line's report.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct Line {
    /// Line in the file, counted from 1, the header included.
    pub(crate) line: u64,
    pub(crate) key: String,
    pub(crate) verdict: Verdict,
    /// Why it was refused; empty otherwise.
    pub(crate) reason: String,
}

/// A line that can be sent, at its place in the report.
#[derive(Clone, Debug)]
pub(crate) struct Row<T> {
    /// Index into [`Plan::report`].
    pub(crate) at: usize,
    pub(crate) item: T,
}

/// What to send and what to report.
#[derive(Clone, Debug)]
pub(crate) struct Plan<T> {
    /// New and changed ones, in file order.
    pub(crate) send: Vec<Row<T>>,
    pub(crate) report: Vec<Line>,
}

impl Group {
    /// As the domain checks and stores one.
    fn as_command(&self) -> recipients::Group {
        recipients::Group {
            key: self.key.clone(),
            name: self.name.clone(),
            members: self.members.iter().map(|m| Member::parse(m)).collect(),
            rule: recipients::Rule::default(),
        }
    }
}

impl<T> Plan<T> {
    /// Marks a line as refused after all, because the cluster said no.
    pub(crate) fn refuse(&mut self, at: usize, reason: String) {
        let line = &mut self.report[at];
        (line.verdict, line.reason) = (Verdict::Refused, reason);
    }

    pub(crate) fn count(&self, verdict: Verdict) -> usize {
        self.report.iter().filter(|l| l.verdict == verdict).count()
    }
}

/// Reads groups and compares them with those known.
///
/// # Errors
/// Only when the file as a whole cannot be read: no header, an unknown or missing column.
pub(crate) fn plan_groups(
    csv: &[u8],
    known: &[Group],
    people: &BTreeSet<String>,
) -> Result<Plan<Group>, anyhow::Error> {
    let known: BTreeMap<&str, &Group> = known.iter().map(|g| (g.key.as_str(), g)).collect();
    plan(
        csv,
        &["key", "name", "members"],
        &["key", "name", "members"],
        |field| {
            let group = Group {
                key: field("key").to_owned(),
                name: field("name").to_owned(),
                members: keys(field("members")),
            };
            recipients::check_group(&group.as_command())?;
            let unknown = |member: &&String| match Member::parse(member) {
                Member::Person(key) => !people.contains(&key),
                // The cluster knows which groups there are, those of other lines included.
                Member::Group(_) => false,
            };
            if let Some(missing) = group.members.iter().find(unknown) {
                return Err(format!(
                    "there is no person {missing:?}; import people first, or correct the key"
                ));
            }
            let verdict = match known.get(group.key.as_str()) {
                None => Verdict::Added,
                Some(before) if **before == group => Verdict::Unchanged,
                Some(_) => Verdict::Changed,
            };
            Ok((group, verdict))
        },
    )
}

type Field<'a> = &'a dyn Fn(&str) -> &'a str;

/// Goes through a CSV file line by line. `read` turns the fields into an item and its verdict, or says what is wrong.
fn plan<T>(
    csv: &[u8],
    columns: &[&str],
    required: &[&str],
    read: impl Fn(Field<'_>) -> Result<(T, Verdict), String>,
) -> Result<Plan<T>, anyhow::Error> {
    // Spreadsheets put a byte order mark in front.
    let csv = csv.strip_prefix(b"\xef\xbb\xbf").unwrap_or(csv);
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .trim(csv::Trim::All)
        .delimiter(delimiter(csv))
        .from_reader(csv);
    let header = reader
        .byte_headers()
        .context("line 1 is not a CSV header")?
        .clone();
    let header: Vec<String> = header
        .iter()
        .map(|h| String::from_utf8_lossy(h).to_lowercase())
        .collect();
    for name in &header {
        if !columns.contains(&name.as_str()) {
            return Err(anyhow!(
                "line 1: unknown column {name:?}; known are {}",
                columns.join(", ")
            ));
        }
    }
    for name in required {
        if !header.iter().any(|h| h == name) {
            return Err(anyhow!(
                "line 1: the column {name:?} is missing; the first line names the columns: {}",
                columns.join(",")
            ));
        }
    }
    let mut plan = Plan {
        send: Vec::new(),
        report: Vec::new(),
    };
    let mut first_lines: BTreeMap<String, u64> = BTreeMap::new();
    for record in reader.byte_records() {
        let record = record.context("the file cannot be read as CSV")?;
        let line = record.position().map_or(0, csv::Position::line);
        let mut refuse = |key: &str, reason: String| {
            plan.report.push(Line {
                line,
                key: key.to_owned(),
                verdict: Verdict::Refused,
                reason,
            });
        };
        let Ok(record) = csv::StringRecord::from_byte_record(record) else {
            refuse("", "not UTF-8; save the file as UTF-8".to_owned());
            continue;
        };
        let field = |name: &str| {
            header
                .iter()
                .position(|h| h == name)
                .and_then(|at| record.get(at))
                .unwrap_or("")
        };
        let key = field("key");
        if record.len() != header.len() {
            refuse(
                key,
                format!(
                    "{} fields where the first line has {}",
                    record.len(),
                    header.len()
                ),
            );
            continue;
        }
        if let Some(first) = first_lines.get(key) {
            refuse(key, format!("the key is already on line {first}"));
            continue;
        }
        match read(&field) {
            Err(reason) => refuse(key, reason),
            Ok((item, verdict)) => {
                if verdict != Verdict::Unchanged {
                    plan.send.push(Row {
                        at: plan.report.len(),
                        item,
                    });
                }
                plan.report.push(Line {
                    line,
                    key: key.to_owned(),
                    verdict,
                    reason: String::new(),
                });
                first_lines.insert(key.to_owned(), line);
            }
        }
    }
    Ok(plan)
}

/// Keys separated by semicolons or spaces, each once.
fn keys(text: &str) -> Vec<String> {
    let mut keys: Vec<String> = Vec::new();
    for part in text.split([';', ' ']).filter(|part| !part.is_empty()) {
        if !keys.iter().any(|key| key == part) {
            keys.push(part.to_owned());
        }
    }
    keys
}

/// Spreadsheets in much of Europe write semicolons between fields.
fn delimiter(csv: &[u8]) -> u8 {
    let first = csv.split(|b| *b == b'\n').next().unwrap_or_default();
    let count = |byte: u8| first.iter().filter(|b| **b == byte).count();
    if count(b';') > count(b',') {
        b';'
    } else {
        b','
    }
}
