//! `START`: an alert from a template, or with words of one's own.

use super::rows::Act;
use super::{Desk, Said};
use crate::alerts::{
    self, DEFAULT_REPEAT_EVERY_MS, DEFAULT_REPEATS, DEFAULT_VALIDITY_MS, Raise,
    Said as ForTemplate, Step,
};
use crate::ids::RecipientId;
use crate::inbound::rules::first_word;
use crate::oncall::{self, Called};
use crate::recipients::{self, Named, PersonRow};
use crate::templates::{self, Version};
use crate::texts::{self, Language, Refused, Verb};
use crate::vocabulary::{Conduct, Severity, Status};

/// Names listed beside one that is not known.
const KNOWN_MAX: usize = 8;

/// Longest name of whoever ordered, in the alert's source.
const NAME_UNITS_MAX: usize = 60;

impl Desk<'_> {
    /// An alert from a template, or with words of one's own to a group, a schedule or a person.
    pub(super) async fn start(
        &mut self,
        args: &str,
        person: &PersonRow,
    ) -> Result<Result<Act, Said>, sqlx::Error> {
        let language = Language::parse(&person.language);
        let refuse = |refused: Refused<'_>| Ok(Err(texts::order_refused(language, refused)));
        let (what, words) = first_word(args);
        if what.is_empty() {
            return refuse(Refused::Usage(Verb::Start));
        }
        for key in spellings(what) {
            if let Some(version) = templates::find(self.conn, &key).await?
                && version.archived_at.is_none()
            {
                return self.filled_in(&version, words, person).await;
            }
        }
        let Some(people) = self.people_named(what).await? else {
            let templates = templates::list(self.conn, false).await?;
            let mut known: Vec<String> = templates
                .into_iter()
                .map(|t| t.newest.template.key)
                .take(KNOWN_MAX)
                .collect();
            known.extend(self.known_groups().await?);
            return refuse(Refused::UnknownTarget {
                name: what,
                known: &known,
            });
        };
        let (severity, words) = severity_and_words(words);
        if words.is_empty() {
            return refuse(Refused::Usage(Verb::Start));
        }
        let mut raise = with_words(language, severity, words);
        raise.steps = vec![Step {
            delay_ms: 0,
            recipients: people,
            enough: Vec::new(),
        }];
        Ok(checked(raise, person, language))
    }

    async fn filled_in(
        &mut self,
        version: &Version,
        words: &str,
        person: &PersonRow,
    ) -> Result<Result<Act, Said>, sqlx::Error> {
        let language = Language::parse(&person.language);
        let refuse = |refused: Refused<'_>| Ok(Err(texts::order_refused(language, refused)));
        let template = &version.template;
        let said = fill(version, words);
        let templated = match alerts::from_template(version, &said) {
            Ok(templated) => templated,
            Err(mistakes) => {
                let required = template.placeholders.iter().filter(|hole| hole.required);
                let holes: Vec<String> = required.map(|hole| hole.name.clone()).collect();
                let missing = said.values.len() < holes.len();
                let problem = mistakes
                    .into_iter()
                    .next()
                    .map_or(String::new(), |m| m.problem);
                return match missing {
                    true => refuse(Refused::Missing {
                        template: &template.key,
                        holes: &holes,
                    }),
                    false => refuse(Refused::Rule(&problem)),
                };
            }
        };
        let mut raise = templated.raise;
        let now = self.civil.at(self.entry.at);
        let (steps, lead) = (templated.steps, templated.lead);
        alerts::call_up(self.conn, &mut raise, steps, lead, now).await?;
        Ok(checked(raise, person, language))
    }

    /// Everybody a group, a schedule (now) or a person's key means; `None` when it means nothing.
    pub(super) async fn people_named(
        &mut self,
        name: &str,
    ) -> Result<Option<Vec<RecipientId>>, sqlx::Error> {
        let now = self.civil.at(self.entry.at);
        for key in spellings(name) {
            let meanings = [
                Called::Named(Named::Group(key.clone())),
                Called::OnCall(key.clone()),
                Called::Named(Named::Person(key)),
            ];
            for meaning in meanings {
                if let Ok(found) = oncall::resolve(self.conn, &[meaning], now).await? {
                    return Ok(Some(found.people));
                }
            }
        }
        Ok(None)
    }

    pub(super) async fn known_groups(&mut self) -> Result<Vec<String>, sqlx::Error> {
        let groups = recipients::groups(self.conn).await?;
        Ok(groups
            .into_iter()
            .map(|group| group.key)
            .take(KNOWN_MAX)
            .collect())
    }
}

