//! What may stand in a template. Decisions without SQL.

use std::collections::{BTreeMap, BTreeSet};

use super::automated;
use super::fill::{Piece, is_name, pieces};
use super::links::{check_host, check_url, is_host, links};
use super::{Attachment, ByLanguage, Placeholder, Policy, Template};
use crate::oncall::{Called, QUOTAS_MAX, check_quota};
use crate::recipients::{Named, check_key};
use crate::texts::{Language, steers};
use crate::vocabulary::{AlertKind, DELAY_MS_MAX, STEPS_MAX, TEXT_LEN_MAX, VALIDITY_MS};

/// Templates of one organisation, archived ones among them.
pub(super) const TEMPLATES_MAX: i64 = 500;

/// Versions kept of one template that no alert was raised from.
pub(super) const VERSIONS_MAX: i64 = 50;

/// The longest value of a placeholder, in characters.
pub const VALUE_LEN_MAX: usize = 200;

/// Kinds of contact method a template may ask for.
pub const CHANNELS: [&str; 2] = ["sms", "email"];

/// Keys that stand for something else in paths.
const RESERVED: [&str; 2] = ["starter", "check"];

const NAME_LEN_MAX: usize = 100;
const LANGUAGES_MAX: usize = 20;
const PLACEHOLDERS_MAX: usize = 16;
const RECIPIENTS_MAX: usize = 100;
const GATHER_LEN_MAX: usize = 60;
const ITEMS_MAX: usize = 40;
const ITEM_LEN_MAX: usize = 300;
const OWNER_LEN_MAX: usize = 60;
const DOCUMENTS_MAX: usize = 20;
const LABEL_LEN_MAX: usize = 100;
const URL_LEN_MAX: usize = 500;
const ATTACHMENTS_MAX: usize = 20;
const ATTACHMENT_BYTES_MAX: u64 = 100 << 20;
const NOTES_LEN_MAX: usize = 4_000;
const LINK_HOSTS_MAX: usize = 100;
const PRICE_MICROS_MAX: u64 = 1_000_000_000;
const MISTAKES_MAX: usize = 50;

/// Something that is not as it should be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Mistake {
    /// Where, as a JSON pointer into the template (RFC 6901): `/texts/fi`.
    pub at: String,
    /// What is wrong and what to do.
    pub problem: String,
}

/// Every mistake in a template, in reading order. An empty list: it may be put.
pub fn check(template: &Template, policy: &Policy) -> Vec<Mistake> {
    let mut check = Check {
        template,
        policy,
        mistakes: Vec::new(),
    };
    check.head();
    check.texts();
    check.placeholders();
    check.steps();
    check.gather();
    check.checklist();
    check.documents();
    check.attachments();
    for mistake in automated::check(template) {
        check.add(mistake.at, mistake.problem);
    }
    check.mistakes
}

/// Every mistake in a policy.
pub fn check_policy(policy: &Policy) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    let mut add = |at: String, problem: String| mistakes.push(Mistake { at, problem });
    if policy.link_hosts.len() > LINK_HOSTS_MAX {
        add(
            "/link_hosts".to_owned(),
            format!("names more than {LINK_HOSTS_MAX} hosts"),
        );
    }
    for (index, host) in policy.link_hosts.iter().take(LINK_HOSTS_MAX).enumerate() {
        if !is_host(host) {
            let at = format!("/link_hosts/{index}");
            add(
                at,
                "is not a host; write it as plans.example.org".to_owned(),
            );
        }
    }
    if let Some(price) = &policy.price {
        if price.micros > PRICE_MICROS_MAX {
            add(
                "/price_per_part/amount".to_owned(),
                "is more than 1000; write the price of one part".to_owned(),
            );
        }
        if price.currency.len() != 3 || !price.currency.bytes().all(|b| b.is_ascii_uppercase()) {
            add(
                "/price_per_part/currency".to_owned(),
                "is not a currency; write EUR, SEK, …".to_owned(),
            );
        }
    }
    mistakes
}

/// What is allowed and yet may not be meant. `read`: the languages of those who may be called.
pub fn hints(template: &Template, read: &[Language]) -> Vec<Mistake> {
    let mut hints = Vec::new();
    let mut add = |at: String, problem: String| hints.push(Mistake { at, problem });
    let spoken: Vec<&str> = Language::all()
        .iter()
        .map(|language| language.tag())
        .collect();
    for language in template.texts.keys() {
        if !spoken.contains(&language.as_str()) {
            let problem = format!(
                "texts go out in {} only, so nobody gets this one",
                spoken.join(", ")
            );
            add(format!("/texts/{language}"), problem);
        }
    }
    for language in read.iter().map(|language| language.tag()) {
        if !template.texts.contains_key(language) {
            let problem = format!(
                "is missing; whoever reads {language} gets {}",
                template.fallback
            );
            add(format!("/texts/{language}"), problem);
        }
    }
    let used = holes_of(template);
    for (index, placeholder) in template.placeholders.iter().enumerate() {
        if !used.contains(placeholder.name.as_str()) {
            let problem = format!("{{{}}} stands nowhere in the template", placeholder.name);
            add(format!("/placeholders/{index}"), problem);
        }
    }
    if template.steps.is_empty() {
        add(
            "/steps".to_owned(),
            "names nobody; each raise has to say whom to call".to_owned(),
        );
    }
    hints
}

