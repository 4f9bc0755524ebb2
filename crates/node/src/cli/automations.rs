//! How automations are shown, and how those of a template are tried out.

use std::time::Duration;

use hyper::Method;
use serde_json::{Value, json};

use super::Context;
use super::args::{duration, pair};
use crate::client::Client;
use crate::output::{Done, cell, each};

/// An answer somebody would give.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Tried {
    after: Duration,
    person: String,
    answer: String,
}

/// Reads `90s=anna:coming`.
pub(super) fn tried(text: &str) -> Result<Tried, String> {
    let (after, given) = pair(text)?;
    let after = match after.as_str() {
        "0" | "0s" => Duration::ZERO,
        after => duration(after)?,
    };
    match given.rsplit_once(':') {
        Some((person, answer)) if !person.is_empty() => Ok(Tried {
            after,
            person: person.to_owned(),
            answer: answer.replace('-', "_"),
        }),
        Some(_) | None => Err(format!("{text:?}: write for example 90s=anna:coming")),
    }
}

/// Says what a template's automations would do.
pub(super) async fn try_out(
    context: &Context,
    client: &Client,
    path: &str,
    answers: &[Tried],
) -> Done {
    let answers: Vec<Value> = answers
        .iter()
        .map(|tried| {
            json!({
                "after_s": tried.after.as_secs(),
                "person": tried.person,
                "answer": tried.answer,
            })
        })
        .collect();
    let body = json!({ "answers": answers });
    let answer = client.change(Method::POST, path, Some(&body)).await?;
    context.output.data(&answer, || {
        let mut lines: Vec<String> = each(&answer["fires"])
            .map(|fired| {
                format!(
                    "after {} s, automation {}: {}\n  {}",
                    cell(&fired["after_s"]),
                    cell(&fired["number"]),
                    cell(&fired["cause"]),
                    cell(&fired["sentences"]["en"])
                )
            })
            .collect();
        let silent: Vec<String> = each(&answer["silent"]).map(cell).collect();
        if !silent.is_empty() {
            lines.push(format!("not fired: {}", silent.join(", ")));
        }
        if lines.is_empty() {
            lines.push("the template has no automations".to_owned());
        }
        lines.join("\n")
    });
    for warning in each(&answer["warnings"]) {
        context.output.note(format!("warning: {}", cell(warning)));
    }
    Ok(())
}

/// Sentences of a template's automations, one a line; empty without any.
pub(super) fn listed(answer: &Value) -> String {
    let lines: Vec<String> = each(&answer["automations"])
        .enumerate()
        .map(|(index, sentences)| format!("automation {}: {}\n", index + 1, cell(&sentences["en"])))
        .collect();
    lines.concat()
}

/// What became of an alert's automations, one a line; empty without any.
pub(super) fn standing(alert: &Value) -> String {
    let line = |one: &Value| {
        let (number, state) = (cell(&one["number"]), cell(&one["state"]));
        let mut line = format!(
            "automation {number} ({state}): {}\n",
            cell(&one["sentences"]["en"])
        );
        if !one["fired_at"].is_null() {
            let did: Vec<String> = each(&one["did"]).map(cell).collect();
            line.push_str(&format!(
                "  at {}, because {}: {}\n",
                cell(&one["fired_at"]),
                cell(&one["cause"]),
                did.join("; ")
            ));
        }
        line
    };
    let lines: Vec<String> = each(&alert["automations"]).map(line).collect();
    match lines.is_empty() {
        true => String::new(),
        false => format!("\n{}", lines.concat()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tried_answer_is_a_time_a_person_and_a_word() {
        let read = tried("90s=anna:need-help").unwrap();
        assert_eq!(
            (
                read.after.as_secs(),
                read.person.as_str(),
                read.answer.as_str()
            ),
            (90, "anna", "need_help")
        );
        assert_eq!(tried("0=anna:coming").unwrap().after, Duration::ZERO);
        for bad in ["anna:coming", "90s=anna", "soon=anna:coming", "90s=:coming"] {
            assert!(tried(bad).is_err(), "{bad}");
        }
    }
}
