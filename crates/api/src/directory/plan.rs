//! What a file comes to, line by line, given whom the directory knows.

use std::collections::{BTreeMap, BTreeSet};

use contacts::{Line, Reading};
use domain::ports::ReadView;
use domain::recipients::{self, Import, Join, Person, PersonRow, Prefixes, changed_fields};
use serde::Serialize;
use utoipa::ToSchema;

use crate::problem::{Problem, of_query};

/// What becomes of a line.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    Added,
    Changed,
    Unchanged,
    Refused,
}

/// One line's report.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ImportLine)]
pub(super) struct LineReport {
    /// Line or row in the file, counted from 1, the header included; of a vCard, the line it begins on.
    line: u64,
    key: String,
    #[schema(inline)]
    pub(super) verdict: Verdict,
    /// What changes of a person who is known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fields: Vec<&'static str>,
    /// Why it was refused; empty otherwise.
    reason: String,
    /// What was passed over, and what was taken and will not work as it stands.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

/// A file's report, and the import it makes.
pub(super) struct Plan {
    pub(super) lines: Vec<LineReport>,
    pub(super) warnings: Vec<String>,
    pub(super) import: Import,
}

/// A line that can be taken.
struct Taken {
    /// Index into the report.
    at: usize,
    person: Person,
    /// Groups the person is not in yet.
    joins: Vec<String>,
    changes: bool,
}

/// Compares a file with the directory. A complete file also says who is not in it.
pub(super) async fn plan(
    view: &mut ReadView,
    reading: Reading,
    source: String,
    complete: bool,
) -> Result<Plan, Problem> {
    let known = known(view, &reading.lines).await?;
    let prefixes = recipients::prefixes(view).await.map_err(of_query)?;
    let named: BTreeSet<String> = reading.lines.iter().map(|line| line.key.clone()).collect();
    let mut warnings = reading.warnings;
    let mut report = Vec::with_capacity(reading.lines.len());
    let mut taken = Vec::new();
    for line in reading.lines {
        let (line, person) = compare(line, &known, &prefixes, report.len());
        report.push(line);
        taken.extend(person);
    }
    refuse_lonely_sleepers(view, &mut report, &mut taken).await?;
    let mut absent = Vec::new();
    if complete && named.contains("") {
        warnings.push(
            "some lines have no key, so who is missing from the file cannot be told; nobody will be removed".to_owned(),
        );
    } else if complete {
        absent = recipients::keys(view).await.map_err(of_query)?;
        absent.retain(|key| !named.contains(key));
    }
    Ok(Plan {
        lines: report,
        warnings,
        import: import(source, taken, absent),
    })
}

async fn known(
    view: &mut ReadView,
    lines: &[Line],
) -> Result<BTreeMap<String, PersonRow>, Problem> {
    let keys: Vec<&str> = lines.iter().map(|line| line.key.as_str()).collect();
    let rows = recipients::by_keys(view, &keys).await.map_err(of_query)?;
    Ok(rows.into_iter().map(|row| (row.key.clone(), row)).collect())
}

fn compare(
    line: Line,
    known: &BTreeMap<String, PersonRow>,
    prefixes: &Prefixes,
    at: usize,
) -> (LineReport, Option<Taken>) {
    let mut report = LineReport {
        line: line.line,
        key: line.key,
        verdict: Verdict::Refused,
        fields: Vec::new(),
        reason: String::new(),
        warnings: line.warnings,
    };
    let row = known.get(&report.key);
    let before = row.cloned().map(PersonRow::into_person);
    let read = line.entry.and_then(|entry| {
        let person = entry.onto(before.as_ref())?;
        let groups = entry.groups();
        for group in &groups {
            recipients::check_key(group).map_err(|problem| format!("groups: {problem}"))?;
        }
        Ok((person, groups))
    });
    let (person, mut joins) = match read {
        Ok(read) => read,
        Err(reason) => {
            report.reason = reason;
            return (report, None);
        }
    };
    joins.retain(|group| row.is_none_or(|row| !row.groups.contains(group)));
    for method in &person.methods {
        if let Err(refused) = recipients::check_prefix(prefixes, method) {
            report
                .warnings
                .push(format!("{}: {refused}", method.address()));
        }
    }
    report.verdict = match &before {
        None => Verdict::Added,
        Some(before) => {
            report.fields = changed_fields(before, &person);
            if !joins.is_empty() {
                report.fields.push("groups");
            }
            match report.fields.is_empty() {
                true => Verdict::Unchanged,
                false => Verdict::Changed,
            }
        }
    };
    let changes = report.verdict != Verdict::Unchanged;
    (
        report,
        Some(Taken {
            at,
            person,
            joins,
            changes,
        }),
    )
}

/// Refuses those who are to be woken by somebody whom neither the directory nor the file knows, and then those who
/// counted on them.
async fn refuse_lonely_sleepers(
    view: &mut ReadView,
    report: &mut [LineReport],
    taken: &mut Vec<Taken>,
) -> Result<(), Problem> {
    let wakers: Vec<&str> = taken
        .iter()
        .filter_map(|t| t.person.details.wishes.wake_by.as_deref())
        .collect();
    let known: BTreeSet<String> = recipients::by_keys(view, &wakers)
        .await
        .map_err(of_query)?
        .into_iter()
        .map(|row| row.key)
        .collect();
    loop {
        let file: BTreeSet<String> = taken.iter().map(|t| t.person.key.clone()).collect();
        let before = taken.len();
        taken.retain(|one| {
            let Some(waker) = &one.person.details.wishes.wake_by else {
                return true;
            };
            let found = known.contains(waker) || file.contains(waker);
            if !found {
                let line = &mut report[one.at];
                line.verdict = Verdict::Refused;
                line.fields.clear();
                line.reason = format!("wake_by: nobody is known by the key {waker}");
            }
            found
        });
        if taken.len() == before {
            return Ok(());
        }
    }
}

fn import(source: String, taken: Vec<Taken>, absent: Vec<String>) -> Import {
    let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut people = Vec::new();
    for one in taken {
        for group in one.joins {
            groups
                .entry(group)
                .or_default()
                .push(one.person.key.clone());
        }
        if one.changes {
            people.push(one.person);
        }
    }
    let joins = groups
        .into_iter()
        .map(|(group, people)| Join { group, people })
        .collect();
    Import {
        source,
        people,
        joins,
        absent,
    }
}