/// Every text that may have holes.
fn texts_of(template: &Template) -> impl Iterator<Item = &String> {
    let gather = template
        .gather
        .values()
        .flat_map(|g| [&g.place, &g.alternate, &g.bridge, &g.pin]);
    let items = template
        .checklist
        .iter()
        .flat_map(|item| item.text.values());
    template.texts.values().chain(gather).chain(items)
}

fn holes_of(template: &Template) -> BTreeSet<&str> {
    let all = texts_of(template).filter_map(|text| pieces(text).ok());
    all.flatten()
        .filter_map(|piece| match piece {
            Piece::Hole(name) => Some(name),
            Piece::Words(_) => None,
        })
        .collect()
}

/// One look through a template.
struct Check<'a> {
    template: &'a Template,
    policy: &'a Policy,
    mistakes: Vec<Mistake>,
}

impl Check<'_> {
    fn add(&mut self, at: impl Into<String>, problem: impl Into<String>) {
        if self.mistakes.len() < MISTAKES_MAX {
            self.mistakes.push(Mistake {
                at: at.into(),
                problem: problem.into(),
            });
        }
    }

    fn head(&mut self) {
        let template = self.template;
        if let Err(problem) = check_key(&template.key) {
            self.add("/key", problem);
        }
        if RESERVED.contains(&template.key.as_str()) {
            self.add(
                "/key",
                format!(
                    "{:?} stands for something else; choose another",
                    template.key
                ),
            );
        }
        self.line("/name", &template.name, NAME_LEN_MAX, Empty::Refused);
        if !is_language(&template.fallback) {
            self.add("/fallback", "is not a language; write en, fi, sv, fr or ja");
        }
        if !VALIDITY_MS.contains(&template.validity_ms) {
            self.add(
                "/validity_s",
                "is not between 60 (1 minute) and 604800 (7 days)",
            );
        }
        for (index, channel) in template.channels.iter().enumerate() {
            if !CHANNELS.contains(&channel.as_str()) {
                let problem = format!("{channel:?} is no kind of channel; write sms or email");
                self.add(format!("/channels/{index}"), problem);
            }
        }
        self.once("/channels", template.channels.iter().map(String::as_str));
        self.once("/answers", template.answers.iter().map(|a| a.name()));
        self.conduct();
        let notes = template.notes.chars().count();
        if notes > NOTES_LEN_MAX {
            self.add(
                "/notes",
                format!("has {notes} characters; at most {NOTES_LEN_MAX} are taken"),
            );
        }
        let odd = template
            .notes
            .chars()
            .find(|c| (c.is_control() && !matches!(c, '\n' | '\t')) || steers(*c));
        if let Some(odd) = odd {
            self.add("/notes", control(odd));
        }
    }

    fn conduct(&mut self) {
        let template = self.template;
        let kind = template.conduct.kind;
        if let Err(problem) = template.conduct.check() {
            self.add("/follow_up", problem);
        }
        for (index, answer) in template.answers.iter().enumerate() {
            if !kind.answers().contains(answer) {
                let known: Vec<&str> = kind.answers().iter().map(|a| a.name()).collect();
                let problem = format!(
                    "{} cannot be answered to this kind of alert; known are {}",
                    answer.name(),
                    known.join(", ")
                );
                self.add(format!("/answers/{index}"), problem);
            }
        }
        if kind == AlertKind::SafetyCheck
            && (template.steps.len() > 1 || template.steps.iter().any(|s| !s.enough.is_empty()))
        {
            let problem = "a safety check asks everyone at once and waits for all of them; give one step without conditions";
            self.add("/steps", problem);
        }
        self.at_most("/lead", template.lead.len(), RECIPIENTS_MAX);
        for (place, name) in template.lead.iter().enumerate().take(RECIPIENTS_MAX) {
            if Named::parse(name).is_none() {
                let shown: String = name.chars().take(80).collect();
                let problem = format!("{shown:?} names nobody; write person:KEY or group:KEY");
                self.add(format!("/lead/{place}"), problem);
            }
        }
    }

    fn texts(&mut self) {
        let template = self.template;
        self.languages("/texts", &template.texts);
        for (language, text) in &template.texts {
            let at = format!("/texts/{language}");
            self.filled(&at, text, TEXT_LEN_MAX, Empty::Refused);
            let links = links(text);
            for link in &links {
                if let Err(problem) = check_host(link, &self.policy.link_hosts) {
                    self.add(&at, problem);
                }
            }
            let rest = links
                .iter()
                .fold(text.clone(), |rest, link| rest.replace(link.text, ""));
            if !links.is_empty() && !rest.chars().any(char::is_alphanumeric) {
                self.add(&at, "is nothing but a link; say what happened");
            }
        }
    }

    fn placeholders(&mut self) {
        let all = &self.template.placeholders;
        self.at_most("/placeholders", all.len(), PLACEHOLDERS_MAX);
        self.once("/placeholders", all.iter().map(|p| p.name.as_str()));
        for (index, placeholder) in all.iter().enumerate() {
            self.placeholder(&format!("/placeholders/{index}"), placeholder);
        }
    }

    fn placeholder(&mut self, at: &str, placeholder: &Placeholder) {
        if !is_name(&placeholder.name) {
            let problem = "is not a name; write a to z, digits and underscores, a letter first";
            self.add(format!("{at}/name"), problem);
        }
        self.lines(
            &format!("{at}/example"),
            &placeholder.example,
            VALUE_LEN_MAX,
        );
        if placeholder.required && !placeholder.default.is_empty() {
            let problem = "stands beside `required`; what must be said needs no default";
            self.add(format!("{at}/default"), problem);
        }
        if !placeholder.default.is_empty() {
            self.lines(
                &format!("{at}/default"),
                &placeholder.default,
                VALUE_LEN_MAX,
            );
        }
    }

    fn steps(&mut self) {
        self.at_most("/steps", self.template.steps.len(), STEPS_MAX);
        for (index, step) in self.template.steps.iter().enumerate() {
            let at = format!("/steps/{index}");
            if step.delay_ms > DELAY_MS_MAX {
                self.add(
                    format!("{at}/after_s"),
                    "is more than 604800; a step starts at most 7 days after the alert",
                );
            }
            self.at_most(&format!("{at}/to"), step.to.len(), RECIPIENTS_MAX);
            self.once(&format!("{at}/to"), step.to.iter().map(String::as_str));
            for (place, name) in step.to.iter().enumerate().take(RECIPIENTS_MAX) {
                if Called::parse(name).is_none() {
                    let shown: String = name.chars().take(80).collect();
                    let problem = format!(
                        "{shown:?} names nobody; write person:KEY, group:KEY or schedule:KEY"
                    );
                    self.add(format!("{at}/to/{place}"), problem);
                }
            }
            self.at_most(&format!("{at}/enough"), step.enough.len(), QUOTAS_MAX);
            for (place, quota) in step.enough.iter().enumerate().take(QUOTAS_MAX) {
                if let Err(problem) = check_quota(quota) {
                    self.add(format!("{at}/enough/{place}"), problem);
                }
            }
        }
    }

    fn gather(&mut self) {
        let template = self.template;
        if template.gather.is_empty() {
            return;
        }
        self.languages("/gather", &template.gather);
        for (language, gather) in &template.gather {
            for (part, text) in [
                ("place", &gather.place),
                ("alternate", &gather.alternate),
                ("bridge", &gather.bridge),
                ("pin", &gather.pin),
            ] {
                let at = format!("/gather/{language}/{part}");
                self.filled(&at, text, GATHER_LEN_MAX, Empty::Taken);
                for link in links(text) {
                    if let Err(problem) = check_host(&link, &self.policy.link_hosts) {
                        self.add(&at, problem);
                    }
                }
            }
        }
    }

    fn checklist(&mut self) {
        let items = &self.template.checklist;
        self.at_most("/checklist", items.len(), ITEMS_MAX);
        for (index, item) in items.iter().enumerate().take(ITEMS_MAX) {
            let at = format!("/checklist/{index}");
            self.languages(&format!("{at}/text"), &item.text);
            for (language, text) in &item.text {
                self.filled(
                    &format!("{at}/text/{language}"),
                    text,
                    ITEM_LEN_MAX,
                    Empty::Refused,
                );
            }
            self.lines(&format!("{at}/owner"), &item.owner, OWNER_LEN_MAX);
        }
    }

    fn documents(&mut self) {
        let documents = &self.template.documents;
        self.at_most("/documents", documents.len(), DOCUMENTS_MAX);
        for (index, document) in documents.iter().enumerate().take(DOCUMENTS_MAX) {
            let at = format!("/documents/{index}");
            self.lines(&format!("{at}/label"), &document.label, LABEL_LEN_MAX);
            let at = format!("{at}/url");
            self.line(&at, &document.url, URL_LEN_MAX, Empty::Refused);
            if let Err(problem) = check_url(&document.url, &self.policy.link_hosts) {
                self.add(at, problem);
            }
        }
        self.once("/documents", documents.iter().map(|d| d.url.as_str()));
    }

    fn attachments(&mut self) {
        let attachments = &self.template.attachments;
        self.at_most("/attachments", attachments.len(), ATTACHMENTS_MAX);
        for (index, attachment) in attachments.iter().enumerate().take(ATTACHMENTS_MAX) {
            self.attachment(&format!("/attachments/{index}"), attachment);
        }
        self.once("/attachments", attachments.iter().map(|a| a.name.as_str()));
    }

    fn attachment(&mut self, at: &str, attachment: &Attachment) {
        let name = &attachment.name;
        self.line(&format!("{at}/name"), name, NAME_LEN_MAX, Empty::Refused);
        if name.contains(['/', '\\']) || name.starts_with('.') {
            let problem = "is not the bare name of a file";
            self.add(format!("{at}/name"), problem);
        }
        if attachment.bytes > ATTACHMENT_BYTES_MAX {
            self.add(format!("{at}/bytes"), "is more than 100 MiB");
        }
        let digest = &attachment.sha256;
        let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if digest.len() != 64 || !digest.bytes().all(hex) {
            let problem = "is not a SHA-256; write 64 of 0-9 and a-f";
            self.add(format!("{at}/sha256"), problem);
        }
    }

    /// A text with holes.
    fn filled(&mut self, at: &str, text: &str, len_max: usize, empty: Empty) {
        self.line(at, text, len_max, empty);
        let found = match pieces(text) {
            Ok(found) => found,
            Err(problem) => return self.add(at, problem),
        };
        let names: BTreeSet<&str> = found
            .into_iter()
            .filter_map(|piece| match piece {
                Piece::Hole(name) => Some(name),
                Piece::Words(_) => None,
            })
            .collect();
        for name in names {
            if !self.template.placeholders.iter().any(|p| p.name == name) {
                let problem =
                    format!("has {{{name}}}, which is not declared; add it to the placeholders");
                self.add(at, problem);
            }
        }
    }

    /// Words by language, without holes.
    fn lines(&mut self, at: &str, texts: &ByLanguage, len_max: usize) {
        self.languages(at, texts);
        for (language, text) in texts {
            self.line(&format!("{at}/{language}"), text, len_max, Empty::Refused);
        }
    }

    /// Languages are languages, and the one that serves the others is among them.
    fn languages<T>(&mut self, at: &str, by_language: &BTreeMap<String, T>) {
        let fallback = &self.template.fallback;
        if !by_language.contains_key(fallback) {
            let problem = format!("is missing; {fallback} serves every language without its own");
            self.add(format!("{at}/{fallback}"), problem);
        }
        self.at_most(at, by_language.len(), LANGUAGES_MAX);
        for language in by_language.keys() {
            if !is_language(language) {
                let shown: String = language.chars().take(20).collect();
                self.add(
                    at,
                    format!("{shown:?} is not a language; write en, fi, sv, fr or ja"),
                );
            }
        }
    }

    /// One line of words.
    fn line(&mut self, at: &str, text: &str, len_max: usize, empty: Empty) {
        let len = text.chars().count();
        if empty == Empty::Refused && text.trim().is_empty() {
            self.add(at, "is empty");
        }
        if len > len_max {
            self.add(
                at,
                format!("has {len} characters; at most {len_max} are taken"),
            );
        }
        if let Some(odd) = text.chars().find(|c| c.is_control() || steers(*c)) {
            self.add(at, control(odd));
        }
    }

    fn at_most(&mut self, at: &str, len: usize, len_max: usize) {
        if len > len_max {
            self.add(
                at,
                format!("has {len} entries; at most {len_max} are taken"),
            );
        }
    }

    fn once<'s>(&mut self, at: &str, names: impl Iterator<Item = &'s str>) {
        let mut seen = BTreeSet::new();
        let twice: BTreeSet<&str> = names.filter(|name| !seen.insert(*name)).collect();
        for name in twice {
            let shown: String = name.chars().take(80).collect();
            self.add(at, format!("{shown:?} stands there twice"));
        }
    }
}

/// Whether a text may be left empty.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Empty {
    Taken,
    Refused,
}

fn is_language(text: &str) -> bool {
    (2..=3).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase())
}

fn control(odd: char) -> String {
    format!(
        "holds the control character U+{:04X}, which no text carries; take it out",
        u32::from(odd)
    )
}
