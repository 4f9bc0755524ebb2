//! From a template to a raise: the one place where the two meet. Everything is filled in and frozen here; later changes
//! of the template change nothing.

use std::collections::BTreeMap;

use super::{FromTemplate, Raise};
use crate::oncall::{Called, WantedQuota};
use crate::recipients::Named;
use crate::templates::{
    self, ByLanguage, Fill, Gather, Item, Mistake, Template, VALUE_LEN_MAX, Version,
};
use crate::texts::{self, Language};
use crate::vocabulary::{Severity, Status};

/// What whoever raises an alert says beside the template.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Said {
    /// By name of placeholder.
    pub values: ByLanguage,
    /// Words of their own, behind the template's in every language. May be empty.
    pub extra: String,
    /// In place of the template's.
    pub severity: Option<Severity>,
    /// In place of the template's.
    pub status: Option<Status>,
}

/// A raise whose people still go by their names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Templated {
    /// Complete but for its people, its source and whatever only the raise itself says.
    pub raise: Raise,
    pub steps: Vec<TemplatedStep>,
    /// Who is told how a safety check goes.
    pub lead: Vec<Named>,
}

/// A step whose people still go by their names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TemplatedStep {
    pub delay_ms: u64,
    pub whom: Vec<Called>,
    pub enough: Vec<WantedQuota>,
}

/// The raise of a version. Mistakes are in what was said: `/placeholders/what` is missing, unknown or too long.
pub fn from_template(version: &Version, said: &Said) -> Result<Templated, Vec<Mistake>> {
    let mistakes = check(&version.template, &said.values);
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    let fill = Fill::said(&version.template, &said.values);
    Ok(build(version, &fill, said))
}

/// As [`from_template`], with the template's examples where nothing was said: to look at before there is an alert.
pub fn example_of(version: &Version) -> Raise {
    let said = Said::default();
    let fill = Fill::examples(&version.template, &said.values);
    build(version, &fill, &said).raise
}

fn check(template: &Template, values: &ByLanguage) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    let mut add = |name: &str, problem: String| {
        mistakes.push(Mistake {
            at: format!("/placeholders/{name}"),
            problem,
        });
    };
    let known: Vec<&str> = template
        .placeholders
        .iter()
        .map(|p| p.name.as_str())
        .collect();
    for placeholder in template.placeholders.iter().filter(|p| p.required) {
        let said = values.get(&placeholder.name);
        if said.is_none_or(|value| value.trim().is_empty()) {
            let example = templates::words_in(&placeholder.example, "en", &template.fallback);
            let problem = format!(
                "is missing; template {} needs it, such as {:?}",
                template.key,
                example.map_or("", String::as_str)
            );
            add(&placeholder.name, problem);
        }
    }
    for (name, value) in values {
        if !known.contains(&name.as_str()) {
            let shown: String = name.chars().take(40).collect();
            let problem = match known.as_slice() {
                [] => format!("template {} has no placeholders", template.key),
                known => format!(
                    "is no placeholder of template {}; it has {}",
                    template.key,
                    known.join(", ")
                ),
            };
            add(&shown, problem);
        } else if value.chars().count() > VALUE_LEN_MAX {
            let problem = format!(
                "has {} characters; at most {VALUE_LEN_MAX} are taken",
                value.chars().count()
            );
            add(name, problem);
        }
    }
    mistakes
}

fn build(version: &Version, fill: &Fill<'_>, said: &Said) -> Templated {
    let template = &version.template;
    let gather: BTreeMap<String, Gather> = template
        .gather
        .iter()
        .map(|(language, gather)| (language.clone(), filled_gather(fill, gather, language)))
        .collect();
    let gather_of = |language: Language| {
        let own = templates::words_in(&gather, language.tag(), &template.fallback);
        own.map_or_else(String::new, |words| gather_line(language, words))
    };
    let gather_in: Vec<(String, String)> = match gather.is_empty() {
        true => Vec::new(),
        false => Language::all()
            .iter()
            .map(|language| (language.tag().to_owned(), gather_of(*language)))
            .collect(),
    };
    let raise = Raise {
        severity: said.severity.unwrap_or(template.severity),
        status: said.status.unwrap_or(template.status),
        texts: texts_of(template, fill, &said.extra),
        gather: gather_of(Language::parse(&template.fallback)),
        gather_in,
        aware_at: None,
        steps: Vec::new(),
        notes: Vec::new(),
        needed: template.needed,
        repeat_every_ms: template.repeat_every_ms,
        repeats: template.repeats,
        validity_ms: template.validity_ms,
        fallback: Vec::new(),
        channels: template.channels.clone(),
        answers: template.answers.clone(),
        conduct: template.conduct.clone(),
        lead: Vec::new(),
        on_call: Vec::new(),
        dedup_key: None,
        source: String::new(),
        template: Some(Box::new(FromTemplate {
            key: template.key.clone(),
            version: version.version,
            name: template.name.clone(),
            values: said.values.clone(),
            gather,
            checklist: template
                .checklist
                .iter()
                .map(|item| filled_item(fill, item))
                .collect(),
            documents: template.documents.clone(),
            attachments: template.attachments.clone(),
            automations: template.automations.clone(),
            requester: None,
            cause: None,
        })),
    };
    Templated {
        raise,
        steps: steps_of(template),
        lead: template
            .lead
            .iter()
            .filter_map(|name| Named::parse(name))
            .collect(),
    }
}

/// The texts, the one that serves missing languages first, each with the raise's own words behind it, as a sentence of their own.
fn texts_of(template: &Template, fill: &Fill<'_>, extra: &str) -> Vec<(String, String)> {
    let whole = |(language, text): (&String, &String)| {
        let text = fill.text(text, language);
        let text = match extra.trim() {
            "" => text,
            extra if text.ends_with(char::is_alphanumeric) => format!("{text}. {extra}"),
            extra => format!("{text} {extra}"),
        };
        (language.clone(), text)
    };
    let (first, others): (Vec<_>, Vec<_>) = template
        .texts
        .iter()
        .map(whole)
        .partition(|(language, _)| *language == template.fallback);
    first.into_iter().chain(others).collect()
}

/// The steps by name. Names were checked when the template was put; one of a newer version is passed over.
fn steps_of(template: &Template) -> Vec<TemplatedStep> {
    template
        .steps
        .iter()
        .map(|step| TemplatedStep {
            delay_ms: step.delay_ms,
            whom: step
                .to
                .iter()
                .filter_map(|name| Called::parse(name))
                .collect(),
            enough: step.enough.clone(),
        })
        .collect()
}

fn filled_gather(fill: &Fill<'_>, gather: &Gather, language: &str) -> Gather {
    Gather {
        place: fill.text(&gather.place, language),
        alternate: fill.text(&gather.alternate, language),
        bridge: fill.text(&gather.bridge, language),
        pin: fill.text(&gather.pin, language),
    }
}

fn gather_line(language: Language, gather: &Gather) -> String {
    texts::gather(
        language,
        texts::GatherText {
            place: &gather.place,
            alternate: &gather.alternate,
            bridge: &gather.bridge,
            pin: &gather.pin,
        },
    )
}

fn filled_item(fill: &Fill<'_>, item: &Item) -> Item {
    Item {
        owner: item.owner.clone(),
        text: fill.all(&item.text),
    }
}