/// The words for a template's holes, in the order in which it has them, with `;` or line ends between; what is left over
/// stands behind the text.
fn fill(version: &Version, words: &str) -> ForTemplate {
    let holes = &version.template.placeholders;
    let mut said = ForTemplate::default();
    if let [only] = holes.as_slice() {
        if !words.trim().is_empty() {
            said.values
                .insert(only.name.clone(), words.trim().to_owned());
        }
        return said;
    }
    let mut pieces = words.split([';', '\n']).map(str::trim);
    for hole in holes {
        if let Some(piece) = pieces.next().filter(|piece| !piece.is_empty()) {
            said.values.insert(hole.name.clone(), piece.to_owned());
        }
    }
    let left: Vec<&str> = pieces.filter(|piece| !piece.is_empty()).collect();
    said.extra = left.join("; ");
    said
}

/// The severity that words may begin with, and the words.
fn severity_and_words(words: &str) -> (Severity, &str) {
    let (first, rest) = first_word(words);
    let first = first.trim_end_matches([':', ',', '.', '!']).to_lowercase();
    let named = Severity::ALL.into_iter().find(|severity| {
        let mut all = Language::all().iter();
        all.any(|language| texts::severity(*language, *severity) == first)
    });
    match named {
        Some(severity) => (severity, rest.trim()),
        None => (Severity::High, words.trim()),
    }
}

fn with_words(language: Language, severity: Severity, words: &str) -> Raise {
    Raise {
        severity,
        status: Status::Actual,
        texts: vec![(language.tag().to_owned(), words.to_owned())],
        gather: String::new(),
        gather_in: Vec::new(),
        aware_at: None,
        steps: Vec::new(),
        notes: Vec::new(),
        needed: 1,
        repeat_every_ms: DEFAULT_REPEAT_EVERY_MS,
        repeats: DEFAULT_REPEATS,
        validity_ms: DEFAULT_VALIDITY_MS,
        fallback: Vec::new(),
        channels: Vec::new(),
        answers: Vec::new(),
        conduct: Conduct::default(),
        lead: Vec::new(),
        on_call: Vec::new(),
        dedup_key: None,
        source: String::new(),
        template: None,
    }
}

/// A raise in the name of whoever ordered it, if the rules of alerts let it pass.
fn checked(raise: Raise, person: &PersonRow, language: Language) -> Result<Act, Said> {
    let mut notes = raise.notes.clone();
    notes.truncate(alerts::NOTES_MAX);
    for note in &mut notes {
        *note = texts::clip(note, alerts::NOTE_LEN_MAX);
    }
    let raise = Raise {
        source: format!(
            "{} by text",
            texts::clip(&texts::clean(&person.name), NAME_UNITS_MAX)
        ),
        notes,
        ..raise
    };
    match alerts::headcount(&raise) {
        Ok(_) => Ok(Act::Raise(Box::new(raise))),
        Err(refusal) => Err(texts::order_refused(
            language,
            Refused::Rule(&refusal.to_string()),
        )),
    }
}

/// A key as it was typed, and as it is when a phone put a capital in front.
pub(super) fn spellings(name: &str) -> Vec<String> {
    let name = name.trim_matches(|c: char| matches!(c, ':' | ',' | '.' | ';' | '"' | '\''));
    let lower = name.to_lowercase();
    match lower == name {
        true => vec![lower],
        false => vec![name.to_owned(), lower],
    }
}
