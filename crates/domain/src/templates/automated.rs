//! What may stand in a template's automations.

use sqlx::SqliteConnection;

use super::rules::{Mistake, VALUE_LEN_MAX};
use super::{Template, query};
use crate::oncall::{self, Called};
use crate::recipients;
use crate::texts::steers;
use crate::vocabulary::{AUTOMATIONS_MAX, DELAY_MS_MAX, EFFECTS_MAX, Effect, When};

/// Names in one condition or effect.
const NAMES_MAX: usize = 20;

const POST_LEN_MAX: usize = 1_000;
const CLOSE_LEN_MAX: usize = 300;

/// Mistakes that can be seen without looking anything up, in reading order.
pub(super) fn check(template: &Template) -> Vec<Mistake> {
    let mut mistakes = Mistakes::default();
    let all = &template.automations;
    if all.len() > AUTOMATIONS_MAX {
        let problem = format!(
            "has {} entries; at most {AUTOMATIONS_MAX} are taken",
            all.len()
        );
        mistakes.add("/automations".to_owned(), problem);
    }
    for (index, automation) in all.iter().take(AUTOMATIONS_MAX).enumerate() {
        let at = format!("/automations/{index}");
        check_when(&mut mistakes, &at, &automation.when);
        let effects = automation.then.len();
        if effects == 0 {
            mistakes.add(format!("{at}/then"), "does nothing; say what it does");
        }
        if effects > EFFECTS_MAX {
            let problem = format!("has {effects} entries; at most {EFFECTS_MAX} are taken");
            mistakes.add(format!("{at}/then"), problem);
        }
        for (place, effect) in automation.then.iter().take(EFFECTS_MAX).enumerate() {
            check_effect(
                &mut mistakes,
                &format!("{at}/then/{place}"),
                effect,
                template,
            );
        }
    }
    mistakes.0
}

#[derive(Default)]
struct Mistakes(Vec<Mistake>);

impl Mistakes {
    fn add(&mut self, at: String, problem: impl Into<String>) {
        self.0.push(Mistake {
            at,
            problem: problem.into(),
        });
    }

    fn line(&mut self, at: String, text: &str, len_max: usize) {
        let len = text.chars().count();
        if len > len_max {
            self.add(
                at,
                format!("has {len} characters; at most {len_max} are taken"),
            );
        } else if let Some(odd) = text.chars().find(|c| c.is_control() || steers(*c)) {
            let problem = format!(
                "holds the control character U+{:04X}; take it out",
                u32::from(odd)
            );
            self.add(at, problem);
        }
    }

    fn names(&mut self, at: &str, names: &[String]) {
        if names.len() > NAMES_MAX {
            let problem = format!("has {} entries; at most {NAMES_MAX} are taken", names.len());
            self.add(at.to_owned(), problem);
        }
        for (index, name) in names.iter().take(NAMES_MAX).enumerate() {
            if Called::parse(name).is_none() {
                let shown: String = name.chars().take(80).collect();
                let problem =
                    format!("{shown:?} names nobody; write person:KEY, group:KEY or schedule:KEY");
                self.add(format!("{at}/{index}"), problem);
            }
        }
    }
}

fn check_when(mistakes: &mut Mistakes, at: &str, when: &When) {
    let at = format!("{at}/when");
    mistakes.names(&format!("{at}/{}/among", word(when)), when.among());
    if let When::Answered { count: 0, .. } = when {
        mistakes.add(
            format!("{at}/answered/count"),
            "is 0; wait for at least 1 answer",
        );
    }
    if let Some(after) = when.after_ms()
        && !(1_000..=DELAY_MS_MAX).contains(&after)
    {
        let problem = "is not between 1 and 604800 (7 days)";
        mistakes.add(format!("{at}/{}/after_s", word(when)), problem);
    }
}

fn check_effect(mistakes: &mut Mistakes, at: &str, effect: &Effect, template: &Template) {
    match effect {
        Effect::Raise {
            template: other,
            values,
        } => {
            if *other == template.key {
                let problem = "raises its own template, which would never end; name another";
                mistakes.add(format!("{at}/raise/template"), problem);
            }
            for (name, value) in values {
                mistakes.line(
                    format!("{at}/raise/placeholders/{name}"),
                    value,
                    VALUE_LEN_MAX,
                );
            }
        }
        Effect::Add { to } => {
            if to.is_empty() {
                mistakes.add(format!("{at}/add/to"), "names nobody; say whom to call");
            }
            mistakes.names(&format!("{at}/add/to"), to);
        }
        Effect::Post { text } => {
            if text.trim().is_empty() {
                mistakes.add(format!("{at}/post/text"), "is empty");
            }
            mistakes.line(format!("{at}/post/text"), text, POST_LEN_MAX);
        }
        Effect::Close { note } => mistakes.line(format!("{at}/close/note"), note, CLOSE_LEN_MAX),
        Effect::Severity { .. } | Effect::Tell { .. } => {}
    }
}

