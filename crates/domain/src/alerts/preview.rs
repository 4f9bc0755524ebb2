//! An alert before it is raised: its texts as they would leave, and what it would take. Changes nothing.

use std::collections::BTreeMap;

use sqlx::SqliteConnection;

use super::estimate::{Channel, Facts, Person, Ways, estimate};
use super::{Estimate, Raise, query, raise, rules};
use crate::deliveries;
use crate::ids::RecipientId;
use crate::limits::{self, Weight};
use crate::nodes;
use crate::outcome::Refusal;
use crate::recipients::{self, ContactMethod, PersonRow, Prefixes};
use crate::templates;
use crate::texts::{self, Language, Marks, Measure};
use crate::time::Timestamp;
use crate::vocabulary::Severity;

/// A text that calls people, as it would reach them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PageWords {
    pub language: Language,
    /// `sms` or `email`.
    pub kind: &'static str,
    /// Empty for SMS.
    pub subject: String,
    pub body: String,
    /// How it looks to a modem; for SMS only.
    pub measure: Option<Measure>,
    /// The alert's own words were cut to fit.
    pub cut: bool,
}

/// What raising an alert would come to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Preview {
    pub words: Vec<PageWords>,
    pub estimate: Estimate,
    /// People without any contact method, the first of them.
    pub unreachable: Vec<RecipientId>,
    /// Why it would wait for a second person; empty: it would not.
    pub second_person: Vec<String>,
    /// Why a budget would refuse it; absent: none would.
    pub over_budget: Option<String>,
}

/// A code of the length people get.
const SAMPLE_CODE: &str = "4711";

/// People looked up together.
const PEOPLE_AT_ONCE: usize = 2_000;

/// How many people without a contact method are named.
const UNREACHABLE_MAX: usize = 100;

/// The texts of a raise in every language and for every kind of channel, made by the functions that make the real ones.
pub fn page_words(raise: &Raise, number: &str, organisation: &str) -> Vec<PageWords> {
    let content = raise::content(raise, number.to_owned());
    let frozen = content.pages(organisation);
    frozen
        .into_iter()
        .map(|text| {
            let language = Language::parse(text.language);
            let marks = Marks {
                language,
                ..Marks::default()
            };
            let body = texts::finish(&text.body, SAMPLE_CODE, &marks);
            let own = texts::clean(content.text_in(language));
            PageWords {
                language,
                kind: text.kind,
                subject: texts::finish(&text.subject, SAMPLE_CODE, &marks),
                measure: (text.kind == "sms").then(|| texts::measure(&body)),
                cut: !body.contains(&own),
                body,
            }
        })
        .collect()
}

/// What raising this would come to now, or why it would be refused.
///
/// `account` is whoever would raise it, `now` when.
pub async fn preview(
    conn: &mut SqliteConnection,
    raise: &Raise,
    account: &str,
    now: Timestamp,
) -> Result<Result<Preview, Refusal>, sqlx::Error> {
    if let Err(refusal) = rules::plan(raise) {
        return Ok(Err(refusal));
    }
    let organisation = nodes::organisation(conn).await?;
    let number = query::next_number(conn).await?.to_string();
    let words = page_words(raise, &number, &organisation);
    let parts = parts_of(&words);
    let mut steps = Vec::with_capacity(raise.steps.len());
    let mut unreachable = Vec::new();
    for (step, ids) in rules::in_order(&raise.steps) {
        let people = people(conn, raise, &ids).await?;
        let nobody = ids
            .iter()
            .zip(&people)
            .filter(|(_, p)| **p == Person::Unreachable);
        unreachable.extend(nobody.map(|(id, _)| *id));
        steps.push((step.delay_ms, people));
    }
    unreachable.truncate(UNREACHABLE_MAX);
    let channels = nodes::channels(conn).await?;
    // A node that runs out of power is given work only while no other can send at all.
    let spared: Vec<String> = channels
        .iter()
        .filter(|channel| channel.usable && !channel.draining)
        .map(|channel| channel.kind.clone())
        .collect();
    let facts = Facts {
        steps,
        repeats: raise.repeats,
        parts,
        channels: channels
            .into_iter()
            .filter(|channel| {
                channel.usable && !(channel.draining && spared.contains(&channel.kind))
            })
            .map(|channel| Channel {
                sms: channel.kind == "sms",
                operator: channel.operator,
                rate_per_min: channel.rate_per_min,
            })
            .collect(),
        queued: deliveries::queued(conn).await?,
        price: templates::policy(conn).await?.price,
        held_back: nodes::outbox_pause(conn).await?.is_some(),
    };
    let estimate = estimate(&facts);
    let weight = Weight {
        people: estimate.people,
        sms_parts: estimate.sms_parts,
        micros: estimate.cost.as_ref().map(|cost| cost.micros),
    };
    let setting = limits::second_person(conn).await?;
    let second_person = setting.map_or_else(Vec::new, |set| limits::too_heavy(&set, &weight));
    let over_budget = match raise.severity == Severity::Critical {
        true => None,
        false => limits::refusal(conn, now, account, &weight).await?,
    };
    Ok(Ok(Preview {
        words,
        estimate,
        unreachable,
        second_person,
        over_budget,
    }))
}