fn word(when: &When) -> &'static str {
    match when {
        When::Answered { .. } => "answered",
        When::Nobody { .. } => "nobody",
        When::Complete => "complete",
        When::Incomplete { .. } => "incomplete",
    }
}

/// What a template's automations name that is not there, with its place. Unlike the people of a step, which a raise can
/// say otherwise, these are needed when nobody looks.
pub async fn unknown_in_automations(
    conn: &mut SqliteConnection,
    template: &Template,
) -> Result<Vec<Mistake>, sqlx::Error> {
    let mut mistakes = Mistakes::default();
    for (index, automation) in template.automations.iter().enumerate() {
        let at = format!("/automations/{index}");
        let among = format!("{at}/when/{}/among", word(&automation.when));
        unknown_names(conn, &mut mistakes, &among, automation.when.among()).await?;
        for (place, effect) in automation.then.iter().enumerate() {
            let at = format!("{at}/then/{place}");
            match effect {
                Effect::Add { to } => {
                    unknown_names(conn, &mut mistakes, &format!("{at}/add/to"), to).await?;
                }
                Effect::Raise {
                    template: other,
                    values,
                } if *other != template.key => {
                    let at = format!("{at}/raise");
                    unfit_template(conn, &mut mistakes, &at, other, values).await?;
                }
                Effect::Raise { .. }
                | Effect::Post { .. }
                | Effect::Severity { .. }
                | Effect::Tell { .. }
                | Effect::Close { .. } => {}
            }
        }
    }
    Ok(mistakes.0)
}

async fn unknown_names(
    conn: &mut SqliteConnection,
    mistakes: &mut Mistakes,
    at: &str,
    names: &[String],
) -> Result<(), sqlx::Error> {
    for (index, name) in names.iter().take(NAMES_MAX).enumerate() {
        let problem = match Called::parse(name) {
            Some(Called::Named(named)) => recipients::resolve(conn, &[named])
                .await?
                .err()
                .map(|refusal| refusal.to_string()),
            Some(Called::OnCall(key)) => match oncall::schedule(conn, &key).await? {
                Some(_) => None,
                None => Some(format!(
                    "unknown schedule {key}; see `holdfast schedule list`"
                )),
            },
            None => None, // said already
        };
        if let Some(problem) = problem {
            mistakes.add(format!("{at}/{index}"), problem);
        }
    }
    Ok(())
}

/// A template that cannot be raised by itself: unknown, out of use, calling nobody, or with holes that nothing fills.
async fn unfit_template(
    conn: &mut SqliteConnection,
    mistakes: &mut Mistakes,
    at: &str,
    key: &str,
    values: &std::collections::BTreeMap<String, String>,
) -> Result<(), sqlx::Error> {
    let at_key = || format!("{at}/template");
    let found = match query::find(conn, key).await? {
        Some(found) if found.archived_at.is_none() => found.template,
        Some(_) => {
            let problem = format!("template {key} is out of use; take it back into use first");
            mistakes.add(at_key(), problem);
            return Ok(());
        }
        None => {
            let shown: String = key.chars().take(64).collect();
            let problem = format!("there is no template {shown:?}; put it first");
            mistakes.add(at_key(), problem);
            return Ok(());
        }
    };
    if found.steps.iter().all(|step| step.to.is_empty()) {
        let problem = format!("template {key} calls nobody by itself; give it steps first");
        mistakes.add(at_key(), problem);
    }
    for placeholder in found.placeholders.iter().filter(|p| p.required) {
        if !values.contains_key(&placeholder.name) {
            let at = format!("{at}/placeholders/{}", placeholder.name);
            mistakes.add(at, format!("is missing; template {key} needs it"));
        }
    }
    for name in values.keys() {
        if !found.placeholders.iter().any(|p| p.name == *name) {
            let at = format!("{at}/placeholders/{name}");
            mistakes.add(at, format!("is no placeholder of template {key}"));
        }
    }
    Ok(())
}