/// What a raise weighs: its people, and what its first round takes. As [`preview`], by the same functions.
pub(crate) async fn weigh(
    conn: &mut SqliteConnection,
    raise: &Raise,
) -> Result<Result<Weight, Refusal>, sqlx::Error> {
    if let Err(refusal) = rules::plan(raise) {
        return Ok(Err(refusal));
    }
    let organisation = nodes::organisation(conn).await?;
    let number = query::next_number(conn).await?.to_string();
    let parts = parts_of(&page_words(raise, &number, &organisation));
    let mut weight = Weight::default();
    for (_, ids) in rules::in_order(&raise.steps) {
        weight.people += ids.len() as u64;
        for person in people(conn, raise, &ids).await? {
            if let Person::Reachable(ways) = person {
                let each = parts.get(&ways.language).copied().unwrap_or(1);
                weight.sms_parts += u64::from(ways.sms) * u64::from(each);
            }
        }
    }
    let price = templates::policy(conn).await?.price;
    weight.micros = price.map(|price| weight.sms_parts.saturating_mul(price.micros));
    Ok(Ok(weight))
}

/// SMS parts of the page in each language.
fn parts_of(words: &[PageWords]) -> BTreeMap<Language, u16> {
    words
        .iter()
        .filter_map(|text| Some((text.language, text.measure.as_ref()?.parts)))
        .collect()
}

/// How each of these people would be called.
async fn people(
    conn: &mut SqliteConnection,
    raise: &Raise,
    ids: &[RecipientId],
) -> Result<Vec<Person>, sqlx::Error> {
    let critical = raise.severity == Severity::Critical;
    let prefixes = recipients::prefixes(conn).await?;
    let mut found = Vec::with_capacity(ids.len());
    for some in ids.chunks(PEOPLE_AT_ONCE) {
        let known: BTreeMap<RecipientId, PersonRow> = recipients::by_ids(&mut *conn, some)
            .await?
            .into_iter()
            .map(|person| (person.id, person))
            .collect();
        found.extend(some.iter().map(|id| match known.get(id) {
            Some(person) => called(person, &prefixes, &raise.channels, critical),
            None => Person::Unreachable,
        }));
    }
    Ok(found)
}

fn called(person: &PersonRow, prefixes: &Prefixes, wished: &[String], critical: bool) -> Person {
    if person.methods.is_empty() {
        return Person::Unreachable;
    }
    let (usable, barred): (Vec<ContactMethod>, Vec<ContactMethod>) = person
        .methods
        .iter()
        .cloned()
        .partition(|method| recipients::check_prefix(prefixes, method).is_ok());
    let mut ways = Ways {
        language: Language::parse(&person.language),
        sms: 0,
        mails: 0,
        barred: u32::try_from(barred.len()).unwrap_or(u32::MAX),
        rings: 0,
    };
    for (method, at_once) in deliveries::ways(&usable, wished, critical) {
        match method.kind() {
            "sms" if at_once => ways.sms += 1,
            "email" if at_once => ways.mails += 1,
            _ => {}
        }
    }
    if critical {
        let wishes = &person.details.wishes;
        let phones = person.methods.iter().filter(|m| m.kind() == "sms").count();
        let own = match wishes.never_voice {
            true => 0,
            false => u32::try_from(phones).unwrap_or(u32::MAX),
        };
        // Whoever wakes them is taken to have one phone.
        ways.rings = own.saturating_add(u32::from(wishes.wake_by.is_some()));
    }
    Person::Reachable(ways)
}
